#include "proc/exec.h"

/*
 * execve(2). First everything that can fail, in a new address space beside the old one: open and
 * check the file, follow
 * `#!` lines, copy the strings, plan and map the images, fill the stack, compute the credentials,
 * copy what the new image must not share. Then the other tasks of the process are ended, the last
 * thing that may fail. What follows only replaces pointers: the caller's image is there unharmed,
 * or it is gone.
 *
 * Source: execve(2), execveat(2), credentials(7), signal(7).
 */

#include <arch/context.h>
#include <arch/ptrace.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/personality.h"
#include "core/cmdline.h"
#include "core/ktrace.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/coredump.h"
#include "proc/exec_priv.h"
#include "proc/exit.h"
#include "proc/ptrace.h"
#include "proc/report.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

void exec_init(void)
{
	if (cmdline_has("norandmaps"))
		exec_randomize_va_space = 0;
}

/* --- plan --- */

static int deny_writers(struct exec *x)
{
	int err = inode_deny_write(x->prog.file->inode);

	x->deny_write = err == 0;
	return err;
}

static int read_line(struct exec *x)
{
	ssize64_t n = file_read_kernel(x->prog.file, x->line, sizeof(x->line), 0);

	if (n < 0)
		return (int)n;
	x->line_len = (size_t)n;
	memset(x->line + n, 0, sizeof(x->line) - (size_t)n);
	if (x->line_len < sizeof(struct abi_elf64_ehdr) && x->line_len > 0 &&
	    x->line[0] == ELFMAG[0])
		x->line_len =
			sizeof(struct abi_elf64_ehdr); /* a header of zeroes, judged as such */
	return 0;
}

/* Puts "interp [arg] script" before the arguments, in the place of the first, and opens the
 * interpreter. */
static int enter_script(struct exec *x, const struct script *s, char **name)
{
	struct file *f;
	char *interp;
	int err;

	exec_strings_drop_first(&x->strings);
	if ((err = exec_strings_prepend(&x->strings, *name, strlen(*name))))
		return err;
	if (s->arg != NULL && (err = exec_strings_prepend(&x->strings, s->arg, s->arg_len)))
		return err;
	if ((err = exec_strings_prepend(&x->strings, s->interp, s->interp_len)))
		return err;
	interp = kmalloc(s->interp_len + 1);
	if (interp == NULL)
		return -ENOMEM;
	memcpy(interp, s->interp, s->interp_len);
	interp[s->interp_len] = '\0';
	kfree(*name);
	*name = interp;
	if ((err = exec_open(AT_FDCWD, interp, 0, &f)))
		return err;
	inode_allow_write(x->prog.file->inode);
	x->deny_write = false;
	file_put(x->prog.file);
	x->prog.file = f;
	return (err = deny_writers(x)) ? err : read_line(x);
}

static int follow_scripts(struct exec *x)
{
	char *name = kstrdup(x->filename);
	struct script s;
	int err = name == NULL ? -ENOMEM : read_line(x);

	for (unsigned depth = 0; err == 0; depth++) {
		if (script_parse((const char *)x->line, x->line_len, &s)) {
			err = x->line_len >= 2 && x->line[0] == '#' && x->line[1] == '!' ? -ENOEXEC
											 : 0;
			break;
		}
		err = depth == EXEC_SCRIPT_DEPTH ? -ELOOP
		      : x->name_closes           ? -ENOENT
						 : enter_script(x, &s, &name);
	}
	kfree(name);
	return err;
}

/* execveat(2) of a descriptor: the program's name is /dev/fd/N, or /dev/fd/N/path. */
static int make_name(struct exec *x, int dirfd, const char *path)
{
	size_t size = strlen(path) + 32;

	x->filename = path;
	if (dirfd == AT_FDCWD || path[0] == '/')
		return 0;
	x->own_name = kmalloc(size);
	if (x->own_name == NULL)
		return -ENOMEM;
	fmt(x->own_name, size, path[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d%s", dirfd, path);
	x->filename = x->own_name;
	x->name_closes = fd_get_cloexec(dirfd) > 0;
	return 0;
}

/* The old image's descriptor table and handlers may be shared with other processes; the new one's
 * are its own. */
static int unshare(struct exec *x)
{
	struct fdtable *files = curthread()->files;
	struct sighand *s = curtask()->sighand;

	if (ref_count(&files->ref) > 1 && (x->files = fdtable_dup(files, ~0u)) == NULL)
		return -ENOMEM;
	if (ref_count(&s->ref) > 1 && (x->sighand = sighand_dup(curproc())) == NULL)
		return -ENOMEM;
	return 0;
}

static int exec_plan(struct exec *x)
{
	int err;

	x->aslr = exec_randomize_va_space && !(curtask()->personality & ADDR_NO_RANDOMIZE);
	if ((err = follow_scripts(x)))
		return err;
	if ((err = exec_load_headers(x)) || (err = exec_compute_cred(x)) ||
	    (err = exec_build_space(x)) || (err = exec_build_stack(x)))
		return err;
	return unshare(x);
}

static void exec_free(struct exec *x)
{
	if (x->deny_write)
		inode_allow_write(x->prog.file->inode);
	if (x->sighand != NULL)
		sighand_put(x->sighand);
	if (x->files != NULL)
		fdtable_put(x->files);
	if (x->vs != NULL)
		vmspace_put(x->vs);
	if (x->cred != NULL)
		cred_put(x->cred);
	exec_elf_put(&x->interp);
	exec_elf_put(&x->prog);
	exec_strings_free(&x->strings);
	kfree(x->own_name);
}

/* --- commit --- */

static void reset_handlers(struct sighand *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(s->action); i++) {
		if (s->action[i].handler != SIG_IGN)
			s->action[i].handler = SIG_DFL;
		s->action[i].flags = 0;
		s->action[i].mask = 0;
		s->action[i].restorer = 0;
	}
}

static void commit_signals(struct exec *x)
{
	struct task *t = curtask();
	struct process *p = t->process;
	struct sighand *old = NULL;
	struct siglock l = siglock(p);

	if (x->sighand != NULL) {
		old = l.sighand;
		reset_handlers(x->sighand);
		atomic_store_explicit(&p->sighand, x->sighand, memory_order_release);
		t->sighand = x->sighand;
		x->sighand = NULL;
	} else {
		reset_handlers(l.sighand);
	}
	p->exit_signal = SIGCHLD;
	sigunlock(l);
	sighand_put(old);
	t->altstack_sp = t->altstack_size = t->altstack_flags = 0;
	ptimer_delete_all(p);
}

static void commit_files(struct exec *x)
{
	struct task *t = curtask();
	struct fdtable *old = t->thread.files;
	struct siglock l;

	if (x->files != NULL) {
		l = siglock(t->process);
		t->thread.files = x->files;
		sigunlock(l);
		x->files = NULL;
		fdtable_put(old);
	}
	fdtable_close_on_exec(t->thread.files);
}

static void commit_exe(struct exec *x)
{
	file_get(x->prog.file);
	x->vs->exe = x->prog.file; /* with its count and its denial of writers */
	x->deny_write = false;
	x->vs->dumpable = x->secure || x->setid || x->unreadable ? (uint8_t)core_suid_dumpable : 1;
	if (curthread()->vmspace != NULL)
		x->vs->dump_filter = curthread()->vmspace->dump_filter;
}

static void commit_image(struct exec *x)
{
	struct task *t = curtask();
	struct process *p = t->process;
	struct vmspace *old = t->thread.vmspace;
	struct siglock l;

	commit_exe(x);
	if (old != NULL)
		p->maxrss = MAX(p->maxrss, vmspace_hiwater_rss(old));
	mutex_lock(&p->exec_lock);
	if (trace_limits_exec()) /* a tracer came after the plan */
		exec_limit_cred(x);
	l = siglock(p);
	old = vmspace_switch(x->vs);
	sigunlock(l);
	cred_commit_reporting(x->cred);
	mutex_unlock(&p->exec_lock);
	x->vs = NULL;
	x->cred = NULL;
	if (old != NULL)
		vmspace_put(old);
}

static void commit_task(struct exec *x)
{
	struct task *t = curtask();
	const char *base = strrchr(x->filename, '/');

	(void)!strscpy(t->thread.name, base != NULL ? base + 1 : x->filename,
		       sizeof(t->thread.name));
	t->personality &= ~(uint32_t)READ_IMPLIES_EXEC;
	if (x->setid || x->secure)
		t->personality &=
			~(uint32_t)(ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT | MMAP_PAGE_ZERO);
	t->robust_list = UADDR_NULL;
	t->rseq = UADDR_NULL;
	t->rseq_len = 0;
	t->thread.switch_work = 0;
	t->restart.fn = NULL;
	spin_lock(&proctree_lock);
	t->process->did_exec = true;
	if (x->setid || x->secure)
		t->pdeath_signal = 0;
	spin_unlock(&proctree_lock);
}

static void exec_commit(struct exec *x)
{
	struct task *t = curtask();

	task_release_image(t);
	commit_image(x);
	commit_signals(x);
	commit_task(x);
	commit_files(x);
	arch_thread_exec(&t->thread, thread_regs(&t->thread), x->entry, x->sp);
}

static void trace_exec(const char *name, int err)
{
	uint64_t word[2] = { 0 };
	size_t len = strlen(name);

	memcpy(word, name + (len > sizeof(word) ? len - sizeof(word) : 0), MIN(len, sizeof(word)));
	ktrace_emit(EV_exec, word[0], word[1], (uint64_t)(int64_t)err, 0, 0, 0);
}

/* With the strings copied and the file open: the rest. */
static int exec_run(struct exec *x)
{
	int err = exec_plan(x);

	if (err == 0)
		err = process_become_single();
	if (ktrace_on(KT_PROC))
		trace_exec(x->filename, err);
	if (err)
		return err;
	exec_commit(x);
	if (process_is_watched(WATCH_EVENTS))
		report_exec();
	return 0;
}

/* An empty argv becomes { "" }: programs count on argv[0]. */
static int copy_strings_user(struct exec_strings *s, uaddr_t argv, uaddr_t envp)
{
	static const char *const no_args[] = { "", NULL };
	int err = exec_strings_add_user(s, argv, &s->argc);

	if (err == 0 && s->argc == 0)
		err = exec_strings_add_kernel(s, no_args, &s->argc);
	s->argv_bytes = s->bytes;
	return err ? err : exec_strings_add_user(s, envp, &s->envc);
}

static int copy_strings_kernel(struct exec_strings *s, const char *const argv[],
			       const char *const envp[])
{
	int err = exec_strings_add_kernel(s, argv, &s->argc);

	s->argv_bytes = s->bytes;
	return err ? err : exec_strings_add_kernel(s, envp, &s->envc);
}

static int exec_begin(struct exec **out, int dirfd, const char *path, unsigned flags)
{
	struct exec *x = kzalloc(sizeof(*x));
	int err;

	if (x == NULL)
		return -ENOMEM;
	exec_strings_init(&x->strings);
	err = make_name(x, dirfd, path);
	if (err == 0)
		err = exec_open(dirfd, path, flags, &x->prog.file);
	if (err == 0)
		err = deny_writers(x);
	if (err) {
		exec_free(x);
		kfree(x);
		return err;
	}
	*out = x;
	return 0;
}

/* A set*uid went over the limit, and it still is: execve(2) EAGAIN. */
static int check_nproc(void)
{
	struct task *t = curtask();

	if (!t->nproc_exceeded)
		return 0;
	if (atomic_load_explicit(&t->user->ntasks, memory_order_relaxed) >
	    process_rlimit(t->process, RLIMIT_NPROC))
		return -EAGAIN;
	t->nproc_exceeded = false;
	return 0;
}

int exec_user(int dirfd, const char *path, uaddr_t argv, uaddr_t envp, unsigned flags)
{
	uint32_t tid = curtask()->pid->nr;
	struct regs *r = thread_regs(curthread());
	uint64_t mark = arch_syscall_mark(r);
	struct exec *x;
	int err = check_nproc();

	if (err == 0)
		err = exec_begin(&x, dirfd, path, flags);
	if (err)
		return err;
	err = copy_strings_user(&x->strings, argv, envp);
	if (err == 0)
		err = exec_run(x);
	exec_free(x);
	kfree(x);
	if (err == 0) {
		arch_syscall_mark_set(r, mark);
		if (UNLIKELY(curtask()->jobctl & JOBCTL_TRACED))
			trace_exec_event(tid);
	}
	return err;
}

int exec_kernel(const char *path, const char *const argv[], const char *const envp[])
{
	struct exec *x;
	int err = exec_begin(&x, AT_FDCWD, path, 0);

	if (err)
		return err;
	err = copy_strings_kernel(&x->strings, argv, envp);
	if (err == 0)
		err = exec_run(x);
	exec_free(x);
	kfree(x);
	return err;
}
