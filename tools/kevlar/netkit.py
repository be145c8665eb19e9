"""The test network (tests/programs/netkit) around a machine: a process, its namespaces, its packages.

A namespace of its own gives the servers port 53 without root, keeps tests that run side by side apart, and
keeps the guest in: nothing it sends leaves this machine.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from . import packages, paths
from .errors import Failure
from .net import Network, Port
from .ui import Progress

TOOLS = ("unshare", "nsenter", "openssl", "gpg", "dpkg-deb", "apt-get")
CLIENTS = ("ssh", "rsync", "curl", "wrk", "iperf3", "redis-benchmark")  # for KIT/host
KIT = paths.TESTS / "programs" / "netkit"
GUEST = "127.0.0.2"  # where the guest's ports are published, in the namespace
TCP = (22, 80, 443, 2022, 3000, 5201, 5432, 6379, 8000, 8080, 9418, 11211)
UDP = (5201,)


def network() -> Network:
    return Network([Port(GUEST, number, number, protocol)
                    for protocol, numbers in (("tcp", TCP), ("udp", UDP)) for number in numbers])


@contextmanager
def running() -> Iterator[list[str]]:
    """Yields the words that put a command into the test network."""
    debs = debian_packages()
    own_user = [] if os.geteuid() == 0 else ["--map-root-user"]
    with tempfile.TemporaryDirectory(dir=paths.cache(), prefix="netkit-") as scratch, \
            Progress("starting the test network"), subprocess.Popen(
                ["unshare", *own_user, "--net", "--mount", sys.executable, "-B", KIT / "serve.py", scratch, debs],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            if process.stdout.readline() != b"ready\n":
                process.stdin.close()
                lines = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
                raise Failure(f"the test network did not start: {lines[-1] if lines else 'without a word'}")
            enter_user = ["--user", "--preserve-credentials"] if own_user else []
            yield ["nsenter", "--target", str(process.pid), *enter_user, "--net", "--mount", "--wdns=/"]
        finally:
            process.kill()


def debian_packages() -> Path:
    """A directory with the packages of KIT/packages, downloaded once for each change of that list."""
    text = (KIT / "packages").read_text()
    directory = paths.cache() / f"debs-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    if not directory.exists():
        names = text.split()
        with tempfile.TemporaryDirectory(dir=paths.cache()) as scratch, \
                Progress(f"downloading {len(names)} packages"):
            new = Path(scratch) / "debs"
            new.mkdir()
            packages.download(names, new)
            for old in paths.cache().glob("debs-*"):
                for path in (*old.iterdir(), old):
                    path.unlink() if path.is_file() else path.rmdir()
            os.rename(new, directory)
    return directory
