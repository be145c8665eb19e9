#include "lib/fmt.h"
#include "proc/info.h"
#include "proc/proc_priv.h"

/*
 * The process tree, process groups and sessions (credentials(7), setpgid(2), setsid(2), POSIX
 * "orphaned process group"). A group is the list of processes in its struct pid, a session
 * likewise; both last as long as they have members, whether or not their leader lives.
 *
 * Invariant: in a parent's list of children those with something to report (zombie, stopped,
 * continued) stand before all others, so that a wait for any child looks at no idle one.
 *
 * Source: POSIX.1-2017 3.264, _exit (consequences of process termination); prctl(2)
 * PR_SET_CHILD_SUBREAPER.
 */

void tree_child_ready_locked(struct process *p)
{
	struct process *parent = process_parent(p);

	list_remove(&p->sibling);
	list_add_head(&parent->children, &p->sibling);
}

void tree_child_idle_locked(struct process *p)
{
	struct process *parent = process_parent(p);

	list_remove(&p->sibling);
	list_add_tail(&parent->children, &p->sibling);
}

void tree_link_locked(struct process *p, struct process *parent)
{
	atomic_store_explicit(&p->parent, parent, memory_order_release);
	list_add_tail(&parent->children, &p->sibling);
	pid_get(parent->group);
	p->group = parent->group;
	list_add_tail(&p->group->group, &p->group_node);
	pid_get(parent->session_pid);
	p->session_pid = parent->session_pid;
	list_add_tail(&p->session_pid->session, &p->session_node);
	p->tty = parent->tty;
	p->has_subreaper = parent->has_subreaper || parent->is_subreaper;
}

void tree_set_group_locked(struct process *p, struct pid *group)
{
	struct pid *old = p->group;
	struct siglock l;

	list_remove(&p->group_node);
	l = siglock(p);
	if (p->flags & PROC_STOPPED) {
		atomic_fetch_sub_explicit(&old->nstopped, 1, memory_order_relaxed);
		if (group != NULL)
			atomic_fetch_add_explicit(&group->nstopped, 1, memory_order_relaxed);
	}
	p->group = group;
	sigunlock(l);
	if (group != NULL) {
		pid_get(group);
		list_add_tail(&group->group, &p->group_node);
	}
	if (old != NULL)
		pid_release_locked(old);
	pid_put(old);
}

void tree_set_session_locked(struct process *p, struct pid *session)
{
	struct pid *old = p->session_pid;

	list_remove(&p->session_node);
	p->session_pid = session;
	if (session != NULL) {
		pid_get(session);
		list_add_tail(&session->session, &p->session_node);
	}
	if (old != NULL)
		pid_release_locked(old);
	pid_put(old);
}

bool group_is_orphaned_locked(struct pid *group, const struct process *ignore)
{
	struct process *p;

	list_for_each (p, &group->group, group_node) {
		struct process *parent = process_parent(p);

		if (p == ignore || p->zombie || parent == NULL || parent == init_process)
			continue;
		if (parent->group != group && parent->session_pid == p->session_pid)
			return false;
	}
	return true;
}

bool group_is_orphaned(struct pid *group)
{
	bool orphaned;

	spin_lock(&proctree_lock);
	orphaned = group_is_orphaned_locked(group, NULL);
	spin_unlock(&proctree_lock);
	return orphaned;
}

static bool has_stopped_member(struct pid *group)
{
	return atomic_load_explicit(&group->nstopped, memory_order_relaxed) > 0;
}

static void hangup_group(struct pid *group)
{
	struct process *p;

	list_for_each (p, &group->group, group_node) {
		(void)signal_queue(p, NULL, SIGHUP, NULL, NULL);
		(void)signal_queue(p, NULL, SIGCONT, NULL, NULL);
	}
}

void tree_check_orphans_locked(struct process *member, struct process *old_parent)
{
	struct process *parent = old_parent != NULL ? old_parent : process_parent(member);
	struct pid *group = member->group;

	if (parent == NULL || parent->group == group || parent->session_pid != member->session_pid)
		return; /* it was not what kept the group from being orphaned */
	if (has_stopped_member(group) &&
	    group_is_orphaned_locked(group, old_parent != NULL ? NULL : member))
		hangup_group(group);
}

/* The nearest living ancestor that is a subreaper; process 1 without one. */
static struct process *find_reaper(struct process *p)
{
	struct process *q;

	if (p->has_subreaper)
		for (q = process_parent(p); q != NULL && q != init_process; q = process_parent(q))
			if (q->is_subreaper && !q->zombie &&
			    atomic_load_explicit(&q->ntasks, memory_order_relaxed) > 0)
				return q;
	return init_process;
}

static void send_pdeath(struct process *child)
{
	struct task *t;

	for_each_task (t, child)
		if (t->pdeath_signal)
			(void)signal_queue(child, t, (int)t->pdeath_signal, NULL, NULL);
}

static void adopt(struct process *child, struct process *reaper) HOLDS(&proctree_lock)
{
	struct sigqueue_entry *none = NULL;
	struct task *t;

	list_remove(&child->sibling);
	atomic_store_explicit(&child->parent, reaper, memory_order_release);
	list_add_tail(&reaper->children, &child->sibling);
	for_each_task (t, child)
		reaper->has_pdeath |= t->pdeath_signal != 0;
	child->exit_signal = SIGCHLD;
	child->leader->parent_tid = reaper->pid->nr;
	if (child->zombie || child->stopped_report || child->continued_report)
		tree_child_ready_locked(child);
	if (child->zombie && !(child->leader->jobctl & JOBCTL_TRACED) &&
	    exit_notify_parent_locked(child, &none))
		tree_reap_locked(child);
}

void tree_reparent_children_locked(struct process *p)
{
	struct process *reaper, *child, *next;

	if (list_is_empty(&p->children))
		return;
	reaper = find_reaper(p);
	list_for_each_safe (child, next, &p->children, sibling) {
		if (p->has_pdeath && !child->zombie)
			send_pdeath(child);
		adopt(child, reaper);
		if (!child->reaped && child->group != p->group)
			tree_check_orphans_locked(child, p);
	}
}

void task_list_children(struct task *t, struct textbuf *out)
{
	struct process *child;

	spin_lock(&proctree_lock);
	list_for_each (child, &t->process->children, sibling)
		if (child->leader->parent_tid == t->pid->nr)
			text_f(out, "%u ", child->pid->nr);
	spin_unlock(&proctree_lock);
}
