// sources: kernel/proc/elf.c kernel/lib/string.c
/* The ELF planner and the script line: by cases, then by mutated images against what a plan must always hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "abi/errno.h"
#include "abi/mman.h"
#include "lib/string.h"
#include "proc/elf.h"

#define USER_TOP 0x7ffffffff000ull
enum { NPH = 8 };

struct image {
	struct abi_elf64_ehdr h;
	struct abi_elf64_phdr ph[NPH];
};

static struct image make(uint16_t type, unsigned n)
{
	struct image m = { 0 };

	memcpy(m.h.e_ident, ELFMAG, SELFMAG);
	m.h.e_ident[EI_CLASS] = ELFCLASS64;
	m.h.e_ident[EI_DATA] = ELFDATA2LSB;
	m.h.e_type = type;
	m.h.e_machine = EM_X86_64;
	m.h.e_entry = 0x401000;
	m.h.e_phoff = sizeof(m.h);
	m.h.e_phentsize = sizeof(m.ph[0]);
	m.h.e_phnum = (uint16_t)n;
	return m;
}

static struct abi_elf64_phdr load(uint64_t off, uint64_t va, uint64_t filesz, uint64_t memsz, uint32_t flags)
{
	return (struct abi_elf64_phdr){ .p_type = PT_LOAD, .p_flags = flags, .p_offset = off, .p_vaddr = va,
					.p_filesz = filesz, .p_memsz = memsz, .p_align = 0x1000 };
}

static int plan(const struct image *m, struct elf_plan *p, struct elf_segment *s)
{
	struct abi_elf64_ehdr h;
	int err = elf_check_header(m, sizeof(*m), EM_X86_64, &h);

	p->segment = s;
	return err ? err : elf_plan_image(&h, m->ph, USER_TOP, p);
}

static void headers(void **state)
{
	struct image m = make(ET_EXEC, 1);
	struct abi_elf64_ehdr h;

	(void)state;
	assert_int_equal(elf_check_header(&m, sizeof(m), EM_X86_64, &h), 0);
	assert_int_equal(elf_check_header(&m, 63, EM_X86_64, &h), -ENOEXEC);
	assert_int_equal(elf_check_header(&m, sizeof(m), EM_AARCH64, &h), -ENOEXEC);
	m.h.e_phentsize = 32;
	assert_int_equal(elf_check_header(&m, sizeof(m), EM_X86_64, &h), -ENOEXEC);
	m = make(ET_REL, 1);
	assert_int_equal(elf_check_header(&m, sizeof(m), EM_X86_64, &h), -ENOEXEC);
	m = make(ET_EXEC, 0);
	assert_int_equal(elf_check_header(&m, sizeof(m), EM_X86_64, &h), -ENOEXEC);
	m = make(ET_EXEC, 1);
	m.h.e_phnum = 1171; /* 65576 bytes */
	assert_int_equal(elf_check_header(&m, sizeof(m), EM_X86_64, &h), -ENOEXEC);
	m = make(ET_EXEC, 1);
	m.h.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(elf_check_header(&m, sizeof(m), EM_X86_64, &h), -ENOEXEC);
}

static void ordinary(void **state)
{
	struct image m = make(ET_EXEC, 4);
	struct elf_segment s[NPH];
	struct elf_plan p;

	(void)state;
	m.ph[0] = load(0, 0x400000, 0x518, 0x518, PF_R);
	m.ph[1] = load(0x1000, 0x401000, 0x8b21, 0x8b21, PF_R | PF_X);
	m.ph[2] = load(0xa698, 0x40b698, 0x1bf8, 0x3bc8, PF_R | PF_W);
	m.ph[3] = (struct abi_elf64_phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
	assert_int_equal(plan(&m, &p, s), 0);
	assert_int_equal(p.nsegments, 3);
	assert_false(p.is_dyn || p.has_interp || p.exec_stack);
	assert_int_equal(p.phdr_vaddr, 0x400040);
	assert_int_equal(p.low, 0x400000);
	assert_int_equal(p.high, 0x410000);
	assert_int_equal(p.brk, 0x40b698 + 0x3bc8);
	assert_int_equal(s[1].prot, PROT_READ | PROT_EXEC);
	assert_int_equal(s[1].file_end, 0x40a000);
	assert_int_equal(s[2].file_start, 0x40b000);
	assert_int_equal(s[2].file_off, 0xa000);
	assert_int_equal(s[2].zero_start, 0x40b698 + 0x1bf8);
	assert_int_equal(s[2].zero_end, 0x40e000);
	assert_int_equal(s[2].anon_start, 0x40e000);
	assert_int_equal(s[2].anon_end, 0x410000);
}

static void interp_and_stack(void **state)
{
	struct image m = make(ET_DYN, 3);
	struct elf_segment s[NPH];
	struct elf_plan p;

	(void)state;
	m.ph[0] = (struct abi_elf64_phdr){ .p_type = PT_INTERP, .p_offset = 0x318, .p_filesz = 28 };
	m.ph[1] = load(0, 0, 0x1000, 0x1000, PF_R | PF_X);
	m.ph[2] = (struct abi_elf64_phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W | PF_X };
	assert_int_equal(plan(&m, &p, s), 0);
	assert_true(p.is_dyn && p.has_interp && p.exec_stack);
	assert_int_equal(p.interp_off, 0x318);
	assert_int_equal(p.interp_len, 28);
	m.ph[0].p_filesz = 1;
	assert_int_equal(plan(&m, &p, s), -ENOEXEC);
	m.ph[0].p_filesz = 4097;
	assert_int_equal(plan(&m, &p, s), -ENOEXEC);
}

static void nonsense(void **state)
{
	struct elf_segment s[NPH];
	struct elf_plan p;
	struct image m = make(ET_EXEC, 1);

	(void)state;
	assert_int_equal(plan(&m, &p, s), -EINVAL); /* nothing to load */
	m.ph[0] = load(0, 0x400000, 0x2000, 0x1000, PF_R);
	assert_int_equal(plan(&m, &p, s), -EINVAL);
	m.ph[0] = load(0x10, 0x400000, 0x1000, 0x1000, PF_R);
	assert_int_equal(plan(&m, &p, s), -EINVAL);
	m.ph[0] = load(0, 0x400000, 0x1000, ~0ull, PF_R);
	assert_int_equal(plan(&m, &p, s), -ENOMEM);
	m.ph[0] = load(0, ~0xfffull, 0x1000, 0x1000, PF_R);
	assert_int_equal(plan(&m, &p, s), -ENOMEM);
	m.ph[0] = load(~0xfffull, 0x400000, 0x1000, 0x1000, PF_R);
	assert_int_equal(plan(&m, &p, s), -EINVAL);
	m.ph[0] = load(0, 0x1000, 0, 0x600000000000, PF_R | PF_W);
	assert_int_equal(plan(&m, &p, s), 0); /* where it says, and no further */
	m = make(ET_DYN, 1);
	m.ph[0] = load(0, 0x1000, 0, 0x600000000000, PF_R | PF_W);
	assert_int_equal(plan(&m, &p, s), -ENOMEM); /* more than half of everything */
}

static void bss_only_segment_spares_the_shared_page(void **state)
{
	struct image m = make(ET_EXEC, 2);
	struct elf_segment s[NPH];
	struct elf_plan p;

	(void)state;
	m.ph[0] = load(0, 0x400000, 0x1800, 0x1800, PF_R | PF_W);
	m.ph[1] = load(0x1800, 0x401900, 0, 0x2000, PF_R | PF_W);
	assert_int_equal(plan(&m, &p, s), 0);
	assert_int_equal(s[1].anon_start, 0x402000);
	assert_int_equal(s[1].anon_end, 0x404000);
}

/* --- scripts --- */

static int script(const char *line, struct script *out)
{
	return script_parse(line, strlen(line), out);
}

static void scripts(void **state)
{
	struct script s;
	char line[300];

	(void)state;
	assert_int_equal(script("#!/bin/sh\necho", &s), 0);
	assert_int_equal(s.interp_len, 7);
	assert_null(s.arg);
	assert_int_equal(script("#! \t/bin/sh -e  -x \t\n", &s), 0);
	assert_memory_equal(s.interp, "/bin/sh", 7);
	assert_int_equal(s.arg_len, 6);
	assert_memory_equal(s.arg, "-e  -x", 6);
	assert_int_equal(script("#!/bin/sh", &s), 0); /* a file without newline */
	assert_int_equal(script("#!\n/bin/sh", &s), -ENOEXEC);
	assert_int_equal(script("#!   \n", &s), -ENOEXEC);
	assert_int_equal(script("#/bin/sh\n", &s), -ENOEXEC);
	assert_int_equal(script("#!", &s), -ENOEXEC);
	memset(line, 'x', sizeof(line));
	memcpy(line, "#!/", 3);
	assert_int_equal(script_parse(line, sizeof(line), &s), -ENOEXEC); /* the name is cut */
	line[100] = ' ';
	assert_int_equal(script_parse(line, sizeof(line), &s), 0); /* only the argument is */
	assert_int_equal(s.arg_len, SCRIPT_LINE_MAX - 101);
}

/* --- mutation: whatever comes in, an accepted plan is consistent --- */

static uint64_t rnd_state = 88172645463325252ull;

static uint64_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	return rnd_state ^= rnd_state << 17;
}

static void check_plan(const struct elf_plan *p)
{
	for (unsigned i = 0; i < p->nsegments; i++) {
		const struct elf_segment *s = &p->segment[i];

		assert_true(s->file_start <= s->file_end && s->anon_start <= s->anon_end);
		assert_true(s->file_start == s->file_end || s->file_end == s->anon_start);
		assert_int_equal((s->file_start | s->file_end | s->anon_start | s->anon_end | s->file_off) & 0xfff, 0);
		assert_true(s->anon_end <= USER_TOP && s->file_start >= p->low && s->anon_end <= p->high);
		assert_true(s->zero_start <= s->zero_end && s->zero_end - s->zero_start < 0x1000);
		assert_true(s->zero_start == s->zero_end || s->zero_end == s->file_end);
	}
	assert_true(p->low < p->high && p->brk <= p->high);
	assert_int_equal(p->align & (p->align - 1), 0);
}

static void mutated(void **state)
{
	static const uint64_t edges[] = { 0, 1, 0xfff, 0x1000, 0x7fffffffffff, 0x7ffffffff000, INT64_MAX,
					  1ull << 63, ~0ull, ~0xfffull };
	struct elf_segment s[NPH];
	struct elf_plan p;
	unsigned accepted = 0;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		struct image m = make(rnd() & 1 ? ET_DYN : ET_EXEC, NPH);
		uint64_t *word = (uint64_t *)m.ph;

		for (unsigned i = 0; i < NPH; i++)
			m.ph[i] = load(i * 0x2000, 0x400000 + i * 0x2000, 0x1800, 0x1800 + (rnd() & 0x7ff),
				       (uint32_t)(rnd() & 7));
		for (unsigned n = (unsigned)(rnd() % 4); n > 0; n--)
			word[rnd() % (sizeof(m.ph) / 8)] = rnd() & 1 ? edges[rnd() % 10] : rnd() >> (rnd() & 63);
		if (plan(&m, &p, s) == 0) {
			check_plan(&p);
			accepted++;
		}
	}
	assert_true(accepted > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(ordinary),
		cmocka_unit_test(interp_and_stack),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(bss_only_segment_spares_the_shared_page),
		cmocka_unit_test(scripts),
		cmocka_unit_test(mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
