#pragma once

/*
 * The kernel log: a ring of records (time, level, text) that syslog(2) and /dev/kmsg read, and a
 * list of sinks (consoles) that get every record at or below the console level. log_f() may be
 * called in any context; records reach the sinks from the caller's context.
 */

#include "lib/types.h"

enum log_level {
	LOG_EMERG,
	LOG_ALERT,
	LOG_CRIT,
	LOG_ERR,
	LOG_WARNING,
	LOG_NOTICE,
	LOG_INFO,
	LOG_DEBUG
};

void log_f(enum log_level level, const char *f, ...) PRINTF(2, 3);
void log_v(enum log_level level, const char *f, va_list ap) PRINTF(2, 0);

#define log_err(...)   log_f(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_f(LOG_WARNING, __VA_ARGS__)
#define log_info(...)  log_f(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_f(LOG_DEBUG, __VA_ARGS__)

struct log_sink {
	void (*write)(struct log_sink *s, const char *text,
		      size_t n); /* any context; must not log */
	struct log_sink *next;   /* guarded by the log */
	uint64_t seq;            /* next record it gets; the log's */
};

/* Adds a sink and replays what the ring holds to it. The sink is owned by its driver, for ever. */
void log_add_sink(struct log_sink *s);

/* Levels below `level` reach the consoles (Linux's console_loglevel; `loglevel=`, `quiet`). */
void log_set_console_level(int level);
int log_console_level(void);

struct log_entry {
	uint64_t seq;
	nsec_t time;
	enum log_level level;
	size_t len;
};

enum { LOG_TEXT_MAX = 400 }; /* longer texts are cut */

/* kernel.dmesg_restrict: reading the log needs CAP_SYSLOG. */
extern int syslog_restrict;

/* Reads `quiet` and `loglevel=` from the command line. */
void log_init(void);

/*
 * Copies the first record at or after *seq. For syslog(2) and /dev/kmsg, which put their prefixes
 * before it.
 *   seq          in: where to read; out: the record after it. A seq that was overwritten moves on.
 *   e            its number, time, level and length
 *   buf          the bare text: no level, no time, no newline, no NUL. LOG_TEXT_MAX bytes are
 *                always enough
 *   returns      bytes in buf; 0 when there is no newer record; -EINVAL when buf is too small, *seq
 *                unchanged
 */
ssize64_t log_read(uint64_t *seq, struct log_entry *e, char *buf, size_t size);

uint64_t log_first_seq(void);
uint64_t log_next_seq(void);

/*
 * Called after records: the reader side wakes its sleepers through it. Never with interrupts off by
 * the caller of log_f() (he may hold a run queue), then the next tick does it, in interrupt
 * context.
 */
extern void (*log_wake_readers)(void);

/* From the tick: a wake-up that was put off. */
void log_tick(void);
