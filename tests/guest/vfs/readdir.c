/* getdents64(2): nothing is lost, nothing comes twice, whatever is done to the directory meanwhile. */

#include "test.h"

#include <dirent.h>

struct entry {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

enum { FILES = 500 };

static void make_files(int n)
{
	char name[32];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "file-%d", i);
		int fd = open(name, O_CREAT | O_WRONLY, 0644);

		CHECK(fd >= 0);
		CHECK_OK(close(fd));
	}
}

static int number_of(const char *name)
{
	return strncmp(name, "file-", 5) == 0 ? atoi(name + 5) : -1;
}

/* Reads all with the given buffer size; `each` is called for every name. */
static int read_all(int fd, size_t size, void (*each)(const char *name), unsigned char *seen)
{
	char *buf = malloc(size);
	int total = 0;
	long n;

	while ((n = syscall(SYS_getdents64, fd, buf, size)) > 0)
		for (long at = 0; at < n;) {
			struct entry *e = (struct entry *)(buf + at);
			int k = number_of(e->name);

			if (seen && k >= 0)
				CHECK_EQ(seen[k]++, 0);
			if (each)
				each(e->name);
			total++;
			CHECK(e->reclen >= 24 && e->reclen % 8 == 0);
			at += e->reclen;
		}
	CHECK_EQ(n, 0);
	free(buf);
	return total;
}

TEST(every_buffer_size_sees_every_entry)
{
	static const size_t sizes[] = { 32, 48, 100, 1000, 4096, 32768 };
	int fd;

	make_files(FILES);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char seen[FILES] = { 0 };

		CHECK_OK(lseek(fd, 0, SEEK_SET));
		CHECK_EQ(read_all(fd, sizes[i], NULL, seen), FILES + 2);
	}
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	char small[16];
	CHECK_ERR(syscall(SYS_getdents64, fd, small, sizeof(small)), EINVAL);
	CHECK_ERR(syscall(SYS_getdents64, fd, (void *)8, 4096), EFAULT);
	int f = open("file-0", O_RDONLY);
	CHECK_ERR(syscall(SYS_getdents64, f, small, sizeof(small)), ENOTDIR);
	char c;
	CHECK_ERR(read(fd, &c, 1), EISDIR);
}

static void remove_it(const char *name)
{
	if (number_of(name) >= 0)
		CHECK_OK(unlink(name));
}

TEST(removing_while_reading_skips_none)
{
	int fd;

	make_files(FILES);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK_EQ(read_all(fd, 512, remove_it, NULL), FILES + 2);
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	CHECK_EQ(read_all(fd, 512, NULL, NULL), 2);
}

TEST(removing_others_while_reading_repeats_none)
{
	unsigned char seen[FILES] = { 0 };
	char buf[256], name[32];
	int fd, next = FILES - 1;
	long n;

	make_files(FILES);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < n;) {
			struct entry *e = (struct entry *)(buf + at);
			int k = number_of(e->name);

			if (k >= 0)
				CHECK_EQ(seen[k]++, 0);
			at += e->reclen;
		}
		for (int i = 0; i < 3 && next >= 0; i++, next--) {
			snprintf(name, sizeof(name), "file-%d", next);
			CHECK_OK(unlink(name));
			seen[next] |= 0x40;
		}
	}
	for (int i = 0; i < FILES; i++)
		if (!(seen[i] & 0x40))
			CHECK_EQ(seen[i], 1);
}

TEST(telldir_and_seekdir)
{
	struct dirent *e;
	char names[20][32];
	long where[20];
	DIR *d;

	make_files(20);
	d = opendir(".");
	for (int i = 0; i < 20; i++) {
		where[i] = telldir(d);
		e = readdir(d);
		CHECK(e != NULL);
		snprintf(names[i], sizeof(names[i]), "%.31s", e->d_name);
	}
	for (int i = 19; i >= 0; i -= 3) {
		seekdir(d, where[i]);
		e = readdir(d);
		CHECK(e != NULL);
		CHECK_STR(e->d_name, names[i]);
	}
	CHECK_OK(closedir(d));
}

TEST(types_and_numbers)
{
	struct dirent *e;
	struct stat st;
	int n = 0;
	DIR *d;

	CHECK_OK(mkdir("dir", 0755));
	CHECK_OK(symlink("x", "link"));
	CHECK_OK(mkfifo("fifo", 0644));
	make_files(1);
	d = opendir(".");
	while ((e = readdir(d)) != NULL) {
		CHECK_OK(lstat(e->d_name, &st));
		CHECK_EQ(e->d_ino, st.st_ino);
		if (e->d_type != DT_UNKNOWN)
			CHECK_EQ(e->d_type, st.st_mode >> 12);
		n++;
	}
	CHECK_EQ(n, 6);
	CHECK_OK(closedir(d));
}

TEST(removed_directory_reads_as_gone)
{
	char buf[256];
	int fd;

	CHECK_OK(mkdir("d", 0755));
	fd = open("d", O_RDONLY | O_DIRECTORY);
	CHECK_OK(rmdir("d"));
	CHECK_ERR(syscall(SYS_getdents64, fd, buf, sizeof(buf)), ENOENT);
}

TEST(renaming_while_reading_ends)
{
	char to[64];
	struct dirent *e;
	int n = 0;
	DIR *d;

	make_files(100);
	d = opendir(".");
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(to, sizeof(to), "%.40s+", e->d_name);
		CHECK_OK(rename(e->d_name, to));
		CHECK(++n < 100000);
	}
	CHECK_OK(closedir(d));
}

/* The sum of two positions that fit is one that may not. */
TEST(seek_in_a_directory_beyond_the_last_position)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
	CHECK_ERR(lseek(fd, 0x7fffffffffffffff, SEEK_CUR), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
}
