#!/bin/bash
# root: servers
# net: kit
# memory: 3G
# timeout: 300
# PostgreSQL under pgbench, over TCP and over unix sockets, and from outside; killed and recovered.
set -e
. /.kevlar/programs/netkit/guest.sh
cd "$(mktemp -d)"; chmod 755 .
pg=/usr/lib/postgresql/15/bin; mkdir pg; chown postgres pg
as() { setpriv --reuid postgres --regid postgres --clear-groups env HOME=$PWD/pg "$@"; }
(cd pg; as $pg/initdb -D data -A trust -N > out; echo 'host all all all trust' >> data/pg_hba.conf; as $pg/pg_ctl -D data -w -s -l log -o "-c listen_addresses=* -c fsync=on -c unix_socket_directories=$PWD" start)
psql() { as $pg/psql -X -q -A -t "$@"; }
cd pg; listening 5432
psql -h 127.0.0.1 -d postgres -c 'create table t as select n, md5(n::text) m from generate_series(1, 20000) n; create index on t (m); select count(*), max(n) from t where m < $$8$$'
psql -h $PWD -d postgres -c "select n from t where m = md5('77'); select pg_is_in_recovery()"
as $pg/pgbench -h 127.0.0.1 -i -s 1 -q postgres 2> /dev/null
as $pg/pgbench -h 127.0.0.1 -c 4 -j 2 -t 50 postgres > out 2> err || { cat err out >&2; false; }
grep -E 'processed|failed' out; grep 'tps' out >&2
as $pg/pgbench -n -h $PWD -S -c 4 -j 2 -t 200 postgres > out 2> err; grep processed out; grep 'tps' out >&2
as $pg/pgbench -n -h $PWD -c 8 -j 2 -T 5 postgres > out 2> err || { cat err out >&2; false; }
grep failed out; grep 'tps' out >&2
host postgres
psql -h 127.0.0.1 -d postgres -c 'select sum(abalance) = sum(tbalance) from (select sum(abalance) abalance from pgbench_accounts) a, (select sum(tbalance) tbalance from pgbench_tellers) b'
as $pg/pg_ctl -D data -s -m immediate stop; as $pg/pg_ctl -D data -w -s -l log -o "-c listen_addresses=* -c unix_socket_directories=$PWD" start
psql -h 127.0.0.1 -d postgres -c 'select count(*) >= 200 from pgbench_history'; as $pg/pg_ctl -D data -s -m fast stop
tail -n +2 /proc/sysvipc/shm
