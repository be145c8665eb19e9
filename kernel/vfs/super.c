/*
 * File system types and superblocks. A superblock is counted by its mounts, and by whoever keeps it
 * beyond them (devtmpfs). When the last reference goes, its unused dentries are dropped, then its
 * root, and the file system frees what is left in kill. The struct itself outlives an epoch, for
 * walkers read the flags through a mount.
 */

#include "vfs/inode.h"

#include "abi/errno.h"
#include "core/log.h"
#include "core/spinlock.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "vfs/dentry.h"
#include "vfs/vfs.h"

static struct fs_type *types;
static struct spinlock super_lock = SPINLOCK(DCACHE); /* lists of types and superblocks */
static struct list supers = LIST_INIT(supers);

void fs_register(struct fs_type *t)
{
	struct fs_type **link = &types;

	spin_lock(&super_lock);
	while (*link != NULL)
		link = &(*link)->next;
	t->next = NULL;
	*link = t;
	spin_unlock(&super_lock);
}

/* Types are never unregistered: what is found stays valid. */
struct fs_type *fs_find(const char *name)
{
	struct fs_type *t;

	spin_lock(&super_lock);
	for (t = types; t != NULL && !str_eq(t->name, name); t = t->next)
		;
	spin_unlock(&super_lock);
	return t;
}

void fs_format_types(struct textbuf *out)
{
	spin_lock(&super_lock);
	for (struct fs_type *t = types; t != NULL; t = t->next)
		text_f(out, "%s\t%s\n", t->flags & FS_REQUIRES_DEV ? "" : "nodev", t->name);
	spin_unlock(&super_lock);
}

int fs_type_index(const char *name)
{
	struct fs_type *t;
	int n = 0;

	spin_lock(&super_lock);
	for (t = types; t != NULL && !str_eq(t->name, name); t = t->next)
		n++;
	spin_unlock(&super_lock);
	return t ? n : -EINVAL;
}

struct fs_type *fs_type_at(unsigned index)
{
	struct fs_type *t;

	spin_lock(&super_lock);
	for (t = types; t != NULL && index > 0; t = t->next)
		index--;
	spin_unlock(&super_lock);
	return t;
}

unsigned fs_type_count(void)
{
	unsigned n = 0;

	spin_lock(&super_lock);
	for (struct fs_type *t = types; t != NULL; t = t->next)
		n++;
	spin_unlock(&super_lock);
	return n;
}

struct superblock *superblock_lookup(uint64_t dev)
{
	struct superblock *sb, *found = NULL;

	spin_lock(&super_lock);
	list_for_each (sb, &supers, all)
		if (sb->dev == dev && ref_tryget(&sb->ref)) {
			found = sb;
			break;
		}
	spin_unlock(&super_lock);
	return found;
}

uint64_t superblock_alloc_dev(void)
{
	static _Atomic uint32_t last;
	uint64_t n = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;

	return (n & 0xff) | (n & ~0xffull) << 12; /* makedev(0, n) */
}

int superblock_create(const struct fs_type *t, const struct super_ops *ops, struct superblock **out)
{
	struct superblock *sb = kzalloc(sizeof(*sb));

	if (sb == NULL)
		return -ENOMEM;
	ref_init(&sb->ref);
	sb->type = t;
	sb->ops = ops;
	sb->dev = superblock_alloc_dev();
	sb->blocksize = PAGE_SIZE;
	sb->max_bytes = INT64_MAX;
	mutex_init(&sb->rename_lock, RANK_RENAME);
	strscpy(sb->id, "none", sizeof(sb->id));
	spin_lock(&super_lock);
	list_add_tail(&supers, &sb->all);
	spin_unlock(&super_lock);
	*out = sb;
	return 0;
}

void superblock_get(struct superblock *sb)
{
	ref_get(&sb->ref);
}

static void superblock_free(struct epoch_head *h)
{
	kfree(container_of(h, struct superblock, epoch));
}

void superblock_put(struct superblock *sb)
{
	if (!ref_put(&sb->ref))
		return;
	spin_lock(&super_lock);
	list_remove(&sb->all);
	spin_unlock(&super_lock);
	dcache_shrink_sb(sb);
	if (sb->root != NULL)
		dentry_put(sb->root);
	if (sb->ops->kill)
		sb->ops->kill(sb);
	epoch_free(&sb->epoch, superblock_free);
}

int superblock_sync(struct superblock *sb)
{
	return sb->ops->sync ? sb->ops->sync(sb) : 0;
}

/* The superblock after `prev` on the list that is not on its way out, counted; prev is put. */
static struct superblock *next_super(struct superblock *prev)
{
	struct superblock *sb = NULL;
	struct list *n;

	spin_lock(&super_lock);
	for (n = prev ? prev->all.next : supers.next; n != &supers; n = n->next) {
		struct superblock *s = list_entry(n, struct superblock, all);

		if (ref_tryget(&s->ref)) {
			sb = s;
			break;
		}
	}
	spin_unlock(&super_lock);
	if (prev)
		superblock_put(prev);
	return sb;
}

void superblock_for_each(void (*fn)(struct superblock *sb, void *ctx), void *ctx)
{
	for (struct superblock *sb = next_super(NULL); sb != NULL; sb = next_super(sb))
		fn(sb, ctx);
}

static void sync_one(struct superblock *sb, void *ctx)
{
	int err = superblock_sync(sb);

	(void)ctx;
	if (err)
		log_err("sync: %s (error %d)", sb->id, err);
}

void vfs_sync_all(void)
{
	superblock_for_each(sync_one, NULL);
}
