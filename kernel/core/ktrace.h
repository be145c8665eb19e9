#pragma once

/*
 * ktrace: what the kernel did, as fixed-size records in lock-free rings, one per CPU. Events are
 * rows of core/ktrace_events.def: EVENT(name, GROUP, F(kind, field) …). Emitting costs one
 * predicted branch when the group is off. Groups sched, wait and signal always run (the flight
 * recorder); the others are switched by `ktrace=` and /proc/ktrace/enable. tools/ktrace-decode
 * reads the same .def.
 */

#include "lib/types.h"

enum ktrace_group {
	KT_SYSCALL,
	KT_SCHED,
	KT_WAIT,
	KT_SIGNAL,
	KT_MM,
	KT_PROC,
	KT_VFS,
	KT_NET,
	KT_NGROUPS
};

#define EVENT(name, ...) EV_##name,
enum ktrace_event {
#include "core/ktrace_events.def"
	EV_COUNT
};
#undef EVENT

enum { KTRACE_ARGS = 6 };

/* 64 bytes on every architecture, little endian: also the dump's format. */
struct ktrace_record {
	uint64_t time;  /* ns, CLOCK_MONOTONIC */
	uint16_t event; /* enum ktrace_event, or KTRACE_DATA… */
	uint8_t cpu;
	uint8_t len; /* for KTRACE_DATA_HEAD and KTRACE_DATA: bytes of data in arg[] */
	uint32_t tid;
	uint64_t arg[KTRACE_ARGS];
};
STATIC_ASSERT(sizeof(struct ktrace_record) == 64);
enum {
	KTRACE_DATA = 0xffff,      /* 48 bytes of data */
	KTRACE_DATA_HEAD = 0xfffe, /* three words, then 24 bytes of data */
	KTRACE_LOST = 0xfffd,      /* dump only: overwritten while it was read */
	KTRACE_BYTES_MAX = 240,
};

/* The dump begins with this header, then ncpus of the second, then the records. Little endian. */
struct ktrace_dump_header {
	char magic[8];         /* "KTRACE\r\n" */
	uint32_t version;      /* 1 */
	uint32_t header_bytes; /* this header and the per-CPU ones */
	uint32_t record_bytes; /* 64 */
	uint32_t ncpus;        /* rings in the dump */
	uint32_t groups;       /* on at the time of the dump */
	uint32_t events_crc;  /* CRC-32 of the event table's text: the decoder's must be the same */
	uint64_t time;        /* of the dump, ns, CLOCK_MONOTONIC */
	uint64_t real_offset; /* CLOCK_REALTIME - CLOCK_MONOTONIC, ns */
	uint64_t counter_hz;
	uint64_t reserved;
};
struct ktrace_dump_cpu {
	uint32_t cpu, reserved;
	uint64_t records; /* in the dump */
	uint64_t lost;    /* overwritten before */
};
enum { KTRACE_VERSION = 1 };

/* Bit per enum ktrace_group, and KTRACE_HOOK: others want to see system calls (ptrace, seccomp), so
 * that all are one look. */
extern _Atomic uint32_t ktrace_groups;
enum { KTRACE_HOOK = 1 << KT_NGROUPS }; /* and all above: a count, of up to 16 million */
void ktrace_hook_add(int n);            /* so many more, or fewer, want to; any context */

static inline bool ktrace_sees_syscalls(void)
{
	return UNLIKELY(atomic_load_explicit(&ktrace_groups, memory_order_relaxed) &
			(1u << KT_SYSCALL | ~(KTRACE_HOOK - 1u)));
}

static inline bool ktrace_on(enum ktrace_group g)
{
	return UNLIKELY(atomic_load_explicit(&ktrace_groups, memory_order_relaxed) & 1u << g);
}

/* Writes one record. Any context, no locks; the oldest record of this CPU is overwritten. */
void ktrace_emit(enum ktrace_event ev, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
		 uint64_t a4, uint64_t a5);

/*
 * Bytes that crossed the user boundary for the event before it: at most KTRACE_BYTES_MAX of them,
 * as one record KTRACE_DATA_HEAD (arg: user address, bytes that crossed, 1 = to user, then data)
 * and KTRACE_DATA records.
 */
void ktrace_bytes(uaddr_t addr, bool to_user, const void *p, size_t n);

#define ktrace(group, ev, a0, a1, a2, a3, a4, a5)                                                \
	(ktrace_on(group) ? ktrace_emit(EV_##ev, (uint64_t)(a0), (uint64_t)(a1), (uint64_t)(a2), \
					(uint64_t)(a3), (uint64_t)(a4), (uint64_t)(a5))          \
			  : (void)0)

void ktrace_init(void);                       /* reads `ktrace=`; allocates nothing */
MUST_CHECK int ktrace_init_cpu(unsigned cpu); /* -ENOMEM: this CPU does not trace */

/*
 * Sets the groups from a comma list: names ("syscall,mm": these and the flight recorder), "all",
 * "none" (not even the flight recorder), "+x", "-x"; "size=1M" sets the bytes per CPU of rings made
 * from then on.
 *   returns      0; -EINVAL unknown name, which is logged, and nothing has changed; -ENOMEM no ring
 *                for some CPU, which goes on with its small one
 *   context      kernel thread; one caller at a time
 */
MUST_CHECK int ktrace_set_groups(const char *list);
void ktrace_format_groups(char *buf, size_t size);

/*
 * Copies the dump (header, then each CPU's records, oldest first) from byte `pos`. Position 0 takes
 * a new snapshot of what the dump contains; there is one snapshot, so readers take turns.
 *   returns      bytes copied, 0 at the end
 *   context      kernel thread; one caller at a time
 */
size_t ktrace_dump_read(uint64_t pos, void *buf, size_t n);

/* Prints the last n records of every CPU to the log. For panic. */
void ktrace_print_last(unsigned n);

/* Where struct thread has the thread's id: set by sched before there is a thread. */
extern size_t ktrace_tid_offset;
uint32_t ktrace_current_tid(void); /* 0 before there are threads */

/*
 * Memory for the rings of groups that are not the flight recorder's; set by boot before
 * ktrace_init_cpu(). NULL from it: no memory. Rings are never freed. */
extern void *(*ktrace_alloc)(size_t bytes);
