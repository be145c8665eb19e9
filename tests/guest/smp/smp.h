#pragma once

/*
 * What the tests of many threads share. A storm runs for a time, not for a number of rounds, so
 * that it fits any machine; what it checks must hold whatever the interleaving.
 */

#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CREW = 16, STORM_MS = 700 };

struct crew {
	pthread_t thread[64];
	unsigned n;
};

static atomic_bool storm_over;

static inline void *crew_index(unsigned i)
{
	return (void *)(uintptr_t)i;
}

/* n threads run fn(i), i from 0. */
static inline void crew_start(struct crew *c, unsigned n, void *(*fn)(void *))
{
	c->n = n;
	for (unsigned i = 0; i < n; i++)
		CHECK_EQ(pthread_create(&c->thread[i], NULL, fn, crew_index(i)), 0);
}

static inline void crew_join(struct crew *c)
{
	for (unsigned i = 0; i < c->n; i++)
		CHECK_EQ(pthread_join(c->thread[i], NULL), 0);
}

static inline bool storm_goes_on(void)
{
	return !atomic_load_explicit(&storm_over, memory_order_relaxed);
}

static inline void sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000l };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* The storm: n threads run fn(i) as long as storm_goes_on(), for `ms`. */
static inline void storm(unsigned n, int ms, void *(*fn)(void *))
{
	struct crew c;

	atomic_store(&storm_over, false);
	crew_start(&c, n, fn);
	sleep_ms(ms);
	atomic_store(&storm_over, true);
	crew_join(&c);
}

static inline void spin_pause(void)
{
	__builtin_ia32_pause();
}

/* Waits by spinning, and lets others run when it takes long. */
#define SPIN_UNTIL(c)                             \
	do {                                      \
		for (unsigned n_ = 1; !(c); n_++) \
			if (n_ % 500 == 0)        \
				sched_yield();    \
			else                      \
				spin_pause();     \
	} while (0)

static inline pid_t gettid_(void)
{
	return (pid_t)syscall(SYS_gettid);
}
