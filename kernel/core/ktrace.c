/*
 * ktrace: rings of records, one per CPU.
 *
 * A writer reserves a slot by one addition to its CPU's counter that interrupts cannot divide, so
 * one (even an NMI) that traces in the middle of another record gets the next slot; nothing is
 * locked, and the oldest record is overwritten. In the ring the time is the counter's; readers get
 * nanoseconds. Every CPU begins with a small ring in its per-CPU area, enough for
 * the flight recorder; when a group beside it is switched on, a large one is allocated and linked
 * in its place, once. A ring is its slots, their number and the counter, so that a writer who has
 * the pointer has all three in step.
 *
 * Readers look at slots that may be overwritten meanwhile: after copying they compare the counter,
 * and give out KTRACE_LOST for what could have changed under them.
 */
#include "core/ktrace.h"

#include <arch/cpu.h>

#include "abi/errno.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/log.h"
#include "core/percpu.h"
#include "lib/crc32.h"
#include "lib/fmt.h"
#include "lib/string.h"

enum {
	FLIGHT_RECORDS = 128,
	DEFAULT_BYTES = 256 * 1024,
	MIN_BYTES = 16 * 1024,
	MAX_BYTES = 1 << 30
};

static const uint32_t flight_groups = BIT(KT_SCHED) | BIT(KT_WAIT) | BIT(KT_SIGNAL);
static const uint32_t all_groups = (1u << KT_NGROUPS) - 1;

struct ring {
	_Atomic uint64_t next; /* slots reserved since it was made */
	uint64_t mask;         /* number of slots - 1 */
	struct ktrace_record *slot;
};

struct flight {
	struct ring ring;
	struct ktrace_record slot[FLIGHT_RECORDS];
};

static PERCPU(struct flight, flight);
static PERCPU(_Atomic(struct ring *), ring); /* NULL: this CPU does not trace yet */

_Atomic uint32_t ktrace_groups;
void *(*ktrace_alloc)(size_t bytes);
size_t ktrace_tid_offset;

static size_t ring_bytes = DEFAULT_BYTES; /* of the large rings; power of two */

static const char *const group_names[KT_NGROUPS] = {
	[KT_SYSCALL] = "syscall", [KT_SCHED] = "sched", [KT_WAIT] = "wait", [KT_SIGNAL] = "signal",
	[KT_MM] = "mm",           [KT_PROC] = "proc",   [KT_VFS] = "vfs",   [KT_NET] = "net",
};

struct event_field {
	const char *kind, *name;
};
struct event_desc {
	const char *name;
	struct event_field field[KTRACE_ARGS];
};

/* clang-format off */
#define F(kind, name) { #kind, #name }
/* clang-format on */
#define EVENT(name, group, ...) { #name, { __VA_ARGS__ } },
static const struct event_desc events[EV_COUNT] = {
#include "core/ktrace_events.def"
};
#undef EVENT
#undef F

/*
 * The table as text, white space made even by the preprocessor: the decoder compares its check sum.
 */
#define EVENT(...) #__VA_ARGS__ "\n"
static const char events_text[] =
#include "core/ktrace_events.def"
	;
#undef EVENT

static struct ring *ring_of(unsigned cpu)
{
	return atomic_load_explicit(&of_cpu(ring, cpu), memory_order_acquire);
}

/* NULL: this CPU does not trace yet. */
static inline struct ring *own_ring(void)
{
	return atomic_load_explicit(&this_cpu(ring), memory_order_acquire);
}

static inline struct ktrace_record *reserve(struct ring *r)
{
	return &r->slot[arch_local_fetch_add(&r->next, 1) & r->mask];
}

uint32_t ktrace_current_tid(void)
{
	const uint8_t *t = (const uint8_t *)arch_curthread();

	/* sched says where before there is a thread */
	return t ? *(const uint32_t *)(t + ktrace_tid_offset) : 0;
}

static inline void fill_head(struct ktrace_record *r, unsigned event, unsigned len)
{
	r->time = arch_counter();
	r->event = (uint16_t)event;
	r->cpu = (uint8_t)cpu_id();
	r->len = (uint8_t)len;
	r->tid = ktrace_current_tid();
}

void ktrace_emit(enum ktrace_event ev, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
		 uint64_t a4, uint64_t a5)
{
	struct ring *own = own_ring();
	struct ktrace_record *r;

	if (UNLIKELY(!own))
		return;
	r = reserve(own);
	fill_head(r, ev, 0);
	r->arg[0] = a0;
	r->arg[1] = a1;
	r->arg[2] = a2;
	r->arg[3] = a3;
	r->arg[4] = a4;
	r->arg[5] = a5;
}

/* Puts up to `room` bytes at arg[first]; returns how many. */
static size_t put_data(unsigned event, const uint64_t words[3], unsigned first, const uint8_t *p,
		       size_t n)
{
	size_t k = MIN(n, (size_t)(KTRACE_ARGS - first) * 8);
	struct ring *own = own_ring();
	struct ktrace_record *r;

	if (UNLIKELY(!own))
		return n;
	r = reserve(own);
	fill_head(r, event, (unsigned)k);
	for (unsigned i = 0; i < first; i++)
		r->arg[i] = words[i];
	memset(&r->arg[first], 0, (KTRACE_ARGS - first) * 8);
	memcpy(&r->arg[first], p, k);
	return k;
}

void ktrace_bytes(uaddr_t addr, bool to_user, const void *p, size_t n)
{
	const uint64_t words[3] = { addr.a, n, to_user };
	const uint8_t *s = p;
	size_t left = MIN(n, (size_t)KTRACE_BYTES_MAX), k;

	k = put_data(KTRACE_DATA_HEAD, words, 3, s, left);
	while (left -= k) {
		s += k;
		k = put_data(KTRACE_DATA, words, 0, s, left);
	}
}

static void use_flight_ring(unsigned cpu)
{
	struct flight *f = &of_cpu(flight, cpu);

	f->ring.mask = FLIGHT_RECORDS - 1;
	f->ring.slot = f->slot;
	atomic_store_explicit(&of_cpu(ring, cpu), &f->ring, memory_order_release);
}

/*
 * Gives cpu a large ring, unless it has one. What the small one holds is copied, so that nothing is
 * missing.
 */
static int use_large_ring(unsigned cpu)
{
	struct ring *old = ring_of(cpu), *r;
	uint64_t n, first;
	uint8_t *p;

	if (old && old != &of_cpu(flight, cpu).ring)
		return 0;
	p = ktrace_alloc ? ktrace_alloc(ring_bytes + sizeof(*r)) : NULL;
	if (!p)
		return -ENOMEM;
	r = (struct ring *)(p + ring_bytes);
	r->slot = (struct ktrace_record *)p;
	r->mask = ring_bytes / sizeof(struct ktrace_record) - 1;
	n = old ? atomic_load(&old->next) : 0;
	first = n > FLIGHT_RECORDS ? n - FLIGHT_RECORDS : 0;
	for (uint64_t i = first; i < n; i++)
		r->slot[i - first] = old->slot[i & old->mask];
	atomic_init(&r->next, n - first);
	atomic_store_explicit(&of_cpu(ring, cpu), r, memory_order_release);
	return 0;
}

static bool wants_large(uint32_t groups)
{
	return groups & all_groups & ~flight_groups;
}

int ktrace_init_cpu(unsigned cpu)
{
	if (!ring_of(cpu))
		use_flight_ring(cpu);
	return wants_large(atomic_load(&ktrace_groups)) ? use_large_ring(cpu) : 0;
}

/* The bit of a name of n bytes; 0 when there is none. */
static uint32_t group_bit(const char *name, size_t n)
{
	for (unsigned g = 0; g < KT_NGROUPS; g++)
		if (strlen(group_names[g]) == n && strncmp(group_names[g], name, n) == 0)
			return 1u << g;
	if (n == 3 && strncmp(name, "all", 3) == 0)
		return all_groups;
	return 0;
}

/* "size=…": rounded down to a power of two. */
static bool parse_size(const char *s, size_t n, size_t *out)
{
	const char *end;
	uint64_t v;

	if (n < 6 || strncmp(s, "size=", 5) != 0 || !str_to_size(s + 5, &end, &v) || end != s + n)
		return false;
	if (v < MIN_BYTES || v > MAX_BYTES)
		return false;
	*out = 1ul << (63 - __builtin_clzll(v));
	return true;
}

/* One item of the list. `plain`: a plain name has been seen, which begins a new set. */
static bool parse_item(const char *s, size_t n, uint32_t *groups, bool *plain, size_t *bytes)
{
	char sign = *s;
	uint32_t bit;

	if (parse_size(s, n, bytes))
		return true;
	if (n == 4 && strncmp(s, "none", 4) == 0) {
		*groups = 0;
		*plain = true;
		return true;
	}
	if (sign == '+' || sign == '-')
		s++, n--;
	bit = group_bit(s, n);
	if (!bit)
		return false;
	if (sign == '-') {
		*groups &= ~bit;
	} else {
		if (sign != '+' && !*plain) {
			*groups = flight_groups;
			*plain = true;
		}
		*groups |= bit;
	}
	return true;
}

static int parse_list(const char *list, uint32_t *groups, size_t *bytes)
{
	bool plain = false;

	while (*list) {
		const char *end = list;

		while (*end && *end != ',' && *end != '\n')
			end++;
		if (end > list && !parse_item(list, (size_t)(end - list), groups, &plain, bytes)) {
			log_warn("ktrace: no group \"%.*s\"", (int)(end - list), list);
			return -EINVAL;
		}
		list = *end ? end + 1 : end;
	}
	return 0;
}

int ktrace_set_groups(const char *list)
{
	uint32_t groups = atomic_load(&ktrace_groups) & all_groups;
	size_t bytes = ring_bytes;
	unsigned cpu;
	int err = parse_list(list, &groups, &bytes);

	if (err)
		return err;
	ring_bytes = bytes;
	if (wants_large(groups))
		for_each_cpu (cpu)
			if (use_large_ring(cpu))
				err = -ENOMEM;
	atomic_fetch_and(&ktrace_groups, groups | ~(KTRACE_HOOK - 1u));
	atomic_fetch_or(&ktrace_groups, groups);
	return err;
}

void ktrace_hook_add(int n)
{
	atomic_fetch_add(&ktrace_groups, (uint32_t)n * KTRACE_HOOK);
}

void ktrace_init(void)
{
	char list[128];
	uint32_t groups = flight_groups;
	size_t bytes = ring_bytes;

	if (cmdline_get_list("ktrace", list, sizeof(list)) && !parse_list(list, &groups, &bytes))
		ring_bytes = bytes;
	else
		groups = flight_groups;
	use_flight_ring(cpu_id());
	atomic_store(&ktrace_groups, groups);
}

void ktrace_format_groups(char *buf, size_t size)
{
	uint32_t groups = atomic_load(&ktrace_groups);
	struct textbuf t = { buf, size ? size - 1 : 0, 0 };

	for (unsigned g = 0; g < KT_NGROUPS; g++)
		if (groups >> g & 1)
			text_f(&t, "%s%s", t.len ? "," : "", group_names[g]);
	if (size)
		buf[MIN(t.len, t.size)] = '\0';
}

/*
 * What a dump contains: fixed when its first byte is read. Guarded by the rule "one reader at a
 * time".
 */
static struct {
	struct ktrace_dump_header head;
	struct ktrace_dump_cpu cpu[MAX_CPUS];
	struct {
		const struct ring *ring;
		uint64_t first, last; /* slot numbers; last exclusive */
		uint64_t pos;         /* bytes of the dump before its records */
	} src[MAX_CPUS];
	uint64_t end; /* bytes of the dump */
} dump;

static uint32_t events_crc(void)
{
	static struct crc32_table table;
	static uint32_t crc;

	if (!crc) {
		crc32_table_init(&table, CRC32_IEEE);
		crc = ~crc32_update(&table, ~0u, events_text, sizeof(events_text) - 1);
	}
	return crc;
}

static void snapshot_cpu(unsigned cpu)
{
	const struct ring *r = ring_of(cpu);
	unsigned i = dump.head.ncpus;
	uint64_t next;

	if (!r)
		return;
	next = atomic_load_explicit((_Atomic uint64_t *)&r->next, memory_order_acquire);
	dump.src[i].ring = r;
	dump.src[i].last = next;
	dump.src[i].first = next > r->mask + 1 ? next - (r->mask + 1) : 0;
	dump.cpu[i] = (struct ktrace_dump_cpu){
		.cpu = cpu,
		.records = next - dump.src[i].first,
		.lost = dump.src[i].first,
	};
	dump.head.ncpus++;
}

static void snapshot(void)
{
	uint64_t pos;

	dump.head = (struct ktrace_dump_header){
		.magic = "KTRACE\r\n",
		.version = KTRACE_VERSION,
		.record_bytes = sizeof(struct ktrace_record),
		.groups = atomic_load(&ktrace_groups) & all_groups,
		.events_crc = events_crc(),
		.time = (uint64_t)clock_mono(),
		.real_offset = (uint64_t)(clock_real() - clock_mono()),
		.counter_hz = arch_counter_hz(),
	};
	for (unsigned cpu = 0; cpu < ncpus; cpu++)
		snapshot_cpu(cpu);
	pos = sizeof(dump.head) + dump.head.ncpus * sizeof(dump.cpu[0]);
	dump.head.header_bytes = (uint32_t)pos;
	for (unsigned i = 0; i < dump.head.ncpus; i++) {
		dump.src[i].pos = pos;
		pos += dump.cpu[i].records * sizeof(struct ktrace_record);
	}
	dump.end = pos;
}

/* Record number n of ring i, or KTRACE_LOST when a writer may have been at it. */
static void copy_record(unsigned i, uint64_t n, struct ktrace_record *out)
{
	const struct ring *r = dump.src[i].ring;
	uint64_t next;

	*out = r->slot[n & r->mask];
	out->time = (uint64_t)clock_from_counter(out->time);
	atomic_thread_fence(memory_order_acquire);
	next = atomic_load_explicit((_Atomic uint64_t *)&r->next, memory_order_relaxed);
	if (next > n + r->mask + 1) /* slot n was reserved again, as number n + mask + 1 */
		*out = (struct ktrace_record){ .time = out->time, .event = KTRACE_LOST };
}

static size_t copy_part(void *buf, size_t n, const void *src, size_t size, uint64_t offset)
{
	size_t k = MIN(n, size - (size_t)offset);

	memcpy(buf, (const uint8_t *)src + offset, k);
	return k;
}

/* Copies from one piece of the dump: header, table of CPUs, or one record. */
static size_t copy_piece(uint64_t pos, void *buf, size_t n)
{
	const size_t head = sizeof(dump.head), table = dump.head.ncpus * sizeof(dump.cpu[0]);
	struct ktrace_record r;
	unsigned i = dump.head.ncpus;

	if (pos < head)
		return copy_part(buf, n, &dump.head, head, pos);
	if (pos < head + table)
		return copy_part(buf, n, dump.cpu, table, pos - head);
	while (pos < dump.src[--i].pos)
		;
	pos -= dump.src[i].pos;
	copy_record(i, dump.src[i].first + pos / sizeof(r), &r);
	return copy_part(buf, n, &r, sizeof(r), pos % sizeof(r));
}

size_t ktrace_dump_read(uint64_t pos, void *buf, size_t n)
{
	size_t done = 0;

	if (pos == 0)
		snapshot();
	while (done < n && pos < dump.end) {
		size_t k = copy_piece(pos, (uint8_t *)buf + done, n - done);

		done += k;
		pos += k;
	}
	return done;
}

static void print_record(const struct ktrace_record *r)
{
	uint64_t time = (uint64_t)clock_from_counter(r->time);
	char line[160];
	struct textbuf t = { line, sizeof(line) - 1, 0 };
	const struct event_desc *d = r->event < EV_COUNT ? &events[r->event] : NULL;

	text_f(&t, "%u %llu.%06llu %u %s", r->cpu, (unsigned long long)(time / 1000000000),
	       (unsigned long long)(time / 1000 % 1000000), r->tid, d ? d->name : "data");
	for (unsigned i = 0; d && i < KTRACE_ARGS && d->field[i].name; i++)
		text_f(&t, " %s=%llx", d->field[i].name, (unsigned long long)r->arg[i]);
	line[MIN(t.len, t.size)] = '\0';
	log_f(LOG_EMERG, "%s", line);
}

void ktrace_print_last(unsigned n)
{
	for (unsigned cpu = 0; cpu < ncpus; cpu++) {
		const struct ring *r = ring_of(cpu);
		uint64_t next, first;

		if (!r)
			continue;
		next = atomic_load((_Atomic uint64_t *)&r->next);
		first = next > n ? next - n : 0;
		if (next > r->mask + 1 && first < next - (r->mask + 1))
			first = next - (r->mask + 1);
		log_f(LOG_EMERG, "ktrace, CPU %u: the last %llu of %llu records", cpu,
		      (unsigned long long)(next - first), (unsigned long long)next);
		for (uint64_t i = first; i < next; i++)
			print_record(&r->slot[i & r->mask]);
	}
}
