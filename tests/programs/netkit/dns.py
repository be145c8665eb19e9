"""A name server for the zone `test`, over UDP and TCP, that can be as unpleasant as real ones.

Every name is this machine's loopback as the guest sees it, and the first label says how the answer comes:

  delay300.x    300 ms late
  swap.x        the answer for A only after that for AAAA, whatever came first
  drop.x        the first query of each kind is lost
  trunc.x       over UDP nothing but the word that it is too long; over TCP 100 addresses
  v4.x v6.x     no address of the other kind (NOERROR, no records)
  cname.x       an alias of www.x
  refused.x servfail.x   those codes
  nx.x          there is no such name; nor is there one outside `test`

Source: RFC 1035 4.1, RFC 3596 2.
"""

import socket
import struct
import threading
import time

A, NS, CNAME, AAAA, IN = 1, 2, 5, 28, 1
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
ADDRESS = {A: socket.inet_aton("10.0.2.2"), AAAA: socket.inet_pton(socket.AF_INET6, "fec0::2")}
SWAP_LIMIT = 2.0  # seconds to wait for the other question


class Responder:
    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._seen: set[tuple[str, int]] = set()
        self._swapped: set[str] = set()

    def serve(self, address: str, port: int = 53) -> None:
        """Binds at once, serves in threads."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM)
        tcp = socket.create_server((address, port), family=family)
        udp.bind((address, port))
        threading.Thread(target=self._serve_udp, args=(udp,), daemon=True).start()
        threading.Thread(target=self._serve_tcp, args=(tcp,), daemon=True).start()

    def _serve_udp(self, s: socket.socket) -> None:
        while True:
            query, client = s.recvfrom(4096)
            threading.Thread(target=self._answer_udp, args=(s, query, client), daemon=True).start()

    def _answer_udp(self, s: socket.socket, query: bytes, client) -> None:
        answer = self.answer(query, is_udp=True)
        if answer is not None:
            s.sendto(answer, client)

    def _serve_tcp(self, s: socket.socket) -> None:
        while True:
            connection, _client = s.accept()
            threading.Thread(target=self._answer_tcp, args=(connection,), daemon=True).start()

    def _answer_tcp(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as f:
            while len(head := f.read(2)) == 2:
                query = f.read(struct.unpack(">H", head)[0])
                answer = self.answer(query, is_udp=False)
                if answer is not None:
                    connection.sendall(struct.pack(">H", len(answer)) + answer)

    def answer(self, query: bytes, is_udp: bool) -> bytes | None:
        """The answer, when it is time for it; None if there is to be none."""
        try:
            ident, flags, questions = struct.unpack_from(">HHH", query)
            name, end = _read_name(query, 12)
            kind, _class = struct.unpack_from(">HH", query, end)
        except (struct.error, IndexError, UnicodeDecodeError):
            return None
        if questions != 1 or flags & 0x8000:
            return None
        question = query[12:end + 4]
        how = name.partition(".")[0]
        if is_udp and not self._wait(how, name, kind):
            return None
        code, records = _records(how, name, kind)
        truncated = is_udp and how == "trunc"
        if truncated:
            records = []
        head = 0x8480 | flags & 0x0100 | code | (0x0200 if truncated else 0)
        return struct.pack(">HHHHHH", ident, head, 1, len(records), 0, 0) + question + b"".join(records)

    def _wait(self, how: str, name: str, kind: int) -> bool:
        """Sleeps as the name says. False: no answer."""
        if how.startswith("delay") and how[5:].isdigit():
            time.sleep(min(int(how[5:]), 10_000) / 1000)
        with self._lock:
            if how == "swap" and kind == AAAA:
                self._swapped.add(name)
                self._lock.notify_all()
            elif how == "swap" and kind == A:
                self._lock.wait_for(lambda: name in self._swapped, SWAP_LIMIT)
                self._swapped.discard(name)
            is_first = (name, kind) not in self._seen
            self._seen.add((name, kind))
        if how == "swap" and kind == A:
            time.sleep(0.05)  # the other answer is on its way by now
        return not (how == "drop" and is_first)


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    labels = []
    while data[at]:
        if data[at] > 63:
            raise IndexError
        labels.append(data[at + 1:at + 1 + data[at]].decode("ascii").lower())
        at += 1 + data[at]
    return ".".join(labels), at + 1


def _write_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + struct.pack(">HHIH", kind, IN, 60, len(data)) + data


def _records(how: str, name: str, kind: int) -> tuple[int, list[bytes]]:
    asked = b"\xc0\x0c"  # the name in the question
    if how in ("servfail", "refused"):
        return SERVFAIL if how == "servfail" else REFUSED, []
    if name.rpartition(".")[2] != "test" or how == "nx":
        return NXDOMAIN, []
    if how == "cname":
        target = _write_name("www" + name[5:])
        alias = _record(asked, CNAME, target)
        return NOERROR, [alias, _record(target, kind, ADDRESS[kind])] if kind in ADDRESS else [alias]
    if kind not in ADDRESS or (how, kind) in (("v4", AAAA), ("v6", A)):
        return NOERROR, []
    if how == "trunc" and kind == A:
        return NOERROR, [_record(asked, A, bytes([192, 0, 2, n])) for n in range(100)]
    return NOERROR, [_record(asked, kind, ADDRESS[kind])]
