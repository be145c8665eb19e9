#include "sys/syscalls.h"

/*
 * get_mempolicy(2), set_mempolicy(2), mbind(2), migrate_pages(2), move_pages(2),
 * set_mempolicy_home_node(2), for the one node that there is: what asks for memory there is
 * fulfilled, what asks for another node is refused as Linux does where it has only node 0.
 */

#include <arch/upcall.h>

#include "abi/capability.h"
#include "abi/errno.h"
#include "lib/string.h"
#include "proc/task.h"
#include "vfs/cred.h"
#include "vm/mempolicy.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

/* Node masks have room for so many, as with Linux's distribution kernels. */
enum { MAX_NODES = 1024, WORD_BITS = 64, MAX_MASK_BITS = PAGE_SIZE * 8 };
enum { MODE_FLAGS = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING };

/* A node mask: node 0 is all that matters, besides what is kept to be told again. */
struct nodes {
	uint64_t low; /* nodes 0 … 63 */
	bool any;
};

/* Word i of a mask of `bits` bits. */
static int get_word(uaddr_t mask, uint64_t i, uint64_t bits, uint64_t *out)
{
	int err = get_user_u64(out, UADDR(mask.a + i * sizeof(uint64_t)));

	if (!err && bits - i * WORD_BITS < WORD_BITS)
		*out &= (1ull << (bits - i * WORD_BITS)) - 1;
	return err;
}

/* The mask of a system call; maxnode is one more than the bits that count. */
static int get_nodes(uaddr_t mask, uint64_t maxnode, struct nodes *out)
{
	uint64_t bits = maxnode - 1, word;
	int err;

	*out = (struct nodes){ 0 };
	if (bits == 0 || uaddr_is_null(mask))
		return 0;
	if (bits > MAX_MASK_BITS)
		return -EINVAL;
	for (uint64_t i = 0; i * WORD_BITS < bits; i++) {
		if ((err = get_word(mask, i, bits, &word)))
			return err;
		if (word && i * WORD_BITS >= MAX_NODES)
			return -EINVAL;
		if (i == 0)
			out->low = word;
		out->any = out->any || word;
	}
	return 0;
}

static int put_nodes(uaddr_t mask, uint64_t maxnode, uint64_t nodes)
{
	uint64_t bytes = ALIGN_UP(maxnode - 1, (uint64_t)WORD_BITS) / 8;
	int err;

	if (bytes > MAX_NODES / 8) {
		if (bytes > PAGE_SIZE)
			return -EINVAL;
		if ((err = clear_user(UADDR(mask.a + MAX_NODES / 8), bytes - MAX_NODES / 8)))
			return err;
		bytes = MAX_NODES / 8;
	}
	if (bytes == 0)
		return 0;
	if ((err = put_user_u64(mask, nodes)))
		return err;
	return clear_user(UADDR(mask.a + sizeof(nodes)), bytes - sizeof(nodes));
}

/* What mode, with its flags, and nodes make. -EINVAL: not on this machine, or never. */
static int make_policy(uint32_t mode, struct nodes n, uint64_t *out)
{
	bool keeps = mode & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES);
	uint64_t nodes = 1, flags = mode & MODE_FLAGS;

	mode &= ~(uint32_t)MODE_FLAGS;
	if (mode > MPOL_PREFERRED_MANY ||
	    (flags & MPOL_F_STATIC_NODES && flags & MPOL_F_RELATIVE_NODES) ||
	    (flags & MPOL_F_NUMA_BALANCING && mode != MPOL_BIND))
		return -EINVAL;
	if (mode == MPOL_DEFAULT) {
		*out = 0;
		return n.any ? -EINVAL : 0;
	}
	if (mode == MPOL_LOCAL || (mode == MPOL_PREFERRED && !n.any)) {
		*out = MPOL_LOCAL;
		return n.any || keeps ? -EINVAL : 0;
	}
	/* relative: the nth of the allowed nodes, counted round and round: node 0 */
	if (!n.any || (!(flags & MPOL_F_RELATIVE_NODES) && !(n.low & 1)))
		return -EINVAL;
	if (keeps)
		nodes = n.low & ((1ull << MEMPOLICY_NODES_KEPT) - 1);
	*out = mode | flags | nodes << MEMPOLICY_NODES_SHIFT;
	return 0;
}

int64_t sys_set_mempolicy(uint64_t mode, uaddr_t nodemask, uint64_t maxnode)
{
	struct nodes n;
	uint64_t policy;
	int err;

	if ((err = get_nodes(nodemask, maxnode, &n)) ||
	    (err = make_policy((uint32_t)mode, n, &policy)))
		return err;
	curtask()->mempolicy = policy;
	return 0;
}

/* What `mode` is to say. -EINVAL: the question makes no sense. */
static int asked(uint64_t addr, uint64_t flags, uint64_t *policy, int *mode)
{
	struct vmspace *vs = curthread()->vmspace;
	int err;

	if (flags & MPOL_F_ADDR) {
		err = vm_get_mempolicy(vs, addr, policy);
		if (!err && flags & MPOL_F_NODE) {
			*mode = 0;
			return vm_fault_in(vs, addr, 0);
		}
		*mode = mempolicy_mode_and_flags(*policy);
		return err;
	}
	*policy = curtask()->mempolicy;
	*mode = mempolicy_mode_and_flags(*policy);
	if (addr)
		return -EINVAL;
	if (flags & MPOL_F_NODE) {
		if (mempolicy_mode(*policy) != MPOL_INTERLEAVE)
			return -EINVAL;
		*mode = 0; /* the next one's turn */
	}
	return 0;
}

int64_t sys_get_mempolicy(uaddr_t mode, uaddr_t nodemask, uint64_t maxnode, uint64_t addr,
			  uint64_t flags)
{
	uint64_t policy = 0, nodes = 1;
	int m = 0, err;

	if (!uaddr_is_null(nodemask) && maxnode == 0)
		return -EINVAL;
	if (flags & ~(uint64_t)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		if (flags != MPOL_F_MEMS_ALLOWED)
			return -EINVAL;
	} else {
		if ((err = asked(addr, flags, &policy, &m)))
			return err;
		nodes = mempolicy_nodes(policy);
	}
	if (!uaddr_is_null(mode) && (err = put_user_u32(mode, (uint32_t)m)))
		return err;
	return uaddr_is_null(nodemask) ? 0 : put_nodes(nodemask, maxnode, nodes);
}

int64_t sys_mbind(uint64_t addr, uint64_t len, uint64_t mode, uaddr_t nodemask, uint64_t maxnode,
		  uint64_t flags)
{
	uint64_t policy, size = page_round_up(len);
	struct nodes n;
	int err;

	if ((err = get_nodes(nodemask, maxnode, &n)))
		return err;
	if (flags & ~(uint64_t)(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if (flags & MPOL_MF_MOVE_ALL && !capable(CAP_SYS_NICE))
		return -EPERM;
	if (addr & PAGE_MASK || addr + size < addr)
		return -EINVAL;
	if (size == 0)
		return 0;
	if ((err = make_policy((uint32_t)mode, n, &policy)))
		return err;
	if (!user_range_ok(UADDR(addr), size))
		return -EFAULT;
	return vm_set_mempolicy(curthread()->vmspace, addr, size, policy);
}

int64_t sys_set_mempolicy_home_node(uint64_t start, uint64_t len, uint64_t home_node,
				    uint32_t flags)
{
	uint64_t size = page_round_up(len);

	if (start & PAGE_MASK || flags || home_node != 0 || start + size < start)
		return -EINVAL;
	if (size == 0)
		return 0;
	return vm_check_home_node(curthread()->vmspace, start, size);
}

/* --- other processes' pages --- */

/* The address space of pid (0: the caller's), counted. -ESRCH, -EPERM; -EINVAL: it has none. */
static int get_space(int32_t pid, struct vmspace **out)
{
	struct task *t;
	int err;

	if (pid == 0) {
		vmspace_get(*out = curthread()->vmspace);
		return 0;
	}
	if (pid < 0 || !(t = task_lookup((uint32_t)pid)))
		return -ESRCH;
	err = task_may_access(t, ACCESS_READ);
	if (!err && !(*out = task_get_vmspace(t)))
		err = -EINVAL;
	task_put(t);
	return err;
}

int64_t sys_migrate_pages(int32_t pid, uint64_t maxnode, uaddr_t old_nodes, uaddr_t new_nodes)
{
	struct nodes from, to;
	struct vmspace *vs;
	int err;

	if ((err = get_nodes(old_nodes, maxnode, &from)) ||
	    (err = get_nodes(new_nodes, maxnode, &to)) || (err = get_space(pid, &vs)))
		return err;
	vmspace_put(vs);
	if (to.any && to.low != 1 && !capable(CAP_SYS_NICE))
		return -EPERM;
	return to.low & 1 ? 0 : -EINVAL; /* no page was elsewhere, and all are there now */
}

static int move_page(struct vmspace *vs, uint64_t i, uaddr_t pages, uaddr_t nodes, uaddr_t status)
{
	uint32_t node = 0;
	uint64_t addr;
	int err;

	if ((err = get_user_u64(&addr, UADDR(pages.a + i * sizeof(uint64_t)))))
		return err;
	if (!uaddr_is_null(nodes) &&
	    (err = get_user_u32(&node, UADDR(nodes.a + i * sizeof(uint32_t)))))
		return err;
	if (node != 0)
		return -ENODEV;
	return put_user_u32(UADDR(status.a + i * sizeof(uint32_t)),
			    (uint32_t)vm_page_node(vs, addr));
}

int64_t sys_move_pages(int32_t pid, uint64_t count, uaddr_t pages, uaddr_t nodes, uaddr_t status,
		       uint64_t flags)
{
	struct vmspace *vs;
	int err;

	if (flags & ~(uint64_t)(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if (flags & MPOL_MF_MOVE_ALL && !capable(CAP_SYS_NICE))
		return -EPERM;
	if ((err = get_space(pid, &vs)))
		return err;
	for (uint64_t i = 0; i < count && !err; i++) {
		err = move_page(vs, i, pages, nodes, status);
		thread_resched_point();
		if (!err && fatal_signal_pending())
			err = -EINTR;
	}
	vmspace_put(vs);
	return err;
}
