/* Accounts by user id: few, so a list. The last one asked for is looked at first, by its place. */

#include "vfs/usage.h"

#include "core/spinlock.h"
#include "lib/list.h"
#include "pmm/slab.h"

struct vfs_usage {
	struct list node; /* lock */
	uint32_t uid;
	uint32_t users; /* lock */
	_Atomic int64_t count[USAGE_KINDS];
};

static struct spinlock lock = SPINLOCK(DCACHE); /* accounts */
static struct list accounts = LIST_INIT(accounts);

static struct vfs_usage *find_locked(uint32_t uid)
{
	struct vfs_usage *u;

	list_for_each (u, &accounts, node)
		if (u->uid == uid) {
			u->users++;
			return u;
		}
	return NULL;
}

struct vfs_usage *vfs_usage_get(uint32_t uid)
{
	struct vfs_usage *u, *new = NULL;

	spin_lock(&lock);
	u = find_locked(uid);
	spin_unlock(&lock);
	if (LIKELY(u != NULL) || (new = kzalloc(sizeof(*new))) == NULL)
		return u;
	new->uid = uid;
	new->users = 1;
	spin_lock(&lock);
	if ((u = find_locked(uid)) == NULL) {
		list_add_tail(&accounts, &new->node);
		u = new;
		new = NULL;
	}
	spin_unlock(&lock);
	kfree(new);
	return u;
}

void vfs_usage_put(struct vfs_usage *u)
{
	bool last;

	spin_lock(&lock);
	last = --u->users == 0;
	if (last)
		list_remove(&u->node);
	spin_unlock(&lock);
	if (last)
		kfree(u);
}

int64_t vfs_usage_add(struct vfs_usage *u, enum vfs_usage_kind kind, int64_t n)
{
	return atomic_fetch_add_explicit(&u->count[kind], n, memory_order_relaxed) + n;
}
