"""The Alpine root: the minirootfs of a release, as its makers publish it, checked by their checksum.

KEVLAR_ALPINE_MIRROR names another mirror. `latest-releases.yaml` lists a branch's newest files; an exact
release has a checksum file of its own beside it.
"""

import hashlib
import http.client
import os
import re
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

from . import initramfs, paths
from .errors import BAD_USAGE, Failure, reason

MIRROR = "https://dl-cdn.alpinelinux.org/alpine"
ARCH = "x86_64"
PATIENCE = 20.0  # seconds without a byte
SMALL = 1 << 20  # no list is larger
VERSION = re.compile(r"(\d+\.\d+)(\.\d+)?|edge|latest-stable")


def make_alpine(out: BinaryIO, _include: list[str], version: str) -> None:
    match = VERSION.fullmatch(version)
    if match is None:
        raise Failure(f"alpine:{version}: not a release such as 3.20, 3.20.3 or edge", BAD_USAGE)
    branch = f"v{match[1]}" if match[1] else version
    where = f"{mirror()}/{branch}/releases/{ARCH}"
    if match[2]:
        name = f"alpine-minirootfs-{version}-{ARCH}.tar.gz"
        digest = _read(f"{where}/{name}.sha256", version).split()[:1]
    else:
        name, *digest = _newest(_read(f"{where}/latest-releases.yaml", version))
    if not digest or not re.fullmatch(r"[0-9a-f]{64}", digest[0]):
        raise Failure(f"{where}: no checksum for the minirootfs of alpine:{version} is there")
    with tempfile.NamedTemporaryFile(dir=paths.cache(), prefix=".alpine-") as archive:
        found = _download(f"{where}/{name}", version, archive)
        if found != digest[0]:
            raise Failure(f"{where}/{name}: the checksum is wrong: {found}, not {digest[0]}")
        initramfs.from_tar(Path(archive.name), out)


def mirror() -> str:
    return os.environ.get("KEVLAR_ALPINE_MIRROR", MIRROR).rstrip("/")


def _newest(listing: str) -> list[str]:
    """File name and SHA-256 of the minirootfs: its entry begins with a dash, one key a line."""
    for entry in re.split(r"^-", listing, flags=re.MULTILINE):
        keys = dict(re.findall(r"^\s+(\w+): *\"?([^\s\"]+)\"?\s*$", entry, re.MULTILINE))
        name = keys.get("file", "")
        if keys.get("flavor") == "alpine-minirootfs" and re.fullmatch(r"[\w.-]+\.tar\.gz", name):
            return [name, keys.get("sha256", "")]
    return [""]


def _read(url: str, version: str) -> str:
    with _open(url, version) as f:
        return _take(f, url, SMALL).decode("utf-8", "replace")


def _download(url: str, version: str, out: BinaryIO) -> str:
    """Returns the SHA-256 of what came."""
    digest = hashlib.sha256()
    with _open(url, version) as f:
        while data := _take(f, url, initramfs.BUFFER):
            digest.update(data)
            out.write(data)
    out.flush()
    return digest.hexdigest()


def _take(f, url: str, size: int) -> bytes:
    try:
        return f.read(size)
    except http.client.HTTPException:
        raise Failure(f"{url}: it ended too early") from None
    except OSError as e:
        raise Failure(f"{url}: {reason(e)}") from None


def _open(url: str, version: str):
    try:
        return urllib.request.urlopen(url, timeout=PATIENCE)
    except urllib.error.HTTPError as e:
        if e.code == 404:
            raise Failure(f"alpine:{version}: {mirror()} has no such release") from None
        raise Failure(f"{url}: {e.code} {e.reason}") from None
    except (OSError, ValueError, http.client.HTTPException) as e:
        cause = getattr(e, "reason", e)
        text = reason(cause) if isinstance(cause, OSError) else str(cause)
        raise Failure(f"the alpine root cannot be fetched from {mirror()}: {text}") from None
