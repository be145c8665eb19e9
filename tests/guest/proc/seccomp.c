/* seccomp(2): modes, filters, what becomes of calls. Listeners: seccomp_notify.c. */
#include "test.h"

#include "seccomp.h"

#include <grp.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>
#include <ucontext.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static void no_core(void)
{
	const struct rlimit none = { 0, 0 };

	CHECK_OK(setrlimit(RLIMIT_CORE, &none));
}

/* --- operations, flags, errors --- */

TEST(seccomp_operations_and_their_errors)
{
	unsigned action = SECCOMP_RET_ERRNO;
	struct seccomp_notif_sizes sizes;

	CHECK_ERR(syscall(SYS_seccomp, 4, 0, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &action), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x40, NULL), EINVAL);
	CHECK_ERR(filter_call(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER, 0, 0), EINVAL);
	CHECK_ERR(filter_call(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0, 0), EINVAL);
	CHECK_OK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
	action = SECCOMP_RET_ERRNO | 1;
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
	CHECK_OK(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
	CHECK_EQ(sizes.seccomp_notif, sizeof(struct seccomp_notif));
	CHECK_EQ(sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp));
	CHECK_EQ(sizes.seccomp_data, sizeof(struct seccomp_data));
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 1, &sizes), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, NULL), EFAULT);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
	CHECK_ERR(prctl(PR_SET_SECCOMP, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, 3), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL), EFAULT);
}

TEST(seccomp_all_actions_are_available)
{
	const unsigned actions[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
				     SECCOMP_RET_ERRNO,	       SECCOMP_RET_USER_NOTIF,	SECCOMP_RET_TRACE,
				     SECCOMP_RET_LOG,	       SECCOMP_RET_ALLOW };

	for (unsigned i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		CHECK_OK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]));
}

static void becomes_nobody(void)
{
	CHECK_OK(setgroups(0, NULL));
	CHECK_OK(setresuid(1000, 1000, 1000));
}

TEST(seccomp_needs_no_new_privs_or_sys_admin)
{
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 7)); /* as root */
	becomes_nobody();
	CHECK_ERR(filter_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 8), EACCES);
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 8));
	CHECK_ERR(syscall(SYS_getppid), 8); /* of the newest */
}

#define REFUSED(err, ...)                                                              \
	do {                                                                           \
		struct sock_filter f_[] = { __VA_ARGS__ };                             \
		CHECK_ERR(load_filter(0, f_, sizeof(f_) / sizeof(f_[0])), err);        \
	} while (0)

TEST(seccomp_programs_that_are_refused)
{
	const struct sock_filter end = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	static struct sock_filter long_one[4097];

	no_new_privs();
	REFUSED(EINVAL, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), end);
	REFUSED(EINVAL, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), end);
	REFUSED(EINVAL, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), end);
	REFUSED(EINVAL, BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), end);
	REFUSED(EINVAL, BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), end);
	REFUSED(EINVAL, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)SKF_AD_OFF), end);
	REFUSED(EINVAL, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0));
	CHECK_ERR(load_filter(0, long_one, 0), EINVAL);
	for (unsigned i = 0; i < 4097; i++)
		long_one[i] = end;
	CHECK_ERR(load_filter(0, long_one, 4097), EINVAL);
	CHECK_OK(load_filter(0, long_one, 4096));
	CHECK_ERR(load_filter(0, (struct sock_filter *)8, 1), EFAULT);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
}

TEST(seccomp_filters_have_a_total_length)
{
	static struct sock_filter f[4096];
	int n;

	for (unsigned i = 0; i < 4096; i++)
		f[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	no_new_privs();
	for (n = 0; n < 64 && load_filter(0, f, 4096) == 0; n++)
		continue;
	CHECK_EQ(errno, ENOMEM);
	CHECK(n > 1 && n < 9);
	CHECK_OK(load_filter(0, f, 1)); /* a short one still fits */
}

/* --- strict mode --- */

static void strict_getpid(void)
{
	CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	syscall(SYS_getpid);
}

static void strict_exit(void)
{
	CHECK_OK(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
	syscall(SYS_write, -1, "", 0);
	syscall(SYS_read, -1, NULL, 0);
	syscall(SYS_exit, 5);
}

static void strict_exit_group(void)
{
	CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	syscall(SYS_exit_group, 5);
}

static void strict_after_filter(void)
{
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_ERRNO));
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), EINVAL);
}

TEST(seccomp_strict_mode_leaves_four_calls)
{
	CHECK_EQ(status_of(strict_getpid), SIGKILL);
	CHECK_EQ(status_of(strict_exit), 5 << 8);
	CHECK_EQ(status_of(strict_exit_group), SIGKILL);
	CHECK_EQ(status_of(strict_after_filter), 0);
}

/* --- verdicts --- */

TEST(seccomp_errno_is_at_most_4095)
{
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 0xffff));
	CHECK_OK(filter_call(0, SYS_getuid, SECCOMP_RET_ERRNO | 33));
	CHECK_OK(filter_call(0, SYS_getgid, SECCOMP_RET_ERRNO));
	CHECK_ERR(syscall(SYS_getppid), 4095);
	CHECK_ERR(syscall(SYS_getuid), 33);
	CHECK_EQ(syscall(SYS_getgid), 0);
	CHECK_EQ(syscall(SYS_getpid), getpid());
}

TEST(seccomp_the_strictest_verdict_counts_and_the_newest_of_equals)
{
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 1));
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 2));
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_TRACE | 3));
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_ALLOW));
	CHECK_ERR(syscall(SYS_getppid), 2);
}

TEST(seccomp_arguments_and_architecture)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARCH_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG_OFFSET(1) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x12345678, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG_OFFSET(5)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	no_new_privs();
	CHECK_OK(load_filter(0, f, sizeof(f) / sizeof(f[0])));
	CHECK_OK(syscall(SYS_getpriority, 0, 0, 0, 0, 0, 99));
	CHECK_ERR(syscall(SYS_getpriority, 0, 0x12345678ul << 32, 0, 0, 0, 77), 77);
}

TEST(seccomp_numbers_that_no_call_has)
{
	no_new_privs();
	CHECK_OK(filter_call(0, -1, SECCOMP_RET_ERRNO | 11));
	CHECK_OK(filter_call(0, 5000, SECCOMP_RET_ERRNO | 12));
	CHECK_ERR(syscall(-1), 11);
	CHECK_ERR(syscall(5000), 12);
	CHECK_ERR(syscall(5001), ENOSYS);
	CHECK_ERR(syscall(-2), ENOSYS);
}

static void killed_process(void)
{
	no_core();
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_KILL_PROCESS));
	signal(SIGSYS, SIG_IGN);
	syscall(SYS_getppid);
}

static void killed_thread(void)
{
	no_core();
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_KILL_THREAD));
	syscall(SYS_getppid);
}

static void unknown_verdict(void)
{
	no_core();
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, 0x12340000));
	syscall(SYS_getppid);
}

static void *calls_getppid(void *arg)
{
	syscall(SYS_getppid);
	return arg;
}

static void thread_is_killed(void)
{
	void *res = &res;
	pthread_t t;

	no_core();
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_KILL_THREAD));
	CHECK_EQ(pthread_create(&t, NULL, calls_getppid, &res), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	_exit(3);
}

static void thread_kills_all(void)
{
	pthread_t t;

	no_core();
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_KILL_PROCESS));
	CHECK_EQ(pthread_create(&t, NULL, calls_getppid, NULL), 0);
	for (;;)
		pause();
}

static void leader_is_killed(void)
{
	pthread_t t;

	no_core();
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_KILL_THREAD));
	CHECK_EQ(pthread_create(&t, NULL, (void *(*)(void *))(uintptr_t)sleep, (void *)1), 0);
	syscall(SYS_getppid);
}

TEST(seccomp_killing)
{
	CHECK_EQ(status_of(killed_process), SIGSYS);
	CHECK_EQ(status_of(killed_thread), SIGSYS);
	CHECK_EQ(status_of(unknown_verdict), SIGSYS);
	CHECK_EQ(status_of(thread_is_killed), 3 << 8);
	CHECK_EQ(status_of(thread_kills_all), SIGSYS);
}

TEST(seccomp_a_leader_is_killed_alone)
{
	int status = status_of(leader_is_killed);

	CHECK(status == SIGSYS || status == 0); /* whoever ends last */
}

/* --- SECCOMP_RET_TRAP --- */

static volatile siginfo_t trap_info;
static volatile long trap_ax;
static volatile uintptr_t trap_ip;

static void on_sigsys(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	trap_info = *si;
	trap_ax = uc->uc_mcontext.gregs[REG_RAX];
	trap_ip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
	uc->uc_mcontext.gregs[REG_RAX] = 4711;
}

TEST(seccomp_trap_tells_and_its_handler_answers)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGSYS, &sa, NULL));
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_TRAP | 1234));
	CHECK_EQ(syscall(SYS_getppid), 4711);
	CHECK_EQ(trap_info.si_signo, SIGSYS);
	CHECK_EQ(trap_info.si_code, 1); /* SYS_SECCOMP */
	CHECK_EQ(trap_info.si_errno, 1234);
	CHECK_EQ(trap_info.si_syscall, SYS_getppid);
	CHECK_EQ(trap_info.si_arch, AUDIT_ARCH_X86_64);
	CHECK_EQ((uintptr_t)trap_info.si_call_addr, trap_ip);
	CHECK_EQ(trap_ax, SYS_getppid);
}

static void trapped_while_blocked(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	sigset_t set;

	no_core();
	CHECK_OK(sigaction(SIGSYS, &sa, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_TRAP));
	syscall(SYS_getppid);
}

TEST(seccomp_trap_cannot_be_blocked)
{
	CHECK_EQ(status_of(trapped_while_blocked), SIGSYS);
}

/* --- inheritance --- */

static void calls_and_tells(void)
{
	long r = syscall(SYS_getppid);

	_exit(r == -1 && errno == 66 ? 1 : 2);
}

__attribute__((constructor)) static void after_exec(void)
{
	if (getenv("SECCOMP_AFTER_EXEC") != NULL)
		calls_and_tells();
}

TEST(seccomp_filters_pass_to_children_and_through_exec)
{
	char self[64];
	pid_t p;
	int status;

	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 66));
	CHECK_EQ(status_of(calls_and_tells), 1 << 8);
	snprintf(self, sizeof(self), "/proc/%d/status", getpid());
	CHECK_EQ(proc_field(self, "Seccomp:"), 2);
	CHECK_EQ(proc_field(self, "Seccomp_filters:"), 1);
	CHECK_OK(p = fork());
	if (p == 0) {
		CHECK_EQ(proc_field("/proc/self/status", "Seccomp:"), 2);
		CHECK_OK(filter_call(0, SYS_getuid, SECCOMP_RET_ALLOW));
		CHECK_EQ(proc_field("/proc/self/status", "Seccomp_filters:"), 2);
		setenv("SECCOMP_AFTER_EXEC", "1", 1);
		execl("/proc/self/exe", "seccomp", NULL);
		_exit(9);
	}
	CHECK_EQ(waitpid(p, &status, 0), p);
	CHECK_EQ(status, 1 << 8);
	CHECK_EQ(proc_field(self, "Seccomp_filters:"), 1);
}

/* --- threads --- */

static pthread_barrier_t both;
static volatile int waiter_tid;
static volatile long waiter_nnp;

static void *waits(void *arg)
{
	if (arg != NULL)
		CHECK_OK(filter_call(0, SYS_getgid, SECCOMP_RET_ERRNO | 5));
	waiter_tid = (int)syscall(SYS_gettid);
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	waiter_nnp = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	return (void *)(syscall(SYS_getppid) == -1 ? (uintptr_t)errno : 0);
}

static pthread_t start_waiter(void *arg)
{
	pthread_t t;

	CHECK_EQ(pthread_barrier_init(&both, NULL, 2), 0);
	CHECK_EQ(pthread_create(&t, NULL, waits, arg), 0);
	pthread_barrier_wait(&both);
	return t;
}

static void *finish_waiter(pthread_t t)
{
	void *res;

	pthread_barrier_wait(&both);
	CHECK_EQ(pthread_join(t, &res), 0);
	return res;
}

TEST(seccomp_filters_are_the_threads_own)
{
	pthread_t t = start_waiter(NULL);

	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 21));
	CHECK_EQ((uintptr_t)finish_waiter(t), 0);
	CHECK_EQ(waiter_nnp, 0);
}

TEST(seccomp_tsync_takes_all_threads_along)
{
	pthread_t t = start_waiter(NULL);

	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getuid, SECCOMP_RET_ERRNO | 20));
	CHECK_OK(filter_call(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 21));
	CHECK_EQ((uintptr_t)finish_waiter(t), 21);
	CHECK_EQ(waiter_nnp, 1);
}

TEST(seccomp_tsync_names_a_thread_that_cannot_follow)
{
	pthread_t t = start_waiter(&t);

	CHECK_EQ(filter_call(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 21), waiter_tid);
	CHECK_ERR(filter_call(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, SYS_getppid,
			      SECCOMP_RET_ERRNO | 21),
		  ESRCH);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
	CHECK_EQ((uintptr_t)finish_waiter(t), 0);
}

/* --- logging, sysctl --- */

static void read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	CHECK_OK(fd);
	CHECK_OK(n = read(fd, buf, size - 1));
	buf[n] = '\0';
	close(fd);
}

static int write_logged(const char *text)
{
	int fd = open("/proc/sys/kernel/seccomp/actions_logged", O_WRONLY);
	ssize_t n = write(fd, text, strlen(text));

	close(fd);
	return n < 0 ? -1 : 0;
}

TEST(seccomp_sysctl_of_actions)
{
	char avail[128], before[128], now[128];

	read_text("/proc/sys/kernel/seccomp/actions_avail", avail, sizeof(avail));
	CHECK_EQ(strcmp(avail, "kill_process kill_thread trap errno user_notif trace log allow\n"), 0);
	read_text("/proc/sys/kernel/seccomp/actions_logged", before, sizeof(before));
	CHECK_OK(write_logged("log errno"));
	read_text("/proc/sys/kernel/seccomp/actions_logged", now, sizeof(now));
	CHECK_EQ(strcmp(now, "errno log\n"), 0);
	CHECK_ERR(write_logged("allow"), EINVAL);
	CHECK_ERR(write_logged("log nonsense"), EINVAL);
	CHECK_OK(write_logged(before));
	read_text("/proc/sys/kernel/seccomp/actions_logged", now, sizeof(now));
	CHECK_EQ(strcmp(now, before), 0);
}

TEST(seccomp_log_allows)
{
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_LOG));
	CHECK_EQ(syscall(SYS_getppid), getppid());
}

/* --- restarts --- */

TEST(seccomp_sees_restart_syscall)
{
	struct timespec t = { 0, 300000000 };
	pid_t p;
	int status;

	CHECK_OK(p = fork());
	if (p == 0) {
		no_new_privs();
		CHECK_OK(filter_call(0, SYS_restart_syscall, SECCOMP_RET_ERRNO | 44));
		_exit(nanosleep(&t, NULL) == -1 ? errno : 0);
	}
	usleep(100000);
	CHECK_OK(kill(p, SIGSTOP));
	CHECK_EQ(waitpid(p, &status, WUNTRACED), p);
	CHECK_OK(kill(p, SIGCONT));
	CHECK_EQ(waitpid(p, &status, 0), p);
	CHECK_EQ(status, 44 << 8);
}

/* --- tracers --- */

TEST(seccomp_trace_without_a_tracer_is_enosys)
{
	no_new_privs();
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_TRACE | 1));
	CHECK_ERR(syscall(SYS_getppid), ENOSYS);
}

/* A traced child that has filters and runs fn, stopped before. */
static pid_t start_traced(void (*fn)(void), unsigned long options)
{
	pid_t p = fork();
	int status;

	CHECK_OK(p);
	if (p == 0) {
		no_new_privs();
		CHECK_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		fn();
		_exit(0);
	}
	CHECK_EQ(waitpid(p, &status, 0), p);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, p, 0, options));
	CHECK_OK(ptrace(PTRACE_CONT, p, 0, 0));
	return p;
}

static void expect_event(pid_t p, unsigned long message)
{
	unsigned long got = 0;
	int status;

	CHECK_EQ(waitpid(p, &status, 0), p);
	CHECK_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, p, 0, &got));
	CHECK_EQ(got, message);
}

static long peek(pid_t p, size_t offset)
{
	errno = 0;
	return ptrace(PTRACE_PEEKUSER, p, offset, 0);
}

static void traced_calls(void)
{
	CHECK_OK(filter_call(0, SYS_getuid, SECCOMP_RET_ERRNO | 50));
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_TRACE | 77));
	CHECK_EQ(syscall(SYS_getppid), getpid());   /* changed to getpid() */
	CHECK_ERR(syscall(SYS_getppid), 50);	    /* changed to getuid(): judged again */
	CHECK_EQ(syscall(SYS_getppid), 99);	    /* taken out */
	CHECK_ERR(syscall(SYS_getppid), ENOSYS);    /* taken out without a word */
	_exit(12);
}

TEST(seccomp_a_tracer_is_asked)
{
	pid_t p = start_traced(traced_calls, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
	const size_t nr = offsetof(struct user_regs_struct, orig_rax), ax = offsetof(struct user_regs_struct, rax);
	int status;

	expect_event(p, 77);
	CHECK_EQ(peek(p, nr), SYS_getppid);
	CHECK_EQ(peek(p, ax), -ENOSYS);
	CHECK_OK(ptrace(PTRACE_POKEUSER, p, nr, SYS_getpid));
	CHECK_OK(ptrace(PTRACE_CONT, p, 0, 0));
	expect_event(p, 77);
	CHECK_OK(ptrace(PTRACE_POKEUSER, p, nr, SYS_getuid));
	CHECK_OK(ptrace(PTRACE_CONT, p, 0, 0));
	expect_event(p, 77);
	CHECK_OK(ptrace(PTRACE_POKEUSER, p, nr, -1));
	CHECK_OK(ptrace(PTRACE_POKEUSER, p, ax, 99));
	CHECK_OK(ptrace(PTRACE_CONT, p, 0, 0));
	expect_event(p, 77);
	CHECK_OK(ptrace(PTRACE_POKEUSER, p, nr, -1));
	CHECK_OK(ptrace(PTRACE_CONT, p, 0, 0));
	CHECK_EQ(waitpid(p, &status, 0), p);
	CHECK_EQ(status, 12 << 8);
}

static void calls_suspended(void)
{
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_KILL_PROCESS));
	CHECK_EQ(syscall(SYS_getppid), getppid());
	_exit(4);
}

TEST(seccomp_is_suspended_by_a_tracer)
{
	pid_t p = start_traced(calls_suspended, PTRACE_O_SUSPEND_SECCOMP);
	int status;

	CHECK_EQ(waitpid(p, &status, 0), p);
	CHECK_EQ(status, 4 << 8);
}

static void two_filters_and_stop(void)
{
	CHECK_OK(filter_call(SECCOMP_FILTER_FLAG_LOG, SYS_getuid, SECCOMP_RET_ERRNO | 50));
	CHECK_OK(filter_call(0, SYS_getppid, SECCOMP_RET_ERRNO | 51));
	raise(SIGSTOP);
}

#ifndef PTRACE_SECCOMP_GET_METADATA
#define PTRACE_SECCOMP_GET_METADATA 0x420d
#endif

TEST(seccomp_a_tracer_reads_filters)
{
	pid_t p = start_traced(two_filters_and_stop, PTRACE_O_EXITKILL);
	struct sock_filter f[8];
	uint64_t meta[2] = { 0, 99 };
	int status;

	CHECK_EQ(waitpid(p, &status, 0), p);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(syscall(SYS_ptrace, PTRACE_SECCOMP_GET_FILTER, p, 0, NULL), 4);
	CHECK_EQ(syscall(SYS_ptrace, PTRACE_SECCOMP_GET_FILTER, p, 0, f), 4);
	CHECK_EQ(f[1].k, SYS_getuid); /* the oldest; ptrace(2) has it the other way round */
	CHECK_EQ(syscall(SYS_ptrace, PTRACE_SECCOMP_GET_FILTER, p, 1, f), 4);
	CHECK_EQ(f[1].k, SYS_getppid);
	CHECK_ERR(syscall(SYS_ptrace, PTRACE_SECCOMP_GET_FILTER, p, 2, f), ENOENT);
	CHECK_EQ(syscall(SYS_ptrace, PTRACE_SECCOMP_GET_METADATA, p, sizeof(meta), meta), sizeof(meta));
	CHECK_EQ(meta[1], SECCOMP_FILTER_FLAG_LOG);
	meta[0] = 1;
	CHECK_EQ(syscall(SYS_ptrace, PTRACE_SECCOMP_GET_METADATA, p, sizeof(meta), meta), sizeof(meta));
	CHECK_EQ(meta[1], 0);
	CHECK_ERR(syscall(SYS_ptrace, PTRACE_SECCOMP_GET_METADATA, p, 4, meta), EINVAL);
	kill(p, SIGKILL);
	CHECK_EQ(waitpid(p, &status, 0), p);
}
