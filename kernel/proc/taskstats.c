/*
 * TASKSTATS: what a task or a process has used, on request, and the records of those who end, for
 * whoever registers for the CPUs that they end on. A listener is a port: it is forgotten when
 * nobody has it any more.
 *
 * Times and counts are exact; so is the delay of those who wait for a CPU. The other delays are of
 * block devices and reclaim, and are 0, as on a Linux with kernel.task_delayacct off.
 *
 * Source: linux/taskstats.h, Linux's behaviour.
 */

#include "abi/errno.h"
#include "abi/genetlink.h"
#include "abi/taskstats.h"
#include "abi/wait.h"
#include "core/clock.h"
#include "core/percpu.h"
#include "lib/string.h"
#include "net/netlink/genl.h"
#include "net/netlink/netlink.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "proc/exit.h"
#include "proc/proc_priv.h"
#include "proc/report.h"
#include "sched/sched.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vm/vmspace.h"

enum { CPUMASK_MAX = 100 + 6 * MAX_CPUS };

static struct genl_family family;

/* --- filling --- */

/* Of t's CPU time and switches, which the record of a process adds up. */
static void add_task(struct abi_taskstats *s, struct task *t, nsec_t now)
{
	uint64_t switches = t->thread.nvcsw + t->thread.nivcsw;
	nsec_t utime, stime;

	sched_account(&t->thread, &utime, &stime);
	s->cpu_count += switches + atomic_load_explicit(&t->thread.on_cpu, memory_order_relaxed);
	s->cpu_delay_total += (uint64_t)t->thread.run_delay;
	s->cpu_run_real_total += (uint64_t)(utime + stime);
	s->ac_utime += (uint64_t)(utime / NSEC_PER_USEC);
	s->ac_stime += (uint64_t)(stime / NSEC_PER_USEC);
	s->ac_etime += (uint64_t)((now - t->thread.start_time) / NSEC_PER_USEC);
	s->nvcsw += t->thread.nvcsw;
	s->nivcsw += t->thread.nivcsw;
}

static void copy_times(struct abi_taskstats *s)
{
	s->cpu_run_virtual_total = s->cpu_scaled_run_real_total = s->cpu_run_real_total;
}

static void fill_process(struct process *p, struct abi_taskstats *s)
{
	nsec_t now = clock_mono();
	struct siglock l = siglock(p);
	struct task *t;

	*s = (struct abi_taskstats){
		.version = TASKSTATS_VERSION,
		.cpu_count = p->nvcsw + p->nivcsw,
		.cpu_delay_total = (uint64_t)p->run_delay,
		.cpu_run_real_total = (uint64_t)(p->utime + p->stime),
		.ac_etime = (uint64_t)(p->lived / NSEC_PER_USEC),
		.ac_utime = (uint64_t)(p->utime / NSEC_PER_USEC),
		.ac_stime = (uint64_t)(p->stime / NSEC_PER_USEC),
		.nvcsw = p->nvcsw,
		.nivcsw = p->nivcsw,
	};
	for_each_task (t, p)
		if (!t->dead)
			add_task(s, t, now);
	sigunlock(l);
	copy_times(s);
}

static void fill_memory(struct task *t, struct abi_taskstats *s)
{
	const uint64_t pages_ns = 1000ull * (1 << 20) / PAGE_SIZE; /* in a MB-µs */
	const uint64_t kib = PAGE_SIZE / 1024;
	struct vmspace *vs = task_get_vmspace(t);

	s->coremem = t->rss_time / pages_ns;
	s->virtmem = t->vm_time / pages_ns;
	if (vs == NULL)
		return;
	s->hiwater_rss = vmspace_hiwater_rss(vs) * kib;
	s->hiwater_vm = MAX(vs->hiwater_total, vs->total_pages) * kib;
	read_lock(&vs->lock);
	if (vs->exe != NULL) {
		s->ac_exe_dev = vs->exe->inode->sb->dev;
		s->ac_exe_inode = vs->exe->inode->ino;
	}
	read_unlock(&vs->lock);
	vmspace_put(vs);
}

static void fill_cred(struct task *t, struct abi_taskstats *s)
{
	const struct cred *c = task_get_cred(t);

	s->ac_uid = c->uid;
	s->ac_gid = c->gid;
	cred_put(c);
}

static uint8_t flags_of(const struct task *t)
{
	bool leads = t->pid == t->process->pid;

	return (uint8_t)((leads && !t->process->did_exec ? AFORK : 0) |
			 (t->thread.used_caps ? ASU : 0) | (t->exit_code & WCOREFLAG ? ACORE : 0) |
			 (t->exit_code & 0x7f ? AXSIG : 0));
}

/* Linux tells all of these in whole KiB, the counts of calls as well. */
static uint64_t whole_kib(uint64_t n)
{
	return n & ~1023ull;
}

static void fill_task(struct task *t, struct abi_taskstats *s)
{
	nsec_t now = clock_mono(), begun = clock_real() - (now - t->thread.start_time);
	struct process *p = t->process;

	*s = (struct abi_taskstats){
		.version = TASKSTATS_VERSION,
		.ac_exitcode = (uint32_t)t->exit_code,
		.ac_flag = flags_of(t),
		.ac_nice = (uint8_t)t->thread.se.nice,
		.ac_sched = t->thread.se.policy,
		.ac_pid = t->pid->nr,
		.ac_ppid = process_ppid(p),
		.ac_btime = (uint32_t)(begun / NSEC_PER_SEC),
		.ac_btime64 = (uint64_t)(begun / NSEC_PER_SEC),
		.ac_minflt = t->thread.minflt,
		.ac_majflt = t->thread.majflt,
		.read_char = whole_kib(t->thread.io.rchar),
		.write_char = whole_kib(t->thread.io.wchar),
		.read_syscalls = whole_kib(t->thread.io.syscr),
		.write_syscalls = whole_kib(t->thread.io.syscw),
		.ac_tgid = p->pid->nr,
		.ac_tgetime = (uint64_t)((now - p->start_time) / NSEC_PER_USEC),
	};
	add_task(s, t, now);
	copy_times(s);
	s->ac_utimescaled = s->ac_utime;
	s->ac_stimescaled = s->ac_stime;
	(void)!strscpy(s->ac_comm, t->thread.name, sizeof(t->thread.name));
	fill_cred(t, s);
	fill_memory(t, s);
}

static void put_record(struct nlmsgs *m, bool process, uint32_t nr, const struct abi_taskstats *s)
{
	uint32_t outer =
		nlattr_begin(m, process ? TASKSTATS_TYPE_AGGR_TGID : TASKSTATS_TYPE_AGGR_PID);

	nlattr_put_u32(m, process ? TASKSTATS_TYPE_TGID : TASKSTATS_TYPE_PID, nr);
	nlattr_put(m, TASKSTATS_TYPE_STATS, s, sizeof(*s));
	nlattr_end(m, outer);
}

/* A message with room for two records. NULL: no memory. */
static struct nlmsgs *begin_message(uint32_t seq, uint32_t port)
{
	struct nlmsgs *m = nlmsgs_alloc(64 + 2 * (sizeof(struct abi_taskstats) + 16));
	struct abi_genlmsghdr *g;

	if (m == NULL)
		return NULL;
	g = nlmsg_begin(m, family.id, 0, seq, port, sizeof(*g));
	*g = (struct abi_genlmsghdr){ .cmd = TASKSTATS_CMD_NEW, .version = TASKSTATS_GENL_VERSION };
	return m;
}

/* --- those who end --- */

struct listener {
	struct list node;
	uint32_t port;
	uint64_t cpus;
};

static struct spinlock lock = SPINLOCK(TASKSTATS);
static struct list listeners = LIST_INIT(listeners); /* lock */
static PERCPU(uint32_t, numbers);

static struct listener *find_locked(uint32_t port)
{
	struct listener *l;

	list_for_each (l, &listeners, node)
		if (l->port == port)
			return l;
	return NULL;
}

static int add_listener(uint32_t port, uint64_t cpus)
{
	struct listener *new = kmalloc(sizeof(*new)), *l;

	if (new == NULL)
		return -ENOMEM;
	spin_lock(&lock);
	if ((l = find_locked(port)) != NULL) {
		l->cpus |= cpus;
	} else {
		*new = (struct listener){ .port = port, .cpus = cpus };
		list_add_tail(&listeners, &new->node);
		new = NULL;
		atomic_fetch_or(&process_watch, WATCH_STATS);
	}
	spin_unlock(&lock);
	kfree(new);
	return 0;
}

static void remove_listener(uint32_t port, uint64_t cpus)
{
	struct listener *l;

	spin_lock(&lock);
	if ((l = find_locked(port)) != NULL && (l->cpus &= ~cpus) == 0)
		list_remove(&l->node);
	else
		l = NULL;
	if (list_is_empty(&listeners))
		atomic_fetch_and(&process_watch, ~(uint32_t)WATCH_STATS);
	spin_unlock(&lock);
	kfree(l);
}

/* The lowest port at or behind *port that listens to a CPU. */
static bool next_port(uint32_t *port, unsigned cpu)
{
	const struct listener *l, *best = NULL;

	spin_lock(&lock);
	list_for_each (l, &listeners, node)
		if (l->cpus & BIT(cpu) && l->port >= *port &&
		    (best == NULL || l->port < best->port))
			best = l;
	if (best != NULL)
		*port = best->port;
	spin_unlock(&lock);
	return best != NULL;
}

/* Is, or was, there another task in p than the running one? Some may not have left yet. */
static bool has_had_others(struct process *p)
{
	struct siglock l = siglock(p);
	bool others = p->lived || p->tasks.next != p->tasks.prev;

	sigunlock(l);
	return others;
}

void report_stats(struct task *t, bool last)
{
	unsigned cpu = cpu_id();
	uint32_t port = 0, seq;
	struct abi_taskstats own, all;
	struct nlmsgs *m;

	if (!next_port(&port, cpu))
		return;
	seq = this_cpu(numbers)++;
	task_account_memory(t);
	fill_task(t, &own);
	own.ac_flag |= last ? AGROUP : 0;
	last = last && has_had_others(t->process);
	if (last)
		fill_process(t->process, &all);
	for (; next_port(&port, cpu); port++) {
		if ((m = begin_message(seq, 0)) == NULL)
			return;
		put_record(m, false, t->pid->nr, &own);
		if (last)
			put_record(m, true, t->process->pid->nr, &all);
		(void)!nlmsg_end(m);
		if (netlink_send(NETLINK_GENERIC, port, m) == -ECONNREFUSED)
			remove_listener(port, UINT64_MAX);
		if (port == UINT32_MAX)
			return;
	}
}

/* --- requests --- */

static bool take_number(const char **s, unsigned *out)
{
	uint64_t n = 0;

	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; ++*s)
		n = MIN(n * 10 + (uint64_t)(**s - '0'), (uint64_t)UINT32_MAX);
	*out = (unsigned)n;
	return true;
}

/* "0-2,5". 0; -EINVAL; -ERANGE there is no such CPU. */
static int parse_cpus(const char *s, uint64_t *out)
{
	unsigned a, b;

	for (*out = 0; *s; s += *s == ',') {
		if (!take_number(&s, &a))
			return -EINVAL;
		b = a;
		if (*s == '-' && (s++, !take_number(&s, &b)))
			return -EINVAL;
		if ((*s && *s != ',') || b < a)
			return -EINVAL;
		if (b >= ncpus)
			return -ERANGE;
		for (; a <= b; a++)
			*out |= BIT(a);
	}
	return 0;
}

static int change_listener(const struct nlrequest *r, const struct nlattr *a, bool add)
{
	char *text;
	uint64_t cpus;
	int err;

	if (a->len == 0)
		return -ERANGE;
	if (a->len > CPUMASK_MAX)
		return -E2BIG;
	if ((text = kzalloc(a->len + 1)) == NULL)
		return -ENOMEM;
	memcpy(text, a->data, a->len);
	err = parse_cpus(text, &cpus);
	kfree(text);
	if (err)
		return err;
	if (add)
		return add_listener(r->portid, cpus);
	remove_listener(r->portid, cpus);
	return 0;
}

static int get_stats(const struct nlrequest *r, const struct nlattr *a, bool process,
		     struct nlmsgs **reply)
{
	struct abi_taskstats s;
	struct nlmsgs *m;
	struct task *t;

	if (!nlattr_has_u32(a))
		return -ERANGE;
	if ((t = task_lookup(nlattr_u32(a))) == NULL)
		return -ESRCH;
	if (process)
		fill_process(t->process, &s);
	else
		fill_task(t, &s);
	task_put(t);
	if ((m = begin_message(r->seq, r->portid)) == NULL)
		return -ENOMEM;
	put_record(m, process, nlattr_u32(a), &s);
	(void)!nlmsg_end(m);
	*reply = m;
	return 0;
}

/* No descriptor is a cgroup's; one that is not open is passed over, as Linux does. */
static int get_cgroup(const struct nlattr *a)
{
	struct file *f;

	if (!nlattr_has_u32(a))
		return a->data ? -ERANGE : -EINVAL;
	if ((f = fd_get_file((int)nlattr_u32(a))) == NULL)
		return 0;
	file_put(f);
	return -EINVAL;
}

static int request(struct nlrequest *r, uint8_t cmd, struct nlmsgs **reply)
{
	enum { LAST = TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK };
	struct nlattr a[LAST + 1];
	int err;

	if ((err = nlattr_parse(r, sizeof(struct abi_genlmsghdr), a, LAST)))
		return err;
	if (cmd == CGROUPSTATS_CMD_GET)
		return get_cgroup(&a[CGROUPSTATS_CMD_ATTR_FD]);
	if (a[TASKSTATS_CMD_ATTR_REGISTER_CPUMASK].data)
		return change_listener(r, &a[TASKSTATS_CMD_ATTR_REGISTER_CPUMASK], true);
	if (a[TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK].data)
		return change_listener(r, &a[TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK], false);
	if (a[TASKSTATS_CMD_ATTR_PID].data)
		return get_stats(r, &a[TASKSTATS_CMD_ATTR_PID], false, reply);
	if (a[TASKSTATS_CMD_ATTR_TGID].data)
		return get_stats(r, &a[TASKSTATS_CMD_ATTR_TGID], true, reply);
	return -EINVAL;
}

void taskstats_init(void)
{
	static const struct genl_op ops[] = {
		{ TASKSTATS_CMD_GET, GENL_ADMIN_PERM | GENL_CMD_CAP_DO | GENL_CMD_CAP_HASPOL },
		{ CGROUPSTATS_CMD_GET, GENL_CMD_CAP_DO | GENL_CMD_CAP_HASPOL },
	};

	family = (struct genl_family){
		.name = "TASKSTATS",
		.version = TASKSTATS_GENL_VERSION,
		.ops = ops,
		.nops = ARRAY_SIZE(ops),
		.request = request,
	};
	genl_register(&family);
}
