#pragma once

/* What the boot protocol handed over, in the port's own words. */

#include "lib/types.h"

enum { BOOT_MAX_RANGES = 64 };

struct boot_range {
	paddr_t start, end; /* bytes; end exclusive */
	bool usable;        /* RAM; else reserved, ACPI, … */
};

struct boot_info {
	unsigned nranges;
	struct boot_range range[BOOT_MAX_RANGES]; /* sorted, disjoint */
	paddr_t kernel_start, kernel_end;
	paddr_t initrd_start, initrd_end; /* equal: none */
	const char *cmdline;
};

/*
 * Filled by the port's entry code before kernel_main(). Ranges are whole pages. The kernel image
 * and the initrd lie inside usable ranges; the pages that the port keeps for itself do not (page 0,
 * the start-up code of the other CPUs). cmdline is a copy inside the image, valid until
 * arch_free_init().
 */
extern struct boot_info boot_info;

/* Early port set-up on the boot CPU: CPU features, descriptor tables, traps. First call of
 * kernel_main(). */
void arch_early_init(void);

/*
 * Maps all RAM (the direct map; until now it covers the first 4 GiB, writable) and the kernel image
 * by section: text read-only, the rest not executable, guard pages out. alloc    a zeroed physical
 * page below 4 GiB, or 0 (which panics: nothing can run without)
 */
void arch_map_memory(paddr_t (*alloc)(void));

/* Interrupt controllers, ACPI tables, timer calibration: after the allocators work and
 * arch_cpus_init(). */
void arch_devices_init(void);

/* Gives the memory of the start-up code and data back; their addresses are dead afterwards. Once,
 * after arch_cpus_start(), by pmm_free_boot_range. */
void arch_free_init(void (*free)(paddr_t start, paddr_t end));

/* A polled serial port for `earlycon` and panic, owned by the port; NULL when there is none. Any
 * time. */
struct log_sink;
struct log_sink *arch_earlycon(void);

/* The nth virtio device in memory space that the firmware names; false: no more. After
 * arch_devices_init(). */
bool arch_virtio_mmio(unsigned n, paddr_t *address, uint64_t *bytes, unsigned *gsi);

/* Wall clock from the battery clock, ns since 1970; 0 when there is none. */
nsec_t arch_rtc_read(void);
void arch_rtc_write(nsec_t real);

NORETURN void arch_poweroff(void);
NORETURN void arch_reboot(void);
