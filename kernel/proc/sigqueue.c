#include "proc/proc_priv.h"

/*
 * Queued signals. A pending set is a mask and a queue of entries with siginfo: one per pending
 * standard signal, any number per real-time signal, in the order in which they came. A standard
 * signal may be pending without an entry
 * (`bare`): the kernel's own, sent where nothing can be allocated.
 *
 * Entries of POSIX timers are part of the timer; they carry no charge and are never freed here.
 * Source: signal(7) "Queueing and delivery semantics for standard signals", setrlimit(2)
 * RLIMIT_SIGPENDING.
 */

#include "lib/string.h"
#include "pmm/slab.h"

static struct slab_cache *entry_cache;

void sigqueue_init(void)
{
	entry_cache = slab_cache_create("sigqueue", sizeof(struct sigqueue_entry), 0, NULL);
}

struct sigqueue_entry *sigqueue_alloc(bool over_limit)
{
	struct user_account *u = curtask() != NULL ? curtask()->user : NULL;
	struct sigqueue_entry *e;

	if (u != NULL) {
		uint32_t n = atomic_fetch_add_explicit(&u->nsignals, 1, memory_order_relaxed);

		if (!over_limit && n >= process_rlimit(curproc(), RLIMIT_SIGPENDING))
			goto uncharge;
	}
	e = slab_alloc(entry_cache);
	if (e == NULL)
		goto uncharge;
	list_init(&e->node);
	e->user = u;
	e->timer = NULL;
	return e;
uncharge:
	if (u != NULL)
		atomic_fetch_sub_explicit(&u->nsignals, 1, memory_order_relaxed);
	return NULL;
}

void sigqueue_free(struct sigqueue_entry *e)
{
	if (e == NULL)
		return;
	if (e->user != NULL)
		atomic_fetch_sub_explicit(&e->user->nsignals, 1, memory_order_relaxed);
	slab_free(entry_cache, e);
}

void sigpending_init(struct sigpending *q)
{
	q->set = q->bare = q->lost = 0;
	list_init(&q->queue);
}

static void free_dropped(struct epoch_head *h)
{
	sigqueue_free(container_of(h, struct sigqueue_entry, epoch));
}

/* Later, by a thread: a timer that sends SIGCONT or a stop signal flushes in its interrupt. */
static void drop_entry(struct sigqueue_entry *e)
{
	list_remove(&e->node);
	if (e->timer != NULL)
		ptimer_signal_dropped(e->timer);
	else
		epoch_free(&e->epoch, free_dropped);
}

void sigpending_flush(struct sigpending *q, uint64_t set)
{
	struct sigqueue_entry *e, *next;

	if (!(q->set & set))
		return;
	list_for_each_safe (e, next, &q->queue, node)
		if (SIGMASK(e->info.si_signo) & set)
			drop_entry(e);
	q->set &= ~set;
	q->bare &= ~set;
	q->lost &= ~set;
}

/* Faults come first, since their siginfo speaks of the instruction that the thread stands at. */
static int first_signal(uint64_t set)
{
	const uint64_t faults = SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) |
				SIGMASK(SIGTRAP) | SIGMASK(SIGFPE) | SIGMASK(SIGSYS);

	if (set & faults)
		set &= faults;
	return __builtin_ctzll(set) + 1;
}

/* The first entry of sig; *more: there is another. */
static struct sigqueue_entry *find_entry(struct sigpending *q, int sig, bool *more)
{
	struct sigqueue_entry *e, *first = NULL;

	*more = false;
	list_for_each (e, &q->queue, node) {
		if (e->info.si_signo != sig)
			continue;
		if (first != NULL) {
			*more = true;
			break;
		}
		first = e;
	}
	return first;
}

void sigpending_remove(struct sigpending *q, struct sigqueue_entry *e)
{
	bool more;

	list_remove(&e->node);
	if (find_entry(q, e->info.si_signo, &more) == NULL &&
	    !(q->bare & SIGMASK(e->info.si_signo)))
		q->set &= ~SIGMASK(e->info.si_signo);
}

static int take_from(struct sigpending *q, uint64_t set, struct abi_siginfo *out)
{
	int sig = first_signal(q->set & set);
	bool more, lost = q->lost & SIGMASK(sig);
	struct sigqueue_entry *e = find_entry(q, sig, &more);

	if (!more)
		q->set &= ~SIGMASK(sig);
	q->bare &= ~SIGMASK(sig);
	q->lost &= ~SIGMASK(sig);
	if (e == NULL) {
		siginfo_kernel(out, sig);
		if (lost)
			out->si_code = SI_USER;
		return sig;
	}
	*out = e->info;
	list_remove(&e->node);
	if (e->timer != NULL)
		ptimer_signal_taken(e->timer, out);
	else
		sigqueue_free(e);
	return sig;
}

int sigpending_take(struct task *t, uint64_t set, struct abi_siginfo *out)
{
	if (t->pending.set & set)
		return take_from(&t->pending, set, out);
	if (t->process->pending.set & set)
		return take_from(&t->process->pending, set, out);
	return 0;
}
