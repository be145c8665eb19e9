"""The machine's network: QEMU's user network, published ports, and what a modular kernel needs for it.

The user network needs no rights on this machine. It is always the same one: the machine is ADDRESS,
this machine's loopback is GATEWAY, and a forwarder for names listens at DNS.
"""

import errno
import re
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path

from . import cpio, initramfs
from .errors import BAD_USAGE, Failure, reason

ADDRESS, PREFIX, GATEWAY, DNS = "10.0.2.15", 24, "10.0.2.2", "10.0.2.3"
PUBLISH = re.compile(r"(?:(\d+\.\d+\.\d+\.\d+):)?(\d+):(\d+)(?:/(tcp|udp))?")
DRIVERS = ("virtio_pci", "virtio_mmio", "virtio_net")
MODULES = ".kevlar/modules"


@dataclass
class Port:
    """A port of this machine that leads to one of the guest's."""

    address: str
    host: int
    guest: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return f"{self.protocol}:{self.address}:{self.host}-:{self.guest}"


@dataclass
class Network:
    """One card on QEMU's user network."""

    ports: list[Port] = field(default_factory=list)

    def words(self, machine: str) -> list[str]:
        """QEMU's words for it. No option ROM: nobody boots from this card, and it takes time to start."""
        card = "virtio-net-device" if machine == "microvm" else "virtio-net-pci,romfile="
        forwards = "".join(f",hostfwd={port}" for port in self.ports)
        return ["-netdev", f"user,id=net0{forwards}", "-device", f"{card},netdev=net0"]

    def request(self) -> dict[str, str]:
        """For the agent, which sets a card up that the kernel has not (tools/guest/request.h)."""
        return {"net": f"{ADDRESS}/{PREFIX} {GATEWAY} {DNS}"}

    def check(self) -> None:
        """Raises Failure if a port cannot be had; QEMU would say so less clearly."""
        for port in self.ports:
            kind = socket.SOCK_DGRAM if port.protocol == "udp" else socket.SOCK_STREAM
            with socket.socket(socket.AF_INET, kind) as s:
                if kind == socket.SOCK_STREAM:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind((port.address, port.host))
                except OSError as e:
                    raise Failure(f"--publish: port {port.host} of {port.address}: {reason(e)}"
                                  f"{_hint(e)}") from None


def _hint(error: OSError) -> str:
    return " (only root may have ports below 1024)" if error.errno == errno.EACCES else ""


def parse_publish(text: str) -> Port:
    """[ADDR:]HOST:GUEST[/udp]. Only this machine sees the port unless ADDR says otherwise."""
    match = PUBLISH.fullmatch(text)
    if match is None or not text.isascii():
        raise Failure(f"--publish {text}: not [ADDRESS:]PORT:PORT[/udp]", BAD_USAGE)
    address = match[1] or "127.0.0.1"
    if any(int(part) > 255 for part in address.split(".")):
        raise Failure(f"--publish {text}: {address} is not an address", BAD_USAGE)
    for number in (match[2], match[3]):
        if not 1 <= int(number) <= 65535:
            raise Failure(f"--publish {text}: {number} is not a port (1 to 65535)", BAD_USAGE)
    return Port(address, int(match[2]), int(match[3]), match[4] or "tcp")


# Debian's Linux has its virtio drivers as modules, beside its vmlinuz in lib/modules.

def add_modules(writer: cpio.Writer, kernel: Path) -> None:
    """Adds the drivers for the card if this kernel has modules; the agent loads them in order of name."""
    directory = _module_directory(kernel)
    if directory is None:
        return
    found = {path.name.partition(".")[0].replace("-", "_"): path for path in directory.rglob("*.ko*")}
    loaded: dict[str, bytes] = {}
    for name in DRIVERS:
        _load(name, found, loaded)
    for number, (name, data) in enumerate(loaded.items()):
        writer.text(f"{MODULES}/{number:02}-{name}.ko", data)


def _module_directory(kernel: Path) -> Path | None:
    release = _release(kernel)
    if release is None:
        return None
    tops = (kernel.resolve().parent.parent, Path("/"))
    return next((path for top in tops if (path := top / "lib" / "modules" / release).is_dir()), None)


def _release(kernel: Path) -> str | None:
    """A bzImage's own word for its release (x86 boot protocol, kernel_version at 0x20e)."""
    with open(kernel, "rb") as f:
        head = f.read(1 << 16)
    if head[0x202:0x206] != b"HdrS":
        return None
    at = struct.unpack_from("<H", head, 0x20e)[0] + 0x200
    words = head[at:at + 256].partition(b"\0")[0].split()
    return words[0].decode("ascii", "replace") if words else None


def _load(name: str, found: dict[str, Path], loaded: dict[str, bytes]) -> None:
    """Puts a module behind those it depends on; one that is missing is built in."""
    if name in loaded or name not in found:
        return
    with initramfs.unpacked(found[name]) as f:
        data = f.read()
    depends = re.search(rb"\0depends=([\w,-]*)\0", data)
    for other in depends[1].decode().replace("-", "_").split(",") if depends else []:
        _load(other, found, loaded)
    loaded[name] = data
