"""The newc cpio format of an initramfs: a streaming writer, and a check of archives made elsewhere.

Source: the initramfs buffer format as documented for boot loaders, and cpio(5). Facts used here:
names have no leading slash; header + name and the data are padded to four bytes; files with the same
(inode, major, minor) and a link count above one are hard links, and only one of them need carry the
data; the trailer ends an archive and forgets its inodes; archives may follow each other, with zeros
between.
"""

import os
import stat
from typing import BinaryIO, Iterator

HEADER = 110
MAGICS = (b"070701", b"070702")
TRAILER = b"TRAILER!!!"
NLINK_AT = 6 + 8 * 4  # offset of c_nlink in a header
NAME_MAX = 4095
SIZE_MAX = 0xFFFFFFFF
CHUNK = 1 << 20


class BadArchive(Exception):
    """The archive cannot be what the kernel wants; the message says why."""


def _pad(position: int) -> int:
    return -position % 4


def _name(path: str | bytes) -> bytes:
    name = os.fsencode(path).strip(b"/")
    while name.startswith(b"./"):
        name = name[2:].lstrip(b"/")
    return name


class Writer:
    """Writes one archive to a seekable file, from its current position on.

    Parents that were never added are made, mode 0755. A hard link found later patches the link
    count of what it links to, so the input need be read only once.
    """

    def __init__(self, out: BinaryIO):
        self._out = out
        self._inode = 0
        self._position = out.tell()  # kept here: asking the file would flush its buffer
        self._seen: set[bytes] = set()
        self._files: dict[bytes, list[int]] = {}  # name -> [header position, inode, links]
        self._headers: dict[int, tuple[int, int, int, int]] = {}  # inode -> mode, uid, gid, mtime

    def directory(self, path, mode=0o755, uid=0, gid=0, mtime=0) -> None:
        self._entry(_name(path), stat.S_IFDIR | stat.S_IMODE(mode), uid, gid, mtime, nlink=2)

    def symlink(self, path, target, uid=0, gid=0, mtime=0) -> None:
        data = os.fsencode(target)
        self._entry(_name(path), stat.S_IFLNK | 0o777, uid, gid, mtime, size=len(data))
        self._bytes(data)

    def node(self, path, mode, major=0, minor=0, uid=0, gid=0, mtime=0) -> None:
        """A device, FIFO or socket: `mode` has the type."""
        self._entry(_name(path), mode, uid, gid, mtime, device=(major, minor))

    def text(self, path, content: str | bytes, mode=0o644) -> None:
        data = content.encode() if isinstance(content, str) else content
        self._file_header(_name(path), len(data), mode, 0, 0, 0)
        self._bytes(data)

    def file(self, path, source: BinaryIO, size: int, mode=0o644, uid=0, gid=0, mtime=0) -> None:
        """A regular file of exactly `size` bytes; a source that ends early is filled up with zeros."""
        self._file_header(_name(path), size, mode, uid, gid, mtime)
        left = size
        while left:
            data = source.read(min(left, CHUNK))
            if not data:
                break
            self._write(data)
            left -= len(data)
        while left:
            zeros = min(left, CHUNK)
            self._write(bytes(zeros))
            left -= zeros
        self._write(bytes(_pad(size)))

    def host_file(self, path, source: str | os.PathLike, mode=0o755) -> None:
        """A file of this machine, by its name."""
        with open(source, "rb") as f:
            self.file(path, f, os.fstat(f.fileno()).st_size, mode)

    def link(self, path, target) -> None:
        """A further name of a file added before; KeyError if there is none."""
        first = self._files[_name(target)]
        first[2] += 1
        self._patch_nlink(first)
        mode, uid, gid, mtime = self._headers[first[1]]
        name = _name(path)
        self._entry(name, mode, uid, gid, mtime, nlink=first[2], inode=first[1])
        self._files[name] = first

    def close(self) -> None:
        """Ends the archive; the file stays open, at a multiple of 512 bytes."""
        self._header(TRAILER, 0, 0, 0, 0, nlink=1, inode=0)
        self._write(bytes(-self._position % 512))
        self._out.flush()

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._position += len(data)

    def _bytes(self, data: bytes) -> None:
        self._write(data + bytes(_pad(len(data))))

    def _file_header(self, name, size, mode, uid, gid, mtime) -> None:
        if size > SIZE_MAX:
            raise BadArchive(f"{os.fsdecode(name)}: larger than 4 GiB, which cpio cannot hold")
        mode = stat.S_IFREG | stat.S_IMODE(mode)
        position = self._entry(name, mode, uid, gid, mtime, size=size)
        self._files[name] = [position, self._inode, 1]
        self._headers[self._inode] = (mode, uid, gid, mtime)

    def _entry(self, name: bytes, mode, uid, gid, mtime, *, size=0, nlink=1, device=(0, 0),
               inode=None) -> int:
        if not name or b".." in name.split(b"/"):
            raise BadArchive(f"bad file name {os.fsdecode(name)!r}")
        if len(name) > NAME_MAX:
            raise BadArchive(f"a file name of {len(name)} bytes is too long")
        self._parents(name)
        self._seen.add(name)
        if inode is None:
            self._inode += 1
            inode = self._inode
        return self._header(name, mode, uid, gid, mtime, nlink=nlink, inode=inode, size=size,
                            device=device)

    def _parents(self, name: bytes) -> None:
        parent = name.rpartition(b"/")[0]
        if parent and parent not in self._seen:
            self._entry(parent, stat.S_IFDIR | 0o755, 0, 0, 0, nlink=2)

    def _header(self, name: bytes, mode, uid, gid, mtime, *, nlink, inode, size=0,
                device=(0, 0)) -> int:
        at = self._position
        fields = (inode, mode, uid, gid, nlink, min(max(int(mtime), 0), SIZE_MAX), size, 0, 0,
                  device[0], device[1], len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
        self._write(head + bytes(_pad(len(head))))
        return at

    def _patch_nlink(self, file: list[int]) -> None:
        self._out.flush()
        self._out.seek(file[0] + NLINK_AT)
        self._out.write(b"%08X" % file[2])
        self._out.seek(self._position)


def _read_exactly(source: BinaryIO, size: int) -> bytes:
    parts = []
    while size:
        data = source.read(min(size, CHUNK))
        if not data:
            raise BadArchive("it is cut short")
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def _skip(source: BinaryIO, size: int) -> None:
    while size:
        data = source.read(min(size, CHUNK))
        if not data:
            raise BadArchive("it is cut short")
        size -= len(data)


def _entries(source: BinaryIO, first: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, mode, bytes taken) of one archive; `first` is what was read of its first header."""
    while True:
        head = first + _read_exactly(source, HEADER - len(first))
        first = b""
        if head[:6] not in MAGICS:
            raise BadArchive("it has a broken cpio header")
        try:
            fields = [int(head[i:i + 8], 16) for i in range(6, HEADER, 8)]
        except ValueError:
            raise BadArchive("it has a broken cpio header") from None
        mode, size, name_size = fields[1], fields[6], fields[11]
        if not 0 < name_size <= NAME_MAX + 1:
            raise BadArchive("it has a broken cpio header")
        name = _read_exactly(source, name_size + _pad(HEADER + name_size))[:name_size - 1]
        _skip(source, size + _pad(size))
        yield name, mode, HEADER + name_size + _pad(HEADER + name_size) + size + _pad(size)
        if name == TRAILER:
            return


def check(source: BinaryIO) -> tuple[int, bytes]:
    """Reads plain archives to the end of the file, or to something that is not one.

    Returns the bytes read and the first bytes of what follows the last archive (empty at the end).
    Raises BadArchive.
    """
    total = 0
    first = _read_exactly(source, 4)
    while True:
        for _name_, _mode, size in _entries(source, first):
            total += size
        first = b""
        while not first:  # zeros fill up to the next archive, if there is one
            word = source.read(4)
            if not word:
                return total, b""
            total += 4
            first = word if word.strip(b"\0") else b""
        if first != MAGICS[0][:4]:
            return total, first
