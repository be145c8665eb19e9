#pragma once

/*
 * The fair class: earliest eligible virtual deadline first. Pure: times come as arguments, the
 * caller owns the entities and the lock. One queue per CPU.
 *   source       Stoica & Abdel-Wahab, Earliest Eligible Virtual Deadline First (1995)
 */

#include "lib/rbtree.h"
#include "sched/entity.h"

enum {
	FAIR_WEIGHT_0 = 1024, /* of nice 0 */
	FAIR_WEIGHT_IDLE = 3, /* of SCHED_IDLE */
};
#define FAIR_SLICE  (4 * NSEC_PER_MSEC) /* one request at nice 0 */
#define FAIR_CREDIT (3 * NSEC_PER_MSEC) /* what a sleeper may be ahead by when it wakes */
#define FAIR_GRAIN  (NSEC_PER_MSEC / 4) /* a waker is not preempted for less */

struct fair_queue {
	struct rbtree tree;        /* runnable entities without `curr` */
	struct sched_entity *curr; /* the running one when it is of this class, else NULL */
	uint64_t base;             /* origin of the keys in `sum` */
	int64_t sum;               /* of weight * (vruntime - base) over the tree */
	uint64_t weight;           /* of the tree */
	unsigned nr;               /* entities in the tree */
};

enum fair_how { FAIR_NEW, FAIR_WAKE, FAIR_MOVE };

void fair_init(struct fair_queue *q);
uint32_t fair_weight(int nice); /* nice: -20 … 19 */

/* Puts se into the queue: for the first time, after `slept` ns, or from another queue with its
 * lag. */
void fair_enqueue(struct fair_queue *q, struct sched_entity *se, enum fair_how how, nsec_t slept);

/* Takes se, queued or running, out; it keeps its lag. */
void fair_dequeue(struct fair_queue *q, struct sched_entity *se);

/* The running entity has used ns of CPU. True: its request is served, and others wait. */
bool fair_charge(struct fair_queue *q, nsec_t ns);

/*
 * Chooses who runs next and makes it `curr`; the present curr (still runnable) competes and goes
 * back to the tree if it loses.
 *   skip_curr    curr yields: another one, if there is any
 *   returns      NULL: nobody
 */
struct sched_entity *fair_pick(struct fair_queue *q, bool skip_curr);

/* se, queued, is the running entity; there is no curr. */
void fair_set_curr(struct fair_queue *q, struct sched_entity *se);

/* curr goes back to the tree: somebody of a higher class runs instead. */
void fair_put_back(struct fair_queue *q);

/* Should se, just queued, run instead of curr at once? */
bool fair_should_preempt(const struct fair_queue *q, const struct sched_entity *se);

/* The queued entity that will run last, or the next before it: for stealing. */
struct sched_entity *fair_last(const struct fair_queue *q);
struct sched_entity *fair_prev(const struct sched_entity *se);
