/*
 * mmap(2), munmap(2), mprotect(2), mremap(2), brk(2), msync(2), madvise(2), mlock(2), mincore(2),
 * membarrier(2): checks of the arguments' form, descriptors to files, and copying. What the calls
 * do is kernel/vm's.
 */
#include "sys/mm.h"

#include "abi/errno.h"
#include "abi/membarrier.h"
#include "abi/mman.h"
#include "lib/checked.h"
#include "core/epoch.h"
#include "core/ktrace.h"
#include "pmm/slab.h"
#include "sys/syscalls.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vm/tlb.h"
#include "vm/usercopy.h"
#include "vm/vmobject.h"
#include "vm/vmspace.h"

/* Flags that MAP_SHARED_VALIDATE knows; it refuses all others (mmap(2)). */
#define KNOWN_MAP_FLAGS                                                                          \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE |      \
	 MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | \
	 MAP_HUGETLB | MAP_FIXED_NOREPLACE | (unsigned)MAP_HUGE_MASK << MAP_HUGE_SHIFT)

enum { PROT_ALL = PROT_READ | PROT_WRITE | PROT_EXEC };

static struct vmspace *space(void)
{
	return curthread()->vmspace;
}

static uint32_t vma_flags_of(uint64_t flags, bool shared)
{
	uint32_t f = shared ? VMA_SHARED : 0;

	f |= flags & MAP_GROWSDOWN ? VMA_GROWSDOWN : 0;
	f |= flags & MAP_LOCKED ? VMA_LOCKED : 0;
	f |= flags & MAP_NORESERVE ? VMA_NORESERVE : 0;
	/* Thread stacks: a 2 MiB page for one that uses 8 KiB would be a waste. */
	f |= flags & MAP_STACK ? VMA_NOHUGE : 0;
	return f;
}

static uint32_t how_of(uint64_t flags)
{
	uint32_t how = 0;

	how |= flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) ? VM_MAP_FIXED : 0;
	how |= flags & MAP_FIXED_NOREPLACE ? VM_MAP_NOREPLACE : 0;
	how |= (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE ? VM_MAP_POPULATE : 0;
	how |= flags & MAP_32BIT && !(flags & MAP_FIXED) ? VM_MAP_BELOW_4G : 0;
	return how;
}

static int map_anonymous(struct vm_map_args *a, bool shared)
{
	int err;

	a->max_prot = PROT_ALL;
	a->pgoff = 0;
	if (!shared)
		return 0;
	if ((err = vmobject_create_shm(page_round_up(a->len) >> PAGE_SHIFT, &a->object)))
		return err;
	a->how |= VM_MAP_PUT_OBJECT;
	return 0;
}

/* What the file's open mode and mount allow; the file system adds the object, and may allow less.
 */
static int map_file(struct vm_map_args *a, struct file *f, bool shared)
{
	if (!(f->mode & FMODE_READ))
		return -EACCES;
	if (shared && (a->prot & PROT_WRITE) && !(f->mode & FMODE_WRITE))
		return -EACCES;
	a->max_prot = shared && !(f->mode & FMODE_WRITE) ? PROT_READ | PROT_EXEC : PROT_ALL;
	if (f->path.mnt && (f->path.mnt->flags & MS_NOEXEC)) {
		if (a->prot & PROT_EXEC)
			return -EPERM;
		a->max_prot &= ~PROT_EXEC;
	}
	if (!f->ops->mmap)
		return -ENODEV;
	if (a->vma_flags & VMA_GROWSDOWN)
		return -EINVAL;
	if (range_exceeds(a->pgoff, page_round_up(a->len) >> PAGE_SHIFT, INT64_MAX >> PAGE_SHIFT))
		return -EOVERFLOW;
	a->file = f;
	return f->ops->mmap(f, a);
}

static int check_map_type(uint64_t flags, bool *shared)
{
	switch (flags & MAP_TYPE) {
	case MAP_SHARED_VALIDATE:
		if (flags & MAP_ANONYMOUS)
			return -EINVAL;
		if (flags & ~KNOWN_MAP_FLAGS)
			return -EOPNOTSUPP;
		FALLTHROUGH;
	case MAP_SHARED:
		*shared = true;
		return flags & MAP_GROWSDOWN ? -EINVAL : 0;
	case MAP_PRIVATE:
		*shared = false;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Lengths that cannot be are refused before anything is made for them. */
static int check_length(uint64_t len)
{
	if (len == 0)
		return -EINVAL;
	return page_round_up(len) < len || !user_range_ok(UADDR(0), page_round_up(len)) ? -ENOMEM
											: 0;
}

int64_t sys_mmap(uint64_t addr, uint64_t length, uint64_t prot, uint64_t flags, int fd,
		 uint64_t offset)
{
	struct vm_map_args a = {
		.addr = addr,
		.len = length,
		.prot = (uint32_t)prot & PROT_ALL,
		.how = how_of(flags),
		.pgoff = offset >> PAGE_SHIFT,
	};
	struct fdref r = { 0 };
	uint64_t result = 0;
	bool shared;
	int err;

	ktrace(KT_MM, mmap, addr, length, prot, flags, fd, offset);
	if (offset & PAGE_MASK)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS) && !(r = fdref_get(fd)).file)
		return -EBADF;
	if ((err = check_length(length)) || (err = check_map_type(flags, &shared)))
		goto put;
	a.vma_flags = vma_flags_of(flags, shared);
	err = flags & MAP_ANONYMOUS
		      ? (flags & MAP_HUGETLB ? -ENOMEM : map_anonymous(&a, shared))
		      : (flags & MAP_HUGETLB ? -EINVAL : map_file(&a, r.file, shared));
	if (!err)
		err = vm_map(space(), &a, &result);
put:
	if (r.file)
		fdref_put(r);
	return err ? err : (int64_t)result;
}

int64_t sys_munmap(uint64_t addr, uint64_t length)
{
	return vm_unmap(space(), addr, length);
}

int64_t sys_mprotect(uint64_t addr, uint64_t len, uint64_t prot)
{
	return prot >> 32 ? -EINVAL : vm_protect(space(), addr, len, (uint32_t)prot);
}

/* No memory keys: as on a CPU without them, the only "key" is none at all. */
int64_t sys_pkey_mprotect(uint64_t addr, uint64_t len, uint64_t prot, int pkey)
{
	return pkey == -1 ? sys_mprotect(addr, len, prot) : -EINVAL;
}

int64_t sys_pkey_alloc(uint64_t flags, uint64_t access_rights)
{
	return flags || access_rights & ~3ul ? -EINVAL : -ENOSPC;
}

int64_t sys_pkey_free(int pkey)
{
	(void)pkey;
	return -EINVAL;
}

int64_t sys_remap_file_pages(uint64_t addr, uint64_t size, uint64_t prot, uint64_t pgoff,
			     uint64_t flags)
{
	if (prot)
		return -EINVAL;
	return vm_remap_file(space(), addr, size, pgoff, flags & MAP_NONBLOCK);
}

int64_t sys_mremap(uint64_t old_address, uint64_t old_size, uint64_t new_size, uint64_t flags,
		   uint64_t new_address)
{
	uint64_t result = 0;
	int err = flags >> 32 ? -EINVAL
			      : vm_remap(space(), old_address, old_size, new_size, (unsigned)flags,
					 new_address, &result);

	return err ? err : (int64_t)result;
}

int64_t sys_brk(uint64_t addr)
{
	uint64_t now = space()->brk;
	int err = vm_brk(space(), addr, &now);

	return err ? (int64_t)space()->brk : (int64_t)now;
}

int64_t sys_msync(uint64_t addr, uint64_t length, uint32_t flags)
{
	return vm_sync(space(), addr, length, (int)flags);
}

int64_t sys_madvise(uint64_t addr, uint64_t length, int32_t advice)
{
	return vm_advise(space(), addr, length, advice);
}

int64_t sys_mlock(uint64_t addr, uint64_t len)
{
	return vm_mlock(space(), addr, len, true, false);
}

int64_t sys_mlock2(uint64_t addr, uint64_t len, uint32_t flags)
{
	if (flags & ~(uint32_t)MLOCK_ONFAULT)
		return -EINVAL;
	return vm_mlock(space(), addr, len, true, flags & MLOCK_ONFAULT);
}

int64_t sys_munlock(uint64_t addr, uint64_t len)
{
	return vm_mlock(space(), addr, len, false, false);
}

int64_t sys_mlockall(uint32_t flags)
{
	return vm_mlockall(space(), (int)flags);
}

int64_t sys_munlockall(void)
{
	return vm_munlockall(space());
}

int64_t sys_mincore(uint64_t addr, uint64_t length, uaddr_t vec)
{
	uint64_t pages = page_round_up(length) >> PAGE_SHIFT, done = 0;
	uint8_t *buf;
	int err = 0;

	if (addr & PAGE_MASK)
		return -EINVAL;
	if (page_round_up(length) < length || !user_range_ok(UADDR(addr), page_round_up(length)))
		return -ENOMEM;
	if (!user_range_ok(vec, pages))
		return -EFAULT;
	if (!(buf = kmalloc(PAGE_SIZE)))
		return -EAGAIN;
	while (done < pages && !err) {
		uint64_t n = MIN(pages - done, PAGE_SIZE);

		err = vm_mincore(space(), addr + (done << PAGE_SHIFT), n, buf);
		if (!err)
			err = copy_to_user(uaddr_add(vec, done), buf, n);
		done += n;
	}
	kfree(buf);
	return err;
}

/* Commands that need no support beyond a barrier on other CPUs; each register bit is its command's
 * shifted by one. */
enum {
	EXPEDITED_CMDS = MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |
			 MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
	REGISTER_CMDS = MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |
			MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
			MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
};

int64_t sys_membarrier(int32_t cmd, uint32_t flags, int32_t cpu)
{
	_Atomic uint32_t *registered = &space()->membarrier_registered;

	(void)cpu;
	if (flags)
		return -EINVAL;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return MEMBARRIER_CMD_GLOBAL | EXPEDITED_CMDS | REGISTER_CMDS;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		epoch_wait(); /* every CPU has passed through the scheduler or user mode's entry */
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		if (!(atomic_load_explicit(registered, memory_order_relaxed) & (uint32_t)cmd << 1))
			return -EPERM;
		tlb_membarrier(space());
		return 0;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		atomic_fetch_or_explicit(registered, (uint32_t)cmd, memory_order_relaxed);
		return 0;
	default:
		return -EINVAL;
	}
}

static bool may_lock(void)
{
	return capable(CAP_IPC_LOCK);
}

static bool may_map_low(void)
{
	return capable(CAP_SYS_RAWIO);
}

void sys_mm_init(void)
{
	vm_may_map_low = may_map_low;
	vm_may_lock = may_lock;
}
