/* Memory and registers of a tracee; system calls, single steps, breakpoints. */
#include "trace.h"
#include <elf.h>
#include <stdlib.h>

static volatile long cell = 0x1122334455667788;
static const long constant = 42;
static int watched;

TEST(peek_and_poke)
{
	pid_t pid = traced_child(returns, NULL);
	long word;

	CHECK_OK(pt(PTRACE_PEEKDATA, pid, ul((void *)&cell), ul(&word)));
	CHECK_EQ(word, 0x1122334455667788);
	CHECK_OK(pt(PTRACE_POKEDATA, pid, ul((void *)&cell) + 2, 0x0807060504030201));
	CHECK_OK(pt(PTRACE_PEEKTEXT, pid, ul((void *)&cell), ul(&word)));
	CHECK_EQ(word, 0x0605040302017788);
	CHECK_EQ(cell, 0x1122334455667788); /* its own copy */
	CHECK_OK(pt(PTRACE_POKETEXT, pid, ul(&constant), 43)); /* read-only is no obstacle */
	CHECK_OK(pt(PTRACE_PEEKTEXT, pid, ul(&constant), ul(&word)));
	CHECK_EQ(word, 43);
	CHECK_EQ(constant, 42);
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, 16, ul(&word)), EIO);
	CHECK_ERR(pt(PTRACE_POKEDATA, pid, 16, 1), EIO);
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, ul((void *)&cell), 16), EFAULT);
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, -8ul, ul(&word)), EIO);
	end(pid);
}

TEST(user_area)
{
	pid_t pid = traced_child(returns, NULL);
	struct user_regs_struct r = regs_of(pid);
	unsigned long word;

	CHECK_OK(pt(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), ul(&word)));
	CHECK_EQ(word, r.rip);
	CHECK_OK(pt(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.cs), ul(&word)));
	CHECK_EQ(word, 0x33);
	CHECK_OK(pt(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[7]), ul(&word)));
	CHECK_EQ(word, 0);
	CHECK_OK(pt(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[4]), ul(&word)));
	CHECK_EQ(word, 0);
	CHECK_OK(pt(PTRACE_PEEKUSER, pid, offsetof(struct user, signal), ul(&word)));
	CHECK_ERR(pt(PTRACE_PEEKUSER, pid, 4, ul(&word)), EIO);
	CHECK_ERR(pt(PTRACE_PEEKUSER, pid, 928, ul(&word)), EIO);
	CHECK_OK(pt(PTRACE_PEEKUSER, pid, 920, ul(&word)));
	CHECK_ERR(pt(PTRACE_PEEKUSER, pid, -8ul, ul(&word)), EIO);
	CHECK_OK(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rbx), 77));
	CHECK_EQ(regs_of(pid).rbx, 77);
	CHECK_ERR(pt(PTRACE_POKEUSER, pid, offsetof(struct user, signal), 1), EIO);
	CHECK_ERR(pt(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[4]), 1), EIO);
	CHECK_ERR(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.cs), 0), EIO);
	CHECK_ERR(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.cs), 0x10), EIO);
	CHECK_ERR(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.fs_base), 1ul << 63), EIO);
	CHECK_OK(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.eflags), ~0ul & ~0x100ul));
	word = regs_of(pid).eflags; /* what user mode may have, and IF, which it has */
	CHECK_EQ(word & 0x200, 0x200);
	CHECK_EQ(word & 0x3000, 0);
	CHECK_EQ(word & 0xcd5, 0xcd5);
	CHECK_OK(pt(PTRACE_SETREGS, pid, 0, ul(&r)));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 0);
}

static long add(long a, long b)
{
	__asm__ volatile("int3" : "+r"(a));
	return a + b;
}

static int adds(void *arg)
{
	return (int)add((long)arg, 2);
}

TEST(int3_and_changed_registers)
{
	pid_t pid = traced_child(adds, (void *)1);
	struct user_regs_struct r;
	siginfo_t si;

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP);
	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_code, SI_KERNEL);
	CHECK_EQ(ul(si.si_addr), 0);
	r = regs_of(pid);
	CHECK_EQ(r.orig_rax, -1);
	long byte;
	CHECK_OK(pt(PTRACE_PEEKTEXT, pid, r.rip - 1, ul(&byte)));
	CHECK_EQ(byte & 0xff, 0xcc);
	for (unsigned long *w = (unsigned long *)&r; w < (unsigned long *)&r + 15; w++)
		if (*w == 1) /* wherever `a` is */
			*w = 40;
	CHECK_OK(pt(PTRACE_SETREGS, pid, 0, ul(&r)));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 42);
}

/* --- floating point --- */

static int doubles(void *arg)
{
	double d = (double)(long)arg;

	__asm__ volatile("movsd %0, %%xmm15; fldl %0; int3; fstpl %0" : "+m"(d) : : "xmm15");
	return (int)d;
}

TEST(fp_registers)
{
	pid_t pid = traced_child(doubles, (void *)3);
	struct user_fpregs_struct f, g;
	struct iovec iov = { &g, sizeof(g) };
	long double st0;
	double d;

	CHECK_EQ(sizeof(f), 512);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP);
	CHECK_OK(pt(PTRACE_GETFPREGS, pid, 0, ul(&f)));
	memcpy(&d, (char *)f.xmm_space + 15 * 16, 8);
	CHECK(d == 3.0);
	memcpy(&st0, f.st_space, 10);
	CHECK(st0 == 3.0L);
	CHECK_OK(pt(PTRACE_GETREGSET, pid, NT_PRFPREG, ul(&iov)));
	CHECK_EQ(iov.iov_len, 512);
	CHECK(memcmp(&f, &g, 464) == 0);
	st0 = 21.0L;
	memcpy(f.st_space, &st0, 10);
	CHECK_OK(pt(PTRACE_SETFPREGS, pid, 0, ul(&f)));
	f.mxcsr = 0xffffffff;
	CHECK_ERR(pt(PTRACE_SETFPREGS, pid, 0, ul(&f)), EINVAL);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 21);
}

TEST(xsave_regset)
{
	static char image[16384], other[16384];
	struct iovec iov = { image, sizeof(image) };
	pid_t pid = traced_child(doubles, (void *)3);
	uint64_t xcr0;
	size_t size;

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP);
	if (pt(PTRACE_GETREGSET, pid, NT_X86_XSTATE, ul(&iov)) == -1 && errno == ENODEV)
		test_skip("no XSAVE");
	size = iov.iov_len;
	CHECK(size >= 576 && size < sizeof(image));
	memcpy(&xcr0, image + 464, 8);
	CHECK_EQ(xcr0 & 3, 3);
	CHECK_OK(pt(PTRACE_SETREGSET, pid, NT_X86_XSTATE, ul(&iov)));
	CHECK_EQ(iov.iov_len, size);
	struct iovec part = { other, 128 };
	CHECK_OK(pt(PTRACE_GETREGSET, pid, NT_X86_XSTATE, ul(&part)));
	CHECK_EQ(part.iov_len, 128);
	CHECK(memcmp(image, other, 128) == 0);
	CHECK_ERR(pt(PTRACE_SETREGSET, pid, NT_X86_XSTATE, ul(&part)), EFAULT);
	part.iov_len = 127;
	CHECK_ERR(pt(PTRACE_GETREGSET, pid, NT_X86_XSTATE, ul(&part)), EINVAL);
	CHECK_ERR(pt(PTRACE_GETREGSET, pid, 0x9999, ul(&iov)), EINVAL);
	CHECK_ERR(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, 16), EFAULT);
	image[512 + 8] = 1; /* a compacted image, or no image at all */
	CHECK_ERR(pt(PTRACE_SETREGSET, pid, NT_X86_XSTATE, ul(&iov)), EINVAL);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 3);
}

TEST(prstatus_regset)
{
	pid_t pid = traced_child(returns, (void *)8);
	struct user_regs_struct r = regs_of(pid), s;
	struct iovec iov = { &s, sizeof(s) + 64 };

	CHECK_OK(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, ul(&iov)));
	CHECK_EQ(iov.iov_len, sizeof(s));
	CHECK(memcmp(&r, &s, sizeof(s)) == 0);
	CHECK_OK(pt(PTRACE_SETREGSET, pid, NT_PRSTATUS, ul(&iov)));
	iov.iov_len = 8;
	s.r15 = 0x1234;
	CHECK_OK(pt(PTRACE_SETREGSET, pid, NT_PRSTATUS, ul(&iov)));
	CHECK_EQ(regs_of(pid).r15, 0x1234);
	CHECK_EQ(regs_of(pid).r14, r.r14);
	CHECK_OK(pt(PTRACE_SETREGS, pid, 0, ul(&r)));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 8);
}

static __thread int in_tls = 55;

static int reads_tls(void *arg)
{
	(void)arg;
	__asm__ volatile("int3");
	return in_tls;
}

TEST(fs_base)
{
	pid_t pid = traced_child(reads_tls, NULL);
	unsigned long base = 0, mine;

	__asm__("mov %%fs:0, %0" : "=r"(mine));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP);
	CHECK_OK(pt(30 /* PTRACE_ARCH_PRCTL */, pid, ul(&base), 0x1003 /* ARCH_GET_FS */));
	CHECK_EQ(base, mine);
	CHECK_EQ(regs_of(pid).fs_base, mine);
	CHECK_OK(pt(30, pid, base, 0x1002 /* ARCH_SET_FS */));
	CHECK_ERR(pt(30, pid, 1ul << 63, 0x1002), EPERM);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 55);
}

/* --- system calls --- */

static int calls(void *arg)
{
	long n = syscall(SYS_getppid);

	(void)arg;
	return n == -1 ? errno : (int)(n & 0x7f);
}

static void to_entry(pid_t pid, long nr)
{
	do {
		CHECK_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
		expect_stop(pid, SIGTRAP | 0x80);
	} while ((long)regs_of(pid).orig_rax != nr || (long)regs_of(pid).rax != -ENOSYS);
}

static pid_t sysgood_child(int (*fn)(void *), void *arg)
{
	pid_t pid = traced_child(fn, arg);

	CHECK_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	return pid;
}

TEST(syscall_stops_and_info)
{
	pid_t pid = sysgood_child(calls, NULL);
	struct __ptrace_syscall_info i;
	unsigned long message;
	siginfo_t si;

	CHECK_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), ul(&i)), 24);
	CHECK_EQ(i.op, PTRACE_SYSCALL_INFO_NONE);
	to_entry(pid, SYS_getppid);
	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_code, SIGTRAP | 0x80);
	CHECK_EQ(si.si_signo, SIGTRAP);
	CHECK_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), ul(&i)), 80);
	CHECK_EQ(i.op, PTRACE_SYSCALL_INFO_ENTRY);
	CHECK_EQ(i.arch, 0xc000003e);
	CHECK_EQ(i.entry.nr, SYS_getppid);
	CHECK_EQ(i.instruction_pointer, regs_of(pid).rip);
	CHECK_EQ(i.stack_pointer, regs_of(pid).rsp);
	CHECK_OK(pt(PTRACE_GETEVENTMSG, pid, 0, ul(&message)));
	CHECK_EQ(message, 1 /* PTRACE_EVENTMSG_SYSCALL_ENTRY */);
	CHECK_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	expect_stop(pid, SIGTRAP | 0x80);
	CHECK_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), ul(&i)), 33);
	CHECK_EQ(i.op, PTRACE_SYSCALL_INFO_EXIT);
	CHECK_EQ(i.exit.rval, getpid());
	CHECK_EQ(i.exit.is_error, 0);
	CHECK_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, 4, ul(&i)), 33);
	CHECK_OK(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), 66));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 66);
}

TEST(call_number_can_be_changed)
{
	pid_t pid = sysgood_child(calls, NULL);

	to_entry(pid, SYS_getppid);
	CHECK_OK(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), SYS_gettid));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, pid & 0x7f);

	pid = sysgood_child(calls, NULL);
	to_entry(pid, SYS_getppid);
	CHECK_OK(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1));
	CHECK_OK(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), 77));
	CHECK_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	expect_stop(pid, SIGTRAP | 0x80);
	CHECK_EQ(regs_of(pid).rax, 77);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 77);

	pid = sysgood_child(calls, NULL);
	to_entry(pid, SYS_getppid);
	CHECK_OK(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), 9999));
	CHECK_OK(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), 77));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, ENOSYS);
}

TEST(sysemu_does_not_make_the_call)
{
	pid_t pid = sysgood_child(calls, NULL);

	do {
		CHECK_OK(pt(31 /* PTRACE_SYSEMU */, pid, 0, 0));
		expect_stop(pid, SIGTRAP | 0x80);
		if (regs_of(pid).orig_rax != SYS_getppid)
			CHECK_OK(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), 0));
	} while (regs_of(pid).orig_rax != SYS_getppid);
	CHECK_EQ(regs_of(pid).rax, -ENOSYS);
	CHECK_OK(pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), 31));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 31);
}

static void on_usr1(int sig)
{
	(void)sig;
}

static int reads(void *arg)
{
	int *p = arg;
	char c;
	struct sigaction sa = { .sa_handler = on_usr1 };

	if (p[1] >= 0)
		sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &sa, NULL);
	return read(p[0], &c, 1) == 1 ? c : errno;
}

/* An interrupted call is at -512 in the signal's stop; what the tracer does with the signal decides. */
TEST(interrupted_call)
{
	int p[2], q[2];
	pid_t pid;

	CHECK_OK(pipe(p));
	memcpy(q, p, sizeof(p));
	q[1] = -1;
	pid = sysgood_child(reads, q);
	to_entry(pid, SYS_read);
	CHECK_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	usleep(50000);
	CHECK_OK(kill(pid, SIGUSR1));
	expect_stop(pid, SIGTRAP | 0x80); /* the call's exit */
	CHECK_EQ(regs_of(pid).rax, -512);
	CHECK_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	expect_stop(pid, SIGUSR1);
	CHECK_EQ(regs_of(pid).rax, -512);
	CHECK_EQ(regs_of(pid).orig_rax, SYS_read);
	CHECK_OK(pt(PTRACE_SYSCALL, pid, 0, 0)); /* no signal: restarted */
	expect_stop(pid, SIGTRAP | 0x80);
	CHECK_EQ(regs_of(pid).orig_rax, SYS_read);
	CHECK_EQ(regs_of(pid).rax, -ENOSYS);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	usleep(50000);
	CHECK_OK(kill(pid, SIGUSR1));
	expect_stop(pid, SIGUSR1);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, SIGUSR1)); /* a handler without SA_RESTART */
	expect_exit(pid, EINTR);
}

/* --- steps --- */

extern char step_code[], step_end[];
__asm__(".text\n"
	"step_code: nop\n"
	"	inc %rax\n"
	"	mov $110, %eax\n" /* getppid */
	"	syscall\n"
	"	nop\n"
	"step_end: mov $7, %eax\n"
	"	ret\n");

static int runs_step_code(void *arg)
{
	(void)arg;
	__asm__ volatile("int3");
	return ((int (*)(void))step_code)();
}

TEST(single_steps)
{
	pid_t pid = traced_child(runs_step_code, NULL);
	unsigned long offsets[8], n = 0;
	unsigned long word;
	siginfo_t si;

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP);
	do {
		CHECK_OK(pt(PTRACE_SINGLESTEP, pid, 0, 0));
		expect_stop(pid, SIGTRAP);
	} while (regs_of(pid).rip != ul(step_code));
	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_code, TRAP_TRACE);
	CHECK_EQ(ul(si.si_addr), ul(step_code));
	CHECK_EQ(regs_of(pid).eflags & 0x100, 0); /* the step's TF is not the program's */
	CHECK_OK(pt(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[6]), ul(&word)));
	CHECK_EQ(word & 0x4000, 0x4000);
	while (regs_of(pid).rip != ul(step_end)) {
		CHECK_OK(pt(PTRACE_SINGLESTEP, pid, 0, 0));
		expect_stop(pid, SIGTRAP);
		CHECK(n < 8);
		offsets[n++] = regs_of(pid).rip - ul(step_code);
		if (n == 4) {
			CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
			CHECK_EQ(si.si_code, TRAP_BRKPT); /* the exit of a system call */
		}
	}
	CHECK_EQ(n, 5);
	CHECK_EQ(offsets[0], 1);
	CHECK_EQ(offsets[1], 4);
	CHECK_EQ(offsets[2], 9);
	CHECK_EQ(offsets[3], 11);
	CHECK_EQ(offsets[4], 12);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 7);
}

static int handles_itself(void *arg)
{
	(void)arg;
	signal(SIGUSR1, on_usr1);
	raise(SIGUSR1);
	return 4;
}

TEST(step_into_a_handler)
{
	pid_t pid = traced_child(handles_itself, NULL);
	siginfo_t si;

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGUSR1);
	CHECK_OK(pt(PTRACE_SINGLESTEP, pid, 0, SIGUSR1));
	expect_stop(pid, SIGTRAP);
	CHECK_EQ(regs_of(pid).rip, ul(on_usr1)); /* none of it has run */
	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_code, SIGTRAP);
	CHECK_OK(pt(PTRACE_SINGLESTEP, pid, 0, 0));
	expect_stop(pid, SIGTRAP);
	CHECK(regs_of(pid).rip != ul(on_usr1));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 4);
}

static int forks_and_steps(void *arg)
{
	int status;
	pid_t pid;

	(void)arg;
	__asm__ volatile("int3");
	pid = fork();
	if (pid == 0)
		_exit(3);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

/* The child of a process that is being stepped is not. */
TEST(step_over_fork)
{
	pid_t pid = traced_child(forks_and_steps, NULL);
	int status;

	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP);
	for (int i = 0; i < 3000; i++) {
		CHECK_OK(pt(PTRACE_SINGLESTEP, pid, 0, 0));
		CHECK_EQ(waitpid(pid, &status, __WALL), pid);
		if (WIFEXITED(status))
			break;
		CHECK(WIFSTOPPED(status));
		if (WSTOPSIG(status) == SIGCHLD)
			CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
		else
			continue;
		CHECK_EQ(waitpid(pid, &status, __WALL), pid);
		break;
	}
	if (WIFSTOPPED(status)) { /* 3,000 steps were not enough */
		CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
		CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	}
	while (WIFSTOPPED(status)) {
		CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
		CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	}
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 3);
}

/* --- breakpoints --- */

#define DR(n) offsetof(struct user, u_debugreg[n])

static __attribute__((noinline)) int touches(void *arg)
{
	int *p = arg;

	__asm__ volatile("" : : : "memory");
	*p = 5;
	__asm__ volatile("" : : : "memory");
	return *p;
}

TEST(watchpoint)
{
	pid_t pid = traced_child(touches, &watched);
	unsigned long word;
	siginfo_t si;

	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(0), ul(&watched)));
	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(7), 1 | 0xdul << 16)); /* write, 4 bytes */
	CHECK_OK(pt(PTRACE_PEEKUSER, pid, DR(7), ul(&word)));
	CHECK_EQ(word, 1 | 0xdul << 16);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP);
	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_code, TRAP_HWBKPT);
	CHECK_OK(pt(PTRACE_PEEKUSER, pid, DR(6), ul(&word)));
	CHECK_EQ(word & 0xf, 1);
	CHECK_OK(pt(PTRACE_PEEKDATA, pid, ul(&watched), ul(&word)));
	CHECK_EQ((int)word, 5); /* after the write */
	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(7), 0));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 5);
}

TEST(hardware_breakpoint)
{
	pid_t pid = traced_child(touches, &watched);
	siginfo_t si;

	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(3), ul(touches)));
	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(7), 1 << 6));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_stop(pid, SIGTRAP);
	CHECK_EQ(regs_of(pid).rip, ul(touches)); /* before the instruction */
	CHECK_OK(pt(PTRACE_GETSIGINFO, pid, 0, ul(&si)));
	CHECK_EQ(si.si_code, TRAP_HWBKPT);
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0)); /* not once more at the same place */
	expect_exit(pid, 5);
}

TEST(breakpoints_that_cannot_be)
{
	pid_t pid = traced_child(touches, &watched);

	CHECK_ERR(pt(PTRACE_POKEUSER, pid, DR(0), -8ul), EINVAL);
	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(1), ul(&watched) + 1));
	CHECK_ERR(pt(PTRACE_POKEUSER, pid, DR(7), 4 | 0xdul << 20), EINVAL); /* not aligned */
	CHECK_ERR(pt(PTRACE_POKEUSER, pid, DR(7), 4 | 0x2ul << 20), EINVAL); /* I/O */
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 5);
}

static int watched_after_fork(void *arg)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(touches(arg));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

TEST(breakpoints_are_not_inherited)
{
	pid_t pid = traced_child(watched_after_fork, &watched);
	int status;

	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(0), ul(&watched)));
	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(7), 1 | 0xdul << 16));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	while (WIFSTOPPED(status)) {
		CHECK_EQ(WSTOPSIG(status), SIGCHLD);
		CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
		CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	}
	CHECK_EQ(WEXITSTATUS(status), 5);
}

/* The kernel's own writing hits it too; that is nobody's trap. */
static int reads_into_watched(void *arg)
{
	int p[2];

	return pipe(p) == 0 && write(p[1], "abcd", 4) == 4 && read(p[0], arg, 4) == 4 ? 6 : 7;
}

TEST(watchpoint_and_a_system_call)
{
	pid_t pid = traced_child(reads_into_watched, &watched);

	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(0), ul(&watched)));
	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(7), 1 | 0xful << 16));
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	expect_exit(pid, 6);
}

/* MOV SS holds the trap back until after the next instruction, which is the kernel's first here. */
static unsigned short ss_cell;

static int loads_ss(void *arg)
{
	long nr = SYS_getppid;

	(void)arg;
	__asm__ volatile("mov %%ss, %1; mov %1, %%ss; syscall"
			 : "+a"(nr), "+m"(ss_cell)
			 :
			 : "rcx", "r11", "memory");
	if (nr != getppid())
		return 2;
	__asm__ volatile("mov %0, %%ss; int3" : "+m"(ss_cell) : : "memory");
	return 3;
}

TEST(watchpoint_under_mov_ss)
{
	pid_t pid = traced_child(loads_ss, NULL);
	int status, traps = 0;

	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(0), ul(&ss_cell)));
	CHECK_OK(pt(PTRACE_POKEUSER, pid, DR(7), 1 | 0x7ul << 16)); /* read or write, 2 bytes */
	CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		CHECK_EQ(WSTOPSIG(status), SIGTRAP);
		CHECK(traps++ < 8);
		CHECK_OK(pt(PTRACE_CONT, pid, 0, 0));
	}
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 3);
	CHECK(traps >= 2); /* the first write, and INT3 */
}

/* --- the rest --- */

TEST(seccomp_and_rseq_requests)
{
	pid_t pid = traced_child(returns, NULL);
	struct {
		uint64_t pointer;
		uint32_t size, signature, flags, pad;
	} c;

	if (test_is_root())
		CHECK_ERR(pt(0x420c, pid, 0, 0), EINVAL);
	CHECK_EQ(pt(0x420f, pid, sizeof(c), ul(&c)), sizeof(c));
	CHECK_EQ(c.signature, c.pointer ? 0x53053053 : 0);
	CHECK_ERR(pt(0x4210, pid, 0, 0), EIO);
	end(pid);
}
