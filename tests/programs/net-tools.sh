#!/bin/bash
# root: servers
# net: kit
# memory: 3G
# timeout: 300
# What is used to look at a network: ip, ss, ethtool, ping, traceroute, tcpdump, dnsmasq, iperf3, nc, socat.
set -e
. /.kevlar/programs/netkit/guest.sh
cd "$(mktemp -d)"
ip -br link | awk '{print $1, $3}' | sort
ip -4 -o addr | awk '{print $2, $4}' | sort; ip route get 10.0.2.3 | head -n 1 | sed 's/ uid.*//; s/ *$//'
ip addr add 192.0.2.1/24 dev lo; ip -4 -o addr show lo | wc -l; ip addr del 192.0.2.1/24 dev lo
ip route add 198.51.100.0/24 via 10.0.2.2; ip route show 198.51.100.0/24 | sed 's/ *$//'; ip route del 198.51.100.0/24
ip rule | wc -l; ip link set lo mtu 1400; cat /sys/class/net/lo/mtu; ip link set lo mtu 65536
ethtool -i eth0 | head -n 1; ethtool eth0 | grep -o 'Link detected: yes'
ping -c 3 -i 0.2 -q 10.0.2.2 | grep -o '3 packets transmitted, 3 received'
ping -c 2 -i 0.2 -s 4000 -q 127.0.0.1 | grep -o '2 received'; ping -6 -c 2 -i 0.2 -q ::1 | grep -o '2 received'
ping -c 1 -W 1 -q 127.0.0.1 -I eth0 > /dev/null 2>&1 || echo "ping through the wrong card: status $?"
ip neigh | awk '/10.0.2.2 / {print $1, $NF}' | sed 's/STALE\|DELAY\|PROBE/REACHABLE/'
traceroute -n -q 1 -w 2 127.0.0.1 | awk 'NR == 2 {print $1, $2}'

nc -l 7001 > got & sleep 0.5; seq 5000 | nc -N 127.0.0.1 7001; wait $! || true; seq 5000 | cmp - got && echo "nc: same"
nc -u -l 7002 > gotu & p=$!; sleep 0.5; echo datagram | nc -u -w 1 127.0.0.1 7002; kill $p; cat gotu
socat TCP6-LISTEN:7003,fork EXEC:'tr a-z A-Z' & p=$!; sleep 0.5
echo loud | socat -t 2 - 'TCP6:[::1]:7003'; ss -H -l -t -n 'sport = :7003' | awk '{print $1, $4}'; kill $p
socat -u TCP-LISTEN:7004,reuseaddr SYSTEM:'sleep 30' & sleep 0.5; sleep 30 | socat -u - TCP:127.0.0.1:7004 & sleep 1
ss -H -t -n state established 'sport = :7004' | awk '{print $3, $4 ~ /127.0.0.1/}'; ss -s | grep -c TCP; pkill socat; pkill sleep

tcpdump -i any -U -w cap 'port 80 or port 53' 2> /dev/null & p=$!; sleep 1.5; curl -sS http://www.test/bytes/100000 -o b; sleep 1; kill $p; wait $p || true
tcpdump -n -r cap 2> /dev/null > text;  grep -c 'A? www.test' text; grep -c 'Flags \[S\]' text; grep -o 'GET /bytes/100000' text
grep -o 'length [0-9]*' text | awk '{n += $2} END {print (n >= 100000)}'

cat > d.conf <<C
port=5353
no-resolv
server=10.0.2.3
address=/made.up/192.0.2.7
listen-address=127.0.0.1
bind-interfaces
cache-size=100
user=root
C
dnsmasq -C d.conf; cp /etc/resolv.conf old; sed -i 's/^port.*/port=53/' d.conf; pkill dnsmasq; sleep 0.3; dnsmasq -C d.conf
echo nameserver 127.0.0.1 > /etc/resolv.conf; getent ahostsv4 made.up | awk 'NR == 1 {print $1}'; getent ahostsv4 www.test | awk 'NR == 1 {print $1}'
getent ahostsv4 trunc.test | grep -c STREAM; cp old /etc/resolv.conf; pkill dnsmasq

# A server for each: one that has not quite ended with a client says that it is busy.
for port in $(seq 5201 5208); do iperf3 -s -D -p $port; listening $port; done; port=5201
try() { iperf3 -p $((port++)) -t 1 -J "$@" > out || { cat out >&2; false; }
	python3 -c 'import json, sys
e = json.load(open("out"))["end"]
r = e.get("sum_received") or e["sum"]
print(sys.argv[1:], "moved" if r["bytes"] > 100000 else r["bytes"], r.get("lost_percent", 0) < 50)
print(sys.argv[1:], round(r["bits_per_second"] / 1e6), "Mbit/s", file=sys.stderr)' "$@"; }
try -c 127.0.0.1; try -c 127.0.0.1 -R; try -c 127.0.0.1 -P 4; try -6 -c ::1; try -u -b 20M -c 127.0.0.1; try -6 -u -b 20M -c ::1; try -c 127.0.0.1 -l 100; try -c 127.0.0.1 -N
pkill iperf3
