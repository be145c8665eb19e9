/*
 * Sixteen threads that do everything at once: create and join others, lock, wait for conditions,
 * keep thread-local variables, send signals to one another, fork and exec, count in shared
 * mappings, play ping-pong on pipes, and map and unmap what others touch. A run takes about a
 * second; `./kevlar test guest -k smp/crew --cpus 4 --repeat 1000` is the soak. Each thing is
 * checked by itself, and sums at the end.
 */
#include "smp.h"

#include <setjmp.h>
#include <spawn.h>
#include <sys/syscall.h>

enum { PAGE = 4096, LOCKS = 4, SLOTS = 8, SLOT_PAGES = 4, CHILD_ADDS = 10, EXECUTED = 42 };

static pthread_mutex_t lock[LOCKS];
static long pair[LOCKS][2]; /* equal whenever the lock is free */

static struct {
	atomic_long by_threads, by_children;
} * shared; /* MAP_SHARED */
static atomic_long expected_by_threads, expected_by_children;

static char *slot[SLOTS]; /* mapped and unmapped; what is there was written there */

static struct crew crew;
static pthread_barrier_t all_are_here;
static atomic_long queued, taken;
static __thread atomic_long seen_here;
static __thread uint64_t random_state;
static __thread long private_values[32];

static uint32_t rnd(uint32_t n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(random_state >> 33) % n;
}

static void wait_for_exit(pid_t pid, int code)
{
	int st = 0;
	pid_t got;

	while ((got = waitpid(pid, &st, 0)) < 0 && errno == EINTR)
		;
	CHECK_EQ(got, pid);
	if (!WIFEXITED(st) || WEXITSTATUS(st) != code)
		FAIL("child: wait status %#x, not exit %d", st, code);
}

/* --- what a member does --- */

static void *joined(void *arg)
{
	for (int i = 0; i < 32; i++)
		private_values[i] += (long)(uintptr_t)arg;
	sched_yield();
	for (int i = 0; i < 32; i++)
		CHECK_EQ(private_values[i], (long)(uintptr_t)arg);
	return arg;
}

static void create_and_join(void)
{
	unsigned n = 1 + rnd(4);
	pthread_t t[4];
	void *result;

	for (unsigned i = 0; i < n; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, joined, crew_index(i + 1)), 0);
	for (unsigned i = 0; i < n; i++) {
		CHECK_EQ(pthread_join(t[i], &result), 0);
		CHECK_EQ((uintptr_t)result, i + 1);
	}
}

static void lock_and_count(void)
{
	for (unsigned n = 1 + rnd(50); n > 0; n--) {
		unsigned i = rnd(LOCKS);

		CHECK_EQ(pthread_mutex_lock(&lock[i]), 0);
		CHECK_EQ(pair[i][0], pair[i][1]);
		pair[i][0]++;
		if (rnd(16) == 0)
			sched_yield();
		pair[i][1]++;
		CHECK_EQ(pthread_mutex_unlock(&lock[i]), 0);
	}
}

struct rally {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned turn, rounds;
};

/* Takes the odd turns, or the even ones. */
static void play(struct rally *r, unsigned side)
{
	CHECK_EQ(pthread_mutex_lock(&r->lock), 0);
	while (r->turn < r->rounds) {
		if (r->turn % 2 == side) {
			r->turn++;
			CHECK_EQ(pthread_cond_signal(&r->cond), 0);
		} else {
			CHECK_EQ(pthread_cond_wait(&r->cond, &r->lock), 0);
		}
	}
	CHECK_EQ(pthread_cond_signal(&r->cond), 0);
	CHECK_EQ(pthread_mutex_unlock(&r->lock), 0);
}

static void *play_second(void *arg)
{
	play(arg, 1);
	return NULL;
}

static void rally_by_condition(void)
{
	struct rally r = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 10 + rnd(30) };
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, play_second, &r), 0);
	play(&r, 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static void keep_local_variables(void)
{
	long mark = (long)rnd(1 << 30);

	for (int i = 0; i < 32; i++)
		private_values[i] = mark + i;
	errno = (int)rnd(1000);
	int was = errno;
	sched_yield();
	CHECK_EQ(errno, was);
	for (int i = 0; i < 32; i++)
		CHECK_EQ(private_values[i], mark + i);
}

static void send_signals(void)
{
	for (unsigned n = 1 + rnd(4); n > 0; n--) {
		pthread_t to = crew.thread[rnd(CREW)];

		if (rnd(2)) {
			CHECK_EQ(pthread_kill(to, SIGUSR1), 0);
		} else {
			int err = pthread_sigqueue(to, SIGRTMIN, (union sigval){ .sival_int = 7 });

			CHECK(err == 0 || err == EAGAIN);
			queued += err == 0;
		}
	}
}

static void fork_and_wait(void)
{
	long mark = (long)rnd(1 << 30);
	int code = (int)rnd(100);

	private_values[0] = mark;
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		if (private_values[0] != mark)
			_exit(101);
		private_values[0] = 0;
		for (int i = 0; i < CHILD_ADDS; i++)
			shared->by_children++;
		_exit(code);
	}
	wait_for_exit(pid, code);
	CHECK_EQ(private_values[0], mark);
	expected_by_children += CHILD_ADDS;
}

__attribute__((constructor)) static void as_program(void)
{
	if (getenv("CREW_PROGRAM"))
		_exit(EXECUTED);
}

static void spawn_and_wait(void)
{
	static char *const argv[] = { "crew", NULL }, *const envp[] = { "CREW_PROGRAM=1", NULL };
	pid_t pid;

	if (rnd(2)) {
		CHECK_EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, envp), 0);
	} else {
		CHECK((pid = fork()) >= 0);
		if (pid == 0) {
			execve("/proc/self/exe", argv, envp);
			_exit(102);
		}
	}
	wait_for_exit(pid, EXECUTED);
}

static void count_in_shared_memory(void)
{
	unsigned n = 1 + rnd(100);

	for (unsigned i = 0; i < n; i++)
		shared->by_threads++;
	expected_by_threads += n;
}

static void read_all(int fd, char *buf, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t r = read(fd, buf + have, n - have);

		if (r < 0 && errno == EINTR)
			continue;
		CHECK(r > 0);
		have += (size_t)r;
	}
}

static void write_all(int fd, const char *buf, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = write(fd, buf + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		CHECK(r > 0);
		done += (size_t)r;
	}
}

static void echo(int in, int out)
{
	char c;

	for (;;) {
		ssize_t r = read(in, &c, 1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return;
		c++;
		write_all(out, &c, 1);
	}
}

static void *echo_in_thread(void *arg)
{
	int *fd = arg;

	echo(fd[0], fd[1]);
	return NULL;
}

static void ping_pong(void)
{
	int there[2], back[2], ends[2];
	bool is_process = rnd(2);
	pthread_t t = 0;
	pid_t pid = 0;
	char c;

	CHECK_OK(pipe2(there, O_CLOEXEC));
	CHECK_OK(pipe2(back, O_CLOEXEC));
	ends[0] = there[0], ends[1] = back[1];
	if (is_process) {
		CHECK((pid = fork()) >= 0);
		if (pid == 0) { /* others' ends are open here too: a byte says when it is over */
			do {
				read_all(there[0], &c, 1);
				write_all(back[1], &c, 1);
			} while (c != 0);
			_exit(0);
		}
	} else {
		CHECK_EQ(pthread_create(&t, NULL, echo_in_thread, ends), 0);
	}
	for (unsigned n = 5 + rnd(20); n > 0; n--) {
		char ball = (char)(1 + rnd(100));

		write_all(there[1], &ball, 1);
		read_all(back[0], &c, 1);
		CHECK_EQ(c, is_process ? ball : ball + 1);
	}
	if (is_process) {
		write_all(there[1], "", 1);
		wait_for_exit(pid, 0);
	}
	close(there[1]);
	if (!is_process) /* a child of another member may hold the writing end, until it exits or
			    execs */
		CHECK_EQ(pthread_join(t, NULL), 0);
	close(there[0]);
	close(back[0]);
	close(back[1]);
}

/* Nothing is there, or fresh zeroes, or what was written to just this place. */
static void map_and_unmap(void)
{
	static const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
	char *at = slot[rnd(SLOTS)];

	switch (rnd(4)) {
	case 0:
		CHECK(mmap(at, SLOT_PAGES * PAGE, PROT_NONE, flags, -1, 0) == at);
		break;
	case 1:
		CHECK_OK(madvise(at, SLOT_PAGES * PAGE, MADV_DONTNEED));
		break;
	case 2:
		CHECK_OK(mprotect(at, PAGE, PROT_READ));
		break;
	default:
		CHECK(mmap(at, SLOT_PAGES * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) == at);
		break;
	}
}

static __thread sigjmp_buf touching;
static __thread volatile sig_atomic_t is_touching;

static void on_fault(int sig)
{
	if (!is_touching) {
		signal(sig, SIG_DFL);
		return;
	}
	siglongjmp(touching, 1);
}

static void touch(void)
{
	volatile uint64_t *at =
		(volatile uint64_t *)(void *)(slot[rnd(SLOTS)] + PAGE * rnd(SLOT_PAGES));
	volatile uint64_t there = 0;

	if (sigsetjmp(touching, 1) == 0) {
		is_touching = 1;
		if (rnd(2))
			*at = (uint64_t)(uintptr_t)at;
		there = *at;
	}
	is_touching = 0;
	if (there != 0)
		CHECK_EQ(there, (uintptr_t)at);
}

static void map_and_touch(void)
{
	for (int i = 0; i < 20; i++) {
		if (rnd(4) == 0)
			map_and_unmap();
		else
			touch();
	}
}

/* --- all together --- */

static void on_signal(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	if (sig == SIGUSR1) {
		seen_here++;
		return;
	}
	if (si->si_code == SI_QUEUE && si->si_value.sival_int == 7)
		taken++;
}

static void *member(void *arg)
{
	static void (*const deeds[])(void) = { create_and_join,        lock_and_count,
					       rally_by_condition,     keep_local_variables,
					       send_signals,           fork_and_wait,
					       spawn_and_wait,         ping_pong,
					       count_in_shared_memory, map_and_touch };

	random_state = (uint64_t)test_now() + (uintptr_t)arg * 0x9e3779b97f4a7c15;
	pthread_barrier_wait(&all_are_here);
	while (storm_goes_on())
		deeds[rnd(sizeof(deeds) / sizeof(*deeds))]();
	pthread_barrier_wait(&all_are_here); /* nobody sends a signal to one who has left */
	syscall(SYS_gettid);                 /* takes what came last, before the end blocks it */
	return NULL;
}

static void set_up(void)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_mutexattr_t attr;

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	CHECK_OK(sigaction(SIGRTMIN, &sa, NULL));
	sa = (struct sigaction){ .sa_handler = on_fault };
	CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
	for (int i = 0; i < LOCKS; i++) {
		CHECK_EQ(pthread_mutexattr_init(&attr), 0);
		if (i == 1)
			CHECK_EQ(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
		if (i == 2)
			CHECK_EQ(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK), 0);
		if (i == 3)
			CHECK_EQ(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
		CHECK_EQ(pthread_mutex_init(&lock[i], &attr), 0);
	}
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	for (int i = 0; i < SLOTS; i++) {
		slot[i] = mmap(NULL, SLOT_PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);
		CHECK(slot[i] != MAP_FAILED);
	}
	CHECK_EQ(pthread_barrier_init(&all_are_here, NULL, CREW + 1), 0);
}

TEST_TIMED(sixteen_threads_at_everything, 60)
{
	set_up();
	crew_start(&crew, CREW, member);
	pthread_barrier_wait(&all_are_here);
	sleep_ms(STORM_MS);
	storm_over = true;
	pthread_barrier_wait(&all_are_here);
	crew_join(&crew);
	CHECK_EQ(shared->by_threads, expected_by_threads);
	CHECK_EQ(shared->by_children, expected_by_children);
	CHECK_EQ(taken, queued);
	for (int i = 0; i < LOCKS; i++)
		CHECK_EQ(pair[i][0], pair[i][1]);
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
}
