/* Threads made, joined, cancelled and ended in crowds; locks and conditions among them; exec and
 * exit in their midst. */

#include "smp.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* The program that these tests execute is this one, which then ends at once. */
__attribute__((constructor)) static void as_executed(void)
{
	if (getenv("SMP_CHILD"))
		_exit(42);
}

static char *const child_argv[] = { "smp", NULL }, *const child_envp[] = { "SMP_CHILD=1", NULL };

static void exec_self(void)
{
	execve("/proc/self/exe", child_argv, child_envp);
}

/* --- making and ending --- */

static void *nothing(void *arg)
{
	return arg;
}

static void *maker(void *arg)
{
	unsigned n = 0;

	(void)arg;
	while (storm_goes_on()) {
		pthread_t t[4];
		void *result;

		for (int i = 0; i < 4; i++)
			CHECK_EQ(pthread_create(&t[i], NULL, nothing, crew_index(++n)), 0);
		for (int i = 0; i < 4; i++) {
			CHECK_EQ(pthread_join(t[i], &result), 0);
			CHECK_EQ((uintptr_t)result, n - 3 + i);
		}
	}
	return NULL;
}

TEST(create_and_join_storm)
{
	storm(8, STORM_MS, maker);
}

static atomic_int alive;

static void *detached(void *arg)
{
	volatile char stack[3000];

	stack[0] = stack[2999] = (char)(uintptr_t)arg;
	if ((uintptr_t)arg % 3 == 0)
		sched_yield();
	CHECK_EQ(stack[2999], (char)(uintptr_t)arg);
	atomic_fetch_sub(&alive, 1);
	return NULL;
}

static void *detaching_maker(void *arg)
{
	pthread_attr_t a;

	(void)arg;
	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&a, 65536);
	for (unsigned i = 0; storm_goes_on(); i++) {
		pthread_t t;

		SPIN_UNTIL(atomic_load(&alive) < 200);
		atomic_fetch_add(&alive, 1);
		CHECK_EQ(pthread_create(&t, &a, detached, crew_index(i)), 0);
	}
	return NULL;
}

TEST(detached_storm)
{
	storm(6, STORM_MS, detaching_maker);
	SPIN_UNTIL(atomic_load(&alive) == 0);
}

static __thread unsigned long mine;
static __thread char pattern[200];

static void *tls_user(void *arg)
{
	unsigned long me = 1 + (uintptr_t)arg;

	mine = me;
	memset(pattern, (int)me, sizeof(pattern));
	while (storm_goes_on()) {
		for (int i = 0; i < 2000; i++) {
			if (mine % 1000 != me)
				FAIL("thread %lu finds %lu", me, mine);
			mine += 1000;
		}
		CHECK_EQ(pattern[0], (char)me);
		CHECK_EQ(pattern[199], (char)me);
		if (me % 2)
			sched_yield();
		else if (me % 5 == 0)
			usleep(100);
	}
	return NULL;
}

TEST(thread_local_variables)
{
	storm(CREW, STORM_MS, tls_user);
}

/* Floating point and vector registers belong to the thread. */
static void *register_user(void *arg)
{
	double me = 1.0 + (double)(uintptr_t)arg;

	while (storm_goes_on()) {
		register double a __asm__("xmm9") = me, b __asm__("xmm14") = me * 3;

		for (int i = 0; i < 500; i++)
			__asm__ volatile("movsd %0, %%xmm1; addsd %1, %%xmm1; subsd %1, %%xmm1; "
					 "movsd %%xmm1, %0"
					 : "+x"(a), "+x"(b)
					 :
					 : "xmm1");
		if ((uintptr_t)arg % 3 == 0)
			__asm__ volatile("syscall"
					 :
					 : "a"(SYS_sched_yield)
					 : "rcx", "r11", "memory");
		__asm__ volatile("" : "+x"(a), "+x"(b));
		if (a != me || b != me * 3)
			FAIL("thread %g finds %g and %g", me, a, b);
	}
	return NULL;
}

TEST(vector_registers)
{
	storm(CREW, STORM_MS, register_user);
}

static void *cancelled(void *arg)
{
	pthread_setcanceltype(
		(uintptr_t)arg % 2 ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED, NULL);
	for (;;)
		if ((uintptr_t)arg % 3)
			usleep(1000);
		else
			pthread_testcancel();
	return NULL;
}

static void *canceller(void *arg)
{
	(void)arg;
	for (unsigned i = 0; storm_goes_on(); i++) {
		pthread_t t;
		void *result;

		CHECK_EQ(pthread_create(&t, NULL, cancelled, crew_index(i)), 0);
		if (i % 4 == 0)
			sched_yield();
		CHECK_EQ(pthread_cancel(t), 0);
		CHECK_EQ(pthread_join(t, &result), 0);
		CHECK(result == PTHREAD_CANCELED);
	}
	return NULL;
}

TEST(cancel_storm)
{
	storm(6, STORM_MS, canceller);
}

/* --- locks --- */

static pthread_mutex_t locks[3];
static uint64_t guarded[3];
static _Atomic uint64_t attempts[3];

static void *locker(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (storm_goes_on()) {
		unsigned k = rand_r(&seed) % 3;

		CHECK_EQ(pthread_mutex_lock(&locks[k]), 0);
		uint64_t v = guarded[k];

		if (seed % 16 == 0)
			sched_yield();
		guarded[k] = v + 1;
		CHECK_EQ(pthread_mutex_unlock(&locks[k]), 0);
		atomic_fetch_add(&attempts[k], 1);
	}
	return NULL;
}

static void lock_storm(int protocol, int kind)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	if (pthread_mutexattr_setprotocol(&a, protocol))
		test_skip("no such protocol");
	pthread_mutexattr_settype(&a, kind);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_mutex_init(&locks[i], &a), 0);
		attempts[i] = guarded[i] = 0;
	}
	storm(CREW, STORM_MS, locker);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(guarded[i], attempts[i]);
}

TEST(mutex_contention)
{
	lock_storm(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
}

TEST(adaptive_mutex_contention)
{
	lock_storm(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ADAPTIVE_NP);
}

TEST(priority_inheriting_mutex_contention)
{
	lock_storm(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ERRORCHECK);
}

/* Threads that end as soon as they have unlocked: nobody may be told to wait for one that is gone.
 */
static void *lock_once(void *arg)
{
	CHECK_EQ(pthread_mutex_lock(&locks[0]), 0);
	guarded[0]++;
	CHECK_EQ(pthread_mutex_unlock(&locks[0]), 0);
	return arg;
}

static void *maker_of_lockers(void *arg)
{
	while (storm_goes_on()) {
		pthread_t t[3];

		for (int i = 0; i < 3; i++)
			CHECK_EQ(pthread_create(&t[i], NULL, lock_once, arg), 0);
		lock_once(NULL);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(pthread_join(t[i], NULL), 0);
		atomic_fetch_add(&attempts[0], 4);
	}
	return NULL;
}

static void lock_and_leave(int protocol, int robust)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	if (pthread_mutexattr_setprotocol(&a, protocol))
		test_skip("no such protocol");
	pthread_mutexattr_setrobust(&a, robust);
	CHECK_EQ(pthread_mutex_init(&locks[0], &a), 0);
	storm(5, STORM_MS, maker_of_lockers);
	CHECK_EQ(guarded[0], attempts[0]);
}

TEST(priority_inheriting_mutex_of_threads_that_end)
{
	lock_and_leave(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
}

TEST(robust_mutex_of_threads_that_end)
{
	lock_and_leave(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST);
}

/* Those who end with a robust lock held leave it to the next, marked. */
static void *die_with_lock(void *arg)
{
	int err = pthread_mutex_lock(&locks[0]);

	if (err == EOWNERDEAD)
		err = pthread_mutex_consistent(&locks[0]);
	CHECK_EQ(err, 0);
	guarded[0]++;
	if ((uintptr_t)arg % 2)
		pthread_mutex_unlock(&locks[0]);
	return NULL;
}

static void *maker_of_dead_owners(void *arg)
{
	(void)arg;
	while (storm_goes_on()) {
		pthread_t t[3];

		for (unsigned i = 0; i < 3; i++)
			CHECK_EQ(pthread_create(&t[i], NULL, die_with_lock, crew_index(i)), 0);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(pthread_join(t[i], NULL), 0);
		atomic_fetch_add(&attempts[0], 3);
	}
	return NULL;
}

static void dead_owners(int protocol)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	if (pthread_mutexattr_setprotocol(&a, protocol))
		test_skip("no such protocol");
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	CHECK_EQ(pthread_mutex_init(&locks[0], &a), 0);
	storm(5, STORM_MS, maker_of_dead_owners);
	CHECK_EQ(guarded[0], attempts[0]);
}

TEST(robust_mutex_of_dead_owners)
{
	dead_owners(PTHREAD_PRIO_NONE);
}

TEST(robust_priority_inheriting_mutex_of_dead_owners)
{
	dead_owners(PTHREAD_PRIO_INHERIT);
}

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t conds[8];
static unsigned turn, turns_taken;

/* The token goes round: each waits for its own turn, and signals the next. */
static void *turn_taker(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	CHECK_EQ(pthread_mutex_lock(&m), 0);
	while (storm_goes_on()) {
		while (turn != me && storm_goes_on())
			CHECK_EQ(pthread_cond_wait(&conds[me], &m), 0);
		turns_taken += turn == me;
		turn = (me + 1) % 8;
		pthread_cond_signal(&conds[turn]);
	}
	pthread_mutex_unlock(&m);
	return NULL;
}

TEST(condition_ring)
{
	for (int i = 0; i < 8; i++)
		pthread_cond_init(&conds[i], NULL);
	storm(8, STORM_MS, turn_taker);
	CHECK(turns_taken > 8);
}

/* One broadcasts, all others come. */
static pthread_cond_t come = PTHREAD_COND_INITIALIZER, came = PTHREAD_COND_INITIALIZER;
static unsigned called, arrived;

static void *comer(void *arg)
{
	unsigned seen = 0;

	(void)arg;
	CHECK_EQ(pthread_mutex_lock(&m), 0);
	while (storm_goes_on()) {
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_sec += 15;
		while (called == seen && storm_goes_on())
			CHECK_EQ(pthread_cond_timedwait(&come, &m, &ts), 0);
		seen = called;
		if (++arrived == CREW)
			pthread_cond_signal(&came);
	}
	pthread_mutex_unlock(&m);
	return NULL;
}

TEST(broadcast_reaches_all)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	struct crew c;

	atomic_store(&storm_over, false);
	crew_start(&c, CREW, comer);
	CHECK_EQ(pthread_mutex_lock(&m), 0);
	while (test_now() < end) {
		arrived = 0;
		called++;
		pthread_cond_broadcast(&come);
		while (arrived < CREW)
			CHECK_EQ(pthread_cond_wait(&came, &m), 0);
	}
	atomic_store(&storm_over, true);
	called++;
	pthread_cond_broadcast(&come);
	pthread_mutex_unlock(&m);
	crew_join(&c);
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static uint64_t left_half, right_half;

static void *reader_or_writer(void *arg)
{
	while (storm_goes_on())
		if ((uintptr_t)arg % 4 == 0) {
			CHECK_EQ(pthread_rwlock_wrlock(&rw), 0);
			left_half++;
			if (left_half % 8 == 0)
				sched_yield();
			right_half++;
			pthread_rwlock_unlock(&rw);
		} else {
			CHECK_EQ(pthread_rwlock_rdlock(&rw), 0);
			CHECK_EQ(left_half, right_half);
			pthread_rwlock_unlock(&rw);
		}
	return NULL;
}

TEST(read_write_locks)
{
	storm(CREW, STORM_MS, reader_or_writer);
}

static pthread_barrier_t barrier;
static uint64_t phase_sum[2];

static void *phase_worker(void *arg)
{
	(void)arg;
	for (int r = 0; r < 200; r++) {
		__atomic_fetch_add(&phase_sum[r % 2], 1, __ATOMIC_RELAXED);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
			CHECK_EQ(phase_sum[r % 2], CREW);
			phase_sum[r % 2] = 0;
		}
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

TEST(barriers)
{
	struct crew c;

	pthread_barrier_init(&barrier, NULL, CREW);
	crew_start(&c, CREW, phase_worker);
	crew_join(&c);
}

/* --- the end of processes with many threads --- */

static atomic_uint running;

static void *busy(void *arg)
{
	atomic_fetch_add(&running, 1);
	for (unsigned i = 0;; i++)
		switch ((uintptr_t)arg % 5) {
		case 0:
			spin_pause();
			break;
		case 1:
			sched_yield();
			break;
		case 2:
			usleep(50);
			break;
		case 3: {
			void *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (p != MAP_FAILED) {
				memset(p, 1, 65536);
				munmap(p, 65536);
			}
			break;
		}
		case 4:
			if (i % 8 == 0) {
				pthread_t t;

				if (pthread_create(&t, NULL, nothing, NULL) == 0)
					pthread_join(t, NULL);
			}
			break;
		}
	return NULL;
}

static void *busy_then(void *arg);

static int how_to_end;

/* A process of ten busy threads, some of which end it, each in its own way. */
static int crowded_process(void *arg)
{
	struct crew c;

	how_to_end = (int)(uintptr_t)arg;
	atomic_store(&running, 0);
	crew_start(&c, 10, busy_then);
	for (;;)
		pause();
	return 0;
}

static void *busy_then(void *arg)
{
	uintptr_t i = (uintptr_t)arg;

	if (i < 6)
		return busy(arg);
	SPIN_UNTIL(atomic_load(&running) == 6);
	switch (how_to_end) {
	case 0: /* all at once */
		_exit(42);
	case 1: /* several execs: one wins */
		exec_self();
		return NULL;
	case 2: /* exec against exit */
		if (i % 2)
			exec_self();
		_exit(42);
	case 3:
		kill(getpid(), SIGKILL);
		break;
	case 4: /* fork in between */
		if (i % 2) {
			pid_t pid = fork();

			if (pid == 0)
				_exit(0);
		} else {
			_exit(42);
		}
		break;
	case 5: /* a signal with the default action */
		syscall(SYS_tgkill, getpid(), gettid_(), SIGTERM);
		break;
	case 6: /* a fault */
		*(volatile int *)8 = 1;
		break;
	}
	return NULL;
}

static void end_crowds(int how, int status, int sig, int seconds)
{
	int64_t end = test_now() + seconds * 500000000ll;

	for (int i = 0; i < 3 || (test_now() < end && i < 60); i++) {
		pid_t pid = test_fork(crowded_process, crew_index((unsigned)how));
		int st;

		CHECK_EQ(waitpid(pid, &st, 0), pid);
		if (sig ? !WIFSIGNALED(st) || WTERMSIG(st) != sig
			: !WIFEXITED(st) || WEXITSTATUS(st) != status)
			FAIL("round %d: wait status %#x", i, st);
	}
}

TEST(exit_group_by_several)
{
	end_crowds(0, 42, 0, 2);
}

TEST(exec_by_several)
{
	end_crowds(1, 42, 0, 2);
}

TEST(exec_against_exit_group)
{
	end_crowds(2, 42, 0, 2);
}

TEST(kill_among_threads)
{
	end_crowds(3, 0, SIGKILL, 2);
}

TEST(fork_against_exit_group)
{
	end_crowds(4, 42, 0, 2);
}

TEST(terminate_among_threads)
{
	end_crowds(5, 0, SIGTERM, 2);
}

TEST(fault_among_threads)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	end_crowds(6, 0, SIGSEGV, 2);
}

/* The leader leaves, others go on, and the last one's end is the process's. */
static atomic_int last_ones;

static void *leave_last(void *arg)
{
	usleep((unsigned)(uintptr_t)arg * 100);
	if (atomic_fetch_sub(&last_ones, 1) == 1)
		_exit(42);
	syscall(SYS_exit, 0);
	return NULL;
}

static int leaderless(void *arg)
{
	struct crew c;

	(void)arg;
	atomic_store(&last_ones, 8);
	crew_start(&c, 8, leave_last);
	syscall(SYS_exit, 1);
	return 0;
}

TEST(leader_leaves_first)
{
	for (int i = 0; i < 20; i++)
		test_wait_exit(test_fork(leaderless, NULL), 42);
}

/* --- forks and waits by all threads --- */

static void *fork_and_wait(void *arg)
{
	int me = (int)(uintptr_t)arg, st;

	for (int i = 0; storm_goes_on(); i++) {
		int status = (me * 16 + i) % 100;
		pid_t pid = fork();

		if (pid == 0) {
			if (i % 4 == 3)
				exec_self();
			_exit(status);
		}
		CHECK(pid > 0);
		CHECK_EQ(waitpid(pid, &st, 0), pid);
		CHECK(WIFEXITED(st));
		CHECK_EQ(WEXITSTATUS(st), i % 4 == 3 ? 42 : status);
	}
	return NULL;
}

TEST(fork_and_wait_by_all_threads)
{
	storm(8, STORM_MS, fork_and_wait);
}

/* Any thread takes any child: each child is taken once. */
static _Atomic int64_t forked, reaped;

static void *fork_or_reap(void *arg)
{
	while (storm_goes_on())
		if ((uintptr_t)arg % 2) {
			if (atomic_load(&forked) - atomic_load(&reaped) > 50) {
				sched_yield();
				continue;
			}
			pid_t pid = fork();

			if (pid == 0)
				_exit(7);
			CHECK(pid > 0);
			atomic_fetch_add(&forked, 1);
		} else {
			int st;
			pid_t pid = waitpid(-1, &st, (uintptr_t)arg % 4 ? WNOHANG : 0);

			if (pid > 0) {
				CHECK_EQ(WEXITSTATUS(st), 7);
				atomic_fetch_add(&reaped, 1);
			} else if (pid < 0) {
				CHECK_EQ(errno, ECHILD);
				sched_yield();
			}
		}
	return NULL;
}

TEST(children_are_reaped_once)
{
	storm(8, STORM_MS, fork_or_reap);
	while (waitpid(-1, NULL, 0) > 0)
		reaped++;
	CHECK_EQ(errno, ECHILD);
	CHECK_EQ(forked, reaped);
}

static void *vforker(void *arg)
{
	(void)arg;
	while (storm_goes_on()) {
		pid_t pid = vfork();

		if (pid == 0) {
			exec_self();
			_exit(1);
		}
		CHECK(pid > 0);
		test_wait_exit(pid, 42);
	}
	return NULL;
}

TEST(vfork_and_exec_by_all_threads)
{
	storm(6, STORM_MS, vforker);
}

/* Orphans find a new parent while everybody dies. */
static int dying_tree(void *arg)
{
	int depth = (int)(uintptr_t)arg;

	for (int i = 0; i < 3 && depth > 0; i++)
		if (fork() == 0) {
			depth--;
			i = -1;
		}
	return 0;
}

TEST(orphans_of_dying_parents)
{
	int st;

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int i = 0; i < 8; i++)
		test_fork(dying_tree, crew_index(3));
	while (waitpid(-1, &st, 0) > 0)
		CHECK_EQ(st, 0);
	CHECK_EQ(errno, ECHILD);
}
