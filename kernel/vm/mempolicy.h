#pragma once

/*
 * Memory policies of a machine with one node: every page is on node 0, so a policy decides nothing;
 * it is checked, kept and told. One word says it all: the mode in bits 0 … 2, its MPOL_F_ flags
 * where they are in the system call, and from bit 16 on the nodes that get_mempolicy(2) tells
 * (nodes above 47, which only a mask kept by STATIC or RELATIVE can name, are forgotten). 0 is
 * MPOL_DEFAULT.
 */

#include "abi/mempolicy.h"
#include "lib/types.h"

struct vmspace;

enum { MEMPOLICY_NODES_SHIFT = 16, MEMPOLICY_NODES_KEPT = 48 };

static inline unsigned mempolicy_mode(uint64_t policy)
{
	return policy & 7;
}
static inline int mempolicy_mode_and_flags(uint64_t policy)
{
	return policy & 0xffff;
}
static inline uint64_t mempolicy_nodes(uint64_t policy)
{
	return policy >> MEMPOLICY_NODES_SHIFT;
}

/*
 * The policy of [start, start+len), page aligned, in user space.
 *   returns      0; -EFAULT a hole (with MPOL_DEFAULT: nothing there at all); -ENOMEM; -EINTR
 * killed on error     nothing has changed context      takes vs->lock for writing; may sleep source
 * mbind(2), Linux's behaviour
 */
MUST_CHECK int vm_set_mempolicy(struct vmspace *vs, uint64_t start, uint64_t len, uint64_t policy);

/* The policy of the mapping at addr; -EFAULT: there is none. */
MUST_CHECK int vm_get_mempolicy(struct vmspace *vs, uint64_t addr, uint64_t *policy);

/* The node of the page at addr, as move_pages(2) tells it: 0; -ENOENT not in memory, or not
 * to be touched (PROT_NONE); -EFAULT no mapping, untouched anonymous memory, or the page of zeroes.
 */
int vm_page_node(struct vmspace *vs, uint64_t addr);

/* Whether the mappings of the range have policies that a home node goes with. 0; -EOPNOTSUPP;
 * -ENOENT none has one. */
MUST_CHECK int vm_check_home_node(struct vmspace *vs, uint64_t start, uint64_t len);
