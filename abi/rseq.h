/* rseq(2): restartable sequences. */
#pragma once

#include <stdint.h>

#define RSEQ_FLAG_UNREGISTER            (1 << 0)
#define RSEQ_CPU_ID_UNINITIALIZED       -1
#define RSEQ_CPU_ID_REGISTRATION_FAILED -2

/* The size and alignment of the first area, which every kernel accepts. */
#define RSEQ_ORIG_SIZE 32

struct abi_rseq {
	uint32_t cpu_id_start;
	uint32_t cpu_id;
	uint64_t rseq_cs; /* address of an abi_rseq_cs, or 0 */
	uint32_t flags;
	uint32_t node_id;
	uint32_t mm_cid;
	uint32_t __pad;
} __attribute__((aligned(32)));

struct abi_rseq_cs {
	uint32_t version;
	uint32_t flags;
	uint64_t start_ip;
	uint64_t post_commit_offset;
	uint64_t abort_ip;
} __attribute__((aligned(32)));
