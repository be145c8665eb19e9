"""The host's end of the control channel. tools/guest/channel.h describes the protocol."""

import struct
from collections import deque

PREAMBLE = b"\nKEVLAR-CHANNEL-1\n"
HEADER = 4
PAYLOAD = 4096
WINDOW = 2048  # uncredited bytes the guest can take without losing any
CHUNK = 512

HELLO, STDOUT, STDERR, CREDIT, NOTE, TRACE, EXIT, BYE = b"HOECNTXB"
REQUEST, GO, STDIN, END_OF_STDIN, SIZE, SIGNAL = b"RGIZWK"


class BrokenChannel(Exception):
    """Bytes were lost on the line."""


def _check(kind: int, length: int) -> int:
    return 0x5A ^ kind ^ (length & 0xFF) ^ (length >> 8)


def encode(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack("<BBH", kind, _check(kind, len(payload)), len(payload)) + payload


def request_words(*, args=(), env=(), tty=None, **options) -> bytes:
    """The text of a request; see tools/guest/request.h for the keys. `args` are str or bytes."""
    words = [f"{key}={value}".encode() for key, value in options.items()]
    if tty is not None:
        words.append(b"tty=%dx%d" % tty)
    words += [b"env=" + _bytes(word) for word in env]
    words += [b"arg=" + _bytes(word) for word in args]
    return b"".join(word + b"\0" for word in words)


def _bytes(word: str | bytes) -> bytes:
    return word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")


class Decoder:
    """Turns what the line delivers into (kind, payload) pairs, from the preamble on."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._in_frames = False

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        self._buffer += data
        if not self._in_frames and not self._find_preamble():
            return []
        frames = []
        at = 0
        while len(self._buffer) - at >= HEADER:
            kind, check, length = struct.unpack_from("<BBH", self._buffer, at)
            if check != _check(kind, length) or length > PAYLOAD:
                raise BrokenChannel
            if len(self._buffer) - at < HEADER + length:
                break
            frames.append((kind, bytes(self._buffer[at + HEADER:at + HEADER + length])))
            at += HEADER + length
        del self._buffer[:at]
        return frames

    def _find_preamble(self) -> bool:
        at = self._buffer.find(PREAMBLE)
        if at < 0:
            del self._buffer[:-len(PREAMBLE)]
            return False
        del self._buffer[:at + len(PREAMBLE)]
        self._in_frames = True
        return True


class Sender:
    """Frames waiting to be sent. REQUEST and STDIN bytes leave only within the window."""

    def __init__(self) -> None:
        self._queue: deque[tuple[int, bytes]] = deque()
        self._credit = WINDOW
        self.queued = 0  # bytes of REQUEST and STDIN not sent yet

    def send(self, kind: int, payload: bytes = b"") -> None:
        if kind not in (REQUEST, STDIN):
            self._queue.append((kind, payload))
            return
        for at in range(0, len(payload), CHUNK):
            self._queue.append((kind, payload[at:at + CHUNK]))
        self.queued += len(payload)

    def send_first(self, kind: int, payload: bytes = b"") -> None:
        """For what must not wait behind input the command may never read."""
        self._queue.appendleft((kind, payload))

    def credit(self, payload: bytes) -> None:
        self._credit += struct.unpack("<I", payload)[0]

    def take(self) -> bytes:
        """The bytes that may go out now; empty if there are none."""
        out = b""
        while self._queue:
            kind, payload = self._queue[0]
            if kind in (REQUEST, STDIN):
                if len(payload) > self._credit:
                    break
                self._credit -= len(payload)
                self.queued -= len(payload)
            out += encode(kind, payload)
            self._queue.popleft()
        return out
