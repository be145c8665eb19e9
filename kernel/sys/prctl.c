#include "sys/syscalls.h"

/*
 * prctl(2) and arch_prctl(2): one function per group of options. What would need a mechanism that
 * is not there (PR_SET_MM, speculation control) is EINVAL, as on a Linux built without it.
 */

#include <arch/context.h>

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/limits.h"
#include "abi/prctl.h"
#include "abi/seccomp.h"
#include "lib/string.h"
#include "proc/report.h"
#include "proc/seccomp.h"
#include "proc/signal.h"
#include "proc/task.h"
#include "proc/tree.h"
#include "sys/cred.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

#define CAP_BIT(c) (1ull << (c))

#define NO_SUCH_OPTION INT64_MIN /* in this group: ask the next */

/* --- names, signals, reaping --- */

static int64_t set_name(uint64_t arg)
{
	char name[TASK_COMM_LEN];
	ssize64_t n;

	memset(name, 0, sizeof(name));
	n = strncpy_from_user(name, UADDR(arg), sizeof(name));
	if (n < 0 && n != -ENAMETOOLONG)
		return n;
	n = n < 0 ? TASK_COMM_LEN - 1 : n;
	memset(name + n, 0, sizeof(name) - (size_t)n); /* what came along behind the end */
	memcpy(curthread()->name, name, sizeof(name));
	report_name(curtask());
	return 0;
}

/* Kept and told: no page is ever found to be broken here. */
static int64_t set_mce_kill(struct task *t, uint64_t op, uint64_t policy, bool more)
{
	if (more || op > PR_MCE_KILL_SET ||
	    policy > (op == PR_MCE_KILL_SET ? PR_MCE_KILL_DEFAULT : 0))
		return -EINVAL;
	t->mce_kill = op == PR_MCE_KILL_SET ? (uint8_t)policy : PR_MCE_KILL_DEFAULT;
	return 0;
}

static int64_t prctl_task(int option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct task *t = curtask();

	switch (option) {
	case PR_SET_PDEATHSIG:
		if (a2 > _NSIG)
			return -EINVAL;
		task_set_pdeath_signal((int)a2);
		return 0;
	case PR_GET_PDEATHSIG:
		return put_user_u32(UADDR(a2), t->pdeath_signal);
	case PR_SET_NAME:
		return set_name(a2);
	case PR_GET_NAME:
		return copy_to_user(UADDR(a2), t->thread.name, TASK_COMM_LEN);
	case PR_SET_CHILD_SUBREAPER:
		process_set_subreaper(a2 != 0);
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_user_u32(UADDR(a2), t->process->is_subreaper);
	case PR_GET_TSC:
		return put_user_u32(UADDR(a2), PR_TSC_ENABLE);
	case PR_SET_TSC: /* RDTSC cannot be made to fault */
		return a2 == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return a2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_SET_IO_FLUSHER:
	case PR_GET_IO_FLUSHER: /* no allocation here waits for the flusher's own writing */
		if (!capable(CAP_SYS_RESOURCE))
			return -EPERM;
		if (a2 > (option == PR_SET_IO_FLUSHER) || a3 || a4 || a5)
			return -EINVAL;
		if (option == PR_GET_IO_FLUSHER)
			return t->io_flusher;
		t->io_flusher = a2;
		return 0;
	case PR_MCE_KILL:
		return set_mce_kill(t, a2, a3, a4 || a5);
	case PR_MCE_KILL_GET:
		return a2 || a3 || a4 || a5 ? -EINVAL : t->mce_kill;
	case PR_GET_TID_ADDRESS:
		return put_user_u64(UADDR(a2), t->clear_child_tid.a);
	case PR_SET_TIMERSLACK:
		t->timer_slack = a2 == 0 ? t->default_timer_slack : a2;
		return 0;
	case PR_GET_TIMERSLACK:
		return (int64_t)t->timer_slack;
	default:
		return NO_SUCH_OPTION;
	}
}

/* --- memory --- */

static int64_t prctl_memory(int option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct vmspace *vs = curthread()->vmspace;

	switch (option) {
	case PR_GET_DUMPABLE:
		return vs->dumpable;
	case PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		vs->dumpable = (uint8_t)a2;
		return 0;
	case PR_SET_THP_DISABLE:
	case PR_GET_THP_DISABLE:
		if ((option == PR_GET_THP_DISABLE && a2) || a3 || a4 || a5)
			return -EINVAL;
		if (option == PR_GET_THP_DISABLE)
			return vs->no_huge;
		vs->no_huge = a2 != 0;
		return 0;
	case PR_SET_VMA:
		return -EINVAL; /* as without CONFIG_ANON_VMA_NAME */
	default:
		return NO_SUCH_OPTION;
	}
}

/* --- credentials --- */

static void edit_keep_caps(struct cred *c, uint64_t on)
{
	c->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
	c->securebits |= on ? SECBIT_KEEP_CAPS : 0u;
}

static void edit_securebits(struct cred *c, uint64_t bits)
{
	c->securebits = (uint32_t)bits;
}

static void edit_drop_bounding(struct cred *c, uint64_t cap)
{
	c->cap_bounding &= ~CAP_BIT(cap);
}

static void edit_ambient_raise(struct cred *c, uint64_t cap)
{
	c->cap_ambient |= CAP_BIT(cap);
}

static void edit_ambient_lower(struct cred *c, uint64_t cap)
{
	c->cap_ambient &= ~CAP_BIT(cap);
}

static void edit_ambient_clear(struct cred *c, uint64_t unused)
{
	(void)unused;
	c->cap_ambient = 0;
}

/* The locks are the odd bits: what is locked stays, and locks stay locked. */
static int64_t set_securebits(uint64_t new)
{
	const uint32_t bits = 0x55, locks = 0xaa;
	uint32_t old = current_cred()->securebits;
	uint32_t changed = old ^ (uint32_t) new;

	if (new & ~(uint64_t)(bits | locks))
		return -EPERM;
	if (((old & locks) >> 1 & changed) || (old & locks & ~(uint32_t) new) ||
	    !capable(CAP_SETPCAP))
		return -EPERM;
	return cred_change(edit_securebits, new);
}

static int64_t ambient(uint64_t op, uint64_t cap, uint64_t a4, uint64_t a5)
{
	const struct cred *c = current_cred();

	if (a4 || a5)
		return -EINVAL;
	if (op == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap ? -EINVAL : cred_change(edit_ambient_clear, 0);
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	switch (op) {
	case PR_CAP_AMBIENT_IS_SET:
		return c->cap_ambient >> cap & 1;
	case PR_CAP_AMBIENT_RAISE:
		if (!(c->cap_permitted & c->cap_inheritable & CAP_BIT(cap)) ||
		    (c->securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
			return -EPERM;
		return cred_change(edit_ambient_raise, cap);
	case PR_CAP_AMBIENT_LOWER:
		return cred_change(edit_ambient_lower, cap);
	default:
		return -EINVAL;
	}
}

static int64_t keep_caps(uint64_t on)
{
	if (on > 1)
		return -EINVAL;
	if (current_cred()->securebits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	return cred_change(edit_keep_caps, on);
}

static int64_t drop_bounding(uint64_t cap)
{
	if (!capable(CAP_SETPCAP))
		return -EPERM;
	return cap > CAP_LAST_CAP ? -EINVAL : cred_change(edit_drop_bounding, cap);
}

static int64_t set_seccomp(uint64_t mode, uint64_t filter)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT:
		return seccomp_set_strict();
	case SECCOMP_MODE_FILTER:
		return seccomp_set_filter(0, UADDR(filter));
	default:
		return -EINVAL;
	}
}

static int64_t prctl_cred(int option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	const struct cred *c = current_cred();

	switch (option) {
	case PR_GET_KEEPCAPS:
		return !!(c->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_KEEPCAPS:
		return keep_caps(a2);
	case PR_GET_SECUREBITS:
		return c->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(a2);
	case PR_CAPBSET_READ:
		return a2 > CAP_LAST_CAP ? -EINVAL : (int64_t)(c->cap_bounding >> a2 & 1);
	case PR_CAPBSET_DROP:
		return drop_bounding(a2);
	case PR_SET_NO_NEW_PRIVS:
		if (a2 != 1 || a3 || a4 || a5)
			return -EINVAL;
		curtask()->confined.no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return a2 || a3 || a4 || a5 ? -EINVAL : (int64_t)curtask()->confined.no_new_privs;
	case PR_CAP_AMBIENT:
		return ambient(a2, a3, a4, a5);
	case PR_GET_SECCOMP:
		return curtask()->confined.mode;
	case PR_SET_SECCOMP:
		return set_seccomp(a2, a3);
	default:
		return NO_SUCH_OPTION;
	}
}

int64_t sys_prctl(int32_t option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	int64_t ret = prctl_task(option, a2, a3, a4, a5);

	if (ret == NO_SUCH_OPTION)
		ret = prctl_memory(option, a2, a3, a4, a5);
	if (ret == NO_SUCH_OPTION)
		ret = prctl_cred(option, a2, a3, a4, a5);
	return ret == NO_SUCH_OPTION ? -EINVAL : ret;
}

int64_t sys_arch_prctl(int32_t code, uint64_t addr)
{
	return arch_prctl(code, UADDR(addr));
}
