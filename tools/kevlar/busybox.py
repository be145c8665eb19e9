"""The small roots: Debian's static BusyBox, alone or with musl's dynamic loader."""

import os
import stat
import subprocess
from pathlib import Path
from typing import BinaryIO

from . import cpio, packages
from .errors import Failure

DIRECTORIES = ("bin", "sbin", "usr/bin", "usr/sbin", "lib", "etc", "dev", "proc", "sys", "run", "mnt",
               "home", "var/log", "var/run", "var/tmp")

FILES = {
    "etc/passwd": """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
""",
    "etc/group": """\
root:x:0:
daemon:x:1:
tty:x:5:
disk:x:6:
users:x:100:
nogroup:x:65534:
""",
    "etc/shadow": "root::19000:0:99999:7:::\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n::1\t\tlocalhost\n",
    "etc/hostname": "kevlar\n",
    "etc/os-release": 'ID=busybox\nNAME="BusyBox"\nPRETTY_NAME="BusyBox (Debian\'s static build)"\n',
    "etc/profile": """\
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PS1='\\w \\$ '
""",
    # For a boot without the agent (--plain).
    "etc/inittab": """\
::sysinit:/etc/init.d/rcS
ttyS0::respawn:-/bin/sh
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/umount -a -r
""",
}

STARTUP = """\
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
hostname -F /etc/hostname
"""

NODES = (("console", 0o600, 5, 1), ("null", 0o666, 1, 3), ("zero", 0o666, 1, 5), ("tty", 0o666, 5, 0),
         ("random", 0o666, 1, 8), ("urandom", 0o666, 1, 9), ("ttyS0", 0o600, 4, 64))


def make_busybox(out: BinaryIO, _include: list[str], _version: str) -> None:
    writer = cpio.Writer(out)
    add_busybox(writer)
    writer.close()


def make_musl(out: BinaryIO, _include: list[str], _version: str) -> None:
    """BusyBox and what a dynamically linked musl program needs."""
    writer = cpio.Writer(out)
    add_busybox(writer)
    with packages.unpacked("musl") as tree:
        add_tree(writer, tree / "lib", "lib")
        add_tree(writer, tree / "usr" / "lib", "usr/lib")
    writer.close()


def add_busybox(writer: cpio.Writer) -> None:
    for name in DIRECTORIES:
        writer.directory(name)
    writer.directory("root", 0o700)
    writer.directory("tmp", 0o1777)
    for name, text in FILES.items():
        writer.text(name, text, 0o600 if name == "etc/shadow" else 0o644)
    writer.text("etc/init.d/rcS", STARTUP, 0o755)
    for name, mode, major, minor in NODES:
        writer.node(f"dev/{name}", stat.S_IFCHR | mode, major, minor)
    with packages.unpacked("busybox-static") as tree:
        program = tree / "bin" / "busybox"
        if not program.exists():
            program = tree / "usr" / "bin" / "busybox"
        writer.host_file("bin/busybox", program)
        for applet in _applets(program):
            writer.symlink(applet, "/bin/busybox")
    writer.symlink("init", "/bin/busybox")


def _applets(program: Path) -> list[str]:
    """The paths of all applets, as the program itself names them."""
    try:
        text = subprocess.run([program, "--list-full"], capture_output=True, text=True,
                              check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise Failure("Debian's busybox does not run on this machine") from None
    return [name for name in text.split() if name != "bin/busybox"]


def add_tree(writer: cpio.Writer, top: Path, prefix: str, left_out: tuple[str, ...] = ()) -> None:
    """Adds what is below `top`, without the directories named in `left_out`."""
    for directory, directories, files in os.walk(top):
        directories[:] = [name for name in directories if name not in left_out]
        for file in sorted(files):
            source = Path(directory) / file
            name = f"{prefix}/{source.relative_to(top)}"
            if source.is_symlink():
                writer.symlink(name, os.readlink(source))
            else:
                writer.host_file(name, source, source.stat().st_mode)
