#include "proc/exec_priv.h"

/*
 * From files to address space: opening with the checks of execve(2), reading and planning headers,
 * choosing addresses, mapping. It all happens in a new space that nobody runs in, so every failure
 * is an error of execve and the caller's image is untouched.
 *
 * Layout, downwards: stack (random), gap of RLIMIT_STACK, mmap_base (random) with the interpreter
 * right below it; a position-independent program at ARCH_PIE_BASE plus a random offset; the break
 * above the program, random as well. A program without interpreter that may go anywhere (ld.so
 * itself, static PIE) is loaded like an interpreter, and its break is in the program's place.
 */

#include <arch/elf.h>
#include <arch/page.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/mount.h"
#include "abi/personality.h"
#include "core/random.h"
#include "pmm/slab.h"
#include "vfs/cred.h"
#include "vfs/file.h"
#include "vfs/namei.h"
#include "vm/vmspace.h"

int exec_randomize_va_space = 2;

/* --- files --- */

static int check_executable(const struct path *p)
{
	struct inode *i = dentry_inode(p->dentry);

	if ((i->mode & S_IFMT) == S_IFLNK)
		return -ELOOP;
	if ((i->mode & S_IFMT) != S_IFREG || (p->mnt->flags & MS_NOEXEC))
		return -EACCES;
	return vfs_permission(p, current_cred(), PERM_EXEC);
}

int exec_open(int dirfd, const char *name, unsigned at_flags, struct file **out)
{
	unsigned flags = at_flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	struct path path;
	int err;

	if (at_flags & AT_EMPTY_PATH)
		flags |= WALK_EMPTY;
	if ((err = walk_path(dirfd, name, flags, &path)))
		return err;
	err = check_executable(&path);
	if (err == 0)
		err = file_open_path(&path, O_RDONLY, out);
	path_put(&path);
	return err;
}

static int read_exact(struct file *f, void *buf, size_t n, uint64_t off)
{
	ssize64_t got = file_read_kernel(f, buf, n, (off64_t)off);

	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -EIO;
}

static int read_phdrs(struct exec_elf *e, struct abi_elf64_phdr **out)
{
	size_t n = e->header.e_phnum, bytes = n * sizeof(**out);
	int err;

	e->segments = kmalloc(n * sizeof(*e->segments));
	*out = kmalloc(bytes);
	if (e->segments == NULL || *out == NULL)
		return -ENOMEM;
	if (e->header.e_phoff > INT64_MAX - bytes)
		return -ENOEXEC;
	err = read_exact(e->file, *out, bytes, e->header.e_phoff);
	if (err)
		return err == -ENOMEM || err == -EINTR ? err : -ENOEXEC;
	e->plan.segment = e->segments;
	return elf_plan_image(&e->header, *out, USER_END, &e->plan);
}

static int plan_file(struct exec_elf *e)
{
	struct abi_elf64_phdr *ph = NULL;
	int err = read_phdrs(e, &ph);

	kfree(ph);
	return err;
}

void exec_elf_put(struct exec_elf *e)
{
	kfree(e->segments);
	e->segments = NULL;
	if (e->file != NULL)
		file_put(e->file);
	e->file = NULL;
}

/* The interpreter's name must be a string within its segment. */
static int open_interp(struct exec *x)
{
	size_t len = x->prog.plan.interp_len;
	char *name = kmalloc(len);
	int err;

	if (name == NULL)
		return -ENOMEM;
	err = read_exact(x->prog.file, name, len, x->prog.plan.interp_off);
	if (err == 0 && name[len - 1] != '\0')
		err = -ENOEXEC;
	if (err == 0)
		err = exec_open(AT_FDCWD, name, 0, &x->interp.file);
	kfree(name);
	return err;
}

static int load_interp(struct exec *x)
{
	struct abi_elf64_ehdr raw;
	int err = open_interp(x);

	if (err)
		return err;
	if ((err = read_exact(x->interp.file, &raw, sizeof(raw), 0)))
		return err;
	if (elf_check_header(&raw, sizeof(raw), ARCH_ELF_MACHINE, &x->interp.header))
		return -ELIBBAD;
	err = plan_file(&x->interp);
	return err == -ENOEXEC ? -ELIBBAD : err;
}

int exec_load_headers(struct exec *x)
{
	int err = elf_check_header(x->line, x->line_len, ARCH_ELF_MACHINE, &x->prog.header);

	if (err)
		return err;
	if ((err = plan_file(&x->prog)))
		return err;
	return x->prog.plan.has_interp ? load_interp(x) : 0;
}

/* --- addresses --- */

static uint64_t random_pages(const struct exec *x, uint64_t n)
{
	return x->aslr && n != 0 ? (random_u64() % n) << PAGE_SHIFT : 0;
}

static void choose_layout(struct exec *x)
{
	const uint64_t stack_random = ((uint64_t)ARCH_STACK_RND_PAGES + 1) << PAGE_SHIFT;
	const uint64_t guard = 1ul << 20, min_gap = 128ul << 20, max_gap = USER_END / 6 * 5;
	uint64_t stack = process_rlimit(curproc(), RLIMIT_STACK);
	uint64_t gap = stack > max_gap ? max_gap : stack;
	struct vmspace *vs = x->vs;

	x->stack_top = ARCH_STACK_TOP - random_pages(x, (uint64_t)ARCH_STACK_RND_PAGES + 1);
	gap = MIN(MAX(gap + stack_random + guard, min_gap), max_gap);
	vs->mmap_base =
		page_round_down(ARCH_STACK_TOP - gap - random_pages(x, 1ul << ARCH_MMAP_RND_BITS));
	vs->legacy_layout = stack == RLIM_INFINITY || (curtask()->personality & ADDR_COMPAT_LAYOUT);
	vs->stack_top = x->stack_top;
}

/* Right below mmap_base, where a top-down mmap would put it; with the old layout, a third up. */
static uint64_t library_bias(const struct exec *x, const struct elf_plan *p)
{
	uint64_t size = p->high - p->low;
	uint64_t base = x->vs->legacy_layout ? ALIGN_UP((uint64_t)USER_END / 3, p->align)
					     : ALIGN_DOWN(x->vs->mmap_base - size, p->align);

	return base - p->low;
}

static void choose_bias(struct exec *x)
{
	const struct elf_plan *p = &x->prog.plan;

	x->prog.bias = 0;
	if (p->is_dyn && x->interp.file != NULL)
		x->prog.bias =
			ALIGN_DOWN(ARCH_PIE_BASE + random_pages(x, 1ul << ARCH_MMAP_RND_BITS),
				   p->align) -
			p->low;
	else if (p->is_dyn)
		x->prog.bias = library_bias(x, p);
	if (x->interp.file != NULL)
		x->interp.bias = x->interp.plan.is_dyn ? library_bias(x, &x->interp.plan) : 0;
}

static void choose_brk(struct exec *x)
{
	const struct elf_plan *p = &x->prog.plan;
	uint64_t brk = page_round_up(p->brk + x->prog.bias);

	if (p->is_dyn && x->interp.file == NULL && x->aslr && exec_randomize_va_space > 1)
		brk = ARCH_PIE_BASE;
	if (exec_randomize_va_space > 1)
		brk += random_pages(x, ARCH_BRK_RND_PAGES);
	x->vs->brk_start = x->vs->brk = brk;
}

/* --- mapping --- */

static int map_file_part(struct vmspace *vs, const struct exec_elf *e, const struct elf_segment *s)
{
	struct vm_map_args a = {
		.addr = s->file_start + e->bias,
		.len = s->file_end - s->file_start,
		.prot = s->prot,
		.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
		.how = VM_MAP_FIXED | VM_MAP_NO_LIMITS,
		.pgoff = s->file_off >> PAGE_SHIFT,
		.file = e->file,
	};
	uint64_t addr;
	int err;

	if (a.len == 0)
		return 0;
	if (e->file->ops->mmap == NULL)
		return -ENOEXEC;
	if ((err = e->file->ops->mmap(e->file, &a)))
		return err;
	return vm_map(vs, &a, &addr);
}

static int clear_tail(struct vmspace *vs, const struct exec_elf *e, const struct elf_segment *s)
{
	static const uint8_t zeroes[PAGE_SIZE];
	uint64_t at = s->zero_start + e->bias, end = s->zero_end + e->bias;

	while (at < end) {
		size_t n = MIN(end - at, sizeof(zeroes));
		ssize64_t done = vm_access(vs, at, (void *)(uintptr_t)zeroes, n, true, false);

		if (done <= 0)
			return done == -ENOMEM ? -ENOMEM : -EIO;
		at += (uint64_t)done;
	}
	return 0;
}

static int map_anon_part(struct vmspace *vs, const struct exec_elf *e, const struct elf_segment *s)
{
	struct vm_map_args a = {
		.addr = s->anon_start + e->bias,
		.len = s->anon_end - s->anon_start,
		.prot = s->prot,
		.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
		.how = VM_MAP_FIXED | VM_MAP_NO_LIMITS,
	};
	uint64_t addr;

	return a.len == 0 ? 0 : vm_map(vs, &a, &addr);
}

static int map_elf(struct vmspace *vs, const struct exec_elf *e)
{
	int err = 0;

	if (e->plan.high + e->bias > USER_END - PAGE_SIZE)
		return -ENOMEM;
	for (unsigned i = 0; i < e->plan.nsegments && err == 0; i++) {
		const struct elf_segment *s = &e->plan.segment[i];

		err = map_file_part(vs, e, s);
		if (err == 0)
			err = map_anon_part(vs, e, s);
		if (err == 0)
			err = clear_tail(vs, e, s);
	}
	return err;
}

static void note_sections(struct exec *x)
{
	const struct elf_plan *p = &x->prog.plan;
	uint64_t bias = x->prog.bias;

	x->vs->code_start = p->code_start + bias;
	x->vs->code_end = p->code_end + bias;
	x->vs->data_start = p->data_start + bias;
	x->vs->data_end = p->data_end + bias;
}

int exec_build_space(struct exec *x)
{
	const struct exec_elf *first = x->interp.file != NULL ? &x->interp : &x->prog;
	int err = vmspace_create(&x->vs);

	if (err)
		return err;
	limits_to_vmspace(curproc(), x->vs);
	choose_layout(x);
	choose_bias(x);
	if ((err = map_elf(x->vs, &x->prog)))
		return err;
	if (x->interp.file != NULL && (err = map_elf(x->vs, &x->interp)))
		return err;
	note_sections(x);
	choose_brk(x);
	x->entry = first->plan.entry + first->bias;
	if (x->entry >= USER_END)
		return -EINVAL;
	return vm_map_vdso(x->vs, x->stack_top + PAGE_SIZE + random_pages(x, 512));
}
