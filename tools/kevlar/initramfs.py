"""Initramfs archives from whatever a root may be: a directory, a tar file, an archive made elsewhere."""

import gzip
import lzma
import os
import stat
import subprocess
import tarfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Iterator

from . import cpio, deps
from .errors import Failure, reason
from .ui import warn

GZIP, XZ, ZSTD = b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"
BUFFER = 4 << 20


@dataclass
class Kind:
    """What a file turned out to be, by its content."""

    format: str  # "cpio" or "tar"
    packing: str  # "", "gzip", "xz" or "zstd"


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The file's content, decompressed as it is read."""
    with open(path, "rb", buffering=BUFFER) as f:
        magic = f.peek(8)[:8]
        if magic.startswith(GZIP):
            yield gzip.GzipFile(fileobj=f)
        elif magic.startswith(XZ):
            yield lzma.LZMAFile(f)
        elif magic.startswith(ZSTD):
            with _zstd(path) as out:
                yield out
        else:
            yield f


@contextmanager
def _zstd(path: Path) -> Iterator[BinaryIO]:
    deps.require("zstd")
    with subprocess.Popen(["zstd", "-dcq", "--", str(path)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield process.stdout
            process.stdout.read()
            if process.wait() != 0:
                raise EOFError
        finally:
            process.kill()


UNPACK_ERRORS = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)


def examine(path: Path) -> Kind:
    """Tells tar from cpio. Raises Failure if the file is neither."""
    try:
        with open(path, "rb") as f:
            magic = f.read(8)
        with unpacked(path) as f:
            head = _head(f, 512)
    except UNPACK_ERRORS:
        raise Failure(f"{path}: damaged, it cannot be unpacked") from None
    except OSError as e:
        raise Failure(f"{path}: {reason(e)}") from None
    packings = {GZIP: "gzip", XZ: "xz", ZSTD: "zstd"}
    packing = next((name for m, name in packings.items() if magic.startswith(m)), "")
    if head[:6] in cpio.MAGICS:
        return Kind("cpio", packing)
    if head[257:262] == b"ustar" or (len(head) == 512 and _old_tar(head)):
        return Kind("tar", packing)
    raise Failure(f"{path}: neither a tar file nor a newc cpio archive")


def _head(f: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = f.read(size - len(data))
        if not more:
            break
        data += more
    return data


def _old_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def check_image(path: Path, packing: str) -> int:
    """Walks an archive made elsewhere, to its end. Returns its unpacked size or raises Failure."""
    try:
        with unpacked(path) as f:
            size, rest = cpio.check(f)
        # An archive behind a plain one may be compressed: the kernel will read it, or say why not.
        if rest and packing == "" and not rest.startswith(GZIP):
            warn(f"{path}: there is something behind the archive that is not one")
        return max(size, path.stat().st_size)
    except cpio.BadArchive as e:
        raise Failure(f"{path}: not a good initramfs: {e}") from None
    except UNPACK_ERRORS:
        raise Failure(f"{path}: not a good initramfs: the compressed data is damaged or cut short") \
            from None


def copy_unpacked(path: Path, out: BinaryIO) -> None:
    """Writes the decompressed content to `out`."""
    try:
        with unpacked(path) as f:
            while data := f.read(BUFFER):
                out.write(data)
    except UNPACK_ERRORS:
        raise Failure(f"{path}: the compressed data is damaged or cut short") from None


def from_directory(top: Path, out: BinaryIO) -> None:
    """Archives a directory tree: one file system, nothing that is mounted inside it."""
    writer = cpio.Writer(out)
    device = os.stat(top).st_dev
    links: dict[int, str] = {}
    stack = [(os.fspath(top), "")]
    while stack:
        directory, prefix = stack.pop()
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as e:
            raise Failure(f"{directory}: {reason(e)}") from None
        for entry in entries:
            try:
                st = entry.stat(follow_symlinks=False)
                _add(writer, entry.path, prefix + entry.name, st, links)
            except FileNotFoundError:
                continue  # it went away while we were looking
            except OSError as e:
                raise Failure(f"{entry.path}: {reason(e)}") from None
            except cpio.BadArchive as e:
                raise Failure(f"{top}: {e}") from None
            if stat.S_ISDIR(st.st_mode) and st.st_dev == device:
                stack.append((entry.path, prefix + entry.name + "/"))
    writer.close()


def _add(writer: cpio.Writer, source: str, name: str, st: os.stat_result, links: dict) -> None:
    owner = {"uid": st.st_uid, "gid": st.st_gid, "mtime": st.st_mtime}
    if stat.S_ISDIR(st.st_mode):
        writer.directory(name, st.st_mode, **owner)
    elif stat.S_ISLNK(st.st_mode):
        writer.symlink(name, os.readlink(source), **owner)
    elif not stat.S_ISREG(st.st_mode):
        writer.node(name, st.st_mode, os.major(st.st_rdev), os.minor(st.st_rdev), **owner)
    elif st.st_ino in links:
        writer.link(name, links[st.st_ino])
    else:
        with open(source, "rb", buffering=0) as f:
            writer.file(name, f, st.st_size, st.st_mode, **owner)
        if st.st_nlink > 1:
            links[st.st_ino] = name


def from_tar(path: Path, out: BinaryIO) -> None:
    """Archives the content of a tar file, packed or not, in one pass."""
    try:
        with unpacked(path) as f:
            from_tar_stream(f, out)
    except (tarfile.TarError, *UNPACK_ERRORS):
        raise Failure(f"{path}: the tar file is damaged or cut short") from None
    except cpio.BadArchive as e:
        raise Failure(f"{path}: {e}") from None


def from_tar_stream(source: BinaryIO, out: BinaryIO) -> None:
    writer = cpio.Writer(out)
    with tarfile.open(fileobj=source, mode="r|", bufsize=1 << 16) as tar:
        for member in tar:
            _add_member(writer, tar, member)
    writer.close()


def _add_member(writer: cpio.Writer, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    name = os.fsencode(member.name).strip(b"/")
    if name in (b"", b"."):
        return
    owner = {"uid": member.uid, "gid": member.gid, "mtime": member.mtime}
    if member.isdir():
        writer.directory(name, member.mode, **owner)
    elif member.issym():
        writer.symlink(name, member.linkname, **owner)
    elif member.islnk():
        try:
            writer.link(name, member.linkname)
        except KeyError:
            raise cpio.BadArchive(f"{member.name}: a hard link to {member.linkname}, "
                                  "which is not in the tar file before it") from None
    elif member.ischr() or member.isblk() or member.isfifo():
        kind = (stat.S_IFCHR if member.ischr() else
                stat.S_IFBLK if member.isblk() else stat.S_IFIFO)
        writer.node(name, kind | stat.S_IMODE(member.mode), member.devmajor, member.devminor, **owner)
    elif member.isreg():
        writer.file(name, tar.extractfile(member), member.size, member.mode, **owner)
    else:
        warn(f"{member.name}: left out, tar type {member.type!r} has no place in an initramfs")
