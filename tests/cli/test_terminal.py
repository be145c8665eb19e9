"""`kevlar run` on a terminal: an interactive session as its user has it, through a pseudo-terminal."""

import os
import signal
import subprocess
import time
import unittest

from support import LIMIT, Terminal, TestCase, children, is_alive, run_words

PROMPT = r"# (\x1b\[6n)?$"  # the shell asks the terminal where its cursor is


class Session(TestCase):
    def terminal(self, *args: str, **size) -> Terminal:
        terminal = Terminal(*args, **size)
        self.addCleanup(terminal.close)
        return terminal

    def shell(self, *args: str, **size) -> Terminal:
        terminal = self.terminal(*args, **size)
        terminal.expect(PROMPT)
        return terminal

    def test_shell_with_job_control(self):
        t = self.shell()
        before = t.attributes()
        t.send("tty; echo $((6 * 7))\r")
        t.expect(r"/dev/ttyS0\r\n42\r\n")
        t.expect(PROMPT)
        t.send("sh -c 'echo in $((1 + 1)); exec sleep 1000'\r")
        t.expect(r"in 2\r\n")
        t.send("\x1a")
        t.expect(r"\[1\]\+ +Stopped")
        t.expect(PROMPT)
        t.send("jobs\r")
        t.expect(r"\[1\]\+ +Stopped +sh -c")
        t.expect(PROMPT)
        t.send("fg\r")
        t.expect(r"\nsh -c ")
        time.sleep(1)
        t.send("\x03")
        t.expect(PROMPT)
        t.send("echo status $?\r")
        t.expect(r"status 130\r\n")
        t.expect(PROMPT)
        t.send("sh -c 'echo in $((1 + 2)); exec cat'\r")
        t.expect(r"in 3\r\n")
        t.send("line\r")
        t.expect(r"line\r\nline\r\n")
        t.send("\x04")
        t.expect(PROMPT)
        t.send("exit 17\r")
        self.assertEqual(t.wait(), 17)
        self.assertNotEqual(t.attributes(), before, "it was raw meanwhile")
        self.assertIn(b"exit", t.output)

    def test_terminal_is_restored(self):
        t = self.terminal("--", "sh", "-c", "echo here; read x; exit 4")
        cooked = t.attributes()
        t.expect("here\r\n")
        self.assertNotEqual(t.attributes(), cooked)
        t.send("\r")
        self.assertEqual(t.wait(), 4)
        self.assertEqual(t.attributes(), cooked)

    def test_size_and_resize(self):
        t = self.shell(rows=33, cols=101)
        t.send("stty size\r")
        t.expect(r"33 101\r\n")
        t.expect(PROMPT)
        t.send("exit\r")
        t.wait()

        t = self.terminal("--", "sh", "-c", "trap 'echo changed: $(stty size); exit 9' WINCH; echo set; "
                          "while :; do sleep 1; done")
        t.expect(r"set\r\n")
        t.resize(40, 120)
        t.expect(r"changed: 40 120\r\n")
        self.assertEqual(t.wait(), 9)

    def test_escape_ends_the_machine(self):
        t = self.terminal()
        cooked = t.attributes()
        t.expect(PROMPT)
        machines = children(t.process.pid)
        t.send("\x01h")
        t.expect(r"Ctrl-A x  ends the machine")
        t.send("\x01x")
        self.assertEqual(t.wait(20), 0)
        self.assertEqual(t.attributes(), cooked)
        self.assertFalse(any(is_alive(pid) for pid in machines))

    def test_hang_up_restores_and_ends(self):
        for number, status in ((signal.SIGHUP, 129), (signal.SIGTERM, 143)):
            with self.subTest(signal=number):
                t = self.terminal()
                cooked = t.attributes()
                t.expect(PROMPT)
                machines = children(t.process.pid)
                t.process.send_signal(number)
                self.assertEqual(t.wait(20), status)
                self.assertEqual(t.attributes(), cooked)
                self.assertFalse(any(is_alive(pid) for pid in machines))

    def test_all_output_of_a_short_command(self):
        t = self.terminal("--", "sh", "-c", "seq 1 4000; exit 6")
        self.assertEqual(t.wait(), 6)
        numbers = [int(line) for line in t.output.replace(b"\x1b[K", b"\n").split() if line.isdigit()]
        self.assertEqual(numbers, list(range(1, 4001)))

    def test_nothing_of_the_kernel_log(self):
        t = self.terminal("--append", "loglevel=7", "--", "echo", "only this")
        self.assertEqual(t.wait(), 0)
        lines = [line for line in t.output.replace(b"\r\x1b[K", b"\n").split(b"\n")
                 if line.strip() and not line.startswith(b"kevlar: starting")]
        self.assertEqual(lines, [b"only this\r"])

    def test_command_that_stops_itself_goes_on(self):
        t = self.terminal("--", "sleep", "3")
        t.expect("", 1)
        self.assertEqual(t.wait(), 0)
        t = self.terminal("--", "sh", "-c", "echo up; kill -STOP $$; echo still here; exit 8")
        t.expect(r"still here\r\n")
        self.assertEqual(t.wait(), 8)

    def test_output_elsewhere_means_no_terminal(self):
        """With standard output on a pipe the command gets pipes, whatever standard input is."""
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        process = subprocess.Popen(run_words("--", "sh", "-c", "[ -t 0 ] || echo no terminal; cat"),
                                   stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(slave)
        self.assertEqual(process.stdout.readline(), b"no terminal\n")
        os.write(master, b"typed\n\x04")
        out, err = process.communicate(timeout=LIMIT)
        self.assertEqual((out, err, process.returncode), (b"typed\n", b"", 0))


if __name__ == "__main__":
    unittest.main()
