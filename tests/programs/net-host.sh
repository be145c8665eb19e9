#!/bin/bash
# root: servers
# net: kit
# memory: 3G
# timeout: 300
# The other side of the wire is this machine: its wrk, redis-benchmark, iperf3 and curl against servers of the guest, and
# the guest's iperf3 against one here.
set -e
. /.kevlar/programs/netkit/guest.sh
cd "$(mktemp -d)"; chmod 711 .
mkdir www; chmod 755 www; echo "a page" > www/index.html; seq 1000000 > www/big
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out cert -subj /CN=guest -days 9 2> /dev/null
cat > nginx.conf <<C
worker_processes 2; pid $PWD/nginx.pid; error_log stderr; events { worker_connections 256; }
http { access_log off; sendfile on; keepalive_requests 100000; server { listen 80 backlog=512; root $PWD/www;
       listen 443 ssl; ssl_certificate $PWD/cert; ssl_certificate_key $PWD/key; } }
C
nginx -c $PWD/nginx.conf
redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --daemonize yes --save '' > /dev/null
iperf3 -s -D; listening 80; listening 6379; listening 5201
host wrk 80; host wrk-tls 443; host redis 6379
host iperf-client -c GUEST; host iperf-client -c GUEST -R; host iperf-client -c GUEST -P 4; host iperf-client -c GUEST --bidir
host iperf-client -c GUEST -u -b 5M
pkill iperf3; pkill redis; nginx -c $PWD/nginx.conf -s stop

# The server is on the other side.
host iperf-server 5210 5211 5212 5213 5214 5215 5216 | tail -n 1
port=5210
try() { iperf3 -p $((port++)) -t 1 -J "$@" > out 2> err || { cat out err >&2; false; }
	python3 /.kevlar/programs/netkit/moved.py out "$@"; }
try -c 10.0.2.2; try -c 10.0.2.2 -R; try -c 10.0.2.2 -P 4; try -c 10.0.2.2 --bidir; try -c 10.0.2.2 -u -b 5M
ip -6 addr show dev eth0 | grep -q fec0 || { ip addr add fec0::15/64 dev eth0 nodad; sleep 1; }
try -6 -c fec0::2; try -6 -c fec0::2 -R
