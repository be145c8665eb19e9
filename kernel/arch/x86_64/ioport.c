/*
 * I/O ports in user mode. IOPL stays 0, so user mode never gets the interrupt flag: what a thread
 * may use is said by the map in the TSS of the CPU it runs on, a bit per port, set: fault. The map
 * is copied there when the thread is switched to, unless it is there still; a CPU whose thread has
 * none leaves it where it is and puts it out of force.
 *
 * A thread's own map is shared after a fork until one of the two changes it. `version` names what
 * it says: no two maps that differ, at whatever time, have the same.
 *
 * Source: SDM vol. 1 19.5; ioperm(2), iopl(2).
 */

#include <arch/io.h>
#include <arch/usercopy.h>

#include "abi/errno.h"
#include "arch/x86_64/x86_priv.h"
#include "core/ref.h"
#include "lib/string.h"

struct io_ports {
	struct ref ref;
	uint64_t version;
	uint8_t map[IO_MAP_BYTES]; /* its owner changes it, while it is the only one */
};

enum { VERSION_NONE, VERSION_ALL, VERSION_FIRST };

static PERCPU(uint64_t, io_version); /* what the map in the TSS says */
static _Atomic uint64_t next_version = VERSION_FIRST;

void *(*x86_alloc)(size_t bytes);
void (*x86_free)(void *);

void arch_io_set_alloc(void *(*alloc)(size_t bytes), void (*free)(void *))
{
	x86_alloc = alloc;
	x86_free = free;
}

void io_switch(const struct arch_thread *next)
{
	bool all = (next->extra & IO_LEVEL_MASK) == 3;
	uint64_t version = all ? VERSION_ALL : next->ports ? next->ports->version : VERSION_NONE;

	desc_io_map_enable(version != VERSION_NONE);
	if (version == VERSION_NONE || version == this_cpu(io_version))
		return;
	if (all)
		memset(desc_io_map(), 0, IO_MAP_BYTES);
	else
		memcpy(desc_io_map(), next->ports->map, IO_MAP_BYTES);
	this_cpu(io_version) = version;
}

void io_fork(struct arch_thread *child, const struct arch_thread *parent)
{
	child->extra = parent->extra & EXTRA_IO;
	child->ports = parent->ports;
	if (child->ports)
		ref_get(&child->ports->ref);
}

void io_free(struct arch_thread *a)
{
	if (a->ports && ref_put(&a->ports->ref))
		x86_free(a->ports);
	a->ports = NULL;
	a->extra &= ~(uint32_t)EXTRA_IO;
}

static struct arch_thread *current(void)
{
	return &thread_head(arch_curthread())->arch;
}

static void io_set(struct arch_thread *a, struct io_ports *ports, unsigned level)
{
	irqstate_t s = arch_irq_save();

	a->ports = ports;
	a->extra = (a->extra & ~(uint32_t)EXTRA_IO) | level | (ports ? IO_PORTS : 0);
	io_switch(a);
	arch_irq_restore(s);
}

static void map_set(uint8_t *map, unsigned from, unsigned num, bool allow)
{
	for (unsigned port = from; port < from + num; port++) {
		uint8_t bit = (uint8_t)(1u << port % 8);

		if (allow)
			map[port / 8] &= (uint8_t)~bit;
		else
			map[port / 8] |= bit;
	}
}

/* A map with the same contents that nobody else sees, or NULL. */
static struct io_ports *ports_own(struct io_ports *old)
{
	struct io_ports *p;

	if (old && ref_count(&old->ref) == 1)
		return old;
	p = x86_alloc(sizeof(*p));
	if (!p)
		return NULL;
	ref_init(&p->ref);
	if (old)
		memcpy(p->map, old->map, sizeof(p->map));
	else
		memset(p->map, 0xff, sizeof(p->map));
	return p;
}

int arch_ioperm(unsigned from, unsigned num, bool allow)
{
	struct arch_thread *a = current();
	struct io_ports *old = a->ports, *p;

	if (!old && !allow)
		return 0;
	p = ports_own(old);
	if (!p)
		return -ENOMEM;
	map_set(p->map, from, num, allow);
	p->version = atomic_fetch_add(&next_version, 1);
	io_set(a, p, a->extra & IO_LEVEL_MASK);
	if (old && old != p && ref_put(&old->ref))
		x86_free(old);
	return 0;
}

unsigned arch_iopl(void)
{
	return current()->extra & IO_LEVEL_MASK;
}

void arch_iopl_set(unsigned level)
{
	struct arch_thread *a = current();

	io_set(a, a->ports, level & IO_LEVEL_MASK);
}

/* CLI and STI of a thread that asked for iopl(3) fault, and do nothing: as on Linux since 5.5. */
bool io_skips_interrupt_flag(struct regs *r)
{
	enum { CLI = 0xfa, STI = 0xfb };
	uint8_t op;

	if (arch_iopl() != 3 || arch_copy_from_user(&op, UADDR(r->rip), 1) ||
	    (op != CLI && op != STI))
		return false;
	regs_set_pc(r, r->rip + 1);
	return true;
}
