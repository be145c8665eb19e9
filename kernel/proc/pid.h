#pragma once

/* The pid table: numbers to struct pid. Lookups: task.h. */

#include "proc/task.h"

enum { PID_MAX_LIMIT = 4194304, PID_RESERVED = 300 };

extern uint32_t pid_max; /* /proc/sys/kernel/pid_max; numbers stay below it; racy */

extern struct pid pid_zero; /* process 1's group and session at first */

/*
 * Reserves a number with its object, count 1, invisible to lookups until pid_publish_locked().
 *   want         0: the next free one, cyclically; else exactly that
 *   returns      0; -EAGAIN none free; -EEXIST `want` is in use; -ENOMEM
 *   context      may sleep; takes PROCTREE
 */
MUST_CHECK int pid_alloc(uint32_t want, struct pid **out);
/* Gives an unpublished one back. */
void pid_cancel(struct pid *p);
void pid_publish_locked(struct pid *p) HOLDS(&proctree_lock);
/* Frees the number once nothing bears it any more; the object lives on for those who hold it. */
void pid_release_locked(struct pid *p) HOLDS(&proctree_lock);
/* The object that bears nr, borrowed. */
struct pid *pid_find_locked(uint32_t nr) HOLDS(&proctree_lock);
/* The lowest number >= nr in use, or 0. Under an epoch; racy. */
uint32_t pid_next_nr(uint32_t nr);

/* The number given out last, after which the search for the next one begins. Racy. */
uint32_t pid_last(void);
void pid_set_last(uint32_t nr);

void pid_init(void);
