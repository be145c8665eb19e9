/* /proc/PID: the table of its files, and the small ones among them. Source: proc(5). */

#include "abi/core.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/clocks.h"
#include "proc/oom.h"
#include "proc/exit.h"
#include "proc/info.h"
#include "proc/report.h"
#include "proc/task.h"
#include "sched/sched.h"
#include "pseudofs/procfs.h"
#include "pseudofs/procfs_priv.h"
#include "vfs/file.h"
#include "vfs/walk.h"
#include "vm/vmspace.h"

/* What fits of [start + *key, end) of the process's memory. Linux ends such a file, without an
 * error, at memory that cannot be read. */
static int fill_memory(struct vmspace *vs, uint64_t start, uint64_t end, uint64_t *key,
		       struct textbuf *t)
{
	size_t room = t->size - t->len - 1;
	ssize64_t n;

	if (start + *key >= end)
		return 0;
	n = vm_access(vs, start + *key, t->buf + t->len, MIN(room, end - start - *key), false,
		      true);
	if (n <= 0)
		return 0;
	t->len += (size_t)n;
	*key += (uint64_t)n;
	return start + *key < end;
}

static bool byte_is_set(struct vmspace *vs, uint64_t at)
{
	char c = 0;

	return vm_access(vs, at, &c, 1, false, true) == 1 && c != '\0';
}

/*
 * The arguments. A process that wrote over its last argument's terminator has given itself a title
 * (setproctitle(3)): that is one string from the first argument on, which may reach into the
 * environment.
 */
static int cmdline_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	struct vmspace *vs = proc_get_vmspace(i);
	const char *nul;
	int res;

	if (vs == NULL)
		return 0;
	if (vs->arg_end > vs->arg_start && byte_is_set(vs, vs->arg_end - 1)) {
		fill_memory(vs, vs->arg_start, MAX(vs->arg_end, vs->env_end), key, t);
		if ((nul = memchr(t->buf, '\0', t->len)) != NULL)
			t->len = (size_t)(nul - t->buf) + 1;
		res = 0;
	} else {
		res = fill_memory(vs, vs->arg_start, vs->arg_end, key, t);
	}
	vmspace_put(vs);
	return res;
}

static int environ_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	struct vmspace *vs = proc_get_vmspace(i);
	int res = vs ? fill_memory(vs, vs->env_start, vs->env_end, key, t) : 0;

	if (vs != NULL)
		vmspace_put(vs);
	return res;
}

static int auxv_show(struct pinode *i, struct textbuf *t)
{
	struct vmspace *vs = proc_get_vmspace(i);

	if (vs == NULL)
		return 0;
	text_n(t, (const char *)vs->auxv, vs->nauxv * sizeof(vs->auxv[0]));
	vmspace_put(vs);
	return 0;
}

static int comm_show(struct pinode *i, struct textbuf *t)
{
	struct task *task = proc_task_get(i);

	if (task == NULL)
		return -ESRCH;
	text_f(t, "%s\n", task->thread.name);
	task_put(task);
	return 0;
}

static ssize64_t comm_store(struct pinode *i, char *text, size_t n)
{
	struct task *t = proc_task_get(i);
	bool mine = t && t->process == curproc();

	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = 0;
	if (mine) {
		strscpy(t->thread.name, text, sizeof(t->thread.name));
		report_name(t);
	}
	task_put(t);
	return mine ? (ssize64_t)n : -EINVAL;
}

static int cgroup_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "0::/\n");
	return 0;
}

static int personality_show(struct pinode *i, struct textbuf *t)
{
	struct task *task = proc_task_get(i);

	if (task == NULL)
		return -ESRCH;
	text_f(t, "%08x\n", task->personality);
	task_put(task);
	return 0;
}

enum { OOM_ADJ_MAX = 1000 };

/* What a process with the right to do so has set is what others may go down to. -EACCES. */
static int set_oom_adj(struct process *p, int adj)
{
	if (capable(CAP_SYS_RESOURCE))
		p->oom_score_adj_min = adj;
	else if (adj < p->oom_score_adj_min)
		return -EACCES;
	p->oom_score_adj = adj;
	return 0;
}

static int oom_adj_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%d\n", i->subject.process->oom_score_adj);
	return 0;
}

static ssize64_t oom_adj_store(struct pinode *i, char *text, size_t n)
{
	struct process *p = i->subject.process;
	bool minus = text[0] == '-';
	uint64_t v;
	int adj;

	if (!str_to_u64(text + minus, NULL, &v) || v > OOM_ADJ_MAX)
		return -EINVAL;
	adj = minus ? -(int)v : (int)v;
	return set_oom_adj(p, adj) ? -EACCES : (ssize64_t)n;
}

/* The old scale, -17 to 15: proc(5) /proc/PID/oom_adj. -17 exempts, 15 is the highest. */
static int old_oom_adj_show(struct pinode *i, struct textbuf *t)
{
	int adj = i->subject.process->oom_score_adj;

	text_f(t, "%d\n", adj == OOM_ADJ_MAX ? 15 : adj * 17 / OOM_ADJ_MAX);
	return 0;
}

static ssize64_t old_oom_adj_store(struct pinode *i, char *text, size_t n)
{
	bool minus = text[0] == '-';
	uint64_t v;
	int adj;

	if (!str_to_u64(text + minus, NULL, &v) || v > (minus ? 17 : 15))
		return -EINVAL;
	adj = !minus && v == 15 ? OOM_ADJ_MAX : (int)v * OOM_ADJ_MAX / 17;
	return set_oom_adj(i->subject.process, minus ? -adj : adj) ? -EACCES : (ssize64_t)n;
}

static int timerslack_show(struct pinode *i, struct textbuf *t)
{
	struct task *task = proc_task_get(i);

	if (task == NULL)
		return -ESRCH;
	text_f(t, "%lu\n", (unsigned long)task->timer_slack);
	task_put(task);
	return 0;
}

static ssize64_t timerslack_store(struct pinode *i, char *text, size_t n)
{
	struct task *task;
	uint64_t v;

	if (!str_to_u64(text, NULL, &v))
		return -EINVAL;
	task = proc_task_get(i);
	if (task == NULL)
		return -ESRCH;
	if (task != curtask() && !capable(CAP_SYS_NICE)) {
		task_put(task);
		return -EPERM;
	}
	task->timer_slack = v == 0 ? task->default_timer_slack : v;
	task_put(task);
	return (ssize64_t)n;
}

/* Where a task waits: its call and arguments, stack pointer and program counter. */
static int syscall_show(struct pinode *i, struct textbuf *t)
{
	bool has_regs = true;
	struct task *task;
	struct regs r;
	int err;

	if ((err = proc_may_access(i, ACCESS_ATTACH)))
		return err;
	if ((task = proc_task_get(i)) == NULL)
		return -ESRCH;
	if (task == curtask())
		r = *thread_regs(&task->thread);
	else
		has_regs = thread_copy_regs(&task->thread, &r);
	if (!has_regs &&
	    atomic_load_explicit(&task->thread.state, memory_order_relaxed) == THREAD_DEAD)
		text_f(t, "-1 0x0 0x0\n");
	else if (!has_regs || (task != curtask() && task_state_char(task) == 'R'))
		text_f(t, "running\n");
	else if (!regs_in_syscall(&r))
		text_f(t, "-1 0x%lx 0x%lx\n", (unsigned long)regs_sp(&r),
		       (unsigned long)regs_pc(&r));
	else
		text_f(t, "%ld 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n",
		       (long)regs_syscall_nr(&r), (unsigned long)regs_arg(&r, 0),
		       (unsigned long)regs_arg(&r, 1), (unsigned long)regs_arg(&r, 2),
		       (unsigned long)regs_arg(&r, 3), (unsigned long)regs_arg(&r, 4),
		       (unsigned long)regs_arg(&r, 5), (unsigned long)regs_sp(&r),
		       (unsigned long)regs_pc(&r));
	task_put(task);
	return 0;
}

static int timers_show(struct pinode *i, struct textbuf *t)
{
	ptimer_list(i->subject.process, t);
	return 0;
}

static int children_show(struct pinode *i, struct textbuf *t)
{
	struct task *task = proc_task_get(i);

	if (task == NULL)
		return -ESRCH;
	task_list_children(task, t);
	task_put(task);
	return 0;
}

static int coredump_filter_show(struct pinode *i, struct textbuf *t)
{
	struct vmspace *vs = proc_get_vmspace(i);

	if (vs == NULL)
		return 0;
	text_f(t, "%08x\n", (unsigned)vs->dump_filter);
	vmspace_put(vs);
	return 0;
}

static ssize64_t coredump_filter_store(struct pinode *i, char *text, size_t n)
{
	struct vmspace *vs;
	uint64_t v;

	if (!str_to_u64(text, NULL, &v))
		return -EINVAL;
	if ((vs = proc_get_vmspace(i)) == NULL)
		return -ESRCH;
	vs->dump_filter = (uint16_t)(v & CORE_FILTER_MASK);
	vmspace_put(vs);
	return (ssize64_t)n;
}

static int oom_score_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%d\n", process_oom_score(i->subject.process));
	return 0;
}

static int limits_show(struct pinode *i, struct textbuf *t)
{
	static const struct {
		const char *name, *unit;
	} row[RLIM_NLIMITS] = {
		[RLIMIT_CPU] = { "Max cpu time", "seconds" },
		[RLIMIT_FSIZE] = { "Max file size", "bytes" },
		[RLIMIT_DATA] = { "Max data size", "bytes" },
		[RLIMIT_STACK] = { "Max stack size", "bytes" },
		[RLIMIT_CORE] = { "Max core file size", "bytes" },
		[RLIMIT_RSS] = { "Max resident set", "bytes" },
		[RLIMIT_NPROC] = { "Max processes", "processes" },
		[RLIMIT_NOFILE] = { "Max open files", "files" },
		[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
		[RLIMIT_AS] = { "Max address space", "bytes" },
		[RLIMIT_LOCKS] = { "Max file locks", "locks" },
		[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
		[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
		[RLIMIT_NICE] = { "Max nice priority", "" },
		[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
		[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
	};
	char soft[24], hard[24];

	text_f(t, "%-26s%-21s%-21s%-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units     ");
	for (unsigned k = 0; k < RLIM_NLIMITS; k++) {
		const struct abi_rlimit *r = &i->subject.process->rlim[k];

		fmt(soft, sizeof(soft), r->rlim_cur == RLIM_INFINITY ? "unlimited" : "%lu",
		    (unsigned long)r->rlim_cur);
		fmt(hard, sizeof(hard), r->rlim_max == RLIM_INFINITY ? "unlimited" : "%lu",
		    (unsigned long)r->rlim_max);
		text_f(t, "%-26s%-21s%-21s%-10s\n", row[k].name, soft, hard, row[k].unit);
	}
	return 0;
}

static int mounts_text(struct pinode *i, struct textbuf *t, enum mount_format f)
{
	struct fsctx *fs = proc_get_fs(i);
	struct path root;

	if (fs == NULL)
		return -EINVAL;
	fsctx_get_root(fs, &root);
	mount_format(&root, f, t);
	path_put(&root);
	fsctx_put(fs);
	return 0;
}

static int mounts_show(struct pinode *i, struct textbuf *t)
{
	return mounts_text(i, t, MOUNT_FMT_MOUNTS);
}

static int mountstats_show(struct pinode *i, struct textbuf *t)
{
	return mounts_text(i, t, MOUNT_FMT_MOUNTSTATS);
}

static int mountinfo_show(struct pinode *i, struct textbuf *t)
{
	return mounts_text(i, t, MOUNT_FMT_MOUNTINFO);
}

static int io_show(struct pinode *i, struct textbuf *t)
{
	struct task *task = proc_task_get(i);
	struct thread_io io;

	if (task == NULL)
		return -ESRCH;
	io = task->thread.io;
	if (!i->subject.is_task)
		process_io(task->process, &io);
	task_put(task);
	text_f(t, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n", (unsigned long)io.rchar,
	       (unsigned long)io.wchar, (unsigned long)io.syscr, (unsigned long)io.syscw);
	text_f(t, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n"); /* no devices */
	return 0;
}

static int wchan_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_c(t, '0');
	return 0;
}

static int schedstat_show(struct pinode *i, struct textbuf *t)
{
	nsec_t utime, stime;
	struct task *task = proc_task_get(i);

	if (task == NULL)
		return -ESRCH;
	sched_account(&task->thread, &utime, &stime);
	text_f(t, "%lu %lu %lu\n", (unsigned long)(utime + stime),
	       (unsigned long)task->thread.run_delay,
	       (unsigned long)(task->thread.nvcsw + task->thread.nivcsw));
	task_put(task);
	return 0;
}

static int loginuid_show(struct pinode *i, struct textbuf *t)
{
	const struct process *p = i->subject.process;

	text_f(t, "%u", p->login_session ? p->login_uid : UINT32_MAX);
	return 0;
}

/* pam_loginuid(8): set once, by the session's first process; then only with CAP_AUDIT_CONTROL. */
static ssize64_t loginuid_store(struct pinode *i, char *text, size_t n)
{
	static _Atomic uint32_t sessions;
	struct process *p = i->subject.process;
	uint64_t uid;

	if (p != curproc())
		return -EPERM;
	if (!str_to_u64(text, NULL, &uid) || uid > UINT32_MAX)
		return -EINVAL;
	if (p->login_session && !capable(CAP_AUDIT_CONTROL))
		return -EPERM;
	p->login_uid = (uint32_t)uid;
	p->login_session = uid == UINT32_MAX ? 0 : atomic_fetch_add(&sessions, 1) + 1;
	return (ssize64_t)n;
}

static int sessionid_show(struct pinode *i, struct textbuf *t)
{
	const struct process *p = i->subject.process;

	text_f(t, "%u", p->login_session ? p->login_session : UINT32_MAX);
	return 0;
}

static int exe_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	struct vmspace *vs;
	int err;

	(void)text, (void)to_free;
	if ((err = proc_may_access(i, ACCESS_READ)))
		return err;
	if ((vs = proc_get_vmspace(i)) == NULL)
		return -ENOENT;
	read_lock(&vs->lock);
	if (vs->exe) {
		*jump = vs->exe->path;
		path_get(jump);
	} else {
		jump->mnt = NULL;
	}
	read_unlock(&vs->lock);
	vmspace_put(vs);
	return jump->mnt ? 0 : -ENOENT;
}

static int fs_link(struct pinode *i, struct path *jump, bool root)
{
	struct fsctx *fs;
	int err;

	if ((err = proc_may_access(i, ACCESS_READ)))
		return err;
	if ((fs = proc_get_fs(i)) == NULL)
		return -ENOENT;
	if (root)
		fsctx_get_root(fs, jump);
	else
		fsctx_get_cwd(fs, jump);
	fsctx_put(fs);
	return 0;
}

static int cwd_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	(void)text, (void)to_free;
	return fs_link(i, jump, false);
}

static int root_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	(void)text, (void)to_free;
	return fs_link(i, jump, true);
}

static int task_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		     struct psubject *s)
{
	struct task *t;
	uint32_t tid;

	if (!proc_parse_number(name, len, &tid) || (t = task_lookup(tid)) == NULL)
		return -ENOENT;
	if (t->process != dir->subject.process) {
		task_put(t);
		return -ENOENT;
	}
	process_get(t->process);
	*s = (struct psubject){ .process = t->process, .task = t, .is_task = true };
	*node = &proc_task_dir;
	return 0;
}

static uint32_t task_subdirs(struct pinode *dir)
{
	return atomic_load_explicit(&dir->subject.process->ntasks, memory_order_relaxed);
}

static bool task_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		      const struct pnode **node)
{
	uint32_t tid = (uint32_t)*key;
	struct task *t = process_next_task(dir->subject.process, &tid);

	if (t == NULL)
		return false;
	task_put(t);
	*key = tid;
	fmt(name, size, "%u", tid);
	*node = &proc_task_dir;
	return true;
}

#define TEXT(n, perm, fn)                                       \
	{                                                       \
		.name = n, .mode = S_IFREG | (perm), .show = fn \
	}
#define BYTES(n, perm, fn)                                                     \
	{                                                                      \
		.name = n, .mode = S_IFREG | (perm), .fill = fn, .bytes = true \
	}
#define SPACE_TEXT(n, fn)                                                                    \
	{                                                                                    \
		.name = n, .mode = S_IFREG | 0444, .fill = fn, .check_open = proc_maps_check \
	}
#define PRIVATE_TEXT(n, perm, fn)                                                         \
	{                                                                                 \
		.name = n, .mode = S_IFREG | (perm), .show = fn, .owned_by_subject = true \
	}
#define LINK(n, fn)                                           \
	{                                                     \
		.name = n, .mode = S_IFLNK | 0777, .link = fn \
	}

#define COMMON_NODES                                                                               \
	PRIVATE_TEXT("auxv", 0400, auxv_show), TEXT("cgroup", 0444, cgroup_show),                  \
		{ .name = "clear_refs",                                                            \
		  .mode = S_IFREG | 0200,                                                          \
		  .store = proc_clear_refs_store,                                                  \
		  .owned_by_subject = true },                                                      \
		SPACE_TEXT("numa_maps", proc_numa_maps_fill),                                      \
		BYTES("cmdline", 0444, cmdline_fill),                                              \
		{ .name = "comm",                                                                  \
		  .mode = S_IFREG | 0644,                                                          \
		  .show = comm_show,                                                               \
		  .store = comm_store },                                                           \
		LINK("cwd", cwd_link),                                                             \
		{ .name = "environ",                                                               \
		  .mode = S_IFREG | 0400,                                                          \
		  .fill = environ_fill,                                                            \
		  .bytes = true,                                                                   \
		  .owned_by_subject = true },                                                      \
		LINK("exe", exe_link), PRIVATE_TEXT("io", 0400, io_show),                          \
		TEXT("limits", 0444, limits_show),                                                 \
		{ .name = "loginuid",                                                              \
		  .mode = S_IFREG | 0644,                                                          \
		  .show = loginuid_show,                                                           \
		  .store = loginuid_store },                                                       \
		SPACE_TEXT("maps", proc_maps_fill),                                                \
		{ .name = "mem",                                                                   \
		  .mode = S_IFREG | 0600,                                                          \
		  .fops = &proc_mem_ops,                                                           \
		  .owned_by_subject = true },                                                      \
		{ .name = "net", .mode = S_IFDIR | 0555, .children = proc_net_nodes },             \
		TEXT("mountinfo", 0444, mountinfo_show), TEXT("mounts", 0444, mounts_show),        \
		TEXT("mountstats", 0400, mountstats_show),                                         \
		{ .name = "oom_adj",                                                               \
		  .mode = S_IFREG | 0644,                                                          \
		  .show = old_oom_adj_show,                                                        \
		  .store = old_oom_adj_store },                                                    \
		{ .name = "oom_score_adj",                                                         \
		  .mode = S_IFREG | 0644,                                                          \
		  .show = oom_adj_show,                                                            \
		  .store = oom_adj_store },                                                        \
		TEXT("oom_score", 0444, oom_score_show),                                           \
		{ .name = "pagemap",                                                               \
		  .mode = S_IFREG | 0400,                                                          \
		  .fops = &proc_pagemap_ops,                                                       \
		  .owned_by_subject = true },                                                      \
		PRIVATE_TEXT("personality", 0400, personality_show), LINK("root", root_link),      \
		TEXT("schedstat", 0444, schedstat_show), TEXT("sessionid", 0444, sessionid_show),  \
		PRIVATE_TEXT("syscall", 0400, syscall_show), SPACE_TEXT("smaps", proc_smaps_fill), \
		{ .name = "smaps_rollup",                                                          \
		  .mode = S_IFREG | 0444,                                                          \
		  .show = proc_smaps_rollup_show,                                                  \
		  .check_open = proc_maps_check },                                                 \
		TEXT("stat", 0444, proc_stat_show), TEXT("statm", 0444, proc_statm_show),          \
		TEXT("status", 0444, proc_status_show), TEXT("wchan", 0444, wchan_show),           \
		{ .name = "fd",                                                                    \
		  .mode = S_IFDIR | 0500,                                                          \
		  .find = proc_fd_find,                                                            \
		  .list = proc_fd_list,                                                            \
		  .owned_by_subject = true },                                                      \
	{                                                                                          \
		.name = "fdinfo", .mode = S_IFDIR | 0500, .find = proc_fdinfo_find,                \
		.list = proc_fd_list, .owned_by_subject = true                                     \
	}

static const struct pnode task_nodes[] = { PROC_DEBUG_NODES COMMON_NODES,
					   TEXT("children", 0444, children_show),
					   { 0 } };

const struct pnode proc_task_dir = { .name = "", .mode = S_IFDIR | 0555, .children = task_nodes };

static const struct pnode pid_nodes[] = {
	PROC_DEBUG_NODES COMMON_NODES,
	{ .name = "coredump_filter",
	  .mode = S_IFREG | 0644,
	  .show = coredump_filter_show,
	  .store = coredump_filter_store,
	  .owned_by_subject = true },
	TEXT("timers", 0444, timers_show),
	{ .name = "timerslack_ns",
	  .mode = S_IFREG | 0666,
	  .show = timerslack_show,
	  .store = timerslack_store },
	{ .name = "task",
	  .mode = S_IFDIR | 0555,
	  .find = task_find,
	  .list = task_list,
	  .subdirs = task_subdirs },
	{ 0 },
};

const struct pnode proc_pid_dir = { .name = "", .mode = S_IFDIR | 0555, .children = pid_nodes };

struct pid *procfs_pid_of(struct file *f)
{
	struct pinode *i = pseudo_dir_of(f);

	if (i == NULL || i->node != &proc_pid_dir)
		return NULL;
	pid_get(i->subject.process->pid);
	return i->subject.process->pid;
}
