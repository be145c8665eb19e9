#!/bin/bash
# root: servers
# net: kit
# memory: 3G
# timeout: 400
# apt: a signed archive by name over HTTP; 50 packages; a list that is not the signed one is refused.
set -e
curl -sS -o /usr/share/keyrings/kit.gpg http://debian.test/files/debian/key.gpg
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
source_at() { echo "deb [signed-by=/usr/share/keyrings/kit.gpg] http://debian.test/files/$1 kit main" > /etc/apt/sources.list; }
export DEBIAN_FRONTEND=noninteractive

source_at debian-bad
! apt-get update -o Acquire::Retries=0 > out 2>&1
grep -o 'Hash Sum mismatch\|unexpected size' out | sort -u | tr '\n' ' '; echo
rm -rf /var/lib/apt/lists/*
mv /usr/share/keyrings/kit.gpg k; cp $(ls /etc/apt/trusted.gpg.d/*bookworm-stable.asc) /usr/share/keyrings/kit.asc
sed -i 's/kit.gpg/kit.asc/; s/debian-bad/debian/' /etc/apt/sources.list
! apt-get update > out 2>&1
grep -o -m 1 'NO_PUBKEY' out
mv k /usr/share/keyrings/kit.gpg

source_at debian
apt-get update > out 2>&1 || { cat out; exit 1; }
grep -c '^Get:' out
apt-cache stats | grep 'Total package names' | grep -c .
apt-get install -y --no-install-recommends $(grep -v ^lib /.kevlar/programs/netkit/packages) > out 2>&1 || { tail -n 30 out >&2; exit 1; }
grep -o '[0-9]* newly installed' out
dpkg -l $(cat /.kevlar/programs/netkit/packages) | grep -c ^ii
dpkg --audit
echo '2^100' | bc; echo '[3,4]' | jq -c 'add'; dc -e '7 6 * p'; figlet ok | wc -l
seq 10 | datamash sum 1; echo hello | m4; lua5.4 -e 'print(2^53|0)'; sqlite3 :memory: 'select 6*7'
tree --noreport /usr/share/keyrings | grep -c kit; echo text > f; zip -q f.zip f && unzip -p f.zip
for c in 'lzip' 'lzop' 'zstd -q' 'pigz' 'pbzip2' 'lz4 -q'; do $c -c < f | ${c%% *} -dc 2> /dev/null; done | sort | uniq -c | tr -s ' '
printf 'all:\n\t@echo made\n' > Makefile; make; mksh -c 'echo $((1+1))'; yash -c 'echo yash'; (lsof -p $$ | grep -q cwd) && echo lsof
apt-get remove -y --purge figlet > out 2>&1; hash -r; type figlet 2>&1 | grep -c 'not found'
