/* /proc/PID/{stat,status}: what ps(1) and top(1) read. Source: proc(5). */

#include "abi/errno.h"
#include "abi/capability.h"
#include "abi/sched.h"
#include "core/percpu.h"
#include "lib/string.h"
#include "proc/ctty.h"
#include "proc/signal.h"
#include "proc/info.h"
#include "proc/ptrace.h"
#include "proc/task.h"
#include "proc/user.h"
#include "pseudofs/procfs_priv.h"
#include "sched/sched.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/walk.h"
#include "vm/vmspace.h"

struct family {
	uint32_t pid, ppid, pgrp, session;
	int tty, tpgid;
	unsigned nthreads;
	uint64_t sig_pending, shared_pending, blocked, ignored, caught;
};

/* SCHED_DEADLINE has none. */
static unsigned rt_priority(const struct thread *th)
{
	return th->se.class == SCHED_CLASS_RT && th->se.policy != SCHED_DEADLINE ? th->se.rt_prio
										 : 0;
}

static void load_family(struct task *t, struct family *f)
{
	struct process *p = t->process;

	*f = (struct family){ .pid = p->pid->nr, .tpgid = -1, .nthreads = atomic_load(&p->ntasks) };
	spin_lock(&proctree_lock);
	f->ppid = p->parent ? p->parent->pid->nr : 0;
	f->pgrp = p->group ? p->group->nr : 0;
	f->session = p->session_pid ? p->session_pid->nr : 0;
	spin_unlock(&proctree_lock);
	process_tty(p, &f->tty, &f->tpgid);
	signal_summary(t, &f->sig_pending, &f->shared_pending, &f->blocked, &f->ignored,
		       &f->caught);
}

static unsigned long ticks(nsec_t ns)
{
	return (unsigned long)(ns / (NSEC_PER_SEC / 100));
}

static void task_times(struct pinode *i, struct task *t, nsec_t *utime, nsec_t *stime)
{
	if (i->subject.is_task)
		sched_account(&t->thread, utime, stime);
	else
		process_times(t->process, utime, stime);
}

/* The priority column: 20 + nice, or -1 - the real-time priority. */
static int priority_column(const struct thread *th)
{
	return th->se.class == SCHED_CLASS_RT ? -1 - th->se.rt_prio : 20 + th->se.nice;
}

static void stat_memory(struct textbuf *t, struct vmspace *vs, bool show_addresses)
{
	if (vs == NULL) {
		text_f(t, " 0 0 18446744073709551615 0 0 0 0 0");
		return;
	}
	text_f(t, " %lu %lu 18446744073709551615", (unsigned long)(vs->total_pages << PAGE_SHIFT),
	       (unsigned long)vmspace_rss(vs));
	if (show_addresses)
		text_f(t, " %lu %lu %lu 0 0", (unsigned long)vs->code_start,
		       (unsigned long)vs->code_end, (unsigned long)vs->stack_top);
	else
		text_f(t, " 1 1 0 0 0");
}

static void show_stat(struct pinode *i, struct task *task, struct textbuf *t)
{
	struct thread *th = &task->thread;
	struct process *p = task->process;
	struct vmspace *vs = task_get_vmspace(task);
	bool show = task_may_access(task, ACCESS_READ) == 0;
	struct family f;
	nsec_t utime, stime;

	load_family(task, &f);
	task_times(i, task, &utime, &stime);
	text_f(t, "%u (%s) %c %u %u %u %d %d %u", i->subject.is_task ? th->tid : f.pid, th->name,
	       task_state_char(task), f.ppid, f.pgrp, f.session, f.tty, f.tpgid, 0x400000u);
	text_f(t, " %lu %lu %lu %lu %lu %lu %lu %lu", (unsigned long)(th->minflt + p->minflt),
	       (unsigned long)p->cminflt, (unsigned long)(th->majflt + p->majflt),
	       (unsigned long)p->cmajflt, ticks(utime), ticks(stime), ticks(p->cutime),
	       ticks(p->cstime));
	text_f(t, " %d %d %u 0 %lu", priority_column(th), th->se.nice, f.nthreads,
	       ticks(th->start_time));
	stat_memory(t, vs, show);
	text_f(t, " %lu %lu %lu %lu 0 0 0 %d %u %u %u 0 0 0",
	       (unsigned long)f.sig_pending & 0x7fffffff, (unsigned long)f.blocked & 0x7fffffff,
	       (unsigned long)f.ignored & 0x7fffffff, (unsigned long)f.caught & 0x7fffffff,
	       p->exit_signal, th->cpu, rt_priority(th), th->se.policy);
	if (vs && show)
		text_f(t, " %lu %lu %lu %lu %lu %lu %lu %d\n", (unsigned long)vs->data_start,
		       (unsigned long)vs->data_end, (unsigned long)vs->brk_start,
		       (unsigned long)vs->arg_start, (unsigned long)vs->arg_end,
		       (unsigned long)vs->env_start, (unsigned long)vs->env_end,
		       p->zombie ? p->wait_status : 0);
	else
		text_f(t, " 0 0 0 0 0 0 0 0\n");
	if (vs)
		vmspace_put(vs);
}

static const char *state_name(char c)
{
	switch (c) {
	case 'R':
		return "R (running)";
	case 'S':
		return "S (sleeping)";
	case 'D':
		return "D (disk sleep)";
	case 'T':
		return "T (stopped)";
	case 't':
		return "t (tracing stop)";
	case 'Z':
		return "Z (zombie)";
	}
	return "X (dead)";
}

static void status_memory(struct textbuf *t, struct vmspace *vs)
{
	unsigned long kib = PAGE_SIZE / 1024;
	uint64_t rss = vmspace_rss(vs);

	text_f(t,
	       "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8lu kB\nVmHWM:\t%8lu "
	       "kB\nVmRSS:\t%8lu kB\n"
	       "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\nVmData:\t%8lu "
	       "kB\nVmStk:\t%8lu kB\n"
	       "VmExe:\t%8lu kB\nVmLib:\t%8lu kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8lu kB\n",
	       (unsigned long)MAX(vs->hiwater_total, vs->total_pages) * kib,
	       (unsigned long)vs->total_pages * kib, (unsigned long)vs->locked_pages * kib, 0ul,
	       (unsigned long)MAX(vs->hiwater_rss, rss) * kib, (unsigned long)rss * kib,
	       (unsigned long)vs->rss_anon * kib, (unsigned long)vs->rss_file * kib,
	       (unsigned long)vs->rss_shmem * kib, (unsigned long)vs->data_pages * kib,
	       (unsigned long)vs->stack_pages * kib,
	       (unsigned long)(vs->code_end - vs->code_start) / 1024,
	       (unsigned long)vs->exec_pages * kib, (unsigned long)vs->pt.ntables * kib, 0ul);
}

static void status_creds(struct textbuf *t, struct task *task)
{
	const struct cred *c = task_get_cred(task);

	if (c == NULL)
		return;
	text_f(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid,
	       c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
	struct fdtable *ft = task_get_files(task);
	text_f(t, "FDSize:\t%u\nGroups:\t", ft ? MAX(64u, fdtable_count(ft)) : 0);
	if (ft)
		fdtable_put(ft);
	for (uint32_t k = 0; k < c->ngroups; k++)
		text_f(t, "%u ", c->groups[k]);
	text_c(t, '\n');
	cred_put(c);
}

static void status_caps(struct textbuf *t, struct task *task)
{
	const struct cred *c = task_get_cred(task);

	if (c == NULL)
		return;
	text_f(t,
	       "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%"
	       "016lx\nNoNewPrivs:\t%d\n",
	       (unsigned long)c->cap_inheritable, (unsigned long)c->cap_permitted,
	       (unsigned long)c->cap_effective, (unsigned long)c->cap_bounding,
	       (unsigned long)c->cap_ambient, task->confined.no_new_privs);
	cred_put(c);
}

static void affinity_lines(struct textbuf *t, uint64_t mask)
{
	unsigned first;
	const char *sep = "";

	mask &= atomic_load(&cpus_online);
	text_f(t, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", (unsigned long)mask);
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (!(mask >> cpu & 1))
			continue;
		first = cpu;
		while (cpu + 1 < MAX_CPUS && mask >> (cpu + 1) & 1)
			cpu++;
		text_f(t, first == cpu ? "%s%u" : "%s%u-%u", sep, first, cpu);
		sep = ",";
	}
	text_c(t, '\n');
}

int proc_stat_show(struct pinode *i, struct textbuf *t)
{
	struct task *task = proc_task_get(i);

	if (task == NULL)
		return -ESRCH;
	show_stat(i, task, t);
	task_put(task);
	return 0;
}

static void show_status(struct pinode *i, struct task *task, struct textbuf *t)
{
	struct thread *th = &task->thread;
	struct vmspace *vs = task_get_vmspace(task);
	struct family f;

	load_family(task, &f);
	text_f(t, "Name:\t%s\nUmask:\t", th->name);
	struct fsctx *fs = task_get_fs(task);
	text_f(t, "%04o\nState:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t%u\n",
	       fs ? fs->umask : 0, state_name(task_state_char(task)), f.pid,
	       i->subject.is_task ? th->tid : f.pid, f.ppid, task_tracer_pid(task));
	if (fs)
		fsctx_put(fs);
	status_creds(t, task);
	text_f(t, "NStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\nNSsid:\t%u\n", f.pid, th->tid, f.pgrp,
	       f.session);
	if (vs) {
		status_memory(t, vs);
		vmspace_put(vs);
	}
	text_f(t,
	       "CoreDumping:\t0\nTHP_enabled:\t1\nThreads:\t%u\nSigQ:\t%u/"
	       "%lu\nSigPnd:\t%016lx\nShdPnd:\t%016lx\n"
	       "SigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
	       f.nthreads, atomic_load_explicit(&task->user->nsignals, memory_order_relaxed),
	       (unsigned long)process_rlimit(task->process, RLIMIT_SIGPENDING),
	       (unsigned long)f.sig_pending, (unsigned long)f.shared_pending,
	       (unsigned long)f.blocked, (unsigned long)f.ignored, (unsigned long)f.caught);
	status_caps(t, task);
	text_f(t, "Seccomp:\t%u\nSeccomp_filters:\t%u\nSpeculation_Store_Bypass:\tnot vulnerable\n",
	       task->confined.mode, task->confined.nfilters);
	affinity_lines(t, th->affinity);
	text_f(t,
	       "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%lu\n"
	       "nonvoluntary_ctxt_switches:\t%lu\n",
	       (unsigned long)th->nvcsw, (unsigned long)th->nivcsw);
}

int proc_status_show(struct pinode *i, struct textbuf *t)
{
	struct task *task = proc_task_get(i);

	if (task == NULL)
		return -ESRCH;
	show_status(i, task, t);
	task_put(task);
	return 0;
}
