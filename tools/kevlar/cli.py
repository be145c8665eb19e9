"""The command line: what may be said, and one clear line about what may not."""

import argparse
import errno
import os
import shlex
import signal
import subprocess
import sys
import time

from . import deps, net, paths, qemu, roots
from .errors import BAD_USAGE, INTERRUPTED, NO_STATUS, Failure, reason
from .run import Options, run
from .ui import say

NOT_YET = {
    "--disk": "disks",
}

USAGE = """\
usage: ./kevlar run [OPTIONS] [-- COMMAND [ARGUMENT ...]]
       ./kevlar test [host|guest|programs|cli|all] [OPTIONS]
       ./kevlar trace FILE [--text | --summary | --chrome OUT.json]
       ./kevlar root make NAME [--include PACKAGES] | list | remove NAME
       ./kevlar bench [ROW ...] [OPTIONS]

Runs Linux programs on the Kevlar kernel in a virtual machine.
`./kevlar COMMAND --help` tells more about each.
"""

RUN_HELP = """\
usage: ./kevlar run [OPTIONS] [-- COMMAND [ARGUMENT ...]]

Boots a machine and runs COMMAND in it, with this terminal or these streams, and ends with its
status. Without COMMAND: a login shell. Ctrl-A x ends the machine.

  --root ROOT        busybox (default), musl, debian[:SUITE], alpine[:VERSION], a directory, a tar file
                     (.gz .xz .zst), or an initramfs (newc cpio, plain or packed)
  --cpus N           processors (default 1)
  --memory SIZE      512M, 2G ... (default: what the root needs, at least 512M)
  --machine NAME     pc (default), q35 or microvm
  --cpu MODEL        QEMU's name of a CPU model (default max)
  --append WORDS     more words for the kernel's command line; may be repeated
  --env NAME=VALUE   a variable for the command; may be repeated
  --kernel FILE      boot this kernel (a vmlinuz, for a comparison) instead of ours
  --debug            boot the debug build of ours
  --trace GROUPS[:FILE]
                     record events (syscall,sched,mm,...) into FILE (default kevlar.ktrace)
  --timeout SECONDS  end it then, with status 124
  --plain            no agent: boot the root's own /init, console on this terminal
  --log FILE         keep the console's output, the kernel's log, in FILE
  --qemu WORDS       more words for QEMU's command line
  -v, --verbose      show the kernel's log on standard error
  --yes              install missing Debian packages without asking
  --net user|none    user (default): a card on QEMU's user network, set up by DHCP unless --append has an
                     ip= of its own; there 10.0.2.2 is this machine's loopback
  --publish [ADDR:]PORT:PORT[/udp]
                     a port of this machine that leads to one of the guest's; ADDR is 127.0.0.1 if not
                     said; may be repeated
  --disk             is not there yet

Exit status: the command's (128+N if signal N ended it); 124 timeout; 125 no status, the reason is
said; 126 and 127 as in a shell; 130 Ctrl-C.
"""

TRACE_HELP = """\
usage: ./kevlar trace FILE [--text | --summary | --chrome OUT.json]

Shows what `./kevlar run --trace GROUPS:FILE` recorded: as text (default), as a summary, or as JSON for
Chrome and Perfetto.
"""

ROOT_HELP = """\
usage: ./kevlar root make busybox|musl|debian[:SUITE]|alpine[:VERSION] [--include PACKAGES] [--yes]
       ./kevlar root list
       ./kevlar root remove NAME

Makes a root anew and keeps it in the cache; `run --root NAME` makes it by itself when it is missing.
Debian is fetched with mmdebstrap, Alpine's minirootfs from its mirror (KEVLAR_ALPINE_MIRROR: from another
one) and checked by its SHA-256; both are kept, and used without a network from then on.

  --include PACKAGES  more Debian packages, with commas or spaces between (debian only); remembered
"""

TEST_HELP = """\
usage: ./kevlar test [host|guest|programs|cli|all] [OPTIONS]

  host       pure modules, on this machine
  guest      small static programs of tests/guest, in a machine
  programs   scripts of tests/programs, in the roots they name
  cli        this command line itself
  all        everything (default)

  --kernel FILE      on this kernel instead of ours
  --debug            on the debug build of ours
  --cpus N[,N ...]   one machine per number of processors (default 2)
  -k PATTERN         only tests whose name matches (a part of it, or with * and ?)
  -j N               N machines at a time (default 1)
  --repeat N         each guest test N times in one boot; only the logs of failures are kept
  --timeout SECONDS  for each program (300) or script (60, or what it says itself); three times that
                     with --debug
  -v, --verbose      name every test
  --yes              install missing Debian packages without asking
"""


BENCH_HELP = """\
usage: ./kevlar bench [ROW ...] [OPTIONS]

The same work on Kevlar and on Debian's Linux, side by side, in instructions for one operation. ROW is the
name of a row, a pattern, or a group (machine, call, file, ipc, net, wire, task, memory, growth). Without
ROW: all of them, twice on each kernel, and by wall clock.

  --list             name the rows and say what they do
  --linux FILE       compare with this vmlinuz (default: Debian's linux-image-cloud-amd64)
  --no-linux         only our own figures
  --against COMMIT   compare with our kernel as it was then
  --kernel FILE      measure this kernel instead of ours
  --debug            measure the debug build of ours
  --runs N           count instructions in N runs (default 1; 2 for all rows)
  --wall N           N wall-clock runs of each kernel, in turn (default 0; 3 for all rows)
  --out DIR          where table.tsv, results.json and index.html go (default build/bench/report)
  --doc FILE         write the table as Markdown too
  --from FILE        show a results.json again instead of measuring
  --profile ROW      count a row's instructions by kernel function instead
  --rounds N         rounds of it (default: as many as make 300,000 instructions)
  --top N            functions to show (default 25)
  --break ROW        close the row's descriptors behind its back: it must be reported as failed
  --yes              install missing Debian packages without asking

Exit status: 0, or 1 if a row failed.
"""


class Parser(argparse.ArgumentParser):
    """An error is one line, and points to the help."""

    def __init__(self, name: str):
        super().__init__(prog=f"kevlar {name}", add_help=False, allow_abbrev=False)
        self._name = name

    def error(self, message: str):
        raise Failure(f"{self._name}: {message} (see ./kevlar {self._name} --help)", BAD_USAGE)


def count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 255:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 255")
    return int(text)


def times(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of times")
    return int(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e).lower()) from None


def variable(text: str) -> str:
    if not text.partition("=")[0] or "=" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return text


def _split_command(args: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in args:
        return args, []
    at = args.index("--")
    return args[:at], args[at + 1:]


def command_run(args: list[str]) -> int:
    args, command = _split_command(args)
    if "--help" in args or "-h" in args:
        print(RUN_HELP, end="")
        return 0
    p = Parser("run")
    p.add_argument("--root", default="busybox")
    p.add_argument("--cpus", type=count, default=1)
    p.add_argument("--memory")
    p.add_argument("--machine", choices=qemu.MACHINES, default="pc")
    p.add_argument("--cpu", default="max")
    p.add_argument("--net", choices=("user", "none"), default="user")
    p.add_argument("--publish", action="append", default=[])
    p.add_argument("--disk", action="append")
    p.add_argument("--append", action="append", default=[])
    p.add_argument("--env", type=variable, action="append", default=[])
    p.add_argument("--kernel")
    p.add_argument("--debug", action="store_true")
    p.add_argument("--trace")
    p.add_argument("--timeout", type=seconds)
    p.add_argument("--plain", action="store_true")
    p.add_argument("--log")
    p.add_argument("--qemu", type=words, action="extend", default=[])
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("--yes", action="store_true")
    p.add_argument("rest", nargs="*")
    o = p.parse_args(args)
    if o.rest:
        p.error(f"the command goes behind --: ./kevlar run -- {shlex.join(o.rest)}")
    for option, what in NOT_YET.items():
        if getattr(o, option[2:]):
            raise Failure(f"run: {option}: {what} are not there yet", BAD_USAGE)
    ports = [net.parse_publish(text) for text in o.publish]
    if o.net == "none" and ports:
        p.error("--publish needs a network, --net none has none")
    if o.kernel and o.debug:
        p.error("--debug is for our own kernel, not for --kernel")
    if o.plain and command:
        p.error("--plain boots the root's own /init, it takes no command")
    if o.plain and o.trace:
        p.error("--trace needs the agent, --plain has none")
    deps.assume_yes = o.yes
    return run(Options(
        command=command, root=o.root, kernel=o.kernel, debug=o.debug, cpus=o.cpus,
        memory=qemu.parse_memory(o.memory) if o.memory else None, machine=o.machine, cpu=o.cpu,
        append=o.append, env=o.env, trace=o.trace, timeout=o.timeout, plain=o.plain,
        verbose=o.verbose, log=o.log, qemu=o.qemu,
        net=None if o.net == "none" else net.Network(ports)))


def command_root(args: list[str]) -> int:
    if not args or "--help" in args or "-h" in args:
        print(ROOT_HELP, end="")
        return 0 if args else BAD_USAGE
    p = Parser("root")
    p.add_argument("action", choices=("make", "list", "remove"))
    p.add_argument("name", nargs="?")
    p.add_argument("--include", action="append", default=[])
    p.add_argument("--yes", action="store_true")
    o = p.parse_args(args)
    deps.assume_yes = o.yes
    if o.action == "list":
        for name, size, made in roots.listing():
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(made))
            print(f"{name:<12} {size / roots.MIB:8.1f} MiB  {when}")
        return 0
    if o.name is None:
        p.error(f"{o.action} needs the name of a root")
    if o.action == "remove":
        roots.remove(o.name)
        return 0
    path = roots.make(o.name, " ".join(o.include).replace(",", " ").split() or None)
    say(f"the {o.name} root is {path.stat().st_size / roots.MIB:.1f} MiB")
    return 0


def command_trace(args: list[str]) -> int:
    if not args or "--help" in args or "-h" in args:
        print(TRACE_HELP, end="")
        return 0 if args else BAD_USAGE
    p = Parser("trace")
    p.add_argument("file")
    how = p.add_mutually_exclusive_group()
    how.add_argument("--text", action="store_true")
    how.add_argument("--summary", action="store_true")
    how.add_argument("--chrome")
    o = p.parse_args(args)
    decoder = paths.TOP / "tools" / "ktrace-decode"
    if not decoder.exists():
        raise Failure("the decoder, tools/ktrace-decode, is not there yet")
    try:
        open(o.file, "rb").close()
    except OSError as e:
        raise Failure(f"{o.file}: {reason(e)}") from None
    words_ = [str(decoder), o.file]
    words_ += ["--summary"] if o.summary else ["--chrome", o.chrome] if o.chrome else ["--text"]
    if not os.access(decoder, os.X_OK):
        words_.insert(0, sys.executable)
    return subprocess.run(words_, check=False).returncode


def command_test(args: list[str]) -> int:
    if "--help" in args or "-h" in args:
        print(TEST_HELP, end="")
        return 0
    from . import test  # the rest of the program does not need it
    p = Parser("test")
    p.add_argument("what", nargs="*")
    p.add_argument("--kernel")
    p.add_argument("--debug", action="store_true")
    p.add_argument("--cpus", default="2")
    p.add_argument("-k", dest="pattern")
    p.add_argument("-j", dest="jobs", type=count, default=1)
    p.add_argument("--repeat", type=times, default=1)
    p.add_argument("--timeout", type=seconds)
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("--yes", action="store_true")
    o = p.parse_args(args)
    deps.assume_yes = o.yes
    for what in o.what:
        if what not in (*test.KINDS, "all"):
            p.error(f"there are no tests {what!r} (there are {', '.join(test.KINDS)} and all)")
    try:
        cpus = [count(text) for text in o.cpus.split(",")]
    except argparse.ArgumentTypeError as e:
        p.error(f"--cpus: {e}")
    if o.kernel and o.debug:
        p.error("--debug is for our own kernel, not for --kernel")
    return test.run(o.what or ["all"], test.Options(
        kernel=o.kernel, debug=o.debug, cpus=cpus, pattern=o.pattern, jobs=o.jobs,
        timeout=o.timeout, verbose=o.verbose, repeat=o.repeat))


def command_bench(args: list[str]) -> int:
    if "--help" in args or "-h" in args:
        print(BENCH_HELP, end="")
        return 0
    from . import bench  # the rest of the program does not need it
    p = Parser("bench")
    p.add_argument("names", nargs="*")
    p.add_argument("--list", action="store_true")
    p.add_argument("--linux")
    p.add_argument("--no-linux", action="store_true")
    p.add_argument("--against")
    p.add_argument("--kernel")
    p.add_argument("--debug", action="store_true")
    p.add_argument("--runs", type=count)
    p.add_argument("--wall", type=int)
    p.add_argument("--out")
    p.add_argument("--doc")
    p.add_argument("--from", dest="source")
    p.add_argument("--profile")
    p.add_argument("--rounds", type=int)
    p.add_argument("--top", type=count, default=25)
    p.add_argument("--break", dest="broken")
    p.add_argument("--yes", action="store_true")
    o = p.parse_args(args)
    deps.assume_yes = o.yes
    if o.kernel and o.debug:
        p.error("--debug is for our own kernel, not for --kernel")
    if o.rounds is not None and o.rounds < 1:
        p.error(f"--rounds: {o.rounds} is not a number of rounds")
    if o.list:
        print(bench.listing(), end="")
        return 0
    options = bench.Options(
        names=o.names, kernel=o.kernel, debug=o.debug, linux=o.linux, has_linux=not o.no_linux,
        against=o.against, runs=o.runs, wall=o.wall, out=o.out, doc=o.doc, broken=o.broken, source=o.source)
    if o.profile:
        print(bench.profile(options, o.profile, o.rounds).text(o.top), end="")
        return 0
    return bench.run(options)


COMMANDS = {
    "run": command_run,
    "test": command_test,
    "trace": command_trace,
    "root": command_root,
    "bench": command_bench,
}


def _end_orderly(number: int, _frame) -> None:
    """As an exception, so that temporary files and processes go too."""
    sys.exit(128 + number)


def main(args: list[str]) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _end_orderly)
    try:
        if not args or args[0] in ("--help", "-h", "help"):
            print(USAGE, end="", file=sys.stdout if args else sys.stderr)
            return 0 if args else BAD_USAGE
        if args[0] == "--yes":
            args = [*args[1:2], "--yes", *args[2:]]
        if args[0] not in COMMANDS:
            raise Failure(f"there is no command {args[0]!r} (see ./kevlar --help)", BAD_USAGE)
        return COMMANDS[args[0]](args[1:])
    except Failure as e:
        say(str(e))
        return e.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as e:
        if e.errno == errno.EPIPE:
            return 141
        say(f"{e.filename}: {reason(e)}" if e.filename else reason(e))
        return NO_STATUS
    except Exception as e:  # a mistake of ours: still one line, and a way to see more
        if os.environ.get("KEVLAR_TRACEBACK"):
            raise
        say(f"internal error: {type(e).__name__}: {e} (KEVLAR_TRACEBACK=1 shows where)")
        return NO_STATUS
