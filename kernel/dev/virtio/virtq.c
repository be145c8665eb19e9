/*
 * Split queues. Memory is one block in the layout of legacy devices (descriptors, available ring,
 * used ring at the next page), which 1.x devices take as well. Which descriptors belong together,
 * and which are free, stands in memory of our own: what a device writes cannot lead us astray. With
 * EVENT_IDX both sides say by index when they want to hear of news; otherwise by flag.
 *
 * The orders that matter: a chain is written before the index that offers it; the device's wish is
 * read after that index is visible; a used element is read after the index that announces it. Where
 * a look says that nothing is to be done it is repeated behind arch_device_fence(): what is missed
 * there is missed for ever, for both sides speak up when an index passes, not while it lies behind.
 */

#include <arch/cpu.h>
#include <arch/page.h>

#include "abi/errno.h"
#include "core/panic.h"
#include "dev/virtio/virtio.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "pmm/slab.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };

static uint16_t load16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store16(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* True when an index that went from `before` to `now` has passed `event` (2.7.10). */
static bool passed(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

static int alloc_rings(struct virtq *q)
{
	size_t n = q->size, first = n * sizeof(struct virtq_desc) + 6 + 2 * n;
	size_t total = page_round_up(first) + 6 + n * sizeof(struct virtq_used_element);
	uint8_t *va;

	q->order = 0;
	while (PAGE_SIZE << q->order < total)
		q->order++;
	if (!(q->memory = page_alloc(q->order, PAGE_KERNEL, ALLOC_ZERO)))
		return -ENOMEM;
	if (!(q->chain = kcalloc(n, sizeof(*q->chain)))) {
		page_free(q->memory, q->order);
		return -ENOMEM;
	}
	va = page_va(q->memory);
	q->desc = (void *)va;
	q->avail = (void *)(va + n * sizeof(struct virtq_desc));
	q->used = (void *)(va + page_round_up(first));
	q->used_event = &q->avail->ring[n];
	q->avail_event = (uint16_t *)&q->used->ring[n];
	for (unsigned i = 0; i < n; i++)
		q->chain[i].next = (uint16_t)(i + 1);
	q->nfree = (uint16_t)n;
	return 0;
}

int virtq_start(struct virtq *q, struct virtio_device *d, unsigned index, unsigned max,
		virtq_callback_t *callback, void *ctx)
{
	unsigned size = d->transport->queue_size(d, index);
	int err;

	if (size == 0)
		return -ENODEV;
	while (!d->legacy && size > max) /* legacy devices have one size */
		size /= 2;
	*q = (struct virtq){ .device = d, .index = index, .size = size };
	q->callback = callback;
	q->ctx = ctx;
	q->event_idx = virtio_has(d, VIRTIO_F_RING_EVENT_IDX);
	if ((err = alloc_rings(q)))
		return err;
	if ((err = d->transport->queue_start(d, q))) {
		kfree(q->chain);
		page_free(q->memory, q->order);
	}
	return err;
}

bool virtq_add(struct virtq *q, const struct virtq_segment *s, unsigned nread, unsigned n,
	       void *token)
{
	uint16_t at = q->free_head, head = at;

	if (n > q->nfree)
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct virtq_desc *d = &q->desc[at];

		d->address = s[i].address;
		d->bytes = s[i].bytes;
		d->flags = (uint16_t)((i + 1 < n ? DESC_NEXT : 0) | (i < nread ? 0 : DESC_WRITE));
		at = q->chain[at].next;
		d->next = at;
	}
	q->chain[head].token = token;
	q->chain[head].n = (uint16_t)n;
	q->avail->ring[q->avail_next & (q->size - 1)] = head;
	q->free_head = at;
	q->nfree = (uint16_t)(q->nfree - n);
	store16(&q->avail->index, ++q->avail_next);
	return true;
}

/* Does the device want to hear of what was offered since `before`? */
static bool is_wanted(const struct virtq *q, uint16_t before)
{
	if (q->event_idx)
		return passed(load16(q->avail_event), q->avail_next, before);
	return !(load16(&q->used->flags) & USED_NO_NOTIFY);
}

void virtq_kick(struct virtq *q)
{
	uint16_t before = q->kicked;

	if (before == q->avail_next)
		return;
	q->kicked = q->avail_next;
	if (!is_wanted(q, before)) {
		arch_device_fence();
		if (!is_wanted(q, before))
			return;
	}
	if (q->notify16)
		*q->notify16 = (uint16_t)q->index;
	else
		*q->notify32 = q->index;
}

static void free_chain(struct virtq *q, uint16_t head)
{
	uint16_t at = head;

	for (unsigned i = 1; i < q->chain[head].n; i++)
		at = q->chain[at].next;
	q->chain[at].next = q->free_head;
	q->free_head = head;
	q->nfree = (uint16_t)(q->nfree + q->chain[head].n);
}

void *virtq_take(struct virtq *q, uint32_t *bytes)
{
	struct virtq_used_element e;
	void *token;

	while (q->used_next != load16(&q->used->index)) {
		/* Read once: it is the device's memory, and its word. */
		e.id = __atomic_load_n(&q->used->ring[q->used_next & (q->size - 1)].id,
				       __ATOMIC_RELAXED);
		e.bytes = q->used->ring[q->used_next & (q->size - 1)].bytes;
		q->used_next++;
		if (e.id >= q->size || !(token = q->chain[e.id].token))
			continue; /* nothing that it was given */
		*bytes = e.bytes;
		q->chain[e.id].token = NULL;
		free_chain(q, (uint16_t)e.id);
		return token;
	}
	return NULL;
}

void virtq_disable(struct virtq *q)
{
	if (q->event_idx)
		store16(q->used_event, (uint16_t)(q->used_next - 1)); /* half a circle away */
	else
		store16(&q->avail->flags, AVAIL_NO_INTERRUPT);
}

static bool has_used_beyond(const struct virtq *q, uint16_t event)
{
	return (uint16_t)(load16(&q->used->index) - q->used_next) >
	       (uint16_t)(event - q->used_next);
}

static bool enable_at(struct virtq *q, uint16_t event)
{
	if (q->event_idx)
		store16(q->used_event, event);
	else
		store16(&q->avail->flags, 0);
	if (has_used_beyond(q, event))
		return false;
	arch_device_fence();
	return !has_used_beyond(q, event);
}

bool virtq_enable(struct virtq *q)
{
	return enable_at(q, q->used_next);
}

bool virtq_enable_delayed(struct virtq *q)
{
	uint16_t in_flight = (uint16_t)(q->avail_next - q->used_next);

	return enable_at(q, (uint16_t)(q->used_next + (q->event_idx ? in_flight * 3 / 4 : 0)));
}
