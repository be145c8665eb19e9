/*
 * Copies between kernel and user memory. The instructions that touch user memory are the port's
 * (<arch/usercopy.h>); here errors become numbers and ktrace gets the bytes that really crossed:
 * from the kernel's side of the copy, never by a second read of memory that another thread may have
 * changed. With the group off that is one predicted branch.
 */
#include "vm/usercopy.h"

#include "core/ktrace.h"

static NOINLINE void record(uaddr_t user, bool to_user, const void *p, size_t n)
{
	ktrace_bytes(user, to_user, p, n);
}

int copy_from_user(void *dst, uaddr_t src, size_t n)
{
	if (UNLIKELY(arch_copy_from_user(dst, src, n)))
		return -EFAULT;
	if (ktrace_on(KT_SYSCALL))
		record(src, false, dst, n);
	return 0;
}

int copy_to_user(uaddr_t dst, const void *src, size_t n)
{
	if (UNLIKELY(arch_copy_to_user(dst, src, n)))
		return -EFAULT;
	if (ktrace_on(KT_SYSCALL))
		record(dst, true, src, n);
	return 0;
}

int clear_user(uaddr_t dst, size_t n)
{
	return arch_clear_user(dst, n) ? -EFAULT : 0;
}

int put_user_member16(uaddr_t dst, const void *src, size_t size, size_t at, size_t n)
{
	if (UNLIKELY(arch_put_user_words16(uaddr_add(dst, at), (const char *)src + at, size, n)))
		return -EFAULT;
	if (ktrace_on(KT_SYSCALL))
		record(dst, true, src, n * size);
	return 0;
}

ssize64_t strncpy_from_user(char *dst, uaddr_t src, size_t size)
{
	ssize64_t len = arch_strncpy_from_user(dst, src, size);

	if (len < 0)
		return len;
	if ((size_t)len == size)
		return -ENAMETOOLONG;
	if (ktrace_on(KT_SYSCALL))
		record(src, false, dst, (size_t)len + 1);
	return len;
}

/* -E2BIG when [p, p+n) holds anything but zeroes. */
static int check_zeroes(uaddr_t p, size_t n)
{
	uint8_t buf[64];

	while (n > 0) {
		size_t part = MIN(n, sizeof(buf));

		if (arch_copy_from_user(buf, p, part))
			return -EFAULT;
		for (size_t i = 0; i < part; i++)
			if (buf[i])
				return -E2BIG;
		p = uaddr_add(p, part);
		n -= part;
	}
	return 0;
}

int copy_struct_from_user(void *dst, size_t ksize, uaddr_t src, size_t usize)
{
	size_t n = MIN(ksize, usize);
	int err;

	if (usize > ksize && (err = check_zeroes(uaddr_add(src, ksize), usize - ksize)))
		return err;
	for (size_t i = n; i < ksize; i++)
		((char *)dst)[i] = 0;
	return copy_from_user(dst, src, n);
}

int get_user_u32(uint32_t *out, uaddr_t src)
{
	return copy_from_user(out, src, sizeof(*out));
}

int get_user_u64(uint64_t *out, uaddr_t src)
{
	return copy_from_user(out, src, sizeof(*out));
}

int put_user_u32(uaddr_t dst, uint32_t v)
{
	return copy_to_user(dst, &v, sizeof(v));
}

int put_user_u64(uaddr_t dst, uint64_t v)
{
	return copy_to_user(dst, &v, sizeof(v));
}
