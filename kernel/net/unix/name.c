/*
 * Names of AF_UNIX sockets. One hash table holds all that can be connected to: abstract names by
 * their bytes and type, path names by the inode that bind(2) made; so a renamed socket file is
 * still found, and an unlinked one cannot be. The table borrows the socket, which leaves it when it
 * is released, before its last reference goes.
 *
 * A name is shared by the listener and the sockets accepted from it; the path stays counted until
 * the last of them is closed.
 *
 * Sources: unix(7), bind(2).
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "core/random.h"
#include "lib/fmt.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "net/unix/unix.h"
#include "net/unix/unix_priv.h"
#include "pmm/slab.h"
#include "vfs/cred.h"
#include "vfs/namei.h"
#include "vfs/walk.h"

enum {
	BUCKETS_MIN = 64,
	BUCKETS_MAX = 1 << 19,
	FAMILY_BYTES = 2,
	AUTOBIND_NAMES = 1 << 20,
	PIECE = 64
};

static struct spinlock names_lock = SPINLOCK(UNIXNAMES);
static struct unix_addr *first_buckets[BUCKETS_MIN];
static struct unix_addr **bucket = first_buckets; /* names_lock */
static uint32_t nbuckets = BUCKETS_MIN, nnames;   /* names_lock; a power of two */
static struct list all_sockets = LIST_INIT(all_sockets);
static uint64_t seed;

void unix_names_init(void)
{
	random_bytes(&seed, sizeof(seed));
}

void unix_list_add(struct unix_sock *u)
{
	static uint64_t last; /* names_lock */

	spin_lock(&names_lock);
	u->all.number = ++last;
	list_add_tail(&all_sockets, &u->all.node);
	spin_unlock(&names_lock);
}

void unix_list_remove(struct unix_sock *u)
{
	spin_lock(&names_lock);
	list_remove(&u->all.node);
	spin_unlock(&names_lock);
}

bool unix_list_walk(uint64_t *from, bool (*fn)(struct unix_sock *u, void *ctx), void *ctx)
{
	struct unix_all *all;
	bool stopped = false;

	spin_lock(&names_lock);
	list_for_each (all, &all_sockets, node) {
		if (all->is_mark || all->number < *from)
			continue;
		*from = all->number;
		if ((stopped = !fn(container_of(all, struct unix_sock, all), ctx)))
			break;
		*from = all->number + 1;
	}
	spin_unlock(&names_lock);
	return stopped;
}

/* --- addresses --- */

static uint32_t hash_abstract(const struct abi_sockaddr_un *name, uint32_t len, int type)
{
	return (uint32_t)hash_bytes(seed + (uint64_t)type, name, len);
}

static uint32_t hash_inode(const struct inode *i)
{
	return (uint32_t)hash_u64((uintptr_t)i);
}

/* A path is a string, whatever follows it; its length then counts the NUL. */
static uint32_t effective_len(const struct abi_sockaddr_un *name, uint32_t len)
{
	uint32_t max = len - FAMILY_BYTES, n = 0;

	if (name->sun_path[0] == '\0')
		return len;
	while (n < max && name->sun_path[n] != '\0')
		n++;
	return FAMILY_BYTES + n + 1;
}

int unix_check_addr(const void *addr, uint32_t len)
{
	const struct abi_sockaddr_un *name = addr;

	if (len <= FAMILY_BYTES || len > sizeof(*name) || name->sun_family != AF_UNIX)
		return -EINVAL;
	return 0;
}

/* A terminated copy of a path name, which may fill sun_path to its end. */
struct terminated {
	char text[UNIX_PATH_MAX + 1];
};

static void terminate(const struct abi_sockaddr_un *name, uint32_t len, struct terminated *out)
{
	memcpy(out->text, name->sun_path, len - FAMILY_BYTES);
	out->text[len - FAMILY_BYTES] = '\0';
}

void unix_addr_get(struct unix_addr *a)
{
	ref_get(&a->ref);
	atomic_fetch_add(&a->nusers, 1);
}

void unix_addr_put(struct unix_addr *a)
{
	if (ref_put(&a->ref))
		kfree(a);
}

static void leave(struct unix_addr *a)
{
	if (atomic_fetch_sub(&a->nusers, 1) == 1 && a->path.dentry != NULL)
		path_put(&a->path);
}

static struct unix_addr **chain_of(uint32_t hash)
{
	return &bucket[hash & (nbuckets - 1)];
}

static void insert_locked(struct unix_addr *a)
{
	struct unix_addr **chain = chain_of(a->hash);

	a->next = *chain;
	*chain = a;
	nnames++;
}

static void move_names_locked(struct unix_addr **to, uint32_t n)
{
	struct unix_addr **from = bucket, *a;
	uint32_t nfrom = nbuckets;

	bucket = to;
	nbuckets = n;
	nnames = 0;
	for (uint32_t i = 0; i < nfrom; i++)
		while ((a = from[i]) != NULL) {
			from[i] = a->next;
			insert_locked(a);
		}
}

/* Four times as many chains, once they are two names long; without memory they stay long. */
static void grow_table(void)
{
	uint32_t n = nbuckets * 4;
	struct unix_addr **more, **old = NULL;

	if (LIKELY(nnames < nbuckets * 2) || n > BUCKETS_MAX ||
	    (more = kcalloc(n, sizeof(*more))) == NULL)
		return;
	spin_lock(&names_lock);
	if (nbuckets < n) {
		old = bucket;
		move_names_locked(more, n);
	}
	spin_unlock(&names_lock);
	if (old == NULL)
		kfree(more);
	else if (old != first_buckets)
		kfree(old);
}

static struct unix_addr *addr_create(struct unix_sock *u, const void *name, uint32_t len)
{
	struct unix_addr *a = kzalloc(sizeof(*a));

	if (a == NULL)
		return NULL;
	grow_table();
	ref_init(&a->ref);
	atomic_init(&a->nusers, 1);
	a->owner = u;
	a->len = len;
	memcpy(&a->name, name, MIN(len, (uint32_t)sizeof(a->name)));
	return a;
}

void unix_unname(struct unix_sock *u)
{
	struct unix_addr *a = unix_name(u), **at;

	if (a == NULL)
		return;
	if (a->owner == u) {
		spin_lock(&names_lock);
		for (at = chain_of(a->hash); *at != a; at = &(*at)->next)
			;
		*at = a->next;
		a->owner = NULL;
		nnames--;
		spin_unlock(&names_lock);
	}
	leave(a);
}

uint32_t unix_put_name(struct unix_sock *u, void *out)
{
	struct unix_addr *a = unix_name(u);

	if (a == NULL) {
		((struct abi_sockaddr_un *)out)->sun_family = AF_UNIX;
		return FAMILY_BYTES;
	}
	memcpy(out, &a->name, MIN(a->len, (uint32_t)sizeof(a->name)));
	if (a->len > sizeof(a->name)) /* a path to the last byte, and its NUL */
		((char *)out)[a->len - 1] = '\0';
	return a->len;
}

int unix_getname(struct socket *s, void *addr, enum socket_name which)
{
	struct unix_sock *u = unix_of(s), *p;
	uint32_t n;

	if (which == SOCKET_OWN)
		return (int)unix_put_name(u, addr);
	spin_lock(&u->lock);
	p = unix_peer(u);
	if (p != NULL)
		unix_get(p);
	spin_unlock(&u->lock);
	if (p == NULL)
		return -ENOTCONN;
	n = unix_put_name(p, addr);
	unix_put(p);
	return (int)n;
}

/* --- looking up --- */

static struct unix_sock *find_abstract_locked(const struct abi_sockaddr_un *name, uint32_t len,
					      int type, uint32_t hash)
{
	for (struct unix_addr *a = *chain_of(hash); a != NULL; a = a->next)
		if (a->hash == hash && a->inode == NULL && a->len == len &&
		    a->owner->s.type == type && memcmp(&a->name, name, len) == 0)
			return a->owner;
	return NULL;
}

static struct unix_sock *find_inode_locked(const struct inode *i)
{
	uint32_t hash = hash_inode(i);

	for (struct unix_addr *a = *chain_of(hash); a != NULL; a = a->next)
		if (a->inode == i)
			return a->owner;
	return NULL;
}

static int lookup_path(const struct abi_sockaddr_un *name, uint32_t len, struct unix_sock **out)
{
	struct unix_sock *u;
	struct terminated t;
	struct inode *i;
	struct path p;
	int err;

	terminate(name, len, &t);
	if ((err = walk_path(AT_FDCWD, t.text, WALK_FOLLOW, &p)))
		return err;
	i = dentry_inode(p.dentry);
	err = vfs_permission(&p, current_cred(), PERM_WRITE);
	if (!err && !S_ISSOCK(i->mode))
		err = -ECONNREFUSED;
	if (!err) {
		spin_lock(&names_lock);
		u = find_inode_locked(i);
		if (u != NULL)
			unix_get(u);
		else
			err = -ECONNREFUSED;
		spin_unlock(&names_lock);
	}
	path_put(&p);
	if (!err)
		*out = u;
	return err;
}

int unix_lookup(const struct abi_sockaddr_un *name, uint32_t len, int type, struct unix_sock **out)
{
	struct unix_sock *u;
	int err;

	if (name->sun_path[0] != '\0') {
		if ((err = lookup_path(name, len, &u)))
			return err;
		if (u->s.type != type) {
			unix_put(u);
			return -EPROTOTYPE;
		}
		*out = u;
		return 0;
	}
	spin_lock(&names_lock);
	u = find_abstract_locked(name, len, type, hash_abstract(name, len, type));
	if (u != NULL)
		unix_get(u);
	spin_unlock(&names_lock);
	if (u == NULL)
		return -ECONNREFUSED;
	*out = u;
	return 0;
}

/* --- binding --- */

/* One bind at a time: -EINVAL when u has a name, or is getting one. */
static int begin_binding(struct unix_sock *u)
{
	int err = 0;

	spin_lock(&u->lock);
	if (u->binding)
		err = -EINVAL;
	u->binding = true;
	spin_unlock(&u->lock);
	return err;
}

static void give_up_binding(struct unix_sock *u)
{
	spin_lock(&u->lock);
	u->binding = false;
	spin_unlock(&u->lock);
}

/* Publishes a; the name is not taken. */
static void publish_locked(struct unix_sock *u, struct unix_addr *a)
{
	insert_locked(a);
	atomic_store_explicit(&u->addr, a, memory_order_release);
}

static int bind_path(struct unix_sock *u, struct unix_addr *a)
{
	struct terminated t;
	int err;

	terminate(&a->name, a->len - 1, &t);
	err = vfs_mknod_inode(AT_FDCWD, t.text, S_IFSOCK | (u->s.inode.mode & 0777), 0, &a->path);
	if (err)
		return err == -EEXIST ? -EADDRINUSE : err;
	a->inode = dentry_inode(a->path.dentry);
	a->hash = hash_inode(a->inode);
	spin_lock(&names_lock);
	publish_locked(u, a);
	spin_unlock(&names_lock);
	return 0;
}

static int bind_abstract(struct unix_sock *u, struct unix_addr *a)
{
	int err = 0;

	a->hash = hash_abstract(&a->name, a->len, u->s.type);
	spin_lock(&names_lock);
	if (find_abstract_locked(&a->name, a->len, u->s.type, a->hash) != NULL)
		err = -EADDRINUSE;
	else
		publish_locked(u, a);
	spin_unlock(&names_lock);
	return err;
}

/* Five hexadecimal digits: unix(7). */
static int bind_any(struct unix_sock *u, struct unix_addr *a)
{
	uint32_t n;
	char digits[8];

	random_bytes(&n, sizeof(n));
	for (unsigned i = 0; i < AUTOBIND_NAMES; i++) {
		fmt(digits, sizeof(digits), "%05x", (n + i) % AUTOBIND_NAMES);
		memcpy(a->name.sun_path + 1, digits, 5);
		if (bind_abstract(u, a) == 0)
			return 0;
	}
	return -ENOSPC;
}

int unix_autobind(struct unix_sock *u)
{
	struct abi_sockaddr_un name = { .sun_family = AF_UNIX };
	struct unix_addr *a;
	int err;

	if (unix_name(u) != NULL || begin_binding(u))
		return 0;
	a = addr_create(u, &name, FAMILY_BYTES + 6);
	err = a == NULL ? -ENOMEM : bind_any(u, a);
	if (err) {
		kfree(a);
		give_up_binding(u);
	}
	return err;
}

int unix_bind(struct socket *s, const void *addr, uint32_t len)
{
	const struct abi_sockaddr_un *name = addr;
	struct unix_sock *u = unix_of(s);
	struct unix_addr *a;
	int err;

	if (len == FAMILY_BYTES && name->sun_family == AF_UNIX)
		return unix_autobind(u);
	if ((err = unix_check_addr(addr, len)) || (err = begin_binding(u)))
		return err;
	a = addr_create(u, name, effective_len(name, len));
	if (a == NULL)
		err = -ENOMEM;
	else
		err = name->sun_path[0] ? bind_path(u, a) : bind_abstract(u, a);
	if (err) {
		kfree(a);
		give_up_binding(u);
	}
	return err;
}

/* --- /proc/net/unix --- */

static void format_name(struct textbuf *t, const struct unix_addr *a)
{
	uint32_t n = a->len - FAMILY_BYTES;
	bool abstract = a->name.sun_path[0] == '\0';

	text_c(t, ' ');
	if (abstract)
		text_c(t, '@');
	for (uint32_t i = abstract; i < (abstract ? n : n - 1); i++)
		text_c(t, a->name.sun_path[i] ? a->name.sun_path[i] : '@');
}

static void format_one(struct textbuf *t, struct unix_sock *u)
{
	bool listening = u->state == UNIX_LISTENING;
	unsigned state; /* enum socket_state of proc(5): unconnected, connected, … */

	if (u->state == UNIX_CONNECTED || unix_peer(u) != NULL)
		state = 3;
	else
		state = 1;
	text_f(t, "%016lx: %08x 00000000 %08x %04x %02x %5lu", (unsigned long)0,
	       ref_count(&u->s.inode.ref), listening ? 0x10000u : 0, (unsigned)u->s.type, state,
	       (unsigned long)u->s.inode.ino);
	if (unix_name(u) != NULL)
		format_name(t, unix_name(u));
	text_c(t, '\n');
}

/* In pieces, between which others get at the names: a mark keeps the place. What is under
 * names_lock is not released, so its name stays. */
void unix_format(struct textbuf *t)
{
	struct unix_all mark = { .is_mark = true };
	struct list *n;
	unsigned i = 0;

	text_f(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	spin_lock(&names_lock);
	for (n = all_sockets.next; n != &all_sockets; n = n->next) {
		struct unix_all *all = list_entry(n, struct unix_all, node);

		if (!all->is_mark)
			format_one(t, container_of(all, struct unix_sock, all));
		if (++i % PIECE != 0)
			continue;
		list_insert_between(&mark.node, n, n->next);
		spin_unlock(&names_lock);
		thread_resched_point();
		spin_lock(&names_lock);
		n = mark.node.prev;
		list_remove(&mark.node);
	}
	spin_unlock(&names_lock);
}
