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

enum { NR_gettimeofday = 96, NR_clock_gettime = 228, NR_clock_getres = 229 };
#define NSEC 1000000000ul

/* The linker script puts it one page before the image. Hidden, or it would be looked for in other
 * objects; not const, since the kernel changes it. */
#pragma GCC visibility push(hidden)
extern struct vdso_data vdso_data;
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

static inline uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* What CLOCK_REALTIME is ahead of CLOCK_MONOTONIC, when that reads mono. */
static inline uint64_t real_offset(const struct vdso_data *d, uint64_t mono)
{
	int64_t slew = __atomic_load_n(&d->slew, __ATOMIC_RELAXED);
	uint64_t offset = load(&d->real_offset);

	if (__builtin_expect(slew != 0, 0))
		offset += (uint64_t)((__int128)(int64_t)(mono - load(&d->slew_base)) * slew >> 32);
	return offset;
}

#define BIT(clock) (1u << (clock))
#define EXACT_CLOCKS \
	(REAL_CLOCKS | BIT(CLOCK_MONOTONIC) | BIT(CLOCK_MONOTONIC_RAW) | BIT(CLOCK_BOOTTIME))
#define REAL_CLOCKS (BIT(CLOCK_REALTIME) | BIT(CLOCK_TAI))

/* Nanoseconds on the exact clock of this bit. */
static inline __attribute__((always_inline)) uint64_t exact_ns(uint32_t clock_bit)
{
	const struct vdso_data *d = &vdso_data;
	uint64_t ticks, ns;
	uint32_t seq;

	do {
		while (__builtin_expect(
			(seq = atomic_load_explicit(&d->seq, memory_order_acquire)) & 1, 0))
			__asm__ volatile("pause");
		ticks = read_tsc() - load(&d->counter_base);
		ns = (uint64_t)((unsigned __int128)ticks * load(&d->mult) >> CLOCK_SHIFT) +
		     load(&d->mono_base);
		if (clock_bit & REAL_CLOCKS)
			ns += real_offset(d, ns);
		if (clock_bit & BIT(CLOCK_TAI))
			ns += __atomic_load_n(&d->tai_offset, __ATOMIC_RELAXED) * NSEC;
		atomic_thread_fence(memory_order_acquire);
	} while (__builtin_expect(atomic_load_explicit(&d->seq, memory_order_relaxed) != seq, 0));
	return ns;
}

/* CLOCK_MONOTONIC_COARSE, or CLOCK_REALTIME_COARSE: rounded as the kernel does. */
static uint64_t coarse_ns(int is_real)
{
	uint64_t ns = exact_ns(BIT(CLOCK_MONOTONIC));

	ns -= ns % CLOCK_COARSE_NS;
	return is_real ? ns + real_offset(&vdso_data, ns) : ns;
}

static inline int put_timespec(struct abi_timespec *ts, uint64_t ns)
{
	ts->tv_sec = (int64_t)(ns / NSEC);
	ts->tv_nsec = (int64_t)(ns % NSEC);
	return 0;
}

static __attribute__((noinline)) int other_clock(int clock, struct abi_timespec *ts)
{
	if ((unsigned)clock <= CLOCK_TAI && EXACT_CLOCKS >> clock & 1)
		return put_timespec(ts, exact_ns(BIT(clock)));
	if (clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE)
		return put_timespec(ts, coarse_ns(clock == CLOCK_REALTIME_COARSE));
	return (int)syscall2(NR_clock_gettime, clock, (long)ts);
}

EXPORT int __vdso_clock_gettime(int clock, struct abi_timespec *ts)
{
	/* A third of the instructions would be to tell one clock from another: the two that are
	 * asked for all the time have code of their own. */
	if (__builtin_expect(clock == CLOCK_MONOTONIC, 1))
		return put_timespec(ts, exact_ns(BIT(CLOCK_MONOTONIC)));
	if (__builtin_expect(clock == CLOCK_REALTIME, 1))
		return put_timespec(ts, exact_ns(BIT(CLOCK_REALTIME)));
	return other_clock(clock, ts);
}

EXPORT int __vdso_gettimeofday(struct abi_timeval *tv, struct abi_timezone *tz)
{
	uint64_t ns;

	if (tz) /* the zone is the kernel's to know */
		return (int)syscall2(NR_gettimeofday, (long)tv, (long)tz);
	if (tv) {
		ns = exact_ns(BIT(CLOCK_REALTIME));
		tv->tv_sec = (int64_t)(ns / NSEC);
		tv->tv_usec = (int64_t)(ns % NSEC / 1000);
	}
	return 0;
}

EXPORT int64_t __vdso_time(int64_t *t)
{
	int64_t s = (int64_t)(coarse_ns(1) / NSEC);

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
