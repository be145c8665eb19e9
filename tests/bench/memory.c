/* Mappings and page faults. Rows of faults give the cost of one page; mapping it is left out. */
#include "bench.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 256 };

static char *memory;
static int fd;

/* A page that stays, so that its page table does; it differs in protection, so that nothing merges.
 */
static int neighbour_setup(struct run *r)
{
	char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	if (at == MAP_FAILED)
		return failed_libc(r, "mmap");
	*at = 1;
	return 0;
}

static int map_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		long at = sys6(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at < 0)
			return failed(r, at, "mmap");
		*(volatile char *)at = 1;
		WANT(r, 0, sys2(SYS_munmap, at, PAGE));
	}
	return 0;
}

/* Anonymous memory: each page written once, in fresh memory each round. */
static int anonymous_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		leave(r);
		if (madvise(memory, PAGES * PAGE, MADV_DONTNEED))
			return failed_libc(r, "madvise");
		back(r);
		for (long page = 0; page < PAGES; page++) {
			volatile char *at = memory + page * PAGE;

			if (*at != 0)
				return failed(r, *at, "a zero page");
			*at = 1;
		}
	}
	return 0;
}

/* The same without the read before: one fault a page. */
static int touch_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		leave(r);
		if (madvise(memory, PAGES * PAGE, MADV_DONTNEED))
			return failed_libc(r, "madvise");
		back(r);
		for (long page = 0; page < PAGES; page++)
			*(volatile char *)(memory + page * PAGE) = 1;
	}
	return memory[PAGE / 2] == 0 ? 0 : failed(r, memory[PAGE / 2], "a zero page");
}

static int small_setup(struct run *r)
{
	memory = make_memory(r, PAGES * PAGE, 0);
	if (memory)
		memset(memory, 1, PAGES * PAGE);
	return memory ? 0 : -1;
}

static int file_setup(struct run *r)
{
	if (make_file(r, "/tmp/mapped", PAGES * PAGE))
		return -1;
	TRY(r, fd = open("/tmp/mapped", O_RDONLY));
	return 0;
}

static int file_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		char *at;

		leave(r);
		at = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
		if (at == MAP_FAILED)
			return failed_libc(r, "mmap");
		back(r);
		for (long page = 0; page < PAGES; page++)
			if (!is_file_data(at + page * PAGE, 1, (size_t)page * PAGE))
				return failed(r, at[page * PAGE], "the file's data");
		leave(r);
		munmap(at, PAGES * PAGE);
		back(r);
	}
	return 0;
}

/* The child writes what the parent touched: each page is copied once. */
static void write_all(void)
{
	for (long page = 0; page < PAGES; page++)
		*(volatile char *)(memory + page * PAGE) = 2;
}

static int copy_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		int status;
		pid_t pid;
		char byte;
		int hold[2];

		leave(r);
		memory[0] = 1;
		if (pipe(hold))
			return failed_libc(r, "pipe");
		pid = fork();
		if (pid == 0) {
			close(hold[1]);
			(void)!read(hold[0], &byte, 1); /* the pages stay shared until then */
			_exit(memory[0]);
		}
		back(r);
		write_all();
		leave(r);
		close(hold[0]);
		close(hold[1]);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || memory[0] != 2 ||
		    status != 1 << 8)
			return failed(r, status, "the child's own copy");
		memset(memory, 1, PAGES * PAGE);
		back(r);
	}
	return 0;
}

static int protect_op(struct run *r)
{
	long at = (long)memory + 8 * PAGE;

	for (uint64_t i = 0; i < r->n; i++) {
		WANT(r, 0, sys3(SYS_mprotect, at, PAGE, PROT_READ));
		WANT(r, 0, sys3(SYS_mprotect, at, PAGE, PROT_READ | PROT_WRITE));
		*(volatile char *)at = 1;
	}
	return 0;
}

static int brk_op(struct run *r)
{
	long end = (sys1(SYS_brk, 0) + PAGE - 1) & -PAGE;

	WANT(r, end, sys1(SYS_brk, end));
	for (uint64_t i = 0; i < r->n; i++) {
		WANT(r, end + PAGE, sys1(SYS_brk, end + PAGE));
		*(volatile char *)end = 1;
		WANT(r, end, sys1(SYS_brk, end));
	}
	return 0;
}

static int huge_setup(struct run *r)
{
	memory = make_memory(r, 2 << 20, 1);
	return memory ? 0 : -1;
}

static int huge_op(struct run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		leave(r);
		if (madvise(memory, 2 << 20, MADV_DONTNEED))
			return failed_libc(r, "madvise");
		back(r);
		for (long at = 0; at < 2 << 20; at += PAGE)
			*(volatile char *)(memory + at) = 1;
	}
	return memory[1] == 0 ? 0 : failed(r, memory[1], "zeroed memory");
}

const struct row mm_rows[] = {
	{ "mmap-munmap", neighbour_setup, map_op, 0, 0 },
	{ "fault-anonymous", small_setup, touch_op, 0, PAGES },
	{ "fault-read-write", small_setup, anonymous_op, 0, PAGES },
	{ "fault-2m", huge_setup, huge_op, 0, 0 },
	{ "fault-file", file_setup, file_op, 0, PAGES },
	{ "fault-cow", small_setup, copy_op, 0, PAGES },
	{ "mprotect-pair", small_setup, protect_op, 0, 0 },
	{ "brk-pair", NULL, brk_op, 0, 0 },
	{ NULL, NULL, NULL, 0, 0 },
};
