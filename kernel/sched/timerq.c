/* Timers in a red-black tree by expiry, with the earliest at hand: O(log n) at any number of
 * them. */
#include "sched/timerq.h"

void timerq_init(struct timerq *q)
{
	*q = (struct timerq){ .tree = RBTREE_INIT(NULL) };
}

bool timerq_insert(struct timerq *q, struct timer *t)
{
	struct rbnode *parent = NULL, **link = &q->tree.root;
	bool earliest = true;

	while (*link) {
		parent = *link;
		if (t->expires < rb_entry(parent, struct timer, node)->expires) {
			link = &parent->left;
		} else {
			link = &parent->right;
			earliest = false;
		}
	}
	rb_insert(&q->tree, &t->node, parent, link);
	if (earliest)
		q->first = &t->node;
	return earliest;
}

void timerq_remove(struct timerq *q, struct timer *t)
{
	if (q->first == &t->node)
		q->first = rb_next(&t->node);
	rb_remove(&q->tree, &t->node);
}
