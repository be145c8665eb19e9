#pragma once

/*
 * The only instructions that touch user memory. Ranges are checked against USER_END here; a fault
 * that the address space cannot resolve ends the copy through the exception table. vm/usercopy.h is
 * the interface for everybody else (ktrace of bytes, typed helpers).
 */

#include "lib/types.h"

/* Return the number of bytes NOT copied (0: all). May sleep in a page fault. */
size_t arch_copy_from_user(void *dst, uaddr_t src, size_t n);
size_t arch_copy_to_user(uaddr_t dst, const void *src, size_t n);
size_t arch_clear_user(uaddr_t dst, size_t n);

/* Writes n 16-bit words, `stride` bytes apart in both places, and nothing between them: one member
 * of an array of structures. 0 or -EFAULT. */
MUST_CHECK int arch_put_user_words16(uaddr_t dst, const void *src, size_t stride, size_t n);

/* As above with page faults failing at once: under locks that a fault may need. */
size_t arch_copy_from_user_nofault(void *dst, uaddr_t src, size_t n);
size_t arch_copy_to_user_nofault(uaddr_t dst, const void *src, size_t n);

/* Copies a string up to its NUL. Returns its length without the NUL, max when none was found,
 * -EFAULT. */
ssize64_t arch_strncpy_from_user(char *dst, uaddr_t src, size_t max);

/* Atomic operations on a user's aligned 32-bit word; 0 or -EFAULT. */
MUST_CHECK int arch_user_cmpxchg32(uaddr_t p, uint32_t *expected, uint32_t desired, bool *swapped);
MUST_CHECK int arch_user_load32(uaddr_t p, uint32_t *out);
MUST_CHECK int arch_user_xchg32(uaddr_t p, uint32_t v, uint32_t *old);
