/* What several groups of rows share. */
#include "bench.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static char file_byte(size_t i)
{
	return (char)(i / 512 + i);
}

int make_file(struct run *r, const char *path, size_t size)
{
	char buf[4096];
	int fd;

	TRY(r, fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644));
	for (size_t at = 0; at < size; at += sizeof buf) {
		size_t n = size - at < sizeof buf ? size - at : sizeof buf;

		for (size_t i = 0; i < n; i++)
			buf[i] = file_byte(at + i);
		WANT(r, (long)n, sys3(1, fd, (long)buf, (long)n));
	}
	TRY(r, close(fd));
	return 0;
}

int is_file_data(const char *data, size_t size, size_t offset)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != file_byte(offset + i))
			return 0;
	return 1;
}

char *make_memory(struct run *r, size_t size, int huge)
{
	const size_t step = 2 << 20;
	char *at =
		mmap(NULL, size + step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		failed_libc(r, "mmap");
		return NULL;
	}
	at = (char *)(((uintptr_t)at + step - 1) & ~(step - 1));
	if (madvise(at, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)) {
		failed_libc(r, "madvise");
		return NULL;
	}
	return at;
}

void raise_limits(void)
{
	static const int which[] = { RLIMIT_NPROC, RLIMIT_SIGPENDING };
	struct rlimit files = { 200000, 200000 }, none = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_NOFILE, &files);
	for (size_t i = 0; i < sizeof which / sizeof *which; i++)
		setrlimit((__rlimit_resource_t)which[i], &none);
}

long make_process(struct run *r, void (*body)(long arg), long arg)
{
	pid_t pid = fork();

	if (pid == 0) {
		body(arg);
		_exit(0);
	}
	return pid < 0 ? failed_libc(r, "fork") : pid;
}

pid_t vfork_exit(int status)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(status);
	return pid;
}
