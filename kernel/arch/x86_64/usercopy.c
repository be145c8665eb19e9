/*
 * User memory for C: range checks, strings and the atomic operations of futexes. The copying itself
 * is in copy.S. A range is checked against USER_END before it is touched, so that a fault in these
 * instructions is always at a user's address.
 */

#include <arch/usercopy.h>

#include <arch/page.h>

#include "abi/errno.h"
#include "arch/x86_64/copy.h"
#include "arch/x86_64/uaccess.h"
#include "arch/x86_64/x86_priv.h"

size_t arch_copy_from_user(void *dst, uaddr_t src, size_t n)
{
	if (UNLIKELY(!arch_user_range_ok(src.a, n)))
		return n;
	return x86_copy_user(dst, (const void *)src.a, n);
}

size_t arch_copy_to_user(uaddr_t dst, const void *src, size_t n)
{
	if (UNLIKELY(!arch_user_range_ok(dst.a, n)))
		return n;
	return x86_copy_user((void *)dst.a, src, n);
}

size_t arch_clear_user(uaddr_t dst, size_t n)
{
	if (UNLIKELY(!arch_user_range_ok(dst.a, n)))
		return n;
	return x86_clear_user((void *)dst.a, n);
}

/* The flag is this CPU's: the kernel is not preempted, and interrupt handlers do not touch user
 * memory. */
static void nofault_set(uint32_t v)
{
	__asm__ volatile("movl %0, %%gs:%c1"
			 :
			 : "ri"(v), "i"(offsetof(struct cpu_area, nofault))
			 : "memory");
}

size_t arch_copy_from_user_nofault(void *dst, uaddr_t src, size_t n)
{
	nofault_set(1);
	n = arch_copy_from_user(dst, src, n);
	nofault_set(0);
	return n;
}

size_t arch_copy_to_user_nofault(uaddr_t dst, const void *src, size_t n)
{
	nofault_set(1);
	n = arch_copy_to_user(dst, src, n);
	nofault_set(0);
	return n;
}

/* False: fault. */
static inline bool load8(uint64_t a, uint8_t *out)
{
	uint32_t v;

	__asm__ goto("1: movzbl (%1), %0\n" EX_ENTRY("1b", "%l[fault]")
		     : "=r"(v)
		     : "r"(a)
		     : "memory"
		     : fault);
	*out = (uint8_t)v;
	return true;
fault:
	return false;
}

int arch_put_user_words16(uaddr_t dst, const void *src, size_t stride, size_t n)
{
	const char *from = src, *end = from + n * stride;
	uint64_t ahead = dst.a - (uintptr_t)src; /* from a source to its destination */

	if (UNLIKELY(!arch_user_range_ok(dst.a, n * stride)))
		return -EFAULT;
	user_access_begin();
	for (; from != end; from += stride)
		__asm__ goto("1: movw %w0, (%1,%2)\n" EX_ENTRY("1b", "%l[fault]")
			     :
			     : "r"(*(const uint16_t *)from), "r"(from), "r"(ahead)
			     : "memory"
			     : fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* The lowest zero byte of v has its top bit set in the result (bits above it may be wrong); 0:
 * none. */
static inline uint64_t zero_bytes(uint64_t v)
{
	return (v - 0x0101010101010101ul) & ~v & 0x8080808080808080ul;
}

/*
 * Eight bytes at a time while a word neither crosses a page (the next one may not be mapped) nor
 * leaves dst; else one. Returns the string's length, `max` when it is longer, or -EFAULT.
 */
static ssize64_t copy_string(char *dst, uint64_t src, size_t max)
{
	size_t n = 0;

	while (n < max) {
		uint64_t word;
		uint8_t byte;

		if (max - n >= 8 && ((src + n) & PAGE_MASK) <= PAGE_SIZE - 8) {
			if (!user_load64(src + n, &word))
				return -EFAULT;
			__builtin_memcpy(dst + n, &word, 8);
			word = zero_bytes(word);
			if (word)
				return (ssize64_t)(n + ((unsigned)__builtin_ctzl(word) >> 3));
			n += 8;
			continue;
		}
		if (!load8(src + n, &byte))
			return -EFAULT;
		dst[n] = (char)byte;
		if (!byte)
			return (ssize64_t)n;
		n++;
	}
	return (ssize64_t)max;
}

ssize64_t arch_strncpy_from_user(char *dst, uaddr_t src, size_t max)
{
	size_t room;
	ssize64_t n;

	if (UNLIKELY(src.a >= USER_END))
		return -EFAULT;
	room = MIN(max, USER_END - src.a);
	user_access_begin();
	n = copy_string(dst, src.a, room);
	user_access_end();
	return n == (ssize64_t)room && room < max ? -EFAULT : n;
}

static bool futex_word_ok(uaddr_t p)
{
	return arch_user_range_ok(p.a, 4) && IS_ALIGNED(p.a, 4);
}

int arch_user_cmpxchg32(uaddr_t p, uint32_t *expected, uint32_t desired, bool *swapped)
{
	uint32_t old = *expected;
	bool ok;

	if (!futex_word_ok(p))
		return -EFAULT;
	user_access_begin();
	__asm__ goto("1: lock cmpxchgl %3, (%2)\n" EX_ENTRY("1b", "%l[fault]")
		     : "+a"(old), "=@cce"(ok)
		     : "r"(p.a), "r"(desired)
		     : "memory"
		     : fault);
	user_access_end();
	*expected = old;
	*swapped = ok;
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

int arch_user_load32(uaddr_t p, uint32_t *out)
{
	uint32_t v;

	if (!futex_word_ok(p))
		return -EFAULT;
	user_access_begin();
	__asm__ goto("1: movl (%1), %0\n" EX_ENTRY("1b", "%l[fault]")
		     : "=r"(v)
		     : "r"(p.a)
		     : "memory"
		     : fault);
	user_access_end();
	*out = v;
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

int arch_user_xchg32(uaddr_t p, uint32_t v, uint32_t *old)
{
	if (!futex_word_ok(p))
		return -EFAULT;
	user_access_begin();
	__asm__ goto("1: xchgl %0, (%1)\n" EX_ENTRY("1b", "%l[fault]")
		     : "+r"(v)
		     : "r"(p.a)
		     : "memory"
		     : fault);
	user_access_end();
	*old = v;
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}
