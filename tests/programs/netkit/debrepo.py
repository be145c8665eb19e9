"""A Debian archive made of .deb files, signed with a key of its own, as apt wants it.

Source: the Debian repository format (deb822 indexes, InRelease signed inline), deb(5).
"""

import gzip
import hashlib
import os
import shutil
import subprocess
from email.utils import formatdate
from pathlib import Path

SUITE = "kit"
INDEX = f"dists/{SUITE}/main/binary-amd64/Packages"


def make(debs: list[Path], top: Path, home: Path) -> None:
    """Writes dists/, pool/ and key.gpg into `top`; `home` is an empty directory for GnuPG."""
    (top / "pool").mkdir(parents=True)
    (top / INDEX).parent.mkdir(parents=True)
    index = "".join(_stanza(deb, top) for deb in debs).encode()
    (top / INDEX).write_bytes(index)
    (top / f"{INDEX}.gz").write_bytes(gzip.compress(index, mtime=0))
    release = top / "dists" / SUITE / "Release"
    release.write_text(_release(top))
    home.chmod(0o700)
    _gpg(home, "--passphrase", "", "--quick-gen-key", "Kevlar test archive <archive@test>", "rsa3072", "sign")
    _gpg(home, "--output", top / "key.gpg", "--export")
    _gpg(home, "--digest-algo", "SHA512", "--clearsign", "--output", release.with_name("InRelease"), release)
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, capture_output=True)


def spoil(good: Path, bad: Path) -> None:
    """A copy whose list of packages is not the one that was signed."""
    shutil.copytree(good, bad, copy_function=os.link)
    for path in (bad / INDEX, bad / f"{INDEX}.gz"):
        data = gzip.compress(b"Package: evil\n") if path.suffix else b"Package: evil\n"
        path.unlink()
        path.write_bytes(data)


def _stanza(deb: Path, top: Path) -> str:
    control = subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True).stdout
    data = deb.read_bytes()
    os.link(deb, top / "pool" / deb.name) if deb.stat().st_dev == top.stat().st_dev else \
        shutil.copy(deb, top / "pool")
    return (f"{control.rstrip()}\nFilename: pool/{deb.name}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n\n")


def _release(top: Path) -> str:
    lines = [f"Origin: kevlar\nLabel: kevlar\nSuite: {SUITE}\nCodename: {SUITE}\nDate: {formatdate(usegmt=True)}",
             "Architectures: amd64\nComponents: main\nSHA256:"]
    for path in (top / INDEX, top / f"{INDEX}.gz"):
        data = path.read_bytes()
        name = path.relative_to(top / "dists" / SUITE)
        lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}")
    return "\n".join(lines) + "\n"


def _gpg(home: Path, *words) -> None:
    subprocess.run(["gpg", "--homedir", home, "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback",
                    *words], check=True, stdin=subprocess.DEVNULL, capture_output=True)
