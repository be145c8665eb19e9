"""Debian packages that a command needs: found out together, asked for once, installed with apt-get."""

import glob
import os
import shutil
import subprocess
import sys

from .errors import Failure
from .ui import Progress, say

# What to look for -> the Debian package that has it. An absolute path is looked for as a file, * and all.
PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "gcc": "gcc",
    "make": "make",
    "/usr/include/stdlib.h": "libc6-dev",
    "/usr/include/cmocka.h": "libcmocka-dev",
    "/usr/include/linux/types.h": "linux-libc-dev",
    "/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a": "libclang-rt-14-dev",
    "clang": "clang",
    "clang-format-14": "clang-format-14",
    "cppcheck": "cppcheck",
    "pytest-3": "python3-pytest",
    "mmdebstrap": "mmdebstrap",
    "newuidmap": "uidmap",
    "zstd": "zstd",
    "xz": "xz-utils",
    "git": "git",
    "openssl": "openssl",
    "gpg": "gpg",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "curl": "curl",
    "ssh": "openssh-client",
    "rsync": "rsync",
    "wrk": "wrk",
    "iperf3": "iperf3",
    "redis-benchmark": "redis-tools",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
}

BUILD = ("make", "gcc", "/usr/include/stdlib.h")
HOST_TESTS = (*BUILD, "clang", "/usr/include/cmocka.h", "/usr/include/linux/types.h", "pytest-3",
              "/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a")
CHECKS = (*BUILD, "clang", "clang-format-14", "cppcheck", "/usr/include/linux/types.h")

ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}

assume_yes = False  # --yes


def is_there(tool: str) -> bool:
    return bool(glob.glob(tool)) if tool.startswith("/") else shutil.which(tool) is not None


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
    # sudo drops the environment.
    as_root = [] if os.geteuid() == 0 else \
        ["sudo", "env", *(f"{name}={value}" for name, value in ENVIRONMENT.items())]
    if as_root and shutil.which("sudo") is None:
        raise Failure(f"missing packages; as root: apt-get install {' '.join(packages)}")
    apt = as_root + ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3"]
    install = apt + ["install", "-y", "--no-install-recommends", *packages]
    say(f"installing {' '.join(packages)}")
    with Progress("apt-get install"):
        if _error(install) is None:
            return
        # A fresh system has no package lists yet, an old one has lists of packages that are gone. Another
        # vendor's list that cannot be fetched fails an update that did all we need.
        update_error = _error(apt + ["update", "--error-on=any"])
        error = _error(install)
        if error is not None:
            raise Failure(f"apt-get could not install {' '.join(packages)}: {update_error or error}")


def _error(command: list[str]) -> str | None:
    """Runs apt-get; returns the first error it printed if it failed."""
    result = subprocess.run(command, env=dict(os.environ, **ENVIRONMENT), stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            errors="replace", check=False)
    if result.returncode == 0:
        return None
    errors = [line[3:] for line in result.stderr.splitlines() if line.startswith("E: ")]
    return errors[0] if errors else f"status {result.returncode}"
