/*
 * Messages: the memory that data is in between send and receive. Few bytes lie behind the header;
 * more in blocks of pages, all of one order, so that byte n is found by shifting. A message is
 * charged to its sender with about what it takes of memory, until it is freed; a sender that has
 * come below a quarter of its limit is told that it may write again.
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "core/epoch.h"
#include "net/filter.h"
#include "net/unix/unix_priv.h"
#include "pmm/page.h"
#include "pmm/slab.h"

static size_t block_bytes(const struct unix_msg *m)
{
	return PAGE_SIZE << m->order;
}

static void *inline_bytes(const struct unix_msg *m)
{
	return (void *)(uintptr_t)m->block;
}

static void free_blocks(struct unix_msg *m)
{
	for (unsigned i = 0; i < m->nblocks; i++)
		page_free(m->block[i], m->order);
}

/* Header and room for len bytes in blocks of that order. NULL: no memory. */
static struct unix_msg *alloc_blocks(uint32_t len, unsigned order)
{
	uint32_t n = (uint32_t)DIV_ROUND_UP(len, PAGE_SIZE << order);
	struct unix_msg *m = kmalloc(sizeof(*m) + n * sizeof(m->block[0]));

	if (m == NULL)
		return NULL;
	m->order = (uint8_t)order;
	for (m->nblocks = 0; m->nblocks < n; m->nblocks++) {
		m->block[m->nblocks] = page_alloc(order, PAGE_KERNEL, 0);
		if (m->block[m->nblocks] == NULL) {
			free_blocks(m);
			kfree(m);
			return NULL;
		}
	}
	m->weight = UNIX_OVERHEAD + n * (uint32_t)(PAGE_SIZE << order);
	return m;
}

/* The smallest order that takes it in one block, as far as blocks go; single pages when memory is
 * in pieces. */
static NOINLINE struct unix_msg *alloc_large(uint32_t len)
{
	unsigned order = 0;
	struct unix_msg *m;

	while (order < UNIX_BLOCK_ORDER && len > PAGE_SIZE << order)
		order++;
	m = alloc_blocks(len, order);
	return m == NULL && order > 0 ? alloc_blocks(len, 0) : m;
}

static struct unix_msg *alloc_small(uint32_t len)
{
	struct unix_msg *m = kmalloc(sizeof(*m) + len);

	if (m == NULL)
		return NULL;
	m->nblocks = 0;
	m->weight = UNIX_OVERHEAD + (len & ~255u);
	return m;
}

static size_t fill(struct unix_msg *m, struct uio *u)
{
	size_t done = 0, n;

	if (LIKELY(m->nblocks == 0))
		return uio_get(u, inline_bytes(m), m->len);
	for (unsigned i = 0; i < m->nblocks; i++) {
		n = MIN(m->len - done, block_bytes(m));
		if (uio_get(u, page_va(m->block[i]), n) < n)
			break;
		done += n;
	}
	return done;
}

int unix_msg_create(struct unix_sock *sender, struct uio *u, uint32_t len, struct unix_msg **out)
{
	struct unix_msg *m = len <= UNIX_INLINE ? alloc_small(len) : alloc_large(len);

	if (m == NULL)
		return -ENOBUFS;
	list_init(&m->node);
	m->len = len;
	m->off = 0;
	m->urgent = m->has_cred = false;
	m->rights = NULL;
	if (UNLIKELY(len > 0 && fill(m, u) < len)) {
		free_blocks(m);
		kfree(m);
		return -EFAULT;
	}
	m->sender = sender;
	unix_get(sender);
	atomic_fetch_add_explicit(&sender->wmem, m->weight, memory_order_relaxed);
	*out = m;
	return 0;
}

static const void *block_of(const void *ctx, uint32_t block)
{
	const struct unix_msg *m = ctx;

	return m->nblocks ? page_va(m->block[block]) : inline_bytes(m);
}

bool unix_msg_passes(struct unix_msg *m, const struct unix_sock *to)
{
	struct filter_bytes b = { .at = block_of,
				  .ctx = m,
				  .n = m->len,
				  .block = m->nblocks ? (uint32_t)block_bytes(m) : UINT32_MAX };
	uint32_t keep;

	if (LIKELY(!atomic_load_explicit(&to->s.filter, memory_order_relaxed)))
		return true;
	epoch_enter();
	keep = socket_filter_bytes(&to->s, &b);
	epoch_exit();
	m->len = MIN(m->len, keep);
	return keep != 0;
}

void unix_msg_free(struct unix_msg *m)
{
	struct unix_sock *u = m->sender;
	uint32_t before = atomic_fetch_sub_explicit(&u->wmem, m->weight, memory_order_acq_rel);

	/* Only the step over the limit is news. */
	if (UNLIKELY(before * 4ull > u->s.sndbuf) && unix_is_writable(u))
		socket_wake(&u->s, &u->s.writable, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	unix_put(u);
	if (m->rights != NULL)
		unix_rights_free(m->rights);
	free_blocks(m);
	kfree(m);
}

void unix_msgs_free(struct list *l)
{
	while (!list_is_empty(l)) {
		struct unix_msg *m = list_first(l, struct unix_msg, node);

		list_remove(&m->node);
		unix_msg_free(m);
	}
}

size_t unix_msg_read(const struct unix_msg *m, uint32_t off, struct uio *u, size_t n)
{
	size_t done = 0;

	if (LIKELY(m->nblocks == 0))
		return uio_put(u, (char *)inline_bytes(m) + off, n);
	while (done < n) {
		size_t at = (off + done) & (block_bytes(m) - 1);
		size_t part = MIN(n - done, block_bytes(m) - at);
		struct page *p = m->block[(off + done) >> (PAGE_SHIFT + m->order)];
		size_t got = uio_put(u, (char *)page_va(p) + at, part);

		done += got;
		if (got < part)
			break;
	}
	return done;
}
