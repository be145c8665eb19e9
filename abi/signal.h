/*
 * signal(7), sigaction(2), sigaltstack(2), sigevent(3type).
 * A signal set is a uint64_t: bit n - 1 stands for signal n.
 */
#pragma once

#include <stdint.h>

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGIOT    6
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGSTKFLT 16
#define SIGCHLD   17
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPOLL   SIGIO
#define SIGPWR    30
#define SIGSYS    31
#define SIGRTMIN  32 /* the kernel's; libc keeps the first two or three for itself */
#define SIGRTMAX  64
#define _NSIG     64

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

/* values of abi_sigaction.handler */
#define SIG_DFL 0
#define SIG_IGN 1
#define SIG_ERR (-1)

#define SA_NOCLDSTOP      0x00000001
#define SA_NOCLDWAIT      0x00000002
#define SA_SIGINFO        0x00000004
#define SA_UNSUPPORTED    0x00000400 /* always cleared: lets a program probe for flags */
#define SA_EXPOSE_TAGBITS 0x00000800
#define SA_RESTORER       0x04000000
#define SA_ONSTACK        0x08000000
#define SA_RESTART        0x10000000
#define SA_NODEFER        0x40000000
#define SA_RESETHAND      0x80000000
#define SA_NOMASK         SA_NODEFER
#define SA_ONESHOT        SA_RESETHAND

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM (1U << 31)
#define MINSIGSTKSZ   2048
#define SIGSTKSZ      8192

/* si_code: who sent it */
#define SI_USER     0
#define SI_KERNEL   0x80
#define SI_QUEUE    -1
#define SI_TIMER    -2
#define SI_MESGQ    -3
#define SI_ASYNCIO  -4
#define SI_SIGIO    -5
#define SI_TKILL    -6
#define SI_DETHREAD -7
#define SI_ASYNCNL  -60

/* si_code: why, by signal */
#define ILL_ILLOPC        1
#define ILL_ILLOPN        2
#define ILL_ILLADR        3
#define ILL_ILLTRP        4
#define ILL_PRVOPC        5
#define ILL_PRVREG        6
#define ILL_COPROC        7
#define ILL_BADSTK        8
#define FPE_INTDIV        1
#define FPE_INTOVF        2
#define FPE_FLTDIV        3
#define FPE_FLTOVF        4
#define FPE_FLTUND        5
#define FPE_FLTRES        6
#define FPE_FLTINV        7
#define FPE_FLTSUB        8
#define FPE_FLTUNK        14
#define SEGV_MAPERR       1
#define SEGV_ACCERR       2
#define SEGV_BNDERR       3
#define SEGV_PKUERR       4
#define BUS_ADRALN        1
#define BUS_ADRERR        2
#define BUS_OBJERR        3
#define BUS_MCEERR_AR     4
#define BUS_MCEERR_AO     5
#define TRAP_BRKPT        1
#define TRAP_TRACE        2
#define TRAP_BRANCH       3
#define TRAP_HWBKPT       4
#define TRAP_UNK          5
#define TRAP_PERF         6
#define CLD_EXITED        1
#define CLD_KILLED        2
#define CLD_DUMPED        3
#define CLD_TRAPPED       4
#define CLD_STOPPED       5
#define CLD_CONTINUED     6
#define POLL_IN           1
#define POLL_OUT          2
#define POLL_MSG          3
#define POLL_ERR          4
#define POLL_PRI          5
#define POLL_HUP          6
#define SYS_SECCOMP       1
#define SYS_USER_DISPATCH 2

#define SIGEV_SIGNAL    0
#define SIGEV_NONE      1
#define SIGEV_THREAD    2
#define SIGEV_THREAD_ID 4

/* What rt_sigaction exchanges: not libc's struct sigaction. */
struct abi_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

struct abi_stack {
	uint64_t ss_sp;
	int32_t ss_flags;
	uint64_t ss_size;
};

union abi_sigval {
	int32_t sival_int;
	uint64_t sival_ptr;
};

/*
 * sigaction(2) says which member of the union is valid for which signal and si_code. Its members
 * go without libc's si_ prefix, since libc defines those names as macros. This is the part that means
 * something: on the user's side it has SIGINFO_SIZE bytes, the rest of them zero.
 */
enum { SIGINFO_SIZE = 128 };
struct abi_siginfo {
	int32_t si_signo;
	int32_t si_errno;
	int32_t si_code;
	int32_t __pad0;
	union {
		struct {
			int32_t pid;
			uint32_t uid;
		} kill;
		struct {
			int32_t tid; /* the timer's id */
			int32_t overrun;
			union abi_sigval value;
		} timer;
		struct {
			int32_t pid;
			uint32_t uid;
			union abi_sigval value;
		} rt;
		struct {
			int32_t pid;
			uint32_t uid;
			int32_t status;
			int64_t utime; /* in clock ticks, USER_HZ */
			int64_t stime;
		} chld;
		struct {
			uint64_t addr;
			int16_t addr_lsb; /* BUS_MCEERR_*: log2 of the bytes lost */
		} fault;
		struct {
			uint64_t addr;
			uint64_t __pad;
			uint64_t lower;
			uint64_t upper;
		} bounds; /* SEGV_BNDERR */
		struct {
			uint64_t addr;
			uint64_t __pad;
			uint32_t pkey;
		} pku; /* SEGV_PKUERR */
		struct {
			uint64_t addr;
			uint64_t data;
			uint32_t type;
			uint32_t flags;
		} perf; /* TRAP_PERF */
		struct {
			int64_t band;
			int32_t fd;
		} poll;
		struct {
			uint64_t call_addr;
			int32_t syscall;
			uint32_t arch;
		} sys;
		uint8_t __bytes[32];
	};
};

struct abi_sigevent {
	union abi_sigval sigev_value;
	int32_t sigev_signo;
	int32_t sigev_notify;
	union {
		int32_t sigev_tid; /* SIGEV_THREAD_ID */
		uint8_t __pad[48];
	};
};

/* The last argument of pselect6 points to this. */
struct abi_sigset_arg {
	uint64_t ss; /* the set's address */
	uint64_t ss_len;
};
