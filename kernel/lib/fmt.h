#pragma once

/*
 * printf-style formatting: %d %i %u %x %X %o %c %s %p %% with flags "-0+ #", width, precision (also
 * *) and the lengths hh h l ll z t j. No floating point, no %n.
 */

#include "lib/types.h"

/*
 * As vsnprintf(3): never writes more than size bytes, always terminates; returns the untruncated
 * length.
 */
size_t fmt_v(char *buf, size_t size, const char *f, va_list ap) PRINTF(3, 0);
size_t fmt(char *buf, size_t size, const char *f, ...) PRINTF(3, 4);

/* A growing text in a buffer of fixed size: what /proc files are written with. */
struct textbuf {
	char *buf;
	size_t size; /* capacity, bytes */
	size_t len;  /* wanted so far; > size: overflowed, and the caller retries with a larger
			buffer */
};

void text_f(struct textbuf *t, const char *f, ...) PRINTF(2, 3);
void text_c(struct textbuf *t, char c);
void text_n(struct textbuf *t, const char *s, size_t n);
/* "%*lu" without a format to read, for files of many numbers. width: at most 24. */
void text_u(struct textbuf *t, uint64_t v, size_t width);
