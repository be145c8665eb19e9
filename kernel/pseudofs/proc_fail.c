/*
 * /proc/PID/fail-nth (debug kernels): a number N written makes the Nth allocation of that thread
 * fail from then on, 0 makes none fail. Read, it says how many are still to go: 0 once it has
 * happened, and then who had asked for the memory.
 *
 * Neither reading nor writing allocates anything, so a thread can arm itself, do one thing, and
 * look, with nothing else counted in between.
 */
#ifdef KEVLAR_DEBUG

#include "abi/errno.h"
#include "core/ksyms.h"
#include "lib/string.h"
#include "pseudofs/procfs_priv.h"
#include "sched/failure.h"

static int fail_open(struct inode *i, struct file *f)
{
	f->priv = proc_task_get(pinode_of(i));
	return f->priv ? 0 : -ESRCH;
}

static void fail_release(struct file *f)
{
	task_put(f->priv);
}

static ssize64_t fail_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct task *task = f->priv;
	const char *name = NULL;
	const void *site;
	size_t off = 0;
	char buf[96];
	struct textbuf t = { .buf = buf, .size = sizeof(buf) };

	text_f(&t, "%u\n", thread_fail_left(&task->thread, &site));
	if (site && (name = ksym_find((kaddr_t)site, &off)))
		text_f(&t, "%s+0x%lx\n", name, (unsigned long)off);
	t.len = MIN(t.len, sizeof(buf));
	if (*pos < 0 || (size_t)*pos >= t.len)
		return 0;
	t.len = uio_put(u, buf + *pos, t.len - (size_t)*pos);
	*pos += (off64_t)t.len;
	return t.len ? (ssize64_t)t.len : -EFAULT;
}

static ssize64_t fail_write(struct file *f, struct uio *u, off64_t *pos)
{
	struct task *task = f->priv;
	char buf[24] = "";
	size_t n = u->resid;
	uint64_t v;

	(void)pos;
	if (n >= sizeof(buf))
		return -EINVAL;
	if (uio_get(u, buf, n) != n)
		return -EFAULT;
	if (!str_to_u64(buf, NULL, &v) || v > UINT32_MAX)
		return -EINVAL;
	thread_fail_nth(&task->thread, (uint32_t)v, 0);
	return (ssize64_t)n;
}

const struct file_ops proc_fail_ops = {
	.open = fail_open,
	.release = fail_release,
	.read = fail_read,
	.write = fail_write,
	.seek = generic_seek,
};

#endif
