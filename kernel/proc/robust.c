#include "proc/futex_priv.h"

/*
 * Robust futexes: when a task ends, the locks on the list that it keeps in its own memory, and that
 * still bear its number, are marked FUTEX_OWNER_DIED, and a waiter of each is woken. The list is
 * the user's: it may be cut, circular or rubbish, so it is read with a bound, and the first fault
 * ends the walk.
 *
 * Source: get_robust_list(2), futex(2), "The robust futex ABI" as described in these pages.
 */

#include <arch/usercopy.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "proc/task.h"
#include "vm/usercopy.h"

/* Returns 0, or -EFAULT. `pending`: the task was about to take or to leave this one. */
static int owner_died(struct task *t, uint64_t word, bool pi, bool pending)
{
	uaddr_t uaddr = UADDR(word);
	uint32_t v, tid = t->pid->nr;
	bool swapped = false;
	int err;

	if (word & 3)
		return -EINVAL;
	if ((err = arch_user_load32(uaddr, &v)))
		return err;
	/* Unlocked in user space, but not yet woken anybody. */
	if (pending && !pi && v == 0)
		futex_wake_word(uaddr, 1);
	while (!swapped && (v & FUTEX_TID_MASK) == tid) {
		uint32_t dead = (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED;

		if ((err = arch_user_cmpxchg32(uaddr, &v, dead, &swapped)))
			return err;
	}
	if (swapped && !pi && (v & FUTEX_WAITERS))
		futex_wake_word(uaddr, 1);
	return 0;
}

static int fetch_entry(uint64_t at, uint64_t *entry, bool *pi)
{
	uint64_t v;
	int err = get_user_u64(&v, UADDR(at));

	if (err)
		return err;
	*pi = v & 1;
	*entry = v & ~1ull;
	return 0;
}

void futex_robust_exit(struct task *t)
{
	uint64_t head = t->robust_list.a, entry, next, pending;
	uint64_t offset;
	bool pi, next_pi, pending_pi;
	unsigned limit = ROBUST_LIST_LIMIT;

	t->robust_list = UADDR_NULL;
	if (head == 0 || fetch_entry(head, &entry, &pi) ||
	    get_user_u64(&offset,
			 UADDR(head + offsetof(struct abi_robust_list_head, futex_offset))) ||
	    fetch_entry(head + offsetof(struct abi_robust_list_head, list_op_pending), &pending,
			&pending_pi))
		return;
	while (entry != head && limit-- > 0) {
		/* Before the lock is released: its new owner may reuse the entry. */
		int err = fetch_entry(entry, &next, &next_pi);

		if (entry != pending && owner_died(t, entry + offset, pi, false))
			return;
		if (err)
			return;
		entry = next;
		pi = next_pi;
	}
	if (pending != 0)
		(void)!owner_died(t, pending + offset, pending_pi, true);
}
