#include "proc/elf.h"

/*
 * ELF images as data: nothing is read or mapped here. A loadable segment becomes up to three pieces
 *of whole pages:
 *
 *	p_offset              + p_filesz
 *	  |-------- file --------|
 *	p_vaddr                  |                    p_vaddr + p_memsz
 *	..|======================|00000000|~~~~~~~~~~~~~~~|....
 *	^ file_start                      ^ file_end      ^ anon_end
 *	                          zero    anon_start
 *
 * The file is mapped page by page, so p_vaddr and p_offset must agree modulo the page size; what
 *lies before and behind the segment in its first and last page is the file's, except that a segment
 *with more memory than file has the rest of its last file page cleared, when it may be written at
 *all.
 *
 * Every sum is checked: the headers come from whoever made the file. Source: elf(5), gABI "Program
 *Header".
 */

#include "abi/errno.h"
#include "abi/mman.h"
#include "lib/checked.h"
#include "lib/string.h"

int elf_check_header(const void *buf, size_t n, uint16_t machine, struct abi_elf64_ehdr *out)
{
	struct abi_elf64_ehdr h;

	if (n < sizeof(h))
		return -ENOEXEC;
	memcpy(&h, buf, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if ((h.e_type != ET_EXEC && h.e_type != ET_DYN) || h.e_machine != machine)
		return -ENOEXEC;
	if (h.e_phentsize != sizeof(struct abi_elf64_phdr) || h.e_phnum == 0 ||
	    (size_t)h.e_phnum * sizeof(struct abi_elf64_phdr) > ELF_MAX_PHDR_BYTES)
		return -ENOEXEC;
	*out = h;
	return 0;
}

static uint32_t prot_of(uint32_t p_flags)
{
	return (p_flags & PF_R ? PROT_READ : 0u) | (p_flags & PF_W ? PROT_WRITE : 0u) |
	       (p_flags & PF_X ? PROT_EXEC : 0u);
}

static int check_load(const struct abi_elf64_phdr *ph, uint64_t user_end)
{
	uint64_t end;

	if (ph->p_filesz > ph->p_memsz)
		return -EINVAL;
	if (ph->p_filesz != 0 && ((ph->p_vaddr - ph->p_offset) & PAGE_MASK) != 0)
		return -EINVAL;
	if (range_exceeds(ph->p_vaddr, ph->p_memsz, user_end - PAGE_SIZE))
		return -ENOMEM;
	if (add_overflows(ph->p_offset, ph->p_filesz, &end) || end > INT64_MAX - PAGE_SIZE)
		return -EINVAL;
	return 0;
}

/* `taken`: end of the pages that the segments before it have; one without file bytes leaves a
 * shared page to them. */
static void make_segment(const struct abi_elf64_phdr *ph, uint64_t taken, struct elf_segment *s)
{
	uint64_t start = page_round_down(ph->p_vaddr), file_end = ph->p_vaddr + ph->p_filesz;
	uint64_t mem_end = ph->p_vaddr + ph->p_memsz;

	if (ph->p_filesz == 0 && start + PAGE_SIZE == taken)
		start = taken;
	memset(s, 0, sizeof(*s));
	s->prot = prot_of(ph->p_flags);
	s->file_start = s->file_end = s->anon_start = start;
	if (ph->p_filesz != 0) {
		s->file_off = page_round_down(ph->p_offset);
		s->file_end = s->anon_start = page_round_up(file_end);
	}
	s->anon_end = MAX(s->anon_start, page_round_up(mem_end));
	if (ph->p_filesz != 0 && mem_end > file_end && (s->prot & PROT_WRITE)) {
		s->zero_start = file_end;
		s->zero_end = s->file_end;
	}
}

static void note_bounds(const struct abi_elf64_phdr *ph, struct elf_plan *plan)
{
	uint64_t start = ph->p_vaddr, file_end = start + ph->p_filesz, end = start + ph->p_memsz;

	plan->low = MIN(plan->low, page_round_down(start));
	plan->high = MAX(plan->high, page_round_up(end));
	plan->brk = MAX(plan->brk, end);
	if (ph->p_flags & PF_X) {
		plan->code_start = MIN(plan->code_start, start);
		plan->code_end = MAX(plan->code_end, file_end);
	}
	plan->data_start = MAX(plan->data_start, start);
	plan->data_end = MAX(plan->data_end, file_end);
	if (ph->p_align > plan->align && (ph->p_align & (ph->p_align - 1)) == 0)
		plan->align = ph->p_align;
}

/* Where the program headers will be seen: in the segment that maps their part of the file. */
static void find_phdrs(const struct abi_elf64_ehdr *h, const struct abi_elf64_phdr *ph,
		       struct elf_plan *plan)
{
	if (h->e_phoff >= ph->p_offset && h->e_phoff - ph->p_offset < ph->p_filesz)
		plan->phdr_vaddr = h->e_phoff - ph->p_offset + ph->p_vaddr;
}

static int take_interp(const struct abi_elf64_phdr *ph, struct elf_plan *plan)
{
	enum { INTERP_MAX = 4096 };

	if (plan->has_interp)
		return 0; /* the first one counts */
	if (ph->p_filesz < 2 || ph->p_filesz > INTERP_MAX || ph->p_offset > INT64_MAX - INTERP_MAX)
		return -ENOEXEC;
	plan->has_interp = true;
	plan->interp_off = ph->p_offset;
	plan->interp_len = ph->p_filesz;
	return 0;
}

static int take_load(const struct abi_elf64_ehdr *h, const struct abi_elf64_phdr *ph,
		     uint64_t user_end, struct elf_plan *plan)
{
	int err;

	if (ph->p_memsz == 0 && ph->p_filesz == 0)
		return 0;
	if ((err = check_load(ph, user_end)))
		return err;
	make_segment(ph, plan->high, &plan->segment[plan->nsegments++]);
	note_bounds(ph, plan);
	if (plan->phdr_vaddr == 0)
		find_phdrs(h, ph, plan);
	return 0;
}

static int take(const struct abi_elf64_ehdr *h, const struct abi_elf64_phdr *ph, uint64_t user_end,
		struct elf_plan *plan)
{
	switch (ph->p_type) {
	case PT_LOAD:
		return take_load(h, ph, user_end, plan);
	case PT_INTERP:
		return take_interp(ph, plan);
	case PT_GNU_STACK:
		plan->exec_stack = ph->p_flags & PF_X;
		return 0;
	default:
		return 0;
	}
}

int elf_plan_image(const struct abi_elf64_ehdr *h, const struct abi_elf64_phdr *ph,
		   uint64_t user_end, struct elf_plan *plan)
{
	struct elf_segment *segment = plan->segment;
	int err;

	memset(plan, 0, sizeof(*plan));
	plan->segment = segment;
	plan->is_dyn = h->e_type == ET_DYN;
	plan->entry = h->e_entry;
	plan->phnum = h->e_phnum;
	plan->low = plan->code_start = UINT64_MAX;
	plan->align = PAGE_SIZE;
	for (unsigned i = 0; i < h->e_phnum; i++)
		if ((err = take(h, &ph[i], user_end, plan)))
			return err;
	if (plan->nsegments == 0)
		return -EINVAL;
	if (plan->code_start == UINT64_MAX)
		plan->code_start = plan->code_end = plan->low;
	/* One that is moved needs room for its whole extent. */
	if (plan->is_dyn && plan->high - plan->low > user_end / 2)
		return -ENOMEM;
	return 0;
}

/* --- scripts --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t skip_blanks(const char *s, size_t i, size_t end)
{
	while (i < end && is_blank(s[i]))
		i++;
	return i;
}

static size_t word_end(const char *s, size_t i, size_t end)
{
	while (i < end && !is_blank(s[i]) && s[i] != '\0')
		i++;
	return i;
}

int script_parse(const char *line, size_t n, struct script *out)
{
	struct script s = { 0 };
	size_t i, end = 2, interp_end;
	bool complete;

	if (n < 3 || line[0] != '#' || line[1] != '!')
		return -ENOEXEC;
	n = MIN(n, (size_t)SCRIPT_LINE_MAX);
	while (end < n && line[end] != '\n' && line[end] != '\0')
		end++;
	complete = end < n || n < SCRIPT_LINE_MAX;
	i = skip_blanks(line, 2, end);
	interp_end = word_end(line, i, end);
	if (interp_end == i || (!complete && interp_end == end))
		return -ENOEXEC;
	while (end > interp_end && is_blank(line[end - 1]))
		end--;
	s.interp = line + i;
	s.interp_len = interp_end - i;
	i = skip_blanks(line, interp_end, end);
	if (i < end) {
		s.arg = line + i;
		s.arg_len = end - i;
	}
	*out = s;
	return 0;
}
