/* ptrace(2). */
#pragma once

#include <stdint.h>

#define PTRACE_TRACEME                0
#define PTRACE_PEEKTEXT               1
#define PTRACE_PEEKDATA               2
#define PTRACE_PEEKUSR                3
#define PTRACE_POKETEXT               4
#define PTRACE_POKEDATA               5
#define PTRACE_POKEUSR                6
#define PTRACE_CONT                   7
#define PTRACE_KILL                   8
#define PTRACE_SINGLESTEP             9
#define PTRACE_ATTACH                 16
#define PTRACE_DETACH                 17
#define PTRACE_SYSCALL                24
#define PTRACE_SETOPTIONS             0x4200
#define PTRACE_GETEVENTMSG            0x4201
#define PTRACE_GETSIGINFO             0x4202
#define PTRACE_SETSIGINFO             0x4203
#define PTRACE_GETREGSET              0x4204
#define PTRACE_SETREGSET              0x4205
#define PTRACE_SEIZE                  0x4206
#define PTRACE_INTERRUPT              0x4207
#define PTRACE_LISTEN                 0x4208
#define PTRACE_PEEKSIGINFO            0x4209
#define PTRACE_GETSIGMASK             0x420a
#define PTRACE_SETSIGMASK             0x420b
#define PTRACE_SECCOMP_GET_FILTER     0x420c
#define PTRACE_SECCOMP_GET_METADATA   0x420d
#define PTRACE_GET_SYSCALL_INFO       0x420e
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f

/* x86's own */
#define PTRACE_GETREGS           12
#define PTRACE_SETREGS           13
#define PTRACE_GETFPREGS         14
#define PTRACE_SETFPREGS         15
#define PTRACE_OLDSETOPTIONS     21
#define PTRACE_ARCH_PRCTL        30
#define PTRACE_SYSEMU            31
#define PTRACE_SYSEMU_SINGLESTEP 32

#define PTRACE_O_TRACESYSGOOD    0x00000001
#define PTRACE_O_TRACEFORK       0x00000002
#define PTRACE_O_TRACEVFORK      0x00000004
#define PTRACE_O_TRACECLONE      0x00000008
#define PTRACE_O_TRACEEXEC       0x00000010
#define PTRACE_O_TRACEVFORKDONE  0x00000020
#define PTRACE_O_TRACEEXIT       0x00000040
#define PTRACE_O_TRACESECCOMP    0x00000080
#define PTRACE_O_EXITKILL        0x00100000
#define PTRACE_O_SUSPEND_SECCOMP 0x00200000
#define PTRACE_O_MASK            0x003000ff

/* In the wait status, above the signal; the bit of PTRACE_O_TRACE* is 1 << event. */
#define PTRACE_EVENT_FORK       1
#define PTRACE_EVENT_VFORK      2
#define PTRACE_EVENT_CLONE      3
#define PTRACE_EVENT_EXEC       4
#define PTRACE_EVENT_VFORK_DONE 5
#define PTRACE_EVENT_EXIT       6
#define PTRACE_EVENT_SECCOMP    7
#define PTRACE_EVENT_STOP       128

#define PTRACE_EVENTMSG_SYSCALL_ENTRY 1
#define PTRACE_EVENTMSG_SYSCALL_EXIT  2

#define PTRACE_PEEKSIGINFO_SHARED 0x1
struct abi_ptrace_peeksiginfo_args {
	uint64_t off; /* signals to leave out */
	uint32_t flags;
	int32_t nr;
};

#define PTRACE_SYSCALL_INFO_NONE    0
#define PTRACE_SYSCALL_INFO_ENTRY   1
#define PTRACE_SYSCALL_INFO_EXIT    2
#define PTRACE_SYSCALL_INFO_SECCOMP 3
struct abi_ptrace_syscall_info {
	uint8_t op;
	uint8_t pad[3];
	uint32_t arch; /* AUDIT_ARCH_* */
	uint64_t instruction_pointer;
	uint64_t stack_pointer;
	union {
		struct {
			uint64_t nr;
			uint64_t args[6];
		} entry;
		struct {
			int64_t rval;
			uint8_t is_error;
		} exit;
		struct {
			uint64_t nr;
			uint64_t args[6];
			uint32_t ret_data;
		} seccomp;
	};
};

struct abi_seccomp_metadata {
	uint64_t filter_off; /* in */
	uint64_t flags;
};

struct abi_ptrace_rseq_configuration {
	uint64_t rseq_abi_pointer;
	uint32_t rseq_abi_size;
	uint32_t signature;
	uint32_t flags;
	uint32_t pad;
};
