/*
 * Packets. The linear part lies either in the packet's own room or in a received page; header
 * offsets count from the beginning of whichever it is.
 */

#include "dev/net/pkt.h"

#include "core/panic.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "pmm/slab.h"

static struct slab_cache *pkt_cache;

void pkt_init(void)
{
	pkt_cache = slab_cache_create("pkt", sizeof(struct pkt), 64, NULL);
}

struct pkt *pkt_alloc(void)
{
	struct pkt *p = slab_alloc(pkt_cache);

	if (!p)
		return NULL;
	memset(p, 0, offsetof(struct pkt, frag));
	p->data = p->room + PKT_ROOM;
	return p;
}

void pkt_free(struct pkt *p)
{
	if (!p)
		return;
	if (p->destroy)
		p->destroy(p);
	if (p->head)
		page_put(p->head);
	for (unsigned i = 0; i < p->nfrags; i++)
		page_put(p->frag[i].page);
	slab_free(pkt_cache, p);
}

void pkt_free_list(struct list *pkts)
{
	struct pkt *p, *next;

	list_for_each_safe (p, next, pkts, node) {
		list_remove(&p->node);
		pkt_free(p);
	}
}

uint8_t *pkt_base(const struct pkt *p)
{
	return p->head ? page_va(p->head) : (uint8_t *)(uintptr_t)p->room;
}

struct pkt *pkt_clone(const struct pkt *p)
{
	struct pkt *n = slab_alloc(pkt_cache);

	if (!n)
		return NULL;
	memcpy(n, p, offsetof(struct pkt, frag));
	memcpy(n->frag, p->frag, p->nfrags * sizeof(n->frag[0]));
	n->destroy = NULL;
	n->stamp = NULL;
	n->owner = NULL;
	n->charged = 0;
	KASSERT_DEBUG(p->head || (p->data >= p->room && p->data + p->linear <= p->room + PKT_ROOM));
	for (unsigned i = 0; i < n->nfrags; i++)
		page_get(n->frag[i].page);
	if (n->head) {
		page_get(n->head);
	} else {
		n->data = n->room + pkt_headroom(p);
		memcpy(n->data, p->data, p->linear);
	}
	return n;
}

bool pkt_add_frag(struct pkt *p, struct page *page, uint32_t offset, uint32_t bytes)
{
	if (p->nfrags == PKT_FRAGS)
		return false;
	p->frag[p->nfrags++] = (struct pkt_frag){ page, offset, bytes };
	p->len += bytes;
	return true;
}

/* Takes n bytes off the front of the frags. */
static void consume_frags(struct pkt *p, uint32_t n)
{
	unsigned gone = 0;

	while (gone < p->nfrags && n >= p->frag[gone].bytes) {
		n -= p->frag[gone].bytes;
		page_put(p->frag[gone++].page);
	}
	if (n) {
		p->frag[gone].offset += n;
		p->frag[gone].bytes -= n;
	}
	p->nfrags = (uint8_t)(p->nfrags - gone);
	memmove(p->frag, p->frag + gone, p->nfrags * sizeof(p->frag[0]));
}

/*
 * The n bytes, the whole linear part among them, go to the end of the room; the rest stays in its
 * pages. The network header before the data goes along, if it fits: raw sockets and ICMP errors
 * look at it.
 */
bool pkt_need_slow(struct pkt *p, uint32_t n)
{
	uint8_t bytes[PKT_ROOM];
	uint32_t rest, keep;

	if (n <= p->linear)
		return true;
	if (n > p->len || n > PKT_ROOM)
		return false;
	rest = n - p->linear;
	keep = pkt_headroom(p) - p->network;
	if (p->network > pkt_headroom(p) || keep > PKT_ROOM - n)
		keep = 0;
	memcpy(bytes, p->data - keep, keep);
	pkt_copy(p, 0, bytes + keep, n);
	consume_frags(p, rest);
	if (p->head)
		page_put(p->head);
	p->head = NULL;
	p->linear = n;
	p->data = p->room + PKT_ROOM - n;
	memcpy(p->data - keep, bytes, keep + n);
	p->network = (uint16_t)(PKT_ROOM - n - keep);
	return true;
}

bool pkt_unshare_head(struct pkt *p, uint32_t n, uint32_t room)
{
	struct page *page = p->head;
	uint32_t offset = pkt_headroom(p) + n, left = p->linear - n;

	if (!page && pkt_headroom(p) >= room)
		return true;
	if (n > p->linear || n + room > PKT_ROOM || (left && p->nfrags == PKT_FRAGS))
		return false;
	if (!page && left) { /* in the way: a page of its own */
		if (!(page = page_alloc(0, PAGE_KERNEL, 0)))
			return false;
		memcpy(page_va(page), p->data + n, left);
		offset = 0;
	}
	memmove(p->room + PKT_ROOM - n, p->data, n);
	if (left) { /* the page's count goes over to its frag */
		memmove(p->frag + 1, p->frag, p->nfrags * sizeof(p->frag[0]));
		p->frag[0] = (struct pkt_frag){ page, offset, left };
		p->nfrags++;
	} else if (page) {
		page_put(page);
	}
	p->head = NULL;
	p->data = p->room + PKT_ROOM - n;
	p->linear = n;
	return true;
}

void pkt_trim(struct pkt *p, uint32_t len)
{
	uint32_t at = p->linear;

	if (len >= p->len)
		return;
	for (unsigned i = 0, n = p->nfrags; i < n; i++) {
		uint32_t bytes = p->frag[i].bytes;

		if (at >= len) {
			page_put(p->frag[i].page);
			p->nfrags--;
		} else if (at + bytes > len) {
			p->frag[i].bytes = len - at;
		}
		at += bytes;
	}
	p->linear = MIN(p->linear, len);
	p->len = len;
}

void pkt_for_each(const struct pkt *p, uint32_t offset, uint32_t n,
		  void (*fn)(void *ctx, const uint8_t *bytes, uint32_t n), void *ctx)
{
	uint32_t run;

	if (offset < p->linear && n) {
		run = MIN(n, p->linear - offset);
		fn(ctx, p->data + offset, run);
		n -= run;
		offset = 0;
	} else {
		offset -= MIN(offset, p->linear);
	}
	for (unsigned i = 0; n && i < p->nfrags; i++) {
		const struct pkt_frag *f = &p->frag[i];

		if (offset >= f->bytes) {
			offset -= f->bytes;
			continue;
		}
		run = MIN(n, f->bytes - offset);
		fn(ctx, (const uint8_t *)page_va(f->page) + f->offset + offset, run);
		n -= run;
		offset = 0;
	}
}

static void copy_run(void *ctx, const uint8_t *bytes, uint32_t n)
{
	uint8_t **to = ctx;

	memcpy(*to, bytes, n);
	*to += n;
}

void pkt_copy(const struct pkt *p, uint32_t offset, void *to, uint32_t n)
{
	uint8_t *at = to;

	pkt_for_each(p, offset, n, copy_run, &at);
}
