/*
 * Path walk with references: for names that are not cached, for links and directories whose methods
 * sleep, and for the restricted resolutions of openat2(2). The place is counted; a link's text and
 * inode are kept until the walk ends, since what remains of the text may still be needed.
 *
 * RESOLVE_BENEATH and RESOLVE_IN_ROOT must not let ".." escape while a directory on the way is
 * moved elsewhere: such a step is refused with EAGAIN when any rename or mount happened since the
 * walk began.
 */

#include "abi/errno.h"
#include "abi/mount.h"
#include "pmm/slab.h"
#include "vfs/vfs_priv.h"

struct refwalk {
	struct path cur, root; /* counted */
	struct path start;     /* counted; where BENEATH and IN_ROOT begin */
	struct dentry *link;   /* counted; met by child() */
	unsigned flags;
	const struct cred *cred;
	uint32_t mount_seq, rename_seq;
	struct resolve r;
	const char *stack[RESOLVE_MAX_LINKS];
	unsigned nheld;
	struct {
		struct dentry *link;
		char *text;
	} held[RESOLVE_MAX_LINKS + 1];
};

static inline bool path_equal(const struct path *a, const struct path *b)
{
	return a->dentry == b->dentry && a->mnt == b->mnt;
}

/* The place becomes p, whose references are taken over. */
static void ref_place(struct refwalk *w, struct path p)
{
	struct path old = w->cur;

	w->cur = p;
	path_put(&old);
}

static int ref_search(void *ctx)
{
	struct refwalk *w = ctx;
	struct inode *dir = dentry_inode(w->cur.dentry);

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	return inode_permission(w->cred, dir, PERM_EXEC);
}

/* A cached dentry that is not right any more is dropped, and asked for again. */
static struct dentry *revalidated(struct inode *dir, struct dentry *d)
{
	if (d == NULL ||
	    LIKELY(!(atomic_load_explicit(&d->flags, memory_order_relaxed) & DENTRY_REVALIDATE)))
		return d;
	if (dir->ops->revalidate == NULL || dir->ops->revalidate(d))
		return d;
	dentry_prune(d);
	return NULL;
}

int walk_lookup(struct dentry *parent, const char *name, uint32_t len, uint32_t hash,
		struct dentry **out)
{
	struct inode *dir = dentry_inode(parent);
	struct dentry *d = revalidated(dir, dentry_find_hashed(parent, name, len, hash));
	int err = 0;

	if (d == NULL) {
		read_lock(&dir->lock);
		err = dentry_lookup_hashed(parent, name, len, hash, &d);
		read_unlock(&dir->lock);
		if (err)
			return err;
	}
	atomic_fetch_or_explicit(&d->flags, DENTRY_REFERENCED, memory_order_relaxed);
	*out = d;
	return 0;
}

/* Moves to the counted d below the present mount, through what is mounted there. */
static int ref_enter(struct refwalk *w, struct dentry *d)
{
	struct path p = { w->cur.mnt, d };

	mount_get(p.mnt);
	if (mount_descend(&p) && w->flags & WALK_NO_XDEV) {
		path_put(&p);
		return -EXDEV;
	}
	ref_place(w, p);
	return 0;
}

static int ref_child(void *ctx, const char *name, uint32_t len, uint32_t hash)
{
	struct refwalk *w = ctx;
	struct inode *i;
	struct dentry *d;
	int err;

	if ((err = ref_search(w)) || (err = walk_lookup(w->cur.dentry, name, len, hash, &d)))
		return err;
	i = dentry_inode(d);
	if (i == NULL) {
		dentry_put(d);
		return -ENOENT;
	}
	if (S_ISLNK(i->mode)) {
		w->link = d;
		return RESOLVE_LINK;
	}
	return ref_enter(w, d);
}

static bool tree_has_moved(const struct refwalk *w)
{
	return atomic_load(&dcache_rename_seq) != w->rename_seq ||
	       atomic_load(&mount_seq) != w->mount_seq;
}

static int ref_dotdot(void *ctx)
{
	struct refwalk *w = ctx;
	struct path p = w->cur;
	int err = ref_search(w);

	if (err)
		return err;
	path_get(&p);
	for (;;) {
		if (path_equal(&p, &w->root))
			break;
		if (w->flags & WALK_BENEATH && path_equal(&p, &w->start)) {
			err = -EXDEV;
			break;
		}
		if (p.dentry != p.mnt->root) {
			struct dentry *parent = dentry_get_parent(p.dentry);

			dentry_put(p.dentry);
			p.dentry = parent;
			break;
		}
		if (!mount_ascend(&p))
			break;
		if (w->flags & WALK_NO_XDEV) {
			err = -EXDEV;
			break;
		}
	}
	if (!err && w->flags & (WALK_BENEATH | WALK_IN_ROOT) && tree_has_moved(w))
		err = -EAGAIN;
	if (!err && mount_descend(&p) && w->flags & WALK_NO_XDEV && p.mnt != w->cur.mnt)
		err = -EXDEV;
	if (err) {
		path_put(&p);
		return err;
	}
	ref_place(w, p);
	return 0;
}

static int ref_root(void *ctx)
{
	struct refwalk *w = ctx;

	if (w->flags & WALK_BENEATH)
		return -EXDEV;
	if (w->flags & WALK_NO_XDEV && w->root.mnt != w->cur.mnt)
		return -EXDEV;
	path_get(&w->root);
	ref_place(w, w->root);
	return 0;
}

/* A magic link leads anywhere: outside of what a restricted walk may reach. */
static int ref_jump(struct refwalk *w, struct path *target)
{
	int err = 0;

	if (w->flags & WALK_NO_MAGICLINKS)
		err = -ELOOP;
	else if (w->flags & (WALK_BENEATH | WALK_IN_ROOT))
		err = -EXDEV;
	else if (w->flags & WALK_NO_XDEV && target->mnt != w->cur.mnt)
		err = -EXDEV;
	if (err) {
		path_put(target);
		return err;
	}
	ref_place(w, *target);
	return RESOLVE_JUMPED;
}

static int ref_read_link(void *ctx, bool last, const char **text)
{
	struct refwalk *w = ctx;
	struct dentry *link = w->link;
	struct inode *i = dentry_inode(link);
	struct path jump = { NULL, NULL };
	char *to_free = NULL;
	int err;

	w->link = NULL;
	w->held[w->nheld].link = link; /* room: nlinks is checked before */
	w->held[w->nheld].text = NULL;
	w->nheld++;
	if (w->flags & WALK_NO_SYMLINKS || w->cur.mnt->flags & MS_NOSYMFOLLOW)
		return -ELOOP;
	if (last && (err = may_follow_link(w->cred, dentry_inode(w->cur.dentry), i)))
		return err;
	inode_touch_atime(i, w->cur.mnt->flags);
	if (i->link != NULL) {
		*text = i->link;
		return 0;
	}
	if (i->ops->get_link == NULL)
		return -EINVAL;
	if ((err = i->ops->get_link(i, text, &to_free, &jump)))
		return err;
	if (jump.dentry != NULL) {
		kfree(to_free);
		return ref_jump(w, &jump);
	}
	w->held[w->nheld - 1].text = to_free;
	return 0;
}

static void ref_take_link(void *ctx)
{
	struct refwalk *w = ctx;
	struct dentry *old = w->cur.dentry;

	w->cur.dentry = w->link;
	w->link = NULL;
	dentry_put(old);
}

static int ref_must_be_dir(void *ctx)
{
	const struct refwalk *w = ctx;

	return S_ISDIR(dentry_inode(w->cur.dentry)->mode) ? 0 : -ENOTDIR;
}

static const struct resolve_ops ref_ops = {
	.child = ref_child,
	.dot = ref_search,
	.dotdot = ref_dotdot,
	.root = ref_root,
	.read_link = ref_read_link,
	.take_link = ref_take_link,
	.must_be_dir = ref_must_be_dir,
};

int refwalk_begin(const struct path *start, const char *name, unsigned flags, bool parent,
		  struct refwalk **out)
{
	struct refwalk *w = kmalloc(sizeof(*w));
	int err;

	if (w == NULL)
		return -ENOMEM;
	w->mount_seq = atomic_load(&mount_seq);
	w->rename_seq = atomic_load(&dcache_rename_seq);
	w->link = NULL;
	w->nheld = 0;
	w->flags = flags;
	w->cred = current_cred();
	if (start != NULL) {
		w->start = *start;
		path_get(&w->start);
	} else {
		current_cwd(&w->start);
	}
	if (flags & WALK_IN_ROOT) {
		w->root = w->start;
		path_get(&w->root);
	} else {
		current_root(&w->root);
	}
	w->cur = *name == '/' ? w->root
			      : w->start; /* an absolute name may leave the mount of dirfd */
	path_get(&w->cur);
	w->r = (struct resolve){
		.ops = &ref_ops,
		.ctx = w,
		.seed = dcache.seed,
		.follow = flags & WALK_FOLLOW,
		.directory = flags & WALK_DIRECTORY,
		.parent = parent,
		.stack = w->stack,
		.max_depth = RESOLVE_MAX_LINKS,
	};
	if ((err = resolve_begin(&w->r, name))) {
		refwalk_end(w);
		return err;
	}
	*out = w;
	return 0;
}

int refwalk_run(struct refwalk *w)
{
	return resolve_run(&w->r);
}

int refwalk_follow(struct refwalk *w, struct dentry *link)
{
	w->link = link;
	return resolve_follow_last(&w->r);
}

void refwalk_result(struct refwalk *w, struct walk_result *out)
{
	out->path = w->cur;
	path_get(&out->path);
	out->last = w->r.last;
	out->last_len = w->r.last_len;
	out->last_hash = w->r.last_hash;
	out->last_kind = w->r.last_kind;
	out->slash = w->r.slash;
}

void refwalk_end(struct refwalk *w)
{
	if (w->link != NULL)
		dentry_put(w->link);
	while (w->nheld > 0) {
		w->nheld--;
		kfree(w->held[w->nheld].text);
		dentry_put(w->held[w->nheld].link);
	}
	path_put(&w->cur);
	path_put(&w->start);
	path_put(&w->root);
	kfree(w);
}
