/*
 * Commit accounting (vm.overcommit_memory): pages of private writable and shared anonymous memory
 * that were promised. Mode 0 refuses a single request larger than all memory; mode 1 refuses
 * nothing; mode 2 keeps the sum below ratio percent of memory. There is no swap to add. source
 * proc(5), vm.overcommit_*
 */
#include "abi/errno.h"
#include "vm/vm_priv.h"

int vm_overcommit_mode, vm_overcommit_ratio = 50;
uint64_t vm_overcommit_kbytes;

static _Atomic uint64_t committed;

uint64_t vm_committed_pages(void)
{
	return atomic_load_explicit(&committed, memory_order_relaxed);
}

uint64_t vm_commit_limit_pages(void)
{
	if (vm_overcommit_kbytes)
		return vm_overcommit_kbytes / (PAGE_SIZE / 1024);
	return pmm_total_pages() * (uint64_t)vm_overcommit_ratio / 100;
}

int vm_commit(uint64_t pages)
{
	uint64_t now = atomic_fetch_add_explicit(&committed, pages, memory_order_relaxed) + pages;

	if (LIKELY(vm_overcommit_mode == 0 ? pages <= pmm_total_pages() : vm_overcommit_mode == 1))
		return 0;
	if (vm_overcommit_mode == 2 && now <= vm_commit_limit_pages())
		return 0;
	vm_uncommit(pages);
	return -ENOMEM;
}

void vm_uncommit(uint64_t pages)
{
	atomic_fetch_sub_explicit(&committed, pages, memory_order_relaxed);
}

bool vm_wants_commit(uint32_t flags, uint32_t prot)
{
	if ((flags & VMA_SHARED) || !(prot & PROT_WRITE))
		return false;
	return !(flags & VMA_NORESERVE) || vm_overcommit_mode == 2;
}
