#include "proc/ipc/sem_priv.h"

/* Sets of semaphores as objects: semget(2) and semctl(2). */

#include "abi/errno.h"
#include "pmm/slab.h"

enum { SEMMSL = 32000, SEMMNI = 32000, SEMOPM = 500, SEMUSZ = 20 };

int sem_limits[3] = { SEMMSL, SEMMNI *SEMMSL, SEMOPM };
static _Atomic uint32_t sem_total; /* in all sets */

static int sem_create(const struct ipc_request *r, struct ipc **out)
{
	uint32_t total = atomic_load_explicit(&sem_total, memory_order_relaxed);
	unsigned n = (unsigned)r->size;
	struct sem_set *s;

	if (n == 0)
		return -EINVAL;
	if ((int64_t)total + n > sem_limits[SEM_MNS])
		return -ENOSPC;
	if ((s = kzalloc(sizeof(*s) + n * sizeof(s->sems[0]))) == NULL)
		return -ENOMEM;
	s->nsems = n;
	s->ctime = ipc_now();
	list_init(&s->changers);
	list_init(&s->zeros);
	list_init(&s->undos);
	for (unsigned i = 0; i < n; i++) {
		list_init(&s->sems[i].changers);
		list_init(&s->sems[i].zeros);
	}
	atomic_fetch_add_explicit(&sem_total, n, memory_order_relaxed);
	*out = &s->ipc;
	return 0;
}

static bool sem_fits(const struct ipc *p, const struct ipc_request *r)
{
	return r->size <= container_of(p, const struct sem_set, ipc)->nsems;
}

static void sem_fini(struct ipc *p)
{
	atomic_fetch_sub_explicit(&sem_total, sem_set_of(p)->nsems, memory_order_relaxed);
}

struct ipc_ids sem_ids = IPC_IDS(sem_ids, SEMMNI, sem_create, sem_fits, sem_fini);

int sem_get(int key, int nsems, int flags)
{
	struct ipc_request r = { .key = key, .flags = flags, .size = (uint64_t)nsems };

	return nsems < 0 || nsems > sem_limits[SEM_MSL] ? -EINVAL : ipc_get(&sem_ids, &r);
}

static void export(struct ipc *p, void *out)
{
	const struct sem_set *s = sem_set_of(p);
	struct abi_semid64_ds *ds = out;

	*ds = (struct abi_semid64_ds){
		.sem_otime = s->otime,
		.sem_ctime = s->ctime,
		.sem_nsems = s->nsems,
	};
	ipc_export(p, &ds->sem_perm);
}

int sem_stat(int id, int cmd, struct abi_semid64_ds *out)
{
	enum ipc_how how = cmd == IPC_STAT       ? IPC_BY_ID
			   : cmd == SEM_STAT_ANY ? IPC_BY_INDEX_ANY
						 : IPC_BY_INDEX;

	return ipc_stat(&sem_ids, id, how, export, out);
}

int sem_set_owner(int id, const struct abi_semid64_ds *in)
{
	struct ipc *p;
	int err;

	if ((err = ipc_lookup(&sem_ids, id, &p)))
		return err;
	spin_lock(&p->lock);
	err = p->removed ? -EIDRM : ipc_may_control(p);
	if (err == 0 && (err = ipc_import(p, &in->sem_perm)) == 0)
		sem_set_of(p)->ctime = ipc_now();
	spin_unlock(&p->lock);
	ipc_put(p);
	return err;
}

int sem_remove(int id)
{
	struct ipc *p;
	int err;

	if ((err = ipc_lookup(&sem_ids, id, &p)))
		return err;
	mutex_lock(&p->ids->lock);
	spin_lock(&p->lock);
	err = p->removed ? -EIDRM : ipc_may_control(p);
	if (err == 0) {
		ipc_remove_locked(p);
		sem_undo_drop_locked(sem_set_of(p));
		sem_wake_removed_locked(sem_set_of(p));
	}
	spin_unlock(&p->lock);
	mutex_unlock(&p->ids->lock);
	if (err == 0)
		ipc_put(p); /* the table's */
	ipc_put(p);
	return err;
}

static int query_locked(const struct sem_set *s, unsigned i, int cmd)
{
	if (i >= s->nsems)
		return -EINVAL;
	switch (cmd) {
	case GETVAL:
		return s->sems[i].value;
	case GETPID:
		return (int)s->sems[i].pid;
	default:
		return sem_count_locked(s, i, cmd == GETZCNT);
	}
}

int sem_query(int id, int index, int cmd)
{
	struct ipc *p;
	int res;

	if ((res = ipc_lookup(&sem_ids, id, &p)))
		return res;
	spin_lock(&p->lock);
	if ((res = ipc_access(p, IPC_R)) == 0)
		res = p->removed ? -EIDRM : query_locked(sem_set_of(p), (unsigned)index, cmd);
	spin_unlock(&p->lock);
	ipc_put(p);
	return res;
}

static void set_value_locked(struct sem_set *s, unsigned i, uint16_t value)
{
	s->sems[i].value = value;
	s->sems[i].pid = ipc_pid();
	s->ctime = ipc_now();
}

int sem_set_value(int id, int index, int value)
{
	struct sem_set *s;
	struct ipc *p;
	int err;

	if (value < 0 || value > SEMVMX)
		return -ERANGE;
	if ((err = ipc_lookup(&sem_ids, id, &p)))
		return err;
	s = sem_set_of(p);
	spin_lock(&p->lock);
	if ((unsigned)index >= s->nsems)
		err = -EINVAL;
	else if ((err = ipc_access(p, IPC_W)) == 0 && p->removed)
		err = -EIDRM;
	if (err == 0) {
		sem_undo_forget_locked(s, (unsigned)index);
		set_value_locked(s, (unsigned)index, (uint16_t)value);
		sem_update_locked(s, (unsigned)index);
	}
	spin_unlock(&p->lock);
	ipc_put(p);
	return err;
}

int sem_open(int id, unsigned bits, struct ipc **out, unsigned *n)
{
	struct ipc *p;
	int err;

	if ((err = ipc_lookup(&sem_ids, id, &p)))
		return err;
	if ((err = ipc_access(p, bits))) {
		ipc_put(p);
		return err;
	}
	*out = p;
	*n = sem_set_of(p)->nsems;
	return 0;
}

int sem_get_all(struct ipc *p, uint16_t *values)
{
	struct sem_set *s = sem_set_of(p);
	int err;

	spin_lock(&p->lock);
	err = p->removed ? -EIDRM : 0;
	for (unsigned i = 0; i < s->nsems; i++)
		values[i] = s->sems[i].value;
	spin_unlock(&p->lock);
	return err;
}

int sem_set_all(struct ipc *p, const uint16_t *values)
{
	struct sem_set *s = sem_set_of(p);
	int err;

	for (unsigned i = 0; i < s->nsems; i++)
		if (values[i] > SEMVMX)
			return -ERANGE;
	spin_lock(&p->lock);
	err = p->removed ? -EIDRM : 0;
	if (err == 0) {
		for (unsigned i = 0; i < s->nsems; i++)
			set_value_locked(s, i, values[i]);
		sem_undo_forget_locked(s, SEM_ANY);
		sem_update_locked(s, SEM_ANY);
	}
	spin_unlock(&p->lock);
	return err;
}

void sem_info(bool used, struct abi_seminfo *out)
{
	*out = (struct abi_seminfo){
		.semmap = SEMMNI * SEMMSL,
		.semmni = sem_ids.limit,
		.semmns = sem_limits[SEM_MNS],
		.semmnu = SEMMNI * SEMMSL,
		.semmsl = sem_limits[SEM_MSL],
		.semopm = sem_limits[SEM_OPM],
		.semume = SEMOPM,
		.semusz = used ? (int)sem_ids.in_use : SEMUSZ,
		.semvmx = SEMVMX,
		.semaem =
			used ? (int)atomic_load_explicit(&sem_total, memory_order_relaxed) : SEMAEM,
	};
}

bool sem_next(uint32_t *index, struct abi_semid64_ds *out, int *id)
{
	struct ipc *p = ipc_next(&sem_ids, index);

	if (p == NULL)
		return false;
	spin_lock(&p->lock);
	export(p, out);
	spin_unlock(&p->lock);
	*id = p->id;
	ipc_put(p);
	return true;
}
