#!/bin/sh
# root: busybox, musl, debian
# What a shell session asks of a kernel: pipelines, redirections, subshells, signals, jobs, files.
set -e
cd "$(mktemp -d)"
echo "pipeline: $(printf '%s\n' c a b | sort | tr '\n' ' ')"
printf 'one\ntwo\nthree\n' > f
while read -r l; do printf '<%s>' "$l"; done < f; echo
echo "subshell: $( (cd /; pwd); pwd | wc -l)"
cat <<EOF2 | sed 's/x/y/g'
here xx document
EOF2
(exit 3) || echo "status $?"
sleep 0.1 & wait $!; echo "waited $?"
sh -c 'kill -TERM $$' || echo "signal status $?"
trap 'echo trapped' USR1; kill -USR1 $$; trap - USR1
mkfifo p; (echo through-fifo > p) & cat p; wait
mkdir -p d/e; echo x > d/e/g; ln d/e/g h; ln -s d/e/g s; echo "links: $(stat -c %h h) $(readlink s)"
mv d d2; find . -type f | sort | tr '\n' ' '; echo
chmod 640 h; stat -c %a h
dd if=/dev/zero of=big bs=1024 count=3000 2>/dev/null; wc -c < big
tar cf t.tar d2 && mkdir x && tar xf t.tar -C x && cat x/d2/e/g
gzip -c big | gzip -dc | cmp - big && echo gzip-ok
seq 1 1000 | awk '{s+=$1} END {print s}'
yes | head -n 100000 | wc -l
i=0; while [ $i -lt 200 ]; do (exit 0); i=$((i+1)); done; echo "forks: $i"
echo abc > ro; chmod 000 ro; cat ro
rm -rf "$PWD"/*; ls | wc -l
