/*
 * Every system call with arguments that are wrong, one at a time: pointers, sizes, flags, descriptors, processes,
 * signals, numbers. The calls and the kinds of their arguments are those of abi/syscalls.def (mkcalls.py makes
 * calls.inc of them); a call starts from arguments that it takes (`plain`), of which one is replaced by each of the
 * values that its kind has (`values_of`). Each case runs in a child of its own, most of them without privileges.
 *
 * What came out (0, an errno, a signal, a stop) is compared with badargs.expect, which Linux answered; badargs.differs
 * has what is different here, with the reason. Calls that are not on record are skipped. To record: run this on Linux
 * with ROBUST_RECORD=1, and give what it prints to mkcalls.py.
 */
#include "test.h"

#include <grp.h>
#include <linux/futex.h>
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>
#include <sys/uio.h>

struct kind {
	const char *name;
	int class;
	const uint64_t *set;
	size_t nset;
};

struct call {
	const char *name;
	int nr, nargs, there, blocks, nofail;
	int kind[6];
};

#include "calls.inc"

#define BASE   0x10000000000ull
#define PAGE   4096ull
#define NOBODY 65534
#define SELF   0x5e1f0000ull /* stands for the child's number; SELF + 1 for its negative */
#define OBJECT (SELF + 2)    /* for the number of root's System V object of the call's kind */
#define TRACEE (SELF + 3)    /* for a child that it traces, and that has stopped */

enum { AREA_NONE = BASE, AREA_GOOD = BASE + PAGE, AREA_END = BASE + 5 * PAGE, AREA_RO = BASE + 6 * PAGE, AREA_HOLE = BASE + 8 * PAGE };

/*
 * Addresses that are to be nowhere, as 0x2000000 of the single bits, must be so each time: once more, with the heap
 * right behind the program.
 */
__attribute__((constructor)) static void settle_addresses(int argc, char **argv)
{
	int persona = personality(0xffffffff);

	(void)argc;
	if (persona >= 0 && !(persona & ADDR_NO_RANDOMIZE) && personality((unsigned long)persona | ADDR_NO_RANDOMIZE) >= 0)
		execv("/proc/self/exe", argv);
}

/* Descriptors, always the same numbers. */
enum { FD_RW = 20, FD_RO, FD_DIR, FD_PIPE_R, FD_PIPE_W, FD_EPOLL, FD_EVENT, FD_PTY, FD_PATH, FD_NULL, FD_TIMER, FD_SIGNAL,
       FD_INOTIFY, FD_MEM, FD_PROC, FD_PIDFD, FD_FULL_W, FD_LAST, FD_CLOSED = 90 };

static const int descriptors[] = { -1, FD_CLOSED, 1 << 30, INT_MIN, INT_MAX, AT_FDCWD, FD_RW, FD_RO, FD_DIR, FD_PIPE_R,
				   FD_PIPE_W, FD_EPOLL, FD_EVENT, FD_PTY, FD_PATH, FD_NULL, FD_TIMER, FD_SIGNAL, FD_INOTIFY,
				   FD_MEM, FD_PROC, FD_PIDFD };

static const uint64_t pointers[] = { 0, 1, AREA_NONE, AREA_HOLE, AREA_RO, AREA_RO + PAGE - 1, AREA_END - 1, AREA_END - 4, AREA_END - 8,
				     AREA_GOOD + 1, 0x100000000000000, 0xff00000000000000, 0xffff800000000000, 0xffffffff81000000, UINT64_MAX };
static const uint64_t sizes[] = { 0, 1, 2, 4, 7, 8, 16, 4095, 4096, 4097, INT_MAX, 0x80000000, UINT32_MAX, INT64_MAX, UINT64_MAX - 4095, UINT64_MAX };
static const uint64_t delays[] = { 0, 1, 2, INT_MAX, 0x80000000, UINT32_MAX };
static const uint64_t numbers[] = { 0, 1, 2, 3, 5, 8, 16, 64, 65, 1000, 4096, INT_MAX, 0x80000000, UINT32_MAX };
static const uint64_t pids[] = { 0, 1, SELF, SELF + 1, 4000001, INT_MAX, 0x80000000, UINT32_MAX };
static const uint64_t objects[] = { OBJECT, INT_MAX, 0x80000000, UINT32_MAX };
static const uint64_t sigs[] = { 0, 1, SIGKILL, SIGUSR1, SIGSTOP, SIGCHLD, SIGCONT, SIGTSTP, 32, 33, 34, 64, 65, 128, INT_MAX, UINT32_MAX };
static const uint64_t modes[] = { 0, 0777, 01777, 07777, 0100644, 040755, 0120777, 010644, 0140644, 0170000, 020644, 0x80000000, UINT32_MAX };
static const uint64_t clocks[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, INT_MAX, 0x80000000, (uint32_t)-2, (uint32_t)-6, (uint32_t)-3, (uint32_t)-8 };

/* The arguments that a call starts from, where its kinds' own will not do. */
static const struct plain {
	const char *call;
	int arg;
	uint64_t value;
} plains[] = {
	{ "mmap", 0, 0 }, { "mmap", 1, PAGE }, { "mmap", 2, PROT_READ | PROT_WRITE }, { "mmap", 3, MAP_PRIVATE | MAP_ANONYMOUS }, { "mmap", 4, -1 },
	{ "mprotect", 1, PAGE }, { "mprotect", 2, PROT_READ }, { "munmap", 1, PAGE }, { "mremap", 1, PAGE }, { "mremap", 2, PAGE },
	{ "mremap", 4, 0 }, { "madvise", 1, PAGE }, { "msync", 1, PAGE }, { "mincore", 1, PAGE }, { "mlock", 1, PAGE }, { "mlock2", 1, PAGE },
	{ "munlock", 1, PAGE }, { "rt_sigaction", 3, 8 }, { "rt_sigprocmask", 3, 8 }, { "rt_sigpending", 1, 8 }, { "rt_sigtimedwait", 3, 8 },
	{ "rt_sigsuspend", 1, 8 }, { "signalfd", 2, 8 }, { "signalfd4", 2, 8 }, { "ppoll", 4, 8 }, { "epoll_pwait", 5, 8 }, { "epoll_pwait2", 5, 8 },
	{ "signalfd", 0, -1 }, { "signalfd4", 0, -1 }, { "poll", 1, 1 }, { "ppoll", 1, 1 }, { "select", 0, 8 }, { "pselect6", 0, 8 },
	{ "epoll_ctl", 0, FD_EPOLL }, { "epoll_ctl", 1, EPOLL_CTL_ADD }, { "epoll_ctl", 2, FD_EVENT }, { "epoll_wait", 0, FD_EPOLL }, { "epoll_wait", 2, 1 },
	{ "epoll_pwait", 0, FD_EPOLL }, { "epoll_pwait", 2, 1 }, { "epoll_pwait2", 0, FD_EPOLL }, { "epoll_pwait2", 2, 1 }, { "epoll_create", 0, 1 },
	{ "timerfd_settime", 0, FD_TIMER }, { "timerfd_gettime", 0, FD_TIMER }, { "inotify_add_watch", 0, FD_INOTIFY }, { "inotify_add_watch", 2, 2 },
	{ "inotify_rm_watch", 0, FD_INOTIFY }, { "inotify_rm_watch", 1, 1 }, { "getdents64", 0, FD_DIR }, { "getdents", 0, FD_DIR }, { "getdents64", 2, 512 },
	{ "getdents", 2, 512 }, { "fchdir", 0, FD_DIR }, { "splice", 0, FD_PIPE_R }, { "splice", 1, 0 }, { "splice", 3, 0 }, { "tee", 0, FD_PIPE_R },
	{ "tee", 1, FD_FULL_W }, { "vmsplice", 0, FD_PIPE_W }, { "vmsplice", 2, 1 }, { "readv", 2, 1 }, { "writev", 2, 1 }, { "preadv", 2, 1 },
	{ "pwritev", 2, 1 }, { "preadv2", 2, 1 }, { "pwritev2", 2, 1 }, { "process_vm_readv", 0, SELF }, { "process_vm_readv", 2, 1 },
	{ "process_vm_readv", 4, 1 }, { "process_vm_writev", 0, SELF }, { "process_vm_writev", 2, 1 }, { "process_vm_writev", 4, 1 },
	{ "pidfd_send_signal", 0, FD_PIDFD }, { "pidfd_getfd", 0, FD_PIDFD }, { "pidfd_open", 0, SELF }, { "tgkill", 0, SELF }, { "tgkill", 1, SELF },
	{ "tkill", 0, SELF }, { "kill", 0, SELF }, { "rt_sigqueueinfo", 0, SELF }, { "rt_tgsigqueueinfo", 0, SELF }, { "rt_tgsigqueueinfo", 1, SELF },
	{ "statx", 3, 0x7ff }, { "openat2", 3, 24 }, { "clone3", 1, 64 }, { "clone", 0, SIGCHLD }, { "fcntl", 1, F_GETFD }, { "ioctl", 1, FIONREAD },
	{ "ioctl", 2, AREA_GOOD }, { "futex", 1, FUTEX_WAKE }, { "futex", 3, 0 }, { "futex", 5, 0 }, { "sched_setaffinity", 1, 8 }, { "sched_getaffinity", 1, 8 },
	{ "sched_getattr", 2, 48 }, { "setrlimit", 0, RLIMIT_NOFILE }, { "prlimit64", 1, RLIMIT_NOFILE }, { "prlimit64", 2, 0 }, { "set_robust_list", 1, 24 },
	{ "wait4", 0, -1 }, { "waitid", 3, 4 }, { "waitid", 2, AREA_GOOD }, { "dup2", 1, 60 }, { "dup3", 1, 60 }, { "close_range", 0, 60 }, { "close_range", 1, 61 },
	{ "rseq", 1, 32 }, { "mkdir", 0, 1 }, { "mkdirat", 1, 1 }, { "creat", 0, 1 }, { "mknod", 0, 1 }, { "mknodat", 1, 1 }, { "mknod", 1, S_IFREG | 0644 },
	{ "mknodat", 2, S_IFREG | 0644 }, { "link", 1, 1 }, { "linkat", 3, 1 }, { "symlink", 1, 1 }, { "symlinkat", 2, 1 }, { "rename", 1, 1 },
	{ "renameat", 3, 1 }, { "renameat2", 3, 1 }, { "chdir", 0, 2 }, { "chroot", 0, 2 }, { "rmdir", 0, 2 }, { "mount", 0, 3 }, { "mount", 1, 2 },
	{ "mount", 2, 4 }, { "mount", 4, 0 }, { "umount2", 0, 2 }, { "readlink", 0, 5 }, { "readlinkat", 1, 5 }, { "setxattr", 1, 6 }, { "lsetxattr", 1, 6 },
	{ "fsetxattr", 1, 6 }, { "getxattr", 1, 6 }, { "lgetxattr", 1, 6 }, { "fgetxattr", 1, 6 }, { "removexattr", 1, 6 }, { "lremovexattr", 1, 6 },
	{ "fremovexattr", 1, 6 }, { "execve", 0, 1 }, { "execveat", 1, 1 }, { "copy_file_range", 0, FD_RO }, { "sendfile", 1, FD_RO }, { "epoll_wait", 3, 0 },
	{ "sysfs", 0, 3 }, { "setitimer", 2, 0 }, { "fallocate", 3, 4096 }, { "personality", 0, 0 }, { "getcpu", 2, 0 }, { "kcmp", 0, SELF },
	{ "kcmp", 1, SELF }, { "ptrace", 0, PTRACE_GETSIGMASK }, { "ptrace", 1, TRACEE }, { "ptrace", 2, 8 },
	{ "ptrace", 3, AREA_GOOD }, { "splice", 2, FD_FULL_W }, { "tee", 1, FD_FULL_W }, { "timer_create", 1, 0 },
};

/* Arguments that stay as they are (arg -1: the whole call), since what comes out is not the kernel's answer to them. */
static const struct excluded {
	const char *call;
	int arg;
	const char *reason;
} excluded[] = {
	{ "rt_sigreturn", -1, "reads what lies on the stack" },
	{ "vfork", -1, "the child would run on the stack of the parent" },
	{ "clone", 0, "memory shared with a child on the same stack; threads are tested in proc/" },
	{ "reboot", -1, "it might" },
	{ "syslog", -1, "who may read the log is a setting of the system" },
	{ "sysinfo", -1, "" },
	{ "swapon", -1, "a matter of the machine" },
	{ "vhangup", -1, "takes the terminal away from others" },
	{ "sync", -1, "no arguments, and slow" },
	{ "mlock", 1, "what the limit is depends on the system" },
	{ "mlock2", 1, "what the limit is depends on the system" },
	{ "mlockall", -1, "what the limit is depends on the system" },
	{ "mmap", 1, "how much memory may be promised depends on the machine" },
	{ "mmap", 0, "the least address is a setting of the system" },
	{ "mmap", 3, "MAP_HUGETLB: what huge pages there are depends on the system" },
	{ "brk", -1, "no errors, and moves" },
	{ "uselib", -1, "a matter of the configuration" },
	{ "modify_ldt", -1, "tested in proc/" },
	{ "sched_getaffinity", 1, "depends on the number of processors Linux was built for" },
	{ "perf_event_open", -1, "a setting of the system" },
	{ "bpf", -1, "a setting of the system" },
	{ "userfaultfd", -1, "a setting of the system" },
	{ "io_uring_setup", -1, "a setting of the system" },
	{ "lookup_dcookie", -1, "a matter of the configuration" },
	{ "sysfs", -1, "a matter of the configuration" },
	{ "getpriority", 1, "the numbers of kernel threads" },
	{ "setpriority", 1, "the numbers of kernel threads" },
	{ "setsid", -1, "the child is the leader of a group already" },
};

/* These run as root: without privileges they would all say EPERM. */
static const char *const as_root[] = { "chroot",     "mount",     "umount2",   "setuid",   "setgid",   "setreuid", "setregid", "setresuid", "setresgid",
				       "setfsuid",   "setfsgid",  "setgroups", "chown",    "lchown",   "fchown",   "fchownat", "mknod",     "mknodat",
				       "capset",     "setdomainname", "setpriority", "sched_setscheduler", "sched_setparam", "sched_setattr",
				       "prlimit64",  "setrlimit", "quotactl", "acct", "setxattr", "lsetxattr", "fsetxattr", "getxattr", "lgetxattr", "fgetxattr", "removexattr",
				       "lremovexattr", "fremovexattr" };

static bool is_listed_as_root(const char *name)
{
	for (size_t i = 0; i < sizeof(as_root) / sizeof(*as_root); i++)
		if (!strcmp(as_root[i], name))
			return true;
	return false;
}

static bool is_excluded(const char *name, int arg)
{
	for (size_t i = 0; i < sizeof(excluded) / sizeof(*excluded); i++)
		if (!strcmp(excluded[i].call, name) && excluded[i].arg == arg)
			return true;
	return false;
}

/* Names: 0 "f", 1 "new", 2 "dir", 3 "none", 4 "tmpfs", 5 "link", 6 "trusted.x"; 7 too long, 8 "", 9 a loop, 10 "f/x", 11 "dir/none/x" */
static uint64_t name_at(int i)
{
	return AREA_GOOD + PAGE + 0x100 + (uint64_t)i * 64;
}
#define NAME_LONG (AREA_GOOD + 2 * PAGE)

static bool starts(const char *s, const char *head)
{
	return strncmp(s, head, strlen(head)) == 0;
}

static uint64_t default_of(int kind)
{
	const char *n = kinds[kind].name;

	if (kind == K_fd)
		return FD_RW;
	if (kind == K_dirfd)
		return (uint64_t)AT_FDCWD;
	if (kind == K_path || kind == K_str)
		return name_at(0);
	if (kind == K_size)
		return 64;
	if (kind == K_uaddr || kinds[kind].class == C_UADDR) {
		if (starts(n, "in_iovec") || starts(n, "out_iovec"))
			return AREA_GOOD + 3 * PAGE;
		if (kind == K_strv)
			return AREA_GOOD + 3 * PAGE + 256;
		if (kind == K_in_sigset_arg)
			return AREA_GOOD + 3 * PAGE + 512;
		if (kind == K_io_pollfd)
			return AREA_GOOD + 3 * PAGE + 576;
		return AREA_GOOD;
	}
	if (kind == K_uid || kind == K_gid)
		return NOBODY;
	if (kind == K_ipcid)
		return OBJECT;
	return 0;
}

static void arguments(const struct call *c, uint64_t a[6])
{
	for (int i = 0; i < c->nargs; i++)
		a[i] = default_of(c->kind[i]);
	for (size_t i = 0; i < sizeof(plains) / sizeof(*plains); i++) {
		const struct plain *p = &plains[i];

		if (strcmp(p->call, c->name) || p->arg >= c->nargs)
			continue;
		a[p->arg] = c->kind[p->arg] == K_path || c->kind[p->arg] == K_str ? (p->value ? name_at((int)p->value) : 0) : p->value;
	}
}

#define COPY(list) (memcpy(v, list, sizeof(list)), sizeof(list) / sizeof(*(list)))

static size_t names_of(uint64_t *v, size_t n)
{
	for (int i = 8; i <= 11; i++)
		v[n++] = name_at(i);
	v[n++] = name_at(2);
	v[n++] = name_at(3);
	v[n++] = NAME_LONG;
	return n;
}

static size_t without_doubles(uint64_t *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < kept && v[k] != v[i])
			k++;
		if (k == kept)
			v[kept++] = v[i];
	}
	return kept;
}

/* The values that an argument of the kind is tried with. */
static size_t values_of(int kind, uint64_t *v)
{
	const struct kind *k = &kinds[kind];
	size_t n = 0;

	if (k->class == C_UADDR || kind == K_uaddr) {
		n = COPY(pointers);
		return kind == K_path || kind == K_str ? names_of(v, n) : n;
	}
	if (kind == K_fd || kind == K_dirfd) {
		for (; n < sizeof(descriptors) / sizeof(*descriptors); n++)
			v[n] = (uint64_t)descriptors[n];
		return n;
	}
	if (starts(k->name, "flags_") || kind == K_hex) {
		for (; n < (k->class == C_U64 && kind != K_hex ? 64 : 32); n++)
			v[n] = 1ull << n;
		v[n++] = k->class == C_U64 ? UINT64_MAX : UINT32_MAX;
		v[n++] = 0;
		return n;
	}
	if (k->set) {
		for (; n < k->nset; n++)
			v[n] = k->set[n];
		for (uint64_t i = 0; i < 12; i++)
			v[n++] = i;
		v[n++] = 12345;
		v[n++] = INT_MAX;
		v[n++] = 0x80000000;
		v[n++] = UINT32_MAX;
		return without_doubles(v, n);
	}
	switch (kind) {
	case K_size:
	case K_off:
	case K_long:
	case K_ulong: return COPY(sizes);
	case K_pid: return COPY(pids);
	case K_sig: return COPY(sigs);
	case K_mode:
	case K_dev:
	case K_uid:
	case K_gid: return COPY(modes);
	case K_clockid: return COPY(clocks);
	case K_ipcid: return COPY(objects);
	case K_msec: return COPY(delays);
	default: return COPY(numbers);
	}
}

static long raw(long nr, const uint64_t *a)
{
	register uint64_t r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long ret;

	/* A child that a call made ends at once, without touching a stack that may be its parent's. */
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "cmp $56, %%rbx\n\tje 2f\n\tcmp $57, %%rbx\n\tje 2f\n\tcmp $435, %%rbx\n\tjne 1f\n"
			 "2:\tmov $60, %%eax\n\txor %%edi, %%edi\n\tsyscall\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(nr), "b"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void enter_case(const struct call *c, bool is_root)
{
	setpgid(0, 0);
	if (!is_root && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)))
		_exit(200);
	if (c->blocks) {
		struct sigaction sa = { .sa_handler = on_alarm };
		struct itimerval soon = { { 0, 50000 }, { 0, 50000 } };

		sigaction(SIGALRM, &sa, NULL);
		setitimer(ITIMER_REAL, &soon, NULL);
	}
}

static int object;

/* What shmat, semop, msgrcv … are about: those who try may not use it. Made anew for each call. */
static void make_object(const char *call)
{
	if (starts(call, "shm"))
		CHECK_OK(object = shmget(IPC_PRIVATE, PAGE, 0600));
	else if (starts(call, "sem"))
		CHECK_OK(object = semget(IPC_PRIVATE, 3, 0600));
	else if (starts(call, "msg"))
		CHECK_OK(object = msgget(IPC_PRIVATE, 0600));
}

static pid_t tracee(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, __WALL);
	return pid;
}

static void remove_object(const char *call)
{
	if (starts(call, "shm"))
		CHECK_OK(shmctl(object, IPC_RMID, NULL));
	else if (starts(call, "sem"))
		CHECK_OK(semctl(object, 0, IPC_RMID));
	else if (starts(call, "msg"))
		CHECK_OK(msgctl(object, IPC_RMID, NULL));
}

static uint64_t meant(uint64_t value)
{
	switch (value) {
	case SELF: return (uint64_t)getpid();
	case SELF + 1: return (uint64_t)-getpid();
	case OBJECT: return (uint64_t)object;
	case TRACEE: return (uint64_t)tracee();
	default: return value;
	}
}

static __attribute__((noreturn)) void run_case(const struct call *c, const uint64_t *args, bool is_root)
{
	uint64_t a[6] = { 0 }, status[6] = { 0 };
	long r;

	enter_case(c, is_root);
	for (int i = 0; i < c->nargs; i++)
		a[i] = meant(args[i]);
	r = raw(c->nr, a);
	/* By hand: the call may have taken away what libc stands on. */
	status[0] = !c->nofail && r < 0 && r > -4096 ? (uint64_t)-r : 0;
	for (;;)
		raw(SYS_exit_group, status);
}

/* The state that cases may have changed. */
static void restore(void)
{
	struct stat st;
	char bytes[4096];
	int fd;

	while (read(FD_PIPE_R, bytes, sizeof(bytes)) > 0 || read(FD_LAST, bytes, sizeof(bytes)) > 0 || read(FD_EVENT, bytes, 8) > 0)
		;
	if (fcntl(FD_PIPE_W, F_GETFD) >= 0 && write(FD_PIPE_W, "0123456789", 10) != 10)
		FAIL("pipe: %s", strerror(errno));
	for (int i = 0; i < 4 && umount2("dir", MNT_DETACH) == 0; i++)
		;
	if (lstat("f", &st) == 0 && !S_ISREG(st.st_mode)) {
		unlink("f");
		rmdir("f");
	}
	unlink("new");
	rmdir("new");
	mkdir("dir", 0777);
	chmod("dir", 0777);
	if (chown("f", 0, 0) || access("f", F_OK)) {
		fd = open("f", O_RDWR | O_CREAT, 0666);
		close(fd);
	}
	chmod("f", 0666);
	removexattr("f", "trusted.x");
	lseek(FD_RW, 0, SEEK_SET);
	lseek(FD_RO, 0, SEEK_SET);
	lseek(FD_DIR, 0, SEEK_SET);
	lseek(FD_MEM, 0, SEEK_SET);
	if (symlink("f", "link") && errno != EEXIST)
		FAIL("link: %s", strerror(errno));
	if (truncate("f", 3000))
		FAIL("truncate: %s", strerror(errno));
}

static void put_descriptor(int want, int fd)
{
	if (fd < 0)
		FAIL("descriptor %d: %s", want, strerror(errno));
	if (dup2(fd, want) != want)
		FAIL("dup2 %d: %s", want, strerror(errno));
	close(fd);
}

static void make_descriptors(void)
{
	int p[2], q[2];
	sigset_t usr2;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	put_descriptor(FD_RW, open("f", O_RDWR));
	put_descriptor(FD_RO, open("f", O_RDONLY));
	put_descriptor(FD_DIR, open("dir", O_RDONLY | O_DIRECTORY));
	CHECK_OK(pipe2(p, O_NONBLOCK));
	CHECK_OK(pipe2(q, O_NONBLOCK));
	CHECK_EQ(write(p[1], "0123456789", 10), 10);
	put_descriptor(FD_PIPE_R, p[0]);
	put_descriptor(FD_PIPE_W, p[1]);
	put_descriptor(FD_FULL_W, q[1]);
	put_descriptor(FD_LAST, q[0]);
	put_descriptor(FD_EPOLL, epoll_create1(0));
	put_descriptor(FD_EVENT, eventfd(0, EFD_NONBLOCK));
	put_descriptor(FD_PTY, posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK));
	put_descriptor(FD_PATH, open("f", O_PATH));
	put_descriptor(FD_NULL, open("/dev/null", O_RDWR));
	put_descriptor(FD_TIMER, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	put_descriptor(FD_SIGNAL, signalfd(-1, &usr2, SFD_NONBLOCK));
	put_descriptor(FD_INOTIFY, inotify_init1(IN_NONBLOCK));
	put_descriptor(FD_MEM, memfd_create("m", 0));
	put_descriptor(FD_PROC, open("/proc/version", O_RDONLY));
	put_descriptor(FD_PIDFD, (int)syscall(SYS_pidfd_open, getpid(), 0));
}

static void put_name(int i, const char *name)
{
	strcpy((char *)name_at(i), name);
}

static void make_memory(void)
{
	char *all = mmap((void *)BASE, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	struct iovec *iov = (struct iovec *)(AREA_GOOD + 3 * PAGE);
	char **strv = (char **)(AREA_GOOD + 3 * PAGE + 256);

	if (all == MAP_FAILED)
		FAIL("memory: %s", strerror(errno));
	for (int i = 0; i < 8; i++)
		iov[i] = (struct iovec){ (void *)(AREA_GOOD + 128), 16 };
	strv[0] = (char *)name_at(0);
	((uint64_t *)strv)[32] = 0; /* pselect6: no signal set */
	((uint64_t *)strv)[33] = 8;
	((struct pollfd *)(AREA_GOOD + 3 * PAGE + 576))[0] = (struct pollfd){ .fd = FD_EVENT, .events = POLLOUT };
	put_name(0, "f");
	put_name(1, "new");
	put_name(2, "dir");
	put_name(3, "none");
	put_name(4, "tmpfs");
	put_name(5, "link");
	put_name(6, "trusted.x");
	put_name(8, "");
	put_name(9, "loop");
	put_name(10, "f/x");
	put_name(11, "dir/none/x");
	memset((char *)NAME_LONG, 'n', 300);
	memset((char *)AREA_END - 256, 'C', 256); /* a name without an end; as a signal set it leaves SIGALRM alone */
	CHECK_OK(mprotect(all, PAGE, PROT_NONE));
	CHECK_OK(mprotect((void *)AREA_END, PAGE, PROT_NONE));
	CHECK_OK(mprotect((void *)AREA_RO, PAGE, PROT_READ));
	CHECK_OK(munmap((void *)(AREA_RO + PAGE), PAGE));
}

static const char *outcome(int status, char *text, size_t size)
{
	if (WIFSTOPPED(status))
		snprintf(text, size, "STOP%d", WSTOPSIG(status));
	else if (WIFSIGNALED(status))
		snprintf(text, size, "SIG%d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == 0)
		snprintf(text, size, "0");
	else
		snprintf(text, size, "%s", strerrorname_np(WEXITSTATUS(status)) ?: "?");
	return text;
}

static void try_case(const struct call *c, const uint64_t *a, bool is_root, char *text, size_t size)
{
	int status;
	pid_t p = fork();

	if (p < 0)
		FAIL("fork: %s", strerror(errno));
	if (p == 0)
		run_case(c, a, is_root);
	CHECK_EQ(waitpid(p, &status, WUNTRACED), p);
	outcome(status, text, size);
	if (WIFSTOPPED(status)) {
		CHECK_OK(kill(p, SIGKILL));
		CHECK_EQ(waitpid(p, &status, 0), p);
	}
	for (int i = 0; i < c->nargs; i++)
		if (c->kind[i] == K_path || c->kind[i] == K_str || c->kind[i] == K_fd || c->kind[i] == K_dirfd) {
			restore();
			return;
		}
}

/* What the values of one argument came to. */
struct results {
	size_t n;
	uint64_t value[256];
	char outcome[256][12];
};

static void print_record(const struct call *c, int arg, const struct results *r)
{
	printf("R %s %d:", c->name, arg);
	for (size_t i = 0; i < r->n; i++)
		printf(" %#llx=%s", (unsigned long long)r->value[i], r->outcome[i]);
	printf("\n");
	fflush(stdout);
}

/* The line "NAME ARGUMENT:…" of the record. */
static const char *find_expected(const struct call *c, int arg)
{
	char head[64];
	int n = snprintf(head, sizeof(head), "%s %d:", c->name, arg);

	for (size_t i = 0; expected[i]; i++)
		if (!strncmp(expected[i], head, (size_t)n))
			return expected[i] + n;
	return NULL;
}

/* The ith outcome of a line of outcomes, equal ones in a row counted: "0*3 EFAULT". */
static const char *nth(const char *p, size_t i, char *out)
{
	int count, used;

	while (sscanf(p, " %11[^ *]%n", out, &used) == 1) {
		p += used;
		count = 1;
		if (sscanf(p, "*%d%n", &count, &used) == 1)
			p += used;
		if (i < (size_t)count)
			return out;
		i -= (size_t)count;
	}
	return NULL;
}

/* The outcome of a value in a line of "VALUE=OUTCOME": the sets of names grow. */
static const char *of_value(const char *p, uint64_t value, char *out)
{
	char key[24];

	snprintf(key, sizeof(key), " %#llx=", (unsigned long long)value);
	p = strstr(p, key);
	return p && sscanf(p + strlen(key), "%11[^ ]", out) == 1 ? out : NULL;
}

static bool is_explained(const struct call *c, int arg, uint64_t value, const char *outcome)
{
	for (size_t i = 0; differs[i].call; i++)
		if (!strcmp(differs[i].call, c->name) && differs[i].arg == arg && differs[i].value == value &&
		    !strcmp(differs[i].outcome, outcome))
			return true;
	return false;
}

static void judge(const struct call *c, int arg, const struct results *r)
{
	const char *line, *want;
	char buf[16];

	if (getenv("ROBUST_RECORD")) {
		print_record(c, arg, r);
		return;
	}
	if (!(line = find_expected(c, arg)))
		test_skip("%s is not on record", c->name);
	for (size_t i = 0; i < r->n; i++) {
		want = strchr(line, '=') ? of_value(line, r->value[i], buf) : nth(line, i, buf);
		if (want && strcmp(want, r->outcome[i]) && !is_explained(c, arg, r->value[i], r->outcome[i]))
			FAIL("%s, argument %d (%s) = %#llx: %s, on Linux %s", c->name, arg, c->nargs ? kinds[c->kind[arg]].name : "none",
			     (unsigned long long)r->value[i], r->outcome[i], want);
	}
}

static void set_up(void)
{
	if (!test_is_root())
		test_skip("needs root, to leave it");
	umask(0);
	int fd = open("f", O_RDWR | O_CREAT, 0666);
	close(fd);
	CHECK_OK(symlink("loop", "loop"));
	restore();
	make_memory();
	make_descriptors();
	restore();
}

static void run_call(int index)
{
	const struct call *c = &calls[index];
	bool is_root = is_listed_as_root(c->name);
	static struct results r;
	uint64_t a[6];

	if (!c->there && !getenv("ROBUST_RECORD"))
		test_skip("%s is not there", c->name);
	if (is_excluded(c->name, -1))
		return;
	set_up();
	make_object(c->name);
	for (int arg = 0; arg < (c->nargs ? c->nargs : 1); arg++) {
		if (is_excluded(c->name, arg))
			continue;
		r.n = c->nargs ? values_of(c->kind[arg], r.value) : 1;
		for (size_t i = 0; i < r.n; i++) {
			arguments(c, a);
			if (c->nargs)
				a[arg] = r.value[i];
			try_case(c, a, is_root, r.outcome[i], sizeof(r.outcome[i]));
		}
		judge(c, arg, &r);
	}
	remove_object(c->name);
}

#define ONE(name, index) TEST_TIMED(badargs_##name, 60) { run_call(index); }
EACH_CALL(ONE)
