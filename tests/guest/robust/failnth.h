#pragma once

/*
 * Walks the ways out of an operation: runs it with its first allocation failing, then its second … until it gets
 * through without a failure. Each time it must work or say ENOMEM (or what its row allows instead), and leave nothing
 * behind: no descriptor, no child, no object of a slab cache, no page. A debug kernel of ours has /proc/PID/fail-nth
 * for that (docs/failure-injection.md); elsewhere the operations run once, which shows that they are right.
 */

#include "test.h"

#include <ctype.h>

struct fail_op {
	const char *name;
	int (*fn)(void); /* 0, or -1 with errno; undoes what it did */
	int also;        /* an errno besides ENOMEM and EAGAIN that a failed allocation may end in */
};

#define OP(id) static int op_##id(void)
#define ROW(id) { #id, op_##id, 0 }
#define ROW2(id, err) { #id, op_##id, err }

enum { FAIL_MAX = 600, LEAK_ROUNDS = 3, CACHES = 160 };

static int fail_fd = -1;
static unsigned fail_left; /* allocations to go before the failure; 0: none is wanted, or it has been */
static bool fail_wanted;
static char fail_site[100];

static void fail_write(int fd, unsigned n)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%u", n);

	if (fd >= 0 && pwrite(fd, buf, (size_t)len, 0) != len)
		FAIL("fail-nth takes no number");
}

/* What is left of the number; notes where it failed. */
static unsigned fail_read(int fd)
{
	char buf[128] = "";
	char *line;

	if (fd < 0)
		return 1;
	if (pread(fd, buf, sizeof(buf) - 1, 0) < 1)
		FAIL("fail-nth cannot be read");
	if ((line = strchr(buf, '\n')) && line[1]) {
		snprintf(fail_site, sizeof(fail_site), "%.90s", line + 1);
		fail_site[strcspn(fail_site, "\n")] = 0;
	}
	return (unsigned)atoi(buf);
}

/* Between these two, allocations of the calling thread count. */
static inline void fail_arm(void)
{
	if (fail_left)
		fail_write(fail_fd, fail_left);
}

static inline void fail_disarm(void)
{
	if (!fail_left)
		return;
	fail_left = fail_read(fail_fd);
	fail_write(fail_fd, 0);
}

/* The value of a call during which allocations count; errno as it left it. */
#define TRY(call)                        \
	({                               \
		fail_arm();              \
		__auto_type r_ = (call); \
		int e_ = errno;          \
		fail_disarm();           \
		errno = e_;              \
		r_;                      \
	})

/* As TRY in a child: its exit status, 0 or an errno; one that SIGKILL ended had no memory. 0 or -1. */
static inline int fail_in_child(int (*fn)(void))
{
	int go[2], status, fd = -1;
	char path[64], c = 0;
	pid_t pid;

	CHECK_OK(pipe(go));
	if ((pid = fork()) == 0) {
		if (read(go[0], &c, 1) != 1)
			_exit(99);
		errno = 0;
		_exit(fn() ? errno : 0);
	}
	CHECK_OK(pid);
	if (fail_left) {
		snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
		CHECK_OK(fd = open(path, O_RDWR | O_CLOEXEC));
		fail_write(fd, fail_left);
	}
	CHECK_EQ(write(go[1], &c, 1), 1);
	while (waitpid(pid, &status, 0) < 0)
		;
	if (fail_left) {
		fail_left = fail_read(fd);
		close(fd);
	}
	close(go[0]);
	close(go[1]);
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGSEGV)
		FAIL("a child was ended by signal %d; %s", WTERMSIG(status), fail_site);
	errno = WIFSIGNALED(status) ? ENOMEM : WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static char first_failure[200];
static unsigned failures;

/* What is wrong with an operation; the others go on. */
#define NOTE(...)                                                                              \
	(fprintf(stderr, __VA_ARGS__), fputc('\n', stderr),                                     \
	 failures++ ? 0 : snprintf(first_failure, sizeof(first_failure), __VA_ARGS__))

/* One walk. False: the system does not have this operation. */
static inline bool fail_walk_once(const struct fail_op *op)
{
	unsigned n;

	for (n = fail_wanted ? 1 : 0; n < FAIL_MAX; n++) {
		fail_left = n;
		fail_site[0] = 0;
		errno = 0;

		int r = op->fn(), e = errno;

		if (n > 0 && fail_left == 0) {
			if (r != 0 && e != ENOMEM && e != EAGAIN && e != op->also)
				NOTE("%s: %s after failure %u in %s", op->name, strerrorname_np(e), n, fail_site);
			continue;
		}
		fail_left = 0;
		if (r != 0 && (e == ENOSYS || e == EAFNOSUPPORT || e == EPERM || e == EOPNOTSUPP || e == ENOPROTOOPT))
			return false;
		if (r != 0)
			FAIL("%s: %s without a failure, round %u", op->name, strerrorname_np(e), n);
		return true;
	}
	FAIL("%s: still failing after %u allocations", op->name, n);
}

/* Objects in use, by cache, and pages by use; what is freed later is waited for. */
struct fail_counts {
	unsigned n;
	char name[CACHES][24];
	long inuse[CACHES];
};

static char fail_text[1 << 16];

static inline char *fail_slurp(int fd)
{
	ssize_t n = pread(fd, fail_text, sizeof(fail_text) - 1, 0);

	CHECK(n > 0);
	fail_text[n] = 0;
	return fail_text;
}

static int slab_fd = -1, mem_fd = -1, drop_fd = -1;

static inline void count_page_line(struct fail_counts *c, const char *key)
{
	char *at = strstr(fail_text, key);

	if (at && c->n < CACHES) {
		snprintf(c->name[c->n], sizeof(c->name[0]), "%s", key);
		c->inuse[c->n++] = atol(at + strlen(key));
	}
}

static inline void fail_count(struct fail_counts *c)
{
	char *line, *save;

	if (drop_fd >= 0 && write(drop_fd, "2", 1) != 1)
		FAIL("drop_caches");
	/* Grace periods and deferred work: a barrier on all CPUs, then a moment. */
	for (int i = 0; i < 3; i++) {
		syscall(SYS_membarrier, 1, 0, 0);
		usleep(3000);
	}
	c->n = 0;
	fail_slurp(slab_fd);
	for (line = strtok_r(fail_text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (line[0] != '#' && c->n < CACHES &&
		    sscanf(line, "%23s %ld", c->name[c->n], &c->inuse[c->n]) == 2)
			c->n++;
	fail_slurp(mem_fd);
	count_page_line(c, "AnonPages:");
	count_page_line(c, "PageTables:");
	count_page_line(c, "VmallocUsed:");
}

/* A leak of one thing in each round shows as LEAK_ROUNDS or more; caches that fill do not grow for ever. */
static inline bool fail_grew(const struct fail_counts *a, const struct fail_counts *b, char *what, size_t size)
{
	for (unsigned i = 0; i < b->n && i < a->n; i++)
		if (b->inuse[i] - a->inuse[i] >= LEAK_ROUNDS) {
			snprintf(what, size, "%s grew from %ld to %ld", b->name[i], a->inuse[i], b->inuse[i]);
			return true;
		}
	return false;
}

static inline void fail_check_leaks(const struct fail_op *op)
{
	static struct fail_counts before, after;
	char what[100];
	int tries = 0;

	do {
		fail_count(&before);
		for (int i = 0; i < LEAK_ROUNDS; i++)
			fail_walk_once(op);
		fail_count(&after);
	} while (fail_grew(&before, &after, what, sizeof(what)) && ++tries < 3);
	if (tries == 3)
		NOTE("%s: %s", op->name, what);
}

static inline void fail_walk(const struct fail_op *ops, size_t count)
{
	unsigned walked = 0;
	int low;

	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	slab_fd = open("/proc/slabinfo", O_RDONLY | O_CLOEXEC);
	mem_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	drop_fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	fail_wanted = fail_fd >= 0;
	CHECK_OK(low = dup(0));
	close(low);
	for (size_t i = 0; i < count; i++) {
		int fd;

		alarm(120);
		if (getenv("FAILNTH_VERBOSE"))
			dprintf(2, "%s\n", ops[i].name);
		if (!fail_walk_once(&ops[i]))
			continue;
		walked++;
		if (fail_wanted && slab_fd >= 0)
			fail_check_leaks(&ops[i]);
		CHECK_OK(fd = dup(0));
		if (fd != low)
			NOTE("%s left a descriptor open", ops[i].name);
		low = fd;
		close(fd);
		if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
			FAIL("%s left a child", ops[i].name);
	}
	if (failures)
		FAIL("%u failures, first: %s", failures, first_failure);
	CHECK(walked > 0);
}
