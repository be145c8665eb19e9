/*
 * What the PVH loader says (hvm_start_info, Xen docs/misc/pvh, public/arch-x86/hvm/start_info.h:
 * the layout is part of the boot protocol): memory map, command line, first module = initrd, RSDP.
 * Everything is copied into the image here, since the originals lie in memory that becomes free.
 */

#include <arch/upcall.h>

#include "arch/x86_64/bootmap.h"
#include "arch/x86_64/x86_priv.h"
#include "lib/string.h"

enum {
	START_MAGIC = 0x336ec578,
	MEMMAP_RAM = 1,
	CMDLINE_BYTES = 4096,
};
#define BOOT_MAPPED (4ul << 30) /* what boot.S maps */

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr;
	/* version 1 */
	uint64_t memmap_paddr;
	uint32_t memmap_entries, reserved;
};

struct module {
	uint64_t paddr, size, cmdline_paddr, reserved;
};

struct memmap_entry {
	uint64_t addr, size;
	uint32_t type, reserved;
};

struct boot_info boot_info;
paddr_t boot_rsdp, boot_trampoline;

static INIT_DATA char cmdline[CMDLINE_BYTES];
static INIT_DATA struct boot_range raw_map[BOOT_MAX_RANGES];

/* NULL unless [pa, pa + n) is in the boot map. */
INIT_TEXT static const void *boot_data(paddr_t pa, size_t n)
{
	return pa && pa < BOOT_MAPPED && n <= BOOT_MAPPED - pa ? phys_to_virt(pa) : NULL;
}

INIT_TEXT static unsigned read_memmap(const struct start_info *si)
{
	const struct memmap_entry *e = NULL;
	unsigned n = 0;

	if (si && si->version >= 1)
		e = boot_data(si->memmap_paddr, si->memmap_entries * sizeof(*e));
	for (unsigned i = 0; e && i < si->memmap_entries && n < BOOT_MAX_RANGES; i++) {
		uint64_t end;

		if (!e[i].size || __builtin_add_overflow(e[i].addr, e[i].size, &end))
			continue;
		raw_map[n++] = (struct boot_range){ e[i].addr, end, e[i].type == MEMMAP_RAM };
	}
	if (n == 0) { /* a loader without a map: what any PC that boots us has */
		raw_map[n++] = (struct boot_range){ 0, 0x9f000, true };
		raw_map[n++] = (struct boot_range){ 0x100000, 0x1000000, true };
	}
	return n;
}

INIT_TEXT static void read_cmdline(const struct start_info *si)
{
	const char *p = si ? boot_data(si->cmdline_paddr, 1) : NULL;

	for (unsigned i = 0; p && i < CMDLINE_BYTES - 1 && p[i]; i++)
		cmdline[i] = p[i];
	boot_info.cmdline = cmdline;
}

INIT_TEXT static void read_modules(const struct start_info *si)
{
	const struct module *m = NULL;

	if (si && si->nr_modules)
		m = boot_data(si->modlist_paddr, sizeof(*m));
	if (m && m->size) {
		boot_info.initrd_start = m->paddr;
		boot_info.initrd_end = m->paddr + m->size;
	}
}

INIT_TEXT static void read_start_info(paddr_t pa)
{
	const struct start_info *si = boot_data(pa, sizeof(*si));

	if (si && si->magic != START_MAGIC)
		si = NULL;
	read_cmdline(si);
	read_modules(si);
	bootmap_build(&boot_info, raw_map, read_memmap(si));
	boot_rsdp = si ? si->rsdp_paddr : 0;
	boot_info.kernel_start = virt_to_phys(__image_start);
	boot_info.kernel_end = virt_to_phys(__image_end);
	bootmap_reserve(&boot_info, 0, PAGE_SIZE); /* BIOS data area; and 0 means "no page" */
	boot_trampoline = bootmap_find_page(&boot_info, PAGE_SIZE, 0xa0000);
	if (boot_trampoline)
		bootmap_reserve(&boot_info, boot_trampoline, boot_trampoline + PAGE_SIZE);
}

/* First C code: GS and the boot stack are set, interrupts are off, no trap can be handled yet. */
void x86_start(paddr_t start_info)
{
	percpu_save_template();
	this_cpu(cpu_area).percpu_offset = 0;
	read_start_info(start_info);
	kernel_main();
}

static uint8_t ist_stacks[IST_COUNT * IST_SIZE] ALIGNED(16);

INIT_TEXT void arch_early_init(void)
{
	cpu_detect();
	cpu_patch_smap();
	extable_init();
	idt_init();
	fpu_detect();
	cpu_bring_up(ist_stacks);
}
