#include "proc/pidfd.h"

/*
 * pidfds: anonymous files that hold a struct pid. They keep the object, not the process or its
 * number: once the process is reaped, pid->process is NULL for ever, so a pidfd can never come to
 * mean another process. They are readable from the moment the process is a zombie.
 *
 * Source: pidfd_open(2), pidfd_getfd(2), clone(2) CLONE_PIDFD.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/fmt.h"
#include "proc/proc_priv.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/poll.h"

static void pidfd_release(struct file *f)
{
	pid_put(f->priv);
}

static uint32_t pidfd_poll(struct file *f, struct poll_ctx *ctx)
{
	struct pid *pid = f->priv;
	struct process *p;
	bool ended;

	poll_wait(ctx, &pid->exit_wait);
	epoch_enter();
	p = atomic_load_explicit(&pid->process, memory_order_acquire);
	ended = p == NULL || p->zombie;
	epoch_exit();
	return ended ? EPOLLIN | EPOLLRDNORM : 0;
}

static void pidfd_fdinfo(struct file *f, struct textbuf *t)
{
	struct pid *pid = f->priv;
	bool reaped = atomic_load_explicit(&pid->process, memory_order_relaxed) == NULL;
	int nr = reaped ? -1 : (int)pid->nr;

	text_f(t, "Pid:\t%d\nNSpid:\t%d\n", nr, nr);
}

static const struct file_ops pidfd_ops = {
	.release = pidfd_release,
	.poll = pidfd_poll,
	.show_fdinfo = pidfd_fdinfo,
	.flags = FOP_STREAM,
};

int pidfd_create(struct pid *p, unsigned oflags, struct file **out)
{
	int err = file_create_anon("[pidfd]", &pidfd_ops, p, O_RDWR | oflags, out);

	if (err == 0)
		pid_get(p);
	return err;
}

struct pid *pidfd_pid(struct file *f)
{
	return f->ops == &pidfd_ops ? f->priv : NULL;
}

int pidfd_open(uint32_t nr, bool nonblock)
{
	struct pid *pid = pid_lookup(nr);
	struct file *f;
	int fd;

	if (pid == NULL)
		return -ESRCH;
	fd = atomic_load_explicit(&pid->process, memory_order_relaxed) == NULL ? -EINVAL : 0;
	if (fd == 0)
		fd = pidfd_create(pid, nonblock ? O_NONBLOCK : 0, &f);
	pid_put(pid);
	if (fd)
		return fd;
	fd = fd_add(f, true);
	if (fd < 0)
		file_put(f);
	return fd;
}

static int copy_file(struct task *t, int fd)
{
	struct fdtable *files;
	struct file *f;
	int new = task_may_access(t, ACCESS_ATTACH);

	if (new)
		return new;
	files = task_get_files(t);
	if (files == NULL)
		return -ESRCH;
	f = fdtable_get_file(files, fd);
	fdtable_put(files);
	if (f == NULL)
		return -EBADF;
	new = fd_add(f, true);
	if (new < 0)
		file_put(f);
	return new;
}

int pidfd_get_file(struct pid *p, int fd)
{
	struct task *t = pid_get_task(p);
	int new;

	if (t == NULL)
		return -ESRCH;
	new = copy_file(t, fd);
	task_put(t);
	return new;
}
