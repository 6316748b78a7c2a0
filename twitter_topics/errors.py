"""Errors, named by what the caller should do.

TwitterTopicsError
├── ConfigurationError   a setting is missing or wrong: stop, name it, say the fix (exit code 78, no restart helps)
├── RetryableError       the other side is away or busy: wait and try the same thing again
├── ConflictError        someone else was quicker: read the new state and decide again
└── IntegrityError       what was read is not what was written: keep the last good state and report
"""

from __future__ import annotations

EXIT_CONFIGURATION = 78
"""Exit code of a process whose configuration is wrong (EX_CONFIG of sysexits.h)."""


class TwitterTopicsError(Exception):
    """Base of all errors that this project raises on purpose."""


class ConfigurationError(TwitterTopicsError):
    """A setting is missing or wrong. The message names the setting and says the fix."""


class RetryableError(TwitterTopicsError):
    """A service did not answer or refused for now. The same call may succeed later."""


class ConflictError(TwitterTopicsError):
    """Someone else wrote first, or what was to be written exists. Nothing was changed."""


class IntegrityError(TwitterTopicsError):
    """Stored data contradicts itself: a hash differs, a part is missing, a pointer leads nowhere."""
