#include "proc/seccomp.h"

/*
 * The judging of system calls. A filter tells for each number whether it and all older ones allow
 * the call without a look at its arguments: found out once, by running the program on the number
 * with everything else out of its reach. So most calls of a task with filters cost a few
 * instructions; the others run all programs, and the strictest answer counts, of the newest filter
 * that gave it.
 *
 * A task without filters pays nothing: system calls look at one word for everybody who wants to see
 * them (KTRACE_HOOK), in which each task with a mode counts.
 *
 * task->confined.filter changes under the siglock: by its owner, by SECCOMP_FILTER_FLAG_TSYNC, at
 * the end. The owner reads it without: what another task puts there holds what was there before.
 *
 * Source: seccomp(2), and Linux's answers (tests/guest/proc/seccomp.c).
 */

#include <arch/context.h>
#include <arch/ptrace.h>

#include "abi/bpf.h"
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/ptrace.h"
#include "abi/seccomp.h"
#include "abi/syscall_kinds.h"
#include "core/ktrace.h"
#include "lib/bpf.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/exit.h"
#include "proc/fatal.h"
#include "proc/proc_priv.h"
#include "proc/ptrace.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vm/usercopy.h"

/* Of a task's filters together, in instructions; each costs some besides its own. */
enum { PATH_MAX_INSTRUCTIONS = 32768, FILTER_OVERHEAD = 4 };

struct seccomp_filter {
	struct ref ref;                    /* tasks and newer filters */
	struct seccomp_filter *prev;       /* counted; NULL: the oldest */
	struct seccomp_listener *listener; /* counted; NULL: none */
	bool log;
	unsigned n, total; /* instructions; total: with those of the older ones */
	uint64_t allowed[SYSCALL_LIMIT / 64]; /* by number: whatever the arguments, by all */
	struct abi_sock_filter prog[];
};

/* --- the actions --- */

#define SYSCALL(name, x86_64, generic, ret, args, level, flags, source, note) \
	NR_##name = SYSCALL_NR(x86_64, generic),
enum syscall_numbers {
#include "abi/syscalls.def"
};
#undef SYSCALL

#define SIGNED(action) ((int32_t)((action)&SECCOMP_RET_ACTION_FULL)) /* the strictest is least */

static const struct {
	uint32_t action;
	const char *name;
} actions[] = {
	{ SECCOMP_RET_KILL_PROCESS, "kill_process" },
	{ SECCOMP_RET_KILL_THREAD, "kill_thread" },
	{ SECCOMP_RET_TRAP, "trap" },
	{ SECCOMP_RET_ERRNO, "errno" },
	{ SECCOMP_RET_USER_NOTIF, "user_notif" },
	{ SECCOMP_RET_TRACE, "trace" },
	{ SECCOMP_RET_LOG, "log" },
	{ SECCOMP_RET_ALLOW, "allow" },
};
enum { ALLOW = ARRAY_SIZE(actions) - 1, LOGGABLE = (1 << ALLOW) - 1 };

static _Atomic uint32_t actions_logged = LOGGABLE; /* bit per row */

/* ARRAY_SIZE(actions): none. */
static unsigned action_index(uint32_t action)
{
	unsigned i = 0;

	while (i < ARRAY_SIZE(actions) && actions[i].action != action)
		i++;
	return i;
}

bool seccomp_has_action(uint32_t action)
{
	return action_index(action) < ARRAY_SIZE(actions);
}

void seccomp_format_actions(struct textbuf *t, bool logged)
{
	uint32_t mask = logged ? atomic_load(&actions_logged) : UINT32_MAX;
	const char *sep = "";

	for (unsigned i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!(mask >> i & 1))
			continue;
		text_f(t, "%s%s", sep, actions[i].name);
		sep = " ";
	}
	text_c(t, '\n');
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t';
}

int seccomp_set_logged(const char *names)
{
	uint32_t mask = 0;
	unsigned i;
	size_t n;

	for (; *names != '\0'; names += n) {
		if ((n = is_space(*names)) > 0)
			continue;
		while (names[n] != '\0' && !is_space(names[n]))
			n++;
		for (i = 0; i < ALLOW; i++)
			if (strlen(actions[i].name) == n && memcmp(actions[i].name, names, n) == 0)
				break;
		if (i == ALLOW)
			return -EINVAL;
		mask |= 1u << i;
	}
	atomic_store(&actions_logged, mask);
	return 0;
}

/* What nobody asked to hear of is not logged; an action that is none counts as the strictest. */
static void note(const struct abi_seccomp_data *d, uint32_t action, int sig, bool wanted)
{
	unsigned i = action_index(action);

	if (i == ARRAY_SIZE(actions))
		i = 0;
	if (wanted && (atomic_load_explicit(&actions_logged, memory_order_relaxed) >> i & 1))
		fatal_log_seccomp(sig, d->nr, d->arch, d->instruction_pointer, action);
}

/* --- filters --- */

struct view {
	struct bpf_input in; /* first */
	struct abi_seccomp_data d;
};

static bool load(const struct bpf_input *in, uint32_t offset, unsigned size, uint32_t *out)
{
	const uint8_t *d = (const uint8_t *)&((const struct view *)in)->d;

	memcpy(out, d + offset, size); /* checked programs load whole words inside */
	return true;
}

/* Number and architecture; who looks at more ends with 0, which does not allow. */
static bool load_number(const struct bpf_input *in, uint32_t offset, unsigned size, uint32_t *out)
{
	return offset < offsetof(struct abi_seccomp_data, instruction_pointer) &&
	       load(in, offset, size, out);
}

static uint32_t run(const struct seccomp_filter *f, const struct view *v)
{
	return bpf_run(f->prog, &v->in);
}

static void find_allowed(struct seccomp_filter *f)
{
	struct view v = { .in = { .load = load_number, .len = sizeof(v.d) },
			  .d = { .arch = arch_audit } };

	for (unsigned nr = 0; nr < SYSCALL_LIMIT; nr++) {
		if (f->prev != NULL && !(f->prev->allowed[nr / 64] >> nr % 64 & 1))
			continue;
		v.d.nr = (int32_t)nr;
		if ((run(f, &v) & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW)
			f->allowed[nr / 64] |= 1ull << nr % 64;
	}
}

void seccomp_filter_put(struct seccomp_filter *f)
{
	while (f != NULL && ref_put(&f->ref)) {
		struct seccomp_filter *prev = f->prev;

		seccomp_listener_put(f->listener);
		kfree(f);
		f = prev;
	}
}

static int copy_program(struct seccomp_filter *f, uaddr_t from)
{
	uint16_t *written;
	bool good;

	if (copy_from_user(f->prog, from, f->n * sizeof(f->prog[0])))
		return -EFAULT;
	if ((written = kmalloc(f->n * sizeof(*written))) == NULL)
		return -ENOMEM;
	good = bpf_check(f->prog, f->n, BPF_SECCOMP, written);
	kfree(written);
	return good ? 0 : -EINVAL;
}

/* A filter without a place in a chain. */
static int filter_create(uaddr_t fprog, struct seccomp_filter **out)
{
	struct abi_sock_fprog prog;
	struct seccomp_filter *f;
	int err;

	if (copy_from_user(&prog, fprog, sizeof(prog)))
		return -EFAULT;
	if (prog.len == 0 || prog.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!curtask()->confined.no_new_privs && !cred_has_cap(current_cred(), CAP_SYS_ADMIN))
		return -EACCES;
	f = kzalloc(sizeof(*f) + prog.len * sizeof(f->prog[0]));
	if (f == NULL)
		return -ENOMEM;
	ref_init(&f->ref);
	f->n = prog.len;
	if ((err = copy_program(f, UADDR(prog.filter)))) {
		kfree(f);
		return err;
	}
	*out = f;
	return 0;
}

/* --- binding tasks --- */

static struct seccomp_filter *filter_of(const struct task *t)
{
	return atomic_load_explicit(&t->confined.filter, memory_order_acquire);
}

/* Filter before mode: whoever sees the mode sees the filter. Under the siglock. */
static void bind(struct task *t, unsigned mode, struct seccomp_filter *f, unsigned nfilters)
{
	t->confined.nfilters = nfilters;
	atomic_store_explicit(&t->confined.filter, f, memory_order_release);
	if (atomic_exchange_explicit(&t->confined.mode, (uint8_t)mode, memory_order_release) == 0)
		ktrace_hook_add(1);
}

int seccomp_set_strict(void)
{
	struct task *t = curtask();
	struct siglock l = siglock(t->process);
	int err = t->confined.mode == SECCOMP_MODE_FILTER ? -EINVAL : 0;

	if (!err)
		bind(t, SECCOMP_MODE_STRICT, NULL, 0);
	sigunlock(l);
	return err;
}

void seccomp_inherit(struct task *child)
{
	struct task *t = curtask();
	struct seccomp_filter *f = filter_of(t);

	if (f != NULL)
		ref_get(&f->ref);
	bind(child, t->confined.mode, f, t->confined.nfilters);
}

struct seccomp_filter *seccomp_detach(struct task *t)
{
	ktrace_hook_add(-1);
	return atomic_exchange_explicit(&t->confined.filter, NULL, memory_order_relaxed);
}

static bool is_older(const struct seccomp_filter *a, const struct seccomp_filter *than)
{
	while (than != NULL && than != a)
		than = than->prev;
	return than != NULL;
}

static bool can_follow(const struct task *other, const struct task *t)
{
	return other->confined.mode == SECCOMP_MODE_DISABLED ||
	       (other->confined.mode == SECCOMP_MODE_FILTER &&
		is_older(filter_of(other), filter_of(t)));
}

/* SECCOMP_FILTER_FLAG_TSYNC: the other threads; 0, or the number of one that cannot follow. */
static int64_t find_stray(const struct task *t)
{
	struct task *other;

	for_each_task (other, t->process)
		if (other != t && !other->exited && !can_follow(other, t))
			return other->pid->nr;
	return 0;
}

static void take_along(struct task *t)
{
	struct seccomp_filter *f = filter_of(t);
	struct task *other;

	for_each_task (other, t->process) {
		if (other == t || other->exited)
			continue;
		ref_get(&f->ref);
		seccomp_filter_put(filter_of(other)); /* not the last one: f has it */
		if (t->confined.no_new_privs)
			other->confined.no_new_privs = true;
		bind(other, SECCOMP_MODE_FILTER, f, t->confined.nfilters);
	}
}

static bool has_listener(const struct seccomp_filter *f)
{
	while (f != NULL && f->listener == NULL)
		f = f->prev;
	return f != NULL;
}

/* Under the siglock. f's reference becomes the task's, on success. */
static int64_t attach_locked(struct task *t, struct seccomp_filter *f, unsigned flags)
{
	struct seccomp_filter *prev = filter_of(t);
	int64_t stray;

	if (t->confined.mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	if (f->listener != NULL && has_listener(prev))
		return -EBUSY;
	f->total = f->n + FILTER_OVERHEAD + (prev != NULL ? prev->total : 0);
	if (f->total - FILTER_OVERHEAD > PATH_MAX_INSTRUCTIONS)
		return -ENOMEM;
	if ((flags & SECCOMP_FILTER_FLAG_TSYNC) && (stray = find_stray(t)) != 0)
		return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : stray;
	bind(t, SECCOMP_MODE_FILTER, f, t->confined.nfilters + 1);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		take_along(t);
	return 0;
}

/* The chain below a new filter, and what follows from it, are found without the lock: only TSYNC by
 * another thread can change the chain meanwhile, then they are found again. */
static int64_t attach(struct seccomp_filter *f, unsigned flags)
{
	struct task *t = curtask();
	struct seccomp_filter *prev;
	struct siglock l;
	int64_t ret;

	for (;;) {
		f->prev = prev = filter_of(t);
		memset(f->allowed, 0, sizeof(f->allowed));
		find_allowed(f);
		l = siglock(t->process);
		if (filter_of(t) == prev)
			break;
		sigunlock(l);
	}
	ret = attach_locked(t, f, flags);
	sigunlock(l);
	if (ret)
		f->prev = NULL; /* stays the task's */
	return ret;
}

static int64_t attach_with_listener(struct seccomp_filter *f, unsigned flags)
{
	bool killable = flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	struct file *file;
	int fd = fd_reserve(0, true);
	int64_t ret;

	if (fd < 0)
		return fd;
	if ((ret = seccomp_listener_create(killable, &f->listener, &file)))
		goto unreserve;
	if ((ret = attach(f, flags)))
		goto put_file;
	fd_install(fd, file);
	return fd;

put_file:
	file_put(file);
unreserve:
	fd_unreserve(fd);
	return ret;
}

int64_t seccomp_set_filter(unsigned flags, uaddr_t fprog)
{
	struct seccomp_filter *f;
	int64_t ret = filter_create(fprog, &f);
	bool attached;

	if (ret)
		return ret;
	f->log = flags & SECCOMP_FILTER_FLAG_LOG;
	if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		ret = attach_with_listener(f, flags);
		attached = ret >= 0;
	} else {
		ret = attach(f, flags);
		attached = ret == 0;
	}
	if (!attached)
		seccomp_filter_put(f);
	return ret;
}

/* --- ptrace --- */

int seccomp_get_nth(struct task *t, uint64_t nth, struct seccomp_filter **out)
{
	struct siglock l = siglock(t->process);
	struct seccomp_filter *f = filter_of(t);
	unsigned n = 0;
	int err = f == NULL ? -EINVAL : 0;

	for (const struct seccomp_filter *i = f; i != NULL; i = i->prev)
		n++;
	if (f != NULL && nth >= n)
		err = -ENOENT;
	if (!err) {
		while (--n > nth)
			f = f->prev;
		ref_get(&f->ref);
		*out = f;
	}
	sigunlock(l);
	return err;
}

const struct abi_sock_filter *seccomp_program(const struct seccomp_filter *f, unsigned *n)
{
	*n = f->n;
	return f->prog;
}

bool seccomp_logs(const struct seccomp_filter *f)
{
	return f->log;
}

/* --- judging --- */

static void describe(const struct regs *r, struct abi_seccomp_data *d)
{
	d->nr = (int32_t)regs_syscall_nr(r);
	d->arch = arch_audit;
	d->instruction_pointer = regs_pc(r);
	for (unsigned i = 0; i < ARRAY_SIZE(d->args); i++)
		d->args[i] = regs_arg(r, i);
}

/* The strictest answer, and whose it is: NULL, that nobody said anything. */
static uint32_t ask_all(const struct view *v, const struct seccomp_filter **by)
{
	uint32_t ret = SECCOMP_RET_ALLOW, one;
	const struct seccomp_filter *f;

	*by = NULL;
	for (f = filter_of(curtask()); f != NULL; f = f->prev) {
		one = run(f, v);
		if (SIGNED(one) < SIGNED(ret)) {
			ret = one;
			*by = f;
		}
	}
	return ret;
}

static void sigsys(struct abi_siginfo *si, const struct abi_seccomp_data *d, uint32_t data)
{
	*si = (struct abi_siginfo){
		.si_signo = SIGSYS,
		.si_errno = (int32_t)data,
		.si_code = SYS_SECCOMP,
		.sys = { .call_addr = d->instruction_pointer, .syscall = d->nr, .arch = d->arch },
	};
}

/* The registers are those before the call: for a handler, a debugger, a dump. */
static void undo_entry(struct regs *r)
{
	regs_set_ret(r, regs_syscall_nr(r));
}

static NORETURN void kill_with_core(struct regs *r, const struct abi_seccomp_data *d, uint32_t data)
{
	struct abi_siginfo si;

	undo_entry(r);
	sigsys(&si, d, data);
	signal_die_dumping(&si);
}

static bool trap(struct regs *r, const struct abi_seccomp_data *d, uint32_t data)
{
	struct abi_siginfo si;

	undo_entry(r);
	sigsys(&si, d, data);
	signal_force_info(&si);
	return false;
}

/* The tracer may change the call, or take it out: then false. */
static bool ask_tracer(struct regs *r, uint32_t data)
{
	regs_set_ret(r, (uint64_t)-ENOSYS);
	if (!trace_wants(PTRACE_EVENT_SECCOMP))
		return false;
	arch_regs_slow_return(r);
	trace_event(PTRACE_EVENT_SECCOMP, data);
	return !fatal_signal_pending() && (int32_t)regs_syscall_nr(r) >= 0;
}

static bool refuse(struct regs *r, int64_t ret)
{
	regs_set_ret(r, (uint64_t)ret);
	return false;
}

static bool ask_listener(struct regs *r, const struct seccomp_filter *f,
			 const struct abi_seccomp_data *d)
{
	int64_t ret;

	if (f->listener == NULL)
		return refuse(r, -ENOSYS);
	return seccomp_ask(f->listener, d, &ret) || refuse(r, ret);
}

/* A verdict that ends the thread or its process. */
static NORETURN void kill_caller(struct regs *r, const struct abi_seccomp_data *d, uint32_t ret)
{
	uint32_t action = ret & SECCOMP_RET_ACTION_FULL;

	note(d, action, SIGSYS, true);
	if (action == SECCOMP_RET_KILL_THREAD &&
	    atomic_load_explicit(&curproc()->ntasks, memory_order_relaxed) > 1)
		task_exit(SIGSYS);
	kill_with_core(r, d, ret & SECCOMP_RET_DATA);
}

/* again: a tracer has been asked, and is not asked twice. */
static bool judge(struct regs *r, bool again)
{
	struct view v = { .in = { .load = load, .len = sizeof(v.d) } };
	const struct seccomp_filter *f;
	uint32_t ret, action, data;
	bool made = false;

	describe(r, &v.d);
	ret = ask_all(&v, &f);
	action = ret & SECCOMP_RET_ACTION_FULL;
	data = ret & SECCOMP_RET_DATA;
	switch (action) {
	case SECCOMP_RET_ALLOW:
		return true;
	case SECCOMP_RET_LOG:
		note(&v.d, action, 0, true);
		return true;
	case SECCOMP_RET_TRACE:
		if (again)
			return true;
		if (ask_tracer(r, data))
			return judge(r, true); /* what it has become */
		break;
	case SECCOMP_RET_TRAP:
		made = trap(r, &v.d, data);
		break;
	case SECCOMP_RET_ERRNO:
		made = refuse(r, -(int64_t)MIN(data, 4095u));
		break;
	case SECCOMP_RET_USER_NOTIF:
		made = ask_listener(r, f, &v.d);
		break;
	default: /* also what is no action */
		kill_caller(r, &v.d, ret);
	}
	if (!made)
		note(&v.d, action, 0, f->log);
	return made;
}

static bool judge_strictly(const struct regs *r)
{
	struct abi_seccomp_data d;

	switch (regs_syscall_nr(r)) {
	case NR_read:
	case NR_write:
	case NR_exit:
	case NR_rt_sigreturn:
		return true;
	}
	describe(r, &d);
	note(&d, SECCOMP_RET_KILL_THREAD, SIGKILL, true);
	task_exit(SIGKILL);
}

bool seccomp_enter(struct regs *r)
{
	const struct task *t = curtask();
	uint64_t nr = regs_syscall_nr(r);

	if (UNLIKELY(t->trace.options & PTRACE_O_SUSPEND_SECCOMP))
		return true;
	if (t->confined.mode == SECCOMP_MODE_STRICT)
		return judge_strictly(r);
	if (nr < SYSCALL_LIMIT && (filter_of(t)->allowed[nr / 64] >> nr % 64 & 1))
		return true;
	return judge(r, false);
}
