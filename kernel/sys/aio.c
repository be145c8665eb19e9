/*
 * io_setup(2), io_submit(2), io_getevents(2) and their relatives. A request is carried out while it
 * is submitted: what would have to be waited for on Linux is in memory here, and what can block
 * (pipes, terminals) blocks there in io_submit(2) as well.
 */

#include "vfs/aio.h"

#include "abi/aio.h"
#include "abi/errno.h"
#include "abi/uio.h"
#include "pmm/slab.h"
#include "proc/signal.h"
#include "sys/syscalls.h"
#include "sys/timeval.h"
#include "vfs/eventfd.h"
#include "vfs/fdtable.h"
#include "vm/uio.h"
#include "vm/usercopy.h"

enum { AIO_MAX_EVENTS = 0x10000000 / 32 };

int64_t sys_io_setup(uint32_t nr_events, uaddr_t ctxp)
{
	uint64_t id;
	int err;

	if (get_user_u64(&id, ctxp))
		return -EFAULT;
	if (id != 0 || nr_events == 0 || nr_events > AIO_MAX_EVENTS)
		return -EINVAL;
	if ((err = aio_create(nr_events, &id)))
		return err;
	if (put_user_u64(ctxp, id)) {
		int ignored = aio_destroy(id);
		(void)ignored;
		return -EFAULT;
	}
	return 0;
}

int64_t sys_io_destroy(uint64_t ctx)
{
	return aio_destroy(ctx);
}

/* The transfer itself; its result is the event's. */
static ssize64_t transfer(struct file *f, const struct abi_iocb *io, struct uio *u)
{
	bool write =
		io->aio_lio_opcode == IOCB_CMD_PWRITE || io->aio_lio_opcode == IOCB_CMD_PWRITEV;
	off64_t pos = io->aio_offset;

	u->append = io->aio_rw_flags & RWF_APPEND;
	return write ? file_write(f, u, &pos) : file_read(f, u, &pos);
}

/* 0: *res is the result; else what io_submit(2) says. */
static int read_write(struct file *f, const struct abi_iocb *io, int64_t *res)
{
	bool write =
		io->aio_lio_opcode == IOCB_CMD_PWRITE || io->aio_lio_opcode == IOCB_CMD_PWRITEV;
	struct iovec64 fixed[UIO_INLINE], *heap = NULL;
	struct uio u;
	int err = 0;

	if (!(f->mode & (write ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if ((write ? f->ops->write : f->ops->read) == NULL)
		return -EINVAL;
	if (io->aio_rw_flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND) ||
	    (io->aio_rw_flags & RWF_NOWAIT && !(f->ops->flags & FOP_NOWAIT)))
		return -EOPNOTSUPP;
	if (io->aio_lio_opcode == IOCB_CMD_PREADV || io->aio_lio_opcode == IOCB_CMD_PWRITEV)
		err = uio_import(&u, UADDR(io->aio_buf), io->aio_nbytes, fixed, &heap);
	else
		uio_init_user(&u, UADDR(io->aio_buf), io->aio_nbytes);
	if (!err)
		*res = transfer(f, io, &u);
	kfree(heap);
	if (!err && *res == -ERESTARTSYS)
		*res = -EINTR;
	return err;
}

static int sync_file(struct file *f, const struct abi_iocb *io, int64_t *res)
{
	if (io->aio_buf || io->aio_offset || io->aio_nbytes || io->aio_rw_flags ||
	    f->ops->fsync == NULL)
		return -EINVAL;
	*res = f->ops->fsync(f, 0, INT64_MAX, io->aio_lio_opcode == IOCB_CMD_FDSYNC);
	return 0;
}

static int carry_out(const struct abi_iocb *io, int64_t *res)
{
	struct fdref r = fdref_get((int)io->aio_fildes);
	int err = -EBADF;

	if (r.file != NULL) {
		switch (io->aio_lio_opcode) {
		case IOCB_CMD_PREAD:
		case IOCB_CMD_PWRITE:
		case IOCB_CMD_PREADV:
		case IOCB_CMD_PWRITEV:
			err = read_write(r.file, io, res);
			break;
		case IOCB_CMD_FSYNC:
		case IOCB_CMD_FDSYNC:
			err = sync_file(r.file, io, res);
			break;
		default:
			err = -EINVAL; /* IOCB_CMD_POLL too: it would have to wait */
		}
	}
	fdref_put(r);
	return err;
}

static int submit_reserved(struct file *ctx, uaddr_t uiocb, const struct abi_iocb *io)
{
	struct abi_io_event e = { .data = io->aio_data, .obj = uiocb.a };
	struct fdref notify = { NULL, false };
	int err = 0;

	if (io->aio_flags & IOCB_FLAG_RESFD) {
		notify = fdref_get((int)io->aio_resfd);
		err = notify.file == NULL ? -EBADF : eventfd_check(notify.file);
	}
	if (!err)
		err = put_user_u32(uaddr_add(uiocb, offsetof(struct abi_iocb, aio_key)), 0);
	if (!err && !(err = carry_out(io, &e.res))) {
		aio_complete(ctx, &e);
		if (notify.file != NULL)
			eventfd_signal(notify.file);
	}
	fdref_put(notify);
	return err;
}

static int submit_one(struct file *ctx, uaddr_t uiocb)
{
	struct abi_iocb io;
	int err;

	if (copy_from_user(&io, uiocb, sizeof(io)))
		return -EFAULT;
	if (io.aio_reserved2 || (int64_t)io.aio_nbytes < 0)
		return -EINVAL;
	if (!aio_reserve(ctx))
		return -EAGAIN;
	if ((err = submit_reserved(ctx, uiocb, &io)))
		aio_unreserve(ctx);
	return err;
}

int64_t sys_io_submit(uint64_t ctx, int64_t nr, uaddr_t iocbpp)
{
	struct file *f;
	int64_t done = 0;
	int err = 0;

	if (nr < 0)
		return -EINVAL;
	if ((f = aio_get(ctx)) == NULL)
		return -EINVAL;
	while (done < nr && !err) {
		uint64_t p;

		if (get_user_u64(&p, uaddr_add(iocbpp, (uint64_t)done * sizeof(p))))
			err = -EFAULT;
		else if (!(err = submit_one(f, UADDR(p))))
			done++;
		thread_resched_point();
	}
	file_put(f);
	return done ? done : err;
}

/* Nothing is ever on its way. */
int64_t sys_io_cancel(uint64_t ctx, uaddr_t iocb, uaddr_t result)
{
	uint32_t key;

	(void)ctx, (void)result;
	return get_user_u32(&key, uaddr_add(iocb, offsetof(struct abi_iocb, aio_key))) ?: -EINVAL;
}

static int64_t get_events(uint64_t ctx, int64_t min, int64_t nr, uaddr_t events, nsec_t deadline)
{
	struct file *f = aio_get(ctx);
	int64_t n = -EINVAL;

	if (f == NULL)
		return -EINVAL;
	if (min >= 0 && min <= nr)
		n = aio_fetch(f, (uint64_t)min, (uint64_t)nr, events, deadline);
	file_put(f);
	return n;
}

static int get_deadline(uaddr_t timeout, nsec_t *deadline)
{
	nsec_t span;
	int err;

	*deadline = NSEC_MAX;
	if (uaddr_is_null(timeout))
		return 0;
	if ((err = get_user_timespec(&span, timeout)))
		return err;
	*deadline = span ? deadline_after(span) : 0;
	return 0;
}

int64_t sys_io_getevents(uint64_t ctx, int64_t min, int64_t nr, uaddr_t events, uaddr_t timeout)
{
	nsec_t deadline;
	int err = get_deadline(timeout, &deadline);

	return err ? err : get_events(ctx, min, nr, events, deadline);
}

int64_t sys_io_pgetevents(uint64_t ctx, int64_t min, int64_t nr, uaddr_t events, uaddr_t timeout,
			  uaddr_t usig)
{
	struct {
		uint64_t mask, size;
	} sig = { 0, 0 };
	nsec_t deadline;
	int64_t n;
	int err;

	if ((err = get_deadline(timeout, &deadline)))
		return err;
	if (!uaddr_is_null(usig) && copy_from_user(&sig, usig, sizeof(sig)))
		return -EFAULT;
	if ((err = signal_temp_mask_user(UADDR(sig.mask), sig.size)))
		return err;
	n = get_events(ctx, min, nr, events, deadline);
	signal_finish_temp_mask(n == -EINTR);
	return n;
}
