/*
 * ptrace(2): what a tracer asks of a task that stands still (proc/ptrace.h): memory, registers, the
 * signal of the stop, and how it is to go on.
 */

#include <arch/context.h>
#include <arch/ptrace.h>

#include "abi/capability.h"
#include "abi/elf.h"
#include "abi/bpf.h"
#include "abi/errno.h"
#include "abi/ptrace.h"
#include "abi/seccomp.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/ptrace.h"
#include "proc/seccomp.h"
#include "proc/signal.h"
#include "sys/syscalls.h"
#include "vfs/cred.h"
#include "vm/uio.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

#define NO_SUCH_REQUEST INT64_MIN /* in this group: ask the next */

/* --- memory --- */

/* The tracee's address space, counted; NULL: it may not be looked into, though it may be traced. */
static struct vmspace *space_of(struct task *t)
{
	struct vmspace *vs = task_get_vmspace(t);

	if (vs != NULL && vs->dumpable != 1 && !t->trace.capable) {
		vmspace_put(vs);
		return NULL;
	}
	return vs;
}

/* One word. */
static int access_word(struct task *t, uint64_t addr, uint64_t *word, bool write)
{
	struct vmspace *vs = space_of(t);
	ssize64_t n;

	if (vs == NULL)
		return -EIO;
	n = vm_access(vs, addr, word, sizeof(*word), write, true);
	vmspace_put(vs);
	return n == sizeof(*word) ? 0 : -EIO;
}

static int64_t req_memory(struct task *t, int request, uint64_t addr, uint64_t data)
{
	uint64_t word = data;
	int err;

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		err = access_word(t, addr, &word, false);
		return err ? err : put_user_u64(UADDR(data), word);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return access_word(t, addr, &word, true);
	case PTRACE_PEEKUSR:
		err = arch_user_area_get(&t->thread, addr, &word);
		return err ? err : put_user_u64(UADDR(data), word);
	case PTRACE_POKEUSR:
		return arch_user_area_set(&t->thread, addr, data);
	default:
		return NO_SUCH_REQUEST;
	}
}

/* --- registers --- */

static int64_t get_regs(struct task *t, uaddr_t to, size_t n)
{
	uint64_t regs[ARCH_USER_REGS];

	arch_core_regs(&t->thread, regs);
	return copy_to_user(to, regs, MIN(n, sizeof(regs))) ? -EFAULT : 0;
}

/* One after the other: those before one that cannot be stay changed. */
static int64_t set_regs(struct task *t, uaddr_t from, size_t n)
{
	uint64_t regs[ARCH_USER_REGS];
	int err = 0;

	n = MIN(n, sizeof(regs));
	if (copy_from_user(regs, from, n))
		return -EFAULT;
	for (unsigned i = 0; i < n / sizeof(uint64_t) && err == 0; i++)
		err = arch_user_reg_set(&t->thread, i, regs[i]);
	return err;
}

static int64_t get_fpu(struct task *t, uaddr_t to, size_t n, bool whole)
{
	const void *state;
	size_t size;
	void *copy;
	int err;

	if ((state = arch_fpu_state(&t->thread, &size)) == NULL)
		return -EIO;
	if ((copy = kmalloc(size)) == NULL)
		return -ENOMEM;
	memcpy(copy, state, size);
	if (whole)
		(void)!arch_core_xstate(copy, size);
	err = copy_to_user(to, copy, MIN(n, size));
	kfree(copy);
	return err ? -EFAULT : 0;
}

static int64_t set_fpu(struct task *t, uaddr_t from, size_t n)
{
	void *copy = kmalloc(n);
	int err;

	if (copy == NULL)
		return -ENOMEM;
	err = copy_from_user(copy, from, n) ? -EFAULT : arch_fpu_set(&t->thread, copy, n);
	kfree(copy);
	return err;
}

struct regset {
	uint32_t type;
	size_t size;
};

static bool find_regset(uint64_t type, struct regset *out)
{
	*out = (struct regset){ .type = (uint32_t)type };
	if (type == NT_PRSTATUS)
		out->size = ARCH_USER_REGS * sizeof(uint64_t);
	else if (type == NT_PRFPREG)
		out->size = ARCH_FPREGS_SIZE;
	else if (type == NT_X86_XSTATE)
		out->size = arch_fpu_size();
	return out->size != 0;
}

static int64_t regset(struct task *t, const struct regset *s, bool set, uaddr_t at, size_t n)
{
	switch (s->type) {
	case NT_PRSTATUS:
		return set ? set_regs(t, at, n) : get_regs(t, at, n);
	case NT_PRFPREG:
		if (!set)
			return get_fpu(t, at, n, false);
		return n == s->size ? set_fpu(t, at, n) : -EINVAL;
	default:
		if (s->size <= ARCH_FPREGS_SIZE)
			return -ENODEV;
		if (!set)
			return get_fpu(t, at, n, true);
		return n == s->size ? set_fpu(t, at, n) : -EFAULT;
	}
}

/* data: a struct iovec, whose length becomes what there is. */
static int64_t req_regset(struct task *t, bool set, uint64_t type, uint64_t data)
{
	struct iovec64 iov;
	struct regset s;
	int64_t err;

	if (copy_from_user(&iov, UADDR(data), sizeof(iov)))
		return -EFAULT;
	if (!find_regset(type, &s) || iov.len % sizeof(uint64_t))
		return -EINVAL;
	iov.len = MIN(iov.len, s.size);
	err = regset(t, &s, set, UADDR(iov.base), iov.len);
	if (err)
		return err;
	return put_user_u64(UADDR(data + offsetof(struct iovec64, len)), iov.len);
}

static int64_t req_registers(struct task *t, int request, uint64_t addr, uint64_t data)
{
	switch (request) {
	case PTRACE_GETREGS:
		return get_regs(t, UADDR(data), SIZE_MAX);
	case PTRACE_SETREGS:
		return set_regs(t, UADDR(data), SIZE_MAX);
	case PTRACE_GETFPREGS:
		return get_fpu(t, UADDR(data), ARCH_FPREGS_SIZE, false);
	case PTRACE_SETFPREGS:
		return set_fpu(t, UADDR(data), ARCH_FPREGS_SIZE);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return req_regset(t, request == PTRACE_SETREGSET, addr, data);
	case PTRACE_ARCH_PRCTL:
		return arch_prctl_of(&t->thread, (int)data, UADDR(addr));
	default:
		return NO_SUCH_REQUEST;
	}
}

/* --- signals --- */

static int64_t get_siginfo(struct task *t, uaddr_t to)
{
	struct abi_siginfo si;

	if (t->trace.info == NULL)
		return -EINVAL;
	si = *t->trace.info;
	return siginfo_to_user(to, &si);
}

static int64_t set_siginfo(struct task *t, uaddr_t from)
{
	struct abi_siginfo si;
	int err;

	if (copy_from_user(&si, from, sizeof(si)))
		return -EFAULT;
	if ((err = siginfo_from_user(&si, from, si.si_signo)))
		return err;
	if (t->trace.info == NULL)
		return -EINVAL;
	*t->trace.info = si;
	return 0;
}

static int64_t peek_siginfo(struct task *t, uaddr_t args, uaddr_t to)
{
	struct abi_ptrace_peeksiginfo_args a;
	struct abi_siginfo si;
	int32_t i;

	if (copy_from_user(&a, args, sizeof(a)))
		return -EFAULT;
	if (a.flags & ~(uint32_t)PTRACE_PEEKSIGINFO_SHARED || a.nr < 0)
		return -EINVAL;
	for (i = 0; i < a.nr; i++) {
		if (!signal_peek(t, a.flags & PTRACE_PEEKSIGINFO_SHARED, a.off + (uint32_t)i, &si))
			break;
		if (siginfo_to_user(uaddr_add(to, (uint64_t)(uint32_t)i * SIGINFO_SIZE), &si))
			return i > 0 ? i : -EFAULT;
		if (signal_pending())
			return i + 1;
	}
	return i;
}

static int64_t req_signals(struct task *t, int request, uint64_t addr, uint64_t data)
{
	uint64_t mask;

	switch (request) {
	case PTRACE_GETSIGINFO:
		return get_siginfo(t, UADDR(data));
	case PTRACE_SETSIGINFO:
		return set_siginfo(t, UADDR(data));
	case PTRACE_PEEKSIGINFO:
		return peek_siginfo(t, UADDR(addr), UADDR(data));
	case PTRACE_GETSIGMASK:
		if (addr != sizeof(mask))
			return -EINVAL;
		return put_user_u64(UADDR(data), signal_mask_of(t));
	case PTRACE_SETSIGMASK:
		if (addr != sizeof(mask))
			return -EINVAL;
		if (get_user_u64(&mask, UADDR(data)))
			return -EFAULT;
		signal_set_mask_of(t, mask);
		return 0;
	default:
		return NO_SUCH_REQUEST;
	}
}

/* --- facts --- */

/* Where entry and seccomp have it. */
static void put_call(const struct regs *r, struct abi_ptrace_syscall_info *out)
{
	out->entry.nr = regs_syscall_nr(r);
	for (unsigned i = 0; i < ARRAY_SIZE(out->entry.args); i++)
		out->entry.args[i] = regs_arg(r, i);
}

static void syscall_info(struct task *t, struct abi_ptrace_syscall_info *out, size_t *size)
{
	const struct regs *r = thread_regs(&t->thread);
	const struct abi_siginfo *si = t->trace.info;
	int64_t ret = (int64_t)regs_ret(r);

	*out = (struct abi_ptrace_syscall_info){
		.arch = arch_audit,
		.instruction_pointer = regs_pc(r),
		.stack_pointer = regs_sp(r),
	};
	*size = offsetof(struct abi_ptrace_syscall_info, entry);
	if (si == NULL)
		return;
	if (si->si_code == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
		out->op = PTRACE_SYSCALL_INFO_SECCOMP;
		put_call(r, out);
		out->seccomp.ret_data = (uint32_t)t->trace.message;
		*size = offsetof(struct abi_ptrace_syscall_info, seccomp.ret_data) + 4;
		return;
	}
	if (si->si_code != (SIGTRAP | 0x80))
		return;
	if (t->trace.message == PTRACE_EVENTMSG_SYSCALL_ENTRY) {
		out->op = PTRACE_SYSCALL_INFO_ENTRY;
		put_call(r, out);
		*size += sizeof(out->entry);
	} else {
		out->op = PTRACE_SYSCALL_INFO_EXIT;
		out->exit.rval = ret;
		out->exit.is_error = ret < 0 && ret >= -4095;
		*size = offsetof(struct abi_ptrace_syscall_info, exit.is_error) + 1;
	}
}

/* Up to `room` bytes of what there is; the result is how much that would be. */
static int64_t put_some(const void *from, size_t n, uint64_t room, uaddr_t to)
{
	return copy_to_user(to, from, MIN(n, room)) ? -EFAULT : (int64_t)n;
}

static int64_t get_syscall_info(struct task *t, uint64_t room, uaddr_t to)
{
	struct abi_ptrace_syscall_info info;
	size_t size;

	memset(&info, 0, sizeof(info));
	syscall_info(t, &info, &size);
	return put_some(&info, size, room, to);
}

static int64_t get_rseq(struct task *t, uint64_t room, uaddr_t to)
{
	const struct abi_ptrace_rseq_configuration c = {
		.rseq_abi_pointer = t->rseq.a,
		.rseq_abi_size = t->rseq_len,
		.signature = t->rseq_sig,
	};

	return put_some(&c, sizeof(c), room, to);
}

static int check_options(uint64_t options)
{
	if (options & ~(uint64_t)PTRACE_O_MASK)
		return -EINVAL;
	/* Nobody can let another do what it may not do itself. */
	if ((options & PTRACE_O_SUSPEND_SECCOMP) &&
	    (!capable(CAP_SYS_ADMIN) || curtask()->confined.mode != SECCOMP_MODE_DISABLED ||
	     (curtask()->trace.options & PTRACE_O_SUSPEND_SECCOMP)))
		return -EPERM;
	return 0;
}

static bool may_see_filters(void)
{
	return capable(CAP_SYS_ADMIN) && curtask()->confined.mode == SECCOMP_MODE_DISABLED;
}

/* The number of its instructions; to NULL nothing is copied. */
static int64_t get_filter(struct task *t, uint64_t nth, uaddr_t to)
{
	const struct abi_sock_filter *prog;
	struct seccomp_filter *f;
	int64_t res;
	unsigned n;

	if (!may_see_filters())
		return -EACCES;
	if ((res = seccomp_get_nth(t, nth, &f)))
		return res;
	prog = seccomp_program(f, &n);
	res = uaddr_is_null(to) ? 0 : copy_to_user(to, prog, n * sizeof(*prog));
	seccomp_filter_put(f);
	return res ? res : (int64_t)n;
}

static int64_t get_metadata(struct task *t, uint64_t size, uaddr_t data)
{
	struct abi_seccomp_metadata m = { 0 };
	struct seccomp_filter *f;
	int64_t res;

	if (!may_see_filters())
		return -EACCES;
	size = MIN(size, sizeof(m));
	if (size < sizeof(m.filter_off))
		return -EINVAL;
	if (get_user_u64(&m.filter_off, data))
		return -EFAULT;
	if ((res = seccomp_get_nth(t, m.filter_off, &f)))
		return res;
	m.flags = seccomp_logs(f) ? SECCOMP_FILTER_FLAG_LOG : 0;
	seccomp_filter_put(f);
	return copy_to_user(data, &m, size) ? -EFAULT : (int64_t)size;
}

static int64_t req_facts(struct task *t, int request, uint64_t addr, uint64_t data)
{
	int err;

	switch (request) {
	case PTRACE_SETOPTIONS:
	case PTRACE_OLDSETOPTIONS:
		if ((err = check_options(data)))
			return err;
		t->trace.options = (uint32_t)data;
		return 0;
	case PTRACE_GETEVENTMSG:
		return put_user_u64(UADDR(data), t->trace.message);
	case PTRACE_GET_SYSCALL_INFO:
		return get_syscall_info(t, addr, UADDR(data));
	case PTRACE_GET_RSEQ_CONFIGURATION:
		return get_rseq(t, addr, UADDR(data));
	case PTRACE_SECCOMP_GET_FILTER:
		return get_filter(t, addr, UADDR(data));
	case PTRACE_SECCOMP_GET_METADATA:
		return get_metadata(t, addr, UADDR(data));
	default:
		return NO_SUCH_REQUEST;
	}
}

/* --- going on: these let go of the task themselves, when they succeed --- */

struct how {
	uint32_t syscalls;
	bool step;
};

static bool find_how(int request, struct how *out)
{
	switch (request) {
	case PTRACE_CONT:
		*out = (struct how){ 0, false };
		return true;
	case PTRACE_SYSCALL:
		*out = (struct how){ TRACE_CALLS, false };
		return true;
	case PTRACE_SYSEMU:
		*out = (struct how){ TRACE_EMU, false };
		return true;
	case PTRACE_SINGLESTEP:
		*out = (struct how){ TRACE_STEP, true };
		return true;
	case PTRACE_SYSEMU_SINGLESTEP:
		*out = (struct how){ TRACE_EMU | TRACE_STEP, true };
		return true;
	default:
		return false;
	}
}

/* True: *res is the result, and t has been let go if that is 0. */
static bool req_goes_on(struct task *t, int request, uint64_t data, int64_t *res)
{
	struct how how;

	*res = 0;
	if (request == PTRACE_LISTEN) {
		*res = trace_listen(t);
	} else if (request != PTRACE_DETACH && !find_how(request, &how)) {
		return false;
	} else if (data > _NSIG) {
		*res = -EIO;
	} else if (request == PTRACE_DETACH) {
		trace_detach(t, (int)data);
	} else {
		trace_resume(t, (int)data, how.syscalls, how.step);
	}
	return true;
}

static int64_t request_of_stopped(struct task *t, int request, uint64_t addr, uint64_t data)
{
	int64_t res = trace_freeze(t);

	if (res)
		return res;
	if (req_goes_on(t, request, data, &res)) {
		if (res)
			trace_unfreeze(t);
		return res;
	}
	if ((res = req_memory(t, request, addr, data)) == NO_SUCH_REQUEST &&
	    (res = req_registers(t, request, addr, data)) == NO_SUCH_REQUEST &&
	    (res = req_signals(t, request, addr, data)) == NO_SUCH_REQUEST &&
	    (res = req_facts(t, request, addr, data)) == NO_SUCH_REQUEST)
		res = -EIO;
	trace_unfreeze(t);
	return res;
}

/* --- the call --- */

static int64_t seize(struct task *t, uint64_t addr, uint64_t options)
{
	int err;

	if (addr != 0 || options & ~(uint64_t)PTRACE_O_MASK)
		return -EIO;
	err = check_options(options);
	return err ? err : trace_attach(t, true, (uint32_t)options);
}

/* Whether it has stopped or not. */
static int64_t kill(struct task *t)
{
	struct abi_siginfo si;

	if (!trace_is_mine(t))
		return -ESRCH;
	siginfo_user(&si, SIGKILL, SI_USER);
	return signal_send_task(t, &si);
}

int64_t sys_ptrace(int32_t request, int32_t pid, uint64_t addr, uint64_t data)
{
	struct task *t;
	int64_t res;

	if (request == PTRACE_TRACEME)
		return trace_me();
	t = pid > 0 ? task_lookup((uint32_t)pid) : NULL;
	if (t == NULL)
		return -ESRCH;
	switch (request) {
	case PTRACE_ATTACH:
		res = trace_attach(t, false, 0);
		break;
	case PTRACE_SEIZE:
		res = seize(t, addr, data);
		break;
	case PTRACE_INTERRUPT:
		res = trace_interrupt(t);
		break;
	case PTRACE_KILL:
		res = kill(t);
		break;
	default:
		res = request_of_stopped(t, request, addr, data);
	}
	task_put(t);
	return res;
}
