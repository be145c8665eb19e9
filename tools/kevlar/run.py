"""`kevlar run`: one machine, one command."""

import os
import stat
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from . import channel, cpio, deps, kernel, qemu, roots, terminal
from .errors import NO_STATUS, Failure, reason
from .net import Network, add_modules
from .session import Plan, Result, Session
from .sinks import CallSink, FdSink
from .ui import say, warn

AGENT = ".kevlar/init"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Options:
    """What the command line of `run` said."""

    command: list[str] = field(default_factory=list)
    root: str = "busybox"
    kernel: str | None = None
    debug: bool = False
    cpus: int = 1
    memory: int | None = None
    machine: str = "pc"
    cpu: str = "max"
    append: list[str] = field(default_factory=list)
    env: list[str] = field(default_factory=list)
    trace: str | None = None
    timeout: float | None = None
    plain: bool = False
    verbose: bool = False
    log: str | None = None
    qemu: list[str] = field(default_factory=list)
    net: Network | None = None


def overlay(writer: cpio.Writer, net_kernel: Path | None = None) -> None:
    """What every root gets on top: the agent, a console for it to complain on, and the modules by which
    `net_kernel` drives a card."""
    writer.directory(".kevlar", 0o755)
    writer.host_file(AGENT, kernel.agent())
    writer.node("dev/console", stat.S_IFCHR | 0o600, 5, 1)
    if net_kernel is not None:
        add_modules(writer, net_kernel)


def environment(on_terminal: bool, extra: list[str]) -> list[str]:
    words = {"PATH": PATH, "HOME": "/root", "USER": "root", "LOGNAME": "root", "LANG": "C.UTF-8"}
    if on_terminal:
        words["TERM"] = os.environ.get("TERM", "vt100")
    for word in extra:
        name, _equals, value = word.partition("=")
        words[name] = value
    return [f"{name}={value}" for name, value in words.items()]


def command_line(*, plain: bool, verbose: bool, trace: str | None, extra: list[str],
                 has_net: bool = False) -> list[str]:
    words = ["console=ttyS0", "panic=-1"]
    if has_net and not _sets_address(extra):
        words.append("ip=dhcp")
    if not plain:
        words.append("rdinit=/" + AGENT)
    if not verbose and not plain:
        words.append("quiet")
    if trace is not None:
        words.append(f"ktrace={trace}")
    return words + extra


def _sets_address(words: list[str]) -> bool:
    """True if the user's own words say how the card gets its address."""
    return any(word.startswith("ip=") for word in " ".join(words).split())


def request(options: Options, on_terminal: bool, has_trace: bool) -> bytes:
    more = {"host": "kevlar"}
    if on_terminal and not os.isatty(2):
        more["stderr"] = "pipe"
    if has_trace:
        more["trace"] = "1"
    if options.net is not None and not _sets_address(options.append):
        more.update(options.net.request())
    return channel.request_words(
        args=[os.fsencode(word) for word in options.command],
        env=environment(on_terminal, options.env),
        tty=terminal.size() if on_terminal else None,
        **more)


def run(options: Options) -> int:
    """Runs it; returns the exit status."""
    with ExitStack() as stack:
        deps.require(qemu.PROGRAM, *([] if options.plain and options.kernel else kernel.TOOLS))
        image_path = kernel.find(options.kernel, options.debug)
        groups, trace_file = _split_trace(options.trace)
        trace = stack.enter_context(_TraceFile(trace_file)) if groups else None
        if options.net is not None:
            options.net.check()
        image = stack.enter_context(
            roots.open_image(options.root, None if options.plain else
                             lambda writer: overlay(writer, options.net and image_path)))
        on_terminal = terminal.is_interactive()
        machine = qemu.Machine(
            kernel=image_path, initrd_fd=image.file.fileno(), machine=options.machine,
            cpu=options.cpu, cpus=options.cpus, memory=options.memory or image.memory(),
            append=command_line(plain=options.plain, verbose=options.verbose, trace=groups,
                                extra=options.append, has_net=options.net is not None),
            net=options.net, extra=options.qemu)
        plan = Plan(
            machine=machine,
            request=None if options.plain else request(options, on_terminal, trace is not None),
            on_terminal=on_terminal, stdin=0, stdout=FdSink(1), stderr=FdSink(2),
            log=FdSink(2) if options.verbose else None,
            trace=CallSink(trace.write) if trace else None,
            note=CallSink(lambda text: _note(text, options.verbose or groups is not None)),
            timeout=options.timeout)
        if on_terminal and not options.plain and not options.command:
            say("Ctrl-A x ends the machine")
        result = Session(plan).run()
    return _report(options, result, is_seen=options.verbose or options.plain or
                   on_terminal and bool(result.guest))


def _note(text: bytes, is_wanted: bool) -> None:
    if is_wanted:
        say("agent: " + text.decode("utf-8", "replace"))


def _report(options: Options, result: Result, is_seen: bool) -> int:
    """Says what has to be said about the end; returns the exit status."""
    if options.log is not None:
        _save_log(options.log, result)
    if result.status is not None:
        if result.reason:
            say(result.reason)
        elif not result.went_off and not result.was_ended:
            warn("the machine did not power off by itself")
        return result.status
    if result.by_escape and not options.command:
        say(result.reason)
        return 0
    if not result.reason:  # plain: the machine's end is all there is to know
        return 0
    if result.log.data and not is_seen and not result.by_escape:
        print(result.log.tail(), file=sys.stderr)
    say(f"no exit status: {result.reason}")
    return NO_STATUS


def _save_log(name: str, result: Result) -> None:
    try:
        Path(name).write_bytes(result.log.data)
    except OSError as e:
        warn(f"{name}: {reason(e)}")


def _split_trace(trace: str | None) -> tuple[str | None, str]:
    groups, _colon, name = (trace or "").partition(":")
    return groups or None, name or "kevlar.ktrace"


class _TraceFile:
    """The dump, written as it comes; a run that brings none leaves no file."""

    def __init__(self, name: str):
        self._name = name
        self._file = None

    def __enter__(self) -> "_TraceFile":
        directory = os.path.dirname(os.path.abspath(self._name))
        if not os.access(directory, os.W_OK):
            raise Failure(f"--trace: cannot write to {directory}")
        return self

    def write(self, data: bytes) -> None:
        try:
            if self._file is None:
                self._file = open(self._name, "wb")
            self._file.write(data)
        except OSError as e:
            raise Failure(f"{self._name}: {reason(e)}") from None

    def __exit__(self, *_exc) -> None:
        if self._file is not None:
            self._file.close()
