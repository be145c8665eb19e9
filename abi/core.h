/* core(5), elf(5): the notes of a core file, on machines of 64 bits. */
#pragma once

#include <stdint.h>

#include "abi/time.h"

/* NT_PRSTATUS; the general registers come behind it, then pr_fpvalid and padding. */
struct abi_prstatus {
	int32_t si_signo, si_code, si_errno;
	int16_t pr_cursig;
	int16_t __pad;
	uint64_t pr_sigpend, pr_sighold;
	int32_t pr_pid, pr_ppid, pr_pgrp, pr_sid;
	struct abi_timeval pr_utime, pr_stime, pr_cutime, pr_cstime;
};

struct abi_prpsinfo { /* NT_PRPSINFO */
	int8_t pr_state;
	char pr_sname;
	int8_t pr_zomb, pr_nice;
	uint32_t __pad;
	uint64_t pr_flag;
	uint32_t pr_uid, pr_gid;
	int32_t pr_pid, pr_ppid, pr_pgrp, pr_sid;
	char pr_fname[16];
	char pr_psargs[80];
};

_Static_assert(sizeof(struct abi_prstatus) == 112, "elf_prstatus up to its registers");
_Static_assert(sizeof(struct abi_prpsinfo) == 136, "elf_prpsinfo");

/* /proc/PID/coredump_filter */
#define CORE_ANON_PRIVATE   0x01u
#define CORE_ANON_SHARED    0x02u
#define CORE_MAPPED_PRIVATE 0x04u
#define CORE_MAPPED_SHARED  0x08u
#define CORE_ELF_HEADERS    0x10u
#define CORE_FILTER_DEFAULT 0x33u
#define CORE_FILTER_MASK    0x1ffu
