"""What the command line refuses, always in one line; nothing is booted here."""

import gzip
import os
import shutil
import socket
import struct
import subprocess
import tarfile
import unittest

from support import PROGRAM, TestCase, kevlar


def an_elf(cut: int = 0) -> bytes:
    """A minimal 64-bit ELF file with one segment of 4 KiB."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0x100000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0x1000, 0x100000, 0x100000, 0x1000, 0x1000, 0x1000)
    data = (header + segment).ljust(0x2000, b"\x90")
    return data[:len(data) - cut]


def a_cpio() -> bytes:
    from kevlar import cpio
    import io
    out = io.BytesIO()
    writer = cpio.Writer(out)
    writer.text("etc/hello", "hello\n")
    writer.close()
    return out.getvalue()


class Words(TestCase):
    def test_help(self):
        for args in (["--help"], ["run", "--help"], ["test", "--help"], ["root", "--help"],
                     ["trace", "--help"]):
            result = kevlar(*args)
            self.assertEqual((result.returncode, result.stderr), (0, b""), args)
            self.assertIn(b"usage: ./kevlar", result.stdout)

    def test_help_names_what_is_not_there(self):
        text = kevlar("run", "--help").stdout.decode()
        self.assertRegex(text, r"--disk +is not there yet")

    def test_nothing(self):
        result = kevlar()
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"usage", result.stderr)

    def test_unknown_command(self):
        self.assert_one_line(kevlar("fly"), "no command 'fly'", 2)

    def test_bad_options(self):
        cases = [
            (["--nonsense"], "--nonsense"),
            (["--cpus", "0"], "--cpus"),
            (["--cpus", "many"], "--cpus"),
            (["--memory", "lots"], "--memory lots"),
            (["--memory", "1"], "--memory 1"),
            (["--machine", "vax"], "--machine"),
            (["--timeout", "-1"], "--timeout"),
            (["--timeout", "soon"], "--timeout"),
            (["--qemu", "it's"], "--qemu"),
            (["--env", "NOVALUE"], "--env"),
            (["--root"], "--root"),
            (["--net", "bridge"], "--net"),
            (["--net", "none", "--publish", "80:80"], "--publish needs a network"),
            (["--publish"], "--publish"),
            (["--publish", "80"], "--publish 80: not"),
            (["--publish", "80:"], "--publish 80:: not"),
            (["--publish", "a:b"], "--publish a:b: not"),
            (["--publish", "80:80/sctp"], "--publish 80:80/sctp: not"),
            (["--publish", "::1:80:80"], "--publish ::1:80:80: not"),
            (["--publish", "1.2.3:80:80"], "--publish 1.2.3:80:80: not"),
            (["--publish", "1.2.3.256:80:80"], "1.2.3.256 is not an address"),
            (["--publish", "0:80"], "0 is not a port"),
            (["--publish", "65536:80"], "65536 is not a port"),
            (["--publish", "80:0"], "0 is not a port"),
            (["--publish", "80:99999999999999999999"], "is not a port"),
            (["uname", "-a"], "-a"),
            (["uname"], "behind --: ./kevlar run -- uname"),
            (["--kernel", "x", "--debug"], "--debug"),
            (["--plain", "--", "ls"], "--plain"),
            (["--plain", "--trace", "syscall"], "--trace"),
        ]
        for args, pattern in cases:
            with self.subTest(args=args):
                self.assert_one_line(kevlar("run", *args), pattern, 2)

    def test_not_there_yet(self):
        cases = [
            ["run", "--disk", "x.img"],
        ]
        for args in cases:
            with self.subTest(args=args):
                self.assert_one_line(kevlar(*args), "not there yet", 2)

    def test_root_command(self):
        self.assert_one_line(kevlar("root", "make"), "name", 2)
        self.assert_one_line(kevlar("root", "make", "gentoo"), "gentoo", 2)
        self.assert_one_line(kevlar("root", "make", "busybox", "--include", "x"), "--include", 2)
        self.assert_one_line(kevlar("root", "remove", "gentoo"), "gentoo", 2)
        self.assert_one_line(kevlar("root", "burn"), "burn", 2)

    def test_test_command(self):
        self.assert_one_line(kevlar("test", "everything"), "everything", 2)
        self.assert_one_line(kevlar("test", "guest", "--cpus", "1,x"), "--cpus", 2)

    def test_trace_command(self):
        self.assert_one_line(kevlar("trace", "a", "--text", "--summary"), "--summary", 2)
        result = kevlar("trace", "/nonexistent/file")
        self.assertEqual(result.stderr.count(b"\n"), 1)
        self.assertEqual(result.returncode, 125)


class Files(TestCase):
    def setUp(self):
        self.dir = self.scratch()
        self.kernel = self.file("kernel", an_elf())

    def file(self, name: str, data: bytes) -> str:
        path = self.dir / name
        path.write_bytes(data)
        return str(path)

    def refuses_kernel(self, data: bytes, pattern: str) -> None:
        path = self.file("k", data)
        self.assert_one_line(kevlar("run", "--kernel", path, "--", "true"), pattern, 125)

    def refuses_root(self, path: str, pattern: str, status: int = 125) -> None:
        result = kevlar("run", "--kernel", self.kernel, "--root", path, "--", "true")
        self.assert_one_line(result, pattern, status)

    def test_no_kernel(self):
        self.assert_one_line(kevlar("run", "--kernel", "/nonexistent", "--", "true"),
                             "/nonexistent: No such file", 125)
        self.assert_one_line(kevlar("run", "--kernel", "/", "--", "true"), "Is a directory", 125)

    def test_bad_kernel(self):
        self.refuses_kernel(b"", "not a kernel")
        self.refuses_kernel(b"hello " * 1000, "not a kernel")
        self.refuses_kernel(an_elf()[:40], "not a good ELF")
        self.refuses_kernel(an_elf()[:80], "cut short")
        self.refuses_kernel(an_elf(cut=1), "cut short")

    def test_bad_bzimage(self):
        head = bytearray(1024)
        head[0x1f1] = 1
        head[0x1f4:0x1f8] = struct.pack("<I", 4096 // 16)
        head[0x1fe:0x206] = b"\x55\xaa\xeb\x66HdrS"
        self.refuses_kernel(bytes(head) + bytes(4095), "cut short")

    def test_no_root(self):
        self.refuses_root("/nonexistent", "/nonexistent", 2)
        self.refuses_root("musl:3", "musl:3: neither", 2)
        self.refuses_root("debian:no/such", "debian:no/such: neither", 2)
        self.refuses_root("debian:Some-Suite", "not a suite such as bookworm", 2)
        self.refuses_root("alpine:three", "not a release such as 3.20", 2)

    def test_bad_initramfs(self):
        good = a_cpio()
        self.refuses_root(self.file("text", b"some text\n" * 200), "neither a tar file nor")
        self.refuses_root(self.file("empty", b""), "neither a tar file nor")
        self.refuses_root(self.file("cut", good[:150]), "cut short")
        self.refuses_root(self.file("no-trailer", good[:good.index(b"hello\n") + 8]), "cut short")
        self.refuses_root(self.file("header", good.replace(b"070701", b"070799", 2).replace(
            b"070799", b"070701", 1)), "broken cpio header")
        packed = gzip.compress(good)
        self.refuses_root(self.file("cut.gz", packed[:-9]), "damaged")
        self.refuses_root(self.file("bad.gz", packed[:20] + b"\xff\xff" + packed[22:]), "damaged")

    def test_bad_tar(self):
        path = self.dir / "root.tar"
        (self.dir / "data").write_bytes(os.urandom(100000))
        with tarfile.open(path, "w") as tar:
            tar.add(self.dir / "data", "data")
        self.refuses_root(self.file("cut.tar", path.read_bytes()[:60000]), "damaged or cut short")
        with tarfile.open(path, "w") as tar:
            info = tarfile.TarInfo("link")
            info.type, info.linkname = tarfile.LNKTYPE, "nowhere"
            tar.addfile(info)
        self.refuses_root(str(path), "hard link to nowhere")
        with tarfile.open(path, "w") as tar:
            tar.addfile(tarfile.TarInfo("../outside"))
        self.refuses_root(str(path), "bad file name")

    def test_missing_packages(self):
        """A machine without QEMU and without apt-get: one line says what to install."""
        tools = self.dir / "bin"
        tools.mkdir()
        for name in ("sh", "dirname", "readlink", "python3", "make", "gcc", "ld", "as"):
            os.symlink(shutil.which(name), tools / name)
        result = subprocess.run([PROGRAM, "run", "--kernel", self.kernel, "--", "true"], check=False,
                                env={"PATH": str(tools), "HOME": str(self.dir)}, capture_output=True,
                                stdin=subprocess.DEVNULL)
        self.assert_one_line(result, r"missing: qemu-system-x86_64 \(Debian packages qemu-system-x86\)", 125)

    def test_publish_taken_port(self):
        for kind, word in ((socket.SOCK_STREAM, ""), (socket.SOCK_DGRAM, "/udp")):
            with self.subTest(word=word), socket.socket(socket.AF_INET, kind) as s:
                s.bind(("127.0.0.1", 0))
                if kind == socket.SOCK_STREAM:
                    s.listen()
                port = s.getsockname()[1]
                result = kevlar("run", "--kernel", self.kernel, "--publish", f"{port}:80{word}", "--", "true")
                self.assert_one_line(result, f"--publish: port {port} of 127.0.0.1: Address already in use", 125)

    def test_publish_address_of_another(self):
        result = kevlar("run", "--kernel", self.kernel, "--publish", "192.0.2.1:8080:80", "--", "true")
        self.assert_one_line(result, "port 8080 of 192.0.2.1: Cannot assign requested address", 125)

    def test_trace_directory(self):
        result = kevlar("run", "--kernel", self.kernel, "--trace", "syscall:/nonexistent/t", "--", "true")
        self.assert_one_line(result, "--trace: cannot write", 125)


if __name__ == "__main__":
    unittest.main()
