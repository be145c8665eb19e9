#pragma once

/* Panic is for kernel bugs, and for what Linux panics on (no init). It never returns. */

#include "lib/types.h"

/*
 * Stops the other CPUs, prints the message, a backtrace and the last ktrace records of every CPU,
 * then does what `panic=` asks: 0 waits for ever, N reboots after N seconds, negative at once.
 *   context      any
 */
NORETURN void panic(const char *f, ...) PRINTF(1, 2);
NORETURN void kassert_failed(const char *expr, const char *file, int line);

/* States an invariant; stays on in release builds. */
#define KASSERT(c) ((c) ? (void)0 : kassert_failed(#c, __FILE__, __LINE__))

/* An invariant too dear for release builds. */
#ifdef KEVLAR_DEBUG
#define KASSERT_DEBUG(c) KASSERT(c)
#else
#define KASSERT_DEBUG(c) ((void)sizeof((c) ? 1 : 0))
#endif

/* Reads `panic=`; the value is kernel.panic of sysctl(8) afterwards. */
void panic_init(void);
extern _Atomic int panic_timeout; /* s; 0: for ever; negative: no wait */

/* Set by sched: the name of the running thread, for the message. */
extern const char *(*panic_thread_name)(void);

extern _Atomic bool panicking; /* set once; consoles then write without locks */
