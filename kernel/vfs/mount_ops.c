/*
 * mount(2), umount2(2), pivot_root(2). Each finds out under mount_lock whether it may, makes what
 * it needs, and then changes the tree; what it took away is put after the lock. `at` names the
 * place as the caller's walk found it: what has been mounted on it since is gone through first.
 */

#include "abi/errno.h"
#include "abi/mount.h"
#include "core/log.h"
#include "lib/string.h"
#include "vfs/mount_priv.h"

void (*fsctx_for_each)(void (*fn)(struct fsctx *f, void *ctx), void *ctx);

/* The flags of mount(2) that belong to the superblock. */
enum { SB_FLAGS = MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK | MS_DIRSYNC | MS_LAZYTIME };

static bool is_dir(const struct dentry *d)
{
	return S_ISDIR(dentry_inode(d)->mode);
}

static bool is_attached(const struct mount *m)
{
	return m->ns == &mount_init_ns;
}

int mount_place_lock(const struct path *at, struct path *out) NO_TSA
{
	int err = 0;

	mutex_lock(&mount_lock);
	*out = *at;
	path_get(out);
	mount_descend(out);
	if (!is_attached(out->mnt))
		err = -EINVAL;
	else if (atomic_load(&out->dentry->flags) & DENTRY_UNHASHED &&
		 out->dentry != out->mnt->sb->root)
		err = -ENOENT;
	if (err) {
		mutex_unlock(&mount_lock);
		path_put(out);
	}
	return err;
}

void mount_place_unlock(struct path *p) NO_TSA
{
	mutex_unlock(&mount_lock);
	path_put(p);
}

bool mount_may_cover(const struct dentry *what, const struct dentry *where)
{
	return is_dir(what) == is_dir(where);
}

int mount_new(const struct path *at, const struct fs_type *t, const char *source, unsigned flags,
	      const char *data)
{
	struct superblock *sb;
	struct mount *m = NULL;
	struct path p;
	int err;

	if ((err = t->mount(t, source ? source : "none", flags & SB_FLAGS, data, &sb)))
		return err;
	if ((err = mount_place_lock(at, &p)))
		goto put_sb;
	if (sb == p.mnt->sb && p.dentry == p.mnt->root)
		err = -EBUSY;
	else if (!mount_may_cover(sb->root, p.dentry))
		err = -ENOTDIR;
	else if ((m = mount_alloc(sb, sb->root, flags & MOUNT_FLAGS_KEPT, source)) == NULL)
		err = -ENOMEM;
	else if ((err = mount_attach(m, p.mnt, p.dentry)))
		mount_put(m);
	mount_place_unlock(&p);
put_sb:
	superblock_put(sb);
	return err;
}

int mount_bind(const struct path *at, const struct path *from, bool recursive)
{
	struct mount *copy;
	struct path p;
	int err = mount_place_lock(at, &p);

	if (err)
		return err;
	if (!is_attached(from->mnt) || from->mnt->unbindable)
		err = -EINVAL;
	else if (!mount_may_cover(from->dentry, p.dentry))
		err = -ENOTDIR;
	else if (!(err = mount_copy_tree(from->mnt, from->dentry, recursive, COPY_PEER, &copy)) &&
		 (err = mount_attach(copy, p.mnt, p.dentry)))
		mount_free_tree(copy);
	mount_place_unlock(&p);
	return err;
}

bool mount_has_unbindable(struct mount *top)
{
	for (struct mount *m = top; m != NULL; m = mount_next_in_tree(m, top))
		if (m->unbindable)
			return true;
	return false;
}

static int move_check(const struct path *from, const struct path *p)
{
	struct mount *m = from->mnt;

	if (from->dentry != m->root || !is_attached(m) || m->parent == m || m->parent->group_id)
		return -EINVAL;
	if (!mount_may_cover(from->dentry, p->dentry))
		return -ENOTDIR;
	if (p->mnt->group_id && mount_has_unbindable(m))
		return -EINVAL;
	for (struct mount *up = p->mnt;; up = up->parent) {
		if (up == m)
			return -ELOOP;
		if (up == up->parent)
			return 0;
	}
}

int mount_move(const struct path *at, const struct path *from)
{
	struct list trees = LIST_INIT(trees);
	struct path p;
	int err = mount_place_lock(at, &p);

	if (err)
		return err;
	if (!(err = move_check(from, &p)) &&
	    !(err = mount_plan_copies(from->mnt, p.mnt, p.dentry, &trees))) {
		mount_relocate(from->mnt, p.mnt, p.dentry);
		mount_publish_copies(&trees);
	}
	mount_place_unlock(&p);
	return err;
}

/* A file open for writing through any mount of the superblock keeps it writable. */
static bool sb_has_writers(const struct superblock *sb)
{
	struct mount *m;

	list_for_each (m, &mount_init_ns.mounts, ns_node)
		if (m->sb == sb && atomic_load(&m->writers) > 0)
			return true;
	return false;
}

static void set_mount_flags(struct mount *m, unsigned flags)
{
	mount_change_begin();
	m->flags = flags & MOUNT_FLAGS_KEPT;
	mount_change_end();
}

static int remount_super(struct superblock *sb, unsigned flags, const char *data)
{
	int err = 0;

	if (flags & MS_RDONLY && !(sb->flags & MS_RDONLY) && (err = superblock_sync(sb)))
		return err;
	if (sb->ops->remount && (err = sb->ops->remount(sb, flags & SB_FLAGS, data)))
		return err;
	sb->flags = (sb->flags & ~(uint32_t)SB_FLAGS) | (flags & SB_FLAGS);
	return 0;
}

int superblock_reconfigure(struct superblock *sb, unsigned flags, const char *data)
{
	int err = -EBUSY;

	mutex_lock(&mount_lock);
	if (!(flags & MS_RDONLY) || sb->flags & MS_RDONLY || !sb_has_writers(sb))
		err = remount_super(sb, flags, data);
	mutex_unlock(&mount_lock);
	return err;
}

int mount_remount(const struct path *at, unsigned flags, const char *data, bool bind_only)
{
	struct mount *m = at->mnt;
	struct superblock *sb = m->sb;
	int err = 0;

	mutex_lock(&mount_lock);
	if (at->dentry != m->root || !is_attached(m)) {
		err = -EINVAL;
	} else if (flags & MS_RDONLY && !(m->flags & MS_RDONLY) &&
		   (bind_only ? atomic_load(&m->writers) > 0 : sb_has_writers(sb))) {
		err = -EBUSY;
	} else if (!bind_only) {
		err = remount_super(sb, flags, data);
	}
	if (!err)
		set_mount_flags(m, flags);
	mutex_unlock(&mount_lock);
	return err;
}

static void change_one(struct mount *m, unsigned type)
{
	m->unbindable = type == MS_UNBINDABLE;
	if (type == MS_SHARED)
		mount_set_shared(m);
	else
		mount_leave_group(m, type == MS_SLAVE);
}

int mount_change_type(const struct path *at, unsigned type, bool recursive)
{
	struct mount *top = at->mnt;
	int err = 0;

	mutex_lock(&mount_lock);
	if (at->dentry != top->root || !is_attached(top))
		err = -EINVAL;
	else
		for (struct mount *m = top; m != NULL;
		     m = recursive ? mount_next_in_tree(m, top) : NULL)
			change_one(m, type);
	mutex_unlock(&mount_lock);
	return err;
}

int mount_set_attributes(const struct path *at, const struct mount_change *c, bool recursive)
{
	struct mount *top = at->mnt;
	int err = 0;

	mutex_lock(&mount_lock);
	if (at->dentry != top->root || top->ns == NULL)
		err = -EINVAL;
	for (struct mount *m = top; m != NULL && !err;
	     m = recursive ? mount_next_in_tree(m, top) : NULL)
		if (c->set & ~m->flags & MS_RDONLY && atomic_load(&m->writers) > 0)
			err = -EBUSY;
	for (struct mount *m = top; m != NULL && !err;
	     m = recursive ? mount_next_in_tree(m, top) : NULL) {
		set_mount_flags(m, (m->flags & ~c->clear) | c->set);
		if (c->propagation)
			change_one(m, c->propagation);
	}
	mutex_unlock(&mount_lock);
	return err;
}

static int collect(struct mount *m, void *ctx)
{
	struct list *doomed = ctx;

	if (!list_is_linked(&m->work))
		list_add_tail(doomed, &m->work);
	return 0;
}

/* In use beyond the tree's own reference and `extra`. What is mounted below counts as use. */
static bool is_busy(const struct mount *m, unsigned extra)
{
	return !list_is_empty(&m->children) || ref_count(&m->ref) > 1 + extra;
}

static int copy_is_busy(struct mount *m, void *ctx)
{
	(void)ctx;
	/* A copy with something else mounted below stays, and is no hindrance. */
	return list_is_empty(&m->children) && is_busy(m, 0) ? -EBUSY : 0;
}

static int collect_unused(struct mount *m, void *ctx)
{
	return list_is_empty(&m->children) ? collect(m, ctx) : 0;
}

/* What is to go with m: m last, after all that is below it. */
static int umount_plan(struct mount *m, unsigned flags, struct list *doomed)
{
	int err;

	if (!(flags & MNT_DETACH)) {
		/* The caller's path holds one. */
		if (is_busy(m, 1) ||
		    mount_for_each_copy(m->parent, m->mountpoint, copy_is_busy, NULL))
			return -EBUSY;
	}
	err = mount_for_each_copy(m->parent, m->mountpoint, collect_unused, doomed);
	for (struct mount *c = m; c != NULL && !err; c = mount_next_in_tree(c, m))
		err = collect(c, doomed);
	return err;
}

static void detach_all(struct list *doomed, struct list *gone)
{
	/* From the end: children were collected after their parents. */
	while (!list_is_empty(doomed)) {
		struct mount *m = list_last(doomed, struct mount, work);

		list_remove(&m->work);
		mount_detach(m, gone);
	}
}

static int umount_expire(struct mount *m)
{
	if (is_busy(m, 1))
		return -EBUSY;
	if (atomic_exchange(&m->expire_mark, 0) == 1)
		return 0;
	atomic_store(&m->expire_mark, 2);
	return -EAGAIN;
}

int mount_umount(const struct path *at, unsigned flags)
{
	struct list doomed = LIST_INIT(doomed), gone = LIST_INIT(gone);
	struct mount *m = at->mnt;
	int err = 0;

	mutex_lock(&mount_lock);
	if (at->dentry != m->root || !is_attached(m) || m->parent == m)
		err = -EINVAL;
	else if (flags & MNT_EXPIRE)
		err = umount_expire(m);
	if (!err && !(err = umount_plan(m, flags, &doomed)))
		detach_all(&doomed, &gone);
	mutex_unlock(&mount_lock);
	/* at->mnt is the caller's: the superblock is still there. */
	if (!err && !(flags & MNT_DETACH) && superblock_sync(m->sb))
		log_warn("%s: not all could be written at unmount", m->source);
	mounts_drop(&gone);
	return err;
}

struct pivot {
	struct path from, to;
};

static void pivot_fs(struct fsctx *f, void *ctx)
{
	const struct pivot *p = ctx;
	struct path now;

	fsctx_get_root(f, &now);
	if (now.mnt == p->from.mnt && now.dentry == p->from.dentry)
		fsctx_set_root(f, &p->to);
	path_put(&now);
	fsctx_get_cwd(f, &now);
	if (now.mnt == p->from.mnt && now.dentry == p->from.dentry)
		fsctx_set_cwd(f, &p->to);
	path_put(&now);
}

static bool is_below(const struct path *p, const struct path *top)
{
	const struct mount *m = p->mnt;
	const struct dentry *d = p->dentry;

	while (m != top->mnt) {
		if (m->parent == m)
			return false;
		d = m->mountpoint;
		m = m->parent;
	}
	return dentry_is_below(d, top->dentry);
}

static int pivot_check(const struct path *root, const struct path *new, const struct path *old)
{
	if (!is_attached(root->mnt) || !is_attached(new->mnt))
		return -EINVAL;
	if (new->mnt == root->mnt || old->mnt == root->mnt)
		return -EBUSY;
	if (root->dentry != root->mnt->root || root->mnt->parent == root->mnt ||
	    new->dentry != new->mnt->root || new->mnt->parent == new->mnt)
		return -EINVAL;
	if (old->mnt->group_id || new->mnt->parent->group_id || root->mnt->parent->group_id)
		return -EINVAL;
	return is_below(old, new) && is_below(new, root) ? 0 : -EINVAL;
}

int mount_pivot(const struct path *new_root, const struct path *put_old)
{
	struct pivot p = { .to = *new_root };
	struct path old, place;
	int err;

	if (curthread()->fs == NULL)
		return -EINVAL;
	if ((err = mount_place_lock(put_old, &old)))
		return err;
	fsctx_get_root(curthread()->fs, &p.from);
	if ((err = pivot_check(&p.from, new_root, &old)))
		goto out;
	place = (struct path){ p.from.mnt->parent, p.from.mnt->mountpoint };
	path_get(&place);
	mount_relocate(new_root->mnt, place.mnt, place.dentry);
	mount_relocate(p.from.mnt, old.mnt, old.dentry);
	path_put(&place);
	if (fsctx_for_each)
		fsctx_for_each(pivot_fs, &p);
	else
		pivot_fs(curthread()->fs, &p);
out:
	path_put(&p.from);
	mount_place_unlock(&old);
	return err;
}
