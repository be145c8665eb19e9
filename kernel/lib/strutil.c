/*
 * String helpers that the C library has not: bounded copy and numbers. Apart from string.c, so that
 * a host test can link them beside the host's own C library.
 */
#include "lib/string.h"

#include "abi/errno.h"
#include "lib/checked.h"

ssize64_t strscpy(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(src, size);

	if (n < size) {
		memcpy(dst, src, n + 1);
		return (ssize64_t)n;
	}
	if (size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = '\0';
	}
	return -E2BIG;
}

bool str_starts(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

/* The value of c as a digit, 36 when it is none. */
static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? (unsigned)(c - 'a' + 10) : 36;
}

bool str_to_u64(const char *s, const char **end, uint64_t *out)
{
	unsigned base = 10;
	uint64_t v = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit(s[2]) < 16) {
		base = 16;
		s += 2;
	} else if (s[0] == '0') {
		base = 8;
	}
	if (digit(*s) >= base)
		return false;
	for (; digit(*s) < base; s++)
		if (mul_overflows(v, base, &v) || add_overflows(v, digit(*s), &v))
			return false;
	if (end)
		*end = s;
	*out = v;
	return true;
}

/* log2 of a size suffix, 0 when c is none. */
static unsigned suffix_shift(char c)
{
	switch (c) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	case 'T':
	case 't':
		return 40;
	default:
		return 0;
	}
}

bool str_to_size(const char *s, const char **end, uint64_t *out)
{
	const char *p;
	uint64_t v;
	unsigned shift;

	if (!str_to_u64(s, &p, &v))
		return false;
	shift = suffix_shift(*p);
	if (shift) {
		if (v >> (64 - shift))
			return false;
		v <<= shift;
		p++;
	}
	if (end)
		*end = p;
	*out = v;
	return true;
}
