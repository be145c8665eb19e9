#!/bin/bash
# root: servers
# net: kit
# memory: 3G
# timeout: 300
# Databases: redis under redis-benchmark, memcached, over TCP.
set -e
. /.kevlar/programs/netkit/guest.sh
cd "$(mktemp -d)"; chmod 755 .
redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --daemonize yes --save '' --appendonly yes --dir $PWD > /dev/null
memcached -u nobody -d -l 0.0.0.0
listening 6379; listening 11211
host db
redis-benchmark -q -n 2000 -c 20 -t set,get,lpush,lrange_100,mset --csv > out; cat out >&2; wc -l < out
redis-benchmark -q -n 20000 -c 20 -P 16 -t get --csv | tail -n 1 >&2
redis-cli set a b; redis-cli --pipe < <(for i in $(seq 1000); do echo "RPUSH list $i"; done) | tail -n 1; redis-cli llen list
redis-cli subscribe news > sub & sleep 1; redis-cli publish news hello; sleep 0.5; kill $!; tail -n 1 sub
redis-cli bgrewriteaof > out; sleep 1; redis-cli --raw info persistence | tr -d '\r' | grep -E 'aof_last_bgrewrite_status|aof_last_write_status'
redis-cli shutdown nosave || true
pkill memcached
