#pragma once

/* SipHash-2-4: a keyed hash whose output an attacker without the key cannot predict. */

#include "lib/types.h"

struct siphash_key {
	uint64_t k[2];
};

/*
 *   source       Aumasson and Bernstein, SipHash: a fast short-input PRF (2012)
 */
uint64_t siphash(const struct siphash_key *key, const void *p, size_t n);
