/*
 * The kernel log. Records lie in a ring of bytes, each a header and its text, padded to eight
 * bytes; a record that would cross the end of the ring is preceded by a filler. Old records are
 * dropped to make room. The lock is held only while the ring is touched: text is formatted before,
 * and sinks are called after.
 *
 * Sinks get every record exactly once and in order: each has its own sequence number, and whoever
 * logs pumps the sinks unless somebody is pumping already, who then goes on with the new record (a
 * handler that logs on top of a pumping thread returns at once). In a panic nobody else runs: locks
 * and the pump's flag are passed by.
 */
#include "core/log.h"

#include <arch/cpu.h>

#include "abi/errno.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "lib/fmt.h"
#include "lib/string.h"

enum { RING = 65536, PREFIX_MAX = 40, FILLER = 0xff };

struct record {
	uint64_t seq;
	nsec_t time;
	uint16_t len;  /* bytes of text */
	uint8_t level; /* enum log_level; FILLER: go to the ring's start */
	uint8_t pad[5];
};

static uint8_t ring[RING] ALIGNED(8);
static uint64_t head, tail; /* byte positions, growing for ever: oldest record, next record */
static uint64_t first_seq, next_seq;
static struct spinlock log_lock = SPINLOCK(LOG);
static struct log_sink *sinks;
static _Atomic bool pumping, pump_again, wake_pending;
static _Atomic int console_level = LOG_DEBUG; /* all below debug */

void (*log_wake_readers)(void);
int syslog_restrict;

/* The lock, unless the kernel is in panic. */
static irqstate_t lock(bool *taken) NO_TSA
{
	irqstate_t s = arch_irq_save();

	*taken = !atomic_load_explicit(&panicking, memory_order_relaxed);
	if (*taken)
		spin_lock(&log_lock);
	return s;
}

static void unlock(irqstate_t s, bool taken) NO_TSA
{
	if (taken)
		spin_unlock(&log_lock);
	arch_irq_restore(s);
}

static struct record *at(uint64_t pos)
{
	return (struct record *)(ring + pos % RING);
}

static uint64_t record_size(size_t len)
{
	return ALIGN_UP(sizeof(struct record) + len, 8);
}

/* Where the record behind the one at pos begins, or would begin. */
static uint64_t step(uint64_t pos)
{
	return pos + record_size(at(pos)->len);
}

static uint64_t skip_filler(uint64_t pos)
{
	if (pos < tail && (RING - pos % RING < sizeof(struct record) || at(pos)->level == FILLER))
		pos = ALIGN_UP(pos, RING);
	return pos;
}

static void drop_oldest(void)
{
	head = skip_filler(head);
	if (head < tail) {
		head = step(head);
		first_seq++;
	}
}

/* Appends under the lock. */
static void append(enum log_level level, const char *text, size_t len)
{
	uint64_t size = record_size(len), room = RING - tail % RING,
		 need = room < size ? room + size : size;
	struct record *r;

	while (tail + need - head > RING)
		drop_oldest();
	if (room < size) {
		if (room >= sizeof(struct record))
			at(tail)->level = FILLER;
		tail += room;
		if (first_seq == next_seq)
			head = tail;
	}
	r = at(tail);
	*r = (struct record){ next_seq++, clock_mono(), (uint16_t)len, (uint8_t)level, { 0 } };
	memcpy(r + 1, text, len);
	tail += size;
}

/*
 * Where a reader was: the number and the position of the record he wants next. Guarded by the lock.
 */
struct cursor {
	uint64_t seq, pos;
};
static struct cursor pump_cursor, read_cursor;

/*
 * The first record with a number of at least seq; NULL when there is none. Under the lock. Reading
 * on where c stands is O(1), anything else a walk from the oldest record.
 */
static const struct record *find_record(struct cursor *c, uint64_t seq)
{
	uint64_t pos;

	if (seq >= next_seq)
		return NULL;
	pos = skip_filler(seq == c->seq && c->pos >= head ? c->pos : head);
	while (at(pos)->seq < seq)
		pos = skip_filler(step(pos));
	c->seq = at(pos)->seq + 1;
	c->pos = step(pos);
	return at(pos);
}

struct line {
	char text[PREFIX_MAX + LOG_TEXT_MAX];
	size_t n;
};

/*
 * The next record for s as a console line; false when there is none. Records above the level give
 * an empty line.
 */
static bool next_line(struct log_sink *s, struct line *l)
{
	const struct record *r;
	bool taken;
	irqstate_t irq = lock(&taken);

	r = find_record(&pump_cursor, s->seq);
	l->n = 0;
	if (r && r->level < atomic_load_explicit(&console_level, memory_order_relaxed)) {
		uint64_t us = (uint64_t)r->time / 1000;

		l->n = fmt(l->text, sizeof(l->text), "[%5llu.%06llu] ", us / 1000000ull,
			   us % 1000000ull);
		memcpy(l->text + l->n, r + 1, r->len);
		l->n += r->len;
		l->text[l->n++] = '\n';
	}
	if (r)
		s->seq = r->seq + 1;
	unlock(irq, taken);
	return r;
}

static NOINLINE void pump_sinks(void)
{
	struct line l;

	for (struct log_sink *s = sinks; s; s = s->next)
		while (next_line(s, &l))
			if (l.n)
				s->write(s, l.text, l.n);
}

/* `pump_again` covers a record that comes between the pump's last look and its end. */
static void pump(void)
{
	if (atomic_load_explicit(&panicking, memory_order_relaxed)) {
		pump_sinks();
		return;
	}
	atomic_store(&pump_again, true);
	while (atomic_load(&pump_again) && !atomic_exchange(&pumping, true)) {
		atomic_store(&pump_again, false);
		pump_sinks();
		atomic_store(&pumping, false);
	}
}

static NOINLINE bool record_text(enum log_level level, const char *f, va_list ap)
{
	char text[LOG_TEXT_MAX + 1];
	size_t n = fmt_v(text, sizeof(text), f, ap);
	irqstate_t irq;
	bool taken;

	n = MIN(n, (size_t)LOG_TEXT_MAX);
	while (n && text[n - 1] == '\n')
		n--;
	if (!n)
		return false;
	irq = lock(&taken);
	append(level, text, n);
	unlock(irq, taken);
	return true;
}

static void wake_readers(void)
{
	if (!log_wake_readers || atomic_load_explicit(&panicking, memory_order_relaxed))
		return;
	if (arch_irqs_enabled())
		log_wake_readers();
	else
		atomic_store_explicit(&wake_pending, true, memory_order_relaxed);
}

void log_v(enum log_level level, const char *f, va_list ap)
{
	if (!record_text(level, f, ap))
		return;
	pump();
	wake_readers();
}

void log_f(enum log_level level, const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	log_v(level, f, ap);
	va_end(ap);
}

void log_tick(void)
{
	if (UNLIKELY(atomic_load_explicit(&wake_pending, memory_order_relaxed)) &&
	    log_wake_readers && atomic_exchange(&wake_pending, false))
		log_wake_readers();
}

/* At the end of the list, complete before it is linked: the pump walks without the lock. */
void log_add_sink(struct log_sink *s)
{
	struct log_sink **p;
	bool taken;
	irqstate_t irq = lock(&taken);

	s->next = NULL;
	s->seq = first_seq;
	for (p = &sinks; *p; p = &(*p)->next)
		;
	__atomic_store_n(p, s, __ATOMIC_RELEASE);
	unlock(irq, taken);
	pump();
}

void log_init(void)
{
	if (cmdline_has("quiet"))
		log_set_console_level(LOG_WARNING);
	log_set_console_level((int)cmdline_int("loglevel", log_console_level()));
}

void log_set_console_level(int level)
{
	atomic_store_explicit(&console_level, level, memory_order_relaxed);
}

int log_console_level(void)
{
	return atomic_load_explicit(&console_level, memory_order_relaxed);
}

static ssize64_t read_locked(uint64_t *seq, struct log_entry *e, char *buf, size_t size)
{
	const struct record *r = find_record(&read_cursor, *seq);

	if (!r)
		return 0;
	if (r->len > size)
		return -EINVAL;
	*e = (struct log_entry){ r->seq, r->time, r->level, r->len };
	memcpy(buf, r + 1, r->len);
	*seq = r->seq + 1;
	return r->len;
}

ssize64_t log_read(uint64_t *seq, struct log_entry *e, char *buf, size_t size)
{
	bool taken;
	irqstate_t irq = lock(&taken);
	ssize64_t n = read_locked(seq, e, buf, size);

	unlock(irq, taken);
	return n;
}

uint64_t log_first_seq(void)
{
	bool taken;
	irqstate_t irq = lock(&taken);
	uint64_t n = first_seq;

	unlock(irq, taken);
	return n;
}

uint64_t log_next_seq(void)
{
	bool taken;
	irqstate_t irq = lock(&taken);
	uint64_t n = next_seq;

	unlock(irq, taken);
	return n;
}
