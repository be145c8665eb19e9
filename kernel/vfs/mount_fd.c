/*
 * Mounts in steps. A context gathers what mount(2) takes in one call (source, flags, options as
 * text) and then makes the superblock. A mount that is not in the tree yet belongs to an O_PATH
 * file: it is in the namespace of loose trees, where walks from the file find their way, and is
 * freed when the file goes before it was moved.
 */

#include "vfs/mount_fd.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "vfs/file.h"
#include "vfs/mount_priv.h"

enum phase { CONFIGURING, CREATED, MOUNTED, RECONFIGURING, FAILED };
enum { OPTIONS_MAX = PAGE_SIZE };

struct fscontext {
	struct mutex lock; /* FSCONTEXT */
	struct fs_type *type;
	enum phase phase;
	uint32_t flags; /* MS_* of the superblock */
	char source[64];
	struct superblock *sb; /* counted; once it is there */
	char *options;         /* OPTIONS_MAX bytes; what mount(2)'s data would be */
};

static void loose_release(struct file *f)
{
	struct mount *top = f->path.mnt;
	bool loose;

	mutex_lock(&mount_lock);
	loose = top->ns == &mount_loose_ns && top->parent == top;
	if (loose)
		mount_free_tree(top); /* f->path keeps the mount itself until it is put */
	mutex_unlock(&mount_lock);
}

static const struct file_ops loose_ops = { .release = loose_release };

/* An O_PATH file on the top of a tree that is nowhere (consumed). */
static int open_loose(struct mount *top, struct file **out)
{
	struct path p = { top, top->root };
	struct file *f;
	int err = file_open_path(&p, O_PATH, &f);

	mutex_lock(&mount_lock);
	if (err)
		mount_free_tree(top);
	else
		mount_publish_loose(top);
	mutex_unlock(&mount_lock);
	if (err)
		return err;
	f->ops = &loose_ops;
	*out = f;
	return 0;
}

int mount_open_clone(const struct path *at, bool recursive, struct file **out)
{
	struct mount *copy = NULL;
	int err;

	mutex_lock(&mount_lock);
	if (at->mnt->ns != &mount_init_ns || at->mnt->unbindable)
		err = -EINVAL;
	else
		err = mount_copy_tree(at->mnt, at->dentry, recursive, COPY_PEER, &copy);
	mutex_unlock(&mount_lock);
	return err ? err : open_loose(copy, out);
}

static int attach_loose(struct mount *top, struct path *p)
{
	struct list trees = LIST_INIT(trees);
	int err;

	if (!mount_may_cover(top->root, p->dentry))
		return -ENOTDIR;
	if (p->mnt->group_id && mount_has_unbindable(top))
		return -EINVAL;
	if ((err = mount_plan_copies(top, p->mnt, p->dentry, &trees)))
		return err;
	mount_adopt(top);
	mount_relocate(top, p->mnt, p->dentry);
	mount_publish_copies(&trees);
	return 0;
}

int mount_move_to(const struct path *at, const struct path *from)
{
	struct mount *top = from->mnt;
	struct path p;
	int err;

	if (top->ns != &mount_loose_ns)
		return mount_move(at, from);
	if ((err = mount_place_lock(at, &p)))
		return err;
	/* Somebody may have moved it meanwhile. */
	if (top->ns != &mount_loose_ns || top->parent != top || from->dentry != top->root)
		err = -EINVAL;
	else
		err = attach_loose(top, &p);
	mount_place_unlock(&p);
	return err;
}

static void context_free(struct fscontext *c)
{
	if (c->sb != NULL)
		superblock_put(c->sb);
	kfree(c->options);
	kfree(c);
}

static void context_release(struct file *f)
{
	context_free(f->priv);
}

/* The log of what went wrong: there is none. */
static ssize64_t context_read(struct file *f, struct uio *u, off64_t *pos)
{
	(void)f, (void)u, (void)pos;
	return -ENODATA;
}

static const struct file_ops context_ops = {
	.read = context_read,
	.release = context_release,
	.flags = FOP_STREAM,
};

static int context_open(struct fs_type *t, struct superblock *sb, struct file **out)
{
	struct fscontext *c = kzalloc(sizeof(*c));
	int err = -ENOMEM;

	if (c == NULL)
		return -ENOMEM;
	mutex_init(&c->lock, RANK_FSCONTEXT);
	c->type = t;
	c->sb = sb;
	if (sb != NULL) {
		superblock_get(sb);
		c->flags = sb->flags;
		c->phase = RECONFIGURING;
	}
	if ((c->options = kzalloc(OPTIONS_MAX)) == NULL ||
	    (err = file_create_anon("[fscontext]", &context_ops, c, O_RDWR, out)))
		context_free(c);
	return c->options == NULL ? -ENOMEM : err;
}

int fscontext_open(struct fs_type *t, struct file **out)
{
	return context_open(t, NULL, out);
}

int fscontext_pick(const struct path *at, struct file **out)
{
	if (at->dentry != at->mnt->root)
		return -EINVAL;
	return context_open(NULL, at->mnt->sb, out);
}

/* The flags that every file system has: 0 when key is another. */
static bool set_flag(struct fscontext *c, const char *key)
{
	static const struct {
		const char *name;
		uint32_t set, clear;
	} flags[] = {
		{ "ro", MS_RDONLY, 0 },           { "rw", 0, MS_RDONLY },
		{ "sync", MS_SYNCHRONOUS, 0 },    { "async", 0, MS_SYNCHRONOUS },
		{ "dirsync", MS_DIRSYNC, 0 },     { "lazytime", MS_LAZYTIME, 0 },
		{ "nolazytime", 0, MS_LAZYTIME }, { "mand", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (str_eq(key, flags[i].name)) {
			c->flags = (c->flags & ~flags[i].clear) | flags[i].set;
			return true;
		}
	return false;
}

/* One more word of the options, once the type is known to take it. */
static int add_option(struct fscontext *c, const char *key, const char *value)
{
	const struct fs_type *t = c->type ? c->type : c->sb->type;
	size_t have = strlen(c->options), comma = have > 0, more = strlen(key);
	char *at = c->options + have;

	if (value != NULL)
		more += 1 + strlen(value);
	if (have + comma + more >= OPTIONS_MAX)
		return -EINVAL;
	if (comma)
		*at++ = ',';
	strscpy(at, key, OPTIONS_MAX - (size_t)(at - c->options));
	if (value != NULL) {
		at[strlen(key)] = '=';
		strscpy(at + strlen(key) + 1, value,
			OPTIONS_MAX - (size_t)(at - c->options) - strlen(key) - 1);
	}
	if (t->knows_option && !t->knows_option(at)) {
		c->options[have] = '\0';
		return -EINVAL;
	}
	return 0;
}

static int set_string(struct fscontext *c, const char *key, const char *value)
{
	if (str_eq(key, "source")) {
		if (c->source[0] != '\0')
			return -EINVAL;
		strscpy(c->source, value, sizeof(c->source));
		return 0;
	}
	return add_option(c, key, value);
}

static int create(struct fscontext *c)
{
	int err;

	if (c->phase != CONFIGURING)
		return -EBUSY;
	err = c->type->mount(c->type, c->source[0] ? c->source : "none", c->flags, c->options,
			     &c->sb);
	c->phase = err ? FAILED : CREATED;
	return err;
}

static int reconfigure(struct fscontext *c)
{
	return c->phase == RECONFIGURING ? superblock_reconfigure(c->sb, c->flags, c->options)
					 : -EBUSY;
}

static int config_locked(struct fscontext *c, unsigned cmd, const char *key, const char *value)
{
	if (cmd == FSCONFIG_CMD_CREATE)
		return create(c);
	if (cmd == FSCONFIG_CMD_RECONFIGURE)
		return reconfigure(c);
	if (c->phase != CONFIGURING && c->phase != RECONFIGURING)
		return -EBUSY;
	if (cmd == FSCONFIG_SET_STRING)
		return set_string(c, key, value);
	return set_flag(c, key) ? 0 : add_option(c, key, NULL);
}

int fscontext_config(struct file *f, unsigned cmd, const char *key, const char *value)
{
	struct fscontext *c = f->priv;
	int err;

	if (f->ops != &context_ops)
		return -EINVAL;
	mutex_lock(&c->lock);
	err = config_locked(c, cmd, key, value);
	mutex_unlock(&c->lock);
	return err;
}

int fscontext_mount(struct file *f, unsigned mount_flags, struct file **out)
{
	struct fscontext *c = f->priv;
	struct mount *m = NULL;
	int err = 0;

	if (f->ops != &context_ops)
		return -EINVAL;
	mutex_lock(&c->lock);
	if (c->phase != CREATED)
		err = c->phase == MOUNTED || c->phase == CONFIGURING ? -EBUSY : -EINVAL;
	else if ((m = mount_alloc(c->sb, c->sb->root, mount_flags & MOUNT_FLAGS_KEPT,
				  c->source[0] ? c->source : NULL)) == NULL)
		err = -ENOMEM;
	else
		c->phase = MOUNTED;
	mutex_unlock(&c->lock);
	return err ? err : open_loose(m, out);
}
