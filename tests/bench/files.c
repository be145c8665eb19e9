/* Names and file contents, on a tmpfs: open, stat, create, list, read, write, copy. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FILE_SIZE = 1 << 20,
	CHUNK = 1 << 16,
	ENTRIES = 1000,
	TREE_DIRS = 8,
	TREE_FILES = 8,
	TREE_SIZE = 1024
};

static const char shallow[] = "/tmp/f", deep[] = "/tmp/1/2/3/4/5/6/7/8/9/f";
static int fd, to;
static char buf[CHUNK];
static char tree_dirs[TREE_DIRS][16], tree_files[TREE_DIRS][TREE_FILES][24];

static int name_setup(struct run *r)
{
	char path[sizeof deep] = "";

	for (const char *at = deep + 5; (at = strchr(at, '/')) != NULL; at++) {
		memcpy(path, deep, (size_t)(at - deep));
		path[at - deep] = 0;
		if (mkdir(path, 0755) && errno != EEXIST) /* another row may have been here */
			return failed_libc(r, "mkdir");
	}
	return make_file(r, deep, 5000) || make_file(r, shallow, 5000) ? -1 : 0;
}

static int open_close_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		long got = sys4(SYS_openat, AT_FDCWD, (long)shallow, O_RDONLY, 0);

		if (got < 0)
			return failed(r, got, "open");
		WANT(r, 0, sys1(SYS_close, got));
	}
	return 0;
}

static int stat_op(struct run *r)
{
	const char *path = r->arg ? deep : shallow;
	struct stat st;

	for (uint64_t i = 0; i < r->n; i++) {
		st.st_size = 0;
		WANT(r, 0, sys4(SYS_newfstatat, AT_FDCWD, (long)path, (long)&st, 0));
		if (st.st_size != 5000)
			return failed(r, st.st_size, "the file's size");
	}
	return 0;
}

static int fstat_op(struct run *r)
{
	struct stat st;

	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 0, sys2(SYS_fstat, fd, (long)&st));
	WANT(r, FILE_SIZE, st.st_size);
	return 0;
}

static int create_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		long got = sys4(SYS_openat, AT_FDCWD, (long)"/tmp/new", O_CREAT | O_EXCL | O_RDWR,
				0644);

		if (got < 0)
			return failed(r, got, "open O_CREAT|O_EXCL");
		WANT(r, 0, sys1(SYS_close, got));
		WANT(r, 0, sys1(SYS_unlink, (long)"/tmp/new"));
	}
	return 0;
}

static int rename_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		WANT(r, 0, sys2(SYS_rename, (long)"/tmp/f", (long)"/tmp/g"));
		WANT(r, 0, sys2(SYS_rename, (long)"/tmp/g", (long)"/tmp/f"));
	}
	return 0;
}

static int list_setup(struct run *r)
{
	char name[32];

	TRY(r, mkdir("/tmp/list", 0755));
	for (int i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof name, "/tmp/list/entry%04d", i);
		TRY(r, fd = open(name, O_CREAT | O_EXCL, 0644));
		close(fd);
	}
	TRY(r, fd = open("/tmp/list", O_RDONLY | O_DIRECTORY));
	return 0;
}

static long count_entries(long bytes)
{
	long count = 0;

	for (long at = 0; at < bytes; count++)
		at += ((const struct dirent64 *)(buf + at))->d_reclen;
	return count;
}

static int list_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		long got, count = 0;

		WANT(r, 0, sys3(SYS_lseek, fd, 0, SEEK_SET));
		while ((got = sys3(SYS_getdents64, fd, (long)buf, 32768)) > 0)
			count += count_entries(got);
		if (got < 0)
			return failed(r, got, "getdents64");
		WANT(r, ENTRIES + 2, count);
	}
	return 0;
}

static int content_setup(struct run *r)
{
	if (make_file(r, "/tmp/from", FILE_SIZE))
		return -1;
	TRY(r, fd = open("/tmp/from", O_RDWR));
	TRY(r, to = open("/tmp/to", O_CREAT | O_TRUNC | O_RDWR, 0644));
	return 0;
}

/* Looks at what was read last; looking is not measured. */
static int want_data(struct run *r, size_t size, size_t offset)
{
	int is_good;

	leave(r);
	is_good = is_file_data(buf, size, offset);
	back(r);
	return is_good ? 0 : failed(r, buf[0], "the file's data");
}

static int pread_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 4096, sys4(SYS_pread64, fd, (long)buf, 4096, 8192));
	return want_data(r, 4096, 8192);
}

static int pwrite_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		WANT(r, 4096, sys4(SYS_pwrite64, to, (long)buf, 4096, 0));
	return 0;
}

static int read_file_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		for (long at = 0; at < FILE_SIZE; at += CHUNK)
			WANT(r, CHUNK, sys4(SYS_pread64, fd, (long)buf, CHUNK, at));
	return want_data(r, CHUNK, FILE_SIZE - CHUNK);
}

static int copy_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		for (long at = 0; at < FILE_SIZE; at += CHUNK) {
			WANT(r, CHUNK, sys4(SYS_pread64, fd, (long)buf, CHUNK, at));
			WANT(r, CHUNK, sys4(SYS_pwrite64, to, (long)buf, CHUNK, at));
		}
	WANT(r, CHUNK, pread(to, buf, CHUNK, FILE_SIZE - CHUNK));
	return want_data(r, CHUNK, FILE_SIZE - CHUNK);
}

static int tree_file(struct run *r, const char *path)
{
	struct stat st;
	int file;

	TRY(r, file = open(path, O_CREAT | O_EXCL | O_RDWR, 0644));
	WANT(r, TREE_SIZE, write(file, buf, TREE_SIZE));
	TRY(r, close(file));
	TRY(r, stat(path, &st));
	WANT(r, TREE_SIZE, st.st_size);
	TRY(r, file = open(path, O_RDONLY));
	WANT(r, TREE_SIZE, read(file, buf, TREE_SIZE));
	TRY(r, close(file));
	return 0;
}

static int tree_setup(struct run *r)
{
	(void)r;
	for (int d = 0; d < TREE_DIRS; d++) {
		snprintf(tree_dirs[d], sizeof tree_dirs[d], "/tmp/dir%d", d);
		for (int f = 0; f < TREE_FILES; f++)
			snprintf(tree_files[d][f], sizeof tree_files[d][f], "/tmp/dir%d/file%d", d,
				 f);
	}
	return 0;
}

static int tree_round(struct run *r)
{
	for (int d = 0; d < TREE_DIRS; d++) {
		TRY(r, mkdir(tree_dirs[d], 0755));
		for (int f = 0; f < TREE_FILES; f++)
			if (tree_file(r, tree_files[d][f]))
				return -1;
	}
	for (int d = 0; d < TREE_DIRS; d++) {
		for (int f = 0; f < TREE_FILES; f++)
			TRY(r, unlink(tree_files[d][f]));
		TRY(r, rmdir(tree_dirs[d]));
	}
	return 0;
}

static int tree_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++)
		if (tree_round(r))
			return -1;
	return 0;
}

const struct row file_rows[] = {
	{ "open-close", name_setup, open_close_op, 0, 0 },
	{ "stat", name_setup, stat_op, 0, 0 },
	{ "stat-depth-10", name_setup, stat_op, 1, 0 },
	{ "fstat", content_setup, fstat_op, 0, 0 },
	{ "create-unlink", NULL, create_op, 0, 0 },
	{ "rename-pair", name_setup, rename_op, 0, 0 },
	{ "getdents-1000", list_setup, list_op, 0, 0 },
	{ "pread-4k", content_setup, pread_op, 0, 0 },
	{ "pwrite-4k", content_setup, pwrite_op, 0, 0 },
	{ "file-read-1m", content_setup, read_file_op, 0, 0 },
	{ "file-copy-1m", content_setup, copy_op, 0, 0 },
	{ "tree-64-files", tree_setup, tree_op, 0, 0 },
	{ NULL, NULL, NULL, 0, 0 },
};
