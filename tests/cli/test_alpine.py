"""`--root alpine` against a mirror on this machine: what is asked for, what is refused, what is kept."""

import contextlib
import functools
import gzip
import hashlib
import http.server
import io
import os
import socket
import subprocess
import tarfile
import threading
import unittest
from pathlib import Path

from support import LIMIT, PROGRAM, TestCase

LISTING = """\
---
-
  title: "Standard"
  branch: v3.99
  version: 3.99.2
  flavor: alpine-standard
  file: alpine-standard-3.99.2-x86_64.iso
  sha256: 0000000000000000000000000000000000000000000000000000000000000000
-
  title: "Mini root filesystem"
  desc: |
    Minimal root filesystem.
    For use in containers
    and minimal chroots.
  branch: v3.99
  version: 3.99.2
  flavor: alpine-minirootfs
  file: alpine-minirootfs-3.99.2-x86_64.tar.gz
  sha256: {digest}
  sha512: 11
"""


def minirootfs() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("./etc/alpine-release")
        info.size = 7
        tar.addfile(info, io.BytesIO(b"3.99.2\n"))
    return gzip.compress(out.getvalue())


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


class Mirror(TestCase):
    def setUp(self):
        self.dir = self.scratch()
        self.files = self.dir / "www" / "v3.99" / "releases" / "x86_64"
        self.files.mkdir(parents=True)
        for branch in ("latest-stable", "edge"):
            (self.dir / "www" / branch).symlink_to("v3.99")
        data = minirootfs()
        self.archive = self.files / "alpine-minirootfs-3.99.2-x86_64.tar.gz"
        self.archive.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        (self.files / "latest-releases.yaml").write_text(LISTING.format(digest=digest))
        Path(f"{self.archive}.sha256").write_text(f"{digest}  {self.archive.name}\n")
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Quiet, directory=self.dir / "www"))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.mirror = f"http://127.0.0.1:{self.server.server_address[1]}"

    def make(self, spec: str, mirror: str | None = None) -> subprocess.CompletedProcess:
        env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        env |= {"XDG_CACHE_HOME": str(self.dir), "KEVLAR_ALPINE_MIRROR": mirror or self.mirror}
        return subprocess.run([PROGRAM, "root", "make", spec], env=env, capture_output=True,
                              timeout=LIMIT, check=False)

    def kept(self) -> list[str]:
        top = self.dir / "kevlar"
        return sorted(p.name.partition("-")[0] for p in top.rglob("*") if p.is_file() and p.stat().st_size)

    def test_releases(self):
        for spec in ("alpine", "alpine:3.99", "alpine:3.99.2", "alpine:edge"):
            with self.subTest(spec=spec):
                result = self.make(spec)
                self.assertEqual((result.returncode, result.stdout), (0, b""), result.stderr)
                self.assertIn(f"the {spec} root is", result.stderr.decode())
        self.assertEqual(self.kept(), ["alpine", "alpine:3.99", "alpine:3.99.2", "alpine:edge"])

    def test_no_such_release(self):
        self.assert_one_line(self.make("alpine:3.98"), "alpine:3.98: .* has no such release", 125)
        self.assert_one_line(self.make("alpine:3.99.3"), "alpine:3.99.3: .* has no such release", 125)
        self.assertEqual(self.kept(), [])

    def test_wrong_content(self):
        self.archive.write_bytes(gzip.compress(b"something else"))
        for spec in ("alpine", "alpine:3.99.2"):
            self.assert_one_line(self.make(spec), "minirootfs-3.99.2.*: the checksum is wrong", 125)
        self.assertEqual(self.kept(), [])

    def test_bad_lists(self):
        (self.files / "latest-releases.yaml").write_text("---\n- nothing\n")
        Path(f"{self.archive}.sha256").write_text("<html>\n")
        for spec in ("alpine", "alpine:3.99.2"):
            self.assert_one_line(self.make(spec), "no checksum for the minirootfs", 125)

    def test_no_way_out(self):
        with contextlib.closing(socket.socket()) as s:
            s.bind(("127.0.0.1", 0))
            mirror = f"http://127.0.0.1:{s.getsockname()[1]}/alpine"
            self.assert_one_line(self.make("alpine", mirror),
                                 f"the alpine root cannot be fetched from {mirror}: Connection refused", 125)
        self.assert_one_line(self.make("alpine", "http://mirror.invalid"),
                             "cannot be fetched from http://mirror.invalid: ", 125)
        self.assert_one_line(self.make("alpine", "nonsense"), "cannot be fetched from nonsense: ", 125)

    def test_kept(self):
        """What was fetched once needs no network."""
        self.assertEqual(self.make("alpine").returncode, 0)
        path = next((self.dir / "kevlar" / "roots").glob("alpine-*.cpio"))
        self.assertIn(b"etc/alpine-release", path.read_bytes())
        # `make` fetches it anew; one that cannot leaves the old one as it was.
        self.assertEqual(self.make("alpine", "http://mirror.invalid").returncode, 125)
        self.assertTrue(path.exists())


if __name__ == "__main__":
    unittest.main()
