"""The Debian root: mmdebstrap's tar stream, turned into an archive as it comes."""

import os
import subprocess
import tarfile
import tempfile
from typing import BinaryIO

from . import cpio, deps, initramfs
from .errors import Failure

SUITE = "bookworm"
PACKAGES = ("bash coreutils grep sed mawk gawk findutils diffutils tar gzip bzip2 xz-utils bc perl python3 "
            "sqlite3 gcc libc6-dev make git procps psmisc lsof vim-tiny less file strace "
            "util-linux iproute2 iputils-ping netcat-openbsd ca-certificates").split()

# Nobody reads them inside an initramfs, and they are a third of it.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*",
            "/usr/share/lintian/*")


def make_debian(out: BinaryIO, include: list[str]) -> None:
    deps.require("mmdebstrap", *([] if os.geteuid() == 0 else ["newuidmap"]))
    command = ["mmdebstrap", "--variant=minbase", "--quiet", "--format=tar",
               f"--include={','.join(PACKAGES + include)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    command += ['--customize-hook=printf "kevlar\\n" > "$1/etc/hostname"',
                '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*',
                SUITE, "-"]
    with tempfile.TemporaryFile() as errors, subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            start_new_session=True) as process:  # it ends its whole process group when it is ended
        try:
            initramfs.from_tar_stream(process.stdout, out)
            is_whole = True
        except (tarfile.TarError, cpio.BadArchive):
            is_whole = False
        except BaseException:
            process.terminate()
            raise
        while process.stdout.read(1 << 20):
            pass
        if process.wait() != 0 or not is_whole:
            errors.seek(0)
            raise Failure(f"mmdebstrap failed: {_first_error(errors.read())}")


def _first_error(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E: ")]
    return (errors or lines or ["without a word"])[0].removeprefix("E: ")
