#include "proc/fatal.h"

/*
 * What Linux prints when a program ends by a fault: which program, where, and in which file's
 * mapping that is, so that `addr2line` can go on from a log alone. A page fault also shows the
 * bytes around the instruction. Ten such lines in five seconds are enough.
 */

#include <arch/context.h>
#include <arch/upcall.h>

#include "core/clock.h"
#include "core/log.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/proc_priv.h"
#include "vfs/cred.h"
#include "vfs/file.h"
#include "vfs/walk.h"
#include "vm/vmspace.h"

int fatal_exception_trace = 1;
int fatal_print_signals;

enum { BURST = 10, CODE_BYTES = 64, CODE_BEFORE = 42 };
#define INTERVAL (5 * NSEC_PER_SEC)

/* Under `lock`: lines since `since`. */
static struct spinlock lock = SPINLOCK(CREDS);
static nsec_t since;
static unsigned printed, missed;

static bool may_print(void)
{
	unsigned suppressed = 0;
	nsec_t now = clock_mono();
	bool ok;

	spin_lock(&lock);
	if (since == 0 || now - since > INTERVAL) {
		suppressed = missed;
		since = now;
		printed = missed = 0;
	}
	ok = printed < BURST;
	if (ok)
		printed++;
	else
		missed++;
	spin_unlock(&lock);
	if (suppressed != 0)
		log_warn("show_signal_msg: %u callbacks suppressed", suppressed);
	return ok;
}

/* No handler of the program's own; an ignored signal counts, since a fault is not ignored. */
static bool is_unhandled(int sig)
{
	struct siglock l = siglock(curproc());
	uint64_t handler = l.sighand->action[sig - 1].handler;
	bool traced = curtask()->jobctl & JOBCTL_TRACED;

	sigunlock(l);
	if (traced) /* may be the tracer's doing, and is its to judge */
		return false;
	return handler == SIG_DFL || handler == SIG_IGN || curproc() == init_process;
}

/* " in FILE[start+length]" of the mapping that holds pc. */
static void put_mapping(struct textbuf *t, uint64_t pc)
{
	struct vmspace *vs = curthread()->vmspace;
	char *buf = kmalloc(PATH_MAX_BYTES), *name = NULL, *slash;
	struct path root;
	struct vma *v;

	if (buf == NULL)
		return;
	current_root(&root);
	read_lock(&vs->lock);
	v = vma_find(&vs->vmas, pc);
	if (v != NULL && v->file != NULL)
		name = path_format(&v->file->path, &root, buf, PATH_MAX_BYTES);
	if (name != NULL) {
		slash = strrchr(name, '/');
		text_f(t, " in %.80s[%lx+%lx]", slash != NULL ? slash + 1 : name,
		       (unsigned long)v->start, (unsigned long)(v->end - v->start));
	}
	read_unlock(&vs->lock);
	path_put(&root);
	kfree(buf);
}

static void log_code(enum log_level level, uint64_t pc)
{
	uint8_t code[CODE_BYTES];
	char line[CODE_BYTES * 3 + 8];
	struct textbuf t = { .buf = line, .size = sizeof(line) };
	uint64_t from = pc - CODE_BEFORE;

	if (vm_access(curthread()->vmspace, from, code, sizeof(code), false, true) !=
	    (ssize64_t)sizeof(code)) {
		log_f(level, "Code: Unable to access opcode bytes at %#lx.", (unsigned long)from);
		return;
	}
	for (unsigned i = 0; i < CODE_BYTES; i++)
		text_f(&t, i == CODE_BEFORE ? " <%02x>" : " %02x", code[i]);
	text_c(&t, 0);
	log_f(level, "Code:%s", line);
}

void fatal_log_fault(const struct regs *r, int sig, const char *label, uint64_t addr,
		     uint64_t error)
{
	const char *name = curthread()->name;
	unsigned tid = curtask()->pid->nr, cpu = curthread()->cpu;
	char line[320];
	struct textbuf t = { .buf = line, .size = sizeof(line) - 1 };

	if (!fatal_exception_trace || !is_unhandled(sig) || !may_print())
		return;
	if (label != NULL)
		text_f(&t, "traps: %s[%u] %s ip:%lx sp:%lx error:%lx", name, tid, label,
		       (unsigned long)regs_pc(r), (unsigned long)regs_sp(r), (unsigned long)error);
	else
		text_f(&t, "%s[%u]: segfault at %lx ip %016lx sp %016lx error %lx", name, tid,
		       (unsigned long)addr, (unsigned long)regs_pc(r), (unsigned long)regs_sp(r),
		       (unsigned long)error);
	put_mapping(&t, regs_pc(r));
	if (label == NULL)
		text_f(&t, " likely on CPU %u (core 0, socket %u)", cpu, cpu);
	line[MIN(t.len, t.size)] = 0;
	log_info("%s", line);
	if (label == NULL)
		log_code(LOG_INFO, regs_pc(r));
}

/* "exe=…" as the audit trail has it: in quotes, or "(null)" for none. */
static void put_program(struct textbuf *t)
{
	struct vmspace *vs = curthread()->vmspace;
	char *buf = kmalloc(PATH_MAX_BYTES), *name = NULL;
	struct file *exe = NULL;
	struct path root;

	read_lock(&vs->lock);
	if (vs->exe != NULL)
		file_get(exe = vs->exe);
	read_unlock(&vs->lock);
	if (exe != NULL && buf != NULL) {
		current_root(&root);
		name = path_format(&exe->path, &root, buf, PATH_MAX_BYTES);
		path_put(&root);
	}
	text_f(t, name != NULL ? " exe=\"%.160s\"" : " exe=(null)", name);
	if (exe != NULL)
		file_put(exe);
	kfree(buf);
}

void fatal_log_seccomp(int sig, int nr, uint32_t arch, uint64_t ip, uint32_t action)
{
	static _Atomic uint32_t serial = 1; /* the first one is the audit trail's own */
	const struct process *p = curproc();
	const struct cred *c = current_cred();
	bool known = p->login_session != 0;
	nsec_t now = clock_real();
	char line[448];
	struct textbuf t = { .buf = line, .size = sizeof(line) - 1 };

	if (!may_print())
		return;
	text_f(&t,
	       "audit: type=1326 audit(%lu.%03lu:%u): auid=%u uid=%u gid=%u ses=%u pid=%u "
	       "comm=\"%s\"",
	       (unsigned long)(now / NSEC_PER_SEC),
	       (unsigned long)(now % NSEC_PER_SEC / NSEC_PER_MSEC),
	       atomic_fetch_add(&serial, 1) + 1, known ? p->login_uid : UINT32_MAX, c->uid, c->gid,
	       known ? p->login_session : UINT32_MAX, curtask()->pid->nr, curthread()->name);
	put_program(&t);
	text_f(&t, " sig=%d arch=%x syscall=%d compat=0 ip=0x%lx code=0x%x", sig, arch, nr,
	       (unsigned long)ip, action);
	line[MIN(t.len, t.size)] = 0;
	log_f(LOG_NOTICE, "%s", line);
}

void fatal_log_signal(int sig)
{
	const struct regs *r = thread_regs(curthread());

	if (!fatal_print_signals)
		return;
	log_info("potentially unexpected fatal signal %d.", sig);
	log_f(LOG_WARNING, "CPU: %u PID: %u Comm: %s", (unsigned)curthread()->cpu,
	      curtask()->pid->nr, curthread()->name);
	log_code(LOG_WARNING, regs_pc(r));
	arch_user_regs_log(r);
}
