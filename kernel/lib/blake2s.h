#pragma once

/* BLAKE2s-256, optionally keyed: the hash of the entropy pool. source: RFC 7693 */

#include "lib/types.h"

enum { BLAKE2S_OUT = 32, BLAKE2S_BLOCK = 64 };

struct blake2s {
	uint32_t h[8];
	uint64_t count; /* bytes hashed */
	uint32_t have;  /* bytes in buf */
	uint8_t buf[BLAKE2S_BLOCK];
};

void blake2s_init(struct blake2s *b, const void *key, size_t keylen); /* keylen <= 32; 0: unkeyed */
void blake2s_update(struct blake2s *b, const void *p, size_t n);
void blake2s_final(struct blake2s *b, uint8_t out[BLAKE2S_OUT]); /* b is spent */
