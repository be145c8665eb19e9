/*
 * Working directory, root and umask of the tasks that share them (CLONE_FS). The two paths change
 * together with their counts under a spinlock; what they replace is put after it. The thread that
 * has an fsctx for itself reads it without the lock (walk.c).
 */

#include "abi/errno.h"
#include "pmm/slab.h"
#include "vfs/vfs_priv.h"
#include "vfs/walk.h"

struct fsctx *fsctx_create(const struct path *root)
{
	struct fsctx *f = kmalloc(sizeof(*f));

	if (f == NULL)
		return NULL;
	ref_init(&f->ref);
	spin_init(&f->lock, RANK_FSCTX);
	f->root = f->cwd = *root;
	path_get(&f->root);
	path_get(&f->cwd);
	f->umask = 022;
	return f;
}

struct fsctx *fsctx_dup(struct fsctx *src)
{
	struct fsctx *f = kmalloc(sizeof(*f));

	if (f == NULL)
		return NULL;
	ref_init(&f->ref);
	spin_init(&f->lock, RANK_FSCTX);
	spin_lock(&src->lock);
	f->root = src->root;
	f->cwd = src->cwd;
	f->umask = src->umask;
	path_get(&f->root);
	path_get(&f->cwd);
	spin_unlock(&src->lock);
	return f;
}

void fsctx_get(struct fsctx *f)
{
	ref_get(&f->ref);
}

void fsctx_put(struct fsctx *f)
{
	if (!ref_put(&f->ref))
		return;
	path_put(&f->root);
	path_put(&f->cwd);
	kfree(f);
}

static void path_replace(struct fsctx *f, struct path *place, const struct path *p)
{
	struct path old;

	bool foreign = f != curthread()->fs;

	path_get(p);
	spin_lock(&f->lock);
	if (foreign)
		atomic_fetch_add(&mount_seq,
				 1); /* its owner may be reading both words without the lock */
	old = *place;
	*place = *p;
	if (foreign)
		atomic_fetch_add(&mount_seq, 1);
	spin_unlock(&f->lock);
	path_put(&old);
}

void fsctx_set_cwd(struct fsctx *f, const struct path *p)
{
	path_replace(f, &f->cwd, p);
}

void fsctx_set_root(struct fsctx *f, const struct path *p)
{
	path_replace(f, &f->root, p);
}

void fsctx_get_root(struct fsctx *f, struct path *out)
{
	spin_lock(&f->lock);
	*out = f->root;
	path_get(out);
	spin_unlock(&f->lock);
}

void fsctx_get_cwd(struct fsctx *f, struct path *out)
{
	spin_lock(&f->lock);
	*out = f->cwd;
	path_get(out);
	spin_unlock(&f->lock);
}

uint32_t create_mode(const struct inode *dir, uint32_t mode)
{
	if (UNLIKELY(atomic_load(&dir->default_acl) != NULL))
		return mode & (S_IFMT | 07777);
	return mode & (S_IFMT | (07777 & ~current_umask()));
}

uint32_t current_umask(void)
{
	const struct fsctx *f = curthread()->fs;

	return f ? f->umask : 0;
}

void current_root(struct path *out)
{
	struct fsctx *f = curthread()->fs;

	if (f != NULL) {
		fsctx_get_root(f, out);
		return;
	}
	*out = mount_root_path;
	path_get(out);
}

void current_cwd(struct path *out)
{
	struct fsctx *f = curthread()->fs;

	if (f != NULL) {
		fsctx_get_cwd(f, out);
		return;
	}
	*out = mount_root_path;
	path_get(out);
}
