#pragma once

/*
 * System V semaphores: sets of them, operations on several at once, and what a process has to undo
 * when it ends.
 *   source       semget(2), semop(2), semctl(2)
 */

#include "abi/sysvipc.h"
#include "lib/types.h"
#include "proc/ipc/ids.h"

struct sem_undo_list;
struct task;

extern struct ipc_ids sem_ids;
/* kernel.sem, less its fourth number, which is sem_ids.limit. Racy. */
extern int sem_limits[3];
enum { SEM_MSL, SEM_MNS, SEM_OPM };

MUST_CHECK int sem_get(int key, int nsems, int flags);

/*
 * semtimedop(2).
 *   ops          kernel memory, n of them, 1 <= n
 *   deadline     CLOCK_MONOTONIC; NSEC_MAX: none
 *   returns      0; -EINVAL, -EFBIG, -EACCES, -EAGAIN, -ERANGE, -EIDRM, -EINTR, -ENOMEM
 */
MUST_CHECK int sem_operate(int id, const struct abi_sembuf *ops, unsigned n, nsec_t deadline);

/* semctl(2), by its commands. *_STAT: returns the identifier unless it was what was given. */
MUST_CHECK int sem_stat(int id, int cmd, struct abi_semid64_ds *out);
MUST_CHECK int sem_set_owner(int id, const struct abi_semid64_ds *in);
MUST_CHECK int sem_remove(int id);
MUST_CHECK int sem_query(int id, int index, int cmd); /* GETVAL, GETPID, GETNCNT, GETZCNT */
MUST_CHECK int sem_set_value(int id, int index, int value);
void sem_info(bool used, struct abi_seminfo *out); /* IPC_INFO; used: SEM_INFO */

/* GETALL and SETALL. The set is counted; its values are n times 16 bits in kernel memory. */
MUST_CHECK int sem_open(int id, unsigned bits, struct ipc **out, unsigned *n); /* + access */
MUST_CHECK int sem_get_all(struct ipc *p, uint16_t *values);
MUST_CHECK int sem_set_all(struct ipc *p, const uint16_t *values);

MUST_CHECK bool sem_next(uint32_t *index, struct abi_semid64_ds *out, int *id);

/*
 * A new task shares its maker's list of undos (CLONE_SYSVSEM) or begins without one. 0; -ENOMEM.
 * The end of a task, and unshare(2), drop it; the last one undoes.
 */
MUST_CHECK int sem_undo_share(struct sem_undo_list **out);
void sem_undo_put(struct sem_undo_list *l);
void sem_undo_exit(struct task *t);
