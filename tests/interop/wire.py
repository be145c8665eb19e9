"""A wire between two machines: two QEMU socket netdevs, and what happens to frames on their way."""

import heapq
import random
import selectors
import socket
import struct
import threading
import time
from dataclasses import dataclass

PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)  # nanoseconds, Ethernet
QUEUE_MAX = 4 << 20  # bytes that may wait for a reader, as in a switch with deep buffers


@dataclass
class Shape:
    """What the wire does to each frame."""

    loss: float = 0.0  # of 1
    reorder: float = 0.0  # frames that are overtaken by the next few
    duplicate: float = 0.0
    delay: float = 0.0  # seconds, one way


class _End:
    """One machine's side: length-prefixed frames on a stream."""

    def __init__(self, sock: socket.socket):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.received = bytearray()
        self.to_send = bytearray()

    def frames(self, data: bytes) -> list[bytes]:
        self.received += data
        found, at = [], 0
        while len(self.received) - at >= 4:
            n = int.from_bytes(self.received[at:at + 4], "big")
            if len(self.received) - at - 4 < n:
                break
            found.append(bytes(self.received[at + 4:at + 4 + n]))
            at += 4 + n
        del self.received[:at]
        return found


class Wire(threading.Thread):
    """Runs until `close`. `netdev(k)` is what machine k's QEMU is told."""

    def __init__(self, seed: int):
        super().__init__(daemon=True)
        self.shape = Shape()
        self.forwarded = self.dropped = self.bytes = 0
        self._random = random.Random(seed)
        self._listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self._late: list[tuple[float, int, int, bytes]] = []
        self._serial = 0
        self._pcap = None
        self._pcap_left = 0
        self._lock = threading.Lock()
        self._over = False

    def netdev(self, k: int) -> str:
        port = self._listeners[k].getsockname()[1]
        return f"socket,id=wire,connect=127.0.0.1:{port}"

    def capture(self, path: str | None, limit: int = 32 << 20) -> None:
        """Frames from now on go to that file, at most `limit` bytes of them; None: to none."""
        with self._lock:
            if self._pcap:
                self._pcap.close()
            self._pcap = open(path, "wb") if path else None
            self._pcap_left = limit
            if self._pcap:
                self._pcap.write(PCAP_HEADER)

    def close(self) -> None:
        self._over = True
        self.join()
        self.capture(None)

    def run(self) -> None:
        ends = [_End(listener.accept()[0]) for listener in self._listeners]
        selector = selectors.DefaultSelector()
        for k, end in enumerate(ends):
            selector.register(end.sock, selectors.EVENT_READ, k)
        while not self._over:
            for key, events in selector.select(self._patience()):
                if events & selectors.EVENT_READ and not self._receive(ends, key.data):
                    return
            self._deliver_late(ends)
            for k, end in enumerate(ends):
                self._flush(end)
                wanted = selectors.EVENT_READ if len(ends[1 - k].to_send) < QUEUE_MAX else 0
                wanted |= selectors.EVENT_WRITE if end.to_send else 0
                selector.modify(end.sock, wanted or selectors.EVENT_WRITE, k)

    def _patience(self) -> float:
        return max(0.0, min(0.2, self._late[0][0] - time.monotonic())) if self._late else 0.2

    def _receive(self, ends: list[_End], k: int) -> bool:
        try:
            data = ends[k].sock.recv(1 << 18)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        for frame in ends[k].frames(data):
            self._forward(ends[1 - k], 1 - k, frame)
        return bool(data)

    def _forward(self, to: _End, k: int, frame: bytes) -> None:
        shape = self.shape
        self._record(frame)
        if shape.loss and self._random.random() < shape.loss:
            self.dropped += 1
            return
        copies = 2 if shape.duplicate and self._random.random() < shape.duplicate else 1
        for _ in range(copies):
            delay = shape.delay
            if shape.reorder and self._random.random() < shape.reorder:
                delay += self._random.uniform(0.001, 0.01)
            if delay:
                self._serial += 1
                heapq.heappush(self._late, (time.monotonic() + delay, self._serial, k, frame))
            else:
                self._send(to, frame)

    def _send(self, to: _End, frame: bytes) -> None:
        self.forwarded += 1
        self.bytes += len(frame)
        to.to_send += len(frame).to_bytes(4, "big") + frame

    def _deliver_late(self, ends: list[_End]) -> None:
        now = time.monotonic()
        while self._late and self._late[0][0] <= now:
            _, _, k, frame = heapq.heappop(self._late)
            self._send(ends[k], frame)

    def _flush(self, end: _End) -> None:
        while end.to_send:
            try:
                n = end.sock.send(memoryview(end.to_send)[:1 << 18])
            except BlockingIOError:
                return
            except ConnectionError:
                self._over = True
                return
            del end.to_send[:n]

    def _record(self, frame: bytes) -> None:
        with self._lock:
            if self._pcap_left < len(frame):  # nor any shorter one: the rest would look like losses
                self._pcap_left = 0
            elif self._pcap:
                now = time.time_ns()
                self._pcap.write(struct.pack("<IIII", now // 10**9, now % 10**9, len(frame), len(frame)) + frame)
                self._pcap_left -= len(frame)
