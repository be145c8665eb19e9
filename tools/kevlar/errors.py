"""The one exception that ends a command: a line for the user, and an exit status."""

BAD_USAGE = 2
TIMED_OUT = 124
NO_STATUS = 125  # the machine gave no exit status, or could not be started
INTERRUPTED = 130


class Failure(Exception):
    """Ends the command. The message is one line without a full stop."""

    def __init__(self, message: str, status: int = NO_STATUS):
        super().__init__(message)
        self.status = status


def reason(error: OSError) -> str:
    """What went wrong, without Python's [Errno N] and without the file's name."""
    return error.strerror or str(error)
