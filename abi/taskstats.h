#pragma once

/* The generic netlink family TASKSTATS: linux/taskstats.h. */

#include <stdint.h>

enum {
	TASKSTATS_VERSION = 13,
	TASKSTATS_GENL_VERSION = 1,
	TS_COMM_LEN = 32,

	TASKSTATS_CMD_GET = 1,
	TASKSTATS_CMD_NEW = 2,
	CGROUPSTATS_CMD_GET = 4,

	TASKSTATS_TYPE_PID = 1,
	TASKSTATS_TYPE_TGID = 2,
	TASKSTATS_TYPE_STATS = 3,
	TASKSTATS_TYPE_AGGR_PID = 4,
	TASKSTATS_TYPE_AGGR_TGID = 5,

	TASKSTATS_CMD_ATTR_PID = 1,
	TASKSTATS_CMD_ATTR_TGID = 2,
	TASKSTATS_CMD_ATTR_REGISTER_CPUMASK = 3,
	TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK = 4,

	CGROUPSTATS_CMD_ATTR_FD = 1,
};

/* Of ac_flag: linux/acct.h. */
enum {
	AFORK = 0x01,  /* has forked, and run no program since */
	ASU = 0x02,    /* has used a capability */
	ACORE = 0x08,  /* dumped core */
	AXSIG = 0x10,  /* ended by a signal */
	AGROUP = 0x20, /* the last of its process */
};

/* Delays in ns, ac_*time in µs but ac_btime, seconds since 1970; hiwater_* in KiB. */
struct abi_taskstats {
	uint16_t version;
	uint32_t ac_exitcode;
	uint8_t ac_flag, ac_nice;
	uint64_t cpu_count, cpu_delay_total;
	uint64_t blkio_count, blkio_delay_total;
	uint64_t swapin_count, swapin_delay_total;
	uint64_t cpu_run_real_total, cpu_run_virtual_total;
	char ac_comm[TS_COMM_LEN];
	uint8_t ac_sched, ac_pad[3];
	uint32_t __pad1;
	uint32_t ac_uid, ac_gid, ac_pid, ac_ppid, ac_btime;
	uint64_t ac_etime, ac_utime, ac_stime, ac_minflt, ac_majflt;
	uint64_t coremem, virtmem;
	uint64_t hiwater_rss, hiwater_vm;
	uint64_t read_char, write_char, read_syscalls, write_syscalls;
	uint64_t read_bytes, write_bytes, cancelled_write_bytes;
	uint64_t nvcsw, nivcsw;
	uint64_t ac_utimescaled, ac_stimescaled, cpu_scaled_run_real_total;
	uint64_t freepages_count, freepages_delay_total;
	uint64_t thrashing_count, thrashing_delay_total;
	uint64_t ac_btime64;
	uint64_t compact_count, compact_delay_total;
	uint32_t ac_tgid;
	uint64_t ac_tgetime, ac_exe_dev, ac_exe_inode;
	uint64_t wpcopy_count, wpcopy_delay_total;
};
_Static_assert(sizeof(struct abi_taskstats) == 416, "");
