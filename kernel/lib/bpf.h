#pragma once

/*
 * Classic BPF: programs that look at a packet, or at the arguments of a system call, and say one
 * number. Pure: what they look at comes through a vtable.
 *   source       McCanne and Jacobson, "The BSD Packet Filter" (1993); "Linux Socket Filtering";
 *                seccomp(2)
 */

#include "abi/bpf.h"
#include "lib/types.h"

/* What a program runs on. */
struct bpf_input {
	/* size (1, 2, 4) bytes at `offset`, as a number in network order (packets) or as the memory
	 * has it (seccomp). False: out of range, the program ends with 0. */
	bool (*load)(const struct bpf_input *in, uint32_t offset, unsigned size, uint32_t *out);
	/* The loads at SKF_AD_OFF + what, SKF_NET_OFF and SKF_LL_OFF; NULL: there are none. */
	bool (*special)(const struct bpf_input *in, int32_t offset, unsigned size, uint32_t *out);
	uint32_t len; /* of the packet */
};

enum bpf_kind { BPF_PACKET, BPF_SECCOMP };

/*
 * Whether a program may be run: known instructions, jumps forward and inside, memory words inside,
 * no memory word read before it is written on every way to it, no division by a constant 0, a
 * return at the end; for seccomp, only loads of whole aligned words of its 64 bytes. written
 * scratch, n words returns      true; false: -EINVAL for the user
 */
MUST_CHECK bool bpf_check(const struct abi_sock_filter *f, unsigned n, enum bpf_kind kind,
			  uint16_t *written);

/* Runs a checked program. Bounded by its length, for it jumps only forward. */
uint32_t bpf_run(const struct abi_sock_filter *f, const struct bpf_input *in);
