/* futex(2): waiting, waking, requeueing, shared words, PI and robust locks, storms. */
#include "test.h"
#include <linux/futex.h>
#include <pthread.h>

static int *word;

static long futex(void *a, int op, unsigned v, void *t, void *a2, unsigned v3)
{
	return syscall(SYS_futex, a, op, v, t, a2, v3);
}

static int *shared_word(void)
{
	int *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

TEST(wait_checks_the_value)
{
	int v = 5;
	struct timespec ts = { 0, 20000000 }, bad = { 0, -1 };
	int64_t t0 = test_now();

	CHECK_ERR(futex(&v, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(&v, FUTEX_WAIT, 5, &ts, NULL, 0), ETIMEDOUT);
	CHECK(test_now() - t0 >= 20000000);
	CHECK_ERR(futex(&v, FUTEX_WAIT, 5, &bad, NULL, 0), EINVAL);
	CHECK_ERR(futex((char *)&v + 1, FUTEX_WAIT, 5, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex((void *)4096, FUTEX_WAIT, 5, NULL, NULL, 0), EFAULT);
	CHECK_EQ(futex(&v, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_ERR(futex(&v, 99, 1, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&v, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&v, FUTEX_WAIT_BITSET, 5, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&v, FUTEX_WAKE_BITSET, 5, NULL, NULL, 0), EINVAL);
}

TEST(absolute_timeouts)
{
	int v = 0;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	CHECK_ERR(futex(&v, FUTEX_WAIT_BITSET, 0, &ts, NULL, ~0u), ETIMEDOUT);
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += ts.tv_nsec > 970000000;
	ts.tv_nsec = (ts.tv_nsec + 30000000) % 1000000000;
	int64_t t0 = test_now();

	CHECK_ERR(futex(&v, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &ts, NULL, ~0u), ETIMEDOUT);
	CHECK(test_now() - t0 >= 25000000 && test_now() - t0 < 5000000000);
}

struct waiter {
	pthread_t t;
	int op, result, err;
	unsigned bits;
	volatile int started;
};

static void *wait_fn(void *arg)
{
	struct waiter *w = arg;

	w->started = 1;
	w->result = (int)futex(word, w->op, 0, NULL, NULL, w->bits);
	w->err = errno;
	return NULL;
}

static void start(struct waiter *w, int op, unsigned bits)
{
	*w = (struct waiter){ .op = op, .bits = bits };
	CHECK_EQ(pthread_create(&w->t, NULL, wait_fn, w), 0);
	while (!w->started)
		usleep(1000);
	usleep(20000);
}

static void join(struct waiter *w)
{
	pthread_join(w->t, NULL);
}

TEST(wake_counts_and_order)
{
	struct waiter w[3];

	word = &(int){ 0 };
	for (int i = 0; i < 3; i++)
		start(&w[i], FUTEX_WAIT_PRIVATE, 0);
	CHECK_EQ(futex(word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	join(&w[0]); /* first come, first served */
	CHECK_EQ(w[0].result, 0);
	CHECK_EQ(futex(word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 2);
	join(&w[1]);
	join(&w[2]);
}

TEST(bitsets_select)
{
	struct waiter a, b;

	word = &(int){ 0 };
	start(&a, FUTEX_WAIT_BITSET_PRIVATE, 1);
	start(&b, FUTEX_WAIT_BITSET_PRIVATE, 2);
	CHECK_EQ(futex(word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 4), 0);
	CHECK_EQ(futex(word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2), 1);
	join(&b);
	CHECK_EQ(futex(word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 1);
	join(&a);
}

TEST(requeue_moves)
{
	struct waiter w[3];
	static int a, b;

	a = b = 0;
	word = &a;
	for (int i = 0; i < 3; i++)
		start(&w[i], FUTEX_WAIT_PRIVATE, 0);
	CHECK_ERR(futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)10, &b, 7), EAGAIN);
	CHECK_EQ(futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)10, &b, 0), 3);
	CHECK_EQ(futex(&a, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
	CHECK_EQ(futex(&b, FUTEX_REQUEUE_PRIVATE, 0, (void *)1, &a, 0), 1);
	CHECK_EQ(futex(&b, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 1);
	CHECK_EQ(futex(&a, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 1);
	for (int i = 0; i < 3; i++)
		join(&w[i]);
}

TEST(wake_op)
{
	struct waiter w;
	static int a, b;

	a = 0;
	b = 5;
	word = &a;
	start(&w, FUTEX_WAIT_PRIVATE, 0);
	CHECK_EQ(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)), 1);
	CHECK_EQ(b, 8);
	join(&w);
	CHECK_EQ(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b, FUTEX_OP(FUTEX_OP_ANDN, 8, FUTEX_OP_CMP_GT, 9)), 0);
	CHECK_EQ(b, 0);
	futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b, FUTEX_OP((FUTEX_OP_OR | 8), 4, FUTEX_OP_CMP_NE, 0));
	CHECK_EQ(b, 16);
	CHECK_ERR(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, (void *)4096, 0), EFAULT);
}

TEST(shared_between_processes)
{
	int *p = shared_word(), *alias;
	pid_t c = fork();

	if (c == 0) {
		while (*(volatile int *)p == 0)
			if (futex(p, FUTEX_WAIT, 0, NULL, NULL, 0) == -1 && errno != EAGAIN)
				_exit(1);
		_exit(0);
	}
	usleep(30000);
	alias = mremap(p, 0, 4096, MREMAP_MAYMOVE); /* another address of the same page */
	if (alias == MAP_FAILED)
		alias = p;
	*alias = 1;
	CHECK_EQ(futex(alias, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	test_wait_exit(c, 0);
}

TEST(file_mapping_is_one_futex)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	int *a, *b;
	pid_t c;

	CHECK_OK(ftruncate(fd, 4096));
	a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED && a != b);
	c = fork();
	if (c == 0)
		_exit(futex(a + 3, FUTEX_WAIT, 0, NULL, NULL, 0) ? errno : 0);
	while (futex(b + 3, FUTEX_WAKE, 1, NULL, NULL, 0) != 1)
		usleep(1000);
	test_wait_exit(c, 0);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(signals_interrupt)
{
	struct sigaction sa = { .sa_handler = nothing };
	struct itimerval it = { .it_value.tv_usec = 30000 };
	struct timespec ts = { 5, 0 };
	int v = 0;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERR(futex(&v, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERR(futex(&v, FUTEX_WAIT, 0, &ts, NULL, 0), EINTR);
}

/* --- pthread objects, which use all of it --- */

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static volatile int counter, turn;

static void *count_fn(void *arg)
{
	for (long i = 0; i < (long)arg; i++) {
		pthread_mutex_lock(&m);
		counter++;
		pthread_mutex_unlock(&m);
	}
	return NULL;
}

TEST_TIMED(mutex_storm, 60)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, count_fn, (void *)20000), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(counter, 160000);
}

static void *turn_fn(void *arg)
{
	int me = (int)(long)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&m);
		while (turn % 4 != me)
			pthread_cond_wait(&cond, &m);
		turn++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&m);
	}
	return NULL;
}

TEST_TIMED(cond_storm, 60)
{
	pthread_t t[4];

	for (long i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, turn_fn, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(turn, 2000);
}

TEST(pi_mutex)
{
	pthread_mutexattr_t a;
	pthread_t t[4];

	pthread_mutexattr_init(&a);
	if (pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT))
		test_skip("no PI");
	CHECK_EQ(pthread_mutex_init(&m, &a), 0);
	CHECK_EQ(pthread_mutex_lock(&m), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, count_fn, (void *)500), 0);
	usleep(30000);
	CHECK_EQ(counter, 0);
	pthread_mutex_unlock(&m);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(counter, 2000);
}

TEST(pi_words)
{
	static unsigned v;
	unsigned tid = (unsigned)syscall(SYS_gettid);

	CHECK_OK(futex(&v, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK_EQ(v, tid);
	CHECK_ERR(futex(&v, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
	CHECK_OK(futex(&v, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK_EQ(v, 0);
	CHECK_ERR(futex(&v, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM);
	v = 0x3ffffff;
	CHECK_ERR(futex(&v, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), ESRCH);
}

static void *die_holding(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

TEST(robust_mutex_of_a_dead_thread)
{
	pthread_mutexattr_t a;
	pthread_mutex_t rm;
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	CHECK_EQ(pthread_mutex_init(&rm, &a), 0);
	CHECK_EQ(pthread_create(&t, NULL, die_holding, &rm), 0);
	pthread_join(t, NULL);
	CHECK_EQ(pthread_mutex_lock(&rm), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&rm), 0);
	CHECK_EQ(pthread_mutex_unlock(&rm), 0);
}

TEST(robust_mutex_of_a_killed_process)
{
	pthread_mutex_t *rm = (pthread_mutex_t *)shared_word();
	pthread_mutexattr_t a;
	pid_t c;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	CHECK_EQ(pthread_mutex_init(rm, &a), 0);
	c = fork();
	if (c == 0) {
		pthread_mutex_lock(rm);
		kill(getpid(), SIGKILL);
	}
	usleep(20000);
	CHECK_EQ(pthread_mutex_lock(rm), EOWNERDEAD); /* also when we came before the end */
	test_wait_signal(c, SIGKILL);
}

TEST(robust_list_call)
{
	void *head;
	size_t len;

	CHECK_OK(syscall(SYS_get_robust_list, 0, &head, &len));
	CHECK_EQ(len, 24);
	CHECK(head != NULL);
	CHECK_ERR(syscall(SYS_set_robust_list, head, 12), EINVAL);
	CHECK_OK(syscall(SYS_set_robust_list, head, 24));
}
