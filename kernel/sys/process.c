#include "sys/syscalls.h"

/*
 * fork(2) and its family, execve(2), _exit(2), wait(2), ids of processes, groups and sessions, and
 * pidfds: arguments in, results out. The work is in proc/.
 */

#include <arch/context.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/flags.h"
#include "abi/pidfd.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/wait.h"
#include "lib/string.h"
#include "proc/exec.h"
#include "proc/exit.h"
#include "proc/fork.h"
#include "proc/pid.h"
#include "proc/pidfd.h"
#include "proc/rseq.h"
#include "proc/signal.h"
#include "proc/tree.h"
#include "pseudofs/procfs.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/walk.h"
#include "vm/usercopy.h"

/* --- making processes --- */

int64_t sys_fork(void)
{
	struct clone_args a = { .exit_signal = SIGCHLD };

	return process_clone(&a);
}

int64_t sys_vfork(void)
{
	struct clone_args a = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD };

	return process_clone(&a);
}

int64_t sys_clone(uint64_t flags, uint64_t stack, uaddr_t parent_tid, uaddr_t child_tid,
		  uint64_t tls)
{
	struct clone_args a = {
		.flags = (uint32_t)flags & ~(uint64_t)CSIGNAL,
		.stack = stack,
		.tls = tls,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.pidfd = parent_tid, /* the old call has one place for both */
		.exit_signal = (int)(flags & CSIGNAL),
	};

	if ((flags & CLONE_PIDFD) && (flags & CLONE_PARENT_SETTID))
		return -EINVAL;
	return process_clone(&a);
}

static const uint64_t clone3_flags = 0xffffffffull | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;

static int check_clone3(const struct abi_clone_args *u, size_t size)
{
	if (u->flags & ~clone3_flags || u->flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)))
		return -EINVAL;
	if (u->exit_signal > _NSIG)
		return -EINVAL;
	if ((u->flags & (CLONE_THREAD | CLONE_PARENT)) && u->exit_signal)
		return -EINVAL;
	if ((u->stack == 0) != (u->stack_size == 0) ||
	    (u->stack && !user_range_ok(UADDR(u->stack), u->stack_size)))
		return -EINVAL;
	if ((u->set_tid == 0) != (u->set_tid_size == 0))
		return -EINVAL;
	if ((u->flags & CLONE_INTO_CGROUP) &&
	    (size < CLONE_ARGS_SIZE_VER2 || u->cgroup > INT32_MAX))
		return -EINVAL;
	if ((u->flags & CLONE_PIDFD) && (u->flags & CLONE_PARENT_SETTID) &&
	    u->pidfd == u->parent_tid)
		return -EINVAL;
	return 0;
}

int64_t sys_clone3(uaddr_t args, uint64_t size)
{
	struct abi_clone_args u;
	struct clone_args a;
	int32_t tid = 0;
	int err;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if ((err = copy_struct_from_user(&u, sizeof(u), args, size)) ||
	    (err = check_clone3(&u, size)))
		return err;
	if (u.set_tid_size > 1)
		return -EINVAL;
	if (u.set_tid_size && copy_from_user(&tid, UADDR(u.set_tid), sizeof(tid)))
		return -EFAULT;
	a = (struct clone_args){
		.flags = u.flags,
		.stack = u.stack + u.stack_size,
		.tls = u.tls,
		.parent_tid = UADDR(u.parent_tid),
		.child_tid = UADDR(u.child_tid),
		.pidfd = UADDR(u.pidfd),
		.exit_signal = (int)u.exit_signal,
		.set_tid = &tid,
		.set_tid_size = (unsigned)u.set_tid_size,
	};
	return process_clone(&a);
}

static const uint64_t unshare_namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
					   CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
					   CLONE_NEWNET | CLONE_NEWTIME;

int64_t sys_unshare(uint64_t flags)
{
	if (flags & ~(CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES |
		      CLONE_SYSVSEM | unshare_namespaces))
		return -EINVAL;
	if (flags & (unshare_namespaces & ~(uint64_t)CLONE_NEWUSER) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & unshare_namespaces)
		return -EINVAL;
	return process_unshare(flags);
}

static int64_t exec_path(int dirfd, uaddr_t path, uaddr_t argv, uaddr_t envp, unsigned flags)
{
	char *name;
	int err = pathname_get(path, flags & AT_EMPTY_PATH ? WALK_EMPTY : 0, &name);

	if (err)
		return err;
	err = flags & ~(unsigned)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)
		      ? -EINVAL
		      : exec_user(dirfd, name, argv, envp, flags);
	pathname_put(name);
	return err;
}

int64_t sys_execve(uaddr_t path, uaddr_t argv, uaddr_t envp)
{
	return exec_path(AT_FDCWD, path, argv, envp, 0);
}

int64_t sys_execveat(int32_t dirfd, uaddr_t path, uaddr_t argv, uaddr_t envp, uint32_t flags)
{
	return exec_path(dirfd, path, argv, envp, flags);
}

int64_t sys_exit(int32_t status)
{
	task_exit((status & 0xff) << 8);
}

int64_t sys_exit_group(int32_t status)
{
	process_exit((status & 0xff) << 8);
}

int64_t sys_set_tid_address(uint64_t tidptr)
{
	curtask()->clear_child_tid = UADDR(tidptr);
	return curtask()->pid->nr;
}

int64_t sys_rseq(uaddr_t area, uint32_t len, uint32_t flags, uint64_t sig)
{
	return rseq_register(area, len, flags, (uint32_t)sig);
}

/* --- waiting --- */

static const int wait_type_flags = (int)(__WNOTHREAD | __WCLONE | __WALL);

/* The pid object to wait for, counted; NULL: it does not exist, so there is no such child. */
static struct pid *wait_pid(int32_t nr, bool own_group)
{
	struct pid *pid;

	if (!own_group)
		return pid_lookup((uint32_t)nr);
	spin_lock(&proctree_lock);
	pid = curproc()->group;
	pid_get(pid);
	spin_unlock(&proctree_lock);
	return pid;
}

int64_t sys_wait4(int32_t nr, uaddr_t wstatus, uint32_t options, uaddr_t rusage)
{
	struct abi_rusage ru = { 0 };
	struct wait_args a = {
		.type = nr == -1 ? P_ALL
			: nr > 0 ? P_PID
				 : P_PGID,
		.options = (int)options | WEXITED,
		.ru = uaddr_is_null(rusage) ? NULL : &ru,
	};
	int64_t found;

	if (options & ~(uint32_t)(WNOHANG | WUNTRACED | WCONTINUED | wait_type_flags))
		return -EINVAL;
	if (nr == INT32_MIN)
		return -ESRCH;
	if (nr != -1) {
		a.pid = wait_pid(nr < 0 ? -nr : nr, nr == 0);
		if (a.pid == NULL)
			return -ECHILD;
	}
	found = process_wait(&a);
	pid_put(a.pid);
	if (found <= 0)
		return found;
	if (!uaddr_is_null(wstatus) && put_user_u32(wstatus, (uint32_t)a.status))
		return -EFAULT;
	if (a.ru != NULL && copy_to_user(rusage, &ru, sizeof(ru)))
		return -EFAULT;
	return found;
}

static int waitid_status(const struct wait_args *a)
{
	switch (a->si_code) {
	case CLD_EXITED:
		return a->status >> 8 & 0xff;
	case CLD_STOPPED:
		return a->status >> 8 & 0xff;
	case CLD_TRAPPED: /* ptrace(2): with the event above the signal */
		return a->status >> 8;
	case CLD_CONTINUED:
		return SIGCONT;
	default:
		return a->status & 0x7f;
	}
}

/* The pidfd's pid, counted; *nonblock: it was opened so. */
static int pidfd_lookup(int fd, struct pid **out, bool *nonblock)
{
	struct fdref r = fdref_get(fd);
	struct pid *pid;

	if (r.file == NULL)
		return -EBADF;
	pid = pidfd_pid(r.file);
	if (pid != NULL) {
		pid_get(pid);
		*out = pid;
		*nonblock = r.file->flags & O_NONBLOCK;
	}
	fdref_put(r);
	return pid == NULL ? -EBADF : 0;
}

static int waitid_target(int type, int32_t id, struct wait_args *a, bool *nonblock)
{
	*nonblock = false;
	switch (type) {
	case P_ALL:
		return 0;
	case P_PID:
		if (id <= 0)
			return -EINVAL;
		break;
	case P_PGID:
		if (id < 0)
			return -EINVAL;
		break;
	case P_PIDFD:
		return id < 0 ? -EINVAL : pidfd_lookup(id, &a->pid, nonblock);
	default:
		return -EINVAL;
	}
	a->pid = wait_pid(id, type == P_PGID && id == 0);
	return a->pid == NULL ? -ECHILD : 0;
}

/* The members that waitid(2) names are written, and only those. */
static int put_waitid_info(uaddr_t infop, const struct wait_args *a, int64_t found)
{
	struct abi_siginfo si;

	memset(&si, 0, sizeof(si));
	if (found > 0) {
		si.si_signo = SIGCHLD;
		si.si_code = a->si_code;
		si.chld.pid = (int32_t)found;
		si.chld.uid = a->uid;
		si.chld.status = waitid_status(a);
	}
	if (copy_to_user(infop, &si, offsetof(struct abi_siginfo, __pad0)) ||
	    copy_to_user(uaddr_add(infop, offsetof(struct abi_siginfo, chld)), &si.chld,
			 offsetof(struct abi_siginfo, chld.status) + sizeof(si.chld.status) -
				 offsetof(struct abi_siginfo, chld)))
		return -EFAULT;
	return 0;
}

int64_t sys_waitid(int32_t idtype, int32_t id, uaddr_t infop, uint32_t options, uaddr_t rusage)
{
	struct abi_rusage ru = { 0 };
	struct wait_args a = {
		.type = idtype,
		.options = (int)options,
		.ru = uaddr_is_null(rusage) ? NULL : &ru,
	};
	bool nonblock;
	int64_t found;
	int err;

	if (options &
	    ~(uint32_t)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | wait_type_flags))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	if ((err = waitid_target(idtype, id, &a, &nonblock)))
		return err;
	if (nonblock)
		a.options |= WNOHANG;
	found = process_wait(&a);
	pid_put(a.pid);
	if (found == 0 && nonblock && !(options & WNOHANG))
		found = -EAGAIN;
	if (found > 0 && a.ru != NULL && copy_to_user(rusage, &ru, sizeof(ru)))
		return -EFAULT;
	/* Without a child the fields are cleared, whether or not that is an error. */
	err = uaddr_is_null(infop) ? 0 : put_waitid_info(infop, &a, found);
	return err || found > 0 ? err : found;
}

/* --- ids --- */

int64_t sys_getpid(void)
{
	return curproc()->pid->nr;
}

int64_t sys_gettid(void)
{
	return curtask()->pid->nr;
}

int64_t sys_getppid(void)
{
	return process_ppid(curproc());
}

/* fn of the process `nr`, 0: the running one. */
static int64_t ask_process(int32_t nr, uint32_t (*fn)(struct process *p))
{
	struct process *p;
	int64_t id;

	if (nr == 0)
		return fn(curproc());
	p = process_lookup((uint32_t)nr);
	if (p == NULL)
		return -ESRCH;
	id = fn(p);
	process_put(p);
	return id;
}

int64_t sys_getpgid(int32_t nr)
{
	return ask_process(nr, process_pgid);
}

int64_t sys_getpgrp(void)
{
	return process_pgid(curproc());
}

int64_t sys_getsid(int32_t nr)
{
	return ask_process(nr, process_sid);
}

int64_t sys_setpgid(int32_t pid, int32_t pgid)
{
	uint32_t nr = pid ? (uint32_t)pid : curproc()->pid->nr;
	uint32_t group = pgid ? (uint32_t)pgid : nr;

	if ((int32_t)group < 0)
		return -EINVAL;
	if (pid < 0)
		return -ESRCH;
	return process_set_group(nr, group);
}

int64_t sys_setsid(void)
{
	return process_new_session();
}

/* --- namespaces: there is one of each, and no file that names one --- */

int64_t sys_setns(int32_t fd, uint64_t nstype)
{
	struct fdref r = fdref_get(fd);

	(void)nstype;
	if (r.file == NULL)
		return -EBADF;
	fdref_put(r);
	return -EINVAL;
}

/* --- pidfds --- */

int64_t sys_pidfd_open(int32_t pid, uint32_t flags)
{
	if (flags & ~(uint32_t)PIDFD_NONBLOCK || pid <= 0)
		return -EINVAL;
	return pidfd_open((uint32_t)pid, flags & PIDFD_NONBLOCK);
}

int64_t sys_pidfd_getfd(int32_t pidfd, int32_t targetfd, uint32_t flags)
{
	struct pid *pid;
	bool nonblock;
	int64_t fd;
	int err;

	if (flags)
		return -EINVAL;
	if ((err = pidfd_lookup(pidfd, &pid, &nonblock)))
		return err;
	fd = pidfd_get_file(pid, targetfd);
	pid_put(pid);
	return fd;
}

/* A siginfo that pretends to come from the kernel or from kill(2) may be sent only to oneself. */
static int pidfd_info(struct process *p, int sig, uaddr_t info, struct abi_siginfo *si)
{
	int err;

	if (uaddr_is_null(info)) {
		siginfo_user(si, sig, SI_USER);
		return 0;
	}
	if ((err = siginfo_from_user(si, info, sig)))
		return err;
	if (si->si_signo != sig)
		return -EINVAL;
	return p != curproc() && (si->si_code >= 0 || si->si_code == SI_TKILL) ? -EPERM : 0;
}

/* The pid that a descriptor of a pidfd or of a directory /proc/PID names, counted. */
static int signal_pid_lookup(int fd, struct pid **out)
{
	struct fdref r = fdref_get(fd);
	struct pid *pid;

	if (r.file == NULL)
		return -EBADF;
	pid = pidfd_pid(r.file);
	if (pid != NULL)
		pid_get(pid);
	else
		pid = procfs_pid_of(r.file);
	fdref_put(r);
	if (pid == NULL)
		return -EBADF;
	*out = pid;
	return 0;
}

int64_t sys_pidfd_send_signal(int32_t pidfd, int32_t sig, uaddr_t info, uint32_t flags)
{
	struct abi_siginfo si;
	struct process *p;
	struct pid *pid;
	int err;

	if (flags)
		return -EINVAL;
	if ((err = signal_pid_lookup(pidfd, &pid)))
		return err;
	p = pid_get_process(pid);
	pid_put(pid);
	if (p == NULL)
		return -ESRCH;
	err = pidfd_info(p, sig, info, &si);
	if (err == 0)
		err = signal_kill_process(p, sig, &si);
	process_put(p);
	return err;
}
