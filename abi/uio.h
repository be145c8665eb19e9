/* readv(2), preadv2(2). */
#pragma once

#include <stdint.h>

#define UIO_FASTIOV 8
#define UIO_MAXIOV  1024

#define RWF_HIPRI  0x00000001
#define RWF_DSYNC  0x00000002
#define RWF_SYNC   0x00000004
#define RWF_NOWAIT 0x00000008
#define RWF_APPEND 0x00000010

struct abi_iovec {
	uint64_t iov_base;
	uint64_t iov_len;
};
