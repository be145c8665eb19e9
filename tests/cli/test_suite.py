"""Many tests in one machine: how each ends, and what happens when the machine dies under one."""

import unittest
from pathlib import Path

from support import TestCase, kernel_image

from kevlar import kernel, suite, test


class InAMachine(TestCase):
    def run_cases(self, *scripts: tuple[str, str], timeout: float = 20) -> dict[str, suite.Outcome]:
        cases = [suite.Case(name, ["/bin/sh", "-c", script], timeout) for name, script in scripts]
        kernel.agent()
        outcomes = {}

        def report(outcome: suite.Outcome) -> None:
            self.assertNotIn(outcome.case.name, outcomes, "reported twice")
            outcomes[outcome.case.name] = outcome

        one = suite.Suite("test", cases, Path(kernel_image()), "busybox", 1, lambda writer: None)
        suite.run_suite(one, report)
        self.boots = len(one.logs)
        return outcomes

    def test_each_way_to_end(self):
        got = self.run_cases(
            ("good", "echo out; echo err >&2; pwd; [ -z \"$(ls)\" ] && touch left; exit 0"),
            ("status", "exit 5"),
            ("signal", "kill -SEGV $$"),
            ("hang", "echo before; sleep 1000 & wait"),
            ("again", "ls /tmp; cat; head -c 100000 /dev/zero"),
            timeout=3)
        self.assertEqual(self.boots, 1)
        self.assertRegex(got["good"].out.decode(), r"^out\n/tmp/test\.\w+\n$")
        self.assertEqual((got["good"].err, got["good"].how, got["good"].number), (b"err\n", "exit", 0))
        self.assertEqual((got["status"].how, got["status"].number), ("exit", 5))
        self.assertEqual((got["signal"].how, got["signal"].number), ("signal", 11))
        self.assertEqual((got["hang"].how, got["hang"].out), ("timeout", b"before\n"))
        self.assertRegex(got["again"].out, rb"\Atest\.\w+\n\0{100000}\Z")

    def test_machine_dies_under_a_test(self):
        got = self.run_cases(("before", "exit 0"), ("killer", "echo last words; sleep 1; reboot -f; sleep 9"),
                             ("after", "echo fine"))
        self.assertEqual(self.boots, 2)
        self.assertEqual(got["before"].how, "exit")
        self.assertEqual((got["killer"].how, got["killer"].out), ("died", b"last words\n"))
        self.assertIn("machine went off", got["killer"].reason)
        self.assertEqual((got["after"].how, got["after"].out), ("exit", b"fine\n"))


class Judging(TestCase):
    def judge(self, judge, **members) -> test.Tally:
        tally = test.Tally(verbose=False)
        tally._print = lambda text: self.printed.append(text)
        self.printed = []
        judge(suite.Outcome(suite.Case("x", [], 1), **members), "x", tally, Path("log"))
        return tally

    def guest(self, out: str, **members) -> str:
        return self.judge(test.judge_guest, out=out.encode(), **{"how": "exit", **members}).summary()

    def test_guest_programs(self):
        self.assertEqual(self.guest("ok a\nok b\nskip c: no\ndone 3\n"), "2 passed, 0 failed, 1 skipped")
        self.assertEqual(self.guest("ok a\nnot ok b: why\ndone 2\n", number=1), "1 passed, 1 failed")
        self.assertEqual(self.printed, ["FAIL x: b: why  [log]"])
        self.assertEqual(self.guest("ok a\n"), "1 passed, 1 failed")
        self.assertEqual(self.guest("ok a\ndone 2\n"), "1 passed, 1 failed")
        self.assertEqual(self.guest("ok a\ndone 1\n", number=3), "1 passed, 1 failed")
        self.assertEqual(self.guest("ok a\ndone 1\n", how="signal", number=11), "1 passed, 1 failed")
        self.assertEqual(self.guest("ok a\n", how="timeout", number=9), "1 passed, 1 failed")
        self.assertEqual(self.guest("ok a\n", how="died", reason="panic"), "1 passed, 1 failed")
        self.assertEqual(self.printed, ["FAIL x: panic  [log]"])

    def test_programs(self):
        self.assertEqual(self.judge(test.judge_program, how="exit").summary(), "1 passed, 0 failed")
        self.assertEqual(self.judge(test.judge_program, how="exit", number=2, err=b"a\nb\n").summary(),
                         "0 passed, 1 failed")
        self.assertEqual(self.printed, ["FAIL x: status 2: b  [log]"])
        self.assertEqual(self.judge(test.judge_program, how="exit", number=77, err=b"no").summary(),
                         "0 passed, 0 failed, 1 skipped")


if __name__ == "__main__":
    unittest.main()
