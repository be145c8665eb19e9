#!/usr/bin/python3
"""Hostile frames into a guest, as fast as it takes them; service is asked for meanwhile and afterwards.

    tests/interop/flood.py [--seconds N per kind] [--seed N] [--only KIND] [--kevlar="--debug --cpus 2"]

The frames come in at eth0; eth1 is a user net by which pour is called from here. Afterwards eth0 answers pings, and memory
is where it was. Ends with "N passed, N failed". Needs python3-scapy.
"""

import argparse
import logging
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.all import (ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6DestUnreach, ICMPv6EchoRequest,  # noqa: E402
                       ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6NDOptDstLLAddr,
                       ICMPv6NDOptMTU, ICMPv6NDOptPrefixInfo, ICMPv6NDOptRDNSS, ICMPv6NDOptSrcLLAddr,
                       ICMPv6PacketTooBig, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, Raw)

from interop import DONE, TOP, make_root  # noqa: E402

GUEST_MAC, GUEST, GUEST6 = "52:54:00:00:09:01", "10.9.0.1", "fd09::1"
KINDS = {}
AHEAD = 20000  # frames that may be under way
QUIET = 70  # seconds after which what was half open is given up


def kind(make):
    KINDS[make.__name__] = make
    return make


def mac(r: random.Random) -> str:
    return "02:" + ":".join(f"{r.randrange(256):02x}" for _ in range(5))


def ip4(r: random.Random) -> str:
    return f"10.9.{r.randrange(256)}.{r.randrange(2, 255)}" if r.random() < 0.5 else \
        ".".join(str(r.randrange(1, 255)) for _ in range(4))


def ip6(r: random.Random) -> str:
    return f"{r.choice(('fd09', 'fe80', '2001:db8'))}::{r.randrange(65536):x}:{r.randrange(2, 65536):x}"


def ether(r: random.Random) -> Ether:
    return Ether(src=mac(r), dst=r.choice((GUEST_MAC, GUEST_MAC, "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01")))


def either(r: random.Random):
    if r.random() < 0.5:
        return ether(r) / IP(src=ip4(r), dst=GUEST, ttl=r.choice((1, 64, 255)))
    return ether(r) / IPv6(src=ip6(r), dst=r.choice((GUEST6, "ff02::1")), hlim=r.choice((1, 64, 255)))


@kind
def syn(r: random.Random) -> Ether:
    return either(r) / TCP(sport=r.randrange(1, 65536), dport=r.choice((43210, 43210, 43210, 9)),
                           flags=r.choice(("S", "S", "S", "SA", "A", "R", "FPU", "SF")),
                           seq=r.randrange(1 << 32), ack=r.randrange(1 << 32), window=r.randrange(65536))


@kind
def options(r: random.Random) -> Ether:
    blob = bytes(r.choice((0, 1, 2, 3, 4, 5, 8, 10, 19, 28, 30, 34, r.randrange(256))) for _ in range(4 * r.randrange(11)))
    segment = TCP(sport=r.randrange(1, 65536), dport=43210, flags=r.choice(("S", "A", "PA")), seq=r.randrange(1 << 32))
    packet = either(r) / segment
    raw = bytearray(bytes(packet))
    at = len(raw) - 20
    raw[at + 12] = (r.choice((5 + len(blob) // 4, r.randrange(16))) & 15) << 4
    return Ether(bytes(raw) + blob + bytes(r.randrange(40)))


@kind
def fragments(r: random.Random) -> Ether:
    data = Raw(bytes(r.choice((0, 7, 8, 16, 24, 1000, 1400))))
    if r.random() < 0.5:
        return ether(r) / IP(src=f"10.9.0.{r.randrange(2, 20)}", dst=GUEST, id=r.randrange(64), proto=r.choice((1, 6, 17)),
                             flags=r.choice(("MF", "MF", 0)), frag=r.choice((0, 1, 2, 125, 175, 8189, 8191))) / data
    return ether(r) / IPv6(src=f"fd09::{r.randrange(2, 20):x}", dst=GUEST6) / IPv6ExtHdrFragment(
        id=r.randrange(64), m=r.randrange(2), offset=r.choice((0, 1, 2, 125, 8189, 8191)), nh=r.choice((6, 17, 58, 44, 0))) / data


@kind
def arp(r: random.Random) -> Ether:
    return ether(r) / ARP(op=r.choice((1, 2, 1, 2, r.randrange(65536))), hwsrc=mac(r), psrc=ip4(r), hwdst=mac(r),
                          pdst=r.choice((GUEST, ip4(r))), hwtype=r.choice((1, 1, 1, 6)), plen=r.choice((4, 4, 4, 255)))


@kind
def discovery(r: random.Random) -> Ether:
    target = r.choice((GUEST6, ip6(r)))
    message = r.choice((
        ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=mac(r)),
        ICMPv6ND_NA(tgt=target, S=r.randrange(2), O=r.randrange(2), R=r.randrange(2)) / ICMPv6NDOptDstLLAddr(lladdr=mac(r)),
        ICMPv6ND_RA(routerlifetime=r.randrange(65536), chlim=r.randrange(256)) /
        ICMPv6NDOptPrefixInfo(prefix=f"2001:db8:{r.randrange(65536):x}::", prefixlen=r.choice((64, 64, 0, 129, 128)),
                              validlifetime=r.choice((0, 10, 0xffffffff))) /
        ICMPv6NDOptMTU(mtu=r.choice((0, 68, 1280, 1500, 1 << 31))) / ICMPv6NDOptRDNSS(dns=[ip6(r)]),
        ICMPv6ND_Redirect(tgt=ip6(r), dst=ip6(r)),
    ))
    packet = ether(r) / IPv6(src=r.choice(("::", f"fe80::{r.randrange(1, 65536):x}")), dst=r.choice((GUEST6, "ff02::1")), hlim=255)
    raw = bytearray(bytes(packet / message))
    if r.random() < 0.2:
        raw[54 + r.randrange(len(raw) - 54)] = 0  # an option of length 0 and the like
    return Ether(bytes(raw))


@kind
def errors(r: random.Random) -> Ether:
    inner = r.choice((TCP(sport=43210, dport=r.randrange(65536)), UDP(sport=43211, dport=r.randrange(65536)), Raw(bytes(8)),
                      Raw(b"")))
    if r.random() < 0.5:
        return ether(r) / IP(src=ip4(r), dst=GUEST) / ICMP(type=r.choice((3, 3, 4, 5, 11, 12)), code=r.randrange(16)) / \
            IP(src=r.choice((GUEST, ip4(r))), dst=ip4(r)) / inner
    message = r.choice((ICMPv6PacketTooBig(mtu=r.choice((0, 68, 1279, 1280, 1 << 31))), ICMPv6DestUnreach(code=r.randrange(8))))
    return ether(r) / IPv6(src=ip6(r), dst=GUEST6) / message / IPv6(src=GUEST6, dst=ip6(r)) / inner


@kind
def extensions(r: random.Random) -> Ether:
    packet = ether(r) / IPv6(src=ip6(r), dst=r.choice((GUEST6, "ff02::1")))
    for _ in range(r.randrange(1, 9)):
        packet = packet / r.choice((IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting(type=r.randrange(5))))
    return packet / r.choice((ICMPv6EchoRequest(data=bytes(64)), UDP(dport=43211), Raw(bytes(20))))


@kind
def garbage(r: random.Random) -> Ether:
    raw = bytearray(bytes(KINDS[r.choice([name for name in KINDS if name != "garbage"])](r)))
    for _ in range(r.randrange(1, 8)):
        raw[r.randrange(14 if r.random() < 0.9 else 0, len(raw))] = r.randrange(256)
    return Ether(bytes(raw)[:r.randrange(14, len(raw) + 1)] if r.random() < 0.3 else bytes(raw))


class Guest:
    """The machine under attack: its shell, its wire, its published ports."""

    def __init__(self, root: Path, words: list[str]):
        listener = socket.create_server(("127.0.0.1", 0))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        devices = (f"-netdev socket,id=wire,connect=127.0.0.1:{listener.getsockname()[1]} "
                   f"-device virtio-net-pci,netdev=wire,mac={GUEST_MAC} "
                   f"-netdev user,id=service,hostfwd=tcp:127.0.0.1:{self.port}-:43210 "
                   "-device virtio-net-pci,netdev=service")
        self._shell = subprocess.Popen(
            [str(TOP / "kevlar"), "run", "--net", "none", "--root", str(root), "--memory", "256M", *words, "--qemu", devices,
             "--", "/bin/sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.wire = listener.accept()[0]
        self._pending = b""
        self.run(f"ip addr add {GUEST}/16 dev eth0; ip link set lo up; ip link set eth0 up")
        self.run(f"ip -6 addr add {GUEST6}/64 dev eth0")
        self.run("ip addr add 10.0.2.15/24 dev eth1; ip link set eth1 up")  # no way for answers to the flood
        self.run("pour serve 43210 >/dev/null 2>&1 & pour udp-serve 43211 >/dev/null 2>&1 &")

    def run(self, command: str) -> str:
        self._shell.stdin.write(f"{command}\necho '{DONE}'\n")
        lines = []
        for line in self._shell.stdout:
            if DONE in line:
                return "".join(lines)
            lines.append(line)
        raise SystemExit("the machine ended: " + "".join(lines)[-2000:])

    def free_kib(self) -> int:
        return int(self.run("grep MemFree /proc/meminfo").split()[1])

    def settle(self) -> None:
        """Until it has taken what was sent: QEMU keeps millions of frames for a guest that is slower."""
        before = -1
        while before != (now := int(self.run("cat /sys/class/net/eth0/statistics/rx_packets"))):
            before = now
            time.sleep(0.1)

    def received(self, timeout: float) -> Iterator[bytes]:
        """The whole frames that have come, within so many seconds if there is none yet."""
        self.wire.settimeout(timeout)
        try:
            self._pending += self.wire.recv(1 << 20)
        except (BlockingIOError, TimeoutError):
            return
        at, end = 0, len(self._pending)
        while end - at >= 4 and end - at >= 4 + (n := int.from_bytes(self._pending[at:at + 4], "big")):
            yield self._pending[at + 4:at + 4 + n]
            at += 4 + n
        self._pending = self._pending[at:]

    def answers_ping(self) -> bool:
        """An echo over the attacked wire, ARP included."""
        me, address = "02:00:00:00:99:99", "10.9.77.77"
        ask = bytes(Ether(src=me, dst=GUEST_MAC) / IP(src=address, dst=GUEST) / ICMP(id=7, seq=1) / b"hello")
        claim = bytes(Ether(src=me, dst=GUEST_MAC) / ARP(op=2, hwsrc=me, psrc=address, hwdst=GUEST_MAC, pdst=GUEST))
        end = time.monotonic() + 300  # what is under way comes first
        while time.monotonic() < end:
            self.wire.settimeout(20)
            for frame in (ask, claim):
                self.wire.sendall(len(frame).to_bytes(4, "big") + frame)
            for frame in list(self.received(0.5)):
                if frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] == 0 and b"hello" in frame:
                    return True
        return False

    def close(self) -> None:
        self._shell.stdin.close()
        try:
            self._shell.wait(20)
        except subprocess.TimeoutExpired:
            self._shell.terminate()
            self._shell.wait()


def has_service(pour: Path, port: int) -> bool:
    result = subprocess.run([str(pour), "call", "127.0.0.1", str(port), "1", "1", "2"], capture_output=True, timeout=130, check=False)
    return result.returncode == 0


def attack(guest: Guest, frames: list[bytes], seconds: float, r: random.Random) -> int:
    """Sends for so long; reads and forgets what comes back. Returns how many."""
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        batch = b"".join(len(f).to_bytes(4, "big") + f for f in r.choices(frames, k=200))
        guest.wire.settimeout(20)
        guest.wire.sendall(batch)
        sent += 200
        while list(guest.received(0)):
            pass
        if sent % AHEAD == 0:
            guest.settle()
    guest.settle()
    return sent


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--kevlar", default="", help="more words for the machine, such as --debug")
    arguments = parser.parse_args()
    r = random.Random(arguments.seed)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        root = make_root(Path(scratch) / "root", None)
        guest = Guest(root, arguments.kevlar.split())
        has_service(root / "bin/pour", guest.port)
        at_first = guest.free_kib()
        for name, make in KINDS.items():
            if arguments.only not in name:
                continue
            frames = [bytes(make(r)) for _ in range(2000)]
            frames = [f[:1514] for f in frames if len(f) >= 14]
            before = guest.free_kib()
            sent = attack(guest, frames, arguments.seconds / 2, r)
            sent += attack(guest, frames, arguments.seconds / 2, r)
            good = has_service(root / "bin/pour", guest.port)
            echoed = guest.answers_ping()
            lost = before - guest.free_kib()
            fine = good and echoed and lost < 16 << 10
            passed, failed = passed + fine, failed + (not fine)
            print(f"{'ok    ' if fine else 'FAILED'} {name}: {sent} frames; service {'yes' if good else 'NO'}, "
                  f"echo {'yes' if echoed else 'NO'}, {lost} KiB less memory", flush=True)
        time.sleep(QUIET)
        print(f"after {QUIET} s of silence: {at_first - guest.free_kib()} KiB less memory than at first")
        print(guest.run("cat /proc/net/snmp 2>/dev/null | grep -E '^(Ip|Icmp|Tcp):' | cut -c1-200").strip())
        guest.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
