#pragma once

/* What the scheduling classes know of a thread. Pure: for sched/fair.h and sched/rt.h; embedded in
 * struct thread. */

#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/types.h"

enum sched_class { SCHED_CLASS_RT, SCHED_CLASS_FAIR, SCHED_CLASS_IDLE };

/* SCHED_DEADLINE: ns, as set; and what the thread has of it (sched/deadline.h). */
struct sched_deadline {
	uint64_t runtime, deadline, period;
	uint64_t bandwidth; /* that it has been granted; 0: it is of another policy */
	nsec_t until;       /* CLOCK_MONOTONIC: the present deadline */
	int64_t left;       /* of runtime until then */
	uint8_t flags;      /* SCHED_FLAG_RECLAIM, SCHED_FLAG_DL_OVERRUN */
	bool waits;         /* asleep until its next period, which it has already */
};

struct sched_entity {
	struct rbnode node;  /* fair: in the run queue, by vruntime; deadline: by dl.until */
	struct list rt_node; /* rt: in the queue of its priority */
	/* weighted ns. While it is in no fair queue, vruntime is its lag (signed): what it was
	 * short of */
	uint64_t vruntime, vdeadline;
	uint64_t min_vdeadline; /* augmented: earliest in the subtree */
	uint64_t slice_used;    /* rt: ns of the present SCHED_RR quantum */
	nsec_t exec_start;      /* clock_mono() when it was last accounted */
	uint32_t weight;        /* from nice */
	uint8_t class;          /* enum sched_class, effective (after PI) */
	uint8_t rt_prio;        /* 1 … 99, RT_DEADLINE, effective */
	uint8_t policy;         /* SCHED_OTHER, FIFO, RR, BATCH, IDLE, DEADLINE: as set */
	int8_t nice;
	uint8_t set_prio;   /* rt priority as set, without PI */
	uint8_t boost_prio; /* PI: at least this rt priority; 0: none */
	bool queued;        /* in a tree or list: runnable and not running */
	bool reset_on_fork;
	struct sched_deadline dl;
};
