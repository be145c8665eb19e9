/* /proc: the files of the whole system, and the directory of processes. Source: proc(5). */

#include "pseudofs/procfs.h"

#include "abi/errno.h"
#include "abi/statfs.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/irq.h"
#include "core/percpu.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/pid.h"
#include "proc/info.h"
#include "proc/task.h"
#include "proc/uts.h"
#include "pseudofs/procfs_priv.h"
#include "sched/sched.h"
#include "vfs/lock.h"
#include "vfs/chrdev.h"
#include "vm/vmspace.h"

struct task *proc_task_get(struct pinode *i)
{
	return subject_get_task(&i->subject);
}

struct vmspace *proc_get_vmspace(struct pinode *i)
{
	struct task *t = proc_task_get(i);
	struct vmspace *vs = t ? task_get_vmspace(t) : NULL;

	task_put(t);
	return vs;
}

struct fdtable *proc_get_files(struct pinode *i)
{
	struct task *t = proc_task_get(i);
	struct fdtable *ft = t ? task_get_files(t) : NULL;

	task_put(t);
	return ft;
}

struct fsctx *proc_get_fs(struct pinode *i)
{
	struct task *t = proc_task_get(i);
	struct fsctx *fs = t ? task_get_fs(t) : NULL;

	task_put(t);
	return fs;
}

int proc_may_access(struct pinode *i, enum access_mode mode)
{
	struct task *t = proc_task_get(i);
	int err = t ? task_may_access(t, mode) ? -EACCES : 0 : -ESRCH;

	task_put(t);
	return err;
}

bool proc_parse_number(const char *name, size_t len, uint32_t *out)
{
	uint32_t n = 0;

	if (len == 0 || len > 9 || (name[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(name[i] - '0');
	}
	*out = n;
	return true;
}

bool proc_subject_of(uint32_t nr, struct psubject *s)
{
	struct process *p = process_lookup(nr);
	struct task *t;

	if (p == NULL && (t = task_lookup(nr)) != NULL) {
		p = t->process; /* /proc/TID works, though it is not listed */
		process_get(p);
		task_put(t);
	}
	if (p == NULL)
		return false;
	*s = (struct psubject){ .process = p };
	return true;
}

static int root_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		     struct psubject *s)
{
	uint32_t nr;

	(void)dir;
	if (!proc_parse_number(name, len, &nr) || !proc_subject_of(nr, s))
		return -ENOENT;
	atomic_store(&s->process->in_procfs, true);
	*node = &proc_pid_dir;
	return 0;
}

static bool root_list(struct pinode *dir, uint64_t *key, char *name, size_t size,
		      const struct pnode **node)
{
	uint32_t nr = (uint32_t)*key;
	struct process *p = process_next(&nr);

	(void)dir;
	if (p == NULL)
		return false;
	process_put(p);
	*key = nr;
	fmt(name, size, "%u", nr);
	*node = &proc_pid_dir;
	return true;
}

static uint32_t root_subdirs(struct pinode *dir)
{
	(void)dir;
	return process_count();
}

static int self_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	char buf[16];

	(void)i, (void)jump;
	if (curtask() == NULL)
		return -ENOENT;
	fmt(buf, sizeof(buf), "%u", curproc()->pid->nr);
	if ((*to_free = kstrdup(buf)) == NULL)
		return -ENOMEM;
	*text = *to_free;
	return 0;
}

static int thread_self_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	char buf[40];

	(void)i, (void)jump;
	if (curtask() == NULL)
		return -ENOENT;
	fmt(buf, sizeof(buf), "%u/task/%u", curproc()->pid->nr, curthread()->tid);
	if ((*to_free = kstrdup(buf)) == NULL)
		return -ENOMEM;
	*text = *to_free;
	return 0;
}

static int fixed_link(struct pinode *i, const char **text, char **to_free, struct path *jump)
{
	(void)to_free, (void)jump;
	*text = i->node->ptr;
	return 0;
}

static int cmdline_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%s\n", cmdline_text());
	return 0;
}

static int cpuinfo_show(struct pinode *i, struct textbuf *t)
{
	unsigned cpu;

	(void)i;
	for_each_cpu (cpu)
		arch_cpuinfo(t, cpu);
	return 0;
}

static int devices_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "Character devices:\n");
	chrdev_format(t);
	text_f(t, "\nBlock devices:\n");
	return 0;
}

static int filesystems_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	fs_format_types(t);
	return 0;
}

static int interrupts_show(struct pinode *i, struct textbuf *t)
{
	unsigned cpu;

	(void)i;
	text_f(t, "    ");
	for_each_cpu (cpu)
		text_f(t, "       CPU%u", cpu);
	text_c(t, '\n');
	for (unsigned v = 0; v < 256; v++) {
		uint64_t sum = 0;

		for_each_cpu (cpu)
			sum += irq_count(v, cpu);
		if (sum == 0)
			continue;
		text_f(t, "%3u:", v);
		for_each_cpu (cpu)
			text_f(t, " %10lu", (unsigned long)irq_count(v, cpu));
		text_c(t, '\n');
	}
	return 0;
}

static int loadavg_show(struct pinode *i, struct textbuf *t)
{
	uint64_t avg[3];
	uint32_t nr = 0, total = 0;
	struct process *p;

	(void)i;
	sched_loadavg(avg);
	while ((p = process_next(&nr)) != NULL) {
		total += atomic_load(&p->ntasks);
		nr++;
		process_put(p);
	}
	for (int k = 0; k < 3; k++)
		text_f(t, "%lu.%02lu ", (unsigned long)(avg[k] >> 16),
		       (unsigned long)((avg[k] & 0xffff) * 100 >> 16));
	text_f(t, "%u/%u %u\n", sched_nr_running(), total, pid_last());
	return 0;
}

/* Clock ticks of 10 ms: USER_HZ. */
static unsigned long ticks(nsec_t ns)
{
	return (unsigned long)(ns / (NSEC_PER_SEC / 100));
}

static void cpu_line(struct textbuf *t, const char *name, const struct sched_cpu_stat *s)
{
	text_f(t, "%s %lu %lu %lu %lu 0 %lu 0 0 0 0\n", name, ticks(s->user), ticks(s->nice),
	       ticks(s->system), ticks(s->idle), ticks(s->irq));
}

static int stat_show(struct pinode *i, struct textbuf *t)
{
	struct sched_cpu_stat sum = { 0 }, s;
	unsigned cpu;
	uint64_t intr = 0;
	char name[16];

	(void)i;
	for_each_cpu (cpu) {
		sched_cpu_stat(cpu, &s);
		sum.user += s.user;
		sum.nice += s.nice;
		sum.system += s.system;
		sum.idle += s.idle;
		sum.irq += s.irq;
		for (unsigned v = 0; v < 256; v++)
			intr += irq_count(v, cpu);
	}
	cpu_line(t, "cpu ", &sum);
	for_each_cpu (cpu) {
		sched_cpu_stat(cpu, &s);
		fmt(name, sizeof(name), "cpu%u", cpu);
		cpu_line(t, name, &s);
	}
	text_f(t,
	       "intr %lu\nctxt %lu\nbtime %ld\nprocesses %lu\nprocs_running %u\nprocs_blocked 0\n"
	       /* there are no softirqs: threads do their work */
	       "softirq 0 0 0 0 0 0 0 0 0 0 0\n",
	       (unsigned long)intr, (unsigned long)sched_nr_switches(),
	       (long)((clock_real() - clock_mono()) / NSEC_PER_SEC),
	       (unsigned long)process_fork_count(), sched_nr_running());
	return 0;
}

static int swaps_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

static int uptime_show(struct pinode *i, struct textbuf *t)
{
	nsec_t up = clock_mono(), idle = 0;
	struct sched_cpu_stat s;
	unsigned cpu;

	(void)i;
	for_each_cpu (cpu) {
		sched_cpu_stat(cpu, &s);
		idle += s.idle;
	}
	text_f(t, "%lu.%02lu %lu.%02lu\n", (unsigned long)(up / NSEC_PER_SEC), ticks(up) % 100,
	       (unsigned long)(idle / NSEC_PER_SEC), ticks(idle) % 100);
	return 0;
}

static int version_show(struct pinode *i, struct textbuf *t)
{
	const struct kernel_identity *k = kernel_identity();

	(void)i;
	text_f(t, "%s version %s (%s) %s\n", k->sysname, k->release, k->builder, k->version);
	return 0;
}

static int empty_show(struct pinode *i, struct textbuf *t)
{
	(void)i, (void)t;
	return 0;
}

static int partitions_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "major minor  #blocks  name\n\n");
	return 0;
}

static int locks_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	file_locks_show(t);
	return 0;
}

static const struct pnode root_nodes[] = {
	{ .name = "buddyinfo", .mode = S_IFREG | 0444, .show = proc_buddyinfo_show },
	{ .name = "cmdline", .mode = S_IFREG | 0444, .show = cmdline_show },
	{ .name = "cpuinfo", .mode = S_IFREG | 0444, .show = cpuinfo_show },
	{ .name = "devices", .mode = S_IFREG | 0444, .show = devices_show },
	{ .name = "diskstats", .mode = S_IFREG | 0444, .show = empty_show },
	{ .name = "filesystems", .mode = S_IFREG | 0444, .show = filesystems_show },
	{ .name = "interrupts", .mode = S_IFREG | 0444, .show = interrupts_show },
	{ .name = "ktrace", .mode = S_IFDIR | 0555, .children = proc_ktrace_nodes },
	{ .name = "loadavg", .mode = S_IFREG | 0444, .show = loadavg_show },
	{ .name = "locks", .mode = S_IFREG | 0444, .show = locks_show },
	{ .name = "meminfo", .mode = S_IFREG | 0444, .show = proc_meminfo_show },
	{ .name = "modules", .mode = S_IFREG | 0444, .show = empty_show },
	{ .name = "mounts", .mode = S_IFLNK | 0777, .link = fixed_link, .ptr = "self/mounts" },
	{ .name = "net", .mode = S_IFLNK | 0777, .link = fixed_link, .ptr = "self/net" },
	{ .name = "partitions", .mode = S_IFREG | 0444, .show = partitions_show },
	{ .name = "self", .mode = S_IFLNK | 0777, .link = self_link },
	{ .name = "slabinfo", .mode = S_IFREG | 0400, .show = proc_slabinfo_show },
	{ .name = "stat", .mode = S_IFREG | 0444, .show = stat_show },
	{ .name = "swaps", .mode = S_IFREG | 0444, .show = swaps_show },
	{ .name = "sys", .mode = S_IFDIR | 0555, .children = proc_sys_nodes },
	{ .name = "sysvipc", .mode = S_IFDIR | 0555, .children = proc_sysvipc_nodes },
	{ .name = "thread-self", .mode = S_IFLNK | 0777, .link = thread_self_link },
	{ .name = "uptime", .mode = S_IFREG | 0444, .show = uptime_show },
	{ .name = "version", .mode = S_IFREG | 0444, .show = version_show },
	{ .name = "vmstat", .mode = S_IFREG | 0444, .show = proc_vmstat_show },
	{ .name = "zoneinfo", .mode = S_IFREG | 0444, .show = proc_zoneinfo_show },
	{ 0 },
};

static const struct pnode proc_root = {
	.name = "/",
	.mode = S_IFDIR | 0555,
	.children = root_nodes,
	.find = root_find,
	.list = root_list,
	.subdirs = root_subdirs,
};

static int procfs_mount(const struct fs_type *t, const char *source, unsigned flags,
			const char *data, struct superblock **out)
{
	(void)source, (void)flags, (void)data;
	return pseudo_mount(t, PROC_SUPER_MAGIC, &proc_root, out);
}

/*
 * A cached dentry of /proc/PID holds the process: those of a reaped one go at once, by a worker,
 * since reaping holds PROCTREE. (What a lookup that is just under way adds goes with the cache's
 * clock.)
 */
static _Atomic(struct process *) reaped;
static struct work flush_work;

static void flush_from(struct superblock *sb, void *ctx)
{
	const struct process *p = ctx;
	char name[16];
	struct dentry *d;

	if (sb->magic != PROC_SUPER_MAGIC || sb->root == NULL)
		return;
	d = dentry_find_child(sb->root, name, (size_t)fmt(name, sizeof(name), "%u", p->pid->nr));
	if (d == NULL)
		return;
	if (dentry_inode(d) == NULL || pinode_of(dentry_inode(d))->subject.process != p)
		dentry_put(d); /* the number is somebody else's already */
	else
		dentry_prune(d);
}

static void flush_reaped(struct work *w)
{
	struct process *p = atomic_exchange(&reaped, NULL), *next;

	(void)w;
	for (; p != NULL; p = next) {
		next = p->reaped_next;
		superblock_for_each(flush_from, p);
		process_put(p);
	}
}

static void process_reaped(struct process *p)
{
	struct process *head = atomic_load(&reaped);

	process_get(p);
	do
		p->reaped_next = head;
	while (!atomic_compare_exchange_weak(&reaped, &head, p));
	work_queue(&flush_work);
}

static struct fs_type procfs_type = { .name = "proc", .mount = procfs_mount };

void procfs_init(void)
{
	pseudo_init();
	work_init(&flush_work, flush_reaped);
	process_reaped_hook = process_reaped;
	fs_register(&procfs_type);
}
