/*
 * rename(2). Two parents are locked: the same one once; else the superblock's rename lock first, so
 * that no other rename can change who is below whom, then the ancestor, or by address when neither
 * is one. With both locked both names are looked up and everything is checked; then the file system
 * moves the entries and the dentries follow.
 *
 * An inode that the rename removes is locked as well, below the directories. RENAME_EXCHANGE
 * removes nothing.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mount.h"
#include "lib/string.h"
#include "vfs/fdtable.h"
#include "vfs/inotify.h"
#include "vfs/namei.h"
#include "vfs/vfs_priv.h"

struct rename {
	struct walk_result from, to;
	struct dentry *od, *nd; /* counted */
	unsigned flags;
};

static struct inode *dir_of(const struct walk_result *w)
{
	return dentry_inode(w->path.dentry);
}

static void lock_parents(const struct rename *r) NO_TSA
{
	struct inode *a = dir_of(&r->from), *b = dir_of(&r->to);

	if (a == b) {
		write_lock(&a->lock);
		return;
	}
	mutex_lock(&a->sb->rename_lock);
	if (dentry_is_below(r->to.path.dentry, r->from.path.dentry)) {
		write_lock(&a->lock);
		inode_lock_nested(b);
	} else if (dentry_is_below(r->from.path.dentry, r->to.path.dentry)) {
		write_lock(&b->lock);
		inode_lock_nested(a);
	} else {
		inode_lock_pair(a, b);
	}
}

static void unlock_parents(const struct rename *r) NO_TSA
{
	struct inode *a = dir_of(&r->from), *b = dir_of(&r->to);

	inode_unlock_pair(a, b);
	if (a != b)
		mutex_unlock(&a->sb->rename_lock);
}

static int lookup_both(struct rename *r)
{
	int err = dentry_lookup_hashed(r->from.path.dentry, r->from.last, r->from.last_len,
				       r->from.last_hash, &r->od);

	if (!err)
		err = dentry_lookup_hashed(r->to.path.dentry, r->to.last, r->to.last_len,
					   r->to.last_hash, &r->nd);
	return err;
}

/* What does not depend on permissions. */
static int check_names(const struct rename *r)
{
	struct inode *o = dentry_inode(r->od), *n = dentry_inode(r->nd);

	if (o == NULL)
		return -ENOENT;
	if (r->flags & RENAME_NOREPLACE && n != NULL)
		return -EEXIST;
	if (r->flags & RENAME_EXCHANGE) {
		if (n == NULL)
			return -ENOENT;
		if (!S_ISDIR(n->mode) && r->to.slash)
			return -ENOTDIR;
	}
	if (!S_ISDIR(o->mode) && (r->from.slash || (r->to.slash && !(r->flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	/* Neither may become part of itself. */
	if (S_ISDIR(o->mode) && dentry_is_below(r->to.path.dentry, r->od))
		return -EINVAL;
	if (n != NULL && S_ISDIR(n->mode) && dentry_is_below(r->from.path.dentry, r->nd))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int check_target(const struct rename *r, const struct cred *c, bool is_dir)
{
	struct inode *n = dentry_inode(r->nd);

	if (n == NULL)
		return may_create_in(c, dir_of(&r->to));
	return may_delete(c, dir_of(&r->to), r->nd,
			  r->flags & RENAME_EXCHANGE ? S_ISDIR(n->mode) : is_dir);
}

static int check_permissions(const struct rename *r)
{
	struct inode *o = dentry_inode(r->od), *n = dentry_inode(r->nd);
	const struct cred *c = current_cred();
	bool is_dir = S_ISDIR(o->mode), moves = r->from.path.dentry != r->to.path.dentry;
	int err;

	if ((err = mount_want_write(r->from.path.mnt)) ||
	    (err = may_delete(c, dir_of(&r->from), r->od, is_dir)) ||
	    (err = check_target(r, c, is_dir)))
		return err;
	/* A directory that gets another parent has its ".." changed. */
	if (moves && is_dir && (err = inode_permission(c, o, PERM_WRITE)))
		return err;
	if (moves && r->flags & RENAME_EXCHANGE && S_ISDIR(n->mode) &&
	    (err = inode_permission(c, n, PERM_WRITE)))
		return err;
	if ((atomic_load(&r->od->flags) | atomic_load(&r->nd->flags)) & DENTRY_MOUNTED)
		return -EBUSY;
	return 0;
}

static int perform(struct rename *r) NO_TSA
{
	struct inode *dir = dir_of(&r->from), *n = dentry_inode(r->nd);
	bool removes = n != NULL && !(r->flags & RENAME_EXCHANGE);
	int err;

	if (dir->ops->rename == NULL)
		return -EPERM;
	if (removes)
		inode_lock_nested(n);
	err = dir->ops->rename(dir, r->od, dir_of(&r->to), r->nd, r->flags);
	if (!err && removes && S_ISDIR(n->mode))
		atomic_fetch_or(&r->nd->flags, DENTRY_DEAD);
	if (removes)
		write_unlock(&n->lock);
	if (err)
		return err;
	if (removes && S_ISDIR(n->mode))
		dentry_shrink_children(r->nd);
	if (r->flags & RENAME_EXCHANGE)
		dentry_exchange(r->od, r->nd);
	else
		dentry_move(r->od, r->nd);
	return 0;
}

static int rename_locked(struct rename *r, struct inode **victim)
{
	struct inode *n;
	int err = lookup_both(r);

	if (err || (err = check_names(r)))
		return err;
	n = dentry_inode(r->nd);
	if (n == dentry_inode(r->od))
		return 0; /* two names of one file: both stay */
	if ((err = check_permissions(r)))
		return err;
	if (n != NULL && !(r->flags & RENAME_EXCHANGE)) {
		inode_get(n);
		*victim = n;
	}
	return perform(r);
}

static void notify_renamed(const struct rename *r, struct inode *victim)
{
	static _Atomic uint32_t last_cookie;
	struct inode *from = dir_of(&r->from), *to = dir_of(&r->to), *i = dentry_inode(r->od);
	uint32_t is_dir = S_ISDIR(i->mode) ? IN_ISDIR : 0,
		 cookie = atomic_fetch_add(&last_cookie, 1) + 1;
	char old_name[NAME_LEN_MAX + 1];

	if (atomic_load(&from->marks) != NULL) {
		memcpy(old_name, r->from.last, r->from.last_len);
		old_name[r->from.last_len] = '\0';
		fsnotify_hook(from, IN_MOVED_FROM | is_dir | (from == to ? FSNOTIFY_SAME_DIR : 0),
			      old_name, cookie);
	}
	if (atomic_load(&to->marks) != NULL)
		fsnotify_hook(to, IN_MOVED_TO | is_dir, r->od->name, cookie);
	if (victim != NULL)
		fsnotify(victim, IN_ATTRIB | (S_ISDIR(victim->mode) ? IN_ISDIR : 0), NULL);
	fsnotify(i, IN_MOVE_SELF | is_dir, NULL);
	if (victim != NULL && victim->nlink == 0 && atomic_load(&victim->marks) != NULL &&
	    atomic_load(&r->nd->ref) == 1)
		fsnotify_inode_gone(victim, IN_DELETE_SELF);
}

static int rename_found(struct rename *r)
{
	struct inode *victim = NULL;
	bool same;
	int err;

	if (r->from.path.mnt != r->to.path.mnt)
		return -EXDEV;
	if (r->from.last_kind != RESOLVE_LAST_NAME)
		return -EBUSY;
	if (r->to.last_kind != RESOLVE_LAST_NAME)
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	lock_parents(r);
	err = rename_locked(r, &victim);
	same = !err && r->nd != NULL && victim == NULL &&
	       dentry_inode(r->nd) == dentry_inode(r->od);
	if (!err && !same)
		notify_renamed(r, victim); /* the locks keep the name */
	unlock_parents(r);
	if (r->od != NULL)
		dentry_put(r->od);
	if (r->nd != NULL)
		dentry_put(r->nd);
	if (victim != NULL)
		inode_put(victim);
	return err;
}

static int walk_to(int dirfd, const char *name, struct walk_result *out)
{
	const struct path *start;
	struct fdref hold;
	int err = walk_start(dirfd, name, 0, &hold, &start);

	if (err)
		return err;
	err = walk_run(start, name, 0, true, out);
	fdref_put(hold);
	return err;
}

int vfs_rename(int odirfd, const char *oname, int ndirfd, const char *nname, unsigned flags)
{
	struct rename r = { .flags = flags };
	int err;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & RENAME_EXCHANGE && flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((err = walk_to(odirfd, oname, &r.from)))
		return err;
	if (!(err = walk_to(ndirfd, nname, &r.to))) {
		err = rename_found(&r);
		path_put(&r.to.path);
	}
	path_put(&r.from.path);
	return err;
}
