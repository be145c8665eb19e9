/* /proc/net: what it says of sockets, devices and counters, and that it is so. Source: proc(5), RFC 4113, 4293. */

#include "inet_test.h"

/* A file's text, one after the other in static buffers. */
static char *proc(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/net/%s", name);
	return test_slurp(path);
}

/* The counter `name` of a group in /proc/net/snmp or netstat. */
static long counter(const char *file, const char *group, const char *name)
{
	char *text = proc(file), head[64], *names, *values, *n, *v, *np, *vp;

	snprintf(head, sizeof(head), "%s: ", group);
	for (names = text; names && strncmp(names, head, strlen(head)) != 0; names++)
		if (!(names = strchr(names, '\n')))
			break;
	CHECK(names != NULL);
	values = strchr(names, '\n') + 1;
	CHECK(strncmp(values, head, strlen(head)) == 0);
	*strchr(names, '\n') = 0;
	*strchrnul(values, '\n') = 0;
	n = strtok_r(names, " ", &np);
	v = strtok_r(values, " ", &vp);
	for (; n && v; n = strtok_r(NULL, " ", &np), v = strtok_r(NULL, " ", &vp))
		if (strcmp(n, name) == 0)
			return strtol(v, NULL, 10);
	FAIL("no %s in %s of %s", name, group, file);
}

static long counter6(const char *name)
{
	char *text = proc("snmp6");

	for (char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, strlen(name)) == 0 && at[strlen(name)] == ' ')
			return strtol(at + strcspn(at, "\t"), NULL, 10);
	}
	FAIL("no %s in snmp6", name);
}

/* The line of /proc/net/FILE about the socket, with its local address before; NULL: none. */
static char *line_of(const char *file, int fd)
{
	struct stat st;
	char *text = proc(file), ino[32];

	CHECK_OK(fstat(fd, &st));
	snprintf(ino, sizeof(ino), " %lu ", (unsigned long)st.st_ino);
	for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"))
		if (strstr(at, ino))
			return at;
	return NULL;
}

static int udp_at(const char *addr, int port)
{
	struct name n = name_of(addr, port);
	int fd = socket(n.a.sa_family, SOCK_DGRAM, 0);

	CHECK_OK(fd);
	CHECK_OK(bind(fd, &n.a, n.len));
	return fd;
}

TEST(udp_socket_has_a_line)
{
	unsigned a, p, ra, rp, st, tx, rx, uid;
	struct name n;
	char *line;
	int fd, to;

	lo_up();
	fd = udp_at("127.0.0.1", 7001);
	line = line_of("udp", fd);
	CHECK(line != NULL);
	CHECK_EQ(strlen(line), 127);
	CHECK_EQ(sscanf(line, " %*d: %X:%X %X:%X %X %X:%X %*X:%*X %*X %u", &a, &p, &ra, &rp, &st, &tx, &rx, &uid), 8);
	CHECK_EQ(a, htonl(INADDR_LOOPBACK));
	CHECK_EQ(p, 7001);
	CHECK_EQ(ra, 0);
	CHECK_EQ(rp, 0);
	CHECK_EQ(st, 7);
	CHECK_EQ(tx, 0);
	CHECK_EQ(rx, 0);
	CHECK_EQ(uid, getuid());
	CHECK(line_of("udp6", fd) == NULL);

	/* Connected, and with something to read. */
	to = udp_at("127.0.0.1", 7002);
	n = local_name(to);
	CHECK_OK(connect(fd, &n.a, n.len));
	n = local_name(fd);
	CHECK_EQ(sendto(to, "hello", 5, 0, &n.a, n.len), 5);
	line = line_of("udp", fd);
	CHECK_EQ(sscanf(line, " %*d: %X:%X %X:%X %X %X:%X", &a, &p, &ra, &rp, &st, &tx, &rx), 7);
	CHECK_EQ(ra, htonl(INADDR_LOOPBACK));
	CHECK_EQ(rp, 7002);
	CHECK_EQ(st, 1);
	CHECK(rx >= 5);
	close(fd);
	CHECK(line_of("udp", to) != NULL);
}

TEST(udp6_socket_has_a_line)
{
	char a[40], *line;
	unsigned p, st;
	int fd;

	lo_up();
	fd = udp_at("::1", 7003);
	line = line_of("udp6", fd);
	CHECK(line != NULL);
	CHECK_EQ(sscanf(line, " %*d: %32[0-9A-F]:%X %*[0-9A-F]:%*X %X", a, &p, &st), 3);
	CHECK_STR(a, "00000000000000000000000001000000");
	CHECK_EQ(p, 7003);
	CHECK_EQ(st, 7);
}

TEST(many_sockets_are_all_there_in_small_reads)
{
	static char text[1 << 20];
	int fds[600], f, found = 0;
	size_t n = 0;
	ssize_t r;

	for (int i = 0; i < 600; i++)
		fds[i] = udp_at("127.0.0.1", 20000 + i);
	f = open("/proc/net/udp", O_RDONLY);
	CHECK_OK(f);
	while ((r = read(f, text + n, 700)) > 0)
		n += (size_t)r;
	for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
		unsigned p;

		if (sscanf(at, " %*d: %*X:%X", &p) == 1 && p >= 20000 && p < 20600)
			found++;
	}
	CHECK_EQ(found, 600);
	for (int i = 0; i < 600; i++)
		close(fds[i]);
}

TEST(udp_counters_count)
{
	long in, out, noports, requests, delivers, octets, unreach, sent;
	struct name n, nobody = name4("127.0.0.1", 7999);
	int a, b;
	char c[16];

	lo_up();
	a = udp_at("127.0.0.1", 7004);
	b = udp_at("127.0.0.1", 7005);
	n = local_name(b);
	in = counter("snmp", "Udp", "InDatagrams");
	out = counter("snmp", "Udp", "OutDatagrams");
	requests = counter("snmp", "Ip", "OutRequests");
	delivers = counter("snmp", "Ip", "InDelivers");
	octets = counter("netstat", "IpExt", "InOctets");
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(sendto(a, "0123456789", 10, 0, &n.a, n.len), 10);
		CHECK_EQ(recv(b, c, sizeof(c), 0), 10);
	}
	CHECK(counter("snmp", "Udp", "OutDatagrams") >= out + 10);
	CHECK(counter("snmp", "Udp", "InDatagrams") >= in + 10);
	CHECK(counter("snmp", "Ip", "OutRequests") >= requests + 10);
	CHECK(counter("snmp", "Ip", "InDelivers") >= delivers + 10);
	CHECK(counter("netstat", "IpExt", "InOctets") >= octets + 380);

	noports = counter("snmp", "Udp", "NoPorts");
	unreach = counter("snmp", "Icmp", "InDestUnreachs");
	sent = counter("snmp", "Icmp", "OutDestUnreachs");
	CHECK_EQ(sendto(a, "x", 1, 0, &nobody.a, nobody.len), 1);
	CHECK(counter("snmp", "Udp", "NoPorts") > noports);
	CHECK(counter("snmp", "Icmp", "OutDestUnreachs") > sent);
	CHECK(counter("snmp", "Icmp", "InDestUnreachs") > unreach);
	CHECK(counter("snmp", "IcmpMsg", "InType3") > 0);
	CHECK(counter("snmp", "IcmpMsg", "OutType3") > 0);
}

TEST(a_full_queue_counts)
{
	long errors, full;
	int a, b, size = 1;
	unsigned drops;
	struct name n;
	char big[1000] = "", *line;

	lo_up();
	a = udp_at("127.0.0.1", 7006);
	b = udp_at("127.0.0.1", 7007);
	CHECK_OK(setsockopt(b, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	errors = counter("snmp", "Udp", "InErrors");
	full = counter("snmp", "Udp", "RcvbufErrors");
	n = local_name(b);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(sendto(a, big, sizeof(big), 0, &n.a, n.len), (long)sizeof(big));
	CHECK(counter("snmp", "Udp", "RcvbufErrors") >= full + 30);
	CHECK(counter("snmp", "Udp", "InErrors") >= errors + 30);
	line = line_of("udp", b);
	while (line[strlen(line) - 1] == ' ')
		line[strlen(line) - 1] = 0;
	CHECK_EQ(sscanf(strrchr(line, ' '), " %u", &drops), 1);
	CHECK(drops >= 30);
}

TEST(udp6_counters_count)
{
	long in = counter6("Udp6InDatagrams"), out = counter6("Udp6OutDatagrams"),
	     noports = counter6("Udp6NoPorts"), ip = counter6("Ip6InReceives");
	struct name n, nobody = name6("::1", 7999);
	int a, b;
	char c[16];

	lo_up();
	a = udp_at("::1", 7008);
	b = udp_at("::1", 7009);
	n = local_name(b);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(sendto(a, "0123456789", 10, 0, &n.a, n.len), 10);
		CHECK_EQ(recv(b, c, sizeof(c), 0), 10);
	}
	CHECK_EQ(sendto(a, "x", 1, 0, &nobody.a, nobody.len), 1);
	CHECK(counter6("Udp6InDatagrams") >= in + 5);
	CHECK(counter6("Udp6OutDatagrams") >= out + 6);
	CHECK(counter6("Ip6InReceives") >= ip + 5);
	CHECK(counter6("Udp6NoPorts") >= noports + 1);
}

static void lo_counts(unsigned long *rx, unsigned long *tx)
{
	char *at = strstr(proc("dev"), "lo:");

	CHECK(at != NULL);
	CHECK_EQ(sscanf(at, "lo: %*u %lu %*u %*u %*u %*u %*u %*u %*u %lu", rx, tx), 2);
}

TEST(dev_counts_packets)
{
	unsigned long rx, tx, rx2, tx2;
	struct name n;
	int a;

	lo_up();
	a = udp_at("127.0.0.1", 7010);
	n = local_name(a);
	lo_counts(&rx, &tx);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(sendto(a, "x", 1, 0, &n.a, n.len), 1);
	lo_counts(&rx2, &tx2);
	CHECK(rx2 >= rx + 10);
	CHECK(tx2 >= tx + 10);
}

TEST(if_inet6_has_the_loopback_address)
{
	lo_up();
	CHECK(strstr(proc("if_inet6"), "00000000000000000000000000000001 01 80 10 80       lo\n") != NULL);
}

TEST(sockstat_counts_sockets)
{
	int used, inuse, used2, inuse2, inuse6, inuse62, fds[20];
	char *text = proc("sockstat");

	CHECK_EQ(sscanf(text, "sockets: used %d", &used), 1);
	CHECK_EQ(sscanf(strstr(text, "UDP: "), "UDP: inuse %d", &inuse), 1);
	CHECK_EQ(sscanf(strstr(proc("sockstat6"), "UDP6: "), "UDP6: inuse %d", &inuse6), 1);
	lo_up();
	for (int i = 0; i < 10; i++) {
		fds[i] = udp_at("127.0.0.1", 7100 + i);
		fds[10 + i] = udp_at("::1", 7100 + i);
	}
	text = proc("sockstat");
	CHECK_EQ(sscanf(text, "sockets: used %d", &used2), 1);
	CHECK_EQ(sscanf(strstr(text, "UDP: "), "UDP: inuse %d", &inuse2), 1);
	CHECK_EQ(sscanf(strstr(proc("sockstat6"), "UDP6: "), "UDP6: inuse %d", &inuse62), 1);
	CHECK(used2 >= used + 20);
	CHECK_EQ(inuse2, inuse + 10);
	CHECK_EQ(inuse62, inuse6 + 10);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	CHECK_EQ(sscanf(proc("sockstat"), "sockets: used %d", &used), 1);
	CHECK(used <= used2 - 20);
}

TEST(proc_net_is_a_link_to_the_readers_own)
{
	char to[64] = "";

	CHECK_EQ(readlink("/proc/net", to, sizeof(to) - 1), 8);
	CHECK_STR(to, "self/net");
	CHECK_OK(access("/proc/self/net/snmp", R_OK));
		CHECK_ERR(access("/proc/net/no_such_file", F_OK), ENOENT);
	CHECK_ERR(access("/proc/net/wireless", F_OK), ENOENT);
}

static int tcp_listener(const char *addr, int port)
{
	struct name n = name_of(addr, port);
	int fd = socket(n.a.sa_family, SOCK_STREAM, 0), one = 1;

	CHECK_OK(fd);
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CHECK_OK(bind(fd, &n.a, n.len));
	CHECK_OK(listen(fd, 5));
	return fd;
}

static int tcp_connect(const char *addr, int port)
{
	struct name n = name_of(addr, port);
	int fd = socket(n.a.sa_family, SOCK_STREAM, 0);

	CHECK_OK(fd);
	CHECK_OK(connect(fd, &n.a, n.len));
	return fd;
}

static void wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, 5000), 1);
}

/* Fields of a line of tcp or tcp6: ports, state, queues. */
static void tcp_fields(const char *file, int fd, unsigned f[5])
{
	char *line = line_of(file, fd);

	CHECK(line != NULL);
	CHECK_EQ(sscanf(line, " %*d: %*[0-9A-F]:%X %*[0-9A-F]:%X %X %X:%X", &f[0], &f[1], &f[2], &f[3], &f[4]), 5);
	CHECK(strcmp(file, "tcp") != 0 || strlen(line) == 149);
}

TEST(tcp_sockets_have_lines)
{
	int l, c, a;
	unsigned f[5];
	char x[8];

	lo_up();
	l = tcp_listener("127.0.0.1", 7200);
	tcp_fields("tcp", l, f);
	CHECK_EQ(f[0], 7200);
	CHECK_EQ(f[1], 0);
	CHECK_EQ(f[2], 10);
	c = tcp_connect("127.0.0.1", 7200);
	wait_readable(l);
	tcp_fields("tcp", l, f); /* one waits to be accepted */
	CHECK_EQ(f[4], 1);
	CHECK_OK(a = accept(l, NULL, NULL));
	tcp_fields("tcp", l, f);
	CHECK_EQ(f[4], 0);
	tcp_fields("tcp", c, f);
	CHECK_EQ(f[1], 7200);
	CHECK_EQ(f[2], 1);
	tcp_fields("tcp", a, f);
	CHECK_EQ(f[0], 7200);
	CHECK_EQ(f[2], 1);
	CHECK_EQ(write(c, "hello", 5), 5);
	wait_readable(a);
	tcp_fields("tcp", a, f);
	CHECK_EQ(f[3], 0);
	CHECK_EQ(f[4], 5);
	CHECK_EQ(read(a, x, 5), 5);
	tcp_fields("tcp", a, f);
	CHECK_EQ(f[4], 0);
	CHECK_OK(shutdown(c, SHUT_WR));
	tcp_fields("tcp", a, f);
	CHECK_EQ(f[2], 8); /* CLOSE_WAIT */
	tcp_fields("tcp", c, f);
	CHECK(f[2] == 5 || f[2] == 4); /* FIN_WAIT2, or FIN_WAIT1 until the ACK comes */
	close(a);
	CHECK(strstr(proc("tcp"), ":1C20 06 ") != NULL); /* 7200, TIME_WAIT */
	close(c);
}

TEST(tcp6_sockets_have_lines)
{
	int l, c;
	unsigned f[5];

	lo_up();
	l = tcp_listener("::1", 7201);
	c = tcp_connect("::1", 7201);
	wait_readable(l);
	tcp_fields("tcp6", l, f);
	CHECK_EQ(f[0], 7201);
	CHECK_EQ(f[2], 10);
	CHECK_EQ(f[4], 1);
	tcp_fields("tcp6", c, f);
	CHECK_EQ(f[1], 7201);
	CHECK_EQ(f[2], 1);
	CHECK(line_of("tcp", l) == NULL);
}

TEST(tcp_counters_count)
{
	long active, passive, in, out, estab, fails, resets, rsts;
	struct name n = name4("127.0.0.1", 7999);
	struct linger hard = { .l_onoff = 1 };
	int l, c, a, fd;

	lo_up();
	l = tcp_listener("127.0.0.1", 7202);
	active = counter("snmp", "Tcp", "ActiveOpens");
	passive = counter("snmp", "Tcp", "PassiveOpens");
	in = counter("snmp", "Tcp", "InSegs");
	out = counter("snmp", "Tcp", "OutSegs");
	estab = counter("snmp", "Tcp", "CurrEstab");
	fails = counter("snmp", "Tcp", "AttemptFails");
	resets = counter("snmp", "Tcp", "EstabResets");
	rsts = counter("snmp", "Tcp", "OutRsts");
	c = tcp_connect("127.0.0.1", 7202);
	CHECK_OK(a = accept(l, NULL, NULL));
	CHECK_EQ(write(c, "x", 1), 1);
	CHECK(counter("snmp", "Tcp", "ActiveOpens") >= active + 1);
	CHECK(counter("snmp", "Tcp", "PassiveOpens") >= passive + 1);
	CHECK(counter("snmp", "Tcp", "OutSegs") >= out + 4);
	CHECK(counter("snmp", "Tcp", "InSegs") >= in + 4);
	CHECK_EQ(counter("snmp", "Tcp", "CurrEstab"), estab + 2);

	CHECK_OK(fd = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_ERR(connect(fd, &n.a, n.len), ECONNREFUSED);
	CHECK(counter("snmp", "Tcp", "AttemptFails") >= fails + 1);
	CHECK(counter("snmp", "Tcp", "OutRsts") >= rsts + 1);

	CHECK_OK(setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)));
	close(c);
	CHECK(counter("snmp", "Tcp", "EstabResets") >= resets + 1);
	CHECK_EQ(counter("snmp", "Tcp", "CurrEstab"), estab);
	close(a);
}

TEST(a_full_listener_counts)
{
	long overflows, drops;
	struct name n = name4("127.0.0.1", 7203);
	int l;

	lo_up();
	l = tcp_listener("127.0.0.1", 7203);
	CHECK_OK(listen(l, 0));
	overflows = counter("netstat", "TcpExt", "ListenOverflows");
	drops = counter("netstat", "TcpExt", "ListenDrops");
	for (int i = 0; i < 4; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		CHECK_OK(fd);
		connect(fd, &n.a, n.len);
	}
	CHECK(counter("netstat", "TcpExt", "ListenOverflows") > overflows);
	CHECK(counter("netstat", "TcpExt", "ListenDrops") > drops);
}

TEST(sockstat_counts_tcp)
{
	int inuse, tw, inuse2, tw2, l, c, a;
	char *text;

	lo_up();
	text = strstr(proc("sockstat"), "TCP: ");
	CHECK_EQ(sscanf(text, "TCP: inuse %d orphan %*d tw %d", &inuse, &tw), 2);
	l = tcp_listener("127.0.0.1", 7204);
	c = tcp_connect("127.0.0.1", 7204);
	CHECK_OK(a = accept(l, NULL, NULL));
	text = strstr(proc("sockstat"), "TCP: ");
	CHECK_EQ(sscanf(text, "TCP: inuse %d orphan %*d tw %d", &inuse2, &tw2), 2);
	CHECK_EQ(inuse2, inuse + 3);
	close(c);
	close(a);
	text = strstr(proc("sockstat"), "TCP: ");
	CHECK_EQ(sscanf(text, "TCP: inuse %d orphan %*d tw %d", &inuse2, &tw2), 2);
	CHECK_EQ(inuse2, inuse + 1);
	CHECK(tw2 >= tw + 1);
}

TEST(routes_of_lo)
{
	char *text;

	lo_up();
	text = proc("route");
	CHECK(strncmp(text, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT", 70) == 0);
	CHECK_EQ(strcspn(text, "\n"), 127);
	CHECK(strstr(proc("fib_trie"), "127.0.0.1\n") != NULL);
	CHECK(strstr(proc("fib_trie"), "/32 host LOCAL\n") != NULL);
	CHECK(strstr(proc("ipv6_route"), "00000000000000000000000000000001 80 00000000000000000000000000000000 00 "
					 "00000000000000000000000000000000 00000000 ") != NULL);
	CHECK(strstr(proc("ipv6_route"), " 80200001       lo\n") != NULL);
	CHECK_STR(proc("arp"), "IP address       HW type     Flags       HW address            Mask     Device\n");
}

/* Adds (or removes) a route to dst/plen by lo. */
static void route_by_lo(int type, const char *dst, int plen, int metric)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg r;
		char attr[64];
		char answer[512];
	} m = { .h = { .nlmsg_type = (unsigned short)type,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
		.r = { .rtm_family = AF_INET, .rtm_dst_len = (unsigned char)plen, .rtm_table = RT_TABLE_MAIN,
		       .rtm_protocol = RTPROT_BOOT, .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST } };
	struct rtattr *a = (void *)m.attr;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), one = 1;

	a->rta_type = RTA_DST;
	a->rta_len = RTA_LENGTH(4);
	CHECK_EQ(inet_pton(AF_INET, dst, RTA_DATA(a)), 1);
	a = (void *)((char *)a + 8);
	a->rta_type = RTA_OIF;
	a->rta_len = RTA_LENGTH(4);
	memcpy(RTA_DATA(a), &one, 4);
	a = (void *)((char *)a + 8);
	a->rta_type = RTA_PRIORITY;
	a->rta_len = RTA_LENGTH(4);
	memcpy(RTA_DATA(a), &metric, 4);
	m.h.nlmsg_len = NLMSG_LENGTH(sizeof(m.r)) + 24;
	CHECK_OK(fd);
	CHECK_OK(send(fd, &m, m.h.nlmsg_len, 0));
	CHECK_OK(recv(fd, &m, sizeof(m), 0));
	CHECK_EQ(((struct nlmsgerr *)NLMSG_DATA(&m.h))->error, 0);
	close(fd);
}

TEST(a_route_has_a_line)
{
	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	route_by_lo(RTM_NEWROUTE, "10.99.0.0", 16, 77);
	CHECK(strstr(proc("route"), "lo\t0000630A\t00000000\t0001\t0\t0\t77\t0000FFFF\t0\t0\t0 ") != NULL);
	route_by_lo(RTM_NEWROUTE, "10.98.1.2", 32, 0);
	CHECK(strstr(proc("route"), "lo\t0201620A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0 ") != NULL);
	route_by_lo(RTM_DELROUTE, "10.99.0.0", 16, 77);
	route_by_lo(RTM_DELROUTE, "10.98.1.2", 32, 0);
	CHECK(strstr(proc("route"), "0000630A") == NULL);
}

TEST(netlink_and_packet_sockets_have_lines)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), proto;
	unsigned pid, groups;
	char *line;

	CHECK_OK(bind(fd, (void *)&a, sizeof(a)));
	line = line_of("netlink", fd);
	CHECK(line != NULL);
	CHECK_EQ(sscanf(line, "%*s %d %u %x", &proto, &pid, &groups), 3);
	CHECK_EQ(proto, NETLINK_ROUTE);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(groups, 1);
	CHECK(strncmp(proc("packet"), "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n", 65) == 0);
	if (!test_is_root())
		return;
	CHECK_OK(fd = socket(AF_PACKET, SOCK_RAW, htons(3)));
	line = proc("packet");
	CHECK(strchr(line, '\n')[1] != 0);
	close(fd);
}
