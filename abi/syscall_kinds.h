/*
 * What the columns of syscalls.def and flags.def mean to C.
 *
 * A consumer defines SYSCALL (and ARGS0 to ARGS6, unless it drops that column), includes
 * abi/syscalls.def and undefines them; nothing else is redefined from pass to pass. Within a row
 *   T_<kind>       is the argument's C type,
 *   C_<kind>(r)    makes one from a register,
 *   AK_<kind>      is its number in a descriptor.
 * A row of level NONE has no function: paste the level to a prefix to tell the rows apart, as in
 *	#define PROTO_NONE(name, args)
 *	#define PROTO_PARTIAL(name, args) int64_t sys_##name args;
 *	#define SYSCALL(name, x, g, ret, args, level, ...) PROTO_##level(name, args)
 */
#pragma once

#include <stdint.h>

#include "lib/types.h"

#define SYSCALL_CTYPE_I32     int32_t
#define SYSCALL_CTYPE_U32     uint32_t
#define SYSCALL_CTYPE_I64     int64_t
#define SYSCALL_CTYPE_U64     uint64_t
#define SYSCALL_CTYPE_UADDR   uaddr_t
/* A 32-bit argument is the register's lower half, whatever the upper one holds. */
#define SYSCALL_CONV_I32(r)   ((int32_t)(uint32_t)(r))
#define SYSCALL_CONV_U32(r)   ((uint32_t)(r))
#define SYSCALL_CONV_I64(r)   ((int64_t)(r))
#define SYSCALL_CONV_U64(r)   (r)
#define SYSCALL_CONV_UADDR(r) UADDR(r)

#define KIND(name, class, text)                     \
	typedef SYSCALL_CTYPE_##class T_##name;     \
	static inline T_##name C_##name(uint64_t r) \
	{                                           \
		return SYSCALL_CONV_##class(r);     \
	}
#include "abi/kinds.def"
#undef KIND

enum syscall_arg_kind {
#define KIND(name, class, text) AK_##name,
#include "abi/kinds.def"
#undef KIND
	AK_COUNT
};

/* How to print a result that is no error. */
enum syscall_ret_kind {
	RET_zero,  /* 0 */
	RET_int,   /* a number */
	RET_size,  /* bytes or items done */
	RET_off,   /* a file offset */
	RET_fd,    /* a new descriptor */
	RET_id,    /* a process, user, group or object */
	RET_addr,  /* a user address */
	RET_hex,   /* bits, or what the arguments say */
	RET_mode,  /* a file mode */
	RET_never, /* does not return to its caller */
};

enum syscall_level {
	LEVEL_NONE,    /* -ENOSYS, and no function */
	LEVEL_PARTIAL, /* the note says what is missing */
	LEVEL_FULL,    /* does what its manual page says */
};

enum syscall_flags {
	SF_BLOCKS = 1 << 0, /* may wait without a bound, until a signal interrupts it */
	SF_FRAME = 1 << 1,  /* copies or replaces the caller's registers */
	SF_NOFAIL = 1 << 2, /* every result is a value: none is an error number */
};

/* NO: this architecture lacks the call. Numbers past SYSCALL_LIMIT are not dispatched. */
enum { NO = -1, SYSCALL_LIMIT = 512 };
#if defined(__x86_64__)
#define SYSCALL_NR(x86_64, generic) ((x86_64) >= 0 ? (x86_64) : SYSCALL_LIMIT + (generic))
#else
#define SYSCALL_NR(x86_64, generic) ((generic) >= 0 ? (generic) : SYSCALL_LIMIT + (x86_64))
#endif
