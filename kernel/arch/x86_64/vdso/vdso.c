/*
 * The vDSO: clock_gettime and its relatives without entering the kernel. Linked as a shared object
 * at 0, mapped anywhere; the kernel maps the page with struct vdso_data read-only just before it.
 * No relocations, no writable data, nothing called from outside.
 *
 * Source: vdso(7); core/vdso_data.h for the arithmetic, which core/clock.c does alike.
 */

#include "abi/time.h"
#include "core/vdso_data.h"

#define EXPORT __attribute__((visibility("default")))

enum { NR_gettimeofday = 96, NR_time = 201, NR_clock_gettime = 228, NR_clock_getres = 229 };
#define NSEC 1000000000ul

/* The linker script puts it one page before the image. Hidden, or it would be looked for in other
 * objects. */
#pragma GCC visibility push(hidden)
extern const struct vdso_data vdso_data;
#pragma GCC visibility pop

int __vdso_clock_gettime(int clock, struct abi_timespec *ts);
int __vdso_gettimeofday(struct abi_timeval *tv, struct abi_timezone *tz);
int64_t __vdso_time(int64_t *t);
int __vdso_clock_getres(int clock, struct abi_timespec *res);
int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);

static inline long syscall2(long nr, long a, long b)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return ret;
}

static inline uint64_t read_tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

struct now {
	uint64_t mono, real_offset, coarse;
	uint32_t tai;
};

/* 0: the kernel has not started its clock. */
static inline int read_clock(struct now *n)
{
	const struct vdso_data *d = &vdso_data;
	uint32_t seq;

	do {
		uint64_t tsc, base;

		while ((seq = atomic_load_explicit(&d->seq, memory_order_acquire)) & 1)
			__asm__ volatile("pause");
		if (!d->mult)
			return 0;
		tsc = read_tsc();
		base = d->counter_base;
		tsc = tsc > base ? tsc - base : 0;
		n->mono = d->mono_base + (uint64_t)((unsigned __int128)tsc * d->mult >> d->shift);
		n->coarse = d->coarse_valid ? d->coarse_mono : n->mono;
		n->real_offset = d->real_offset;
		n->tai = d->tai_offset;
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load_explicit(&d->seq, memory_order_relaxed) != seq);
	return 1;
}

#define CLOCKS                                                                               \
	(1u << CLOCK_REALTIME | 1u << CLOCK_MONOTONIC | 1u << CLOCK_MONOTONIC_RAW |          \
	 1u << CLOCK_REALTIME_COARSE | 1u << CLOCK_MONOTONIC_COARSE | 1u << CLOCK_BOOTTIME | \
	 1u << CLOCK_TAI)

/* Nanoseconds on `clock`; 0: not ours. */
static inline int clock_ns(int clock, uint64_t *ns)
{
	struct now n;

	if ((unsigned)clock > CLOCK_TAI || !(CLOCKS >> clock & 1))
		return 0;
	if (!read_clock(&n))
		return 0;
	switch (clock) {
	case CLOCK_REALTIME:
		*ns = n.mono + n.real_offset;
		return 1;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		*ns = n.mono;
		return 1;
	case CLOCK_REALTIME_COARSE:
		*ns = n.coarse + n.real_offset;
		return 1;
	case CLOCK_MONOTONIC_COARSE:
		*ns = n.coarse;
		return 1;
	case CLOCK_TAI:
		*ns = n.mono + n.real_offset + n.tai * NSEC;
		return 1;
	default:
		return 0;
	}
}

EXPORT int __vdso_clock_gettime(int clock, struct abi_timespec *ts)
{
	uint64_t ns;

	if (!clock_ns(clock, &ns))
		return (int)syscall2(NR_clock_gettime, clock, (long)ts);
	ts->tv_sec = (int64_t)(ns / NSEC);
	ts->tv_nsec = (int64_t)(ns % NSEC);
	return 0;
}

EXPORT int __vdso_gettimeofday(struct abi_timeval *tv, struct abi_timezone *tz)
{
	uint64_t ns;

	if (tz || !clock_ns(CLOCK_REALTIME, &ns)) /* the zone is the kernel's to know */
		return (int)syscall2(NR_gettimeofday, (long)tv, (long)tz);
	if (tv) {
		tv->tv_sec = (int64_t)(ns / NSEC);
		tv->tv_usec = (int64_t)(ns % NSEC / 1000);
	}
	return 0;
}

EXPORT int64_t __vdso_time(int64_t *t)
{
	uint64_t ns;
	int64_t s;

	if (!clock_ns(CLOCK_REALTIME_COARSE, &ns))
		return syscall2(NR_time, (long)t, 0);
	s = (int64_t)(ns / NSEC);
	if (t)
		*t = s;
	return s;
}

/* What clock_getres(2) answers is the kernel's to say; programs do not ask often. */
EXPORT int __vdso_clock_getres(int clock, struct abi_timespec *res)
{
	return (int)syscall2(NR_clock_getres, clock, (long)res);
}

/* The limit of segment 0x7b is node << 12 | cpu: kernel/arch/x86_64/desc.c. */
EXPORT int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	unsigned v;

	(void)unused;
	__asm__("lsl %1, %0" : "=r"(v) : "r"(0x7bu));
	if (cpu)
		*cpu = v & 0xfff;
	if (node)
		*node = v >> 12;
	return 0;
}

/* The names without prefix, which Linux's vDSO has too. */
#define ALIAS(name) __attribute__((weak, alias("__vdso_" name), visibility("default")))
int clock_gettime(int clock, struct abi_timespec *ts) ALIAS("clock_gettime");
int gettimeofday(struct abi_timeval *tv, struct abi_timezone *tz) ALIAS("gettimeofday");
int64_t time(int64_t *t) ALIAS("time");
int clock_getres(int clock, struct abi_timespec *res) ALIAS("clock_getres");
int getcpu(unsigned *cpu, unsigned *node, void *unused) ALIAS("getcpu");
