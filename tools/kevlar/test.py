"""`kevlar test`: everything that proves the kernel, ending in one line `N passed, N failed`.

Four kinds: host (pure modules, by make), guest (static programs of tests/guest, one boot for each
number of processors), programs (scripts of tests/programs, one boot for each root), cli (unittest).
"""

import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from . import deps, kernel, netkit, paths, qemu, roots, suite
from .errors import INTERRUPTED, Failure
from .suite import Case, Outcome, Suite, safe_name
from .ui import Progress, elapsed

PROGRAM_LIMIT = 300.0  # for a program of tests, which limits each test of its own
SCRIPT_LIMIT = 60.0
SKIPPED = 77  # a script's status for "cannot be tried here"


@dataclass
class Options:
    kernel: str | None
    debug: bool
    cpus: list[int]
    pattern: str | None
    jobs: int
    timeout: float | None
    verbose: bool
    repeat: int = 1  # times that a guest test runs in one boot

    @property
    def logs(self) -> Path:
        """A directory for each kernel, so that two runs side by side can be compared."""
        return paths.BUILD / "test" / (Path(self.kernel).name if self.kernel else
                                       "debug" if self.debug else "kevlar")

    def limit(self, usual: float) -> float:
        """Seconds a test may take: a debug kernel is allowed three times the usual."""
        return self.timeout or usual * (3 if self.debug else 1)

    def selects(self, name: str) -> bool:
        pattern = self.pattern
        if pattern is None:
            return True
        return fnmatchcase(name, pattern) if re.search(r"[*?\[]", pattern) else pattern in name


@dataclass
class Tally:
    """Counts, and says what failed as soon as it is known."""

    verbose: bool
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, passed: int = 0, failed: int = 0, skipped: int = 0) -> None:
        with self.lock:
            self.passed += passed
            self.failed += failed
            self.skipped += skipped

    def fail(self, name: str, why: str, log: Path | None = None) -> None:
        self.add(failed=1)
        where = f"  [{os.path.relpath(log)}]" if log else ""
        self._print(f"FAIL {name}: {why}{where}")

    def note_failure(self, text: str) -> None:
        """Names a failure that has been counted."""
        self._print(f"FAIL {text}")

    def skip(self, name: str, why: str) -> None:
        self.add(skipped=1)
        if self.verbose:
            self._print(f"skip {name}: {why}")

    def note(self, text: str) -> None:
        if self.verbose:
            self._print(text)

    def _print(self, text: str) -> None:
        with self.lock:
            print(text, flush=True)

    def summary(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def run(kinds: list[str], options: Options) -> int:
    tally = Tally(options.verbose)
    wanted = [(kind, options) for kind in (KINDS if "all" in kinds else dict.fromkeys(kinds))]
    if "all" in kinds and not options.kernel and not options.debug:
        wanted.append(("guest", replace(options, debug=True)))
    deps.require(*dict.fromkeys(tool for kind, _ in wanted for tool in NEEDS[kind]))
    try:
        for kind, how in wanted:
            how.logs.mkdir(parents=True, exist_ok=True)
            _run_kind(kind, how, tally)
    except KeyboardInterrupt:
        suite.stop_all()
        print(f"interrupted: {tally.summary()}")
        return INTERRUPTED
    print(tally.summary())
    return 1 if tally.failed or tally.passed + tally.skipped == 0 else 0


def _run_kind(kind: str, options: Options, tally: Tally) -> None:
    """Runs it, and says what came of it."""
    start, passed, failed = time.monotonic(), tally.passed, tally.failed
    try:
        KINDS[kind](options, tally)
    except Failure as e:
        tally.fail(kind, str(e))
    where = " on the debug kernel" if options.debug else ""
    print(f"{kind}{where}: {tally.passed - passed} passed, {tally.failed - failed} failed, "
          f"{elapsed(time.monotonic() - start)}", flush=True)


# On this machine

def run_host(options: Options, tally: Tally) -> None:
    log = options.logs / "host.log"
    command = ["make", "-s", "host-tests"] if options.pattern is None else \
        [sys.executable, "tools/host-tests", options.pattern]
    status, text = _run_here("host tests", command, dict(os.environ), log)
    counts = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", text, re.MULTILINE)
    if not counts or (status != 0 and counts[-1][1] == "0" and options.pattern is None):
        tally.fail("host", f"no result, status {status}", log)
        return
    passed, failed, skipped = (int(n or 0) for n in counts[-1])
    tally.add(passed, failed, skipped)
    for line in text.splitlines():
        if line.startswith("not ok "):
            tally.note_failure(f"host {line[7:]}")


def _run_here(what: str, command: list[str], env: dict[str, str], log: Path) -> tuple[int, str]:
    """Status and output of a command of this machine; the log gets the output too."""
    with Progress(what):
        result = subprocess.run(command, cwd=paths.TOP, env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    log.write_bytes(result.stdout)
    return result.returncode, result.stdout.decode("utf-8", "replace")


CLI_LINE = re.compile(r"^(?:FAIL|ERROR): ((\S+) \((\S+)\).*)$", re.MULTILINE)  # a subtest's values follow


def run_cli(options: Options, tally: Tally) -> None:
    log = options.logs / "cli.log"
    command = [sys.executable, "-B", "-m", "unittest", "discover", "-s", "tests/cli", "-v"]
    if options.pattern is not None:
        command += ["-k", options.pattern]
    env = dict(os.environ)
    if options.kernel is not None:
        env["KEVLAR_TEST_KERNEL"] = os.path.abspath(options.kernel)
    if options.debug:
        env["KEVLAR_TEST_DEBUG"] = "1"
    status, text = _run_here("command line tests", command, env, log)
    ran = re.search(r"^Ran (\d+) tests?", text, re.MULTILINE)
    if ran is None:
        tally.fail("cli", f"the tests did not end (status {status})", log)
        return
    skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", text.splitlines()[-1]))
    bad = CLI_LINE.findall(text)
    for heading, _name, where in bad:
        tally.fail(f"cli {where}", _last_error(text, heading), log)
    failed = len({where for _heading, _name, where in bad})
    tally.add(passed=max(0, int(ran[1]) - skipped - failed), skipped=skipped)
    if status not in (0, 5) and not bad:
        tally.fail("cli", f"unittest ended with status {status}", log)


def _last_error(text: str, heading: str) -> str:
    """The last line of a test's traceback."""
    block = text.split(f": {heading}", 1)[1].split("\n" + "=" * 70, 1)[0].split("\n" + "-" * 70)[1]
    error = re.compile(r"\w[\w.]*(Error|Exception|Failure|Expired)")
    return next((line for line in reversed(block.splitlines()) if error.match(line)), "see the log")


# In a machine

def run_guest(options: Options, tally: Tally) -> None:
    kernel.make("the guest tests", "guest-tests")
    top = paths.BUILD / "tests" / "guest"
    programs = [path for path in sorted(top.rglob("*")) if _is_program(path)]
    cases, sources = [], {}
    for path in programs:
        name = str(path.relative_to(top))
        if options.selects(name):
            cases.append(Case(name, [f"/.kevlar/tests/{name}"], options.limit(PROGRAM_LIMIT)))
            sources[name] = path
    if not programs:
        raise Failure("make guest-tests built no programs")
    if options.repeat > 1:
        cases = [replace(case, name=f"{case.name}#{n}") for n in range(1, options.repeat + 1) for case in cases]

    def files(writer) -> None:
        for name, path in sources.items():
            writer.host_file(f".kevlar/tests/{name}", path)

    image = kernel.find(options.kernel, options.debug)
    label = "debug-guest" if options.debug else "guest"
    suites = [Suite(f"{label}-{cpus}cpu", cases, image, "busybox", cpus, files) for cpus in options.cpus]
    _run_suites(suites, options, tally, judge_guest)


def _is_program(path: Path) -> bool:
    if not path.is_file() or not os.access(path, os.X_OK):
        return False
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def run_programs(options: Options, tally: Tally) -> None:
    top = paths.TESTS / "programs"
    image = kernel.find(options.kernel, options.debug)
    groups: dict[tuple, list[Case]] = {}
    scripts = sorted(top.glob("*.sh"))
    if not scripts:
        raise Failure("there are no scripts in tests/programs")
    for script in scripts:
        header = _header(script)
        for root in re.split(r"[,\s]+", header.get("root", "busybox")):
            case = Case(f"{script.stem}@{root}", _interpreter(script) + [f"/.kevlar/programs/{script.name}"],
                        float(header.get("timeout", options.limit(SCRIPT_LIMIT))))
            if options.selects(case.name):
                key = (root, int(header.get("cpus", options.cpus[0])), header.get("memory"), header.get("net"))
                groups.setdefault(key, []).append(case)

    def files(writer) -> None:
        for path in sorted(top.rglob("*")):
            if path.is_file():
                writer.host_file(f".kevlar/programs/{path.relative_to(top)}", path)

    plain, networked = [], []
    for (root, cpus, memory, net), cases in groups.items():
        if roots.is_made(root) and not roots.archive_of(root).exists():
            roots.make(root)
        label = "-".join(["programs", root, f"{cpus}cpu", *filter(None, (memory, net))])
        one = Suite(label, cases, image, root, cpus, files, qemu.parse_memory(memory) if memory else None)
        (networked if net else plain).append(one)
    _run_suites(plain, options, tally, judge_program)
    if networked:
        deps.require(*netkit.TOOLS, *netkit.CLIENTS)
        with netkit.running() as within:
            for one in networked:
                one.net, one.within = netkit.network(), within
            _run_suites(networked, replace(options, jobs=1), tally, judge_program)  # they share the ports


def _header(script: Path) -> dict[str, str]:
    """The `# key: value` lines above the first command."""
    header = {}
    for line in script.read_text("utf-8", "replace").splitlines():
        if line and not line.startswith("#"):
            break
        if match := re.match(r"#\s*(root|timeout|cpus|memory|net):\s*(.*\S)\s*$", line):
            header[match[1]] = match[2]
    return header


def _interpreter(script: Path) -> list[str]:
    with open(script, encoding="utf-8", errors="replace") as f:
        first = f.readline()
    return first[2:].split() if first.startswith("#!") else ["/bin/sh"]


def _run_suites(suites: list[Suite], options: Options, tally: Tally, judge) -> None:
    kernel.agent()
    suites = [one for one in suites if one.cases]
    if not suites:
        return
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        futures = {pool.submit(_run_suite, one, options.logs, tally, judge): one for one in suites}
        try:
            with Progress(", ".join(one.label for one in suites)):
                for future in as_completed(futures):
                    try:
                        future.result()
                    except Failure as e:
                        tally.fail(futures[future].label, str(e))
        except BaseException:
            suite.stop_all()
            pool.shutdown(cancel_futures=True)
            raise


def _run_suite(one: Suite, logs: Path, tally: Tally, judge) -> None:
    directory = logs / one.label
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.log"):
        old.unlink()
    console = directory / "console.log"
    repeated = len({tuple(case.words) for case in one.cases}) < len(one.cases)

    def report(outcome: Outcome) -> None:
        log = directory / f"{safe_name(outcome.case.name)}.log"
        log.write_bytes(b"".join([outcome.out, b"\n--- standard error\n" if outcome.err else b"",
                                  outcome.err, f"\n--- {describe(outcome)}\n".encode()]))
        failed = tally.failed
        judge(outcome, f"{one.label} {outcome.case.name}", tally,
              console if outcome.how == "died" else log)
        if repeated and tally.failed == failed:
            log.unlink()

    suite.run_suite(one, report)
    console.write_bytes(b"\n--- next boot\n".join(bytes(log.data) for log in one.logs))
    for log in one.logs:
        if log.panic is None and (lines := log.panics()):
            tally.fail(one.label, f"the kernel log says: {lines[0]}", console)


def describe(outcome: Outcome) -> str:
    """How it ended, in words."""
    number = outcome.number
    return {
        "exit": f"status {number}",
        "signal": f"killed by signal {number}",
        "timeout": f"no end after {number} s",
        "error": f"could not be started: {os.strerror(number)}",
        "died": outcome.reason,
    }[outcome.how]


def judge_guest(outcome: Outcome, name: str, tally: Tally, log: Path) -> None:
    """Counts the `ok`, `not ok`, `skip` and `done` lines; a program that does not end well has failed."""
    passed = seen = failed = 0
    done = None
    for line in outcome.out.decode("utf-8", "replace").splitlines():
        if line.startswith("ok "):
            passed += 1
        elif line.startswith("not ok "):
            failed += 1
            tally.fail(f"{name}", line[7:], log)
        elif line.startswith("skip "):
            tally.skip(name, line[5:])
        elif match := re.fullmatch(r"done (\d+)", line):
            done = int(match[1])
            continue
        else:
            continue
        seen += 1
    tally.add(passed=passed)
    is_clean = outcome.how == "exit" and (outcome.number == 0 or failed)
    if not is_clean:
        tally.fail(name, describe(outcome), log)
    elif done is None:
        tally.fail(name, "it did not print `done`", log)
    elif done != seen:
        tally.fail(name, f"it says `done {done}` after {seen} results", log)
    elif not failed:
        tally.note(f"ok   {name}: {passed} checks, {outcome.milliseconds} ms")


def judge_program(outcome: Outcome, name: str, tally: Tally, log: Path) -> None:
    """Status 0, and the expected output where a .expect file says what that is."""
    expect = paths.TESTS / "programs" / (outcome.case.name.rpartition("@")[0] + ".expect")
    if outcome.how == "exit" and outcome.number == SKIPPED:
        tally.skip(name, outcome.err.decode("utf-8", "replace").strip() or "it says so")
    elif outcome.how != "exit" or outcome.number != 0:
        last = outcome.err.decode("utf-8", "replace").strip().splitlines()[-1:]
        tally.fail(name, ": ".join([describe(outcome), *last]), log)
    elif expect.exists() and outcome.out != expect.read_bytes():
        tally.fail(name, _difference(outcome.out, expect.read_bytes()), log)
    else:
        tally.add(passed=1)
        tally.note(f"ok   {name}: {outcome.milliseconds} ms")


def _difference(out: bytes, expected: bytes) -> str:
    got, want = out.splitlines(), expected.splitlines()
    for number, (a, b) in enumerate(zip(got, want), 1):
        if a != b:
            return f"line {number} is {a.decode('utf-8', 'replace')!r}, not {b.decode('utf-8', 'replace')!r}"
    return f"{len(got)} lines of output, not {len(want)}"


NEEDS = {  # what has to be there beforehand, to be asked for once
    "host": deps.HOST_TESTS,
    "guest": (*deps.BUILD, qemu.PROGRAM),
    "programs": (*deps.BUILD, qemu.PROGRAM, "mmdebstrap"),
    "cli": (*deps.BUILD, qemu.PROGRAM, "git", "xz", "zstd"),
}
KINDS = {"host": run_host, "guest": run_guest, "programs": run_programs, "cli": run_cli}
