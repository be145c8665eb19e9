/*
 * Mounts: the objects, the hash from (mount, dentry) to what is mounted there, and the tree.
 *
 * A mount in the tree has one reference for that, holds its parent and its mount point, and is in
 * the hash. Walkers read the hash, parent and mountpoint without a lock under an epoch, and check
 * mount_seq afterwards: it is odd while the tree changes, and every change moves it on. A detached
 * mount is its own parent; its mountpoint pointer stays as it was, for a walker may have read the
 * parent just before.
 *
 * The root mount of the namespace is never unmounted. There is one namespace.
 */

#include "vfs/mount.h"

#include "abi/errno.h"
#include "abi/mount.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "sched/wait.h"
#include "vfs/mount_priv.h"

enum { HASH_BUCKETS = 1024 };

_Atomic uint32_t mount_seq;
struct path mount_root_path;
struct mutex mount_lock = MUTEX(mount_lock, MOUNT);
struct mount_ns mount_init_ns = { .mounts = LIST_INIT(mount_init_ns.mounts) };
struct mount_ns mount_loose_ns = { .mounts = LIST_INIT(mount_loose_ns.mounts) };

int mount_max = 100000;

static struct mount *hash_table[HASH_BUCKETS];
static struct slab_cache *mount_cache;
static struct waitq event_wait = WAITQ(event_wait);
static _Atomic uint64_t events;

void mount_init(void)
{
	mount_cache = slab_cache_create("mount", sizeof(struct mount), 64, NULL);
}

uint64_t mount_event_count(void)
{
	return atomic_load(&events);
}

struct waitq *mount_event_waitq(void)
{
	return &event_wait;
}

static struct mount **bucket_of(const struct mount *m, const struct dentry *d)
{
	uint64_t h = ((uintptr_t)m >> 6) * 0x9e3779b97f4a7c15ull ^
		     ((uintptr_t)d >> 6) * 0xc2b2ae3d27d4eb4full;

	return &hash_table[h >> 40 & (HASH_BUCKETS - 1)];
}

void mount_change_begin(void)
{
	atomic_fetch_add(&mount_seq, 1);
}

void mount_change_end(void)
{
	atomic_fetch_add(&mount_seq, 1);
}

struct mount *mount_alloc(struct superblock *sb, struct dentry *root, uint32_t flags,
			  const char *source)
{
	static _Atomic int last_id = 20;
	struct mount *m = slab_zalloc(mount_cache);

	if (m == NULL)
		return NULL;
	ref_init(&m->ref);
	m->id = atomic_fetch_add(&last_id, 1) + 1;
	m->sb = sb;
	m->root = root;
	superblock_get(sb);
	dentry_get(root);
	m->parent = m;
	m->flags = flags;
	list_init(&m->children);
	list_init(&m->child);
	list_init(&m->peers);
	list_init(&m->slaves);
	list_init(&m->slave);
	list_init(&m->ns_node);
	list_init(&m->work);
	strscpy(m->source, source ? source : "none", sizeof(m->source));
	return m;
}

static void mount_free(struct epoch_head *h)
{
	slab_free(mount_cache, container_of(h, struct mount, epoch));
}

void mount_get(struct mount *m)
{
	ref_get(&m->ref);
}

void mount_put(struct mount *m)
{
	uint32_t mark = atomic_load_explicit(&m->expire_mark, memory_order_relaxed);

	if (UNLIKELY(mark > 0))
		atomic_store_explicit(&m->expire_mark, mark - 1, memory_order_relaxed);
	if (!ref_put(&m->ref))
		return;
	dentry_put(m->root);
	superblock_put(m->sb);
	epoch_free(&m->epoch, mount_free);
}

struct mount *mount_probe(const struct mount *m, const struct dentry *d)
{
	struct mount *c = __atomic_load_n(bucket_of(m, d), __ATOMIC_ACQUIRE);

	while (c != NULL && (__atomic_load_n(&c->parent, __ATOMIC_RELAXED) != m ||
			     __atomic_load_n(&c->mountpoint, __ATOMIC_RELAXED) != d))
		c = __atomic_load_n(&c->hash_next, __ATOMIC_ACQUIRE);
	return c;
}

struct mount *mount_on(const struct mount *m, const struct dentry *d)
{
	return mount_probe(m, d);
}

struct mount *mount_lookup(struct mount *m, struct dentry *d)
{
	for (;;) {
		uint32_t seq;
		struct mount *c;
		bool got;

		if (LIKELY(!(atomic_load_explicit(&d->flags, memory_order_relaxed) &
			     DENTRY_MOUNTED)))
			return NULL;
		epoch_enter();
		seq = atomic_load(&mount_seq);
		c = mount_probe(m, d);
		got = c != NULL && mount_tryget(c);
		epoch_exit();
		if (!(seq & 1) && atomic_load(&mount_seq) == seq && (got || c == NULL))
			return c;
		if (got)
			mount_put(c);
	}
}

bool mount_descend(struct path *p)
{
	bool crossed = false;
	struct mount *m;

	while ((m = mount_lookup(p->mnt, p->dentry)) != NULL) {
		dentry_get(m->root);
		path_put(p);
		*p = (struct path){ m, m->root };
		crossed = true;
	}
	return crossed;
}

bool mount_ascend(struct path *p)
{
	for (;;) {
		struct path up;
		bool got_mount, got;
		uint32_t seq;

		epoch_enter();
		seq = atomic_load(&mount_seq);
		up.mnt = __atomic_load_n(&p->mnt->parent, __ATOMIC_ACQUIRE);
		if (up.mnt == p->mnt) {
			epoch_exit();
			return false;
		}
		up.dentry = __atomic_load_n(&p->mnt->mountpoint, __ATOMIC_RELAXED);
		got_mount = mount_tryget(up.mnt);
		got = got_mount && dentry_tryget(up.dentry);
		epoch_exit();
		if (got && !(seq & 1) && atomic_load(&mount_seq) == seq) {
			path_put(p);
			*p = up;
			return true;
		}
		if (got)
			dentry_put(up.dentry);
		if (got_mount)
			mount_put(up.mnt);
	}
}

void mount_link(struct mount *m, struct mount *parent, struct dentry *mountpoint)
{
	dentry_get(mountpoint);
	mount_get(parent);
	__atomic_store_n(&m->mountpoint, mountpoint, __ATOMIC_RELAXED);
	__atomic_store_n(&m->parent, parent, __ATOMIC_RELEASE);
	list_add_tail(&parent->children, &m->child);
}

static void hash_insert(struct mount *m)
{
	struct mount **bucket = bucket_of(m->parent, m->mountpoint);

	__atomic_store_n(&m->hash_next, *bucket, __ATOMIC_RELEASE);
	__atomic_store_n(bucket, m, __ATOMIC_RELEASE);
	atomic_fetch_or(&m->mountpoint->flags, DENTRY_MOUNTED);
}

static void enter_ns(struct mount *m, struct mount_ns *ns)
{
	m->ns = ns;
	list_add_tail(&ns->mounts, &m->ns_node);
	ns->count++;
}

static void leave_ns(struct mount *m)
{
	list_remove(&m->ns_node);
	m->ns->count--;
	m->ns = NULL;
}

static void publish_one(struct mount *m, struct mount_ns *ns)
{
	enter_ns(m, ns);
	if (m->parent != m)
		hash_insert(m);
}

struct mount *mount_next_in_tree(struct mount *m, struct mount *top)
{
	if (!list_is_empty(&m->children))
		return list_first(&m->children, struct mount, child);
	while (m != top) {
		struct mount *parent = m->parent;

		if (m->child.next != &parent->children)
			return list_entry(m->child.next, struct mount, child);
		m = parent;
	}
	return NULL;
}

static void announce(void)
{
	atomic_fetch_add(&events, 1);
	waitq_wake_all(&event_wait, 0);
}

void mount_publish(struct mount *top)
{
	mount_change_begin();
	for (struct mount *m = top; m != NULL; m = mount_next_in_tree(m, top))
		publish_one(m, &mount_init_ns);
	mount_change_end();
	announce();
}

void mount_publish_loose(struct mount *top)
{
	mount_change_begin();
	for (struct mount *m = top; m != NULL; m = mount_next_in_tree(m, top))
		publish_one(m, &mount_loose_ns);
	mount_change_end();
}

void mount_adopt(struct mount *top)
{
	for (struct mount *m = top; m != NULL; m = mount_next_in_tree(m, top)) {
		leave_ns(m);
		enter_ns(m, &mount_init_ns);
	}
}

/* DENTRY_MOUNTED says that some mount is there: it goes with the last one. */
static void unmark_mountpoint(struct dentry *d)
{
	struct mount *m;

	list_for_each (m, &mount_init_ns.mounts, ns_node)
		if (m->parent != m && m->mountpoint == d)
			return;
	list_for_each (m, &mount_loose_ns.mounts, ns_node)
		if (m->parent != m && m->mountpoint == d)
			return;
	atomic_fetch_and(&d->flags, ~(uint32_t)DENTRY_MOUNTED);
}

/* Out of the hash and of its parent's children. The references to parent and mount point are left
 * to the caller. */
static void unlink_from_parent(struct mount *m)
{
	struct mount **link = bucket_of(m->parent, m->mountpoint);

	while (*link != NULL && *link != m)
		link = &(*link)->hash_next;
	if (*link != NULL)
		__atomic_store_n(link, m->hash_next, __ATOMIC_RELEASE);
	list_remove(&m->child);
	__atomic_store_n(&m->parent, m, __ATOMIC_RELEASE);
}

void mount_relocate(struct mount *m, struct mount *parent, struct dentry *mountpoint)
{
	struct mount *old_parent = m->parent;
	struct dentry *old_place = m->mountpoint;

	mount_change_begin();
	if (old_parent != m)
		unlink_from_parent(m);
	mount_link(m, parent, mountpoint);
	hash_insert(m);
	mount_change_end();
	if (old_parent != m) {
		unmark_mountpoint(old_place);
		dentry_put(old_place);
		mount_put(old_parent);
	}
	announce();
}

void mount_hide(struct mount *m)
{
	struct mount *parent = m->parent;
	struct dentry *mountpoint = m->mountpoint;

	mount_change_begin();
	if (parent != m)
		unlink_from_parent(m);
	if (m->ns != NULL)
		leave_ns(m);
	mount_change_end();
	if (parent != m) {
		unmark_mountpoint(mountpoint);
		dentry_put(mountpoint);
		mount_put(parent);
	}
	announce();
}

void mount_detach(struct mount *m, struct list *gone)
{
	mount_hide(m);
	mount_leave_group(m, false);
	m->detached = true;
	list_add_tail(gone, &m->ns_node);
}

void mounts_drop(struct list *gone)
{
	while (!list_is_empty(gone)) {
		struct mount *m = list_first(gone, struct mount, ns_node);

		list_remove(&m->ns_node);
		mount_put(m);
	}
}

void mount_free_tree(struct mount *top)
{
	struct mount *m;

	do {
		m = top;
		while (!list_is_empty(&m->children))
			m = list_first(&m->children, struct mount, child);
		mount_hide(m);
		mount_leave_group(m, false);
		mount_put(m);
	} while (m != top);
}

int mount_init_root(const struct fs_type *t, struct path *out)
{
	struct superblock *sb;
	struct mount *m;
	int err = t->mount(t, t->name, 0, NULL, &sb);

	if (err)
		return err;
	m = mount_alloc(sb, sb->root, MS_RELATIME, t->name);
	superblock_put(sb);
	if (m == NULL)
		return -ENOMEM;
	mutex_lock(&mount_lock);
	mount_init_ns.root = m;
	mount_publish(m);
	mutex_unlock(&mount_lock);
	mount_root_path = (struct path){ m, m->root };
	path_get(&mount_root_path);
	*out = mount_root_path;
	path_get(out);
	return 0;
}

int mount_kernel(const struct fs_type *t, struct mount **out)
{
	struct superblock *sb;
	struct mount *m;
	int err = t->mount(t, t->name, MS_KERNMOUNT, NULL, &sb);

	if (err)
		return err;
	m = mount_alloc(sb, sb->root, 0, t->name);
	superblock_put(sb);
	if (m == NULL)
		return -ENOMEM;
	*out = m;
	return 0;
}
