"""Errors of the tool; the message is a sentence for its user."""


class FreshMachineError(Exception):
    """Something is missing on the host, or a step failed."""


class UnreachableError(FreshMachineError):
    """The archive of a distribution does not answer."""
