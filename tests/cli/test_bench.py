"""`kevlar bench`: that a row which fails is never a fast one, and what the tables say. Nothing here depends
on how long something takes."""

import json
import tempfile
import unittest
from pathlib import Path

from support import is_linux, kevlar, kernel_image

from kevlar import bench, bench_html, bench_linux, bench_report, bench_rows
from kevlar.bench_report import Column, Results
from kevlar.bench_run import Reader, Report, Sample
from kevlar.errors import Failure


def results(ours: list[dict[str, Sample]], theirs: list[dict[str, Sample]]) -> Results:
    return Results([Column("kevlar", "ours", ours), Column("linux", "theirs", theirs)], {"QEMU": "7"}, "a CPU")


class Machine(unittest.TestCase):
    """Boots: the harness measures, and believes nothing that was not done."""

    def bench(self, *args: str):
        with tempfile.TemporaryDirectory() as out:
            done = kevlar("bench", "--kernel", kernel_image(), "--no-linux", "--out", out, *args)
            data = json.loads(Path(out, "results.json").read_text())
            self.assertIn("<h1>", Path(out, "index.html").read_text())
        return done, data["columns"][0]["counted"][0]

    def test_a_row_whose_descriptor_is_bad_has_failed(self):
        done, rows = self.bench("--break", "read-1", "read-1", "getpid")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout.decode(), r"(?m)^read-1 +FAILED")
        self.assertRegex(done.stdout.decode(), r"(?m)^FAILED read-1 on kevlar: EBADF: ")
        self.assertIn("EBADF", rows["read-1"]["failed"])
        self.assertIsNone(rows["getpid"]["failed"])
        self.assertGreater(rows["getpid"]["value"], 10)

    @unittest.skipIf(is_linux(), "its boot takes long to count")
    def test_a_pipe_that_breaks_under_two_processes_has_failed(self):
        done, rows = self.bench("--break", "pipe-1m", "pipe-1m")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIsNotNone(rows["pipe-1m"]["failed"])

    @unittest.skipIf(is_linux(), "its boot takes long to count")
    def test_a_client_outside_that_gets_no_answer_has_failed(self):
        done, rows = self.bench("--break", "wire-rr-1", "wire-rr-1", "redis-get")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("Broken pipe", rows["wire-rr-1"]["failed"])
        self.assertIsNone(rows["redis-get"]["failed"])
        self.assertGreater(rows["redis-get"]["value"], 1000)

    @unittest.skipIf(is_linux(), "its boot takes long to count")
    def test_two_runs_agree(self):
        with tempfile.TemporaryDirectory() as out:
            done = kevlar("bench", "--kernel", kernel_image(), "--no-linux", "--out", out, "--runs", "2",
                          "read-1", "boot", "memory")
            self.assertEqual(done.returncode, 0, done.stderr)
            first, second = json.loads(Path(out, "results.json").read_text())["columns"][0]["counted"]
        for row in ("read-1", "boot", "memory"):
            self.assertLess(abs(first[row]["value"] / second[row]["value"] - 1), 0.01, row)


class Options(unittest.TestCase):
    def test_unknown_row_and_commit_are_one_line(self):
        for args, words in ((("nonsense",), b"there is no row"), (("--against", "nonsense"), b"no such commit"),
                            (("--profile", "nonsense"), b"there is no row")):
            done = kevlar("bench", "--kernel", kernel_image(), *args)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stderr.count(b"\n"), 1)

    def test_rows_by_name_pattern_and_group(self):
        there_are = ["getpid", "stat", "stat-depth-10", "dir-open@10", "dir-open@1000"]
        self.assertEqual(bench.select([], there_are), ["boot", "memory", *there_are])
        self.assertEqual(bench.select(["stat*"], there_are), ["stat", "stat-depth-10"])
        self.assertEqual(bench.select(["dir-open", "call"], there_are), ["getpid", *there_are[3:]])
        with self.assertRaises(Failure):
            bench.select(["sta"], there_are)


class Lines(unittest.TestCase):
    """What the guest says."""

    def read(self, *lines: str) -> Report:
        report = Report()
        reader = Reader(report, lambda name: None)
        for line in lines:
            reader.line(line)
        return report

    def test_batches_give_a_median(self):
        sample = self.read("@row fault 10 256 5120 7680 5130").samples["fault"]
        self.assertEqual(sample.value, 5130 / 2560)
        self.assertEqual(sample.rounds, 10)
        self.assertIsNone(sample.failed)

    def test_failures_say_why(self):
        report = self.read("@begin a", "@fail a 9 read(3) = -9", "@fail b 0 getpid = 3",
                           "@fail c 999 killed by signal 11")
        self.assertEqual([report.samples[name].failed for name in "abc"],
                         ["EBADF: read(3) = -9", "wrong result: getpid = 3", "killed by signal 11"])

    def test_what_is_no_line_of_ours_is_nothing(self):
        report = self.read("", "panic", "@row", "@row x 1 1", "@values")
        self.assertEqual(report.samples, {})


class Tables(unittest.TestCase):
    def test_failed_in_any_run_is_failed(self):
        r = results([{"getpid": Sample(97.0)}, {"getpid": Sample(failed="EIO: x")}], [{"getpid": Sample(310.0)}])
        self.assertIsNone(r.ratio("getpid"))
        self.assertIn("FAILED", bench_report.terminal(r))
        self.assertIn("EIO: x", bench_report.tsv(r))
        self.assertIn("EIO: x", bench_report.markdown(r))
        self.assertIn("EIO: x", bench_html.page(r))

    def test_runs_apart_are_remarked_upon(self):
        r = results([{"getpid": Sample(97.0)}, {"getpid": Sample(99.0)}], [{"getpid": Sample(310.0)}] * 2)
        self.assertIn("kevlar's runs 2.1% apart", bench_report.terminal(r))
        self.assertNotIn("linux's runs", bench_report.terminal(r))

    def test_slow_rows_and_budgets_are_named(self):
        r = results([{"stat": Sample(2000.0)}], [{"stat": Sample(1000.0)}])
        text = bench_report.markdown(r)
        self.assertIn("`stat`, 2.00 x Linux", text)
        self.assertIn("`stat`: 2,000 of 900", text)

    def test_json_is_read_back(self):
        r = results([{"stat": Sample(2000.0, 0.01, 7)}], [{"stat": Sample(failed="EIO: x")}])
        self.assertEqual(bench_report.from_json(bench_report.as_json(r)), r)

    def test_every_row_of_the_program_is_described(self):
        listed = kevlar("bench", "--list").stdout.decode().splitlines()
        self.assertGreater(len(listed), 60)
        for line in listed:
            row = bench_rows.describe(line.split()[0])
            self.assertNotEqual(row.group, "other", row.name)
            self.assertTrue(row.what, row.name)


class Unpacking(unittest.TestCase):
    def test_lz4_blocks(self):
        # 4 literals, a match that overlaps itself (offset 4, length 12), then 2 last literals
        block = bytes([0x48]) + b"abcd" + bytes([4, 0]) + bytes([0x20]) + b"xy"
        self.assertEqual(bench_linux._unpack_block(block, 0, len(block)), b"abcd" * 4 + b"xy")

    def test_long_lengths(self):
        block = bytes([0xF0, 5]) + bytes(range(20)) + bytes([1, 0]) + bytes([0x00])
        self.assertEqual(bench_linux._unpack_block(block, 0, len(block) - 1), bytes(range(20)) + bytes([19]) * 4)


if __name__ == "__main__":
    unittest.main()
