/*
 * devpts: the file system of pseudoterminal slaves. Every mount is one of its own, with its own
 * numbers and its own ptmx; a master opened through /dev/ptmx belongs to the devpts mounted on
 * "pts" beside that node.
 *
 * A pty's inode is made with it and holds its owner and mode. The root inode's lock guards the
 * table of ptys and what inodes point to: lookups and readdir have it for reading, appearing and
 * disappearing take it for writing and drop the cached name, so a cached dentry, positive or
 * negative, is always right and the walk needs no callback.
 *
 *   source       pts(4), mount(8) "Mount options for devpts", and what a Linux kernel answers
 */

#include "abi/dirent.h"
#include "abi/errno.h"
#include "abi/mount.h"
#include "abi/statfs.h"
#include "lib/bitmap.h"
#include "lib/fmt.h"
#include "pmm/slab.h"
#include "tty/pty.h"
#include "vfs/chrdev.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"
#include "vfs/walk.h"

enum { PTS_MAX = 4096, INO_ROOT = 1, INO_PTMX = 2, INO_PTS = 3 /* + index */ };
enum { DEFAULT_MODE = 0600, DEFAULT_PTMX_MODE = 0, BLOCK_SIZE = 1024 };

struct pts_options {
	uint32_t uid, gid, mode, ptmx_mode, max;
	bool has_uid, has_gid;
};

struct pts_fs {
	struct pts_options options;           /* root inode's lock */
	struct inode *ptmx;                   /* counted; immutable */
	uint64_t used[BITMAP_WORDS(PTS_MAX)]; /* root inode's lock, as all below */
	struct pty **pty;                     /* by index; not counted: removed before they go */
	uint32_t size;                        /* entries of pty */
	uint32_t count;
};

struct pts_inode {
	struct inode inode;
	struct pty *pty; /* root inode's lock; NULL: no slave, or no master */
};

static const struct fs_type *devpts_type;

static struct pts_fs *fs_of(const struct superblock *sb)
{
	return sb->priv;
}

static struct inode *root_of(const struct superblock *sb)
{
	return dentry_inode(sb->root);
}

/* --- options --- */

/*
 * "name=value" of an unsigned number in `base` 8 or 10. False: not this option, or a wrong value.
 */
static bool parse_number(const char *word, size_t len, const char *name, unsigned base,
			 uint32_t *out)
{
	size_t n = strlen(name);
	uint64_t v = 0;

	if (len <= n + 1 || memcmp(word, name, n) != 0 || word[n] != '=')
		return false;
	for (size_t i = n + 1; i < len; i++) {
		unsigned digit = (unsigned)(word[i] - '0');

		if (digit >= base || (v = v * base + digit) > UINT32_MAX)
			return false;
	}
	*out = (uint32_t)v;
	return true;
}

static bool parse_option(const char *word, size_t len, struct pts_options *o)
{
	if (len == 0 || (len == 11 && memcmp(word, "newinstance", 11) == 0))
		return true; /* every mount is a new instance */
	if (parse_number(word, len, "uid", 10, &o->uid))
		o->has_uid = true;
	else if (parse_number(word, len, "gid", 10, &o->gid))
		o->has_gid = true;
	else if (parse_number(word, len, "mode", 8, &o->mode))
		o->mode &= 07777;
	else if (parse_number(word, len, "ptmxmode", 8, &o->ptmx_mode))
		o->ptmx_mode &= 07777;
	else
		return parse_number(word, len, "max", 10, &o->max) && o->max <= PTS_MAX;
	return true;
}

MUST_CHECK static int parse_options(const char *data, struct pts_options *o)
{
	*o = (struct pts_options){ .mode = DEFAULT_MODE,
				   .ptmx_mode = DEFAULT_PTMX_MODE,
				   .max = PTS_MAX };
	while (data != NULL && *data != '\0') {
		const char *end = strchr(data, ',');
		size_t len = end ? (size_t)(end - data) : strlen(data);

		if (!parse_option(data, len, o))
			return -EINVAL;
		data = end ? end + 1 : NULL;
	}
	return 0;
}

static void show_options(struct superblock *sb, struct textbuf *t)
{
	const struct pts_options *o = &fs_of(sb)->options;

	if (o->has_uid)
		text_f(t, ",uid=%u", o->uid);
	if (o->has_gid)
		text_f(t, ",gid=%u", o->gid);
	text_f(t, ",mode=%03o,ptmxmode=%03o", o->mode, o->ptmx_mode);
	if (o->max < PTS_MAX)
		text_f(t, ",max=%u", o->max);
}

/* --- names --- */

/* The index that a name spells; false for "01", "x", and what is too large. */
static bool parse_index(const char *name, size_t len, uint32_t *index)
{
	uint32_t v = 0;

	if (len == 0 || len > 6 || (name[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(name[i] - '0');
	}
	*index = v;
	return true;
}

static int pts_lookup(struct inode *dir, struct dentry *d)
{
	struct pts_fs *fs = fs_of(dir->sb);
	struct inode *found = NULL;
	uint32_t index;

	if (d->name_len == 4 && memcmp(d->name, "ptmx", 4) == 0)
		found = fs->ptmx;
	else if (parse_index(d->name, d->name_len, &index) && index < fs->size &&
		 fs->pty[index] != NULL)
		found = fs->pty[index]->inode;
	if (found) {
		inode_get(found);
		dentry_instantiate(d, found);
	}
	return 0;
}

static const struct inode_ops root_inode_ops = { .lookup = pts_lookup };
static const struct inode_ops node_inode_ops = { 0 };

/* Positions: 0 and 1 the dots, 2 ptmx, then 3 + index. */
static int pts_readdir(struct file *f, struct dir_context *c)
{
	struct pts_fs *fs = fs_of(f->inode->sb);
	char name[12];

	for (; c->pos < 3; c->pos++) {
		static const char *const names[] = { ".", "..", "ptmx" };
		size_t i = (size_t)c->pos;

		if (!c->emit(c, names[i], strlen(names[i]), i < 2 ? INO_ROOT : INO_PTMX,
			     i < 2 ? DT_DIR : DT_CHR))
			return 0;
	}
	for (;; c->pos++) {
		size_t index = bitmap_find_set(fs->used, PTS_MAX,
					       MIN((size_t)c->pos - 3, (size_t)PTS_MAX));

		if (index >= PTS_MAX)
			return 0;
		c->pos = (off64_t)index + 3;
		fmt(name, sizeof(name), "%zu", index);
		if (!c->emit(c, name, strlen(name), index + INO_PTS, DT_CHR))
			return 0;
	}
}

static const struct file_ops root_file_ops = { .readdir = pts_readdir, .seek = generic_seek };

/* --- inodes and superblocks --- */

static void pts_free(struct epoch_head *h)
{
	kfree(container_of(container_of(h, struct inode, epoch), struct pts_inode, inode));
}

static void pts_free_inode(struct inode *i)
{
	epoch_free(&i->epoch, pts_free);
}

MUST_CHECK static struct inode *pts_inode_create(struct superblock *sb, uint32_t mode, uint64_t ino)
{
	struct pts_inode *n = kzalloc(sizeof(*n));

	if (n == NULL)
		return NULL;
	inode_init(&n->inode, sb, NULL, mode, ino);
	n->inode.ops = &node_inode_ops;
	return &n->inode;
}

static int pts_statfs(struct superblock *sb, struct abi_statfs *out)
{
	(void)sb;
	memset(out, 0, sizeof(*out));
	out->f_type = DEVPTS_SUPER_MAGIC;
	out->f_bsize = out->f_frsize = (int64_t)PAGE_SIZE;
	out->f_namelen = NAME_LEN_MAX;
	return 0;
}

static int pts_remount(struct superblock *sb, unsigned flags, const char *data)
{
	struct pts_options o;
	int err;

	(void)flags;
	if ((err = parse_options(data, &o)))
		return err;
	write_lock(&root_of(sb)->lock);
	fs_of(sb)->options = o;
	fs_of(sb)->ptmx->mode = S_IFCHR | o.ptmx_mode;
	write_unlock(&root_of(sb)->lock);
	return 0;
}

/* No pty is left: each holds the superblock. */
static void pts_kill(struct superblock *sb)
{
	struct pts_fs *fs = fs_of(sb);

	if (fs == NULL)
		return;
	if (fs->ptmx)
		inode_put(fs->ptmx);
	kfree(fs->pty);
	kfree(fs);
}

static const struct super_ops pts_super_ops = {
	.free_inode = pts_free_inode,
	.statfs = pts_statfs,
	.remount = pts_remount,
	.kill = pts_kill,
	.show_options = show_options,
};

/* The root and its ptmx. What there is when it fails goes with the superblock. */
MUST_CHECK static int pts_fill(struct superblock *sb)
{
	struct pts_fs *fs = fs_of(sb);
	struct inode *root = pts_inode_create(sb, S_IFDIR | 0755, INO_ROOT);

	if (root == NULL)
		return -ENOMEM;
	root->nlink = 2;
	root->ops = &root_inode_ops;
	root->fops = &root_file_ops;
	if ((sb->root = dentry_create_root(sb, root)) == NULL)
		return -ENOMEM;
	fs->ptmx = pts_inode_create(sb, S_IFCHR | fs->options.ptmx_mode, INO_PTMX);
	if (fs->ptmx == NULL)
		return -ENOMEM;
	inode_init_special(fs->ptmx, fs->ptmx->mode, mkdev(5, 2));
	return 0;
}

static int pts_mount(const struct fs_type *type, const char *source, unsigned flags,
		     const char *data, struct superblock **out)
{
	struct superblock *sb;
	struct pts_options o;
	int err;

	if ((err = parse_options(data, &o)) || (err = superblock_create(type, &pts_super_ops, &sb)))
		return err;
	sb->magic = DEVPTS_SUPER_MAGIC;
	sb->blocksize = BLOCK_SIZE;
	sb->flags = flags;
	strscpy(sb->id, source ? source : "devpts", sizeof(sb->id));
	if ((sb->priv = kzalloc(sizeof(struct pts_fs))) == NULL) {
		superblock_put(sb);
		return -ENOMEM;
	}
	fs_of(sb)->options = o;
	if ((err = pts_fill(sb))) {
		superblock_put(sb);
		return err;
	}
	*out = sb;
	return 0;
}

/* --- ptys come and go --- */

/* Forgets what the cache knows about a name. The root's lock is held for writing. */
static void forget_name(struct superblock *sb, uint32_t index)
{
	struct dentry *d;
	char name[12];

	fmt(name, sizeof(name), "%u", index);
	d = dentry_find_child(sb->root, name, strlen(name));
	if (d == NULL)
		return;
	dentry_drop(d);
	dentry_put(d);
}

/* The lowest free index, with room in the table. */
MUST_CHECK static int reserve_index(struct pts_fs *fs, uint32_t *out)
{
	size_t index = bitmap_find_clear(fs->used, PTS_MAX, 0), size = MAX(fs->size, 16u);
	struct pty **table;

	if (index >= PTS_MAX || fs->count >= fs->options.max)
		return -ENOSPC;
	while (size <= index)
		size *= 2;
	if (size > fs->size) {
		if ((table = krealloc(fs->pty, size * sizeof(*table))) == NULL)
			return -ENOMEM;
		memset(table + fs->size, 0, (size - fs->size) * sizeof(*table));
		fs->pty = table;
		fs->size = (uint32_t)size;
	}
	*out = (uint32_t)index;
	return 0;
}

/* The slave's node belongs to who opened the master, unless the mount says otherwise. */
MUST_CHECK static struct inode *slave_inode_create(struct superblock *sb, uint32_t index)
{
	const struct pts_options *o = &fs_of(sb)->options;
	struct inode *i = pts_inode_create(sb, S_IFCHR | o->mode, index + INO_PTS);

	if (i == NULL)
		return NULL;
	i->uid = o->has_uid ? o->uid : current_cred()->fsuid;
	i->gid = o->has_gid ? o->gid : current_cred()->fsgid;
	inode_init_special(i, i->mode, mkdev(136, index));
	return i;
}

MUST_CHECK static int add_locked(struct superblock *sb, struct pty *p)
{
	struct pts_fs *fs = fs_of(sb);
	struct inode *i;
	uint32_t index;
	int err;

	if ((err = reserve_index(fs, &index)))
		return err;
	if ((i = slave_inode_create(sb, index)) == NULL)
		return -ENOMEM;
	container_of(i, struct pts_inode, inode)->pty = p;
	p->index = index;
	p->inode = i;
	bitmap_set(fs->used, index);
	fs->pty[index] = p;
	fs->count++;
	forget_name(sb, index);
	return 0;
}

int devpts_add(struct superblock *sb, struct pty *p)
{
	int err;

	write_lock(&root_of(sb)->lock);
	err = add_locked(sb, p);
	write_unlock(&root_of(sb)->lock);
	return err;
}

void devpts_remove(struct pty *p)
{
	struct pts_fs *fs = fs_of(p->sb);
	struct inode *i = p->inode;

	write_lock(&root_of(p->sb)->lock);
	container_of(i, struct pts_inode, inode)->pty = NULL;
	i->nlink = 0;
	bitmap_clear(fs->used, p->index);
	fs->pty[p->index] = NULL;
	fs->count--;
	p->inode = NULL;
	forget_name(p->sb, p->index);
	write_unlock(&root_of(p->sb)->lock);
	inode_put(i);
}

struct pty *devpts_get_pty(struct inode *i)
{
	struct pty *p;

	if (i->sb->type != devpts_type)
		return NULL;
	read_lock(&root_of(i->sb)->lock);
	p = container_of(i, struct pts_inode, inode)->pty;
	if (p)
		tty_get(&p->tty);
	read_unlock(&root_of(i->sb)->lock);
	return p;
}

/* "pts" in the directory that holds the node. */
static int find_beside(const struct file *f, struct path *root)
{
	struct path dir = { f->path.mnt, dentry_get_parent(f->path.dentry) };
	int err = walk_from(&dir, "pts", WALK_FOLLOW | WALK_DIRECTORY, root);

	dentry_put(dir.dentry);
	if (err)
		return -ENODEV;
	if (root->dentry->sb->type == devpts_type && root->dentry == root->dentry->sb->root)
		return 0;
	path_put(root);
	return -ENODEV;
}

int devpts_find_root(const struct file *f, struct path *root)
{
	struct superblock *sb = f->inode->sb;

	if (sb->type != devpts_type)
		return find_beside(f, root);
	*root = (struct path){ f->path.mnt, sb->root };
	path_get(root);
	return 0;
}

void devpts_init(void)
{
	static struct fs_type type = { .name = "devpts", .mount = pts_mount };

	devpts_type = &type;
	fs_register(&type);
}
