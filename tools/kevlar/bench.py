"""`kevlar bench`: the same work on Kevlar and on Linux, side by side.

Instruction counts first, then, in a full run, wall-clock machines in turn. Linux's counts of named rows
come from the cache when the same kernel, program and QEMU have given them before: they are repeatable.
"""

import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import (bench_html, bench_linux, bench_profile, bench_report, bench_rows, bench_run, bench_wire, deps,
               kernel, paths, qemu)
from .bench_report import Column, Results
from .bench_run import Job, Report, Sample, System
from .errors import BAD_USAGE, Failure, reason
from .ui import Progress, say

BEST = ("mitigations=off", "init_on_alloc=0")
MACHINE_ROWS = ("boot", "memory")
GROWTH_MEMORY = 2048  # MiB: 30,000 tasks
WALL_SECONDS = 0.02   # a batch
TREES_KEPT = 3        # of --against


@dataclass
class Options:
    """What the command line of `bench` said."""

    names: list[str] = field(default_factory=list)
    kernel: str | None = None
    debug: bool = False
    linux: str | None = None
    has_linux: bool = True
    against: str | None = None
    runs: int | None = None  # counted runs of each kernel
    wall: int | None = None  # wall-clock runs of each kernel
    out: str | None = None
    doc: str | None = None
    broken: str | None = None
    source: str | None = None  # a results.json to show again


def run(options: Options) -> int:
    if options.source:
        return _show_again(options)
    deps.require(qemu.PROGRAM, *kernel.TOOLS)
    rows = select(options.names, names())
    systems = _systems(options)
    is_full = not options.names
    counted = options.runs or (2 if is_full else 1)
    timed = options.wall if options.wall is not None else (3 if is_full else 0)
    columns = {system: Column(system.label, what) for system, what in systems.items()}
    for system, column in columns.items():
        for number in range(counted):
            title = f"{system.label}, run {number + 1} of {counted}"
            column.counted.append(_count(system, rows, title, options, may_be_kept=not is_full))
    _time(columns, rows, timed, options)
    results = Results(list(columns.values()), _versions(options, systems), _machine())
    print(bench_report.terminal(results), end="")
    _write(results, options)
    return 1 if results.failures() else 0


def _show_again(options: Options) -> int:
    try:
        results = bench_report.from_json(Path(options.source).read_text(encoding="utf-8"))
    except OSError as e:
        raise Failure(f"{options.source}: {reason(e)}") from None
    except (ValueError, KeyError, TypeError):
        raise Failure(f"{options.source}: not a results.json of ours") from None
    print(bench_report.terminal(results), end="")
    _write(results, options)
    return 0


def names() -> list[str]:
    """All rows but the machine's, in the order in which they are run."""
    inside = bench_run.names()
    return [n for n in inside if "@" not in n] + bench_wire.names() + [n for n in inside if "@" in n]


def select(patterns: list[str], there_are: list[str]) -> list[str]:
    """Rows by name, by pattern, or by group, in the table's order."""
    known = [*MACHINE_ROWS, *there_are]
    if not patterns:
        return known
    chosen = set()
    for pattern in patterns:
        found = [name for name in known if fnmatch.fnmatchcase(name, pattern)
                 or fnmatch.fnmatchcase(name, pattern + "@*")
                 or bench_rows.describe(name).group == pattern]
        if not found:
            raise Failure(f"bench: there is no row or group {pattern!r} (see ./kevlar bench --list)",
                          BAD_USAGE)
        chosen.update(found)
    return [name for name in known if name in chosen]


def profile(options: Options, row: str, rounds: int | None) -> bench_profile.Profile:
    if row not in names():
        raise Failure(f"bench: there is no row {row!r} to profile (see ./kevlar bench --list)", BAD_USAGE)
    system = System("kevlar", kernel.find(options.kernel, options.debug))
    if row in bench_wire.ALL:
        return bench_profile.profile_wire(system, row, rounds)
    return bench_profile.profile(system, row, rounds)


def listing() -> str:
    rows = [bench_rows.describe(name) for name in (*MACHINE_ROWS, *names())]
    return bench_report.aligned([[row.name, row.group, row.what] for row in rows])


def _systems(options: Options) -> dict[System, str]:
    """Ours, then what it is compared with; each with a line about it."""
    ours = kernel.find(options.kernel, options.debug)
    systems = {System("kevlar", ours): f"Kevlar, -cpu {bench_run.CPU}"}
    if options.against:
        path = _build(options.against)
        systems[System(options.against, path)] = f"Kevlar at {options.against}"
    elif options.has_linux:
        path, package = bench_linux.find(options.linux)
        systems[System("linux", path, BEST, package)] = \
            f"Linux at its best: {' '.join(BEST)}, the same CPU model"
        if not options.names:
            systems[System("linux-default", path, modules=package)] = \
                "Linux with its defaults, the same CPU model"
    return systems


def _build(commit: str) -> Path:
    """The release kernel of another commit, built in the cache."""
    deps.require("git", *deps.BUILD)
    top = ["git", "-C", str(paths.TOP)]
    found = subprocess.run([*top, "rev-parse", "--verify", "-q", f"{commit}^{{commit}}"],
                           capture_output=True, text=True, check=False)
    if found.returncode:
        raise Failure(f"--against {commit}: there is no such commit", BAD_USAGE)
    tree = paths.cache() / "bench" / f"source-{found.stdout.strip()[:16]}"
    image = tree / "build" / "kevlar"
    if not image.exists():
        tree.mkdir(parents=True, exist_ok=True)
        with Progress(f"building {commit}"):
            archive = subprocess.run([*top, "archive", found.stdout.strip()], capture_output=True, check=True)
            subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
            made = subprocess.run(["make", "-s", "-C", str(tree), "build/kevlar"], capture_output=True,
                                  text=True, check=False)
        if made.returncode:
            sys.stderr.write(made.stderr)
            raise Failure(f"--against {commit}: it does not build")
    kernel.check(image)
    for old in sorted(tree.parent.glob("source-*"), key=lambda t: t.stat().st_mtime)[:-TREES_KEPT]:
        if old != tree:
            shutil.rmtree(old, ignore_errors=True)
    return image


def _jobs(rows: list[str], options: Options) -> list[Job]:
    """Growth rows get a larger machine, so that the others measure the usual one."""
    rows = [row for row in rows if row not in bench_wire.ALL]
    plain = [row for row in rows if "@" not in row]
    growth = [row for row in rows if "@" in row]
    jobs = [Job(plain, broken=options.broken)] if plain else []
    if growth:
        jobs.append(Job(growth, memory=GROWTH_MEMORY, broken=options.broken))
    return jobs


class Counter:
    """`[linux, run 1 of 2] 12/80 stat` on a terminal; elsewhere a line for each machine."""

    def __init__(self, title: str, total: int):
        self._title, self._total, self._done = title, total, 0
        self._is_tty = sys.stderr.isatty()
        if not self._is_tty and total > 1:
            say(f"bench: {title}: {total} rows")

    def __call__(self, name: str) -> None:
        self._done += 1
        if self._is_tty:
            sys.stderr.write(f"\r\x1b[K[{self._title}] {self._done}/{self._total} {name}")
            sys.stderr.flush()

    def end(self) -> None:
        if self._is_tty:
            sys.stderr.write("\r\x1b[K")


def _count(system: System, rows: list[str], title: str, options: Options,
           may_be_kept: bool) -> dict[str, Sample]:
    """The rows' instruction counts of one run."""
    samples: dict[str, Sample] = {}
    for job in _jobs(rows, options):
        kept = Kept(system, *_what_counts(job)) if system.append and not job.broken else None
        if kept and may_be_kept:
            samples |= kept.samples(job.rows)
            job.rows = [row for row in job.rows if row not in samples]
        if not job.rows:
            continue
        counter = Counter(title, len(job.rows))
        report = _run(system, job, counter)
        counter.end()
        found = _machine_rows(job, report) | report.samples
        if kept:
            kept.add(found)
        samples |= found
    return samples | _count_wire(system, rows, title, options, may_be_kept)


def _count_wire(system: System, rows: list[str], title: str, options: Options,
                may_be_kept: bool) -> dict[str, Sample]:
    """The same of the rows whose other half is outside."""
    wanted = [row for row in rows if row in bench_wire.ALL]
    kept = Kept(system, *bench_wire.what_counts()) if system.append and wanted else None
    samples = {row: s for row, s in (kept.samples(wanted) if kept and may_be_kept else {}).items()}
    wanted = [row for row in wanted if row not in samples]
    if not wanted:
        return samples
    counter = Counter(f"{title}, with clients outside", len(wanted))
    found = bench_wire.measure(system, wanted, counter, options.broken)
    counter.end()
    if kept:
        kept.add(found)
    return samples | found


def _run(system: System, job: Job, progress) -> Report:
    guest_rows = [row for row in job.rows if row not in MACHINE_ROWS]
    return bench_run.run(system, Job(**{**vars(job), "rows": guest_rows}), progress)


def _machine_rows(job: Job, report: Report) -> dict[str, Sample]:
    """What the machine's start tells."""
    wanted = [row for row in job.rows if row in MACHINE_ROWS]
    if not wanted:
        return {}
    if "boot" not in report.values or "free" not in report.values:
        return {row: Sample(failed="process 1 was not reached") for row in wanted}
    values = {"memory": job.memory * 1024 - report.values["free"]}
    if "boot" in wanted:
        values["boot"] = report.values["boot"] - bench_run.firmware_ticks(job)
    return {row: Sample(float(values[row])) for row in wanted}


def _what_counts(job: Job) -> tuple:
    return job.memory, job.target, job.batches, bench_run.ICOUNT


class Kept:
    """Counts of Linux that were measured before with all the same."""

    def __init__(self, system: System, *what: object):
        digest = hashlib.sha256(_qemu_version().encode())
        digest.update(repr((system.append, *what)).encode())
        for path in (system.kernel, bench_run.build()):
            digest.update(path.read_bytes())
        self._path = paths.cache() / "bench" / f"counts-{digest.hexdigest()[:16]}.json"

    def _read(self) -> dict:
        try:
            return json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}

    def samples(self, rows: list[str]) -> dict[str, Sample]:
        found = self._read()
        return {row: Sample(**found[row]) for row in rows if row in found}

    def add(self, samples: dict[str, Sample]) -> None:
        good = {row: asdict(sample) for row, sample in samples.items() if not sample.failed}
        temporary = self._path.with_suffix(f".{os.getpid()}")
        self._path.parent.mkdir(exist_ok=True)
        temporary.write_text(json.dumps(self._read() | good))
        os.replace(temporary, self._path)


def _time(columns: dict[System, Column], rows: list[str], runs: int, options: Options) -> None:
    """Wall clock: the kernels in turn, so that what else the machine does falls on all of them."""
    plain = [row for row in rows if "@" not in row and row not in (*MACHINE_ROWS, *bench_wire.ALL)]
    if not runs or not plain:
        return
    ticks = bench_run.frequency()
    for number in range(runs):
        for system, column in columns.items():
            job = Job(plain, is_counted=False, target=int(ticks * WALL_SECONDS), broken=options.broken)
            counter = Counter(f"{system.label}, wall clock {number + 1} of {runs}", len(plain))
            samples = _run(system, job, counter).samples
            counter.end()
            for sample in samples.values():
                sample.value *= 1e9 / ticks
            column.timed.append(samples)


def _qemu_version() -> str:
    result = subprocess.run([qemu.PROGRAM, "--version"], capture_output=True, text=True, check=False)
    return result.stdout.partition("\n")[0].removeprefix("QEMU emulator version ")


def _versions(options: Options, systems: dict[System, str]) -> dict[str, str]:
    found = {"QEMU": _qemu_version()}
    found["Kevlar"] = "the kernel of --kernel" if options.kernel else _commit()
    for system in systems:
        if system.label == "linux":
            found["Linux"] = bench_linux.version(system.kernel)
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=False)
    found["gcc"] = compiler.stdout.partition("\n")[0].split(" ", 1)[-1]
    return found


def _commit() -> str:
    """The commit whose kernel this is; + if its sources were changed since."""
    def git(*args: str) -> str:
        if not deps.is_there("git"):
            return ""
        return subprocess.run(["git", "-C", str(paths.TOP), *args], capture_output=True, text=True,
                              check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", *kernel.SOURCES, "Makefile")
    return (git("rev-parse", "--short", "HEAD") or "no commit") + ("+" if changed else "")


def _machine() -> str:
    model = "unknown processor"
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            named = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
        model = named[0] if named else model
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} CPUs; QEMU's pc machine under TCG"


def _write(results: Results, options: Options) -> None:
    directory = Path(options.out) if options.out else paths.BUILD / "bench" / "report"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "table.tsv").write_text(bench_report.tsv(results), encoding="utf-8")
        (directory / "results.json").write_text(bench_report.as_json(results), encoding="utf-8")
        (directory / "index.html").write_text(bench_html.page(results), encoding="utf-8")
        if options.doc:
            Path(options.doc).write_text(bench_report.markdown(results), encoding="utf-8")
    except OSError as e:
        raise Failure(f"bench: {e.filename}: {reason(e)}") from None
    shown = directory.relative_to(paths.TOP) if directory.is_relative_to(paths.TOP) else directory
    say(f"bench: {shown}/index.html, table.tsv and results.json are written")
