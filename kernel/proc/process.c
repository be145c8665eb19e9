#include "proc/info.h"
#include "proc/proc_priv.h"

/*
 * The objects: tasks, processes, sighands; their references, and what other code may ask of them. A
 * slot of another task (address space, files, working directory) may be emptied by its owner at any
 * moment; it is changed and read under the siglock of its process, and what the owner took out is
 * put after that.
 */

#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/ctty.h"
#include "proc/futex.h"
#include "sched/sched.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/walk.h"
#include "vm/vmspace.h"

struct process *init_process;
void (*session_leader_exit_hook)(struct process *p);
void (*process_reaped_hook)(struct process *p);
void (*process_tty_hook)(struct process *p, int *tty, int *tpgid);

static struct slab_cache *task_cache, *process_cache, *sighand_cache;

static void objects_init(void)
{
	task_cache = slab_cache_create("task", sizeof(struct task), 64, NULL);
	process_cache = slab_cache_create("process", sizeof(struct process), 64, NULL);
	sighand_cache = slab_cache_create("sighand", sizeof(struct sighand), 64, NULL);
}

/* For pivot_root(2). A shared one comes up once for each task that shares it. */
static void every_fsctx(void (*fn)(struct fsctx *f, void *ctx), void *ctx)
{
	struct process *p;
	struct fsctx *f;
	struct task *t;

	for (uint32_t nr = 0; (p = process_next(&nr)) != NULL; nr++) {
		for (uint32_t tid = 0; (t = process_next_task(p, &tid)) != NULL; tid++) {
			if ((f = task_get_fs(t)) != NULL) {
				fn(f, ctx);
				fsctx_put(f);
			}
			task_put(t);
		}
		process_put(p);
	}
}

void proc_init(void)
{
	fsctx_for_each = every_fsctx;
	objects_init();
	pid_init();
	sigqueue_init();
	futex_init();
	deliver_init();
	clocks_init();
	limits_init();
	exec_init();
	oom_init();
}

struct task *task_alloc(void)
{
	struct task *t = slab_zalloc(task_cache);

	if (t != NULL) {
		list_init(&t->group_node);
		list_init(&t->pi_owned);
		sigpending_init(&t->pending);
	}
	return t;
}

void task_free_raw(struct task *t)
{
	slab_free(task_cache, t);
}

static void process_init_waits(struct process *p)
{
	waitq_init(&p->exec_wait);
	waitq_init(&p->wait_children);
	mutex_init(&p->exec_lock, RANK_EXEC);
}

struct process *process_alloc(void)
{
	struct process *p = slab_zalloc(process_cache);

	if (p == NULL)
		return NULL;
	ref_init(&p->ref);
	list_init(&p->tasks);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->group_node);
	list_init(&p->session_node);
	list_init(&p->cpu_ptimers);
	list_init(&p->tracees);
	list_init(&p->tracees_ready);
	sigpending_init(&p->pending);
	process_init_waits(p);
	itimer_init(p);
	return p;
}

void process_free_raw(struct process *p)
{
	slab_free(process_cache, p);
}

static void process_free(struct epoch_head *h)
{
	struct process *p = container_of(h, struct process, epoch);

	sigpending_flush(&p->pending, ~0ull);
	sighand_put(atomic_load_explicit(&p->sighand, memory_order_relaxed));
	pid_put(p->pid);
	pid_put(p->group);
	pid_put(p->session_pid);
	process_free_raw(p);
}

void process_get(struct process *p)
{
	ref_get(&p->ref);
}

void process_put(struct process *p)
{
	if (p != NULL && ref_put(&p->ref))
		epoch_free(&p->epoch, process_free);
}

static void task_free(struct epoch_head *h)
{
	struct task *t = container_of(h, struct task, epoch);

	thread_fini(&t->thread);
	if (t->thread.cred != NULL)
		cred_put(t->thread.cred);
	sigpending_flush(&t->pending, ~0ull);
	pid_put(t->pid);
	process_put(t->process);
	task_free_raw(t);
}

void task_get(struct task *t)
{
	ref_get(&t->thread.ref);
}

void task_put(struct task *t)
{
	if (t != NULL && ref_put(&t->thread.ref))
		epoch_free(&t->epoch, task_free);
}

/* --- sighand --- */

static void sighand_setup(struct sighand *s)
{
	ref_init(&s->ref);
	spin_init(&s->lock, RANK_SIGNAL);
	waitq_init(&s->signalfd_wait);
}

struct sighand *sighand_create(void)
{
	struct sighand *s = slab_zalloc(sighand_cache);

	if (s != NULL)
		sighand_setup(s);
	return s;
}

struct sighand *sighand_dup(struct process *src)
{
	struct sighand *s = slab_alloc(sighand_cache);
	struct siglock l;

	if (s == NULL)
		return NULL;
	sighand_setup(s);
	l = siglock(src);
	memcpy(s->action, l.sighand->action, sizeof(s->action));
	sigunlock(l);
	return s;
}

void sighand_get(struct sighand *s)
{
	ref_get(&s->ref);
}

static void sighand_free(struct epoch_head *h)
{
	slab_free(sighand_cache, container_of(h, struct sighand, epoch));
}

void sighand_put(struct sighand *s)
{
	if (s != NULL && ref_put(&s->ref))
		epoch_free(&s->epoch, sighand_free);
}

/* exec has replaced the sighand meanwhile. */
struct siglock siglock_retry(struct process *p, struct siglock l) NO_TSA
{
	struct sighand *now;

	while ((now = atomic_load_explicit(&p->sighand, memory_order_acquire)) != l.sighand) {
		spin_unlock(&l.sighand->lock);
		l.sighand = now;
		spin_lock(&now->lock);
	}
	return l;
}

/* --- what others may ask --- */

struct vmspace *task_get_vmspace(struct task *t)
{
	struct siglock l = siglock(t->process);
	struct vmspace *vs = t->thread.vmspace;

	if (vs != NULL)
		vmspace_get(vs);
	sigunlock(l);
	return vs;
}

struct fdtable *task_get_files(struct task *t)
{
	struct siglock l = siglock(t->process);
	struct fdtable *f = t->thread.files;

	if (f != NULL)
		fdtable_get(f);
	sigunlock(l);
	return f;
}

struct fsctx *task_get_fs(struct task *t)
{
	struct siglock l = siglock(t->process);
	struct fsctx *f = t->thread.fs;

	if (f != NULL)
		fsctx_get(f);
	sigunlock(l);
	return f;
}

const struct cred *task_get_cred(struct task *t)
{
	struct cred *c;

	epoch_enter();
	do
		c = *(struct cred *volatile *)&t->thread.cred;
	while (!ref_tryget(&c->ref));
	epoch_exit();
	return c;
}

struct task *process_get_leader(struct process *p)
{
	struct task *t;

	spin_lock(&proctree_lock);
	t = p->reaped ? NULL : p->leader;
	if (t != NULL)
		task_get(t);
	spin_unlock(&proctree_lock);
	return t;
}

struct task *process_next_task(struct process *p, uint32_t *tid)
{
	struct task *t, *best = NULL;
	struct siglock l = siglock(p);

	for_each_task (t, p)
		if (t->pid->nr >= *tid && (best == NULL || t->pid->nr < best->pid->nr))
			best = t;
	if (best != NULL) {
		task_get(best);
		*tid = best->pid->nr;
	}
	sigunlock(l);
	return best;
}

char task_state_char(const struct task *t)
{
	if (t->exited && t->process->zombie)
		return 'Z';
	if (t->jobctl & JOBCTL_STOPPED)
		return 'T';
	switch (atomic_load_explicit(&t->thread.state, memory_order_relaxed)) {
	case THREAD_RUNNING:
		return 'R';
	case THREAD_SLEEP_INTR:
		return 'S';
	case THREAD_STOPPED:
		return 'T';
	case THREAD_TRACED:
	case THREAD_FROZEN:
		return 't';
	case THREAD_DEAD:
		return t == t->process->leader || (t->jobctl & JOBCTL_TRACED) ? 'Z' : 'X';
	default:
		return 'D';
	}
}

uint32_t process_ppid(struct process *p)
{
	struct process *parent;
	uint32_t nr;

	epoch_enter();
	parent = process_parent(p);
	nr = parent == NULL ? 0 : parent->pid->nr;
	epoch_exit();
	return nr;
}

uint32_t process_pgid(struct process *p)
{
	uint32_t nr;

	spin_lock(&proctree_lock);
	nr = p->group == NULL ? 0 : p->group->nr;
	spin_unlock(&proctree_lock);
	return nr;
}

uint32_t process_sid(struct process *p)
{
	uint32_t nr;

	spin_lock(&proctree_lock);
	nr = p->session_pid == NULL ? 0 : p->session_pid->nr;
	spin_unlock(&proctree_lock);
	return nr;
}

void process_tty(struct process *p, int *tty, int *tpgid)
{
	*tty = 0;
	*tpgid = -1;
	if (process_tty_hook != NULL)
		process_tty_hook(p, tty, tpgid);
}
