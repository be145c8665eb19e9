/*
 * What a signal handler finds on its stack, x86-64. From low to high addresses: abi_rt_sigframe
 * (rsp points to it on entry, so that pretcode is the handler's return address, and rsp + 8 is a
 * multiple of 16), then the FP state, a multiple of 64, which mcontext.fpstate points to.
 *
 * The FP state is an FXSAVE image whose bytes 464..511, which the CPU leaves to software, hold
 * abi_fpx_sw_bytes; if magic1 says so an XSAVE image of xstate_size bytes is there, and the word
 * FP_XSTATE_MAGIC2 follows it.
 */
#pragma once

#include <stdint.h>

#include "abi/signal.h"

#define FP_XSTATE_MAGIC1      0x46505853U
#define FP_XSTATE_MAGIC2      0x46505845U
#define FP_XSTATE_MAGIC2_SIZE 4U

/* abi_ucontext.uc_flags */
#define UC_FP_XSTATE         0x1 /* fpstate holds an XSAVE image */
#define UC_SIGCONTEXT_SS     0x2 /* mcontext.ss is saved and valid */
#define UC_STRICT_RESTORE_SS 0x4 /* sigreturn restores ss as it stands */

struct abi_fpx_sw_bytes {
	uint32_t magic1;
	uint32_t extended_size; /* xstate_size plus the trailing magic */
	uint64_t xfeatures;
	uint32_t xstate_size;
	uint32_t padding[7];
};

struct abi_fpstate {
	uint16_t cwd;
	uint16_t swd;
	uint16_t twd;
	uint16_t fop;
	uint64_t rip;
	uint64_t rdp;
	uint32_t mxcsr;
	uint32_t mxcsr_mask;
	uint32_t st_space[32];  /* 8 x87 registers, 16 bytes each */
	uint32_t xmm_space[64]; /* 16 registers, 16 bytes each */
	uint32_t reserved2[12];
	struct abi_fpx_sw_bytes sw_reserved;
};

/* The part of an XSAVE image after the legacy 512 bytes. */
struct abi_xstate_header {
	uint64_t xfeatures;
	uint64_t reserved1[2];
	uint64_t reserved2[5];
};

struct abi_sigcontext {
	uint64_t r8;
	uint64_t r9;
	uint64_t r10;
	uint64_t r11;
	uint64_t r12;
	uint64_t r13;
	uint64_t r14;
	uint64_t r15;
	uint64_t rdi;
	uint64_t rsi;
	uint64_t rbp;
	uint64_t rbx;
	uint64_t rdx;
	uint64_t rax;
	uint64_t rcx;
	uint64_t rsp;
	uint64_t rip;
	uint64_t eflags;
	uint16_t cs;
	uint16_t gs;
	uint16_t fs;
	uint16_t ss;
	uint64_t err; /* the page fault's error code */
	uint64_t trapno;
	uint64_t oldmask;
	uint64_t cr2;
	uint64_t fpstate; /* user address, 0: none */
	uint64_t reserved1[8];
};

struct abi_ucontext {
	uint64_t uc_flags;
	uint64_t uc_link;
	struct abi_stack uc_stack;
	struct abi_sigcontext uc_mcontext;
	uint64_t uc_sigmask;
};

struct abi_rt_sigframe {
	uint64_t pretcode; /* the return address: sa_restorer */
	struct abi_ucontext uc;
	struct abi_siginfo info;
	uint8_t __info_rest[SIGINFO_SIZE - sizeof(struct abi_siginfo)];
};
