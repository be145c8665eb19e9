#include "proc/coredump_priv.h"

/*
 * The name of a core file, or the command that it is piped to, from kernel.core_pattern. A command
 * is cut into arguments before anything is filled in, so a program's name with a blank in it stays
 * one argument. Names that the user chose must not lead anywhere: slashes become '!', and so do "."
 * and "..". Source: core(5) "Naming of core dump files", "Piping core dumps to a program".
 */

#include "core/clock.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/proc_priv.h"
#include "proc/uts.h"
#include "vfs/cred.h"
#include "vfs/file.h"
#include "vfs/walk.h"
#include "vm/vmspace.h"

/* Text that the user had a say in. */
static void put_safe(struct textbuf *t, const char *s)
{
	bool first = t->len == 0 || t->len > t->size || t->buf[t->len - 1] == '/' ||
		     t->buf[t->len - 1] == 0;

	if (first && (str_eq(s, ".") || str_eq(s, ".."))) {
		text_c(t, '!');
		s++;
	}
	for (; *s; s++)
		text_c(t, *s == '/' ? '!' : *s);
}

/* The executable's path, or its last component. */
static void put_exe(struct textbuf *t, bool whole)
{
	struct vmspace *vs = curthread()->vmspace;
	struct file *exe = NULL;
	struct path root;
	char *buf, *name;

	read_lock(&vs->lock);
	if (vs->exe != NULL)
		file_get(exe = vs->exe);
	read_unlock(&vs->lock);
	buf = kmalloc(PATH_MAX_BYTES);
	if (exe == NULL || buf == NULL) {
		put_safe(t, curthread()->name);
		goto out;
	}
	current_root(&root);
	name = path_format(&exe->path, &root, buf, PATH_MAX_BYTES);
	path_put(&root);
	if (name == NULL)
		name = curthread()->name;
	if (!whole && strrchr(name, '/') != NULL)
		name = strrchr(name, '/') + 1;
	put_safe(t, name);
out:
	kfree(buf);
	if (exe != NULL)
		file_put(exe);
}

/* False: no such specifier, which puts nothing. */
static void put_specifier(struct textbuf *t, char c, const struct core_name_facts *f)
{
	const struct cred *cred = current_cred();
	char host[UTS_LEN + 1];

	switch (c) {
	case '%':
		text_c(t, '%');
		break;
	case 'p': /* one pid namespace: what is seen inside is what is seen outside */
	case 'P':
		text_f(t, "%u", curproc()->pid->nr);
		break;
	case 'i':
	case 'I':
		text_f(t, "%u", curtask()->pid->nr);
		break;
	case 'u':
		text_f(t, "%u", cred->uid);
		break;
	case 'g':
		text_f(t, "%u", cred->gid);
		break;
	case 'd':
		text_f(t, "%u", f->dumpable);
		break;
	case 's':
		text_f(t, "%d", f->sig);
		break;
	case 't':
		text_f(t, "%ld", (long)(clock_real() / NSEC_PER_SEC));
		break;
	case 'h':
		uts_get(UTS_NODENAME, host);
		put_safe(t, host);
		break;
	case 'e':
		put_safe(t, curthread()->name);
		break;
	case 'f':
		put_exe(t, false);
		break;
	case 'E':
		put_exe(t, true);
		break;
	case 'c':
		text_f(t, "%lu", (unsigned long)f->limit);
		break;
	case 'C':
		text_f(t, "%u", (unsigned)curthread()->cpu);
		break;
	default:
		break;
	}
}

void core_name_expand(const char *pattern, const struct core_name_facts *f, struct textbuf *t)
{
	bool is_pipe = pattern[0] == '|', has_pid = false, in_word = false;

	for (const char *p = pattern + is_pipe; *p; p++) {
		if (is_pipe && (*p == ' ' || *p == '\t')) {
			if (in_word)
				text_c(t, 0);
			in_word = false;
			continue;
		}
		in_word = true;
		if (*p != '%') {
			text_c(t, *p);
			continue;
		}
		if (*++p == 0)
			break; /* a lone % at the end is dropped */
		has_pid |= *p == 'p';
		put_specifier(t, *p, f);
	}
	if (!is_pipe && !has_pid && core_uses_pid)
		text_f(t, ".%u", curproc()->pid->nr);
	if (!is_pipe || in_word)
		text_c(t, 0);
}
