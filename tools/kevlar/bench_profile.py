"""`kevlar bench --profile ROW`: where a row's instructions go, by kernel function.

The row's process stops before the rounds that count and waits for a byte. QEMU is then told, over its
monitor, to translate single instructions and to log each one it executes, so that the log has just the
rounds, cut exactly at the program's profile_begin and profile_end, without what the row leaves out of its
count (leave and back). Every line is one instruction, or one
iteration of a repeated one: the unit of -icount.
"""

import bisect
import re
import socket
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from . import bench_run, bench_wire, paths
from .bench_run import Job, System
from .errors import Failure
from .ui import Progress

LIMIT = 60.0             # seconds for each step
AIM = 300_000            # instructions worth logging
LOG_LIMIT = 4_000_000_000
_TRACE = re.compile(rb"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")
USER_END = 1 << 47


@dataclass
class Profile:
    row: str
    rounds: int
    per: int
    total: int                     # instructions in all rounds
    functions: list[tuple[str, int]]

    def text(self, count: int) -> str:
        each = self.rounds * self.per
        lines = [f"{self.row}: {self.total / each:,.1f} instructions each, {self.rounds} rounds"
                 + (f" of {self.per}" if self.per > 1 else "")]
        for name, instructions in self.functions[:count]:
            lines.append(f"{instructions / each:12,.1f} {instructions / self.total:6.1%}  {name}")
        return "\n".join(lines) + "\n"


class Symbols:
    """Functions by address: the kernel's and the benchmark's own."""

    def __init__(self, *images: tuple[Path, str]):
        found: list[tuple[int, str]] = []
        for path, prefix in images:
            result = subprocess.run(["nm", str(path)], capture_output=True, text=True, check=False)
            for line in result.stdout.splitlines():
                words = line.split()
                if len(words) == 3 and words[2] == "_end" and prefix:
                    found.append((int(words[0], 16), prefix + "vDSO, or another program"))
                elif len(words) == 3 and words[1] in "tTwWi":
                    found.append((int(words[0], 16), prefix + words[2]))
        found.sort()
        self._addresses = [address for address, _name in found]
        self._names = [name for _address, name in found]

    def name(self, address: int) -> str:
        at = bisect.bisect_right(self._addresses, address) - 1
        return self._names[at] if at >= 0 else "?"

    def address(self, name: str) -> int:
        return self._addresses[self._names.index(name)]


class Monitor:
    """QEMU's human monitor on a socket."""

    def __init__(self, path: Path):
        deadline = time.monotonic() + LIMIT
        self._socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Failure("profile: QEMU's monitor does not answer") from None
                time.sleep(0.05)
        self._socket.settimeout(LIMIT)
        self._wait()

    def say(self, command: str) -> None:
        self._socket.sendall(command.encode() + b"\n")
        self._wait()

    def _wait(self) -> None:
        data = b""
        while not data.endswith(b"(qemu) "):
            data += self._socket.recv(65536)

    def close(self) -> None:
        self._socket.close()


class Port:
    """The guest's second serial port, both ways."""

    def __init__(self, path: Path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._buffer = b""

    def wait_for(self, *words: str) -> list[str]:
        """The next line that starts with one of the words. A failed row ends the profile."""
        deadline = time.monotonic() + LIMIT * 3
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                found = line.decode("ascii", "replace").split()
                if found and found[0] == "@fail":
                    raise Failure(f"profile: the row failed: {' '.join(found[2:])}")
                if found and found[0] in words:
                    return found
                continue
            self._socket.settimeout(max(deadline - time.monotonic(), 0.1))
            try:
                data = self._socket.recv(4096)
            except TimeoutError:
                data = b""
            if not data:
                raise Failure("profile: the machine said nothing more")
            self._buffer += data

    def answer(self) -> None:
        self._socket.sendall(b"\n")

    def close(self) -> None:
        self._socket.close()


def profile(system: System, row: str, rounds: int | None) -> Profile:
    program = bench_run.build()
    memory = 2048 if "@" in row else 1024
    job = Job([row], memory=memory)
    if rounds is None:
        with Progress(f"counting {row}"):
            sample = bench_run.run(system, Job([row], memory=memory, target=100_000, batches=1)).samples[row]
        if sample.failed:
            raise Failure(f"profile: the row failed: {sample.failed}")
        rounds = max(1, min(sample.rounds * AIM // 100_000, sample.rounds * 10))
    with tempfile.TemporaryDirectory(dir=paths.cache()) as scratch, Progress(f"profiling {row}"):
        per, log = _record(system, job, rounds, Path(scratch))
        symbols = Symbols((system.kernel, ""), (program, "user: "))
        return _read_log(log, symbols, row, rounds, per)


def profile_wire(system: System, row: str, operations: int | None) -> Profile:
    """A row whose other half is outside: everything the guest executes."""
    with tempfile.TemporaryDirectory(dir=paths.cache()) as scratch, Progress(f"profiling {row}"):
        operations, log = bench_wire.log(system, row, operations, Path(scratch))
        counts: Counter[int] = Counter()
        for address in _addresses(log):
            counts[address] += 1
        return _by_function(counts, Symbols((system.kernel, "")), row, operations, 1)


def _record(system: System, job: Job, rounds: int, scratch: Path) -> tuple[int, Path]:
    """Runs the rounds under QEMU's log. Returns the row's operations in a round, and the log."""
    log = scratch / "log"
    with bench_run.image(f"profile {job.rows[0]}\nrounds {rounds}\n") as root:
        words = bench_run.machine_words(system, job, root.file.fileno())
        words += ["-monitor", f"unix:{scratch}/monitor,server=on,wait=off", "-D", str(log),
                  "-chardev", "null,id=log", "-device", "isa-serial,index=0,chardev=log",
                  "-chardev", f"socket,id=port,path={scratch}/port,server=on,wait=on",
                  "-device", "isa-serial,index=1,chardev=port"]
        process = bench_run.start(words, (root.file.fileno(),))
        try:
            _wait_for_file(scratch / "port")
            port = Port(scratch / "port")
            port.wait_for("@ready")
            monitor = Monitor(scratch / "monitor")
            for command in ("stop", "singlestep on", "log exec,nochain", "cont"):
                monitor.say(command)
            port.answer()
            words = port.wait_for("@row", "@end")
            monitor.say("log none")
            monitor.close()
            port.close()
            if words[0] != "@row":
                raise Failure(f"profile: there is no row {job.rows[0]}")
            return int(words[3]), log
        finally:
            process.kill()
            process.wait()


def _wait_for_file(path: Path) -> None:
    deadline = time.monotonic() + LIMIT
    while not path.exists():
        if time.monotonic() > deadline:
            raise Failure("profile: QEMU did not start")
        time.sleep(0.02)


def _addresses(log: Path) -> Iterator[int]:
    """Of the instructions, in order."""
    if log.stat().st_size > LOG_LIMIT:
        raise Failure("profile: too much happened; ask for fewer --rounds")
    with open(log, "rb") as f:
        for line in f:
            match = _TRACE.match(line)
            if match is not None:
                yield int(match[1], 16)


def _read_log(log: Path, symbols: Symbols, row: str, rounds: int, per: int) -> Profile:
    begin, end, leave, back = (symbols.address(f"user: {name}")
                               for name in ("profile_begin", "profile_end", "leave", "back"))
    counts: Counter[int] = Counter()
    is_on = False
    for address in _addresses(log):
        if address == begin:
            is_on = True
            counts.clear()
        elif address == end:
            break
        elif address in (leave, back):
            is_on = address == back
        if is_on:
            counts[address] += 1
    return _by_function(counts, symbols, row, rounds, per)


def _by_function(counts: Counter[int], symbols: Symbols, row: str, rounds: int, per: int) -> Profile:
    by_name: Counter[str] = Counter()
    for address, count in counts.items():
        name = symbols.name(address)
        if address < USER_END and not name.startswith("user: "):
            name = "user: ?"
        by_name[name] += count
    return Profile(row, rounds, per, sum(counts.values()), by_name.most_common())
