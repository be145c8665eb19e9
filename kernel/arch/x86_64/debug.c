/*
 * Debug registers: four addresses and DR7, which says what of each is watched, as ptrace(2) sets
 * them for a thread that stands still. They are in the CPU while that thread runs, loaded by the
 * switch to it; DR7 is off otherwise. What hit is in DR6, of which the thread keeps its last.
 *
 * Only user addresses can be watched. A copy of the kernel's that hits one is noted, and no signal.
 *
 * Source: SDM vol. 3B 17.2, 17.3.1; ptrace(2) PTRACE_POKEUSER.
 */

#include "abi/errno.h"
#include <arch/ptrace.h>
#include "arch/x86_64/x86_priv.h"
#include "lib/string.h"

enum { NREGS = 4, TYPE_EXEC = 0, TYPE_WRITE = 1, TYPE_IO = 2 };

struct debug_regs {
	uint64_t addr[NREGS];
	uint64_t control; /* DR7 as the debugger wrote it */
};

static PERCPU(bool, is_loaded);

static void write_dr7(uint64_t v)
{
	__asm__ volatile("mov %0, %%dr7" : : "r"(v) : "memory");
}

static void load(const struct debug_regs *d)
{
	__asm__ volatile("mov %0, %%dr0" : : "r"(d->addr[0]));
	__asm__ volatile("mov %0, %%dr1" : : "r"(d->addr[1]));
	__asm__ volatile("mov %0, %%dr2" : : "r"(d->addr[2]));
	__asm__ volatile("mov %0, %%dr3" : : "r"(d->addr[3]));
	write_dr7(d->control | DR7_CLEAR);
}

void debug_switch(const struct arch_thread *next)
{
	bool on = next->extra & EXTRA_DEBUG;

	if (this_cpu(is_loaded))
		write_dr7(DR7_CLEAR);
	if (on)
		load(next->debug);
	this_cpu(is_loaded) = on;
}

void debug_free(struct arch_thread *a)
{
	if (a->debug)
		x86_free(a->debug);
	a->debug = NULL;
	a->extra = 0;
}

void debug_exec(struct arch_thread *a)
{
	if (!a->debug)
		return;
	memset(a->debug, 0, sizeof(*a->debug));
	a->extra &= ~(uint32_t)EXTRA_DEBUG;
	debug_switch(a);
}

uint64_t debug_taken(void)
{
	uint64_t dr6;

	__asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
	__asm__ volatile("mov %0, %%dr6" : : "r"((uint64_t)DR6_CLEAR));
	dr6 &= DR6_STEP | DR6_HITS;
	thread_head(arch_curthread())->arch.dr6 = dr6;
	return dr6;
}

static unsigned slot_control(uint64_t control, unsigned i)
{
	return control >> (16 + 4 * i) & 0xf;
}

static bool slot_is_on(uint64_t control, unsigned i)
{
	return control >> 2 * i & 3;
}

bool debug_is_exec(uint64_t dr6)
{
	const struct debug_regs *d = thread_head(arch_curthread())->arch.debug;

	if (!d)
		return false;
	for (unsigned i = 0; i < NREGS; i++)
		if (dr6 >> i & 1 && (slot_control(d->control, i) & 3) == TYPE_EXEC)
			return true;
	return false;
}

/* What is switched on can be: a length of 1, 2, 8 or 4 bytes (in this order), aligned. */
static bool is_sound(const struct debug_regs *d)
{
	static const uint8_t align[] = { 0, 1, 7, 3 };

	for (unsigned i = 0; i < NREGS; i++) {
		unsigned type = slot_control(d->control, i) & 3,
			 len = slot_control(d->control, i) >> 2;

		if (!slot_is_on(d->control, i))
			continue;
		if (type == TYPE_IO || (type == TYPE_EXEC && len != 0))
			return false;
		if (d->addr[i] & align[len] || d->addr[i] >= USER_END)
			return false;
	}
	return true;
}

static struct debug_regs *regs_of(struct arch_thread *a)
{
	if (!a->debug && (a->debug = x86_alloc(sizeof(*a->debug))))
		memset(a->debug, 0, sizeof(*a->debug));
	return a->debug;
}

uint64_t debug_get(const struct arch_thread *a, unsigned i)
{
	if (i == 6)
		return a->dr6;
	if (!a->debug)
		return 0;
	return i < NREGS ? a->debug->addr[i] : i == 7 ? a->debug->control : 0;
}

int debug_set(struct arch_thread *a, unsigned i, uint64_t v)
{
	struct debug_regs next, *d;

	if (i == 4 || i == 5)
		return -EIO;
	if (i == 6) {
		a->dr6 = v;
		return 0;
	}
	d = regs_of(a);
	if (!d)
		return -ENOMEM;
	next = *d;
	if (i < NREGS)
		next.addr[i] = v;
	else
		next.control = v & ~DR7_FIXED;
	if (!is_sound(&next) || (i < NREGS && v >= USER_END))
		return -EINVAL;
	*d = next;
	a->extra &= ~(uint32_t)EXTRA_DEBUG;
	if (d->control & 0xff)
		a->extra |= EXTRA_DEBUG;
	return 0;
}
