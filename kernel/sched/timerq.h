#pragma once

/* Timers in the order of their expiry. Pure; the lock is the caller's. */

#include "lib/rbtree.h"
#include "sched/timer.h"

struct timerq {
	struct rbtree tree;
	struct rbnode *first; /* the earliest; NULL: empty */
};

void timerq_init(struct timerq *q);
bool timerq_insert(struct timerq *q,
		   struct timer *t); /* true: t is now the earliest. Equal times: first come */
void timerq_remove(struct timerq *q, struct timer *t);

static inline struct timer *timerq_first(const struct timerq *q)
{
	return q->first ? rb_entry(q->first, struct timer, node) : NULL;
}
