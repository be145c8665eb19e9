#pragma once

/*
 * What is counted per real user id: tasks (RLIMIT_NPROC), queued signals (RLIMIT_SIGPENDING),
 * message queues (RLIMIT_MSGQUEUE). An account, once made, stays: a system knows few users, and
 * readers then need neither lock nor reference.
 */

#include "lib/types.h"

struct user_account {
	uint32_t uid; /* immutable */
	_Atomic uint32_t ntasks;
	_Atomic uint32_t nsignals;
	_Atomic uint64_t mqueue_bytes; /* RLIMIT_MSGQUEUE */
	_Atomic uint64_t shm_locked;   /* RLIMIT_MEMLOCK: pages of segments under SHM_LOCK */
	struct user_account *next;     /* hash chain; immutable once published */
};

/* The account of uid, made when it is new. NULL: no memory. Any thread context; allocates. */
MUST_CHECK struct user_account *user_find(uint32_t uid);

/* The running task's real uid becomes uid: its count moves to that account. -ENOMEM, nothing
 * changed. */
MUST_CHECK int task_set_user(uint32_t uid);
