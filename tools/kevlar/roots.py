"""Roots: what a machine finds as its file system, by name or from a file or directory.

A root ends up as one newc archive. Those made here (busybox, musl, debian, alpine) are kept in the cache, named
after their recipe, so that a change of it makes them anew; the last few tar files are kept there too, by
their size and time; a directory is archived each time.
What a run adds, the agent above all, is a second archive behind the first, written together with it
to a file without a name, which QEMU gets by descriptor: nothing can be left behind.
"""

import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Callable

from . import alpine, bootstrap, busybox, cpio, initramfs, paths, webroot
from .errors import BAD_USAGE, Failure, reason
from .ui import Progress

MIB = 1 << 20
TARS_KEPT = 4
MADE: dict[str, Callable[[BinaryIO, list[str], str], None]] = {
    "busybox": busybox.make_busybox,
    "musl": busybox.make_musl,
    "debian": bootstrap.make_debian,
    "alpine": alpine.make_alpine,
    "servers": bootstrap.make_servers,
    "web": webroot.make_web,
}
VERSIONS = {"debian": "bookworm", "alpine": "latest-stable"}  # of those that have some: the default


@dataclass
class Image:
    """An initramfs ready for QEMU."""

    file: BinaryIO
    size: int  # unpacked, in bytes

    def __enter__(self) -> "Image":
        return self

    def __exit__(self, *_exc) -> None:
        self.file.close()

    def memory(self) -> int:
        """MiB a machine should have: the archive, its content, and as much again to work in."""
        return max(512, -(-(256 * MIB + 3 * self.size) // (128 * MIB)) * 128)


def directory() -> Path:
    path = paths.cache() / "roots"
    path.mkdir(exist_ok=True)
    return path


def is_made(spec: str) -> bool:
    """True if this names a root of ours: NAME, or NAME:VERSION where it has versions."""
    name, colon, version = spec.partition(":")
    return name in MADE and (not colon or name in VERSIONS and "/" not in version)


def archive_of(spec: str) -> Path:
    """Where a root of ours is, or would be."""
    name = spec.partition(":")[0]
    recipe = Path(sys.modules[MADE[name].__module__].__file__).read_bytes()
    return directory() / f"{spec}-{hashlib.sha256(recipe).hexdigest()[:8]}.cpio"


def make(spec: str, include: list[str] | None = None) -> Path:
    """Makes a root of ours anew and puts it into the cache.

    `include` has further packages; None means those of the last time.
    """
    if not is_made(spec):
        raise Failure(f"there is no root {spec} to make (there are {', '.join(MADE)})", BAD_USAGE)
    name, _colon, version = spec.partition(":")
    if include and name != "debian":
        raise Failure("--include is for the debian root", BAD_USAGE)
    path, remembered = archive_of(spec), directory() / f"{spec}.include"
    if include is None:
        include = remembered.read_text().split() if remembered.exists() else []
    with Progress(f"making the {spec} root"):
        _write_cached(path, lambda out: MADE[name](out, include, version or VERSIONS.get(name, "")))
    remembered.write_text(" ".join(include))
    for old in directory().glob(f"{spec}-*.cpio"):
        if old != path:
            old.unlink()
    return path


def _write_cached(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    """Fills a new file and gives it the name at once, so that nobody sees half of it."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False,
                                         buffering=initramfs.BUFFER) as out:
            try:
                fill(out)
                out.flush()
                os.replace(out.name, path)
            except BaseException:
                os.unlink(out.name)
                raise
    except OSError as e:
        raise Failure(f"{path}: {reason(e)}") from None


def open_image(spec: str, overlay: Callable[[cpio.Writer], None] | None) -> Image:
    """The root, with what `overlay` writes on top. Without it, the root alone (--plain)."""
    out = tempfile.TemporaryFile(dir=paths.cache(), buffering=initramfs.BUFFER)
    try:
        size = _write_root(spec, out)
        if overlay is not None:
            writer = cpio.Writer(out)
            overlay(writer)
            writer.close()
        out.flush()
        return Image(out, max(size, out.tell()))
    except OSError as e:
        out.close()
        raise Failure(f"--root {spec}: {reason(e)}") from None
    except BaseException:
        out.close()
        raise


def _write_root(spec: str, out: BinaryIO) -> int:
    """Writes the root's archive(s) and returns the unpacked size."""
    if is_made(spec):
        path = archive_of(spec)
        return _copy(path if path.exists() else make(spec), out)
    path = Path(spec)
    if path.is_dir():
        with Progress(f"archiving {spec}"):
            initramfs.from_directory(path, out)
        return out.tell()
    if not path.exists():
        raise Failure(f"--root {spec}: neither a file or directory nor one of {', '.join(MADE)}",
                      BAD_USAGE)
    with Progress(f"reading {spec}"):
        return _write_file(path, out)


def _write_file(path: Path, out: BinaryIO) -> int:
    kind = initramfs.examine(path)
    if kind.format == "tar":
        return _copy(_cached_tar(path), out)
    size = initramfs.check_image(path, kind.packing)
    if kind.packing in ("", "gzip"):
        _copy(path, out)  # as it is: reading it is the kernel's business
    else:
        initramfs.copy_unpacked(path, out)
    _align(out)
    return size


def _cached_tar(path: Path) -> Path:
    st = path.stat()
    key = hashlib.sha256(f"{path.resolve()} {st.st_size} {st.st_mtime_ns}".encode()).hexdigest()[:16]
    cached = directory() / f"tar-{key}.cpio"
    if not cached.exists():
        _write_cached(cached, lambda out: initramfs.from_tar(path, out))
        tars = sorted(directory().glob("tar-*.cpio"), key=lambda tar: tar.stat().st_mtime)
        for old in tars[:-TARS_KEPT]:
            old.unlink(missing_ok=True)
    return cached


def _copy(path: Path, out: BinaryIO) -> int:
    """Copies inside the kernel, sharing blocks where the file system can."""
    out.flush()
    with open(path, "rb") as source:
        size = left = os.fstat(source.fileno()).st_size
        while left:
            n = _copy_some(source.fileno(), out.fileno(), left)
            if n == 0:
                raise Failure(f"{path}: it changed while it was read")
            left -= n
    out.seek(0, os.SEEK_END)
    _align(out)
    return size


def _copy_some(source: int, target: int, size: int) -> int:
    try:
        return os.copy_file_range(source, target, min(size, 1 << 30))
    except OSError:  # across file systems, or none that can
        return os.sendfile(target, source, None, min(size, 1 << 30))


def _align(out: BinaryIO) -> None:
    """The next archive starts at a multiple of four."""
    out.write(bytes(-out.tell() % 512))


def remove(name: str) -> None:
    found = list(directory().glob(f"{name}-*.cpio")) if is_made(name) or name == "tar" else []
    if not found:
        raise Failure(f"there is no root {name} in the cache", BAD_USAGE)
    for path in (*found, directory() / f"{name}.include"):
        path.unlink(missing_ok=True)


def listing() -> list[tuple[str, int, float]]:
    """(name, bytes, time made) of what the cache has."""
    return sorted((f.stem.partition("-")[0], f.stat().st_size, f.stat().st_mtime)
                  for f in directory().glob("*.cpio"))
