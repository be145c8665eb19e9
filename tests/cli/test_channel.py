"""The control channel's host end, without a machine."""

import struct
import unittest

from support import TestCase

from kevlar import channel, suite
from kevlar.kernellog import KernelLog
from kevlar.terminal import Keys


class Decoding(TestCase):
    def test_byte_by_byte(self):
        data = b"noise" + channel.PREAMBLE + channel.encode(channel.STDOUT, b"\0\xff\n") \
            + channel.encode(channel.BYE)
        decoder, frames = channel.Decoder(), []
        for i in range(len(data)):
            frames += decoder.feed(data[i:i + 1])
        self.assertEqual(frames, [(channel.STDOUT, b"\0\xff\n"), (channel.BYE, b"")])

    def test_nothing_before_the_preamble(self):
        self.assertEqual(channel.Decoder().feed(channel.encode(channel.BYE)), [])

    def test_lost_byte(self):
        decoder = channel.Decoder()
        decoder.feed(channel.PREAMBLE)
        data = channel.encode(channel.STDOUT, b"abcdef") + channel.encode(channel.STDOUT, b"abcdef")
        with self.assertRaises(channel.BrokenChannel):
            decoder.feed(data[:5] + data[6:])


class Sending(TestCase):
    def test_window(self):
        sender = channel.Sender()
        sender.send(channel.STDIN, b"x" * 5000)
        first = sender.take()
        sent = first.count(b"x")
        self.assertLessEqual(sent, channel.WINDOW)
        self.assertEqual(sender.queued, 5000 - sent)
        self.assertEqual(sender.take(), b"")
        sender.credit(struct.pack("<I", channel.CHUNK))
        self.assertEqual(sender.take().count(b"x"), channel.CHUNK)

    def test_urgent_frames_pass_waiting_input(self):
        sender = channel.Sender()
        sender.send(channel.STDIN, b"x" * 5000)
        sender.take()
        sender.send_first(channel.SIGNAL, b"\2")
        self.assertEqual(sender.take(), channel.encode(channel.SIGNAL, b"\2"))

    def test_end_of_input_stays_behind_it(self):
        sender = channel.Sender()
        sender.send(channel.STDIN, b"x" * 3000)
        sender.send(channel.END_OF_STDIN)
        self.assertNotIn(channel.encode(channel.END_OF_STDIN), sender.take())
        sender.credit(struct.pack("<I", 3000))
        self.assertTrue(sender.take().endswith(channel.encode(channel.END_OF_STDIN)))

    def test_request(self):
        self.assertEqual(
            channel.request_words(args=["a b", b"\xff"], env=["X=1"], tty=(3, 4), host="h"),
            b"host=h\0tty=3x4\0env=X=1\0arg=a b\0arg=\xff\0")


class Escapes(TestCase):
    def test_keys(self):
        keys = Keys()
        self.assertEqual(keys.filter(b"ab\x01"), b"ab")
        self.assertEqual(keys.filter(b"\x01c\x01a"), b"\x01c\x01")
        self.assertFalse(keys.wants_end)
        self.assertEqual(keys.filter(b"\x01xz"), b"z")
        self.assertTrue(keys.wants_end)


class Log(TestCase):
    def test_panics(self):
        for line in (b"panic: lock order", b"[   1.25] Kernel panic - not syncing: x", b"[1] [2] PANIC x"):
            log = KernelLog()
            log.feed(b"fine\n" + line[:4])
            log.feed(line[4:] + b"\r\nmore\n")
            self.assertEqual(log.panic, line.decode())

    def test_no_panics(self):
        log = KernelLog()
        log.feed(b"Command line: panic=-1\npanic=-1 is fine\nno panic here\n")
        self.assertIsNone(log.panic)
        self.assertEqual(log.panics(), ["no panic here"])


class RunnerRecords(TestCase):
    def test_records(self):
        cases = [suite.Case("one", ["/x"], 1), suite.Case("two", ["/y"], 1)]
        done = []
        records = suite.Records(cases, done.append)
        data = b"begin one\nout 6\nend\nx\n\nerr 1\n!\nend one exit 3 12\nbegin two\nout 2\nhi\n"
        for i in range(len(data)):
            records.feed(data[i:i + 1])
        self.assertEqual([(o.case.name, o.how, o.number, o.out, o.err) for o in done],
                         [("one", "exit", 3, b"end\nx\n", b"!")])
        self.assertEqual((records.current.case.name, records.current.out), ("two", b"hi"))


if __name__ == "__main__":
    unittest.main()
