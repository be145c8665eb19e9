#pragma once

/*
 * Path resolution as a pure machine: it takes a path name apart, keeps what remains behind symbolic
 * links, and asks `ops` to move a place it knows nothing about. The kernel drives it twice, without
 * and with reference counts (walk.c), the host test over a literal tree. source path_resolution(7),
 * symlink(7), POSIX.1-2024 4.16 pathname resolution
 */

#include "lib/types.h"

enum {
	RESOLVE_LINK = 1,   /* child(): a symbolic link; the place has not moved */
	RESOLVE_JUMPED = 2, /* read_link(): a magic link, the place is its target */
	RESOLVE_PUNT = 3,   /* this machine cannot go on; ask one with more patience */
	RESOLVE_MAX_LINKS = 40,
	RESOLVE_NAME_MAX = 255,
};

/* All return 0, one of the above, or -errno, which ends the resolution and is returned. */
struct resolve_ops {
	/* Moves from the place, a directory that may be searched (-ENOTDIR, -EACCES), to its entry
	 * `name`. */
	int (*child)(void *ctx, const char *name, uint32_t len, uint32_t hash);
	int (*dot)(void *ctx);    /* stays: the same checks */
	int (*dotdot)(void *ctx); /* the same checks, then up */
	int (*root)(void *ctx);
	/* The text of the link that child() met. last: it is the end of the whole name. */
	int (*read_link)(void *ctx, bool last, const char **text);
	void (*take_link)(void *ctx); /* the link itself becomes the place */
	int (*must_be_dir)(void *ctx);
};

enum resolve_last { RESOLVE_LAST_NAME, RESOLVE_LAST_DOT, RESOLVE_LAST_DOTDOT, RESOLVE_LAST_ROOT };

struct resolve {
	const struct resolve_ops *ops;
	void *ctx;
	uint64_t seed;  /* of name_hash() */
	bool follow;    /* a symbolic link at the end */
	bool directory; /* the result must be one */
	bool parent;    /* stop before the last component and tell it */
	bool slash;     /* result: the name ends in a slash */
	unsigned nlinks, depth, max_depth;
	const char *rest;   /* of the innermost text */
	const char **stack; /* of the texts around it: max_depth entries, the caller's */
	const char *last;   /* results with `parent` */
	uint32_t last_len, last_hash;
	enum resolve_last last_kind;
};

/* Begins at the caller's place, or at the root for an absolute name. The flags above are set by the
 * caller before. */
MUST_CHECK int resolve_begin(struct resolve *r, const char *name);
/* In the middle of a name, of which the caller has done the beginning. */
void resolve_resume(struct resolve *r, const char *rest);
MUST_CHECK int resolve_run(struct resolve *r);

/* After a run with `parent` whose last component turned out to be a link (as child() would have
 * said): goes on in its text, again up to the last component. */
MUST_CHECK int resolve_follow_last(struct resolve *r);
