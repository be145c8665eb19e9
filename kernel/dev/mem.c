/*
 * The memory devices of major 1: null(4), zero(4), full(4), random(4), and kmsg, which gives the
 * kernel log record by record and takes lines into it.
 */

#include "dev/mem.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/mman.h"
#include "abi/random.h"
#include "abi/stat.h"
#include "core/log.h"
#include "core/random.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "sched/work.h"
#include "vfs/chrdev.h"
#include "vfs/cred.h"
#include "vfs/poll.h"
#include "vm/uio.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

enum {
	MEM_MAJOR = 1,
	MINOR_NULL = 3,
	MINOR_ZERO = 5,
	MINOR_FULL = 7,
	MINOR_RANDOM = 8,
	MINOR_URANDOM = 9,
	MINOR_KMSG = 11
};
enum { RANDOM_CHUNK = 256, KMSG_LINE = 1024, KMSG_PREFIX = 64 };

static ssize64_t null_read(struct file *f, struct uio *u, off64_t *pos)
{
	(void)f, (void)u, (void)pos;
	return 0;
}

static ssize64_t null_write(struct file *f, struct uio *u, off64_t *pos)
{
	size_t n = u->resid;

	(void)f, (void)pos;
	uio_advance(u, n);
	return (ssize64_t)n;
}

static off64_t null_seek(struct file *f, off64_t off, int whence)
{
	(void)off, (void)whence;
	return f->pos = 0;
}

static const struct file_ops null_ops = {
	.flags = FOP_NOWAIT, .read = null_read, .write = null_write, .seek = null_seek
};

static ssize64_t zero_read(struct file *f, struct uio *u, off64_t *pos)
{
	size_t want = u->resid, n = uio_zero(u, want);

	(void)f, (void)pos;
	return n == 0 && want > 0 ? -EFAULT : (ssize64_t)n;
}

/* A private mapping is anonymous memory; a shared one is shared anonymous memory. */
static int zero_mmap(struct file *f, struct vm_map_args *a)
{
	(void)f;
	a->file = NULL;
	a->max_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	if (!(a->vma_flags & VMA_SHARED))
		return 0;
	a->pgoff = 0;
	a->how |= VM_MAP_PUT_OBJECT;
	return vmobject_create_shm(page_round_up(a->len) >> PAGE_SHIFT, &a->object);
}

static const struct file_ops zero_ops = {
	.flags = FOP_NOWAIT,
	.read = zero_read,
	.write = null_write,
	.seek = null_seek,
	.mmap = zero_mmap,
};

static ssize64_t full_write(struct file *f, struct uio *u, off64_t *pos)
{
	(void)f, (void)pos;
	return u->resid ? -ENOSPC : 0;
}

static const struct file_ops full_ops = { .read = zero_read,
					  .write = full_write,
					  .seek = null_seek };

static ssize64_t random_read(struct file *f, struct uio *u, off64_t *pos)
{
	uint8_t buf[RANDOM_CHUNK];
	ssize64_t total = 0;

	(void)f, (void)pos;
	while (u->resid > 0 && !signal_pending()) {
		size_t want = MIN(u->resid, sizeof(buf)), n;

		random_bytes(buf, want);
		n = uio_put(u, buf, want);
		total += (ssize64_t)n;
		if (n < want)
			return total ? total : -EFAULT;
		thread_resched_point();
	}
	memset(buf, 0, sizeof(buf));
	return total || u->resid == 0 ? total : -ERESTARTSYS;
}

static ssize64_t random_write(struct file *f, struct uio *u, off64_t *pos)
{
	uint8_t buf[RANDOM_CHUNK];
	ssize64_t total = 0;

	(void)f, (void)pos;
	while (u->resid > 0) {
		size_t want = MIN(u->resid, sizeof(buf)), n = uio_get(u, buf, want);

		random_add_entropy(buf, n);
		total += (ssize64_t)n;
		if (n < want)
			return total ? total : -EFAULT;
	}
	return total;
}

/* RNDGETENTCNT: the generator counts itself full once it has been keyed. */
static int64_t random_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	(void)f;
	return cmd == RNDGETENTCNT ? put_user_u32(UADDR(arg), random_is_ready() ? 256 : 0)
				   : -EINVAL;
}

static const struct file_ops random_ops = {
	.read = random_read,
	.write = random_write,
	.seek = noop_seek,
	.ioctl = random_ioctl,
};

struct waitq kmsg_wait = WAITQ(kmsg_wait);

/* Records are logged under any lock, and interrupts: readers are woken from a thread. */
static void kmsg_wake(struct work *w)
{
	(void)w;
	waitq_wake_all(&kmsg_wait, EPOLLIN | EPOLLRDNORM);
}

static struct work kmsg_work;

static void kmsg_new_record(void)
{
	work_queue(&kmsg_work);
}

/* "priority,sequence,microseconds,-;text\n", one record a read. priv holds the next sequence
 * number. */
static ssize64_t kmsg_format(struct file *f, char *buf, size_t size, char *text)
{
	struct log_entry e;
	uint64_t seq = (uint64_t)(uintptr_t)f->priv;
	ssize64_t n = log_read(&seq, &e, text, KMSG_LINE);

	if (n <= 0)
		return n;
	f->priv = (void *)(uintptr_t)seq;
	return (ssize64_t)fmt(buf, size, "%d,%lu,%lu,-;%.*s\n", (int)e.level, (unsigned long)e.seq,
			      (unsigned long)(e.time / NSEC_PER_USEC), (int)n, text);
}

static ssize64_t kmsg_read(struct file *f, struct uio *u, off64_t *pos)
{
	ssize64_t n = 0;
	struct waiter w;
	char *buf;
	int err = 0;

	(void)pos;
	if ((buf = kmalloc(2 * KMSG_LINE + KMSG_PREFIX)) == NULL)
		return -ENOMEM;
	waiter_init(&w);
	while (n == 0 && !err) {
		wait_prepare(&kmsg_wait, &w, THREAD_SLEEP_INTR);
		n = kmsg_format(f, buf, KMSG_LINE + KMSG_PREFIX, buf + KMSG_LINE + KMSG_PREFIX);
		if (n == 0)
			err = atomic_load(&f->flags) & O_NONBLOCK ? -EAGAIN : wait_sleep(NSEC_MAX);
		wait_finish(&kmsg_wait, &w);
	}
	if (n > 0 && (size_t)n > u->resid)
		n = -EINVAL;
	else if (n > 0 && uio_put(u, buf, (size_t)n) != (size_t)n)
		n = -EFAULT;
	kfree(buf);
	return n ? n : err;
}

/* A line, with an optional "<priority>" in front. */
static ssize64_t kmsg_write(struct file *f, struct uio *u, off64_t *pos)
{
	size_t want = u->resid;
	const char *text;
	uint64_t level = LOG_NOTICE;
	char *buf;

	(void)f, (void)pos;
	if (want > KMSG_LINE - 1)
		return -EINVAL;
	if ((buf = kmalloc(KMSG_LINE)) == NULL)
		return -ENOMEM;
	if (uio_get(u, buf, want) != want) {
		kfree(buf);
		return -EFAULT;
	}
	buf[want] = 0;
	text = buf;
	if (buf[0] == '<' && str_to_u64(buf + 1, &text, &level) && *text == '>')
		text++;
	else
		text = buf;
	if (want > 0 && buf[want - 1] == '\n')
		buf[want - 1] = 0;
	log_f((enum log_level)(level & 7), "%s", text);
	kfree(buf);
	return (ssize64_t)want;
}

static off64_t kmsg_seek(struct file *f, off64_t off, int whence)
{
	if (off != 0)
		return -ESPIPE;
	if (whence == SEEK_SET || whence == SEEK_DATA)
		f->priv = (void *)(uintptr_t)log_first_seq();
	else if (whence == SEEK_END)
		f->priv = (void *)(uintptr_t)log_next_seq();
	else
		return -EINVAL;
	return 0;
}

static uint32_t kmsg_poll(struct file *f, struct poll_ctx *ctx)
{
	poll_wait(ctx, &kmsg_wait);
	return (uint64_t)(uintptr_t)f->priv < log_next_seq() ? EPOLLIN | EPOLLRDNORM : 0;
}

static int kmsg_open(struct inode *i, struct file *f)
{
	(void)i;
	f->priv = (void *)(uintptr_t)log_first_seq();
	return 0;
}

static const struct file_ops kmsg_ops = {
	.open = kmsg_open,
	.read = kmsg_read,
	.write = kmsg_write,
	.seek = kmsg_seek,
	.poll = kmsg_poll,
	.flags = FOP_CAN_POLL,
};

void mem_devices_init(void)
{
	static const struct {
		const char *name;
		uint32_t mode;
		unsigned minor;
		const struct file_ops *ops;
	} device[] = {
		{ "null", 0666, MINOR_NULL, &null_ops },
		{ "zero", 0666, MINOR_ZERO, &zero_ops },
		{ "full", 0666, MINOR_FULL, &full_ops },
		{ "random", 0666, MINOR_RANDOM, &random_ops },
		{ "urandom", 0666, MINOR_URANDOM, &random_ops },
		{ "kmsg", 0644, MINOR_KMSG, &kmsg_ops },
	};

	work_init(&kmsg_work, kmsg_wake);
	log_wake_readers = kmsg_new_record;
	for (unsigned i = 0; i < ARRAY_SIZE(device); i++) {
		chrdev_register(MEM_MAJOR, device[i].minor, 1, "mem", device[i].ops);
		devnode_add(device[i].name, S_IFCHR | device[i].mode,
			    mkdev(MEM_MAJOR, device[i].minor));
	}
}
