#pragma once

/* Shared by sem.c, semop.c and semundo.c. */

#include "lib/list.h"
#include "proc/ipc/sem.h"
#include "sched/wait.h"

struct sem {
	uint16_t value;
	uint32_t pid;         /* whose operation was the last */
	struct list changers; /* waiters with one operation, which is to decrease it */
	struct list zeros;    /* ... and which is to find it zero */
};

struct sem_set { /* all under ipc.lock but nsems */
	struct ipc ipc;
	unsigned nsems;
	int64_t otime, ctime;
	struct list changers; /* all waiters that change something, oldest first */
	struct list zeros;    /* waiters with several operations that change nothing */
	unsigned ncomplex;    /* changers with several operations */
	struct list undos;    /* struct sem_undo */
	struct sem sems[];
};

static inline struct sem_set *sem_set_of(struct ipc *p)
{
	return container_of(p, struct sem_set, ipc);
}

/* What one list of tasks has to undo in one set. Gone, with its set, when that is removed. */
struct sem_undo {
	struct rbnode node;          /* in the list's tree, by set; SYSVUNDO */
	struct list set_node;        /* in set->undos; SYSVOBJ */
	struct sem_set *set;         /* borrowed */
	struct sem_undo_list *owner; /* borrowed */
	int16_t adjust[];            /* SYSVOBJ; to be added to each semaphore */
};

struct sem_request { /* of one semop */
	const struct abi_sembuf *ops;
	unsigned n;
	unsigned blocking; /* which operation could not be done */
	bool alters;
	uint32_t pid;
	struct sem_undo *undo; /* NULL: nothing to be noted */
};

/* --- semop.c, under the set's lock --- */

/* Values have changed: of one semaphore, or (index SEM_ANY) of any. Who can go on, does. */
enum { SEM_ANY = UINT32_MAX };
void sem_update_locked(struct sem_set *s, unsigned index);
/* The set goes: its waiters get -EIDRM. */
void sem_wake_removed_locked(struct sem_set *s);
/* How many wait for the semaphore to grow, or (zero) to be zero. */
int sem_count_locked(const struct sem_set *s, unsigned index, bool zero);

/* --- semundo.c --- */

/* The running task's undos for a set, made when they are new. 0; -EIDRM, -ENOMEM. */
MUST_CHECK int sem_undo_find(struct sem_set *s, struct sem_undo **out);
/* Values were set: nothing of one semaphore (SEM_ANY: of any) is to be undone. Locked. */
void sem_undo_forget_locked(struct sem_set *s, unsigned index);
/* The set goes. Locked. */
void sem_undo_drop_locked(struct sem_set *s);
