/*
 * How much memory the queues of all connections take, and how many connections go on without a
 * file. A connection is counted in steps, and not at all while its queues are small: most are, most
 * of the time, and a word that all CPUs write would cost each of their segments.
 *
 *   source       tcp(7) tcp_mem, tcp_max_orphans
 */

#include "net/inet/tcp_memory.h"
#include "net/inet/tcp_sysctl.h"

enum { STEP = 65536 };

static _Atomic int64_t memory; /* bytes charged */
static _Atomic int orphans;

static int64_t load(void)
{
	return atomic_load_explicit(&memory, memory_order_relaxed);
}

static bool is_over(int64_t pages)
{
	return load() / (int64_t)PAGE_SIZE > pages;
}

bool tcps_may_queue(uint32_t held)
{
	return held < TCP_FREE_BYTES || LIKELY(!is_over(tcp_mem[2]));
}

bool tcps_under_pressure(void)
{
	return is_over(tcp_mem[1]);
}

/* The charge follows what is held: up in steps, and down to nothing. */
void tcps_charge_slow(struct tcp_sock *t, uint32_t held)
{
	uint32_t want = held <= TCP_FREE_BYTES ? 0 : ALIGN_UP(held, (uint32_t)STEP);

	if (want > t->charged || want == 0) {
		atomic_fetch_add(&memory, (int64_t)want - (int64_t)t->charged);
		t->charged = want;
	}
}

bool tcps_adopt_orphan(struct tcp_sock *t)
{
	if (atomic_load(&orphans) >= tcp_max_orphans || is_over(tcp_mem[2]))
		return false;
	atomic_fetch_add(&orphans, 1);
	t->is_orphan = true;
	return true;
}

void tcps_bury_orphan(struct tcp_sock *t)
{
	if (t->is_orphan)
		atomic_fetch_sub(&orphans, 1);
	t->is_orphan = false;
}
