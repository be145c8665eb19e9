"""The kernel image: built on demand, and looked at before QEMU gets it.

QEMU boots whatever it can load, and a kernel file that was cut short then hangs without a word; the
headers tell beforehand. Sources: the ELF specification; the x86 boot protocol (setup_sects at 0x1f1,
syssize at 0x1f4, boot_flag at 0x1fe, "HdrS" at 0x202).
"""

import fcntl
import os
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from . import deps, paths
from .errors import Failure, reason
from .ui import Progress

SOURCES = ("kernel", "abi")
TOOLS = deps.BUILD


def find(given: str | None, debug: bool) -> Path:
    """The image to boot: `--kernel FILE`, or ours, built first if it is missing or out of date."""
    if given is not None:
        path = Path(given)
        check(path)
        return path
    path = paths.BUILD / "debug" / "kevlar" if debug else paths.BUILD / "kevlar"
    if not (paths.TOP / "Makefile").exists():
        raise Failure("there is no Makefile here to build the kernel with; use --kernel FILE")
    build_files = [paths.TOP / "Makefile", *paths.TOP.glob("*.mk")]
    if not _is_fresh(path, build_files + [f for name in SOURCES for f in _files(paths.TOP / name)]):
        make("the debug kernel" if debug else "the kernel", f"DEBUG={int(debug)}")
    if not path.exists():
        raise Failure(f"make did not produce {path.relative_to(paths.TOP)}")
    check(path)
    return path


def _files(top: Path) -> list[Path]:
    return [Path(directory, file) for directory, _dirs, files in os.walk(top)
            for file in files if not file.endswith(".md")]


def _is_fresh(target: Path, sources: list[Path]) -> bool:
    """True if the target is there and newer than its sources; saves a make that does nothing."""
    if not target.exists():
        return False
    made = target.stat().st_mtime
    return all(source.stat().st_mtime <= made for source in sources if source.exists())


def make(what: str, *args: str, makefile: str | None = None) -> None:
    """Runs make in the source tree; what it said is shown only if it fails."""
    deps.require(*TOOLS)
    command = ["make", "-s", f"-j{os.cpu_count() or 1}"]
    command += (["-f", makefile] if makefile else []) + list(args)
    # Not what the environment or a `make` above us says about the kernel to be built.
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MFLAGS", "CC", "ARCH", "B")}
    with Progress(f"building {what}"), _build_lock():
        result = subprocess.run(command, cwd=paths.TOP, env=env, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode != 0:
        sys.stderr.write(result.stdout)
        raise Failure(f"building {what} failed: {' '.join(command)}")


@contextmanager
def _build_lock() -> Iterator[None]:
    """One make of ours at a time: two in one build directory would spoil each other's files."""
    paths.BUILD.mkdir(exist_ok=True)
    with open(paths.BUILD / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def agent() -> Path:
    """The guest's process 1."""
    return _guest_tool("init")


def runner() -> Path:
    """The guest's test runner."""
    return _guest_tool("runner")


def _guest_tool(name: str) -> Path:
    path = paths.BUILD / "guest" / name
    if not _is_fresh(path, _files(paths.TOP / "tools" / "guest")):
        make("the guest agent", "guest-tools", makefile="tools/guest/guest.mk")
    return path


def check(path: Path) -> None:
    """Raises Failure unless the file looks like a whole kernel that QEMU can load."""
    try:
        with open(path, "rb") as f:
            head = f.read(1024)
            size = os.fstat(f.fileno()).st_size
            if head[:4] == b"\x7fELF":
                _check_elf(path, f, size)
                return
    except OSError as e:
        raise Failure(f"{path}: {reason(e)}") from None
    if head[0x1fe:0x200] == b"\x55\xaa" and head[0x202:0x206] == b"HdrS":
        _check_bzimage(path, head, size)
    else:
        raise Failure(f"{path}: not a kernel image (neither ELF nor bzImage)")


def _check_elf(path: Path, f, size: int) -> None:
    f.seek(0)
    header = f.read(64)
    if len(header) < 52 or header[4] not in (1, 2) or header[5] != 1:
        raise Failure(f"{path}: not a good ELF file")
    wide = header[4] == 2
    at = struct.unpack_from("<Q" if wide else "<I", header, 32 if wide else 28)[0]
    entry_size, count = struct.unpack_from("<HH", header, 54 if wide else 42)
    if count == 0:
        raise Failure(f"{path}: an ELF file, but not one that can be booted")
    f.seek(at)
    table = f.read(entry_size * count)
    if len(table) < entry_size * count:
        raise Failure(f"{path}: the kernel image is cut short")
    for i in range(count):
        fmt, where = ("<QQQQ", 8) if wide else ("<IIII", 4)
        offset, _vaddr, _paddr, file_size = struct.unpack_from(fmt, table, i * entry_size + where)
        if offset + file_size > size:
            raise Failure(f"{path}: the kernel image is cut short")


def _check_bzimage(path: Path, head: bytes, size: int) -> None:
    setup_sectors = head[0x1f1] or 4
    system_size = struct.unpack_from("<I", head, 0x1f4)[0] * 16
    if size < (setup_sectors + 1) * 512 + system_size:
        raise Failure(f"{path}: the kernel image is cut short")
