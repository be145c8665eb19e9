/*
 * Unpacking follows what a boot loader may hand over: archives one after the other, each plain or
 * inside gzip, padded with zeroes. Both forms end in the same three callbacks (entry, data, end),
 * which make one object at a time: its inode is kept while its data arrives, and gets its mode,
 * owner and time at the end. Names that were there before are replaced when their type differs, and
 * filled anew when they are regular files.
 *
 * Hard links: the first entry of an inode with several links makes the object, later ones link to
 * it; whichever has data fills it. Times of directories change while they are filled, so they are
 * set when all is done.
 */

#include "fs/initramfs.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "core/log.h"
#include "fs/tmpfs/tmpfs.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/cpio.h"
#include "lib/hash.h"
#include "lib/inflate.h"
#include "lib/string.h"
#include "pmm/kva.h"
#include "pmm/slab.h"
#include "vfs/chrdev.h"
#include "vfs/namei.h"

enum { LINK_BUCKETS = 256 };

struct seen_link {
	struct seen_link *next;
	uint32_t ino, dev_major, dev_minor;
	unsigned archive;
	char name[];
};

struct dir_time {
	struct dir_time *next;
	uint32_t mtime;
	char name[];
};

struct unpack {
	struct path path; /* of the object being made; counted while dentry is not NULL */
	uint32_t mode, uid, gid, mtime;
	uint64_t pos;    /* of its data */
	char *link;      /* target so far: PATH_MAX bytes */
	char *link_name; /* of the symbolic link to be made at the end */
	unsigned archive_base, archives;
	struct seen_link *links[LINK_BUCKETS];
	struct dir_time *dirs;
	struct cpio_stream stream;
	size_t offset;    /* in the initramfs, of what is being read */
	const char *what; /* the name that failed */
	char what_name[64];
};

static struct seen_link **link_bucket(struct unpack *u, const struct cpio_entry *e)
{
	uint64_t key = ((uint64_t)e->ino << 32 | e->dev_major << 16 | e->dev_minor) +
		       u->archive_base + e->archive;

	return &u->links[hash_u64(key) % LINK_BUCKETS];
}

static const char *link_find(struct unpack *u, const struct cpio_entry *e)
{
	for (struct seen_link *l = *link_bucket(u, e); l != NULL; l = l->next)
		if (l->ino == e->ino && l->dev_major == e->dev_major &&
		    l->dev_minor == e->dev_minor && l->archive == u->archive_base + e->archive)
			return l->name;
	return NULL;
}

static int link_remember(struct unpack *u, const struct cpio_entry *e, const char *name)
{
	struct seen_link *l = kmalloc(sizeof(*l) + strlen(name) + 1), **bucket = link_bucket(u, e);

	if (l == NULL)
		return -ENOMEM;
	l->ino = e->ino;
	l->dev_major = e->dev_major;
	l->dev_minor = e->dev_minor;
	l->archive = u->archive_base + e->archive;
	memcpy(l->name, name, strlen(name) + 1);
	l->next = *bucket;
	*bucket = l;
	return 0;
}

/* Takes away what is in the way of `name`: another type, or anything but a directory and a regular
 * file. *found: one of those, of the wanted type, is there; u->path is then it. */
static int clear_way(struct unpack *u, const char *name, uint32_t type, bool *found)
{
	struct path p;
	uint32_t there;
	int err = walk_path(AT_FDCWD, name, 0, &p);

	*found = false;
	if (err)
		return err == -ENOENT ? 0 : err;
	there = dentry_inode(p.dentry)->mode & S_IFMT;
	if (there == type && (type == S_IFDIR || type == S_IFREG)) {
		u->path = p;
		*found = true;
		return 0;
	}
	path_put(&p);
	return there == S_IFDIR ? vfs_rmdir(AT_FDCWD, name) : vfs_unlink(AT_FDCWD, name);
}

static int open_dir(struct unpack *u, const char *name, bool found)
{
	struct dir_time *t;
	int err;

	if (!found && ((err = vfs_mkdir(AT_FDCWD, name, 0755)) ||
		       (err = walk_path(AT_FDCWD, name, 0, &u->path))))
		return err;
	t = kmalloc(sizeof(*t) + strlen(name) + 1);
	if (t == NULL)
		return 0; /* its time stays that of now */
	memcpy(t->name, name, strlen(name) + 1);
	t->mtime = u->mtime;
	t->next = u->dirs;
	u->dirs = t;
	return 0;
}

static int open_regular(struct unpack *u, const struct cpio_entry *e, const char *name, bool found)
{
	const char *first = e->nlink > 1 ? link_find(u, e) : NULL;
	struct path p;
	int err = 0;

	if (first != NULL && !str_eq(first, name)) {
		if (found) {
			path_put(&u->path);
			u->path.dentry = NULL;
			if ((err = vfs_unlink(AT_FDCWD, name)))
				return err;
		}
		if ((err = walk_path(AT_FDCWD, first, 0, &p)))
			return err;
		if (!(err = vfs_link(&p, AT_FDCWD, name)))
			u->path = p;
		else
			path_put(&p);
		return err;
	}
	if (!found && (err = vfs_mknod_inode(AT_FDCWD, name, S_IFREG | 0600, 0, &u->path)))
		return err;
	if (found && e->size > 0)
		err = vfs_truncate(dentry_inode(u->path.dentry), 0, &u->path);
	if (!err && e->nlink > 1)
		err = link_remember(u, e, name);
	return err;
}

static const char *trim(const char *name)
{
	while (*name == '/')
		name++;
	return *name ? name : ".";
}

static int make_object(struct unpack *u, const struct cpio_entry *e)
{
	const char *name = trim(e->name);
	uint32_t type = e->mode & S_IFMT;
	bool found;
	int err;

	if (str_eq(name, "."))
		return type == S_IFDIR ? walk_path(AT_FDCWD, "/", 0, &u->path) : 0;
	if ((err = clear_way(u, name, type, &found)))
		return err;
	switch (type) {
	case S_IFDIR:
		return open_dir(u, name, found);
	case S_IFREG:
		return open_regular(u, e, name, found);
	case S_IFLNK:
		if (e->size >= PATH_MAX)
			return -EINVAL;
		u->link_name = kstrdup(name);
		return u->link_name ? 0 : -ENOMEM;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return vfs_mknod_inode(AT_FDCWD, name, type | 0600,
				       mkdev(e->rdev_major, e->rdev_minor), &u->path);
	}
	return -EINVAL;
}

static int on_entry(void *ctx, const struct cpio_entry *e)
{
	struct unpack *u = ctx;
	int err;

	u->mode = e->mode;
	u->uid = e->uid;
	u->gid = e->gid;
	u->mtime = e->mtime;
	u->pos = 0;
	u->archives = e->archive + 1;
	err = make_object(u, e);
	if (err) {
		strscpy(u->what_name, e->name, sizeof(u->what_name));
		u->what = u->what_name;
	}
	thread_resched_point();
	return err;
}

static int on_data(void *ctx, const uint8_t *p, size_t n)
{
	struct unpack *u = ctx;
	ssize64_t done;

	if (u->link_name != NULL) {
		memcpy(u->link + u->pos, p, n); /* no longer than PATH_MAX - 1: checked by size */
		u->pos += n;
		return 0;
	}
	if (u->path.dentry == NULL || !S_ISREG(u->mode))
		return 0; /* data of something that has none */
	while (n > 0) {
		done = tmpfs_append(dentry_inode(u->path.dentry), u->pos, p, n);
		if (done <= 0)
			return done < 0 ? (int)done : -EIO;
		u->pos += (uint64_t)done;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int make_link(struct unpack *u)
{
	int err;

	u->link[u->pos] = '\0';
	err = vfs_symlink(u->link, AT_FDCWD, u->link_name);
	if (!err)
		err = walk_path(AT_FDCWD, u->link_name, 0, &u->path);
	kfree(u->link_name);
	u->link_name = NULL;
	return err;
}

static int on_end(void *ctx)
{
	struct unpack *u = ctx;
	struct inode *i;
	int err = u->link_name ? make_link(u) : 0;

	if (err || u->path.dentry == NULL)
		return err;
	i = dentry_inode(u->path.dentry);
	write_lock(&i->lock);
	i->uid = u->uid;
	i->gid = u->gid;
	if (!S_ISLNK(i->mode))
		i->mode = (i->mode & S_IFMT) | (u->mode & 07777);
	i->atime = i->mtime = (nsec_t)u->mtime * NSEC_PER_SEC;
	write_unlock(&i->lock);
	path_put(&u->path);
	u->path.dentry = NULL;
	return 0;
}

static const struct cpio_ops unpack_ops = { .entry = on_entry, .data = on_data, .end = on_end };

/* Plain archives that lie in memory: their data is copied from where it is. */
static int unpack_plain(struct unpack *u, const uint8_t *p, size_t n, size_t *used)
{
	struct cpio_entry e;
	struct cpio c;
	int err;

	cpio_init(&c, p, n);
	while ((err = cpio_next(&c, &e)) == 1) {
		if ((err = on_entry(u, &e)) || (e.size > 0 && (err = on_data(u, e.data, e.size))) ||
		    (err = on_end(u)))
			break;
	}
	*used = c.pos;
	return err;
}

static int feed(void *ctx, const uint8_t *p, size_t n)
{
	struct unpack *u = ctx;

	return cpio_feed(&u->stream, p, n);
}

static int unpack_gzip(struct unpack *u, const uint8_t *p, size_t n, size_t *used)
{
	size_t pages = DIV_ROUND_UP(sizeof(struct inflate), PAGE_SIZE);
	struct inflate *z = kva_alloc(pages);
	int err;

	*used = 0;
	if (z == NULL)
		return -ENOMEM;
	cpio_stream_init(&u->stream, &unpack_ops, u);
	err = inflate_gzip(z, p, n, used, feed, u);
	if (!err)
		err = cpio_stream_end(&u->stream);
	kva_free(z, pages);
	return err;
}

static int unpack_all(struct unpack *u, const uint8_t *p, size_t n)
{
	size_t used;
	int err = 0;

	while (!err) {
		while (u->offset < n && p[u->offset] == 0)
			u->offset++;
		if (u->offset == n)
			return 0;
		u->archives = 0;
		if (inflate_is_gzip(p + u->offset, n - u->offset))
			err = unpack_gzip(u, p + u->offset, n - u->offset, &used);
		else
			err = unpack_plain(u, p + u->offset, n - u->offset, &used);
		if (!err && used == 0) {
			u->what = "unknown format";
			err = -EINVAL;
		}
		u->offset += used;
		u->archive_base += u->archives;
	}
	return err;
}

static void set_dir_times(struct unpack *u)
{
	while (u->dirs != NULL) {
		struct dir_time *t = u->dirs;
		struct path p;

		if (!walk_path(AT_FDCWD, t->name, 0, &p)) {
			struct inode *i = dentry_inode(p.dentry);

			i->atime = i->mtime = (nsec_t)t->mtime * NSEC_PER_SEC;
			path_put(&p);
		}
		u->dirs = t->next;
		kfree(t);
	}
}

static void unpack_free(struct unpack *u)
{
	for (unsigned i = 0; i < LINK_BUCKETS; i++)
		while (u->links[i] != NULL) {
			struct seen_link *l = u->links[i];

			u->links[i] = l->next;
			kfree(l);
		}
	if (u->path.dentry != NULL)
		path_put(&u->path);
	kfree(u->link_name);
	kfree(u->link);
	kfree(u);
}

int initramfs_unpack(const void *data, size_t n)
{
	struct unpack *u = kzalloc(sizeof(*u));
	int err;

	if (u == NULL)
		return -ENOMEM;
	u->link = kmalloc(PATH_MAX);
	err = u->link ? unpack_all(u, data, n) : -ENOMEM;
	if (err)
		log_err("initramfs: %s at offset %lu of %lu (error %d)",
			u->what ? u->what : "damaged", (unsigned long)u->offset, (unsigned long)n,
			err);
	set_dir_times(u);
	unpack_free(u);
	return err;
}
