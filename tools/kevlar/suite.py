"""Tests inside a machine: many cases in one boot, under the guest's runner (tools/guest/runner.c).

A machine that dies under a case costs that case; the rest goes on in a new machine.
"""

import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from . import channel, cpio, kernel, qemu, roots, run
from .errors import Failure
from .kernellog import KernelLog
from .net import Network
from .session import Plan, Result, Session
from .sinks import CallSink

RUNNER = ".kevlar/runner"
LIST = ".kevlar/list"
MARGIN = 30.0       # seconds a machine may be silent beyond a case's own limit
MAX_BOOTS = 20      # a kernel that dies under every case is known well enough by then


@dataclass
class Case:
    name: str          # no white space
    words: list[str]   # what to execute in the guest
    timeout: float


@dataclass
class Outcome:
    case: Case
    how: str = "died"  # exit, signal, timeout, error; died: the machine did
    number: int = 0
    milliseconds: int = 0
    out: bytes = b""
    err: bytes = b""
    reason: str = ""   # for died


@dataclass
class Suite:
    """What is to be run, and on what."""

    label: str
    cases: list[Case]
    kernel: Path
    root: str
    cpus: int
    files: Callable[[cpio.Writer], None]
    memory: int | None = None
    net: Network | None = None
    within: list[str] = field(default_factory=list)  # see qemu.Machine
    logs: list[KernelLog] = field(default_factory=list)  # one for each boot


class Records:
    """Reads the runner's records as they arrive; `report` gets each finished case."""

    def __init__(self, cases: list[Case], report: Callable[[Outcome], None]):
        self._cases = {case.name: case for case in cases}
        self._report = report
        self._buffer = b""
        self._take = 0  # bytes still to come of an `out` or `err` record, with its newline
        self._tag = ""
        self.current: Outcome | None = None

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while True:
            if self._take:
                if len(self._buffer) < self._take:
                    return
                self._output(self._buffer[:self._take - 1])
                self._buffer = self._buffer[self._take:]
                self._take = 0
            line, newline, rest = self._buffer.partition(b"\n")
            if not newline:
                return
            self._buffer = rest
            self._line(line.decode("utf-8", "replace").split(" "))

    def _output(self, data: bytes) -> None:
        if self.current is not None:
            setattr(self.current, self._tag, getattr(self.current, self._tag) + data)

    def _line(self, words: list[str]) -> None:
        match words:
            case ["begin", name] if name in self._cases:
                self.current = Outcome(self._cases[name])
            case ["out" | "err", length]:
                self._tag, self._take = words[0], int(length) + 1
            case ["end", _, how, number, milliseconds] if self.current is not None:
                outcome, self.current = self.current, None
                outcome.how, outcome.number = how, int(number)
                outcome.milliseconds = int(milliseconds)
                self._report(outcome)


_running: set[Session] = set()
_lock = threading.Lock()
_is_stopped = threading.Event()


def stop_all() -> None:
    """Ends every machine; suites that are running end with it."""
    _is_stopped.set()
    with _lock:
        for session in _running:
            session.stop("interrupted")


def run_suite(suite: Suite, report: Callable[[Outcome], None]) -> None:
    """Runs every case and reports each exactly once."""
    left = list(suite.cases)

    def done(outcome: Outcome) -> None:
        left.remove(outcome.case)
        report(outcome)

    for _boot in range(MAX_BOOTS):
        if not left or _is_stopped.is_set():
            return
        before = len(left)
        records = Records(left, done)
        result = _boot_once(suite, list(left), records)
        suite.logs.append(result.log)
        if not left:
            return
        reason = result.reason or f"the test runner ended with status {result.status}"
        if records.current is not None:
            records.current.reason = reason
            done(records.current)
        elif len(left) == before:
            break  # it did not get as far as a case: it never will
    for case in list(left):
        done(Outcome(case, reason=f"not run: {reason}"))


def _boot_once(suite: Suite, cases: list[Case], records: Records) -> Result:
    with roots.open_image(suite.root, lambda writer: _overlay(writer, suite, cases)) as image:
        machine = qemu.Machine(
            kernel=suite.kernel, initrd_fd=image.file.fileno(), cpus=suite.cpus,
            memory=suite.memory or image.memory(),
            append=run.command_line(plain=False, verbose=True, trace=None, extra=[],
                                    has_net=suite.net is not None),
            net=suite.net, within=suite.within)
        more = suite.net.request() if suite.net is not None else {}
        session = Session(Plan(
            machine=machine,
            request=channel.request_words(args=["/" + RUNNER, "/" + LIST], host="kevlar",
                                          env=run.environment(False, []), **more),
            stdout=CallSink(records.feed), watches_signals=False,
            silence=max(case.timeout for case in cases) + MARGIN))
        with _lock:
            _running.add(session)
        try:
            if _is_stopped.is_set():
                raise Failure("interrupted")
            return session.run()
        finally:
            with _lock:
                _running.discard(session)


def _overlay(writer: cpio.Writer, suite: Suite, cases: list[Case]) -> None:
    run.overlay(writer, suite.net and suite.kernel)
    writer.host_file(RUNNER, kernel.runner())
    lines = ["\t".join([str(int(case.timeout)), case.name, *case.words]) for case in cases]
    writer.text(LIST, "".join(line + "\n" for line in lines))
    suite.files(writer)


def safe_name(text: str) -> str:
    """A file name for a case's log."""
    return re.sub(r"[^\w.@+-]+", "_", text)
