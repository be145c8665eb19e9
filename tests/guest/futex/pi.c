/* Futexes with priority inheritance, and waiting on several words. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "../test.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static long fut(uint32_t *u, int op, uint32_t val, const void *t, uint32_t *u2, uint32_t val3)
{
	return syscall(SYS_futex, u, op, val, t, u2, val3);
}

static uint32_t self(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

static struct timespec in_ms(clockid_t c, long ms)
{
	struct timespec t;

	clock_gettime(c, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void real_time(int prio)
{
	struct sched_param p = { prio };

	if (sched_setscheduler(0, prio ? SCHED_FIFO : SCHED_OTHER, &p) != 0)
		test_skip("needs real-time priorities: %s", strerrorname_np(errno));
}

/* The kernel's priority of a thread of ours: /proc's column 18, -1 - real-time priority. */
static int prio_of(uint32_t tid)
{
	char path[64], *p;
	int prio = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%u/stat", tid);
	p = strrchr(test_slurp(path), ')');
	CHECK(p != NULL);
	for (int i = 0; i < 16; i++)
		p = strchr(p + 1, ' ');
	prio = atoi(p);
	return prio < 0 ? -1 - prio : 0;
}

static char state_of(uint32_t tid)
{
	char path[64], *p;

	snprintf(path, sizeof(path), "/proc/self/task/%u/stat", tid);
	p = strrchr(test_slurp(path), ')');
	return p[2];
}

static void wait_asleep(_Atomic uint32_t *tid)
{
	while (*tid == 0)
		usleep(1000);
	for (int i = 0; i < 2000 && state_of(*tid) != 'S'; i++)
		usleep(1000);
	CHECK_EQ(state_of(*tid), 'S');
}

static uint32_t lock_a, lock_b, word;

struct locker {
	pthread_t t;
	_Atomic uint32_t tid;
	uint32_t *first, *second; /* taken in this order; NULL: none */
	int prio;
	_Atomic int go, result;
	_Atomic long order;
};

static _Atomic long order;

static void *locker(void *arg)
{
	struct locker *l = arg;

	real_time(l->prio);
	if (l->first)
		CHECK_EQ(fut(l->first, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
	l->tid = self();
	if (l->second) {
		l->result = (int)fut(l->second, FUTEX_LOCK_PI, 0, NULL, NULL, 0) ? errno : 0;
		l->order = ++order;
		if (l->result == 0)
			CHECK_EQ(fut(l->second, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	}
	while (!l->go)
		usleep(1000);
	if (l->first)
		CHECK_EQ(fut(l->first, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	return NULL;
}

static void start(struct locker *l)
{
	CHECK_EQ(pthread_create(&l->t, NULL, locker, l), 0);
}

TEST(pi_priority_is_inherited)
{
	struct locker low = { .prio = 20, .second = &lock_a };

	real_time(5);
	lock_a = self();
	start(&low);
	wait_asleep(&low.tid);
	CHECK_EQ(prio_of(self()), 20);
	CHECK_EQ(lock_a, self() | FUTEX_WAITERS);
	low.go = 1;
	CHECK_EQ(fut(&lock_a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(prio_of(self()), 5);
	pthread_join(low.t, NULL);
	CHECK_EQ(lock_a, 0);
}

/* We hold a; the middle one holds b and waits for a; the high one waits for b: we run as high. */
TEST(pi_priority_goes_along_a_chain)
{
	struct locker middle = { .prio = 10, .first = &lock_b, .second = &lock_a };
	struct locker high = { .prio = 30, .second = &lock_b };

	real_time(5);
	lock_a = self();
	start(&middle);
	wait_asleep(&middle.tid);
	CHECK_EQ(prio_of(self()), 10);
	start(&high);
	wait_asleep(&high.tid);
	CHECK_EQ(prio_of(middle.tid), 30);
	CHECK_EQ(prio_of(self()), 30);
	middle.go = high.go = 1;
	CHECK_EQ(fut(&lock_a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(prio_of(self()), 5);
	pthread_join(middle.t, NULL);
	pthread_join(high.t, NULL);
}

TEST(pi_priority_change_of_a_waiter)
{
	struct locker low = { .prio = 10, .second = &lock_a }, lower = { .prio = 9, .second = &lock_a };
	struct sched_param p = { 40 };

	real_time(5);
	lock_a = self();
	start(&low);
	wait_asleep(&low.tid);
	start(&lower);
	wait_asleep(&lower.tid);
	CHECK_EQ(sched_setscheduler((pid_t)lower.tid, SCHED_FIFO, &p), 0);
	CHECK_EQ(prio_of(self()), 40);
	low.go = lower.go = 1;
	CHECK_EQ(fut(&lock_a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	pthread_join(low.t, NULL);
	pthread_join(lower.t, NULL);
	CHECK_EQ(lower.order, 1); /* went before the other */
	CHECK_EQ(low.order, 2);
}

TEST(pi_deadlock_is_seen)
{
	struct locker other = { .first = &lock_b, .second = &lock_a };

	lock_a = self();
	CHECK_ERR(fut(&lock_a, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	CHECK_ERR(fut(&lock_a, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	start(&other);
	wait_asleep(&other.tid);
	CHECK_ERR(fut(&lock_b, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	other.go = 1;
	CHECK_EQ(fut(&lock_a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	pthread_join(other.t, NULL);
	CHECK_EQ(other.result, 0);
}

TEST(pi_errors)
{
	struct timespec bad = { 0, 1000000000 }, past = { 1, 0 }, t;
	struct locker other = { .first = &lock_b };

	CHECK_ERR(fut(&lock_a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
	lock_a = 0x3ffffff0; /* nobody's number */
	CHECK_ERR(fut(&lock_a, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
	CHECK_ERR(fut(&lock_a, FUTEX_LOCK_PI, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERR(fut((uint32_t *)((char *)&lock_a + 1), FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fut((uint32_t *)8, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EFAULT);
	start(&other);
	while (other.tid == 0)
		usleep(1000);
	CHECK_ERR(fut(&lock_b, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
	CHECK_ERR(fut(&lock_b, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(fut(&lock_b, FUTEX_LOCK_PI, 0, &past, NULL, 0), ETIMEDOUT); /* CLOCK_REALTIME */
	CHECK_ERR(fut(&lock_b, FUTEX_LOCK_PI2, 0, &past, NULL, 0), ETIMEDOUT);
	t = in_ms(CLOCK_MONOTONIC, 50);
	CHECK_ERR(fut(&lock_b, FUTEX_LOCK_PI2, 0, &t, NULL, 0), ETIMEDOUT);
	t = in_ms(CLOCK_REALTIME, 50);
	CHECK_ERR(fut(&lock_b, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &t, NULL, 0), ETIMEDOUT);
	CHECK_ERR(fut(&lock_b, FUTEX_TRYLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(fut(&lock_b, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(fut(&lock_b, 99, 0, NULL, NULL, 0), ENOSYS);
	other.go = 1;
	pthread_join(other.t, NULL);
}

static uint32_t *mapped;

static int dies_with_lock(void *waits)
{
	mapped[0] = self();
	while (!(__atomic_load_n(&mapped[0], __ATOMIC_SEQ_CST) & FUTEX_WAITERS))
		usleep(1000);
	usleep(20000);
	(void)waits;
	return 0;
}

TEST(pi_owner_dies_with_a_shared_lock)
{
	pid_t pid;

	mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = test_fork(dies_with_lock, NULL);
	while (__atomic_load_n(&mapped[0], __ATOMIC_SEQ_CST) == 0)
		usleep(1000);
	CHECK_EQ(fut(mapped, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(mapped[0] & FUTEX_TID_MASK, self());
	CHECK(mapped[0] & FUTEX_OWNER_DIED);
	test_wait_exit(pid, 0);
}

/* --- requeueing --- */

struct waiter {
	pthread_t t;
	_Atomic uint32_t tid;
	_Atomic int result, done;
	int prio, op, ms;
	uint32_t *target;
	_Atomic long order;
};

static void *waiter(void *arg)
{
	struct waiter *w = arg;
	struct timespec t;

	if (w->prio)
		real_time(w->prio);
	t = in_ms(w->op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, w->ms);
	w->tid = self();
	w->result = fut(&word, w->op, word, w->ms ? &t : NULL, w->target, 0) ? errno : 0;
	w->order = ++order;
	if (w->result == 0) {
		CHECK_EQ(*w->target & FUTEX_TID_MASK, self());
		usleep(1000);
		CHECK_EQ(fut(w->target, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	}
	w->done = 1;
	return NULL;
}

static void start_waiter(struct waiter *w)
{
	CHECK_EQ(pthread_create(&w->t, NULL, waiter, w), 0);
	wait_asleep(&w->tid);
}

static long requeue(int wake, long move, uint32_t *target, uint32_t cmp)
{
	return syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PI, wake, move, target, cmp);
}

TEST(requeue_pi_to_a_free_lock)
{
	struct waiter w[4] = { 0 };

	order = 0;
	for (int i = 0; i < 4; i++) {
		w[i] = (struct waiter){ .op = FUTEX_WAIT_REQUEUE_PI, .target = &lock_a };
		start_waiter(&w[i]);
	}
	CHECK_ERR(requeue(1, 10, &lock_a, word + 1), EAGAIN);
	CHECK_EQ(requeue(1, 10, &lock_a, word), 4); /* one has the lock, three wait for it */
	for (int i = 0; i < 4; i++) {
		pthread_join(w[i].t, NULL);
		CHECK_EQ(w[i].result, 0);
	}
	CHECK_EQ(lock_a, 0);
	CHECK_EQ(requeue(1, 10, &lock_a, word), 0);
}

TEST(requeue_pi_to_a_taken_lock)
{
	struct waiter w[3] = { 0 };

	real_time(1);
	order = 0;
	lock_a = self();
	for (int i = 0; i < 3; i++) {
		w[i] = (struct waiter){ .op = FUTEX_WAIT_REQUEUE_PI, .target = &lock_a, .prio = 10 + i };
		start_waiter(&w[i]);
	}
	CHECK_EQ(requeue(1, 1, &lock_a, word), 2);
	CHECK_EQ(lock_a, self() | FUTEX_WAITERS);
	CHECK_EQ(prio_of(self()), 12);
	CHECK_EQ(requeue(1, 0, &lock_a, word), 1);
	CHECK_EQ(fut(&lock_a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(w[i].t, NULL);
		CHECK_EQ(w[i].result, 0);
		CHECK_EQ(w[i].order, 3 - i); /* the highest first */
	}
	CHECK_EQ(lock_a, 0);
}

TEST(requeue_pi_errors)
{
	struct waiter plain = { .op = FUTEX_WAIT, .target = &lock_a };
	struct waiter w = { .op = FUTEX_WAIT_REQUEUE_PI, .target = &lock_a };

	CHECK_ERR(fut(&word, FUTEX_WAIT_REQUEUE_PI, word, NULL, &word, 0), EINVAL);
	CHECK_ERR(fut(&word, FUTEX_WAIT_REQUEUE_PI, word + 1, NULL, &lock_a, 0), EAGAIN);
	CHECK_ERR(requeue(1, 1, &word, word), EINVAL);
	CHECK_ERR(requeue(2, 1, &lock_a, word), EINVAL);
	CHECK_ERR(requeue(0, 1, &lock_a, word), EINVAL);
	CHECK_ERR(requeue(1, -1, &lock_a, word), EINVAL);
	start_waiter(&w);
	CHECK_ERR(requeue(1, 1, &lock_b, word), EINVAL); /* it waits for another */
	CHECK_ERR(fut(&word, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE, 0, 1, &lock_b, word), EINVAL);
	CHECK_EQ(requeue(1, 1, &lock_a, word), 1);
	pthread_join(w.t, NULL);
	CHECK_EQ(w.result, 0);
	plain.tid = 0;
	CHECK_EQ(pthread_create(&plain.t, NULL, waiter, &plain), 0);
	wait_asleep(&plain.tid);
	CHECK_ERR(requeue(1, 1, &lock_a, word), EINVAL);
	lock_a = 0;
	plain.target = &lock_b; /* plain FUTEX_WAIT gives no lock */
	lock_b = plain.tid;
	CHECK_EQ(fut(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	pthread_join(plain.t, NULL);
}

TEST(requeue_pi_timeouts)
{
	struct waiter w = { .op = FUTEX_WAIT_REQUEUE_PI, .target = &lock_a, .ms = 60 };
	struct waiter r = { .op = FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, .target = &lock_a, .ms = 60 };
	struct waiter moved = { .op = FUTEX_WAIT_REQUEUE_PI, .target = &lock_a, .ms = 300 };

	start_waiter(&w);
	start_waiter(&r);
	pthread_join(w.t, NULL);
	pthread_join(r.t, NULL);
	CHECK_EQ(w.result, ETIMEDOUT);
	CHECK_EQ(r.result, ETIMEDOUT);
	lock_a = self();
	start_waiter(&moved);
	CHECK_EQ(requeue(1, 0, &lock_a, word), 1);
	pthread_join(moved.t, NULL);
	CHECK_EQ(moved.result, ETIMEDOUT);
	CHECK_EQ(fut(&lock_a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(requeue_pi_and_signals)
{
	struct waiter w = { .op = FUTEX_WAIT_REQUEUE_PI, .target = &lock_a };
	struct sigaction sa = { .sa_handler = nothing };

	sigaction(SIGUSR1, &sa, NULL);
	lock_a = self();
	start_waiter(&w);
	pthread_kill(w.t, SIGUSR1); /* it waits on, whatever SA_RESTART says */
	usleep(20000);
	CHECK_EQ(w.done, 0);
	CHECK_EQ(requeue(1, 0, &lock_a, word), 1);
	pthread_kill(w.t, SIGUSR1);
	pthread_join(w.t, NULL);
	CHECK_EQ(w.result, EAGAIN);
	CHECK_EQ(fut(&lock_a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
}

/* --- futex_waitv --- */

struct wv {
	uint64_t val, uaddr;
	uint32_t flags, reserved;
};

static uint32_t words[130];
static _Atomic uint32_t wv_tid;
static _Atomic long wv_result;

static void *waits_on_many(void *arg)
{
	struct wv v[128];

	for (int i = 0; i < 128; i++)
		v[i] = (struct wv){ words[i], (uintptr_t)&words[i], 2 /* FUTEX_32 */ | (i & 1 ? FUTEX_PRIVATE_FLAG : 0), 0 };
	wv_tid = self();
	wv_result = syscall(SYS_futex_waitv, v, 128, 0, NULL, 0);
	return arg;
}

TEST(waitv_wakes_by_any)
{
	pthread_t t;

	for (int k = 0; k < 128; k += 63) {
		wv_tid = 0;
		CHECK_EQ(pthread_create(&t, NULL, waits_on_many, NULL), 0);
		wait_asleep(&wv_tid);
		CHECK_EQ(fut(&words[k], FUTEX_WAKE | (k & 1 ? FUTEX_PRIVATE_FLAG : 0), 5, NULL, NULL, 0), 1);
		pthread_join(t, NULL);
		CHECK_EQ(wv_result, k);
		CHECK_EQ(fut(&words[k], FUTEX_WAKE, 5, NULL, NULL, 0), 0);
	}
}

TEST(waitv_errors)
{
	struct wv v[2] = { { 0, (uintptr_t)&words[0], 2, 0 }, { 0, (uintptr_t)&words[1], 2, 0 } };
	struct timespec past = { 1, 0 }, bad = { 0, -1 }, t;

	CHECK_ERR(syscall(SYS_futex_waitv, NULL, 1, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 0, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 129, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 1, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, (void *)8, 2, 0, NULL, 0), EFAULT);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, &past, CLOCK_BOOTTIME), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, &bad, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, &past, CLOCK_REALTIME), ETIMEDOUT);
	t = in_ms(CLOCK_MONOTONIC, 30);
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, &t, CLOCK_MONOTONIC), ETIMEDOUT);
	v[1].val = 1;
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, NULL, 0), EAGAIN);
	v[1].reserved = 1;
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, NULL, 0), EINVAL);
	v[1].reserved = 0;
	v[1].flags = 0;
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, NULL, 0), EINVAL);
	v[1] = (struct wv){ 0, 8, 2, 0 };
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, NULL, 0), EFAULT);
	v[1] = (struct wv){ 0, (uintptr_t)&words[0] + 2, 2, 0 };
	CHECK_ERR(syscall(SYS_futex_waitv, v, 2, 0, NULL, 0), EINVAL);
}
