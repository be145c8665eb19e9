#pragma once

/* The dispatch table: system call number to function. */

#include "abi/syscall_kinds.h"
#include "lib/types.h"

struct regs;

/* Unpacks the arguments from the registers and calls sys_<name>. */
typedef int64_t syscall_fn(const struct regs *r);

/* Numbers below SYSCALL_LIMIT can be called; NULL: -ENOSYS. Immutable. */
extern syscall_fn *const syscall_table[];

/* SYS_<name>, the number on this architecture; >= SYSCALL_LIMIT where it has none. */
#define SYSCALL(name, x86_64, generic, ret, args, level, flags, source, note) \
	SYS_##name = SYSCALL_NR(x86_64, generic),
enum syscall_nr {
#include "abi/syscalls.def"
};
#undef SYSCALL
