#pragma once

/*
 * Kernel random numbers: ChaCha20 with fast key erasure (Bernstein 2017), one generator per CPU,
 * re-keyed from a pool that hashes every source of entropy: RDSEED/RDRAND, the counter at
 * interrupts, boot data.
 */

#include "lib/types.h"

void random_init(void);
void random_bytes(void *buf, size_t n); /* any context */
uint64_t random_u64(void);
void random_add_entropy(const void *p, size_t n); /* any context; credits nothing */
bool random_is_ready(void);
