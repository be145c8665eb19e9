/* io_setup(2), io_submit(2) and their relatives. */
#pragma once

#include <stdint.h>

#define IOCB_CMD_PREAD   0
#define IOCB_CMD_PWRITE  1
#define IOCB_CMD_FSYNC   2
#define IOCB_CMD_FDSYNC  3
#define IOCB_CMD_POLL    5
#define IOCB_CMD_NOOP    6
#define IOCB_CMD_PREADV  7
#define IOCB_CMD_PWRITEV 8

#define IOCB_FLAG_RESFD  1
#define IOCB_FLAG_IOPRIO 2

struct abi_io_event {
	uint64_t data;
	uint64_t obj;
	int64_t res;
	int64_t res2;
};

struct abi_iocb {
	uint64_t aio_data;
	uint32_t aio_key;
	int32_t aio_rw_flags;
	uint16_t aio_lio_opcode;
	int16_t aio_reqprio;
	uint32_t aio_fildes;
	uint64_t aio_buf;
	uint64_t aio_nbytes;
	int64_t aio_offset;
	uint64_t aio_reserved2;
	uint32_t aio_flags;
	uint32_t aio_resfd;
};
