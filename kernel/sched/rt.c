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
	q->deadlines = (struct rbtree)RBTREE_INIT(NULL);
	q->earliest = UINT64_MAX;
	q->bitmap[0] = q->bitmap[1] = 0;
	q->nr = 0;
}

static struct sched_entity *entity_of(struct rbnode *n)
{
	return rb_entry(n, struct sched_entity, node);
}

static void note_earliest(struct rt_queue *q)
{
	struct rbnode *n = rb_first(&q->deadlines);

	q->earliest = n ? (uint64_t)entity_of(n)->dl.until : UINT64_MAX;
}

static void insert_by_deadline(struct rt_queue *q, struct sched_entity *se)
{
	struct rbnode *parent = NULL, **link = &q->deadlines.root;

	while (*link) {
		parent = *link;
		link = se->dl.until < entity_of(parent)->dl.until ? &parent->left : &parent->right;
	}
	rb_insert(&q->deadlines, &se->node, parent, link);
	note_earliest(q);
}

void rt_enqueue(struct rt_queue *q, struct sched_entity *se, bool at_head)
{
	if (se->rt_prio == RT_DEADLINE)
		insert_by_deadline(q, se);
	else if (at_head)
		list_add_head(&q->queue[se->rt_prio], &se->rt_node);
	else
		list_add_tail(&q->queue[se->rt_prio], &se->rt_node);
	q->bitmap[se->rt_prio / 64] |= 1ull << se->rt_prio % 64;
	q->nr++;
	se->queued = true;
}

void rt_dequeue(struct rt_queue *q, struct sched_entity *se)
{
	bool empty;

	if (se->rt_prio == RT_DEADLINE) {
		rb_remove(&q->deadlines, &se->node);
		note_earliest(q);
		empty = q->deadlines.root == NULL;
	} else {
		list_remove(&se->rt_node);
		empty = list_is_empty(&q->queue[se->rt_prio]);
	}
	if (empty)
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

uint64_t rt_top_urgency(const struct rt_queue *q)
{
	int prio = rt_top_prio(q);

	return prio == RT_DEADLINE ? UINT64_MAX - q->earliest : (uint64_t)prio;
}

struct sched_entity *rt_first(const struct rt_queue *q)
{
	int prio = rt_top_prio(q);

	if (UNLIKELY(prio == RT_DEADLINE))
		return entity_of(rb_first(&q->deadlines));
	return prio ? list_first(&q->queue[prio], struct sched_entity, rt_node) : NULL;
}
