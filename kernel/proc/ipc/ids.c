#include "proc/ipc/ids.h"

/*
 * Tables of identifiers. A table doubles when its indices run out; readers of the old one finish
 * under their epoch. Indices are given out in a circle (of at least 64), and each time it is begun
 * anew the sequence number grows: an identifier comes back late. Keys are in a tree.
 *
 * Source: svipc(7), shmget(2), semget(2), msgget(2), and which identifiers Linux gives.
 */

#include "abi/errno.h"
#include "abi/sysvipc.h"
#include "core/clock.h"
#include "lib/bitmap.h"
#include "pmm/slab.h"
#include "proc/task.h"
#include "vfs/cred.h"

enum { TABLE_MIN = 64, SEQ_MAX = INT32_MAX >> IPC_INDEX_BITS };

struct ipc_table {
	struct epoch_head epoch;
	uint32_t size;
	_Atomic(struct ipc *) slot[];
};

static uint32_t index_of(int id)
{
	return (uint32_t)id & (IPC_MNI_MAX - 1);
}

int64_t ipc_now(void)
{
	return clock_real() / NSEC_PER_SEC;
}

uint32_t ipc_pid(void)
{
	return curtask() != NULL ? curproc()->pid->nr : 0;
}

/* --- lookup --- */

/* Under an epoch. */
static struct ipc *slot_find(struct ipc_ids *ids, uint32_t index)
{
	struct ipc_table *t = atomic_load_explicit(&ids->table, memory_order_acquire);

	if (t == NULL || index >= t->size)
		return NULL;
	return atomic_load_explicit(&t->slot[index], memory_order_acquire);
}

int ipc_lookup_index(struct ipc_ids *ids, int id, struct ipc **out)
{
	struct ipc *p;
	bool got;

	if (id < 0)
		return -EINVAL;
	epoch_enter();
	p = slot_find(ids, index_of(id));
	got = p != NULL && ref_tryget(&p->ref);
	epoch_exit();
	if (!got)
		return -EINVAL;
	*out = p;
	return 0;
}

int ipc_lookup(struct ipc_ids *ids, int id, struct ipc **out)
{
	struct ipc *p;
	int err = ipc_lookup_index(ids, id, &p);

	if (err)
		return err;
	if (p->id != id) {
		ipc_put(p);
		return -EINVAL;
	}
	*out = p;
	return 0;
}

struct ipc *ipc_next(struct ipc_ids *ids, uint32_t *index)
{
	struct ipc *p = NULL;

	epoch_enter();
	for (; p == NULL && *index < IPC_MNI_MAX; (*index)++) {
		p = slot_find(ids, *index);
		if (p != NULL && !ref_tryget(&p->ref))
			p = NULL;
	}
	epoch_exit();
	return p;
}

static void free_object(struct epoch_head *h)
{
	kfree(container_of(h, struct ipc, epoch));
}

void ipc_put(struct ipc *p)
{
	if (!ref_put(&p->ref))
		return;
	p->ids->fini(p);
	epoch_free(&p->epoch, free_object);
}

/* --- the table --- */

static void free_table(struct epoch_head *h)
{
	kfree(container_of(h, struct ipc_table, epoch));
}

/* Room for `index` in the table. */
static int reserve_slot(struct ipc_ids *ids, uint32_t index)
{
	struct ipc_table *old = atomic_load_explicit(&ids->table, memory_order_relaxed), *new;
	uint32_t size = old != NULL ? old->size : TABLE_MIN;

	if (old != NULL && index < size)
		return 0;
	while (size <= index)
		size *= 2;
	new = kzalloc(sizeof(*new) + size * sizeof(new->slot[0]));
	if (new == NULL)
		return -ENOMEM;
	new->size = size;
	for (uint32_t i = 0; old != NULL && i < old->size; i++)
		atomic_init(&new->slot[i],
			    atomic_load_explicit(&old->slot[i], memory_order_relaxed));
	atomic_store_explicit(&ids->table, new, memory_order_release);
	if (old != NULL)
		epoch_free(&old->epoch, free_table);
	return 0;
}

static void set_slot(struct ipc_ids *ids, uint32_t index, struct ipc *p)
{
	struct ipc_table *t = atomic_load_explicit(&ids->table, memory_order_relaxed);

	atomic_store_explicit(&t->slot[index], p, memory_order_release);
}

/* The next free index of the circle, or from the wanted one on; IPC_MNI_MAX: there is none. */
static uint32_t choose_index(const struct ipc_ids *ids)
{
	uint32_t circle = MIN(MAX(ids->in_use * 3 / 2, (uint32_t)TABLE_MIN), (uint32_t)IPC_MNI_MAX);
	size_t i;

	if (ids->next_id >= 0)
		return (uint32_t)bitmap_find_clear(ids->used, IPC_MNI_MAX, index_of(ids->next_id));
	i = ids->next_index < circle ? bitmap_find_clear(ids->used, circle, ids->next_index)
				     : circle;
	if (i == circle && (i = bitmap_find_clear(ids->used, circle, 0)) == circle)
		return IPC_MNI_MAX;
	return (uint32_t)i;
}

/* Gives p the index, and the sequence number that makes an identifier of it. */
static void name_object(struct ipc_ids *ids, struct ipc *p, uint32_t index)
{
	uint32_t seq = ids->seq;

	if (ids->next_id >= 0) {
		seq = (uint32_t)ids->next_id >> IPC_INDEX_BITS;
		ids->next_id = -1;
	} else {
		/* The first index of all is above none: last_index begins beyond the end. */
		if (ids->last_index < IPC_MNI_MAX && index <= ids->last_index)
			seq = seq == SEQ_MAX ? 0 : seq + 1;
		ids->seq = seq;
		ids->last_index = index;
		ids->next_index = index + 1;
	}
	p->id = (int)(seq << IPC_INDEX_BITS | index);
}

/* --- keys --- */

static struct ipc *key_find(struct ipc_ids *ids, int key, struct rbnode **parent,
			    struct rbnode ***link)
{
	*link = &ids->keys.root;
	*parent = NULL;
	while (**link != NULL) {
		struct ipc *p = rb_entry(**link, struct ipc, key_node);

		if (p->key == key)
			return p;
		*parent = **link;
		*link = key < p->key ? &(*parent)->left : &(*parent)->right;
	}
	return NULL;
}

void ipc_forget_key_locked(struct ipc *p)
{
	if (p->key != IPC_PRIVATE)
		rb_remove(&p->ids->keys, &p->key_node);
	p->key = IPC_PRIVATE;
}

/* --- creation and removal --- */

static int add_locked(struct ipc_ids *ids, const struct ipc_request *r, struct rbnode *parent,
		      struct rbnode **link)
{
	const struct cred *c = current_cred();
	uint32_t index;
	struct ipc *p;
	int err;

	if ((err = ids->create(r, &p)))
		return err;
	ref_init(&p->ref);
	spin_init(&p->lock, RANK_SYSVOBJ);
	p->ids = ids;
	p->key = r->key;
	p->mode |= (uint32_t)r->flags & 0777;
	p->uid = p->cuid = c->euid;
	p->gid = p->cgid = c->egid;
	index = ids->in_use < (uint32_t)ids->limit ? choose_index(ids) : IPC_MNI_MAX;
	err = index == IPC_MNI_MAX ? -ENOSPC : reserve_slot(ids, index);
	if (err) {
		ipc_put(p);
		return err;
	}
	name_object(ids, p, index);
	bitmap_set(ids->used, index);
	ids->in_use++;
	if (p->key != IPC_PRIVATE)
		rb_insert(&ids->keys, &p->key_node, parent, link);
	set_slot(ids, index, p);
	return p->id;
}

static int check_found(const struct ipc_ids *ids, const struct ipc *p, const struct ipc_request *r)
{
	int err;

	if ((r->flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		return -EEXIST;
	if (ids->fits != NULL && !ids->fits(p, r))
		return -EINVAL;
	err = ipc_access(p, (unsigned)r->flags & 0777);
	return err ? err : p->id;
}

int ipc_get(struct ipc_ids *ids, const struct ipc_request *r)
{
	struct rbnode *parent = NULL, **link = NULL;
	struct ipc *p = NULL;
	int res;

	mutex_lock(&ids->lock);
	if (r->key != IPC_PRIVATE)
		p = key_find(ids, r->key, &parent, &link);
	if (p != NULL)
		res = check_found(ids, p, r);
	else if (r->key != IPC_PRIVATE && !(r->flags & IPC_CREAT))
		res = -ENOENT;
	else
		res = add_locked(ids, r, parent, link);
	mutex_unlock(&ids->lock);
	return res;
}

void ipc_remove_locked(struct ipc *p)
{
	struct ipc_ids *ids = p->ids;
	uint32_t index = index_of(p->id);

	ipc_forget_key_locked(p);
	bitmap_clear(ids->used, index);
	ids->in_use--;
	set_slot(ids, index, NULL);
	p->removed = true;
}

int ipc_highest(struct ipc_ids *ids)
{
	int word = ARRAY_SIZE(ids->used) - 1, highest = 0;

	mutex_lock(&ids->lock);
	while (word > 0 && ids->used[word] == 0)
		word--;
	if (ids->used[word] != 0)
		highest = word * 64 + 63 - __builtin_clzll(ids->used[word]);
	mutex_unlock(&ids->lock);
	return highest;
}

/* --- permissions --- */

bool ipc_is_owner(const struct ipc *p)
{
	uint32_t euid = current_cred()->euid;

	return p->uid == euid || p->cuid == euid;
}

int ipc_access(const struct ipc *p, unsigned bits)
{
	const struct cred *c = current_cred();
	unsigned want = (bits >> 6 | bits >> 3 | bits) & 7, granted = p->mode;

	if (ipc_is_owner(p))
		granted >>= 6;
	else if (cred_in_group(c, p->cgid) || cred_in_group(c, p->gid))
		granted >>= 3;
	return (want & ~granted) && !cred_has_cap(c, CAP_IPC_OWNER) ? -EACCES : 0;
}

int ipc_may_control(const struct ipc *p)
{
	return ipc_is_owner(p) || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

void ipc_export(const struct ipc *p, struct abi_ipc64_perm *out)
{
	*out = (struct abi_ipc64_perm){
		.key = p->key,
		.uid = p->uid,
		.gid = p->gid,
		.cuid = p->cuid,
		.cgid = p->cgid,
		.mode = p->mode,
		.seq = (uint16_t)((uint32_t)p->id >> IPC_INDEX_BITS),
	};
}

int ipc_import(struct ipc *p, const struct abi_ipc64_perm *in)
{
	if (in->uid == UINT32_MAX || in->gid == UINT32_MAX)
		return -EINVAL;
	p->uid = in->uid;
	p->gid = in->gid;
	p->mode = (p->mode & ~0777u) | (in->mode & 0777);
	return 0;
}

int ipc_stat(struct ipc_ids *ids, int id, enum ipc_how how,
	     void (*export)(struct ipc *p, void *out), void *out)
{
	struct ipc *p;
	int err = how == IPC_BY_ID ? ipc_lookup(ids, id, &p) : ipc_lookup_index(ids, id, &p);

	if (err)
		return err;
	spin_lock(&p->lock);
	if (how != IPC_BY_INDEX_ANY)
		err = ipc_access(p, IPC_R);
	if (err == 0 && p->removed)
		err = -EIDRM;
	export(p, out);
	spin_unlock(&p->lock);
	if (err == 0 && how != IPC_BY_ID)
		err = p->id;
	ipc_put(p);
	return err;
}
