/*
 * The C library's memory and string functions.
 *
 * Compilers call memcpy, memmove, memset and memcmp by themselves, so they must exist, and must not
 * be compiled into calls of themselves: the compiler barrier in each loop keeps the idiom
 * recognisers away. Bulk work goes in 64-byte steps of eight 8-byte words, because under emulation
 * every instruction counts the same. Unaligned words are read through a packed type, which both
 * ports load in one instruction. The bulk functions are weak: a port that has something better (not
 * REP strings under emulation) defines its own. Helpers that are not the C library's: strutil.c.
 */
#include "lib/string.h"

/* Names in parentheses below: string.h has macros of these names, which must not expand there. */

struct word {
	uint64_t v;
} PACKED __attribute__((may_alias));

/* No loop with it is a copy, a fill or a search to the compiler; no instruction comes of it. */
#define NO_IDIOM() atomic_signal_fence(memory_order_seq_cst)

static inline uint64_t load(const void *p)
{
	return ((const struct word *)p)->v;
}

static inline void store(void *p, uint64_t v)
{
	((struct word *)p)->v = v;
}

WEAK void *(memcpy)(void *restrict dst, const void *restrict src, size_t n)
{
	char *d = dst;
	const char *s = src;

	for (; n >= 64; n -= 64, d += 64, s += 64) {
		uint64_t a = load(s), b = load(s + 8), c = load(s + 16), e = load(s + 24);

		NO_IDIOM();
		store(d, a);
		store(d + 8, b);
		store(d + 16, c);
		store(d + 24, e);
		a = load(s + 32), b = load(s + 40), c = load(s + 48), e = load(s + 56);
		store(d + 32, a);
		store(d + 40, b);
		store(d + 48, c);
		store(d + 56, e);
	}
	for (; n >= 8; n -= 8, d += 8, s += 8) {
		NO_IDIOM();
		store(d, load(s));
	}
	if (n && d - (char *)dst >= 8) { /* the rest by a word that overlaps what is copied */
		store(d + n - 8, load(s + n - 8));
		return dst;
	}
	for (; n; n--) {
		NO_IDIOM();
		*d++ = *s++;
	}
	return dst;
}

/* From the end: for overlaps where dst lies after src. */
static void copy_backwards(char *d, const char *s, size_t n)
{
	while (n >= 8) {
		NO_IDIOM();
		n -= 8;
		store(d + n, load(s + n));
	}
	while (n) {
		NO_IDIOM();
		n--;
		d[n] = s[n];
	}
}

/*
 * memcpy's order (ascending, each group loaded before it is stored) is safe for dst below src at
 * any distance only word by word, so overlapping moves have their own loops.
 */
WEAK void *(memmove)(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if ((uintptr_t)d - (uintptr_t)s >= n && (uintptr_t)s - (uintptr_t)d >= n)
		return memcpy(dst, src, n);
	if (d > s) {
		copy_backwards(d, s, n);
		return dst;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8) {
		NO_IDIOM();
		store(d, load(s));
	}
	for (; n; n--) {
		NO_IDIOM();
		*d++ = *s++;
	}
	return dst;
}

WEAK void *(memset)(void *dst, int c, size_t n)
{
	char *d = dst;
	uint64_t v = (uint8_t)c * 0x0101010101010101ull;

	for (; n >= 64; n -= 64, d += 64) {
		NO_IDIOM();
		store(d, v);
		store(d + 8, v);
		store(d + 16, v);
		store(d + 24, v);
		store(d + 32, v);
		store(d + 40, v);
		store(d + 48, v);
		store(d + 56, v);
	}
	for (; n >= 8; n -= 8, d += 8) {
		NO_IDIOM();
		store(d, v);
	}
	if (n && d - (char *)dst >= 8) {
		store(d + n - 8, v);
		return dst;
	}
	for (; n; n--) {
		NO_IDIOM();
		*d++ = (char)c;
	}
	return dst;
}

int(memcmp)(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n >= 8 && load(x) == load(y); n -= 8)
		x += 8, y += 8;
	for (; n; n--, x++, y++) {
		NO_IDIOM();
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const uint8_t *p = s;

	for (; n; n--, p++)
		if (*p == (uint8_t)c)
			return (void *)p;
	return NULL;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n]) {
		NO_IDIOM();
		n++;
	}
	return n;
}

/* Byte by byte: kernel strings are short, and a wider read could touch the next page. */
size_t(strlen)(const char *s)
{
	const char *p = s;

	while (*p) {
		NO_IDIOM();
		p++;
	}
	return (size_t)(p - s);
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--)
		a++, b++;
	return n ? (uint8_t)*a - (uint8_t)*b : 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)last;
	}
}

char *strstr(const char *hay, const char *needle)
{
	size_t n = strlen(needle);

	for (;; hay++) {
		if (strncmp(hay, needle, n) == 0)
			return (char *)hay;
		if (!*hay)
			return NULL;
	}
}
