#pragma once

/* Signals that wait, of a task or of a process: part of proc/task.h. */

#include "abi/signal.h"
#include "core/epoch.h"
#include "lib/list.h"

struct posix_timer;
struct user_account;

struct sigqueue_entry {
	struct list node;
	struct abi_siginfo info;
	struct user_account *user; /* whose RLIMIT_SIGPENDING it counts against; NULL: none */
	struct posix_timer *timer; /* the entry is embedded in this timer and not to be freed; NULL:
				      allocated */
	struct epoch_head epoch;   /* freeing what was flushed */
};

struct sigpending {
	uint64_t set;      /* bit sig-1 */
	uint64_t bare;     /* of set: came without an entry; siginfo_kernel() is its siginfo */
	uint64_t lost;     /* of bare: a user's, beyond RLIMIT_SIGPENDING; SI_USER from nobody */
	struct list queue; /* struct sigqueue_entry */
};
