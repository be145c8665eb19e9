#!/bin/bash
# root: debian
# net: kit
# memory: 2G
# timeout: 300
# Every step of `apk update` and `apk add`, by programs linked to musl in a root of musl and busybox.
set -e
cd "$(mktemp -d)"
mkdir -p top/{bin,lib,etc,proc,dev,tmp,usr/share/udhcpc}
musl-gcc -O2 -Wall -o top/bin/net-musl /.kevlar/programs/net-musl.c
cp -a /lib/ld-musl-x86_64.so.1 top/lib/; cp -aL /usr/lib/x86_64-linux-musl/libc.so top/lib/libc.so; ln -sf libc.so top/lib/ld-musl-x86_64.so.1
cp /bin/busybox top/bin/busybox
for applet in $(top/bin/busybox --list | grep -vx busybox); do ln -s busybox top/bin/$applet; done
mount -t proc proc top/proc; mount --bind /dev top/dev

# The address anew, by DHCP, with a script as Alpine's.
cat > top/usr/share/udhcpc/default.script <<'S'
#!/bin/sh
case $1 in
deconfig) ip addr flush dev $interface; ip link set $interface up ;;
bound|renew)
	ip addr add $ip/$mask dev $interface
	for r in $router; do ip route add default via $r dev $interface; done
	for d in $dns; do echo nameserver $d; done > /etc/resolv.conf
	echo "$1 $ip/$mask router $router dns $dns lease $lease" ;;
esac
S
chmod 755 top/usr/share/udhcpc/default.script
export PATH=/bin
inside() { /usr/sbin/chroot top "$@"; }
inside ip addr flush dev eth0; inside ip link set eth0 down; inside ip route
inside timeout 30 udhcpc -i eth0 -q -n -f -s /usr/share/udhcpc/default.script 2> err || cat err >&2
inside ip route | sort; inside cat /etc/resolv.conf; inside ping -c 1 -W 3 10.0.2.2 | grep -o '1 packets received'

# Names: two questions at once, the answers as they please.
sed -i '1i options timeout:1' top/etc/resolv.conf
inside net-musl names www.test v4.test v6.test cname.test delay300.test swap.test nx.test servfail.test drop.test
# HTTP over one connection, and with closed ones; busybox's own client.
inside net-musl http www.test /bytes/10 /bytes/0 /bytes/1000000 /slow/20000 /request
inside net-musl closed www.test /close/300000; inside net-musl closed www.test /cut/5000 
inside wget -q -O - http://www.test/chunked/100000 | inside sha256sum
inside wget -q -O - http://www.test/bytes/100000 | inside sha256sum
inside wget -q -O /dev/null http://www.test/status/404 || echo "wget: status $?"

# A package: its archive, the archive's sum, the index's signature.
mkdir src; cd src; mkdir -p usr/bin etc/thing; seq 100000 > usr/bin/big; echo one > etc/thing/a; ln -s a etc/thing/b; ln usr/bin/big usr/bin/same
chmod 4755 usr/bin/big; chown -h 7:7 etc/thing/a; for i in $(seq 100); do echo $i > etc/thing/f$i; done
touch -d @1700000000 etc/thing/a; tar --format=ustar -czf ../pkg.apk etc/thing usr; cd ..
openssl genrsa -out k.pem 1024 2> /dev/null; openssl rsa -in k.pem -pubout -out top/etc/k.pub 2> /dev/null
sha256sum < pkg.apk > top/tmp/sum; openssl dgst -sha256 -sign k.pem -out top/tmp/sig pkg.apk
curl -sS -T pkg.apk http://www.test/put/pkg.apk
mkdir -p top/new/etc top/new/usr/bin
inside net-musl unpack www.test /files/put/pkg.apk /new
diff -r src top/new && echo same; (cd top/new; stat -c '%n %a %u %Y' etc/thing/a; stat -c '%n %a %u %h' usr/bin/big; readlink etc/thing/b; find . -name '*.apk-new' | wc -l)
inside wget -q -O /tmp/pkg.apk http://www.test/files/put/pkg.apk; inside sha256sum < top/tmp/pkg.apk | cmp - top/tmp/sum && echo sum
openssl dgst -sha256 -verify top/etc/k.pub -signature top/tmp/sig top/tmp/pkg.apk
printf x | dd of=top/tmp/pkg.apk bs=1 seek=1000 conv=notrunc 2> /dev/null
openssl dgst -sha256 -verify top/etc/k.pub -signature top/tmp/sig top/tmp/pkg.apk 2> /dev/null || echo "spoilt: status $?"
umount top/proc top/dev
