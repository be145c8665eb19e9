/*
 * O_ASYNC: the open files whose owners want a signal when an object's readiness changes. The object
 * (a pipe, an inotify instance) keeps a list of them under its own lock and signals while it holds
 * that lock, so an entry lives as long as its file has the flag. Source: fcntl(2) F_SETOWN,
 * F_SETSIG.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "pmm/slab.h"
#include "vfs/fcntl.h"
#include "vfs/file.h"

struct async_entry {
	struct list node;
	struct file *file; /* borrowed: it leaves the list before it goes */
};

int async_set(struct list *l, struct file *f, bool on)
{
	struct async_entry *e, *tmp;

	list_for_each_safe (e, tmp, l, node)
		if (e->file == f) {
			if (on)
				return 0;
			list_remove(&e->node);
			kfree(e);
			return 0;
		}
	if (!on)
		return 0;
	if ((e = kmalloc(sizeof(*e))) == NULL)
		return -ENOMEM;
	e->file = f;
	list_add_tail(l, &e->node);
	return 0;
}

void async_signal_all(struct list *l, int band)
{
	struct async_entry *e;

	list_for_each (e, l, node)
		file_send_sigio(e->file, band);
}

int file_set_async(struct file *f, int fd, bool on)
{
	int err;

	if (on == !!(atomic_load(&f->flags) & O_ASYNC))
		return 0;
	if (on)
		f->async_fd = fd;
	if (f->ops->fasync == NULL)
		return f->ops->flags & FOP_ASYNC ? 1 : 0;
	err = f->ops->fasync(f, on);
	return err ? err : 1;
}
