/*
 * Random sequences of calls that are well formed: unlike badargs.c they use what earlier calls have made. A seed gives
 * the same sequence again (one thread; several share their descriptors, maps and children, and race). Nothing may
 * hang, die, or be left behind: memory and open files are compared before and after.
 *
 * The tests are short runs. CALLGEN_SEED=N CALLGEN_CALLS=N CALLGEN_THREADS=N set the length of callgen_by_hand.
 */
#include "test.h"

#include <ftw.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

enum { FDS = 64, MAPS = 24, KIDS = 6, TIMERS = 6, PAGE = 4096 };

/* What the calls have made; threads use it without locks, on purpose. */
static struct {
	volatile int fd[FDS];
	struct {
		char *volatile addr;
		volatile size_t len;
	} map[MAPS];
	volatile pid_t kid[KIDS];
	volatile int timer[TIMERS]; /* 1 + the kernel's number */
	uint32_t futex[4];
} have;

struct gen {
	uint64_t state;
	long calls;
};

static __thread struct gen g;

static uint32_t rnd(uint32_t n)
{
	g.state = g.state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(g.state >> 33) % n;
}

static bool one_in(uint32_t n)
{
	return rnd(n) == 0;
}

static int some_fd(void)
{
	return have.fd[rnd(FDS)];
}

/* Takes a new descriptor into the table; what was in its place is closed. */
static void keep(int fd)
{
	uint32_t i = rnd(FDS);

	if (fd < 0)
		return;
	int old = __atomic_exchange_n(&have.fd[i], fd, __ATOMIC_RELAXED);
	if (old >= 0)
		close(old);
}

static const char *some_name(void)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "dir", "dir/a", "dir/b", "dir/dir", "dir/dir/a", "link", ".", "none/x" };

	return names[rnd(sizeof(names) / sizeof(*names))];
}

static size_t some_length(void)
{
	switch (rnd(5)) {
	case 0: return rnd(16);
	case 1: return rnd(PAGE);
	case 2: return PAGE * (1 + rnd(8));
	case 3: return rnd(1 << 17);
	default: return 1;
	}
}

static char *some_memory(size_t *len)
{
	static char bytes[1 << 17];
	uint32_t i = rnd(MAPS);
	char *p = have.map[i].addr;
	size_t n = have.map[i].len;

	*len = some_length();
	if (!p || !n || one_in(4))
		return bytes;
	if (*len > n)
		*len = n;
	return p + rnd((uint32_t)(n - *len + 1));
}

#include "callgen_net.h"
#include "callgen_more.h"

/* --- the calls, by group --- */

static void make_fd(void)
{
	sigset_t set;
	int p[2];

	switch (rnd(16)) {
	case 0:
	case 1:
	case 2:
	case 3:
		keep(open(some_name(), (int[]){ O_RDONLY, O_WRONLY, O_RDWR, O_PATH }[rnd(4)] | O_NONBLOCK | O_CLOEXEC |
					       (one_in(2) ? O_CREAT : 0) | (one_in(8) ? O_TRUNC : 0) | (one_in(8) ? O_APPEND : 0), 0666));
		break;
	case 4:
		if (pipe2(p, O_NONBLOCK) == 0)
			keep(p[0]), keep(p[1]);
		break;
	case 5: keep(eventfd(rnd(3), EFD_NONBLOCK | (one_in(2) ? EFD_SEMAPHORE : 0))); break;
	case 6: keep(timerfd_create(one_in(2) ? CLOCK_MONOTONIC : CLOCK_REALTIME, TFD_NONBLOCK)); break;
	case 7:
		sigemptyset(&set);
		sigaddset(&set, SIGRTMIN + (int)rnd(4));
		keep(signalfd(-1, &set, SFD_NONBLOCK));
		break;
	case 8: keep(epoll_create1(0)); break;
	case 9: keep(inotify_init1(IN_NONBLOCK)); break;
	case 10: keep(memfd_create("m", rnd(4))); break;
	case 11: keep(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)); break;
	case 12: keep((int)syscall(SYS_pidfd_open, getpid(), 0)); break;
	case 13: keep(open(".", O_TMPFILE | O_RDWR, 0600)); break;
	case 14:
		if (socketpair(AF_UNIX, (one_in(2) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0, p) == 0)
			keep(p[0]), keep(p[1]);
		break;
	default: keep(open(one_in(2) ? "." : "dir", O_RDONLY | O_DIRECTORY)); break;
	}
}

static void change_fd(void)
{
	uint32_t i = rnd(FDS);

	switch (rnd(6)) {
	case 0:
	case 1: {
		int fd = __atomic_exchange_n(&have.fd[i], -1, __ATOMIC_RELAXED);

		if (fd >= 0)
			close(fd);
		break;
	}
	case 2: keep(dup(some_fd())); break;
	case 3: keep(fcntl(some_fd(), one_in(2) ? F_DUPFD : F_DUPFD_CLOEXEC, 10 + rnd(200))); break;
	case 4: fcntl(some_fd(), F_SETFD, rnd(2)); break;
	default: fcntl(some_fd(), F_SETFL, O_NONBLOCK | (one_in(2) ? O_APPEND : 0)); break;
	}
}

static void transfer(void)
{
	struct iovec iov[4];
	size_t n;
	char *p = some_memory(&n);
	int fd = some_fd();

	for (uint32_t i = 0; i < 4; i++)
		iov[i].iov_base = some_memory(&iov[i].iov_len);
	switch (rnd(12)) {
	case 0:
	case 1: if (read(fd, p, n)) {} break;
	case 2:
	case 3: if (write(fd, p, n)) {} break;
	case 4: if (pread(fd, p, n, rnd(1 << 18))) {} break;
	case 5: if (pwrite(fd, p, n, rnd(1 << 18))) {} break;
	case 6: if (readv(fd, iov, (int)rnd(5))) {} break;
	case 7: if (writev(fd, iov, (int)rnd(5))) {} break;
	case 8: splice(fd, NULL, some_fd(), NULL, n, SPLICE_F_NONBLOCK); break;
	case 9: tee(fd, some_fd(), n, SPLICE_F_NONBLOCK); break;
	case 10: sendfile(fd, some_fd(), NULL, n); break;
	default: copy_file_range(fd, NULL, some_fd(), NULL, n, 0); break;
	}
}

static void file_calls(void)
{
	struct flock lock = { .l_type = (short)rnd(3), .l_start = rnd(1000), .l_len = rnd(1000) };
	struct stat st;
	struct statfs sf;
	char buf[2048];
	int fd = some_fd();

	switch (rnd(16)) {
	case 0: lseek(fd, rnd(1 << 18), (int)rnd(5)); break;
	case 1: if (ftruncate(fd, rnd(1 << 18))) {} break;
	case 2: fallocate(fd, (int)rnd(4), rnd(1 << 17), 1 + rnd(1 << 17)); break;
	case 3: fsync(fd); break;
	case 4: fstat(fd, &st); break;
	case 5: syscall(SYS_getdents64, fd, buf, sizeof(buf)); break;
	case 6: fcntl(fd, one_in(2) ? F_SETLK : F_GETLK, &lock); break;
	case 7: fcntl(fd, one_in(2) ? F_OFD_SETLK : F_OFD_GETLK, &lock); break;
	case 8: flock(fd, (int[]){ LOCK_SH, LOCK_EX, LOCK_UN }[rnd(3)] | LOCK_NB); break;
	case 9: fchmod(fd, rnd(01000)); break;
	case 10: futimens(fd, NULL); break;
	case 11: ioctl(fd, (unsigned long[]){ FIONREAD, TCGETS, TIOCGWINSZ, TIOCGPTN }[rnd(4)], buf); break;
	case 12: sync_file_range(fd, 0, 0, rnd(8)); break;
	case 13: fsetxattr(fd, "user.a", buf, rnd(64), 0); break;
	case 14: posix_fadvise(fd, 0, 0, (int)rnd(6)); break;
	default: fstatfs(fd, &sf); break;
	}
}

static void name_calls(void)
{
	const char *a = some_name(), *b = some_name();
	char buf[256];
	struct stat st;

	switch (rnd(16)) {
	case 0:
	case 1: if (rename(a, b)) {} break;
	case 2: syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 1 + rnd(2)); break;
	case 3: if (link(a, b)) {} break;
	case 4: if (symlink(a, b)) {} break;
	case 5:
	case 6: unlink(a); break;
	case 7: rmdir(a); break;
	case 8:
	case 9: mkdir(a, 0777); break;
	case 10: stat(a, &st); break;
	case 11: if (readlink(a, buf, sizeof(buf))) {} break;
	case 12: chmod(a, 0700 + rnd(0100)); break;
	case 13: access(a, (int)rnd(8)); break;
	case 14: if (truncate(a, rnd(1 << 17))) {} break;
	default: mknod(a, S_IFIFO | 0600, 0); break;
	}
}

static void event_calls(void)
{
	struct epoll_event ev = { .events = rnd(0x20) | (one_in(2) ? EPOLLET : 0) | (one_in(4) ? EPOLLONESHOT : 0) }, got[8];
	struct pollfd fds[8];
	struct itimerspec soon = { { 0, rnd(2) * 100000 }, { 0, rnd(1000000) } };
	struct timespec zero = { 0, 0 };

	switch (rnd(7)) {
	case 0:
	case 1: epoll_ctl(some_fd(), 1 + (int)rnd(3), some_fd(), &ev); break;
	case 2: epoll_wait(some_fd(), got, 8, 0); break;
	case 3:
		for (int i = 0; i < 8; i++)
			fds[i] = (struct pollfd){ .fd = some_fd(), .events = (short)rnd(0x20) };
		ppoll(fds, 8, &zero, NULL);
		break;
	case 4: timerfd_settime(some_fd(), 0, &soon, NULL); break;
	case 5: inotify_add_watch(some_fd(), some_name(), 1 + rnd(0xfff)); break;
	default: inotify_rm_watch(some_fd(), 1 + (int)rnd(4)); break;
	}
}

static void memory_calls(void)
{
	uint32_t i = rnd(MAPS);
	char *addr = have.map[i].addr;
	size_t len = have.map[i].len, part = len ? rnd((uint32_t)(len / PAGE)) * PAGE : 0, n = PAGE * (1 + rnd(one_in(8) ? 600 : 16));
	unsigned char vec[1024];
	void *p;

	switch (rnd(12)) {
	case 0:
	case 1:
	case 2:
		p = mmap(NULL, n, (int)rnd(4), (one_in(2) ? MAP_SHARED : MAP_PRIVATE) | (one_in(2) ? MAP_ANONYMOUS : 0) | (one_in(8) ? MAP_POPULATE : 0),
			 some_fd(), one_in(2) ? 0 : PAGE * (off_t)rnd(8));
		if (p == MAP_FAILED)
			break;
		char *old = __atomic_exchange_n(&have.map[i].addr, p, __ATOMIC_RELAXED);
		have.map[i].len = n;
		if (old)
			munmap(old, len);
		break;
	case 3:
		if (addr && len > part)
			munmap(addr + part, PAGE);
		break;
	case 4:
	case 5: if (addr) mprotect(addr + part, len - part, (int)rnd(4)); break;
	case 6:
		if (addr && (p = mremap(addr, len, n, MREMAP_MAYMOVE)) != MAP_FAILED) {
			have.map[i].addr = p;
			have.map[i].len = n;
		}
		break;
	case 7:
	case 8: if (addr) madvise(addr + part, len - part, (int[]){ 0, 1, 2, 3, 4, 8, 14, 15, 10, 11, 20, 21, 22, 23 }[rnd(14)]); break;
	case 9: if (addr) msync(addr, len, 1 << rnd(3)); break;
	case 10: if (addr && len <= sizeof(vec) * PAGE) mincore(addr, len, vec); break;
	default: if (addr && one_in(4)) { if (one_in(2)) mlock(addr, PAGE); else munlock(addr, len); } break;
	}
}

static void signal_calls(void)
{
	union sigval v = { .sival_int = 1 };
	struct itimerval soon = { { 0, 0 }, { 0, 1 + rnd(2000) } };
	struct itimerspec ts = { { 0, 0 }, { 0, 1 + rnd(1000000) } };
	struct timespec zero = { 0, 0 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + (int)rnd(4) };
	uint32_t i = rnd(TIMERS);
	sigset_t set;
	int id;

	sigemptyset(&set);
	for (int k = 0; k < 4; k++)
		if (one_in(2))
			sigaddset(&set, SIGRTMIN + k);
	switch (rnd(9)) {
	case 0: kill(getpid(), one_in(2) ? SIGUSR1 : SIGUSR2); break;
	case 1: syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1); break;
	case 2: sigqueue(getpid(), SIGRTMIN + (int)rnd(4), v); break;
	case 3: pthread_sigmask(one_in(2) ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL); break;
	case 4: sigtimedwait(&set, NULL, &zero); break;
	case 5: setitimer((int)rnd(3), &soon, NULL); break;
	case 6:
		if (have.timer[i] == 0 && syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id) == 0)
			have.timer[i] = id + 1;
		else
			syscall(SYS_timer_settime, have.timer[i] - 1, 0, &ts, NULL);
		break;
	case 7:
		if ((id = __atomic_exchange_n(&have.timer[i], 0, __ATOMIC_RELAXED)))
			syscall(SYS_timer_delete, id - 1);
		break;
	default: raise(SIGUSR2); break;
	}
}

static void some_calls(long n);

static void process_calls(void)
{
	static char *const argv[] = { "callgen", NULL }, *const envp[] = { "CALLGEN_CHILD=1", NULL };
	uint32_t i = rnd(KIDS);
	pid_t kid = have.kid[i], p;
	int st;

	if (kid) {
		if (one_in(3))
			kill(kid, (int[]){ SIGKILL, SIGSTOP, SIGCONT, SIGUSR1, 0, SIGTERM }[rnd(6)]);
		else if (waitpid(kid, &st, WNOHANG | WUNTRACED) == kid && !WIFSTOPPED(st))
			__atomic_compare_exchange_n(&have.kid[i], &kid, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		return;
	}
	uint64_t seed = g.state;
	bool is_program = one_in(4);
	p = is_program ? vfork() : fork();
	if (p == 0) {
		if (is_program) {
			execve("/proc/self/exe", argv, envp);
			_exit(1);
		}
		for (int k = 0; k < KIDS; k++)
			have.kid[k] = 0;
		g.state = seed ^ 0x9e3779b97f4a7c15;
		some_calls(20 + rnd(60));
		_exit(0);
	}
	if (p > 0) {
		pid_t none = 0;

		if (!__atomic_compare_exchange_n(&have.kid[i], &none, p, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			kill(p, SIGKILL);
			waitpid(p, &st, 0);
		}
	}
}

static void other_calls(void)
{
	static const char *const procs[] = { "maps", "smaps", "status", "stat", "fd", "task", "limits", "mounts", "cmdline", "environ", "statm", "wchan" };
	struct timespec tiny = { 0, 1000 };
	char path[64], buf[1024];
	uint32_t *f = &have.futex[rnd(4)];
	struct rusage ru;
	int fd;

	switch (rnd(12)) {
	case 0: syscall(SYS_futex, f, FUTEX_WAIT | (one_in(2) ? FUTEX_PRIVATE_FLAG : 0), *f, &tiny, NULL, 0); break;
	case 1: syscall(SYS_futex, f, FUTEX_WAKE, 1 + rnd(3), NULL, NULL, 0); break;
	case 2: syscall(SYS_futex, f, FUTEX_REQUEUE, 1, 1, &have.futex[rnd(4)], 0); break;
	case 3: ++*f; break;
	case 4: sched_yield(); break;
	case 5: nanosleep(&tiny, NULL); break;
	case 6: prctl(PR_SET_NAME, some_name()); break;
	case 7: getrusage(RUSAGE_SELF, &ru); break;
	case 8:
		if (chdir("dir") == 0 && chdir(".."))
			_exit(3);
		break;
	case 9: umask(rnd(0100)); break;
	default: {
		pid_t kid = have.kid[rnd(KIDS)];

		snprintf(path, sizeof(path), "/proc/%d/%s", kid ? kid : getpid(), procs[rnd(sizeof(procs) / sizeof(*procs))]);
		fd = open(path, O_RDONLY);
		if (read(fd, buf, sizeof(buf)) < 0)
			syscall(SYS_getdents64, fd, buf, sizeof(buf));
		close(fd);
	}
	}
}

static void one_call(void)
{
	static void (*const group[])(void) = { make_fd,	     change_fd,	   transfer,	transfer,    file_calls,   name_calls,	 event_calls,
					       memory_calls, signal_calls, socket_calls, socket_calls, newer_calls, process_calls, other_calls };
	enum { GROUPS = sizeof(group) / sizeof(*group), PROCESSES = GROUPS - 2 };
	uint32_t i = rnd(GROUPS);

	group[i == PROCESSES && !one_in(4) ? GROUPS - 1 : i]();
	g.calls++;
}

static void some_calls(long n)
{
	for (long i = 0; i < n; i++)
		one_call();
}

static void handled(int sig)
{
	(void)sig;
}

static void set_up(void)
{
	struct sigaction sa = { .sa_handler = handled, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGVTALRM, &sa, NULL);
	sigaction(SIGPROF, &sa, NULL);
	for (int k = 0; k < 4; k++)
		sigaction(SIGRTMIN + k, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	for (int i = 0; i < FDS; i++)
		have.fd[i] = -1;
}

struct job {
	uint64_t seed;
	long calls;
	int threads;
};

static void *thread_main(void *arg)
{
	struct job *j = arg;

	g.state = j->seed;
	some_calls(j->calls);
	return NULL;
}

static int process_main(void *arg)
{
	struct job *j = arg, each[8];
	pthread_t t[8];

	set_up();
	for (int i = 0; i < j->threads; i++) {
		each[i] = (struct job){ j->seed * 8 + (uint64_t)i + 1, j->calls / j->threads, 1 };
		if (pthread_create(&t[i], NULL, thread_main, &each[i]))
			return 2;
	}
	for (int i = 0; i < j->threads; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < KIDS; i++)
		if (have.kid[i]) {
			kill(have.kid[i], SIGKILL);
			while (waitpid(have.kid[i], NULL, 0) < 0 && errno == EINTR)
				;
		}
	unlink_queues();
	remove_addresses();
	return 0;
}

/* --- what is left --- */

static long number_after(const char *file, const char *what)
{
	const char *p = strstr(test_slurp(file), what);

	return p ? atol(p + strlen(what)) : 0;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path), 0;
}

static void clean(void)
{
	int fd;

	for (int i = 0; i < 50 && access("work", F_OK) == 0; i++) {
		nftw("work", remove_entry, 16, FTW_DEPTH | FTW_PHYS);
		usleep(10000);
	}
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd >= 0 && write(fd, "2", 1) < 0)
		FAIL("drop_caches: %s", strerror(errno));
	close(fd);
	usleep(100000);
}

static void run(struct job j)
{
	int st;

	CHECK_OK(mkdir("work", 0777));
	pid_t p = fork();
	if (p == 0) {
		if (chdir("work") || setpgid(0, 0))
			_exit(99);
		_exit(process_main(&j));
	}
	CHECK_EQ(waitpid(p, &st, 0), p);
	kill(-p, SIGKILL); /* children of children */
	if (!WIFEXITED(st) || WEXITSTATUS(st))
		FAIL("seed %llu: wait status %#x", (unsigned long long)j.seed, st);
	clean();
}

/* A first round fills the caches; then as much must be there as before. */
static void run_and_compare(struct job j)
{
	struct job warm = { j.seed + 1000, j.calls / 4, j.threads };
	long free_before, files_before, free_after = 0, files_after = 0;

	run(warm);
	free_before = number_after("/proc/meminfo", "MemFree:");
	files_before = number_after("/proc/sys/fs/file-nr", "");
	run(j);
	for (int i = 0; i < 30; i++) {
		free_after = number_after("/proc/meminfo", "MemFree:");
		files_after = number_after("/proc/sys/fs/file-nr", "");
		if (free_before - free_after < 6000 && files_after - files_before < 300)
			return;
		usleep(100000);
	}
	FAIL("seed %llu: free %ld KiB before, %ld after; open files %ld before, %ld after", (unsigned long long)j.seed, free_before, free_after,
	     files_before, files_after);
}

__attribute__((constructor)) static void as_child(void)
{
	if (getenv("CALLGEN_CHILD"))
		_exit(0);
}

TEST_TIMED(callgen_alone, 120)
{
	run_and_compare((struct job){ 1, 8000, 1 });
}

TEST_TIMED(callgen_threads, 120)
{
	run_and_compare((struct job){ 2, 12000, 4 });
}

TEST_TIMED(callgen_by_hand, 3000)
{
	const char *seed = getenv("CALLGEN_SEED"), *calls = getenv("CALLGEN_CALLS"), *threads = getenv("CALLGEN_THREADS");

	if (!seed)
		test_skip("CALLGEN_SEED is not set");
	run_and_compare((struct job){ strtoull(seed, NULL, 0), calls ? atol(calls) : 100000, threads ? atoi(threads) : 2 });
}
