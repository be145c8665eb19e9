#pragma once

/*
 * POSIX message queues, and the file system that shows them. A queue is an inode of the one
 * instance of "mqueue"; mq_open(2) opens it below a mount that nobody sees, so a queue's descriptor
 * is an ordinary open file, however it came to be.
 *   source       mq_overview(7) and the pages it names
 */

#include "abi/mqueue.h"
#include "lib/types.h"

struct abi_sigevent;
struct file;

void mqueue_init(void); /* boot, once file systems can be mounted */

/*
 * mq_open(2): name without the slash; attr NULL: the defaults. 0; -ENOENT, -EEXIST, -EACCES,
 * -EINVAL (attr, access mode), -EMFILE (RLIMIT_MSGQUEUE), -ENOSPC (queues_max), -ENAMETOOLONG,
 * -ENOMEM.
 */
MUST_CHECK int mqueue_open(const char *name, unsigned oflags, uint32_t mode,
			   const struct abi_mq_attr *attr, struct file **out);
MUST_CHECK int mqueue_unlink(const char *name);

/*
 * The rest takes any file: -EBADF when it is no queue, or not open for this. Messages come from and
 * go to user memory.
 *   deadline     CLOCK_MONOTONIC; NSEC_MAX: none
 *   returns      0 or the bytes received; -EMSGSIZE, -EINVAL, -EAGAIN, -ETIMEDOUT, -EFAULT (the
 *                message is lost), -ERESTARTSYS, -ENOMEM
 */
MUST_CHECK int mqueue_send(struct file *f, uaddr_t text, uint64_t len, uint32_t prio,
			   nsec_t deadline);
MUST_CHECK ssize64_t mqueue_receive(struct file *f, uaddr_t text, uint64_t len, uint32_t *prio,
				    nsec_t deadline);

/* mq_notify(2): ev NULL ends the caller's registration. -EBUSY, -EINVAL, -EBADF, -ENOTSOCK,
 * -EFAULT. */
MUST_CHECK int mqueue_notify(struct file *f, const struct abi_sigevent *ev);

MUST_CHECK int mqueue_getattr(struct file *f, struct abi_mq_attr *out);
