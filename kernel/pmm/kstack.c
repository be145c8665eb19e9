/*
 * Kernel stacks.
 *
 * A stack lives in a slot of the KVA window whose lower half is never mapped, so running over the
 * end faults. Freed stacks stay mapped and are kept, linked through their lowest word: a few per
 * CPU without lock, then a common list. When that list grows beyond SPARE_MAX, kstack_trim() unmaps
 * the rest, many with one flush of the other CPUs.
 */
#include "core/percpu.h"
#include "core/spinlock.h"
#include "lib/bitmap.h"
#include "pmm/failure.h"
#include "pmm/kva.h"
#include "pmm/kva_priv.h"
#include "pmm/page.h"

enum { CPU_MAX = 8, SPARE_MAX = 64, TRIM_BATCH = 16, STACK_PAGES = KSTACK_SIZE / 4096 };

struct stack_cache {
	void *head;
	uint32_t n;
};

void (*kstack_kick_trim)(void);

static PERCPU(struct stack_cache, stack_caches);
static struct spinlock stacks_lock = SPINLOCK(KVA);
static void *spare; /* stacks_lock, as all below */
static uint32_t nspare;
static uint64_t slot_used[BITMAP_WORDS(KSTACK_SLOTS)];
static size_t slot_hint;
static _Atomic uint64_t nstacks; /* slots in use */
static _Atomic bool trim_kicked;

static kaddr_t slot_stack(size_t slot)
{
	return KSTACK_BASE + slot * KSTACK_SLOT + KSTACK_SIZE;
}

static void *pop_spare(void)
{
	void *s;

	spin_lock(&stacks_lock);
	if ((s = spare)) {
		spare = *(void **)s;
		nspare--;
	}
	spin_unlock(&stacks_lock);
	return s;
}

/* A free slot, marked used; KSTACK_SLOTS when there is none. */
static size_t slot_take(void)
{
	size_t slot;

	spin_lock(&stacks_lock);
	slot = bitmap_find_clear(slot_used, KSTACK_SLOTS, slot_hint);
	if (slot == KSTACK_SLOTS)
		slot = bitmap_find_clear(slot_used, KSTACK_SLOTS, 0);
	if (slot < KSTACK_SLOTS) {
		bitmap_set(slot_used, slot);
		slot_hint = slot + 1;
		atomic_fetch_add_explicit(&nstacks, 1, memory_order_relaxed);
	}
	spin_unlock(&stacks_lock);
	return slot;
}

static void slot_release(size_t slot)
{
	spin_lock(&stacks_lock);
	bitmap_clear(slot_used, slot);
	slot_hint = MIN(slot_hint, slot);
	atomic_fetch_sub_explicit(&nstacks, 1, memory_order_relaxed);
	spin_unlock(&stacks_lock);
}

void *kstack_alloc(void)
{
	struct stack_cache *c = &this_cpu(stack_caches);
	void *s = c->head;
	size_t slot;

	if (alloc_fails())
		return NULL;
	if (LIKELY(s)) {
		c->head = *(void **)s;
		c->n--;
		return s;
	}
	if ((s = pop_spare()))
		return s;
	if ((slot = slot_take()) == KSTACK_SLOTS)
		return NULL;
	if (kva_map_pages(slot_stack(slot), STACK_PAGES, 0)) {
		slot_release(slot);
		return NULL;
	}
	return (void *)slot_stack(slot);
}

void kstack_free(void *stack)
{
	struct stack_cache *c = &this_cpu(stack_caches);
	bool many;

	if (LIKELY(c->n < CPU_MAX)) {
		*(void **)stack = c->head;
		c->head = stack;
		c->n++;
		return;
	}
	spin_lock(&stacks_lock);
	*(void **)stack = spare;
	spare = stack;
	many = ++nspare > SPARE_MAX;
	spin_unlock(&stacks_lock);
	if (many && kstack_kick_trim &&
	    !atomic_exchange_explicit(&trim_kicked, true, memory_order_relaxed))
		kstack_kick_trim();
}

/* Unmaps up to a batch of spare stacks beyond half the maximum. False: nothing to do. */
static bool trim_batch(void)
{
	kaddr_t gone[TRIM_BATCH];
	struct page *chain = NULL;
	unsigned n;

	for (n = 0; n < TRIM_BATCH && nspare > SPARE_MAX / 2; n++) {
		if (!(gone[n] = (kaddr_t)pop_spare()))
			break;
		chain = kva_unmap_chain(gone[n], STACK_PAGES, chain);
	}
	if (n == 0)
		return false;
	kva_flush_and_free(chain);
	while (n-- > 0)
		slot_release((gone[n] - KSTACK_BASE) / KSTACK_SLOT);
	return true;
}

void kstack_trim(void)
{
	atomic_store_explicit(&trim_kicked, false, memory_order_relaxed);
	while (trim_batch())
		;
}

uint64_t kstack_pages(void)
{
	return atomic_load_explicit(&nstacks, memory_order_relaxed) * STACK_PAGES;
}

void kva_init_cpu(void)
{
	this_cpu(stack_caches) = (struct stack_cache){ 0 };
}

bool kva_is_guard(kaddr_t va)
{
	return va >= KSTACK_BASE && va < KSTACK_END &&
	       (va - KSTACK_BASE) % KSTACK_SLOT < KSTACK_SIZE;
}
