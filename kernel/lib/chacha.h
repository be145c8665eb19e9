#pragma once

/* The ChaCha20 block function. source: RFC 8439 2.3 */

#include "lib/types.h"

enum { CHACHA_KEY = 32, CHACHA_BLOCK = 64 };

struct chacha {
	uint32_t s[16]; /* constants, key, block counter, nonce */
};

void chacha_init(struct chacha *c, const uint8_t key[CHACHA_KEY], const uint8_t nonce[12],
		 uint32_t counter);

/* Writes the next n bytes of key stream; whole blocks are consumed. */
void chacha_stream(struct chacha *c, void *out, size_t n);
