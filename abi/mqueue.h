#pragma once

/* mq_open(3), mq_getattr(3), mq_notify(3). */

#include <stdint.h>

struct abi_mq_attr {
	int64_t mq_flags; /* O_NONBLOCK */
	int64_t mq_maxmsg, mq_msgsize;
	int64_t mq_curmsgs;
	int64_t __reserved[4];
};

enum {
	MQ_PRIO_MAX = 32768,
	/* SIGEV_THREAD: what the library's thread reads from its socket; the last byte says why */
	NOTIFY_COOKIE_LEN = 32,
	NOTIFY_NONE = 0,
	NOTIFY_WOKENUP = 1,
	NOTIFY_REMOVED = 2,
};
