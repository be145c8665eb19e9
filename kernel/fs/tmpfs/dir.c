/* Directories: slots and the name hash of tmpfs_priv.h. */

#include "abi/errno.h"
#include "fs/tmpfs/tmpfs_priv.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "vfs/dirent.h"
#include "vfs/namehash.h"

static inline uintptr_t *slot_of(const struct tmpfs_dir *d, uint32_t slot)
{
	return &d->chunk[slot / TMPFS_CHUNK][slot % TMPFS_CHUNK];
}

struct tmpfs_dirent *tmpfs_dir_at(const struct tmpfs_dir *d, uint32_t slot)
{
	uintptr_t v = *slot_of(d, slot);

	return v & 1 ? NULL : (struct tmpfs_dirent *)v;
}

static inline bool matches(const struct tmpfs_dirent *e, const char *name, size_t len,
			   uint32_t hash)
{
	return e->hash == hash && e->len == len && name_equal(e->name, name, len);
}

static inline struct tmpfs_dirent **bucket_of(const struct tmpfs_dir *d, uint32_t hash)
{
	return &d->bucket[hash & (d->nbuckets - 1)];
}

struct tmpfs_dirent *tmpfs_dir_find(const struct tmpfs_dir *d, const char *name, size_t len,
				    uint32_t hash)
{
	struct tmpfs_dirent *e;

	if (d->nbuckets == 0) {
		for (uint32_t s = 0; s < d->nslots; s++)
			if ((e = tmpfs_dir_at(d, s)) != NULL && matches(e, name, len, hash))
				return e;
		return NULL;
	}
	for (e = *bucket_of(d, hash); e != NULL && !matches(e, name, len, hash); e = e->hash_next)
		;
	return e;
}

/* A larger table, when there is memory for one: a smaller one works as well, only slower. Without
 * any, the slots are searched. */
static void grow_hash(struct tmpfs_dir *d)
{
	uint32_t n = d->nbuckets ? 2 * d->nbuckets : 2 * TMPFS_LINEAR;
	struct tmpfs_dirent **bucket = kcalloc(n, sizeof(*bucket)), **old = d->bucket;

	if (bucket == NULL)
		return;
	d->bucket = bucket;
	d->nbuckets = n;
	for (uint32_t s = 0; s < d->nslots; s++) {
		struct tmpfs_dirent *e = tmpfs_dir_at(d, s), **b;

		if (e == NULL)
			continue;
		b = bucket_of(d, e->hash);
		e->hash_next = *b;
		*b = e;
	}
	kfree(old);
}

static int grow_slots(struct tmpfs_dir *d)
{
	uintptr_t *chunk, **list;

	if (d->nchunks == d->max_chunks) {
		uint32_t max = d->max_chunks ? 2 * d->max_chunks : 2;

		list = krealloc(d->chunk, max * sizeof(*list));
		if (list == NULL)
			return -ENOMEM;
		d->chunk = list;
		d->max_chunks = max;
	}
	chunk = kmalloc(TMPFS_CHUNK * sizeof(*chunk));
	if (chunk == NULL)
		return -ENOMEM;
	d->chunk[d->nchunks++] = chunk;
	return 0;
}

int tmpfs_dir_reserve(struct tmpfs_dir *d)
{
	if (d->count >= TMPFS_LINEAR && d->count >= d->nbuckets)
		grow_hash(d);
	if (d->free != 0 || d->nslots < d->nchunks * TMPFS_CHUNK)
		return 0;
	return grow_slots(d);
}

struct tmpfs_dirent *tmpfs_dirent_alloc(const struct dentry *name, struct inode *i)
{
	struct tmpfs_dirent *e = kmalloc(sizeof(*e) + name->name_len);

	if (e == NULL)
		return NULL;
	e->inode = i;
	e->hash = name->name_hash;
	e->len = (uint8_t)name->name_len;
	memcpy(e->name, name->name, name->name_len);
	return e;
}

static void hash_add(struct tmpfs_dir *d, struct tmpfs_dirent *e)
{
	struct tmpfs_dirent **b;

	if (d->nbuckets == 0)
		return;
	b = bucket_of(d, e->hash);
	e->hash_next = *b;
	*b = e;
}

static void hash_del(struct tmpfs_dir *d, struct tmpfs_dirent *e)
{
	struct tmpfs_dirent **b;

	if (d->nbuckets == 0)
		return;
	for (b = bucket_of(d, e->hash); *b != e; b = &(*b)->hash_next)
		;
	*b = e->hash_next;
}

void tmpfs_dir_insert(struct tmpfs_dir *d, struct tmpfs_dirent *e)
{
	uint32_t slot = d->nslots;

	if (d->free != 0) {
		slot = d->free - 1;
		d->free = (uint32_t)(*slot_of(d, slot) >> 1);
	} else {
		d->nslots++;
	}
	*slot_of(d, slot) = (uintptr_t)e;
	e->slot = slot;
	d->count++;
	hash_add(d, e);
}

void tmpfs_dir_remove(struct tmpfs_dir *d, struct tmpfs_dirent *e)
{
	hash_del(d, e);
	*slot_of(d, e->slot) = (uintptr_t)d->free << 1 | 1;
	d->free = e->slot + 1;
	if (--d->count == 0) /* begin anew: a reader that is further on is at the end */
		d->nslots = d->free = 0;
}

void tmpfs_dir_replace(struct tmpfs_dir *d, struct tmpfs_dirent *old, struct tmpfs_dirent *e)
{
	hash_del(d, old);
	e->slot = old->slot;
	*slot_of(d, e->slot) = (uintptr_t)e;
	hash_add(d, e);
}

void tmpfs_dir_fini(struct tmpfs_dir *d)
{
	for (uint32_t s = 0; s < d->nslots; s++)
		kfree(tmpfs_dir_at(d, s));
	for (uint32_t c = 0; c < d->nchunks; c++)
		kfree(d->chunk[c]);
	kfree(d->chunk);
	kfree(d->bucket);
}

/* For getdents64(2): records straight into its buffer, with all that changes in registers. Returns
 * the slot after the last one that was taken. */
static uint64_t fill_records(const struct tmpfs_dir *d, uint64_t slot, struct dirent_buf *b)
{
	uint8_t *at = b->buf + b->used, *last = b->last, *next;
	const uint8_t *end = b->buf + b->room;

	while (slot < d->nslots) {
		const uintptr_t *s = slot_of(d, (uint32_t)slot);
		const uintptr_t *stop = s + MIN(TMPFS_CHUNK - slot % TMPFS_CHUNK, d->nslots - slot);

		for (; s < stop; s++, slot++) {
			const struct tmpfs_dirent *e = (const struct tmpfs_dirent *)*s;

			if (UNLIKELY(*s & 1))
				continue;
			next = dirent_write(at, end, last, (off64_t)slot + 2, e->name, e->len,
					    e->inode->ino, e->inode->mode >> 12 & 15);
			if (UNLIKELY(next == NULL)) {
				b->full = true;
				goto out;
			}
			last = at;
			at = next;
		}
	}
out:
	b->last = last;
	b->used = (uint32_t)(at - b->buf);
	return slot;
}

static uint64_t emit_entries(const struct tmpfs_dir *d, uint64_t slot, struct dir_context *c)
{
	for (; slot < d->nslots; slot++) {
		const struct tmpfs_dirent *e = tmpfs_dir_at(d, (uint32_t)slot);

		c->pos = (off64_t)slot + 2;
		if (e != NULL &&
		    !c->emit(c, e->name, e->len, e->inode->ino, e->inode->mode >> 12 & 15))
			break;
	}
	return slot;
}

int tmpfs_readdir(struct file *f, struct dir_context *c)
{
	const struct tmpfs_dir *d = &tmpfs_i(f->inode)->dir;
	uint64_t slot;

	if (c->pos < 2 && !dir_emit_dots(f, c))
		return 0;
	slot = (uint64_t)c->pos - 2;
	slot = c->records != NULL ? fill_records(d, slot, c->records) : emit_entries(d, slot, c);
	c->pos = (off64_t)slot + 2;
	return 0;
}
