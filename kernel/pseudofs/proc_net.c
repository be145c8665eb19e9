/* /proc/net and /proc/sys/net: proc(5), sysctl(8). */

#include "abi/errno.h"
#include "lib/string.h"
#include "net/socket.h"
#include "net/unix/unix.h"
#include "pseudofs/procfs_priv.h"

static int unix_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	unix_format(t);
	return 0;
}

const struct pnode proc_net_nodes[] = {
	{ .name = "unix", .mode = S_IFREG | 0444, .show = unix_show },
	{ 0 },
};

/* An int, at ptr, of which arg is the smallest value. */
static int limit_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%d\n", *(const int *)i->node->ptr);
	return 0;
}

static ssize64_t limit_store(struct pinode *i, char *text, size_t n)
{
	uint64_t v;

	if (!str_to_u64(text, NULL, &v) || v > INT32_MAX || v < i->node->arg)
		return -EINVAL;
	*(int *)(uintptr_t)i->node->ptr = (int)v;
	return (ssize64_t)n;
}

#define LIMIT(n, var, min)                                                                   \
	{                                                                                    \
		.name = n, .mode = S_IFREG | 0644, .show = limit_show, .store = limit_store, \
		.ptr = &(var), .arg = min                                                    \
	}

static const struct pnode core_nodes[] = {
	LIMIT("optmem_max", net_optmem_max, 0),
	LIMIT("rmem_default", net_rmem_default, 2304),
	LIMIT("rmem_max", net_rmem_max, 2304),
	LIMIT("somaxconn", net_somaxconn, 0),
	LIMIT("wmem_default", net_wmem_default, 4608),
	LIMIT("wmem_max", net_wmem_max, 4608),
	{ 0 },
};

static const struct pnode unix_nodes[] = {
	LIMIT("max_dgram_qlen", unix_max_dgram_qlen, 0),
	{ 0 },
};

const struct pnode proc_sys_net_nodes[] = {
	{ .name = "core", .mode = S_IFDIR | 0555, .children = core_nodes },
	{ .name = "unix", .mode = S_IFDIR | 0555, .children = unix_nodes },
	{ 0 },
};
