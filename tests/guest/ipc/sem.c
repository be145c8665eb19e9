/* System V semaphores: semget(2), semop(2), semctl(2), SEM_UNDO. */

#include "test.h"

#include <grp.h>
#include <pthread.h>
#include <sys/sem.h>

enum { NOBODY = 65534 };

static int set_of(int n)
{
	int id = semget(IPC_PRIVATE, n, IPC_CREAT | 0600);

	CHECK_OK(id);
	return id;
}

static int value(int id, int n)
{
	int v = semctl(id, n, GETVAL);

	CHECK_OK(v);
	return v;
}

static void set_value(int id, int n, int v)
{
	CHECK_OK(semctl(id, n, SETVAL, v));
}

static int op(int id, int n, int by, int flags)
{
	struct sembuf o = { (unsigned short)n, (short)by, (short)flags };

	return semop(id, &o, 1);
}

static void removed(int id)
{
	CHECK_OK(semctl(id, 0, IPC_RMID));
	CHECK_ERR(semctl(id, 0, GETVAL), EINVAL);
}

/* Until so many wait for semaphore n to grow, or to be zero. */
static void until_waiting(int id, int n, int cmd, int count)
{
	for (int i = 0; i < 10000 && semctl(id, n, cmd) != count; i++)
		usleep(1000);
	CHECK_EQ(semctl(id, n, cmd), count);
}

TEST(get_by_key)
{
	key_t key = 0x5e1f1001;
	int id = semget(key, 3, IPC_CREAT | IPC_EXCL | 0600);

	CHECK_OK(id);
	CHECK_EQ(semget(key, 0, 0), id);
	CHECK_EQ(semget(key, 3, IPC_CREAT), id);
	CHECK_ERR(semget(key, 4, 0), EINVAL);
	CHECK_ERR(semget(key, 4, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_ERR(semget(key, -1, 0), EINVAL);
	CHECK_ERR(semget(key, 32001, 0), EINVAL);
	CHECK_ERR(semget(key + 1, 1, 0), ENOENT);
	CHECK_ERR(semget(key + 1, 0, IPC_CREAT), EINVAL);
	removed(id);
	CHECK_ERR(semget(key, 0, 0), ENOENT);
}

TEST(values)
{
	int id = set_of(4);
	unsigned short all[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(value(id, i), 0);
	set_value(id, 1, 32767);
	CHECK_ERR(semctl(id, 1, SETVAL, 32768), ERANGE);
	CHECK_ERR(semctl(id, 1, SETVAL, -1), ERANGE);
	CHECK_ERR(semctl(id, 9, SETVAL, -1), ERANGE);
	CHECK_ERR(semctl(id, 4, SETVAL, 1), EINVAL);
	CHECK_ERR(semctl(id, 4, GETVAL), EINVAL);
	CHECK_ERR(semctl(id, -1, GETVAL), EINVAL);
	CHECK_OK(semctl(id, 0, GETALL, all));
	CHECK(all[0] == 0 && all[1] == 32767 && all[2] == 0 && all[3] == 0);
	all[0] = 5, all[3] = 32768;
	CHECK_ERR(semctl(id, 0, SETALL, all), ERANGE);
	CHECK_EQ(value(id, 0), 0);
	all[3] = 7;
	CHECK_OK(semctl(id, 0, SETALL, all));
	CHECK_EQ(value(id, 0), 5);
	CHECK_EQ(value(id, 3), 7);
	CHECK_EQ(semctl(id, 3, GETPID), getpid());
	CHECK_ERR(semctl(id, 0, GETALL, NULL), EFAULT);
	CHECK_ERR(semctl(id, 0, SETALL, NULL), EFAULT);
	CHECK_ERR(semctl(id, 0, 99), EINVAL);
	removed(id);
}

TEST(operations)
{
	int id = set_of(3);

	CHECK_OK(op(id, 0, 2, 0));
	CHECK_OK(op(id, 0, -1, 0));
	CHECK_EQ(value(id, 0), 1);
	CHECK_EQ(semctl(id, 0, GETPID), getpid());
	CHECK_EQ(semctl(id, 1, GETPID), 0);
	CHECK_ERR(op(id, 0, -2, IPC_NOWAIT), EAGAIN);
	CHECK_ERR(op(id, 0, 0, IPC_NOWAIT), EAGAIN);
	CHECK_OK(op(id, 1, 0, IPC_NOWAIT));
	CHECK_EQ(semctl(id, 1, GETPID), getpid());
	CHECK_ERR(op(id, 0, 32767, 0), ERANGE);
	CHECK_ERR(op(id, 3, 1, 0), EFBIG);
	CHECK_ERR(op(id + 1000, 0, 1, 0), EINVAL);
	CHECK_ERR(op(-1, 0, 1, 0), EINVAL);
	CHECK_ERR(semop(id, NULL, 1), EFAULT);
	CHECK_ERR(semop(id, NULL, 0), EINVAL);
	CHECK_ERR(semop(id, NULL, 501), E2BIG);
	removed(id);
}

TEST(many_operations_at_once)
{
	int id = set_of(200);
	struct sembuf o[500];

	for (int i = 0; i < 500; i++)
		o[i] = (struct sembuf){ (unsigned short)(i % 200), 1, 0 };
	CHECK_OK(semop(id, o, 500));
	CHECK_EQ(value(id, 99), 3);
	CHECK_EQ(value(id, 100), 2);
	o[499].sem_op = -30;
	o[499].sem_flg = IPC_NOWAIT;
	CHECK_ERR(semop(id, o, 500), EAGAIN);
	CHECK_EQ(value(id, 99), 3);
	o[499].sem_op = 32767;
	CHECK_ERR(semop(id, o, 500), ERANGE);
	CHECK_EQ(value(id, 0), 3);
	removed(id);
}

TEST(all_or_nothing)
{
	int id = set_of(2);
	struct sembuf o[3] = { { 0, 1, 0 }, { 0, -1, 0 }, { 1, -1, IPC_NOWAIT } };

	CHECK_ERR(semop(id, o, 3), EAGAIN);
	CHECK_EQ(value(id, 0), 0);
	CHECK_EQ(semctl(id, 0, GETPID), 0);
	set_value(id, 1, 1);
	CHECK_OK(semop(id, o, 3)); /* in their order: 0 goes up and down */
	CHECK_EQ(value(id, 0), 0);
	CHECK_EQ(value(id, 1), 0);
	o[0].sem_op = -1, o[1].sem_op = 1, o[0].sem_flg = IPC_NOWAIT;
	CHECK_ERR(semop(id, o, 2), EAGAIN);
	removed(id);
}

TEST(timeouts)
{
	int id = set_of(1);
	struct sembuf o = { 0, -1, 0 };
	struct timespec none = { 0, 0 }, some = { 0, 30000000 }, negative = { -1, 0 }, bad = { 0, 1000000000 };
	int64_t start = test_now();

	CHECK_ERR(semtimedop(id, &o, 1, &none), EAGAIN);
	CHECK_ERR(semtimedop(id, &o, 1, &some), EAGAIN);
	CHECK(test_now() - start >= 30000000);
	CHECK_ERR(semtimedop(id, &o, 1, &negative), EINVAL);
	CHECK_ERR(semtimedop(id, &o, 1, &bad), EINVAL);
	CHECK_ERR(semtimedop(-1, &o, 501, &bad), E2BIG);
	CHECK_ERR(semtimedop(id, NULL, 1, &bad), EFAULT);
	CHECK_ERR(semtimedop(id, &o, 1, (void *)1), EFAULT);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	o.sem_op = 1;
	CHECK_OK(semtimedop(id, &o, 1, &none));
	removed(id);
}

struct waiter {
	pthread_t thread;
	int id, n, by, flags, result;
	_Atomic int *order;
	int place;
};

static void *waits(void *arg)
{
	struct waiter *w = arg;

	w->result = op(w->id, w->n, w->by, w->flags) ? errno : 0;
	w->place = w->order ? ++*w->order : 0;
	return NULL;
}

static void start(struct waiter *w, int id, int n, int by)
{
	w->id = id;
	w->n = n;
	w->by = by;
	CHECK_EQ(pthread_create(&w->thread, NULL, waits, w), 0);
}

TEST(a_waiter_goes_on_when_it_can)
{
	struct waiter w = { 0 }, z = { 0 };
	int id = set_of(2);

	start(&w, id, 0, -3);
	until_waiting(id, 0, GETNCNT, 1);
	CHECK_EQ(semctl(id, 0, GETZCNT), 0);
	CHECK_OK(op(id, 0, 2, 0));
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK_OK(op(id, 0, 2, 0));
	pthread_join(w.thread, NULL);
	CHECK_EQ(w.result, 0);
	CHECK_EQ(value(id, 0), 1);
	start(&z, id, 0, 0);
	until_waiting(id, 0, GETZCNT, 1);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	set_value(id, 0, 0);
	pthread_join(z.thread, NULL);
	CHECK_EQ(z.result, 0);
	removed(id);
}

TEST(first_come_first_served)
{
	_Atomic int order = 0;
	struct waiter w[4] = { 0 };
	int id = set_of(1);

	for (int i = 0; i < 4; i++) {
		w[i].order = &order;
		start(&w[i], id, 0, -1);
		until_waiting(id, 0, GETNCNT, i + 1);
	}
	for (int i = 0; i < 4; i++) {
		CHECK_OK(op(id, 0, 1, 0));
		pthread_join(w[i].thread, NULL);
		CHECK_EQ(w[i].place, i + 1);
	}
	removed(id);
}

TEST(who_wants_less_may_pass)
{
	struct waiter big = { 0 }, small = { 0 };
	int id = set_of(1);

	start(&big, id, 0, -5);
	until_waiting(id, 0, GETNCNT, 1);
	start(&small, id, 0, -1);
	until_waiting(id, 0, GETNCNT, 2);
	CHECK_OK(op(id, 0, 2, 0));
	pthread_join(small.thread, NULL);
	CHECK_EQ(value(id, 0), 1);
	CHECK_OK(op(id, 0, -1, IPC_NOWAIT)); /* and somebody who comes by */
	CHECK_OK(op(id, 0, 5, 0));
	pthread_join(big.thread, NULL);
	CHECK_EQ(value(id, 0), 0);
	removed(id);
}

TEST(zero_is_seen_before_it_passes)
{
	struct waiter zero = { 0 }, down = { 0 };
	int id = set_of(1);

	set_value(id, 0, 1);
	start(&zero, id, 0, 0);
	until_waiting(id, 0, GETZCNT, 1);
	start(&down, id, 0, -2);
	until_waiting(id, 0, GETNCNT, 1);
	CHECK_OK(op(id, 0, 1, 0)); /* 2: goes to 0 at once, in down's hands */
	pthread_join(down.thread, NULL);
	pthread_join(zero.thread, NULL);
	CHECK_EQ(zero.result, 0);
	CHECK_EQ(value(id, 0), 0);
	removed(id);
}

static void *waits_for_three(void *arg)
{
	struct sembuf o[3] = { { 0, 1, 0 }, { 1, 0, 0 }, { 2, -1, 0 } };

	return (void *)(long)semop(*(int *)arg, o, 3);
}

TEST(waiting_with_several)
{
	int id = set_of(3);
	pthread_t t;
	void *res;

	pthread_create(&t, NULL, waits_for_three, &id);
	until_waiting(id, 2, GETNCNT, 1);
	CHECK_EQ(semctl(id, 0, GETNCNT) + semctl(id, 1, GETZCNT) + semctl(id, 2, GETZCNT), 0);
	set_value(id, 1, 1);
	until_waiting(id, 1, GETZCNT, 1); /* what it waits for has changed */
	CHECK_EQ(semctl(id, 2, GETNCNT), 0);
	CHECK_OK(op(id, 2, 1, 0));
	CHECK_EQ(value(id, 0), 0);
	CHECK_OK(op(id, 1, -1, 0));
	pthread_join(t, &res);
	CHECK_EQ((long)res, 0);
	CHECK(value(id, 0) == 1 && value(id, 1) == 0 && value(id, 2) == 0);
	removed(id);
}

TEST(one_lets_another_go_on)
{
	struct waiter w = { 0 };
	int id = set_of(3);
	pthread_t t;

	pthread_create(&t, NULL, waits_for_three, &id);
	until_waiting(id, 2, GETNCNT, 1);
	start(&w, id, 0, -1); /* what the other will add */
	until_waiting(id, 0, GETNCNT, 1);
	CHECK_OK(op(id, 2, 1, 0));
	pthread_join(t, NULL);
	pthread_join(w.thread, NULL);
	CHECK_EQ(w.result, 0);
	CHECK_EQ(value(id, 0), 0);
	removed(id);
}

TEST(removal_wakes_all)
{
	struct waiter down = { 0 }, zero = { 0 };
	int id = set_of(2);
	pthread_t t;
	void *res;

	set_value(id, 1, 1);
	start(&down, id, 0, -1);
	start(&zero, id, 1, 0);
	until_waiting(id, 0, GETNCNT, 1);
	until_waiting(id, 1, GETZCNT, 1);
	removed(id);
	pthread_join(down.thread, NULL);
	pthread_join(zero.thread, NULL);
	CHECK_EQ(down.result, EIDRM);
	CHECK_EQ(zero.result, EIDRM);
	id = set_of(3);
	pthread_create(&t, NULL, waits_for_three, &id);
	until_waiting(id, 2, GETNCNT, 1);
	removed(id);
	pthread_join(t, &res);
	CHECK_EQ((long)res, -1);
}

static void on_signal(int sig)
{
	(void)sig;
}

static int waits_in_process(void *arg)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &sa, NULL);
	return op(*(int *)arg, 0, -1, 0) ? errno : 0;
}

TEST(a_signal_ends_the_wait_and_a_stop_too)
{
	int id = set_of(1);
	pid_t p;

	p = test_fork(waits_in_process, &id);
	until_waiting(id, 0, GETNCNT, 1);
	kill(p, SIGUSR1); /* SA_RESTART or not */
	test_wait_exit(p, EINTR);
	p = test_fork(waits_in_process, &id);
	until_waiting(id, 0, GETNCNT, 1);
	kill(p, SIGSTOP);
	waitpid(p, NULL, WUNTRACED);
	kill(p, SIGCONT);
	test_wait_exit(p, EINTR);
	p = test_fork(waits_in_process, &id);
	until_waiting(id, 0, GETNCNT, 1);
	kill(p, SIGKILL);
	test_wait_signal(p, SIGKILL);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	removed(id);
}

/* --- SEM_UNDO --- */

static int ups_and_ends(void *arg)
{
	int *a = arg; /* set, semaphore, by */

	return op(a[0], a[1], a[2], SEM_UNDO);
}

TEST(undo_at_exit)
{
	int id = set_of(2), up[3] = { id, 0, 5 }, down[3] = { id, 1, -2 };

	set_value(id, 1, 2);
	test_wait_exit(test_fork(ups_and_ends, up), 0);
	CHECK_EQ(value(id, 0), 0);
	test_wait_exit(test_fork(ups_and_ends, down), 0);
	CHECK_EQ(value(id, 1), 2);
	CHECK(semctl(id, 1, GETPID) != getpid());
	removed(id);
}

TEST(undo_wakes_and_stays_in_range)
{
	int id = set_of(1), down[3] = { id, 0, -1 };
	struct waiter w = { 0 };
	pid_t p;

	set_value(id, 0, 1);
	if ((p = fork()) == 0) {
		op(id, 0, -1, SEM_UNDO);
		until_waiting(id, 0, GETNCNT, 1);
		_exit(0);
	}
	while (value(id, 0) != 0)
		usleep(1000);
	start(&w, id, 0, -1);
	test_wait_exit(p, 0);
	pthread_join(w.thread, NULL);
	CHECK_EQ(w.result, 0);
	CHECK_EQ(value(id, 0), 0);
	if ((p = fork()) == 0) { /* 3 to take away of 1 */
		op(id, 0, 3, SEM_UNDO);
		op(id, 0, -2, 0);
		_exit(0);
	}
	test_wait_exit(p, 0);
	CHECK_EQ(value(id, 0), 0);
	(void)down;
	removed(id);
}

TEST(undo_is_limited_and_forgotten)
{
	int id = set_of(2);
	unsigned short all[2] = { 3, 3 };
	pid_t p;

	CHECK_OK(op(id, 0, 32767, SEM_UNDO));
	set_value(id, 0, 0); /* and nothing is to be undone any more */
	CHECK_OK(op(id, 0, 32767, SEM_UNDO));
	CHECK_OK(op(id, 0, -32767, 0));
	CHECK_ERR(op(id, 0, 2, SEM_UNDO), ERANGE);
	CHECK_EQ(value(id, 0), 0);
	if ((p = fork()) == 0) { /* a child inherits none */
		op(id, 1, 4, SEM_UNDO);
		semctl(id, 0, SETALL, all);
		_exit(0);
	}
	test_wait_exit(p, 0);
	CHECK_EQ(value(id, 0), 3);
	CHECK_EQ(value(id, 1), 3);
	removed(id);
}

static void *undoing_thread(void *arg)
{
	op(*(int *)arg, 0, 1, SEM_UNDO);
	return NULL;
}

TEST(threads_share_their_undos)
{
	int id = set_of(1);
	pid_t p;

	if ((p = fork()) == 0) {
		pthread_t t;

		pthread_create(&t, NULL, undoing_thread, &id);
		pthread_join(t, NULL);
		usleep(10000);
		_exit(value(id, 0)); /* the thread's end undid nothing */
	}
	test_wait_exit(p, 1);
	CHECK_EQ(value(id, 0), 0);
	removed(id);
}

static int child_with_own(void *arg)
{
	op(*(int *)arg, 0, 1, SEM_UNDO);
	return 0;
}

TEST(clone_and_unshare)
{
	static char stack[65536] __attribute__((aligned(16)));
	int id = set_of(1);
	pid_t p;

	p = clone(child_with_own, stack + sizeof(stack), CLONE_SYSVSEM | SIGCHLD, &id);
	CHECK_OK(p);
	test_wait_exit(p, 0);
	CHECK_EQ(value(id, 0), 1); /* shared: it is ours to undo now */
	CHECK_OK(unshare(CLONE_SYSVSEM));
	CHECK_EQ(value(id, 0), 0);
	p = clone(child_with_own, stack + sizeof(stack), SIGCHLD, &id);
	CHECK_OK(p);
	test_wait_exit(p, 0);
	CHECK_EQ(value(id, 0), 0);
	removed(id);
}

TEST(undo_survives_exec)
{
	int id = set_of(1), p[2];
	pid_t child;

	CHECK_OK(pipe(p));
	if ((child = fork()) == 0) {
		char *const args[] = { "sem", "-wait", NULL };

		op(id, 0, 1, SEM_UNDO);
		dup2(p[0], 0);
		close(p[1]);
		execv("/proc/self/exe", args);
		_exit(127);
	}
	while (value(id, 0) == 0)
		usleep(1000);
	usleep(20000);
	CHECK_EQ(value(id, 0), 1);
	close(p[1]);
	test_wait_exit(child, 0);
	CHECK_EQ(value(id, 0), 0);
	removed(id);
}

/* This program, executed again, waits for the end of its input. */
__attribute__((constructor)) static void exec_waits(int argc, char **argv)
{
	char c;

	if (argc != 2 || strcmp(argv[1], "-wait") != 0)
		return;
	read(0, &c, 1);
	_exit(0);
}

TEST(a_removed_set_is_not_undone)
{
	int id = set_of(1), other;

	CHECK_OK(op(id, 0, 1, SEM_UNDO));
	removed(id);
	other = set_of(1);
	CHECK_OK(op(other, 0, 1, SEM_UNDO));
	CHECK_OK(unshare(CLONE_SYSVSEM));
	CHECK_EQ(value(other, 0), 0);
	removed(other);
}

/* --- owners and numbers --- */

static int others(void *arg)
{
	int *id = arg; /* 0644, 0222 */
	struct sembuf zero = { 0, 0, IPC_NOWAIT }, up = { 0, 1, 0 };

	if (semop(id[0], &zero, 1) || semop(id[0], &up, 1) != -1 || errno != EACCES)
		return 1;
	if (semop(id[1], &up, 1) || semop(id[1], &zero, 1) != -1 || errno != EACCES)
		return 2;
	if (semctl(id[0], 0, SETVAL, 1) != -1 || errno != EACCES || semctl(id[1], 9, GETVAL) != -1 || errno != EACCES)
		return 3;
	if (semctl(id[0], 9, SETVAL, 1) != -1 || errno != EINVAL || semctl(id[0], 0, SETALL, NULL) != -1 || errno != EACCES)
		return 4;
	if (semctl(id[0], 0, IPC_RMID) != -1 || errno != EPERM)
		return 5;
	return semctl(id[0], 0, GETVAL);
}

TEST(permissions)
{
	int id[2] = { semget(IPC_PRIVATE, 1, 0644), semget(IPC_PRIVATE, 1, 0222) };
	pid_t p;

	if (!test_is_root())
		test_skip("needs root");
	if ((p = fork()) == 0) {
		if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
			_exit(99);
		_exit(others(id));
	}
	test_wait_exit(p, 0);
	removed(id[0]);
	removed(id[1]);
}

TEST(stat_and_info)
{
	struct seminfo before, after;
	struct semid_ds d;
	time_t now = time(NULL);
	int id;

	CHECK_OK(semctl(0, 0, SEM_INFO, &before));
	id = semget(IPC_PRIVATE, 7, 0640);
	CHECK(semctl(0, 0, SEM_INFO, &after) >= (id & 0x7fff));
	CHECK_EQ(after.semusz, before.semusz + 1);
	CHECK_EQ(after.semaem, before.semaem + 7);
	CHECK_OK(semctl(0, 0, IPC_INFO, &after));
	CHECK(after.semmni == 32000 && after.semmsl == 32000 && after.semmns == 1024000000 && after.semopm == 500);
	CHECK(after.semvmx == 32767 && after.semaem == 32767 && after.semusz == 20 && after.semume == 500);
	CHECK_OK(semctl(id, 0, IPC_STAT, &d));
	CHECK_EQ(d.sem_nsems, 7);
	CHECK_EQ(d.sem_perm.mode, 0640);
	CHECK_EQ(d.sem_otime, 0);
	CHECK(d.sem_ctime >= now - 1);
	CHECK_OK(op(id, 0, 0, 0));
	CHECK_EQ(semctl(id & 0x7fff, 0, SEM_STAT, &d), id);
	CHECK(d.sem_otime >= now);
	CHECK_EQ(semctl(id & 0x7fff, 0, SEM_STAT_ANY, &d), id);
	d.sem_perm.mode = 0600;
	CHECK_OK(semctl(id, 0, IPC_SET, &d));
	CHECK_OK(semctl(id, 0, IPC_STAT, &d));
	CHECK_EQ(d.sem_perm.mode, 0600);
	CHECK_ERR(semctl(id, 0, IPC_STAT, NULL), EFAULT);
	CHECK_ERR(semctl(id, 0, IPC_SET, NULL), EFAULT);
	removed(id);
}

TEST(proc_sysvipc_sem)
{
	int id = semget(0x5e1f1002, 12, IPC_CREAT | 0640);
	char want[200];

	snprintf(want, sizeof(want), "\n%10d %10d   640 %10d %5d %5d %5d %5d          0 ", 0x5e1f1002, id, 12, geteuid(), getegid(), geteuid(),
		 getegid());
	CHECK(strstr(test_slurp("/proc/sysvipc/sem"), want));
	removed(id);
	CHECK(!strstr(test_slurp("/proc/sysvipc/sem"), want));
}

/* --- storms --- */

enum { ROUNDS = 2000 };
static int counter;

static void *counts(void *arg)
{
	int id = *(int *)arg;

	for (int i = 0; i < ROUNDS; i++) {
		op(id, 0, -1, i % 3 == 0 ? SEM_UNDO : 0);
		counter++;
		op(id, 0, 1, i % 3 == 0 ? SEM_UNDO : 0);
	}
	return NULL;
}

TEST_TIMED(as_a_mutex, 60)
{
	int id = set_of(1);
	pthread_t t[4];

	set_value(id, 0, 1);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, counts, &id), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(counter, 4 * ROUNDS);
	CHECK_EQ(value(id, 0), 1);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	removed(id);
}

static int philosopher(void *arg)
{
	int *a = arg; /* set, seat */
	struct sembuf take[2] = { { (unsigned short)a[1], -1, SEM_UNDO }, { (unsigned short)((a[1] + 1) % 5), -1, SEM_UNDO } };
	struct sembuf put[2] = { { (unsigned short)a[1], 1, SEM_UNDO }, { (unsigned short)((a[1] + 1) % 5), 1, SEM_UNDO } };

	for (int i = 0; i < 300; i++)
		if (semop(a[0], take, 2) || semop(a[0], put, 2))
			return errno;
	return semop(a[0], take, 2) ? errno : 0; /* and dies with both forks */
}

TEST_TIMED(philosophers, 60)
{
	int id = set_of(5), seats[5][2];
	pid_t p[5];

	for (int i = 0; i < 5; i++)
		set_value(id, i, 1);
	for (int i = 0; i < 5; i++) {
		seats[i][0] = id;
		seats[i][1] = i;
		p[i] = test_fork(philosopher, seats[i]);
	}
	for (int i = 0; i < 5; i++)
		test_wait_exit(p[i], 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(value(id, i), 1);
	removed(id);
}

static void *uses_doomed(void *arg)
{
	_Atomic int *id = arg;
	int now;

	while ((now = *id) != -1) {
		struct sembuf o = { 0, -1, SEM_UNDO };
		struct timespec t = { 0, 2000000 };

		semtimedop(now, &o, 1, &t);
	}
	return NULL;
}

TEST_TIMED(removal_storm, 60)
{
	_Atomic int id = set_of(1);
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, uses_doomed, (void *)&id), 0);
	for (int i = 0; i < 200; i++) {
		int old = id;

		op(old, 0, 2, i % 2 ? SEM_UNDO : 0);
		id = set_of(1);
		CHECK_OK(semctl(old, 0, IPC_RMID));
	}
	CHECK_OK(semctl(id, 0, IPC_RMID));
	id = -1;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}
