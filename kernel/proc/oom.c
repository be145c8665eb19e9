#include "proc/info.h"
#include "proc/proc_priv.h"

/*
 * The last resort when reclaim brought nothing: the process whose end frees the most is killed, its
 * share of memory in thousandths shifted by its oom_score_adj (proc(5)); -1000 exempts it, and
 * process 1 is never taken. One kill at a time: while a victim is on its way out, others that need
 * memory wait for it, however long that takes. Only when all victims sleep, perhaps for what those
 * who wait hold, another is chosen after a while.
 *
 * The caller holds what it holds (address spaces, inodes), so it waits a bounded time only; then it
 * tries again.
 */

#include "abi/errno.h"
#include "core/clock.h"
#include "core/ktrace.h"
#include "core/log.h"
#include "core/panic.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "proc/oom.h"
#include "vfs/cred.h"
#include "vm/pagecache.h"
#include "vm/stat.h"
#include "vm/vmspace.h"

enum { OOM_ADJ_NEVER = -1000, WAIT_STEPS = 20 };
#define WAIT_STEP (5 * NSEC_PER_MSEC)
#define VICTIM_TIME                                                                   \
	(2 * NSEC_PER_SEC) /* what a victim that sleeps gets before another is chosen \
			    */

static _Atomic bool killing;
static _Atomic nsec_t last_kill;

/* Of those that are on their way out already: does one run, or do all wait for something? */
enum dying { DYING_NONE, DYING_SLEEPS, DYING_LEAVES };

struct victim {
	struct process *p; /* counted */
	uint64_t score;
	uint64_t total, anon, file, shmem, tables; /* pages */
	struct vmspace *vs;                        /* only to compare with */
};

int oom_kill_allocating_task, oom_panic, oom_dump_tasks = 1;

/* Of any of its tasks: the leader may have left before the others. Counted; NULL: it has given it
 * back. */
static struct vmspace *process_vmspace(struct process *p)
{
	struct siglock l = siglock(p);
	struct vmspace *vs = NULL;
	struct task *t;

	for_each_task (t, p)
		if ((vs = t->thread.vmspace) != NULL)
			break;
	if (vs != NULL)
		vmspace_get(vs);
	sigunlock(l);
	return vs;
}

/* 0: not to be killed. In pages. */
static uint64_t badness(const struct process *p, const struct vmspace *vs)
{
	int64_t points = (int64_t)(vmspace_rss(vs) + vs->pt.ntables), adj = p->oom_score_adj;

	if (p == init_process || adj == OOM_ADJ_NEVER)
		return 0;
	points += adj * (int64_t)(pmm_total_pages() / 1000);
	return points > 0 ? (uint64_t)points : 1;
}

unsigned process_oom_score(struct process *p)
{
	struct vmspace *vs = process_vmspace(p);
	uint64_t points;

	if (vs == NULL)
		return 0;
	points = badness(p, vs);
	vmspace_put(vs);
	/* Linux's scale: 1000 is all of memory, plus 1000, times two thirds. */
	return points == 0
		       ? 0
		       : (unsigned)((1000 + points * 1000 / MAX(pmm_total_pages(), 1ul)) * 2 / 3);
}

/* Is it on its way out, and not held up by a sleep that no signal ends? */
static bool is_leaving(struct process *p)
{
	struct siglock l = siglock(p);
	bool awake = list_is_empty(&p->tasks); /* the last one is in nobody's list any more */
	struct task *t;

	for_each_task (t, p)
		awake |= atomic_load_explicit(&t->thread.state, memory_order_relaxed) !=
			 THREAD_SLEEP;
	sigunlock(l);
	return awake;
}

static void consider(struct process *p, struct victim *best, enum dying *dying)
{
	struct vmspace *vs = process_vmspace(p);
	uint64_t score;

	/* Its last task may just be taking the address space down: that is in nobody's slot. */
	if ((p->flags & PROC_GROUP_EXIT) && !p->zombie)
		*dying = MAX(*dying, is_leaving(p) ? DYING_LEAVES : DYING_SLEEPS);
	if (vs == NULL)
		return;
	score = p->flags & PROC_GROUP_EXIT ? 0 : badness(p, vs);
	if (score > best->score) {
		process_put(best->p);
		process_get(p);
		*best = (struct victim){
			.p = p,
			.score = score,
			.total = vs->total_pages,
			.anon = vs->rss_anon,
			.file = vs->rss_file,
			.shmem = vs->rss_shmem,
			.tables = vs->pt.ntables,
			.vs = vs,
		};
	}
	vmspace_put(vs);
}

static void choose(struct victim *best, enum dying *dying)
{
	struct process *p;

	*dying = DYING_NONE;
	if (oom_kill_allocating_task) {
		consider(curproc(), best, dying);
		if (best->p != NULL)
			return;
	}
	for (uint32_t nr = 1; (p = process_next(&nr)) != NULL; nr++) {
		consider(p, best, dying);
		process_put(p);
	}
}

/* Others that run in the victim's space keep its memory: they end too. */
static void kill_sharers(const struct victim *v)
{
	struct process *p;

	for (uint32_t nr = 1; (p = process_next(&nr)) != NULL; nr++) {
		struct vmspace *vs = p != v->p && p != init_process ? process_vmspace(p) : NULL;

		if (vs && vs == v->vs)
			process_kill_all(p, SIGKILL);
		vmspace_put(vs);
		process_put(p);
	}
}

static void dump_task(struct process *p)
{
	struct task *t = process_get_leader(p);
	struct vmspace *vs = t ? process_vmspace(p) : NULL;

	if (vs)
		log_info("[%7u] %5u %5u %8lu %8lu %8lu %8u %13d %s", t->thread.tid,
			 t->thread.cred->uid, p->pid->nr, vs->total_pages, vmspace_rss(vs),
			 (unsigned long)vs->pt.ntables << PAGE_SHIFT, 0, p->oom_score_adj,
			 t->thread.name);
	vmspace_put(vs);
	task_put(t);
}

static void report(void)
{
	struct process *p;

	log_warn("%s invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=%d",
		 curthread()->name, curproc()->oom_score_adj);
	log_warn("Mem-Info: %lu pages, free %lu, anon %lu, cached %lu, slab %lu", pmm_total_pages(),
		 pmm_free_pages(), pmm_used_pages(PAGE_ANON), pagecache_pages(), slab_pages());
	if (!oom_dump_tasks)
		return;
	log_info("[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj "
		 "name");
	for (uint32_t nr = 1; (p = process_next(&nr)) != NULL; nr++) {
		dump_task(p);
		process_put(p);
	}
}

static void kill_victim(const struct victim *v)
{
	struct task *t = process_get_leader(v->p);
	uint32_t nr = v->p->pid->nr;

	log_err("Out of memory: Killed process %u (%s) total-vm:%lukB, anon-rss:%lukB, "
		"file-rss:%lukB, shmem-rss:%lukB, UID:%u pgtables:%lukB oom_score_adj:%d",
		nr, t ? t->thread.name : "?", v->total * 4, v->anon * 4, v->file * 4, v->shmem * 4,
		t ? t->thread.cred->uid : 0, v->tables * 4, v->p->oom_score_adj);
	ktrace(KT_MM, oom_kill, nr, v->anon + v->file + v->shmem, 0, 0, 0, 0);
	vm_count(VM_EVENT_OOM_KILL, 1);
	task_put(t);
	process_kill_all(v->p, SIGKILL);
	kill_sharers(v);
	atomic_store_explicit(&last_kill, clock_mono(), memory_order_relaxed);
}

/* Until there is room again, for a tenth of a second at most. */
static void wait_for_memory(void)
{
	uint64_t before = pmm_free_pages();

	for (int i = 0; i < WAIT_STEPS && !fatal_signal_pending(); i++) {
		if (thread_sleep_until(clock_mono() + WAIT_STEP, THREAD_SLEEP_KILL) == -ERESTARTSYS)
			return;
		if (pmm_free_pages() > before + 64)
			return;
	}
}

static bool out_of_memory(void)
{
	struct victim v = { 0 };
	enum dying dying;
	bool killed = false;

	/* Who is to end needs no more memory for that; nor may it wait for itself. */
	if (curtask() == NULL || fatal_signal_pending() || (curproc()->flags & PROC_GROUP_EXIT))
		return false;
	if (atomic_exchange(&killing, true)) {
		wait_for_memory();
		return true;
	}
	choose(&v, &dying);
	if (dying == DYING_LEAVES ||
	    (dying == DYING_SLEEPS &&
	     clock_mono() - atomic_load_explicit(&last_kill, memory_order_relaxed) < VICTIM_TIME)) {
		killed = true;
	} else if (oom_panic) {
		panic("Out of memory: system-wide panic_on_oom is enabled");
	} else if (v.p != NULL) {
		report();
		kill_victim(&v);
		killed = true;
	}
	process_put(v.p);
	atomic_store(&killing, false);
	if (killed)
		wait_for_memory();
	return killed;
}

void oom_init(void)
{
	pmm_out_of_memory = out_of_memory;
}
