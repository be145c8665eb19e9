/*
 * Asynchronous I/O contexts. Everything here is memory, so a request is carried out when it is
 * submitted (sys/aio.c); a context is the queue from which its completion is fetched. The context
 * is a file without a descriptor, held by a mapping of one page at the address that names it: so it
 * goes with the address space, and not to a child. User space may look into the page for Linux's
 * ring of events; it finds no magic there, and asks by system call.
 *
 * Sources: io_setup(2), io_submit(2), io_getevents(2).
 */

#include "vfs/aio.h"

#include "abi/aio.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "pmm/slab.h"
#include "vfs/file.h"
#include "vm/usercopy.h"
#include "vm/vma.h"
#include "vm/vmobject.h"
#include "vm/vmspace.h"

struct aio {
	struct mutex lock; /* PIPE */
	struct waitq wait;
	unsigned max, used;  /* used: reserved or done; lock */
	unsigned head, done; /* of the ring; lock */
	bool dead;
	struct abi_io_event ring[];
};

unsigned vfs_aio_max = 65536;
static _Atomic uint64_t total;

uint64_t aio_count(void)
{
	return atomic_load(&total);
}

static void aio_release(struct file *f)
{
	struct aio *a = f->priv;

	atomic_fetch_sub(&total, a->max);
	kfree(a);
}

static const struct file_ops aio_ops = { .release = aio_release, .flags = FOP_STREAM };

static int map_context(struct file *f, uint64_t *id)
{
	struct vm_map_args m = { .len = PAGE_SIZE,
				 .prot = PROT_READ,
				 .max_prot = PROT_READ,
				 .vma_flags = VMA_SHARED | VMA_DONTFORK,
				 .how = VM_MAP_PUT_OBJECT,
				 .file = f };
	int err = vmobject_create_shm(1, &m.object);

	return err ? err : vm_map(curthread()->vmspace, &m, id);
}

int aio_create(unsigned max, uint64_t *id)
{
	struct aio *a;
	struct file *f;
	int err;

	if (atomic_fetch_add(&total, max) + max > vfs_aio_max) {
		atomic_fetch_sub(&total, max);
		return -EAGAIN;
	}
	if ((a = kzalloc(sizeof(*a) + max * sizeof(a->ring[0]))) == NULL) {
		atomic_fetch_sub(&total, max);
		return -ENOMEM;
	}
	mutex_init(&a->lock, RANK_PIPE);
	waitq_init(&a->wait);
	a->max = max;
	if ((err = file_create_anon("[aio]", &aio_ops, a, O_RDWR, &f))) {
		atomic_fetch_sub(&total, max);
		kfree(a);
		return err;
	}
	err = map_context(f, id);
	file_put(f); /* the mapping has its own reference */
	return err;
}

struct file *aio_get(uint64_t id)
{
	struct vmspace *vs = curthread()->vmspace;
	struct file *f = NULL;
	struct vma *v;

	read_lock(&vs->lock);
	v = vma_find(&vs->vmas, id);
	if (v != NULL && v->start == id && v->file != NULL && v->file->ops == &aio_ops) {
		f = v->file;
		file_get(f);
	}
	read_unlock(&vs->lock);
	return f;
}

int aio_destroy(uint64_t id)
{
	struct file *f = aio_get(id);
	struct aio *a;
	bool dead;
	int err;

	if (f == NULL)
		return -EINVAL;
	a = f->priv;
	mutex_lock(&a->lock);
	dead = a->dead;
	a->dead = true;
	mutex_unlock(&a->lock);
	waitq_wake_all(&a->wait, 0);
	err = dead ? -EINVAL : vm_unmap(curthread()->vmspace, id, PAGE_SIZE);
	file_put(f);
	return err;
}

bool aio_reserve(struct file *ctx)
{
	struct aio *a = ctx->priv;
	bool room;

	mutex_lock(&a->lock);
	room = a->used < a->max;
	if (room)
		a->used++;
	mutex_unlock(&a->lock);
	return room;
}

void aio_unreserve(struct file *ctx)
{
	struct aio *a = ctx->priv;

	mutex_lock(&a->lock);
	a->used--;
	mutex_unlock(&a->lock);
}

void aio_complete(struct file *ctx, const struct abi_io_event *e)
{
	struct aio *a = ctx->priv;

	mutex_lock(&a->lock);
	a->ring[(a->head + a->done++) % a->max] = *e;
	mutex_unlock(&a->lock);
	waitq_wake_all(&a->wait, 0);
}

int64_t aio_fetch(struct file *ctx, uint64_t min, uint64_t nr, uaddr_t events, nsec_t deadline)
{
	struct aio *a = ctx->priv;
	uint64_t n = 0;
	int err = 0;

	mutex_lock(&a->lock);
	while (!err && n < nr) {
		if (a->done > 0) {
			uaddr_t to = uaddr_add(events, n * sizeof(a->ring[0]));

			if ((err = copy_to_user(to, &a->ring[a->head], sizeof(a->ring[0]))))
				break;
			a->head = (a->head + 1) % a->max;
			a->done--;
			a->used--;
			n++;
			continue;
		}
		if (n >= min || deadline == 0)
			break;
		err = a->dead ? -EINVAL
			      : wait_unlocked(&a->wait, &a->lock, THREAD_SLEEP_INTR, deadline);
	}
	mutex_unlock(&a->lock);
	if (n > 0 || err == -ETIMEDOUT)
		return (int64_t)n;
	return err == -ERESTARTSYS ? -EINTR : err;
}
