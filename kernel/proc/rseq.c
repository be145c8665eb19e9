#include "proc/rseq.h"

/*
 * Restartable sequences. A thread that has registered an area gets WORK_RSEQ from the scheduler
 * whenever it loses its CPU (thread->switch_work), and so comes by here before it runs in user mode
 * again: the area learns the CPU number, and if the thread stood inside the critical section that
 * the area points to, it goes on at the section's abort handler. Signal handlers count as losing
 * the CPU.
 *
 * Source: rseq(2) as distributed with librseq, glibc manual "Restartable Sequences".
 */

#include <arch/context.h>
#include <arch/page.h>

#include "abi/errno.h"
#include "abi/rseq.h"
#include "core/percpu.h"
#include "proc/proc_priv.h"
#include "vm/usercopy.h"

enum { RSEQ_MAX_SIZE = PAGE_SIZE };

static int put_ids(uaddr_t area, uint32_t cpu_start, uint32_t cpu)
{
	uaddr_t node_and_cid = uaddr_add(area, offsetof(struct abi_rseq, node_id));
	int err = put_user_u64(area, cpu_start | (uint64_t)cpu << 32);

	return err ? err : put_user_u64(node_and_cid, (uint64_t)cpu_start << 32);
}

static int unregister(struct task *t, uaddr_t area, uint32_t len, uint32_t flags, uint32_t sig)
{
	int err;

	if (flags & ~(uint32_t)RSEQ_FLAG_UNREGISTER)
		return -EINVAL;
	if (uaddr_is_null(t->rseq) || t->rseq.a != area.a || t->rseq_len != len)
		return -EINVAL;
	if (t->rseq_sig != sig)
		return -EPERM;
	if ((err = put_ids(area, 0, (uint32_t)RSEQ_CPU_ID_UNINITIALIZED)))
		return err;
	t->rseq = UADDR_NULL;
	t->thread.switch_work = 0;
	return 0;
}

int rseq_register(uaddr_t area, uint32_t len, uint32_t flags, uint32_t sig)
{
	struct task *t = curtask();

	if (flags & RSEQ_FLAG_UNREGISTER)
		return unregister(t, area, len, flags, sig);
	if (flags)
		return -EINVAL;
	if (!uaddr_is_null(t->rseq)) {
		if (t->rseq.a != area.a || t->rseq_len != len)
			return -EINVAL;
		return t->rseq_sig != sig ? -EPERM : -EBUSY;
	}
	if (len < RSEQ_ORIG_SIZE || len > RSEQ_MAX_SIZE || !IS_ALIGNED(area.a, 32))
		return -EINVAL;
	if (!user_range_ok(area, len))
		return -EFAULT;
	t->rseq = area;
	t->rseq_len = len;
	t->rseq_sig = sig;
	t->thread.switch_work = WORK_RSEQ;
	thread_set_work(&t->thread, WORK_RSEQ);
	return 0;
}

/* The critical section's description, checked. 1 there is one; 0 none; -errno. */
static int get_section(struct task *t, struct abi_rseq_cs *cs)
{
	uaddr_t field = uaddr_add(t->rseq, offsetof(struct abi_rseq, rseq_cs));
	uint64_t at;
	uint32_t sig;
	int err = get_user_u64(&at, field);

	if (err || at == 0)
		return err;
	if ((err = copy_from_user(cs, UADDR(at), sizeof(*cs))))
		return err;
	if (cs->start_ip >= USER_END || cs->abort_ip >= USER_END || cs->version != 0 ||
	    cs->start_ip + cs->post_commit_offset >= USER_END ||
	    cs->start_ip + cs->post_commit_offset < cs->start_ip)
		return -EINVAL;
	if (cs->abort_ip - cs->start_ip < cs->post_commit_offset)
		return -EINVAL;
	if ((err = get_user_u32(&sig, UADDR(cs->abort_ip - sizeof(sig)))))
		return err;
	return sig == t->rseq_sig ? 1 : -EINVAL;
}

static int leave_section(struct task *t, struct regs *r)
{
	struct abi_rseq_cs cs;
	int found = get_section(t, &cs), err;

	if (found <= 0)
		return found;
	err = put_user_u64(uaddr_add(t->rseq, offsetof(struct abi_rseq, rseq_cs)), 0);
	if (err == 0 && regs_pc(r) - cs.start_ip < cs.post_commit_offset)
		regs_set_pc(r, cs.abort_ip);
	return err;
}

/* A bad area: forgotten, or the handler of its own signal would fail the same way. */
static void area_is_bad(struct task *t)
{
	t->rseq = UADDR_NULL;
	t->thread.switch_work = 0;
	signal_force(SIGSEGV, SI_KERNEL, 0);
}

void rseq_leave(struct regs *r)
{
	struct task *t = curtask();

	if (leave_section(t, r))
		area_is_bad(t);
}

void rseq_resume(struct regs *r)
{
	struct task *t = curtask();

	thread_clear_work(&t->thread, WORK_RSEQ);
	if (uaddr_is_null(t->rseq))
		return;
	if (put_ids(t->rseq, cpu_id(), cpu_id()) || leave_section(t, r))
		area_is_bad(t);
}
