/*
 * tmpfs instances and their options, tmpfs(5): size, nr_blocks, nr_inodes, mode, uid, gid. The
 * default is half of memory, and an inode for every two pages of it. ramfs is the same without
 * limits, and knows mode alone.
 */

#include "abi/errno.h"
#include "abi/inotify.h"
#include "abi/mount.h"
#include "abi/statfs.h"
#include "fs/tmpfs/tmpfs_priv.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "vfs/inotify.h"
#include "vm/pagecache.h"

struct options {
	uint64_t max_pages, max_inodes;
	uint32_t mode, uid, gid;
};

static bool has_option(const char *opt, const char *name, const char **value)
{
	size_t n = strlen(name);

	if (strncmp(opt, name, n) != 0 || opt[n] != '=')
		return false;
	*value = opt + n + 1;
	return true;
}

static bool parse_u32(const char *v, uint32_t *out)
{
	const char *end;
	uint64_t n;

	if (!str_to_u64(v, &end, &n) || *end != '\0' || n > UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

/* Digits of mode= are octal with or without a leading zero. */
static bool parse_mode(const char *v, uint32_t *out)
{
	uint32_t n = 0;

	if (*v == '\0')
		return false;
	for (; *v != '\0'; v++) {
		if (*v < '0' || *v > '7' || n > 07777)
			return false;
		n = n * 8 + (uint32_t)(*v - '0');
	}
	*out = n & 07777;
	return true;
}

static bool parse_amount(const char *v, uint64_t *out)
{
	const char *end;

	return str_to_size(v, &end, out) && *end == '\0';
}

/* Bytes, or a percentage of memory. */
static bool parse_size(const char *v, uint64_t *pages)
{
	const char *end;
	uint64_t n;

	if (!str_to_size(v, &end, &n))
		return false;
	if (str_eq(end, "%"))
		*pages = pmm_total_pages() * MIN(n, 1000) / 100;
	else if (*end == '\0')
		*pages = page_round_up(n) >> PAGE_SHIFT;
	else
		return false;
	return true;
}

static bool parse_one(struct options *o, const char *opt)
{
	const char *v;

	if (has_option(opt, "size", &v))
		return parse_size(v, &o->max_pages);
	if (has_option(opt, "nr_blocks", &v))
		return parse_amount(v, &o->max_pages);
	if (has_option(opt, "nr_inodes", &v))
		return parse_amount(v, &o->max_inodes);
	if (has_option(opt, "mode", &v))
		return parse_mode(v, &o->mode);
	if (has_option(opt, "uid", &v))
		return parse_u32(v, &o->uid);
	if (has_option(opt, "gid", &v))
		return parse_u32(v, &o->gid);
	/* About what there is none of here: huge pages, NUMA, swap, and numbers that are 64 bits
	 * wide anyway. */
	return has_option(opt, "huge", &v) || has_option(opt, "mpol", &v) ||
	       str_eq(opt, "inode64") || str_eq(opt, "inode32") || str_eq(opt, "noswap");
}

static int parse_options(struct options *o, const char *data)
{
	char *copy, *opt, *next;
	int err = 0;

	if (data == NULL || *data == '\0')
		return 0;
	copy = kstrdup(data);
	if (copy == NULL)
		return -ENOMEM;
	for (opt = copy; opt != NULL && !err; opt = next) {
		next = strchr(opt, ',');
		if (next != NULL)
			*next++ = '\0';
		if (*opt != '\0' && !parse_one(o, opt))
			err = -EINVAL;
	}
	kfree(copy);
	return err;
}

static int fill_super(struct superblock *sb, const struct options *o, bool limited)
{
	struct tmpfs_sb *s = kzalloc(sizeof(*s));
	struct inode *root;
	int err;

	if (s == NULL)
		return -ENOMEM;
	s->default_pages = pmm_total_pages() / 2;
	s->default_inodes = MAX(pmm_total_pages() / 2, 4096);
	s->max_pages = o->max_pages;
	s->max_inodes = o->max_inodes;
	s->mode = o->mode;
	s->uid = o->uid;
	s->gid = o->gid;
	s->limited = limited;
	spin_init(&s->lock, RANK_DCACHE);
	list_init(&s->inodes);
	s->handles = (struct rbtree)RBTREE_INIT(NULL);
	sb->priv = s;
	sb->magic = limited ? TMPFS_MAGIC : RAMFS_MAGIC;
	sb->has_acls = sb->has_flags = limited;
	err = tmpfs_inode_create(sb, NULL, S_IFDIR | o->mode, 0, &root);
	if (err)
		return err;
	root->uid = o->uid;
	root->gid = o->gid;
	sb->root = dentry_create_root(sb, root);
	return sb->root ? 0 : -ENOMEM;
}

static int create(const struct fs_type *t, const struct options *o, bool limited,
		  struct superblock **out)
{
	struct superblock *sb;
	int err = superblock_create(t, &tmpfs_super_ops, &sb);

	if (err)
		return err;
	if ((err = fill_super(sb, o, limited))) {
		superblock_put(sb);
		return err;
	}
	*out = sb;
	return 0;
}

int tmpfs_create_super(const struct fs_type *t, struct superblock **out)
{
	/* As much as there is: the root must hold what the initramfs brings; df(1) and installers
	 * ask for the room that is left. */
	struct options o = { .max_pages = pmm_total_pages(),
			     .max_inodes = MAX(pmm_total_pages(), 4096),
			     .mode = 0755 };

	return create(t, &o, true, out);
}

static int mount_tmpfs(const struct fs_type *t, const char *source, unsigned flags,
		       const char *data, struct superblock **out)
{
	const struct cred *c = current_cred();
	struct options o = { .max_pages = pmm_total_pages() / 2,
			     .max_inodes = MAX(pmm_total_pages() / 2, 4096),
			     .mode = 01777,
			     .uid = c->fsuid,
			     .gid = c->fsgid };
	int err = parse_options(&o, data);

	(void)source;
	if (err || (err = create(t, &o, true, out)))
		return err;
	(*out)->flags = flags;
	return 0;
}

static int mount_ramfs(const struct fs_type *t, const char *source, unsigned flags,
		       const char *data, struct superblock **out)
{
	struct options o = { .mode = 0755 };
	int err = parse_options(&o, data);

	(void)source;
	o.max_pages = o.max_inodes = 0;
	if (err || (err = create(t, &o, false, out)))
		return err;
	(*out)->flags = flags;
	return 0;
}

static int mount_rootfs(const struct fs_type *t, const char *source, unsigned flags,
			const char *data, struct superblock **out)
{
	struct options o = { .mode = 0755 }; /* no limit until tmpfs_limit_root() */

	(void)source, (void)flags, (void)data;
	return create(t, &o, true, out);
}

void tmpfs_limit_root(struct superblock *sb)
{
	struct tmpfs_sb *s = tmpfs_s(sb);
	uint64_t total = pmm_total_pages(), used = atomic_load(&s->used_pages);

	s->default_pages = used + (total - MIN(used, total)) / 2;
	s->default_inodes = atomic_load(&s->used_inodes) + MAX(total / 2, 4096);
	s->max_pages = s->default_pages;
	s->max_inodes = s->default_inodes;
}

static int tmpfs_statfs(struct superblock *sb, struct abi_statfs *out)
{
	struct tmpfs_sb *s = tmpfs_s(sb);
	uint64_t used = atomic_load(&s->used_pages), inodes = atomic_load(&s->used_inodes);

	if (s->max_pages) {
		out->f_blocks = (int64_t)s->max_pages;
		out->f_bfree = out->f_bavail = (int64_t)(s->max_pages - MIN(used, s->max_pages));
	}
	if (s->max_inodes) {
		out->f_files = (int64_t)s->max_inodes;
		out->f_ffree = (int64_t)(s->max_inodes - MIN(inodes, s->max_inodes));
	}
	return 0;
}

static int tmpfs_remount(struct superblock *sb, unsigned flags, const char *data)
{
	struct tmpfs_sb *s = tmpfs_s(sb);
	struct options o = { s->max_pages, s->max_inodes, s->mode, s->uid, s->gid };
	int err = parse_options(&o, data);

	(void)flags;
	if (err || !s->limited)
		return err;
	if ((o.max_pages && o.max_pages < atomic_load(&s->used_pages)) ||
	    (o.max_inodes && o.max_inodes < atomic_load(&s->used_inodes)))
		return -EINVAL;
	s->max_pages = o.max_pages;
	s->max_inodes = o.max_inodes;
	return 0;
}

static void tmpfs_show_options(struct superblock *sb, struct textbuf *t)
{
	const struct tmpfs_sb *s = tmpfs_s(sb);

	if (s->max_pages && s->max_pages != s->default_pages)
		text_f(t, ",size=%luk", (unsigned long)(s->max_pages << (PAGE_SHIFT - 10)));
	if (s->max_inodes && s->max_inodes != s->default_inodes)
		text_f(t, ",nr_inodes=%lu", (unsigned long)s->max_inodes);
	if (s->limited ? s->mode != 01777 : s->mode != 0755)
		text_f(t, ",mode=%03o", s->mode);
	if (s->uid)
		text_f(t, ",uid=%u", s->uid);
	if (s->gid)
		text_f(t, ",gid=%u", s->gid);
	if (s->limited)
		text_f(t, ",inode64");
}

/*
 * No mount, open file or dentry is left; what remains is held by directory entries. Entries are
 * freed without putting what they hold, then each inode is freed by force.
 */
static void tmpfs_kill(struct superblock *sb)
{
	struct tmpfs_sb *s = tmpfs_s(sb);

	if (s == NULL)
		return;
	while (!list_is_empty(&s->inodes)) {
		struct inode *i = &list_first(&s->inodes, struct tmpfs_inode, all)->vfs;

		/* The watches' references are put; one more, as the root has no entry that holds
		 * it. */
		if (UNLIKELY(atomic_load(&i->marks) != NULL)) {
			inode_get(i);
			fsnotify_inode_gone(i, IN_UNMOUNT);
		}
		inode_free_attachments(i);
		tmpfs_free_inode(i);
		thread_resched_point();
	}
	kfree(s);
}

/* --- file handles: few inodes ever have one, so these alone are in a tree --- */

/* Where `ino` stands, or is to be linked below *parent. The lock is held. */
static struct rbnode **handle_place(struct tmpfs_sb *s, uint64_t ino, struct rbnode **parent)
{
	struct rbnode **link = &s->handles.root;

	*parent = NULL;
	while (*link != NULL) {
		uint64_t there = rb_entry(*link, struct tmpfs_inode, by_number)->vfs.ino;

		if (there == ino)
			break;
		*parent = *link;
		link = ino < there ? &(*link)->left : &(*link)->right;
	}
	return link;
}

static void tmpfs_note_handle(struct inode *i)
{
	struct tmpfs_sb *s = tmpfs_s(i->sb);
	struct tmpfs_inode *t = tmpfs_i(i);
	struct rbnode *parent, **link;

	spin_lock(&s->lock);
	if (!t->has_handle) {
		link = handle_place(s, i->ino, &parent);
		rb_insert(&s->handles, &t->by_number, parent, link);
		t->has_handle = true;
	}
	spin_unlock(&s->lock);
}

void tmpfs_forget_handle_locked(struct tmpfs_sb *s, struct tmpfs_inode *t)
{
	rb_remove(&s->handles, &t->by_number);
	t->has_handle = false;
}

static struct inode *tmpfs_find_inode(struct superblock *sb, uint64_t ino)
{
	struct tmpfs_sb *s = tmpfs_s(sb);
	struct rbnode *parent, *n;
	struct inode *found = NULL;

	spin_lock(&s->lock);
	n = *handle_place(s, ino, &parent);
	if (n != NULL && ref_tryget(&rb_entry(n, struct tmpfs_inode, by_number)->vfs.ref))
		found = &rb_entry(n, struct tmpfs_inode, by_number)->vfs;
	spin_unlock(&s->lock);
	return found;
}

const struct super_ops tmpfs_super_ops = {
	.note_handle = tmpfs_note_handle,
	.find_inode = tmpfs_find_inode,
	.free_inode = tmpfs_free_inode,
	.statfs = tmpfs_statfs,
	.remount = tmpfs_remount,
	.kill = tmpfs_kill,
	.show_options = tmpfs_show_options,
};

static bool knows_option(const char *option)
{
	struct options ignored;

	return parse_one(&ignored, option);
}

static struct fs_type tmpfs_fs_type = { .name = "tmpfs",
					.mount = mount_tmpfs,
					.knows_option = knows_option };
static struct fs_type ramfs_type = { .name = "ramfs",
				     .mount = mount_ramfs,
				     .knows_option = knows_option };
static const struct fs_type rootfs_type = { .name = "rootfs",
					    .flags = FS_NO_USER_MOUNT,
					    .mount = mount_rootfs };

const struct fs_type *tmpfs_type(void)
{
	return &rootfs_type;
}

void tmpfs_init(void)
{
	tmpfs_inode_init();
	fs_register(&tmpfs_fs_type);
	fs_register(&ramfs_type);
	tmpfs_file_init();
}
