/*
 * Device numbers. A range of minors of one major has one set of operations; nodes find them when
 * they are opened, so a node may exist before its driver. Nodes for devtmpfs are remembered here
 * for ever: it asks for them when it comes up.
 */

#include "vfs/chrdev.h"

#include "abi/errno.h"
#include "abi/stat.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "vfs/inode.h"

struct range {
	struct range *next;
	unsigned major, first, count;
	const char *name;
	const struct file_ops *ops;
};

struct node {
	struct list list;
	uint32_t mode;
	uint64_t rdev;
	char name[];
};

static struct range *ranges; /* by major, then by registration; append only */
static struct list nodes = LIST_INIT(nodes);
static struct spinlock lock = SPINLOCK(DCACHE); /* ranges, nodes */

void (*devnode_backend)(const char *name, uint32_t mode, uint64_t rdev);
const struct file_ops *(*blkdev_find_ops)(uint64_t rdev);

void chrdev_register(unsigned major, unsigned first, unsigned count, const char *name,
		     const struct file_ops *ops)
{
	struct range *r = kmalloc(sizeof(*r)), **link;

	if (r == NULL)
		panic("no memory to register %s", name);
	*r = (struct range){
		.major = major, .first = first, .count = count, .name = name, .ops = ops
	};
	spin_lock(&lock);
	for (link = &ranges; *link != NULL && (*link)->major <= major; link = &(*link)->next)
		;
	r->next = *link;
	__atomic_store_n(link, r, __ATOMIC_RELEASE);
	spin_unlock(&lock);
}

const struct file_ops *chrdev_find(uint64_t rdev)
{
	unsigned major = dev_major(rdev), minor = dev_minor(rdev);

	for (struct range *r = __atomic_load_n(&ranges, __ATOMIC_ACQUIRE); r != NULL;
	     r = __atomic_load_n(&r->next, __ATOMIC_ACQUIRE))
		if (r->major == major && minor >= r->first && minor - r->first < r->count)
			return r->ops;
	return NULL;
}

void chrdev_format(struct textbuf *t)
{
	const struct range *last = NULL;

	text_f(t, "Character devices:\n");
	for (struct range *r = __atomic_load_n(&ranges, __ATOMIC_ACQUIRE); r != NULL;
	     r = __atomic_load_n(&r->next, __ATOMIC_ACQUIRE)) {
		if (last == NULL || last->major != r->major || !str_eq(last->name, r->name))
			text_f(t, "%3u %s\n", r->major, r->name);
		last = r;
	}
}

static int open_as(struct inode *i, struct file *f, const struct file_ops *ops)
{
	if (ops == NULL)
		return -ENXIO;
	f->ops = ops;
	return ops->open ? ops->open(i, f) : 0;
}

static int chrdev_open(struct inode *i, struct file *f)
{
	return open_as(i, f, chrdev_find(i->rdev));
}

static int blkdev_open(struct inode *i, struct file *f)
{
	return open_as(i, f, blkdev_find_ops ? blkdev_find_ops(i->rdev) : NULL);
}

const struct file_ops chrdev_node_ops = { .open = chrdev_open };
const struct file_ops blkdev_node_ops = { .open = blkdev_open };

void devnode_add(const char *name, uint32_t mode, uint64_t rdev)
{
	size_t len = strlen(name);
	struct node *n = kmalloc(sizeof(*n) + len + 1);

	if (n == NULL)
		return; /* the device is there, and mknod(1) can still name it */
	n->mode = mode;
	n->rdev = rdev;
	memcpy(n->name, name, len + 1);
	spin_lock(&lock);
	list_add_tail(&nodes, &n->list);
	spin_unlock(&lock);
	if (devnode_backend)
		devnode_backend(name, mode, rdev);
}

void devnode_remove(const char *name)
{
	struct node *n, *tmp, *found = NULL;

	spin_lock(&lock);
	list_for_each_safe (n, tmp, &nodes, list)
		if (str_eq(n->name, name)) {
			list_remove(&n->list);
			found = n;
			break;
		}
	spin_unlock(&lock);
	if (found == NULL)
		return;
	if (devnode_backend)
		devnode_backend(name, 0, 0);
	kfree(found);
}

/* Boot only: nothing is removed meanwhile. */
void devnode_for_each(void (*fn)(const char *name, uint32_t mode, uint64_t rdev))
{
	struct node *n;

	list_for_each (n, &nodes, list)
		fn(n->name, n->mode, n->rdev);
}

bool devnode_next(uint64_t *rdev, char *name, size_t size, uint32_t *mode)
{
	struct node *n, *best = NULL;

	spin_lock(&lock);
	list_for_each (n, &nodes, list)
		if (n->rdev >= *rdev && (best == NULL || n->rdev < best->rdev))
			best = n;
	if (best != NULL) {
		*rdev = best->rdev;
		*mode = best->mode;
		strscpy(name, best->name, size);
	}
	spin_unlock(&lock);
	return best != NULL;
}
