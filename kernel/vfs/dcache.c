/*
 * The dentry cache.
 *
 * A dentry is in the cache ("hashed") from the moment its lookup has an answer until its name goes
 * away; it is then in a hash chain, on its parent's list of children and on the LRU, all three
 * under one lock (DCACHE), and in none of them before and after. Probes take no lock: they run
 * along the chain under an epoch and check seq. A probe may miss an entry because a rename carried
 * it into another chain; whoever must know takes the parent's inode lock and asks
 * dentry_lookup_locked(), which probes again under DCACHE before it adds anything.
 *
 * Counts: a dentry holds its parent and its inode. At count zero a hashed one stays, for reclaim to
 * find; an unhashed one is freed. To be freed, or to turn negative under a caller who holds the
 * only reference, the count is first exchanged for one with DENTRY_REF_DEAD, so that lock-free
 * lookups cannot take a reference meanwhile. Hence a dentry that somebody holds keeps its inode:
 * positive stays positive.
 *
 * The LRU is a clock: reclaim goes round, frees what is unused and unmarked, and takes away the
 * marks.
 */

#include "vfs/dentry.h"

#include "abi/errno.h"
#include "core/panic.h"
#include "core/random.h"
#include "lib/string.h"
#include "pmm/kva.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "sched/work.h"
#include "vfs/dcache_priv.h"

/* A name too long for the dentry: shared by count, since a rename may hand it on. */
struct long_name {
	struct ref ref;
	struct epoch_head epoch;
	char text[];
};

struct dcache_table dcache;
_Atomic uint32_t dcache_rename_seq;
_Atomic uint64_t dcache_count;

static struct spinlock dcache_lock = SPINLOCK(DCACHE);
static struct list lru = LIST_INIT(lru);
static struct slab_cache *dentry_cache;
static uint64_t dcache_limit; /* dentries, above which reclaim starts by itself */
static struct work shrink_work;
static uint64_t (*next_reclaim)(uint64_t want);

static void shrink_some(struct work *w)
{
	(void)w;
	dcache_reclaim(dcache_limit / 8 + 64);
}

/* Memory is short. Freeing an inode may need locks that the allocating thread holds: a worker does
 * it. */
static uint64_t reclaim_hook(uint64_t want)
{
	work_queue(&shrink_work);
	return next_reclaim ? next_reclaim(want) : 0;
}

void dcache_init(void)
{
	uint64_t pages = pmm_total_pages(), n = 1024;

	while (n < pages / 4 && n < 1 << 20)
		n *= 2;
	dcache.bucket = kva_alloc((size_t)DIV_ROUND_UP(n * sizeof(struct dentry *), PAGE_SIZE));
	if (dcache.bucket == NULL)
		panic("no memory for the dentry hash");
	dcache.mask = n - 1;
	dcache.seed = random_u64();
	dcache_limit = MAX(pages, 4096);
	dentry_cache = slab_cache_create("dentry", sizeof(struct dentry), 64, NULL);
	work_init(&shrink_work, shrink_some);
	next_reclaim = pmm_reclaim;
	pmm_reclaim = reclaim_hook;
}

static void long_name_free(struct epoch_head *h)
{
	kfree(container_of(h, struct long_name, epoch));
}

static inline bool has_long_name(const struct dentry *d)
{
	return d->name != d->inline_name;
}

static struct long_name *long_name_of(const struct dentry *d)
{
	return (struct long_name *)(uintptr_t)(d->name - offsetof(struct long_name, text));
}

static void name_put(struct dentry *d)
{
	if (has_long_name(d) && ref_put(&long_name_of(d)->ref))
		epoch_free(&long_name_of(d)->epoch, long_name_free);
}

MUST_CHECK static bool name_set(struct dentry *d, const char *name, size_t len)
{
	char *text = d->inline_name;

	if (UNLIKELY(len >= DNAME_INLINE)) {
		struct long_name *l = kmalloc(sizeof(*l) + len + 1);

		if (l == NULL)
			return false;
		ref_init(&l->ref);
		text = l->text;
	}
	memcpy(text, name, len);
	text[len] = '\0';
	d->name = text;
	d->name_len = (uint32_t)len;
	return true;
}

MUST_CHECK static struct dentry *dentry_alloc(struct superblock *sb, struct dentry *parent,
					      const char *name, size_t len)
{
	struct dentry *d = slab_alloc(dentry_cache);

	if (d == NULL)
		return NULL;
	if (!name_set(d, name, len)) {
		slab_free(dentry_cache, d);
		return NULL;
	}
	atomic_init(&d->ref, 1);
	atomic_init(&d->flags, DENTRY_UNHASHED);
	atomic_init(&d->seq, 0);
	d->name_hash = 0;
	spin_init(&d->lock, RANK_DENTRY);
	atomic_init(&d->parent, parent ? parent : d);
	atomic_init(&d->inode, NULL);
	d->hash_next = NULL;
	d->sb = sb;
	list_init(&d->children);
	list_init(&d->sibling);
	list_init(&d->lru);
	d->fsdata = NULL;
	if (parent)
		dentry_get(parent);
	if (atomic_fetch_add_explicit(&dcache_count, 1, memory_order_relaxed) > dcache_limit)
		work_queue(&shrink_work);
	return d;
}

static struct dentry *dentry_create_hashed(struct dentry *parent, const char *name, size_t len,
					   uint32_t hash)
{
	struct dentry *d = dentry_alloc(parent->sb, parent, name, len);

	if (d != NULL)
		d->name_hash = hash;
	return d;
}

struct dentry *dentry_create(struct dentry *parent, const char *name, size_t len)
{
	return dentry_create_hashed(parent, name, len, name_hash(dcache.seed, name, len));
}

struct dentry *dentry_create_pseudo(struct superblock *sb, const char *name, struct inode *i)
{
	struct dentry *d = dentry_alloc(sb, NULL, name, strlen(name));

	if (d == NULL) {
		inode_put(i);
		return NULL;
	}
	atomic_init(&d->inode, i);
	atomic_init(&d->flags, DENTRY_UNHASHED | DENTRY_PSEUDO);
	return d;
}

struct dentry *dentry_create_root(struct superblock *sb, struct inode *i)
{
	struct dentry *d = dentry_create_pseudo(sb, "/", i);

	if (d != NULL)
		atomic_init(&d->flags, DENTRY_UNHASHED);
	return d;
}

void dentry_get(struct dentry *d)
{
	uint32_t old = atomic_fetch_add_explicit(&d->ref, 1, memory_order_relaxed);

	KASSERT_DEBUG(old > 0 && (old & ~DENTRY_REF_DEAD) < REF_MAX);
	(void)old;
}

static void dentry_free(struct epoch_head *h)
{
	slab_free(dentry_cache, container_of(h, struct dentry, epoch));
}

static inline bool is_unhashed(const struct dentry *d)
{
	return atomic_load_explicit(&d->flags, memory_order_relaxed) & DENTRY_UNHASHED;
}

/* Count zero becomes dead. False: somebody has it again, or is freeing it. */
static bool dentry_bury(struct dentry *d)
{
	uint32_t zero = 0;

	return atomic_compare_exchange_strong_explicit(&d->ref, &zero, DENTRY_REF_DEAD,
						       memory_order_acquire, memory_order_relaxed);
}

/*
 * A buried, unhashed dentry goes. Walkers may still look at it and at its inode: both outlast this
 * epoch. returns  its parent, whose count is the caller's to put; NULL for a root
 */
static struct dentry *dentry_destroy(struct dentry *d)
{
	struct dentry *parent = atomic_load_explicit(&d->parent, memory_order_relaxed);
	struct inode *i = dentry_inode(d);

	atomic_fetch_sub_explicit(&dcache_count, 1, memory_order_relaxed);
	if (i != NULL)
		inode_put(i);
	name_put(d);
	epoch_free(&d->epoch, dentry_free);
	return parent != d ? parent : NULL;
}

void dentry_put(struct dentry *d)
{
	while (d != NULL) {
		uint32_t old = atomic_fetch_sub_explicit(&d->ref, 1, memory_order_acq_rel);

		KASSERT_DEBUG((old & ~DENTRY_REF_DEAD) > 0);
		if (LIKELY(old != 1) || !is_unhashed(d) || !dentry_bury(d))
			return;
		d = dentry_destroy(d);
	}
}

struct dentry *dentry_get_parent(struct dentry *d)
{
	for (;;) {
		struct dentry *p;
		bool got;

		epoch_enter();
		p = atomic_load_explicit(&d->parent, memory_order_acquire);
		got = dentry_tryget(p);
		epoch_exit();
		if (!got)
			continue;
		if (atomic_load_explicit(&d->parent, memory_order_acquire) == p)
			return p;
		dentry_put(p);
	}
}

static void hash_locked(struct dentry *d)
{
	struct dentry *parent = atomic_load_explicit(&d->parent, memory_order_relaxed);
	struct dentry **bucket = dcache_bucket(parent, d->name_hash);

	d->hash_next = *bucket;
	list_add_tail(&parent->children, &d->sibling);
	list_add_tail(&lru, &d->lru);
	atomic_fetch_and_explicit(&d->flags, ~(uint32_t)DENTRY_UNHASHED, memory_order_relaxed);
	__atomic_store_n(bucket, d, __ATOMIC_RELEASE);
}

/* Leaves d->hash_next: walkers standing on d go on along the chain. */
static void chain_remove_locked(struct dentry *d)
{
	struct dentry **link =
		dcache_bucket(atomic_load_explicit(&d->parent, memory_order_relaxed), d->name_hash);

	while (*link != d) {
		KASSERT(*link != NULL);
		link = &(*link)->hash_next;
	}
	__atomic_store_n(link, d->hash_next, __ATOMIC_RELEASE);
}

static void unhash_locked(struct dentry *d)
{
	if (is_unhashed(d))
		return;
	chain_remove_locked(d);
	list_remove(&d->sibling);
	list_remove(&d->lru);
	atomic_fetch_or_explicit(&d->flags, DENTRY_UNHASHED, memory_order_relaxed);
}

struct dentry *dentry_find_hashed(struct dentry *parent, const char *name, size_t len,
				  uint32_t hash)
{
	struct dentry *d;
	uint32_t seq;

	epoch_enter();
	d = dcache_probe(parent, name, len, hash, &seq);
	if (d != NULL && !dentry_tryget(d))
		d = NULL;
	epoch_exit();
	if (d == NULL || atomic_load_explicit(&d->seq, memory_order_acquire) == seq)
		return d;
	dentry_put(d);
	return NULL;
}

struct dentry *dentry_find_child(struct dentry *parent, const char *name, size_t len)
{
	return dentry_find_hashed(parent, name, len, name_hash(dcache.seed, name, len));
}

/* Puts d, whose lookup is done, into the cache, unless another lookup was faster: then that one,
 * counted. */
static struct dentry *dentry_publish(struct dentry *d)
{
	struct dentry *other;
	uint32_t seq;

	spin_lock(&dcache_lock);
	other = dcache_probe(atomic_load_explicit(&d->parent, memory_order_relaxed), d->name,
			     d->name_len, d->name_hash, &seq);
	if (other != NULL && !dentry_tryget(other))
		other = NULL; /* on its way out: it has lost its inode or will not be found again */
	if (other == NULL)
		hash_locked(d);
	spin_unlock(&dcache_lock);
	return other;
}

int dentry_lookup_hashed(struct dentry *parent, const char *name, size_t len, uint32_t hash,
			 struct dentry **out)
{
	struct inode *dir = dentry_inode(parent);
	struct dentry *d, *other;
	int err;

	d = dentry_find_hashed(parent, name, len, hash);
	if (d != NULL) {
		*out = d;
		return 0;
	}
	if (len > NAME_LEN_MAX)
		return -ENAMETOOLONG;
	if (atomic_load_explicit(&parent->flags, memory_order_relaxed) & DENTRY_DEAD)
		return -ENOENT;
	if (dir->ops->lookup == NULL)
		return -ENOTDIR;
	d = dentry_create_hashed(parent, name, len, hash);
	if (d == NULL)
		return -ENOMEM;
	if ((err = dir->ops->lookup(dir, d))) {
		dentry_put(d);
		return err;
	}
	other = dentry_publish(d);
	if (other != NULL) {
		dentry_put(d);
		d = other;
	}
	*out = d;
	return 0;
}

int dentry_lookup_locked(struct dentry *parent, const char *name, size_t len, struct dentry **out)
{
	return dentry_lookup_hashed(parent, name, len, name_hash(dcache.seed, name, len), out);
}

void dentry_instantiate(struct dentry *d, struct inode *i)
{
	KASSERT_DEBUG(dentry_inode(d) == NULL);
	atomic_store_explicit(&d->inode, i, memory_order_release);
}

void dentry_drop(struct dentry *d)
{
	spin_lock(&dcache_lock);
	unhash_locked(d);
	spin_unlock(&dcache_lock);
}

void dentry_delete(struct dentry *d)
{
	struct inode *i = dentry_inode(d);
	uint32_t one = 1;

	if (S_ISDIR(i->mode) || is_unhashed(d) ||
	    !atomic_compare_exchange_strong_explicit(&d->ref, &one, DENTRY_REF_DEAD | 1,
						     memory_order_acquire, memory_order_relaxed)) {
		dentry_drop(d);
		return;
	}
	atomic_store_explicit(&d->inode, NULL, memory_order_release);
	atomic_fetch_and_explicit(&d->ref, ~DENTRY_REF_DEAD, memory_order_release);
	inode_put(i);
}

/* d gets the name of `from`; d's own is let go. d's sequence count is odd. */
static void name_copy_locked(struct dentry *d, struct dentry *from)
{
	name_put(d);
	if (has_long_name(from)) {
		ref_get(&long_name_of(from)->ref);
		__atomic_store_n(&d->name, from->name, __ATOMIC_RELAXED);
	} else {
		memcpy(d->inline_name, from->inline_name, sizeof(d->inline_name));
		__atomic_store_n(&d->name, d->inline_name, __ATOMIC_RELAXED);
	}
	d->name_len = from->name_len;
	d->name_hash = from->name_hash;
}

static void seq_begin(struct dentry *d)
{
	atomic_fetch_add_explicit(&d->seq, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void seq_end(struct dentry *d)
{
	atomic_fetch_add_explicit(&d->seq, 1, memory_order_release);
}

/* Puts a hashed or unhashed d below `parent`; its chain is left and entered by the caller. */
static void set_parent_locked(struct dentry *d, struct dentry *parent)
{
	atomic_store_explicit(&d->parent, parent, memory_order_release);
	if (!is_unhashed(d)) {
		list_remove(&d->sibling);
		list_add_tail(&parent->children, &d->sibling);
	}
}

static void chain_insert_locked(struct dentry *d)
{
	struct dentry **bucket =
		dcache_bucket(atomic_load_explicit(&d->parent, memory_order_relaxed), d->name_hash);

	__atomic_store_n(&d->hash_next, *bucket, __ATOMIC_RELEASE);
	__atomic_store_n(bucket, d, __ATOMIC_RELEASE);
}

void dentry_move(struct dentry *d, struct dentry *nd)
{
	struct dentry *old_parent = atomic_load_explicit(&d->parent, memory_order_relaxed);
	struct dentry *new_parent = atomic_load_explicit(&nd->parent, memory_order_relaxed);

	dentry_get(new_parent);
	spin_lock(&dcache_lock);
	atomic_fetch_add(&dcache_rename_seq, 1);
	unhash_locked(nd);
	seq_begin(d);
	if (!is_unhashed(d))
		chain_remove_locked(d);
	name_copy_locked(d, nd);
	set_parent_locked(d, new_parent);
	if (!is_unhashed(d))
		chain_insert_locked(d);
	seq_end(d);
	atomic_fetch_add(&dcache_rename_seq, 1);
	spin_unlock(&dcache_lock);
	dentry_put(old_parent);
}

static void name_swap_locked(struct dentry *a, struct dentry *b)
{
	char text[DNAME_INLINE];
	const char *a_name = a->name, *b_name = b->name;
	bool a_long = has_long_name(a), b_long = has_long_name(b);
	uint32_t len = a->name_len, hash = a->name_hash;

	memcpy(text, a->inline_name, sizeof(text));
	memcpy(a->inline_name, b->inline_name, sizeof(text));
	memcpy(b->inline_name, text, sizeof(text));
	__atomic_store_n(&a->name, b_long ? b_name : a->inline_name, __ATOMIC_RELAXED);
	__atomic_store_n(&b->name, a_long ? a_name : b->inline_name, __ATOMIC_RELAXED);
	a->name_len = b->name_len;
	a->name_hash = b->name_hash;
	b->name_len = len;
	b->name_hash = hash;
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *pa = atomic_load_explicit(&a->parent, memory_order_relaxed);
	struct dentry *pb = atomic_load_explicit(&b->parent, memory_order_relaxed);

	spin_lock(&dcache_lock);
	atomic_fetch_add(&dcache_rename_seq, 1);
	seq_begin(a);
	seq_begin(b);
	if (!is_unhashed(a))
		chain_remove_locked(a);
	if (!is_unhashed(b))
		chain_remove_locked(b);
	name_swap_locked(a, b);
	set_parent_locked(a, pb); /* the counts on both parents change hands */
	set_parent_locked(b, pa);
	if (!is_unhashed(a))
		chain_insert_locked(a);
	if (!is_unhashed(b))
		chain_insert_locked(b);
	seq_end(b);
	seq_end(a);
	atomic_fetch_add(&dcache_rename_seq, 1);
	spin_unlock(&dcache_lock);
}

bool dentry_is_below(const struct dentry *d, const struct dentry *ancestor)
{
	bool below = true;

	epoch_enter();
	while (d != ancestor) {
		const struct dentry *p = atomic_load_explicit(&d->parent, memory_order_acquire);

		if (p == d) {
			below = false;
			break;
		}
		d = p;
	}
	epoch_exit();
	return below;
}

/* The last reference to a hashed dentry of sb is given up: it is buried. False: the caller is to
 * put it. */
static bool bury_last_of(struct dentry *d, const struct superblock *sb, struct list *dead)
{
	uint32_t one = 1;
	bool buried;

	spin_lock(&dcache_lock);
	buried =
		!is_unhashed(d) && d->sb == sb &&
		atomic_compare_exchange_strong_explicit(&d->ref, &one, DENTRY_REF_DEAD,
							memory_order_acquire, memory_order_relaxed);
	if (buried) {
		unhash_locked(d);
		list_add_tail(dead, &d->lru);
	}
	spin_unlock(&dcache_lock);
	return buried;
}

/* Frees a list (by `lru`) of buried dentries, and with an sb those of their parents that this
 * leaves unused. Returns how many. */
static uint64_t destroy_list(struct list *dead, const struct superblock *sb)
{
	uint64_t n = 0;

	while (!list_is_empty(dead)) {
		struct dentry *d = list_first(dead, struct dentry, lru), *parent;

		list_remove(&d->lru);
		parent = dentry_destroy(d);
		n++;
		if (parent != NULL && (sb == NULL || !bury_last_of(parent, sb, dead)))
			dentry_put(parent);
	}
	return n;
}

static bool take_locked(struct dentry *d, struct list *dead)
{
	if (!dentry_bury(d))
		return false;
	unhash_locked(d);
	list_add_tail(dead, &d->lru);
	return true;
}

enum { RECLAIM_BATCH = 128 };

/* One turn of the clock over at most RECLAIM_BATCH dentries. */
static uint64_t reclaim_batch(uint64_t want)
{
	struct list dead = LIST_INIT(dead);
	uint64_t taken = 0;

	spin_lock(&dcache_lock);
	for (unsigned i = 0; i < RECLAIM_BATCH && taken < want && !list_is_empty(&lru); i++) {
		struct dentry *d = list_first(&lru, struct dentry, lru);
		uint32_t flags = atomic_fetch_and_explicit(&d->flags, ~(uint32_t)DENTRY_REFERENCED,
							   memory_order_relaxed);

		if (!(flags & DENTRY_REFERENCED) && take_locked(d, &dead)) {
			taken++;
			continue;
		}
		list_remove(&d->lru);
		list_add_tail(&lru, &d->lru);
	}
	spin_unlock(&dcache_lock);
	return destroy_list(&dead, NULL);
}

uint64_t dcache_reclaim(uint64_t want)
{
	uint64_t freed = 0, looked = 0;
	uint64_t limit =
		2 * atomic_load_explicit(&dcache_count, memory_order_relaxed) + RECLAIM_BATCH;

	while (freed < want && looked < limit) {
		freed += reclaim_batch(want - freed);
		looked += RECLAIM_BATCH;
		thread_resched_point();
	}
	return freed;
}

void dcache_shrink_sb(struct superblock *sb)
{
	struct list dead = LIST_INIT(dead);
	struct dentry *d, *tmp;

	spin_lock(&dcache_lock);
	list_for_each_safe (d, tmp, &lru, lru)
		if (d->sb == sb)
			take_locked(d, &dead);
	spin_unlock(&dcache_lock);
	destroy_list(&dead, sb);
}

static void take_leaves_locked(struct dentry *parent, struct list *dead)
{
	struct dentry *d, *tmp;

	list_for_each_safe (d, tmp, &parent->children, sibling)
		if (!take_locked(d, dead))
			take_leaves_locked(d, dead);
}

void dentry_prune(struct dentry *d)
{
	struct list dead = LIST_INIT(dead);

	spin_lock(&dcache_lock);
	unhash_locked(d); /* the last reference, perhaps a child's, frees it */
	take_leaves_locked(d, &dead);
	spin_unlock(&dcache_lock);
	destroy_list(&dead, d->sb);
	dentry_put(d);
}

void dentry_shrink_children(struct dentry *parent)
{
	struct list dead = LIST_INIT(dead);
	struct dentry *d, *tmp;

	if (list_is_empty(&parent->children))
		return;
	spin_lock(&dcache_lock);
	list_for_each_safe (d, tmp, &parent->children, sibling)
		take_locked(d, &dead);
	spin_unlock(&dcache_lock);
	destroy_list(&dead, NULL);
}
