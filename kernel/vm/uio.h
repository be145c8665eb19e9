#pragma once

/* A cursor over a scattered buffer, in user or kernel memory: what read and write methods fill and
 * drain. */

#include "lib/types.h"

struct iovec64 {
	uint64_t base,
		len; /* as the user's struct iovec; base is a kernel pointer for UIO_KERNEL */
};

enum uio_space {
	UIO_USER,
	UIO_KERNEL,
	UIO_PAGES,      /* kernel memory, each segment within a counted page (va_page()): whoever is
			   to have the bytes may keep the page instead of copying them */
	UIO_PAGES_MORE, /* the same, and more follows at once */
};
enum { UIO_INLINE = 8, UIO_MAX_IOV = 1024 };

struct uio {
	const struct iovec64 *iov; /* current segment */
	unsigned niov;             /* segments left, the current one included */
	size_t done_in_seg;        /* bytes of the current segment already used */
	size_t resid;              /* bytes left in all */
	enum uio_space space;
	bool append;        /* RWF_APPEND: write methods of files with contents go to the end */
	bool nofault;       /* user faults fail at once: set by a caller that holds locks */
	struct iovec64 one; /* storage for the single-buffer case */
};

static inline void uio_init_user(struct uio *u, uaddr_t buf, size_t n)
{
	u->one = (struct iovec64){ buf.a, n };
	u->iov = &u->one;
	u->niov = 1;
	u->done_in_seg = 0;
	u->resid = n;
	u->space = UIO_USER;
	u->nofault = false;
	u->append = false;
}
void uio_init_kernel(struct uio *u, void *buf, size_t n);

/*
 * Imports a user's iovec array.
 *   fixed        storage for UIO_INLINE segments; *heap gets an allocation for more (kfree it;
 * NULL: none) returns      0; -EINVAL count > 1024 or the sum exceeds SSIZE_MAX; -EFAULT; -ENOMEM
 */
MUST_CHECK int uio_import(struct uio *u, uaddr_t iov, uint64_t count, struct iovec64 *fixed,
			  struct iovec64 **heap);

/* Copy up to n bytes and advance. Return the bytes copied: fewer than MIN(n, resid) means a fault.
 */
size_t uio_put(struct uio *u, const void *src, size_t n); /* kernel memory → uio (read methods) */
size_t uio_get(struct uio *u, void *dst, size_t n); /* uio → kernel memory (write methods) */
size_t uio_zero(struct uio *u, size_t n);

/* Touches the next n bytes so that a nofault copy is likely to succeed. 0 or -EFAULT. */
MUST_CHECK int uio_prefault(const struct uio *u, size_t n, bool for_write);
/* Where the next bytes are, in kernel memory; *n becomes at most what lies there together. resid is
 * not 0. */
void *uio_here(struct uio *u, size_t *n);
void uio_advance(struct uio *u, size_t n);
void uio_truncate(struct uio *u, size_t n); /* resid becomes at most n */
