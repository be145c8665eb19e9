#!/bin/bash
# root: servers
# net: kit
# memory: 3G
# Names by glibc's resolver: two questions at once, answers late, in any order, lost, too long, and none.
set -e
ip -6 addr show dev eth0 | grep -q fec0 || ip addr add fec0::15/64 dev eth0 nodad  # a resolver asks for AAAA only then
cat /etc/resolv.conf
for name in www.test v4.test v6.test cname.test delay300.test swap.test trunc.test; do
	echo "$name: $(getent ahosts $name | awk '$2 == "STREAM" {print $1}' | sort | head -n 3 | tr '\n' ' ')"
done
for name in nx.test servfail.test refused.test nothing.invalid; do
	getent ahosts $name || echo "$name: status $?"
done
sed -i '1i options timeout:1' /etc/resolv.conf
echo "drop.test: $(getent ahostsv4 drop.test | awk '$2 == "STREAM" {print $1}')"
