/*
 * Credentials are never changed in place: whoever changes them (set*id, capset, exec) makes a copy,
 * edits it and commits it. So a pointer read under an epoch, or with a reference, is one consistent
 * set. The supplementary groups are sorted, owned by the set and copied with it.
 */

#include "vfs/cred.h"

#include "lib/string.h"
#include "pmm/slab.h"

struct cred root_cred = {
	.ref = { 1 },
	.cap_effective = CAP_FULL_SET,
	.cap_permitted = CAP_FULL_SET,
	.cap_bounding = CAP_FULL_SET,
};

static struct slab_cache *cred_cache;

void cred_init(void)
{
	cred_cache = slab_cache_create("cred", sizeof(struct cred), 64, NULL);
}

/* Readers get a const pointer; the count is the one thing in it that changes. */
static struct ref *cred_ref(const struct cred *c)
{
	return (struct ref *)(uintptr_t)&c->ref;
}

void cred_get(const struct cred *c)
{
	ref_get(cred_ref(c));
}

static void cred_free(struct epoch_head *h)
{
	struct cred *c = container_of(h, struct cred, epoch);

	kfree(c->groups);
	slab_free(cred_cache, c);
}

void cred_put(const struct cred *c)
{
	if (ref_put(cred_ref(c)))
		epoch_free(&container_of(cred_ref(c), struct cred, ref)->epoch, cred_free);
}

struct cred *cred_dup(const struct cred *c)
{
	struct cred *n = slab_alloc(cred_cache);
	size_t bytes = c->ngroups * sizeof(c->groups[0]);

	if (n == NULL)
		return NULL;
	*n = *c;
	ref_init(&n->ref);
	if (bytes == 0) {
		n->groups = NULL;
		return n;
	}
	n->groups = kmalloc(bytes);
	if (n->groups == NULL) {
		slab_free(cred_cache, n);
		return NULL;
	}
	memcpy(n->groups, c->groups, bytes);
	return n;
}

void cred_commit(struct cred *c)
{
	struct thread *t = curthread();
	struct cred *old = t->cred;

	__atomic_store_n(&t->cred, c, __ATOMIC_RELEASE);
	if (old != NULL)
		cred_put(old);
}

struct cred *cred_swap(struct cred *c)
{
	struct thread *t = curthread();
	struct cred *old = t->cred;

	__atomic_store_n(&t->cred, c, __ATOMIC_RELEASE);
	return old;
}

bool cred_in_group(const struct cred *c, uint32_t gid)
{
	uint32_t low = 0, high = c->ngroups;

	if (c->fsgid == gid)
		return true;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (c->groups[mid] == gid)
			return true;
		if (c->groups[mid] < gid)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}
