#pragma once

/* Deferred work: functions that need a thread, queued from anywhere and run by kernel worker
 * threads. */

#include "lib/list.h"
#include "lib/types.h"

struct work {
	struct list node;
	void (*fn)(struct work *w); /* may sleep; may free w */
	_Atomic uint32_t queued;
};

void work_init(struct work *w, void (*fn)(struct work *w));
bool work_queue(struct work *w); /* any context; false: it was queued already */
void work_start(void);           /* boot: starts the workers */
void work_flush(void);           /* waits for what is queued now; may sleep */
