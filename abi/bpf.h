#pragma once

/* Classic BPF, as SO_ATTACH_FILTER and seccomp(2) take it: <linux/filter.h>; bpf(4) of the BSDs. */

#include <stdint.h>

struct abi_sock_filter {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};
_Static_assert(sizeof(struct abi_sock_filter) == 8, "");

struct abi_sock_fprog {
	uint16_t len;
	uint64_t filter;
};
_Static_assert(sizeof(struct abi_sock_fprog) == 16, "");

enum { BPF_MAXINSNS = 4096, BPF_MEMWORDS = 16 };

enum { /* instruction classes */
       BPF_LD = 0,
       BPF_LDX = 1,
       BPF_ST = 2,
       BPF_STX = 3,
       BPF_ALU = 4,
       BPF_JMP = 5,
       BPF_RET = 6,
       BPF_MISC = 7,
};

enum { /* sizes and modes of loads */
       BPF_W = 0x00,
       BPF_H = 0x08,
       BPF_B = 0x10,
       BPF_IMM = 0x00,
       BPF_ABS = 0x20,
       BPF_IND = 0x40,
       BPF_MEM = 0x60,
       BPF_LEN = 0x80,
       BPF_MSH = 0xa0,
};

enum { /* arithmetic, jumps */
       BPF_ADD = 0x00,
       BPF_SUB = 0x10,
       BPF_MUL = 0x20,
       BPF_DIV = 0x30,
       BPF_OR = 0x40,
       BPF_AND = 0x50,
       BPF_LSH = 0x60,
       BPF_RSH = 0x70,
       BPF_NEG = 0x80,
       BPF_MOD = 0x90,
       BPF_XOR = 0xa0,
       BPF_JA = 0x00,
       BPF_JEQ = 0x10,
       BPF_JGT = 0x20,
       BPF_JGE = 0x30,
       BPF_JSET = 0x40,
       BPF_K = 0x00,
       BPF_X = 0x08,
       BPF_A = 0x10,
       BPF_TAX = 0x00,
       BPF_TXA = 0x80,
};

/* Negative offsets of absolute loads: what is beside the packet. */
enum {
	SKF_AD_OFF = -0x1000,
	SKF_AD_PROTOCOL = 0,
	SKF_AD_PKTTYPE = 4,
	SKF_AD_IFINDEX = 8,
	SKF_AD_NLATTR = 12,
	SKF_AD_NLATTR_NEST = 16,
	SKF_AD_MARK = 20,
	SKF_AD_QUEUE = 24,
	SKF_AD_HATYPE = 28,
	SKF_AD_RXHASH = 32,
	SKF_AD_CPU = 36,
	SKF_AD_ALU_XOR_X = 40,
	SKF_AD_VLAN_TAG = 44,
	SKF_AD_VLAN_TAG_PRESENT = 48,
	SKF_AD_PAY_OFFSET = 52,
	SKF_AD_RANDOM = 56,
	SKF_AD_VLAN_TPID = 60,
	SKF_AD_MAX = 64,
	SKF_NET_OFF = -0x100000,
	SKF_LL_OFF = -0x200000,
};
