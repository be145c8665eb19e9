/*
 * The vDSO in a space: the clock's data page and, right behind it, the image. Both are frames of
 * one object that is never freed: index 0 is the data page, the image follows. The image is copied
 * into pages of its own at boot, since in the kernel's image it need not begin at a page.
 */
#include <arch/elf.h>

#include "abi/errno.h"
#include "core/clock.h"
#include "lib/string.h"
#include "vm/vm_priv.h"

static paddr_t image_paddr;
static uint64_t image_pages;
static struct vmobject vdso_object;

static int map_frame(struct vmobject *o, uint64_t index, paddr_t *pa, unsigned *flags)
{
	(void)o, (void)flags;
	if (index > image_pages)
		return -EFAULT;
	*pa = index == 0 ? clock_vdso_data_paddr() : image_paddr + ((index - 1) << PAGE_SHIFT);
	return 0;
}

static void hold(struct vmobject *o)
{
	(void)o; /* lives for ever */
}

static const struct vmobject_ops vdso_ops = { .map_frame = map_frame, .get = hold, .put = hold };

static int map_part(struct vmspace *vs, uint64_t addr, uint64_t pages, uint64_t index,
		    uint32_t prot, const char *name)
{
	struct vm_map_args a = {
		.addr = addr,
		.len = pages << PAGE_SHIFT,
		.prot = prot,
		.max_prot = index == 0 ? PROT_READ : PROT_READ | PROT_WRITE | PROT_EXEC,
		.vma_flags = VMA_SPECIAL | (index == 0 ? VMA_DONTDUMP : 0),
		.how = VM_MAP_FIXED | VM_MAP_NOREPLACE | VM_MAP_NO_LIMITS,
		.object = &vdso_object,
		.pgoff = index,
		.name = name,
	};

	return vm_map(vs, &a, &addr);
}

int vm_map_vdso(struct vmspace *vs, uint64_t hint) NO_TSA
{
	uint64_t data, image;
	struct vma *next;
	int err;

	if ((err = write_lock_killable(&vs->lock)))
		return err;
	err = vm_choose_address(vs, hint, (image_pages + 1) << PAGE_SHIFT, 0, false, &data, &next);
	write_unlock(&vs->lock);
	if (err)
		return err;
	image = data + PAGE_SIZE;
	if ((err = map_part(vs, data, 1, 0, PROT_READ, "[vvar]")))
		return err;
	if ((err = map_part(vs, image, image_pages, 1, PROT_READ | PROT_EXEC, "[vdso]"))) {
		(void)!vm_unmap(vs, data, PAGE_SIZE);
		return err;
	}
	vs->vdso = image;
	return 0;
}

void vdso_init(void)
{
	struct page *p;
	unsigned order = 0;

	image_pages = page_round_up(vdso_image_size) >> PAGE_SHIFT;
	while (1ul << order < image_pages)
		order++;
	if (!(p = page_alloc(order, PAGE_KERNEL, ALLOC_ZERO)))
		panic("no memory for the vDSO");
	image_paddr = page_paddr(p);
	memcpy(page_va(p), vdso_image, vdso_image_size);
	vmobject_init(&vdso_object, &vdso_ops);
}
