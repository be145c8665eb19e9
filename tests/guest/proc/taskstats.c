/* Generic netlink's TASKSTATS. Source: linux/taskstats.h, Linux's behaviour. */

#include "test.h"

#include <linux/acct.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

static struct {
	struct nlmsghdr h;
	struct genlmsghdr g;
	char attr[8192];
} m;

static int sock, family;

static void put(int type, int cmd, int attr, const void *data, size_t n, int flags)
{
	struct nlattr *a = (void *)m.attr;

	memset(&m, 0, sizeof(m));
	m.h = (struct nlmsghdr){ .nlmsg_type = (unsigned short)type,
				 .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags),
				 .nlmsg_seq = 5,
				 .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) };
	m.g = (struct genlmsghdr){ .cmd = (unsigned char)cmd, .version = 1 };
	if (attr) {
		a->nla_type = (unsigned short)attr;
		a->nla_len = (unsigned short)(NLA_HDRLEN + n);
		memcpy(a + 1, data, n);
		m.h.nlmsg_len += NLA_ALIGN(a->nla_len);
	}
	CHECK_OK(send(sock, &m, m.h.nlmsg_len, 0));
}

/* The errno of the answer. */
static int answer(void)
{
	CHECK_OK(recv(sock, &m, sizeof(m), 0));
	return m.h.nlmsg_type == NLMSG_ERROR ? -((struct nlmsgerr *)NLMSG_DATA(&m.h))->error : 0;
}

static int ask(int cmd, int attr, const void *data, size_t n, int flags)
{
	put(family, cmd, attr, data, n, flags);
	return answer();
}

static const struct nlattr *find(const char *at, const char *end, int type)
{
	for (; at < end; at += NLA_ALIGN(((struct nlattr *)at)->nla_len))
		if ((((struct nlattr *)at)->nla_type & NLA_TYPE_MASK) == type)
			return (struct nlattr *)at;
	return NULL;
}

static const struct nlattr *find_top(int type)
{
	return find(m.attr, (char *)&m + m.h.nlmsg_len, type);
}

/* The record of m in an attribute of this type, which begins with the number `nr`. */
static struct taskstats record(int aggregate, int kind, int nr)
{
	const struct nlattr *a = find_top(aggregate), *b;
	struct taskstats s;

	CHECK(a != NULL);
	b = find((char *)(a + 1), (char *)a + a->nla_len, kind);
	CHECK(b != NULL);
	CHECK_EQ(*(const int *)(b + 1), nr);
	b = find((char *)(a + 1), (char *)a + a->nla_len, TASKSTATS_TYPE_STATS);
	CHECK(b != NULL);
	CHECK_EQ(b->nla_len, NLA_HDRLEN + sizeof(s));
	memcpy(&s, b + 1, sizeof(s));
	CHECK_EQ(s.version, TASKSTATS_VERSION);
	return s;
}

static void start(void)
{
	if (!test_is_root())
		test_skip("needs CAP_NET_ADMIN");
	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	CHECK_OK(sock);
	put(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, TASKSTATS_GENL_NAME, sizeof(TASKSTATS_GENL_NAME), 0);
	CHECK_EQ(answer(), 0);
	family = *(const unsigned short *)(find_top(CTRL_ATTR_FAMILY_ID) + 1);
}

static struct taskstats of_task(int tid)
{
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, &tid, 4, 0), 0);
	CHECK_EQ(m.h.nlmsg_type, family);
	CHECK_EQ(m.h.nlmsg_seq, 5);
	CHECK_EQ(m.g.cmd, TASKSTATS_CMD_NEW);
	return record(TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_PID, tid);
}

static struct taskstats of_process(int pid)
{
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_TGID, &pid, 4, 0), 0);
	return record(TASKSTATS_TYPE_AGGR_TGID, TASKSTATS_TYPE_TGID, pid);
}

static void burn(int ms)
{
	struct timespec ts;

	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	while (ts.tv_sec * 1000 + ts.tv_nsec / 1000000 < ms);
}

TEST(the_controller_knows_the_family)
{
	const struct nlattr *ops;

	start();
	CHECK_EQ(*(const int *)(find_top(CTRL_ATTR_VERSION) + 1), TASKSTATS_GENL_VERSION);
	CHECK_EQ(*(const int *)(find_top(CTRL_ATTR_HDRSIZE) + 1), 0);
	ops = find_top(CTRL_ATTR_OPS);
	CHECK(ops != NULL);
	CHECK_EQ(*(const int *)((char *)ops + 12), TASKSTATS_CMD_GET);
	CHECK_EQ(*(const int *)((char *)ops + 20) & GENL_ADMIN_PERM, GENL_ADMIN_PERM);
}

TEST(facts_of_a_task)
{
	struct taskstats s;
	struct stat st;
	time_t now;

	start();
	burn(60);
	s = of_task(getpid());
	now = time(NULL);
	CHECK_EQ(s.ac_pid, getpid());
	CHECK_EQ(s.ac_tgid, getpid());
	CHECK_EQ(s.ac_ppid, getppid());
	CHECK_EQ(s.ac_uid, 0);
	CHECK_EQ(s.ac_gid, 0);
	CHECK_EQ(s.ac_sched, SCHED_OTHER);
	CHECK_EQ(s.ac_nice, 0);
	CHECK_EQ(s.ac_exitcode, 0);
	CHECK(strlen(s.ac_comm) > 0 && strlen(s.ac_comm) < 16);
	CHECK(s.ac_flag & AFORK);
	CHECK_OK(stat("/proc/self/exe", &st));
	CHECK_EQ(s.ac_exe_inode, st.st_ino);
	CHECK((long)s.ac_btime64 <= now && (long)s.ac_btime64 >= now - 60);
	CHECK_EQ(s.ac_btime, s.ac_btime64);
	/* µs, of ticks that an emulated Linux may miss; then ns. */
	CHECK(s.ac_utime + s.ac_stime > 0);
	CHECK(s.ac_etime + 20000 >= s.ac_utime + s.ac_stime);
	CHECK(s.ac_etime < 60000000);
	CHECK(s.cpu_run_virtual_total >= 60000000 && s.cpu_run_virtual_total < 60000000000ull);
	CHECK(s.cpu_run_real_total > 0);
	CHECK(s.cpu_count >= 1);
	CHECK(s.ac_minflt > 0);
	CHECK(s.hiwater_vm > 100 && s.hiwater_vm < 1 << 20);
	CHECK(s.coremem > 0 && s.virtmem >= s.coremem);
}

TEST(bytes_and_switches_are_counted)
{
	int fd[2], zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	static char buf[65536];
	struct taskstats a, b;

	start();
	CHECK_OK(pipe(fd));
	a = of_task(getpid());
	for (int i = 0; i < 16; i++) {
		CHECK_EQ(read(zero, buf, sizeof(buf)), sizeof(buf));
		CHECK_EQ(write(null, buf, sizeof(buf) / 2), sizeof(buf) / 2);
	}
	for (int i = 0; i < 5; i++)
		usleep(20000);
	b = of_task(getpid());
	CHECK_EQ(b.read_char - a.read_char, 16 * 64 * 1024);
	CHECK_EQ(b.write_char - a.write_char, 16 * 32 * 1024);
	CHECK(b.nvcsw - a.nvcsw >= 3);
	CHECK(b.cpu_count - a.cpu_count >= 3);
}

static int burner(void *arg)
{
	(void)arg;
	burn(150);
	return 0;
}

TEST(waiting_for_a_cpu_is_told)
{
	cpu_set_t one;
	struct taskstats a, b;
	int pid;

	start();
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	a = of_task(getpid());
	pid = test_fork(burner, NULL);
	burn((int)(a.cpu_run_virtual_total / 1000000) + 100);
	b = of_task(getpid());
	test_wait_exit(pid, 0);
	/* Two who want one CPU: in 100 ms of its own each has waited for the other. */
	CHECK(b.cpu_delay_total - a.cpu_delay_total > 20000000);
	CHECK(b.cpu_count > a.cpu_count);
}

static void *worker(void *arg)
{
	burn(60);
	*(pid_t *)arg = gettid();
	for (;;)
		pause();
}

TEST(a_process_is_the_sum_of_its_tasks)
{
	volatile pid_t tid = 0;
	struct taskstats p, t;
	pthread_t th;

	start();
	CHECK_EQ(pthread_create(&th, NULL, worker, (void *)&tid), 0);
	while (!tid)
		usleep(1000);
	t = of_task(tid);
	CHECK_EQ(t.ac_pid, tid);
	CHECK_EQ(t.ac_tgid, getpid());
	CHECK(!(t.ac_flag & AFORK));
	CHECK(t.cpu_run_virtual_total >= 60000000);
	p = of_process(getpid());
	CHECK(p.cpu_run_virtual_total >= t.cpu_run_virtual_total);
	CHECK(p.nvcsw > t.nvcsw);
	CHECK_EQ(p.ac_pid, 0); /* is not told of processes */
	/* Of any of its tasks. */
	p = of_process(tid);
	CHECK(p.cpu_run_virtual_total > t.cpu_run_virtual_total);
}

TEST(wrong_requests)
{
	int gone = 4000000, self = getpid();
	long wide = self;

	start();
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, &gone, 4, 0), ESRCH);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_TGID, &gone, 4, 0), ESRCH);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, 0, NULL, 0, 0), EINVAL);
	CHECK_EQ(ask(TASKSTATS_CMD_NEW, 0, NULL, 0, 0), EOPNOTSUPP);
	CHECK_EQ(ask(99, 0, NULL, 0, 0), EOPNOTSUPP);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, &self, 2, 0), ERANGE);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, &self, 4, NLM_F_DUMP), EOPNOTSUPP);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, &wide, 8, 0), 0);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "x", 2, NLM_F_ACK), EINVAL);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "1-0", 4, NLM_F_ACK), EINVAL);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "0-9999", 7, NLM_F_ACK), ERANGE);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "", 0, NLM_F_ACK), ERANGE);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK, "0", 2, NLM_F_ACK), 0);
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_EQ(ask(TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, &self, 4, 0), EPERM);
}

static void all_cpus(int attr)
{
	char text[32];

	snprintf(text, sizeof(text), "0-%ld", sysconf(_SC_NPROCESSORS_CONF) - 1);
	CHECK_EQ(ask(TASKSTATS_CMD_GET, attr, text, strlen(text) + 1, NLM_F_ACK), 0);
}

static int pair(void *arg)
{
	volatile pid_t tid = 0;
	pthread_t th;

	(void)arg;
	CHECK_OK(setresgid(7, 7, 7));
	CHECK_EQ(pthread_create(&th, NULL, worker, (void *)&tid), 0);
	while (!tid)
		usleep(1000);
	burn(30);
	syscall(SYS_exit_group, 9);
	return 0;
}

TEST(records_of_those_who_end)
{
	struct taskstats s;
	int pid, tid, status, leaders = 0, lasts = 0;
	struct timeval tv = { 5, 0 };

	start();
	CHECK_OK(setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	all_cpus(TASKSTATS_CMD_ATTR_REGISTER_CPUMASK);
	pid = test_fork(pair, NULL);
	/* In any order; who was the last to begin with it brings the process's record. */
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(answer(), 0);
		CHECK_EQ(m.h.nlmsg_type, family);
		CHECK_EQ(m.h.nlmsg_pid, 0);
		CHECK_EQ(m.g.cmd, TASKSTATS_CMD_NEW);
		tid = *(const int *)((char *)find_top(TASKSTATS_TYPE_AGGR_PID) + 8);
		leaders += tid == pid;
		s = record(TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_PID, tid);
		CHECK_EQ(s.ac_tgid, pid);
		CHECK_EQ(s.ac_gid, 7);
		CHECK_EQ(s.ac_exitcode, 9 << 8);
		CHECK(s.cpu_run_virtual_total >= 30000000);
		CHECK_EQ(!!(s.ac_flag & AGROUP), find_top(TASKSTATS_TYPE_AGGR_TGID) != NULL);
		if (s.ac_flag & AGROUP) {
			s = record(TASKSTATS_TYPE_AGGR_TGID, TASKSTATS_TYPE_TGID, pid);
			CHECK(s.cpu_run_virtual_total >= 90000000);
			lasts++;
		}
	}
	CHECK_EQ(leaders, 1);
	CHECK_EQ(lasts, 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 9);
	all_cpus(TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK);
	test_wait_exit(test_fork(burner, NULL), 0);
	CHECK_ERR(recv(sock, &m, sizeof(m), MSG_DONTWAIT), EAGAIN);
}

static int aborts(void *arg)
{
	(void)arg;
	raise(SIGKILL);
	return 0;
}

TEST(a_signals_end_is_flagged)
{
	struct taskstats s;
	int pid;

	start();
	all_cpus(TASKSTATS_CMD_ATTR_REGISTER_CPUMASK);
	pid = test_fork(aborts, NULL);
	CHECK_EQ(answer(), 0);
	s = record(TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_PID, pid);
	CHECK_EQ(s.ac_exitcode, SIGKILL);
	CHECK_EQ(s.ac_flag & (AXSIG | ACORE | AFORK | AGROUP), AXSIG | AFORK | AGROUP);
	CHECK(find_top(TASKSTATS_TYPE_AGGR_TGID) == NULL); /* it never had two tasks */
	test_wait_signal(pid, SIGKILL);
}
