/* timerfd_create(2). */
#pragma once

#include "abi/fcntl.h"

#define TFD_TIMER_ABSTIME       (1 << 0)
#define TFD_TIMER_CANCEL_ON_SET (1 << 1)
#define TFD_CLOEXEC             O_CLOEXEC
#define TFD_NONBLOCK            O_NONBLOCK
#define TFD_IOC_SET_TICKS       0x40085400 /* _IOW('T', 0, uint64_t) */
