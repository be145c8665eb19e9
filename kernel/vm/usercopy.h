#pragma once

/* Copies between kernel and user memory: the only way. Every copy can be recorded by ktrace. */

#include <arch/page.h>
#include <arch/usercopy.h>

#include "abi/errno.h"
#include "lib/types.h"

/* 0, or -EFAULT (then dst may be partly written). May sleep. */
MUST_CHECK int copy_from_user(void *dst, uaddr_t src, size_t n);
MUST_CHECK int copy_to_user(uaddr_t dst, const void *src, size_t n);
MUST_CHECK int clear_user(uaddr_t dst, size_t n);

/* One 16-bit member of each of n structures of `size` bytes: `at` is its offset. What lies between
 * is not written. 0 or -EFAULT. */
MUST_CHECK int put_user_member16(uaddr_t dst, const void *src, size_t size, size_t at, size_t n);

/* A string of at most size-1 bytes with its NUL. Returns its length; -EFAULT; -ENAMETOOLONG. */
MUST_CHECK ssize64_t strncpy_from_user(char *dst, uaddr_t src, size_t size);

/*
 * Extensible structures (clone3, openat2, sched_setattr): copies the smaller of the two sizes and
 * zeroes the rest; -E2BIG when the user's surplus is not zero.
 */
MUST_CHECK int copy_struct_from_user(void *dst, size_t ksize, uaddr_t src, size_t usize);

MUST_CHECK int get_user_u32(uint32_t *out, uaddr_t src);
MUST_CHECK int get_user_u64(uint64_t *out, uaddr_t src);
MUST_CHECK int put_user_u32(uaddr_t dst, uint32_t v);
MUST_CHECK int put_user_u64(uaddr_t dst, uint64_t v);

static inline uaddr_t uaddr_add(uaddr_t p, uint64_t n)
{
	return UADDR(p.a + n);
}
static inline bool uaddr_is_null(uaddr_t p)
{
	return p.a == 0;
}

/* True when [p, p+n) lies below USER_END: a check for early errors; the copies check again. */
static inline bool user_range_ok(uaddr_t p, uint64_t n)
{
	return n <= USER_END && p.a <= USER_END - n;
}
