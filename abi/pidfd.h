/* pidfd_open(2), pidfd_send_signal(2). */
#pragma once

#include "abi/fcntl.h"

#define PIDFD_NONBLOCK O_NONBLOCK
#define PIDFD_THREAD   O_EXCL

#define PIDFD_SIGNAL_THREAD        (1UL << 0)
#define PIDFD_SIGNAL_THREAD_GROUP  (1UL << 1)
#define PIDFD_SIGNAL_PROCESS_GROUP (1UL << 2)
