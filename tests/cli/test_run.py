"""`kevlar run` on pipes: status, streams, signals, roots, and that nothing stays behind."""

import gzip
import io
import os
import random
import re
import signal
import subprocess
import tarfile
import time
import unittest

from support import TestCase, children, is_alive, is_linux, kevlar, run, start

from kevlar import cpio


class Status(TestCase):
    def test_exit_status_and_streams(self):
        result = run("--", "sh", "-c", "echo out; echo err >&2; exit 42")
        self.assertEqual((result.stdout, result.stderr, result.returncode), (b"out\n", b"err\n", 42))

    def test_signal(self):
        self.assertEqual(run("--", "sh", "-c", "kill -9 $$").returncode, 137)

    def test_not_found(self):
        result = run("--", "no-such-program")
        self.assertEqual(result.returncode, 127)
        self.assertEqual(result.stderr, b"kevlar: no-such-program: No such file or directory\n")

    def test_not_executable(self):
        self.assertEqual(run("--", "/etc/passwd").returncode, 126)

    def test_arguments_and_environment(self):
        result = run("--env", "GREETING=good day", "--", "sh", "-c",
                     'printf "%s|" "$@" "$GREETING" "$HOME" "$PWD" "$(hostname)"', "sh",
                     "a b", "", "*", "it's", "caf\N{LATIN SMALL LETTER E WITH ACUTE}")
        self.assertEqual(result.stdout.decode(),
                         "a b||*|it's|caf\N{LATIN SMALL LETTER E WITH ACUTE}|good day|/root|/|kevlar|")

    def test_shell_reads_standard_input(self):
        result = run(data=b"echo one\nexit 3\n")
        self.assertEqual((result.stdout, result.returncode), (b"one\n", 3))

    def test_left_behind_process_does_not_hold_it(self):
        began = time.monotonic()
        result = run("--", "sh", "-c", "sleep 1000 & echo started")
        self.assertEqual((result.stdout, result.returncode), (b"started\n", 0))
        self.assertLess(time.monotonic() - began, 60)


class Streams(TestCase):
    def test_binary_through(self):
        data = random.Random(1).randbytes(100_000) + bytes(range(256)) * 8
        result = run("--", "cat", data=data)
        self.assertEqual(result.stdout, data)
        self.assertEqual((result.stderr, result.returncode), (b"", 0))

    def test_both_outputs_binary(self):
        result = run("--", "sh", "-c", "head -c 50000 /dev/zero >&2; head -c 70000 /dev/zero")
        self.assertEqual(result.stdout, bytes(70000))
        self.assertEqual(result.stderr, bytes(50000))

    def test_input_that_nobody_reads(self):
        result = run("--", "sh", "-c", "exec <&-; sleep 1; echo done", data=bytes(200_000))
        self.assertEqual((result.stdout, result.returncode), (b"done\n", 0))

    def test_end_of_input_only_after_input(self):
        result = run("--", "sh", "-c", "sleep 1; wc -c", data=b"x" * 150_000)
        self.assertEqual(result.stdout.strip(), b"150000")

    def test_reader_goes_away(self):
        process = start("--", "sh", "-c", "while echo yes; do :; done")
        self.assertEqual(process.stdout.read(4), b"yes\n")
        process.stdout.close()
        self.assertEqual(process.wait(60), 141)
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        process.stdin.close()


class Ends(TestCase):
    def test_timeout(self):
        began = time.monotonic()
        result = run("--timeout", "6", "--", "sleep", "1000")
        self.assert_one_line(result, "timed out after 6 s", 124)
        self.assertLess(time.monotonic() - began, 20)

    def ends_by(self, number: int) -> tuple[int, bytes]:
        """Starts a command, sends the signal, and sees that no process and no file is left."""
        before = self.scratch_files()
        process = start("--", "sh", "-c", "echo ready; exec sleep 1000")
        self.assertEqual(process.stdout.readline(), b"ready\n")
        machines = children(process.pid)
        self.assertEqual(len(machines), 1)
        process.send_signal(number)
        _out, err = process.communicate(timeout=30)
        self.assertFalse(is_alive(machines[0]))
        self.assertEqual(self.scratch_files(), before)
        return process.returncode, err

    @staticmethod
    def scratch_files() -> set[str]:
        cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "kevlar")
        found = {name for name in os.listdir("/tmp") if "kevlar" in name}
        return found | {name for name in os.listdir(cache) if name != "pycache"}

    def test_interrupt(self):
        self.assertEqual(self.ends_by(signal.SIGINT)[0], 130)

    def test_interrupt_gives_the_command_its_last_words(self):
        process = start("--", "sh", "-c", "trap 'echo bye; exit 5' INT; echo ready; while :; do sleep 1; done")
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.send_signal(signal.SIGINT)
        out, _err = process.communicate(timeout=30)
        self.assertEqual((out, process.returncode), (b"bye\n", 130))

    def test_interrupt_while_booting(self):
        process = start("--", "true")
        deadline = time.monotonic() + 20
        while not children(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        machines = children(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertFalse(any(is_alive(pid) for pid in machines))

    def test_terminate(self):
        status, err = self.ends_by(signal.SIGTERM)
        self.assertEqual((status, err), (143, b"kevlar: ended by SIGTERM\n"))

    def test_hang_up(self):
        self.assertEqual(self.ends_by(signal.SIGHUP)[0], 129)

    def test_kill_leaves_no_machine(self):
        process = start("--", "sh", "-c", "echo ready; exec sleep 1000")
        self.assertEqual(process.stdout.readline(), b"ready\n")
        machines = children(process.pid)
        process.kill()
        process.communicate()
        time.sleep(1)
        self.assertFalse(any(is_alive(pid) for pid in machines))

    def test_machine_that_goes_off(self):
        result = run("--", "sh", "-c", "reboot -f; sleep 1000")
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"kevlar: no exit status: the machine went off without an exit status\n", result.stderr)

    @unittest.skipUnless(is_linux(), "only Linux has sysrq to panic by")
    def test_panic(self):
        result = run("--", "sh", "-c", "echo c > /proc/sysrq-trigger; sleep 1000")
        self.assertEqual(result.returncode, 125)
        self.assertRegex(result.stderr.decode(), "no exit status: the kernel panicked: .*sysrq")

    def test_kernel_that_cannot_start(self):
        """There is no such init: the kernel panics, or hangs."""
        result = run("--append", "rdinit=/nonexistent", "--timeout", "40", "--", "true")
        self.assertIn(result.returncode, (124, 125))
        self.assertNotIn(b"Traceback", result.stderr)

    def test_bad_qemu_option(self):
        self.assert_one_line(run("--qemu=-nonsense", "--", "true"), "QEMU: .*nonsense", 125)
        self.assert_one_line(run("--cpu", "vax", "--", "true"), "QEMU: .*vax", 125)


class Machines(TestCase):
    def test_processors_and_memory(self):
        result = run("--cpus", "3", "--memory", "400M", "--", "sh", "-c",
                     "nproc; awk '/MemTotal/ { print $2 }' /proc/meminfo")
        cpus, kib = result.stdout.split()
        self.assertEqual(cpus, b"3")
        self.assertTrue(250_000 < int(kib) < 400 * 1024, kib)

    def test_other_machines(self):
        for name in ("q35", "microvm"):
            with self.subTest(machine=name):
                # On a busy host Linux cannot calibrate by the PIT, and a microvm has no other clock.
                more = ["--append", "tsc_early_khz=2600000"] if is_linux() else []
                result = run("--machine", name, *more, "--", "sh", "-c", "echo hi; exit 9")
                self.assertEqual((result.stdout, result.stderr, result.returncode), (b"hi\n", b"", 9))

    def test_append_and_verbose(self):
        result = run("-v", "--append", "some.option=7 other", "--", "cat", "/proc/cmdline")
        self.assertRegex(result.stdout.decode(), r"\bconsole=ttyS0\b.* some\.option=7 other$")
        self.assertGreater(len(result.stderr.splitlines()), 3)

    def test_log_file(self):
        log = self.scratch() / "log"
        result = run("--append", "loglevel=7", "--log", str(log), "--", "true")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertTrue(log.exists())

    def test_trace_without_ktrace(self):
        if not is_linux():
            self.skipTest("our kernel has it")
        dump = self.scratch() / "dump"
        result = run("--trace", f"syscall:{dump}", "--", "true")
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"/proc/ktrace/dump", result.stderr)
        self.assertFalse(dump.exists())

    def test_plain(self):
        """The root's own init on the console, no agent."""
        from kevlar import roots
        kevlar("root", "make", "busybox")
        image = self.scratch() / "image"
        with open(image, "wb") as out:
            out.write(roots.archive_of("busybox").read_bytes())
            writer = cpio.Writer(out)
            writer.text("init2", "#!/bin/sh\necho ready\nread x\necho init has $x\npoweroff -f\n", 0o755)
            writer.close()
        process = start("--plain", "--root", str(image), "--append", "rdinit=/init2 quiet")
        while (line := process.stdout.readline()) and line != b"ready\r\n":
            pass
        out, err = process.communicate(b"input\n", timeout=60)
        self.assertIn(b"init has input\r\n", out)
        self.assertEqual((process.returncode, err), (0, b""))


class Roots(TestCase):
    """Every form a root may have, with the same content."""

    LOOK = ("cd /; stat -c '%n %a %u:%g %h %t:%T' bin/one dev/disk pipe secret; readlink link; cat bin/two; "
            "[ bin/one -ef bin/two ] && echo same; find . -xdev -name 'caf*'")

    @classmethod
    def setUpClass(cls):
        result = kevlar("root", "make", "busybox")
        if result.returncode != 0:
            raise unittest.SkipTest("no busybox root: " + result.stderr.decode())

    def setUp(self):
        self.dir = self.scratch()
        self.tar = self.dir / "root.tar"
        with tarfile.open(self.tar, "w") as tar:
            self.add(tar, "bin/busybox", tarfile.REGTYPE, 0o755, self.busybox())
            for name in ("sh", "stat", "readlink", "cat", "find", "["):
                self.add(tar, f"bin/{name}", tarfile.SYMTYPE, 0o777, link="busybox")
            self.add(tar, "bin/one", tarfile.REGTYPE, 0o2755, b"content\n")
            self.add(tar, "bin/two", tarfile.LNKTYPE, 0o2755, link="bin/one")
            self.add(tar, "secret", tarfile.REGTYPE, 0o640, b"x", uid=12, gid=34)
            self.add(tar, "dev/disk", tarfile.BLKTYPE, 0o660)
            self.add(tar, "pipe", tarfile.FIFOTYPE, 0o600)
            self.add(tar, "link", tarfile.SYMTYPE, 0o777, link="/some where")
            self.add(tar, "caf\udce9", tarfile.REGTYPE, 0o644, b"")

    @staticmethod
    def add(tar, name, kind, mode, data=b"", link="", uid=0, gid=0):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.linkname, info.uid, info.gid = kind, mode, link, uid, gid
        info.devmajor, info.devminor, info.size = 8, 1, len(data)
        tar.addfile(info, io.BytesIO(data))

    @staticmethod
    def busybox() -> bytes:
        from kevlar import roots
        from test_initramfs import entries
        return entries(roots.archive_of("busybox").read_bytes())["bin/busybox"][1]

    def look(self, root) -> None:
        # devtmpfs would hide dev/disk: umount it in a private look
        result = run("--root", str(root), "--", "sh", "-c", self.LOOK.replace(" dev/disk", ""))
        self.assertEqual(result.stderr, b"")
        self.assertEqual(result.stdout,
                         b"bin/one 2755 0:0 2 0:0\npipe 600 0:0 1 0:0\nsecret 640 12:34 1 0:0\n"
                         b"/some where\ncontent\nsame\n./caf\xe9\n")

    def test_tar(self):
        self.look(self.tar)

    def test_packed_tars(self):
        for program in ("gzip", "xz", "zstd"):
            with self.subTest(program=program):
                subprocess.run([program, "-kq", str(self.tar)], check=True)
        for packed in self.dir.glob("root.tar.*"):
            with self.subTest(packed=packed.name):
                self.look(packed)

    @unittest.skipUnless(os.geteuid() == 0, "only root unpacks devices")
    def test_directory(self):
        top = self.dir / "tree"
        top.mkdir()
        subprocess.run(["tar", "-xf", str(self.tar), "-C", str(top)], check=True)
        self.look(top)

    def test_images(self):
        from kevlar import initramfs
        image = self.dir / "root.cpio"
        with open(image, "wb") as out:
            initramfs.from_tar(self.tar, out)
        self.look(image)
        (self.dir / "root.cpio.gz").write_bytes(gzip.compress(image.read_bytes()))
        self.look(self.dir / "root.cpio.gz")

    def test_image_of_two_archives(self):
        from kevlar import initramfs
        image = self.dir / "two.cpio"
        with open(image, "wb") as out:
            initramfs.from_tar(self.tar, out)
            writer = cpio.Writer(out)
            writer.text("added", "by the second\n")
            writer.close()
        result = run("--root", str(image), "--", "cat", "/added")
        self.assertEqual(result.stdout, b"by the second\n")


class Listing(TestCase):
    def test_list(self):
        kevlar("root", "make", "busybox")
        result = kevlar("root", "list")
        self.assertRegex(result.stdout.decode(), re.compile(r"^busybox +\d+\.\d MiB", re.MULTILINE))



if __name__ == "__main__":
    unittest.main()
