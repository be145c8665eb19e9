/* Names, descriptors, readiness and file systems under many threads. */

#include "smp.h"

#include <dirent.h>
#include <linux/fs.h>
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <termios.h>

static bool one_of(int err, int a, int b, int c, int d)
{
	return err == a || err == b || err == c || err == d;
}

#define EXPECT(call, a, b, c, d)                                              \
	do {                                                                  \
		errno = 0;                                                    \
		if ((long)(call) < 0 && !one_of(errno, a, b, c, d))           \
			FAIL("%s: %s", #call, strerrorname_np(errno) ?: "?"); \
	} while (0)

/* --- one directory --- */

static void *name_juggler(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	char a[32], b[32], target[32];
	struct stat st;
	int fd;

	while (storm_goes_on()) {
		snprintf(a, sizeof(a), "n%u", rand_r(&seed) % 8);
		snprintf(b, sizeof(b), "n%u", rand_r(&seed) % 8);
		switch (rand_r(&seed) % 11) {
		case 0:
			EXPECT(fd = open(a, O_CREAT | O_RDWR, 0644), EISDIR, ENOENT, ELOOP,
			       ENOTDIR);
			close(fd);
			break;
		case 1:
			EXPECT(fd = open(a, O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST, ENOENT, 0, 0);
			close(fd);
			break;
		case 2:
			EXPECT(unlink(a), ENOENT, EISDIR, 0, 0);
			break;
		case 3:
			EXPECT(rename(a, b), ENOENT, EISDIR, ENOTDIR, ENOTEMPTY);
			break;
		case 4:
			EXPECT(link(a, b), ENOENT, EEXIST, EPERM, 0);
			break;
		case 5:
			EXPECT(mkdir(a, 0755), EEXIST, 0, 0, 0);
			break;
		case 6:
			EXPECT(rmdir(a), ENOENT, ENOTDIR, ENOTEMPTY, 0);
			break;
		case 7:
			EXPECT(symlink("stable", a), EEXIST, 0, 0, 0);
			break;
		case 8:
			EXPECT(stat(a, &st), ENOENT, ELOOP, 0, 0);
			break;
		case 9:
			EXPECT(readlink(a, target, sizeof(target)), ENOENT, EINVAL, 0, 0);
			break;
		case 10:
			EXPECT(syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE),
			       ENOENT, EINVAL, 0, 0);
			break;
		}
	}
	return NULL;
}

/* What nobody touches is always there, once. */
static void *name_watcher(void *arg)
{
	struct stat st;

	if ((uintptr_t)arg > 2)
		return name_juggler(arg);
	while (storm_goes_on()) {
		DIR *d = opendir(".");
		struct dirent *e;
		int seen = 0;

		CHECK(d != NULL);
		while ((e = readdir(d)) != NULL)
			seen += strcmp(e->d_name, "stable") == 0;
		closedir(d);
		CHECK_EQ(seen, 1);
		CHECK_OK(stat("stable", &st));
		CHECK_EQ(st.st_size, 5);
		CHECK_EQ(st.st_nlink, 1);
	}
	return NULL;
}

static void make_stable(void)
{
	int fd = open("stable", O_CREAT | O_WRONLY, 0644);

	CHECK_OK(fd);
	CHECK_EQ(write(fd, "hello", 5), 5);
	close(fd);
}

TEST(names_in_one_directory)
{
	make_stable();
	storm(9, STORM_MS, name_watcher);
}

/* A file is always there, under one of two names. */
static void *mover(void *arg)
{
	struct stat st;

	if ((uintptr_t)arg == 0) {
		while (storm_goes_on()) {
			CHECK_OK(rename("here", "d/there"));
			CHECK_OK(rename("d/there", "here"));
		}
		return NULL;
	}
	while (storm_goes_on()) {
		int fd = open((uintptr_t)arg % 2 ? "here" : "d/there", O_RDONLY);

		if (fd < 0) {
			CHECK_EQ(errno, ENOENT);
			continue;
		}
		CHECK_OK(fstat(fd, &st));
		CHECK_EQ(st.st_nlink, 1);
		close(fd);
	}
	return NULL;
}

TEST(renamed_file_keeps_its_link)
{
	CHECK_OK(mkdir("d", 0755));
	close(open("here", O_CREAT | O_WRONLY, 0644));
	storm(6, STORM_MS, mover);
}

/* Replacing by rename: a reader finds the old or the new, never nothing, and never half. */
static void *replacer(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	char name[16], text[64], got[64];

	snprintf(name, sizeof(name), "tmp%u", me);
	for (unsigned i = 0; storm_goes_on(); i++)
		if (me < 3) {
			int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

			CHECK_OK(fd);
			memset(text, 'a' + (int)(i % 26), sizeof(text));
			CHECK_EQ(write(fd, text, sizeof(text)), sizeof(text));
			close(fd);
			CHECK_OK(rename(name, "current"));
		} else {
			int fd = open("current", O_RDONLY);

			CHECK_OK(fd);
			CHECK_EQ(read(fd, got, sizeof(got)), sizeof(got));
			for (size_t k = 1; k < sizeof(got); k++)
				CHECK_EQ(got[k], got[0]);
			close(fd);
		}
	return NULL;
}

TEST(replacing_by_rename)
{
	int fd = open("current", O_CREAT | O_WRONLY, 0644);

	CHECK_OK(fd);
	CHECK_EQ(write(fd, "0000000000000000000000000000000000000000000000000000000000000000", 64),
		 64);
	close(fd);
	storm(7, STORM_MS, replacer);
}

/* Trees built and taken down by all at once: each makes what it needs, or finds it made. */
static void *tree_builder(void *arg)
{
	static const char *const path[] = { "t", "t/a", "t/a/b", "t/a/b/c" };

	(void)arg;
	while (storm_goes_on()) {
		for (int i = 0; i < 4; i++)
			EXPECT(mkdir(path[i], 0755), EEXIST, ENOENT, 0, 0);
		int fd;

		EXPECT(fd = open("t/a/b/c/f", O_CREAT | O_WRONLY, 0644), ENOENT, 0, 0, 0);
		close(fd);
		EXPECT(unlink("t/a/b/c/f"), ENOENT, 0, 0, 0);
		for (int i = 3; i >= 0; i--)
			EXPECT(rmdir(path[i]), ENOENT, ENOTEMPTY, 0, 0);
	}
	return NULL;
}

TEST(trees_built_and_taken_down)
{
	storm(6, STORM_MS, tree_builder);
	for (int i = 0; i < 5; i++)
		tree_builder(NULL);
	rmdir("t/a/b/c"), rmdir("t/a/b"), rmdir("t/a"), rmdir("t");
	CHECK_ERR(access("t", F_OK), ENOENT);
}

/* Appends do not overlap. */
static int log_fd;
static _Atomic uint64_t appended;

static void *appender(void *arg)
{
	char line[16];

	memset(line, 'A' + (int)(uintptr_t)arg, 15);
	line[15] = '\n';
	while (storm_goes_on() && atomic_load(&appended) < 20000) {
		CHECK_EQ(write(log_fd, line, 16), 16);
		atomic_fetch_add(&appended, 1);
	}
	return NULL;
}

TEST(appends_do_not_overlap)
{
	char line[16];
	uint64_t n = 0;

	log_fd = open("log", O_CREAT | O_APPEND | O_RDWR, 0644);
	CHECK_OK(log_fd);
	storm(8, STORM_MS, appender);
	CHECK_EQ(lseek(log_fd, 0, SEEK_SET), 0);
	while (read(log_fd, line, 16) == 16) {
		for (int i = 1; i < 15; i++)
			CHECK_EQ(line[i], line[0]);
		CHECK_EQ(line[15], '\n');
		n++;
	}
	CHECK_EQ(n, appended);
}

/* --- descriptors --- */

/* Descriptors come and go in all threads: a number is one file's at a time, and none is leaked. */
static void *descriptor_juggler(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	uint64_t v;

	while (storm_goes_on()) {
		int e = eventfd(0, EFD_NONBLOCK), p[2], d;

		CHECK_OK(e);
		v = 1 + rand_r(&seed) % 1000;
		CHECK_EQ(write(e, &v, 8), 8);
		CHECK_OK(d = dup(e));
		CHECK_OK(pipe(p));
		CHECK_OK(close(e));
		CHECK_EQ(write(p[1], &v, 8), 8);
		uint64_t got = 0;
		CHECK_EQ(read(d, &got, 8), 8);
		CHECK_EQ(got, v);
		CHECK_EQ(read(p[0], &got, 8), 8);
		CHECK_EQ(got, v);
		CHECK_EQ(dup2(d, p[0]), p[0]);
		CHECK_OK(close(p[0]));
		CHECK_OK(close(p[1]));
		CHECK_OK(close(d));
	}
	return NULL;
}

static int count_descriptors(void)
{
	int n = 0;

	for (int i = 0; i < 1024; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

TEST(descriptors_come_and_go)
{
	int before = count_descriptors();

	storm(10, STORM_MS, descriptor_juggler);
	CHECK_EQ(count_descriptors(), before);
}

/* One closes what others read, write and poll: EBADF or a result, and the table grows meanwhile. */
static int shared_fd;

static void *on_shared_fd(void *arg)
{
	struct pollfd pfd = { .events = POLLIN };
	uint64_t v = 1;
	struct stat st;

	while (storm_goes_on())
		switch ((uintptr_t)arg % 6) {
		case 0:
			CHECK_OK(close(shared_fd));
			CHECK_EQ(fcntl(STDIN_FILENO, F_DUPFD, shared_fd), shared_fd);
			break;
		case 1:
			EXPECT(fstat(shared_fd, &st), EBADF, 0, 0, 0);
			break;
		case 2:
			EXPECT(write(shared_fd, &v, 0), EBADF, EINVAL, EAGAIN, 0);
			break;
		case 3:
			pfd.fd = shared_fd;
			CHECK_OK(poll(&pfd, 1, 0));
			break;
		case 4: {
			int d = fcntl(shared_fd, F_DUPFD, 200 + (int)(v++ % 700));

			if (d >= 0)
				close(d);
			else
				CHECK_EQ(errno, EBADF);
			break;
		}
		case 5: {
			int d = eventfd(0, 0);

			EXPECT(dup2(d, shared_fd + 1), EBADF, EBUSY, 0, 0);
			close(d);
			close(shared_fd + 1);
			break;
		}
		}
	return NULL;
}

TEST(descriptor_closed_under_its_users)
{
	shared_fd = 150;
	dup2(open("/dev/null", O_RDWR), STDIN_FILENO);
	CHECK_EQ(dup2(STDIN_FILENO, shared_fd), shared_fd);
	storm(6, STORM_MS, on_shared_fd);
}

/* A pipe's ends closed by one thread wake those who sleep on them. */
static int the_pipe[2];
static atomic_uint pipe_round, pipe_done;

static void *pipe_sleeper(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	char c;

	for (unsigned r = 1;; r++) {
		SPIN_UNTIL(atomic_load(&pipe_round) >= r || !storm_goes_on());
		if (atomic_load(&pipe_round) < r)
			return NULL;
		if (me % 2) {
			CHECK_EQ(read(the_pipe[0], &c, 1), 0);
		} else {
			struct pollfd pfd = { .fd = the_pipe[0], .events = POLLIN };

			CHECK_EQ(poll(&pfd, 1, -1), 1);
			CHECK(pfd.revents & POLLHUP);
		}
		atomic_fetch_add(&pipe_done, 1);
	}
}

TEST(close_of_the_other_end_wakes_all)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	unsigned seed = 1;
	struct crew c;

	crew_start(&c, 6, pipe_sleeper);
	for (unsigned r = 1; test_now() < end; r++) {
		CHECK_OK(pipe(the_pipe));
		atomic_store(&pipe_done, 0);
		atomic_store(&pipe_round, r);
		for (unsigned n = rand_r(&seed) % 2000; n > 0; n--)
			spin_pause();
		CHECK_OK(close(the_pipe[1]));
		SPIN_UNTIL(atomic_load(&pipe_done) == 6);
		CHECK_OK(close(the_pipe[0]));
	}
	atomic_store(&storm_over, true);
	crew_join(&c);
}

/* Both ends closed at the same time, by two threads: whoever is last frees the pipe, nobody before.
 */
static void *end_closer(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	char c;

	for (unsigned r = 1;; r++) {
		SPIN_UNTIL(atomic_load(&pipe_round) >= r || !storm_goes_on());
		if (atomic_load(&pipe_round) < r)
			return NULL;
		if (me == 0 && r % 2)
			CHECK_EQ(read(the_pipe[0], &c, 1), 0);
		CHECK_OK(close(the_pipe[me]));
		atomic_fetch_add(&pipe_done, 1);
	}
}

TEST(both_ends_closed_at_once)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	struct crew c;

	crew_start(&c, 2, end_closer);
	for (unsigned r = 1; test_now() < end; r++) {
		CHECK_OK(pipe(the_pipe));
		atomic_store(&pipe_done, 0);
		atomic_store(&pipe_round, r);
		SPIN_UNTIL(atomic_load(&pipe_done) == 2);
	}
	atomic_store(&storm_over, true);
	crew_join(&c);
}

/* --- pipes --- */

enum { RING = 12 };
static int ring[RING][2];

static int ring_member(void *arg)
{
	int me = (int)(uintptr_t)arg;
	uint64_t token;

	for (;;) {
		if (read(ring[me][0], &token, 8) != 8)
			return 0;
		if (write(ring[(me + 1) % RING][1], &token, 8) != 8)
			return 0;
	}
}

TEST(ring_of_processes)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	uint64_t token = 0, got, rounds = 0;
	pid_t pid[RING];

	for (int i = 0; i < RING; i++)
		CHECK_OK(pipe(ring[i]));
	for (int i = 1; i < RING; i++)
		pid[i] = test_fork(ring_member, crew_index((unsigned)i));
	for (; test_now() < end; token++, rounds++) {
		CHECK_EQ(write(ring[1][1], &token, 8), 8);
		CHECK_EQ(read(ring[0][0], &got, 8), 8);
		CHECK_EQ(got, token);
	}
	CHECK(rounds > 0);
	for (int i = 1; i < RING; i++)
		kill(pid[i], SIGKILL);
	for (int i = 1; i < RING; i++)
		test_wait_signal(pid[i], SIGKILL);
}

/* Many writers and readers of one pipe: small writes stay whole, nothing is lost or doubled. */
static _Atomic uint64_t put, gotten;
static atomic_int writers_left;

static void *pipe_user(void *arg)
{
	uint64_t rec[4];

	if ((uintptr_t)arg % 2) {
		for (uint64_t i = 0; storm_goes_on(); i++) {
			rec[0] = rec[3] = (uintptr_t)arg << 32 | i;
			rec[1] = rec[2] = ~rec[0];
			CHECK_EQ(write(the_pipe[1], rec, sizeof(rec)), sizeof(rec));
			atomic_fetch_add(&put, rec[0]);
		}
		if (atomic_fetch_sub(&writers_left, 1) == 1)
			close(the_pipe[1]);
		return NULL;
	}
	for (ssize_t n; (n = read(the_pipe[0], rec, sizeof(rec))) != 0;) {
		CHECK_EQ(n, sizeof(rec));
		CHECK(rec[0] == rec[3] && rec[1] == ~rec[0] && rec[2] == ~rec[0]);
		atomic_fetch_add(&gotten, rec[0]);
	}
	return NULL;
}

TEST(many_on_one_pipe)
{
	CHECK_OK(pipe(the_pipe));
	atomic_store(&writers_left, 4);
	storm(8, STORM_MS, pipe_user);
	CHECK_EQ(put, gotten);
}

/* --- readiness --- */

/* Tokens go round through eventfds, taken with EPOLLONESHOT and armed again: none is lost. */
enum { TOKENS = 6 };
static int ep, evs[TOKENS];
static _Atomic uint64_t passes;

static void pass_token(int i, bool rearm)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT, .data.u32 = (uint32_t)i };
	uint64_t v = 1;

	CHECK_EQ(read(evs[i], &v, 8), 8);
	CHECK_EQ(v, 1);
	atomic_fetch_add(&passes, 1);
	if (rearm)
		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, evs[i], &ev));
	CHECK_EQ(write(evs[i], &v, 8), 8);
}

static void *oneshot_taker(void *arg)
{
	int max = 1 + (int)(uintptr_t)arg % 3;
	struct epoll_event ev[3];

	while (storm_goes_on()) {
		int n = epoll_wait(ep, ev, max, (uintptr_t)arg % 2 ? -1 : 10000);

		CHECK(n > 0);
		for (int i = 0; i < n; i++)
			pass_token((int)ev[i].data.u32, true);
	}
	return NULL;
}

TEST(oneshot_events_are_not_lost)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };
	uint64_t one = 1;

	CHECK_OK(ep = epoll_create1(0));
	for (int i = 0; i < TOKENS; i++) {
		CHECK_OK(evs[i] = eventfd(0, EFD_NONBLOCK));
		ev.data.u32 = (uint32_t)i;
		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, evs[i], &ev));
		CHECK_EQ(write(evs[i], &one, 8), 8);
	}
	storm(4, STORM_MS, oneshot_taker);
	CHECK(passes > 0);
}

/* Edge triggered, exclusive in two epolls, level triggered: who reads drains; every unit written is
 * read. */
static atomic_int producers;
static _Atomic uint64_t produced, consumed;
static int ep2;

static void *consumer(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	struct epoll_event ev[4];
	uint64_t v;

	if (me < 3) {
		while (storm_goes_on()) {
			v = 1 + me;
			CHECK_EQ(write(evs[me], &v, 8), 8);
			atomic_fetch_add(&produced, v);
			if (me == 0)
				SPIN_UNTIL(atomic_load(&consumed) == atomic_load(&produced) ||
					   !storm_goes_on());
		}
		atomic_fetch_sub(&producers, 1);
		return NULL;
	}
	while (atomic_load(&producers) > 0 || atomic_load(&consumed) != atomic_load(&produced)) {
		int n = epoll_wait(me % 2 ? ep : ep2, ev, 4, 20);

		CHECK_OK(n);
		for (int i = 0; i < n; i++)
			if (read(evs[ev[i].data.u32], &v, 8) == 8)
				atomic_fetch_add(&consumed, v);
			else
				CHECK_EQ(errno, EAGAIN);
	}
	return NULL;
}

static void consume(uint32_t flags)
{
	struct epoll_event ev;

	CHECK_OK(ep = epoll_create1(0));
	CHECK_OK(ep2 = epoll_create1(0));
	for (int i = 0; i < 3; i++) {
		CHECK_OK(evs[i] = eventfd(0, EFD_NONBLOCK));
		ev = (struct epoll_event){ .events = EPOLLIN | flags, .data.u32 = (uint32_t)i };
		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, evs[i], &ev));
		CHECK_OK(epoll_ctl(ep2, EPOLL_CTL_ADD, evs[i], &ev));
	}
	atomic_store(&producers, 3);
	storm(8, STORM_MS, consumer);
	CHECK_EQ(produced, consumed);
}

TEST(level_triggered_consumers)
{
	consume(0);
}

TEST(edge_triggered_consumers)
{
	consume(EPOLLET);
}

TEST(exclusive_consumers)
{
	consume(EPOLLEXCLUSIVE);
}

/* One event each for two sleepers, of which each takes one: neither sleeps on. */
static void *taker_of_one(void *arg)
{
	struct epoll_event ev;
	uint64_t v;

	while (storm_goes_on()) {
		int n = epoll_wait(ep, &ev, 1, 10000);

		CHECK_EQ(n, 1);
		if (ev.data.u32 == 99)
			return NULL;
		if (read(evs[ev.data.u32], &v, 8) == 8)
			atomic_fetch_add(&consumed, 1);
		(void)arg;
	}
	return NULL;
}

TEST(as_many_sleepers_wake_as_events_come)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	struct epoll_event ev = { .events = EPOLLIN };
	uint64_t one = 1;
	struct crew c;

	CHECK_OK(ep = epoll_create1(0));
	for (int i = 0; i < 3; i++) {
		CHECK_OK(evs[i] = eventfd(0, EFD_NONBLOCK));
		ev.data.u32 = i == 2 ? 99 : (uint32_t)i;
		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, evs[i], &ev));
	}
	crew_start(&c, 3, taker_of_one);
	while (test_now() < end) {
		uint64_t before = atomic_load(&consumed);

		CHECK_EQ(write(evs[0], &one, 8), 8);
		CHECK_EQ(write(evs[1], &one, 8), 8);
		SPIN_UNTIL(atomic_load(&consumed) == before + 2);
	}
	CHECK_EQ(write(evs[2], &one, 8), 8); /* stays readable: all see it */
	crew_join(&c);
}

/* Watched files are added, removed and closed while others wait and write. */
static void *epoll_changer(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg, seed = me;
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = me }, got[8];
	uint64_t v = 1;

	while (storm_goes_on()) {
		int e, p[2];

		if (me < 2) {
			CHECK_OK(epoll_wait(me ? ep : ep2, got, 8, 1));
			continue;
		}
		CHECK_OK(e = eventfd(0, EFD_NONBLOCK));
		CHECK_OK(pipe(p));
		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev));
		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
		CHECK_EQ(write(e, &v, 8), 8);
		CHECK_EQ(write(p[1], &v, 1), 1);
		ev.events = rand_r(&seed) % 2 ? EPOLLIN : EPOLLIN | EPOLLET;
		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, e, &ev));
		if (seed % 3 == 0)
			CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, e, NULL));
		close(p[seed % 2]);
		close(e);
		close(p[(seed + 1) % 2]);
	}
	return NULL;
}

TEST(epoll_items_come_and_go)
{
	struct epoll_event ev = { .events = EPOLLIN }, got;

	CHECK_OK(ep = epoll_create1(0));
	CHECK_OK(ep2 = epoll_create1(0));
	CHECK_OK(epoll_ctl(ep2, EPOLL_CTL_ADD, ep, &ev));
	storm(7, STORM_MS, epoll_changer);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
}

/* Whole epolls closed while they are woken. */
static void *epoll_closer(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN };
	uint64_t v = 1;

	while (storm_goes_on())
		if ((uintptr_t)arg % 2) {
			int e = epoll_create1(0), outer = epoll_create1(0);

			CHECK(e >= 0 && outer >= 0);
			for (int i = 0; i < 3; i++)
				CHECK_OK(epoll_ctl(e, EPOLL_CTL_ADD, evs[i], &ev));
			CHECK_OK(epoll_ctl(outer, EPOLL_CTL_ADD, e, &ev));
			EXPECT(epoll_wait(outer, &ev, 1, 0), 0, 0, 0, 0);
			ev.events = EPOLLIN;
			close((uintptr_t)arg % 4 == 1 ? e : outer);
			close((uintptr_t)arg % 4 == 1 ? outer : e);
		} else {
			CHECK_EQ(write(evs[(uintptr_t)arg % 3], &v, 8), 8);
			EXPECT(read(evs[(uintptr_t)arg % 3], &v, 8), EAGAIN, 0, 0, 0);
			v = 1;
		}
	return NULL;
}

TEST(epolls_closed_while_woken)
{
	for (int i = 0; i < 3; i++)
		CHECK_OK(evs[i] = eventfd(0, EFD_NONBLOCK));
	storm(6, STORM_MS, epoll_closer);
}

/* A signalfd watched by an epoll that outlives the process that put it there. */
TEST(epoll_outlives_a_signalfd_watcher)
{
	sigset_t set;
	int p[2];

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	for (int i = 0; i < 100; i++) {
		int sfd = (int)syscall(SYS_signalfd4, -1, &set, 8, O_NONBLOCK),
		    e = epoll_create1(0);
		struct epoll_event ev = { .events = EPOLLIN };

		CHECK(sfd >= 0 && e >= 0);
		CHECK_OK(pipe(p));
		pid_t pid = fork();
		if (pid == 0) {
			CHECK_OK(epoll_ctl(e, EPOLL_CTL_ADD, sfd, &ev));
			_exit(0);
		}
		CHECK(pid > 0);
		test_wait_exit(pid, 0);
		close(p[0]);
		close(p[1]);
		if (i % 10 == 0)
			usleep(10000);
		kill(getpid(), SIGUSR1);
		CHECK_OK(epoll_wait(e, &ev, 1, 0));
		close(e);
		close(sfd);
	}
}

/* --- inotify, ptys, mounts, proc --- */

static int in_fd;

static void *inotify_user(void *arg)
{
	char buf[4096], name[16];
	unsigned me = (unsigned)(uintptr_t)arg;

	snprintf(name, sizeof(name), "w%u", me);
	while (storm_goes_on())
		if (me == 0) {
			EXPECT(read(in_fd, buf, sizeof(buf)), EAGAIN, 0, 0, 0);
		} else if (me < 3) {
			int wd = inotify_add_watch(in_fd, ".", IN_ALL_EVENTS);

			CHECK_OK(wd);
			wd = inotify_add_watch(in_fd, "w4", IN_ALL_EVENTS);
			if (wd >= 0)
				EXPECT(inotify_rm_watch(in_fd, wd), EINVAL, 0, 0, 0);
		} else {
			close(open(name, O_CREAT | O_WRONLY, 0644));
			rename(name, "moved");
			unlink("moved");
		}
	return NULL;
}

TEST(inotify_watches_come_and_go)
{
	CHECK_OK(in_fd = inotify_init1(IN_NONBLOCK));
	storm(6, STORM_MS, inotify_user);
}

static void *pty_user(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	char name[64], buf[16];

	while (storm_goes_on()) {
		int m = posix_openpt(O_RDWR | O_NOCTTY), s;
		struct termios t;

		if (m < 0) {
			CHECK(errno == ENOSPC || errno == EAGAIN);
			continue;
		}
		CHECK_EQ(grantpt(m), 0);
		CHECK_EQ(unlockpt(m), 0);
		CHECK_EQ(ptsname_r(m, name, sizeof(name)), 0);
		CHECK_OK(s = open(name, O_RDWR | O_NOCTTY));
		CHECK_OK(tcgetattr(s, &t));
		cfmakeraw(&t);
		CHECK_OK(tcsetattr(s, TCSANOW, &t));
		CHECK_EQ(write(m, "hello", 5), 5);
		CHECK_EQ(read(s, buf, sizeof(buf)), 5);
		CHECK(memcmp(buf, "hello", 5) == 0);
		CHECK_EQ(write(s, "world", 5), 5);
		CHECK_EQ(read(m, buf, sizeof(buf)), 5);
		CHECK(memcmp(buf, "world", 5) == 0);
		if (rand_r(&seed) % 2) {
			close(m);
			CHECK_EQ(read(s, buf, 1), 0);
			close(s);
		} else {
			close(s);
			CHECK_ERR(read(m, buf, 1), EIO);
			close(m);
		}
	}
	return NULL;
}

TEST(ptys_come_and_go)
{
	storm(6, STORM_MS, pty_user);
}

/* The slave's readers and writers while the master closes. */
static atomic_uint pty_round, pty_done;
static int pty_slave;

static void *slave_user(void *arg)
{
	char buf[64];

	for (unsigned r = 1;; r++) {
		SPIN_UNTIL(atomic_load(&pty_round) >= r || !storm_goes_on());
		if (atomic_load(&pty_round) < r)
			return NULL;
		for (;;) {
			ssize_t n = (uintptr_t)arg % 2 ? read(pty_slave, buf, sizeof(buf))
						       : write(pty_slave, "0123456789", 10);

			if (n < 0)
				CHECK_EQ(errno, EIO);
			if (n <= 0)
				break;
		}
		atomic_fetch_add(&pty_done, 1);
	}
}

TEST(hangup_under_its_users)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	struct crew c;
	int m;

	signal(SIGHUP, SIG_IGN);
	crew_start(&c, 4, slave_user);
	for (unsigned r = 1; test_now() < end; r++) {
		char buf[256];

		CHECK_EQ(openpty(&m, &pty_slave, NULL, NULL, NULL), 0);
		fcntl(m, F_SETFL, O_NONBLOCK);
		atomic_store(&pty_done, 0);
		atomic_store(&pty_round, r);
		for (int i = 0; i < 30; i++) {
			EXPECT(read(m, buf, sizeof(buf)), EAGAIN, 0, 0, 0);
			EXPECT(write(m, "line\n", 5), EAGAIN, 0, 0, 0);
		}
		close(m);
		SPIN_UNTIL(atomic_load(&pty_done) == 4);
		close(pty_slave);
	}
	atomic_store(&storm_over, true);
	crew_join(&c);
}

static void *mounter(void *arg)
{
	struct stat st;
	char buf[4096];
	int fd;

	while (storm_goes_on())
		switch ((uintptr_t)arg) {
		case 0:
			CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
			EXPECT(fd = open("m/f", O_CREAT | O_WRONLY, 0644), 0, 0, 0, 0);
			close(fd);
			EXPECT(umount2("m", MNT_DETACH), EINVAL, 0, 0,
			       0); /* case 1 may have been faster */
			break;
		case 1:
			EXPECT(umount2("m", 0), EINVAL, EBUSY, 0, 0);
			break;
		case 2:
			EXPECT(stat("m/f", &st), ENOENT, 0, 0, 0);
			break;
		case 3:
			EXPECT(fd = open("m/f", O_RDONLY), ENOENT, 0, 0, 0);
			close(fd);
			break;
		case 4:
			CHECK_OK(fd = open("/proc/self/mountinfo", O_RDONLY));
			CHECK_OK(read(fd, buf, sizeof(buf)));
			close(fd);
			break;
		default:
			EXPECT(fd = open("m/../m/f", O_CREAT | O_RDWR, 0644), ENOENT, 0, 0, 0);
			close(fd);
			EXPECT(fd = open("m", O_RDONLY | O_DIRECTORY), 0, 0, 0, 0);
			EXPECT(fstatat(fd, "../stable", &st, 0), ENOENT, 0, 0, 0);
			close(fd);
		}
	return NULL;
}

TEST(mounts_against_lookups)
{
	if (!test_is_root())
		test_skip("not root");
	make_stable();
	CHECK_OK(mkdir("m", 0755));
	storm(7, STORM_MS, mounter);
	while (umount2("m", MNT_DETACH) == 0)
		;
}

static const char *const proc_files[] = { "stat",  "status", "maps",   "cmdline", "comm",
					  "statm", "limits", "mounts", "wchan",   "environ",
					  "io",    "smaps",  "auxv",   "exe" };

static void walk_process(const char *name)
{
	char path[300], buf[2048];

	for (size_t i = 0; i < sizeof(proc_files) / sizeof(proc_files[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s/%s", name, proc_files[i]);
		readlink(path, buf, sizeof(buf));
		int fd = open(path, O_RDONLY);

		if (fd < 0)
			continue;
		if (strcmp(proc_files[i], "exe") != 0)
			while (read(fd, buf, sizeof(buf)) > 0)
				;
		close(fd);
	}
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%s/%s", name, i ? "fd" : "task");
		DIR *d = opendir(path);
		struct dirent *e;

		while (d && (e = readdir(d)) != NULL) {
			char link[600];

			snprintf(link, sizeof(link), "%s/%s", path, e->d_name);
			readlink(link, buf, sizeof(buf));
		}
		if (d)
			closedir(d);
	}
}

static void *proc_walker(void *arg)
{
	if ((uintptr_t)arg < 3) {
		while (storm_goes_on()) {
			DIR *d = opendir("/proc");
			struct dirent *e;
			bool saw_me = false;

			CHECK(d != NULL);
			while ((e = readdir(d)) != NULL)
				if (e->d_name[0] >= '0' && e->d_name[0] <= '9') {
					saw_me |= atoi(e->d_name) == getpid();
					walk_process(e->d_name);
				}
			closedir(d);
			CHECK(saw_me);
		}
		return NULL;
	}
	while (storm_goes_on()) {
		pid_t pid = fork();

		if (pid == 0) {
			pthread_t t;

			if ((uintptr_t)arg % 2 &&
			    pthread_create(&t, NULL, name_watcher, crew_index(99)) == 0)
				usleep(100);
			_exit(0);
		}
		CHECK(pid > 0);
		CHECK_EQ(waitpid(pid, NULL, 0), pid);
	}
	return NULL;
}

TEST(proc_walks_against_exits)
{
	make_stable();
	storm(7, STORM_MS, proc_walker);
}
