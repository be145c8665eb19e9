"""Rows whose other half is outside the machine: through the virtio card, to Debian's nginx and redis.

The machine has a card on QEMU's user network; the clients are here. Nothing is paced, because nothing is
timed: QEMU's monitor tells how many instructions the guest has executed (query-replay, under -icount), and
a processor that waits executes none. What a row counts is the whole guest, kernel and programs, interrupts
and idling in and out included, between two moments of rest. `sleep=on` lets the guest's clock run like ours
while it waits, or its timers would expire before an answer could be there.

Unlike the rows inside, these are not the same to the last digit: how many packets one interrupt brings
depends on this machine. A row's figure is its batches' median.
"""

import hashlib
import json
import socket
import statistics
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Callable, Iterator

from . import bench_run, channel, cpio, paths, qemu, roots, run, tap
from .bench_run import Sample, System
from .errors import Failure
from .net import ADDRESS, Network, Port
from .session import Plan, Session
from .sinks import CallSink

ICOUNT = ["-accel", "tcg", "-icount", "shift=0,sleep=on", "-seed", "1", "-rtc", "base=2024-01-01,clock=vm"]
MEMORY = 1024     # MiB
BOOT = 300.0      # seconds
LIMIT = 120.0     # for an answer
REST = 0.1        # seconds until the guest has done what it had put off: acknowledgements, timers
BATCHES = 5
OFFSET = 10000    # a port of the guest is this much higher outside
ECHO, SINK, SOURCE, HTTP, REDIS = 7, 9, 19, 80, 6379
PORTS = [(port, "tcp") for port in (ECHO, SINK, SOURCE, HTTP, REDIS)] + [(ECHO, "udp")]
MIB = 1 << 20
SERVERS = "nginx -c /etc/nginx.conf && redis-server --save '' --protected-mode no --daemonize yes >/dev/null"


class Refused(Exception):
    """A wrong answer, or none."""


class Client:
    """The outside of one machine; its ports are `offset` higher there."""

    def __init__(self, address: str, offset: int, is_broken: bool = False):
        self._address, self._offset, self._is_broken = address, offset, is_broken

    def connect(self, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        s = socket.socket(socket.AF_INET, kind)
        s.settimeout(LIMIT)
        s.connect((self._address, port + self._offset))
        if kind == socket.SOCK_STREAM:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._is_broken:
            s.shutdown(socket.SHUT_RDWR)
        return s


def take(s: socket.socket, size: int) -> bytes:
    """Just so many bytes."""
    data = s.recv(size)
    while len(data) < size:
        more = s.recv(size - len(data))
        if not more:
            raise Refused(f"the connection ended after {len(data)} of {size} bytes")
        data += more
    return data


def expect(got: bytes, want: bytes) -> None:
    if got != want:
        raise Refused(f"got {got[:60]!r} instead of {want[:60]!r}")


# A row is a generator: what comes before its first yield is not counted; each time it is resumed with a
# number, it does so many operations.

Row = Callable[[Client], Iterator[None]]


def echo(kind: int) -> Row:
    def row(client: Client):
        with client.connect(ECHO, kind) as s:
            count = yield
            while True:
                for n in range(count):
                    byte = bytes([n & 255])
                    s.sendall(byte)
                    expect(s.recv(1), byte)
                count = yield
    return row


def connections(client: Client):
    """Each is made, carries a byte both ways, and is ended from outside."""
    count = yield
    while True:
        for _ in range(count):
            with client.connect(ECHO) as s:
                s.sendall(b"x")
                expect(s.recv(1), b"x")
        count = yield


def bytes_in(client: Client):
    data = bytes(MIB)
    with client.connect(SINK) as s:
        count = yield
        while True:
            for _ in range(count):
                s.sendall(data)
                take(s, 1)
            count = yield


def bytes_out(client: Client):
    with client.connect(SOURCE) as s:
        count = yield
        while True:
            for _ in range(count):
                s.sendall(b"x")
                _skip(s, MIB)
            count = yield


def _skip(s: socket.socket, size: int) -> None:
    while size:
        n = len(s.recv(min(size, 1 << 18)))
        if not n:
            raise Refused("the connection ended")
        size -= n


def questions(port: int, connections_: int, question: bytes, answer: bytes, depth: int = 1,
              before: tuple[bytes, bytes] | None = None) -> Row:
    """On so many connections at once, the next question on each follows the answer: `depth` at a time."""
    def row(client: Client):
        ends = [client.connect(port) for _ in range(connections_)]
        if before is not None:
            ends[0].sendall(before[0])
            expect(take(ends[0], len(before[1])), before[1])
        count = yield
        while True:
            for _ in range(max(1, count // (connections_ * depth))):
                for s in ends:
                    s.sendall(question * depth)
                for s in ends:
                    expect(take(s, len(answer) * depth), answer * depth)
            count = yield
    return row


def pages(connections_: int, name: str, size: int, is_kept: bool = True) -> Row:
    """GET of a file, all of it. Not kept: a connection for each."""
    request = f"GET /{name} HTTP/1.1\r\nHost: kevlar\r\n" + ("\r\n" if is_kept else "Connection: close\r\n\r\n")
    body = b"0123456789abcde\n" * (size // 16)

    def receive(s: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = s.recv(65536)
            if not more:
                raise Refused(f"no answer but {data[:60]!r}")
            data += more
        head, _end, got = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 ") or f"Content-Length: {size}".encode() not in head:
            raise Refused(head.decode("ascii", "replace").replace("\r\n", "; "))
        expect(got + take(s, size - len(got)) if len(got) < size else got, body)

    def row(client: Client):
        ends = [client.connect(HTTP) for _ in range(connections_ if is_kept else 0)]
        count = yield
        while True:
            for _ in range(max(1, count // connections_)):
                if not is_kept:
                    ends = [client.connect(HTTP) for _ in range(connections_)]
                for s in ends:
                    s.sendall(request.encode())
                for s in ends:
                    receive(s)
                    if not is_kept:
                        s.close()
            count = yield
    return row


_VALUE = b"$100\r\n" + b"v" * 100 + b"\r\n"
_SET = (b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n" + _VALUE, b"+OK\r\n")
_GET = (b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n", _VALUE)

# name: what does it, operations a batch
ROWS: dict[str, tuple[Row, int]] = {
    "wire-rr-1": (echo(socket.SOCK_STREAM), 400),
    "wire-udp-rr-1": (echo(socket.SOCK_DGRAM), 400),
    "wire-connect": (connections, 150),
    "wire-in-1m": (bytes_in, 4),
    "wire-out-1m": (bytes_out, 4),
    "nginx-1k": (pages(16, "1k", 1 << 10), 320),
    "nginx-100k": (pages(8, "100k", 100 << 10), 40),
    "nginx-1m": (pages(2, "1m", 1 << 20), 4),
    # One at a time: QEMU's listening sockets keep no second one waiting.
    "nginx-connect": (pages(1, "1k", 1 << 10, is_kept=False), 80),
    "redis-set": (questions(REDIS, 16, *_SET), 320),
    "redis-get": (questions(REDIS, 16, *_GET, before=_SET), 320),
    "redis-get-32": (questions(REDIS, 4, *_GET, depth=32, before=_SET), 2560),
}

# The same through a card that sums, cuts and joins.
OFFLOADED = {f"tso-{name.removeprefix('wire-')}": ROWS[name]
             for name in ("wire-in-1m", "wire-out-1m", "nginx-100k", "nginx-1m")}
ALL = ROWS | OFFLOADED


def names() -> list[str]:
    """Those that this machine can measure."""
    return list(ALL if tap.is_possible() else ROWS)


class Monitor:
    """QEMU's machine-readable monitor (docs/interop/qmp-spec)."""

    def __init__(self, path: Path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(LIMIT)
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Failure("bench: QEMU's monitor does not answer") from None
                time.sleep(0.05)
        self._file = self._socket.makefile("r", encoding="utf-8")
        self._file.readline()
        self.say("qmp_capabilities")

    def say(self, command: str, **arguments) -> object:
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            line = self._file.readline()
            if not line:
                raise Failure("bench: QEMU ended")
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Failure(f"bench: QEMU: {answer['error'].get('desc')}")

    def human(self, command: str) -> None:
        self.say("human-monitor-command", **{"command-line": command})

    def instructions(self) -> int:
        return self.say("query-replay")["icount"]

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Running:
    """A machine with its servers up."""

    def __init__(self, address: str, offset: int, monitor: Monitor):
        self._address, self._offset, self.monitor = address, offset, monitor

    def client(self, is_broken: bool = False) -> Client:
        return Client(self._address, self._offset, is_broken)

    def count(self, row: Iterator[None], operations: int) -> int:
        """The instructions of so many operations of a row."""
        time.sleep(REST)
        before = self.monitor.instructions()
        row.send(operations)
        time.sleep(REST)
        return self.monitor.instructions() - before


class Servers:
    """The machine's thread, and what is heard of it until its servers are up."""

    def __init__(self, plan: Plan):
        plan.stdout = plan.stderr = CallSink(self._output)
        plan.note = CallSink(self._note)
        self._session = Session(plan)
        self._words, self._notes = b"", []
        self._is_heard = threading.Event()
        self._log = ""
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()

    def _main(self) -> None:
        try:
            self._log = self._session.run().log.tail()
        finally:
            self._is_heard.set()

    def _output(self, data: bytes) -> None:
        self._words += data
        if b"\n" in self._words:
            self._is_heard.set()

    def _note(self, data: bytes) -> None:
        self._notes.append(data.decode(errors="replace"))

    def wait(self) -> None:
        self._is_heard.wait(BOOT)
        wrong = [note for note in self._notes if "network" in note or "modules" in note]
        if wrong or not self._words.startswith(b"@ready"):
            self.end()
            what = wrong or [self._words.decode(errors="replace").strip() or self._log or "nothing was heard"]
            raise Failure(f"the servers did not start: {'; '.join(what)}")

    def end(self) -> None:
        self._session.stop("")
        self._thread.join()


@contextmanager
def running(system: System, is_offloaded: bool, more: list[str] | None = None) -> Iterator[Running]:
    """A machine that serves, with `more` words for QEMU. Offloaded: in a thread of tap.inside()."""
    if is_offloaded:
        address, offset, network = ADDRESS, 0, tap.Tap()
        system = replace(system, append=(*system.append, tap.KERNEL_WORD))
    else:
        number = threading.get_native_id()
        address = f"127.{1 + (number >> 16) % 254}.{number >> 8 & 255}.{1 + (number & 255) % 254}"
        offset, network = OFFSET, Network([Port(address, port + OFFSET, port, protocol) for port, protocol in PORTS])
        network.check()
    with _image(system) as image, tempfile.TemporaryDirectory(dir=paths.cache()) as scratch:
        servers = Servers(_plan(system, image, network, Path(scratch), more or []))
        try:
            servers.wait()
            monitor = Monitor(Path(scratch, "qmp"))
            yield Running(address, offset, monitor)
            monitor.close()
        finally:
            servers.end()


def _image(system: System) -> roots.Image:
    program = bench_run.build()

    def overlay(writer: cpio.Writer) -> None:
        run.overlay(writer, system.modules or system.kernel)
        writer.host_file("bench", program)

    return roots.open_image("web", overlay)


def _plan(system: System, image: roots.Image, network: Network, scratch: Path, more: list[str]) -> Plan:
    machine = qemu.Machine(
        kernel=system.kernel, initrd_fd=image.file.fileno(), cpu=bench_run.CPU, memory=MEMORY, net=network,
        append=run.command_line(plain=False, verbose=False, trace=None, extra=list(system.append), has_net=True),
        accel=ICOUNT, extra=["-qmp", f"unix:{scratch}/qmp,server=on,wait=off", *more])
    return Plan(
        machine=machine, watches_signals=False,
        request=channel.request_words(
            args=["/bin/sh", "-c", f"{SERVERS} && exec /bench --serve {HTTP} {REDIS}"],
            env=run.environment(False, []), host="kevlar", **network.request()))


def what_counts() -> tuple:
    """What Linux's counts depend on besides the kernel and the program."""
    source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return "wire", source, roots.archive_of("web").name


def measure(system: System, rows: list[str], progress: Callable[[str], None] = lambda name: None,
            broken: str | None = None) -> dict[str, Sample]:
    """Every one of the rows, measured or failed."""
    offloaded = [row for row in rows if row in OFFLOADED]
    samples = _measure(system, [row for row in rows if row in ROWS], False, progress, broken)
    if offloaded:
        samples |= tap.inside(lambda: _measure(system, offloaded, True, progress, broken))
    return samples


def _measure(system: System, rows: list[str], is_offloaded: bool, progress: Callable[[str], None],
             broken: str | None) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    left = list(rows)
    while left:
        try:
            with running(system, is_offloaded) as machine:
                while left:
                    name = left.pop(0)
                    progress(name)
                    samples[name] = _sample(machine, machine.client(name == broken), name)
                    if samples[name].failed:
                        break  # whatever it left is not to disturb the next one
        except Failure as e:
            return samples | {row: Sample(failed=str(e)) for row in rows if row not in samples}
    return samples


def _sample(machine: Running, client: Client, name: str) -> Sample:
    make, operations = ALL[name]
    try:
        row = make(client)
        next(row)
        machine.count(row, operations)  # the first time is not like the others
        counts = [machine.count(row, operations) for _ in range(BATCHES)]
        row.close()
    except (Refused, OSError) as e:
        return Sample(failed=str(e) or type(e).__name__)
    middle = statistics.median(counts)
    return Sample(middle / operations, (max(counts) - min(counts)) / middle, operations)


def log(system: System, name: str, operations: int | None, scratch: Path) -> tuple[int, Path]:
    """Executes a row once with each instruction in a log; returns its operations, and the log."""
    if name in OFFLOADED:
        return tap.inside(lambda: _log(system, name, operations, scratch / "log"))
    return _log(system, name, operations, scratch / "log")


def _log(system: System, name: str, operations: int | None, path: Path) -> tuple[int, Path]:
    make, usual = ALL[name]
    operations = operations or max(1, usual // 10)
    with running(system, name in OFFLOADED, ["-D", str(path)]) as machine:
        try:
            row = make(machine.client())
            next(row)
            machine.count(row, usual)
            time.sleep(REST)
            for command in ("stop", "singlestep on", "log exec,nochain", "cont"):
                machine.monitor.human(command)
            row.send(operations)
            time.sleep(REST)
            machine.monitor.human("log none")
        except (Refused, OSError) as e:
            raise Failure(f"profile: the row failed: {e}") from None
    return operations, path
