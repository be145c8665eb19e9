/* Signals between threads and processes in great numbers: none is lost, none comes twice, none
 * harms what it interrupts. */

#include "smp.h"

#include <sys/signalfd.h>
#include <sys/syscall.h>

static pid_t tids[CREW];
static _Atomic uint64_t sent, taken;
static atomic_uint ready, leaving;

static bool queue_to(pid_t tid, int sig, int value)
{
	siginfo_t si = {
		.si_signo = sig, .si_code = SI_QUEUE, .si_pid = getpid(), .si_uid = getuid()
	};

	si.si_value.sival_int = value;
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &si) == 0)
		return true;
	CHECK_EQ(errno, EAGAIN);
	return false;
}

static void count_signal(int sig, siginfo_t *si, void *ctx)
{
	(void)sig, (void)ctx;
	CHECK_EQ(si->si_code, SI_QUEUE);
	CHECK_EQ(si->si_value.sival_int, gettid_());
	atomic_fetch_add(&taken, 1);
}

static void install(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	CHECK_OK(sigaction(sig, &sa, NULL));
}

static void use_altstack(void)
{
	stack_t ss = { .ss_size = 65536 };

	ss.ss_sp = malloc(ss.ss_size);
	CHECK_OK(sigaltstack(&ss, NULL));
}

static void *shooter(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg, seed = me;
	double x = me + 0.5;

	use_altstack();
	tids[me] = gettid_();
	atomic_fetch_add(&ready, 1);
	SPIN_UNTIL(atomic_load(&ready) == CREW);
	/* Once at least: on a loaded machine the time may be over when all are there. */
	do {
		pid_t to = tids[rand_r(&seed) % CREW];

		x *= 1.5;
		if (atomic_load(&sent) - atomic_load(&taken) < 1000 &&
		    queue_to(to, SIGRTMIN + 1 + (int)(seed % 3), to))
			atomic_fetch_add(&sent, 1);
		x /= 1.5;
		CHECK(x == me + 0.5);
	} while (storm_goes_on());
	/* Nobody leaves before all has been taken. */
	atomic_fetch_add(&leaving, 1);
	SPIN_UNTIL(atomic_load(&leaving) == CREW);
	SPIN_UNTIL(atomic_load(&sent) == atomic_load(&taken));
	return NULL;
}

TEST(queued_signals_to_threads_are_all_taken)
{
	for (int i = 0; i < 3; i++)
		install(SIGRTMIN + 1 + i, count_signal, i ? SA_ONSTACK : SA_RESTART);
	storm(CREW, STORM_MS, shooter);
	CHECK(sent > 0);
}

/* To the process: whoever does not block it takes it. */
static void count_any(int sig, siginfo_t *si, void *ctx)
{
	(void)sig, (void)si, (void)ctx;
	atomic_fetch_add(&taken, 1);
}

static void *blocker(void *arg)
{
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	while (storm_goes_on()) {
		CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
		if (atomic_load(&sent) - atomic_load(&taken) > 200)
			;
		else if (sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ 0 }) == 0)
			atomic_fetch_add(&sent, 1);
		else
			CHECK_EQ(errno, EAGAIN);
		CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	}
	SPIN_UNTIL(atomic_load(&sent) == atomic_load(&taken));
	return NULL;
}

TEST(queued_signals_to_the_process_are_all_taken)
{
	install(SIGRTMIN + 1, count_any, SA_RESTART);
	storm(8, STORM_MS, blocker);
	SPIN_UNTIL(atomic_load(&sent) == atomic_load(&taken));
}

/* sigwait(3), signalfd(2) and sigtimedwait(2) share the work. */
static atomic_int senders;

static void *waiter(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	struct timespec ts = { 0, 2000000 };
	struct signalfd_siginfo si;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK_OK(fd);
	while (me < 3 && storm_goes_on())
		if (atomic_load(&sent) - atomic_load(&taken) < 200 &&
		    sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ 0 }) == 0)
			atomic_fetch_add(&sent, 1);
		else
			sched_yield();
	if (me < 3)
		atomic_fetch_sub(&senders, 1);
	while (me >= 3 && (atomic_load(&senders) > 0 || atomic_load(&sent) != atomic_load(&taken)))
		if (me % 2) {
			if (sigtimedwait(&set, NULL, &ts) > 0)
				atomic_fetch_add(&taken, 1);
		} else {
			if (read(fd, &si, sizeof(si)) == sizeof(si))
				atomic_fetch_add(&taken, 1);
			else
				sched_yield();
		}
	close(fd);
	return NULL;
}

TEST(waited_for_signals_are_all_taken)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	atomic_store(&senders, 3);
	storm(9, STORM_MS, waiter);
	CHECK_EQ(sent, taken);
}

/* Interrupted calls: what is read and written through pipes stays whole. */
static void interrupt(int sig, siginfo_t *si, void *ctx)
{
	(void)sig, (void)si, (void)ctx;
}

static int ring[8][2];
static _Atomic uint64_t hops;

static void *relay(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	uint64_t token;

	tids[me] = gettid_();
	atomic_fetch_add(&ready, 1);
	if (me == 0) {
		token = 1;
		CHECK_EQ(write(ring[0][1], &token, sizeof(token)), sizeof(token));
	}
	for (;;) {
		ssize_t n = read(ring[me][0], &token, sizeof(token));

		if (n < 0) {
			CHECK_EQ(errno, EINTR);
			continue;
		}
		CHECK_EQ(n, sizeof(token));
		if (!storm_goes_on())
			token = UINT64_MAX;
		else
			CHECK_EQ(token++, atomic_fetch_add(&hops, 1) + 1);
		while (write(ring[(me + 1) % 8][1], &token, sizeof(token)) < 0)
			CHECK_EQ(errno, EINTR);
		if (token == UINT64_MAX)
			return NULL;
	}
}

TEST(interrupted_pipe_ring)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	unsigned seed = 1;
	struct crew c;

	install(SIGUSR1, interrupt, 0);
	install(SIGUSR2, interrupt, SA_RESTART);
	for (int i = 0; i < 8; i++)
		CHECK_OK(pipe(ring[i]));
	crew_start(&c, 8, relay);
	SPIN_UNTIL(atomic_load(&ready) == 8);
	while (test_now() < end) {
		syscall(SYS_tgkill, getpid(), tids[rand_r(&seed) % 8],
			seed % 2 ? SIGUSR1 : SIGUSR2);
		if (seed % 16 == 0)
			usleep(100);
	}
	atomic_store(&storm_over, true);
	crew_join(&c);
	CHECK(hops > 8);
}

/* --- stopping --- */

static _Atomic uint64_t *progress; /* shared with the child */

static void *stepper(void *arg)
{
	for (;;) {
		atomic_fetch_add(&progress[(uintptr_t)arg], 1);
		if ((uintptr_t)arg % 3 == 1)
			sched_yield();
		if ((uintptr_t)arg % 3 == 2)
			usleep(20);
	}
	return NULL;
}

static int stepping_process(void *arg)
{
	struct crew c;

	(void)arg;
	crew_start(&c, 6, stepper);
	crew_join(&c);
	return 0;
}

static void shared_progress(void)
{
	progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(progress != MAP_FAILED);
}

TEST(stop_and_continue_storm)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	int st, rounds = 0;
	uint64_t before[6];
	pid_t pid;

	shared_progress();
	pid = test_fork(stepping_process, NULL);
	for (; test_now() < end || rounds < 3; rounds++) {
		CHECK_OK(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
		CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
		for (int i = 0; i < 6; i++)
			before[i] = progress[i];
		for (int k = 0; k < 3; k++)
			sched_yield();
		for (int i = 0; i < 6; i++)
			CHECK_EQ(progress[i], before[i]);
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EQ(waitpid(pid, &st, WCONTINUED), pid);
		CHECK(WIFCONTINUED(st));
		SPIN_UNTIL(progress[0] != before[0] && progress[1] != before[1] &&
			   progress[2] != before[2]);
	}
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_OK(kill(pid, SIGKILL));
	test_wait_signal(pid, SIGKILL);
}

/* Stops, continues and kills from several at once: it ends in the end, and never hangs. */
static pid_t victim;

static void *tormentor(void *arg)
{
	static const int sigs[] = { SIGSTOP, SIGCONT, SIGTSTP, SIGCONT, SIGWINCH, SIGCONT };
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (storm_goes_on()) {
		CHECK_OK(kill(victim, sigs[rand_r(&seed) % 6]));
		if (seed % 4 == 0)
			sched_yield();
	}
	return NULL;
}

TEST(stops_and_continues_from_all_sides)
{
	uint64_t before;
	int st;

	shared_progress();
	victim = test_fork(stepping_process, NULL);
	storm(5, STORM_MS, tormentor);
	CHECK_OK(kill(victim, SIGCONT));
	before = progress[0];
	SPIN_UNTIL(progress[0] != before);
	CHECK_OK(kill(victim, SIGSTOP));
	do
		CHECK_EQ(waitpid(victim, &st, WUNTRACED), victim);
	while (!WIFSTOPPED(st));
	CHECK_OK(kill(victim, SIGKILL));
	do
		CHECK_EQ(waitpid(victim, &st, 0), victim);
	while (WIFSTOPPED(st));
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
}

/* Signals to processes and threads that are just ending. */
static _Atomic pid_t target_pid;

static void *short_sleeper(void *arg)
{
	usleep(10);
	return arg;
}

static int short_lived(void *arg)
{
	struct crew c;

	(void)arg;
	crew_start(&c, 2, short_sleeper);
	_exit(9);
}

static void *marksman(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (storm_goes_on()) {
		pid_t pid = atomic_load(&target_pid);
		int sig = rand_r(&seed) % 2 ? SIGUSR1 : 0;

		if (pid <= 0)
			continue;
		if (seed % 3 == 0)
			syscall(SYS_tgkill, pid, pid + 1, sig);
		else if (seed % 3 == 1)
			syscall(SYS_tkill, pid, sig);
		else
			kill(pid, sig);
	}
	return NULL;
}

TEST(signals_to_the_dying)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	struct crew c;

	signal(SIGUSR1, SIG_IGN);
	crew_start(&c, 4, marksman);
	while (test_now() < end) {
		pid_t pid = test_fork(short_lived, NULL);

		atomic_store(&target_pid, pid);
		test_wait_exit(pid, 9);
		atomic_store(&target_pid, 0);
	}
	atomic_store(&storm_over, true);
	crew_join(&c);
}

/* SIGCHLD for every child: one that comes while another is pending is merged, but the last is never
 * missed. */
static atomic_int children;

static void on_child(int sig, siginfo_t *si, void *ctx)
{
	int saved = errno;

	(void)sig, (void)si, (void)ctx;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		atomic_fetch_sub(&children, 1);
	errno = saved;
}

TEST(last_child_is_announced)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	sigset_t chld, old;

	install(SIGCHLD, on_child, SA_RESTART);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &chld, &old), 0);
	while (test_now() < end) {
		for (int i = 0; i < 5; i++) {
			pid_t pid = fork();

			if (pid == 0)
				_exit(0);
			CHECK(pid > 0);
			atomic_fetch_add(&children, 1);
		}
		while (atomic_load(&children) > 0)
			sigsuspend(&old);
	}
}

/* A group is signalled while its members fork: nobody escapes. */
static int bomb(void *arg)
{
	setpgid(0, 0);
	for (int i = 0; i < 20; i++)
		if (fork() == 0)
			for (;;) {
				pid_t pid = fork();

				if (pid > 0)
					_exit(0); /* the child goes on in its place */
				if (pid < 0)
					usleep(100);
			}
	(void)arg;
	for (;;)
		pause();
	return 0;
}

TEST(nobody_escapes_a_signal_to_the_group)
{
	for (int i = 0; i < 5; i++) {
		pid_t pid = test_fork(bomb, NULL);

		while (getpgid(pid) != pid)
			sched_yield();
		sleep_ms(30);
		CHECK_OK(kill(-pid, SIGKILL));
		test_wait_signal(pid, SIGKILL);
		for (int k = 0; kill(-pid, 0) == 0;
		     k++) { /* zombies that process 1 has not taken yet */
			if (k > 2000)
				FAIL("somebody of the group is still there");
			usleep(1000);
		}
	}
}
