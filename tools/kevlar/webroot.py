"""The web root: BusyBox with Debian's nginx and redis and no more than they load. Small, since every
benchmark of them boots it from memory."""

import subprocess
import tempfile
from pathlib import Path
from typing import BinaryIO

from . import busybox, cpio, deps, packages, paths
from .errors import Failure

PROGRAMS = ("nginx", "redis-tools")  # redis-server is a link to a program of redis-tools
LIBRARIES = ("libatomic1 libc6 libcap2 libcrypt1 libgcc-s1 libgcrypt20 libgpg-error0 libhiredis0.14 libjemalloc2 "
             "liblua5.1-0 liblz4-1 liblzf1 liblzma5 libpcre2-8-0 libssl3 libstdc++6 libsystemd0 libzstd1 "
             "lua-bitop lua-cjson zlib1g").split()
TREES = ("lib", "lib64", "usr/lib/x86_64-linux-gnu", "usr/sbin", "usr/bin")
LEFT_OUT = ("gconv", "audit", "perl5", "engines-3", "ossl-modules")

NGINX = """\
worker_processes 1; user nobody nogroup; pid /run/nginx.pid; error_log /var/log/nginx-errors;
events { worker_connections 512; }
http {
	access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; default_type text/plain;
	server { listen 80 backlog=512; root /srv; }
}
"""
SIZES = {"1k": 1 << 10, "100k": 100 << 10, "1m": 1 << 20}  # /srv/NAME


def make_web(out: BinaryIO, _include: list[str], _version: str) -> None:
    deps.require("dpkg-deb")
    writer = cpio.Writer(out)
    busybox.add_busybox(writer)
    with tempfile.TemporaryDirectory(dir=paths.cache()) as scratch:
        debs, tree = Path(scratch, "debs"), Path(scratch, "tree")
        debs.mkdir()
        for deb in packages.download([*PROGRAMS, *LIBRARIES], debs):
            if subprocess.run(["dpkg-deb", "-x", deb, tree], **packages.SILENT, check=False).returncode:
                raise Failure(f"the package {deb.name} cannot be unpacked")
        for name in TREES:
            busybox.add_tree(writer, tree / name, name, LEFT_OUT)
    writer.symlink("usr/bin/redis-server", "redis-check-rdb")
    writer.text("etc/nginx.conf", NGINX)
    for name in ("var/lib/nginx", "var/log/nginx", "srv"):
        writer.directory(name)
    for name, size in SIZES.items():
        writer.text(f"srv/{name}", ("0123456789abcde\n" * (size // 16)))
    writer.close()
