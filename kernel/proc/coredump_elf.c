#include "proc/coredump_priv.h"

/*
 * The core file itself: an ELF file of type ET_CORE with one PT_NOTE, which says what the process
 * and each of its threads were doing, and one PT_LOAD per mapping. The layout is planned first
 * (which mappings, how much of each, which notes), then written from front to back without going
 * back, so that a pipe takes it as well as a file. Pages that nobody ever touched become holes.
 *
 * Source: core(5), elf(5), System V gABI chapter 5; the notes as gdb reads them.
 */

#include <arch/context.h>
#include <arch/elf.h>
#include <arch/page.h>

#include "abi/core.h"
#include "abi/elf.h"
#include "abi/errno.h"
#include "abi/mman.h"
#include "abi/stat.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/exit.h"
#include "proc/proc_priv.h"
#include "sched/sched.h"
#include "vfs/cred.h"
#include "vfs/file.h"
#include "vfs/walk.h"
#include "vm/vmspace.h"

enum { FILE_NOTE_BYTES = 64 << 10, FILE_NOTE_MAX = 4 << 20, NOTE_NAME_MAX = 8 };

struct segment {
	uint64_t start, end, dumped; /* bytes; `dumped` of them are in the file */
	uint32_t prot;
	bool if_elf; /* only when it begins as an ELF file does */
};

struct core {
	struct core_out *out;
	struct vmspace *vs;
	const struct abi_siginfo *si;
	struct segment *segment;
	unsigned nsegments, room;
	struct task **task; /* the dumper first; they stand still */
	unsigned ntasks;
	struct textbuf file_table, file_names; /* NT_FILE's two halves */
	uint64_t nfiles;
	char *path_buf;
	uint8_t *page;
};

/* --- output --- */

bool core_emit(struct core_out *o, const void *data, size_t n)
{
	const char *p = data;

	if (o->failed || n > o->limit || o->pos > o->limit - n)
		o->failed = true;
	while (!o->failed && n > 0) {
		ssize64_t done = file_write_kernel(o->file, p, n, (off64_t)o->pos);

		if (done <= 0) {
			o->failed = true;
			break;
		}
		p += done;
		n -= (size_t)done;
		o->pos += (uint64_t)done;
	}
	return !o->failed;
}

bool core_skip(struct core_out *o, uint64_t n)
{
	static const char zeroes[4096];

	if (!o->is_pipe) {
		if (n > o->limit || o->pos > o->limit - n)
			o->failed = true;
		if (!o->failed)
			o->pos += n;
		return !o->failed;
	}
	while (n > 0) {
		size_t part = MIN(n, sizeof(zeroes));

		if (!core_emit(o, zeroes, part))
			return false;
		n -= part;
	}
	return true;
}

/* --- which mappings --- */

static bool has_pages_of_its_own(struct vmspace *vs, struct vma *v)
{
	struct vm_usage u = { 0 };

	if (v->object != NULL && !v->has_private)
		return false;
	vm_usage_locked(vs, v, &u);
	return u.anonymous > 0;
}

static bool may_begin_with_elf(const struct vma *v)
{
	return v->pgoff == 0 && (v->prot & PROT_READ);
}

/* How many bytes of v belong into the file: core(5) "Controlling which mappings …". */
static uint64_t bytes_to_dump(struct vmspace *vs, struct vma *v, bool *if_elf)
{
	uint64_t all = v->end - v->start;
	uint32_t filter = vs->dump_filter;

	if (v->flags & VMA_DONTDUMP)
		return 0;
	if (v->flags & VMA_SPECIAL)
		return all; /* the vDSO, whose symbols are nowhere else */
	if (v->file != NULL && (v->file->inode->mode & S_IFMT) == S_IFCHR && v->object != NULL)
		return 0;
	if (v->flags & VMA_SHARED) {
		bool named = v->file != NULL && v->file->inode->nlink > 0;

		return filter & (named ? CORE_MAPPED_SHARED : CORE_ANON_SHARED) ? all : 0;
	}
	if ((filter & CORE_ANON_PRIVATE) && has_pages_of_its_own(vs, v))
		return all;
	if (v->file == NULL)
		return 0;
	if (filter & CORE_MAPPED_PRIVATE)
		return all;
	*if_elf = (filter & CORE_ELF_HEADERS) && may_begin_with_elf(v);
	return *if_elf ? PAGE_SIZE : 0;
}

static void note_file(struct core *c, const struct vma *v)
{
	uint64_t row[3] = { v->start, v->end, v->pgoff };
	struct path root;
	char *name;

	current_root(&root);
	name = path_format(&v->file->path, &root, c->path_buf, PATH_MAX_BYTES);
	path_put(&root);
	if (name == NULL)
		return;
	text_n(&c->file_table, (const char *)row, sizeof(row));
	text_n(&c->file_names, name, strlen(name) + 1);
	c->nfiles++;
}

static int plan_vma(void *ctx, struct vmspace *vs, struct vma *v)
{
	struct core *c = ctx;
	struct segment s = { .start = v->start, .end = v->end, .prot = v->prot };

	if (c->nsegments == c->room)
		return -ENOMEM;
	s.dumped = bytes_to_dump(vs, v, &s.if_elf);
	c->segment[c->nsegments++] = s;
	if (v->file != NULL)
		note_file(c, v);
	return 0;
}

/* Reading faults, which the walk over the mappings cannot. */
static void drop_what_is_not_elf(struct core *c)
{
	for (unsigned i = 0; i < c->nsegments; i++) {
		struct segment *s = &c->segment[i];

		if (s->if_elf && (!vm_dump_page(c->vs, s->start, c->page) ||
				  memcmp(c->page, ELFMAG, SELFMAG) != 0))
			s->dumped = 0;
	}
}

static int text_alloc(struct textbuf *t, size_t size)
{
	kfree(t->buf);
	*t = (struct textbuf){ .buf = kmalloc(size), .size = size };
	return t->buf == NULL ? -ENOMEM : 0;
}

/* The names of files may need more room than there is at first: then once more from the start. */
static int plan_mappings(struct core *c)
{
	size_t size = FILE_NOTE_BYTES;
	int err;

	c->room = (unsigned)c->vs->vmas.count + 16; /* others who share it may map meanwhile */
	c->segment = kmalloc(c->room * sizeof(*c->segment));
	if (c->segment == NULL)
		return -ENOMEM;
	for (;;) {
		c->nsegments = 0;
		c->nfiles = 0;
		if ((err = text_alloc(&c->file_table, size)) ||
		    (err = text_alloc(&c->file_names, size)) ||
		    (err = vm_for_each(c->vs, 0, plan_vma, c)))
			return err;
		if (c->file_table.len <= size && c->file_names.len <= size) {
			drop_what_is_not_elf(c);
			return 0;
		}
		if ((size *= 2) > FILE_NOTE_MAX)
			return -ENOMEM;
	}
}

static int plan_tasks(struct core *c)
{
	struct task *me = curtask(), *t;
	unsigned room = atomic_load(&me->process->ntasks);
	struct siglock l;

	c->task = kmalloc(room * sizeof(struct task *));
	if (c->task == NULL)
		return -ENOMEM;
	c->task[c->ntasks++] = me;
	l = siglock(me->process);
	for_each_task (t, me->process)
		if (t != me && !t->exited && c->ntasks < room)
			c->task[c->ntasks++] = t;
	sigunlock(l);
	return 0;
}

/* --- notes --- */

static uint64_t note_bytes(const char *name, size_t n)
{
	return sizeof(struct abi_elf64_nhdr) + ALIGN_UP(strlen(name) + 1, 4) + ALIGN_UP(n, 4);
}

static bool note_begin(struct core_out *o, const char *name, uint32_t type, size_t n)
{
	struct abi_elf64_nhdr h = { (uint32_t)strlen(name) + 1, (uint32_t)n, type };
	char padded[NOTE_NAME_MAX] = { 0 };

	memcpy(padded, name, strlen(name));
	return core_emit(o, &h, sizeof(h)) && core_emit(o, padded, ALIGN_UP(strlen(name) + 1, 4));
}

static bool note(struct core_out *o, const char *name, uint32_t type, const void *data, size_t n)
{
	static const char zeroes[4];

	return note_begin(o, name, type, n) && core_emit(o, data, n) &&
	       core_emit(o, zeroes, ALIGN_UP(n, 4) - n);
}

static struct abi_timeval timeval_of(nsec_t t)
{
	return (struct abi_timeval){ t / NSEC_PER_SEC, t % NSEC_PER_SEC / NSEC_PER_USEC };
}

struct prstatus {
	struct abi_prstatus head;
	uint64_t reg[ARCH_CORE_REGS];
	int32_t fpvalid, pad;
};

static bool note_prstatus(struct core *c, struct task *t)
{
	struct process *p = t->process;
	struct prstatus s = { .head = { .pr_sighold = t->blocked,
					.pr_sigpend = t->pending.set,
					.pr_pid = (int32_t)t->pid->nr,
					.pr_ppid = (int32_t)process_ppid(p),
					.pr_pgrp = (int32_t)process_pgid(p),
					.pr_sid = (int32_t)process_sid(p),
					.pr_cutime = timeval_of(p->cutime),
					.pr_cstime = timeval_of(p->cstime) },
			      .fpvalid = 1 };
	nsec_t u, sys;

	/* Every thread names the signal that the process dies of. */
	s.head.si_signo = c->si->si_signo;
	s.head.si_code = c->si->si_code;
	s.head.si_errno = c->si->si_errno;
	s.head.pr_cursig = (int16_t)c->si->si_signo;
	sched_account(&t->thread, &u, &sys);
	s.head.pr_utime = timeval_of(u);
	s.head.pr_stime = timeval_of(sys);
	arch_core_regs(&t->thread, s.reg);
	return note(c->out, "CORE", NT_PRSTATUS, &s, sizeof(s));
}

/* The arguments as the program left them, up to the first 79 bytes, NULs as blanks. */
static void psargs(struct vmspace *vs, char out[80])
{
	uint64_t n = MIN(vs->arg_end - vs->arg_start, 79ul);
	ssize64_t got = vm_access(vs, vs->arg_start, out, n, false, true);

	for (ssize64_t i = 0; i < got; i++)
		if (out[i] == 0)
			out[i] = ' ';
}

static bool note_prpsinfo(struct core *c)
{
	const struct cred *cred = current_cred();
	struct thread *th = curthread();
	struct process *p = curproc();
	struct abi_prpsinfo s = { .pr_sname = 'R',
				  .pr_nice = (int8_t)th->se.nice,
				  .pr_uid = cred->uid,
				  .pr_gid = cred->gid,
				  .pr_pid = (int32_t)p->pid->nr,
				  .pr_ppid = (int32_t)process_ppid(p),
				  .pr_pgrp = (int32_t)process_pgid(p),
				  .pr_sid = (int32_t)process_sid(p) };

	memcpy(s.pr_fname, th->name, MIN(sizeof(s.pr_fname) - 1, strlen(th->name)));
	psargs(c->vs, s.pr_psargs);
	return note(c->out, "CORE", NT_PRPSINFO, &s, sizeof(s));
}

static size_t file_note_bytes(const struct core *c)
{
	return 2 * sizeof(uint64_t) + c->file_table.len + c->file_names.len;
}

static bool note_files(struct core *c)
{
	static const char zeroes[4];
	const uint64_t head[2] = { c->nfiles, PAGE_SIZE };
	size_t n = file_note_bytes(c);

	return note_begin(c->out, "CORE", NT_FILE, n) && core_emit(c->out, head, sizeof(head)) &&
	       core_emit(c->out, c->file_table.buf, c->file_table.len) &&
	       core_emit(c->out, c->file_names.buf, c->file_names.len) &&
	       core_emit(c->out, zeroes, ALIGN_UP(n, 4) - n);
}

enum { FXSAVE_BYTES = 512 };

static bool note_fpu(struct core *c, struct task *t)
{
	size_t size;
	const void *image = arch_fpu_state(&t->thread, &size);
	bool ok;
	void *copy;

	if (!note(c->out, "CORE", NT_PRFPREG, image, FXSAVE_BYTES))
		return false;
	if (size <= FXSAVE_BYTES)
		return true;
	if ((copy = kmalloc(size)) == NULL)
		return false;
	memcpy(copy, image, size);
	ok = arch_core_xstate(copy, size) && note(c->out, "LINUX", NT_X86_XSTATE, copy, size);
	kfree(copy);
	return ok;
}

static uint64_t notes_bytes(const struct core *c)
{
	uint64_t thread =
		note_bytes("CORE", sizeof(struct prstatus)) + note_bytes("CORE", FXSAVE_BYTES);

	if (arch_fpu_size() > FXSAVE_BYTES)
		thread += note_bytes("LINUX", arch_fpu_size());
	return thread * c->ntasks + note_bytes("CORE", sizeof(struct abi_prpsinfo)) +
	       note_bytes("CORE", SIGINFO_SIZE) +
	       note_bytes("CORE", c->vs->nauxv * sizeof(uint64_t)) +
	       note_bytes("CORE", file_note_bytes(c));
}

static bool note_siginfo(struct core *c)
{
	uint8_t info[SIGINFO_SIZE] = { 0 };

	memcpy(info, c->si, sizeof(*c->si));
	return note(c->out, "CORE", NT_SIGINFO, info, sizeof(info));
}

static bool emit_notes(struct core *c)
{
	struct core_out *o = c->out;

	if (!note_prstatus(c, c->task[0]) || !note_prpsinfo(c) || !note_siginfo(c) ||
	    !note(o, "CORE", NT_AUXV, c->vs->auxv, c->vs->nauxv * sizeof(uint64_t)) ||
	    !note_files(c) || !note_fpu(c, c->task[0]))
		return false;
	for (unsigned i = 1; i < c->ntasks; i++)
		if (!note_prstatus(c, c->task[i]) || !note_fpu(c, c->task[i]))
			return false;
	return true;
}

/* --- headers and memory --- */

/* More segments than e_phnum can say: section 0 says it. It comes last in the file. */
static bool is_long(const struct core *c)
{
	return c->nsegments + 1 >= PN_XNUM;
}

static bool emit_header(struct core *c, uint64_t end_of_data)
{
	struct abi_elf64_ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = ARCH_ELF_MACHINE,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(h),
		.e_ehsize = sizeof(h),
		.e_phentsize = sizeof(struct abi_elf64_phdr),
		.e_phnum = (uint16_t)(c->nsegments + 1),
	};

	if (is_long(c)) {
		h.e_phnum = PN_XNUM;
		h.e_shoff = end_of_data;
		h.e_shentsize = sizeof(struct abi_elf64_shdr);
		h.e_shnum = 1;
	}
	return core_emit(c->out, &h, sizeof(h));
}

static bool emit_program_headers(struct core *c, uint64_t notes_at, uint64_t notes, uint64_t data)
{
	struct abi_elf64_phdr h = {
		.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = notes, .p_align = 4
	};

	if (!core_emit(c->out, &h, sizeof(h)))
		return false;
	for (unsigned i = 0; i < c->nsegments; i++) {
		const struct segment *s = &c->segment[i];

		h = (struct abi_elf64_phdr){
			.p_type = PT_LOAD,
			.p_flags = (s->prot & PROT_READ ? PF_R : 0u) |
				   (s->prot & PROT_WRITE ? PF_W : 0u) |
				   (s->prot & PROT_EXEC ? PF_X : 0u),
			.p_offset = data,
			.p_vaddr = s->start,
			.p_filesz = s->dumped,
			.p_memsz = s->end - s->start,
			.p_align = PAGE_SIZE,
		};
		if (!core_emit(c->out, &h, sizeof(h)))
			return false;
		data += s->dumped;
	}
	return true;
}

static bool emit_memory(struct core *c)
{
	for (unsigned i = 0; i < c->nsegments; i++) {
		const struct segment *s = &c->segment[i];

		for (uint64_t va = s->start; va < s->start + s->dumped; va += PAGE_SIZE) {
			bool there = vm_dump_page(c->vs, va, c->page);

			if (fatal_signal_pending())
				return false;
			if (there ? !core_emit(c->out, c->page, PAGE_SIZE)
				  : !core_skip(c->out, PAGE_SIZE))
				return false;
		}
	}
	return true;
}

static bool emit_all(struct core *c)
{
	uint64_t notes = notes_bytes(c);
	uint64_t notes_at =
		sizeof(struct abi_elf64_ehdr) + (c->nsegments + 1) * sizeof(struct abi_elf64_phdr);
	uint64_t data = ALIGN_UP(notes_at + notes, (uint64_t)PAGE_SIZE), end = data;
	struct abi_elf64_shdr sh = { .sh_info = c->nsegments + 1 };

	for (unsigned i = 0; i < c->nsegments; i++)
		end += c->segment[i].dumped;
	return emit_header(c, end) && emit_program_headers(c, notes_at, notes, data) &&
	       emit_notes(c) && core_skip(c->out, data - c->out->pos) && emit_memory(c) &&
	       (!is_long(c) || core_emit(c->out, &sh, sizeof(sh)));
}

bool core_write_elf(struct core_out *o, const struct abi_siginfo *si)
{
	struct core c = { .out = o, .vs = curthread()->vmspace, .si = si };
	bool begun = false;

	c.page = kmalloc(PAGE_SIZE);
	c.path_buf = kmalloc(PATH_MAX_BYTES);
	if (c.page != NULL && c.path_buf != NULL && plan_mappings(&c) == 0 && plan_tasks(&c) == 0) {
		begun = true;
		if (!emit_all(&c))
			o->failed = true;
	}
	kfree(c.task);
	kfree(c.segment);
	kfree(c.file_table.buf);
	kfree(c.file_names.buf);
	kfree(c.path_buf);
	kfree(c.page);
	return begun;
}
