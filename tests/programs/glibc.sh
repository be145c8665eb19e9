#!/bin/bash
# root: debian
# memory: 2G
# timeout: 300
# glibc programs, unmodified: interpreters, a database, a compiler, version control.
set -e
cd "$(mktemp -d)"
export HOME=$PWD LC_ALL=C
perl -e 'my %h = map { $_ => $_ ** 2 } 1..100; my $s = 0; $s += $_ for values %h; print "perl $s\n"'
python3 -c 'import json, os, subprocess, threading, tempfile, hashlib
r = []
ts = [threading.Thread(target=lambda i=i: r.append(i * i)) for i in range(16)]
[t.start() for t in ts]; [t.join() for t in ts]
print("python", sum(r), subprocess.run(["sh", "-c", "exit 5"]).returncode, json.dumps({"a": [1, 2]}))
print(hashlib.sha256(b"kevlar").hexdigest()[:16])'
sqlite3 t.db 'create table t(a int, b text); insert into t values (1, "x"), (2, "y"); select sum(a), group_concat(b) from t;'
sqlite3 t.db 'begin; insert into t select a + 10, b from t; commit; select count(*) from t; pragma integrity_check;'
cat > hello.c <<'C'
#include <pthread.h>
#include <stdio.h>
static void *add(void *p) { __atomic_fetch_add((int *)p, 1, __ATOMIC_SEQ_CST); return NULL; }
int main(void) { int n = 0; pthread_t t[8]; for (int i = 0; i < 8; i++) pthread_create(&t[i], NULL, add, &n);
	for (int i = 0; i < 8; i++) pthread_join(t[i], NULL); printf("hello from %d threads\n", n); return 0; }
C
gcc -O2 -pthread hello.c -o hello && ./hello
printf 'all: a b\na b:\n\t@sleep 0.1; echo made $@ > $@\n' > Makefile && make -s -j2 && cat a b
git init -q repo && cd repo && git config user.email a@b && git config user.name n
echo one > f && git add f && git commit -q -m first && echo two >> f && git commit -q -a -m second
git log --format=%s && git diff HEAD~1 --stat | tail -n 1
cd ..
tar czf - repo | tar tzf - | grep -c '^repo/.git/objects/'
grep -r second repo/.git/logs | wc -l
sed -n '$=' repo/f
