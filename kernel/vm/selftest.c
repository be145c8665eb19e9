/*
 * Self-test of address spaces inside the kernel, for debug builds (`debug=selftest`): random maps,
 * unmaps, protections, moves, breaks, advice and forks against a model of one byte per page; the
 * same with failing allocations; threads that fault in a space that others change; truncation and
 * write-back under them. At the end every page must be free again: a count that is wrong anywhere
 * shows as a leak, or as a poisoned page.
 */
#ifdef KEVLAR_DEBUG

#include "abi/errno.h"
#include "core/log.h"
#include "core/random.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "sched/failure.h"
#include "sched/thread.h"
#include "sched/work.h"
#include "vm/pagecache.h"
#include "vm/usercopy.h"
#include "vm/vm_priv.h"

enum { PAGES = 1024 + 512, MODELS = 3, RW = PROT_READ | PROT_WRITE };
#define BASE 0x10000000ul

/* What a space should hold: per page, the byte that its first byte has, and what may be done with
 * it. */
struct model {
	struct vmspace *vs;
	uint8_t value[PAGES];
	uint8_t prot[PAGES]; /* 0xff: nothing mapped */
	bool given[PAGES];   /* by MADV_FREE: the value, or 0 */
};

static struct model *models[MODELS];
static uint32_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

static uint64_t at(uint64_t page)
{
	return BASE + (page << PAGE_SHIFT);
}

static void check_model(struct model *m)
{
	KASSERT(vma_tree_is_valid(&m->vs->vmas));
	for (uint64_t i = 0; i < PAGES; i++) {
		ssize64_t n;
		uint8_t byte;

		n = vm_access(m->vs, at(i), &byte, 1, false, true);
		if (m->prot[i] == 0xff)
			KASSERT(n == -EFAULT);
		else if (n == 1)
			KASSERT(byte == m->value[i] || (m->given[i] && byte == 0));
		else
			KASSERT(m->prot[i] == 0);
	}
}

static void op_map(struct model *m, uint64_t first, uint64_t n)
{
	struct vm_map_args a = {
		.addr = at(first),
		.len = n << PAGE_SHIFT,
		.prot = rnd(4) ? RW : rnd(4),
		.max_prot = 7,
		.how = VM_MAP_FIXED,
	};
	uint64_t addr;

	if (vm_map(m->vs, &a, &addr))
		return;
	memset(&m->value[first], 0, n);
	memset(&m->prot[first], (int)a.prot, n);
	memset(&m->given[first], 0, n);
}

static void op_unmap(struct model *m, uint64_t first, uint64_t n)
{
	if (vm_unmap(m->vs, at(first), n << PAGE_SHIFT))
		return;
	memset(&m->prot[first], 0xff, n);
	memset(&m->value[first], 0, n);
}

static void op_protect(struct model *m, uint64_t first, uint64_t n)
{
	uint32_t prot = rnd(4) ? RW : rnd(4);
	int err = vm_protect(m->vs, at(first), n << PAGE_SHIFT, prot);

	for (uint64_t i = first; i < first + n && m->prot[i] != 0xff; i++) {
		struct vma *v = vma_find(&m->vs->vmas, at(i));

		/* -ENOMEM: a hole, and what lies below it has changed; or no memory, and nothing
		 * has. */
		KASSERT(v && (v->prot == prot || (err && v->prot == m->prot[i])));
		m->prot[i] = (uint8_t)v->prot;
	}
}

static void op_write(struct model *m, uint64_t first, uint64_t n)
{
	uint8_t byte = (uint8_t)(1 + rnd(255));

	for (uint64_t i = first; i < first + n; i++) {
		ssize64_t got = vm_access(m->vs, at(i), &byte, 1, true, false);

		KASSERT(got == 1 ? m->prot[i] != 0xff && (m->prot[i] & PROT_WRITE) : true);
		if (got == 1) {
			m->value[i] = byte;
			m->given[i] = false;
		}
	}
}

static void op_move(struct model *m, uint64_t first, uint64_t n)
{
	uint64_t to = rnd((uint32_t)(PAGES - n + 1)), addr;

	if (to < first + n && first < to + n)
		return;
	if (vm_remap(m->vs, at(first), n << PAGE_SHIFT, n << PAGE_SHIFT,
		     MREMAP_MAYMOVE | MREMAP_FIXED, at(to), &addr))
		return;
	memcpy(&m->value[to], &m->value[first], n);
	memcpy(&m->prot[to], &m->prot[first], n);
	memcpy(&m->given[to], &m->given[first], n);
	memset(&m->value[first], 0, n);
	memset(&m->prot[first], 0xff, n);
}

static void op_drop(struct model *m, uint64_t first, uint64_t n)
{
	int advice = rnd(2) ? MADV_DONTNEED : MADV_FREE;
	int err = vm_advise(m->vs, at(first), n << PAGE_SHIFT, advice);
	bool hole = false;

	for (uint64_t i = first; i < first + n; i++)
		hole |= m->prot[i] == 0xff;
	if (err != 0 && (err != -ENOMEM || !hole))
		return;
	if (advice == MADV_FREE)
		memset(&m->given[first], 1, n);
	else
		memset(&m->value[first], 0, n);
}

static void op_fork(struct model *m)
{
	struct model *to = models[rnd(MODELS)];
	struct vmspace *vs;

	if (to == m || vmspace_fork(m->vs, &vs))
		return;
	vmspace_put(to->vs);
	*to = *m;
	to->vs = vs;
}

static void random_op(struct model *m)
{
	uint64_t first = rnd(PAGES), n = 1 + rnd(rnd(8) ? 20 : 700);

	n = MIN(n, PAGES - first);
	switch (rnd(9)) {
	case 0:
		op_map(m, first, n);
		break;
	case 1:
		op_unmap(m, first, n);
		break;
	case 2:
		op_protect(m, first, n);
		break;
	case 3:
		op_move(m, first, n);
		break;
	case 4:
		op_drop(m, first, n);
		break;
	case 5:
		op_fork(m);
		break;
	default:
		op_write(m, first, n);
	}
}

static struct model *model_create(void)
{
	struct model *m = kmalloc(sizeof(*m));

	KASSERT(m && !vmspace_create(&m->vs));
	memset(m->value, 0, sizeof(m->value));
	memset(m->prot, 0xff, sizeof(m->prot));
	memset(m->given, 0, sizeof(m->given));
	return m;
}

static void test_random(unsigned rounds)
{
	seed = (uint32_t)random_u64();
	log_info("vm selftest: %u random operations, seed %u", rounds, seed);
	for (unsigned i = 0; i < MODELS; i++)
		models[i] = model_create();
	for (unsigned i = 0; i < rounds; i++) {
		random_op(models[rnd(MODELS)]);
		if (i % 64 == 0)
			check_model(models[rnd(MODELS)]);
		thread_resched_point();
	}
	for (unsigned i = 0; i < MODELS; i++) {
		check_model(models[i]);
		vmspace_put(models[i]->vs);
		kfree(models[i]);
	}
}

/* A file in memory, whose every page begins with its index and says when it was written back. */
struct fake_file {
	struct vmobject object;
	uint64_t size;
	_Atomic uint32_t refs, reads, writes;
	uint8_t stored[64];
};

static struct fake_file *fake_of(struct vmobject *o)
{
	return container_of(o, struct fake_file, object);
}

static int fake_read(struct vmobject *o, struct page *p)
{
	uint64_t start = p->cache.index << PAGE_SHIFT, size = fake_of(o)->size;
	size_t n = size > start ? MIN(size - start, PAGE_SIZE) : 0;

	memset(page_va(p), fake_of(o)->stored[p->cache.index], n);
	memset((char *)page_va(p) + n, 0, PAGE_SIZE - n);
	atomic_fetch_add(&fake_of(o)->reads, 1);
	thread_yield();
	return 0;
}

static int fake_write(struct vmobject *o, struct page *p)
{
	fake_of(o)->stored[p->cache.index] = *(uint8_t *)page_va(p);
	atomic_fetch_add(&fake_of(o)->writes, 1);
	thread_yield();
	return 0;
}

static uint64_t fake_size(struct vmobject *o)
{
	return fake_of(o)->size;
}

static void fake_get(struct vmobject *o)
{
	atomic_fetch_add(&fake_of(o)->refs, 1);
}

static void fake_put(struct vmobject *o)
{
	atomic_fetch_sub(&fake_of(o)->refs, 1);
}

static const struct vmobject_ops fake_ops = {
	.read_page = fake_read,
	.write_page = fake_write,
	.size = fake_size,
	.get = fake_get,
	.put = fake_put,
};

static struct fake_file fake;

static uint64_t map_fake(struct vmspace *vs, uint32_t flags)
{
	struct vm_map_args a = {
		.len = 64 << PAGE_SHIFT,
		.prot = RW,
		.max_prot = RW,
		.vma_flags = flags,
		.object = &fake.object,
	};
	uint64_t addr = 0;

	KASSERT(!vm_map(vs, &a, &addr));
	return addr;
}

static uint8_t peek(uint64_t addr)
{
	uint8_t v = 0xee;

	KASSERT(!copy_from_user(&v, UADDR(addr), 1));
	return v;
}

static int poke(uint64_t addr, uint8_t v)
{
	return copy_to_user(UADDR(addr), &v, 1);
}

static void fake_init(void)
{
	memset(&fake, 0, sizeof(fake));
	for (unsigned i = 0; i < 64; i++)
		fake.stored[i] = (uint8_t)(i + 1);
	fake.size = 64 << PAGE_SHIFT;
	vmobject_init(&fake.object, &fake_ops);
}

static void test_file(void)
{
	struct vmspace *vs, *child;
	uint64_t shared, private;

	log_info("vm selftest: file mappings");
	fake_init();
	KASSERT(!vmspace_create(&vs));
	KASSERT(!vmspace_switch(vs));
	shared = map_fake(vs, VMA_SHARED);
	private = map_fake(vs, 0);
	KASSERT(peek(shared) == 1 && peek(private + 5 * PAGE_SIZE) == 6);
	KASSERT(!poke(shared + PAGE_SIZE, 100) && peek(private + PAGE_SIZE) == 100);
	KASSERT(!poke(private + PAGE_SIZE, 101) && peek(shared + PAGE_SIZE) == 100);
	/* Write-back stores it once, and the next store makes it dirty again. */
	KASSERT(fake.stored[1] == 2 && pagecache_dirty_pages() == 1);
	KASSERT(!pagecache_sync(&fake.object, 0, fake.size) && fake.stored[1] == 100);
	KASSERT(!pagecache_sync(&fake.object, 0, fake.size) && atomic_load(&fake.writes) == 1);
	KASSERT(!poke(shared + PAGE_SIZE, 102));
	KASSERT(!vm_sync(vs, shared, 64 << PAGE_SHIFT, MS_SYNC) && fake.stored[1] == 102);
	/* fork keeps the private copy, and only that. */
	KASSERT(!vmspace_fork(vs, &child));
	KASSERT(atomic_load(&child->rss_anon) == 1 && atomic_load(&child->rss_file) == 0);
	vmspace_put(child);
	/* Reclaim takes clean pages, mapped or not; they come back. */
	KASSERT(pagecache_reclaim(1000) + pagecache_reclaim(1000) + pagecache_reclaim(1000) > 0);
	KASSERT(peek(shared) == 1 && peek(private + PAGE_SIZE) == 101);
	/* Truncation: gone in every mapping. */
	fake.size = 2 * PAGE_SIZE + 10;
	pagecache_truncate(&fake.object, fake.size);
	KASSERT(poke(shared + 3 * PAGE_SIZE, 1) == -EFAULT && !poke(shared + 2 * PAGE_SIZE, 1));
	KASSERT(peek(private + PAGE_SIZE) == 101 && peek(shared + 2 * PAGE_SIZE + 10) == 0);
	vmspace_put(vmspace_switch(NULL));
	KASSERT(!pagecache_sync(&fake.object, 0, fake.size));
	vmobject_fini(&fake.object);
	KASSERT(atomic_load(&fake.refs) == 0 && pagecache_dirty_pages() == 0);
}

/* Threads in one space: some store and check, one unmaps and maps again, one truncates and syncs.
 */
static struct vmspace *race_vs;
static uint64_t race_shared;
static _Atomic unsigned race_running;
static _Atomic bool race_stop;
enum { RACE_WRITERS = 3, RACE_ROUNDS = 3000 };

static void race_begin(void)
{
	vmspace_get(race_vs);
	KASSERT(!vmspace_switch(race_vs));
}

static void race_end(struct thread *t)
{
	(void)t;
	atomic_fetch_sub(&race_running, 1);
}

static void race_exit(void)
{
	vmspace_put(vmspace_switch(NULL));
	thread_exit(race_end);
}

static void race_writer(void *arg)
{
	uint64_t me = (uintptr_t)arg, base = at(1000) + (me << 24), page;
	struct vm_map_args a = {
		.addr = base, .len = 3 * HUGE_SIZE, .prot = RW, .max_prot = RW, .how = VM_MAP_FIXED
	};
	uint32_t r = (uint32_t)me * 77;

	race_begin();
	for (unsigned i = 0; i < RACE_ROUNDS; i++) {
		if (i % 100 == 0)
			KASSERT(!vm_map(race_vs, &a, &base));
		r = r * 1664525 + 1013904223;
		page = (r >> 12) % (3 * 512);
		KASSERT(!poke(base + (page << PAGE_SHIFT), (uint8_t)i));
		KASSERT(peek(base + (page << PAGE_SHIFT)) == (uint8_t)i);
		if (i % 7 == 0)
			KASSERT(!vm_advise(race_vs, base + ((page & ~1ul) << PAGE_SHIFT), PAGE_SIZE,
					   MADV_DONTNEED));
		/* May fail while the file is short; must never see a foreign byte. */
		(void)!poke(race_shared + ((page % 64) << PAGE_SHIFT), (uint8_t)me);
		thread_resched_point();
	}
	race_exit();
}

static void race_mapper(void *arg)
{
	(void)arg;
	race_begin();
	for (unsigned i = 0; !atomic_load(&race_stop); i++) {
		struct vm_map_args a = { .len = 40 << PAGE_SHIFT,
					 .prot = RW,
					 .max_prot = RW,
					 .vma_flags = VMA_SHARED,
					 .object = &fake.object,
					 .how = VM_MAP_POPULATE };
		struct vmspace *child = NULL;
		uint64_t addr = 0, moved;

		KASSERT(!vm_map(race_vs, &a, &addr));
		(void)!poke(addr + PAGE_SIZE, 5);
		KASSERT(!vm_remap(race_vs, addr, a.len, a.len * 2, MREMAP_MAYMOVE, 0, &moved));
		if (i % 8 == 0 && !vmspace_fork(race_vs, &child))
			vmspace_put(child);
		KASSERT(!vm_unmap(race_vs, moved, a.len * 2));
		thread_resched_point();
	}
	race_exit();
}

static void race_truncator(void *arg)
{
	(void)arg;
	race_begin();
	for (unsigned i = 0; !atomic_load(&race_stop); i++) {
		fake.size = (i % 64) << PAGE_SHIFT;
		pagecache_truncate(&fake.object, fake.size);
		/* Nothing beyond may be left anywhere: the index is empty, and so is every mapping.
		 */
		KASSERT(pagecache_next_data(&fake.object, i % 64, 64) == 64);
		KASSERT(poke(race_shared + (63 << PAGE_SHIFT), 1) == -EFAULT);
		fake.size = 64 << PAGE_SHIFT;
		KASSERT(!pagecache_sync(&fake.object, 0, UINT64_MAX));
		if (i % 16 == 0)
			(void)pagecache_reclaim(30);
		thread_resched_point();
	}
	race_exit();
}

static void start(void (*fn)(void *), uintptr_t arg)
{
	struct thread *t = kthread_create("vmtest", fn, (void *)arg);

	KASSERT(t);
	atomic_fetch_add(&race_running, 1);
	thread_start(t);
}

static void wait_until(unsigned left)
{
	while (atomic_load(&race_running) > left)
		thread_yield();
}

static void test_races(void)
{
	log_info("vm selftest: races");
	fake_init();
	KASSERT(!vmspace_create(&race_vs));
	race_shared = map_fake(race_vs, VMA_SHARED);
	atomic_store(&race_stop, false);
	start(race_mapper, 0);
	start(race_truncator, 0);
	for (uintptr_t i = 0; i < RACE_WRITERS; i++)
		start(race_writer, i);
	wait_until(2);
	atomic_store(&race_stop, true);
	wait_until(0);
	vmspace_put(race_vs);
	work_flush();
	vmobject_fini(&fake.object);
	KASSERT(atomic_load(&fake.refs) == 0);
}

static void test_failing_allocations(void)
{
	log_info("vm selftest: failing allocations");
	for (unsigned n = 1; n < 60; n += 7) {
		seed = n;
		for (unsigned i = 0; i < MODELS; i++)
			models[i] = model_create();
		thread_fail_nth(curthread(), n, 5 + n % 11);
		for (unsigned i = 0; i < 300; i++)
			random_op(models[rnd(MODELS)]);
		thread_fail_nth(curthread(), 0, 0);
		for (unsigned i = 0; i < MODELS; i++) {
			KASSERT(vma_tree_is_valid(&models[i]->vs->vmas));
			vmspace_put(models[i]->vs);
			kfree(models[i]);
		}
	}
}

void vm_selftest(void)
{
	uint64_t before, committed = vm_committed_pages(),
			 slack = 600; /* caches of slabs and CPUs */

	test_random(200);
	test_file();
	before = pmm_free_pages();
	test_random(6000);
	test_file();
	test_failing_allocations();
	test_races();
	KASSERT(vm_committed_pages() == committed);
	log_info("vm selftest: %lu pages free before, %lu after", before, pmm_free_pages());
	KASSERT(pmm_free_pages() + slack > before);
	log_info("vm selftest: passed");
}

#endif
