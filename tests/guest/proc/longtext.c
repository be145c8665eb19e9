/* Long texts of /proc are made in pieces: what they cost, and what they say while things change. Source: proc(5). */

#include "../test.h"

#include <sys/prctl.h>

enum { PAGE = 4096, MANY = 20000 };

/* 2 * n VMAs that do not merge; the address of the first. */
static char *many_vmas(int n)
{
	char *p = mmap(NULL, (size_t)(n * 2 + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	p += PAGE;
	CHECK_OK(mprotect(p, (size_t)n * 2 * PAGE, PROT_READ));
	for (int i = 0; i < n; i++)
		CHECK_OK(mprotect(p + (size_t)i * 2 * PAGE, PAGE, PROT_READ | PROT_WRITE));
	return p;
}

/* Reads the whole file with reads of `size` bytes; bytes. */
static size_t read_by(const char *path, char *to, size_t room, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t r;

	CHECK_OK(fd);
	while ((r = read(fd, to + n, n + size < room ? size : room - n)) > 0)
		n += (size_t)r;
	CHECK_EQ(r, 0);
	close(fd);
	to[n] = 0;
	return n;
}

TEST_TIMED(maps_in_small_reads_has_every_area_once, 60)
{
	size_t room = 8 << 20, n;
	char *p = many_vmas(MANY), *text = malloc(room + 1), *line;
	unsigned long at, end, want = (unsigned long)p;
	int found = 0;

	n = read_by("/proc/self/maps", text, room, 4096);
	CHECK(n > MANY * 2 * 40);
	for (line = text; *line; line = strchr(line, '\n') + 1) {
		CHECK_EQ(sscanf(line, "%lx-%lx", &at, &end), 2);
		if (at < (unsigned long)p || at >= (unsigned long)p + (unsigned long)MANY * 2 * PAGE)
			continue;
		CHECK_EQ(at, want);
		want = end;
		found++;
	}
	CHECK_EQ(found, 2 * MANY);
}

/* Programs take what one read gives for whole lines. */
TEST(a_page_of_a_long_text_ends_with_a_line)
{
	static const char *const paths[] = { "/proc/self/maps", "/proc/self/smaps" };
	char page[PAGE];
	ssize_t r;

	many_vmas(500);
	for (unsigned i = 0; i < 2; i++) {
		int fd = open(paths[i], O_RDONLY), n = 0;

		CHECK_OK(fd);
		for (; (r = read(fd, page, PAGE)) > 0; n++)
			CHECK_EQ(page[r - 1], '\n');
		CHECK_EQ(r, 0);
		CHECK(n > 10);
		close(fd);
	}
}

/* 40,000 areas made anew for each of 1,000 reads are half an hour. */
TEST_TIMED(a_read_of_maps_costs_what_it_gives, 60)
{
	size_t room = 8 << 20;
	char *text = malloc(room + 1);
	int64_t t0;

	many_vmas(MANY);
	t0 = test_now();
	CHECK(read_by("/proc/self/maps", text, room, 1024) > MANY);
	CHECK(test_now() - t0 < 20ll * 1000000000);
}

TEST(maps_read_ahead_of_a_change_goes_on_behind_it)
{
	char *p = many_vmas(500), *text = malloc(1 << 20);
	int fd = open("/proc/self/maps", O_RDONLY);
	unsigned long at, last = 0, end;
	size_t n = 0;
	ssize_t r;

	CHECK_OK(fd);
	CHECK((r = read(fd, text, 4096)) > 0);
	CHECK_OK(munmap(p, 500 * 2 * PAGE));
	for (n = (size_t)r; (r = read(fd, text + n, 4096)) > 0; n += (size_t)r)
		;
	text[n] = 0;
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		CHECK_EQ(sscanf(line, "%lx-%lx", &at, &end), 2);
		CHECK(at >= last);
		last = end;
	}
	close(fd);
}

TEST(maps_can_be_read_from_anywhere)
{
	char whole[4096], part[512];
	int fd = open("/proc/self/maps", O_RDONLY);

	CHECK_OK(fd);
	many_vmas(1000);
	CHECK(pread(fd, whole, sizeof(whole), 0) > 2000);
	for (off_t at = 0; at < 1500; at += 333) {
		CHECK(pread(fd, part, 256, at) > 100);
		CHECK(memcmp(part, whole + at, 100) == 0);
	}
	CHECK(pread(fd, part, 100, 50000) == 100);
	CHECK_EQ(pread(fd, part, 100, 10000000), 0);
	CHECK(pread(fd, part, 100, 0) == 100);
	CHECK(memcmp(part, whole, 40) == 0);
	close(fd);
}

TEST(smaps_has_all_fields_of_every_area)
{
	size_t room = 8 << 20;
	char *text = malloc(room + 1);
	int sizes = 0, flags = 0, areas = 0;

	many_vmas(300);
	read_by("/proc/self/smaps", text, room, 1000);
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		sizes += strncmp(line, "Size:", 5) == 0;
		flags += strncmp(line, "VmFlags:", 8) == 0;
		areas += strchr("0123456789abcdef", line[0]) != NULL && strchr(line, '-') != NULL;
	}
	CHECK(sizes > 600);
	CHECK_EQ(sizes, flags);
	CHECK_EQ(sizes, areas);
}

static int as_nobody(void *arg)
{
	char path[64];

	(void)arg;
	if (setgid(65534) || setuid(65534))
		return 1;
	for (int i = 0; i < 4; i++) {
		static const char *const name[] = { "maps", "smaps", "smaps_rollup", "numa_maps" };

		snprintf(path, sizeof(path), "/proc/1/%s", name[i]);
		if (open(path, O_RDONLY) != -1 || (errno != EACCES && errno != ENOENT))
			return 2 + i;
	}
	return 0;
}

TEST(another_users_maps_do_not_open)
{
	if (!test_is_root())
		test_skip("needs root");
	test_wait_exit(test_fork(as_nobody, NULL), 0);
}

/* Run by the tests below: prints /proc/self/cmdline and environ as they are. */
static void exec_cat(const char *file, size_t extra, int fd)
{
	char *argv[] = { "cat", (char *)file, NULL }, *envp[64], *big = malloc(100000);
	int n = 0;

	for (size_t left = extra; left > 0; left -= left < 50000 ? left : 50000) {
		size_t k = left < 50000 ? left : 50000;

		memset(big, 'a' + n, k - 1);
		big[k - 1] = 0;
		memcpy(big, "X=", 2);
		envp[n++] = strdup(big);
	}
	envp[n] = NULL;
	dup2(fd, 1);
	execve("/bin/cat", argv, envp);
	execve("/bin/busybox", argv, envp);
	_exit(127);
}

TEST(a_long_environ_comes_whole)
{
	int p[2], status;
	size_t n = 0;
	char *text = malloc(1 << 20);
	ssize_t r;
	pid_t pid;

	CHECK_OK(pipe(p));
	if ((pid = fork()) == 0)
		exec_cat("/proc/self/environ", 300000, p[1]);
	close(p[1]);
	while ((r = read(p[0], text + n, (1 << 20) - n)) > 0)
		n += (size_t)r;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 127)
		test_skip("no cat");
	CHECK_EQ(n, 300000);
	CHECK(memcmp(text, "X=aaa", 5) == 0);
	CHECK_EQ(text[50000 + 2], 'b');
	CHECK_EQ(text[n - 1], 0);
}

extern char **environ;

static size_t own_cmdline(char *to, size_t room)
{
	int fd = open("/proc/self/cmdline", O_RDONLY);
	ssize_t n = read(fd, to, room);

	CHECK(n >= 0);
	close(fd);
	return (size_t)n;
}

/* setproctitle(3) as it is done: the arguments are written over. */
TEST(a_title_over_the_arguments)
{
	struct {
		unsigned long start, end, env_start, env_end;
	} m = { 0 };
	char *stat = test_slurp("/proc/self/stat"), *s = strrchr(stat, ')'), text[8192];
	size_t args, n;
	int field = 2;

	for (s += 1; *s; s++)
		if (*s == ' ' && ++field >= 48 && field <= 51)
			((unsigned long *)&m)[field - 48] = strtoul(s + 1, NULL, 10);
	args = m.end - m.start;
	CHECK(args > 1 && m.env_end > m.end + 10);
	CHECK_EQ(own_cmdline(text, sizeof(text)), args);

	/* Shorter than the arguments: they are what they were, with what is in them. */
	memset((char *)m.start, 0, args);
	memcpy((char *)m.start, "t", 1);
	CHECK_EQ(own_cmdline(text, sizeof(text)), args);
	CHECK_STR(text, "t");

	/* Longer: one string, and its terminator. */
	memset((char *)m.start, 'T', args + 5);
	((char *)m.start)[args + 5] = 0;
	n = own_cmdline(text, sizeof(text));
	CHECK_EQ(n, args + 6);
	CHECK_EQ(text[n - 2], 'T');
	CHECK_EQ(text[n - 1], 0);

	/* The string may end before the arguments do. */
	((char *)m.start)[0] = 's';
	((char *)m.start)[1] = 0;
	n = own_cmdline(text, sizeof(text));
	CHECK_EQ(text[0], 's');
	printf("# %zu of %zu\n", n, args);
}
