/* NETLINK_SOCK_DIAG: what ss(8) asks. Source: sock_diag(7). */

#include "inet_test.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/netlink_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>

enum { LISTEN = 10 };

/* A request of n bytes (header and family header) and its first answer; answers go to a static buffer. */
static char buf[65536];
static ssize_t got;

static int diag(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct timeval t = { 10, 0 };

	CHECK_OK(fd);
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	return fd;
}

static void ask(int fd, int type, int flags, const void *req, size_t n, const void *more, size_t nmore)
{
	char msg[1024];
	struct nlmsghdr *h = (void *)msg;

	memset(msg, 0, sizeof(msg));
	h->nlmsg_len = (unsigned)(NLMSG_HDRLEN + n + nmore);
	h->nlmsg_type = (unsigned short)type;
	h->nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = 7;
	memcpy(NLMSG_DATA(h), req, n);
	if (nmore)
		memcpy((char *)NLMSG_DATA(h) + n, more, nmore);
	CHECK_EQ(send(fd, msg, h->nlmsg_len, 0), h->nlmsg_len);
}

/* The errno of the answer; 0 when it is none. */
static int answer(int fd)
{
	struct nlmsghdr *h = (void *)buf;

	CHECK_OK(got = recv(fd, buf, sizeof(buf), 0));
	return h->nlmsg_type == NLMSG_ERROR ? -((struct nlmsgerr *)NLMSG_DATA(h))->error : 0;
}

static int inet_error(int fd, struct inet_diag_req_v2 *r, int type, int flags)
{
	ask(fd, type, flags, r, sizeof(*r), NULL, 0);
	return answer(fd);
}

/* The modules of a Linux kernel may not be there. */
static void need(int fd, int family, int protocol)
{
	struct inet_diag_req_v2 r = { .sdiag_family = (unsigned char)family, .sdiag_protocol = (unsigned char)protocol };
	struct unix_diag_req u = { .sdiag_family = AF_UNIX };

	if (family == AF_UNIX)
		ask(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &u, sizeof(u), NULL, 0);
	else
		ask(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r), NULL, 0);
	if (answer(fd) == ENOENT)
		test_skip("no diag module");
}

static unsigned long ino_of(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return st.st_ino;
}

/* Goes through a dump; calls fn for each message. */
static void each(int fd, void (*fn)(struct nlmsghdr *h, void *ctx), void *ctx)
{
	for (;;) {
		struct nlmsghdr *h = (void *)buf;
		size_t left;

		CHECK_OK(got = recv(fd, buf, sizeof(buf), 0));
		for (left = (size_t)got; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			CHECK_EQ(h->nlmsg_seq, 7);
			if (h->nlmsg_type == NLMSG_DONE)
				return;
			CHECK(h->nlmsg_type != NLMSG_ERROR);
			fn(h, ctx);
		}
	}
}

struct found {
	unsigned long ino;
	int n, total, attr;
	struct inet_diag_msg msg;
	struct unix_diag_msg unix_msg;
	char data[512];
	size_t len;
	struct tcp_info info;
	int has_info, has_cong;
};

static void look_inet(struct nlmsghdr *h, void *ctx)
{
	struct inet_diag_msg *m = NLMSG_DATA(h);
	struct rtattr *a = (void *)(m + 1);
	long left = (long)h->nlmsg_len - (long)NLMSG_LENGTH(sizeof(*m));
	struct found *f = ctx;

	f->total++;
	if (m->idiag_inode != f->ino)
		return;
	f->n++;
	f->msg = *m;
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == INET_DIAG_INFO) {
			f->has_info = 1;
			memcpy(&f->info, RTA_DATA(a), sizeof(f->info) < RTA_PAYLOAD(a) ? sizeof(f->info) : RTA_PAYLOAD(a));
		}
		f->has_cong |= a->rta_type == INET_DIAG_CONG && strlen(RTA_DATA(a)) > 2;
	}
}

static struct found find_inet(int family, int protocol, unsigned states, int sock)
{
	struct inet_diag_req_v2 r = { .sdiag_family = (unsigned char)family,
				      .sdiag_protocol = (unsigned char)protocol,
				      .idiag_ext = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_CONG - 1),
				      .idiag_states = states };
	struct found f = { .ino = ino_of(sock) };
	int fd = diag();

	ask(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r), NULL, 0);
	each(fd, look_inet, &f);
	close(fd);
	return f;
}

static int listener4(int port)
{
	struct name n = name4("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	CHECK_OK(fd);
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CHECK_OK(bind(fd, &n.a, n.len));
	CHECK_OK(listen(fd, 7));
	return fd;
}

TEST(tcp_sockets_are_dumped)
{
	struct name n = name4("127.0.0.1", 7300);
	struct found f;
	int l, c, a, d = diag();

	need(d, AF_INET, IPPROTO_TCP);
	lo_up();
	l = listener4(7300);
	CHECK_OK(c = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(connect(c, &n.a, n.len));
	CHECK_OK(a = accept(l, NULL, NULL));
	CHECK_EQ(write(c, "hello", 5), 5);

	f = find_inet(AF_INET, IPPROTO_TCP, 1u << LISTEN, l);
	CHECK_EQ(f.n, 1);
	CHECK_EQ(f.msg.idiag_state, LISTEN);
	CHECK_EQ(f.msg.idiag_wqueue, 7);
	CHECK_EQ(ntohs(f.msg.id.idiag_sport), 7300);
	CHECK_EQ(f.msg.id.idiag_src[0], htonl(INADDR_LOOPBACK));
	CHECK(f.has_info);
	CHECK(f.has_cong);
	f = find_inet(AF_INET, IPPROTO_TCP, 1u << 1, a);
	CHECK_EQ(f.n, 1);
	CHECK_EQ(f.msg.idiag_rqueue, 5);
	CHECK_EQ(f.info.tcpi_state, 1);
	CHECK(f.info.tcpi_snd_mss > 0);
	f = find_inet(AF_INET, IPPROTO_TCP, 1u << LISTEN, a); /* not in that state */
	CHECK_EQ(f.n, 0);
	f = find_inet(AF_INET6, IPPROTO_TCP, 0xffff, a);
	CHECK_EQ(f.n, 0);
}

TEST(udp_sockets_are_dumped)
{
	struct name n = name6("::1", 7301);
	struct found f;
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), d = diag();

	need(d, AF_INET, IPPROTO_UDP);
	lo_up();
	CHECK_OK(bind(fd, &n.a, n.len));
	f = find_inet(AF_INET6, IPPROTO_UDP, 0xffff, fd);
	CHECK_EQ(f.n, 1);
	CHECK_EQ(f.msg.idiag_state, 7);
	CHECK_EQ(ntohs(f.msg.id.idiag_sport), 7301);
	CHECK_EQ(f.msg.idiag_uid, getuid());
	CHECK_EQ(f.has_info, 0);
	CHECK_OK(connect(fd, &n.a, n.len));
	f = find_inet(AF_INET6, IPPROTO_UDP, 1u << 1, fd);
	CHECK_EQ(f.n, 1);
	CHECK_EQ(ntohs(f.msg.id.idiag_dport), 7301);
}

TEST(one_connection_is_found_by_its_names)
{
	struct name n = name4("127.0.0.1", 7302), own;
	struct inet_diag_req_v2 r = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 0xffff };
	struct inet_diag_msg *m = NLMSG_DATA((struct nlmsghdr *)buf);
	int c, d = diag();

	need(d, AF_INET, IPPROTO_TCP);
	close(d);
	d = diag();
	lo_up();
	listener4(7302);
	CHECK_OK(c = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(connect(c, &n.a, n.len));
	own = local_name(c);
	r.id.idiag_sport = own.in.sin_port;
	r.id.idiag_dport = htons(7302);
	r.id.idiag_src[0] = r.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
	r.id.idiag_cookie[0] = r.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	CHECK_EQ(inet_error(d, &r, SOCK_DIAG_BY_FAMILY, 0), 0);
	CHECK_EQ(m->idiag_inode, ino_of(c));
	r.id.idiag_cookie[0] = m->id.idiag_cookie[0];
	r.id.idiag_cookie[1] = m->id.idiag_cookie[1];
	CHECK_EQ(inet_error(d, &r, SOCK_DIAG_BY_FAMILY, 0), 0);
	r.id.idiag_cookie[0] ^= 0x5555;
	CHECK_EQ(inet_error(d, &r, SOCK_DIAG_BY_FAMILY, 0), ENOENT);
	r.id.idiag_cookie[0] = r.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	r.id.idiag_sport = htons(1);
	r.id.idiag_dport = htons(1);
	CHECK_EQ(inet_error(d, &r, SOCK_DIAG_BY_FAMILY, 0), ENOENT);
}

TEST(a_connection_can_be_destroyed)
{
	struct name n = name4("127.0.0.1", 7303), own;
	struct inet_diag_req_v2 r = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP };
	int c, a, l, d = diag(), err;
	char x;

	if (!test_is_root())
		test_skip("needs root");
	need(d, AF_INET, IPPROTO_TCP);
	close(d);
	d = diag();
	lo_up();
	l = listener4(7303);
	CHECK_OK(c = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(connect(c, &n.a, n.len));
	CHECK_OK(a = accept(l, NULL, NULL));
	own = local_name(c);
	r.id.idiag_sport = own.in.sin_port;
	r.id.idiag_dport = htons(7303);
	r.id.idiag_src[0] = r.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
	r.id.idiag_cookie[0] = r.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	err = inet_error(d, &r, SOCK_DESTROY, NLM_F_ACK);
	if (err == EOPNOTSUPP)
		test_skip("not configured");
	CHECK_EQ(err, 0);
	CHECK_ERR(read(c, &x, 1), ECONNABORTED);
	CHECK_ERR(read(a, &x, 1), ECONNRESET);
	CHECK_EQ(inet_error(d, &r, SOCK_DESTROY, NLM_F_ACK), ENOENT);
}

static int destroy_as_nobody(void *arg)
{
	if (setgid(65534) || setuid(65534))
		return 1;
	return inet_error(diag(), arg, SOCK_DESTROY, NLM_F_ACK);
}

TEST(destroying_is_for_the_administrator)
{
	struct inet_diag_req_v2 r = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP };
	struct name n = name4("127.0.0.1", 7304), own;
	int c, d = diag();

	if (!test_is_root())
		test_skip("needs root");
	need(d, AF_INET, IPPROTO_TCP);
	lo_up();
	listener4(7304);
	CHECK_OK(c = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(connect(c, &n.a, n.len));
	own = local_name(c);
	r.id.idiag_src[0] = r.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
	r.id.idiag_cookie[0] = r.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	test_wait_exit(test_fork(destroy_as_nobody, &r), ENOENT);
	r.id.idiag_sport = own.in.sin_port;
	r.id.idiag_dport = htons(7304);
	test_wait_exit(test_fork(destroy_as_nobody, &r), EPERM);
}

/* Runs a filter of n operations over two listeners; a bit for each that passed. */
static int filter(const struct inet_diag_bc_op *op, int n, int a, int b)
{
	struct inet_diag_req_v2 r = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1u << LISTEN };
	struct {
		struct rtattr a;
		struct inet_diag_bc_op op[16];
	} code = { .a = { .rta_len = (unsigned short)RTA_LENGTH((size_t)n * sizeof(*op)),
			  .rta_type = INET_DIAG_REQ_BYTECODE } };
	struct found f = { .ino = ino_of(a) }, g = { .ino = ino_of(b) };
	int passed = 0;

	memcpy(code.op, op, (size_t)n * sizeof(*op));
	for (int i = 0; i < 2; i++) {
		int fd = diag();

		ask(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r), &code, code.a.rta_len);
		each(fd, look_inet, i ? &g : &f);
		passed |= (i ? g.n : f.n) << i;
		close(fd);
	}
	return passed;
}

TEST(filters_choose)
{
	/* sport = 7310; sport >= 7311; and the two joined by "or": a jump over the second */
	static const struct inet_diag_bc_op eq[] = { { INET_DIAG_BC_S_EQ, 8, 12 }, { 0, 0, 7310 } };
	static const struct inet_diag_bc_op ge[] = { { INET_DIAG_BC_S_GE, 8, 12 }, { 0, 0, 7311 } };
	static const struct inet_diag_bc_op either[] = { { INET_DIAG_BC_S_EQ, 8, 12 }, { 0, 0, 7310 },
							 { INET_DIAG_BC_JMP, 4, 12 },
							 { INET_DIAG_BC_S_EQ, 8, 12 }, { 0, 0, 7311 } };
	static const struct inet_diag_bc_op none[] = { { INET_DIAG_BC_S_LE, 8, 12 }, { 0, 0, 100 } };
	int a, b, d = diag();

	need(d, AF_INET, IPPROTO_TCP);
	lo_up();
	a = listener4(7310);
	b = listener4(7311);
	CHECK_EQ(filter(eq, 2, a, b), 1);
	CHECK_EQ(filter(ge, 2, a, b), 2);
	CHECK_EQ(filter(either, 5, a, b), 3);
	CHECK_EQ(filter(none, 2, a, b), 0);
}

TEST(wrong_filters_are_refused)
{
	static const struct inet_diag_bc_op wrong[][2] = {
		{ { INET_DIAG_BC_S_EQ, 4, 8 }, { 0, 0, 1 } },   /* into itself */
		{ { INET_DIAG_BC_S_EQ, 8, 400 }, { 0, 0, 1 } }, /* behind the end */
		{ { 200, 8, 8 }, { 0, 0, 1 } },                 /* no such operation */
	};
	struct inet_diag_req_v2 r = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 0xffff };
	int d = diag();

	need(d, AF_INET, IPPROTO_TCP);
	close(d);
	for (int i = 0; i < 3; i++) {
		struct {
			struct rtattr a;
			struct inet_diag_bc_op op[2];
		} code = { .a = { .rta_len = RTA_LENGTH(8), .rta_type = INET_DIAG_REQ_BYTECODE } };

		memcpy(code.op, wrong[i], 8);
		d = diag();
		ask(d, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r), &code, sizeof(code));
		CHECK_EQ(answer(d), EINVAL);
		close(d);
	}
}

static void look_unix(struct nlmsghdr *h, void *ctx)
{
	struct unix_diag_msg *m = NLMSG_DATA(h);
	struct rtattr *a = (void *)(m + 1);
	long left = (long)h->nlmsg_len - (long)NLMSG_LENGTH(sizeof(*m));
	struct found *f = ctx;

	f->total++;
	if (m->udiag_ino != f->ino)
		return;
	f->n++;
	f->unix_msg = *m;
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == f->attr) {
			f->len = RTA_PAYLOAD(a);
			memcpy(f->data, RTA_DATA(a), f->len);
		}
}

static struct found find_unix(int sock, int attr)
{
	struct unix_diag_req r = { .sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = 0x7f };
	struct found f = { .ino = ino_of(sock), .attr = attr };
	int fd = diag();

	ask(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r), NULL, 0);
	each(fd, look_unix, &f);
	close(fd);
	CHECK_EQ(f.n, 1);
	return f;
}

TEST(unix_sockets_are_dumped)
{
	struct unix_diag_rqlen *q;
	struct found f;
	int p[2], l, c, d = diag();
	struct stat st;
	uint32_t word;

	need(d, AF_UNIX, 0);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	CHECK_EQ(write(p[0], "hello", 5), 5);
	f = find_unix(p[1], UNIX_DIAG_PEER);
	memcpy(&word, f.data, 4);
	CHECK_EQ(word, ino_of(p[0]));
	CHECK_EQ(f.unix_msg.udiag_state, 1);
	CHECK_EQ(f.unix_msg.udiag_type, SOCK_STREAM);
	f = find_unix(p[1], UNIX_DIAG_RQLEN);
	q = (void *)f.data;
	CHECK_EQ(q->udiag_rqueue, 5);

	l = listener(SOCK_STREAM, "sock", 5);
	CHECK_OK(c = socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(connect_path(c, "sock"));
	f = find_unix(l, UNIX_DIAG_NAME);
	CHECK_EQ(f.unix_msg.udiag_state, LISTEN);
	CHECK(f.len >= 4 && memcmp(f.data, "sock", 4) == 0);
	f = find_unix(l, UNIX_DIAG_RQLEN);
	q = (void *)f.data;
	CHECK_EQ(q->udiag_rqueue, 1);
	CHECK_EQ(q->udiag_wqueue, 5);
	f = find_unix(l, UNIX_DIAG_ICONS);
	memcpy(&word, f.data, 4);
	CHECK_EQ(f.len, 4);
	CHECK_EQ(word, ino_of(c));
	f = find_unix(l, UNIX_DIAG_VFS);
	memcpy(&word, f.data, 4);
	CHECK_OK(stat("sock", &st));
	CHECK_EQ(word, (uint32_t)st.st_ino);
	f = find_unix(l, UNIX_DIAG_UID);
	memcpy(&word, f.data, 4);
	CHECK_EQ(word, getuid());
}

TEST(many_unix_sockets_come_in_pieces)
{
	struct unix_diag_req r = { .sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = 0x7f };
	int p[400][2], fd = diag();
	struct found f = { 0 };

	need(fd, AF_UNIX, 0);
	close(fd);
	fd = diag();
	for (int i = 0; i < 400; i++)
		CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, p[i]));
	ask(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r), NULL, 0);
	f.ino = ino_of(p[399][1]);
	each(fd, look_unix, &f);
	CHECK_EQ(f.n, 1);
	CHECK(f.total >= 800);
}

TEST(wrong_requests_are_refused)
{
	struct inet_diag_req_v2 r = { .sdiag_family = 200 };
	struct unix_diag_req u = { .sdiag_family = AF_UNIX };
	unsigned char one = AF_INET;
	int d = diag();

	CHECK_EQ(inet_error(d, &r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP), EINVAL);
	ask(d, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &one, 1, NULL, 0);
	CHECK_EQ(answer(d), EINVAL);
	r.sdiag_family = AF_APPLETALK;
	CHECK_EQ(inet_error(d, &r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP), ENOENT);
	need(d, AF_UNIX, 0);
	close(d);
	d = diag();
	u.udiag_ino = 0x7fffffff;
	u.udiag_cookie[0] = u.udiag_cookie[1] = ~0u;
	ask(d, SOCK_DIAG_BY_FAMILY, 0, &u, sizeof(u), NULL, 0);
	CHECK_EQ(answer(d), ENOENT);
}

static void look_netlink(struct nlmsghdr *h, void *ctx)
{
	struct netlink_diag_msg *m = NLMSG_DATA(h);
	struct found *f = ctx;

	f->total++;
	f->n += m->ndiag_ino == f->ino && m->ndiag_protocol == NETLINK_ROUTE && m->ndiag_portid == (unsigned)getpid();
}

TEST(netlink_sockets_are_dumped)
{
	struct netlink_diag_req r = { .sdiag_family = AF_NETLINK, .sdiag_protocol = NDIAG_PROTO_ALL, .ndiag_show = 3 };
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), fd = diag();
	struct found f = { 0 };

	CHECK_OK(bind(s, (void *)&a, sizeof(a)));
	ask(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r), NULL, 0);
	if (answer(fd) == ENOENT)
		test_skip("no diag module");
	close(fd);
	fd = diag();
	f.ino = ino_of(s);
	ask(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r), NULL, 0);
	each(fd, look_netlink, &f);
	CHECK_EQ(f.n, 1);
	CHECK(f.total >= 2);
}
