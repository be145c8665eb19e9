#include "proc/pid.h"

/*
 * Pid numbers. The table is an array of chunks of 512 numbers, each with a bitmap of those in use
 * and the slots that lookups read without a lock; chunks are made when first needed and stay. A
 * bitmap of full chunks above them makes the search for the next free number O(limit / 64 / 512) at
 * its worst and one word at its best. Numbers are given out cyclically, so that a number comes back
 * as late as possible (fork(2)).
 *
 * A struct pid leaves its slot, and its number is free, when no task, process, group or session
 * bears it; its memory goes after the last reference and a grace period.
 */

#include "abi/errno.h"
#include "lib/bitmap.h"
#include "pmm/slab.h"

enum { CHUNK_BITS = 512, NCHUNKS = PID_MAX_LIMIT / CHUNK_BITS };

struct pid_chunk {
	uint64_t used[BITMAP_WORDS(CHUNK_BITS)]; /* PROCTREE */
	_Atomic(struct pid *) slot[CHUNK_BITS];  /* PROCTREE to write; readers under an epoch */
};

struct spinlock proctree_lock = SPINLOCK(PROCTREE);
uint32_t pid_max = 32768;

/* The group and session of process 1 until it makes its own: number 0, as on Linux. Never freed. */
struct pid pid_zero = {
	.ref = { 1 },
	.group = LIST_INIT(pid_zero.group),
	.session = LIST_INIT(pid_zero.session),
	.exit_wait = WAITQ(pid_zero.exit_wait),
};

static _Atomic(struct pid_chunk *) chunks[NCHUNKS];
static uint64_t full[BITMAP_WORDS(NCHUNKS)]; /* PROCTREE: chunks without a free number */
static uint32_t last_nr;                     /* PROCTREE */
static struct slab_cache *pid_cache;

void pid_init(void)
{
	pid_cache = slab_cache_create("pid", sizeof(struct pid), 0, NULL);
}

uint32_t pid_last(void)
{
	uint32_t nr;

	spin_lock(&proctree_lock);
	nr = last_nr;
	spin_unlock(&proctree_lock);
	return nr;
}

void pid_set_last(uint32_t nr)
{
	spin_lock(&proctree_lock);
	last_nr = nr;
	spin_unlock(&proctree_lock);
}

static struct pid_chunk *chunk_of(uint32_t nr)
{
	return nr < PID_MAX_LIMIT
		       ? atomic_load_explicit(&chunks[nr / CHUNK_BITS], memory_order_acquire)
		       : NULL;
}

/* The first free number in [from, limit); 0: none. A chunk that does not exist is all free. */
static uint32_t find_free(uint32_t from, uint32_t limit)
{
	uint32_t c = from / CHUNK_BITS, last = (limit - 1) / CHUNK_BITS;
	size_t bit = from % CHUNK_BITS;

	while (c <= last) {
		struct pid_chunk *k = chunk_of(c * CHUNK_BITS);

		if (k != NULL)
			bit = bitmap_find_clear(k->used, CHUNK_BITS, bit);
		if (bit < CHUNK_BITS) {
			uint32_t nr = c * CHUNK_BITS + (uint32_t)bit;

			return nr < limit ? nr : 0;
		}
		c = (uint32_t)bitmap_find_clear(full, NCHUNKS, c + 1);
		bit = 0;
	}
	return 0;
}

static uint32_t pick_locked(uint32_t want) HOLDS(&proctree_lock)
{
	uint32_t max = MIN(pid_max, (uint32_t)PID_MAX_LIMIT), nr = 0;

	if (want != 0)
		return want;
	if (last_nr + 1 < max)
		nr = find_free(last_nr + 1, max);
	if (nr == 0)
		nr = find_free(PID_RESERVED, max);
	return nr;
}

static void mark_locked(struct pid_chunk *k, uint32_t nr) HOLDS(&proctree_lock)
{
	bitmap_set(k->used, nr % CHUNK_BITS);
	if (bitmap_find_clear(k->used, CHUNK_BITS, 0) == CHUNK_BITS)
		bitmap_set(full, nr / CHUNK_BITS);
}

static void unmark_locked(uint32_t nr) HOLDS(&proctree_lock)
{
	bitmap_clear(chunk_of(nr)->used, nr % CHUNK_BITS);
	bitmap_clear(full, nr / CHUNK_BITS);
}

/* 0, or -errno; *nr_out != 0 with -ENOENT: its chunk has to be made first. */
static int reserve(uint32_t want, uint32_t *nr_out)
{
	struct pid_chunk *k;
	uint32_t nr;
	int err = 0;

	spin_lock(&proctree_lock);
	nr = pick_locked(want);
	k = chunk_of(nr);
	if (nr == 0)
		err = -EAGAIN;
	else if (k == NULL)
		err = -ENOENT;
	else if (bitmap_test(k->used, nr % CHUNK_BITS))
		err = -EEXIST;
	else
		mark_locked(k, nr);
	if (err == 0 && want == 0)
		last_nr = nr;
	spin_unlock(&proctree_lock);
	*nr_out = nr;
	return err;
}

static int make_chunk(uint32_t nr)
{
	struct pid_chunk *k = kzalloc(sizeof(*k)), *none = NULL;

	if (k == NULL)
		return -ENOMEM;
	if (!atomic_compare_exchange_strong_explicit(&chunks[nr / CHUNK_BITS], &none, k,
						     memory_order_release, memory_order_relaxed))
		kfree(k);
	return 0;
}

int pid_alloc(uint32_t want, struct pid **out)
{
	struct pid *p = slab_alloc(pid_cache);
	uint32_t nr;
	int err;

	if (p == NULL)
		return -ENOMEM;
	while ((err = reserve(want, &nr)) == -ENOENT)
		if ((err = make_chunk(nr)))
			break;
	if (err) {
		slab_free(pid_cache, p);
		return err;
	}
	ref_init(&p->ref);
	atomic_init(&p->nstopped, 0);
	p->nr = nr;
	atomic_init(&p->task, NULL);
	atomic_init(&p->process, NULL);
	list_init(&p->group);
	list_init(&p->session);
	waitq_init(&p->exit_wait);
	*out = p;
	return 0;
}

void pid_cancel(struct pid *p)
{
	spin_lock(&proctree_lock);
	unmark_locked(p->nr);
	spin_unlock(&proctree_lock);
	slab_free(pid_cache, p);
}

void pid_publish_locked(struct pid *p)
{
	atomic_store_explicit(&chunk_of(p->nr)->slot[p->nr % CHUNK_BITS], p, memory_order_release);
}

void pid_release_locked(struct pid *p)
{
	_Atomic(struct pid *) *slot;

	if (p->nr == 0) /* in no table */
		return;
	slot = &chunk_of(p->nr)->slot[p->nr % CHUNK_BITS];
	if (p->task != NULL || p->process != NULL || !list_is_empty(&p->group) ||
	    !list_is_empty(&p->session))
		return;
	if (atomic_load_explicit(slot, memory_order_relaxed) != p)
		return;
	atomic_store_explicit(slot, NULL, memory_order_release);
	unmark_locked(p->nr);
}

/* Under an epoch or PROCTREE: the object in nr's slot. */
static struct pid *slot_of(uint32_t nr)
{
	struct pid_chunk *k = chunk_of(nr);

	return k == NULL ? NULL
			 : atomic_load_explicit(&k->slot[nr % CHUNK_BITS], memory_order_acquire);
}

struct pid *pid_find_locked(uint32_t nr)
{
	return slot_of(nr);
}

struct pid *pid_lookup(uint32_t nr)
{
	struct pid *p;

	epoch_enter();
	p = slot_of(nr);
	if (p != NULL && !ref_tryget(&p->ref))
		p = NULL;
	epoch_exit();
	return p;
}

uint32_t pid_next_nr(uint32_t nr)
{
	uint32_t c = nr / CHUNK_BITS;
	size_t bit = nr % CHUNK_BITS;

	for (; c < NCHUNKS; c++, bit = 0) {
		struct pid_chunk *k = chunk_of(c * CHUNK_BITS);

		if (k != NULL)
			bit = bitmap_find_set(k->used, CHUNK_BITS, bit);
		if (k != NULL && bit < CHUNK_BITS)
			return c * CHUNK_BITS + (uint32_t)bit;
	}
	return 0;
}

void pid_get(struct pid *p)
{
	ref_get(&p->ref);
}

static void pid_free(struct epoch_head *h)
{
	slab_free(pid_cache, container_of(h, struct pid, epoch));
}

void pid_put(struct pid *p)
{
	if (p != NULL && ref_put(&p->ref))
		epoch_free(&p->epoch, pid_free);
}

struct process *pid_get_process(struct pid *pid)
{
	struct process *p;

	epoch_enter();
	p = atomic_load_explicit(&pid->process, memory_order_acquire);
	if (p != NULL && !ref_tryget(&p->ref))
		p = NULL;
	epoch_exit();
	return p;
}

struct task *pid_get_task(struct pid *pid)
{
	struct task *t;

	epoch_enter();
	t = atomic_load_explicit(&pid->task, memory_order_acquire);
	if (t != NULL && !ref_tryget(&t->thread.ref))
		t = NULL;
	epoch_exit();
	return t;
}

struct process *process_lookup(uint32_t nr)
{
	struct process *p = NULL;
	struct pid *pid;

	epoch_enter();
	pid = slot_of(nr);
	if (pid != NULL)
		p = pid_get_process(pid);
	epoch_exit();
	return p;
}

struct task *task_lookup(uint32_t nr)
{
	struct task *t = NULL;
	struct pid *pid;

	epoch_enter();
	pid = slot_of(nr);
	if (pid != NULL)
		t = pid_get_task(pid);
	epoch_exit();
	return t;
}

struct process *process_next(uint32_t *nr)
{
	struct process *p;
	uint32_t n = *nr;

	while ((n = pid_next_nr(n)) != 0) {
		p = process_lookup(n);
		if (p != NULL) {
			*nr = n;
			return p;
		}
		n++;
	}
	return NULL;
}
