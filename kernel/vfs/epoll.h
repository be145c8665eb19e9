#pragma once

/* epoll(7). */

#include "abi/epoll.h"
#include "lib/types.h"

struct file;

void epoll_init(void);
MUST_CHECK int epoll_open(unsigned oflags, struct file **out);

/* epoll_ctl(2) on open files. -EINVAL not an epoll, or ep == target; -ELOOP; -EEXIST; -ENOENT;
 * -EPERM; -ENOMEM. */
MUST_CHECK int epoll_control(struct file *ep, int op, int fd, struct file *target,
			     const struct abi_epoll_event *ev);

/* epoll_wait(2): the events copied; 0 at the deadline; -ERESTARTSYS → the caller makes it -EINTR;
 * -EFAULT. */
MUST_CHECK int epoll_collect(struct file *ep, uaddr_t events, int max, nsec_t deadline);

/*
 * The `nth` file (from 0) that ep watches as descriptor fd: kcmp(2). Several have the number when
 * it was given out again. out          only to be compared returns      0; -EINVAL not an epoll;
 * -ENOENT
 */
MUST_CHECK int epoll_target(struct file *ep, int fd, uint32_t nth, const void **out);
