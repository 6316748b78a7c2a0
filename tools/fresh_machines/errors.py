"""Errors of the tool; each message is a sentence for the user."""


class FreshMachineError(Exception):
    """Something is missing on the host, or a step failed."""


class UnreachableError(FreshMachineError):
    """The archive of a distribution does not answer."""
