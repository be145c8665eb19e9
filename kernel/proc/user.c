#include "proc/user.h"

/*
 * A hash of accounts by uid. Chains only grow, at their heads and by compare-and-exchange: two
 * threads that meet a new user at once race for the head, and the loser looks again.
 */

#include "abi/errno.h"
#include "lib/hash.h"
#include "pmm/slab.h"
#include "proc/task.h"

enum { USER_BUCKETS = 64 };

static _Atomic(struct user_account *) users[USER_BUCKETS];

static struct user_account *find_in(struct user_account *u, uint32_t uid)
{
	while (u != NULL && u->uid != uid)
		u = u->next;
	return u;
}

struct user_account *user_find(uint32_t uid)
{
	_Atomic(struct user_account *) *bucket = &users[hash_u64(uid) % USER_BUCKETS];
	struct user_account *head = atomic_load_explicit(bucket, memory_order_acquire);
	struct user_account *u = find_in(head, uid), *n;

	if (u != NULL)
		return u;
	n = kzalloc(sizeof(*n));
	if (n == NULL)
		return NULL;
	n->uid = uid;
	do {
		u = find_in(head, uid);
		if (u != NULL) {
			kfree(n);
			return u;
		}
		n->next = head;
	} while (!atomic_compare_exchange_weak_explicit(bucket, &head, n, memory_order_release,
							memory_order_acquire));
	return n;
}

int task_set_user(uint32_t uid)
{
	struct task *t = curtask();
	struct user_account *u = user_find(uid);

	if (u == NULL)
		return -ENOMEM;
	if (u != t->user) {
		uint32_t n = atomic_load_explicit(&u->ntasks, memory_order_relaxed);

		t->nproc_exceeded = uid != 0 && n >= process_rlimit(t->process, RLIMIT_NPROC);
		atomic_fetch_add_explicit(&u->ntasks, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&t->user->ntasks, 1, memory_order_relaxed);
		t->user = u;
	}
	return 0;
}
