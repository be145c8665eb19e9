"""Debian's Linux, to compare with: its file from --linux, or from the package, unpacked and kept.

A bzImage spends most of its boot unpacking itself. What is booted here is the ELF inside, by the same
PVH entry that our own kernel has. Sources: the x86 boot protocol (payload_offset at 0x248, payload_length
at 0x24c); the LZ4 frame and block format descriptions (legacy frame: magic 0x184c2102, then blocks of up
to 8 MiB, each behind its 32-bit length).
"""

import hashlib
import lzma
import os
import struct
import subprocess
import zlib
from pathlib import Path

from . import deps, packages, paths
from .errors import Failure, reason
from .ui import Progress

META = "linux-image-cloud-amd64"
MODULES = ("virtio", "virtio_ring", "virtio_pci", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_net",
           "net_failover", "failover")  # what the card takes
LZ4_LEGACY = b"\x02\x21\x4c\x18"


def find(given: str | None) -> tuple[Path, Path]:
    """The uncompressed kernel to boot, and the file it is from, beside whose directory its modules are."""
    package = Path(given) if given else _from_package()
    return _elf(package), package


def version(elf: Path) -> str:
    """As the kernel's banner says it."""
    data = elf.read_bytes()
    at = data.find(b"Linux version 6") if b"Linux version 6" in data else data.find(b"Linux version ")
    return data[at + 14:data.find(b" ", at + 14)].decode("ascii", "replace") if at >= 0 else elf.name


def _from_package() -> Path:
    """The kernel of the package that Debian's meta-package names today; kept once it is there."""
    deps.require("apt-get", "dpkg-deb")
    top = paths.cache() / "bench" / "linux"
    if kept := sorted(top.glob("boot/vmlinuz-*")):
        return kept[-1]
    name = _real_package()
    with packages.unpacked(name) as tree:
        found = sorted((tree / "boot").glob("vmlinuz-*"))
        if not found:
            raise Failure(f"the package {name} has no kernel in it")
        (top / "boot").mkdir(parents=True, exist_ok=True)
        for module in tree.glob("lib/modules/**/*.ko*"):
            if module.name.partition(".")[0] in MODULES:
                target = top / module.relative_to(tree)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(module, target)
        target = top / "boot" / found[-1].name
        os.replace(found[-1], target)  # last: what is there is whole
    return target


def _real_package() -> str:
    result = subprocess.run(["apt-cache", "depends", META], capture_output=True, text=True, check=False)
    for line in result.stdout.splitlines():
        kind, _colon, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith("linux-image-"):
            return name
    raise Failure(f"apt knows no package {META} (apt-get update?); use --linux FILE")


def _elf(path: Path) -> Path:
    """`path` itself if it is an ELF; else what is packed in the bzImage, kept in the cache."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise Failure(f"{path}: {reason(e)}") from None
    if data[:4] == b"\x7fELF":
        return path
    if data[0x202:0x206] != b"HdrS":
        raise Failure(f"{path}: not a kernel image (neither ELF nor bzImage)")
    kept = paths.cache() / "bench" / f"vmlinux-{hashlib.sha256(data).hexdigest()[:16]}"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with Progress(f"unpacking {path.name}"):
            image = _payload(path, data)
        temporary = kept.with_suffix(".new")
        temporary.write_bytes(image)
        os.replace(temporary, kept)
    return kept


def _payload(path: Path, data: bytes) -> bytes:
    start, size = struct.unpack_from("<II", data, 0x248)
    start += ((data[0x1f1] or 4) + 1) * 512
    packed = data[start:start + size]
    if packed[:4] == LZ4_LEGACY:
        image = _unpack_lz4(packed)
    elif packed[:6] == b"\xfd7zXZ\0":
        image = lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(packed)
    elif packed[:2] == b"\x1f\x8b":
        image = zlib.decompressobj(31).decompress(packed)
    else:
        raise Failure(f"{path}: packed in a way this program does not know (LZ4, XZ and gzip are)")
    if image[:4] != b"\x7fELF":
        raise Failure(f"{path}: what is packed in it is not an ELF file")
    return image


def _unpack_lz4(data: bytes) -> bytes:
    out = []
    at = 4
    while at + 8 <= len(data):  # the length of the whole stands behind the last block
        size = struct.unpack_from("<I", data, at)[0]
        out.append(_unpack_block(data, at + 4, at + 4 + size))
        at += 4 + size
    return b"".join(out)


def _unpack_block(data: bytes, at: int, end: int) -> bytes:
    out = bytearray()
    while at < end:
        token = data[at]
        at += 1
        length = token >> 4
        if length == 15:
            while (more := data[at]) == 255:
                length += 255
                at += 1
            length += more
            at += 1
        out += data[at:at + length]
        at += length
        if at >= end:
            break
        offset = data[at] | data[at + 1] << 8
        at += 2
        length = token & 15
        if length == 15:
            while (more := data[at]) == 255:
                length += 255
                at += 1
            length += more
            at += 1
        length += 4
        start = len(out) - offset
        if offset >= length:
            out += out[start:start + length]
        else:
            piece = bytes(out[start:])
            out += (piece * (length // offset + 1))[:length]
    return bytes(out)
