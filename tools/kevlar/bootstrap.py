"""Debian roots: mmdebstrap's tar stream, turned into an archive as it comes."""

import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Iterator

from . import cpio, deps, initramfs
from .errors import BAD_USAGE, Failure
from .ui import warn

PACKAGES = ("bash musl-tools coreutils grep sed mawk gawk findutils diffutils tar gzip bzip2 xz-utils bc perl python3 "
            "sqlite3 gcc libc6-dev make git procps psmisc lsof vim-tiny less file strace "
            "util-linux iproute2 iputils-ping netcat-openbsd ca-certificates curl openssl busybox-static").split()

# For the tests of tests/programs that talk over a network, with clients and servers inside and outside.
SERVERS = ("bash coreutils grep sed mawk findutils diffutils tar gzip procps psmisc file perl-base python3 "
           "openssh-server openssh-client openssh-sftp-server rsync dropbear-bin nginx-light wrk redis-server "
           "redis-tools postgresql memcached haproxy curl openssl ca-certificates git iperf3 nodejs dnsmasq-base "
           "tcpdump iproute2 iputils-ping traceroute ethtool netcat-openbsd socat busybox-static less "
           "apt-utils").split()

# Where packages are fetched from, and how: what this machine says of it counts for the root too.
FETCHING = re.compile(r"Acquire::(https?|Check-Valid-Until|Check-Date|Retries)\b")

# Nobody reads them inside an initramfs, and they are a third of it.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*",
            "/usr/share/lintian/*")


def make_debian(out: BinaryIO, include: list[str], suite: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*", suite):
        raise Failure(f"debian:{suite}: not a suite such as bookworm or sid", BAD_USAGE)
    _bootstrap(out, suite, PACKAGES + include)


def make_servers(out: BinaryIO, _include: list[str], _version: str) -> None:
    _bootstrap(out, "bookworm", SERVERS)


def _bootstrap(out: BinaryIO, suite: str, packages: list[str]) -> None:
    deps.require("mmdebstrap", *([] if os.geteuid() == 0 else ["newuidmap"]))
    command = ["mmdebstrap", "--variant=minbase", "--quiet", "--format=tar",
               f"--include={','.join(packages)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    command += ['--customize-hook=printf "kevlar\\n" > "$1/etc/hostname"',
                '--customize-hook=rm -f "$1/etc/resolv.conf"',  # this machine's means nothing in there
                '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*',
                *(f"--aptopt={line}" for line in _settings()), suite, "-", *_sources(suite)]
    with _scratch() as scratch, tempfile.TemporaryFile() as errors, subprocess.Popen(
            command, env=dict(os.environ, TMPDIR=scratch), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=errors, start_new_session=True) as process:
        try:
            initramfs.from_tar_stream(process.stdout, out)
            is_whole = True
        except (tarfile.TarError, cpio.BadArchive):
            is_whole = False
        except BaseException:
            _end(process)
            raise
        while process.stdout.read(1 << 20):
            pass
        if process.wait() != 0 or not is_whole:
            errors.seek(0)
            raise Failure(f"mmdebstrap failed: {_first_error(errors.read())}")


@contextmanager
def _scratch() -> Iterator[str]:
    """A directory that is gone afterwards; mmdebstrap's helpers run as other users, too."""
    path = tempfile.mkdtemp(prefix="kevlar-root-")
    os.chmod(path, 0o1777)
    try:
        yield path
    finally:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "replace")
        if path in mounts:  # what is mounted there is not ours to remove
            warn(f"{path} is left behind, with file systems mounted in it")
        else:
            shutil.rmtree(path, ignore_errors=True)


def _end(process: subprocess.Popen) -> None:
    """Ends the whole group: mmdebstrap waits for its children, then unmounts and removes what it made."""
    process.stdout.close()
    for number, patience in ((signal.SIGTERM, 60), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
            return
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def _settings() -> list[str]:
    """This machine's apt settings on fetching: a proxy, most of all."""
    lines = _ask("apt-config", "dump", "--no-empty", "Acquire")
    return ['Acquire::Retries "3";', *(line for line in lines if FETCHING.match(line))]


def _sources(suite: str) -> list[str]:
    """This machine's own sources of the suite; none, for mmdebstrap's own choice, if it has another one."""
    lines = _ask("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
                 "Created-By: Packages")
    ours = re.compile(rf"deb https?://\S+ {suite}(-updates|-security)? main")
    found = [line for line in dict.fromkeys(lines) if ours.fullmatch(line)]
    return found if any(line.endswith(f" {suite} main") for line in found) else []


def _ask(*command: str) -> list[str]:
    """The lines that a tool of apt prints."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, check=False).stdout.splitlines()


def _first_error(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E: ")]
    return (errors or lines or ["without a word"])[0].removeprefix("E: ")
