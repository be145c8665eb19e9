// sources: kernel/proc/elf.c kernel/lib/string.c
/* Any bytes as an ELF file and as a script: no overflow, and accepted plans are consistent. */
#include "abi/errno.h"
#include "lib/string.h"
#include "proc/elf.h"

#define USER_TOP 0x7ffffffff000ull
enum { MAX_PH = 64 };

static void check(bool ok)
{
	if (!ok)
		__builtin_trap();
}

static void try_script(const uint8_t *data, size_t n)
{
	struct script s;

	if (script_parse((const char *)data, n, &s))
		return;
	check(s.interp_len > 0 && s.interp + s.interp_len <= (const char *)data + n);
	check(s.arg == NULL || (s.arg_len > 0 && s.arg + s.arg_len <= (const char *)data + n));
}

static void check_segment(const struct elf_plan *p, const struct elf_segment *s)
{
	check(s->file_start <= s->file_end && s->anon_start <= s->anon_end);
	check(((s->file_start | s->file_end | s->anon_start | s->anon_end | s->file_off) & 0xfff) == 0);
	check(s->anon_end <= USER_TOP && s->file_start >= p->low && s->anon_end <= p->high);
	check(s->zero_start == s->zero_end || s->zero_end == s->file_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct elf_segment segments[MAX_PH];
	struct abi_elf64_phdr ph[MAX_PH];
	struct elf_plan p = { .segment = segments };
	struct abi_elf64_ehdr h;

	try_script(data, n);
	if (elf_check_header(data, n, EM_X86_64, &h) || h.e_phnum > MAX_PH)
		return 0;
	memset(ph, 0, sizeof(ph));
	memcpy(ph, data + sizeof(h), MIN(n - sizeof(h), sizeof(ph)));
	if (elf_plan_image(&h, ph, USER_TOP, &p))
		return 0;
	for (unsigned i = 0; i < p.nsegments; i++)
		check_segment(&p, &segments[i]);
	return 0;
}
