"""Keys and certificates of a test's own: an authority, and a server's certificate signed by it."""

import ssl
import subprocess
from pathlib import Path

NAMES = "subjectAltName=DNS:www.test,DNS:*.test,IP:10.0.2.2,IP:127.0.0.1"


def make(directory: Path) -> ssl.SSLContext:
    """Writes ca.pem, server.pem, server.key and returns what a server needs."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl("req", "-x509", *key, "-keyout", directory / "ca.key", "-out", directory / "ca.pem",
             "-subj", "/CN=kevlar test authority", "-days", "30",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl("req", *key, "-keyout", directory / "server.key", "-out", directory / "server.csr",
             "-subj", "/CN=www.test", "-addext", NAMES)
    _openssl("x509", "-req", "-in", directory / "server.csr", "-out", directory / "server.pem", "-days", "30",
             "-CA", directory / "ca.pem", "-CAkey", directory / "ca.key", "-CAcreateserial",
             "-copy_extensions", "copy")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    return context


def _openssl(*words) -> None:
    subprocess.run(["openssl", *words], check=True, stdin=subprocess.DEVNULL, capture_output=True)
