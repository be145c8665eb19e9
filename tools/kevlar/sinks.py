"""Where output goes: descriptors written only when they are ready, and memory."""

import errno
import os

PIECE = 4096  # a pipe that polls writable takes this much without blocking
FULL = 1 << 16


class OutputClosed(Exception):
    """Whoever read our output has gone."""


class FdSink:
    """Buffers for a descriptor of ours; the session writes when poll says so."""

    def __init__(self, fd: int):
        self.fd = fd
        self.pending = bytearray()

    def write(self, data: bytes) -> None:
        self.pending += data

    @property
    def is_full(self) -> bool:
        return len(self.pending) > FULL

    def flush_some(self) -> None:
        try:
            n = os.write(self.fd, self.pending[:PIECE])
        except BlockingIOError:
            return
        except OSError as e:
            if e.errno in (errno.EPIPE, errno.EIO):
                raise OutputClosed from None
            raise
        del self.pending[:n]


class CallSink:
    """Hands everything to a function at once."""

    fd = None
    pending = b""
    is_full = False

    def __init__(self, call):
        self.write = call
