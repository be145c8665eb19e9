#include "net/socket.h"
#include "proc/proc_priv.h"

/*
 * Resource limits where they bind: what the layers below ask of the running process (descriptors,
 * file size), what its address space is told, and signals that they want sent. Kernel threads have
 * no limits.
 *
 * Source: setrlimit(2), fcntl(2) F_SETOWN and F_SETSIG.
 */

#include "abi/fcntl.h"
#include "abi/poll.h"
#include "proc/rlimit.h"
#include "vfs/cred.h"
#include "vfs/fcntl.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/lock.h"
#include "vm/vmspace.h"

uint64_t process_rlimit(struct process *p, unsigned resource)
{
	return *(volatile uint64_t *)&p->rlim[resource].rlim_cur;
}

void limits_to_vmspace(struct process *p, struct vmspace *vs)
{
	struct vm_limits l = {
		.as = process_rlimit(p, RLIMIT_AS),
		.data = process_rlimit(p, RLIMIT_DATA),
		.stack = process_rlimit(p, RLIMIT_STACK),
		.memlock = process_rlimit(p, RLIMIT_MEMLOCK),
	};

	write_lock(&vs->lock);
	vs->limits = l;
	write_unlock(&vs->lock);
}

static unsigned nofile_limit(void)
{
	struct task *t = curtask();
	uint64_t n = t == NULL ? 1024 : process_rlimit(t->process, RLIMIT_NOFILE);

	return (unsigned)MIN(n, (uint64_t)INT32_MAX);
}

static uint64_t fsize_limit(void)
{
	struct task *t = curtask();

	return t == NULL ? RLIM_INFINITY : process_rlimit(t->process, RLIMIT_FSIZE);
}

static void signal_fsize(void)
{
	struct abi_siginfo si;

	if (curtask() == NULL)
		return;
	siginfo_user(&si, SIGXFSZ, SI_USER);
	(void)!signal_send_task(curtask(), &si);
}

static int32_t current_tgid(void)
{
	return curtask() == NULL ? 0 : (int32_t)curproc()->pid->nr;
}

static bool pid_exists(uint32_t nr)
{
	struct process *p = process_lookup(nr);

	process_put(p);
	return p != NULL;
}

/* Whoever set the owner must be allowed to signal it: fcntl(2) F_SETOWN. Under an epoch. */
static bool may_notify(const struct file *f, const struct process *p)
{
	const struct cred *it = p->leader->thread.cred;

	return f->owner_euid == 0 || f->owner_euid == it->suid || f->owner_euid == it->uid ||
	       f->owner_uid == it->suid || f->owner_uid == it->uid;
}

/* What poll(2) would say, for si_band. */
static int64_t band_events(int band)
{
	static const int16_t events[] = {
		[POLL_IN] = POLLIN | POLLRDNORM,
		[POLL_OUT] = POLLOUT | POLLWRNORM | POLLWRBAND,
		[POLL_MSG] = POLLIN | POLLRDNORM | POLLMSG,
		[POLL_ERR] = POLLERR,
		[POLL_PRI] = POLLPRI | POLLRDBAND,
		[POLL_HUP] = POLLHUP | POLLERR,
	};

	return events[band];
}

/* With F_SETSIG the signal says which descriptor it is about; when no more can be queued, plain
 * SIGIO stands for it. band: POLL_*; 0: `sig` alone. */
static void notify_one(const struct file *f, struct process *p, struct task *t, int sig, int band)
{
	struct abi_siginfo si;
	bool may;

	epoch_enter();
	may = may_notify(f, p);
	epoch_exit();
	if (!may)
		return;
	if (band != 0 && f->owner_sig != 0) {
		siginfo_kernel(&si, f->owner_sig);
		si.si_code = band;
		si.poll.band = band_events(band);
		si.poll.fd = f->async_fd;
		if ((t != NULL ? signal_send_task(t, &si) : signal_send_process(p, &si)) == 0)
			return;
	}
	(void)signal_queue(p, t, band != 0 ? SIGIO : sig, NULL, NULL);
}

static void signal_owner(struct file *f, int sig, int band)
{
	uint32_t nr = atomic_load_explicit(&f->owner_pid, memory_order_relaxed);
	struct process *p;
	struct task *t;
	struct pid *pid;

	if (nr == 0)
		return;
	if (f->owner_type == F_OWNER_PGRP) {
		pid = pid_lookup(nr);
		if (pid != NULL)
			signal_send_group(pid, sig, true);
		pid_put(pid);
	} else if (f->owner_type == F_OWNER_TID) {
		t = task_lookup(nr);
		if (t != NULL)
			notify_one(f, t->process, t, sig, band);
		task_put(t);
	} else {
		p = process_lookup(nr);
		if (p != NULL)
			notify_one(f, p, NULL, sig, band);
		process_put(p);
	}
}

static void send_sigio(struct file *f, int band)
{
	signal_owner(f, f->owner_sig != 0 ? f->owner_sig : SIGIO, band);
}

static void send_sigurg(struct file *f)
{
	signal_owner(f, SIGURG, 0);
}

static bool owner_exists(int type, int nr)
{
	struct process *p;
	struct task *t;
	struct pid *pid;

	if (type == F_OWNER_TID) {
		t = task_lookup((uint32_t)nr);
		task_put(t);
		return t != NULL;
	}
	if (type == F_OWNER_PID) {
		p = process_lookup((uint32_t)nr);
		process_put(p);
		return p != NULL;
	}
	pid = pid_lookup((uint32_t)nr);
	pid_put(pid);
	return pid != NULL;
}

void limits_init(void)
{
	vfs_nofile_limit = nofile_limit;
	vfs_fsize_limit = fsize_limit;
	vfs_signal_fsize = signal_fsize;
	vfs_current_tgid = current_tgid;
	file_send_sigio = send_sigio;
	file_send_sigurg = send_sigurg;
	net_pid_exists = pid_exists;
	vfs_owner_exists = owner_exists;
}

/* --- prlimit --- */

static void apply_limit(struct process *p, unsigned resource, uint64_t cur)
{
	struct task *t;
	struct vmspace *vs;

	if ((resource == RLIMIT_CPU || resource == RLIMIT_RTTIME) && cur != RLIM_INFINITY)
		atomic_store_explicit(&p->cpu_timers, true, memory_order_relaxed);
	if (resource != RLIMIT_AS && resource != RLIMIT_DATA && resource != RLIMIT_STACK &&
	    resource != RLIMIT_MEMLOCK)
		return;
	t = process_get_leader(p);
	vs = t == NULL ? NULL : task_get_vmspace(t);
	task_put(t);
	if (vs != NULL) {
		limits_to_vmspace(p, vs);
		vmspace_put(vs);
	}
}

int process_set_rlimit(struct process *p, unsigned resource, const struct abi_rlimit *new,
		       struct abi_rlimit *old)
{
	struct siglock l = siglock(p);
	int err = 0;

	*old = p->rlim[resource];
	if (new != NULL &&new->rlim_max > old->rlim_max && !capable(CAP_SYS_RESOURCE))
		err = -EPERM;
	if (err == 0 && new != NULL) {
		p->rlim[resource] = *new;
		if (resource == RLIMIT_CPU)
			p->cpu_limit_next = 0;
	}
	sigunlock(l);
	if (err == 0 && new != NULL)
		apply_limit(p, resource, new->rlim_cur);
	return err;
}
