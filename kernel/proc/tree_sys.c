#include "proc/tree.h"

/*
 * What processes may ask for in the tree: groups, sessions, subreapers, parent-death signals, and
 * to stop sharing. Source: setpgid(2), setsid(2), prctl(2), unshare(2).
 */

#include "abi/errno.h"
#include "abi/sched.h"
#include "proc/ipc/sem.h"
#include "proc/proc_priv.h"
#include "proc/report.h"
#include "vfs/fdtable.h"
#include "vfs/walk.h"
#include "vm/vmspace.h"

/* --- groups and sessions --- */

/* The process whose group is to change: the running one, or a child in its session that has not
 * called execve. */
static int find_mover_locked(uint32_t nr, struct process **out) HOLDS(&proctree_lock)
{
	struct process *me = curproc(), *p;
	struct pid *pid = pid_find_locked(nr);

	p = pid == NULL ? NULL : atomic_load_explicit(&pid->process, memory_order_relaxed);
	if (p == NULL || (p != me && process_parent(p) != me))
		return -ESRCH;
	if (p != me && p->session_pid != me->session_pid)
		return -EPERM;
	if (p != me && p->did_exec)
		return -EACCES;
	if (p->session_leader)
		return -EPERM;
	*out = p;
	return 0;
}

/* Its own new group, or one that exists in its session. */
static int find_group_locked(struct process *p, uint32_t pgid, struct pid **out)
	HOLDS(&proctree_lock)
{
	struct pid *group = p->pid;
	struct process *member;

	if (pgid != p->pid->nr) {
		group = pid_find_locked(pgid);
		if (group == NULL || list_is_empty(&group->group))
			return -EPERM;
		member = list_first(&group->group, struct process, group_node);
		if (member->session_pid != p->session_pid)
			return -EPERM;
	}
	*out = group;
	return 0;
}

int process_set_group(uint32_t nr, uint32_t pgid)
{
	struct process *p;
	struct pid *group;
	int err;

	spin_lock(&proctree_lock);
	err = find_mover_locked(nr, &p);
	if (err == 0)
		err = find_group_locked(p, pgid, &group);
	if (err == 0 && group != p->group)
		tree_set_group_locked(p, group);
	spin_unlock(&proctree_lock);
	return err;
}

int64_t process_new_session(void)
{
	struct process *p = curproc();
	int64_t ret = -EPERM;

	spin_lock(&proctree_lock);
	if (!p->session_leader && list_is_empty(&p->pid->group)) {
		tree_set_session_locked(p, p->pid);
		tree_set_group_locked(p, p->pid);
		p->session_leader = true;
		p->tty = NULL;
		ret = p->pid->nr;
	}
	spin_unlock(&proctree_lock);
	if (ret > 0)
		report_session();
	return ret;
}

/* --- reapers and parents --- */

static struct process *next_below(struct process *p, const struct process *top)
{
	if (!list_is_empty(&p->children))
		return list_first(&p->children, struct process, sibling);
	while (p != top) {
		struct process *parent = process_parent(p);

		if (p->sibling.next != &parent->children)
			return list_entry(p->sibling.next, struct process, sibling);
		p = parent;
	}
	return NULL;
}

void process_set_subreaper(bool on)
{
	struct process *me = curproc(), *p;

	spin_lock(&proctree_lock);
	me->is_subreaper = on;
	if (on)
		for (p = next_below(me, me); p != NULL; p = next_below(p, me))
			p->has_subreaper = true;
	spin_unlock(&proctree_lock);
}

void task_set_pdeath_signal(int sig)
{
	struct process *parent;

	spin_lock(&proctree_lock);
	curtask()->pdeath_signal = (uint32_t)sig;
	parent = process_parent(curproc());
	if (sig && parent != NULL)
		parent->has_pdeath = true;
	spin_unlock(&proctree_lock);
}

/* --- unshare --- */

static int unshare_copies(struct thread *t, uint64_t flags, struct fdtable **files,
			  struct fsctx **fs)
{
	if ((flags & CLONE_FILES) && ref_count(&t->files->ref) > 1 &&
	    (*files = fdtable_dup(t->files, ~0u)) == NULL)
		return -ENOMEM;
	if ((flags & CLONE_FS) && ref_count(&t->fs->ref) > 1 && (*fs = fsctx_dup(t->fs)) == NULL)
		return -ENOMEM;
	return 0;
}

static bool shares_image(const struct task *t)
{
	return atomic_load_explicit(&t->process->ntasks, memory_order_relaxed) > 1 ||
	       ref_count(&t->sighand->ref) > 1;
}

int process_unshare(uint64_t flags)
{
	struct task *t = curtask();
	struct fdtable *files = NULL, *old_files = NULL;
	struct fsctx *fs = NULL, *old_fs = NULL;
	struct siglock l;
	int err;

	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && shares_image(t))
		return -EINVAL;
	if ((flags & CLONE_VM) && ref_count(&t->thread.vmspace->users) > 1)
		return -EINVAL;
	err = unshare_copies(&t->thread, flags, &files, &fs);
	l = siglock(t->process);
	if (err == 0 && files != NULL) {
		old_files = t->thread.files;
		t->thread.files = files;
	}
	if (err == 0 && fs != NULL) {
		old_fs = t->thread.fs;
		t->thread.fs = fs;
	}
	sigunlock(l);
	if (err)
		old_files = files;
	if (old_files != NULL)
		fdtable_put(old_files);
	if (old_fs != NULL)
		fsctx_put(old_fs);
	if (err == 0 && (flags & CLONE_SYSVSEM))
		sem_undo_exit(t);
	return err;
}
