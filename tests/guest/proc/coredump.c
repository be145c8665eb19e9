/* Core dumps: core(5). The core is read back by its notes and segments. */
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>

#include "../test.h"

#define PATTERN "/proc/sys/kernel/core_pattern"

/* As the program that a core is piped to: "… --take-core FILE WORD…": FILE gets the words, FILE.core the core. */
__attribute__((constructor)) static void maybe_take_core(int argc, char **argv, char **envp)
{
	char buf[4096], name[256];
	ssize_t n;
	int f;

	(void)envp;
	if (argc < 3 || strcmp(argv[1], "--take-core") != 0)
		return;
	snprintf(name, sizeof(name), "%s.core", argv[2]);
	f = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	while ((n = read(0, buf, sizeof(buf))) > 0)
		if (write(f, buf, (size_t)n) != n)
			_exit(1);
	close(f);
	snprintf(name, sizeof(name), "%s.tmp", argv[2]);
	f = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	for (int i = 3; i < argc; i++)
		dprintf(f, "[%s]", argv[i]);
	dprintf(f, " %d %d", (int)getuid(), (int)getppid() > 2 ? 1 : 0);
	close(f);
	rename(name, argv[2]);
	_exit(0);
}

static void put(const char *path, const char *text)
{
	int f = open(path, O_WRONLY | O_TRUNC);

	if (f < 0 || write(f, text, strlen(text)) != (ssize_t)strlen(text))
		FAIL("%s: %s", path, strerrorname_np(errno));
	close(f);
}

static char saved_pattern[256], saved_uses_pid[16], saved_pipe_limit[16];

static void restore(void)
{
	put(PATTERN, saved_pattern[0] ? saved_pattern : "core");
	put("/proc/sys/kernel/core_uses_pid", saved_uses_pid);
	put("/proc/sys/kernel/core_pipe_limit", saved_pipe_limit);
}

static void need_root(void)
{
	if (!test_is_root())
		test_skip("needs root");
	strcpy(saved_pattern, test_slurp(PATTERN));
	strcpy(saved_uses_pid, test_slurp("/proc/sys/kernel/core_uses_pid"));
	strcpy(saved_pipe_limit, test_slurp("/proc/sys/kernel/core_pipe_limit"));
	atexit(restore);
}

static void allow_core(rlim_t soft)
{
	struct rlimit r = { soft, RLIM_INFINITY };

	CHECK_OK(setrlimit(RLIMIT_CORE, &r));
}

/* --- reading a core --- */

struct core {
	char *at;
	size_t size;
	Elf64_Ehdr *eh;
	Elf64_Phdr *ph;
};

static struct core core_open(const char *name)
{
	struct core c = { 0 };
	struct stat st;
	int f = open(name, O_RDONLY);

	if (f < 0)
		FAIL("no %s: %s", name, strerrorname_np(errno));
	CHECK_OK(fstat(f, &st));
	CHECK_EQ(st.st_mode & 07777, 0600);
	c.size = (size_t)st.st_size;
	CHECK(c.size > sizeof(Elf64_Ehdr));
	c.at = mmap(NULL, c.size, PROT_READ, MAP_PRIVATE, f, 0);
	CHECK(c.at != MAP_FAILED);
	close(f);
	c.eh = (Elf64_Ehdr *)c.at;
	CHECK_EQ(memcmp(c.eh->e_ident, ELFMAG, SELFMAG), 0);
	CHECK_EQ(c.eh->e_type, ET_CORE);
	CHECK_EQ(c.eh->e_machine, EM_X86_64);
	CHECK_EQ(c.eh->e_phentsize, sizeof(Elf64_Phdr));
	c.ph = (Elf64_Phdr *)(c.at + c.eh->e_phoff);
	return c;
}

/* The nth note of a type: its contents and size, or NULL. */
static void *core_note(struct core *c, unsigned type, unsigned nth, size_t *size)
{
	CHECK_EQ(c->ph[0].p_type, PT_NOTE);
	char *p = c->at + c->ph[0].p_offset, *end = p + c->ph[0].p_filesz;

	while (p + sizeof(Elf64_Nhdr) <= end) {
		Elf64_Nhdr *n = (Elf64_Nhdr *)p;
		char *desc = p + sizeof(*n) + ((n->n_namesz + 3u) & ~3u);

		CHECK(n->n_namesz == 5 || n->n_namesz == 6);
		if (n->n_type == type && nth-- == 0) {
			if (size)
				*size = n->n_descsz;
			return desc;
		}
		p = desc + ((n->n_descsz + 3u) & ~3u);
	}
	return NULL;
}

static Elf64_Phdr *core_segment(struct core *c, const void *addr)
{
	uint64_t a = (uint64_t)(uintptr_t)addr;

	for (unsigned i = 1; i < c->eh->e_phnum; i++)
		if (c->ph[i].p_type == PT_LOAD && a >= c->ph[i].p_vaddr &&
		    a < c->ph[i].p_vaddr + c->ph[i].p_memsz)
			return &c->ph[i];
	FAIL("no segment for %p", addr);
}

/* The bytes of the core that stand for addr; NULL: not in it. */
static void *core_memory(struct core *c, const void *addr)
{
	Elf64_Phdr *p = core_segment(c, addr);
	uint64_t off = (uint64_t)(uintptr_t)addr - p->p_vaddr;

	if (off >= p->p_filesz)
		return NULL;
	CHECK(p->p_offset + off < c->size);
	return c->at + p->p_offset + off;
}

/* --- victims --- */

static struct shared {
	char *kept, *left_out, *untouched;
	pid_t tid[3];
} *shared;

static pthread_barrier_t barrier;

static void *bystander(void *arg)
{
	unsigned long magic = 0xb0b0000 + (unsigned long)arg;

	shared->tid[(long)arg] = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	for (;;)
		__asm__ volatile("syscall" /* pause, with a mark in rbx and in xmm3 */
				 :
				 : "a"(SYS_pause), "b"(magic)
				 : "rcx", "r11", "memory");
	return NULL;
}

__attribute__((noinline)) static void die_by_ud2(void)
{
	static const char mark[16] = "xmm seven, here";

	__asm__ volatile("movups %0, %%xmm7; mov $0x1234567812345678, %%r15; .globl core_test_ud2; core_test_ud2: ud2"
			 :
			 : "m"(mark)
			 : "r15", "xmm7");
}
extern char core_test_ud2[];

static void make_memory(void)
{
	shared->kept = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared->left_out = mmap((char *)0x200000000, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(shared->kept + 4090, "across two pages");
	strcpy(shared->left_out, "not for others");
	CHECK_OK(madvise(shared->left_out, 8192, MADV_DONTDUMP));
}

static int victim(void *arg)
{
	pthread_t t[2];

	(void)arg;
	allow_core(RLIM_INFINITY);
	make_memory();
	pthread_barrier_init(&barrier, NULL, 3);
	for (long i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, bystander, (void *)(i + 1)), 0);
	pthread_barrier_wait(&barrier);
	usleep(20000);
	die_by_ud2();
	return 0;
}

static void make_shared(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
}

/* Runs fn and returns its wait status; *pid its number. */
static int run(int (*fn)(void *), void *arg, pid_t *pid)
{
	int status;

	*pid = test_fork(fn, arg);
	CHECK_EQ(waitpid(*pid, &status, 0), *pid);
	return status;
}

static struct core run_for_core(int (*fn)(void *), void *arg, int sig, pid_t *pid)
{
	char name[64];
	int status = run(fn, arg, pid);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), sig);
	CHECK(WCOREDUMP(status));
	snprintf(name, sizeof(name), "core.%d", (int)*pid);
	return core_open(name);
}

TEST(core_says_what_each_thread_did)
{
	struct core c;
	struct elf_prstatus *st;
	size_t size;
	pid_t pid;
	char *fx;

	need_root();
	make_shared();
	put(PATTERN, "core.%p");
	c = run_for_core(victim, NULL, SIGILL, &pid);
	st = core_note(&c, NT_PRSTATUS, 0, &size);
	CHECK_EQ(size, sizeof(*st));
	CHECK_EQ(st->pr_pid, pid);
	CHECK_EQ(st->pr_ppid, getpid());
	CHECK_EQ(st->pr_cursig, SIGILL);
	CHECK_EQ(st->pr_reg[16], (uintptr_t)core_test_ud2); /* rip */
	CHECK_EQ(st->pr_reg[0], 0x1234567812345678);        /* r15 */
	CHECK_EQ(st->pr_reg[15], -1);                        /* orig_rax: no system call */
	CHECK(st->pr_reg[21] != 0);                          /* fs_base */
	CHECK_EQ(st->pr_fpvalid, 1);
	for (unsigned i = 1; i <= 2; i++) {
		st = core_note(&c, NT_PRSTATUS, i, NULL);
		CHECK(st != NULL);
		CHECK(st->pr_pid == shared->tid[1] || st->pr_pid == shared->tid[2]);
		CHECK_EQ(st->pr_reg[5], 0xb0b0000 + (st->pr_pid == shared->tid[2] ? 2 : 1)); /* rbx */
		CHECK(st->pr_reg[21] != 0);
	}
	CHECK(core_note(&c, NT_PRSTATUS, 3, NULL) == NULL);
	fx = core_note(&c, NT_FPREGSET, 0, &size);
	CHECK_EQ(size, 512);
	CHECK_STR(fx + 160 + 7 * 16, "xmm seven, here");
	CHECK(core_note(&c, NT_FPREGSET, 2, NULL) != NULL);
	fx = core_note(&c, NT_X86_XSTATE, 0, &size);
	if (fx != NULL) {
		CHECK(size > 512);
		CHECK(*(uint64_t *)(fx + 464) & 3); /* XCR0 */
		CHECK_STR(fx + 160 + 7 * 16, "xmm seven, here");
	}
}

TEST(core_notes_of_the_process)
{
	struct core c;
	struct elf_prpsinfo *ps;
	siginfo_t *si;
	char exe[256] = "", comm[16] = "", *names;
	uint64_t *w;
	size_t size;
	pid_t pid;
	bool found = false;

	need_root();
	make_shared();
	put(PATTERN, "core.%p");
	c = run_for_core(victim, NULL, SIGILL, &pid);
	ps = core_note(&c, NT_PRPSINFO, 0, &size);
	CHECK_EQ(size, sizeof(*ps));
	CHECK_EQ(ps->pr_pid, pid);
	CHECK_EQ(ps->pr_uid, 0);
	CHECK_EQ(ps->pr_sname, 'R');
	prctl(PR_GET_NAME, comm);
	CHECK_STR(ps->pr_fname, comm);
	CHECK(ps->pr_psargs[0] != 0);
	si = core_note(&c, NT_SIGINFO, 0, &size);
	CHECK_EQ(size, 128);
	CHECK_EQ(si->si_signo, SIGILL);
	CHECK_EQ(si->si_code, ILL_ILLOPN);
	CHECK_EQ((uintptr_t)si->si_addr, (uintptr_t)core_test_ud2);
	w = core_note(&c, NT_AUXV, 0, &size);
	CHECK(size >= 32);
	for (; size >= 16 && w[0] != AT_PAGESZ; size -= 16)
		w += 2;
	CHECK_EQ(w[1], 4096);
	CHECK_OK(readlink("/proc/self/exe", exe, sizeof(exe) - 1));
	w = core_note(&c, NT_FILE, 0, &size);
	CHECK(w != NULL);
	CHECK_EQ(w[1], 4096);
	CHECK(w[0] >= 1 && w[0] < 100);
	names = (char *)(w + 2 + 3 * w[0]);
	for (uint64_t i = 0; i < w[0]; i++, names += strlen(names) + 1)
		found |= strcmp(names, exe) == 0 && w[2 + 3 * i] <= (uintptr_t)core_test_ud2 &&
			 (uintptr_t)core_test_ud2 < w[3 + 3 * i];
	CHECK(found);
}

TEST(core_memory_is_there)
{
	struct core c;
	char *m;
	pid_t pid;

	need_root();
	make_shared();
	put(PATTERN, "core.%p");
	c = run_for_core(victim, NULL, SIGILL, &pid);
	m = core_memory(&c, shared->kept + 4090);
	CHECK(m != NULL);
	CHECK_STR(m, "across two pages");
	CHECK_EQ(core_segment(&c, shared->kept)->p_flags, PF_R | PF_W);
	CHECK(core_memory(&c, shared->left_out) == NULL);
	CHECK(core_memory(&c, shared) != NULL); /* anonymous, shared */
	m = core_memory(&c, (void *)((uintptr_t)core_test_ud2));
	CHECK(m == NULL); /* unchanged text of a file: only the first page */
}

static int by_abort(void *soft)
{
	allow_core((rlim_t)(uintptr_t)soft);
	abort();
}

TEST(core_limit_decides)
{
	struct stat st;
	char name[64];
	pid_t pid;
	int s;

	need_root();
	put(PATTERN, "core.%p");
	s = run(by_abort, (void *)0, &pid);
	CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT && !WCOREDUMP(s));
	snprintf(name, sizeof(name), "core.%d", (int)pid);
	CHECK_ERR(stat(name, &st), ENOENT);
	s = run(by_abort, (void *)4095, &pid);
	CHECK(!WCOREDUMP(s));
	snprintf(name, sizeof(name), "core.%d", (int)pid);
	CHECK_ERR(stat(name, &st), ENOENT);
	s = run(by_abort, (void *)8192, &pid); /* cut short */
	CHECK(WCOREDUMP(s));
	snprintf(name, sizeof(name), "core.%d", (int)pid);
	CHECK_OK(stat(name, &st));
	CHECK(st.st_size <= 8192);
}

static int undumpable(void *unused)
{
	(void)unused;
	prctl(PR_SET_DUMPABLE, 0);
	return by_abort((void *)RLIM_INFINITY);
}

TEST(core_not_of_the_undumpable)
{
	pid_t pid;
	int s;

	need_root();
	s = run(undumpable, NULL, &pid);
	CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT && !WCOREDUMP(s));
}

static int changes_uid(void *unused)
{
	(void)unused;
	CHECK_OK(setresuid(1234, 1234, 1234));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	return by_abort((void *)RLIM_INFINITY);
}

TEST(core_not_after_a_change_of_ids)
{
	pid_t pid;

	need_root();
	CHECK_STR(test_slurp("/proc/sys/fs/suid_dumpable"), "0\n");
	CHECK(!WCOREDUMP(run(changes_uid, NULL, &pid)));
}

static int changes_uid2(void *unused)
{
	(void)unused;
	CHECK_OK(setresuid(1234, 1234, 1234));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 2);
	return by_abort((void *)RLIM_INFINITY);
}

TEST(core_suid_dumpable_is_roots)
{
	char pattern[300], dir[200];
	struct stat st;
	pid_t pid;
	int s;

	need_root();
	put("/proc/sys/fs/suid_dumpable", "2");
	CHECK(getcwd(dir, sizeof(dir)) != NULL);
	put(PATTERN, "core.%p");
	s = run(changes_uid2, NULL, &pid); /* relative: refused */
	snprintf(pattern, sizeof(pattern), "%s/suid.%%d", dir);
	put(PATTERN, pattern);
	CHECK(!WCOREDUMP(s));
	s = run(changes_uid2, NULL, &pid);
	put("/proc/sys/fs/suid_dumpable", "0");
	CHECK(WCOREDUMP(s));
	CHECK_OK(stat("suid.2", &st));
	CHECK_EQ(st.st_uid, 0);
}

static int named(void *name)
{
	prctl(PR_SET_NAME, name);
	return by_abort((void *)RLIM_INFINITY);
}

TEST(core_pattern_specifiers)
{
	char want[256], exe[200] = "", host[100];
	struct stat st;
	pid_t pid;

	need_root();
	put(PATTERN, "a%%-%e-%p-%P-%i-%I-%u-%g-%d-%s-%h-%c-%z-%");
	CHECK(WCOREDUMP(run(named, "../x", &pid)));
	gethostname(host, sizeof(host));
	snprintf(want, sizeof(want), "a%%-..!x-%d-%d-%d-%d-0-0-1-6-%s-%lu--", (int)pid, (int)pid, (int)pid,
		 (int)pid, host, ULONG_MAX);
	CHECK_OK(stat(want, &st));
	put(PATTERN, "%f.%t");
	CHECK(WCOREDUMP(run(named, "y", &pid)));
	CHECK_OK(readlink("/proc/self/exe", exe, sizeof(exe) - 1));
	put(PATTERN, "%E");
	CHECK(WCOREDUMP(run(named, "y", &pid)));
	for (char *p = exe; *p; p++)
		if (*p == '/')
			*p = '!';
	CHECK_OK(stat(exe, &st));
}

TEST(core_uses_pid_appends_it)
{
	struct stat st;
	char name[64];
	pid_t pid;

	need_root();
	put(PATTERN, "mine");
	put("/proc/sys/kernel/core_uses_pid", "1");
	CHECK(WCOREDUMP(run(by_abort, (void *)RLIM_INFINITY, &pid)));
	snprintf(name, sizeof(name), "mine.%d", (int)pid);
	CHECK_OK(stat(name, &st));
	put("/proc/sys/kernel/core_uses_pid", "0");
	CHECK(WCOREDUMP(run(by_abort, (void *)RLIM_INFINITY, &pid)));
	CHECK_OK(stat("mine", &st));
}

TEST(core_replaces_a_link)
{
	struct stat st;
	pid_t pid;

	need_root();
	put(PATTERN, "link");
	CHECK_OK(symlink("elsewhere", "link"));
	CHECK(WCOREDUMP(run(by_abort, (void *)RLIM_INFINITY, &pid)));
	CHECK_ERR(stat("elsewhere", &st), ENOENT);
	CHECK_OK(lstat("link", &st));
	CHECK(S_ISREG(st.st_mode));
}

TEST(core_is_piped_to_a_program)
{
	char exe[100] = "", pattern[400], dir[100], want[100];
	struct core c;
	struct stat st;
	pid_t pid;

	need_root();
	CHECK_OK(readlink("/proc/self/exe", exe, sizeof(exe) - 1));
	CHECK(getcwd(dir, sizeof(dir)) != NULL);
	snprintf(pattern, sizeof(pattern), "|%s --take-core %s/out  %%p %%e [%%s]", exe, dir);
	if (strlen(pattern) > 127)
		test_skip("the path is too long for core_pattern");
	put(PATTERN, pattern);
	put("/proc/sys/kernel/core_pipe_limit", "4"); /* waits for the program */
	CHECK(WCOREDUMP(run(named, "a b", &pid)));
	for (int i = 0; i < 500 && stat("out", &st) != 0; i++)
		usleep(10000);
	snprintf(want, sizeof(want), "[%d][a b][[6]] 0 ", (int)pid);
	CHECK_EQ(strncmp(test_slurp("out"), want, strlen(want)), 0);
	c = core_open("out.core");
	CHECK_EQ(((struct elf_prstatus *)core_note(&c, NT_PRSTATUS, 0, NULL))->pr_pid, pid);
	CHECK(WCOREDUMP(run(by_abort, (void *)0, &pid)));  /* the limit does not count for a pipe */
	CHECK(!WCOREDUMP(run(by_abort, (void *)1, &pid))); /* but 1 does: no helper dumps itself */
}

static int filtered(void *arg)
{
	put("/proc/self/coredump_filter", arg);
	make_memory();
	return by_abort((void *)RLIM_INFINITY);
}

TEST(core_filter_chooses)
{
	struct core c;
	pid_t pid;

	need_root();
	make_shared();
	put(PATTERN, "core.%p");
	CHECK_STR(test_slurp("/proc/self/coredump_filter"), "00000033\n");
	c = run_for_core(filtered, "0", SIGABRT, &pid);
	CHECK(core_memory(&c, shared->kept) == NULL);
	CHECK(core_memory(&c, shared) == NULL);
	c = run_for_core(filtered, "0x7", SIGABRT, &pid); /* with private file mappings */
	CHECK(core_memory(&c, shared->kept + 4090) != NULL);
	CHECK(core_memory(&c, (void *)(uintptr_t)core_test_ud2) != NULL);
	CHECK(core_memory(&c, shared) != NULL);
}

static int shows_filter(void *unused)
{
	(void)unused;
	CHECK_STR(test_slurp("/proc/self/coredump_filter"), "00000003\n");
	return 0;
}

TEST(core_filter_is_inherited)
{
	put("/proc/self/coredump_filter", "3");
	test_wait_exit(test_fork(shows_filter, NULL), 0);
}

static int blocks_in_read(void *p)
{
	char c;

	allow_core(RLIM_INFINITY);
	make_memory();
	return (int)read(*(int *)p, &c, 1);
}

TEST(core_of_a_sleeper)
{
	struct elf_prstatus *st;
	char name[64];
	struct core c;
	int p[2], status;
	pid_t pid;

	need_root();
	make_shared();
	put(PATTERN, "core.%p");
	CHECK_OK(pipe(p));
	pid = test_fork(blocks_in_read, p);
	usleep(100000);
	CHECK_OK(kill(pid, SIGQUIT));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT && WCOREDUMP(status));
	snprintf(name, sizeof(name), "core.%d", (int)pid);
	c = core_open(name);
	st = core_note(&c, NT_PRSTATUS, 0, NULL);
	CHECK_EQ(st->pr_reg[15], SYS_read); /* orig_rax */
	CHECK_EQ(((siginfo_t *)core_note(&c, NT_SIGINFO, 0, NULL))->si_pid, getpid());
}

static void *spins(void *unused)
{
	for (volatile unsigned long i = 0;; i++)
		;
	return unused;
}

static int spinning_victim(void *unused)
{
	pthread_t t;

	(void)unused;
	allow_core(RLIM_INFINITY);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&t, NULL, spins, NULL), 0);
	usleep(20000);
	abort();
}

TEST(core_of_running_threads)
{
	struct core c;
	pid_t pid;

	need_root();
	put(PATTERN, "core.%p");
	c = run_for_core(spinning_victim, NULL, SIGABRT, &pid);
	CHECK(core_note(&c, NT_PRSTATUS, 8, NULL) != NULL);
	CHECK(core_note(&c, NT_PRSTATUS, 9, NULL) == NULL);
}
