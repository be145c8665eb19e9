#include "proc/fork.h"

/*
 * clone(2): a new task, by its flags and nothing else. The plan allocates and copies everything,
 * and gives the task to nobody: a failure frees it as if it had never been. The commit, under
 * PROCTREE and the siglock, links it, unless a signal came meanwhile: then all is undone and the
 * call restarts after it, so that a signal to a whole group reaches either the child or a parent
 * that has none.
 *
 * Source: clone(2), fork(2), vfork(2), setrlimit(2) RLIMIT_NPROC.
 */

#include <arch/context.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ptrace.h"
#include "abi/sched.h"
#include "abi/seccomp.h"
#include "core/clock.h"
#include "core/ktrace.h"
#include "lib/string.h"
#include "proc/info.h"
#include "proc/ipc/sem.h"
#include "proc/proc_priv.h"
#include "proc/ptrace.h"
#include "proc/report.h"
#include "proc/seccomp.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/walk.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

static _Atomic uint64_t nr_forks;
_Atomic uint32_t task_total;
int task_max = PID_MAX_LIMIT;

struct plan {
	const struct clone_args *args;
	uint64_t flags;
	struct task *t;
	struct process *p; /* new, or NULL for CLONE_THREAD */
	struct pid *pid;
	int pidfd; /* reserved, or -1 */
	struct file *pidfd_file;
	bool charged; /* against RLIMIT_NPROC */
	bool thread_ready;
	bool traced;    /* the child, as the parent is */
	unsigned event; /* the tracer's, PTRACE_EVENT_*; 0: none */
};

uint32_t process_total;

uint32_t process_count(void)
{
	return process_total;
}

uint64_t process_fork_count(void)
{
	return atomic_load_explicit(&nr_forks, memory_order_relaxed);
}

/* --- checks --- */

static const uint64_t new_namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				       CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

static int check_flags(const struct clone_args *a)
{
	uint64_t f = a->flags;

	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_PIDFD) && (f & (CLONE_DETACHED | CLONE_THREAD)))
		return -EINVAL;
	if ((f & CLONE_PARENT) && curproc() == init_process)
		return -EINVAL;
	if ((f & CLONE_FS) && (f & (CLONE_NEWNS | CLONE_NEWUSER)))
		return -EINVAL;
	if (f & new_namespaces & ~(uint64_t)CLONE_NEWUSER && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (f & (new_namespaces | CLONE_NEWTIME))
		return -EINVAL; /* as a Linux that was built without them */
	if ((f & CLONE_SETTLS) && !arch_tls_ok(a->tls))
		return -EPERM;
	if (f & CLONE_INTO_CGROUP)
		return -EBADF; /* no descriptor is a cgroup's */
	if (a->set_tid_size > 1)
		return -EINVAL; /* one per nested pid namespace, of which there is one */
	if (a->set_tid_size == 1 && (a->set_tid[0] <= 0 || (uint32_t)a->set_tid[0] >= pid_max))
		return -EINVAL;
	if (a->set_tid_size == 1 && !capable(CAP_SYS_ADMIN) && !capable(CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	return 0;
}

void task_uncharge(struct user_account *u)
{
	atomic_fetch_sub_explicit(&u->ntasks, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&task_total, 1, memory_order_relaxed);
}

/* Counts the new task against its user; the limit does not bind root and the capable. */
static int charge_user(struct plan *f)
{
	struct user_account *u = curtask()->user;
	uint64_t limit = process_rlimit(curproc(), RLIMIT_NPROC);
	uint32_t n = atomic_fetch_add_explicit(&u->ntasks, 1, memory_order_relaxed);

	if (atomic_fetch_add_explicit(&task_total, 1, memory_order_relaxed) >= (uint32_t)task_max)
		goto refuse;
	if (n >= limit && u->uid != 0 && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN))
		goto refuse;
	f->t->user = u;
	f->charged = true;
	return 0;
refuse:
	task_uncharge(u);
	return -EAGAIN;
}

/* --- plan --- */

static int plan_thread(struct plan *f)
{
	struct task *t = f->t, *me = curtask();
	int err = thread_init(&t->thread, &me->thread);

	if (err)
		return err;
	f->thread_ready = true;
	t->thread.task = t;
	cred_get(me->thread.cred);
	t->thread.cred = me->thread.cred;
	t->blocked = me->blocked;
	t->personality = me->personality;
	t->mce_kill = me->mce_kill;
	t->io_flusher = me->io_flusher;
	atomic_init(&t->ioprio, atomic_load_explicit(&me->ioprio, memory_order_relaxed));
	t->mempolicy = me->mempolicy;
	if ((f->flags & CLONE_SYSVSEM) && (err = sem_undo_share(&t->sem_undo)))
		return err;
	t->timer_slack = t->default_timer_slack = me->timer_slack;
	if ((f->flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM) {
		t->altstack_sp = me->altstack_sp;
		t->altstack_size = me->altstack_size;
		t->altstack_flags = me->altstack_flags;
	}
	if (!(f->flags & CLONE_VM)) {
		t->rseq = me->rseq;
		t->rseq_len = me->rseq_len;
		t->rseq_sig = me->rseq_sig;
		t->thread.switch_work = me->thread.switch_work;
		atomic_store_explicit(&t->thread.work, me->thread.switch_work,
				      memory_order_relaxed);
	}
	return 0;
}

static int plan_files(struct plan *f)
{
	struct thread *t = &f->t->thread, *me = curthread();

	if (f->flags & CLONE_FILES)
		fdtable_get(t->files = me->files);
	else if ((t->files = fdtable_dup(me->files, ~0u)) == NULL)
		return -ENOMEM;
	if (f->flags & CLONE_FS)
		fsctx_get(t->fs = me->fs);
	else if ((t->fs = fsctx_dup(me->fs)) == NULL)
		return -ENOMEM;
	return 0;
}

static int plan_vmspace(struct plan *f)
{
	struct vmspace *vs = curthread()->vmspace;
	int err = 0;

	if (f->flags & CLONE_VM)
		vmspace_get(vs);
	else
		err = vmspace_fork(vs, &vs);
	if (err == 0)
		f->t->thread.vmspace = vs;
	return err;
}

static void clear_handlers(struct sighand *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(s->action); i++)
		if (s->action[i].handler != SIG_IGN)
			memset(&s->action[i], 0, sizeof(s->action[i]));
}

static int plan_sighand(struct plan *f)
{
	struct process *me = curproc();
	struct sighand *s;

	if (f->flags & CLONE_SIGHAND) {
		s = curtask()->sighand;
		sighand_get(s);
	} else {
		s = sighand_dup(me);
		if (s == NULL)
			return -ENOMEM;
		if (f->flags & CLONE_CLEAR_SIGHAND)
			clear_handlers(s);
	}
	atomic_init(&f->p->sighand, s);
	return 0;
}

static int plan_process(struct plan *f)
{
	struct process *me = curproc();
	struct process *p;
	struct siglock l;

	if (f->flags & CLONE_THREAD) {
		process_get(me);
		f->t->process = me;
		f->t->sighand = curtask()->sighand;
		return 0;
	}
	f->p = p = process_alloc();
	if (p == NULL)
		return -ENOMEM;
	f->t->process = p;
	if (plan_sighand(f))
		return -ENOMEM;
	f->t->sighand = atomic_load_explicit(&p->sighand, memory_order_relaxed);
	p->leader = f->t;
	p->exit_signal = f->flags & CLONE_PARENT ? me->exit_signal : f->args->exit_signal;
	p->oom_score_adj = me->oom_score_adj;
	p->oom_score_adj_min = me->oom_score_adj_min;
	p->login_uid = me->login_uid;
	p->login_session = me->login_session;
	p->start_time = p->start_boottime = clock_mono();
	l = siglock(me);
	memcpy(p->rlim, me->rlim, sizeof(p->rlim));
	sigunlock(l);
	if (p->rlim[RLIMIT_CPU].rlim_cur != RLIM_INFINITY ||
	    p->rlim[RLIMIT_RTTIME].rlim_cur != RLIM_INFINITY)
		atomic_store_explicit(&p->cpu_timers, true, memory_order_relaxed);
	return 0;
}

static int plan_ids(struct plan *f)
{
	const struct clone_args *a = f->args;
	struct task *t = f->t;
	int err = pid_alloc(a->set_tid_size ? (uint32_t)a->set_tid[0] : 0, &f->pid);

	if (err)
		return err;
	t->pid = f->pid;
	t->thread.tid = f->pid->nr;
	t->parent_tid = curtask()->pid->nr;
	if (f->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = a->child_tid;
	if (f->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = a->child_tid;
	if (!(f->flags & CLONE_PIDFD))
		return 0;
	if ((f->pidfd = fd_reserve(0, true)) < 0)
		return f->pidfd;
	if ((err = pidfd_create(f->pid, 0, &f->pidfd_file)))
		return err;
	return put_user_u32(a->pidfd, (uint32_t)f->pidfd);
}

/* The child's first steps, on its own stack, before user mode. */
static void child_first(void)
{
	struct task *t = curtask();

	thread_first_run();
	arch_irq_enable();
	if (!uaddr_is_null(t->set_child_tid))
		(void)!put_user_u32(t->set_child_tid, t->pid->nr);
	t->set_child_tid = UADDR_NULL;
}

static int plan_all(struct plan *f)
{
	const struct clone_args *a = f->args;
	int err;

	if ((err = charge_user(f)) || (err = plan_process(f)) || (err = plan_thread(f)) ||
	    (err = plan_files(f)) || (err = plan_ids(f)) || (err = plan_vmspace(f)))
		return err;
	return arch_thread_fork(&f->t->thread, thread_regs(curthread()), a->stack,
				a->flags & CLONE_SETTLS, a->tls, child_first);
}

static void abort_process(struct plan *f)
{
	if (f->p == NULL) {
		if (f->t->process != NULL)
			process_put(f->t->process);
		return;
	}
	sighand_put(atomic_load_explicit(&f->p->sighand, memory_order_relaxed));
	process_free_raw(f->p);
}

static void plan_abort(struct plan *f)
{
	struct task *t = f->t;
	struct thread *th = &t->thread;

	if (th->vmspace != NULL)
		vmspace_put(th->vmspace);
	if (f->pidfd >= 0)
		fd_unreserve(f->pidfd);
	if (th->fs != NULL)
		fsctx_put(th->fs);
	if (th->files != NULL)
		fdtable_put(th->files);
	sem_undo_put(t->sem_undo);
	if (f->thread_ready) {
		thread_fini(th);
		cred_put(th->cred);
	}
	abort_process(f);
	if (f->charged)
		task_uncharge(t->user);
	task_free_raw(t);
	if (f->pidfd_file != NULL)
		file_put(f->pidfd_file); /* holds the pid object: the number alone goes */
	if (f->pid != NULL)
		pid_cancel(f->pid);
}

/* --- commit --- */

/* What must not have happened while the plan was made. Under the parent's siglock. */
static int check_signals(const struct plan *f)
{
	if (fatal_signal_pending())
		return -EINTR;
	return !(f->flags & CLONE_THREAD) && signal_pending() ? -ERESTARTNOINTR : 0;
}

/* A thread born into a stopping process stops with it. */
static void join_stop(struct task *t)
{
	struct process *p = t->process;

	if (!(p->flags & (PROC_STOP_PENDING | PROC_STOPPED)))
		return;
	t->jobctl = JOBCTL_STOP;
	p->stop_count++;
	atomic_fetch_or_explicit(&t->thread.work, WORK_SIGNAL, memory_order_relaxed);
}

static void link_process(struct plan *f) HOLDS(&proctree_lock)
{
	struct process *p = f->p, *me = curproc();
	struct process *parent = f->flags & CLONE_PARENT ? process_parent(me) : me;

	pid_get(f->pid);
	p->pid = f->pid;
	tree_link_locked(p, parent);
	if (f->flags & CLONE_PARENT)
		f->t->parent_tid = me->leader->parent_tid;
	process_get(p); /* the tree's; the first is the task's */
	atomic_store_explicit(&f->pid->process, p, memory_order_release);
	process_total++;
}

static int plan_commit(struct plan *f)
{
	struct task *t = f->t;
	struct siglock l;
	int err;

	spin_lock(&proctree_lock);
	l = siglock(curproc());
	err = check_signals(f);
	if (err == 0) {
		task_get(t); /* the list's; the first is its own life's */
		list_add_tail(&t->process->tasks, &t->group_node);
		atomic_fetch_add_explicit(&t->process->ntasks, 1, memory_order_relaxed);
		t->confined.no_new_privs = curtask()->confined.no_new_privs;
		if (UNLIKELY(curtask()->confined.mode != SECCOMP_MODE_DISABLED))
			seccomp_inherit(t);
		if (f->flags & CLONE_THREAD)
			join_stop(t);
		if (UNLIKELY(f->traced))
			trace_inherit_locked(t);
	}
	sigunlock(l);
	if (err == 0) {
		if (!(f->flags & CLONE_THREAD))
			link_process(f);
		atomic_store_explicit(&f->pid->task, t, memory_order_release);
		pid_publish_locked(f->pid);
	}
	spin_unlock(&proctree_lock);
	return err;
}

/* Until the child execs or ends; a fatal signal frees the parent earlier, and the child goes on. */
static bool vfork_wait(struct task *child)
{
	bool done = false;
	struct process *p = curproc();
	struct waiter w;

	waiter_init(&w);
	for (;;) {
		wait_prepare(&p->wait_children, &w, THREAD_SLEEP_KILL);
		done = atomic_load_explicit(&child->vfork_done, memory_order_acquire);
		if (done || wait_sleep(NSEC_MAX))
			break;
	}
	wait_finish(&p->wait_children, &w);
	return done;
}

static void start_child(struct plan *f)
{
	struct task *t = f->t;
	bool vfork = f->flags & CLONE_VFORK, done;
	uint32_t nr = t->pid->nr;

	atomic_fetch_add_explicit(&nr_forks, 1, memory_order_relaxed);
	ktrace(KT_PROC, fork, t->pid->nr, f->flags, 0, 0, 0, 0);
	if (f->flags & CLONE_PARENT_SETTID)
		(void)!put_user_u32(f->args->parent_tid, t->pid->nr);
	if (f->pidfd >= 0)
		fd_install(f->pidfd, f->pidfd_file);
	if (vfork) {
		task_get(t);
		process_get(curproc());
		t->vfork_parent = curproc();
		thread_will_sleep();
	}
	if (process_is_watched(WATCH_EVENTS))
		report_fork(t);
	thread_start(&t->thread);
	if (UNLIKELY(f->event))
		trace_event(f->event, nr);
	if (vfork) {
		done = vfork_wait(t);
		task_put(t);
		if (UNLIKELY(curtask()->jobctl & JOBCTL_TRACED) && done)
			trace_event(PTRACE_EVENT_VFORK_DONE, nr);
	}
}

int64_t process_clone(const struct clone_args *a)
{
	struct plan f = { .args = a, .flags = a->flags, .pidfd = -1 };
	int64_t nr;
	int err;

	if ((err = check_flags(a)))
		return err;
	if (!(a->flags & CLONE_THREAD) && signal_pending())
		return -ERESTARTNOINTR;
	if (UNLIKELY(curtask()->jobctl & JOBCTL_TRACED)) {
		f.event = trace_clone_event(a->flags, a->exit_signal);
		f.traced = f.event != 0 ||
			   (a->flags & (CLONE_PTRACE | CLONE_UNTRACED)) == CLONE_PTRACE;
	}
	f.t = task_alloc();
	if (f.t == NULL)
		return -ENOMEM;
	err = plan_all(&f);
	if (err == 0)
		err = plan_commit(&f);
	if (err) {
		plan_abort(&f);
		return err;
	}
	nr = f.pid->nr;
	start_child(&f);
	return nr;
}
