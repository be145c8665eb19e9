#pragma once

/* What the files of execve(2) share. The order of the work: exec.c. */

#include "lib/list.h"
#include "proc/elf.h"
#include "proc/proc_priv.h"
#include "vfs/mount.h"

struct cred;
struct file;
struct vmspace;

enum { EXEC_HEAD_MAX = 16, EXEC_SCRIPT_DEPTH = 5 };

/* argv and envp as one stream of NUL-terminated strings in kernel pages. */
struct exec_strings {
	struct list chunks;
	uint64_t bytes;      /* of all strings, NULs included */
	uint64_t argv_bytes; /* the first so many are argv's */
	uint64_t argc, envc;
	uint64_t limit; /* bytes, strings and pointers: execve(2) "Limits on size of arguments" */
	/* Scripts: these come before argv, whose first string is then left out. */
	char *head[EXEC_HEAD_MAX];
	unsigned nhead;
	uint64_t head_bytes;
	bool skip_first;
};

void exec_strings_init(struct exec_strings *s);
void exec_strings_free(struct exec_strings *s);
/* Append a vector. 0; -EFAULT; -E2BIG; -ENOMEM. */
MUST_CHECK int exec_strings_add_user(struct exec_strings *s, uaddr_t vector, uint64_t *count);
MUST_CHECK int exec_strings_add_kernel(struct exec_strings *s, const char *const *vector,
				       uint64_t *count);
/* Puts str (copied) before all others. -ENOMEM, -E2BIG. */
MUST_CHECK int exec_strings_prepend(struct exec_strings *s, const char *str, size_t len);
/* Drops what is now the first argument. */
void exec_strings_drop_first(struct exec_strings *s);
/* Bytes of the first string of the stream, its NUL included. */
size_t exec_strings_first_len(const struct exec_strings *s);

/* Reads the stream in order. */
struct exec_cursor {
	const struct exec_strings *s;
	struct list *chunk;
	size_t off;
};
void exec_cursor_init(struct exec_cursor *c, const struct exec_strings *s);
/* The next piece, up to max bytes: at *p; its length, 0 at the end. */
size_t exec_cursor_next(struct exec_cursor *c, size_t max, const char **p);
/* Skips one string; returns its bytes with the NUL. */
size_t exec_cursor_skip_string(struct exec_cursor *c);

/* One ELF file of the image: the program, or its interpreter. */
struct exec_elf {
	struct file *file; /* counted */
	struct abi_elf64_ehdr header;
	struct elf_plan plan;
	struct elf_segment *segments;
	uint64_t bias; /* added to the file's addresses */
};

struct exec {
	const char *filename; /* as given to execve: AT_EXECFN, comm */
	char *own_name;       /* kfree'd; NULL: filename is the caller's */
	struct exec_strings strings;
	struct exec_elf prog, interp; /* interp.file NULL: none */
	struct cred *cred;            /* the new ones, ours until committed */
	bool secure, setid;           /* AT_SECURE; set-id bits changed something */
	bool unreadable;              /* the caller may not read the file: not dumpable */
	bool aslr, deny_write;
	bool name_closes; /* filename leads through a close-on-exec descriptor: no interpreter can
			     open it */
	bool shared_files;
	struct fdtable *files;   /* a private copy, when the old table is shared */
	struct sighand *sighand; /* likewise */
	struct vmspace *vs;      /* the new space */
	uint64_t stack_top, sp, entry;
	uint8_t line[SCRIPT_LINE_MAX]; /* the file's first bytes */
	size_t line_len;
};

/* exec_load.c: opens and checks a file for execution. 0; -EACCES, -ENOENT, -ETXTBSY, … */
MUST_CHECK int exec_open(int dirfd, const char *name, unsigned at_flags, struct file **out);
/* Reads the headers and plans; the interpreter too. */
MUST_CHECK int exec_load_headers(struct exec *x);
/* Builds x->vs: the images, brk, vDSO. */
MUST_CHECK int exec_build_space(struct exec *x);
void exec_elf_put(struct exec_elf *e);

/* exec_stack.c: fills the new stack; x->sp. -E2BIG, -ENOMEM. */
MUST_CHECK int exec_build_stack(struct exec *x);

/* exec_cred.c: the credentials after execve. -ENOMEM. */
MUST_CHECK int exec_compute_cred(struct exec *x);
/* x->cred gains nothing over the running task's: for one whose tracer has no right to that. */
void exec_limit_cred(struct exec *x);
