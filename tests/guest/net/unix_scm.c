/* Control messages of AF_UNIX: files, credentials, and the sockets that get lost in each other. */

#include "net_test.h"

#include <sys/resource.h>

static void pair(int type, int p[2])
{
	CHECK_OK(socketpair(AF_UNIX, type, 0, p));
}

/* True when fd and the other end of the pipe belong together. */
static bool is_write_end_of(int w, int r)
{
	char b = 0;

	return write(w, "k", 1) == 1 && read(r, &b, 1) == 1 && b == 'k';
}

TEST(files_pass)
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (int t = 0; t < 3; t++) {
		int p[2], q[2], got[4], n, flags;
		char buf[8];

		pair(types[t], p);
		CHECK_OK(pipe(q));
		CHECK_EQ(send_files(p[0], "ab", (int[]){ q[1], q[0] }, 2), 2);
		close(q[1]);
		CHECK_EQ(recv_files(p[1], buf, 8, got, 4, &n, 0, &flags), 2);
		CHECK_EQ(n, 2);
		CHECK_EQ(flags & (MSG_CTRUNC | MSG_TRUNC), 0);
		CHECK_EQ(fcntl(got[0], F_GETFD), 0);
		CHECK(is_write_end_of(got[0], q[0]));
		close(got[0]);
		CHECK_EQ(read(q[0], buf, 8), 0);
		CHECK_EQ(send_files(p[0], "x", q, 1), 1);
		CHECK_EQ(recv_files(p[1], buf, 8, got, 4, &n, MSG_CMSG_CLOEXEC, &flags), 1);
		CHECK_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
		CHECK_EQ(flags, MSG_CMSG_CLOEXEC);
	}
}

TEST(files_end_a_read)
{
	int p[2], got[4], n;
	char buf[32];

	pair(SOCK_STREAM, p);
	CHECK_EQ(write(p[0], "plain", 5), 5);
	CHECK_EQ(send_files(p[0], "with", (int[]){ 0 }, 1), 4);
	CHECK_EQ(write(p[0], "after", 5), 5);
	CHECK_EQ(send_files(p[0], "more", (int[]){ 0 }, 1), 4);
	CHECK_EQ(recv_files(p[1], buf, 32, got, 4, &n, 0, NULL), 9);
	CHECK_EQ(n, 1);
	CHECK_EQ(recv_files(p[1], buf, 32, got, 4, &n, 0, NULL), 9);
	CHECK_EQ(n, 1);
	/* They come with the first byte of their message. */
	CHECK_EQ(send_files(p[0], "0123456789", (int[]){ 0 }, 1), 10);
	CHECK_EQ(recv_files(p[1], buf, 4, got, 4, &n, 0, NULL), 4);
	CHECK_EQ(n, 1);
	CHECK_EQ(recv_files(p[1], buf, 32, got, 4, &n, 0, NULL), 6);
	CHECK_EQ(n, 0);
}

TEST(files_without_room)
{
	int p[2], q[2], got[8], n, flags;
	char buf[8];

	pair(SOCK_STREAM, p);
	CHECK_OK(pipe(q));
	CHECK_EQ(send_files(p[0], "a", (int[]){ q[1], q[1], q[1] }, 3), 1);
	CHECK_EQ(recv_files(p[1], buf, 8, got, 2, &n, 0, &flags), 1);
	CHECK_EQ(n, 2);
	CHECK_EQ(flags, MSG_CTRUNC);
	close(got[0]);
	close(got[1]);
	CHECK_EQ(send_files(p[0], "b", &q[1], 1), 1);
	CHECK_EQ(recv_files(p[1], buf, 8, got, 0, &n, 0, &flags), 1);
	CHECK_EQ(flags, MSG_CTRUNC);
	CHECK_EQ(send_files(p[0], "c", &q[1], 1), 1);
	CHECK_EQ(read(p[1], buf, 8), 1);
	close(q[1]);
	CHECK_EQ(read(q[0], buf, 8), 0); /* those that found no room were closed */
	/* RLIMIT_NOFILE is a lack of room too. */
	CHECK_OK(pipe(q));
	CHECK_EQ(send_files(p[0], "a", (int[]){ q[1], q[1] }, 2), 1);
	struct rlimit rl = { (rlim_t)q[1] + 2, 4096 };
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &rl));
	CHECK_EQ(recv_files(p[1], buf, 8, got, 4, &n, 0, &flags), 1);
	CHECK_EQ(n, 1);
	CHECK_EQ(flags, MSG_CTRUNC);
}

TEST(peeked_files_are_copies)
{
	int p[2], q[2], got[4], n;
	char buf[8];

	pair(SOCK_STREAM, p);
	CHECK_OK(pipe(q));
	CHECK_EQ(send_files(p[0], "a", &q[1], 1), 1);
	close(q[1]);
	CHECK_EQ(recv_files(p[1], buf, 8, got, 4, &n, MSG_PEEK, NULL), 1);
	CHECK_EQ(n, 1);
	CHECK(is_write_end_of(got[0], q[0]));
	close(got[0]);
	CHECK_EQ(recv_files(p[1], buf, 8, got, 4, &n, 0, NULL), 1);
	CHECK_EQ(n, 1);
	CHECK(is_write_end_of(got[0], q[0]));
	close(got[0]);
	CHECK_EQ(read(q[0], buf, 8), 0);
}

TEST(bad_files)
{
	int p[2], bad[2] = { 0, 999 }, many[254] = { 0 }, got[300], n;
	char buf[8];

	pair(SOCK_STREAM, p);
	CHECK_ERR(send_files(p[0], "a", bad, 2), EBADF);
	CHECK_EQ(send_files(p[0], "a", many, 253), 1);
	CHECK_EQ(recv_files(p[1], buf, 8, got, 253, &n, 0, NULL), 1);
	CHECK_EQ(n, 253);
	struct {
		struct cmsghdr h;
		int fd[254];
	} c = { { sizeof(c), SOL_SOCKET, SCM_RIGHTS }, { 0 } };
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };
	CHECK_ERR(sendmsg(p[0], &m, 0), EINVAL);
	c.h.cmsg_len = 8;
	CHECK_ERR(sendmsg(p[0], &m, 0), EINVAL);
	c.h.cmsg_len = sizeof(c) + 100;
	CHECK_ERR(sendmsg(p[0], &m, 0), EINVAL);
	c.h.cmsg_len = sizeof(c.h);
	c.h.cmsg_type = 77;
	CHECK_ERR(sendmsg(p[0], &m, 0), EINVAL);
	c.h.cmsg_level = SOL_SOCKET + 40;
	m.msg_controllen = sizeof(c.h);
	CHECK_EQ(sendmsg(p[0], &m, 0), 1); /* other levels are not for us */
	m.msg_control = (void *)8;
	CHECK_ERR(sendmsg(p[0], &m, 0), EFAULT);
	m.msg_controllen = 10 << 20;
	CHECK_ERR(sendmsg(p[0], &m, 0), ENOBUFS);
}

TEST(closing_drops_files)
{
	int p[2], q[2];
	char b;

	pair(SOCK_STREAM, p);
	CHECK_OK(pipe(q));
	CHECK_EQ(send_files(p[0], "a", &q[1], 1), 1);
	close(q[1]);
	fcntl(q[0], F_SETFL, O_NONBLOCK);
	CHECK_ERR(read(q[0], &b, 1), EAGAIN);
	close(p[0]);
	CHECK_ERR(read(q[0], &b, 1), EAGAIN);
	close(p[1]);
	CHECK_EQ(read(q[0], &b, 1), 0);
}

TEST(scm_fds_in_fdinfo)
{
	char name[64];
	int p[2];

	pair(SOCK_STREAM, p);
	CHECK_EQ(send_files(p[0], "a", (int[]){ 0, 1 }, 2), 1);
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", p[1]);
	CHECK(strstr(test_slurp(name), "scm_fds: 2\n") != NULL);
}

/* --- credentials --- */

static ssize_t recv_cred(int fd, struct ucred *uc, bool *had)
{
	char control[256], buf[64];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);

	*had = false;
	for (struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL; c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
			CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(*uc)));
			memcpy(uc, CMSG_DATA(c), sizeof(*uc));
			*had = true;
		}
	return n;
}

static ssize_t send_cred(int fd, pid_t pid, uid_t uid, gid_t gid)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} c = { .h = { CMSG_LEN(sizeof(struct ucred)), SOL_SOCKET, SCM_CREDENTIALS } };
	struct ucred uc = { pid, uid, gid };
	struct iovec v = { "c", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };

	memcpy(CMSG_DATA(&c.h), &uc, sizeof(uc));
	return sendmsg(fd, &m, 0);
}

TEST(credentials)
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (int t = 0; t < 3; t++) {
		struct ucred uc;
		bool had;
		int p[2];

		pair(types[t], p);
		CHECK_EQ(write(p[0], "a", 1), 1);
		CHECK_EQ(recv_cred(p[1], &uc, &had), 1);
		CHECK(!had);
		CHECK_EQ(write(p[0], "b", 1), 1);
		set_option(p[1], SO_PASSCRED, 1);
		CHECK_EQ(int_option(p[1], SO_PASSCRED), 1);
		/* Sent before anybody asked: nobody's. */
		CHECK_EQ(recv_cred(p[1], &uc, &had), 1);
		CHECK(had);
		CHECK_EQ(uc.pid, 0);
		CHECK_EQ(uc.uid, 65534);
		CHECK_EQ(write(p[0], "c", 1), 1);
		CHECK_EQ(recv_cred(p[1], &uc, &had), 1);
		CHECK(had);
		CHECK_EQ(uc.pid, getpid());
		CHECK_EQ(uc.uid, getuid());
		CHECK_EQ(uc.gid, getgid());
		CHECK_EQ(send_cred(p[0], getpid(), getuid(), getgid()), 1);
		CHECK_EQ(recv_cred(p[1], &uc, &had), 1);
		CHECK_EQ(uc.pid, getpid());
	}
}

static int unprivileged_sender(void *arg)
{
	int fd = (int)(intptr_t)arg;

	if (setgid(1000) || setuid(1000))
		return 9;
	if (send_cred(fd, getpid(), 0, 1000) != -1 || errno != EPERM)
		return 1;
	if (send_cred(fd, getppid(), 1000, 1000) != -1 || errno != EPERM)
		return 2;
	if (send_cred(fd, getpid(), 1000, 0) != -1 || errno != EPERM)
		return 3;
	return send_cred(fd, getpid(), 1000, 1000) == 1 ? 0 : 4;
}

TEST(forged_credentials)
{
	struct ucred uc;
	bool had;
	int p[2];

	if (!test_is_root())
		test_skip("needs root");
	pair(SOCK_STREAM, p);
	set_option(p[1], SO_PASSCRED, 1);
	test_wait_exit(test_fork(unprivileged_sender, (void *)(intptr_t)p[0]), 0);
	CHECK_EQ(recv_cred(p[1], &uc, &had), 1);
	CHECK_EQ(uc.uid, 1000);
	CHECK_EQ(send_cred(p[0], 1, 5, 6), 1);
	CHECK_EQ(recv_cred(p[1], &uc, &had), 1);
	CHECK(uc.pid == 1 && uc.uid == 5 && uc.gid == 6);
	CHECK_ERR(send_cred(p[0], 4000000, 0, 0), ESRCH);
}

static int other_writer(void *arg)
{
	return write((int)(intptr_t)arg, "other", 5) == 5 ? 0 : 1;
}

TEST(writers_are_told_apart)
{
	struct ucred uc;
	bool had;
	int p[2];

	pair(SOCK_STREAM, p);
	set_option(p[1], SO_PASSCRED, 1);
	CHECK_EQ(write(p[0], "one", 3), 3);
	CHECK_EQ(write(p[0], "two", 3), 3);
	pid_t child = test_fork(other_writer, (void *)(intptr_t)p[0]);
	test_wait_exit(child, 0);
	CHECK_EQ(recv_cred(p[1], &uc, &had), 6);
	CHECK_EQ(uc.pid, getpid());
	CHECK_EQ(recv_cred(p[1], &uc, &had), 5);
	CHECK_EQ(uc.pid, child);
}

static int connect_and_stay(void *arg)
{
	int c = socket(AF_UNIX, SOCK_STREAM, 0);
	char b;

	(void)arg;
	if (connect_path(c, "s"))
		return 1;
	return read(c, &b, 1) == 1 ? 0 : 2;
}

TEST(peer_credentials)
{
	struct ucred uc = { 1, 2, 3 };
	socklen_t n = sizeof(uc);
	gid_t groups[64];
	int p[2], l, s;

	CHECK_OK(getsockopt(socket(AF_UNIX, SOCK_STREAM, 0), SOL_SOCKET, SO_PEERCRED, &uc, &n));
	CHECK(uc.pid == 0 && uc.uid == (uid_t)-1 && uc.gid == (gid_t)-1);
	pair(SOCK_STREAM, p);
	CHECK_OK(getsockopt(p[0], SOL_SOCKET, SO_PEERCRED, &uc, &n));
	CHECK_EQ(n, sizeof(uc));
	CHECK(uc.pid == getpid() && uc.uid == geteuid() && uc.gid == getegid());
	l = listener(SOCK_STREAM, "s", 2);
	pid_t child = test_fork(connect_and_stay, NULL);
	CHECK_OK(s = accept(l, NULL, NULL));
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &uc, &n));
	CHECK_EQ(uc.pid, child);
	n = sizeof(groups);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, groups, &n));
	CHECK_EQ(n / sizeof(gid_t), getgroups(0, NULL));
	CHECK_EQ(write(s, "x", 1), 1);
	test_wait_exit(child, 0);
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &uc, &(socklen_t){ sizeof(uc) }));
	CHECK_EQ(uc.pid, child); /* though it is gone */
	n = 64;
	CHECK_ERR(getsockopt(s, SOL_SOCKET, SO_PEERSEC, groups, &n), ENOPROTOOPT);
}

/* --- lost in each other --- */

/* Waits until the write end of the pipe is gone. */
static void await_end_of_file(int r)
{
	char b;

	CHECK_EQ(read(r, &b, 1), 0);
}

TEST(a_socket_in_itself)
{
	int p[2], q[2], other[2];

	CHECK_OK(pipe(q));
	pair(SOCK_DGRAM, p);
	/* p[1] goes into its own queue, with the pipe. */
	CHECK_EQ(send_files(p[0], "a", (int[]){ p[1], q[1] }, 2), 1);
	close(p[0]);
	close(p[1]);
	close(q[1]);
	pair(SOCK_STREAM, other); /* Linux looks for garbage when a socket closes */
	close(other[0]);
	await_end_of_file(q[0]);
}

TEST(two_sockets_in_each_other)
{
	int a[2], b[2], q[2], other[2];

	CHECK_OK(pipe(q));
	pair(SOCK_STREAM, a);
	pair(SOCK_STREAM, b);
	CHECK_EQ(send_files(a[0], "a", (int[]){ b[1], q[1] }, 2), 1);
	CHECK_EQ(send_files(b[0], "b", (int[]){ a[1] }, 1), 1);
	close(a[0]);
	close(b[0]);
	close(a[1]);
	close(b[1]);
	close(q[1]);
	pair(SOCK_STREAM, other);
	close(other[0]);
	await_end_of_file(q[0]);
}

TEST(a_reachable_cycle_stays)
{
	int a[2], b[2], q[2], other[2], got[4], n;
	char buf[4];

	CHECK_OK(pipe(q));
	pair(SOCK_STREAM, a);
	pair(SOCK_STREAM, b);
	CHECK_EQ(send_files(a[0], "a", (int[]){ b[1], q[1] }, 2), 1);
	CHECK_EQ(send_files(b[0], "b", (int[]){ a[1] }, 1), 1);
	close(a[0]);
	close(b[0]);
	close(b[1]);
	close(q[1]); /* a[1] still leads to all of it */
	for (int i = 0; i < 20; i++) {
		pair(SOCK_STREAM, other);
		close(other[0]);
		close(other[1]);
		usleep(1000);
	}
	CHECK_EQ(recv_files(a[1], buf, 4, got, 4, &n, 0, NULL), 1);
	CHECK_EQ(n, 2);
	CHECK(is_write_end_of(got[1], q[0]));
	CHECK_EQ(recv_files(got[0], buf, 4, got + 2, 2, &n, 0, NULL), 1);
	CHECK_EQ(n, 1);
}

TEST(lost_in_a_listener)
{
	int l = listener(SOCK_STREAM, "s", 4), c = socket(AF_UNIX, SOCK_STREAM, 0), q[2], other[2];

	CHECK_OK(pipe(q));
	CHECK_OK(connect_path(c, "s"));
	/* The listener goes into what it would accept. */
	CHECK_EQ(send_files(c, "a", (int[]){ l, q[1] }, 2), 1);
	close(l);
	close(c);
	close(q[1]);
	pair(SOCK_STREAM, other);
	close(other[0]);
	await_end_of_file(q[0]);
}

/* Each is in the next one's queue: closing the last closes all, whatever the depth. */
TEST(a_long_chain)
{
	int first[2], next[2], q[2], depth = 1500;

	CHECK_OK(pipe(q));
	pair(SOCK_STREAM, first);
	CHECK_EQ(send_files(first[0], "a", &q[1], 1), 1);
	close(q[1]);
	for (int i = 0; i < depth; i++) {
		pair(SOCK_STREAM, next);
		if (send_files(next[0], "a", (int[]){ first[0], first[1] }, 2) != 1) {
			CHECK_EQ(errno, ETOOMANYREFS);
			break;
		}
		close(first[0]);
		close(first[1]);
		first[0] = next[0];
		first[1] = next[1];
	}
	close(first[0]);
	close(first[1]);
	await_end_of_file(q[0]);
}

static int too_many(void *arg)
{
	struct rlimit rl = { 64, 64 };
	int p[2], i;

	(void)arg;
	if (setgid(1000) || setuid(1000) || setrlimit(RLIMIT_NOFILE, &rl) || socketpair(AF_UNIX, SOCK_STREAM, 0, p))
		return 9;
	for (i = 0; i < 200; i++)
		if (send_files(p[0], "a", p, 1) != 1)
			break;
	return errno == ETOOMANYREFS && i >= 60 && i <= 70 ? 0 : 1;
}

TEST(files_in_flight_are_limited)
{
	if (!test_is_root())
		test_skip("needs root");
	test_wait_exit(test_fork(too_many, NULL), 0);
}
