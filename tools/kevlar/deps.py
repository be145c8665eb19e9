"""Debian packages that a command needs: found out together, asked for once, installed with apt-get."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .errors import Failure
from .ui import Progress, say

# What to look for -> the Debian package that has it. An absolute path is looked for as a file.
PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "gcc": "gcc",
    "make": "make",
    "/usr/include/stdlib.h": "libc6-dev",
    "mmdebstrap": "mmdebstrap",
    "newuidmap": "uidmap",
    "zstd": "zstd",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
}

assume_yes = False  # --yes


def is_there(tool: str) -> bool:
    return Path(tool).exists() if tool.startswith("/") else shutil.which(tool) is not None


def require(*tools: str) -> None:
    """Sees to it that every tool is there, or raises Failure naming what is missing."""
    missing = [tool for tool in tools if not is_there(tool)]
    if not missing:
        return
    packages = list(dict.fromkeys(PACKAGES[tool] for tool in missing))
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise Failure(f"missing: {' '.join(missing)} (Debian packages {names})")
    if not _may_install(names):
        raise Failure(f"missing packages; as root: apt-get install {names}")
    _install(packages)
    still = [tool for tool in tools if not is_there(tool)]
    if still:
        raise Failure(f"{' '.join(still)} is missing even with {names} installed")


def _may_install(names: str) -> bool:
    if assume_yes:
        return True
    if sys.stdin.isatty() and sys.stderr.isatty():
        print(f"kevlar: missing packages: {names}; install them with apt-get? [Y/n] ",
              end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("", "y", "yes")
    return os.geteuid() == 0


def _install(packages: list[str]) -> None:
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    if as_root and shutil.which("sudo") is None:
        raise Failure(f"missing packages; as root: apt-get install {' '.join(packages)}")
    install = as_root + ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "-qq",
                         "--no-install-recommends", *packages]
    say(f"installing {' '.join(packages)}")
    with Progress("apt-get install"):
        if _quiet(install) == 0:
            return
        # A fresh system has no package lists yet.
        if _quiet(as_root + ["apt-get", "update", "-qq"]) != 0 or _quiet(install) != 0:
            raise Failure(f"apt-get could not install {' '.join(packages)}")


def _quiet(command: list[str]) -> int:
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode
