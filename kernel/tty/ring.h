#pragma once

/*
 * A byte ring of a power-of-two size in storage of the caller's. The positions run freely; their
 * difference is what the ring holds. One lock of the owner's guards all of it. Pure.
 */

#include "lib/string.h"
#include "lib/types.h"

struct ring {
	uint8_t *buf;
	uint32_t size;       /* bytes, power of two; 0: no storage */
	uint32_t head, tail; /* bytes ever put in and ever taken out */
};

static inline void ring_init(struct ring *r, uint8_t *buf, uint32_t size)
{
	*r = (struct ring){ .buf = buf, .size = size };
}

static inline uint32_t ring_used(const struct ring *r)
{
	return r->head - r->tail;
}

static inline uint32_t ring_space(const struct ring *r)
{
	return r->size - ring_used(r);
}

/* The contiguous room at the head, *n bytes of it, to be filled and then added to `head`. */
static inline uint8_t *ring_room(struct ring *r, uint32_t *n)
{
	uint32_t at = r->head & (r->size - 1), space = ring_space(r), to_end = r->size - at;

	*n = MIN(space, to_end);
	return r->buf + at;
}

/* The contiguous bytes at the tail, *n of them, to be used and then added to `tail`. */
static inline const uint8_t *ring_data(const struct ring *r, uint32_t *n)
{
	uint32_t at = r->tail & (r->size - 1), used = ring_used(r), to_end = r->size - at;

	*n = MIN(used, to_end);
	return r->buf + at;
}

/* Appends one byte, for which there is room. */
static inline void ring_put_byte(struct ring *r, uint8_t c)
{
	r->buf[r->head++ & (r->size - 1)] = c;
}

/* Appends as much of [p, p+n) as there is room for; returns how much. */
static inline uint32_t ring_put(struct ring *r, const uint8_t *p, uint32_t n)
{
	uint32_t done = 0, span;

	while (done < n) {
		uint8_t *to = ring_room(r, &span);

		if (span == 0)
			break;
		span = MIN(span, n - done);
		memcpy(to, p + done, span);
		r->head += span;
		done += span;
	}
	return done;
}
