/*
 * Path walk without locks or counts. Under an epoch nothing that the walk can reach is freed, so it
 * needs only to know that what it read belonged together: a dentry's sequence count says whether it
 * was renamed while its name was being compared, mount_seq whether the mount tree has changed since
 * the start. The result alone is counted, and checked again after that. What needs sleep or
 * patience (a name that is not cached, revalidation, a symbolic link whose text is not in memory, a
 * permission method) makes it punt: the walk begins anew with references (walk_ref.c).
 *
 * A mode that lets everybody search makes the permission check one comparison.
 */

#include "vfs/walk.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mount.h"
#include "core/ktrace.h"
#include "pmm/slab.h"
#include "vfs/fdtable.h"
#include "vfs/vfs_priv.h"
#include "vm/usercopy.h"

enum { FAST_DEPTH = 8 }; /* nested links with something behind them */

struct fastwalk {
	struct path cur;
	struct inode *inode; /* of cur.dentry */
	uint32_t seq;        /* of cur.dentry, when it was found */
	uint32_t mount_seq;
	struct path root; /* once has_root */
	bool has_root;
	struct dentry *link; /* met by child() */
	struct inode *link_inode;
	uint32_t link_seq;
	const struct cred *cred;
	struct fsctx *fs;
};

int vfs_protected_symlinks = 1, vfs_protected_hardlinks = 1, vfs_protected_fifos,
    vfs_protected_regular;

/* The calling thread alone uses its fsctx, or it takes the lock. (pivot_root(2) changes the fsctx
 * of others, but not without mount_seq, which the walk checks.) */
static inline void fs_peek(struct fsctx *fs, bool root, struct path *out)
{
	const struct path *from;

	if (UNLIKELY(fs == NULL)) {
		*out = mount_root_path;
		return;
	}
	from = root ? &fs->root : &fs->cwd;
	if (LIKELY(ref_count(&fs->ref) == 1)) {
		*out = *from;
		return;
	}
	spin_lock(&fs->lock);
	*out = *from;
	spin_unlock(&fs->lock);
}

static inline void fast_need_root(struct fastwalk *w)
{
	if (!w->has_root) {
		fs_peek(w->fs, true, &w->root);
		w->has_root = true;
	}
}

static inline void fast_place(struct fastwalk *w, struct dentry *d)
{
	w->cur.dentry = d;
	w->seq = atomic_load_explicit(&d->seq, memory_order_acquire);
	w->inode = dentry_inode(d);
}

static inline int fast_search(struct fastwalk *w)
{
	const struct inode *dir = w->inode;

	if (UNLIKELY(dir == NULL))
		return RESOLVE_PUNT;
	if (LIKELY((dir->mode & (S_IFMT | 0111)) == (S_IFDIR | 0111) &&
		   dir->ops->permission == NULL &&
		   atomic_load_explicit(&dir->acl, memory_order_relaxed) == NULL))
		return 0;
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	return dir->ops->permission ? RESOLVE_PUNT : inode_mode_permission(w->cred, dir, PERM_EXEC);
}

/* Through whatever is mounted on (w->cur.mnt, d). */
static void fast_cross(struct fastwalk *w, struct dentry *d)
{
	while (atomic_load_explicit(&d->flags, memory_order_relaxed) & DENTRY_MOUNTED) {
		struct mount *m = mount_probe(w->cur.mnt, d);

		if (m == NULL)
			break;
		w->cur.mnt = m;
		d = m->root;
	}
	fast_place(w, d);
}

static int fast_child(void *ctx, const char *name, uint32_t len, uint32_t hash)
{
	struct fastwalk *w = ctx;
	struct inode *inode;
	struct dentry *d;
	uint32_t seq, flags;
	int err = fast_search(w);

	if (UNLIKELY(err))
		return err;
	d = dcache_probe(w->cur.dentry, name, len, hash, &seq);
	if (UNLIKELY(d == NULL))
		return RESOLVE_PUNT;
	inode = dentry_inode(d);
	flags = atomic_load_explicit(&d->flags, memory_order_relaxed);
	if (UNLIKELY((flags & (DENTRY_REVALIDATE | DENTRY_MOUNTED | DENTRY_REFERENCED)) !=
		     DENTRY_REFERENCED)) {
		if (flags & DENTRY_REVALIDATE)
			return RESOLVE_PUNT;
		atomic_fetch_or_explicit(&d->flags, DENTRY_REFERENCED, memory_order_relaxed);
		if (flags & DENTRY_MOUNTED) {
			fast_cross(w, d);
			return w->inode ? 0 : RESOLVE_PUNT;
		}
	}
	if (UNLIKELY(inode == NULL)) {
		bool stands =
			!(atomic_load_explicit(&d->ref, memory_order_acquire) & DENTRY_REF_DEAD) &&
			atomic_load_explicit(&d->seq, memory_order_relaxed) == seq;

		return stands ? -ENOENT : RESOLVE_PUNT;
	}
	if (UNLIKELY(S_ISLNK(inode->mode))) {
		w->link = d;
		w->link_inode = inode;
		w->link_seq = seq;
		return RESOLVE_LINK;
	}
	w->cur.dentry = d;
	w->inode = inode;
	w->seq = seq;
	return 0;
}

static int fast_dot(void *ctx)
{
	return fast_search(ctx);
}

static int fast_dotdot(void *ctx)
{
	struct fastwalk *w = ctx;
	int err = fast_search(w);

	if (err)
		return err;
	fast_need_root(w);
	for (;;) {
		struct dentry *d = w->cur.dentry;
		struct mount *up;

		if (d == w->root.dentry && w->cur.mnt == w->root.mnt)
			break;
		if (d != w->cur.mnt->root) {
			w->cur.dentry = atomic_load_explicit(&d->parent, memory_order_acquire);
			break;
		}
		up = __atomic_load_n(&w->cur.mnt->parent, __ATOMIC_ACQUIRE);
		if (up == w->cur.mnt)
			break;
		w->cur.dentry = __atomic_load_n(&w->cur.mnt->mountpoint, __ATOMIC_RELAXED);
		w->cur.mnt = up;
	}
	fast_cross(w, w->cur.dentry);
	return 0;
}

static int fast_root(void *ctx)
{
	struct fastwalk *w = ctx;

	fast_need_root(w);
	w->cur = w->root;
	fast_place(w, w->root.dentry);
	return 0;
}

int may_follow_link(const struct cred *c, const struct inode *dir, const struct inode *link)
{
	if (!vfs_protected_symlinks || (dir->mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH))
		return 0;
	return link->uid == c->fsuid || link->uid == dir->uid ? 0 : -EACCES;
}

static int fast_read_link(void *ctx, bool last, const char **text)
{
	struct fastwalk *w = ctx;

	if (w->link_inode->link == NULL)
		return RESOLVE_PUNT;
	if (w->cur.mnt->flags & MS_NOSYMFOLLOW)
		return -ELOOP;
	if (last && may_follow_link(w->cred, w->inode, w->link_inode))
		return -EACCES;
	inode_touch_atime(w->link_inode, w->cur.mnt->flags);
	*text = w->link_inode->link;
	return 0;
}

static void fast_take_link(void *ctx)
{
	struct fastwalk *w = ctx;

	w->cur.dentry = w->link;
	w->inode = w->link_inode;
	w->seq = w->link_seq;
}

static int fast_must_be_dir(void *ctx)
{
	const struct fastwalk *w = ctx;

	if (w->inode == NULL)
		return RESOLVE_PUNT;
	return S_ISDIR(w->inode->mode) ? 0 : -ENOTDIR;
}

static const struct resolve_ops fast_ops = {
	.child = fast_child,
	.dot = fast_dot,
	.dotdot = fast_dotdot,
	.root = fast_root,
	.read_link = fast_read_link,
	.take_link = fast_take_link,
	.must_be_dir = fast_must_be_dir,
};

/*
 * The plain beginning of a name, which is most of most names: components that are cached, no link
 * and no dot, one slash apart. True: that was all of it. Else *rest is the component that the
 * machine is to go on with, and it is the machine that finds out what is wrong there. last: NULL,
 * or the walk is to stop before the last component and tell it.
 */
static NOINLINE bool fast_plain(struct fastwalk *w, const char **rest, struct walk_result *last)
{
	const char *name = *rest, *end;
	const uint64_t seed = dcache.seed;
	struct dentry *d = w->cur.dentry;
	struct inode *inode = w->inode;
	uint32_t hash, flags, seq = w->seq;

	for (;; name = end + 1) {
		const struct inode *dir = inode;

		end = name_component_end(name, seed, &hash);
		if (*end == '/' && UNLIKELY(end[1] == '/' || end[1] == '\0'))
			break;
		if (UNLIKELY(*name == '.') ||
		    UNLIKELY(dir == NULL || dir->ops->permission != NULL ||
			     atomic_load_explicit(&dir->acl, memory_order_relaxed) != NULL ||
			     (dir->mode & (S_IFMT | 0111)) != (S_IFDIR | 0111)))
			break;
		if (*end == '\0' && last != NULL) {
			if (end - name > NAME_LEN_MAX || end == name)
				break;
			last->last = name;
			last->last_len = (uint32_t)(end - name);
			last->last_hash = hash;
			last->last_kind = RESOLVE_LAST_NAME;
			last->slash = false;
			return true;
		}
		struct dentry *child = dcache_probe(d, name, (size_t)(end - name), hash, &seq);

		if (UNLIKELY(child == NULL))
			break;
		inode = dentry_inode(child);
		flags = atomic_load_explicit(&child->flags, memory_order_relaxed);
		if (UNLIKELY(inode == NULL || S_ISLNK(inode->mode)) ||
		    UNLIKELY((flags & (DENTRY_REVALIDATE | DENTRY_REFERENCED)) !=
			     DENTRY_REFERENCED))
			break;
		d = child;
		w->cur.dentry = d;
		w->inode = inode;
		w->seq = seq;
		if (UNLIKELY(flags & DENTRY_MOUNTED)) {
			fast_cross(w, d);
			d = w->cur.dentry;
			inode = w->inode;
		}
		if (*end == '\0') {
			*rest = end;
			return inode != NULL;
		}
	}
	*rest = name;
	return false;
}

/* Counts the place. False: it has moved or is going; nothing is counted then. Ends the epoch
 * section. */
static bool fast_take(struct fastwalk *w)
{
	struct dentry *d = w->cur.dentry;
	struct mount *m = w->cur.mnt;
	bool got_mount, got_dentry;

	got_mount = mount_tryget(m);
	got_dentry = got_mount && dentry_tryget(d);
	epoch_exit();
	if (LIKELY(got_dentry && atomic_load_explicit(&d->seq, memory_order_acquire) == w->seq &&
		   atomic_load_explicit(&mount_seq, memory_order_relaxed) == w->mount_seq &&
		   dentry_inode(d) != NULL))
		return true;
	if (got_dentry)
		dentry_put(d);
	if (got_mount)
		mount_put(m);
	return false;
}

/* What fast_plain() has left of a name. 0, -errno, or RESOLVE_PUNT. */
static NOINLINE int fast_machine(struct fastwalk *w, const char *rest, unsigned flags, bool parent,
				 struct walk_result *out)
{
	const char *stack[FAST_DEPTH];
	struct resolve r;
	int err;

	r.ops = &fast_ops;
	r.ctx = w;
	r.seed = dcache.seed;
	r.follow = flags & WALK_FOLLOW;
	r.directory = flags & WALK_DIRECTORY;
	r.parent = parent;
	r.stack = stack;
	r.max_depth = FAST_DEPTH;
	resolve_resume(&r, rest);
	err = resolve_run(&r);
	out->last = r.last;
	out->last_len = r.last_len;
	out->last_hash = r.last_hash;
	out->last_kind = r.last_kind;
	out->slash = r.slash;
	return err;
}

static inline void fast_start(struct fastwalk *w, const struct path *start, const char **name)
{
	if (LIKELY(**name == '/')) {
		fast_need_root(w);
		w->cur = w->root;
		do
			++*name;
		while (**name == '/');
	} else if (start != NULL) {
		w->cur = *start;
	} else {
		fs_peek(w->fs, false, &w->cur);
	}
	fast_place(w, w->cur.dentry);
}

/* 0, -errno, or RESOLVE_PUNT. */
static int walk_fast(const struct path *start, const char *name, unsigned flags, bool parent,
		     struct walk_result *out)
{
	struct fastwalk w;
	int err = 0;

	w.mount_seq = atomic_load_explicit(&mount_seq, memory_order_acquire);
	if (w.mount_seq & 1)
		return RESOLVE_PUNT;
	w.cred = current_cred();
	w.fs = curthread()->fs;
	w.has_root = false;
	epoch_enter();
	fast_start(&w, start, &name);
	if (!fast_plain(&w, &name, parent ? out : NULL))
		err = fast_machine(&w, name, flags, parent, out);
	else if (flags & WALK_DIRECTORY && !parent)
		err = fast_must_be_dir(&w);
	if (UNLIKELY(err)) {
		epoch_exit();
		return atomic_load_explicit(&mount_seq, memory_order_acquire) == w.mount_seq
			       ? err
			       : RESOLVE_PUNT;
	}
	if (!fast_take(&w))
		return RESOLVE_PUNT;
	out->path = w.cur;
	return 0;
}

enum {
	WALK_SLOW_FLAGS =
		WALK_NO_SYMLINKS | WALK_NO_MAGICLINKS | WALK_NO_XDEV | WALK_BENEATH | WALK_IN_ROOT,
};

static int walk_slow(const struct path *start, const char *name, unsigned flags, bool parent,
		     struct walk_result *out)
{
	struct refwalk *w;
	int err = refwalk_begin(start, name, flags, parent, &w);

	if (err)
		return err;
	err = refwalk_run(w);
	if (!err)
		refwalk_result(w, out);
	refwalk_end(w);
	return err;
}

static int walk_empty(const struct path *start, unsigned flags, struct walk_result *out)
{
	if (!(flags & WALK_EMPTY))
		return -ENOENT;
	if (start != NULL) {
		out->path = *start;
		path_get(&out->path);
	} else {
		current_cwd(&out->path);
	}
	if (flags & WALK_DIRECTORY && !S_ISDIR(dentry_inode(out->path.dentry)->mode)) {
		path_put(&out->path);
		return -ENOTDIR;
	}
	return 0;
}

int walk_run(const struct path *start, const char *name, unsigned flags, bool parent,
	     struct walk_result *out)
{
	int err;

	if (UNLIKELY(*name == '\0'))
		return walk_empty(start, parent ? 0 : flags, out);
	if (LIKELY(!(flags & WALK_SLOW_FLAGS))) {
		err = walk_fast(start, name, flags, parent, out);
		if (LIKELY(err != RESOLVE_PUNT))
			return err;
	}
	if (flags & WALK_CACHED)
		return -EAGAIN;
	err = walk_slow(start, name, flags, parent, out);
	if (ktrace_on(KT_VFS)) {
		uint64_t text[2] = { 0, 0 };

		for (size_t i = 0; i < sizeof(text) && name[i] != '\0'; i++)
			text[i / 8] |= (uint64_t)(uint8_t)name[i] << 8 * (i % 8);
		ktrace(KT_VFS, lookup_miss, text[0], text[1], err, 0, 0, 0);
	}
	return err;
}

int walk_start(int dirfd, const char *name, unsigned flags, struct fdref *hold,
	       const struct path **start)
{
	*hold = (struct fdref){ NULL, false };
	*start = NULL;
	if (dirfd == AT_FDCWD || (*name == '/' && !(flags & (WALK_BENEATH | WALK_IN_ROOT))))
		return 0;
	*hold = fdref_get_path(dirfd);
	if (hold->file == NULL)
		return -EBADF;
	*start = &hold->file->path;
	return 0;
}

static inline int walk_at(int dirfd, const char *name, unsigned flags, bool parent,
			  struct walk_result *out)
{
	const struct path *start;
	struct fdref hold;
	int err;

	if (LIKELY(dirfd == AT_FDCWD))
		return walk_run(NULL, name, flags, parent, out);
	if ((err = walk_start(dirfd, name, flags, &hold, &start)))
		return err;
	err = walk_run(start, name, flags, parent, out);
	fdref_put(hold);
	return err;
}

int walk_path(int dirfd, const char *name, unsigned flags, struct path *out)
{
	struct walk_result res;
	int err = walk_at(dirfd, name, flags, false, &res);

	if (LIKELY(!err))
		*out = res.path;
	return err;
}

int walk_from(const struct path *start, const char *name, unsigned flags, struct path *out)
{
	struct walk_result res;
	int err = walk_run(start, name, flags, false, &res);

	if (!err)
		*out = res.path;
	return err;
}

int walk_parent(int dirfd, const char *name, unsigned flags, struct path *parent, const char **last,
		size_t *last_len, bool *trailing_slash)
{
	struct walk_result res;
	int err = walk_at(dirfd, name, flags, true, &res);

	if (err)
		return err;
	*parent = res.path;
	*last = res.last;
	*last_len = res.last_kind == RESOLVE_LAST_ROOT ? 0 : res.last_len;
	*trailing_slash = res.slash;
	return 0;
}

int walk_user(int dirfd, uaddr_t upath, unsigned flags, struct path *out)
{
	struct walk_result res;
	struct user_path name;
	int err = user_path_get(&name, upath, flags);

	if (err)
		return err;
	err = walk_at(dirfd, name.name, flags, false, &res);
	user_path_put(&name);
	if (LIKELY(!err))
		*out = res.path;
	return err;
}

static struct slab_cache *pathname_cache;

void walk_init(void)
{
	pathname_cache = slab_cache_create("pathname", PATH_MAX_BYTES, 64, NULL);
}

int pathname_get(uaddr_t upath, unsigned flags, char **out)
{
	char *name = slab_alloc(pathname_cache);
	ssize64_t n;

	if (name == NULL)
		return -ENOMEM;
	n = strncpy_from_user(name, upath, PATH_MAX_BYTES);
	if (UNLIKELY(n < 0 || (n == 0 && !(flags & WALK_EMPTY)))) {
		slab_free(pathname_cache, name);
		return n < 0 ? (int)n : -ENOENT;
	}
	*out = name;
	return 0;
}

void pathname_put(char *name)
{
	slab_free(pathname_cache, name);
}

int user_path_get(struct user_path *p, uaddr_t upath, unsigned flags)
{
	ssize64_t n = strncpy_from_user(p->small, upath, sizeof(p->small));
	int err;

	p->heap = NULL;
	p->name = p->small;
	if (LIKELY(n > 0))
		return 0;
	if (n == 0)
		return flags & WALK_EMPTY ? 0 : -ENOENT;
	if (n != -ENAMETOOLONG)
		return (int)n;
	err = pathname_get(upath, flags, &p->heap);
	p->name = p->heap;
	return err;
}
