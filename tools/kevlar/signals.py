"""Signals as data: a descriptor to poll, and the numbers that came in."""

import os
import signal

WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGCONT)


class SignalWatch:
    """`with SignalWatch() as watch:` poll watch.fd, then take(). Main thread only.

    Nothing is interrupted and nothing is raised, so that whoever waits can clean up in its own time.
    A signal that was ignored when we were started (nohup) stays ignored.
    """

    def __enter__(self) -> "SignalWatch":
        self.fd, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._saved_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._saved = {}
        for number in WATCHED:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._saved[number] = signal.signal(number, lambda *_args: None)
        return self

    def take(self) -> list[int]:
        try:
            return list(os.read(self.fd, 64))
        except BlockingIOError:
            return []

    def __exit__(self, *_exc) -> None:
        signal.set_wakeup_fd(self._saved_fd)
        for number, handler in self._saved.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._write)
