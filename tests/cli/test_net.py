"""`--net` and `--publish`: what a machine finds of its network, and who reaches it from outside."""

import contextlib
import http.server
import re
import socket
import subprocess
import threading
import unittest

from support import TestCase, run, start


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the page\n")

    def log_message(self, *_args):
        pass


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Inside(TestCase):
    def test_address_names_and_route(self):
        result = run("--", "sh", "-c", "ip -o -4 addr show dev eth0; ip route; cat /etc/resolv.conf")
        text = result.stdout.decode()
        self.assertIn("inet 10.0.2.15/24", text, result.stderr)
        self.assertIn("default via 10.0.2.2 dev eth0", text)
        self.assertTrue(text.endswith("nameserver 10.0.2.3\n"), text)
        self.assertEqual(result.stderr, b"")

    def test_this_machine_is_reached(self):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            result = run("--", "wget", "-q", "-O", "-", f"http://10.0.2.2:{server.server_address[1]}/")
            server.shutdown()
        self.assertEqual((result.stdout, result.stderr), (b"the page\n", b""))

    def test_none(self):
        result = run("--net", "none", "--", "sh", "-c", "ls /sys/class/net; ls /etc/resolv.conf")
        self.assertEqual(result.stdout, b"lo\n")

    def test_own_address(self):
        """An ip= of the user's is the last word: no DHCP, and nothing is set up behind it."""
        result = run("--append", "ip=off", "--", "sh", "-c", "ip -o -4 addr | grep -v 127.0.0.1; ls /etc/resolv.conf")
        self.assertEqual(result.stdout, b"")

    def test_own_resolv_conf_stays(self):
        root = self.scratch() / "root"
        subprocess.run(["mkdir", "-p", root / "etc", root / "bin"], check=True)
        (root / "etc" / "resolv.conf").write_text("nameserver 192.0.2.1\n")
        from kevlar import packages
        with packages.unpacked("busybox-static") as tree:
            program = next(path for path in tree.rglob("busybox") if path.is_file() and path.parent.name == "bin")
            (root / "bin" / "cat").write_bytes(program.read_bytes())
        (root / "bin" / "cat").chmod(0o755)
        result = run("--root", str(root), "--", "/bin/cat", "/etc/resolv.conf")
        self.assertEqual((result.stdout, result.stderr), (b"nameserver 192.0.2.1\n", b""))


class Published(TestCase):
    def serve(self, *args: str) -> subprocess.Popen:
        """A machine whose command says `ready`."""
        process = start(*args)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def test_tcp(self):
        one, two = free_port(), free_port()
        self.serve("--publish", f"{one}:80", "--publish", f"127.0.0.1:{two}:8000/tcp", "--", "sh", "-c",
                   "httpd -p 80 -h /etc; httpd -p 8000 -h /etc; echo ready; sleep 60")
        for port in (one, two):
            with contextlib.closing(socket.create_connection(("127.0.0.1", port), 30)) as s:
                s.sendall(b"GET /hostname HTTP/1.0\r\n\r\n")
                answer = s.makefile("rb").read()
            self.assertRegex(answer.decode(), re.compile(r"^HTTP/1.\d 200 OK\r\n.*\r\n\r\nkevlar\n$", re.DOTALL))

    def test_udp(self):
        """Nobody listens, which is counted; this BusyBox has no server for datagrams."""
        port = free_port(socket.SOCK_DGRAM)
        process = self.serve("--publish", f"{port}:7/udp", "--", "sh", "-c", "echo ready; while ! awk "
                             "'/^Udp: [0-9]/ {exit $3 == 0}' /proc/net/snmp; do sleep 0.1; done; echo arrived")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"datagram", ("127.0.0.1", port))
            self.assertEqual(process.stdout.readline(), b"arrived\n")


if __name__ == "__main__":
    unittest.main()
