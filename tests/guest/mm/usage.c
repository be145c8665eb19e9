/* What /proc and /sys say about memory, and what turning their knobs does: proc(5), madvise(2), prctl(2). */
#include "test.h"

#include <sys/klog.h>
#include <sys/prctl.h>

enum { PAGE = 4096, HUGE = 2 << 20 };

static char *map(size_t len, int flags)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* The value of a line "Name:  123 kB" in a file, in KiB; -1: no such line. */
static long field(const char *file, const char *name)
{
	char key[64], *at;

	snprintf(key, sizeof(key), "\n%s:", name);
	at = strstr(test_slurp(file), key);
	return at ? atol(at + strlen(key)) : -1;
}

/* A line of the smaps entry of the mapping that begins at p. */
static long smaps(const void *p, const char *name)
{
	char start[32], key[64], *at, *line;

	snprintf(start, sizeof(start), "%lx-", (unsigned long)(uintptr_t)p);
	snprintf(key, sizeof(key), "\n%s:", name);
	CHECK(at = strstr(test_slurp("/proc/self/smaps"), start));
	CHECK(line = strstr(at, key));
	return atol(line + strlen(key));
}

static int put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY), r;

	if (fd < 0)
		return -1;
	r = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return r;
}

TEST(meminfo_counts_what_is_taken)
{
	long anon = field("/proc/meminfo", "AnonPages"), shmem = field("/proc/meminfo", "Shmem");
	char *p;

	CHECK(anon > 0 && shmem >= 0);
	p = map(32 << 20, MAP_PRIVATE);
	memset(p, 1, 32 << 20);
	CHECK(field("/proc/meminfo", "AnonPages") >= anon + 31 * 1024);
	munmap(p, 32 << 20);
	CHECK(field("/proc/meminfo", "AnonPages") < anon + 8 * 1024);
	p = map(16 << 20, MAP_SHARED);
	memset(p, 1, 16 << 20);
	CHECK(field("/proc/meminfo", "Shmem") >= shmem + 15 * 1024);
	CHECK(field("/proc/meminfo", "MemAvailable") > 0);
	CHECK(field("/proc/meminfo", "KernelStack") > 0);
	CHECK(field("/proc/meminfo", "PageTables") > 0);
	CHECK(field("/proc/meminfo", "Slab") > 0);
	CHECK(field("/proc/meminfo", "CommitLimit") > 0);
	CHECK(field("/proc/meminfo", "Committed_AS") > 0);
	CHECK_EQ(field("/proc/meminfo", "SwapTotal"), 0);
}

TEST(vmstat_counts_faults)
{
	char *at = strstr(test_slurp("/proc/vmstat"), "\npgfault ");
	long before = at ? atol(at + 9) : -1, after;
	char *p = map(64 * PAGE, MAP_PRIVATE);

	CHECK(before > 0);
	madvise(p, 64 * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < 64; i++)
		p[i * PAGE] = 1;
	CHECK(at = strstr(test_slurp("/proc/vmstat"), "\npgfault "));
	after = atol(at + 9);
	/* Linux adds them up by CPU from time to time. */
	CHECK(after >= before);
}

TEST(smaps_of_private_memory)
{
	char *p = map(16 * PAGE, MAP_PRIVATE);
	pid_t pid;

	madvise(p, 16 * PAGE, MADV_NOHUGEPAGE);
	memset(p, 1, 8 * PAGE);
	CHECK_EQ(smaps(p, "Size"), 64);
	CHECK_EQ(smaps(p, "Rss"), 32);
	CHECK_EQ(smaps(p, "Pss"), 32);
	CHECK_EQ(smaps(p, "Private_Dirty"), 32);
	CHECK_EQ(smaps(p, "Anonymous"), 32);
	CHECK_EQ(smaps(p, "Locked"), 0);
	CHECK_EQ(smaps(p, "THPeligible"), 0);
	if ((pid = fork()) == 0) {
		CHECK_EQ(smaps(p, "Rss"), 32);
		CHECK_EQ(smaps(p, "Pss"), 16);
		CHECK_EQ(smaps(p, "Shared_Dirty"), 32);
		_exit(0);
	}
	test_wait_exit(pid, 0);
	CHECK_OK(mlock(p, 16 * PAGE));
	CHECK_EQ(smaps(p, "Rss"), 64);
	CHECK_EQ(smaps(p, "Locked"), 64);
	CHECK(field("/proc/self/smaps_rollup", "Pss_Anon") >= 64);
	CHECK(field("/proc/self/smaps_rollup", "Rss") >= 64);
}

TEST(smaps_of_files_in_memory)
{
	int fd = memfd_create("usage", 0);
	char page[PAGE], *p;

	memset(page, 1, PAGE);
	CHECK_OK(ftruncate(fd, 4 * PAGE));
	CHECK_EQ(pwrite(fd, page, PAGE, PAGE), PAGE);
	p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(p[i * PAGE], i == 1);
	/* What was written is nowhere else; what was never written has nothing to lose. */
	CHECK_EQ(smaps(p, "Private_Dirty"), 4);
	CHECK_EQ(smaps(p, "Private_Clean"), 12);
	CHECK_EQ(smaps(p, "Pss_Dirty"), 4);
	close(fd);
	munmap(p, 4 * PAGE);
}

TEST(lazily_freed_until_written)
{
	char *p = map(16 * PAGE, MAP_PRIVATE);

	madvise(p, 16 * PAGE, MADV_NOHUGEPAGE);
	memset(p, 1, 16 * PAGE);
	CHECK_OK(madvise(p, 16 * PAGE, MADV_FREE));
	CHECK_EQ(smaps(p, "Referenced"), 0);
	/* Nothing presses: mostly all is still there. */
	CHECK(p[0] == 0 || p[0] == 1);
	p[PAGE] = 7;
	CHECK_EQ(p[PAGE], 7);
	/* The page that was written is wanted again. */
	CHECK(smaps(p, "LazyFree") <= 60);
	CHECK(smaps(p, "Private_Dirty") >= 4);
	CHECK_EQ(p[PAGE], 7);
}

TEST_TIMED(lazily_freed_under_pressure, 60)
{
	long total = field("/proc/meminfo", "MemAvailable") / 1024;
	size_t len = (size_t)(total * 3 / 5) << 20;
	pid_t pid;
	char *p;

	if (total > 1200)
		test_skip("too much memory to fill");
	/* Twice three fifths of what there is: the second half can only be had if the first one goes. */
	if ((pid = fork()) == 0) {
		p = map(len, MAP_PRIVATE);
		memset(p, 1, len);
		CHECK_OK(madvise(p, len, MADV_FREE));
		p[PAGE * 5] = 9;

		char *q = map(len, MAP_PRIVATE);
		size_t gone = 0;

		memset(q, 2, len);
		for (size_t i = 0; i < len; i += PAGE)
			gone += p[i] == 0;
		CHECK_EQ(p[PAGE * 5], 9);
		_exit(gone > 0 ? 0 : 1);
	}
	test_wait_exit(pid, 0);
}

TEST(clear_refs_and_cold)
{
	char *p = map(16 * PAGE, MAP_PRIVATE);

	madvise(p, 16 * PAGE, MADV_NOHUGEPAGE);
	memset(p, 1, 16 * PAGE);
	CHECK_EQ(smaps(p, "Referenced"), 64);
	CHECK_OK(put("/proc/self/clear_refs", "1"));
	CHECK_EQ(smaps(p, "Referenced"), 0);
	*(volatile char *)(p + PAGE) += 1;
	CHECK(smaps(p, "Referenced") <= 4); /* Linux does not tell the CPU, which may remember */
	CHECK_OK(madvise(p, 16 * PAGE, MADV_COLD));
	CHECK_OK(madvise(p, 16 * PAGE, MADV_PAGEOUT));
	CHECK_EQ(p[2 * PAGE], 1);
	CHECK_ERR(put("/proc/self/clear_refs", "9"), EINVAL);
}

static uint64_t pagemap(const void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t w = 0;

	CHECK_EQ(pread(fd, &w, 8, (off_t)((uintptr_t)p / PAGE * 8)), 8);
	close(fd);
	return w;
}

TEST(pagemap_bits)
{
	char *p = map(4 * PAGE, MAP_PRIVATE), *s = map(4 * PAGE, MAP_SHARED);
	pid_t pid;

	CHECK_EQ(pagemap(p) >> 63, 0);
	p[0] = s[0] = 1;
	CHECK_EQ(pagemap(p) >> 63, 1);
	CHECK_EQ(pagemap(p) >> 61 & 1, 0);
	CHECK_EQ(pagemap(p) >> 56 & 1, 1);
	CHECK_EQ(pagemap(s) >> 61 & 1, 1);
	CHECK_EQ(pagemap(p + PAGE) >> 63, 0);
	if ((pid = fork()) == 0) {
		CHECK_EQ(pagemap(p) >> 56 & 1, 0);
		_exit(0);
	}
	test_wait_exit(pid, 0);
}

static long huge_kib(void)
{
	char *p = map(3 * HUGE, MAP_PRIVATE);
	char *q = (char *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));

	q[0] = 1;

	long kib = field("/proc/self/smaps_rollup", "AnonHugePages");

	munmap(p, 3 * HUGE);
	return kib;
}

TEST(huge_pages_can_be_switched_off)
{
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	CHECK_ERR(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
	CHECK_OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	CHECK_EQ(huge_kib(), 0);
	if (fork() == 0) {
		CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
		_exit(0);
	}
	CHECK_OK(wait(NULL));
	CHECK_OK(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));

	char *mode = strdup(test_slurp("/sys/kernel/mm/transparent_hugepage/enabled"));

	CHECK(strchr(mode, '['));
	if (!test_is_root())
		return;
	CHECK_OK(put("/sys/kernel/mm/transparent_hugepage/enabled", "never"));
	CHECK(strstr(test_slurp("/sys/kernel/mm/transparent_hugepage/enabled"), "[never]"));
	CHECK_EQ(huge_kib(), 0);
	CHECK_ERR(put("/sys/kernel/mm/transparent_hugepage/enabled", "sometimes"), EINVAL);
	CHECK_OK(put("/sys/kernel/mm/transparent_hugepage/enabled", "always"));
	CHECK(huge_kib() >= 2048);
	put("/sys/kernel/mm/transparent_hugepage/enabled",
	    strstr(mode, "[madvise]") ? "madvise" : strstr(mode, "[never]") ? "never" : "always");
}

TEST(overcommit_modes)
{
	size_t huge = 64ul << 40;
	void *p;

	if (!test_is_root())
		test_skip("not root");
	CHECK(mmap(NULL, huge, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK_EQ(errno, ENOMEM);
	CHECK_OK(put("/proc/sys/vm/overcommit_memory", "1"));
	p = mmap(NULL, huge, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_OK(put("/proc/sys/vm/overcommit_memory", "0"));
	CHECK(p != MAP_FAILED);
	CHECK_OK(munmap(p, huge));

	long before = field("/proc/meminfo", "CommitLimit");

	CHECK_OK(put("/proc/sys/vm/overcommit_kbytes", "123456"));
	CHECK_EQ(field("/proc/meminfo", "CommitLimit"), 123456);
	CHECK_OK(put("/proc/sys/vm/overcommit_ratio", "50"));
	CHECK_EQ(field("/proc/meminfo", "CommitLimit"), before);
	CHECK_ERR(put("/proc/sys/vm/overcommit_memory", "3"), EINVAL);
	CHECK_ERR(put("/proc/sys/vm/drop_caches", "9"), EINVAL);
	CHECK_OK(put("/proc/sys/vm/drop_caches", "3"));
	CHECK_OK(put("/proc/sys/vm/compact_memory", "1"));
}

static void grow_for_ever(void)
{
	for (;;) {
		char *p = map(4 << 20, MAP_PRIVATE);

		memset(p, 1, 4 << 20);
	}
}

TEST_TIMED(out_of_memory_kills_the_bomb, 90)
{
	static char log[1 << 16];
	char want[100];
	pid_t pid;
	int n;

	if (!test_is_root() || field("/proc/meminfo", "MemTotal") > 1200 * 1024)
		test_skip("not root, or too much memory to fill");
	if ((pid = fork()) == 0) {
		CHECK_OK(put("/proc/self/oom_score_adj", "1000"));
		CHECK(atoi(test_slurp("/proc/self/oom_score")) >= 1000);
		grow_for_ever();
	}
	test_wait_signal(pid, SIGKILL);
	n = klogctl(3, log, sizeof(log) - 1);
	CHECK(n > 0);
	log[n] = 0;
	snprintf(want, sizeof(want), "Out of memory: Killed process %d (", pid);

	char *at = strstr(log, want);

	CHECK(at);
	CHECK(strstr(at, "total-vm:") && strstr(at, "anon-rss:") && strstr(at, "file-rss:"));
	CHECK(strstr(at, "oom_score_adj:1000"));
	CHECK(strstr(log, "invoked oom-killer"));
}

/* Many at once, which fork besides: what is left must be a system that works. */
TEST_TIMED(a_herd_of_bombs_leaves_a_system, 120)
{
	pid_t leader;

	if (!test_is_root() || field("/proc/meminfo", "MemTotal") > 1200 * 1024)
		test_skip("not root, or too much memory to fill");
	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	if ((leader = fork()) == 0) {
		setpgid(0, 0);
		CHECK_OK(put("/proc/self/oom_score_adj", "1000"));
		alarm(30);
		for (int i = 0; i < 24; i++)
			if (fork() == 0)
				break;
		for (int i = 0; i < 64; i++) {
			char *p = mmap(NULL, 4 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (p != MAP_FAILED)
				memset(p, 1, 4 << 20);
			if (i % 16 == 0)
				fork();
		}
		_exit(0);
	}
	setpgid(leader, leader);
	CHECK_EQ(waitpid(leader, NULL, 0), leader);
	sleep(2);
	kill(-leader, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0) /* what they had is free when they are gone */
		;
	CHECK_EQ(errno, ECHILD);
	for (int i = 0; i < 20; i++) {
		char *p = map(1 << 20, MAP_PRIVATE);
		pid_t pid = fork();

		CHECK_OK(pid);
		memset(p, 1, 1 << 20);
		if (pid == 0)
			_exit(0);
		test_wait_exit(pid, 0);
		munmap(p, 1 << 20);
	}
	CHECK(field("/proc/meminfo", "MemFree") > 0);
}
