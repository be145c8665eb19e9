/* What is in a signal's frame, and what of a siginfo crosses the kernel: sigaction(2),
 * rt_sigqueueinfo(2). */
#include "test.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

enum { SIGINFO_BYTES = 128, USED_BYTES = 48 };

static unsigned char *stack, at_info[SIGINFO_BYTES];
static ucontext_t at_context;
enum { STACK_BYTES = 64 * 1024, FILL = 0x5a };

static void look(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	memcpy(at_info, si, sizeof(at_info));
	at_context = *(ucontext_t *)uc;
}

static void raise_on_filled_stack(int flags)
{
	struct sigaction sa = { .sa_sigaction = look, .sa_flags = flags | SA_ONSTACK };
	stack_t ss = { .ss_size = STACK_BYTES };

	stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(stack != MAP_FAILED);
	memset(stack, FILL, STACK_BYTES);
	ss.ss_sp = stack;
	CHECK_OK(sigaltstack(&ss, NULL));
	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	CHECK_OK(raise(SIGUSR1));
}

TEST(siginfo_is_whole_and_ends_in_zeroes)
{
	siginfo_t si;

	raise_on_filled_stack(SA_SIGINFO);
	memcpy(&si, at_info, sizeof(si));
	CHECK_EQ(si.si_signo, SIGUSR1);
	CHECK_EQ(si.si_code, SI_TKILL);
	CHECK_EQ(si.si_pid, getpid());
	for (int i = 24; i < SIGINFO_BYTES; i++)
		CHECK_EQ(at_info[i], 0);
}

TEST(handler_without_siginfo_gets_the_context)
{
	raise_on_filled_stack(0);
	CHECK((unsigned char *)at_context.uc_mcontext.fpregs > stack);
	CHECK_EQ(at_context.uc_stack.ss_size, STACK_BYTES);
	CHECK(at_context.uc_stack.ss_sp == stack);
	/* its siginfo was never written */
	for (int i = 0; i < SIGINFO_BYTES; i++)
		CHECK_EQ(at_info[i], FILL);
}

/* One byte of a queued siginfo: -errno, or what arrived there. */
static int send_byte(int sig, int code, int at)
{
	struct timespec now = { 0, 0 };
	unsigned char raw[SIGINFO_BYTES] = { 0 }, got[SIGINFO_BYTES];
	sigset_t set;

	raw[at] = 77;
	memcpy(raw + 8, &code, sizeof(code));
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (syscall(SYS_rt_sigqueueinfo, getpid(), sig, raw))
		return -errno;
	memset(got, FILL, sizeof(got));
	CHECK_EQ(sigtimedwait(&set, (siginfo_t *)(void *)got, &now), sig);
	for (int i = USED_BYTES; i < SIGINFO_BYTES; i++)
		CHECK_EQ(got[i], 0);
	return got[at];
}

TEST(queued_siginfo_is_kept_where_it_has_meaning)
{
	static const int codes[] = { SI_QUEUE, SI_TIMER,  SI_MESGQ, SI_ASYNCIO, SI_TKILL,
				     SI_USER,  SI_KERNEL, 1,        -42,        99 };

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		for (int at = 12; at < USED_BYTES; at += 5)
			CHECK_EQ(send_byte(SIGRTMIN, codes[i], at), 77);
}

TEST(rest_is_dropped_from_known_codes_and_refused_from_others)
{
	const struct {
		int sig, code, result;
	} table[] = {
		{ SIGRTMIN, SI_QUEUE, 0 }, { SIGRTMIN, -60, 0 },
		{ SIGRTMIN, -7, 0 },       { SIGRTMIN, -8, -E2BIG },
		{ SIGRTMIN, 6, 0 },        { SIGRTMIN, 7, -E2BIG },
		{ SIGUSR1, SI_KERNEL, 0 }, { SIGUSR1, SI_KERNEL + 1, -E2BIG },
		{ SIGBUS, 5, 0 },          { SIGBUS, 6, -E2BIG },
		{ SIGSEGV, 9, 0 },         { SIGSEGV, 10, -E2BIG },
		{ SIGILL, 11, 0 },         { SIGILL, 12, -E2BIG },
		{ SIGFPE, 15, 0 },         { SIGFPE, 16, -E2BIG },
		{ SIGTRAP, 6, 0 },         { SIGTRAP, 7, -E2BIG },
		{ SIGCHLD, 6, 0 },         { SIGCHLD, 7, -E2BIG },
		{ SIGSYS, 2, 0 },          { SIGSYS, 3, -E2BIG },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CHECK_EQ(send_byte(table[i].sig, table[i].code, USED_BYTES), table[i].result);
		CHECK_EQ(send_byte(table[i].sig, table[i].code, SIGINFO_BYTES - 1),
			 table[i].result);
	}
}

static void break_context(int sig, siginfo_t *si, void *uc)
{
	(void)si;
	if (sig == SIGUSR1)
		((ucontext_t *)uc)->uc_mcontext.fpregs = (void *)0x1000;
	else
		_exit(3);
}

TEST(sigreturn_with_a_bad_fpstate_is_a_segv)
{
	struct sigaction sa = { .sa_sigaction = break_context, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
	if (fork() == 0) {
		raise(SIGUSR1);
		_exit(4);
	}
	int status;

	CHECK(wait(&status) > 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}
