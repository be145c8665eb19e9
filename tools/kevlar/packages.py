"""Single Debian packages, unpacked without being installed."""

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from . import deps, paths
from .errors import Failure
from .ui import Progress

SILENT = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}


@contextmanager
def unpacked(name: str) -> Iterator[Path]:
    """Downloads a package and yields the directory it is unpacked in."""
    deps.require("apt-get", "dpkg-deb")
    with tempfile.TemporaryDirectory(dir=paths.cache()) as scratch, \
            Progress(f"downloading the package {name}"):
        archive, = download([name], Path(scratch))
        tree = Path(scratch) / "tree"
        result = subprocess.run(["dpkg-deb", "-x", archive, tree], **SILENT, check=False)
        if result.returncode != 0:
            raise Failure(f"the package {name} cannot be unpacked")
        yield tree


def download(names: list[str], directory: Path) -> list[Path]:
    """Fetches packages of this machine's sources into an empty directory."""
    deps.require("apt-get")
    error = _apt(["download", *names], directory)
    if len(list(directory.glob("*.deb"))) < len(names):
        # A system that never ran `apt-get update`: lists of our own need no root.
        private = paths.cache() / "apt"
        (private / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        options = ["-o", f"Dir::State::Lists={private / 'lists'}", "-o", f"Dir::Cache={private}"]
        update_error = _apt([*options, "update", "--error-on=any"], directory)
        error = _apt([*options, "download", *names], directory)
        error = update_error or error
    found = list(directory.glob("*.deb"))
    if len(found) < len(names):
        what = f"the package {names[0]}" if len(names) == 1 else f"{len(names) - len(found)} of {len(names)} packages"
        raise Failure(f"{what} cannot be downloaded: {error}")
    return found


def _apt(args: list[str], directory: Path) -> str:
    """Runs apt-get; returns the first error it printed, or "" if all went well."""
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", *args]
    result = subprocess.run(command, cwd=directory, env=dict(os.environ, LC_ALL="C"), text=True,
                            **SILENT, check=False)
    if result.returncode == 0:
        return ""
    errors = [line[3:] for line in result.stderr.splitlines() if line.startswith("E: ")]
    return errors[0] if errors else "apt-get failed"
