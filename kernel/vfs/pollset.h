#pragma once

/* What poll(2) and select(2) wait on: their state lives on the caller's stack, larger sets in
 * chunks. */

#include "sched/wait.h"
#include "vfs/poll.h"

enum { POLL_INLINE = 4, POLL_CHUNK = 60 };

struct pollset;

struct poll_wait {
	struct waiter waiter;
	struct pollset *set;
	struct waitq *queue;
	uint32_t interest;
};

struct poll_chunk {
	struct poll_chunk *next;
	unsigned n;
	struct poll_wait wait[POLL_CHUNK];
};

struct pollset {
	struct poll_ctx ctx;
	_Atomic bool triggered; /* some queue was woken since the last scan */
	unsigned ninline;
	struct poll_chunk *chunks;
	struct poll_wait first[POLL_INLINE];
};

/*
 * The caller scans its files with pollset_check(); when none is ready it calls pollset_arm(), scans
 * once more (that registers), and then alternates pollset_sleep() and scans.
 */
void pollset_init(struct pollset *s);
void pollset_fini(struct pollset *s); /* leaves every queue; before any of the files is put */
uint32_t pollset_check(struct pollset *s, struct file *f,
		       uint32_t interest); /* ready bits of interest|ERR|HUP */
void pollset_arm(struct pollset *s);

/* 0: look again; -ETIMEDOUT; -ERESTARTSYS. Allocation failure of a scan is in s->ctx.error. */
MUST_CHECK int pollset_sleep(struct pollset *s, nsec_t deadline);
