/*
 * Time. CLOCK_MONOTONIC is a linear function of the port's counter, fixed once at boot:
 * (counter - counter_base) * mult >> 32, in 128 bits, so it neither overflows nor steps and needs
 * no lock. The wall clock is that plus real_offset, one word, unless it is being slewed: then a
 * linear term comes in, and readers need the sequence counter. All of it lives in the page that the
 * vDSO reads.
 *
 * An idle kernel does not tick, hence no clock is refreshed by ticks: clock_coarse() is the exact
 * clock rounded down to 4 ms, which is all that CLOCK_*_COARSE promises.
 */
#include "core/clock.h"

#include <arch/cpu.h>
#include <arch/page.h>

#include "core/spinlock.h"
#include "core/vdso_data.h"

enum { INVERSE_SHIFT = 48 };

/* Alone in its page: user space sees all of it. */
static union {
	struct vdso_data d;
	uint8_t page[PAGE_SIZE];
} vdso_page ALIGNED(PAGE_SIZE);

static struct spinlock clock_lock = SPINLOCK(CLOCK);
static uint64_t inverse; /* counter ticks per ns, times 2^48; immutable after clock_init() */

void (*clock_was_set)(void);

static inline uint64_t scale(uint64_t x, uint64_t mult, unsigned shift)
{
	return (uint64_t)((unsigned __int128)x * mult >> shift);
}

static inline uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void store(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

nsec_t clock_from_counter(uint64_t counter)
{
	const struct vdso_data *d = &vdso_page.d;

	if ((int64_t)(counter - d->counter_base) < 0)
		return (nsec_t)d->mono_base;
	return (nsec_t)(d->mono_base + scale(counter - d->counter_base, d->mult, CLOCK_SHIFT));
}

uint64_t clock_to_counter(nsec_t mono)
{
	const struct vdso_data *d = &vdso_page.d;
	uint64_t c;
	nsec_t missing;

	if (mono <= (nsec_t)d->mono_base)
		return d->counter_base;
	c = d->counter_base + scale((uint64_t)mono - d->mono_base, inverse, INVERSE_SHIFT);
	missing = mono - clock_from_counter(c); /* mult and inverse are rounded, by parts in 10^9 */
	return missing > 0 ? c + scale((uint64_t)missing, inverse, INVERSE_SHIFT) + 1 : c;
}

/* 0 before clock_init(), since mult is. */
nsec_t clock_mono(void)
{
	return clock_from_counter(arch_counter());
}

/* What slewing has added since slew_base. */
static nsec_t slewed(const struct vdso_data *d, nsec_t mono)
{
	return (nsec_t)((__int128)(mono - (nsec_t)d->slew_base) * d->slew >> 32);
}

static NOINLINE nsec_t offset_while_slewing(void)
{
	const struct vdso_data *d = &vdso_page.d;
	nsec_t offset;
	uint32_t seq;

	do {
		while ((seq = atomic_load_explicit(&d->seq, memory_order_acquire)) & 1)
			arch_pause();
		offset = (nsec_t)d->real_offset + slewed(d, clock_mono());
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load_explicit(&d->seq, memory_order_relaxed) != seq);
	return offset;
}

nsec_t clock_real_offset(void)
{
	if (UNLIKELY(__atomic_load_n(&vdso_page.d.slew, __ATOMIC_RELAXED) != 0))
		return offset_while_slewing();
	return (nsec_t)load(&vdso_page.d.real_offset);
}

nsec_t clock_real(void)
{
	return clock_mono() + clock_real_offset();
}

nsec_t clock_tai(void)
{
	return clock_real() + clock_tai_offset() * NSEC_PER_SEC;
}

nsec_t clock_coarse(void)
{
	nsec_t now = clock_mono();

	return now - now % CLOCK_COARSE_NS;
}

int clock_tai_offset(void)
{
	return (int)__atomic_load_n(&vdso_page.d.tai_offset, __ATOMIC_RELAXED);
}

/* Readers of the vDSO retry while seq is odd or has changed. */
static irqstate_t write_begin(void) NO_TSA
{
	irqstate_t s = spin_lock_irq(&clock_lock);
	struct vdso_data *d = &vdso_page.d;

	atomic_store_explicit(&d->seq, d->seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	return s;
}

static void write_end(irqstate_t s) NO_TSA
{
	struct vdso_data *d = &vdso_page.d;

	atomic_store_explicit(&d->seq, d->seq + 1, memory_order_release);
	spin_unlock_irq(&clock_lock, s);
}

void clock_set_tai_offset(int s)
{
	irqstate_t irq = write_begin();

	__atomic_store_n(&vdso_page.d.tai_offset, (uint32_t)s, __ATOMIC_RELAXED);
	write_end(irq);
}

void clock_set_real(nsec_t now)
{
	irqstate_t irq = write_begin();
	struct vdso_data *d = &vdso_page.d;

	store(&d->slew_base, (uint64_t)clock_mono());
	store(&d->real_offset, (uint64_t)now - d->slew_base);
	write_end(irq);
	if (clock_was_set)
		clock_was_set();
}

void clock_set_slew(int64_t slew)
{
	irqstate_t irq = write_begin();
	struct vdso_data *d = &vdso_page.d;
	nsec_t mono = clock_mono();

	store(&d->real_offset, d->real_offset + (uint64_t)slewed(d, mono));
	store(&d->slew_base, (uint64_t)mono);
	__atomic_store_n(&d->slew, slew, __ATOMIC_RELAXED);
	write_end(irq);
}

/* (a << 48) / b for b below 2^32, in three digits: 128-bit division is a library function. */
static uint64_t shifted_quotient(uint64_t a, uint64_t b)
{
	uint64_t rest = (a % b) << 24;

	return (a / b) << INVERSE_SHIFT | (rest / b) << 24 | ((rest % b) << 24) / b;
}

void clock_init(uint64_t counter_hz, nsec_t real_now)
{
	irqstate_t irq = write_begin();
	struct vdso_data *d = &vdso_page.d;

	d->counter_base = arch_counter();
	d->mult = ((uint64_t)NSEC_PER_SEC << CLOCK_SHIFT) / counter_hz;
	d->mono_base = 0;
	store(&d->real_offset, (uint64_t)real_now);
	inverse = shifted_quotient(counter_hz, (uint64_t)NSEC_PER_SEC);
	write_end(irq);
}

void clock_delay(nsec_t ns)
{
	nsec_t end = clock_mono() + ns;

	while (clock_mono() < end)
		arch_pause();
}

struct vdso_data *clock_vdso_data(void)
{
	return &vdso_page.d;
}

paddr_t clock_vdso_data_paddr(void)
{
	return virt_to_phys(&vdso_page);
}
