"""One machine from start to end: an event loop between QEMU's two serial ports and our descriptors.

Three ways to run it:
  - on pipes: the command's three streams travel over the control channel, the console is a log;
  - on the terminal: the console is the command's terminal from the moment it starts;
  - plain: no agent and no control channel, just the console.

Everything is done in `Session.run`, in one thread, without blocking anywhere but in poll; whatever
ends the loop, QEMU is gone and the terminal restored when `run` returns.
"""

import os
import select
import signal
import struct
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from . import channel, terminal
from .errors import INTERRUPTED, TIMED_OUT
from .kernellog import KernelLog
from .qemu import PROGRAM, Machine, Process
from .signals import SignalWatch
from .sinks import CallSink, FdSink, OutputClosed
from .ui import Progress, elapsed

READ_SIZE = 1 << 16
STDIN_SIZE = 1 << 14
SIGNAL_GRACE = 2.0   # for the command to end after Ctrl-C
PANIC_GRACE = 5.0    # for a panicking kernel to finish what it has to say
OFF_GRACE = 10.0     # for the machine to go off once the command has ended
BROKEN_PIPE = 128 + signal.SIGPIPE
ENDING_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

Sink = FdSink | CallSink


@dataclass
class Plan:
    """What a session is to do."""

    machine: Machine
    request: bytes | None = None      # None: plain
    on_terminal: bool = False         # stdin and stdout are the user's terminal
    stdin: int | None = None
    stdout: Sink | None = None
    stderr: Sink | None = None
    log: Sink | None = None           # the kernel's log, live (-v)
    trace: Sink | None = None
    note: CallSink | None = None      # what the agent has to remark
    timeout: float | None = None
    silence: float | None = None      # end it when nothing comes for so long
    watches_signals: bool = True      # False outside the main thread


@dataclass
class Result:
    status: int | None = None
    reason: str = ""         # why there is no status, or not the command's; one line
    guest: str = ""          # the kernel's name and release, once the agent has said hello
    went_off: bool = False   # the machine powered itself off
    was_ended: bool = False  # by us: a signal, a timeout, Ctrl-A x
    by_escape: bool = False  # that is, by Ctrl-A x
    log: KernelLog = field(default_factory=KernelLog)


class Session:
    def __init__(self, plan: Plan):
        self.plan = plan
        self.result = Result()
        self._is_plain = plan.request is None
        self._decoder = channel.Decoder()
        self._sender = channel.Sender()
        self._to_control = bytearray()
        self._to_console = bytearray()
        self._keys = terminal.Keys() if plan.on_terminal else None
        self._stdin = plan.stdin
        self._is_console_shown = self._is_plain
        self._is_started = False
        self._has_ended = False
        self._end_status: int | None = None
        self._stopped = False
        self._deadlines: dict[str, float] = {}
        self._complaint = bytearray()  # QEMU's standard error
        self._raw: terminal.Raw | None = None
        self._process: Process | None = None

    def stop(self, reason: str) -> None:
        """Ends the session from another thread."""
        self.result.reason = reason
        if self._process is not None:
            self._process.kill()

    def run(self) -> Result:
        with ExitStack() as self._stack:
            self._watch = (self._stack.enter_context(SignalWatch())
                           if self.plan.watches_signals else None)
            self._process = Process(self.plan.machine, has_control=not self._is_plain)
            self._stack.callback(self._process.close)
            self._progress = self._stack.enter_context(
                Progress("starting the machine", only_on_terminal=True))
            if self.plan.timeout is not None:
                self._set_deadline("timeout", self.plan.timeout)
            self._touch()
            self._open = {self._process.console.fileno(), self._process.stderr.fileno()}
            if self._process.control is not None:
                self._open.add(self._process.control.fileno())
            if self._is_plain:
                self._show_console()
            try:
                while self._open and not self._stopped:
                    self._step()
                self._flush()
            except OutputClosed:
                self._end(BROKEN_PIPE, "")
            except channel.BrokenChannel:
                self._end(None, "the control channel lost bytes")
            self._conclude()
        return self.result

    # Deadlines

    def _set_deadline(self, name: str, seconds: float) -> None:
        self._deadlines[name] = time.monotonic() + seconds

    def _touch(self) -> None:
        if self.plan.silence is not None and not self._has_ended:
            self._set_deadline("silence", self.plan.silence)

    def _expire(self) -> None:
        now = time.monotonic()
        due = [name for name, when in self._deadlines.items() if when <= now]
        for name in due:
            del self._deadlines[name]
            if name == "timeout" and not self._has_ended:
                self._end(TIMED_OUT, f"timed out after {elapsed(self.plan.timeout)}")
            elif name == "silence":
                self._end(None, f"nothing was heard of the machine for {elapsed(self.plan.silence)}")
            elif name in ("interrupt", "off", "panic"):
                self._stopped = True

    def _end(self, status: int | None, reason: str) -> None:
        """Ends the loop; the first reason stands."""
        if not self._stopped:
            self._stopped = True
            self._end_status = status
            self.result.was_ended = True
            self.result.reason = self.result.reason or reason

    # The loop

    def _step(self) -> None:
        interest = self._interest()
        poll = select.poll()
        for fd, mask in interest.items():
            poll.register(fd, mask)
        wait = None
        if self._deadlines:
            wait = max(0.0, min(self._deadlines.values()) - time.monotonic()) * 1000 + 1
        for fd, events in poll.poll(wait):
            self._handle(fd, events)
        self._expire()
        self._to_control += self._sender.take()

    def _interest(self) -> dict[int, int]:
        plan, process = self.plan, self._process
        interest: dict[int, int] = {}

        def want(fd: int | None, mask: int, condition: bool = True) -> None:
            if fd is not None and condition:
                interest[fd] = interest.get(fd, 0) | mask

        def has_room(*sinks: Sink | None) -> bool:
            return not any(sink is not None and sink.is_full for sink in sinks)

        console, stderr = process.console.fileno(), process.stderr.fileno()
        if console in self._open:
            want(console, select.POLLIN, has_room(plan.stdout, plan.log))
            want(process.keyboard.fileno(), select.POLLOUT, bool(self._to_console))
        if process.control is not None and process.control.fileno() in self._open:
            control = process.control.fileno()
            want(control, select.POLLIN, has_room(plan.stdout, plan.stderr, plan.trace))
            want(control, select.POLLOUT, bool(self._to_control))
        want(stderr, select.POLLIN, stderr in self._open)
        want(self._stdin, select.POLLIN, self._wants_input())
        for sink in (plan.stdout, plan.stderr, plan.log, plan.trace):
            if sink is not None and sink.pending:
                want(sink.fd, select.POLLOUT)
        if self._watch is not None:
            want(self._watch.fd, select.POLLIN)
        return interest

    def _wants_input(self) -> bool:
        if self._has_ended or not (self._is_started or self._is_plain):
            return False
        if self._is_console_shown:
            return len(self._to_console) < STDIN_SIZE
        return self._sender.queued < STDIN_SIZE

    def _handle(self, fd: int, events: int) -> None:
        process = self._process
        readable = events & (select.POLLIN | select.POLLHUP | select.POLLERR)
        writable = events & select.POLLOUT
        if fd == process.console.fileno():
            self._read_console()
        elif fd == process.keyboard.fileno():
            self._write(fd, self._to_console)
        elif process.control is not None and fd == process.control.fileno():
            if writable:
                self._write(fd, self._to_control)
            if readable:
                self._read_control()
        elif fd == process.stderr.fileno():
            self._read_complaint()
        elif self._watch is not None and fd == self._watch.fd:
            for number in self._watch.take():
                self._on_signal(number)
        elif fd == self._stdin:
            self._read_stdin()
        else:
            for sink in (self.plan.stdout, self.plan.stderr, self.plan.log, self.plan.trace):
                if sink is not None and sink.fd == fd and sink.pending:
                    sink.flush_some()

    @staticmethod
    def _write(fd: int, pending: bytearray) -> None:
        try:
            n = os.write(fd, pending[:4096])
        except BlockingIOError:
            return
        except OSError:
            pending.clear()  # QEMU has gone; reading will tell
            return
        del pending[:n]

    def _read(self, fd: int) -> bytes:
        try:
            data = os.read(fd, READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._open.discard(fd)
        return data

    def _read_complaint(self) -> None:
        data = self._read(self._process.stderr.fileno())
        self._complaint += data
        if self.plan.log is not None:
            self.plan.log.write(data)

    # The console

    def _read_console(self) -> None:
        data = self._read(self._process.console.fileno())
        if data:
            self._touch()
        self._console_output(data)

    def _console_output(self, data: bytes) -> None:
        shows = self._is_console_shown and not self._has_ended
        if shows and self.plan.stdout is not None:
            self.plan.stdout.write(data)
        elif self.plan.log is not None:
            self.plan.log.write(data)
        self.result.log.feed(data)
        if self.result.log.panic and "panic" not in self._deadlines \
                and not self.plan.on_terminal and not self._has_ended:
            self._set_deadline("panic", PANIC_GRACE)

    def _drain_console(self) -> None:
        """Takes all that the machine wrote on its console before what it said on the channel."""
        poll = select.poll()
        fd = self._process.console.fileno()
        poll.register(fd, select.POLLIN)
        while fd in self._open and poll.poll(0):
            self._read_console()

    def _show_console(self) -> None:
        self._is_console_shown = True
        self._progress.clear()
        if self.plan.on_terminal:
            self._raw = terminal.Raw(0)
            self._stack.enter_context(self._raw)

    # The control channel

    def _read_control(self) -> None:
        data = self._read(self._process.control.fileno())
        if data:
            self._touch()
            self._deadlines.pop("panic", None)
        for kind, payload in self._decoder.feed(data):
            self._on_frame(kind, payload)

    def _on_frame(self, kind: int, payload: bytes) -> None:
        plan = self.plan
        if kind == channel.HELLO:
            self._on_hello(payload)
        elif kind == channel.CREDIT:
            self._sender.credit(payload)
        elif kind == channel.STDOUT and plan.stdout is not None:
            plan.stdout.write(payload)
        elif kind == channel.STDERR and plan.stderr is not None:
            plan.stderr.write(payload)
        elif kind == channel.TRACE and plan.trace is not None:
            plan.trace.write(payload)
        elif kind == channel.NOTE and plan.note is not None:
            plan.note.write(payload)
        elif kind == channel.EXIT:
            self._on_exit(struct.unpack("<I", payload)[0])

    def _on_hello(self, payload: bytes) -> None:
        self.result.guest = payload.decode("utf-8", "replace")
        self._progress.clear()
        self._drain_console()
        if self.plan.on_terminal:
            self._show_console()
        self._sender.send(channel.REQUEST, self.plan.request)
        self._sender.send(channel.GO)
        self._is_started = True

    def _on_exit(self, status: int) -> None:
        self._drain_console()
        self.result.status = status
        self._has_ended = True
        self._sender.send_first(channel.GO)
        self._deadlines.clear()
        self._set_deadline("off", OFF_GRACE)

    # Our side

    def _read_stdin(self) -> None:
        try:
            data = os.read(self._stdin, STDIN_SIZE)
        except OSError:
            data = b""
        if not data:
            self._stdin = None
            if not self._is_plain:
                self._sender.send(channel.END_OF_STDIN)
        elif self._keys is not None:
            self._typed(data)
        elif self._is_plain:
            self._to_console += data
        else:
            self._sender.send(channel.STDIN, data)

    def _typed(self, data: bytes) -> None:
        self._to_console += self._keys.filter(data)
        if self._keys.wants_help:
            self._keys.wants_help = False
            self.plan.stdout.write(terminal.HELP.encode())
        if self._keys.wants_end:
            self.result.by_escape = True
            self._end(None, "ended by Ctrl-A x")

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGWINCH:
            if self.plan.on_terminal and self._is_started:
                self._sender.send_first(channel.SIZE, struct.pack("<HH", *terminal.size()))
        elif number == signal.SIGCONT:
            if self._raw is not None:
                self._raw.renew()
        elif number == signal.SIGINT:
            self._interrupt()
        elif number in (signal.SIGTERM, signal.SIGHUP):
            self._end(128 + number, f"ended by {signal.Signals(number).name}")

    def _interrupt(self) -> None:
        """Ctrl-C: the command may end by itself, so that its last words are not lost."""
        if not self._is_started or self._has_ended or "interrupt" in self._deadlines:
            self._end(INTERRUPTED, "")
            return
        self._sender.send_first(channel.SIGNAL, bytes([signal.SIGINT]))
        self._set_deadline("interrupt", SIGNAL_GRACE)
        self._end_status = INTERRUPTED
        self.result.was_ended = True

    # The end

    def _flush(self) -> None:
        """Writes out what is still waiting for our own descriptors."""
        sinks = [s for s in (self.plan.stdout, self.plan.stderr, self.plan.log, self.plan.trace)
                 if s is not None and s.fd is not None]
        while waiting := [sink for sink in sinks if sink.pending]:
            poll = select.poll()
            for fd in {sink.fd for sink in waiting}:
                poll.register(fd, select.POLLOUT)
            if self._watch is not None:
                poll.register(self._watch.fd, select.POLLIN)
            ready = dict(poll.poll())
            if self._watch is not None and self._watch.fd in ready and \
                    ENDING_SIGNALS.intersection(self._watch.take()):
                self._end(self._end_status or INTERRUPTED, "")
                return
            for sink in waiting:
                if sink.fd in ready and sink.pending:
                    sink.flush_some()

    def _conclude(self) -> None:
        result = self.result
        result.went_off = not self._open and self._process.wait(2)
        if self._end_status is not None:
            result.status = self._end_status
        elif result.status is None and not result.reason:
            result.reason = self._why_no_status()

    def _why_no_status(self) -> str:
        if self.result.log.panic:
            return f"the kernel panicked: {self.result.log.panic}"
        lines = bytes(self._complaint).decode("utf-8", "replace").splitlines()
        if errors := [line for line in lines if line.strip() and "warning:" not in line]:
            return errors[-1].replace(f"{PROGRAM}: ", "QEMU: ")
        if self._process.killer:
            return f"QEMU itself ended by signal {self._process.killer}"
        if self._is_plain:
            return ""
        if not self._is_started:
            return "the machine went off before the agent could start"
        return "the machine went off without an exit status"
