/*
 * From a path back to its name: written from the end of the buffer towards its start, component by
 * component, up through mount points, until the given root or a place that has nothing above it.
 * Renames and mounts meanwhile are noticed by their counters, and the work is done again.
 */

#include "abi/errno.h"
#include "lib/string.h"
#include "vfs/vfs_priv.h"

struct backwards {
	char *start; /* of the buffer */
	char *p;     /* what has been written begins here */
	bool full;
};

static void prepend(struct backwards *b, const char *text, size_t n)
{
	if ((size_t)(b->p - b->start) < n) {
		b->full = true;
		return;
	}
	b->p -= n;
	memcpy(b->p, text, n);
}

/* The name of d with a slash before it. A torn pair of pointer and length is not used
 * (dcache_priv.h). */
static void prepend_name(struct backwards *b, const struct dentry *d)
{
	const char *text;
	uint32_t len, seq;

	do {
		seq = atomic_load_explicit(&d->seq, memory_order_acquire);
		text = __atomic_load_n(&d->name, __ATOMIC_RELAXED);
		len = d->name_len;
		atomic_thread_fence(memory_order_acquire);
	} while (seq & 1 || atomic_load_explicit(&d->seq, memory_order_relaxed) != seq);
	prepend(b, text, len);
	prepend(b, "/", 1);
}

/* Up from p to root. Returns whether root was met. */
static bool prepend_path(struct backwards *b, const struct path *p, const struct path *root)
{
	const struct mount *m = p->mnt;
	const struct dentry *d = p->dentry;

	while (!b->full) {
		const struct dentry *up;

		if (d == root->dentry && m == root->mnt)
			return true;
		if (d == m->root) {
			const struct mount *parent = __atomic_load_n(&m->parent, __ATOMIC_ACQUIRE);

			if (parent == m)
				return false;
			d = __atomic_load_n(&m->mountpoint, __ATOMIC_RELAXED);
			m = parent;
			continue;
		}
		up = atomic_load_explicit(&d->parent, memory_order_acquire);
		if (up == d)
			return false;
		prepend_name(b, d);
		d = up;
	}
	return false;
}

/* `end` has been written already: the NUL, perhaps a suffix. */
static char *format_above(const struct path *p, const struct path *root, struct backwards end,
			  bool *reachable)
{
	struct backwards b;
	uint32_t mounts, renames;

	do {
		b = end;
		mounts = atomic_load(&mount_seq);
		renames = atomic_load(&dcache_rename_seq);
		epoch_enter();
		*reachable = prepend_path(&b, p, root);
		epoch_exit();
	} while (mounts & 1 || renames & 1 || atomic_load(&mount_seq) != mounts ||
		 atomic_load(&dcache_rename_seq) != renames);
	if (!b.full && b.p == end.p)
		prepend(&b, "/", 1);
	return b.full ? NULL : b.p;
}

char *path_format_reach(const struct path *p, const struct path *root, char *buf, size_t size,
			bool *reachable)
{
	struct backwards b = { buf, buf + size, false };

	prepend(&b, "", 1);
	return b.full ? NULL : format_above(p, root, b, reachable);
}

char *path_format(const struct path *p, const struct path *root, char *buf, size_t size)
{
	struct backwards b = { buf, buf + size, false };
	uint32_t flags = atomic_load(&p->dentry->flags);
	bool reachable;

	prepend(&b, "", 1);
	if (flags & DENTRY_PSEUDO) {
		prepend(&b, p->dentry->name, p->dentry->name_len);
		return b.full ? NULL : b.p;
	}
	if (flags & DENTRY_UNHASHED && atomic_load(&p->dentry->parent) != p->dentry)
		prepend(&b, " (deleted)", 10);
	return b.full ? NULL : format_above(p, root, b, &reachable);
}
