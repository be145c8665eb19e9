#pragma once

/* The real-time classes: SCHED_FIFO and SCHED_RR, a queue per priority and a bitmap; above them
 * SCHED_DEADLINE, by the earliest deadline. Pure, as sched/fair.h. */

#include "sched/entity.h"

enum { RT_PRIOS = 100, RT_DEADLINE = RT_PRIOS /* rt_prio of SCHED_DEADLINE */ };
#define RT_QUANTUM (100 * NSEC_PER_MSEC) /* of SCHED_RR */

struct rt_queue {
	struct list queue[RT_PRIOS]; /* by rt_prio */
	struct rbtree deadlines;
	uint64_t earliest;  /* of them; read without the lock by other CPUs */
	uint64_t bitmap[2]; /* bit per priority: its queue is not empty */
	unsigned nr;
};

void rt_init(struct rt_queue *q);
/* at_head: it was preempted, or its priority was lowered (sched(7)). */
void rt_enqueue(struct rt_queue *q, struct sched_entity *se, bool at_head);
void rt_dequeue(struct rt_queue *q, struct sched_entity *se);
int rt_top_prio(const struct rt_queue *q); /* 0: empty */

/* What decides between two: the greater goes first. 0: not real-time at all. */
static inline uint64_t rt_urgency(const struct sched_entity *se)
{
	if (se->class != SCHED_CLASS_RT)
		return 0;
	return se->rt_prio == RT_DEADLINE ? UINT64_MAX - (uint64_t)se->dl.until : se->rt_prio;
}

uint64_t rt_top_urgency(const struct rt_queue *q);       /* of the first; 0: empty */
struct sched_entity *rt_first(const struct rt_queue *q); /* of the highest priority; NULL: empty */
