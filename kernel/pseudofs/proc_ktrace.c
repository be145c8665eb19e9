/* /proc/ktrace: `enable` reads and sets the groups, `dump` is the binary dump (core/ktrace.h). */

#include "abi/errno.h"
#include "core/ktrace.h"
#include "pmm/slab.h"
#include "pseudofs/procfs_priv.h"

static int enable_show(struct pinode *i, struct textbuf *t)
{
	char buf[128];

	(void)i;
	ktrace_format_groups(buf, sizeof(buf));
	text_f(t, "%s\n", buf);
	return 0;
}

static ssize64_t enable_store(struct pinode *i, char *text, size_t n)
{
	int err;

	(void)i;
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = 0;
	err = ktrace_set_groups(text);
	return err ? err : (ssize64_t)n;
}

static ssize64_t dump_read(struct file *f, struct uio *u, off64_t *pos)
{
	size_t want = MIN(u->resid, PAGE_SIZE), n;
	ssize64_t ret = 0;
	char *buf;

	(void)f;
	if ((buf = kmalloc(PAGE_SIZE)) == NULL)
		return -ENOMEM;
	n = ktrace_dump_read((uint64_t)*pos, buf, want);
	if (n > 0) {
		ret = (ssize64_t)uio_put(u, buf, n);
		*pos += ret;
		if (ret == 0)
			ret = -EFAULT;
	}
	kfree(buf);
	return ret;
}

static const struct file_ops dump_ops = { .read = dump_read, .seek = generic_seek };

const struct pnode proc_ktrace_nodes[] = {
	{ .name = "dump", .mode = S_IFREG | 0400, .fops = &dump_ops },
	{ .name = "enable", .mode = S_IFREG | 0600, .show = enable_show, .store = enable_store },
	{ 0 },
};
