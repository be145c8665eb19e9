/*
 * The five things that a kernel makes of syscalls.def and flags.def, in their shortest form: that
 * they compile is most of the test. check.py builds it for both numberings.
 */
#include <stdio.h>

#include "abi/flags.h"
#include "abi/syscall_kinds.h"

/* 1: numbers */
enum {
#define SYSCALL(name, x86_64, generic, ...) SYS_##name = SYSCALL_NR(x86_64, generic),
#include "abi/syscalls.def"
#undef SYSCALL
	SYS_MAX = 2 * SYSCALL_LIMIT
};

/* 2: functions, of the rows that have one; here they all return the number of their call */
#define ARGS0() (void)
#define ARGS1(k1, n1) (T_##k1 n1)
#define ARGS2(k1, n1, k2, n2) (T_##k1 n1, T_##k2 n2)
#define ARGS3(k1, n1, k2, n2, k3, n3) (T_##k1 n1, T_##k2 n2, T_##k3 n3)
#define ARGS4(k1, n1, k2, n2, k3, n3, k4, n4) (T_##k1 n1, T_##k2 n2, T_##k3 n3, T_##k4 n4)
#define ARGS5(k1, n1, k2, n2, k3, n3, k4, n4, k5, n5) \
	(T_##k1 n1, T_##k2 n2, T_##k3 n3, T_##k4 n4, T_##k5 n5)
#define ARGS6(k1, n1, k2, n2, k3, n3, k4, n4, k5, n5, k6, n6) \
	(T_##k1 n1, T_##k2 n2, T_##k3 n3, T_##k4 n4, T_##k5 n5, T_##k6 n6)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define DEFINE_NONE(name, args)
#define DEFINE_PARTIAL(name, args) static int64_t sys_##name args { return SYS_##name; }
#define DEFINE_FULL(name, args)    DEFINE_PARTIAL(name, args)
#define SYSCALL(name, x86_64, generic, ret, args, level, ...) DEFINE_##level(name, args)
#include "abi/syscalls.def"
#undef SYSCALL
#pragma GCC diagnostic pop
#undef ARGS0
#undef ARGS1
#undef ARGS2
#undef ARGS3
#undef ARGS4
#undef ARGS5
#undef ARGS6

/* 3: thunks from registers */
#define ARGS0() ()
#define ARGS1(k1, n1) (C_##k1(r[0]))
#define ARGS2(k1, n1, k2, n2) (C_##k1(r[0]), C_##k2(r[1]))
#define ARGS3(k1, n1, k2, n2, k3, n3) (C_##k1(r[0]), C_##k2(r[1]), C_##k3(r[2]))
#define ARGS4(k1, n1, k2, n2, k3, n3, k4, n4) \
	(C_##k1(r[0]), C_##k2(r[1]), C_##k3(r[2]), C_##k4(r[3]))
#define ARGS5(k1, n1, k2, n2, k3, n3, k4, n4, k5, n5) \
	(C_##k1(r[0]), C_##k2(r[1]), C_##k3(r[2]), C_##k4(r[3]), C_##k5(r[4]))
#define ARGS6(k1, n1, k2, n2, k3, n3, k4, n4, k5, n5, k6, n6) \
	(C_##k1(r[0]), C_##k2(r[1]), C_##k3(r[2]), C_##k4(r[3]), C_##k5(r[4]), C_##k6(r[5]))
#define THUNK_NONE(name, args)
#define THUNK_PARTIAL(name, args) \
	static int64_t do_##name(const uint64_t r[6]) \
	{ \
		(void)r; \
		return sys_##name args; \
	}
#define THUNK_FULL(name, args) THUNK_PARTIAL(name, args)
#define SYSCALL(name, x86_64, generic, ret, args, level, ...) THUNK_##level(name, args)
#include "abi/syscalls.def"
#undef SYSCALL
#undef ARGS0
#undef ARGS1
#undef ARGS2
#undef ARGS3
#undef ARGS4
#undef ARGS5
#undef ARGS6

/* 4: dispatch */
#define SLOT_NONE(name)
#define SLOT_PARTIAL(name) [SYS_##name] = do_##name,
#define SLOT_FULL(name)    SLOT_PARTIAL(name)
#define SYSCALL(name, x86_64, generic, ret, args, level, ...) SLOT_##level(name)
static int64_t (*const dispatch[SYS_MAX])(const uint64_t r[6]) = {
#include "abi/syscalls.def"
};
#undef SYSCALL

/* 5: descriptors */
struct desc {
	const char *name, *source, *note;
	uint8_t ret, level, flags, nargs;
	struct {
		uint8_t kind;
		const char *name;
	} arg[6];
};
#define ARG(k, n)    { AK_##k, #n }
#define ARGS0()      0, { { 0, NULL } }
#define ARGS1(k1, n1) 1, { ARG(k1, n1) }
#define ARGS2(k1, n1, k2, n2) 2, { ARG(k1, n1), ARG(k2, n2) }
#define ARGS3(k1, n1, k2, n2, k3, n3) 3, { ARG(k1, n1), ARG(k2, n2), ARG(k3, n3) }
#define ARGS4(k1, n1, k2, n2, k3, n3, k4, n4) \
	4, { ARG(k1, n1), ARG(k2, n2), ARG(k3, n3), ARG(k4, n4) }
#define ARGS5(k1, n1, k2, n2, k3, n3, k4, n4, k5, n5) \
	5, { ARG(k1, n1), ARG(k2, n2), ARG(k3, n3), ARG(k4, n4), ARG(k5, n5) }
#define ARGS6(k1, n1, k2, n2, k3, n3, k4, n4, k5, n5, k6, n6) \
	6, { ARG(k1, n1), ARG(k2, n2), ARG(k3, n3), ARG(k4, n4), ARG(k5, n5), ARG(k6, n6) }
#define DESC_(nm, rt, lv, fl, src, nt, na, ...) \
	{ .name = nm, .ret = rt, .level = lv, .flags = fl, .source = src, .note = nt, .nargs = na, \
	  .arg = __VA_ARGS__ }
#define DESC(...) DESC_(__VA_ARGS__)
#define SYSCALL(name, x86_64, generic, ret, args, level, flags, source, note) \
	[SYS_##name] = DESC(#name, ret, LEVEL_##level, flags, source, note, args),
static const struct desc descs[SYS_MAX] = {
#include "abi/syscalls.def"
};
#undef SYSCALL

static int failures;

static void expect(int ok, const char *what)
{
	if (ok)
		return;
	printf("consumer: %s\n", what);
	failures++;
}
#define EXPECT(c) expect(c, #c)

int main(void)
{
	const uint64_t r[6] = { 0xffffffffffffff9c, 0, 0, 0, 0, 0 };

	for (int i = 0; i < SYS_MAX; i++) {
		if (!dispatch[i])
			continue;
		EXPECT(dispatch[i](r) == i);
		EXPECT(descs[i].name && descs[i].level != LEVEL_NONE);
	}
	EXPECT(C_fd(0xdeadbeef00000003) == 3);
	EXPECT(C_dirfd(0xffffff9c) == -100);
	EXPECT(C_mode(0xdeadbeef000001ff) == 0777);
	EXPECT(C_off(UINT64_MAX) == -1);
	EXPECT(C_path(0x1000).a == 0x1000);
	EXPECT(descs[SYS_openat].nargs == 4 && descs[SYS_openat].arg[2].kind == AK_flags_open);
	EXPECT(descs[SYS_getpid].nargs == 0 && descs[SYS_getpid].flags == SF_NOFAIL);
	EXPECT(flags_supported(FS_dup3) == 02000000);
	EXPECT(flags_supported(FS_umount) == 15);
	return failures;
}
