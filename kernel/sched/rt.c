/*
 * Real-time queues. The running thread is in none of them. Strict priorities; that all of them
 * together leave the others some time is runq.c's affair.
 *   source       sched(7), POSIX.1-2024 2.8.4 Process Scheduling
 */
#include "sched/rt.h"

void rt_init(struct rt_queue *q)
{
	for (unsigned i = 0; i < RT_PRIOS; i++)
		list_init(&q->queue[i]);
	q->bitmap[0] = q->bitmap[1] = 0;
	q->nr = 0;
}

void rt_enqueue(struct rt_queue *q, struct sched_entity *se, bool at_head)
{
	struct list *l = &q->queue[se->rt_prio];

	if (at_head)
		list_add_head(l, &se->rt_node);
	else
		list_add_tail(l, &se->rt_node);
	q->bitmap[se->rt_prio / 64] |= 1ull << se->rt_prio % 64;
	q->nr++;
	se->queued = true;
}

void rt_dequeue(struct rt_queue *q, struct sched_entity *se)
{
	list_remove(&se->rt_node);
	if (list_is_empty(&q->queue[se->rt_prio]))
		q->bitmap[se->rt_prio / 64] &= ~(1ull << se->rt_prio % 64);
	q->nr--;
	se->queued = false;
}

int rt_top_prio(const struct rt_queue *q)
{
	if (q->bitmap[1])
		return 127 - __builtin_clzll(q->bitmap[1]);
	return q->bitmap[0] ? 63 - __builtin_clzll(q->bitmap[0]) : 0;
}

struct sched_entity *rt_first(const struct rt_queue *q)
{
	int prio = rt_top_prio(q);

	return prio ? list_first(&q->queue[prio], struct sched_entity, rt_node) : NULL;
}
