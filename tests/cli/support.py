"""What the tests of the command line share: running ./kevlar on pipes and on a terminal.

KEVLAR_TEST_KERNEL names another kernel to boot (the same tests hold for Linux), KEVLAR_TEST_DEBUG=1
takes the debug build of ours.
"""

import fcntl
import functools
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PROGRAM = str(TOP / "kevlar")
LIMIT = 90  # seconds for a machine, with much to spare

sys.path.insert(0, str(TOP / "tools"))


@functools.cache
def kernel_image() -> str:
    """The kernel under test, built once: a source that changes meanwhile must not build it in a test."""
    from kevlar import kernel
    return str(kernel.find(os.environ.get("KEVLAR_TEST_KERNEL"), bool(os.environ.get("KEVLAR_TEST_DEBUG"))))


def is_linux() -> bool:
    return bool(os.environ.get("KEVLAR_TEST_KERNEL"))


def kevlar(*args: str, data: bytes = b"") -> subprocess.CompletedProcess:
    """Runs a subcommand that boots nothing."""
    return subprocess.run([PROGRAM, *args], input=data, capture_output=True, timeout=LIMIT, check=False)


def run_words(*args: str) -> list[str]:
    return [PROGRAM, "run", "--kernel", kernel_image(), "--timeout", str(LIMIT), *args]


def run(*args: str, data: bytes = b"") -> subprocess.CompletedProcess:
    """`kevlar run` with its streams on pipes."""
    return subprocess.run(run_words(*args), input=data, capture_output=True, timeout=LIMIT + 30,
                          check=False)


def start(*args: str) -> subprocess.Popen:
    return subprocess.Popen(run_words(*args), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Terminal:
    """`kevlar run` on a pseudo-terminal, as its user sees it."""

    def __init__(self, *args: str, rows: int = 24, cols: int = 80):
        self._master, self._slave = pty.openpty()
        self.resize(rows, cols)
        self.output = b""
        self.process = subprocess.Popen(
            run_words(*args), stdin=self._slave, stdout=self._slave, stderr=self._slave,
            start_new_session=True, preexec_fn=self._take_terminal)

    def _take_terminal(self) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)

    def resize(self, rows: int, cols: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def attributes(self) -> list:
        return termios.tcgetattr(self._slave)

    def send(self, text: str) -> None:
        os.write(self._master, text.encode())

    def expect(self, pattern: str, seconds: float = 40) -> re.Match:
        """Waits for output that matches, and takes it and all before it."""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern.encode(), self.output)
            if match:
                self.output = self.output[match.end():]
                return match
            has_ended = self.process.poll() is not None  # before the look for output, or some is missed
            if select.select([self._master], [], [], 0.1)[0]:
                self.output += os.read(self._master, 4096)
            elif has_ended or time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} in {self.output[-600:]!r}")

    def wait(self, seconds: float = LIMIT) -> int:
        """The exit status; reads on meanwhile, or the program would block."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if select.select([self._master], [], [], 0.05)[0]:
                self.output += os.read(self._master, 4096)
            if time.monotonic() > end:
                raise AssertionError(f"no end: {self.output[-600:]!r}")
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)


class TestCase(unittest.TestCase):
    def scratch(self) -> Path:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return Path(directory.name)

    def assert_one_line(self, result: subprocess.CompletedProcess, pattern: str, status: int) -> None:
        """It failed with exactly one line on standard error, which says what is wrong."""
        text = result.stderr.decode()
        self.assertRegex(text, pattern)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertNotIn("Traceback", text)
        self.assertEqual(result.returncode, status)
