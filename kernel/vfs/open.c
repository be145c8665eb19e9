/*
 * open(2). Without O_CREAT: walk, check, open. With it the walk stops at the parent, and the last
 * component is looked up (and made) there; when it is a symbolic link to be followed, the walk is
 * taken up again in the link's text by the walk that keeps references, until the last component is
 * something else.
 *
 * Checks on what exists come before the open file is made, truncation after it.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mount.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "vfs/fdtable.h"
#include "vfs/lock.h"
#include "vfs/namei.h"
#include "vfs/vfs_priv.h"

static const struct file_ops path_only_ops;

/* The access that the flags ask for; O_ACCMODE itself (3) asks for both and grants neither. */
static unsigned access_of(unsigned oflags)
{
	static const uint8_t perms[] = { PERM_READ, PERM_WRITE, PERM_READ | PERM_WRITE,
					 PERM_READ | PERM_WRITE };
	unsigned perm = perms[oflags & O_ACCMODE];

	return oflags & O_TRUNC ? perm | PERM_WRITE : perm;
}

static uint32_t file_mode_of(unsigned oflags)
{
	switch (oflags & O_ACCMODE) {
	case O_RDONLY:
		return FMODE_READ;
	case O_WRONLY:
		return FMODE_WRITE;
	case O_RDWR:
		return FMODE_READ | FMODE_WRITE;
	}
	return 0;
}

/* A writer of a regular file is counted, against execution and against a mount that becomes
 * read-only. */
static int claim_write(struct file *f)
{
	int err;

	if (!(f->mode & FMODE_WRITE) || !S_ISREG(f->inode->mode))
		return 0;
	if ((err = inode_get_write(f->inode)))
		return err;
	atomic_fetch_add_explicit(&f->path.mnt->writers, 1, memory_order_relaxed);
	f->mode |= FMODE_WRITER;
	return 0;
}

static void unclaim_write(struct file *f)
{
	if (!(f->mode & FMODE_WRITER))
		return;
	inode_put_write(f->inode);
	atomic_fetch_sub_explicit(&f->path.mnt->writers, 1, memory_order_relaxed);
}

int file_open_path(const struct path *p, unsigned oflags, struct file **out)
{
	struct inode *i = dentry_inode(p->dentry);
	struct file *f;
	int err;

	if (!(oflags & O_PATH) && i->fops == NULL)
		return -ENXIO;
	if ((err = file_alloc(oflags & ~(unsigned)O_CLOEXEC, &f)))
		return err;
	f->path = *p;
	path_get(&f->path);
	f->inode = i;
	if (oflags & O_PATH) {
		f->mode = FMODE_PATH;
		f->ops = &path_only_ops;
		*out = f;
		return 0;
	}
	f->mode = file_mode_of(oflags);
	f->ops = i->fops;
	if (UNLIKELY(oflags & O_DIRECT) && !(f->ops->flags & FOP_DIRECT)) {
		err = -EINVAL;
		goto discard;
	}
	if (UNLIKELY(atomic_load_explicit(&i->locks, memory_order_relaxed) != NULL) &&
	    (err = inode_break_leases(i, f, oflags & (O_ACCMODE | O_TRUNC), oflags & O_NONBLOCK)))
		goto discard;
	if ((err = claim_write(f)))
		goto discard;
	if (f->ops->open && (err = f->ops->open(i, f)))
		goto unclaim;
	if (!(f->ops->flags & FOP_STREAM))
		f->mode |= FMODE_PREAD;
	atomic_fetch_and_explicit(&f->flags, ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC),
				  memory_order_relaxed);
	fsnotify_path(&f->path, IN_OPEN);
	*out = f;
	return 0;
unclaim:
	unclaim_write(f);
discard:
	file_discard(f);
	return err;
}

/* What open(2) demands of an inode that was not made by it. May clear O_TRUNC. */
static int may_open(const struct path *p, unsigned *oflags)
{
	struct inode *i = dentry_inode(p->dentry);
	unsigned access = access_of(*oflags);
	const struct cred *c = current_cred();
	int err;

	switch (i->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (access & PERM_WRITE || *oflags & O_CREAT)
			return -EISDIR;
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (p->mnt->flags & MS_NODEV)
			return -EACCES;
		FALLTHROUGH;
	case S_IFIFO:
	case S_IFSOCK:
		*oflags &= ~(unsigned)O_TRUNC;
		break;
	}
	if ((err = inode_permission(c, i, access)))
		return err;
	if (UNLIKELY(inode_is_append_only(i)) && access & PERM_WRITE &&
	    (!(*oflags & O_APPEND) || *oflags & O_TRUNC))
		return -EPERM;
	if (*oflags & O_NOATIME && !inode_owner_or_capable(c, i))
		return -EPERM;
	return access & PERM_WRITE && S_ISREG(i->mode) ? mount_want_write(p->mnt) : 0;
}

static int open_existing(const struct path *p, unsigned oflags, struct file **out)
{
	struct file *f;
	int err = may_open(p, &oflags);

	if (err || (err = file_open_path(p, oflags, &f)))
		return err;
	if (oflags & O_TRUNC && (err = vfs_truncate(f->inode, 0, &f->path))) {
		file_put(f);
		return err;
	}
	*out = f;
	return 0;
}

int file_open_checked(const struct path *p, unsigned oflags, struct file **out)
{
	return oflags & O_PATH ? file_open_path(p, oflags, out) : open_existing(p, oflags, out);
}

static int make_tmpfile(const struct path *dir, unsigned oflags, uint32_t mode, struct path *out)
{
	struct inode *di = dentry_inode(dir->dentry), *i;
	const struct cred *c = current_cred();
	struct dentry *d;
	char name[24];
	int err;

	if ((err = mount_want_write(dir->mnt)) ||
	    (err = inode_permission(c, di, PERM_WRITE | PERM_EXEC)))
		return err;
	if (di->ops->tmpfile == NULL)
		return -EOPNOTSUPP;
	write_lock(&di->lock);
	err = di->ops->tmpfile(di, S_IFREG | create_mode(di, mode & 07777), &i);
	write_unlock(&di->lock);
	if (err)
		return err;
	i->nlink = 0;
	i->linkable = !(oflags & O_EXCL);
	d = dentry_create(dir->dentry, name,
			  fmt(name, sizeof(name), "#%lu", (unsigned long)i->ino));
	if (d == NULL) {
		inode_put(i);
		return -ENOMEM;
	}
	dentry_instantiate(d, i);
	mount_get(dir->mnt);
	*out = (struct path){ dir->mnt, d };
	return 0;
}

static int open_tmpfile(const struct path *start, const char *name, unsigned oflags, uint32_t mode,
			unsigned wflags, struct file **out)
{
	struct walk_result dir;
	struct path p;
	int err;

	if (!(access_of(oflags) & PERM_WRITE) || (oflags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if ((err = walk_run(start, name, wflags | WALK_DIRECTORY, false, &dir)))
		return err;
	if (!(err = make_tmpfile(&dir.path, oflags, mode, &p))) {
		err = file_open_path(&p, oflags & ~(unsigned)__O_TMPFILE, out);
		path_put(&p);
	}
	path_put(&dir.path);
	return err;
}

struct creation {
	unsigned oflags;
	uint32_t mode;
	bool created;
};

/* proc(5), fs.protected_fifos and protected_regular: in sticky directories that others may write
 * to, O_CREAT does not open what belongs to somebody else. */
static int may_open_in_sticky(const struct inode *dir, const struct inode *i)
{
	int level = S_ISFIFO(i->mode)  ? vfs_protected_fifos
		    : S_ISREG(i->mode) ? vfs_protected_regular
				       : 0;

	if (level == 0 || !(dir->mode & S_ISVTX) || i->uid == dir->uid ||
	    i->uid == current_cred()->fsuid)
		return 0;
	return dir->mode & S_IWOTH || (dir->mode & S_IWGRP && level >= 2) ? -EACCES : 0;
}

/* The negative dentry found before the lock was taken still stands for the name; else looked up
 * again. Consumes d. */
static int recheck_locked(const struct walk_result *at, struct dentry *d, struct dentry **out)
{
	if (d != NULL &&
	    !(atomic_load_explicit(&d->flags, memory_order_relaxed) & DENTRY_UNHASHED) &&
	    atomic_load_explicit(&d->parent, memory_order_relaxed) == at->path.dentry &&
	    d->name_hash == at->last_hash && d->name_len == at->last_len &&
	    name_equal(d->name, at->last, at->last_len)) {
		*out = d;
		return 0;
	}
	if (d != NULL)
		dentry_put(d);
	return dentry_lookup_hashed(at->path.dentry, at->last, at->last_len, at->last_hash, out);
}

/* d: the cached negative dentry, consumed; NULL: there is none. */
static int create_in(const struct walk_result *at, struct creation *c, struct dentry *d,
		     struct dentry **out)
{
	struct inode *dir = dentry_inode(at->path.dentry);
	int err;

	write_lock(&dir->lock);
	err = recheck_locked(at, d, &d);
	if (!err && dentry_inode(d) == NULL) {
		if (!(err = mount_want_write(at->path.mnt)) &&
		    !(err = may_create_in(current_cred(), dir)))
			err = dir->ops->create
				      ? dir->ops->create(dir, d,
							 S_IFREG | create_mode(dir, c->mode))
				      : -EACCES;
		if (err)
			dentry_put(d);
		else
			c->created = true;
	}
	if (!err && c->created)
		fsnotify(dir, IN_CREATE, d->name); /* the lock keeps the name */
	write_unlock(&dir->lock);
	if (err)
		return err;
	*out = d;
	return 0;
}

/* In a file system where nothing can be created (procfs), or of the same name. */
static int find_only(const struct walk_result *at, struct dentry **out)
{
	struct dentry *d;
	int err = walk_lookup(at->path.dentry, at->last, at->last_len, at->last_hash, &d);

	if (err)
		return err;
	if (dentry_inode(d) == NULL) {
		dentry_put(d);
		return -EACCES;
	}
	*out = d;
	return 0;
}

/* The last component, there or made. */
static int find_or_create(const struct walk_result *at, struct creation *c, struct dentry **out)
{
	struct inode *dir = dentry_inode(at->path.dentry);
	struct dentry *d = NULL;
	int err = 0;

	if (dir->ops->create == NULL) {
		err = find_only(at, &d);
	} else {
		d = dentry_find_hashed(at->path.dentry, at->last, at->last_len, at->last_hash);
		if (d == NULL || dentry_inode(d) == NULL)
			err = create_in(at, c, d, &d);
	}
	if (!err && !c->created) {
		err = c->oflags & O_EXCL ? -EEXIST : may_open_in_sticky(dir, dentry_inode(d));
		if (err)
			dentry_put(d);
	}
	if (!err)
		*out = d;
	return err;
}

/* The parent was found: what is the name in it? *p counted. */
static int last_of(const struct walk_result *at, struct creation *c, struct path *p)
{
	int err;

	if (at->last_kind != RESOLVE_LAST_NAME)
		return c->oflags & O_EXCL ? -EEXIST : -EISDIR;
	if (at->slash)
		return -EISDIR;
	if ((err = find_or_create(at, c, &p->dentry)))
		return err;
	p->mnt = at->path.mnt;
	mount_get(p->mnt);
	mount_descend(p);
	return 0;
}

/* Walks until the last component is no link to be followed. */
static int walk_creating(const struct path *start, const char *name, unsigned wflags,
			 struct creation *c, struct path *p)
{
	struct refwalk *w = NULL;
	struct walk_result at;
	int err = walk_run(start, name, wflags, true, &at);

	while (!err) {
		err = last_of(&at, c, p);
		path_put(&at.path);
		if (err || !S_ISLNK(dentry_inode(p->dentry)->mode))
			break;
		if (c->oflags & O_NOFOLLOW) {
			path_put(p);
			err = -ELOOP;
			break;
		}
		if (w ==
		    NULL) { /* from the beginning once more, in a walk that can be taken up again */
			path_put(p);
			err = wflags & WALK_CACHED ? -EAGAIN
						   : refwalk_begin(start, name, wflags, true, &w);
			if (!err)
				err = refwalk_run(w);
		} else {
			mount_put(p->mnt);
			err = refwalk_follow(w, p->dentry);
		}
		if (!err)
			refwalk_result(w, &at);
	}
	if (w != NULL)
		refwalk_end(w);
	return err;
}

static int open_creating(const struct path *start, const char *name, unsigned oflags, uint32_t mode,
			 unsigned wflags, struct file **out)
{
	struct creation c = { oflags, mode & 07777, false };
	struct path p;
	int err;

	if (*name == '\0')
		return -ENOENT;
	if ((err = walk_creating(start, name, wflags, &c, &p)))
		return err;
	/* The creator opens whatever mode it has given, and there is nothing to truncate. */
	err = c.created ? file_open_path(&p, oflags & ~(unsigned)O_TRUNC, out)
			: open_existing(&p, oflags, out);
	path_put(&p);
	return err;
}

static int open_path_only(const struct path *start, const char *name, unsigned oflags,
			  unsigned wflags, struct file **out)
{
	struct walk_result at;
	int err;

	oflags &= O_DIRECTORY | O_NOFOLLOW | O_PATH;
	if ((err = walk_run(start, name, wflags, false, &at)))
		return err;
	err = file_open_path(&at.path, oflags, out);
	path_put(&at.path);
	return err;
}

static int open_from(const struct path *start, const char *name, unsigned oflags, uint32_t mode,
		     unsigned wflags, struct file **out)
{
	struct walk_result at;
	int err;

	if (!(oflags & O_NOFOLLOW))
		wflags |= WALK_FOLLOW;
	if (oflags & O_DIRECTORY)
		wflags |= WALK_DIRECTORY;
	if (oflags & O_PATH)
		return open_path_only(start, name, oflags, wflags, out);
	if (oflags & __O_TMPFILE)
		return (oflags & (O_DIRECTORY | O_CREAT)) == O_DIRECTORY
			       ? open_tmpfile(start, name, oflags, mode, wflags, out)
			       : -EINVAL;
	if (oflags & O_CREAT)
		return oflags & O_DIRECTORY ? -EINVAL
					    : open_creating(start, name, oflags, mode, wflags, out);
	if ((err = walk_run(start, name, wflags, false, &at)))
		return err;
	err = open_existing(&at.path, oflags, out);
	path_put(&at.path);
	return err;
}

int file_open_from(const struct path *start, const char *name, unsigned oflags, uint32_t mode,
		   struct file **out)
{
	return open_from(start, name, oflags, mode, 0, out);
}

int file_open_at(int dirfd, const char *name, unsigned oflags, uint32_t mode, unsigned resolve,
		 struct file **out)
{
	const struct path *start;
	struct fdref hold;
	int err;

	if (LIKELY(dirfd == AT_FDCWD))
		return open_from(NULL, name, oflags, mode, resolve, out);
	if ((err = walk_start(dirfd, name, resolve, &hold, &start)))
		return err;
	err = open_from(start, name, oflags, mode, resolve, out);
	fdref_put(hold);
	return err;
}
