/* /proc/PID/fd and fdinfo: the open files of a process. */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "pmm/slab.h"
#include "proc/task.h"
#include "pseudofs/procfs_priv.h"
#include "vfs/fdtable.h"
#include "vfs/lock.h"

enum { OWN_NAME_MAX = 64 };

/* The file behind an inode of these directories, counted; NULL: closed meanwhile. */
static struct file *subject_file(struct pinode *i)
{
	struct fdtable *ft = proc_get_files(i);
	struct file *f = NULL;

	if (ft != NULL) {
		f = fdtable_get_file(ft, (int)i->subject.number);
		fdtable_put(ft);
	}
	return f;
}

/* A name like "pipe:[5]" where the file has one of its own; otherwise a jump to its path. */
static int fd_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	struct textbuf name;
	struct file *f;
	int err;

	if ((err = proc_may_access(i, ACCESS_READ)))
		return err;
	if ((f = subject_file(i)) == NULL)
		return -ENOENT;
	if (f->ops->show_name) {
		if ((*to_free = kzalloc(OWN_NAME_MAX)) == NULL) {
			file_put(f);
			return -ENOMEM;
		}
		name = (struct textbuf){ .buf = *to_free, .size = OWN_NAME_MAX };
		f->ops->show_name(f, &name);
		*text = name.len ? *to_free : NULL;
	}
	*jump = f->path;
	path_get(jump);
	file_put(f);
	return 0;
}

static int fdinfo_show(struct pinode *i, struct textbuf *t)
{
	struct fdtable *ft = proc_get_files(i);
	int fd = (int)i->subject.number, cloexec;
	struct file *f;

	if (ft == NULL)
		return -ENOENT;
	f = fdtable_get_file(ft, fd);
	cloexec = fdtable_get_cloexec(ft, fd);
	if (f == NULL) {
		fdtable_put(ft);
		return -ENOENT;
	}
	text_f(t, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%lu\n", (long)f->pos,
	       atomic_load(&f->flags) | (cloexec > 0 ? O_CLOEXEC : 0),
	       f->path.mnt ? f->path.mnt->id : 0, (unsigned long)f->inode->ino);
	file_locks_show_of(f, ft, t);
	fdtable_put(ft);
	if (f->ops->show_fdinfo)
		f->ops->show_fdinfo(f, t);
	file_put(f);
	return 0;
}

/* A link's mode tells how the file is open. By FMODE_READ and FMODE_WRITE; O_PATH: neither. */
#define FD_NODE(perm)                                                                          \
	{                                                                                      \
		.name = "", .mode = S_IFLNK | (perm), .link = fd_link, .volatile_links = true, \
		.link_size = 64                                                                \
	}
static const struct pnode fd_none = FD_NODE(0), fd_read = FD_NODE(0500), fd_write = FD_NODE(0300),
			  fd_both = FD_NODE(0700);
static const struct pnode fdinfo_node = {
	.name = "",
	.mode = S_IFREG | 0400,
	.show = fdinfo_show,
	.volatile_links = true,
};

/* as: NULL: a link. */
static int find(struct pinode *dir, const char *name, size_t len, const struct pnode *as,
		const struct pnode **node, struct psubject *s)
{
	const struct pnode *link = &fd_none;
	struct file *f;
	uint32_t fd;

	if (!proc_parse_number(name, len, &fd))
		return -ENOENT;
	*s = dir->subject;
	s->number = fd;
	struct pinode probe = { .subject = *s };
	if ((f = subject_file(&probe)) == NULL)
		return -ENOENT;
	if (f->mode & FMODE_READ)
		link = f->mode & FMODE_WRITE ? &fd_both : &fd_read;
	else if (f->mode & FMODE_WRITE)
		link = &fd_write;
	file_put(f);
	process_get(s->process);
	if (s->task)
		task_get(s->task);
	*node = as != NULL ? as : link;
	return 0;
}

int proc_fd_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		 struct psubject *s)
{
	return find(dir, name, len, NULL, node, s);
}

int proc_fdinfo_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		     struct psubject *s)
{
	return find(dir, name, len, &fdinfo_node, node, s);
}

bool proc_fd_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		  const struct pnode **node)
{
	struct fdtable *ft = proc_get_files(dir);
	struct file *f;
	int fd;

	if (ft == NULL)
		return false;
	fd = fdtable_next(ft, (unsigned)*key, &f);
	fdtable_put(ft);
	if (fd < 0)
		return false;
	file_put(f);
	*key = (uint64_t)fd;
	fmt(name, size, "%d", fd);
	*node = &fd_both; /* its type is all that counts here */
	return true;
}
