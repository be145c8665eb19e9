"""One machine that runs rows of tests/bench, and what it said.

The results come on the second serial port, into a file: a pipe would let the guest wait for us, and
counting instructions is repeatable only if nothing from outside reaches the machine. A row under which the
machine dies or falls silent costs that row; the rest goes on in a new machine.
"""

import ctypes
import os
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from . import cpio, deps, kernel, paths, qemu, roots
from .errors import Failure

CPU = "max,erms=off"  # TCG counts every byte of `rep movsb`, and with ERMS Linux would use it
ICOUNT = ["-accel", "tcg", "-icount", "shift=0,sleep=off", "-seed", "1",
          "-rtc", "base=2024-01-01,clock=vm"]
MAX_BOOTS = 12
DIED = 999
POLL = 0.05


@dataclass(frozen=True)
class System:
    """A kernel and how it is booted."""

    label: str
    kernel: Path
    append: tuple[str, ...] = ()
    modules: Path | None = None  # the kernel's file that lies beside its modules, if that is another one


@dataclass
class Job:
    """What one boot, or a few after deaths, is to measure."""

    rows: list[str]
    is_counted: bool = True  # instructions, one CPU; else wall clock, two CPUs
    memory: int = 1024       # MiB
    target: int = 5_000_000  # ticks a batch takes
    batches: int = 3
    broken: str | None = None
    silence: float = 300.0   # seconds until a row is given up


@dataclass
class Sample:
    """One row in one boot."""

    value: float = 0.0            # ticks per operation, the batches' median
    spread: float = 0.0           # (largest - smallest) / median of the batches
    rounds: int = 0
    failed: str | None = None


@dataclass
class Report:
    samples: dict[str, Sample] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)  # boot, free
    log: bytes = b""


def build() -> Path:
    """The guest's program."""
    kernel.make("the benchmark", "bench", makefile="tests/bench/bench.mk")
    return paths.BUILD / "bench" / "bench"


def firmware() -> Path:
    return paths.BUILD / "bench" / "firmware"


def frequency() -> float:
    """The counter's ticks per second on this machine, without -icount."""
    result = subprocess.run([build(), "--frequency"], capture_output=True, text=True, check=True)
    return float(result.stdout)


def names() -> list[str]:
    """All rows, in the order in which they are run."""
    result = subprocess.run([build(), "--list"], capture_output=True, text=True, check=True)
    found = result.stdout.split()
    return [n for n in found if "@" not in n] + [n for n in found if "@" in n]


def config(job: Job, rows: list[str]) -> str:
    lines = [f"target {job.target}", f"batches {job.batches}"]
    lines += [f"break {job.broken}"] if job.broken else []
    return "".join(line + "\n" for line in lines + [f"row {row}" for row in rows or ["-"]])


def image(text: str) -> roots.Image:
    """The busybox root with the program as process 1, and what it is to do."""
    program = build()

    def overlay(writer: cpio.Writer) -> None:
        writer.host_file("bench", program)
        writer.text("bench.conf", text)
        writer.node("dev/console", 0o20600, 5, 1)

    return roots.open_image("busybox", overlay)


def machine_words(system: System, job: Job, initrd_fd: int) -> list[str]:
    """QEMU's command line but for the serial ports."""
    words = [qemu.PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
             "-machine", "pc", "-cpu", CPU, "-m", f"{job.memory}M"]
    words += ["-smp", "1", *ICOUNT] if job.is_counted else ["-smp", "2", "-accel", "tcg,thread=multi"]
    words += ["-kernel", str(system.kernel), "-initrd", f"/dev/fd/{initrd_fd}"]
    return words + ["-append", " ".join(["console=ttyS0", "panic=-1", "quiet", "rdinit=/bench",
                                         *system.append])]


def start(words: list[str], fds: tuple[int, ...]) -> subprocess.Popen:
    """QEMU, which dies with this process."""
    deps.require(qemu.PROGRAM)
    libc, parent = ctypes.CDLL(None), os.getpid()

    def in_child() -> None:
        libc.prctl(qemu.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, pass_fds=fds, preexec_fn=in_child,
                            start_new_session=True)


class Reader:
    """Takes the guest's lines as they come."""

    def __init__(self, report: Report, progress: Callable[[str], None]):
        self._report, self._progress = report, progress
        self.current: str | None = None
        self.is_over = False

    def line(self, text: str) -> None:
        words = text.strip().split(" ")
        match words:
            case ["@value", name, number]:
                self._report.values[name] = int(number)
            case ["@begin", name]:
                self.current = name
                self._progress(name)
            case ["@row", name, rounds, per, *ticks] if ticks:
                self._row(name, int(rounds), int(per), [int(t) for t in ticks])
            case ["@fail", name, error, *what]:
                self._report.samples[name] = Sample(failed=_why(int(error), " ".join(what)))
                self.current = None
            case ["@end"]:
                self.is_over = True

    def _row(self, name: str, rounds: int, per: int, ticks: list[int]) -> None:
        middle = statistics.median(ticks)
        spread = (max(ticks) - min(ticks)) / middle if middle else 0.0
        self._report.samples[name] = Sample(middle / (rounds * per), spread, rounds)
        self.current = None


def _why(error: int, what: str) -> str:
    import errno
    if error == DIED:
        return what
    if error == 0:
        return f"wrong result: {what}"
    return f"{errno.errorcode.get(error, error)}: {what}"


def run(system: System, job: Job, progress: Callable[[str], None] = lambda name: None) -> Report:
    """Every row of the job is in the report afterwards, measured or failed."""
    report = Report()
    if not job.rows:  # only the machine's own rows are wanted
        _boot_once(system, job, ["-"], report, progress)
    left = list(job.rows)
    for _boot in range(MAX_BOOTS):
        if not left:
            break
        current, why = _boot_once(system, job, left, report, progress)
        left = [row for row in left if row not in report.samples]
        if left:
            guilty = current if current in left else left[0]
            report.samples[guilty] = Sample(failed=why)
            left.remove(guilty)
    for row in left:
        report.samples[row] = Sample(failed="not run: the machine died too often")
    return report


def _boot_once(system, job, rows, report, progress) -> tuple[str | None, str]:
    """Returns the row that was running at the end and, if it was not the regular end, why."""
    reader = Reader(report, progress)
    with image(config(job, rows)) as root, tempfile.TemporaryDirectory() as scratch:
        log, out = Path(scratch, "log"), Path(scratch, "out")
        words = machine_words(system, job, root.file.fileno())
        for index, path in enumerate((log, out)):
            path.touch()
            words += ["-chardev", f"file,id=c{index},path={path}",
                      "-device", f"isa-serial,index={index},chardev=c{index}"]
        process = start(words, (root.file.fileno(),))
        try:
            why = _follow(process, out, reader, job.silence)
        finally:
            process.kill()
            process.wait()
            report.log += log.read_bytes()
        if why.startswith("QEMU") and not report.log:
            raise Failure(f"{system.label}: {process.stderr.read().decode(errors='replace').strip()}")
    return reader.current, why


def _follow(process, out: Path, reader: Reader, silence: float) -> str:
    last = time.monotonic()
    rest = ""
    with open(out, encoding="ascii", errors="replace") as f:
        while True:
            has_ended = process.poll() is not None
            text = f.read()
            if text:
                last = time.monotonic()
                *lines, rest = (rest + text).split("\n")
                for line in lines:
                    reader.line(line)
            if reader.is_over:
                return ""
            if has_ended and not text:
                return "QEMU ended" if process.returncode else "the machine died"
            if time.monotonic() - last > silence:
                return f"nothing came for {silence:.0f} s"
            time.sleep(POLL)


def firmware_ticks(job: Job) -> int:
    """What the counter stands at when the firmware hands over, with the same machine and initramfs."""
    with image(config(job, job.rows)) as root, tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "out")
        words = machine_words(System("firmware", firmware()), job, root.file.fileno())
        words += ["-device", "isa-serial,index=1,chardev=out", "-chardev", f"file,id=out,path={out}"]
        process = start(words, (root.file.fileno(),))
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
        text = out.read_text().strip() if out.exists() else ""
    if len(text) != 16:
        raise Failure("the firmware's part of the boot could not be measured")
    return int(text, 16)
