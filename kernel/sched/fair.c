/*
 * The fair class.
 *
 * Virtual time of an entity advances by ns * 1024 / weight while it runs. The queue's virtual time
 * V is the average of all vruntimes, weighted; an entity is eligible when it has had no more than
 * its share (vruntime <= V). Each asks for slices of FAIR_SLICE and has the virtual deadline by
 * which it should have got the present one; the eligible one with the earliest deadline runs. So
 * the long-run share follows the weight and the latency the slice.
 *
 * The tree is ordered by vruntime and knows the earliest deadline of every subtree: eligible
 * entities are a prefix of it, and the earliest deadline of a prefix is found on one way down. V
 * needs no walk: `sum` and `weight` are kept, relative to `base`, which follows V so that the
 * products stay small.
 *
 * Leaving the queue, an entity keeps its lag V - vruntime, and comes back at V - lag. A sleeper
 * gains lag for the time it slept, FAIR_CREDIT at most: it runs soon after waking, and cannot save
 * up more.
 */
#include "sched/fair.h"

/* 1024 / 1.25^nice, rounded: one step of nice is about a tenth of the CPU between two threads. */
static const uint32_t weights[40] = {
	88818, 71054, 56843, 45475, 36380, 29104, 23283, 18626, 14901, 11921,
	9537,  7629,  6104,  4883,  3906,  3125,  2500,  2000,  1600,  1280,
	1024,  819,   655,   524,   419,   336,   268,   215,   172,   137,
	110,   88,    70,    56,    45,    36,    29,    23,    18,    15,
};

static struct sched_entity *entity_of(struct rbnode *n)
{
	return rb_entry(n, struct sched_entity, node);
}

static bool before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

static bool update_deadline(struct rbnode *n)
{
	struct sched_entity *se = entity_of(n);
	uint64_t min = se->vdeadline, old = se->min_vdeadline;

	if (n->left && before(entity_of(n->left)->min_vdeadline, min))
		min = entity_of(n->left)->min_vdeadline;
	if (n->right && before(entity_of(n->right)->min_vdeadline, min))
		min = entity_of(n->right)->min_vdeadline;
	se->min_vdeadline = min;
	return min != old;
}

void fair_init(struct fair_queue *q)
{
	*q = (struct fair_queue){ .tree = RBTREE_INIT(update_deadline) };
}

uint32_t fair_weight(int nice)
{
	return weights[nice + 20];
}

static inline uint64_t scale(nsec_t ns, uint32_t weight)
{
	if (weight == FAIR_WEIGHT_0)
		return (uint64_t)ns;
	return (uint64_t)ns * FAIR_WEIGHT_0 / weight;
}

static inline int64_t key(const struct fair_queue *q, const struct sched_entity *se)
{
	return (int64_t)(se->vruntime - q->base);
}

/* V, rounded down: the entity with the least vruntime is always eligible. */
static uint64_t average(const struct fair_queue *q)
{
	int64_t sum = q->sum, weight = (int64_t)q->weight;

	if (q->curr) {
		if (q->nr == 0)
			return q->curr->vruntime;
		sum += key(q, q->curr) * q->curr->weight;
		weight += q->curr->weight;
	}
	if (weight == 0)
		return q->base;
	return q->base + (uint64_t)(sum >= 0 ? sum / weight : -((-sum + weight - 1) / weight));
}

/* Moves the origin of the keys to v. */
static void rebase(struct fair_queue *q, uint64_t v)
{
	q->sum -= (int64_t)(v - q->base) * (int64_t)q->weight;
	q->base = v;
}

static void tree_insert(struct fair_queue *q, struct sched_entity *se)
{
	struct rbnode *parent = NULL, **link = &q->tree.root;

	while (*link) {
		parent = *link;
		link = before(se->vruntime, entity_of(parent)->vruntime) ? &parent->left
									 : &parent->right;
	}
	if (LIKELY(!parent)) {
		/* Alone, as most often: a black root. */
		se->node = (struct rbnode){ .parent_color = 1 };
		q->tree.root = &se->node;
		se->min_vdeadline = se->vdeadline;
	} else {
		rb_insert(&q->tree, &se->node, parent, link);
	}
	q->sum += key(q, se) * se->weight;
	q->weight += se->weight;
	q->nr++;
	se->queued = true;
}

static void tree_remove(struct fair_queue *q, struct sched_entity *se)
{
	if (LIKELY(q->nr == 1))
		q->tree.root = NULL;
	else
		rb_remove(&q->tree, &se->node);
	q->sum -= key(q, se) * se->weight;
	q->weight -= se->weight;
	q->nr--;
	se->queued = false;
}

/* What an entity that comes (back) is owed: its lag, and for sleeping, within limits. */
static int64_t lag_on_entry(const struct sched_entity *se, nsec_t slept)
{
	int64_t slice = (int64_t)scale(FAIR_SLICE, se->weight),
		credit = (int64_t)scale(FAIR_CREDIT, se->weight);
	int64_t lag = (int64_t)se->vruntime;

	lag = MAX(lag, -slice);
	if (slept > 0)
		lag += (int64_t)scale(MIN(slept, FAIR_SLICE + FAIR_CREDIT), se->weight);
	return MIN(lag, credit);
}

void fair_enqueue(struct fair_queue *q, struct sched_entity *se, enum fair_how how, nsec_t slept)
{
	uint64_t v = average(q), slice = scale(FAIR_SLICE, se->weight);

	rebase(q, v);
	if (how == FAIR_NEW)
		se->vruntime = v; /* with a whole slice: its creator goes on */
	else
		se->vruntime = v - (uint64_t)lag_on_entry(se, how == FAIR_WAKE ? slept : 0);
	se->vdeadline = se->vruntime + slice;
	tree_insert(q, se);
}

void fair_dequeue(struct fair_queue *q, struct sched_entity *se)
{
	uint64_t v = average(q);

	if (q->curr == se)
		q->curr = NULL;
	else
		tree_remove(q, se);
	/* An empty queue keeps its time. */
	rebase(q, v);
	se->vruntime = v - se->vruntime;
}

bool fair_charge(struct fair_queue *q, nsec_t ns)
{
	struct sched_entity *se = q->curr;

	se->vruntime += scale(ns, se->weight);
	if (before(se->vruntime, se->vdeadline))
		return false;
	se->vdeadline = se->vruntime + scale(FAIR_SLICE, se->weight);
	return q->nr > 0;
}

/* The entity of the subtree n with the subtree's earliest deadline. */
static struct sched_entity *earliest_in(struct rbnode *n)
{
	for (;;) {
		struct sched_entity *se = entity_of(n);

		if (n->left && entity_of(n->left)->min_vdeadline == se->min_vdeadline)
			n = n->left;
		else if (se->vdeadline == se->min_vdeadline)
			return se;
		else
			n = n->right;
	}
}

/* The eligible entity of the tree with the earliest deadline; NULL: none is eligible. */
static struct sched_entity *best_queued(const struct fair_queue *q, uint64_t v)
{
	struct rbnode *n = q->tree.root, *subtree = NULL;
	struct sched_entity *best = NULL;

	while (n) {
		struct sched_entity *se = entity_of(n);

		if (before(v, se->vruntime)) {
			n = n->left;
			continue;
		}
		/* All of the left subtree is eligible, and so is n. */
		if (n->left && (!subtree || before(entity_of(n->left)->min_vdeadline,
						   entity_of(subtree)->min_vdeadline)))
			subtree = n->left;
		if (!best || before(se->vdeadline, best->vdeadline))
			best = se;
		n = n->right;
	}
	if (subtree && !before(best->vdeadline, entity_of(subtree)->min_vdeadline))
		return earliest_in(subtree);
	return best;
}

struct sched_entity *fair_pick(struct fair_queue *q, bool skip_curr)
{
	struct sched_entity *curr = q->curr, *best;
	uint64_t v;

	if (q->nr == 0)
		return curr;
	if (q->nr == 1 && !curr) {
		best = entity_of(q->tree.root);
		tree_remove(q, best);
		return q->curr = best;
	}
	v = average(q);
	best = best_queued(q, v);
	if (curr && !skip_curr && !before(v, curr->vruntime) &&
	    (!best || !before(best->vdeadline, curr->vdeadline)))
		return curr;
	if (!best)
		best = entity_of(rb_first(&q->tree));
	tree_remove(q, best);
	if (curr)
		tree_insert(q, curr);
	q->curr = best;
	return best;
}

void fair_set_curr(struct fair_queue *q, struct sched_entity *se)
{
	tree_remove(q, se);
	q->curr = se;
}

void fair_put_back(struct fair_queue *q)
{
	struct sched_entity *curr = q->curr;

	if (curr) {
		q->curr = NULL;
		tree_insert(q, curr);
	}
}

bool fair_should_preempt(const struct fair_queue *q, const struct sched_entity *se)
{
	const struct sched_entity *curr = q->curr;

	return curr && before(se->vdeadline + scale(FAIR_GRAIN, se->weight), curr->vdeadline) &&
	       !before(average(q), se->vruntime);
}

struct sched_entity *fair_last(const struct fair_queue *q)
{
	struct rbnode *n = rb_last(&q->tree);

	return n ? entity_of(n) : NULL;
}

struct sched_entity *fair_prev(const struct sched_entity *se)
{
	struct rbnode *n = rb_prev(&se->node);

	return n ? entity_of(n) : NULL;
}
