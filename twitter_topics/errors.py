"""Errors, named by what the caller should do.

TwitterTopicsError
├── ConfigurationError     a setting is missing or wrong: stop, name it and the fix (exit code 78, no restart helps);
│   │                      a streaming query tries again at intervals instead
│   └── DeniedError        a store denies access to one object, or hides that it does not exist
├── RetryableError         a service is unavailable or busy: wait and try the same call again
│   ├── LostError          a stream was interrupted: reconnect
│   ├── NotWrittenError    Elasticsearch did not accept all documents: repeat the batch later
│   ├── HandedBackError    a task could not write its part of a batch: the batch is repeated
│   └── StoppedError       a stop was requested while waiting for a service: end
├── SupersededError        another process does this one's work now: end, write nothing more (exit code 78)
├── WedgedError            a query makes no progress, even after a restart: end the process, so that it starts again
├── ConflictError          another writer was faster: read the new state and decide again (a job: exit code 73)
├── IntegrityError         data read differs from data written: keep the last good state and report
│   ├── ProofError         what was written is wrong: do not try again, a person has to look (a job: exit code 70)
│   └── DamagedError       a part of a file cannot be read: note a gap and go on
│       └── TruncatedError it ends too early
├── NotReady               something a query needs does not exist yet: wait, nothing is wrong
├── TooFewTweetsError      too few tweets for a training: try later (exit code 75)
├── TooLargeError          a frame is larger than allowed: reject it
└── StepFailedError        a step of the tour failed: report it
"""

from __future__ import annotations

from typing import ClassVar

EXIT_FAILED = 1
"""Exit code of a process that failed otherwise, and of a command that found something wrong."""

EXIT_PROOF = 70
"""Exit code of a job that found what it had written to be wrong (EX_SOFTWARE of sysexits.h): a person has to look."""

EXIT_CONFIGURATION = 78
"""Exit code of a process whose configuration is wrong (EX_CONFIG of sysexits.h)."""

EXIT_TRY_AGAIN = 75
"""Exit code of a command that may succeed later, unchanged (EX_TEMPFAIL of sysexits.h)."""

EXIT_CONFLICT = 73
"""Exit code of a job that another one has overtaken, or whose files are gone (EX_CANTCREAT of sysexits.h): only a new
run can succeed."""

EXIT_TOO_FEW_TWEETS = EXIT_TRY_AGAIN
"""Exit code of a training that found too few tweets: nothing is broken, later there may be enough."""


class TwitterTopicsError(Exception):
    """Base of all errors that this project raises deliberately. A job that ends with one has its `job_exit_code`."""

    job_exit_code: ClassVar[int] = EXIT_FAILED


class ConfigurationError(TwitterTopicsError):
    """A setting is missing or wrong. The message names the setting and the fix."""

    job_exit_code = EXIT_CONFIGURATION


class DeniedError(ConfigurationError):
    """A store denies reading one object. S3 answers so too when the object does not exist and the user may not list."""


class SupersededError(TwitterTopicsError):
    """Another process has taken over what this one does. The message names it."""


class WedgedError(TwitterTopicsError):
    """A query has work and makes no progress, although no store is unavailable, and a restart of it does not help."""


class RetryableError(TwitterTopicsError):
    """A service is unavailable or busy. The same call may succeed later.

    `retry_in_s`: seconds that the service asks to wait; None if it names none.
    """

    def __init__(self, message: str = "", *, retry_in_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_in_s = retry_in_s


class TooFewTweetsError(TwitterTopicsError):
    """The archive holds too few tweets for a training."""

    job_exit_code = EXIT_TOO_FEW_TWEETS


class ConflictError(TwitterTopicsError):
    """Another writer was faster, the object already exists, or what this continues is gone. Nothing was changed."""

    job_exit_code = EXIT_CONFLICT


class IntegrityError(TwitterTopicsError):
    """Stored data is inconsistent: a hash differs, a part is missing, a pointer is dangling."""


class ProofError(IntegrityError):
    """What a job has written is not what it should be. A retry would take the damage for the state before it."""

    job_exit_code = EXIT_PROOF
