/*
 * Descriptor tables: per CPU a GDT and a TSS (kernel stack for entries from user mode, four
 * interrupt stacks), and one IDT for all. There is no 32-bit code segment, so user code is always
 * 64-bit and CS and SS of user mode have one value each.
 *
 * Source: SDM vol. 3A 3.4.5, 6.14, 7.7.
 */

#include "arch/x86_64/x86_priv.h"

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* ist[0] is IST1 */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap;
	uint8_t io[IO_MAP_BYTES + 1]; /* the CPU reads two bytes: one more, of ones */
} PACKED;
STATIC_ASSERT(offsetof(struct tss, io) == 104);

struct cpu_desc {
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
} ALIGNED(16);
static PERCPU(struct cpu_desc, cpu_desc);

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};

struct table_ptr {
	uint16_t limit;
	uint64_t base;
} PACKED;

static struct gate idt[256] ALIGNED(16);

enum { GATE_INTERRUPT = 0x8e, GATE_DPL3 = 0x60, STUB_SIZE = 16 };

static void gate_set(unsigned vector, unsigned ist, unsigned dpl)
{
	uintptr_t at = (uintptr_t)trap_stubs + STUB_SIZE * vector;

	idt[vector] = (struct gate){
		.offset_low = (uint16_t)at,
		.selector = SEL_KERNEL_CS,
		.ist = (uint8_t)ist,
		.type = (uint8_t)(GATE_INTERRUPT | dpl),
		.offset_mid = (uint16_t)(at >> 16),
		.offset_high = (uint32_t)(at >> 32),
	};
}

/* INT3 and INTO are the user's; any other INT n is #GP. */
void idt_init(void)
{
	for (unsigned v = 0; v < ARRAY_SIZE(idt); v++)
		gate_set(v, 0, 0);
	gate_set(TRAP_BP, 0, GATE_DPL3);
	gate_set(TRAP_OF, 0, GATE_DPL3);
	gate_set(TRAP_NMI, IST_NMI, 0);
	gate_set(TRAP_DF, IST_DF, 0);
	gate_set(TRAP_MC, IST_MC, 0);
	gate_set(TRAP_DB, IST_DB, 0);
}

static void gdt_fill(struct cpu_desc *d)
{
	uint64_t tss = (uintptr_t)&d->tss, limit = sizeof(d->tss) - 1, cpu = arch_cpu_id();

	d->gdt[SEL_KERNEL_CS / 8] = 0x00af9b000000ffff;
	d->gdt[SEL_KERNEL_DS / 8] = 0x00cf93000000ffff;
	d->gdt[SEL_USER_DS / 8] = 0x00cff3000000ffff;
	d->gdt[SEL_USER_CS / 8] = 0x00affb000000ffff;
	d->gdt[SEL_TSS / 8] =
		limit | (tss & 0xffffff) << 16 | 0x89ul << 40 | (tss >> 24 & 0xff) << 56;
	d->gdt[SEL_TSS / 8 + 1] = tss >> 32;
	/* read-only data of the user whose limit is this CPU's number */
	d->gdt[SEL_CPU / 8] = (cpu & 0xffff) | (cpu >> 16 & 0xf) << 48 | 0x0040f10000000000;
}

void desc_load(void *stacks)
{
	struct cpu_desc *d = &this_cpu(cpu_desc);
	struct table_ptr gdtr = { sizeof(d->gdt) - 1, (uintptr_t)d->gdt };
	struct table_ptr idtr = { sizeof(idt) - 1, (uintptr_t)idt };
	uintptr_t area = (uintptr_t)&this_cpu(cpu_area);

	gdt_fill(d);
	d->tss.io[IO_MAP_BYTES] = 0xff;
	desc_io_map_enable(false);
	for (unsigned i = 0; i < IST_COUNT; i++) {
		uint64_t *top = (uint64_t *)((uintptr_t)stacks + (i + 1) * IST_SIZE - 16);

		*top = area; /* entry_paranoid loads its GS base from here */
		d->tss.ist[i] = (uintptr_t)top;
	}
	__asm__ volatile("lgdt %0; lidt %1" : : "m"(gdtr), "m"(idtr) : "memory");
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS) : "memory");
	/* No LDT: after reset there is one at linear address 0, which is the user's (SDM vol.
	 * 3A 10.1). */
	__asm__ volatile("lldt %w0" : : "r"(0));
	/* CS: the boot GDT, which has the same selector, is about to go; loading GS would clear its
	 * base. */
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
			 :
			 : "i"(SEL_KERNEL_CS)
			 : "rax", "memory");
	__asm__ volatile("movl %0, %%ss; movl %1, %%ds; movl %1, %%es"
			 :
			 : "r"(SEL_KERNEL_DS), "r"(0)
			 : "memory");
}

uint8_t *desc_io_map(void)
{
	return this_cpu(cpu_desc).tss.io;
}

/* A map that begins beyond the limit of the TSS is none: SDM vol. 1 19.5.2. */
void desc_io_map_enable(bool on)
{
	this_cpu(cpu_desc).tss.iomap = on ? offsetof(struct tss, io) : sizeof(struct tss);
}

void desc_set_kstack(uint64_t top)
{
	this_cpu(cpu_desc).tss.rsp[0] = top;
}
