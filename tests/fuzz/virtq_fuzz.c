// sources: kernel/dev/virtio/virtq.c
/*
 * A virtqueue whose device does what it likes with the memory that it shares: it writes any byte of the descriptors and of
 * both rings, between any two calls. Checked: no chain comes back that is not under way, none comes back twice, the free
 * descriptors are as many as they should be, nothing outside the queue is touched, and every call ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "dev/virtio/virtio.h"
#include "pmm/page.h"
#include "pmm/slab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ORDER = 3, TOKENS = 64, CHAIN_MAX = 5 };

static void require(bool c)
{
	if (!c)
		abort();
}

/* --- what is below --- */

struct page *page_array;
static uint8_t *shared;
static size_t shared_bytes;

struct page *page_alloc(unsigned order, enum page_kind kind, unsigned flags)
{
	(void)kind, (void)flags;
	require(order <= MAX_ORDER && !shared);
	shared_bytes = PAGE_SIZE << order;
	require(!posix_memalign((void **)&shared, PAGE_SIZE, shared_bytes));
	memset(shared, 0, shared_bytes);
	return (struct page *)(uintptr_t)(((uintptr_t)shared >> PAGE_SHIFT) * sizeof(struct page));
}
void page_free(struct page *p, unsigned order)
{
	(void)p, (void)order;
}
void *kcalloc(size_t n, size_t size)
{
	return calloc(n, size);
}
void kfree(void *p)
{
	free(p);
}

void arch_device_fence(void);
void arch_device_fence(void)
{
}

static unsigned wanted_size;
static volatile uint16_t bell;

static unsigned queue_size(struct virtio_device *d, unsigned index)
{
	(void)d, (void)index;
	return wanted_size;
}
static int queue_start(struct virtio_device *d, struct virtq *q)
{
	(void)d;
	q->notify16 = &bell;
	return 0;
}

/* --- the run --- */

static struct virtq q;
static unsigned length[TOKENS]; /* of the chain with this token; 0: not under way */

static unsigned under_way(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TOKENS; i++)
		n += length[i];
	return n;
}

static void offer(uint8_t what)
{
	struct virtq_segment s[CHAIN_MAX];
	unsigned n = 1 + what % CHAIN_MAX, t = 0;

	while (t < TOKENS && length[t])
		t++;
	if (t == TOKENS)
		return;
	for (unsigned i = 0; i < n; i++)
		s[i] = (struct virtq_segment){ 4096u * i, 100 };
	if (virtq_add(&q, s, what / CHAIN_MAX % (n + 1), n, &length[t]))
		length[t] = n;
	else
		require(under_way() + n > q.size);
}

static void take(void)
{
	uint32_t bytes;
	unsigned *token = virtq_take(&q, &bytes);

	if (!token)
		return;
	require(token >= length && token < length + TOKENS && *token);
	*token = 0;
}

/* The device: a used element as it should be, or any bytes anywhere. */
static void use(uint8_t id, uint8_t bytes)
{
	uint16_t at = q.used->index;

	q.used->ring[at & (q.size - 1)].id = id;
	q.used->ring[at & (q.size - 1)].bytes = bytes;
	q.used->index = (uint16_t)(at + 1);
}

static void scribble(const uint8_t *d)
{
	size_t at = (size_t)(d[0] | d[1] << 8) * 3 % shared_bytes;

	for (unsigned i = 0; i < 4 && at + i < shared_bytes; i++)
		shared[at + i] = d[2 + i % 2];
}

static void step(const uint8_t *d)
{
	switch (d[0] % 8) {
	case 0:
	case 1:
		offer(d[1]);
		break;
	case 2:
		use(d[1], d[2]);
		break;
	case 3:
		take();
		break;
	case 4:
		scribble(d + 1);
		break;
	case 5:
		virtq_kick(&q);
		break;
	case 6:
		(void)!virtq_enable(&q);
		(void)!virtq_enable_delayed(&q);
		break;
	case 7:
		virtq_disable(&q);
		break;
	}
	require(q.nfree + under_way() == q.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct virtio_transport transport = { .queue_size = queue_size, .queue_start = queue_start };
	struct virtio_device d = { .transport = &transport };

	if (size < 2)
		return 0;
	wanted_size = 1u << (data[0] % 7);
	d.features = data[1] & 1 ? ~0ull : 0;
	require(!virtq_start(&q, &d, 0, 64, NULL, NULL));
	for (size_t at = 2; at + 5 <= size; at += 5)
		step(data + at);
	memset(length, 0, sizeof(length));
	free(q.chain);
	free(shared);
	shared = NULL;
	return 0;
}
