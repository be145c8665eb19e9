/* Mappings of files: one copy with read and write, private copies, truncation. */
#include "test.h"

static int make(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char page[4096];

	CHECK(fd >= 0);
	for (size_t i = 0; i < size; i += 4096) {
		size_t n = size - i < 4096 ? size - i : 4096;

		memset(page, 'A' + (int)(i / 4096 % 26), sizeof(page));
		CHECK_EQ(write(fd, page, n), n);
	}
	return fd;
}

TEST(file_mapping_coherent)
{
	int fd = make("f", 40 * 4096 + 100);
	char *s = mmap(NULL, 41 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *p = mmap(NULL, 41 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char b[8];

	for (int i = 0; i < 41; i++) {
		CHECK_EQ(s[i * 4096], 'A' + i % 26);
		CHECK_EQ(p[i * 4096 + 1], 'A' + i % 26);
	}
	/* The rest of the last page reads as zeroes. */
	CHECK_EQ(s[40 * 4096 + 100], 0);
	CHECK_EQ(p[41 * 4096 - 1], 0);
	s[4096] = 'x';
	CHECK_EQ(pread(fd, b, 1, 4096), 1);
	CHECK_EQ(b[0], 'x');
	CHECK_EQ(p[4096], 'x'); /* not copied yet: shows the file */
	p[4096] = 'y';
	CHECK_EQ(s[4096], 'x');
	CHECK_EQ(pwrite(fd, "zz", 2, 4096), 2);
	CHECK_EQ(s[4096], 'z');
	CHECK_EQ(p[4096], 'y');
	CHECK_EQ(p[4097], 'B');
	CHECK_EQ(pwrite(fd, "w", 1, 8192), 1);
	CHECK_EQ(p[8192], 'w');
	CHECK_OK(msync(s, 41 * 4096, MS_SYNC));
	CHECK_OK(close(fd));
	CHECK_EQ(s[3 * 4096], 'D');
}

TEST(file_mapping_survives_munmap)
{
	int fd = make("f", 4096), fd2;
	char *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), b[4];

	memcpy(s + 10, "data", 4);
	CHECK_OK(munmap(s, 4096));
	CHECK_OK(close(fd));
	CHECK_OK(fd2 = open("f", O_RDONLY));
	CHECK_EQ(pread(fd2, b, 4, 10), 4);
	CHECK(memcmp(b, "data", 4) == 0);
}

TEST(file_mapping_split_keeps_offsets)
{
	int fd = make("f", 10 * 4096);
	char *p = mmap(NULL, 10 * 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK_OK(mprotect(p + 4 * 4096, 2 * 4096, PROT_READ | PROT_WRITE));
	CHECK_OK(munmap(p + 2 * 4096, 4096));
	for (int i = 0; i < 10; i++)
		if (i != 2)
			CHECK_EQ(p[i * 4096], 'A' + i);
	CHECK(mmap(p + 2 * 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 7 * 4096) == p + 2 * 4096);
	CHECK_EQ(p[2 * 4096], 'H');
	CHECK_EQ(p[3 * 4096], 'D');
}

/* A read fault, then mprotect, then a write: the page must not be read again (pitfall 1). */
TEST(private_page_survives_mprotect)
{
	int fd = make("f", 2 * 4096);
	char *p = mmap(NULL, 2 * 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK_EQ(p[0], 'A');
	CHECK_OK(mprotect(p, 2 * 4096, PROT_READ | PROT_WRITE));
	p[0] = 'r';
	p[4096] = 's';
	CHECK_OK(mprotect(p, 2 * 4096, PROT_READ));
	CHECK_EQ(p[0], 'r');
	CHECK_OK(mprotect(p, 2 * 4096, PROT_READ | PROT_WRITE));
	p[1] = 't';
	CHECK(p[0] == 'r' && p[1] == 't' && p[2] == 'A' && p[4096] == 's');
}

static int touch(void *p)
{
	return *(volatile char *)p & 0;
}
static int touch_write(void *p)
{
	*(volatile char *)p = 1;
	return 0;
}

TEST(truncate_sigbus)
{
	int fd = make("f", 8 * 4096);
	char *s = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *p = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	for (int i = 0; i < 8; i++)
		CHECK_EQ(s[i * 4096], p[i * 4096]);
	p[6 * 4096] = 'p';
	CHECK_OK(ftruncate(fd, 4096 * 3 + 5));
	test_wait_exit(test_fork(touch, s + 3 * 4096), 0);
	test_wait_signal(test_fork(touch, s + 4 * 4096), SIGBUS);
	test_wait_signal(test_fork(touch_write, s + 7 * 4096), SIGBUS);
	test_wait_signal(test_fork(touch, p + 6 * 4096), SIGBUS);
	CHECK_EQ(s[3 * 4096 + 4], 'D');
	CHECK_EQ(s[3 * 4096 + 5], 0);
	CHECK_OK(ftruncate(fd, 8 * 4096));
	CHECK_EQ(s[6 * 4096], 0);
	CHECK_EQ(s[3 * 4096 + 5], 0);
	s[7 * 4096] = 'q';
	CHECK_EQ(p[7 * 4096], 'q');
}

static void on_bus(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	_exit(sig == SIGBUS && si->si_code == BUS_ADRERR ? 42 : 1);
}

static int touch_with_handler(void *p)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &sa, NULL);
	return touch(p);
}

TEST(beyond_end_is_bus_adrerr)
{
	int fd = make("f", 100), out[2];
	char *p = mmap(NULL, 2 * 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	test_wait_exit(test_fork(touch_with_handler, p + 4096), 42);
	CHECK_OK(pipe(out));
	CHECK_ERR(write(out[1], p + 4096, 1), EFAULT);
}

/* read(2) into a mapping of the very page that is read, and write(2) from it. */
TEST(copy_onto_itself)
{
	int fd = make("f", 2 * 4096);
	char *s = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK_EQ(pread(fd, s + 4096, 4096, 0), 4096);
	CHECK_EQ(s[5000], 'A');
	CHECK_EQ(pwrite(fd, s + 4096, 4096, 4096), 4096);
	CHECK_EQ(pwrite(fd, s, 4096, 8192), 4096);
	CHECK_OK(madvise(s, 8192, MADV_DONTNEED));
	CHECK_EQ(pwrite(fd, s, 8192, 100), 8192);
	CHECK_EQ(s[0], 'A');
}

TEST(dev_zero_private)
{
	int fd = open("/dev/zero", O_RDWR);
	char *p;

	CHECK(fd >= 0);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(p[4096], 0);
	p[0] = 1;
	CHECK_EQ(p[0], 1);
}
