/*
 * The counter's frequency, and the local APIC timer's. In order of trust:
 *
 *   CPUID 0x15            the TSC is a ratio of a crystal whose frequency is given
 *   CPUID 0x40000010      a hypervisor says it, in kHz
 *   pvclock (KVM)         a hypervisor's scale factor from TSC to nanoseconds
 *   measured              against the APIC timer where it is known to run at 1 GHz (QEMU's and
 * KVM's), the HPET, or channel 2 of the 8254
 *
 * A measurement reads (reference, TSC) pairs; the TSC is read before and after the reference, and
 * of several pairs the one with the smallest gap counts, so that an interruption by the host does
 * not. It ends as soon as the two gaps are below 100 ppm of the distance, after 2 ms at the latest.
 */

#include <arch/io.h>

#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/x86_priv.h"
#include "core/log.h"
#include "lib/string.h"

struct reference {
	const char *name;
	uint64_t hz;
	uint64_t mask; /* counter width; all references are made to count up */
	uint64_t (*read)(void);
};

struct sample {
	uint64_t ref, tsc, gap;
};

static uint64_t tsc_hz;

uint64_t arch_counter_hz(void)
{
	return tsc_hz;
}

void delay_us(unsigned us)
{
	uint64_t start = arch_counter(), ticks = us * (tsc_hz ? tsc_hz / 1000000 : 4000);

	while (arch_counter() - start < ticks)
		arch_pause();
}

/* ---- what the CPU or the hypervisor says ---- */

static uint64_t hz_from_cpuid(void)
{
	struct cpuid_regs r;

	if (x86_cpu.max_leaf < 0x15)
		return 0;
	r = cpuid(0x15, 0);
	return r.eax && r.ebx && r.ecx ? (uint64_t)r.ecx * r.ebx / r.eax : 0;
}

static uint64_t hz_from_hypervisor(void)
{
	if (!x86_cpu.hypervisor[0] || cpuid(0x40000000, 0).eax < 0x40000010)
		return 0;
	return cpuid(0x40000010, 0).eax * 1000ul;
}

/* The KVM paravirtual clock: its page gives ns = (tsc << shift) * mul >> 32. */
static uint64_t hz_from_pvclock(void)
{
	struct pvclock {
		uint32_t version, pad;
		uint64_t tsc, system_time;
		uint32_t mul;
		int8_t shift;
		uint8_t flags, pad2[2];
	};
	static struct pvclock page ALIGNED(64);
	uint32_t features;
	uint64_t hz;

	if (!str_starts(x86_cpu.hypervisor, "KVMKVMKVM"))
		return 0;
	features = cpuid(0x40000001, 0).eax;
	if (!(features & 1u << 3))
		return 0;
	wrmsr(0x4b564d01, virt_to_phys(&page) | 1);
	__asm__ volatile("" : : : "memory");
	hz = page.mul ? (1000000000ul << 32) / page.mul : 0;
	hz = page.shift < 0 ? hz << -page.shift : hz >> page.shift;
	wrmsr(0x4b564d01, 0);
	return hz;
}

/* ---- references ---- */

static uint64_t read_lapic(void)
{
	return UINT32_MAX - lapic_timer_count();
}

static bool lapic_is_1ghz(void)
{
	return str_starts(x86_cpu.hypervisor, "TCGTCGTCG") ||
	       str_starts(x86_cpu.hypervisor, "KVMKVMKVM");
}

static volatile uint32_t *hpet;

static uint64_t read_hpet(void)
{
	return hpet[0xf0 / 4];
}

/* HPET specification 1.0a 2.3: bits 63:32 of the capabilities are the period in fs; bit 0 of 0x10
 * enables. */
static uint64_t hpet_open(void)
{
	uint32_t period;

	if (!acpi()->has_hpet)
		return 0;
	hpet = window_map(acpi()->hpet_address, 0x400, PTE_READ | PTE_WRITE | PTE_NOCACHE);
	if (!hpet)
		return 0;
	period = hpet[1];
	if (period < 100000 || period > 100000000)
		return 0;
	hpet[0x10 / 4] |= 1;
	return 1000000000000000ul / period;
}

enum { PIT_HZ = 1193182, PIT_CH2 = 0x42, PIT_MODE = 0x43, PORT_B = 0x61 };

/* Latched, low byte first; the channel counts down from 0xffff. */
static uint64_t read_pit(void)
{
	uint8_t low;

	arch_outb(PIT_MODE, 0x80);
	low = arch_inb(PIT_CH2);
	return 0xffff - (uint64_t)(low | arch_inb(PIT_CH2) << 8);
}

/* Channel 2, mode 0, gate on, speaker off. False: it does not count. */
static bool pit_open(void)
{
	uint64_t before;

	arch_outb(PORT_B, (uint8_t)((arch_inb(PORT_B) & ~2) | 1));
	arch_outb(PIT_MODE, 0xb0);
	arch_outb(PIT_CH2, 0xff);
	arch_outb(PIT_CH2, 0xff);
	before = read_pit();
	delay_us(20);
	return read_pit() != before;
}

static bool reference_open(struct reference *ref)
{
	uint64_t hz;

	lapic_timer_free_run();
	if (lapic_is_1ghz()) {
		*ref = (struct reference){ "APIC timer", 1000000000, UINT32_MAX, read_lapic };
		return true;
	}
	if ((hz = hpet_open())) {
		*ref = (struct reference){ "HPET", hz, UINT32_MAX, read_hpet };
		return true;
	}
	if (pit_open()) {
		*ref = (struct reference){ "PIT", PIT_HZ, 0xffff, read_pit };
		return true;
	}
	return false;
}

/* ---- measuring ---- */

/* At an edge of the reference, since some tick slowly. */
static struct sample sample_once(uint64_t (*read)(void))
{
	uint64_t first = read(), before, ref, after;
	unsigned tries = 0;

	do {
		before = arch_counter();
		ref = read();
		after = arch_counter();
	} while (ref == first && ++tries < 10000);
	return (struct sample){ ref, before + (after - before) / 2, after - before };
}

static struct sample sample_best(uint64_t (*read)(void))
{
	struct sample best = sample_once(read);

	for (int i = 0; i < 4; i++) {
		struct sample s = sample_once(read);

		if (s.gap < best.gap)
			best = s;
	}
	return best;
}

/* TSC ticks per second, as seen by ref. */
static uint64_t measure(const struct reference *ref)
{
	struct sample a = sample_best(ref->read), b;
	uint64_t ticks, limit = ref->hz / 500, floor = ref->hz / 10000; /* 2 ms, 100 us */

	do {
		b = sample_best(ref->read);
		ticks = (b.ref - a.ref) & ref->mask;
	} while (ticks < floor || (ticks < limit && (a.gap + b.gap) * 10000 > b.tsc - a.tsc));
	return mul_div(b.tsc - a.tsc, ref->hz, ticks);
}

/* The APIC timer against the TSC, whose frequency is known by now. */
static uint64_t measure_lapic(void)
{
	struct sample a, b;

	if (lapic_is_1ghz())
		return 1000000000;
	a = sample_best(read_lapic);
	delay_us(500);
	b = sample_best(read_lapic);
	return mul_div((b.ref - a.ref) & UINT32_MAX, tsc_hz, b.tsc - a.tsc);
}

void tsc_calibrate(void)
{
	struct reference ref = { .name = "CPUID" };

	if (!(tsc_hz = hz_from_cpuid()) && !(tsc_hz = hz_from_hypervisor()) &&
	    !(tsc_hz = hz_from_pvclock())) {
		if (reference_open(&ref)) {
			tsc_hz = measure(&ref);
		} else {
			tsc_hz = 1000000000;
			ref.name = "a guess";
			log_warn("no clock to calibrate the TSC against: taking it for 1 GHz");
		}
	}
	lapic_timer_free_run();
	lapic_timer_setup(measure_lapic());
	log_info("TSC: %lu.%03lu MHz by %s", tsc_hz / 1000000, tsc_hz / 1000 % 1000, ref.name);
}

void arch_devices_init(void)
{
	acpi_init();
	lapic_init();
	lapic_init_cpu();
	ioapic_init();
	power_init();
	tsc_calibrate();
	lapic_timer_init_cpu();
}
