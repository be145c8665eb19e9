#pragma once

/* The C library's memory and string functions, and bounded ones that say when they cut. */

#include "lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *hay, const char *needle);

/*
 * A freestanding compiler takes these for anybody's functions, and would call them to copy 8 bytes.
 */
#if !__STDC_HOSTED__
#define memcpy(d, s, n)  __builtin_memcpy(d, s, n)
#define memmove(d, s, n) __builtin_memmove(d, s, n)
#define memset(d, c, n)  __builtin_memset(d, c, n)
#define memcmp(a, b, n)  __builtin_memcmp(a, b, n)
#define strlen(s)        __builtin_strlen(s)
#endif

/*
 * Copies src with its NUL into dst of `size` bytes. Returns strlen(src), or -E2BIG when it was cut.
 */
ssize64_t strscpy(char *dst, const char *src, size_t size);

/* Zeroes secrets: the compiler cannot leave it out because nobody reads them again. */
static inline void mem_wipe(void *p, size_t n)
{
	volatile uint8_t *b = p;

	while (n--)
		*b++ = 0;
}

static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* True when s starts with prefix. */
bool str_starts(const char *s, const char *prefix);

/*
 * Parses an unsigned number: decimal, 0x hexadecimal or 0 octal.
 *   end      set to the first character that was not used; may be NULL
 *   returns  true and *out, false when there was no digit or the number overflowed
 */
MUST_CHECK bool str_to_u64(const char *s, const char **end, uint64_t *out);

/* As str_to_u64, with a K, M, G or T suffix (powers of 1024), as `mem=` has it. */
MUST_CHECK bool str_to_size(const char *s, const char **end, uint64_t *out);
