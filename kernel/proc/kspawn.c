#include "proc/kspawn.h"

/*
 * Processes that no process made: process 1, and the helpers that the kernel runs for itself (the
 * program that a core dump is piped to). Both start in the kernel, as root, and become a program by
 * exec_kernel(). A helper is process 1's child, so that nobody's wait sees it, and leaves no
 * zombie.
 */

#include <arch/context.h>

#include "abi/errno.h"
#include "abi/prctl.h"
#include "abi/wait.h"
#include "core/clock.h"
#include "core/panic.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/exec.h"
#include "proc/exit.h"
#include "proc/proc_priv.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/walk.h"

static void default_limits(struct process *p)
{
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		p->rlim[i] = (struct abi_rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	p->rlim[RLIMIT_STACK].rlim_cur = 8ul << 20;
	p->rlim[RLIMIT_CORE].rlim_cur = 0;
	p->rlim[RLIMIT_NOFILE] = (struct abi_rlimit){ 1024, 4096 };
	p->rlim[RLIMIT_MEMLOCK] = (struct abi_rlimit){ 8ul << 20, 8ul << 20 };
	p->rlim[RLIMIT_MSGQUEUE] = (struct abi_rlimit){ 819200, 819200 };
	p->rlim[RLIMIT_NICE] = (struct abi_rlimit){ 0, 0 };
	p->rlim[RLIMIT_RTPRIO] = (struct abi_rlimit){ 0, 0 };
	p->rlim[RLIMIT_NPROC] = (struct abi_rlimit){ pid_max / 2, pid_max / 2 };
	p->rlim[RLIMIT_SIGPENDING] = p->rlim[RLIMIT_NPROC];
}

/* What is made so far; what is NULL is not. */
struct newborn {
	struct process *p;
	struct task *t;
	struct pid *pid;
	bool thread_ready;
};

static void newborn_free(struct newborn *n)
{
	struct thread *th = &n->t->thread;

	if (n->t != NULL) {
		if (th->fs != NULL)
			fsctx_put(th->fs);
		if (th->files != NULL)
			fdtable_put(th->files);
		if (n->thread_ready)
			thread_fini(th);
		task_free_raw(n->t);
	}
	if (n->p != NULL) {
		sighand_put(atomic_load_explicit(&n->p->sighand, memory_order_relaxed));
		process_free_raw(n->p);
	}
	if (n->pid != NULL)
		pid_cancel(n->pid);
}

static int newborn_objects(struct newborn *n, uint32_t nr, const struct thread *like,
			   const struct path *root)
{
	struct process *p = n->p = process_alloc();
	struct task *t = n->t = task_alloc();
	int err;

	if (p == NULL || t == NULL)
		return -ENOMEM;
	if ((err = thread_init(&t->thread, like)))
		return err;
	n->thread_ready = true;
	t->sighand = sighand_create();
	atomic_init(&p->sighand, t->sighand);
	t->user = user_find(0);
	t->thread.fs = fsctx_create(root);
	t->thread.files = fdtable_create();
	if (!t->sighand || !t->user || !t->thread.fs || !t->thread.files)
		return -ENOMEM;
	return pid_alloc(nr, &n->pid);
}

/* Everything but the links; void, since nothing here can fail. */
static void newborn_fill(struct newborn *n, const char *name)
{
	struct process *p = n->p;
	struct task *t = n->t;

	t->thread.task = t;
	cred_get(&root_cred);
	t->thread.cred = &root_cred;
	t->process = p;
	t->pid = n->pid;
	t->thread.tid = n->pid->nr;
	(void)!strscpy(t->thread.name, name, sizeof(t->thread.name));
	t->timer_slack = t->default_timer_slack = 50 * NSEC_PER_USEC;
	t->mce_kill = PR_MCE_KILL_DEFAULT;
	atomic_fetch_add_explicit(&t->user->ntasks, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&task_total, 1, memory_order_relaxed);
	p->leader = t;
	p->start_time = p->start_boottime = clock_mono();
	default_limits(p);
}

static void link_locked(struct newborn *n) HOLDS(&proctree_lock)
{
	struct process *p = n->p;

	pid_get(n->pid);
	p->pid = n->pid;
	if (p == init_process) {
		tree_set_group_locked(p, &pid_zero);
		tree_set_session_locked(p, &pid_zero);
	} else {
		tree_link_locked(p, init_process);
		p->tty = NULL;
	}
	task_get(n->t);
	process_get(p);
	list_add_tail(&p->tasks, &n->t->group_node);
	atomic_store_explicit(&p->ntasks, 1, memory_order_relaxed);
	atomic_store_explicit(&n->pid->process, p, memory_order_release);
	process_total++;
	atomic_store_explicit(&n->pid->task, n->t, memory_order_release);
	pid_publish_locked(n->pid);
}

static void newborn_start(struct newborn *n)
{
	spin_lock(&proctree_lock);
	link_locked(n);
	spin_unlock(&proctree_lock);
	thread_start(&n->t->thread);
}

/* --- process 1 --- */

static struct {
	void (*fn)(void *);
	void *arg;
} init_start;

static void init_first(void *unused)
{
	(void)unused;
	thread_first_run();
	arch_irq_enable();
	init_start.fn(init_start.arg);
	panic("the first process returned");
}

int process_create_init(const struct path *root, void (*fn)(void *), void *arg)
{
	struct newborn n = { 0 };
	int err = newborn_objects(&n, 1, curthread(), root);

	if (err) {
		newborn_free(&n);
		return err;
	}
	newborn_fill(&n, "init");
	n.p->flags = PROC_UNKILLABLE;
	n.p->exit_signal = SIGCHLD;
	init_start.fn = fn;
	init_start.arg = arg;
	arch_thread_init(&n.t->thread, init_first, NULL);
	init_process = n.p;
	newborn_start(&n);
	return 0;
}

/* --- helpers --- */

struct helper {
	char **argv;            /* the helper's, with its strings, in one piece */
	struct file *std_input; /* counted */
};

static const char *const helper_env[] = { "HOME=/", "PATH=/sbin:/bin:/usr/sbin:/usr/bin", NULL };

static void helper_free(struct helper *h)
{
	if (h->std_input != NULL)
		file_put(h->std_input);
	kfree(h->argv);
	kfree(h);
}

/* Descriptor 0 is the first of an empty table. */
static int helper_exec(struct helper *h)
{
	int err = fd_add(h->std_input, false);

	if (err < 0)
		return err;
	h->std_input = NULL;
	return exec_kernel(h->argv[0], (const char *const *)h->argv, helper_env);
}

static void helper_first(void *arg)
{
	struct helper *h = arg;
	int err;

	thread_first_run();
	arch_irq_enable();
	err = helper_exec(h);
	helper_free(h);
	if (err)
		process_exit(127 << 8);
	arch_enter_user(thread_regs(curthread()));
}

static size_t vector_bytes(const char *const *argv, unsigned *count)
{
	size_t bytes = 0;

	for (*count = 0; argv[*count] != NULL; (*count)++)
		bytes += strlen(argv[*count]) + 1;
	return bytes + (*count + 1) * sizeof(char *);
}

static struct helper *helper_make(const char *const *argv, struct file *std_input)
{
	struct helper *h = kmalloc(sizeof(*h));
	unsigned count;
	size_t bytes = vector_bytes(argv, &count);
	char *text;

	if (h == NULL)
		return NULL;
	h->argv = kmalloc(bytes);
	if (h->argv == NULL) {
		kfree(h);
		return NULL;
	}
	text = (char *)(h->argv + count + 1);
	for (unsigned i = 0; i < count; i++) {
		size_t n = strlen(argv[i]) + 1;

		h->argv[i] = memcpy(text, argv[i], n);
		text += n;
	}
	h->argv[count] = NULL;
	file_get(std_input);
	h->std_input = std_input;
	return h;
}

static int helper_newborn(struct newborn *n)
{
	struct task *leader = process_get_leader(init_process);
	struct fsctx *fs = leader == NULL ? NULL : task_get_fs(leader);
	struct path root;
	int err = -ESRCH;

	if (fs != NULL) {
		fsctx_get_root(fs, &root);
		err = newborn_objects(n, 0, &leader->thread, &root);
		path_put(&root);
		fsctx_put(fs);
	}
	task_put(leader);
	return err;
}

int process_spawn_helper(const char *const *argv, struct file *std_input)
{
	struct helper *h = helper_make(argv, std_input);
	struct newborn n = { 0 };
	int err;

	if (h == NULL)
		return -ENOMEM;
	err = helper_newborn(&n);
	if (err == 0) {
		arch_thread_init(&n.t->thread, helper_first, h);
		err = arch_thread_init_fpu(&n.t->thread);
	}
	if (err) {
		newborn_free(&n);
		helper_free(h);
		return err;
	}
	newborn_fill(&n, "helper");
	n.p->flags = PROC_NO_ZOMBIE;
	newborn_start(&n);
	return 0;
}
