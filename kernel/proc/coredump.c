#include "proc/coredump_priv.h"

/*
 * Core dumps: who may have one, where it goes, and the standing still of the tasks meanwhile. The
 * task that took the fatal signal ends the process as any fatal signal would; but the others, on
 * their way out, find process->core set and wait, with their registers where user mode left them
 * and the address space still theirs. Only when the dump is written do they go on to end.
 *
 * The dumper itself must be able to sleep, so it does not count as killed. SIGKILL to the process
 * makes it so again, and the dump ends there.
 *
 * Source: core(5), signal(7), prctl(2) PR_SET_DUMPABLE, proc_sys_fs(5) suid_dumpable.
 */

#include <arch/context.h>

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "abi/wait.h"
#include "core/log.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/kspawn.h"
#include "proc/proc_priv.h"
#include "proc/report.h"
#include "vfs/cred.h"
#include "vfs/file.h"
#include "vfs/namei.h"
#include "vfs/pipe.h"
#include "vm/vmspace.h"

enum { NAME_BYTES = 4096, MAX_ARGS = 64, MIN_CORE = 4096 };
enum { DUMP_NOT, DUMP_USER, DUMP_ROOT }; /* vmspace->dumpable */

int core_uses_pid;
int core_pipe_limit;
int core_suid_dumpable;

static struct spinlock pattern_lock = SPINLOCK(CREDS);
static char pattern[CORE_PATTERN_MAX] = "core";
static _Atomic int piped_dumps;

void core_pattern_get(char out[CORE_PATTERN_MAX])
{
	spin_lock(&pattern_lock);
	memcpy(out, pattern, CORE_PATTERN_MAX);
	spin_unlock(&pattern_lock);
}

void core_pattern_set(const char *text, size_t len)
{
	len = MIN(len, (size_t)CORE_PATTERN_MAX - 1);
	spin_lock(&pattern_lock);
	memcpy(pattern, text, len);
	memset(pattern + len, 0, CORE_PATTERN_MAX - len);
	spin_unlock(&pattern_lock);
}

/* --- standing still --- */

void core_dump_park(struct siglock *l)
{
	struct process *p = curproc();
	struct waiter w;

	sigunlock(*l);
	arch_user_state_sync();
	*l = siglock(p);
	if (--p->core->missing == 0)
		waitq_wake_all(&p->exec_wait, 0);
	waiter_init(&w);
	while (p->core != NULL) {
		wait_prepare(&p->exec_wait, &w, THREAD_SLEEP);
		sigunlock(*l);
		(void)!wait_sleep(NSEC_MAX);
		*l = siglock(p);
	}
	wait_finish(&p->exec_wait, &w);
}

/* The process is ending from here on. The siglock is dropped. */
static void begin(struct core_dump *c, struct process *p, int sig, struct siglock l)
{
	struct task *t;

	process_kill_all_locked(p, sig);
	thread_clear_work(curthread(), WORK_KILLED | WORK_SIGNAL);
	for_each_task (t, p)
		if (t != c->dumper && !t->exited)
			c->missing++;
	p->core = c;
	sigunlock(l);
}

void core_dump_stop(struct process *p)
{
	if (p->core != NULL)
		task_zap(p->core->dumper);
}

static bool all_still(struct core_dump *c, struct process *p)
{
	struct siglock l = siglock(p);
	bool still = c->missing == 0;

	sigunlock(l);
	return still;
}

/* 0; -EINTR killed meanwhile. */
static int wait_still(struct core_dump *c, struct process *p)
{
	struct waiter w;
	int err = 0;

	waiter_init(&w);
	while (err == 0) {
		wait_prepare(&p->exec_wait, &w, THREAD_SLEEP_KILL);
		if (all_still(c, p))
			break;
		err = wait_sleep(NSEC_MAX);
	}
	wait_finish(&p->exec_wait, &w);
	return err ? -EINTR : 0;
}

static int finish(struct process *p, bool dumped)
{
	struct siglock l = siglock(p);
	int status;

	p->core = NULL;
	if (dumped)
		p->group_exit_code |= WCOREFLAG;
	status = p->group_exit_code;
	sigunlock(l);
	waitq_wake_all(&p->exec_wait, 0);
	return status;
}

/* --- into a file --- */

/* A set-id program's core is root's, wherever it lands; the task ends, so nobody misses the old
 * credentials. */
static bool become_fs_root(void)
{
	struct cred *c = cred_dup(current_cred());

	if (c == NULL)
		return false;
	c->fsuid = 0;
	cred_commit(c);
	return true;
}

/* Ours alone, and nothing but a file. */
static bool is_fit(struct file *f)
{
	struct inode *i = f->inode;

	return (i->mode & S_IFMT) == S_IFREG && i->nlink == 1 && i->uid == current_cred()->fsuid &&
	       (i->mode & 0677) == 0600;
}

static bool truncate_to(struct file *f, uint64_t size)
{
	return vfs_truncate(f->inode, size, &f->path) == 0;
}

static bool dump_to_file(const char *name, const struct core_name_facts *facts,
			 const struct abi_siginfo *si)
{
	struct core_out o = { .limit = facts->limit };
	const unsigned flags = O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_LARGEFILE;
	bool dumped = false;

	if (facts->limit < MIN_CORE)
		return false;
	if (facts->dumpable == DUMP_ROOT) {
		if (name[0] != '/' || !become_fs_root())
			return false;
	} else {
		(void)!vfs_unlink(AT_FDCWD, name); /* an older core, or somebody's link */
	}
	if (file_open_at(AT_FDCWD, name, flags, 0600, 0, &o.file))
		return false;
	if (is_fit(o.file) && truncate_to(o.file, 0)) {
		dumped = core_write_elf(&o, si);
		/* A hole at the end is part of it, too. */
		if (dumped && !o.failed && o.file->inode->size < o.pos)
			(void)!truncate_to(o.file, o.pos);
	}
	file_put(o.file);
	return dumped;
}

/* --- into a program --- */

/* With a limit on such dumps they last until the program has read all and closed its end, so that
 * it finds /proc/PID while it works. It must see the end of the file for that: we do not count as a
 * writer meanwhile. */
static void wait_reader(struct file *w)
{
	struct pipe *p = pipe_of(w);

	mutex_lock(&p->lock);
	p->writers--;
	waitq_wake_all(&p->readable, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	while (p->readers > 0 &&
	       wait_unlocked(&p->writable, &p->lock, THREAD_SLEEP_KILL, NSEC_MAX) == 0)
		;
	p->writers++;
	mutex_unlock(&p->lock);
}

static bool pipe_to(const char *const *argv, const struct abi_siginfo *si)
{
	struct core_out o = { .is_pipe = true, .limit = RLIM_INFINITY };
	struct file *r;
	bool dumped = false;
	int err = pipe_open_pair(0, &r, &o.file);

	if (err == 0) {
		err = process_spawn_helper(argv, r);
		file_put(r);
		if (err == 0)
			dumped = core_write_elf(&o, si);
		if (err == 0 && core_pipe_limit != 0)
			wait_reader(o.file);
		file_put(o.file);
	}
	if (err)
		log_info("Core dump to |%s pipe failed", argv[0]);
	return dumped;
}

/* args: NUL-terminated strings, len bytes. */
static bool dump_to_program(const char *args, size_t len, const struct core_name_facts *facts,
			    const struct abi_siginfo *si)
{
	const char *argv[MAX_ARGS + 1];
	unsigned n = 0;
	bool dumped = false;
	int running = atomic_fetch_add(&piped_dumps, 1) + 1;

	for (const char *p = args; p < args + len && n < MAX_ARGS; p += strlen(p) + 1)
		argv[n++] = p;
	argv[n] = NULL;
	/* 1 is the mark of a helper, so that one that dumps core itself does not start another. */
	if (facts->limit == 1)
		log_warn("Process %u(%s) has RLIMIT_CORE set to 1; aborting core",
			 curproc()->pid->nr, curthread()->name);
	else if (core_pipe_limit != 0 && running > core_pipe_limit)
		log_warn("Pid %u(%s) over core_pipe_limit; skipping core dump", curproc()->pid->nr,
			 curthread()->name);
	else if (n > 0)
		dumped = pipe_to(argv, si);
	atomic_fetch_sub(&piped_dumps, 1);
	return dumped;
}

/* --- the whole --- */

static bool dump(const struct core_name_facts *facts, const struct abi_siginfo *si)
{
	char now[CORE_PATTERN_MAX];
	struct textbuf t = { .size = NAME_BYTES };
	bool dumped = false;

	core_pattern_get(now);
	if (facts->dumpable == DUMP_ROOT && now[0] != '|' && now[0] != '/') {
		log_warn("Pid %u(%s) can only be dumped to an absolute path", curproc()->pid->nr,
			 curthread()->name);
		return false;
	}
	t.buf = kmalloc(NAME_BYTES);
	if (t.buf == NULL)
		return false;
	core_name_expand(now, facts, &t);
	if (t.len <= t.size)
		dumped = now[0] == '|' ? dump_to_program(t.buf, t.len, facts, si)
				       : dump_to_file(t.buf, facts, si);
	kfree(t.buf);
	return dumped;
}

int core_dump_process(int sig, const struct abi_siginfo *si, struct siglock l)
{
	struct core_dump c = { .dumper = curtask() };
	struct core_name_facts facts = { .sig = sig, .dumpable = curthread()->vmspace->dumpable };
	struct process *p = c.dumper->process;
	bool dumped = false;

	facts.limit = p->rlim[RLIMIT_CORE].rlim_cur;
	begin(&c, p, sig, l);
	report_core_dump();
	if (facts.dumpable != DUMP_NOT && wait_still(&c, p) == 0)
		dumped = dump(&facts, si);
	return finish(p, dumped);
}
