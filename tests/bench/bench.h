/*
 * A row of the table is one operation: `setup` prepares, `op` does it r->n times and checks every
 * result. Each row runs in a process of its own, which may leave everything behind: it is thrown
 * away.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch.h"

struct run {
	uint64_t n;     /* rounds to do */
	uint64_t away;  /* ticks spent on what is not the operation: see leave() */
	uint64_t left;  /* when leave() was called */
	long arg;       /* the row's */
	int error;      /* errno, 0: a result was wrong */
	char what[200]; /* what failed */
};

struct row {
	const char *name;
	int (*setup)(struct run *r); /* may be NULL */
	int (*op)(struct run *r);    /* both: 0, or -1 after failed() */
	long arg;
	unsigned per; /* operations in one round; 0 means 1 */
};

/* Ended by an entry without a name. */
extern const struct row call_rows[], file_rows[], ipc_rows[], net_rows[], tcp_rows[], udp_rows[], task_rows[],
	mm_rows[], growth_rows[];

extern char self_path[]; /* the program itself, to be executed */

/* The servers of the rows that a client outside drives (serve.c); `ports` of others to wait for. */
int serve(int count, char **ports);

/* Notes what went wrong: a negative `got` is an errno, anything else a wrong result. Returns -1. */
int failed(struct run *r, long got, const char *what);
/* The same for libc calls, which leave the reason in errno. */
int failed_libc(struct run *r, const char *what);

/* Between leave() and back() nothing is measured, nor profiled. */
void leave(struct run *r);
void back(struct run *r);

/* Returns from the function unless the raw call gave just this. */
#define WANT(r, want, call)                              \
	do {                                             \
		long got_ = (long)(call);                \
		if (__builtin_expect(got_ != (want), 0)) \
			return failed(r, got_, #call);   \
	} while (0)

/* The same for a libc call; anything but a negative result is good. */
#define TRY(r, call)                                  \
	do {                                          \
		if ((long)(call) < 0)                 \
			return failed_libc(r, #call); \
	} while (0)

/* Makes a file of `size` bytes whose byte at i is (char)(i / 512 + i). Returns 0, or -1 after
 * failed(). */
int make_file(struct run *r, const char *path, size_t size);
/* True if `data` is what make_file wrote at `offset`. */
int is_file_data(const char *data, size_t size, size_t offset);
/* Anonymous memory, aligned to 2 MiB; `huge`: MADV_HUGEPAGE, else MADV_NOHUGEPAGE. NULL after
 * failed(). */
char *make_memory(struct run *r, size_t size, int huge);
/* Raises a resource limit to what a growth row needs. Ignores what cannot be had. */
void raise_limits(void);
/* Forks a process that runs `body(arg)` and exits; its id, or -1 after failed(). */
long make_process(struct run *r, void (*body)(long arg), long arg);
/* A child that only exits, with `status`; its id, or -1 and errno. */
pid_t vfork_exit(int status);
