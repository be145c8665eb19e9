#pragma once

/* The functions behind the rows of abi/syscalls.def that are not NONE: sys_<name>(typed arguments),
 * each in the file of its manual page's group. All return a value or -errno, may sleep, and are
 * called without locks. */

#include "abi/syscall_kinds.h"

#define ARGS0()                               (void)
#define ARGS1(k1, n1)                         (T_##k1 n1)
#define ARGS2(k1, n1, k2, n2)                 (T_##k1 n1, T_##k2 n2)
#define ARGS3(k1, n1, k2, n2, k3, n3)         (T_##k1 n1, T_##k2 n2, T_##k3 n3)
#define ARGS4(k1, n1, k2, n2, k3, n3, k4, n4) (T_##k1 n1, T_##k2 n2, T_##k3 n3, T_##k4 n4)
#define ARGS5(k1, n1, k2, n2, k3, n3, k4, n4, k5, n5) \
	(T_##k1 n1, T_##k2 n2, T_##k3 n3, T_##k4 n4, T_##k5 n5)
#define ARGS6(k1, n1, k2, n2, k3, n3, k4, n4, k5, n5, k6, n6) \
	(T_##k1 n1, T_##k2 n2, T_##k3 n3, T_##k4 n4, T_##k5 n5, T_##k6 n6)
#define PROTO_NONE(name, args)
#define PROTO_PARTIAL(name, args)                  int64_t sys_##name args;
#define PROTO_FULL(name, args)                     int64_t sys_##name args;
#define SYSCALL(name, x, g, ret, args, level, ...) PROTO_##level(name, args)
#include "abi/syscalls.def"
#undef SYSCALL
#undef PROTO_NONE
#undef PROTO_PARTIAL
#undef PROTO_FULL
#undef ARGS0
#undef ARGS1
#undef ARGS2
#undef ARGS3
#undef ARGS4
#undef ARGS5
#undef ARGS6
