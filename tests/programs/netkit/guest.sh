# For scripts in the guest: source it.
KIT=/.kevlar/programs/netkit

# Runs a program of netkit/host on the other side; its output and its status are this function's.
host() {
	curl -sS --max-time 120 --data-binary "$*" http://10.0.2.2:8/run > /tmp/host.out || return 125
	sed '$d' /tmp/host.out
	return "$(sed -n '$s/^status //p' /tmp/host.out)"
}

# Waits until something listens on a TCP port of this machine.
listening() {
	for _ in $(seq 300); do
		(: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null && return
		sleep 0.1
	done
	echo "nothing listens on port $1" >&2
	return 1
}
