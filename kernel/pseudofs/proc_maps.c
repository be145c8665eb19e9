/* /proc/PID/{maps,smaps,smaps_rollup,statm,mem,pagemap}: an address space, as text and as bytes.
 * Source: proc(5). */

#include <arch/page.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "proc/task.h"
#include "pseudofs/procfs_priv.h"
#include "vfs/chrdev.h"
#include "vfs/file.h"
#include "vfs/walk.h"
#include "vm/vmobject.h"
#include "vm/vmspace.h"

enum { SHM_DEVICE = 1 };

struct maps_walk {
	struct textbuf *t;
	struct path root;
	char *path_buf; /* PATH_MAX_BYTES */
	uint64_t key;   /* the address from which on the walk goes on */
	/* Writes about v; maps_fill takes back what does not fit. */
	void (*record)(struct maps_walk *w, struct vmspace *vs, struct vma *v);
};

struct rollup {
	struct vm_usage sum;
	uint64_t first, last;
	unsigned nvmas; /* since the lock was taken */
};

static const char *vma_label(struct maps_walk *w, struct vmspace *vs, struct vma *v)
{
	const char *name;

	if (v->file && v->file->ops->show_name) { /* a memfd has a name, not a path */
		struct textbuf own = { .buf = w->path_buf, .size = PATH_MAX_BYTES - 1 };

		v->file->ops->show_name(v->file, &own);
		w->path_buf[own.len] = '\0';
		if (own.len > 0)
			return w->path_buf;
	}
	if (v->file) {
		name = path_format(&v->file->path, &w->root, w->path_buf, PATH_MAX_BYTES);
		return name ? name : "";
	}
	if (v->name)
		return v->name;
	if (v->object && v->object->ops->describe) {
		(void)v->object->ops->describe(v->object, w->path_buf, PATH_MAX_BYTES);
		return w->path_buf;
	}
	if (v->object)
		return v->flags & VMA_SHARED ? "/dev/zero (deleted)" : "";
	if (v->flags & VMA_STACK)
		return "[stack]";
	if (v->start < vs->brk && v->end > vs->brk_start && vs->brk > vs->brk_start)
		return "[heap]";
	return "";
}

static void vma_line(struct maps_walk *w, struct vmspace *vs, struct vma *v)
{
	struct inode *i = v->file ? v->file->inode : NULL;
	uint64_t dev = i ? i->sb->dev : 0, off = v->object ? v->pgoff << PAGE_SHIFT : 0;
	uint64_t ino = i ? i->ino : 0;
	const char *label = vma_label(w, vs, v);
	size_t at = w->t->len;

	if (!i && v->object &&
	    v->object->ops->describe) { /* Linux has these in a tmpfs of its own */
		dev = SHM_DEVICE;
		ino = v->object->ops->describe(v->object, w->path_buf, PATH_MAX_BYTES);
	}
	text_f(w->t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", (unsigned long)v->start,
	       (unsigned long)v->end, v->prot & PROT_READ ? 'r' : '-',
	       v->prot & PROT_WRITE ? 'w' : '-', v->prot & PROT_EXEC ? 'x' : '-',
	       v->flags & VMA_SHARED ? 's' : 'p', (unsigned long)off, dev_major(dev),
	       dev_minor(dev), (unsigned long)ino);
	if (label[0]) {
		while (w->t->len < at + 73)
			text_c(w->t, ' ');
		for (; *label; label++) /* a name cannot end the line: proc(5) */
			if (*label == '\n')
				text_f(w->t, "\\012");
			else
				text_c(w->t, *label);
	}
	text_c(w->t, '\n');
}

enum { LABEL_LEN = 16 };

/* One line of smaps: there are two dozen for each VMA, so no format is read for them. */
static void kib_line(struct textbuf *t, const char label[static LABEL_LEN], uint64_t bytes)
{
	text_n(t, label, LABEL_LEN);
	text_u(t, bytes / 1024, 8);
	text_n(t, " kB\n", 4);
}

static void usage_lines(struct textbuf *t, const struct vm_usage *u, bool rollup)
{
	kib_line(t, "Rss:            ", u->rss);
	kib_line(t, "Pss:            ", u->pss);
	kib_line(t, "Pss_Dirty:      ", u->pss_dirty);
	if (rollup) {
		kib_line(t, "Pss_Anon:       ", u->pss_anon);
		kib_line(t, "Pss_File:       ", u->pss_file);
		kib_line(t, "Pss_Shmem:      ", u->pss_shmem);
	}
	kib_line(t, "Shared_Clean:   ", u->shared_clean);
	kib_line(t, "Shared_Dirty:   ", u->shared_dirty);
	kib_line(t, "Private_Clean:  ", u->private_clean);
	kib_line(t, "Private_Dirty:  ", u->private_dirty);
	kib_line(t, "Referenced:     ", u->referenced);
	kib_line(t, "Anonymous:      ", u->anonymous);
	kib_line(t, "LazyFree:       ", u->lazyfree);
	kib_line(t, "AnonHugePages:  ", u->anon_huge);
	kib_line(t, "ShmemPmdMapped: ", 0);
	kib_line(t, "FilePmdMapped:  ", 0);
	kib_line(t, "Shared_Hugetlb: ", 0);
	kib_line(t, "Private_Hugetlb:", 0);
	kib_line(t, "Swap:           ", 0);
	kib_line(t, "SwapPss:        ", 0);
	kib_line(t, "Locked:         ", u->locked);
}

static void vm_flags_line(struct textbuf *t, const struct vma *v)
{
	static const struct {
		uint32_t flag;
		char name[3];
	} flags[] = {
		{ VMA_GROWSDOWN, "gd" },   { VMA_LOCKED, "lo" },    { VMA_SPECIAL, "io" },
		{ VMA_SEQ_READ, "sr" },    { VMA_RAND_READ, "rr" }, { VMA_DONTFORK, "dc" },
		{ VMA_ACCOUNTED, "ac" },   { VMA_NORESERVE, "nr" }, { VMA_WIPEONFORK, "wf" },
		{ VMA_LOCKONFAULT, "lf" }, { VMA_DONTDUMP, "dd" },  { VMA_HUGE, "hg" },
		{ VMA_NOHUGE, "nh" },
	};

	text_f(t, "VmFlags: %s%s%s%s%s%s%s%s", v->prot & PROT_READ ? "rd " : "",
	       v->prot & PROT_WRITE ? "wr " : "", v->prot & PROT_EXEC ? "ex " : "",
	       v->flags & VMA_SHARED ? "sh " : "", v->max_prot & PROT_READ ? "mr " : "",
	       v->max_prot & PROT_WRITE ? "mw " : "", v->max_prot & PROT_EXEC ? "me " : "",
	       v->flags & VMA_SHARED && v->max_prot & PROT_WRITE ? "ms " : "");
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		if (v->flags & flags[i].flag)
			text_f(t, "%s ", flags[i].name);
	text_c(t, '\n');
}

static void maps_record(struct maps_walk *w, struct vmspace *vs, struct vma *v)
{
	vma_line(w, vs, v);
}

static void smaps_record(struct maps_walk *w, struct vmspace *vs, struct vma *v)
{
	struct vm_usage u;

	vma_line(w, vs, v);
	vm_usage_locked(vs, v, &u);
	kib_line(w->t, "Size:           ", v->end - v->start);
	kib_line(w->t, "KernelPageSize: ", PAGE_SIZE);
	kib_line(w->t, "MMUPageSize:    ", PAGE_SIZE);
	usage_lines(w->t, &u, false);
	text_f(w->t, "THPeligible:    %d\n",
	       !v->object && v->end - v->start >= HUGE_SIZE && !(v->flags & VMA_NOHUGE) &&
		       !vs->no_huge && vm_huge_mode != VM_HUGE_NEVER);
	vm_flags_line(w->t, v);
}

static int add_record(void *ctx, struct vmspace *vs, struct vma *v)
{
	struct maps_walk *w = ctx;
	size_t at = w->t->len;

	w->record(w, vs, v);
	if (w->t->len >= w->t->size) {
		if (at > 0)
			w->t->len = at; /* it begins the next piece */
		return 1;
	}
	w->key = v->end;
	return 0;
}

/*
 * The records of the VMAs from address *key on that fit. The space's lock is held for one piece:
 * what changes between two pieces is seen, or not, as it lies before or behind the place.
 */
static int maps_fill(struct pinode *i, uint64_t *key, struct maps_walk *w)
{
	struct vmspace *vs;
	int res;

	if ((res = proc_may_access(i, ACCESS_READ)))
		return res;
	if ((vs = proc_get_vmspace(i)) == NULL)
		return 0;
	if ((w->path_buf = kmalloc(PATH_MAX_BYTES)) == NULL) {
		res = -ENOMEM;
	} else {
		w->key = *key;
		fsctx_get_root(curthread()->fs, &w->root);
		res = vm_for_each(vs, *key, add_record, w);
		*key = w->key;
		path_put(&w->root);
		kfree(w->path_buf);
	}
	vmspace_put(vs);
	return res;
}

enum { ROLLUP_PIECE = 64 };

static int sum_vma(void *ctx, struct vmspace *vs, struct vma *v)
{
	struct rollup *r = ctx;
	struct vm_usage u;

	vm_usage_locked(vs, v, &u);
	r->sum.rss += u.rss;
	r->sum.pss += u.pss;
	r->sum.shared_clean += u.shared_clean;
	r->sum.shared_dirty += u.shared_dirty;
	r->sum.private_clean += u.private_clean;
	r->sum.private_dirty += u.private_dirty;
	r->sum.referenced += u.referenced;
	r->sum.anonymous += u.anonymous;
	r->sum.lazyfree += u.lazyfree;
	r->sum.anon_huge += u.anon_huge;
	r->sum.locked += u.locked;
	r->sum.pss_dirty += u.pss_dirty;
	r->sum.pss_anon += u.pss_anon;
	r->sum.pss_file += u.pss_file;
	r->sum.pss_shmem += u.pss_shmem;
	r->first = r->first ? r->first : v->start;
	r->last = v->end;
	return ++r->nvmas == ROLLUP_PIECE;
}

int proc_maps_check(struct pinode *i)
{
	return proc_may_access(i, ACCESS_READ);
}

int proc_maps_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	struct maps_walk w = { .t = t, .record = maps_record };

	return maps_fill(i, key, &w);
}

int proc_smaps_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	struct maps_walk w = { .t = t, .record = smaps_record };

	return maps_fill(i, key, &w);
}

int proc_smaps_rollup_show(struct pinode *i, struct textbuf *t)
{
	struct rollup r = { 0 };
	struct vmspace *vs;
	int res;

	if ((res = proc_may_access(i, ACCESS_READ)))
		return res;
	if ((vs = proc_get_vmspace(i)) == NULL)
		return -ESRCH;
	do { /* in pieces, so that faults and the killer get through */
		r.nvmas = 0;
		res = vm_for_each(vs, r.last, sum_vma, &r);
		thread_resched_point();
	} while (res > 0 && !fatal_signal_pending());
	vmspace_put(vs);
	if (res)
		return -EINTR;
	text_f(t, "%08lx-%08lx ---p 00000000 00:00 0                          [rollup]\n",
	       (unsigned long)r.first, (unsigned long)r.last);
	usage_lines(t, &r.sum, true);
	return 0;
}

/* numa_maps: one node, the default policy. */
static void numa_record(struct maps_walk *w, struct vmspace *vs, struct vma *v)
{
	struct vm_usage u;

	vm_usage_locked(vs, v, &u);
	text_f(w->t, "%08lx default", (unsigned long)v->start);
	if (v->file || (v->flags & VMA_ATTACHED))
		text_f(w->t, " file=%s", vma_label(w, vs, v));
	else if (v->flags & VMA_STACK)
		text_f(w->t, " stack");
	else if (v->start < vs->brk && v->end > vs->brk_start)
		text_f(w->t, " heap");
	if (u.anonymous)
		text_f(w->t, " anon=%lu", (unsigned long)u.anonymous >> PAGE_SHIFT);
	if (u.shared_dirty + u.private_dirty)
		text_f(w->t, " dirty=%lu",
		       (unsigned long)(u.shared_dirty + u.private_dirty) >> PAGE_SHIFT);
	if (u.rss > u.anonymous)
		text_f(w->t, " mapped=%lu", (unsigned long)u.rss >> PAGE_SHIFT);
	if (u.rss)
		text_f(w->t, " N0=%lu kernelpagesize_kB=4", (unsigned long)u.rss >> PAGE_SHIFT);
	text_c(w->t, '\n');
}

int proc_numa_maps_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	struct maps_walk w = { .t = t, .record = numa_record };

	return maps_fill(i, key, &w);
}

/* proc(5): 1 all, 2 anonymous, 3 files: referenced bits; 4 soft-dirty, which there is none of; 5
 * the peak of the resident set. */
ssize64_t proc_clear_refs_store(struct pinode *i, char *text, size_t n)
{
	struct vmspace *vs;
	uint64_t what;

	if (!str_to_u64(text, NULL, &what) || what < 1 || what > 5)
		return -EINVAL;
	if ((vs = proc_get_vmspace(i)) == NULL)
		return (ssize64_t)n;
	if (what == 5)
		vs->hiwater_rss = 0;
	else if (what <= 3)
		vm_clear_referenced(vs, what != 3, what != 2);
	vmspace_put(vs);
	return (ssize64_t)n;
}

int proc_statm_show(struct pinode *i, struct textbuf *t)
{
	struct vmspace *vs = proc_get_vmspace(i);

	if (vs == NULL) {
		text_f(t, "0 0 0 0 0 0 0\n");
		return 0;
	}
	text_f(t, "%lu %lu %lu %lu 0 %lu 0\n", (unsigned long)vs->total_pages,
	       (unsigned long)vmspace_rss(vs), (unsigned long)(vs->rss_file + vs->rss_shmem),
	       (unsigned long)(page_round_up(vs->code_end - vs->code_start) >> PAGE_SHIFT),
	       (unsigned long)(vs->data_pages + vs->stack_pages));
	vmspace_put(vs);
	return 0;
}

enum { MEM_CHUNK = 4096 };

/* /proc/PID/mem: reads and writes another address space through a kernel page. */
/*
 * The space that the file was opened for, counted; NULL: the process has another, or none. The file
 * remembers its id, not the space: a reader does not keep the memory of those who have ended.
 */
static struct vmspace *mem_space(struct file *f)
{
	struct vmspace *vs = proc_get_vmspace(pinode_of(f->inode));

	if (vs != NULL && vs->id != (uintptr_t)f->priv) {
		vmspace_put(vs);
		vs = NULL;
	}
	return vs;
}

static ssize64_t mem_transfer(struct file *f, struct uio *u, off64_t *pos, bool write)
{
	struct vmspace *vs = mem_space(f);
	ssize64_t total = 0, n;
	char *buf;

	if (vs == NULL)
		return 0;
	if ((buf = kmalloc(MEM_CHUNK)) == NULL) {
		vmspace_put(vs);
		return -ENOMEM;
	}
	while (u->resid > 0 && !fatal_signal_pending()) {
		thread_resched_point();

		size_t want = MIN(u->resid, (size_t)MEM_CHUNK);

		if (write && uio_get(u, buf, want) != want) {
			total = total ? total : -EFAULT;
			break;
		}
		n = vm_access(vs, (uint64_t)*pos, buf, want, write, true);
		if (n <= 0) {
			total = total ? total : -EIO;
			break;
		}
		if (!write && uio_put(u, buf, (size_t)n) != (size_t)n) {
			total = total ? total : -EFAULT;
			break;
		}
		*pos += n;
		total += n;
		if ((size_t)n < want)
			break;
	}
	kfree(buf);
	vmspace_put(vs);
	return total;
}

static ssize64_t mem_read(struct file *f, struct uio *u, off64_t *pos)
{
	return mem_transfer(f, u, pos, false);
}

static ssize64_t mem_write(struct file *f, struct uio *u, off64_t *pos)
{
	return mem_transfer(f, u, pos, true);
}

static int mem_open(struct inode *i, struct file *f)
{
	int err = proc_may_access(pinode_of(i), ACCESS_ATTACH);
	struct vmspace *vs = err ? NULL : proc_get_vmspace(pinode_of(i));

	/* The space as it is now: what a later exec brings is not read. */
	if (vs != NULL) {
		f->priv = (void *)(uintptr_t)vs->id;
		vmspace_put(vs);
	}
	return err;
}

static off64_t mem_seek(struct file *f, off64_t off, int whence)
{
	if (whence == SEEK_CUR)
		off = (off64_t)((uint64_t)off + (uint64_t)f->pos); /* an address: it may wrap */
	else if (whence != SEEK_SET)
		return -EINVAL;
	f->pos = off;
	return off;
}

const struct file_ops proc_mem_ops = {
	.open = mem_open,
	.read = mem_read,
	.write = mem_write,
	.seek = mem_seek,
};

/* Present, of a file or shared, mapped here alone. */
static uint64_t pagemap_bits(pte_t pte, uint64_t size)
{
	struct page *p;
	uint32_t maps;

	if (!pte_is_present(pte) || (size != PAGE_SIZE && !pte_is_huge(pte)))
		return 0;
	if (pte_flags(pte) & PTE_SPECIAL)
		return 1ull << 63;
	p = paddr_page(pte_paddr(pte));
	maps = atomic_load_explicit(&p->ref, memory_order_relaxed);
	if (p->kind == PAGE_CACHE)
		return 1ull << 63 | 1ull << 61 | (maps <= 2 ? 1ull << 56 : 0);
	return 1ull << 63 | (maps == 1 ? 1ull << 56 : 0);
}

/* One 64-bit word per page: present, swapped; frame numbers only with CAP_SYS_ADMIN. */
static ssize64_t pagemap_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct vmspace *vs;
	ssize64_t total = 0;
	uint64_t word, size;

	if (*pos % 8 || u->resid % 8)
		return -EINVAL;
	vs = mem_space(f);
	while (vs && !fatal_signal_pending() && u->resid >= 8 &&
	       (uint64_t)*pos / 8 < USER_END >> PAGE_SHIFT) {
		uint64_t va = (uint64_t)*pos / 8 << PAGE_SHIFT;
		_Atomic pte_t *slot;
		pte_t pte = 0;

		read_lock(&vs->lock);
		if ((slot = arch_pt_slot(&vs->pt, va, &size)) != NULL)
			pte = atomic_load(slot);
		read_unlock(&vs->lock);
		word = pagemap_bits(pte, size);
		if (word && capable(CAP_SYS_ADMIN))
			word |= (pte_paddr(pte) + (va & (size - 1))) >> PAGE_SHIFT;
		if (uio_put(u, &word, 8) != 8) {
			total = total ? total : -EFAULT;
			break;
		}
		*pos += 8;
		total += 8;
		thread_resched_point();
	}
	if (vs)
		vmspace_put(vs);
	return total;
}

const struct file_ops proc_pagemap_ops = {
	.open = mem_open,
	.read = pagemap_read,
	.seek = mem_seek,
};
