/*
 * /proc/sys: values that can be read, and those whose change has an effect can be written. A value
 * that the kernel does not act on is read-only. Source: proc(5), sysctl(8).
 */

#include <arch/elf.h>

#include "abi/errno.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/random.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "proc/coredump.h"
#include "proc/exec.h"
#include "proc/fatal.h"
#include "proc/oom.h"
#include "proc/pid.h"
#include "proc/info.h"
#include "proc/ipc/msg.h"
#include "proc/ipc/sem.h"
#include "proc/ipc/shm.h"
#include "proc/seccomp.h"
#include "proc/task.h"
#include "proc/uts.h"
#include "pseudofs/proc_var.h"
#include "pseudofs/procfs_priv.h"
#include "sched/sched.h"
#include "vfs/aio.h"
#include "vfs/cred.h"
#include "vfs/dentry.h"
#include "vfs/fdtable.h"
#include "vfs/inode.h"
#include "vfs/inotify.h"
#include "vfs/lock.h"
#include "vfs/mount.h"
#include "vfs/pipe.h"
#include "vfs/walk.h"
#include "vm/pagecache.h"
#include "vm/stat.h"
#include "vm/vmspace.h"

static int number_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%lu\n", (unsigned long)i->node->arg);
	return 0;
}

static int fixed_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%s\n", (const char *)i->node->ptr);
	return 0;
}

static int uts_show(struct pinode *i, struct textbuf *t)
{
	char name[UTS_LEN + 1];

	uts_get((enum uts_name)i->node->arg, name);
	text_f(t, "%s\n", name);
	return 0;
}

/* Of what was written, without the newline that echo adds. */
static size_t line_length(const char *text)
{
	const char *end = strchr(text, '\n');

	return end != NULL ? (size_t)(end - text) : strlen(text);
}

static ssize64_t uts_store(struct pinode *i, char *text, size_t n)
{
	uts_set((enum uts_name)i->node->arg, text, line_length(text));
	return (ssize64_t)n;
}

static int core_pattern_show(struct pinode *i, struct textbuf *t)
{
	char pattern[CORE_PATTERN_MAX];

	(void)i;
	core_pattern_get(pattern);
	text_f(t, "%s\n", pattern);
	return 0;
}

static ssize64_t core_pattern_store(struct pinode *i, char *text, size_t n)
{
	(void)i;
	core_pattern_set(text, line_length(text));
	return (ssize64_t)n;
}

static int release_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%s\n", kernel_identity()->release);
	return 0;
}

static int version_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%s\n", kernel_identity()->version);
	return 0;
}

static void uuid_text(struct textbuf *t, const uint8_t b[16])
{
	for (int k = 0; k < 16; k++)
		text_f(t, k == 4 || k == 6 || k == 8 || k == 10 ? "-%02x" : "%02x", b[k]);
	text_c(t, '\n');
}

static void uuid_make(uint8_t b[16])
{
	random_bytes(b, 16);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
}

static int uuid_show(struct pinode *i, struct textbuf *t)
{
	uint8_t b[16];

	(void)i;
	uuid_make(b);
	uuid_text(t, b);
	return 0;
}

static int boot_id_show(struct pinode *i, struct textbuf *t)
{
	static uint8_t boot_id[16];

	(void)i;
	if (boot_id[6] == 0)
		uuid_make(boot_id);
	uuid_text(t, boot_id);
	return 0;
}

static int printk_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%d\t4\t1\t7\n", log_console_level());
	return 0;
}

static ssize64_t printk_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	if (proc_one_number(text, 0, 15, &v))
		return -EINVAL;
	log_set_console_level((int)v);
	return (ssize64_t)n;
}

static ssize64_t nr_open_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	if (proc_one_number(text, 64, 1 << 30, &v))
		return -EINVAL;
	vfs_nr_open = (unsigned)v & ~63u;
	return (ssize64_t)n;
}

/* Rounded up to a power of two of pages. */
static ssize64_t pipe_max_size_store(struct pinode *i, char *text, size_t n)
{
	uint64_t size = PAGE_SIZE;
	int64_t v;

	(void)i;
	if (proc_one_number(text, 0, 1ll << 31, &v))
		return -EINVAL;
	while (size < (uint64_t)v)
		size *= 2;
	vfs_pipe_max_size = (unsigned)size;
	return (ssize64_t)n;
}

static int aio_nr_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%lu\n", (unsigned long)aio_count());
	return 0;
}

static int dentry_state_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%lu\t0\t45\t0\t0\t0\n", (unsigned long)atomic_load(&dcache_count));
	return 0;
}

static int inode_nr_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%lu\t0\n", (unsigned long)inode_count());
	return 0;
}

static int inode_state_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%lu\t0\t0\t0\t0\t0\t0\n", (unsigned long)inode_count());
	return 0;
}

static int panic_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%d\n", atomic_load(&panic_timeout));
	return 0;
}

static ssize64_t panic_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	if (proc_one_number(text, -INT32_MAX, INT32_MAX, &v))
		return -EINVAL;
	atomic_store(&panic_timeout, (int)v);
	return (ssize64_t)n;
}

static int last_pid_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%u\n", pid_last());
	return 0;
}

static ssize64_t last_pid_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	if (!capable(CAP_SYS_ADMIN) && !capable(CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	if (proc_one_number(text, 0, PID_MAX_LIMIT, &v))
		return -EINVAL;
	pid_set_last((uint32_t)v);
	return (ssize64_t)n;
}

static int file_nr_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%lu\t0\t%lu\n", (unsigned long)atomic_load(&vfs_nr_files),
	       (unsigned long)vfs_max_files);
	return 0;
}

/* Of the two limits, that which was set last holds; the other one reads 0. */
static ssize64_t overcommit_kbytes_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	if (proc_one_number(text, 0, INT64_MAX, &v))
		return -EINVAL;
	vm_overcommit_kbytes = v;
	vm_overcommit_ratio = 0;
	return (ssize64_t)n;
}

static ssize64_t overcommit_ratio_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	if (proc_one_number(text, 0, INT32_MAX, &v))
		return -EINVAL;
	vm_overcommit_ratio = (int)v;
	vm_overcommit_kbytes = 0;
	return (ssize64_t)n;
}

static int min_free_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%lu\n", (unsigned long)pmm_min_free_pages() * (PAGE_SIZE / 1024));
	return 0;
}

static ssize64_t min_free_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	if (proc_one_number(text, 0, INT32_MAX, &v))
		return -EINVAL;
	pmm_set_min_free(v / (PAGE_SIZE / 1024));
	return (ssize64_t)n;
}

/* Free blocks are merged as they are freed: that is all the compaction there is. Only 1 is a
 * request. */
static ssize64_t compact_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	return proc_one_number(text, 1, 1, &v) ? -EINVAL : (ssize64_t)n;
}

static ssize64_t drop_caches_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	if (proc_one_number(text, 1, 4, &v))
		return -EINVAL;
	/* Both are clocks: the first round takes the marks of use away. */
	for (int round = 0; round < 2; round++) {
		if (v & 1)
			pagecache_reclaim(UINT64_MAX);
		if (v & 2)
			dcache_reclaim(UINT64_MAX);
	}
	vm_count(VM_EVENT_DROP_PAGECACHE, v & 1);
	vm_count(VM_EVENT_DROP_SLAB, v >> 1 & 1);
	return (ssize64_t)n;
}

/* sched(7). arg: what it is. A runtime of -1 is no limit; it may not exceed the period. */
enum { RT_PERIOD_US, RT_RUNTIME_US, RR_SLICE_MS };

static int sched_show(struct pinode *i, struct textbuf *t)
{
	nsec_t ns = i->node->arg == RT_PERIOD_US    ? sched_rt_period
		    : i->node->arg == RT_RUNTIME_US ? sched_rt_runtime
						    : sched_rr_slice;

	if (ns == NSEC_MAX)
		text_f(t, "-1\n");
	else
		text_f(t, "%ld\n",
		       (long)(ns / (i->node->arg == RR_SLICE_MS ? NSEC_PER_MSEC : NSEC_PER_USEC)));
	return 0;
}

static ssize64_t sched_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;
	nsec_t ns;

	if (proc_one_number(text, -INT32_MAX, INT32_MAX, &v))
		return -EINVAL;
	ns = (nsec_t)v * NSEC_PER_USEC;
	switch (i->node->arg) {
	case RT_PERIOD_US:
		if (v <= 0 || (sched_rt_runtime != NSEC_MAX && ns < sched_rt_runtime))
			return -EINVAL;
		sched_rt_period = ns;
		break;
	case RT_RUNTIME_US:
		if (v < 0 ? v != -1 : ns > sched_rt_period)
			return -EINVAL;
		sched_rt_runtime = v < 0 ? NSEC_MAX : ns;
		break;
	default: /* none: the default again */
		sched_rr_slice = v <= 0 ? 100 * NSEC_PER_MSEC : (nsec_t)v * NSEC_PER_MSEC;
	}
	return (ssize64_t)n;
}

static int seccomp_actions_show(struct pinode *i, struct textbuf *t)
{
	seccomp_format_actions(t, i->node->arg != 0);
	return 0;
}

static ssize64_t seccomp_logged_store(struct pinode *i, char *text, size_t n)
{
	int err = capable(CAP_SYS_ADMIN) ? seccomp_set_logged(text) : -EPERM;

	(void)i;
	return err ? err : (ssize64_t)n;
}

#define NUMBER(n, v)                                                             \
	{                                                                        \
		.name = n, .mode = S_IFREG | 0444, .show = number_show, .arg = v \
	}
#define FIXED(n, s)                                                             \
	{                                                                       \
		.name = n, .mode = S_IFREG | 0444, .show = fixed_show, .ptr = s \
	}
#define SCHED(n, what)                                                                       \
	{                                                                                    \
		.name = n, .mode = S_IFREG | 0644, .show = sched_show, .store = sched_store, \
		.arg = what                                                                  \
	}
/* System V's: which identifier comes next; a long without a sign. */
#define NEXT_ID(n, ids)                                                                          \
	{                                                                                        \
		.name = n, .mode = S_IFREG | 0444, .ptr = &(ids), .show = proc_ipc_next_id_show, \
		.store = proc_ipc_next_id_store                                                  \
	}
#define IPC_ULONG(n, var)                                                                      \
	{                                                                                      \
		.name = n, .mode = S_IFREG | 0644, .ptr = &(var), .show = proc_ipc_ulong_show, \
		.store = proc_ipc_ulong_store                                                  \
	}

static const struct pnode random_nodes[] = {
	PROC_TEXT("boot_id", boot_id_show),
	NUMBER("entropy_avail", 256),
	NUMBER("poolsize", 256),
	PROC_TEXT("uuid", uuid_show),
	{ 0 },
};

static const struct pnode seccomp_nodes[] = {
	PROC_TEXT("actions_avail", seccomp_actions_show),
	{ .name = "actions_logged",
	  .mode = S_IFREG | 0644,
	  .show = seccomp_actions_show,
	  .store = seccomp_logged_store,
	  .arg = 1 },
	{ 0 },
};

static const struct pnode kernel_nodes[] = {
	FIXED("arch", ARCH_UTS_MACHINE),
	PROC_SET("auto_msgmni", number_show, proc_ipc_auto_store),
	NUMBER("cap_last_cap", CAP_LAST_CAP),
	PROC_SET("core_pattern", core_pattern_show, core_pattern_store),
	PROC_INT("core_pipe_limit", core_pipe_limit, 0, INT32_MAX),
	PROC_INT("core_uses_pid", core_uses_pid, 0, 1),
	PROC_INT("dmesg_restrict", syslog_restrict, 0, 1),
	{ .name = "domainname",
	  .mode = S_IFREG | 0644,
	  .show = uts_show,
	  .store = uts_store,
	  .arg = UTS_DOMAINNAME },
	{ .name = "hostname",
	  .mode = S_IFREG | 0644,
	  .show = uts_show,
	  .store = uts_store,
	  .arg = UTS_NODENAME },
	NEXT_ID("msg_next_id", msg_ids),
	PROC_INT("msgmax", msg_max, 0, INT32_MAX),
	PROC_INT("msgmnb", msg_mnb, 0, INT32_MAX),
	PROC_INT("msgmni", msg_ids.limit, 0, IPC_MNI_MAX),
	NUMBER("ngroups_max", 65536),
	{ .name = "ns_last_pid",
	  .mode = S_IFREG | 0666,
	  .show = last_pid_show,
	  .store = last_pid_store },
	PROC_TEXT("osrelease", release_show),
	FIXED("ostype", "Linux"),
	NUMBER("overflowgid", 65534),
	NUMBER("overflowuid", 65534),
	PROC_SET("panic", panic_show, panic_store),
	NUMBER("panic_on_oops", 1), /* there is nothing between a bug and a panic */
	PROC_INT("pid_max", pid_max, PID_RESERVED + 1, PID_MAX_LIMIT),
	PROC_INT("print-fatal-signals", fatal_print_signals, 0, INT32_MAX),
	PROC_SET("printk", printk_show, printk_store),
	PROC_DIR("random", random_nodes),
	PROC_INT("randomize_va_space", exec_randomize_va_space, 0, 2),
	SCHED("sched_rr_timeslice_ms", RR_SLICE_MS),
	SCHED("sched_rt_period_us", RT_PERIOD_US),
	SCHED("sched_rt_runtime_us", RT_RUNTIME_US),
	PROC_DIR("seccomp", seccomp_nodes),
	PROC_SET("sem", proc_ipc_sem_show, proc_ipc_sem_store),
	NEXT_ID("sem_next_id", sem_ids),
	NEXT_ID("shm_next_id", shm_ids),
	PROC_VAR_STORE("shm_rmid_forced", shm_rmid_forced, proc_ipc_rmid_forced_store),
	IPC_ULONG("shmall", shm_all),
	IPC_ULONG("shmmax", shm_max),
	PROC_INT("shmmni", shm_ids.limit, 0, IPC_MNI_MAX),
	NUMBER("sysrq", 0),
	NUMBER("tainted", 0),
	PROC_INT("threads-max", task_max, 0, PID_MAX_LIMIT),
	PROC_TEXT("version", version_show),
	{ 0 },
};

static const struct pnode vm_nodes[] = {
	{ .name = "drop_caches", .mode = S_IFREG | 0200, .store = drop_caches_store },
	PROC_INT("max_map_count", vm_max_map_count, 0, INT32_MAX),
	{ .name = "compact_memory", .mode = S_IFREG | 0200, .store = compact_store },
	PROC_SET("min_free_kbytes", min_free_show, min_free_store),
	PROC_INT("mmap_min_addr", vm_mmap_min_addr, 0, INT64_MAX),
	PROC_INT("oom_dump_tasks", oom_dump_tasks, 0, 1),
	PROC_INT("oom_kill_allocating_task", oom_kill_allocating_task, 0, 1),
	PROC_VAR_STORE("overcommit_kbytes", vm_overcommit_kbytes, overcommit_kbytes_store),
	PROC_INT("overcommit_memory", vm_overcommit_mode, 0, 2),
	PROC_VAR_STORE("overcommit_ratio", vm_overcommit_ratio, overcommit_ratio_store),
	NUMBER("page-cluster", 3),
	PROC_INT("panic_on_oom", oom_panic, 0, 2),
	NUMBER("swappiness", 60),
	{ 0 },
};

static const struct pnode inotify_nodes[] = {
	PROC_INT("max_queued_events", vfs_inotify_max_events, 0, INT32_MAX),
	PROC_INT("max_user_instances", vfs_inotify_max_instances, 0, INT32_MAX),
	PROC_INT("max_user_watches", vfs_inotify_max_watches, 0, INT32_MAX),
	{ 0 },
};

static const struct pnode debug_nodes[] = {
	PROC_INT("exception-trace", fatal_exception_trace, 0, INT32_MAX),
	{ 0 },
};

static const struct pnode fs_nodes[] = {
	PROC_INT("aio-max-nr", vfs_aio_max, 0, INT32_MAX),
	PROC_TEXT("aio-nr", aio_nr_show),
	PROC_TEXT("dentry-state", dentry_state_show),
	PROC_INT("dir-notify-enable", vfs_dnotify_enable, 0, 1),
	PROC_INT("file-max", vfs_max_files, 0, INT64_MAX),
	PROC_TEXT("file-nr", file_nr_show),
	PROC_TEXT("inode-nr", inode_nr_show),
	PROC_TEXT("inode-state", inode_state_show),
	PROC_DIR("inotify", inotify_nodes),
	PROC_INT("lease-break-time", vfs_lease_break_time, 0, INT32_MAX),
	PROC_INT("leases-enable", vfs_leases_enable, 0, 1),
	PROC_INT("mount-max", mount_max, 0, INT32_MAX),
	PROC_DIR("mqueue", proc_sys_mqueue_nodes),
	PROC_VAR_STORE("nr_open", vfs_nr_open, nr_open_store),
	NUMBER("overflowgid", 65534),
	NUMBER("overflowuid", 65534),
	PROC_VAR_STORE("pipe-max-size", vfs_pipe_max_size, pipe_max_size_store),
	PROC_INT("pipe-user-pages-hard", vfs_pipe_pages_hard, 0, INT32_MAX),
	PROC_INT("pipe-user-pages-soft", vfs_pipe_pages_soft, 0, INT32_MAX),
	PROC_INT("protected_fifos", vfs_protected_fifos, 0, 2),
	PROC_INT("protected_hardlinks", vfs_protected_hardlinks, 0, 1),
	PROC_INT("protected_regular", vfs_protected_regular, 0, 2),
	PROC_INT("protected_symlinks", vfs_protected_symlinks, 0, 1),
	PROC_INT("suid_dumpable", core_suid_dumpable, 0, 2),
	{ 0 },
};

const struct pnode proc_sys_nodes[] = {
	PROC_DIR("debug", debug_nodes),   PROC_DIR("fs", fs_nodes),
	PROC_DIR("kernel", kernel_nodes), PROC_DIR("net", proc_sys_net_nodes),
	PROC_DIR("vm", vm_nodes),         { 0 }
};
