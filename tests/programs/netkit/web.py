"""An HTTP server for tests: files with ranges, and answers of every shape.

  /files/PATH        a file below the directory served; Range, If-Modified-Since
  /bytes/N           N bytes (a known pattern), with a length
  /chunked/N         the same in chunks of changing size, without a length
  /close/N           the same, ended by closing the connection
  /cut/N             announces twice N, closes after N
  /slow/N            N bytes in twenty pieces, 20 ms apart
  /status/CODE       that status
  /request           the number of this request on its connection
  /echo (POST)       what was sent; /sink: its length and SHA-256
  /put/NAME (PUT)    keeps it as /files/put/NAME
  /run (POST)        runs a program of host/ on this side; see serve.py

Connections are kept unless the client or the path says otherwise.
"""

import hashlib
import http.server
import itertools
import os
import re
import shlex
import socket
import ssl
import subprocess
import threading
import time
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote

SCRIPT_LIMIT = 100.0


def pattern(size: int) -> bytes:
    """Bytes of which any 8 in order tell their place."""
    return b"".join(b"%07x\n" % n for n in range(0, size, 8))[:size]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    top: Path
    scripts: Path
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.requests = 0

    def log_message(self, format, *args):  # noqa: A002 (its name there)
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.requests += 1
        _empty, what, rest = (self.path.partition("?")[0] + "//").split("/", 2)
        rest = rest.rstrip("/")
        if what == "files":
            self._file(unquote(rest))
        elif what == "request":
            self._send(b"%d\n" % self.requests)
        elif rest.isdigit() and what in ("bytes", "chunked", "close", "cut", "slow", "status"):
            getattr(self, f"_{what}")(int(rest))
        else:
            self._status(404)

    def do_POST(self):
        self.requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/echo":
            self._send(body)
        elif self.path == "/sink":
            self._send(f"{len(body)} {hashlib.sha256(body).hexdigest()}\n".encode())
        elif self.path == "/run":
            self._send(self._run(shlex.split(body.decode())))
        else:
            self._status(404)

    def do_PUT(self):
        """Below /put, a file that /files/put has from then on."""
        self.requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        match = re.fullmatch(r"/put/([\w.-]+)", self.path)
        if match:
            (self.top / "put").mkdir(exist_ok=True)
            (self.top / "put" / match[1]).write_bytes(body)
        self._status(201 if match else 404)

    def _send(self, body: bytes, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._write(body)

    def _write(self, body: bytes) -> None:
        if self.command != "HEAD":
            self.wfile.write(body)

    def _status(self, code: int) -> None:
        self._send(b"" if code in (204, 304) else b"status %d\n" % code, code)

    def _bytes(self, size: int) -> None:
        self._send(pattern(size))

    def _chunked(self, size: int) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        data, at = pattern(size), 0
        for piece in itertools.cycle((1, 10, 1000, 4096, 70000)):
            part = data[at:at + piece]
            self._write(b"%x\r\n%s\r\n" % (len(part), part))
            at += piece
            if not part:
                return

    def _close(self, size: int, announced: int | None = None) -> None:
        self.send_response(200)
        if announced is not None:
            self.send_header("Content-Length", str(announced))
        self.send_header("Connection", "close")
        self.end_headers()
        self._write(pattern(size))
        self.close_connection = True

    def _cut(self, size: int) -> None:
        self._close(size, 2 * size)

    def _slow(self, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        data = pattern(size)
        for at in range(0, size, max(1, size // 20)):
            self._write(data[at:at + max(1, size // 20)])
            time.sleep(0.02)

    def _file(self, name: str) -> None:
        path = (self.top / name).resolve()
        if not path.is_file() or not path.is_relative_to(self.top.resolve()):
            self._status(404)
            return
        changed = int(path.stat().st_mtime)
        stamp = {"Last_Modified": formatdate(changed, usegmt=True), "Accept_Ranges": "bytes"}
        since = self.headers.get("If-Modified-Since")
        if since and parsedate_to_datetime(since).timestamp() >= changed:
            self._status(304)
            return
        data = path.read_bytes()
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not match:
            self._send(data, **stamp)
            return
        start, end = int(match[1]), min(int(match[2] or len(data)), len(data) - 1)
        if start >= len(data):
            self._send(b"", 416, Content_Range=f"bytes */{len(data)}")
            return
        self._send(data[start:end + 1], 206, Content_Range=f"bytes {start}-{end}/{len(data)}", **stamp)

    def _run(self, words: list[str]) -> bytes:
        """What the program wrote, and a last line `status N`."""
        program = self.scripts / words[0] if words and re.fullmatch(r"[\w-]+", words[0]) else None
        if program is None or not program.exists():
            return b"there is no such program\nstatus 127\n"
        try:
            result = subprocess.run([program, *words[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=SCRIPT_LIMIT, check=False)
            return result.stdout + b"status %d\n" % result.returncode
        except subprocess.TimeoutExpired as e:
            return (e.stdout or b"") + b"\ntimed out\nstatus 124\n"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, port: int, handler, context: ssl.SSLContext | None):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._context = context
        super().__init__((address, port), handler)

    def finish_request(self, request, client_address):
        """The handshake belongs to the connection's own thread."""
        if self._context is None:
            super().finish_request(request, client_address)
            return
        with self._context.wrap_socket(request, server_side=True) as tls:
            super().finish_request(tls, client_address)
            tls.unwrap()

    def handle_error(self, request, client_address):
        pass  # a client that goes away is no news here


def serve(top: Path, scripts: Path, address: str, port: int, context: ssl.SSLContext | None = None) -> None:
    """Binds at once, serves in threads."""
    handler = type("Bound", (Handler,), {"top": top, "scripts": scripts})
    server = Server(address, port, handler, context)
    threading.Thread(target=server.serve_forever, daemon=True).start()
