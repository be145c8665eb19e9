/*
 * The names of message queues: one directory, of one file system that there is once, mounted
 * invisibly from the start and by mount(2) wherever it is wanted. A queue holds on to its name's
 * entry in the list; the list is short (queues_max), and the dentry cache is in front of it.
 */
#include "abi/capability.h"
#include "abi/dirent.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/resource.h"
#include "abi/statfs.h"
#include "core/panic.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/task.h"
#include "pseudofs/mqueue_priv.h"
#include "pseudofs/proc_var.h"
#include "pseudofs/procfs_priv.h"
#include "vfs/cred.h"
#include "vfs/dentry.h"
#include "vfs/file.h"
#include "vfs/mount.h"
#include "vfs/namei.h"

enum {
	HARD_MSG_MAX = 65536,
	HARD_MSGSIZE_MAX = 16 << 20,
	/* What Linux's own structures weigh: RLIMIT_MSGQUEUE is told in these. */
	MESSAGE_OVERHEAD = 48,
	PRIORITY_OVERHEAD = 48,
	FILE_SIZE = 80,
	ENTRY_SIZE = 20,
};

int mqueue_queues_max = 256, mqueue_msg_max = 10, mqueue_msgsize_max = 8192,
    mqueue_msg_default = 10, mqueue_msgsize_default = 8192;

struct mqueue_root {
	struct inode inode;
	struct list queues; /* inode.lock; oldest first */
	_Atomic int count;  /* of queues that exist, named or not */
};

static struct mount *queues; /* counted for ever */

static struct mqueue_root *root_of(const struct superblock *sb)
{
	return container_of(dentry_inode(sb->root), struct mqueue_root, inode);
}

/* --- making one --- */

static int check_attr(const struct abi_mq_attr *a)
{
	bool may = capable(CAP_SYS_RESOURCE);

	if (a->mq_maxmsg <= 0 || a->mq_msgsize <= 0 ||
	    a->mq_maxmsg > (may ? HARD_MSG_MAX : mqueue_msg_max) ||
	    a->mq_msgsize > (may ? HARD_MSGSIZE_MAX : mqueue_msgsize_max))
		return -EINVAL;
	return 0;
}

static uint64_t cost_of(const struct abi_mq_attr *a)
{
	uint64_t n = (uint64_t)a->mq_maxmsg;

	return n * ((uint64_t)a->mq_msgsize + MESSAGE_OVERHEAD) +
	       MIN(n, (uint64_t)MQ_PRIO_MAX) * PRIORITY_OVERHEAD;
}

static int charge(struct mqueue *q)
{
	struct task *t = curtask();
	uint64_t sum, bytes = cost_of(&q->attr);

	sum = atomic_fetch_add_explicit(&t->user->mqueue_bytes, bytes, memory_order_relaxed) +
	      bytes;
	if (sum > process_rlimit(t->process, RLIMIT_MSGQUEUE)) {
		atomic_fetch_sub_explicit(&t->user->mqueue_bytes, bytes, memory_order_relaxed);
		return -EMFILE;
	}
	q->user = t->user;
	q->charged = bytes;
	return 0;
}

static int count_queue(struct mqueue_root *root)
{
	if (atomic_fetch_add(&root->count, 1) >= mqueue_queues_max && !capable(CAP_SYS_RESOURCE)) {
		atomic_fetch_sub(&root->count, 1);
		return -ENOSPC;
	}
	return 0;
}

/* A queue is no file to be cut to a size: that is accepted and means nothing, as on Linux. */
static int queue_setattr(struct inode *i, const struct setattr *a)
{
	struct setattr rest = *a;

	rest.valid &= ~(unsigned)SET_SIZE;
	inode_setattr(i, &rest);
	return 0;
}

static const struct inode_ops queue_inode_ops = { .setattr = queue_setattr };

static int queue_create(struct inode *dir, const struct dentry *d, uint32_t mode,
			const struct abi_mq_attr *attr, struct mqueue **out)
{
	struct mqueue_root *root = root_of(dir->sb);
	struct mqueue *q;
	int err;

	if ((err = count_queue(root)))
		return err;
	err = -ENOMEM;
	if (!(q = kzalloc(sizeof(*q))) || !(q->name = kstrdup(d->name)))
		goto fail;
	q->attr.mq_maxmsg = attr->mq_maxmsg;
	q->attr.mq_msgsize = attr->mq_msgsize;
	if ((err = charge(q)))
		goto fail;
	inode_init(&q->inode, dir->sb, dir, S_IFREG | (mode & 07777), inode_next_ino());
	q->inode.ops = &queue_inode_ops;
	q->inode.fops = &mqueue_file_ops;
	atomic_init(&q->inode.size, FILE_SIZE);
	mqueue_queue_init(q);
	*out = q;
	return 0;
fail:
	atomic_fetch_sub(&root->count, 1);
	if (q)
		kfree(q->name);
	kfree(q);
	return err;
}

static void dir_changed(struct inode *dir, int entries)
{
	atomic_fetch_add_explicit(&dir->size, (uint64_t)(ENTRY_SIZE * (int64_t)entries),
				  memory_order_relaxed);
	inode_touch_mtime(dir);
}

/* Of mq_open(2), which has left what it wants in the task, or of open(2). */
static int dir_create(struct inode *dir, struct dentry *d, uint32_t mode)
{
	const struct abi_mq_attr *wanted = curtask()->mq_attr;
	struct abi_mq_attr attr = { .mq_maxmsg = MIN(mqueue_msg_max, mqueue_msg_default),
				    .mq_msgsize = MIN(mqueue_msgsize_max, mqueue_msgsize_default) };
	struct mqueue *q;
	int err;

	if (wanted && (err = check_attr(wanted)))
		return err;
	if ((err = queue_create(dir, d, mode, wanted ? wanted : &attr, &q)))
		return err;
	list_add_tail(&root_of(dir->sb)->queues, &q->in_dir);
	dir_changed(dir, 1);
	inode_get(&q->inode); /* the list's, and the dentry's */
	dentry_instantiate(d, &q->inode);
	return 0;
}

static struct mqueue *find_name(struct inode *dir, const struct dentry *d)
{
	struct mqueue *q;

	list_for_each (q, &root_of(dir->sb)->queues, in_dir)
		if (str_eq(q->name, d->name))
			return q;
	return NULL;
}

static int dir_lookup(struct inode *dir, struct dentry *d)
{
	struct mqueue *q = find_name(dir, d);

	if (q) {
		inode_get(&q->inode);
		dentry_instantiate(d, &q->inode);
	}
	return 0;
}

static int dir_unlink(struct inode *dir, struct dentry *d)
{
	struct mqueue *q = container_of(dentry_inode(d), struct mqueue, inode);

	list_remove(&q->in_dir);
	dir_changed(dir, -1);
	q->inode.nlink--;
	q->inode.ctime = dir->ctime;
	inode_put(&q->inode);
	return 0;
}

static const struct inode_ops dir_ops = {
	.lookup = dir_lookup,
	.create = dir_create,
	.unlink = dir_unlink,
};

/* Positions: 0 and 1 the dots, then the inode's number, which rises in the list. */
static int dir_readdir(struct file *f, struct dir_context *c)
{
	struct mqueue *q;

	if (!dir_emit_dots(f, c))
		return 0;
	list_for_each (q, &root_of(f->inode->sb)->queues, in_dir) {
		off64_t pos = (off64_t)q->inode.ino + 2;

		if (pos < c->pos)
			continue;
		c->pos = pos;
		if (!c->emit(c, q->name, strlen(q->name), q->inode.ino, DT_REG))
			return 0;
		c->pos = pos + 1;
	}
	return 0;
}

static const struct file_ops dir_file_ops = { .readdir = dir_readdir, .seek = generic_seek };

/* --- the file system --- */

static void free_memory(struct epoch_head *h)
{
	struct mqueue *q = container_of(h, struct mqueue, inode.epoch);

	kfree(q->name);
	kfree(q);
}

/* The root's stays for ever: so does the superblock. */
static void free_inode(struct inode *i)
{
	struct mqueue *q = container_of(i, struct mqueue, inode);

	mqueue_queue_fini(q);
	atomic_fetch_sub_explicit(&q->user->mqueue_bytes, q->charged, memory_order_relaxed);
	atomic_fetch_sub(&root_of(i->sb)->count, 1);
	epoch_free(&i->epoch, free_memory);
}

static int fs_statfs(struct superblock *sb, struct abi_statfs *out)
{
	(void)sb;
	memset(out, 0, sizeof(*out));
	out->f_type = MQUEUE_MAGIC;
	out->f_bsize = out->f_frsize = (int64_t)PAGE_SIZE;
	out->f_namelen = NAME_LEN_MAX;
	return 0;
}

static const struct super_ops mqueue_super_ops = { .free_inode = free_inode, .statfs = fs_statfs };

static int create_super(const struct fs_type *t, struct superblock **out)
{
	struct mqueue_root *root;
	struct superblock *sb;
	int err;

	if ((err = superblock_create(t, &mqueue_super_ops, &sb)))
		return err;
	sb->magic = MQUEUE_MAGIC;
	sb->blocksize = PAGE_SIZE;
	strscpy(sb->id, "mqueue", sizeof(sb->id));
	if (!(root = kzalloc(sizeof(*root)))) {
		superblock_put(sb);
		return -ENOMEM;
	}
	list_init(&root->queues);
	inode_init(&root->inode, sb, NULL, S_IFDIR | 01777, inode_next_ino());
	root->inode.nlink = 2;
	root->inode.ops = &dir_ops;
	root->inode.fops = &dir_file_ops;
	atomic_init(&root->inode.size, 2 * ENTRY_SIZE);
	if (!(sb->root = dentry_create_root(sb, &root->inode))) {
		superblock_put(sb);
		return -ENOMEM;
	}
	*out = sb;
	return 0;
}

static int mqueue_mount(const struct fs_type *t, const char *source, unsigned flags,
			const char *data, struct superblock **out)
{
	(void)source, (void)flags, (void)data;
	if (!queues)
		return create_super(t, out);
	superblock_get(queues->sb);
	*out = queues->sb;
	return 0;
}

void mqueue_init(void)
{
	static struct fs_type type = { .name = "mqueue", .mount = mqueue_mount };

	fs_register(&type);
	if (mount_kernel(&type, &queues))
		panic("no memory for message queues");
}

/* --- by name --- */

static int check_name(const char *name)
{
	if (strlen(name) > NAME_LEN_MAX)
		return -ENAMETOOLONG;
	return str_eq(name, ".") || str_eq(name, "..") || strchr(name, '/') ? -EACCES : 0;
}

static void top(struct path *out)
{
	*out = (struct path){ queues, queues->root };
}

static int make(const struct path *at, const char *name, unsigned oflags, uint32_t mode,
		const struct abi_mq_attr *attr, struct file **out)
{
	struct task *t = curtask();
	int err;

	t->mq_attr = attr;
	err = file_open_from(at, name, oflags | O_CREAT | O_EXCL, mode, out);
	t->mq_attr = NULL;
	return err;
}

int mqueue_open(const char *name, unsigned oflags, uint32_t mode, const struct abi_mq_attr *attr,
		struct file **out)
{
	unsigned how = oflags & (O_ACCMODE | O_NONBLOCK);
	struct path at;
	int err;

	if ((err = check_name(name)))
		return err;
	if ((oflags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	top(&at);
	/* By turns until one of them finds what it needs: others come and go meanwhile. */
	for (;;) {
		if (oflags & O_CREAT) {
			err = make(&at, name, how, mode, attr, out);
			if (err != -EEXIST || oflags & O_EXCL)
				return err;
		}
		err = file_open_from(&at, name, how, 0, out);
		if (err != -ENOENT || !(oflags & O_CREAT))
			return err;
		if (fatal_signal_pending())
			return -EINTR;
	}
}

int mqueue_unlink(const char *name)
{
	struct path at;
	int err = check_name(name);

	if (err)
		return err;
	top(&at);
	return vfs_unlink_from(&at, name);
}

/* --- /proc/sys/fs/mqueue --- */

const struct pnode proc_sys_mqueue_nodes[] = {
	PROC_INT("msg_default", mqueue_msg_default, 1, HARD_MSG_MAX),
	PROC_INT("msg_max", mqueue_msg_max, 1, HARD_MSG_MAX),
	PROC_INT("msgsize_default", mqueue_msgsize_default, 128, HARD_MSGSIZE_MAX),
	PROC_INT("msgsize_max", mqueue_msgsize_max, 128, HARD_MSGSIZE_MAX),
	PROC_INT("queues_max", mqueue_queues_max, 0, INT32_MAX),
	{ 0 },
};
