"""The terminal in front of the user: raw while a machine has it, restored whatever happens."""

import fcntl
import os
import struct
import termios
import tty

ESCAPE = 0x01  # Ctrl-A
HELP = ("\r\nkevlar: Ctrl-A x  ends the machine\r\n"
        "        Ctrl-A Ctrl-A (or a)  sends Ctrl-A to it\r\n")


def is_interactive() -> bool:
    return os.isatty(0) and os.isatty(1)


def size(fd: int = 0) -> tuple[int, int]:
    """Rows and columns; 24 by 80 where the terminal does not know."""
    try:
        rows, cols, _x, _y = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        rows = cols = 0
    return (rows or 24, cols or 80)


class Raw:
    """`with Raw(0):` the terminal hands over every key, and nothing is echoed."""

    def __init__(self, fd: int):
        self._fd = fd

    def __enter__(self) -> "Raw":
        self._saved = termios.tcgetattr(self._fd)
        self.renew()
        return self

    def renew(self) -> None:
        """Again after the user's shell has had the terminal (SIGCONT)."""
        tty.setraw(self._fd, termios.TCSADRAIN)

    def __exit__(self, *_exc) -> None:
        try:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)
        except termios.error:
            pass  # the terminal is gone


class Keys:
    """Takes Ctrl-A commands out of what is typed."""

    def __init__(self) -> None:
        self._escaped = False
        self.wants_end = False
        self.wants_help = False

    def filter(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if not self._escaped:
                if byte == ESCAPE:
                    self._escaped = True
                else:
                    out.append(byte)
                continue
            self._escaped = False
            if byte in b"xX":
                self.wants_end = True
            elif byte in (ESCAPE, ord("a")):
                out.append(ESCAPE)
            else:
                self.wants_help = True
        return bytes(out)
