#pragma once

/*
 * An address space: the VMA tree (what may be there), the page table (what is there), the program
 * break (two addresses, nothing else) and the limits and counts that /proc shows.
 *
 * Private anonymous pages live in the page table alone: struct page counts their PTEs, a write to a
 * page with more than one copies it. All other pages belong to a vmobject.
 *
 * Lock: `lock` (rwlock, VMSPACE). Faults hold it for reading and change leaf entries by
 * compare-and-exchange; whoever changes the tree holds it for writing. Every change is planned (all
 * allocation, every check), then committed. Pages and tables are taken away in the order: clear,
 * shoot down (vm/tlb.h), free.
 */

#include <arch/mmu.h>

#include "core/ref.h"
#include "lib/list.h"
#include "lib/types.h"
#include "sched/mutex.h"
#include "sched/work.h"
#include "vm/vma.h"

struct page;
struct textbuf;
struct thread;

struct vm_limits { /* bytes; RLIM_INFINITY = UINT64_MAX; set by proc from the rlimits of the thread
		      group */
	uint64_t as, data, stack, memlock;
};

struct vmspace {
	struct rwlock lock;
	struct vma_tree vmas; /* lock */
	struct arch_pt pt;
	struct ref users;
	uint64_t mmap_base;      /* top-down allocations end below it; set at exec */
	uint64_t brk_start, brk; /* lock; bytes */
	uint64_t stack_top;      /* initial stack pointer's page end */
	uint64_t code_start, code_end, data_start, data_end, arg_start, arg_end, env_start, env_end;
	uint64_t vdso;     /* address of the image; 0: unmapped */
	uint64_t auxv[64]; /* as put on the stack, for /proc/PID/auxv */
	unsigned nauxv;
	struct file *exe;        /* opaque; referenced through vm_file_ops; lock */
	struct vm_limits limits; /* lock */
	_Atomic uint64_t rss_anon, rss_file, rss_shmem; /* pages */
	uint64_t total_pages, data_pages, stack_pages, exec_pages, locked_pages,
		shared_pages; /* lock */
	uint64_t hiwater_rss, hiwater_total;
	uint64_t spare_block; /* lock; a 2 MiB without VMAs whose tables were kept, see
				 vm_unlink_tables(); 1: none */
	uint32_t def_flags;   /* VMA flags for new mappings: mlockall(MCL_FUTURE) */
	uint8_t dumpable;     /* prctl(PR_SET_DUMPABLE): 1; else what fs.suid_dumpable says */
	uint16_t dump_filter; /* /proc/PID/coredump_filter */
	bool legacy_layout;   /* bottom-up (personality) */
	uint64_t id;          /* no other ever has it; immutable */
	bool no_huge;         /* prctl(PR_SET_THP_DISABLE): kept by fork and exec */
	_Atomic uint32_t membarrier_registered;
	struct futex_private *futex; /* proc's */
	struct list lazy_node; /* lazyfree.c's list and lock: linked, its pages may be given up */
	struct work reaper;    /* takes it down when the last reference falls under locks */
};

/* How vm holds files without knowing them; set by vfs at boot. */
struct vm_file_ops {
	void (*get)(struct file *f);
	void (*put)(struct file *f);
	/* vmspace->exe also keeps writers out of the file (ETXTBSY); get_exe: of a file that is
	 * somebody's exe already. */
	void (*get_exe)(struct file *f);
	void (*put_exe)(struct file *f);
	/* msync(2), MS_SYNC: bytes [start, end) of f to its storage. NULL: pagecache_sync() alone.
	 */
	int (*sync)(struct file *f, uint64_t start, uint64_t end);
};
extern const struct vm_file_ops *vm_file_ops;

/* True when the running thread may lock memory without limit (CAP_IPC_LOCK). Set above; NULL: it
 * may not. */
extern bool (*vm_may_lock)(void);
extern bool (*vm_may_map_low)(void); /* below vm.mmap_min_addr: CAP_SYS_RAWIO */

MUST_CHECK int vmspace_create(struct vmspace **out); /* empty; -ENOMEM */
void vmspace_get(struct vmspace *vs);
void vmspace_put(struct vmspace *vs); /* the last one unmaps all; may sleep */

/*
 * A copy for fork: private pages shared for copy-on-write, no more tables copied than must be (file
 * mappings fault in again). VMA_DONTFORK and VMA_WIPEONFORK honoured; locked memory is not
 * inherited. returns      0; -ENOMEM (also by the commit limit), nothing changed
 */
MUST_CHECK int vmspace_fork(struct vmspace *src, struct vmspace **out);

/* Makes vs (NULL: none) the running thread's: exec and exit. The reference is consumed; the old one
 * is returned. */
struct vmspace *vmspace_switch(struct vmspace *vs);

struct vm_map_args {
	uint64_t addr, len;      /* bytes; addr: hint, or exact with VM_MAP_FIXED */
	uint32_t prot, max_prot; /* PROT_* */
	uint32_t vma_flags;      /* enum vma_flags */
	uint32_t how;            /* enum vm_map_how */
	struct vmobject
		*object; /* NULL: anonymous private; borrowed: the VMA takes its own reference */
	uint64_t pgoff;
	struct file *file; /* borrowed; may be NULL */
	const char *name;
};
enum vm_map_how {
	VM_MAP_FIXED = 1,     /* exactly there, replacing what is */
	VM_MAP_NOREPLACE = 2, /* with FIXED: -EEXIST when something is there */
	VM_MAP_POPULATE = 4,
	VM_MAP_BELOW_4G = 8,   /* MAP_32BIT: first 2 GiB */
	VM_MAP_NO_LIMITS = 16, /* exec's own mappings */
	VM_MAP_PUT_OBJECT =
		32, /* the caller's reference to `object` goes to vm_map(), also when it fails */
};

/*
 * The mmap family, on a space that need not be the running one's. All: 0 or -errno of the manual
 * page, nothing changed on error (mprotect and munmap with holes as Linux does them); take vs->lock
 * for writing; may sleep.
 */
MUST_CHECK int vm_map(struct vmspace *vs, const struct vm_map_args *a, uint64_t *addr);
MUST_CHECK int vm_unmap(struct vmspace *vs, uint64_t addr, uint64_t len);
/* shmdt(2): takes out what is left of the attachment (VMA_ATTACHED) that was made at addr. */
MUST_CHECK int vm_detach(struct vmspace *vs, uint64_t addr);
MUST_CHECK int vm_protect(struct vmspace *vs, uint64_t addr, uint64_t len, uint32_t prot);
MUST_CHECK int vm_remap(struct vmspace *vs, uint64_t old, uint64_t old_len, uint64_t new_len,
			unsigned flags, uint64_t new_addr, uint64_t *out);
/* remap_file_pages(2), as Linux has it now: a new shared mapping of other pages of the same file.
 */
MUST_CHECK int vm_remap_file(struct vmspace *vs, uint64_t addr, uint64_t len, uint64_t pgoff,
			     bool nonblock);
MUST_CHECK int vm_brk(struct vmspace *vs, uint64_t brk,
		      uint64_t *out); /* out: the break that now holds */
MUST_CHECK int vm_advise(struct vmspace *vs, uint64_t addr, uint64_t len, int advice);
MUST_CHECK int vm_sync(struct vmspace *vs, uint64_t addr, uint64_t len, int flags);
MUST_CHECK int vm_mlock(struct vmspace *vs, uint64_t addr, uint64_t len, bool lock, bool on_fault);
MUST_CHECK int vm_mlockall(struct vmspace *vs, int flags);
MUST_CHECK int vm_munlockall(struct vmspace *vs);
MUST_CHECK int vm_mincore(struct vmspace *vs, uint64_t addr, uint64_t pages, uint8_t *vec);

/* Faults [addr, addr+len) in (MAP_POPULATE, mlock). 0 or -errno. Takes vs->lock for reading. */
MUST_CHECK int vm_populate(struct vmspace *vs, uint64_t addr, uint64_t len, bool for_write);

/*
 * Copies between kernel memory and any address space (exec's stack, /proc/PID/mem, process_vm_*,
 * core files). force        ignore missing PROT_WRITE/READ as ptrace does (private copies are made)
 *   returns      bytes copied, short at the first address that cannot be had; -EFAULT when none
 */
MUST_CHECK ssize64_t vm_access(struct vmspace *vs, uint64_t addr, void *buf, size_t n, bool write,
			       bool force);

/*
 * The page at addr, made to be written, of a space that nobody else reaches yet: exec builds a
 * stack in it. out, va      counted; its memory returns      0; -ENOMEM
 */
MUST_CHECK int vm_pin_new_page(struct vmspace *vs, uint64_t addr, struct page **out, char **va);

/*
 * Reads one page for a core file, whatever its protection.
 *   returns      false: there is nothing but zeroes, or nothing that could be read; buf is
 * undefined
 */
MUST_CHECK bool vm_dump_page(struct vmspace *vs, uint64_t va, void *buf);

/* What a futex word is, for every process that sees it: (object, byte offset), or (vmspace,
 * address). */
struct vm_futex_key {
	uintptr_t object; /* vmobject, or vmspace for private memory */
	uint64_t offset;
};
/* private_hint: FUTEX_PRIVATE_FLAG. The object is counted (vmobject_get) when *counted. -EFAULT,
 * -EINVAL. */
MUST_CHECK int vm_futex_key(uaddr_t addr, bool private_hint, struct vm_futex_key *out,
			    struct vmobject **counted);

/* One VMA's facts for /proc/PID/maps and smaps; the walk holds the lock for reading. */
int vm_for_each(struct vmspace *vs, uint64_t from,
		int (*fn)(void *ctx, struct vmspace *vs, struct vma *v), void *ctx);
struct vm_usage { /* bytes */
	uint64_t rss, pss, shared_clean, shared_dirty, private_clean, private_dirty, referenced,
		anonymous, lazyfree, anon_huge, locked;
	uint64_t pss_dirty, pss_anon, pss_file, pss_shmem; /* parts of pss */
};
/* /proc/PID/clear_refs: nothing of these VMAs has been used. Takes vs->lock for reading. */
void vm_clear_referenced(struct vmspace *vs, bool anon, bool files);
void vm_usage_locked(struct vmspace *vs, struct vma *v, struct vm_usage *out);

uint64_t vmspace_rss(const struct vmspace *vs);   /* pages */
uint64_t vmspace_hiwater_rss(struct vmspace *vs); /* pages: the most it ever was */

/*
 * Maps the clock's data page ("[vvar]") and, right behind it, the vDSO image ("[vdso]") near
 * `hint`, which the caller has randomised; vs->vdso says where the image went. returns      0;
 * -ENOMEM
 */
MUST_CHECK int vm_map_vdso(struct vmspace *vs, uint64_t hint);

/*
 * Resolves one access of the user to addr as a page fault would, in any address space.
 *   access       enum fault_flags: FAULT_WRITE, FAULT_EXEC
 *   returns      0; -EFAULT nothing there or not allowed; -ENOMEM; -EINTR killed meanwhile
 *   context      may sleep; takes vs->lock
 */
MUST_CHECK int vm_fault_in(struct vmspace *vs, uint64_t addr, unsigned access);

/* Commit accounting (vm.overcommit_memory): pages promised; 0 = heuristic, 1 = always, 2 = never.
 */
extern int vm_overcommit_mode, vm_overcommit_ratio;
extern uint64_t vm_overcommit_kbytes; /* not 0: the limit of mode 2, instead of the ratio */
extern uint64_t vm_max_map_count;     /* vm.max_map_count: VMAs per space */
extern uint64_t vm_mmap_min_addr;     /* vm.mmap_min_addr, bytes */
uint64_t vm_committed_pages(void);
MUST_CHECK int vm_commit(uint64_t pages); /* 0 or -ENOMEM */
void vm_uncommit(uint64_t pages);
/* /sys/kernel/mm/transparent_hugepage/enabled */
enum vm_huge_mode { VM_HUGE_ALWAYS, VM_HUGE_MADVISE, VM_HUGE_NEVER };
extern int vm_huge_mode;
uint64_t vm_huge_pages(void); /* mapped by 2 MiB leaves, counted for each leaf */
uint64_t vm_commit_limit_pages(void);

/*
 * The signal a user fault ends in: set by proc. Called without locks.
 *   sig          SIGSEGV (SEGV_MAPERR, SEGV_ACCERR) or SIGBUS (BUS_ADRERR); SIGKILL when out of
 * memory
 */
extern void (*vm_fault_signal)(struct regs *r, int sig, int code, uint64_t addr,
			       unsigned fault_code);

void vm_init(void);

/* Debug builds, `debug=selftest`: panics at the first failure; needs a second or two. Release
 * builds: nothing. From a kernel thread. */
#ifdef KEVLAR_DEBUG
void vm_selftest(void);
#else
static inline void vm_selftest(void)
{
}
#endif
