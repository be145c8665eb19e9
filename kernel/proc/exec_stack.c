#include "proc/exec_priv.h"

/*
 * The stack a program starts on, from its top down:
 *
 *	stack_top     8 bytes of zero
 *	              the name given to execve         AT_EXECFN
 *	env_end       strings of the environment
 *	arg_end       strings of the arguments
 *	arg_start     (random gap) "x86_64"            AT_PLATFORM
 *	              16 random bytes                  AT_RANDOM
 *	              auxiliary vector, envp[], argv[]
 *	sp            argc                             16-byte aligned
 *
 * It is written into the new address space page by page. Source: x86-64 psABI 3.4.1,
 *getauxval(3).
 */

#include <arch/elf.h>

#include "abi/auxv.h"
#include "abi/errno.h"
#include "abi/mman.h"
#include "core/random.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "vfs/cred.h"
#include "vm/vmspace.h"

enum { AUXV_MAX = 32, STACK_EXTRA = 128 << 10, RSEQ_FEATURE_SIZE = 20, RSEQ_ALIGN = 32 };

/* Where the new stack is being written: one of its pages at a time, through the kernel's own
 * mapping.
 */
struct window {
	struct vmspace *vs;
	struct page *page; /* counted; NULL: none yet */
	uint64_t base;     /* the user's address of that page */
	char *va;
	uint64_t next; /* where the next word goes */
	int err;
};

static void window_close(struct window *w)
{
	if (w->page != NULL)
		page_put(w->page);
	w->page = NULL;
}

static NOINLINE bool window_move(struct window *w, uint64_t addr)
{
	window_close(w);
	if (w->err == 0)
		w->err = vm_pin_new_page(w->vs, addr, &w->page, &w->va);
	w->base = page_round_down(addr);
	return w->err == 0;
}

/* True: the page of addr is there to be written. */
static inline bool window_at(struct window *w, uint64_t addr)
{
	return LIKELY(w->page != NULL && page_round_down(addr) == w->base) || window_move(w, addr);
}

static int write_mem(struct window *w, uint64_t addr, const void *p, size_t n)
{
	const char *from = p;

	while (n > 0) {
		size_t off = addr & PAGE_MASK, part = MIN(n, PAGE_SIZE - off);

		if (!window_at(w, addr))
			return w->err;
		memcpy(w->va + off, from, part);
		addr += part;
		from += part;
		n -= part;
	}
	return 0;
}

static void put_word(struct window *w, uint64_t v)
{
	if (window_at(w, w->next))
		*(uint64_t *)(void *)(w->va + (w->next & PAGE_MASK)) = v;
	w->next += sizeof(v);
}

struct places {
	uint64_t execfn, env, args, platform, random;
	uint64_t argc, envc; /* of the new program */
	uint64_t skip;       /* bytes of the stream that are left out */
};

static void find_places(struct exec *x, struct places *p)
{
	const struct exec_strings *s = &x->strings;
	uint64_t at = x->stack_top - sizeof(uint64_t);

	p->skip = s->skip_first ? exec_strings_first_len(s) : 0;
	p->argc = s->argc + s->nhead - (s->skip_first ? 1 : 0);
	p->envc = s->envc;
	p->execfn = at -= strlen(x->filename) + 1;
	p->env = at -= s->bytes - s->argv_bytes;
	p->args = at -= s->argv_bytes - p->skip + s->head_bytes;
	if (x->aslr)
		at -= random_u64() % 8192;
	p->platform = at = ALIGN_DOWN(at, 16ul) - ALIGN_UP(sizeof(ARCH_ELF_PLATFORM), 16ul);
	p->random = at - 16;
}

/* --- strings --- */

static int write_stream(struct exec *x, struct window *w, uint64_t addr, uint64_t skip)
{
	struct exec_cursor c;
	const char *p;
	size_t n;
	int err;

	exec_cursor_init(&c, &x->strings);
	if (skip > 0)
		exec_cursor_skip_string(&c);
	while ((n = exec_cursor_next(&c, PAGE_SIZE, &p)) != 0) {
		if ((err = write_mem(w, addr, p, n)))
			return err;
		addr += n;
	}
	return 0;
}

static int write_strings(struct exec *x, struct window *w, const struct places *p)
{
	const struct exec_strings *s = &x->strings;
	uint64_t addr = p->args;
	uint8_t random[16];
	int err;

	for (unsigned i = 0; i < s->nhead; i++) {
		size_t n = strlen(s->head[i]) + 1;

		if ((err = write_mem(w, addr, s->head[i], n)))
			return err;
		addr += n;
	}
	if ((err = write_stream(x, w, addr, p->skip)))
		return err;
	if ((err = write_mem(w, p->execfn, x->filename, strlen(x->filename) + 1)))
		return err;
	if ((err = write_mem(w, p->platform, ARCH_ELF_PLATFORM, sizeof(ARCH_ELF_PLATFORM))))
		return err;
	random_bytes(random, sizeof(random));
	return write_mem(w, p->random, random, sizeof(random));
}

/* --- vectors --- */

static void put_aux(struct vmspace *vs, uint64_t type, uint64_t v)
{
	KASSERT(vs->nauxv + 2 <= 2 * AUXV_MAX);
	vs->auxv[vs->nauxv++] = type;
	vs->auxv[vs->nauxv++] = v;
}

static void make_auxv(struct exec *x, const struct places *p)
{
	const struct elf_plan *plan = &x->prog.plan;
	const struct cred *c = x->cred;
	struct vmspace *vs = x->vs;

	vs->nauxv = 0;
	if (vs->vdso != 0)
		put_aux(vs, AT_SYSINFO_EHDR, vs->vdso);
	put_aux(vs, AT_MINSIGSTKSZ, arch_minsigstksz());
	put_aux(vs, AT_HWCAP, arch_hwcap());
	put_aux(vs, AT_PAGESZ, PAGE_SIZE);
	put_aux(vs, AT_CLKTCK, USER_HZ);
	put_aux(vs, AT_PHDR, plan->phdr_vaddr ? plan->phdr_vaddr + x->prog.bias : 0);
	put_aux(vs, AT_PHENT, sizeof(struct abi_elf64_phdr));
	put_aux(vs, AT_PHNUM, plan->phnum);
	put_aux(vs, AT_BASE, x->interp.file != NULL ? x->interp.bias : 0);
	put_aux(vs, AT_FLAGS, 0);
	put_aux(vs, AT_ENTRY, plan->entry + x->prog.bias);
	put_aux(vs, AT_UID, c->uid);
	put_aux(vs, AT_EUID, c->euid);
	put_aux(vs, AT_GID, c->gid);
	put_aux(vs, AT_EGID, c->egid);
	put_aux(vs, AT_SECURE, x->secure);
	put_aux(vs, AT_RANDOM, p->random);
	put_aux(vs, AT_HWCAP2, arch_hwcap2());
	put_aux(vs, AT_EXECFN, p->execfn);
	put_aux(vs, AT_PLATFORM, p->platform);
	put_aux(vs, AT_RSEQ_FEATURE_SIZE, RSEQ_FEATURE_SIZE);
	put_aux(vs, AT_RSEQ_ALIGN, RSEQ_ALIGN);
	put_aux(vs, AT_NULL, 0);
}

static void put_pointers(struct window *w, struct exec_cursor *c, uint64_t *addr, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		put_word(w, *addr);
		*addr += exec_cursor_skip_string(c);
	}
	put_word(w, 0);
}

static void put_vectors(struct exec *x, const struct places *p, struct window *w)
{
	const struct exec_strings *s = &x->strings;
	struct exec_cursor c;
	uint64_t addr = p->args;

	put_word(w, p->argc);
	for (unsigned i = 0; i < s->nhead; i++) {
		put_word(w, addr);
		addr += strlen(s->head[i]) + 1;
	}
	exec_cursor_init(&c, s);
	if (p->skip > 0)
		exec_cursor_skip_string(&c);
	put_pointers(w, &c, &addr, p->argc - s->nhead);
	put_pointers(w, &c, &addr, p->envc);
	for (unsigned i = 0; i < x->vs->nauxv; i++)
		put_word(w, x->vs->auxv[i]);
}

/* --- the mapping --- */

static int map_stack(struct exec *x)
{
	uint64_t need = x->stack_top - page_round_down(x->sp);
	uint64_t limit = page_round_down(process_rlimit(curproc(), RLIMIT_STACK));
	uint64_t size = MAX(need, MIN(need + STACK_EXTRA, limit)), addr;
	struct vm_map_args a = {
		.addr = x->stack_top - size,
		.len = size,
		.prot = PROT_READ | PROT_WRITE | (x->prog.plan.exec_stack ? PROT_EXEC : 0u),
		.max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
		.vma_flags = VMA_GROWSDOWN | VMA_STACK,
		.how = VM_MAP_FIXED | VM_MAP_NOREPLACE | VM_MAP_NO_LIMITS,
		.name = "[stack]",
	};

	if (need > limit)
		return -E2BIG;
	return vm_map(x->vs, &a, &addr);
}

int exec_build_stack(struct exec *x)
{
	struct vmspace *vs = x->vs;
	struct places p;
	struct window w = { .vs = vs };
	uint64_t words;
	int err;

	find_places(x, &p);
	vs->arg_start = p.args;
	vs->arg_end = vs->env_start = p.env;
	vs->env_end = p.execfn;
	words = 1 + p.argc + 1 + p.envc + 1 + 2 * AUXV_MAX;
	x->sp = ALIGN_DOWN(p.random - words * sizeof(uint64_t), 16ul);
	w.next = x->sp;
	if ((err = map_stack(x)))
		return err;
	make_auxv(x, &p);
	if ((err = write_strings(x, &w, &p)) == 0) {
		put_vectors(x, &p, &w);
		err = w.err;
	}
	window_close(&w);
	return err;
}
