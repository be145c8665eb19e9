"""Lines for the person at the terminal: messages, and progress on whatever takes over two seconds."""

import sys
import threading
import time

PATIENCE = 2.0  # seconds until a step is worth a line
_lock = threading.Lock()


def say(message: str) -> None:
    """One line on standard error."""
    with _lock:
        try:
            print(f"kevlar: {message}", file=sys.stderr, flush=True)
        except OSError:
            pass


def warn(message: str) -> None:
    say(f"warning: {message}")


def elapsed(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}" if whole >= 60 else f"{whole} s"


class Progress:
    """`with Progress("building the kernel"):` says so after two seconds.

    On a terminal the line counts the seconds and vanishes at the end; elsewhere it is printed once.
    `clear()` ends it early, before something else is written to the terminal.
    """

    def __init__(self, what: str, only_on_terminal: bool = False):
        self.what = what
        self._is_silent = only_on_terminal and not sys.stderr.isatty()
        self._done = threading.Event()
        self._shown = False
        self._tty = sys.stderr.isatty()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Progress":
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_exc) -> None:
        self.clear()

    def clear(self) -> None:
        if self._done.is_set():
            return
        self._done.set()
        self._thread.join()
        if self._shown and self._tty:
            self._write("\r\x1b[K")

    def _run(self) -> None:
        if self._done.wait(PATIENCE) or self._is_silent:
            return
        self._shown = True
        if not self._tty:
            self._write(f"kevlar: {self.what} ...\n")
            return
        while True:
            self._write(f"\r\x1b[Kkevlar: {self.what} ({elapsed(time.monotonic() - self._start)})")
            if self._done.wait(1.0):
                return

    @staticmethod
    def _write(text: str) -> None:
        with _lock:
            try:
                sys.stderr.write(text)
                sys.stderr.flush()
            except OSError:
                pass
