/*
 * process_madvise(2); process_vm_readv(2) and process_vm_writev(2): bytes from one address space to
 * another through a page of the kernel. The local side is the caller's, copied as in read and
 * write; the remote side goes through vm_access(), which respects its protections.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/mman.h"
#include "pmm/slab.h"
#include "proc/pidfd.h"
#include "proc/task.h"
#include "sys/syscalls.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vm/uio.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

/* The address space of the process, counted. -ESRCH, -EPERM. */
static int get_space(int32_t pid, struct vmspace **out)
{
	struct task *t = pid > 0 ? task_lookup((uint32_t)pid) : NULL;
	int err;

	if (!t)
		return -ESRCH;
	err = task_may_access(t, ACCESS_ATTACH);
	if (!err && !(*out = task_get_vmspace(t)))
		err = -ESRCH;
	task_put(t);
	return err;
}

/* The other side's array: addresses are checked when they are used, lengths now. */
static int import_remote(uaddr_t iov, uint64_t count, struct iovec64 **out)
{
	struct iovec64 *v;
	uint64_t sum = 0;
	int err = 0;

	*out = NULL;
	if (count > UIO_MAX_IOV)
		return -EINVAL;
	if (!count)
		return 0;
	if (!(v = kmalloc(count * sizeof(*v))))
		return -ENOMEM;
	if (!(err = copy_from_user(v, iov, count * sizeof(*v))))
		for (uint64_t i = 0; i < count && !err; i++)
			if (v[i].len > INT64_MAX || (sum += v[i].len) > INT64_MAX)
				err = -EINVAL;
	if (err)
		kfree(v);
	else
		*out = v;
	return err;
}

/* Up to a page between `at` of vs and the local cursor. Bytes moved, or -errno when none. */
static ssize64_t move_part(struct vmspace *vs, uint64_t at, void *page, size_t n, struct uio *local,
			   bool write)
{
	ssize64_t got;

	if (write) {
		struct uio peek = *local;

		if (peek.iov == &local->one)
			peek.iov = &peek.one;
		n = uio_get(&peek, page, n);
		got = n ? vm_access(vs, at, page, n, true, false) : -EFAULT;
		if (got > 0)
			uio_advance(local, (size_t)got);
		return got;
	}
	got = vm_access(vs, at, page, n, false, false);
	if (got <= 0)
		return got;
	n = uio_put(local, page, (size_t)got);
	return n ? (ssize64_t)n : -EFAULT;
}

static ssize64_t move_all(struct vmspace *vs, const struct iovec64 *remote, uint64_t count,
			  struct uio *local, bool write)
{
	void *page = kmalloc(PAGE_SIZE);
	ssize64_t done = 0, got = 0;

	if (!page)
		return -ENOMEM;
	for (uint64_t i = 0; i < count && got >= 0; i++)
		for (uint64_t off = 0; off < remote[i].len && local->resid; off += (uint64_t)got) {
			size_t n = MIN(MIN(remote[i].len - off, local->resid), PAGE_SIZE);

			got = move_part(vs, remote[i].base + off, page, n, local, write);
			if (got <= 0)
				break;
			done += got;
			if ((size_t)got < n) {
				got = -EFAULT;
				break;
			}
		}
	kfree(page);
	return done ? done : got;
}

static int64_t process_vm(int32_t pid, uaddr_t liov, uint64_t lcount, uaddr_t riov, uint64_t rcount,
			  uint32_t flags, bool write)
{
	struct iovec64 fixed[UIO_INLINE], *heap, *remote;
	struct vmspace *vs = NULL;
	struct uio local;
	ssize64_t res;
	int err;

	if (flags)
		return -EINVAL;
	if ((err = uio_import(&local, liov, lcount, fixed, &heap)))
		return err;
	if ((err = import_remote(riov, rcount, &remote)))
		goto free_local;
	res = 0;
	if (!local.resid || !rcount)
		goto free_remote;
	if ((err = get_space(pid, &vs)))
		goto free_remote;
	res = move_all(vs, remote, rcount, &local, write);
	vmspace_put(vs);
free_remote:
	kfree(remote);
free_local:
	kfree(heap);
	return err ? err : res;
}

int64_t sys_process_vm_readv(int32_t pid, uaddr_t local_iov, uint64_t liovcnt, uaddr_t remote_iov,
			     uint64_t riovcnt, uint32_t flags)
{
	return process_vm(pid, local_iov, liovcnt, remote_iov, riovcnt, flags, false);
}

int64_t sys_process_vm_writev(int32_t pid, uaddr_t local_iov, uint64_t liovcnt, uaddr_t remote_iov,
			      uint64_t riovcnt, uint32_t flags)
{
	return process_vm(pid, local_iov, liovcnt, remote_iov, riovcnt, flags, true);
}

/* What may be advised about another's memory: nothing that changes what it reads. */
static bool is_harmless(int advice)
{
	return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED;
}

static int space_of_pidfd(int fd, int advice, struct vmspace **out)
{
	struct fdref r = fdref_get(fd);
	struct pid *pid = r.file ? pidfd_pid(r.file) : NULL;
	struct task *t = pid ? task_lookup(pid->nr) : NULL;
	int err = pid ? -ESRCH : -EBADF;

	if (t) {
		err = !is_harmless(advice)              ? -EINVAL
		      : task_may_access(t, ACCESS_READ) ? -EACCES
							: 0;
		if (!err && !(*out = task_get_vmspace(t)))
			err = -ESRCH;
		task_put(t);
	}
	if (r.file)
		fdref_put(r);
	return err;
}

int64_t sys_process_madvise(int pidfd, uaddr_t iov, uint64_t vlen, int32_t advice, uint32_t flags)
{
	struct iovec64 *ranges;
	struct vmspace *vs = NULL;
	int64_t done = 0;
	int err;

	if (flags)
		return -EINVAL;
	if ((err = import_remote(iov, vlen, &ranges)))
		return err;
	if ((err = space_of_pidfd(pidfd, advice, &vs)))
		goto free;
	if (vs != curthread()->vmspace && !capable(CAP_SYS_NICE))
		err = -EPERM;
	for (uint64_t i = 0; i < vlen && !err; i++)
		if (!(err = vm_advise(vs, ranges[i].base, ranges[i].len, advice)))
			done += (int64_t)ranges[i].len;
	vmspace_put(vs);
free:
	kfree(ranges);
	return done ? done : err;
}
