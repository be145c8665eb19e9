/* Processes, threads, queued signals, timers and memory until there is no more; the system recovers, and says so. */
#include "test.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>

enum { NOBODY = 65533 };

static void limit(int what, rlim_t value)
{
	struct rlimit l = { value, value };

	CHECK_OK(setrlimit((__rlimit_resource_t)what, &l));
}

static void drop_root(void)
{
	if (test_is_root() && setresuid(NOBODY, NOBODY, NOBODY))
		_exit(90);
}

static long mem_free(void)
{
	const char *p = strstr(test_slurp("/proc/meminfo"), "MemFree:");

	return p ? atol(p + 8) : 0;
}

static void check_memory_back(long before, long slack)
{
	long now = 0;

	for (int i = 0; i < 100; i++) {
		if ((now = mem_free()) > before - slack)
			return;
		usleep(50000);
	}
	FAIL("%ld KiB free before, %ld after", before, now);
}

static int nproc_main(void *arg)
{
	int n = 0, st;
	pid_t p, all[64];

	(void)arg;
	drop_root();
	limit(RLIMIT_NPROC, 50);
	while (n < 64 && (p = fork()) > 0)
		all[n++] = p;
	if (n < 64 && p == 0) {
		for (;;)
			pause();
	}
	if (errno != EAGAIN || n < 30 || n > 50)
		return 1;
	for (int i = 0; i < n; i++)
		kill(all[i], SIGKILL);
	for (int i = 0; i < n; i++)
		if (waitpid(all[i], &st, 0) != all[i])
			return 2;
	if ((p = fork()) == 0)
		_exit(0);
	return p > 0 && waitpid(p, &st, 0) == p ? 0 : 3;
}

TEST(processes_of_a_user)
{
	if (!test_is_root())
		test_skip("needs root, to be somebody without others");
	test_wait_exit(test_fork(nproc_main, NULL), 0);
}

static int bomb(void *arg)
{
	(void)arg;
	drop_root();
	limit(RLIMIT_NPROC, 60);
	for (;;)
		if (fork() < 0 && errno != EAGAIN)
			_exit(1);
}

static int kill_bombs(void *arg)
{
	(void)arg;
	drop_root();
	for (int i = 0; i < 60; i++) { /* while some die others fork */
		kill(-1, SIGKILL);
		usleep(500);
	}
	return 0;
}

static long tasks_of_nobody(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	char path[300];
	struct stat st;
	long n = 0;

	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%s", e->d_name);
		n += atoi(e->d_name) > 0 && stat(path, &st) == 0 && st.st_uid == NOBODY;
	}
	closedir(d);
	return n;
}

TEST_TIMED(fork_bomb, 60)
{
	if (!test_is_root())
		test_skip("needs root, to survive it");
	pid_t p = test_fork(bomb, NULL);
	usleep(700000);
	CHECK(tasks_of_nobody() > 20);
	for (int i = 0; i < 100 && tasks_of_nobody() > 0; i++) {
		test_wait_exit(test_fork(kill_bombs, NULL), 0);
		usleep(20000);
	}
	waitpid(p, NULL, 0);
	CHECK_EQ(tasks_of_nobody(), 0);
}

TEST_TIMED(numbers_of_processes, 60)
{
	const char *path = "/proc/sys/kernel/pid_max";
	char old[32], text[32];
	int fd = open(path, O_RDWR), n = 0;
	pid_t all[2000], p = 0;

	if (!test_is_root() || fd < 0)
		test_skip("needs root and pid_max");
	ssize_t len = pread(fd, old, sizeof(old), 0);
	int low = snprintf(text, sizeof(text), "700");
	CHECK_EQ(pwrite(fd, text, (size_t)low, 0), low);
	while (n < 2000 && (p = fork()) > 0)
		all[n++] = p;
	if (n < 2000 && p == 0) {
		for (;;)
			pause();
	}
	int err = errno;
	for (int i = 0; i < n; i++)
		kill(all[i], SIGKILL);
	for (int i = 0; i < n; i++)
		waitpid(all[i], NULL, 0);
	CHECK_EQ(pwrite(fd, old, (size_t)len, 0), len);
	CHECK_EQ(p, -1);
	CHECK_EQ(err, EAGAIN);
	CHECK(n > 200 && n < 700);
	p = fork();
	if (p == 0)
		_exit(0);
	test_wait_exit(p, 0);
}

static void *wait_for_go(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
	return NULL;
}

static int threads_to_the_limit(void *arg)
{
	static pthread_mutex_t go = PTHREAD_MUTEX_INITIALIZER;
	pthread_t t[300];
	pthread_attr_t attr;
	int n = 0, err = 0;

	(void)arg;
	drop_root();
	limit(RLIMIT_NPROC, 200);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384 + PTHREAD_STACK_MIN);
	pthread_mutex_lock(&go);
	while (n < 300 && (err = pthread_create(&t[n], &attr, wait_for_go, &go)) == 0)
		n++;
	pthread_mutex_unlock(&go);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	return err == EAGAIN && n > 150 && n < 200 ? 0 : 1;
}

TEST_TIMED(threads_of_a_user, 60)
{
	if (!test_is_root())
		test_skip("needs root, to be somebody without others");
	test_wait_exit(test_fork(threads_to_the_limit, NULL), 0);
	long before = mem_free();
	test_wait_exit(test_fork(threads_to_the_limit, NULL), 0);
	check_memory_back(before, 3000);
}

static int queue_signals(void *arg)
{
	union sigval v = { .sival_int = 7 };
	struct timespec zero = { 0, 0 };
	timer_t id;
	sigset_t set;
	int n = 0;

	(void)arg;
	drop_root();
	limit(RLIMIT_SIGPENDING, 100);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (sigqueue(getpid(), SIGRTMIN, v) == 0)
		n++;
	if (errno != EAGAIN || n != 100)
		return 1;
	if (timer_create(CLOCK_MONOTONIC, NULL, &id) != -1 || errno != EAGAIN)
		return 2;
	if (kill(getpid(), SIGUSR1)) /* one of the old kind needs no room */
		return 3;
	while (sigtimedwait(&set, NULL, &zero) > 0)
		n--;
	if (n != -1)
		return 4;
	for (n = 0; timer_create(CLOCK_MONOTONIC, NULL, &id) == 0; n++)
		;
	return errno == EAGAIN && n == 100 ? 0 : 5;
}

TEST(signals_and_timers)
{
	if (!test_is_root())
		test_skip("needs root, to be somebody without others");
	test_wait_exit(test_fork(queue_signals, NULL), 0);
	test_wait_exit(test_fork(queue_signals, NULL), 0);
}

TEST_TIMED(mappings, 120)
{
	const char *path = "/proc/sys/vm/max_map_count";
	long before = mem_free(), n = 0;
	char old[32];
	int fd = open(path, O_RDWR);

	if (!test_is_root() || fd < 0)
		test_skip("needs root, to set the limit");
	ssize_t len = pread(fd, old, sizeof(old), 0);
	CHECK_EQ(pwrite(fd, "30000", 5, 0), 5);
	pid_t p = fork();
	if (p == 0) {
		char *base = mmap(NULL, 300 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (base == MAP_FAILED)
			_exit(1);
		/* Every second page of another protection: each is a mapping of its own. */
		for (; n < 40000; n += 2)
			if (mprotect(base + n * 4096, 4096, PROT_READ))
				break;
		if (errno != ENOMEM)
			_exit(2);
		if (n < 29000)
			_exit(4);
		/* At the limit: what needs no more mappings goes on working. */
		if (mprotect(base, 4096, PROT_NONE) || munmap(base, 300 << 20))
			_exit(3);
		_exit(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	}
	int st;
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(pwrite(fd, old, (size_t)len, 0), len);
	CHECK_EQ(st, 0);
	check_memory_back(before, 3000);
}

static int address_space(void *arg)
{
	struct rlimit l;
	size_t n = 0;

	(void)arg;
	getrlimit(RLIMIT_AS, &l);
	l.rlim_cur = 64 << 20;
	setrlimit(RLIMIT_AS, &l);
	while (mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		n++;
	if (errno != ENOMEM || n > 64 || n < 40)
		return 1;
	if (sbrk(8 << 20) != (void *)-1 || errno != ENOMEM)
		return 2;
	return fork() >= 0 ? 0 : 3;
}

TEST(address_space_limit)
{
	test_wait_exit(test_fork(address_space, NULL), 0);
}

static int eat(void *arg)
{
	(void)arg;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd < 0 || write(fd, "1000", 4) != 4)
		return 1;
	for (;;) {
		char *p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			return 2;
		memset(p, 1, 4 << 20);
	}
}

static bool log_says(const char *what)
{
	static char record[8192];
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	bool found = false;
	ssize_t n;

	if (fd < 0)
		test_skip("no /dev/kmsg");
	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		record[n > 0 ? n : 0] = 0;
		found |= strstr(record, what) != NULL;
	}
	close(fd);
	return found;
}

TEST_TIMED(all_of_memory, 120)
{
	char what[64];
	long before;

	if (!test_is_root())
		test_skip("needs root");
	before = mem_free();
	for (int i = 0; i < 2; i++) {
		pid_t p = test_fork(eat, NULL);

		test_wait_signal(p, SIGKILL);
		snprintf(what, sizeof(what), "Killed process %d", p);
		CHECK(log_says(what));
	}
	check_memory_back(before, 20000);
}
