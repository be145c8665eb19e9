#include "proc/ipc/shm.h"

/*
 * A segment is a vmobject inside an ipc object: its VMAs hold the object's references, so memory
 * goes with the last of table, lookups and VMAs. It is removed (leaves the table) when it is marked
 * for it and the last attachment ends, or at once when there is none; after that it can neither be
 * found nor attached.
 *
 * nattch counts VMAs. vm tells of each that comes (under the space's lock, so only the spinlock is
 * taken) and of each that has gone (without locks, so the segment can be removed there).
 *
 * Locked segments (SHM_LOCK) are only accounted: memory without backing never leaves.
 */

#include <arch/page.h>

#include "abi/errno.h"
#include "abi/mman.h"
#include "lib/fmt.h"
#include "pmm/slab.h"
#include "proc/proc_priv.h"
#include "vfs/cred.h"
#include "vm/vmobject.h"
#include "vm/vmspace.h"

struct shm {
	struct ipc ipc;
	struct vmobject object;
	uint64_t size;       /* bytes; immutable, as the next four */
	uint64_t promised;   /* pages */
	char name[16];       /* "/SYSV" and the key it was made with */
	struct pid *creator; /* counted: the task */
	uint32_t cpid;       /* a process, as the next one */
	uint32_t lpid;       /* ipc.lock, as the rest */
	uint64_t nattch;
	int64_t atime, dtime, ctime;
	struct user_account *locked_by; /* NULL: not locked */
};

enum { SHMMNI = 4096 };
/* As large as Linux has them: no limit, but sums do not overflow. */
uint64_t shm_max = UINT64_MAX - (1 << 24), shm_all = UINT64_MAX - (1 << 24);
int shm_rmid_forced;
static _Atomic uint64_t shm_pages; /* of all segments */

static struct shm *shm_of(struct ipc *p)
{
	return container_of(p, struct shm, ipc);
}

static struct shm *shm_of_object(struct vmobject *o)
{
	return container_of(o, struct shm, object);
}

static uint64_t pages_of(const struct shm *s)
{
	return page_round_up(s->size) >> PAGE_SHIFT;
}

/* --- removal --- */

static void unlock_locked(struct shm *s)
{
	if (s->locked_by != NULL)
		atomic_fetch_sub_explicit(&s->locked_by->shm_locked, pages_of(s),
					  memory_order_relaxed);
	s->locked_by = NULL;
	s->ipc.mode &= ~(uint32_t)SHM_LOCKED;
}

static void shm_fini(struct ipc *p)
{
	struct shm *s = shm_of(p);

	vmobject_fini(&s->object);
	vm_uncommit(s->promised);
	atomic_fetch_sub_explicit(&shm_pages, pages_of(s), memory_order_relaxed);
	pid_put(s->creator);
}

static bool is_due(const struct shm *s)
{
	return s->nattch == 0 && !s->ipc.removed && (shm_rmid_forced || (s->ipc.mode & SHM_DEST));
}

/* Removes s, whose use the caller has a reference for, when that is due. */
static void remove_if_due(struct shm *s)
{
	bool due;

	mutex_lock(&s->ipc.ids->lock);
	spin_lock(&s->ipc.lock);
	due = is_due(s);
	if (due) {
		unlock_locked(s);
		ipc_remove_locked(&s->ipc);
	}
	spin_unlock(&s->ipc.lock);
	mutex_unlock(&s->ipc.ids->lock);
	if (due)
		ipc_put(&s->ipc);
}

/* --- the object --- */

static void object_get(struct vmobject *o)
{
	ref_get(&shm_of_object(o)->ipc.ref);
}

static void object_put(struct vmobject *o)
{
	ipc_put(&shm_of_object(o)->ipc);
}

static uint64_t object_size(struct vmobject *o)
{
	return shm_of_object(o)->size;
}

static void object_attached(struct vmobject *o)
{
	struct shm *s = shm_of_object(o);

	spin_lock(&s->ipc.lock);
	s->nattch++;
	s->atime = ipc_now();
	s->lpid = ipc_pid();
	spin_unlock(&s->ipc.lock);
}

static void object_detached(struct vmobject *o)
{
	struct shm *s = shm_of_object(o);
	uint32_t pid = ipc_pid();
	bool due;

	spin_lock(&s->ipc.lock);
	s->nattch--;
	s->dtime = ipc_now();
	s->lpid = pid ? pid : s->lpid;
	due = is_due(s);
	spin_unlock(&s->ipc.lock);
	if (due)
		remove_if_due(s);
}

static uint64_t object_describe(struct vmobject *o, char *name, size_t size)
{
	struct shm *s = shm_of_object(o);

	fmt(name, size, "%s (deleted)", s->name);
	return (uint64_t)s->ipc.id;
}

static int object_charge(struct vmobject *o, uint64_t pages)
{
	(void)o;
	return vm_commit(pages);
}

static void object_uncharge(struct vmobject *o, uint64_t pages)
{
	(void)o;
	vm_uncommit(pages);
}

#define OBJECT_OPS                                                                              \
	.size = object_size, .get = object_get, .put = object_put, .attached = object_attached, \
	.detached = object_detached, .describe = object_describe

static const struct vmobject_ops shm_ops = { OBJECT_OPS };
/* SHM_NORESERVE: pages are promised as they come to be. */
static const struct vmobject_ops shm_unreserved_ops = { OBJECT_OPS, .charge = object_charge,
							.uncharge = object_uncharge };

/* --- shmget --- */

static int check_size(uint64_t size)
{
	uint64_t pages = page_round_up(size) >> PAGE_SHIFT, total, used;

	if (size < SHMMIN || size > shm_max)
		return -EINVAL;
	if (page_round_up(size) < size)
		return -ENOSPC;
	used = atomic_load_explicit(&shm_pages, memory_order_relaxed);
	if (__builtin_add_overflow(used, pages, &total) || total > shm_all)
		return -ENOSPC;
	return size > INT64_MAX ? -EINVAL : 0;
}

/* There are no pages of 2 MiB or 1 GiB to be had; CAP_IPC_LOCK or, as vm.hugetlb_shm_group has it,
 * group 0 may ask for them. */
static int refuse_huge(const struct ipc_request *r)
{
	unsigned shift = (unsigned)r->flags >> SHM_HUGE_SHIFT & SHM_HUGE_MASK;

	if (shift != 0 && shift != 21 && shift != 30)
		return -EINVAL;
	return capable(CAP_IPC_LOCK) || cred_in_group(current_cred(), 0) ? -ENOMEM : -EPERM;
}

static int shm_create(const struct ipc_request *r, struct ipc **out)
{
	bool reserve = !(r->flags & SHM_NORESERVE) || vm_overcommit_mode == 2;
	struct shm *s;
	int err;

	if ((err = check_size(r->size)))
		return err;
	if (r->flags & SHM_HUGETLB)
		return refuse_huge(r);
	if ((s = kzalloc(sizeof(*s))) == NULL)
		return -ENOMEM;
	s->size = r->size;
	s->promised = reserve ? pages_of(s) : 0;
	if ((err = vm_commit(s->promised))) {
		kfree(s);
		return err;
	}
	vmobject_init(&s->object, reserve ? &shm_ops : &shm_unreserved_ops);
	fmt(s->name, sizeof(s->name), "/SYSV%08x", (unsigned)r->key);
	s->creator = curtask()->pid;
	pid_get(s->creator);
	s->cpid = ipc_pid();
	s->ctime = ipc_now();
	atomic_fetch_add_explicit(&shm_pages, pages_of(s), memory_order_relaxed);
	*out = &s->ipc;
	return 0;
}

static bool shm_fits(const struct ipc *p, const struct ipc_request *r)
{
	return r->size <= container_of(p, const struct shm, ipc)->size;
}

struct ipc_ids shm_ids = IPC_IDS(shm_ids, SHMMNI, shm_create, shm_fits, shm_fini);

int shm_get(int key, uint64_t size, int flags)
{
	struct ipc_request r = { .key = key, .flags = flags, .size = size };

	return ipc_get(&shm_ids, &r);
}

/* --- shmat and shmdt --- */

static int check_address(uint64_t *addr, int flags, bool *fixed)
{
	*fixed = *addr != 0;
	if (*addr & PAGE_MASK) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		*addr = page_round_down(*addr);
	}
	return *addr == 0 && (flags & SHM_REMAP) ? -EINVAL : 0;
}

/* Counts an attachment that is on its way, so that the segment stays. */
static int hold(struct shm *s, unsigned bits)
{
	int err;

	spin_lock(&s->ipc.lock);
	err = s->ipc.removed ? -EIDRM : ipc_access(&s->ipc, bits);
	if (err == 0)
		s->nattch++;
	spin_unlock(&s->ipc.lock);
	return err;
}

static void release(struct shm *s)
{
	bool due;

	spin_lock(&s->ipc.lock);
	s->nattch--;
	due = is_due(s);
	spin_unlock(&s->ipc.lock);
	if (due)
		remove_if_due(s);
}

static int map_segment(struct shm *s, uint64_t addr, bool fixed, int flags, uint64_t *out)
{
	struct vm_map_args a = {
		.addr = addr,
		.len = s->size,
		.prot = PROT_READ,
		.max_prot = PROT_READ | PROT_EXEC,
		.vma_flags = VMA_SHARED | VMA_ATTACHED,
		.how = fixed ? VM_MAP_FIXED : 0,
		.object = &s->object,
	};
	int err;

	if (!(flags & SHM_RDONLY)) {
		a.prot |= PROT_WRITE;
		a.max_prot |= PROT_WRITE;
	}
	if (flags & SHM_EXEC)
		a.prot |= PROT_EXEC;
	if (fixed && !(flags & SHM_REMAP)) {
		if (addr + s->size < addr)
			return -EINVAL;
		a.how |= VM_MAP_NOREPLACE;
	}
	err = vm_map(curthread()->vmspace, &a, out);
	return err == -EEXIST ? -EINVAL : err;
}

int shm_attach(int id, uint64_t addr, int flags, uint64_t *out)
{
	unsigned bits = IPC_R;
	bool fixed;
	struct ipc *p;
	int err;

	if ((err = check_address(&addr, flags, &fixed)) || (err = ipc_lookup(&shm_ids, id, &p)))
		return err;
	bits |= flags & SHM_RDONLY ? 0 : IPC_W;
	bits |= flags & SHM_EXEC ? IPC_X : 0;
	if ((err = hold(shm_of(p), bits)) == 0) {
		err = map_segment(shm_of(p), addr, fixed, flags, out);
		release(shm_of(p));
	}
	ipc_put(p);
	return err;
}

int shm_detach(uint64_t addr)
{
	return vm_detach(curthread()->vmspace, addr);
}

/* --- shmctl --- */

static void export(struct ipc *p, void *out)
{
	const struct shm *s = shm_of(p);
	struct abi_shmid64_ds *ds = out;

	*ds = (struct abi_shmid64_ds){
		.shm_segsz = s->size,
		.shm_atime = s->atime,
		.shm_dtime = s->dtime,
		.shm_ctime = s->ctime,
		.shm_cpid = (int)s->cpid,
		.shm_lpid = (int)s->lpid,
		.shm_nattch = s->nattch,
	};
	ipc_export(p, &ds->shm_perm);
}

int shm_stat(int id, enum ipc_how how, struct abi_shmid64_ds *out)
{
	return ipc_stat(&shm_ids, id, how, export, out);
}

int shm_set(int id, const struct abi_shmid64_ds *in)
{
	struct ipc *p;
	int err;

	if ((err = ipc_lookup(&shm_ids, id, &p)))
		return err;
	spin_lock(&p->lock);
	err = p->removed ? -EIDRM : ipc_may_control(p);
	if (err == 0 && (err = ipc_import(p, &in->shm_perm)) == 0)
		shm_of(p)->ctime = ipc_now();
	spin_unlock(&p->lock);
	ipc_put(p);
	return err;
}

int shm_remove(int id)
{
	struct ipc *p;
	int err;

	if ((err = ipc_lookup(&shm_ids, id, &p)))
		return err;
	mutex_lock(&p->ids->lock);
	spin_lock(&p->lock);
	err = p->removed ? -EIDRM : ipc_may_control(p);
	if (err == 0) {
		p->mode |= SHM_DEST;
		ipc_forget_key_locked(p);
	}
	spin_unlock(&p->lock);
	mutex_unlock(&p->ids->lock);
	if (err == 0)
		remove_if_due(shm_of(p));
	ipc_put(p);
	return err;
}

static int account_lock(struct shm *s)
{
	uint64_t limit = process_rlimit(curproc(), RLIMIT_MEMLOCK), pages = pages_of(s), old;
	struct user_account *u = curtask()->user;

	if (limit == 0 && !capable(CAP_IPC_LOCK))
		return -EPERM;
	if (s->locked_by != NULL)
		return 0;
	old = atomic_fetch_add_explicit(&u->shm_locked, pages, memory_order_relaxed);
	if (old + pages > limit >> PAGE_SHIFT && !capable(CAP_IPC_LOCK)) {
		atomic_fetch_sub_explicit(&u->shm_locked, pages, memory_order_relaxed);
		return -ENOMEM;
	}
	s->locked_by = u;
	s->ipc.mode |= SHM_LOCKED;
	return 0;
}

int shm_lock(int id, bool lock)
{
	struct ipc *p;
	int err;

	if ((err = ipc_lookup(&shm_ids, id, &p)))
		return err;
	spin_lock(&p->lock);
	if (p->removed)
		err = -EIDRM;
	else if (!ipc_is_owner(p) && !capable(CAP_IPC_LOCK))
		err = -EPERM;
	else if (lock)
		err = account_lock(shm_of(p));
	else
		unlock_locked(shm_of(p));
	spin_unlock(&p->lock);
	ipc_put(p);
	return err;
}

static uint64_t resident_pages(struct shm *s)
{
	return atomic_load_explicit(&s->object.npages, memory_order_relaxed);
}

void shm_info(struct abi_shm_info *out)
{
	uint32_t index = 0;
	struct ipc *p;

	*out = (struct abi_shm_info){
		.used_ids = (int)shm_ids.in_use,
		.shm_tot = atomic_load_explicit(&shm_pages, memory_order_relaxed),
	};
	while ((p = ipc_next(&shm_ids, &index)) != NULL) {
		out->shm_rss += resident_pages(shm_of(p));
		ipc_put(p);
	}
}

bool shm_next(uint32_t *index, struct abi_shmid64_ds *out, int *id, uint64_t *rss)
{
	struct ipc *p = ipc_next(&shm_ids, index);

	if (p == NULL)
		return false;
	spin_lock(&p->lock);
	export(p, out);
	spin_unlock(&p->lock);
	*id = p->id;
	*rss = resident_pages(shm_of(p)) << PAGE_SHIFT;
	ipc_put(p);
	return true;
}

/* --- kernel.shm_rmid_forced --- */

/* Segments of `maker`, or with NULL those whose makers have ended. */
static void remove_unused(const struct task *maker)
{
	uint32_t index = 0;
	struct ipc *p;

	while ((p = ipc_next(&shm_ids, &index)) != NULL) {
		struct task *t = pid_get_task(shm_of(p)->creator);

		if (maker != NULL ? t == maker : t == NULL || t->exited)
			remove_if_due(shm_of(p));
		if (t != NULL)
			task_put(t);
		ipc_put(p);
	}
}

void shm_task_exit(struct task *t)
{
	if (UNLIKELY(shm_rmid_forced))
		remove_unused(t);
}

void shm_remove_orphans(void)
{
	remove_unused(NULL);
}
