#pragma once

/* What to map for an ELF file: pure functions from its headers (elf.c). And the first line of a
 * script. */

#include "abi/elf.h"
#include "lib/types.h"

enum { ELF_MAX_PHDR_BYTES = 65536 };

/* One piece of the image; addresses before the load bias is added, page aligned but for zero_*. */
struct elf_segment {
	uint64_t file_start, file_end; /* mapped from the file; equal: nothing is */
	uint64_t file_off;             /* bytes, page aligned: of file_start */
	uint64_t zero_start, zero_end; /* of the file's last page, to be cleared; equal: nothing */
	uint64_t anon_start, anon_end; /* zero-filled memory after it; equal: none */
	uint32_t prot;                 /* PROT_* */
};

struct elf_plan {
	bool is_dyn; /* ET_DYN: may be loaded anywhere */
	bool has_interp;
	bool exec_stack;     /* PT_GNU_STACK asks for it */
	uint64_t entry;      /* 0 only if the file says so */
	uint64_t phdr_vaddr; /* of the program headers in memory; 0: not mapped */
	uint16_t phnum;
	uint64_t interp_off, interp_len; /* bytes in the file, NUL included */
	uint64_t low, high;              /* page-aligned span of all segments */
	uint64_t align; /* largest p_align of a segment, at least a page, a power of two */
	uint64_t brk;   /* end of the highest segment, not rounded */
	uint64_t code_start, code_end, data_start, data_end;
	unsigned nsegments;
	struct elf_segment *segment; /* the caller's, room for phnum */
};

/*
 * Checks a file header.
 *   buf, n       the first bytes of the file, 64 at least (zeroes beyond its end)
 *   returns      0; -ENOEXEC not an ELF64 file for `machine` that could be executed
 */
MUST_CHECK int elf_check_header(const void *buf, size_t n, uint16_t machine,
				struct abi_elf64_ehdr *out);

/*
 * Plans the image.
 *   h            checked
 *   ph           h->e_phnum program headers
 *   user_end     addresses end here
 *   plan         in: segment points to room for h->e_phnum entries
 *   returns      0; -ENOEXEC nonsense; -EINVAL no or inconsistent segments; -ENOMEM beyond the
 * address space source       elf(5), System V gABI chapter 5
 */
MUST_CHECK int elf_plan_image(const struct abi_elf64_ehdr *h, const struct abi_elf64_phdr *ph,
			      uint64_t user_end, struct elf_plan *plan);

enum { SCRIPT_LINE_MAX = 256 };

struct script {
	const char *interp, *arg;   /* into the line; arg NULL: none */
	size_t interp_len, arg_len; /* bytes; there are no NULs behind them */
};

/*
 * Parses "#!interp [arg]".
 *   line, n      the first bytes of the file, SCRIPT_LINE_MAX of them unless it is shorter
 *   returns      0; -ENOEXEC no such line, or the interpreter's name does not end within it
 *   source       execve(2) "Interpreter scripts"
 */
MUST_CHECK int script_parse(const char *line, size_t n, struct script *out);
