/* The process event connector. Source: linux/connector.h, linux/cn_proc.h, Linux's behaviour. */

#include "test.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

struct message {
	struct nlmsghdr h;
	struct cn_msg c;
	struct proc_event e;
} __attribute__((packed));

static int sock;

static void tell(int fd, unsigned op, unsigned len, unsigned ack)
{
	struct {
		struct nlmsghdr h;
		struct cn_msg c;
		unsigned op[4];
	} __attribute__((packed)) m = { .h.nlmsg_len = NLMSG_LENGTH(sizeof(struct cn_msg) + len), .h.nlmsg_type = NLMSG_DONE };

	m.c = (struct cn_msg){ .id = { CN_IDX_PROC, CN_VAL_PROC }, .ack = ack, .len = (unsigned short)len };
	m.op[0] = op;
	CHECK_EQ(send(fd, &m, m.h.nlmsg_len, 0), m.h.nlmsg_len);
}

static int open_group(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);

	CHECK_OK(fd);
	CHECK_OK(bind(fd, (void *)&a, sizeof(a)));
	return fd;
}

static void done(void)
{
	tell(sock, PROC_CN_MCAST_IGNORE, 4, 0);
	close(sock);
}

static void start(void)
{
	if (!test_is_root())
		test_skip("needs CAP_NET_ADMIN");
	sock = open_group();
	tell(sock, PROC_CN_MCAST_LISTEN, 4, 0);
}

/* The next event of a kind; those in between are passed over. Of `pid`, if it is not 0. */
static struct message next(unsigned what, int pid)
{
	struct sockaddr_nl from;
	socklen_t len = sizeof(from);
	struct message m;
	struct timeval tv = { 5, 0 };
	int who;

	CHECK_OK(setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	for (;;) {
		ssize_t n = recvfrom(sock, &m, sizeof(m), 0, (void *)&from, &len);

		if (n < 0)
			FAIL("no event %x of %d: %s", what, pid, strerrorname_np(errno));
		CHECK_EQ(n, sizeof(m));
		CHECK_EQ(from.nl_pid, 0);
		who = what == PROC_EVENT_FORK ? m.e.event_data.fork.child_pid : m.e.event_data.exec.process_pid;
		if (m.e.what == what && (!pid || pid == who))
			return m;
	}
}

static int sleeper(void *arg)
{
	char c;

	return (int)read(*(int *)arg, &c, 1);
}

TEST(an_answer_has_the_number_after_the_askers)
{
	struct message m;

	start();
	m = next(PROC_EVENT_NONE, 0);
	CHECK_EQ(m.c.ack, 1);
	tell(sock, PROC_CN_MCAST_LISTEN, 4, 41);
	m = next(PROC_EVENT_NONE, 0);
	CHECK_EQ(m.h.nlmsg_type, NLMSG_DONE);
	CHECK_EQ(m.h.nlmsg_len, sizeof(m));
	CHECK_EQ(m.h.nlmsg_flags, 0);
	CHECK_EQ(m.h.nlmsg_pid, 0);
	CHECK_EQ(m.h.nlmsg_seq, m.c.seq);
	CHECK_EQ(m.c.id.idx, CN_IDX_PROC);
	CHECK_EQ(m.c.id.val, CN_VAL_PROC);
	CHECK_EQ(m.c.ack, 42);
	CHECK_EQ(m.c.len, sizeof(m.e));
	CHECK_EQ(m.e.event_data.ack.err, 0);
	tell(sock, PROC_CN_MCAST_IGNORE, 4, 0);
	tell(sock, 77, 4, 0);
	m = next(PROC_EVENT_NONE, 0);
	m = next(PROC_EVENT_NONE, 0);
	CHECK_EQ(m.e.event_data.ack.err, EINVAL);
	done();
}

TEST(fork_and_exit_with_parent_and_status)
{
	int p[2], pid, status;
	struct message m;

	start();
	CHECK_OK(pipe(p));
	pid = test_fork(sleeper, &p[0]);
	m = next(PROC_EVENT_FORK, pid);
	CHECK_EQ(m.e.event_data.fork.parent_pid, getpid());
	CHECK_EQ(m.e.event_data.fork.parent_tgid, getpid());
	CHECK_EQ(m.e.event_data.fork.child_tgid, pid);
	CHECK((int64_t)m.e.timestamp_ns <= test_now());
	CHECK((int64_t)m.e.timestamp_ns > test_now() - 60000000000);
	CHECK_EQ(write(p[1], "x", 1), 1);
	m = next(PROC_EVENT_EXIT, pid);
	CHECK_EQ(m.e.event_data.exit.process_tgid, pid);
	CHECK_EQ(m.e.event_data.exit.exit_code, 1 << 8);
	CHECK_EQ(m.e.event_data.exit.exit_signal, SIGCHLD);
	CHECK_EQ(m.e.event_data.exit.parent_pid, getpid());
	CHECK_EQ(m.e.event_data.exit.parent_tgid, getpid());
	/* Whoever hears of the end finds the status. */
	CHECK_EQ(waitpid(pid, &status, WNOHANG), pid);
	done();
}

static void *nothing(void *p)
{
	return p;
}

TEST(a_thread_is_a_child_of_the_processs_parent)
{
	struct message m;
	pthread_t t;

	start();
	CHECK_EQ(pthread_create(&t, NULL, nothing, NULL), 0);
	m = next(PROC_EVENT_FORK, 0);
	CHECK_EQ(m.e.event_data.fork.parent_tgid, getppid());
	CHECK_EQ(m.e.event_data.fork.child_tgid, getpid());
	CHECK(m.e.event_data.fork.child_pid != getpid());
	m = next(PROC_EVENT_EXIT, m.e.event_data.fork.child_pid);
	CHECK_EQ(m.e.event_data.exit.process_tgid, getpid());
	CHECK_EQ((int)m.e.event_data.exit.exit_signal, -1);
	pthread_join(t, NULL);
	done();
}

static int change(void *arg)
{
	(void)arg;
	CHECK_OK(prctl(PR_SET_NAME, "other"));
	CHECK_OK(setsid());
	CHECK_OK(setresgid(-1, 6, -1));
	CHECK_OK(setresuid(-1, 5, -1));
	CHECK_OK(setresuid(-1, 5, -1)); /* no change: no event */
	CHECK_OK(setresuid(-1, 0, -1));
	return 0;
}

TEST(name_session_and_ids)
{
	struct message m;
	int pid;

	start();
	pid = test_fork(change, NULL);
	m = next(PROC_EVENT_COMM, pid);
	CHECK(memcmp(m.e.event_data.comm.comm, "other\0\0\0\0\0\0\0\0\0\0", 16) == 0);
	m = next(PROC_EVENT_SID, pid);
	CHECK_EQ(m.e.event_data.sid.process_tgid, pid);
	m = next(PROC_EVENT_GID, pid);
	CHECK_EQ(m.e.event_data.id.r.rgid, 0);
	CHECK_EQ(m.e.event_data.id.e.egid, 6);
	m = next(PROC_EVENT_UID, pid);
	CHECK_EQ(m.e.event_data.id.r.ruid, 0);
	CHECK_EQ(m.e.event_data.id.e.euid, 5);
	m = next(PROC_EVENT_UID, pid);
	CHECK_EQ(m.e.event_data.id.e.euid, 0);
	test_wait_exit(pid, 0);
	done();
}

static int rename_by_file(void *arg)
{
	int fd = open("/proc/self/comm", O_WRONLY);

	(void)arg;
	CHECK_EQ(write(fd, "filed", 5), 5);
	return 0;
}

TEST(a_name_written_to_proc)
{
	struct message m;
	int pid;

	start();
	pid = test_fork(rename_by_file, NULL);
	m = next(PROC_EVENT_COMM, pid);
	CHECK_STR(m.e.event_data.comm.comm, "filed");
	test_wait_exit(pid, 0);
	done();
}

static int run_self(void *arg)
{
	char *argv[] = { "test", "no-such-test", NULL };

	(void)arg;
	close(1);
	execv("/proc/self/exe", argv);
	return 1;
}

TEST(exec_is_told)
{
	struct message m;
	int pid, status;

	start();
	pid = test_fork(run_self, NULL);
	m = next(PROC_EVENT_EXEC, pid);
	CHECK_EQ(m.e.event_data.exec.process_tgid, pid);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	done();
}

static int die(void *arg)
{
	struct rlimit none = { 0, 0 };

	(void)arg;
	setrlimit(RLIMIT_CORE, &none);
	abort();
}

TEST(a_core_dump_before_the_end)
{
	struct message m;
	int pid;

	start();
	pid = test_fork(die, NULL);
	m = next(PROC_EVENT_COREDUMP, pid);
	CHECK_EQ(m.e.event_data.coredump.process_tgid, pid);
	CHECK_EQ(m.e.event_data.coredump.parent_pid, getpid());
	CHECK_EQ(m.e.event_data.coredump.parent_tgid, getpid());
	m = next(PROC_EVENT_EXIT, pid);
	CHECK_EQ(m.e.event_data.exit.exit_code & 0x7f, SIGABRT);
	test_wait_signal(pid, SIGABRT);
	done();
}

TEST(events_have_numbers_without_gaps)
{
	unsigned last[1024], n = 0;
	bool seen[1024] = { false };
	struct message m;

	start();
	for (int i = 0; i < 5; i++)
		test_wait_exit(test_fork(sleeper, &(int){ open("/dev/null", O_RDONLY) }), 0);
	while (recv(sock, &m, sizeof(m), MSG_DONTWAIT) == sizeof(m)) {
		CHECK(m.e.cpu < 1024);
		if (seen[m.e.cpu])
			CHECK_EQ(m.c.seq, last[m.e.cpu] + 1);
		seen[m.e.cpu] = true;
		last[m.e.cpu] = m.c.seq;
		n++;
	}
	CHECK(n >= 10);
	done();
}

TEST(nothing_after_ignore)
{
	struct message m;

	start();
	tell(sock, PROC_CN_MCAST_IGNORE, 4, 0);
	while (recv(sock, &m, sizeof(m), MSG_DONTWAIT) > 0)
		;
	test_wait_exit(test_fork(sleeper, &(int){ open("/dev/null", O_RDONLY) }), 0);
	CHECK_ERR(recv(sock, &m, sizeof(m), MSG_DONTWAIT), EAGAIN);
	close(sock);
}

TEST(messages_of_another_length_are_passed_over)
{
	struct message m;

	start();
	next(PROC_EVENT_NONE, 0);
	tell(sock, PROC_CN_MCAST_LISTEN, 8, 0);
	CHECK_EQ(send(sock, "abc", 3, 0), 3);
	while (recv(sock, &m, sizeof(m), MSG_DONTWAIT) > 0)
		CHECK(m.e.what != PROC_EVENT_NONE);
	done();
}

static int ask_as_nobody(void *arg)
{
	(void)arg;
	CHECK_OK(setresuid(65534, 65534, 65534));
	tell(sock, PROC_CN_MCAST_LISTEN, 4, 7);
	return 0;
}

TEST(without_the_capability)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	struct message m;
	int fd;

	start();
	next(PROC_EVENT_NONE, 0);
	test_wait_exit(test_fork(ask_as_nobody, NULL), 0);
	m = next(PROC_EVENT_NONE, 0);
	CHECK_EQ(m.c.ack, 8);
	CHECK_EQ(m.e.event_data.ack.err, EPERM);
	done();
	CHECK_OK(setresuid(65534, 65534, 65534));
	fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_CONNECTOR);
	CHECK_OK(fd);
	CHECK_ERR(bind(fd, (void *)&a, sizeof(a)), EPERM);
	close(fd);
}

TEST(user_sockets_have_no_kernel)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK);

	CHECK_OK(fd);
	CHECK_ERR(sendto(fd, "abcd", 4, 0, (void *)&a, sizeof(a)), ECONNREFUSED);
	a.nl_groups = 1;
	CHECK_ERR(sendto(fd, "abcd", 4, 0, (void *)&a, sizeof(a)), ECONNREFUSED);
	close(fd);
}
