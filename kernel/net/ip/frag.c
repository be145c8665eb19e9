/* Fragments. See frag.h. Queues have a fixed life from the first fragment, so that the list in the
 * order of arrival is the order of deadlines for each family; IPv6's are twice as long, and a queue
 * that is looked at too late by that much does no harm: the table is bounded by bytes. */
#include "net/ip/frag.h"

#include "abi/errno.h"

enum { ECN_NOT = 1 << 0, ECN_1 = 1 << 1, ECN_0 = 1 << 2, ECN_CE = 1 << 3 };

void frag_table_init(struct frag_table *t, const struct siphash_key *key, uint64_t limit)
{
	for (unsigned i = 0; i < FRAG_BUCKETS; i++)
		list_init(&t->bucket[i]);
	list_init(&t->oldest);
	t->key = *key;
	t->bytes = 0;
	t->limit = limit;
}

static struct list *bucket_of(const struct frag_table *t, const struct frag_key *key)
{
	uint64_t h = siphash(&t->key, key, sizeof(*key));

	return (struct list *)&t->bucket[h % FRAG_BUCKETS];
}

struct frag_queue *frag_find(const struct frag_table *t, const struct frag_key *key)
{
	struct list *b = bucket_of(t, key);
	struct frag_queue *q;

	list_for_each (q, b, in_bucket)
		if (memcmp(&q->key, key, sizeof(*key)) == 0)
			return q;
	return NULL;
}

void frag_insert(struct frag_table *t, struct frag_queue *q, const struct frag_key *key, bool v6,
		 nsec_t now)
{
	*q = (struct frag_queue){ .key = *key, .v6 = v6 };
	q->deadline = now + (v6 ? FRAG_TIMEOUT6_NS : FRAG_TIMEOUT4_NS);
	list_add_head(bucket_of(t, key), &q->in_bucket);
	list_add_tail(&t->oldest, &q->by_age);
}

void frag_remove(struct frag_table *t, struct frag_queue *q)
{
	t->bytes -= q->bytes;
	list_remove(&q->in_bucket);
	list_remove(&q->by_age);
}

struct frag_queue *frag_overdue(const struct frag_table *t, nsec_t now)
{
	struct frag_queue *q;

	if (list_is_empty(&t->oldest))
		return NULL;
	q = list_first(&t->oldest, struct frag_queue, by_age);
	return now >= q->deadline || t->bytes > t->limit ? q : NULL;
}

nsec_t frag_deadline(const struct frag_table *t)
{
	if (list_is_empty(&t->oldest))
		return NSEC_MAX;
	return list_first(&t->oldest, struct frag_queue, by_age)->deadline;
}

/* Notes [start, end) among the ranges; true: the packet must go. *repeated: it was there. */
static bool note_range(struct frag_queue *q, uint32_t start, uint32_t end, bool *repeated)
{
	unsigned i = 0;
	bool joins_before, joins_after;

	while (i < q->n && q->range[i].end <= start)
		i++;
	if (i < q->n && q->range[i].start < end) {
		*repeated = q->range[i].start <= start && q->range[i].end >= end;
		return !*repeated;
	}
	joins_before = i > 0 && q->range[i - 1].end == start;
	joins_after = i < q->n && q->range[i].start == end;
	if (joins_before) {
		q->range[i - 1].end = (uint16_t)end;
		if (joins_after) {
			q->range[i - 1].end = q->range[i].end;
			memmove(&q->range[i], &q->range[i + 1],
				(q->n - i - 1u) * sizeof(q->range[0]));
			q->n--;
		}
	} else if (joins_after) {
		q->range[i].start = (uint16_t)start;
	} else {
		if (q->n == FRAG_RANGES)
			return true;
		memmove(&q->range[i + 1], &q->range[i], (q->n - i) * sizeof(q->range[0]));
		q->range[i] = (struct frag_range){ (uint16_t)start, (uint16_t)end };
		q->n++;
	}
	return false;
}

/* The end of the packet must be one place, and nothing may lie beyond. */
static bool end_contradicts(const struct frag_queue *q, uint32_t end, bool more)
{
	if (q->total)
		return end > q->total || (!more && end != q->total);
	return !more && q->n && q->range[q->n - 1].end > end;
}

enum frag_verdict frag_add(struct frag_table *t, struct frag_queue *q, uint32_t offset,
			   uint32_t len, bool more, uint8_t ecn, uint32_t charge)
{
	bool repeated = false;

	if (offset > IP_MAX_LEN || len > IP_MAX_LEN - offset)
		return FRAG_TOO_LONG;
	if ((more && len % 8) || offset % 8)
		return FRAG_BAD_LEN;
	if (len == 0 || end_contradicts(q, offset + len, more))
		return FRAG_DROP_ALL;
	if (note_range(q, offset, offset + len, &repeated))
		return FRAG_DROP_ALL;
	if (repeated)
		return FRAG_REPEATED;
	q->ecn_seen |= (uint8_t)(1u << (ecn & 3));
	q->has_first |= offset == 0;
	q->have += len;
	q->bytes += charge;
	t->bytes += charge;
	if (!more)
		q->total = offset + len;
	return q->total && q->have == q->total ? FRAG_COMPLETE : FRAG_STORE;
}

/* RFC 3168 5.3: CE if any is; a mixture with not-ECT is not allowed. */
bool frag_ecn(const struct frag_queue *q, uint8_t *ecn)
{
	uint8_t seen = q->ecn_seen;

	if (seen & ECN_NOT && seen != ECN_NOT)
		return false;
	*ecn = seen & ECN_CE ? 3 : seen & ECN_0 ? 2 : seen & ECN_1 ? 1 : 0;
	return true;
}

int frag_cut_init(struct frag_cut *c, uint32_t total, uint32_t header, uint32_t mtu)
{
	if (mtu < header + 8)
		return -EMSGSIZE;
	*c = (struct frag_cut){ .total = total, .piece = ALIGN_DOWN(mtu - header, 8u) };
	return 0;
}

bool frag_cut_next(struct frag_cut *c, uint32_t *offset, uint32_t *len, bool *more)
{
	if (c->at >= c->total)
		return false;
	*offset = c->at;
	*len = MIN(c->piece, c->total - c->at);
	c->at += *len;
	*more = c->at < c->total;
	return true;
}
