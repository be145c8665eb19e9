/*
 * The cursor over a scattered buffer. Every mover goes segment by segment; a user segment ends
 * early at a bad address, and the cursor stands exactly behind the last byte that was moved.
 */
#include "vm/uio.h"

#include "abi/uio.h"
#include "core/ktrace.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "vm/usercopy.h"

STATIC_ASSERT(sizeof(struct iovec64) == sizeof(struct abi_iovec));

void uio_init_kernel(struct uio *u, void *buf, size_t n)
{
	uio_init_user(u, UADDR((uintptr_t)buf), n);
	u->space = UIO_KERNEL;
}

int uio_import(struct uio *u, uaddr_t iov, uint64_t count, struct iovec64 *fixed,
	       struct iovec64 **heap)
{
	struct iovec64 *v = fixed;
	uint64_t sum = 0;
	int err;

	*heap = NULL;
	if (count > UIO_MAX_IOV)
		return -EINVAL;
	if (count > UIO_INLINE && !(v = *heap = kmalloc(count * sizeof(*v))))
		return -ENOMEM;
	if ((err = copy_from_user(v, iov, count * sizeof(*v))))
		goto fail;
	for (uint64_t i = 0; i < count; i++) {
		err = -EINVAL;
		if (v[i].len > INT64_MAX || (sum += v[i].len) > INT64_MAX)
			goto fail;
		err = -EFAULT;
		if (!user_range_ok(UADDR(v[i].base), v[i].len))
			goto fail;
	}
	*u = (struct uio){ .iov = v, .niov = (unsigned)count, .resid = sum, .space = UIO_USER };
	return 0;
fail:
	kfree(*heap);
	*heap = NULL;
	return err;
}

enum direction { PUT, GET, ZERO };

static inline size_t move_user(uaddr_t user, void *p, size_t n, enum direction dir, bool nofault)
{
	size_t left;

	if (dir == PUT)
		left = nofault ? arch_copy_to_user_nofault(user, p, n)
			       : arch_copy_to_user(user, p, n);
	else if (dir == GET)
		left = nofault ? arch_copy_from_user_nofault(p, user, n)
			       : arch_copy_from_user(p, user, n);
	else
		left = arch_clear_user(user, n);
	if (ktrace_on(KT_SYSCALL) && dir != ZERO)
		ktrace_bytes(user, dir == PUT, p, n - left);
	return n - left;
}

static void move_kernel(void *k, void *p, size_t n, enum direction dir)
{
	if (dir == PUT)
		memcpy(k, p, n);
	else if (dir == GET)
		memcpy(p, k, n);
	else
		memset(k, 0, n);
}

/* Moves what the current segment takes of n bytes. Returns the bytes moved and steps on. */
static size_t move_segment(struct uio *u, void *p, size_t n, enum direction dir)
{
	uint64_t at = u->iov->base + u->done_in_seg;

	n = MIN(n, u->iov->len - u->done_in_seg);
	if (u->space == UIO_USER)
		n = move_user(UADDR(at), p, n, dir, u->nofault);
	else
		move_kernel((void *)at, p, n, dir);
	u->done_in_seg += n;
	u->resid -= n;
	return n;
}

/* Steps over used-up and empty segments. False: nothing is left. */
static inline bool have_segment(struct uio *u)
{
	while (u->niov && u->done_in_seg == u->iov->len) {
		u->iov++;
		u->niov--;
		u->done_in_seg = 0;
	}
	return u->niov;
}

static NOINLINE size_t move(struct uio *u, void *p, size_t n, enum direction dir)
{
	size_t done = 0, want, got;

	n = MIN(n, u->resid);
	while (done < n && have_segment(u)) {
		want = MIN(n - done, u->iov->len - u->done_in_seg);
		got = move_segment(u, p ? (char *)p + done : NULL, want, dir);
		done += got;
		if (got < want)
			break;
	}
	return done;
}

/* What most calls are: n bytes, all in the current segment, of user memory that may be faulted in.
 */
static inline bool is_plain(const struct uio *u, size_t n)
{
	return u->space == UIO_USER && !u->nofault && u->niov && n <= u->resid &&
	       n <= u->iov->len - u->done_in_seg;
}

static inline size_t move_plain(struct uio *u, void *p, size_t n, enum direction dir)
{
	size_t got = move_user(UADDR(u->iov->base + u->done_in_seg), p, n, dir, false);

	u->done_in_seg += got;
	u->resid -= got;
	return got;
}

size_t uio_put(struct uio *u, const void *src, size_t n)
{
	void *p = (void *)(uintptr_t)src;

	return LIKELY(is_plain(u, n)) ? move_plain(u, p, n, PUT) : move(u, p, n, PUT);
}

size_t uio_get(struct uio *u, void *dst, size_t n)
{
	return LIKELY(is_plain(u, n)) ? move_plain(u, dst, n, GET) : move(u, dst, n, GET);
}

size_t uio_zero(struct uio *u, size_t n)
{
	return LIKELY(is_plain(u, n)) ? move_plain(u, NULL, n, ZERO) : move(u, NULL, n, ZERO);
}

void *uio_here(struct uio *u, size_t *n)
{
	(void)have_segment(u);
	*n = MIN(*n, u->iov->len - u->done_in_seg);
	return (void *)(uintptr_t)(u->iov->base + u->done_in_seg);
}

void uio_advance(struct uio *u, size_t n)
{
	n = MIN(n, u->resid);
	u->resid -= n;
	while (n > 0 && have_segment(u)) {
		size_t part = MIN(n, u->iov->len - u->done_in_seg);

		u->done_in_seg += part;
		n -= part;
	}
}

void uio_truncate(struct uio *u, size_t n)
{
	u->resid = MIN(u->resid, n);
}

/* Reads a byte of the page at `at`, and for writing puts it back by a compare-and-exchange that
 * changes nothing. */
static int touch(uint64_t at, bool for_write)
{
	uaddr_t word = UADDR(at & ~3ull);
	uint32_t v;
	bool swapped;
	int err = arch_user_load32(word, &v);

	return err || !for_write ? err : arch_user_cmpxchg32(word, &v, v, &swapped);
}

int uio_prefault(const struct uio *u, size_t n, bool for_write)
{
	struct uio walk = *u;
	int err;

	if (u->space != UIO_USER)
		return 0;
	if (walk.iov == &u->one)
		walk.iov = &walk.one;
	n = MIN(n, u->resid);
	while (n > 0 && have_segment(&walk)) {
		uint64_t at = walk.iov->base + walk.done_in_seg;
		size_t part =
			MIN(MIN(n, walk.iov->len - walk.done_in_seg), PAGE_SIZE - (at & PAGE_MASK));

		if ((err = touch(at, for_write)))
			return err;
		walk.done_in_seg += part;
		n -= part;
	}
	return 0;
}
