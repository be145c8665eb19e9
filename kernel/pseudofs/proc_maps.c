/* /proc/PID/{maps,smaps,smaps_rollup,statm,mem,pagemap}: an address space, as text and as bytes.
 * Source: proc(5). */

#include <arch/page.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "pmm/slab.h"
#include "proc/task.h"
#include "pseudofs/procfs_priv.h"
#include "vfs/chrdev.h"
#include "vfs/file.h"
#include "vfs/walk.h"
#include "vm/vmspace.h"

struct maps_walk {
	struct textbuf *t;
	struct path root;
	char *path_buf; /* PATH_MAX_BYTES */
	bool smaps;
	struct vm_usage sum;
	uint64_t first, last;
};

static const char *vma_label(struct maps_walk *w, struct vmspace *vs, struct vma *v)
{
	const char *name;

	if (v->file) {
		name = path_format(&v->file->path, &w->root, w->path_buf, PATH_MAX_BYTES);
		return name ? name : "";
	}
	if (v->name)
		return v->name;
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
	const char *label = vma_label(w, vs, v);
	size_t at = w->t->len;

	text_f(w->t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", (unsigned long)v->start,
	       (unsigned long)v->end, v->prot & PROT_READ ? 'r' : '-',
	       v->prot & PROT_WRITE ? 'w' : '-', v->prot & PROT_EXEC ? 'x' : '-',
	       v->flags & VMA_SHARED ? 's' : 'p', (unsigned long)off, dev_major(dev),
	       dev_minor(dev), (unsigned long)(i ? i->ino : 0));
	if (label[0]) {
		while (w->t->len < at + 73)
			text_c(w->t, ' ');
		text_f(w->t, "%s", label);
	}
	text_c(w->t, '\n');
}

static void usage_lines(struct textbuf *t, const struct vm_usage *u)
{
	text_f(t,
	       "Rss:            %8lu kB\nPss:            %8lu kB\nPss_Dirty:      %8lu kB\n"
	       "Shared_Clean:   %8lu kB\nShared_Dirty:   %8lu kB\n"
	       "Private_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\nReferenced:     %8lu "
	       "kB\nAnonymous:      %8lu kB\n"
	       "LazyFree:              0 kB\nAnonHugePages:         0 kB\nSwap:                  0 "
	       "kB\n"
	       "SwapPss:               0 kB\nLocked:                0 kB\n",
	       (unsigned long)u->rss / 1024, (unsigned long)u->pss / 1024,
	       (unsigned long)u->private_dirty / 1024, (unsigned long)u->shared_clean / 1024,
	       (unsigned long)u->shared_dirty / 1024, (unsigned long)u->private_clean / 1024,
	       (unsigned long)u->private_dirty / 1024, (unsigned long)u->referenced / 1024,
	       (unsigned long)u->anonymous / 1024);
}

static void vm_flags_line(struct textbuf *t, const struct vma *v)
{
	text_f(t, "VmFlags: %s%s%s%smr mw me %s%s%s\n", v->prot & PROT_READ ? "rd " : "",
	       v->prot & PROT_WRITE ? "wr " : "", v->prot & PROT_EXEC ? "ex " : "",
	       v->flags & VMA_SHARED ? "sh " : "", v->flags & VMA_GROWSDOWN ? "gd " : "",
	       v->flags & VMA_LOCKED ? "lo " : "", v->flags & VMA_ACCOUNTED ? "ac " : "");
}

static int show_vma(void *ctx, struct vmspace *vs, struct vma *v)
{
	struct maps_walk *w = ctx;
	struct vm_usage u;

	vma_line(w, vs, v);
	if (!w->smaps)
		return 0;
	vm_usage_locked(vs, v, &u);
	text_f(w->t,
	       "Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 "
	       "kB\n",
	       (unsigned long)(v->end - v->start) / 1024);
	usage_lines(w->t, &u);
	vm_flags_line(w->t, v);
	return 0;
}

static int sum_vma(void *ctx, struct vmspace *vs, struct vma *v)
{
	struct maps_walk *w = ctx;
	struct vm_usage u;

	vm_usage_locked(vs, v, &u);
	w->sum.rss += u.rss;
	w->sum.pss += u.pss;
	w->sum.shared_clean += u.shared_clean;
	w->sum.shared_dirty += u.shared_dirty;
	w->sum.private_clean += u.private_clean;
	w->sum.private_dirty += u.private_dirty;
	w->sum.referenced += u.referenced;
	w->sum.anonymous += u.anonymous;
	w->first = w->first ? w->first : v->start;
	w->last = v->end;
	return 0;
}

/* Walks the address space of i's task; nothing for a task without one. */
static int walk(struct pinode *i, struct maps_walk *w,
		int (*fn)(void *, struct vmspace *, struct vma *))
{
	struct vmspace *vs;
	int err;

	if ((err = proc_may_access(i, ACCESS_READ)))
		return err;
	if ((vs = proc_get_vmspace(i)) == NULL)
		return 0;
	if ((w->path_buf = kmalloc(PATH_MAX_BYTES)) == NULL) {
		err = -ENOMEM;
	} else {
		fsctx_get_root(curthread()->fs, &w->root);
		err = vm_for_each(vs, 0, fn, w);
		path_put(&w->root);
		kfree(w->path_buf);
	}
	vmspace_put(vs);
	return err;
}

int proc_maps_show(struct pinode *i, struct textbuf *t)
{
	struct maps_walk w = { .t = t };

	return walk(i, &w, show_vma);
}

int proc_smaps_show(struct pinode *i, struct textbuf *t)
{
	struct maps_walk w = { .t = t, .smaps = true };

	return walk(i, &w, show_vma);
}

int proc_smaps_rollup_show(struct pinode *i, struct textbuf *t)
{
	struct maps_walk w = { .t = t };
	int err = walk(i, &w, sum_vma);

	if (err)
		return err;
	text_f(t, "%08lx-%08lx ---p 00000000 00:00 0                          [rollup]\n",
	       (unsigned long)w.first, (unsigned long)w.last);
	usage_lines(t, &w.sum);
	return 0;
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
static ssize64_t mem_transfer(struct file *f, struct uio *u, off64_t *pos, bool write)
{
	struct vmspace *vs = f->priv;
	ssize64_t total = 0, n;
	char *buf;

	if (vs == NULL)
		return 0;
	if ((buf = kmalloc(MEM_CHUNK)) == NULL)
		return -ENOMEM;
	while (u->resid > 0) {
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

	/* The space as it is now: a later exec does not change what is read. */
	if (!err)
		f->priv = proc_get_vmspace(pinode_of(i));
	return err;
}

static void mem_release(struct file *f)
{
	if (f->priv)
		vmspace_put(f->priv);
}

static off64_t mem_seek(struct file *f, off64_t off, int whence)
{
	if (whence == SEEK_CUR)
		off += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	f->pos = off;
	return off;
}

const struct file_ops proc_mem_ops = {
	.open = mem_open,
	.release = mem_release,
	.read = mem_read,
	.write = mem_write,
	.seek = mem_seek,
};

/* One 64-bit word per page: present, swapped; frame numbers only with CAP_SYS_ADMIN. */
static ssize64_t pagemap_read(struct file *f, struct uio *u, off64_t *pos)
{
	struct vmspace *vs = f->priv;
	ssize64_t total = 0;
	uint64_t word, size;

	if (*pos % 8 || u->resid % 8)
		return -EINVAL;
	while (vs && u->resid >= 8 && (uint64_t)*pos / 8 < USER_END >> PAGE_SHIFT) {
		uint64_t va = (uint64_t)*pos / 8 << PAGE_SHIFT;
		_Atomic pte_t *slot;
		pte_t pte = 0;

		read_lock(&vs->lock);
		if ((slot = arch_pt_slot(&vs->pt, va, &size)) != NULL)
			pte = atomic_load(slot);
		read_unlock(&vs->lock);
		word = pte_is_present(pte) ? 1ull << 63 : 0;
		if (word && capable(CAP_SYS_ADMIN))
			word |= (pte_paddr(pte) + (va & (size - 1))) >> PAGE_SHIFT;
		if (uio_put(u, &word, 8) != 8)
			return total ? total : -EFAULT;
		*pos += 8;
		total += 8;
	}
	return total;
}

const struct file_ops proc_pagemap_ops = {
	.open = mem_open,
	.release = mem_release,
	.read = pagemap_read,
	.seek = mem_seek,
};
