#!/bin/bash
# root: servers
# net: kit
# memory: 3G
# timeout: 300
# curl with TLS; nginx, haproxy before it, node and python as servers; wrk against each.
set -e
. /.kevlar/programs/netkit/guest.sh
cd "$(mktemp -d)"
curl -sS -O http://www.test/files/ca.pem
curl -sS --cacert ca.pem https://www.test/bytes/1000000 | sha256sum | cut -c 1-16
curl -sS --cacert ca.pem https://www.test/chunked/1000000 | sha256sum | cut -c 1-16
curl -sS --cacert ca.pem https://www.test/close/1000000 | sha256sum | cut -c 1-16
curl -sS https://www.test/ > out 2>&1 || echo "no authority: status $?"
curl -sS --cacert ca.pem https://other.name/ > out 2>&1 || echo "no such name: status $?"
curl -sS http://www.test/cut/10000 -o out 2> err || echo "cut short: status $?, $(wc -c < out) bytes"
seq 200000 > in; curl -sS --data-binary @in http://www.test/sink | cmp - <(echo "$(wc -c < in) $(sha256sum < in | cut -d ' ' -f 1)") && echo "post: same"
curl -sS -C 50 http://www.test/files/ca.pem | cmp - <(tail -c +51 ca.pem) && echo "range: same"
curl -sS --retry 2 --retry-connrefused --retry-delay 1 http://10.0.2.2:9/ 2> err || echo "refused: status $?"

mkdir www; echo "a page" > www/index.html; seq 1000000 > www/big
cat > nginx.conf <<C
worker_processes 2; pid $PWD/nginx.pid; error_log stderr; events { worker_connections 256; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; server { listen 80 backlog=512; listen [::]:80; root $PWD/www; }
       server { listen 8000 backlog=512; root $PWD/www; } }
C
chmod 711 . ; nginx -c $PWD/nginx.conf
cat > haproxy.cfg <<C
defaults
  mode http
  timeout connect 9s
  timeout client 9s
  timeout server 9s
frontend f
  bind :8080
  default_backend b
backend b
  balance roundrobin
  server one 127.0.0.1:80
  server two 127.0.0.1:8000
C
haproxy -D -f haproxy.cfg
cat > s.js <<'J'
const http = require('http'), fs = require('fs');
http.createServer((q, r) => { if (q.url === '/') r.end('a page\n'); else if (q.url === '/big') fs.createReadStream('www/big').pipe(r);
	else { r.statusCode = 404; r.end(); } }).listen(3000);
J
node s.js & python3 -m http.server -d www 443 > /dev/null 2>&1 &
for port in 80 8080 3000 443; do listening $port; done
for port in 80 8080; do echo "port $port"; host web $port; done
for port in 3000 443; do echo "port $port"; host web $port few | grep -v '|'; done  # neither has ranges
curl -sS -6 'http://[::1]/'
for port in 80 8080 3000; do
	wrk -t 2 -c 20 -d 2 --timeout 30s http://127.0.0.1:$port/ > out; grep -E 'Socket errors|Non-2xx' out || true
	awk '/requests in/ {print ($1 > 20 ? "wrk: many" : "wrk: " $1)}' out; grep Requests/sec out >&2
done
