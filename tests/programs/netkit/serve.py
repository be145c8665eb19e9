#!/usr/bin/python3
"""The network that a guest under test sees: a name server, web servers, a Debian archive.

    serve.py SCRATCH [DEBS]

Runs in namespaces of its own (tools/kevlar/netkit.py makes them), so that it may have port 53 and
nobody else on the machine meets it: the guest's QEMU is put there too. Everything listens on 127.0.0.1 and
::1, which the guest reaches as 10.0.2.2 and fec0::2; published ports of the guest are on 127.0.0.2. Writes
`ready` when all is bound, and ends with its standard input.

  53      names (dns.py); 10.0.2.3 leads here too
  80, 443 the web (web.py); below /files: ca.pem, debian/, debian-bad/, kit/ (this directory)
  8       the same without TLS, for /run: a program of host/ run on this side, for clients of the guest
"""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import debrepo
import dns
import tls
import web

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
HERE = Path(__file__).resolve().parent


def prepare(scratch: Path) -> None:
    """Loopback up; the resolver of this namespace, and so QEMU's, is ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        name = b"lo".ljust(16, b"\0")
        flags = struct.unpack_from("16sH", fcntl.ioctl(s, SIOCGIFFLAGS, name + bytes(24)))[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH22x", name, flags | IFF_UP))
    resolver = scratch / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", resolver, os.path.realpath("/etc/resolv.conf")], check=True)


def main() -> None:
    scratch = Path(sys.argv[1])
    prepare(scratch)
    www = scratch / "www"
    www.mkdir()
    context = tls.make(scratch)
    shutil.copy(scratch / "ca.pem", www)
    if len(sys.argv) > 2:
        (scratch / "gpg").mkdir()
        debrepo.make(sorted(Path(sys.argv[2]).glob("*.deb")), www / "debian", scratch / "gpg")
        debrepo.spoil(www / "debian", www / "debian-bad")
    names = dns.Responder()
    os.environ |= {"GUEST": "127.0.0.2", "SCRATCH": str(scratch)}
    for address in ("127.0.0.1", "::1"):
        names.serve(address)
        web.serve(www, HERE / "host", address, 80)
        web.serve(www, HERE / "host", address, 443, context)
    web.serve(www, HERE / "host", "127.0.0.1", 8)
    print("ready", flush=True)
    sys.stdin.read()


main()
