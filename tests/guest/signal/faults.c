/* What a fault's siginfo says, and which calls SA_RESTART restarts. */
#include "../test.h"

#include <linux/futex.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <sys/prctl.h>
#include <ucontext.h>

static sigjmp_buf back;
static volatile siginfo_t got;
static volatile unsigned long trapno, err, cr2;

static void caught(int sig, siginfo_t *si, void *uc)
{
	ucontext_t *u = uc;

	(void)sig;
	memcpy((void *)&got, si, sizeof(got));
	trapno = (unsigned long)u->uc_mcontext.gregs[REG_TRAPNO];
	err = (unsigned long)u->uc_mcontext.gregs[REG_ERR];
	cr2 = (unsigned long)u->uc_mcontext.gregs[REG_CR2];
	siglongjmp(back, 1);
}

#define EXPECT(stmt, sig, code, addr)                                         \
	do {                                                                  \
		struct sigaction sa = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO }; \
		sigaction(sig, &sa, NULL);                                    \
		memset((void *)&got, 0, sizeof(got));                         \
		if (sigsetjmp(back, 1) == 0) {                                \
			stmt;                                                 \
			FAIL("%s: no signal", #stmt);                         \
		}                                                             \
		CHECK_EQ(got.si_signo, sig);                                  \
		CHECK_EQ(got.si_code, code);                                  \
		CHECK_EQ((uintptr_t)got.si_addr, (uintptr_t)(addr));          \
	} while (0)

#define HERE(label) ({ extern char label[]; label; })

TEST(fault_siginfo_memory)
{
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *past;
	int f = open("f", O_RDWR | O_CREAT, 0600);

	EXPECT(*(volatile char *)16 = 1, SIGSEGV, SEGV_MAPERR, 16);
	CHECK_EQ(trapno, 14);
	CHECK_EQ(err, 6);
	CHECK_EQ(cr2, 16);
	EXPECT((void)*(volatile char *)24, SIGSEGV, SEGV_MAPERR, 24);
	CHECK_EQ(err, 4);
	EXPECT(*(volatile char *)(ro + 5) = 1, SIGSEGV, SEGV_ACCERR, ro + 5);
	EXPECT((void)*(volatile char *)(none + 7), SIGSEGV, SEGV_ACCERR, none + 7);
	EXPECT(((void (*)(void))ro)(), SIGSEGV, SEGV_ACCERR, ro);
	EXPECT((void)*(volatile char *)0x8000000000000000ul, SIGSEGV, SI_KERNEL, 0);
	CHECK_EQ(trapno, 13);
	EXPECT((void)*(volatile char *)0xffffffff80000000ul, SIGSEGV, SEGV_MAPERR, 0xffffffff80000000ul);
	CHECK_EQ(err & 1, 1); /* looks like a page that is there and forbidden */
	CHECK_OK(ftruncate(f, 100));
	past = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	past[4095] = 1;
	EXPECT(past[4096] = 1, SIGBUS, BUS_ADRERR, past + 4096);
}

static void divide(int by)
{
	__asm__ volatile(".globl fault_div; fault_div: idivl %0" : : "r"(by), "a"(1), "d"(0));
}

static void x87_divide(void)
{
	unsigned short cw = 0x37f & ~4u;

	__asm__ volatile("fninit; fldcw %0; fldz; fld1; fdivp; .globl fault_x87; fault_x87: fwait" : : "m"(cw));
}

TEST(fault_siginfo_arithmetic)
{
	EXPECT(divide(0), SIGFPE, FPE_INTDIV, HERE(fault_div));
	CHECK_EQ(trapno, 0);
	EXPECT(x87_divide(), SIGFPE, FPE_FLTDIV, HERE(fault_x87));
	CHECK_EQ(trapno, 16);
}

TEST(fault_siginfo_traps)
{
	EXPECT(__asm__ volatile(".globl fault_ud; fault_ud: ud2"), SIGILL, ILL_ILLOPN, HERE(fault_ud));
	CHECK_EQ(trapno, 6);
	EXPECT(__asm__ volatile("int3"), SIGTRAP, SI_KERNEL, 0);
	CHECK_EQ(trapno, 3);
	EXPECT(__asm__ volatile("hlt"), SIGSEGV, SI_KERNEL, 0);
	EXPECT(__asm__ volatile("int $4"), SIGSEGV, SI_KERNEL, 0);
	EXPECT(__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; .globl fault_tf; fault_tf: nop" ::: "memory", "cc"),
	       SIGTRAP, TRAP_TRACE, HERE(fault_tf));
	CHECK_EQ(trapno, 1);
}

/* --- SA_RESTART --- */

static int rd, wr;
static uint32_t word;

static long c_read(void) { char c; return read(rd, &c, 1); }
static long c_readv(void) { char c; struct iovec v = { &c, 1 }; return readv(rd, &v, 1); }
static long c_write(void) { static char b[1 << 17]; long n = write(wr, b, sizeof(b)); return n > 0 ? 0 : n; }
static long c_open_fifo(void) { return open("fifo", O_RDONLY); }
static long c_wait(void) { return waitpid(-1, NULL, 0); }
static long c_waitid(void) { siginfo_t s; return waitid(P_ALL, 0, &s, WEXITED); }
static long c_flock(void) { return flock(open("lock", O_RDWR | O_CREAT, 0600), LOCK_EX); }
static long c_setlkw(void) { struct flock l = { F_WRLCK, SEEK_SET, 0, 0, 0 }; return fcntl(open("lock2", O_RDWR | O_CREAT, 0600), F_SETLKW, &l); }
static long c_futex(void) { return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); }
static long c_futex_t(void) { struct timespec t = { 5, 0 }; return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0); }
static long c_futex_bitset(void) { return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1); }
static long c_pause(void) { return pause(); }
static long c_sigsuspend(void) { sigset_t s; sigemptyset(&s); return sigsuspend(&s); }
static long c_sigtimedwait(void) { sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR2); return sigwaitinfo(&s, NULL); }
static long c_poll(void) { struct pollfd p = { rd, POLLIN, 0 }; return poll(&p, 1, 5000); }
static long c_ppoll(void) { struct pollfd p = { rd, POLLIN, 0 }; return ppoll(&p, 1, NULL, NULL); }
static long c_select(void) { fd_set f; FD_ZERO(&f); FD_SET(rd, &f); return select(rd + 1, &f, NULL, NULL, NULL); }
static long c_epoll(void) { struct epoll_event e; return epoll_wait(epoll_create1(0), &e, 1, 5000); }
static long c_nanosleep(void) { struct timespec t = { 5, 0 }; return nanosleep(&t, NULL); }
static long c_clock_abs(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); t.tv_sec += 5; int e = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL); errno = e; return e ? -1 : 0; }
static long c_eventfd(void) { uint64_t n; return read(eventfd(0, 0), &n, 8); }
static long c_timerfd(void) { uint64_t n; return read(timerfd_create(CLOCK_MONOTONIC, 0), &n, 8); }
static long c_signalfd(void) { struct signalfd_siginfo s; sigset_t m; sigemptyset(&m); sigaddset(&m, SIGUSR2); return read(signalfd(-1, &m, 0), &s, sizeof(s)); }
static long c_splice(void) { int p[2]; if (pipe(p)) return -1; return splice(rd, NULL, p[1], NULL, 1, 0); }

static const struct row {
	const char *name;
	long (*call)(void);
	bool restarts;
} row[] = {
	{ "read", c_read, true }, { "readv", c_readv, true }, { "write", c_write, true },
	{ "open of a FIFO", c_open_fifo, true }, { "waitpid", c_wait, true }, { "waitid", c_waitid, true },
	{ "flock", c_flock, true }, { "F_SETLKW", c_setlkw, true }, { "futex", c_futex, true },
	{ "futex with timeout", c_futex_t, false }, { "futex bitset", c_futex_bitset, true },
	{ "pause", c_pause, false }, { "sigsuspend", c_sigsuspend, false }, { "sigwaitinfo", c_sigtimedwait, false },
	{ "poll", c_poll, false }, { "ppoll", c_ppoll, false }, { "select", c_select, false },
	{ "epoll_wait", c_epoll, false }, { "nanosleep", c_nanosleep, false },
	{ "clock_nanosleep", c_clock_abs, false }, { "eventfd", c_eventfd, true }, { "timerfd", c_timerfd, true },
	{ "signalfd", c_signalfd, true }, { "splice", c_splice, true },
};

static volatile int handled;

static void on_usr1(int sig)
{
	(void)sig;
	handled = 1;
}

/* In a child: the call is interrupted once after 50 ms; 1: it went on, 2: EINTR. The parent then ends it. */
static int interrupted(const struct row *r, int flags)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = flags };
	int p[2], out[2], status;
	char how = 0;
	pid_t pid, other;

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(out));
	pid = fork();
	if (pid == 0) {
		sigset_t m;

		int q[2];
		CHECK_OK(pipe(q));
		rd = p[0];
		wr = q[1];
		sigemptyset(&m);
		sigaddset(&m, SIGUSR2);
		sigprocmask(SIG_BLOCK, &m, NULL);
		sigaction(SIGUSR1, &sa, NULL);
		other = fork();
		if (other == 0) { /* holds the locks, and is the child to be waited for */
			struct flock l = { F_WRLCK, SEEK_SET, 0, 0, 0 };
			int f = open("lock", O_RDWR | O_CREAT, 0600), g = open("lock2", O_RDWR | O_CREAT, 0600);

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			flock(f, LOCK_EX);
			fcntl(g, F_SETLK, &l);
			sleep(10);
			_exit(0);
		}
		usleep(60000); /* it has them */
		if (write(out[1], "s", 1) != 1)
			_exit(1);
		long n = r->call();
		how = n == -1 && errno == EINTR ? 'E' : n == -1 ? 'x' : 'o';
		if (write(out[1], &how, 1) != 1)
			_exit(1);
		kill(other, SIGKILL);
		_exit(0);
	}
	close(out[1]);
	CHECK_EQ(read(out[0], &how, 1), 1);
	usleep(80000);
	CHECK_OK(kill(pid, SIGUSR1));
	struct pollfd pf = { out[0], POLLIN, 0 };
	int ready = poll(&pf, 1, 300);
	how = 'r';
	if (ready == 1 && read(out[0], &how, 1) != 1)
		how = '?';
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(p[0]);
	close(p[1]);
	close(out[0]);
	return how;
}

TEST_TIMED(sa_restart_by_the_table, 120)
{
	CHECK_OK(mkfifo("fifo", 0600));
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int with = interrupted(&row[i], SA_RESTART), without = interrupted(&row[i], 0);

		/* A write that has moved something returns that. */
		if (row[i].call == c_write)
			continue;
		if (with != (row[i].restarts ? 'r' : 'E'))
			FAIL("%s with SA_RESTART: '%c'", row[i].name, with);
		if (without != 'E')
			FAIL("%s without: '%c'", row[i].name, without);
	}
}

TEST(altstack_keeps_autodisarm)
{
	static char stack[65536];
	stack_t ss = { stack, (int)(1u << 31) | SS_DISABLE, sizeof(stack) }, old;

	CHECK_OK(sigaltstack(&ss, NULL));
	CHECK_OK(sigaltstack(NULL, &old));
	CHECK_EQ((unsigned)old.ss_flags, (1u << 31) | SS_DISABLE);
	CHECK_EQ(old.ss_size, 0);
}
