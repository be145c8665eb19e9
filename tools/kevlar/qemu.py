"""The QEMU command line, and QEMU as a process that cannot be left behind."""

import ctypes
import os
import re
import shlex
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from . import deps
from .errors import Failure, BAD_USAGE
from .net import Network

PROGRAM = "qemu-system-x86_64"
MACHINES = ("pc", "q35", "microvm")
PR_SET_PDEATHSIG = 1
MIB = 1 << 20


@dataclass
class Machine:
    """What is to be started."""

    kernel: Path
    initrd_fd: int | None = None
    machine: str = "pc"
    cpu: str = "max"
    cpus: int = 1
    memory: int = 512  # MiB
    net: Network | None = None
    accel: list[str] = field(default_factory=list)  # words that say how instructions are executed; none: the best way
    append: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)  # --qemu
    within: list[str] = field(default_factory=list)  # words before QEMU's, that execute it somewhere else


def parse_memory(text: str) -> int:
    """MiB from 512, 512M, 2G."""
    match = re.fullmatch(r"(\d+)([kKmMgG]?)(?:i?[bB])?", text)
    if match is None:
        raise Failure(f"--memory {text}: not a size such as 512M or 2G", BAD_USAGE)
    number, unit = int(match[1]), match[2].upper()
    size = {"": number, "K": number // 1024, "M": number, "G": number * 1024}[unit]
    if not 16 <= size <= 1 << 20:
        raise Failure(f"--memory {text}: must be between 16M and 1024G", BAD_USAGE)
    return size


def has_kvm() -> bool:
    """True where KVM works: the device opens and the CPU can do it. A device file proves nothing."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            return re.search(r"^flags\s*:.*\b(vmx|svm)\b", f.read(), re.MULTILINE) is not None
    except OSError:
        return False


def command(machine: Machine, control_fd: int | None) -> list[str]:
    """The complete command line; `control_fd` is a socket that the process will inherit.

    The console is QEMU's standard input and output, on pipes. A pipe holds 64 KiB of a serial port's
    single bytes; a socket holds less than 300 of them, and a kernel that polls its console does not wait
    for us: it would lose lines whenever we are slow. The control port is driven by interrupts.
    """
    words = [PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    words += ["-machine", machine.machine]
    words += machine.accel or ["-accel", "kvm" if has_kvm() else "tcg,thread=multi"]
    words += ["-cpu", machine.cpu, "-smp", str(machine.cpus), "-m", f"{machine.memory}M"]
    words += ["-kernel", str(machine.kernel.absolute()), "-append", " ".join(machine.append)]
    if machine.initrd_fd is not None:
        words += ["-initrd", f"/dev/fd/{machine.initrd_fd}"]
    words += ["-chardev", "stdio,id=console,signal=off"]
    words += ["-device", "isa-serial,index=0,chardev=console"]
    if control_fd is not None:
        words += ["-chardev", f"socket,id=control,fd={control_fd}"]
        words += ["-device", "isa-serial,index=1,chardev=control"]
    if machine.net is not None:
        words += machine.net.words(machine.machine)
    return words + machine.extra


class Process:
    """A running QEMU. Ends with `kill`, or by itself; dies with this process whatever happens."""

    def __init__(self, machine: Machine, has_control: bool):
        deps.require(PROGRAM)
        self.control, control_there = socket.socketpair() if has_control else (None, None)
        self.words = machine.within + command(machine, control_there.fileno() if control_there else None)
        fds = [control_there.fileno()] if control_there else []
        fds += [machine.initrd_fd] if machine.initrd_fd is not None else []
        try:
            self._process = subprocess.Popen(
                self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                bufsize=0, pass_fds=fds, preexec_fn=_die_with(os.getpid()), start_new_session=True)
        except OSError as e:
            raise Failure(f"{PROGRAM}: {e.strerror}") from None
        finally:
            if control_there is not None:
                control_there.close()
        self.keyboard = self._process.stdin  # what is typed on the console
        self.console = self._process.stdout
        self.stderr = self._process.stderr

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()

    def wait(self, seconds: float) -> bool:
        """True once it has ended."""
        try:
            self._process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    @property
    def killer(self) -> int:
        """The signal that ended it; 0: none, or it runs."""
        return max(0, -(self._process.poll() or 0))

    def close(self) -> None:
        """Ends it if need be and gives everything back."""
        self.kill()
        self._process.wait()
        for end in (self.keyboard, self.console, self.stderr, self.control):
            if end is not None:
                end.close()

    def __str__(self) -> str:
        return shlex.join(self.words)


def _die_with(parent: int):
    libc = ctypes.CDLL(None)

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return in_child
