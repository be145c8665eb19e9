#include "sys/table.h"

/*
 * The dispatch table, made from abi/syscalls.def in two passes: a thunk per implemented call, which
 * takes the arguments from the registers with their types (no cast of a function pointer anywhere),
 * and the array of them by designated initialiser. Two rows with one number do not compile
 * (-Woverride-init). A row without a number on this architecture lies past SYSCALL_LIMIT: it is
 * there, and cannot be called.
 */

#include <arch/context.h>

#include "sys/syscalls.h"

#define A(kind, i)                            C_##kind(regs_arg(r, i))
#define ARGS0()                               ()
#define ARGS1(k0, n0)                         (A(k0, 0))
#define ARGS2(k0, n0, k1, n1)                 (A(k0, 0), A(k1, 1))
#define ARGS3(k0, n0, k1, n1, k2, n2)         (A(k0, 0), A(k1, 1), A(k2, 2))
#define ARGS4(k0, n0, k1, n1, k2, n2, k3, n3) (A(k0, 0), A(k1, 1), A(k2, 2), A(k3, 3))
#define ARGS5(k0, n0, k1, n1, k2, n2, k3, n3, k4, n4) \
	(A(k0, 0), A(k1, 1), A(k2, 2), A(k3, 3), A(k4, 4))
#define ARGS6(k0, n0, k1, n1, k2, n2, k3, n3, k4, n4, k5, n5) \
	(A(k0, 0), A(k1, 1), A(k2, 2), A(k3, 3), A(k4, 4), A(k5, 5))

#define THUNK_NONE(name, args)
#define THUNK_PARTIAL(name, args)                         \
	static int64_t thunk_##name(const struct regs *r) \
	{                                                 \
		(void)r;                                  \
		return sys_##name args;                   \
	}
#define THUNK_FULL(name, args) THUNK_PARTIAL(name, args)
#define SYSCALL(name, x86_64, generic, ret, args, level, flags, source, note) \
	THUNK_##level(name, args)
#include "abi/syscalls.def"
#undef SYSCALL

#define ENTRY_NONE(name)    NULL
#define ENTRY_PARTIAL(name) thunk_##name
#define ENTRY_FULL(name)    thunk_##name
#define SYSCALL(name, x86_64, generic, ret, args, level, flags, source, note) \
	[SYSCALL_NR(x86_64, generic)] = ENTRY_##level(name),
syscall_fn *const syscall_table[2 * SYSCALL_LIMIT] = {
#include "abi/syscalls.def"
};
#undef SYSCALL
