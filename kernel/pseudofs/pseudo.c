/*
 * The common part of procfs and sysfs: see pseudo.h.
 *
 * Inodes are made at lookup and die with their last user. Dentries below a process are revalidated
 * at each walk: a pid whose process is gone must not be found. Reading and writing is in
 * pseudo_text.c.
 */

#include "pseudofs/pseudo.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/statfs.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/task.h"
#include "vfs/dentry.h"

static struct slab_cache *pinode_cache;
static const struct inode_ops pseudo_dir_ops, pseudo_file_inode_ops, pseudo_link_ops;
static const struct file_ops pseudo_dir_file_ops;

static void subject_get(struct psubject *s)
{
	if (s->process)
		process_get(s->process);
	if (s->task)
		task_get(s->task);
}

struct task *subject_get_task(const struct psubject *s)
{
	if (s->task) {
		task_get(s->task);
		return s->task;
	}
	return s->process ? process_get_leader(s->process) : NULL;
}

static void subject_put(struct psubject *s)
{
	if (s->task)
		task_put(s->task);
	if (s->process)
		process_put(s->process);
}

static void free_inode(struct inode *i)
{
	subject_put(&pinode_of(i)->subject);
	slab_free(pinode_cache, pinode_of(i));
}

static const struct super_ops pseudo_super_ops = { .free_inode = free_inode };

/* The subject's references are consumed, also on failure. */
MUST_CHECK static int pinode_create(struct superblock *sb, const struct pnode *n,
				    struct psubject *s, struct inode **out)
{
	struct pinode *p = slab_zalloc(pinode_cache);
	struct inode *i;

	if (p == NULL) {
		subject_put(s);
		return -ENOMEM;
	}
	i = &p->inode;
	inode_init(i, sb, NULL, n->mode, inode_next_ino());
	p->node = n;
	p->subject = *s;
	i->uid = i->gid = 0;
	i->nlink = S_ISDIR(n->mode) ? 2 : 1;
	i->btime = -1; /* nothing was made: the file is looked at */
	if (S_ISDIR(n->mode)) {
		i->ops = &pseudo_dir_ops;
		i->fops = &pseudo_dir_file_ops;
	} else if (S_ISLNK(n->mode)) {
		i->ops = &pseudo_link_ops;
		atomic_init(&i->size, n->link_size);
	} else {
		i->ops = &pseudo_file_inode_ops;
		if (sb->magic == SYSFS_MAGIC) /* a page, however long the text is */
			atomic_init(&i->size, PAGE_SIZE);
		i->fops = n->fops ? n->fops : &pseudo_file_ops;
	}
	*out = i;
	return 0;
}

static const struct pnode *find_static(const struct pnode *dir, const char *name, size_t len)
{
	for (const struct pnode *n = dir->children; n && n->name; n++)
		if (strlen(n->name) == len && memcmp(n->name, name, len) == 0)
			return n;
	return NULL;
}

static int pseudo_lookup(struct inode *dir, struct dentry *d)
{
	struct pinode *pd = pinode_of(dir);
	const struct pnode *n = find_static(pd->node, d->name, d->name_len);
	struct psubject s = pd->subject;
	struct inode *i;
	int err;

	if (n != NULL)
		subject_get(&s);
	else if (pd->node->find == NULL)
		return -ENOENT;
	else if ((err = pd->node->find(pd, d->name, d->name_len, &n, &s)))
		return err;
	if ((err = pinode_create(dir->sb, n, &s, &i)))
		return err;
	atomic_fetch_or(&d->flags, DENTRY_REVALIDATE);
	dentry_instantiate(d, i);
	return 0;
}

/* Negative names may appear at any time; positive ones stay right while their process lives. */
static bool pseudo_revalidate(struct dentry *d)
{
	struct inode *i = dentry_inode(d);
	struct pinode *p;

	if (i == NULL)
		return false;
	p = pinode_of(i);
	if (p->node->volatile_links)
		return false;
	if (p->subject.is_task)
		return p->subject.task->sighand != NULL;
	return p->subject.process == NULL || p->subject.process->pid->process != NULL;
}

/* Programs that walk a tree take 2 for "no directories below". sysfs has few children each, and is
 * asked for them; procfs, with a child per process, for their number. */
static uint32_t count_links(struct pinode *pd)
{
	const struct pnode *n;
	uint32_t links = 2;
	char name[32];

	for (n = pd->node->children; n && n->name; n++)
		links += S_ISDIR(n->mode);
	if (pd->node->subdirs)
		links += pd->node->subdirs(pd);
	else if (pd->node->list && pd->inode.sb->magic == SYSFS_MAGIC)
		for (uint64_t key = 0; pd->node->list(pd, &key, name, sizeof(name), &n); key++)
			links += S_ISDIR(n->mode);
	return links;
}

/* Owner of a process's files: its effective ids; root's when it is not dumpable. */
static void follow_owner(struct inode *i)
{
	struct task *t = subject_get_task(&pinode_of(i)->subject);
	const struct cred *c;

	if (t == NULL)
		return;
	c = task_get_cred(t);
	i->uid = c->euid;
	i->gid = c->egid;
	cred_put(c);
	/* But a directory that all may read is its own: proc(5). */
	if (i->mode != (S_IFDIR | 0555) && !task_is_dumpable(t))
		i->uid = i->gid = 0;
	task_put(t);
}

static int pseudo_getattr(struct inode *i, struct kstat *st)
{
	follow_owner(i);
	inode_getattr(i, st);
	if (S_ISDIR(i->mode))
		st->nlink = count_links(pinode_of(i));
	return 0;
}

static int pseudo_permission(struct inode *i, unsigned mask)
{
	struct pinode *p = pinode_of(i);

	if (p->subject.process)
		follow_owner(i);
	if (p->node->owned_by_subject && p->subject.process) {
		struct task *t = subject_get_task(&p->subject);
		int err = t && task_may_access(t, ACCESS_READ) == 0 ? 0 : -EACCES;

		task_put(t);
		return err;
	}
	uint32_t mode = i->mode;
	const struct cred *c = current_cred();
	unsigned bits = c->fsuid == i->uid         ? mode >> 6
			: cred_in_group(c, i->gid) ? mode >> 3
						   : mode;

	if ((bits & mask & 7) == (mask & 7))
		return 0;
	if (cred_has_cap(c, CAP_DAC_OVERRIDE) && (S_ISDIR(mode) || !(mask & PERM_EXEC)))
		return 0;
	if (cred_has_cap(c, CAP_DAC_READ_SEARCH) && !(mask & PERM_WRITE) &&
	    (S_ISDIR(mode) || !(mask & PERM_EXEC)))
		return 0;
	return -EACCES;
}

static int pseudo_get_link(struct inode *i, const char **text, char **to_free, struct path *jump)
{
	struct pinode *p = pinode_of(i);

	return p->node->link(p, text, to_free, jump);
}

static int pseudo_setattr(struct inode *i, const struct setattr *a)
{
	if (a->valid & ~(unsigned)(SET_SIZE | SET_MTIME | SET_MTIME_NOW | SET_KILL_PRIV))
		return -EPERM;
	(void)i;
	return 0;
}

static const struct inode_ops pseudo_dir_ops = {
	.lookup = pseudo_lookup,
	.getattr = pseudo_getattr,
	.permission = pseudo_permission,
	.revalidate = pseudo_revalidate,
	.setattr = pseudo_setattr,
};
static const struct inode_ops pseudo_file_inode_ops = {
	.getattr = pseudo_getattr,
	.permission = pseudo_permission,
	.setattr = pseudo_setattr,
};
static const struct inode_ops pseudo_link_ops = {
	.getattr = pseudo_getattr,
	.get_link = pseudo_get_link,
};

/* Positions: 0 ".", 1 "..", 2+n the table's rows, DYNAMIC + key the others. */
enum { DYNAMIC = 1 << 16 };

static bool emit_dots(struct file *f, struct dir_context *c)
{
	struct dentry *d = f->path.dentry;

	if (c->pos == 0) {
		if (!c->emit(c, ".", 1, f->inode->ino, S_IFDIR >> 12))
			return false;
		c->pos = 1;
	}
	if (c->pos == 1) {
		struct inode *up = dentry_inode(atomic_load(&d->parent));

		if (!c->emit(c, "..", 2, up->ino, S_IFDIR >> 12))
			return false;
		c->pos = 2;
	}
	return true;
}

static int pseudo_readdir(struct file *f, struct dir_context *c)
{
	struct pinode *pd = pinode_of(f->inode);
	const struct pnode *n = pd->node->children;
	off64_t i = 2;
	char name[32];
	uint64_t key;

	if (!emit_dots(f, c))
		return 0;
	for (; n && n->name; n++, i++) {
		if (i < c->pos)
			continue;
		if (!c->emit(c, n->name, strlen(n->name), (uint64_t)i + 1, n->mode >> 12))
			return 0;
		c->pos = i + 1;
	}
	if (pd->node->list == NULL)
		return 0;
	for (key = c->pos < DYNAMIC ? 0 : (uint64_t)c->pos - DYNAMIC;
	     pd->node->list(pd, &key, name, sizeof(name), &n); key++) {
		if (!c->emit(c, name, strlen(name), DYNAMIC + key, n->mode >> 12))
			return 0;
		c->pos = (off64_t)(DYNAMIC + key + 1);
	}
	return 0;
}

static const struct file_ops pseudo_dir_file_ops = { .readdir = pseudo_readdir,
						     .seek = generic_seek };

struct pinode *pseudo_dir_of(struct file *f)
{
	return f->inode && f->inode->ops == &pseudo_dir_ops ? pinode_of(f->inode) : NULL;
}

int pseudo_mount(const struct fs_type *t, uint32_t magic, const struct pnode *root,
		 struct superblock **out)
{
	struct psubject none = { 0 };
	struct superblock *sb;
	struct inode *i;
	int err;

	if ((err = superblock_create(t, &pseudo_super_ops, &sb)))
		return err;
	sb->magic = magic;
	sb->blocksize = magic == PROC_SUPER_MAGIC ? 1024 : PAGE_SIZE;
	if ((err = pinode_create(sb, root, &none, &i)))
		goto put_sb;
	if ((sb->root = dentry_create_root(sb, i)) == NULL) {
		err = -ENOMEM;
		goto put_sb;
	}
	*out = sb;
	return 0;
put_sb:
	superblock_put(sb);
	return err;
}

void pseudo_init(void)
{
	pinode_cache = slab_cache_create("pseudo_inode", sizeof(struct pinode), 64, NULL);
}
