#pragma once

/* What the tests of seccomp(2) share: filters about one system call. */

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define NR_OFFSET     offsetof(struct seccomp_data, nr)
#define ARCH_OFFSET   offsetof(struct seccomp_data, arch)
#define ARG_OFFSET(i) (offsetof(struct seccomp_data, args) + (i) * 8)

static inline void no_new_privs(void)
{
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static inline long load_filter(unsigned flags, struct sock_filter *f, unsigned n)
{
	struct sock_fprog p = { .len = (unsigned short)n, .filter = f };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

/* The verdict on nr is `ret`; all others are allowed. */
static inline long filter_call(unsigned flags, long nr, unsigned ret)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, ret),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return load_filter(flags, f, 4);
}

/* In a child: what fn makes of it, as wait(2) tells. */
static inline int status_of(void (*fn)(void))
{
	pid_t p = fork();
	int status;

	CHECK_OK(p);
	if (p == 0) {
		fn();
		_exit(0);
	}
	CHECK_EQ(waitpid(p, &status, 0), p);
	return status;
}

/* The number behind `key` of a /proc file; -1: it is not there. */
static inline long proc_field(const char *path, const char *key)
{
	char line[512];
	long v = -1;
	FILE *f = fopen(path, "r");

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			v = strtol(line + strlen(key), NULL, 0);
	fclose(f);
	return v;
}
