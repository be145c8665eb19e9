/*
 * /proc/{meminfo,vmstat,slabinfo,buddyinfo}: where the memory is. Source: proc(5).
 *
 * A line whose thing does not exist here (swap, huge page pools) says 0, which is true. There are
 * no lists of active pages: what reclaim may take counts as inactive.
 */

#include <arch/page.h>

#include "lib/string.h"
#include "pmm/kva.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "pseudofs/sys_priv.h"
#include "vm/pagecache.h"
#include "vm/stat.h"
#include "vm/vmspace.h"

#define KIB(pages) ((unsigned long)(pages) * (PAGE_SIZE / 1024))

/* All in pages. */
struct memory {
	uint64_t total, free, available, cached, shmem, file, anon, huge, mapped, locked, dirty,
		slab, tables, stacks, kernel;
};

/* Counts every process's own. */
static void add_processes(struct memory *m)
{
	struct process *p;

	for (uint32_t nr = 1; (p = process_next(&nr)) != NULL; nr++) {
		struct task *t = process_get_leader(p);
		struct vmspace *vs = t ? task_get_vmspace(t) : NULL;

		if (vs) {
			m->mapped += vs->rss_file + vs->rss_shmem;
			m->locked += vs->locked_pages;
			vmspace_put(vs);
		}
		task_put(t);
		process_put(p);
	}
	m->mapped = MIN(m->mapped, m->cached);
}

static void look(struct memory *m)
{
	uint64_t low = pmm_low_pages();

	*m = (struct memory){
		.total = pmm_total_pages(),
		.free = pmm_free_pages(),
		.cached = pagecache_pages(),
		.shmem = pagecache_shmem_pages(),
		.anon = pmm_used_pages(PAGE_ANON),
		.huge = vm_huge_pages(),
		.dirty = pagecache_dirty_pages(),
		.slab = slab_pages(),
		.tables = pmm_used_pages(PAGE_TABLE),
		.stacks = kstack_pages(),
		.kernel = pmm_used_pages(PAGE_KERNEL),
	};
	m->file = m->cached - MIN(m->shmem, m->cached);
	m->kernel -= MIN(m->stacks, m->kernel);
	/* What can be had without anybody's loss: free pages above the reserve, clean file pages
	 * but for a working set. */
	m->available = m->free - MIN(m->free, low) + m->file - MIN(m->file / 2, low);
	add_processes(m);
}

static void mem_line(struct textbuf *t, const char *name, uint64_t pages)
{
	text_f(t, "%s:%*s%8lu kB\n", name, (int)(15 - strlen(name)), "", KIB(pages));
}

static void mem_lines(struct textbuf *t, const struct memory *m)
{
	mem_line(t, "MemTotal", m->total);
	mem_line(t, "MemFree", m->free);
	mem_line(t, "MemAvailable", m->available);
	mem_line(t, "Buffers", 0);
	mem_line(t, "Cached", m->cached);
	mem_line(t, "SwapCached", 0);
	mem_line(t, "Active", 0);
	mem_line(t, "Inactive", m->anon + m->cached);
	mem_line(t, "Active(anon)", 0);
	mem_line(t, "Inactive(anon)", m->anon + m->shmem);
	mem_line(t, "Active(file)", 0);
	mem_line(t, "Inactive(file)", m->file);
	mem_line(t, "Unevictable", 0);
	mem_line(t, "Mlocked", m->locked);
	mem_line(t, "SwapTotal", 0);
	mem_line(t, "SwapFree", 0);
	mem_line(t, "Dirty", m->dirty);
	mem_line(t, "Writeback", 0);
	mem_line(t, "AnonPages", m->anon);
	mem_line(t, "Mapped", m->mapped);
	mem_line(t, "Shmem", m->shmem);
	mem_line(t, "KReclaimable", 0);
	mem_line(t, "Slab", m->slab);
	mem_line(t, "SReclaimable", 0);
	mem_line(t, "SUnreclaim", m->slab);
	mem_line(t, "KernelStack", m->stacks);
	mem_line(t, "PageTables", m->tables);
	mem_line(t, "NFS_Unstable", 0);
	mem_line(t, "Bounce", 0);
	mem_line(t, "WritebackTmp", 0);
	mem_line(t, "CommitLimit", vm_commit_limit_pages());
	mem_line(t, "Committed_AS", vm_committed_pages());
	mem_line(t, "VmallocTotal", (KVA_END - KVA_BASE) >> PAGE_SHIFT);
	mem_line(t, "VmallocUsed", m->kernel);
	mem_line(t, "VmallocChunk", 0);
	mem_line(t, "HardwareCorrupted", 0);
	mem_line(t, "AnonHugePages", m->huge);
	mem_line(t, "ShmemHugePages", 0);
	mem_line(t, "ShmemPmdMapped", 0);
	mem_line(t, "FileHugePages", 0);
	mem_line(t, "FilePmdMapped", 0);
}

int proc_meminfo_show(struct pinode *i, struct textbuf *t)
{
	struct memory m;

	(void)i;
	look(&m);
	mem_lines(t, &m);
	text_f(t, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
		  "HugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 "
		  "kB\n");
	return 0;
}

/* The lines of it that Linux gives for a NUMA node; node 0 has all there is. */
int sys_node_meminfo_show(struct pinode *i, struct textbuf *t)
{
	struct memory m;

	(void)i;
	look(&m);
	const struct {
		const char *name;
		uint64_t pages;
	} line[] = {
		{ "MemTotal", m.total },
		{ "MemFree", m.free },
		{ "MemUsed", m.total - MIN(m.free, m.total) },
		{ "Active", 0 },
		{ "Inactive", m.anon + m.cached },
		{ "Active(anon)", 0 },
		{ "Inactive(anon)", m.anon + m.shmem },
		{ "Active(file)", 0 },
		{ "Inactive(file)", m.file },
		{ "Unevictable", 0 },
		{ "Mlocked", m.locked },
		{ "Dirty", m.dirty },
		{ "Writeback", 0 },
		{ "FilePages", m.cached },
		{ "Mapped", m.mapped },
		{ "AnonPages", m.anon },
		{ "Shmem", m.shmem },
		{ "KernelStack", m.stacks },
		{ "PageTables", m.tables },
		{ "Slab", m.slab },
		{ "SUnreclaim", m.slab },
		{ "AnonHugePages", m.huge },
	};
	for (unsigned k = 0; k < ARRAY_SIZE(line); k++)
		text_f(t, "Node 0 %s:%*s%8lu kB\n", line[k].name, (int)(15 - strlen(line[k].name)),
		       "", KIB(line[k].pages));
	text_f(t, "Node 0 HugePages_Total:     0\nNode 0 HugePages_Free:      0\n"
		  "Node 0 HugePages_Surp:      0\n");
	return 0;
}

static void stat_line(struct textbuf *t, const char *name, uint64_t n)
{
	text_f(t, "%s %lu\n", name, (unsigned long)n);
}

int proc_vmstat_show(struct pinode *i, struct textbuf *t)
{
	static const struct {
		const char *name;
		enum vm_event event;
	} events[] = {
		{ "pgmajfault", VM_EVENT_MAJFAULT },
		{ "pglazyfree", VM_EVENT_LAZYFREE },
		{ "pglazyfreed", VM_EVENT_LAZYFREED },
		{ "pgsteal_file", VM_EVENT_STEAL },
		{ "drop_pagecache", VM_EVENT_DROP_PAGECACHE },
		{ "drop_slab", VM_EVENT_DROP_SLAB },
		{ "oom_kill", VM_EVENT_OOM_KILL },
		{ "thp_fault_alloc", VM_EVENT_THP_FAULT },
		{ "thp_split_pmd", VM_EVENT_THP_SPLIT },
	};
	struct memory m;

	(void)i;
	look(&m);
	stat_line(t, "nr_free_pages", m.free);
	stat_line(t, "nr_inactive_anon", m.anon + m.shmem);
	stat_line(t, "nr_active_anon", 0);
	stat_line(t, "nr_inactive_file", m.file);
	stat_line(t, "nr_active_file", 0);
	stat_line(t, "nr_unevictable", 0);
	stat_line(t, "nr_mlock", m.locked);
	stat_line(t, "nr_slab_reclaimable", 0);
	stat_line(t, "nr_slab_unreclaimable", m.slab);
	stat_line(t, "nr_anon_pages", m.anon);
	stat_line(t, "nr_mapped", m.mapped);
	stat_line(t, "nr_file_pages", m.cached);
	stat_line(t, "nr_dirty", m.dirty);
	stat_line(t, "nr_writeback", 0);
	stat_line(t, "nr_shmem", m.shmem);
	stat_line(t, "nr_anon_transparent_hugepages", m.huge >> (HUGE_SHIFT - PAGE_SHIFT));
	stat_line(t, "nr_kernel_stack", KIB(m.stacks));
	stat_line(t, "nr_page_table_pages", m.tables);
	stat_line(t, "pgpgin", 0);
	stat_line(t, "pgpgout", 0);
	stat_line(t, "pswpin", 0);
	stat_line(t, "pswpout", 0);
	stat_line(t, "pgfault", vm_events_sum(VM_EVENT_FAULT) + vm_events_sum(VM_EVENT_MAJFAULT));
	for (unsigned k = 0; k < ARRAY_SIZE(events); k++)
		stat_line(t, events[k].name, vm_events_sum(events[k].event));
	return 0;
}

int proc_slabinfo_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	slab_format(t);
	return 0;
}

/* One zone has all of it. The marks are those of reclaim: it begins below low. */
int proc_zoneinfo_show(struct pinode *i, struct textbuf *t)
{
	unsigned long total = (unsigned long)pmm_total_pages();

	(void)i;
	text_f(t,
	       "Node 0, zone   Normal\n  pages free     %lu\n        min      %lu\n"
	       "        low      %lu\n        spanned  %lu\n        present  %lu\n"
	       "        managed  %lu\n      nr_free_pages %lu\n",
	       (unsigned long)pmm_free_pages(), (unsigned long)pmm_min_free_pages(),
	       (unsigned long)pmm_low_pages(), total, total, total,
	       (unsigned long)pmm_free_pages());
	return 0;
}

int proc_buddyinfo_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "Node 0, zone   Normal ");
	for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++)
		text_f(t, "%6lu ", (unsigned long)pmm_free_blocks(order));
	text_c(t, '\n');
	return 0;
}
