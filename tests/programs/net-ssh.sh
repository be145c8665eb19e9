#!/bin/bash
# root: servers
# net: kit
# memory: 3G
# timeout: 300
# OpenSSH and dropbear as servers: commands, terminals, scp, sftp, rsync, forwarded ports, shared connections, git.
set -e
. /.kevlar/programs/netkit/guest.sh
mkdir -p /root/.ssh /run/sshd /etc/dropbear /srv; chmod 700 /root/.ssh
host ssh-key > /root/.ssh/authorized_keys
echo "a page" > /srv/index.html; seq 1000000 > /srv/big
(cd /srv; python3 -m http.server --bind 127.0.0.1 80 > /dev/null 2>&1 &)
/usr/sbin/sshd
dropbearkey -t ed25519 -f /etc/dropbear/key > /dev/null 2>&1; dropbear -r /etc/dropbear/key -p 2022 2> /dev/null
listening 22; listening 2022; listening 80
echo "openssh"; host ssh 22 full
echo "dropbear"; host ssh 2022
# This machine's own client, and git through it.
cd "$(mktemp -d)"; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; cat /root/.ssh/id_ed25519.pub >> /root/.ssh/authorized_keys
export GIT_SSH_COMMAND='ssh -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR' GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e
git init -q --bare -b main /srv/repo.git; git init -q -b main a; (cd a; seq 50000 > f; git add f; git commit -q -m first; git push -q ssh://root@localhost/srv/repo.git main)
git clone -q ssh://root@localhost/srv/repo.git b; git -C b log --format=%s; cmp a/f b/f && echo "git over ssh: same"
git -C /srv/repo.git update-server-info; git clone -q http://127.0.0.1/repo.git c && git -C c log --format=%s
git daemon --base-path=/srv --export-all --reuseaddr --detach; listening 9418; git clone -q git://127.0.0.1/repo.git d && git -C d log --format=%s
pkill -f http.server; pkill sshd; pkill dropbear; pkill -f git-daemon || true
