/*
 * Address spaces changed by one thread while others use them: no CPU may go on with a translation
 * that has been taken away. Readers keep the pages in their TLBs; when the change has returned,
 * they must see its effect.
 */

#include "smp.h"

#include <linux/falloc.h>
#include <sys/syscall.h>

enum { READERS = 5, PAGE = 4096 };

/* One round: pages hold `was`, the change happens, pages hold `is`. In between readers may see
 * either. */
static struct {
	volatile uint64_t *base;
	size_t pages, step; /* words from one page looked at to the next */
	_Atomic uint64_t was, is;
	atomic_uint round;   /* may be read */
	atomic_uint changed; /* the change of this round has returned */
	atomic_uint seen, acks;
	atomic_bool over;
} v;

static void check_all(uint64_t a, uint64_t b, const char *when)
{
	for (size_t i = 0; i < v.pages; i++) {
		uint64_t got = v.base[i * v.step];

		if (got != a && got != b)
			FAIL("page %zu holds %#llx %s, not %#llx or %#llx", i,
			     (unsigned long long)got, when, (unsigned long long)a,
			     (unsigned long long)b);
	}
}

static void *reader(void *arg)
{
	(void)arg;
	for (unsigned r = 1;; r++) {
		SPIN_UNTIL(atomic_load(&v.round) >= r || atomic_load(&v.over));
		if (atomic_load(&v.over))
			return NULL;
		uint64_t was = atomic_load(&v.was), is = atomic_load(&v.is);

		check_all(was, was, "before");
		atomic_fetch_add(&v.seen, 1);
		for (unsigned n = 1; atomic_load(&v.changed) < r; n++) {
			check_all(was, is, "meanwhile");
			if (n % 50 == 0)
				sched_yield();
		}
		check_all(is, is, "afterwards");
		atomic_fetch_add(&v.acks, 1);
	}
}

/* A reader that meets no page waits for the end of the change and tries again. */
static void on_fault(int sig)
{
	unsigned r = atomic_load(&v.round);

	(void)sig;
	SPIN_UNTIL(atomic_load(&v.changed) >= r);
}

static void catch_faults(void)
{
	struct sigaction sa = { .sa_handler = on_fault };

	CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
	CHECK_OK(sigaction(SIGBUS, &sa, NULL));
}

static void fill(uint64_t value)
{
	for (size_t i = 0; i < v.pages; i++)
		v.base[i * v.step] = value;
}

/* prepare(r) makes the pages hold v.was and says what v.is will be; change(r) makes it so. */
static void rounds(volatile void *base, size_t pages, size_t step, int ms,
		   void (*prepare)(unsigned), void (*change)(unsigned))
{
	int64_t end = test_now() + ms * 1000000ll;
	struct crew c;

	v.base = base;
	v.pages = pages;
	v.step = step / sizeof(uint64_t);
	crew_start(&c, READERS, reader);
	for (unsigned r = 1; test_now() < end; r++) {
		prepare(r);
		atomic_store(&v.seen, 0);
		atomic_store(&v.acks, 0);
		atomic_store(&v.round, r);
		SPIN_UNTIL(atomic_load(&v.seen) == READERS);
		change(r);
		atomic_store(&v.changed, r);
		SPIN_UNTIL(atomic_load(&v.acks) == READERS);
	}
	atomic_store(&v.over, true);
	crew_join(&c);
}

static void *anon(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void fill_to_vanish(unsigned r)
{
	atomic_store(&v.was, r);
	atomic_store(&v.is, 0);
	fill(r);
}

static size_t span(void)
{
	return (v.pages - 1) * v.step * sizeof(uint64_t) + PAGE;
}

static void drop(unsigned r)
{
	(void)r;
	CHECK_OK(madvise((void *)v.base, span(), MADV_DONTNEED));
}

TEST(dropped_page_is_gone_everywhere)
{
	rounds(anon(PAGE), 1, PAGE, STORM_MS, fill_to_vanish, drop);
}

TEST(many_dropped_pages_are_gone_everywhere)
{
	rounds(anon(100 * PAGE), 100, PAGE, STORM_MS, fill_to_vanish, drop);
}

static void *aligned(size_t size)
{
	char *p = anon(size + (2 << 20));

	p = (char *)(((uintptr_t)p + (2 << 20) - 1) & ~((uintptr_t)(2 << 20) - 1));
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

TEST(dropped_large_pages_are_gone_everywhere)
{
	rounds(aligned(8 << 20), 4, 2 << 20, STORM_MS, fill_to_vanish, drop);
}

/* One small page in the middle of a large one; its neighbours stay. */
static char *middle;

static void fill_large(unsigned r)
{
	madvise(middle - (1 << 20), 2 << 20,
		MADV_DONTNEED); /* so that it is one large page again */
	*(volatile uint64_t *)(middle - PAGE) = *(volatile uint64_t *)(middle + PAGE) = r;
	fill_to_vanish(r);
}

static void drop_middle(unsigned r)
{
	CHECK_OK(madvise(middle, PAGE, MADV_DONTNEED));
	CHECK_EQ(*(volatile uint64_t *)(middle - PAGE), r);
	CHECK_EQ(*(volatile uint64_t *)(middle + PAGE), r);
}

TEST(dropped_part_of_a_large_page)
{
	middle = (char *)aligned(2 << 20) + (1 << 20);
	rounds(middle, 1, PAGE, STORM_MS, fill_large, drop_middle);
}

static void unmap_and_map(unsigned r)
{
	(void)r;
	CHECK_OK(munmap((void *)v.base, span()));
	CHECK(mmap((void *)v.base, span(), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == v.base);
}

TEST(unmapped_pages_are_gone_everywhere)
{
	catch_faults();
	rounds(anon(8 * PAGE), 8, PAGE, STORM_MS, fill_to_vanish, unmap_and_map);
}

/* Page tables go too. */
TEST(unmapped_page_tables_are_gone_everywhere)
{
	char *p = mmap(NULL, 64l << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK_OK(munmap(p, 64l << 20));
	p = mmap(p, 60l << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0);
	CHECK(p != MAP_FAILED);
	catch_faults();
	rounds(p, 15, 4 << 20, STORM_MS, fill_to_vanish, unmap_and_map);
}

static int memfd(size_t size)
{
	int fd = memfd_create("smp", 0);

	CHECK_OK(fd);
	CHECK_OK(ftruncate(fd, (off_t)size));
	return fd;
}

static int file;

static void expect_other_page(unsigned r)
{
	atomic_store(&v.was, 1 + (r - 1) % 2);
	atomic_store(&v.is, 1 + r % 2);
}

static void map_other_page(unsigned r)
{
	CHECK(mmap((void *)v.base, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, r % 2 * PAGE) ==
	      v.base);
}

TEST(mapping_over_a_mapping_is_seen_everywhere)
{
	uint64_t one = 1, two = 2;

	file = memfd(2 * PAGE);
	CHECK_EQ(pwrite(file, &one, 8, 0), 8);
	CHECK_EQ(pwrite(file, &two, 8, PAGE), 8);
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
	CHECK(p != MAP_FAILED);
	catch_faults();
	rounds(p, 1, PAGE, STORM_MS, expect_other_page, map_other_page);
}

static void truncate_file(unsigned r)
{
	(void)r;
	CHECK_OK(ftruncate(file, 0));
	CHECK_OK(ftruncate(file, (off_t)span()));
}

TEST(truncated_pages_are_gone_everywhere)
{
	file = memfd(8 * PAGE);
	void *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(p != MAP_FAILED);
	catch_faults();
	rounds(p, 8, PAGE, STORM_MS, fill_to_vanish, truncate_file);
}

static void punch_file(unsigned r)
{
	(void)r;
	CHECK_OK(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)span()));
}

TEST(punched_pages_are_gone_everywhere)
{
	file = memfd(8 * PAGE);
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE) < 0)
		test_skip("no holes in files: %s", strerror(errno));
	void *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(p != MAP_FAILED);
	rounds(p, 8, PAGE, STORM_MS, fill_to_vanish, punch_file);
}

/* A child holds the old page, the writer gets a copy: the others must leave the old one too. */
static pid_t holder;
static int holder_pipe[2];

static void fill_and_fork(unsigned r)
{
	if (holder) {
		close(holder_pipe[1]);
		test_wait_exit(holder, 0);
	}
	atomic_store(&v.was, r);
	atomic_store(&v.is, r | 1ull << 32);
	fill(r);
	CHECK_OK(pipe(holder_pipe));
	if ((holder = fork()) == 0) {
		char c;

		close(holder_pipe[1]);
		while (read(holder_pipe[0], &c, 1) > 0)
			;
		for (size_t i = 0; i < v.pages; i++)
			if (v.base[i * v.step] != r)
				_exit(1);
		_exit(0);
	}
	CHECK(holder > 0);
	close(holder_pipe[0]);
}

static void write_copies(unsigned r)
{
	fill(r | 1ull << 32);
}

TEST(copy_on_write_is_seen_everywhere)
{
	rounds(anon(8 * PAGE), 8, PAGE, STORM_MS, fill_and_fork, write_copies);
}

TEST(copy_on_write_of_large_pages_is_seen_everywhere)
{
	rounds(aligned(4 << 20), 2, 2 << 20, STORM_MS, fill_and_fork, write_copies);
}

static char *elsewhere;

static void move_away(unsigned r)
{
	size_t size = span();

	CHECK(mremap((void *)v.base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) ==
	      elsewhere);
	CHECK(mmap((void *)v.base, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == v.base);
	for (size_t i = 0; i < v.pages; i++)
		CHECK_EQ(((uint64_t *)elsewhere)[i * v.step], r);
}

TEST(moved_pages_are_gone_everywhere)
{
	elsewhere = anon(8 * PAGE);
	catch_faults();
	rounds(anon(8 * PAGE), 8, PAGE, STORM_MS, fill_to_vanish, move_away);
}

TEST(moved_large_pages_are_gone_everywhere)
{
	elsewhere = aligned(4 << 20);
	catch_faults();
	rounds(aligned(4 << 20), 2, 2 << 20, STORM_MS, fill_to_vanish, move_away);
}

/* --- writers --- */

static struct {
	volatile uint64_t *word;
	atomic_bool closed;
	atomic_uint waiting;
} w;

static void on_write_fault(int sig)
{
	(void)sig;
	if (!atomic_load(&w.closed))
		return; /* it has just been opened again */
	atomic_fetch_add(&w.waiting, 1);
	SPIN_UNTIL(!atomic_load(&w.closed));
	atomic_fetch_sub(&w.waiting, 1);
}

static void *writer(void *arg)
{
	size_t page = (uintptr_t)arg;

	while (storm_goes_on())
		for (int i = 0; i < 100; i++)
			w.word[page * PAGE / 8]++;
	return NULL;
}

static void check_still(size_t pages, uint64_t *at)
{
	uint64_t now[READERS];

	for (size_t i = 0; i < pages; i++)
		now[i] = at[i * PAGE / 8];
	for (int n = 0; n < 3; n++) {
		for (int k = 0; k < 300; k++)
			spin_pause();
		sched_yield();
		for (size_t i = 0; i < pages; i++)
			CHECK_EQ(at[i * PAGE / 8], now[i]);
	}
}

static void close_and_open(void (*shut)(void), uint64_t *(*where)(void), void (*open)(void))
{
	struct sigaction sa = { .sa_handler = on_write_fault };
	int64_t end = test_now() + STORM_MS * 1000000ll;
	struct crew c;

	CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
	atomic_store(&storm_over, false);
	w.word = anon(READERS * PAGE);
	crew_start(&c, READERS, writer);
	while (test_now() < end) {
		atomic_store(&w.closed, true);
		shut();
		check_still(READERS, where());
		open();
		atomic_store(&w.closed, false);
		SPIN_UNTIL(atomic_load(&w.waiting) == 0);
	}
	atomic_store(&storm_over, true);
	crew_join(&c);
}

static void forbid(void)
{
	CHECK_OK(mprotect((void *)w.word, READERS * PAGE, PROT_READ));
}

static void allow(void)
{
	CHECK_OK(mprotect((void *)w.word, READERS * PAGE, PROT_READ | PROT_WRITE));
}

static uint64_t *in_place(void)
{
	return (uint64_t *)w.word;
}

TEST(writers_stop_at_mprotect)
{
	close_and_open(forbid, in_place, allow);
}

static void move_out(void)
{
	CHECK(mremap((void *)w.word, READERS * PAGE, READERS * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     elsewhere) == elsewhere);
}

static uint64_t *out_there(void)
{
	return (uint64_t *)elsewhere;
}

static void move_back(void)
{
	CHECK(mremap(elsewhere, READERS * PAGE, READERS * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     (void *)w.word) == w.word);
}

TEST(writers_stop_at_mremap)
{
	elsewhere = anon(READERS * PAGE);
	close_and_open(move_out, out_there, move_back);
}

/* The child of a fork has a snapshot that the parent's threads do not reach, and no increment gets
 * lost. */
static _Atomic uint64_t written[READERS];

static void *counting_writer(void *arg)
{
	size_t i = (uintptr_t)arg;
	uint64_t n = 0;

	while (storm_goes_on())
		for (int k = 0; k < 100; k++) {
			w.word[i * PAGE / 8]++;
			n++;
		}
	atomic_store(&written[i], n);
	return NULL;
}

static void fork_snapshots(void *area)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	struct crew c;

	w.word = area;
	atomic_store(&storm_over, false);
	crew_start(&c, READERS, counting_writer);
	while (test_now() < end) {
		pid_t pid = fork();

		if (pid == 0) {
			check_still(READERS, (uint64_t *)w.word);
			_exit(0);
		}
		CHECK(pid > 0);
		test_wait_exit(pid, 0);
	}
	atomic_store(&storm_over, true);
	crew_join(&c);
	for (int i = 0; i < READERS; i++)
		CHECK_EQ(w.word[i * PAGE / 8], written[i]);
}

TEST(fork_is_a_snapshot)
{
	fork_snapshots(anon(READERS * PAGE));
}

TEST(fork_is_a_snapshot_of_a_large_page)
{
	fork_snapshots(aligned(2 << 20));
}

/* --- pages go round among all, and nobody finds another's contents --- */

static void fill_region(uint64_t *p, size_t pages, uint64_t tag)
{
	for (size_t i = 0; i < pages; i++)
		p[i * 512] = p[i * 512 + 511] = tag + i;
}

static void check_region(const uint64_t *p, size_t pages, uint64_t tag)
{
	for (size_t i = 0; i < pages; i++) {
		CHECK_EQ(p[i * 512], tag + i);
		CHECK_EQ(p[i * 512 + 511], tag + i);
	}
}

static void check_zero(const uint64_t *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		CHECK_EQ(p[i * 512], 0);
		CHECK_EQ(p[i * 512 + 511], 0);
	}
}

static void one_region(unsigned *seed, unsigned who, uint64_t round)
{
	size_t pages = 1 + rand_r(seed) % (rand_r(seed) % 8 ? 40 : 700);
	uint64_t tag = (uint64_t)who << 56 | round << 16;
	uint64_t *p = anon(pages * PAGE);

	if (rand_r(seed) % 2)
		check_zero(p, pages);
	fill_region(p, pages, tag);
	if (rand_r(seed) % 4 == 0)
		sched_yield();
	check_region(p, pages, tag);
	switch (rand_r(seed) % 4) {
	case 0:
		CHECK_OK(madvise(p, pages * PAGE, MADV_DONTNEED));
		check_zero(p, pages);
		break;
	case 1:
		if (pages > 2) { /* what is free from now on is anybody's */
			CHECK_OK(munmap(p + 512, PAGE));
			CHECK_EQ(p[0], tag);
			CHECK_EQ(p[1024], tag + 2);
			CHECK_OK(munmap(p, PAGE));
			p += 1024;
			pages -= 2;
		}
		break;
	case 2: {
		uint64_t *q = mremap(p, pages * PAGE, 2 * pages * PAGE, MREMAP_MAYMOVE);

		CHECK(q != MAP_FAILED);
		check_region(q, pages, tag);
		check_zero(q + pages * 512, pages);
		CHECK_OK(munmap(q + pages * 512, pages * PAGE));
		p = q;
		break;
	}
	}
	CHECK_OK(munmap(p, pages * PAGE));
}

static void *mapper(void *arg)
{
	unsigned who = (unsigned)(uintptr_t)arg, seed = who * 7919 + 1;

	for (uint64_t r = 0; storm_goes_on(); r++)
		one_region(&seed, who + 1, r);
	return NULL;
}

TEST(pages_go_round_among_threads)
{
	storm(CREW, STORM_MS, mapper);
}

static int mapping_process(void *arg)
{
	storm(4, STORM_MS, mapper);
	(void)arg;
	return 0;
}

TEST(pages_go_round_among_processes)
{
	pid_t pid[5];

	for (int i = 0; i < 5; i++)
		pid[i] = test_fork(mapping_process, NULL);
	for (int i = 0; i < 5; i++)
		test_wait_exit(pid[i], 0);
}

/* Forks of a process whose threads map and unmap; the children use what they got. */
static void *forker(void *arg)
{
	unsigned seed = 17 + (unsigned)(uintptr_t)arg;
	uint64_t tag = 0x1111000000000000ull * (uintptr_t)arg, *p;

	if ((uintptr_t)arg > 3)
		return mapper(arg);
	p = anon(64 * PAGE);
	while (storm_goes_on()) {
		pid_t pid;

		fill_region(p, 64, ++tag);
		if ((pid = fork()) == 0) {
			check_region(p, 64, tag);
			one_region(&seed, 99, 1);
			_exit(0);
		}
		CHECK(pid > 0);
		fill_region(p, 64, tag + 1000);
		check_region(p, 64, tag + 1000);
		test_wait_exit(pid, 0);
	}
	return NULL;
}

TEST(forks_among_mapping_threads)
{
	storm(8, STORM_MS, forker);
}

/* Faults of all threads on the same fresh pages: one page each, no write is lost. */
static uint64_t *common;
static atomic_uint common_round, common_done;

static void *same_page_faulter(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (unsigned r = 1; storm_goes_on(); r++) {
		SPIN_UNTIL(atomic_load(&common_round) >= r || !storm_goes_on());
		if (atomic_load(&common_round) < r)
			break;
		for (int i = 0; i < 32; i++)
			((volatile uint64_t *)common)[i * 512 + me] = r;
		atomic_fetch_add(&common_done, 1);
	}
	return NULL;
}

TEST(faults_on_the_same_pages)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	struct crew c;

	common = anon(32 * PAGE);
	atomic_store(&storm_over, false);
	crew_start(&c, 8, same_page_faulter);
	for (unsigned r = 1; test_now() < end; r++) {
		CHECK_OK(madvise(common, 32 * PAGE, MADV_DONTNEED));
		atomic_store(&common_done, 0);
		atomic_store(&common_round, r);
		SPIN_UNTIL(atomic_load(&common_done) == 8);
		for (int i = 0; i < 32; i++)
			for (int k = 0; k < 8; k++)
				CHECK_EQ(common[i * 512 + k], r);
	}
	atomic_store(&storm_over, true);
	crew_join(&c);
}

/* read(2) and write(2) into and out of pages that come and go: EFAULT or the data, nothing else. */
static char *target;

static void *copier(void *arg)
{
	int p[2];
	char buf[512];

	(void)arg;
	CHECK_OK(pipe(p));
	while (storm_goes_on()) {
		ssize_t n = write(p[1], target, sizeof(buf));

		if (n < 0) {
			CHECK_EQ(errno, EFAULT);
			continue;
		}
		CHECK(n > 0);
		CHECK_EQ(read(p[0], buf, sizeof(buf)), n);
		for (ssize_t i = 0; i < n; i++)
			CHECK(buf[i] == 0 || buf[i] == 'x');
		CHECK_EQ(write(p[1], buf, 100), 100);
		n = read(p[0], target + 2048, 100);
		if (n < 0) {
			CHECK_EQ(errno, EFAULT);
			CHECK_EQ(read(p[0], buf, 100), 100);
		}
	}
	close(p[0]);
	close(p[1]);
	return NULL;
}

static void *page_juggler(void *arg)
{
	if ((uintptr_t)arg > 0)
		return copier(arg);
	while (storm_goes_on()) {
		CHECK(mmap(target, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == target);
		memset(target, 'x', 512);
		sched_yield();
		CHECK_OK(mprotect(target, PAGE, PROT_NONE));
		CHECK_OK(munmap(target, PAGE));
	}
	return NULL;
}

TEST(system_calls_on_pages_that_come_and_go)
{
	target = anon(PAGE);
	storm(6, STORM_MS, page_juggler);
}

/* --- neighbours --- */

/* Both halves of each 2 MiB block come to life at once: one is written, the other one dropped. */
enum { BLOCKS = 32, BLOCK = 2 << 20 };

static char *blocks;
static pthread_barrier_t both;

static void *drop_right_halves(void *arg)
{
	(void)arg;
	while (pthread_barrier_wait(&both), storm_goes_on()) {
		for (int i = 0; i < BLOCKS; i++)
			CHECK_OK(madvise(blocks + i * BLOCK + BLOCK / 2, BLOCK / 2, MADV_DONTNEED));
		pthread_barrier_wait(&both);
	}
	return NULL;
}

static void write_left_halves(void)
{
	for (int i = 0; i < BLOCKS; i++)
		*(volatile int *)(blocks + i * BLOCK) = i + 1;
	pthread_barrier_wait(&both);
	for (int i = 0; i < BLOCKS; i++)
		CHECK_EQ(*(volatile int *)(blocks + i * BLOCK), i + 1);
}

static void write_beside_drops(int advice)
{
	int64_t end = test_now() + STORM_MS * 1000000ll;
	struct crew c;

	CHECK_EQ(pthread_barrier_init(&both, NULL, 2), 0);
	crew_start(&c, 1, drop_right_halves);
	while (test_now() < end) {
		blocks = aligned(BLOCKS * BLOCK);
		madvise(blocks, BLOCKS * BLOCK, advice);
		pthread_barrier_wait(&both);
		write_left_halves();
		CHECK_OK(munmap(blocks, BLOCKS * BLOCK));
	}
	atomic_store(&storm_over, true);
	pthread_barrier_wait(&both);
	crew_join(&c);
}

TEST(written_beside_a_dropped_range)
{
	write_beside_drops(MADV_NOHUGEPAGE);
}

TEST(written_beside_a_dropped_range_of_large_pages)
{
	write_beside_drops(MADV_HUGEPAGE);
}
