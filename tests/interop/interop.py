#!/usr/bin/python3
"""Kevlar against another kernel over a wire that loses, reorders, delays: every byte compared.

    tests/interop/interop.py --linux VMLINUZ --modules DIR [--scale N] [--only WORD] [--captures DIR]

Both machines run tests/interop/pour. DIR is the kernel's directory lib/modules/VERSION. Ends with "N passed, N failed".
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from wire import Shape, Wire

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tools"))
from kevlar import packages  # noqa: E402

DONE = "@@ done "
# QEMU 7.2 translates the code of a machine's only CPU without fences, and that of one which may get a second with them.
# Kevlar knows; other kernels lose the wake-ups of their cards now and then.
WITH_FENCES = ["--qemu", "-smp maxcpus=2"]
MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "failover",
           "net_failover", "virtio_net")


@dataclass
class Scene:
    """One wire, one size of packets, so much data."""

    name: str
    shape: Shape
    mtu: int
    mib: int  # each way and stream, times --scale
    streams: int = 2


SCENES = [
    Scene("plain", Shape(), 1500, 160),
    Scene("mtu-576", Shape(), 576, 24),
    Scene("mtu-1280", Shape(), 1280, 48),
    Scene("mtu-9000", Shape(), 9000, 288),
    Scene("loss-1", Shape(loss=0.01), 1500, 32),
    Scene("loss-5", Shape(loss=0.05), 1500, 8),
    Scene("reorder", Shape(reorder=0.05), 1500, 32),
    Scene("duplicates", Shape(duplicate=0.05), 1500, 32),
    Scene("delay-100", Shape(delay=0.05), 1500, 16),
    Scene("delay-loss", Shape(delay=0.05, loss=0.01), 1500, 4),
    Scene("all", Shape(delay=0.01, loss=0.02, reorder=0.05, duplicate=0.02), 576, 4),
]


class Guest:
    """A machine with a shell that takes commands."""

    def __init__(self, k: int, wire: Wire, root: Path, words: list[str]):
        device = f"-netdev {wire.netdev(k)} -device virtio-net-pci,netdev=wire,host_mtu=9000,mac=52:54:00:00:09:0{k + 1}"
        self._shell = subprocess.Popen(
            [str(TOP / "kevlar"), "run", "--net", "none", "--root", str(root), "--memory", "512M", *words, "--qemu", device,
             "--", "/bin/sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.address = f"10.9.0.{k + 1}", f"fd09::{k + 1}"
        self.run("if [ -d /modules ]; then for m in $(cat /modules/order); do insmod /modules/$m.ko 2>/dev/null; done; fi")
        self.run("for i in 1 2 3 4 5 6 7 8 9; do [ -e /sys/class/net/eth0 ] && break; sleep 1; done")
        self.run("echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad")
        self.run(f"ip addr add {self.address[0]}/24 dev eth0; ip link set lo up; ip link set eth0 up")
        self.run(f"ip -6 addr add {self.address[1]}/64 dev eth0")

    def run(self, command: str) -> tuple[int, str]:
        """Its status and what it printed."""
        self._shell.stdin.write(f"{command}\necho '{DONE}'$?\n")
        lines = []
        for line in self._shell.stdout:
            if DONE in line:
                before, _, status = line.partition(DONE)
                return int(status), "".join(lines) + before
            lines.append(line)
        raise SystemExit("a machine ended: " + "".join(lines)[-2000:])

    def close(self) -> None:
        self._shell.stdin.close()
        try:
            self._shell.wait(20)
        except subprocess.TimeoutExpired:
            self._shell.terminate()
            self._shell.wait()


def make_root(where: Path, modules: Path | None) -> Path:
    """BusyBox, pour, and the modules in the order in which they are loaded."""
    for name in ("bin", "proc", "sys", "dev", "tmp"):
        (where / name).mkdir(parents=True)
    with packages.unpacked("busybox-static") as tree:
        shutil.copy(next(p for p in tree.rglob("bin/busybox")), where / "bin/busybox")
    for applet in ("sh", "ip", "ifconfig", "insmod", "sleep", "cat", "kill", "echo", "grep", "ls", "netstat", "nc", "ping", "mount"):
        (where / "bin" / applet).symlink_to("busybox")
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-static", "-w", "-o", str(where / "bin/pour"),
                    str(TOP / "tests/interop/pour.c")], check=True, stderr=subprocess.DEVNULL)
    if modules:
        (where / "modules").mkdir()
        for name in MODULES:
            shutil.copy(next(modules.rglob(name + ".ko")), where / "modules" / (name + ".ko"))
        (where / "modules/order").write_text("\n".join(MODULES) + "\n")
    return where


def expert(path: Path) -> str:
    """What tshark finds wrong with the capture: errors and warnings, by kind."""
    if shutil.which("tshark") is None:
        return "no tshark"
    out = subprocess.run(["tshark", "-r", str(path), "-q", "--disable-protocol", "thrift", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
                          "-o", "udp.check_checksum:TRUE", "-z", "expert"], capture_output=True, text=True, check=False).stdout
    kinds, level = [], ""
    for line in out.splitlines():
        if line.endswith(")") and line.split(" ")[0] in ("Errors", "Warns", "Notes", "Chats"):
            level = line.split(" ")[0]
        elif level in ("Errors", "Warns") and line.strip()[:1].isdigit():
            kinds.append(f"{level[:-1].lower()}: {' '.join(line.split())}")
    return "; ".join(kinds) or "nothing"


def retransmitted(guest: Guest) -> int:
    """Segments so far: RetransSegs."""
    return int(guest.run("grep ^Tcp: /proc/net/snmp")[1].split()[-4])


def play(scene: Scene, wire: Wire, guests: list[Guest], scale: float, captures: Path) -> Iterator[tuple[str, bool, str]]:
    wire.shape = Shape()
    for guest in guests:
        guest.run(f"ip link set eth0 mtu {scene.mtu}")
        guest.run(f"ip -6 addr add {guest.address[1]}/64 dev eth0 2>/dev/null")  # an MTU below 1280 took it
    wire.shape = scene.shape
    mib = max(1, round(scene.mib * scale))
    for caller, server in ((0, 1), (1, 0)):
        who = "kevlar calls" if caller == 0 else "linux calls"
        for family, address in enumerate(guests[server].address):
            if family and scene.mtu < 1280:
                continue
            capture = captures / f"{scene.name}-{caller}{family}.pcap"
            wire.capture(str(capture))
            before = [retransmitted(guest) for guest in guests]
            status, text = guests[caller].run(f"pour call {address} 43210 {mib} {mib} {scene.streams} 2>&1")
            wire.capture(None)
            again = " and ".join(f"{retransmitted(guest) - old}" for guest, old in zip(guests, before))
            yield (f"{scene.name} tcp{6 if family else 4} {who}", status == 0,
                            f"{text.strip()}; sent again {again}; expert: {expert(capture)}")
            for size in (1000, 8000, 60000):
                count = 20 if scene.shape.delay else 60
                patience = 10000 if scene.shape == Shape() else 50
                status, text = guests[caller].run(f"pour udp-call {address} 43211 {count} {size} {patience} 2>&1")
                back = int(text.split()[1]) if status == 0 and text else 0
                whole = back == count if scene.shape == Shape() else back > 0 or size > 8000
                yield f"{scene.name} udp{6 if family else 4} {size} {who}", status == 0 and whole, text.strip()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--linux", required=True)
    parser.add_argument("--modules", required=True, type=Path)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--only", default="")
    parser.add_argument("--captures", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kevlar", default="", help="more words for Kevlar's machine, such as --debug")
    options = parser.parse_args()
    passed = failed = 0
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        captures = options.captures or scratch
        captures.mkdir(exist_ok=True)
        wire = Wire(options.seed)
        wire.start()
        guests = [Guest(0, wire, make_root(scratch / "a", None), options.kevlar.split()),
                  Guest(1, wire, make_root(scratch / "b", options.modules), ["--kernel", options.linux, *WITH_FENCES])]
        for guest in guests:
            stack.callback(guest.close)
            guest.run("pour serve 43210 >/tmp/tcp & pour udp-serve 43211 >/tmp/udp &")
            guest.run("until grep -q ready /tmp/tcp && grep -q ready /tmp/udp; do sleep 0.1; done")
        begin = time.monotonic()
        for scene in SCENES:
            if options.only not in scene.name:
                continue
            for name, good, text in play(scene, wire, guests, options.scale, captures):
                passed, failed = passed + good, failed + (not good)
                print(f"{'ok    ' if good else 'FAILED'} {name}: {text}", flush=True)
        print(f"{wire.bytes >> 20} MiB over the wire in {time.monotonic() - begin:.0f} s, "
              f"{wire.forwarded} frames, {wire.dropped} lost")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
