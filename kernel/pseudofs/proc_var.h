#pragma once

/*
 * Files of /proc/sys that are variables of the kernel: one number or several, each within limits.
 * Words are read and written without a lock: a reader sees the old value or the new one.
 */

#include "pseudofs/pseudo.h"

struct proc_var {
	void *var;
	uint8_t count;       /* of values: 1 to 4, with tabs between them */
	uint8_t bytes;       /* of each: 4 or 8 */
	bool is_unsigned;    /* 4 bytes: up to UINT32_MAX */
	int64_t least, most; /* of each */
};

/* Rows whose ptr is a struct proc_var. store: -EINVAL for what is no number or out of its limits;
 * then nothing was set. Fewer numbers than there are values set the first ones. */
int proc_var_show(struct pinode *i, struct textbuf *t);
ssize64_t proc_var_store(struct pinode *i, char *text, size_t n);

/* The next number of *text, which moves behind it; 1, 0 at the end, or -EINVAL. */
MUST_CHECK int proc_next_number(const char **text, int64_t *out);
/* The first number of text, if it is from least to most; 0, or -EINVAL. */
MUST_CHECK int proc_one_number(const char *text, int64_t least, int64_t most, int64_t *out);

#define PROC_VAR(put, n, first, values, u, lo, hi)                                      \
	{                                                                               \
		.name = n, .mode = S_IFREG | 0644, .show = proc_var_show, .store = put, \
		.ptr = &(const struct proc_var)                                         \
		{                                                                       \
			.var = &(first), .count = values, .bytes = sizeof(first),       \
			.is_unsigned = u, .least = lo, .most = hi                       \
		}                                                                       \
	}
/* An int or a long; unsigned; an array of them. */
#define PROC_INT(n, var, lo, hi)  PROC_VAR(proc_var_store, n, var, 1, false, lo, hi)
#define PROC_UINT(n, var, lo, hi) PROC_VAR(proc_var_store, n, var, 1, true, lo, hi)
#define PROC_INTS(n, var, lo, hi) \
	PROC_VAR(proc_var_store, n, (var)[0], ARRAY_SIZE(var), false, lo, hi)
/* Shown as an unsigned number, with a store of its own. */
#define PROC_VAR_STORE(n, var, put) PROC_VAR(put, n, var, 1, true, 0, 0)

/* What needs functions of its own: read only, and with a store. */
#define PROC_TEXT(n, get)                                      \
	{                                                      \
		.name = n, .mode = S_IFREG | 0444, .show = get \
	}
#define PROC_SET(n, get, put)                                                \
	{                                                                    \
		.name = n, .mode = S_IFREG | 0644, .show = get, .store = put \
	}
#define PROC_DIR(n, c)                                           \
	{                                                        \
		.name = n, .mode = S_IFDIR | 0555, .children = c \
	}
