"""The archive writer, read back by an independent reading of the format."""

import io
import os
import stat
import tarfile
import unittest

from support import TestCase

from kevlar import cpio, initramfs


def entries(data: bytes) -> dict:
    """name -> (fields, content) of every entry; fields in the order of the header."""
    found, at = {}, 0
    while True:
        fields = [int(data[at + i:at + i + 8], 16) for i in range(6, 110, 8)]
        name = data[at + 110:at + 110 + fields[11] - 1].decode()
        at += (110 + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (fields, data[at:at + fields[6]])
        at += (fields[6] + 3) & ~3


INO, MODE, UID, GID, NLINK, MTIME, SIZE, _MAJ, _MIN, RMAJOR, RMINOR = range(11)


class Writer(TestCase):
    def make(self, fill) -> dict:
        out = io.BytesIO()
        writer = cpio.Writer(out)
        fill(writer)
        writer.close()
        self.assertEqual(len(out.getvalue()) % 512, 0)
        size, rest = cpio.check(io.BytesIO(out.getvalue()))
        self.assertEqual(rest, b"")
        self.assertLessEqual(size, len(out.getvalue()))
        return entries(out.getvalue())

    def test_parents_come_first(self):
        found = self.make(lambda w: w.text("/a/b/c", "x"))
        self.assertEqual(list(found), ["a", "a/b", "a/b/c"])
        self.assertEqual(found["a"][0][MODE], stat.S_IFDIR | 0o755)

    def test_every_kind(self):
        def fill(w):
            w.directory("tmp", 0o1777)
            w.symlink("link", "to/there", uid=5)
            w.node("null", stat.S_IFCHR | 0o666, 1, 3)
            w.node("fifo", stat.S_IFIFO | 0o600)
            w.file("data", io.BytesIO(b"12345"), 5, 0o4755, uid=1000, gid=100, mtime=77)
        found = self.make(fill)
        self.assertEqual(found["tmp"][0][MODE], stat.S_IFDIR | 0o1777)
        self.assertEqual(found["link"][1], b"to/there")
        self.assertEqual(found["link"][0][UID], 5)
        self.assertEqual(found["null"][0][RMAJOR:RMINOR + 1], [1, 3])
        self.assertEqual(found["fifo"][0][MODE], stat.S_IFIFO | 0o600)
        fields, content = found["data"]
        self.assertEqual(content, b"12345")
        self.assertEqual([fields[i] for i in (MODE, UID, GID, MTIME)],
                         [stat.S_IFREG | 0o4755, 1000, 100, 77])

    def test_short_source_is_filled_up(self):
        found = self.make(lambda w: w.file("f", io.BytesIO(b"ab"), 5))
        self.assertEqual(found["f"][1], b"ab\0\0\0")

    def test_odd_mtimes_fit(self):
        found = self.make(lambda w: w.file("f", io.BytesIO(), 0, mtime=-1.5))
        self.assertEqual(found["f"][0][MTIME], 0)

    def test_names_that_are_no_utf8(self):
        out = io.BytesIO()
        writer = cpio.Writer(out)
        writer.text(b"caf\xe9", "x")
        writer.close()
        self.assertIn(b"caf\xe9\0", out.getvalue())

    def test_bad_names(self):
        writer = cpio.Writer(io.BytesIO())
        for name in ("", "/", "a/../b", "x" * 5000):
            with self.assertRaises(cpio.BadArchive):
                writer.text(name, "")


class Trees(TestCase):
    def setUp(self):
        self.top = self.scratch() / "root"
        (self.top / "bin").mkdir(parents=True)
        (self.top / "bin" / "one").write_bytes(b"content")
        os.link(self.top / "bin" / "one", self.top / "bin" / "two")
        os.chmod(self.top / "bin" / "one", 0o2755)
        os.symlink("bin", self.top / "sbin")
        os.mkfifo(self.top / "pipe", 0o640)

    def check(self, found: dict) -> None:
        one, two = found["bin/one"], found["bin/two"]
        self.assertEqual(one[0][INO], two[0][INO])
        self.assertEqual(one[0][NLINK], 2)
        self.assertEqual(sorted([one[1], two[1]]), [b"", b"content"])
        self.assertEqual(one[0][MODE], stat.S_IFREG | 0o2755)
        self.assertEqual(found["sbin"][1], b"bin")
        self.assertEqual(found["pipe"][0][MODE], stat.S_IFIFO | 0o640)
        inodes = [fields[INO] for name, (fields, _) in found.items() if name != "bin/two"]
        self.assertEqual(len(set(inodes)), len(inodes))

    def test_directory(self):
        out = io.BytesIO()
        initramfs.from_directory(self.top, out)
        self.check(entries(out.getvalue()))

    def test_tar(self):
        for mode in ("w", "w:gz", "w:xz"):
            with self.subTest(mode=mode):
                path = self.scratch() / "root.tar"
                with tarfile.open(path, mode) as tar:
                    tar.add(self.top, ".")
                out = io.BytesIO()
                initramfs.from_tar(path, out)
                self.check(entries(out.getvalue()))

    def test_archive_behind_archive(self):
        out = io.BytesIO()
        initramfs.from_directory(self.top, out)
        initramfs.from_directory(self.top, out)
        _size, rest = cpio.check(io.BytesIO(out.getvalue()))
        self.assertEqual(rest, b"")

    @unittest.skipUnless(os.geteuid() == 0, "only root makes devices and owners")
    def test_devices_and_owners(self):
        os.mknod(self.top / "disk", stat.S_IFBLK | 0o660, os.makedev(8, 1))
        os.chmod(self.top / "disk", 0o660)  # mknod minds the umask
        os.chown(self.top / "disk", 12, 34)
        out = io.BytesIO()
        initramfs.from_directory(self.top, out)
        fields, _ = entries(out.getvalue())["disk"]
        self.assertEqual(fields[MODE], stat.S_IFBLK | 0o660)
        self.assertEqual([fields[i] for i in (UID, GID, RMAJOR, RMINOR)], [12, 34, 8, 1])


if __name__ == "__main__":
    unittest.main()
