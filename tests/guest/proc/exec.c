/* execve(2): errors, scripts, what survives, the stack a program starts on. */
#include "test.h"
#include <elf.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>

extern char **environ;

static void make_file(const char *name, const void *data, size_t n, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, data, n), n);
	CHECK_OK(fchmod(fd, mode));
	CHECK_OK(close(fd));
}

static int try_exec(const char *path)
{
	char *argv[] = { (char *)path, NULL };

	errno = 0;
	execve(path, argv, environ);
	return errno;
}

/* errno of execve in a child, 0 when it ran and exited, -sig when a signal ended it. */
static int exec_result(const char *path)
{
	int fd[2], err = 0, st;
	pid_t p;

	CHECK_OK(pipe2(fd, O_CLOEXEC));
	p = fork();
	if (p == 0) {
		err = try_exec(path);
		if (write(fd[1], &err, sizeof(err)) < 0)
			_exit(1);
		_exit(99);
	}
	close(fd[1]);
	if (read(fd[0], &err, sizeof(err)) != sizeof(err))
		err = 0;
	close(fd[0]);
	waitpid(p, &st, 0);
	return err ? err : WIFSIGNALED(st) ? -WTERMSIG(st) : 0;
}

/* A tiny program: exit(42). */
static const unsigned char exit42[] = { 0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05 };

struct tiny {
	Elf64_Ehdr e;
	Elf64_Phdr p[2];
	unsigned char code[64];
};

static struct tiny tiny_elf(void)
{
	struct tiny t = { 0 };

	memcpy(t.e.e_ident, ELFMAG, SELFMAG);
	t.e.e_ident[EI_CLASS] = ELFCLASS64;
	t.e.e_ident[EI_DATA] = ELFDATA2LSB;
	t.e.e_ident[EI_VERSION] = EV_CURRENT;
	t.e.e_type = ET_EXEC;
	t.e.e_machine = EM_X86_64;
	t.e.e_version = EV_CURRENT;
	t.e.e_entry = 0x400000 + offsetof(struct tiny, code);
	t.e.e_phoff = offsetof(struct tiny, p);
	t.e.e_ehsize = sizeof(Elf64_Ehdr);
	t.e.e_phentsize = sizeof(Elf64_Phdr);
	t.e.e_phnum = 1;
	t.p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000,
			       .p_filesz = sizeof(t), .p_memsz = sizeof(t), .p_align = 4096 };
	memcpy(t.code, exit42, sizeof(exit42));
	return t;
}

TEST(tiny_elf_runs)
{
	struct tiny t = tiny_elf();
	pid_t p;

	make_file("tiny", &t, sizeof(t), 0755);
	p = fork();
	if (p == 0)
		_exit(try_exec("./tiny"));
	test_wait_exit(p, 42);
}

TEST(errors_by_name)
{
	char dir[] = "d", longname[5000];

	CHECK_EQ(exec_result("./nothing"), ENOENT);
	CHECK_EQ(exec_result(""), ENOENT);
	CHECK_OK(mkdir(dir, 0755));
	CHECK_EQ(exec_result("./d"), EACCES);
	make_file("plain", "#!/bin/sh\n", 10, 0644);
	CHECK_EQ(exec_result("./plain"), EACCES);
	CHECK_EQ(exec_result("./plain/x"), ENOTDIR);
	memset(longname, 'a', sizeof(longname) - 1);
	longname[sizeof(longname) - 1] = 0;
	CHECK_EQ(exec_result(longname), ENAMETOOLONG);
	CHECK_OK(symlink("loop", "loop"));
	CHECK_EQ(exec_result("./loop"), ELOOP);
}

TEST(not_a_program)
{
	struct tiny t = tiny_elf();

	make_file("empty", "", 0, 0755);
	CHECK_EQ(exec_result("./empty"), ENOEXEC);
	make_file("text", "hello world\n", 12, 0755);
	CHECK_EQ(exec_result("./text"), ENOEXEC);
	make_file("cut", &t, 20, 0755);
	CHECK_EQ(exec_result("./cut"), ENOEXEC);
	t.e.e_machine = EM_AARCH64;
	make_file("arm", &t, sizeof(t), 0755);
	CHECK_EQ(exec_result("./arm"), ENOEXEC);
	t = tiny_elf();
	t.e.e_type = ET_REL;
	make_file("rel", &t, sizeof(t), 0755);
	CHECK_EQ(exec_result("./rel"), ENOEXEC);
	t = tiny_elf();
	t.e.e_phentsize = 32;
	make_file("phent", &t, sizeof(t), 0755);
	CHECK_EQ(exec_result("./phent"), ENOEXEC);
	t = tiny_elf();
	t.e.e_phnum = 0;
	make_file("phnum", &t, sizeof(t), 0755);
	CHECK_EQ(exec_result("./phnum"), ENOEXEC);
	t = tiny_elf();
	t.e.e_phoff = 1 << 20;
	make_file("phoff", &t, sizeof(t), 0755);
	CHECK_EQ(exec_result("./phoff"), ENOEXEC);
}

TEST(nonsense_segments_do_not_run)
{
	struct tiny t = tiny_elf();

	t.p[0].p_filesz = t.p[0].p_memsz + 4096;
	make_file("a", &t, sizeof(t), 0755);
	CHECK(exec_result("./a") != 0);
	t = tiny_elf();
	t.p[0].p_vaddr = 0x7fffffffffffff00;
	make_file("b", &t, sizeof(t), 0755);
	CHECK(exec_result("./b") != 0);
	t = tiny_elf();
	t.p[0].p_memsz = ~0ul;
	make_file("c", &t, sizeof(t), 0755);
	CHECK(exec_result("./c") != 0);
	t = tiny_elf();
	t.p[0].p_vaddr = 0x400010;
	make_file("d", &t, sizeof(t), 0755);
	CHECK(exec_result("./d") != 0);
	t = tiny_elf();
	t.e.e_entry = 0xffff800000000000;
	make_file("e", &t, sizeof(t), 0755);
	CHECK(exec_result("./e") != 0);
}

TEST(interpreter_errors)
{
	struct tiny t = tiny_elf();

	t.e.e_phnum = 2;
	t.p[1] = t.p[0];
	t.p[0] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = offsetof(struct tiny, code) + 16, .p_filesz = 9 };
	memcpy(t.code + 16, "/nowhere", 9);
	make_file("i", &t, sizeof(t), 0755);
	CHECK_EQ(exec_result("./i"), ENOENT);
	memcpy(t.code + 16, "/nowhereX", 9); /* not terminated */
	make_file("i", &t, sizeof(t), 0755);
	CHECK_EQ(exec_result("./i"), ENOEXEC);
	make_file("interp", "just a text, longer than an ELF header is, to be read as one ....", 65, 0755);
	memcpy(t.code + 16, "./interp\0", 9);
	make_file("i", &t, sizeof(t), 0755);
	CHECK_EQ(exec_result("./i"), ELIBBAD);
}

TEST(bss_is_zero)
{
	/* mov eax,[0x600ff8]; or eax,[0x601000]; or eax,[0x602ff8]; mov edi,eax; mov eax,60; syscall */
	static const unsigned char code[] = {
		0x8b, 0x04, 0x25, 0xf8, 0x0f, 0x60, 0, 0x0b, 0x04, 0x25, 0, 0x10, 0x60, 0, 0x0b, 0x04, 0x25,
		0xf8, 0x2f, 0x60, 0, 0x89, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 0x05,
	};
	struct { struct tiny t; char fill[8192]; } f = { .t = tiny_elf() };

	memset(f.fill, 0xee, sizeof(f.fill));
	memcpy(f.t.code, code, sizeof(code));
	f.t.e.e_phnum = 2;
	f.t.p[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 4096, .p_vaddr = 0x600000,
				 .p_filesz = 100, .p_memsz = 0x3000, .p_align = 4096 };
	make_file("bss", &f, sizeof(f), 0755);
	pid_t p = fork();

	if (p == 0)
		_exit(try_exec("./bss") ? 99 : 98);
	test_wait_exit(p, 0);
}

TEST(text_file_busy)
{
	struct tiny t = tiny_elf();
	int fd;

	make_file("busy", &t, sizeof(t), 0755);
	fd = open("busy", O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(exec_result("./busy"), ETXTBSY);
	close(fd);
	CHECK_EQ(exec_result("./busy"), 0);
}

TEST(script_arguments)
{
	pid_t p;
	char line[300];
	struct tiny t = tiny_elf();

	make_file("tiny", &t, sizeof(t), 0755);
	make_file("s", "#! ./tiny  one two \n", 20, 0755);
	p = fork();
	if (p == 0)
		_exit(try_exec("./s"));
	test_wait_exit(p, 42);
	make_file("s1", "#!./s\n", 6, 0755);
	p = fork();
	if (p == 0)
		_exit(try_exec("./s1"));
	test_wait_exit(p, 42);
	make_file("bad", "#!\n", 3, 0755);
	CHECK_EQ(exec_result("./bad"), ENOEXEC);
	make_file("gone", "#!/no/such\n", 11, 0755);
	CHECK_EQ(exec_result("./gone"), ENOENT);
	memset(line, 'x', sizeof(line));
	memcpy(line, "#!/", 3);
	make_file("long", line, sizeof(line), 0755);
	CHECK_EQ(exec_result("./long"), ENOEXEC);
}

TEST(script_nesting_limit)
{
	struct tiny t = tiny_elf();
	char name[8], text[16];

	make_file("n0", &t, sizeof(t), 0755);
	for (int i = 1; i <= 6; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		snprintf(text, sizeof(text), "#!./n%d\n", i - 1);
		make_file(name, text, strlen(text), 0755);
	}
	CHECK_EQ(exec_result("./n5"), 0);
	CHECK_EQ(exec_result("./n6"), ELOOP);
}

TEST(argument_limits)
{
	char *big = malloc(200000), *argv[] = { "tiny", big, NULL };
	struct tiny t = tiny_elf();

	make_file("tiny", &t, sizeof(t), 0755);
	memset(big, 'a', 200000);
	big[131072 - 1] = 0; /* 128 KiB with its NUL */
	pid_t p = fork();

	if (p == 0) {
		execve("./tiny", argv, NULL);
		_exit(1);
	}
	test_wait_exit(p, 42);
	big[131072 - 1] = 'a';
	big[131072] = 0;
	CHECK_ERR(execve("./tiny", argv, NULL), E2BIG);
	CHECK_ERR(syscall(SYS_execve, "./tiny", 8, NULL), EFAULT);
}

/* --- the program itself runs again, with a name that says what to check --- */

static int rerun(const char *what, char *const envp[])
{
	char *argv[] = { "exec-test", (char *)what, NULL };
	pid_t p = fork();
	int st;

	if (p == 0) {
		execve("/proc/self/exe", argv, envp);
		_exit(120);
	}
	CHECK_EQ(waitpid(p, &st, 0), p);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 1000 + WTERMSIG(st);
}

static int check_stack(char **argv, char **envp)
{
	unsigned long *sp = (unsigned long *)argv - 1;

	if (((uintptr_t)sp & 15) != 0 || *sp != 2 || strcmp(argv[0], "exec-test"))
		return 1;
	if (!envp[0] || strcmp(envp[0], "A=1") || strcmp(envp[1], "B=2") || envp[2])
		return 2;
	if (getauxval(AT_PAGESZ) != 4096 || getauxval(AT_CLKTCK) != 100 || getauxval(AT_PHENT) != 56)
		return 3;
	if (getauxval(AT_UID) != getuid() || getauxval(AT_EGID) != getegid() || getauxval(AT_SECURE) != 0)
		return 4;
	if (!getauxval(AT_RANDOM) || !getauxval(AT_PHDR) || !getauxval(AT_ENTRY) || !getauxval(AT_SYSINFO_EHDR))
		return 5;
	if (strcmp((char *)getauxval(AT_EXECFN), "/proc/self/exe") ||
	    strcmp((char *)getauxval(AT_PLATFORM), "x86_64"))
		return 6;
	return ((Elf64_Phdr *)getauxval(AT_PHDR))->p_type == 0 ? 7 : 0;
}

static int check_survivors(void)
{
	struct sigaction sa;
	sigset_t set;
	char name[16];
	stack_t ss;

	sigaction(SIGUSR1, NULL, &sa);
	if (sa.sa_handler != SIG_IGN)
		return 1;
	sigaction(SIGUSR2, NULL, &sa);
	if (sa.sa_handler != SIG_DFL || sa.sa_flags)
		return 2;
	sigprocmask(SIG_SETMASK, NULL, &set);
	if (!sigismember(&set, SIGHUP))
		return 3;
	sigpending(&set);
	if (!sigismember(&set, SIGHUP))
		return 4;
	if (fcntl(100, F_GETFD) != 0 || fcntl(101, F_GETFD) != -1)
		return 5;
	prctl(PR_GET_NAME, name);
	if (strcmp(name, "exe"))
		return 6;
	sigaltstack(NULL, &ss);
	if (ss.ss_flags != SS_DISABLE)
		return 7;
	struct itimerval it;

	getitimer(ITIMER_REAL, &it);
	return it.it_value.tv_sec == 0 ? 8 : 0;
}

__attribute__((constructor)) static void second_life(int argc, char **argv, char **envp)
{
	if (argc != 2 || strcmp(argv[0], "exec-test"))
		return;
	if (!strcmp(argv[1], "stack"))
		_exit(check_stack(argv, envp));
	if (!strcmp(argv[1], "survivors"))
		_exit(check_survivors());
	if (!strcmp(argv[1], "where"))
		_exit((int)((uintptr_t)&argc >> 12 & 0x7f));
}

TEST(initial_stack)
{
	char *env[] = { "A=1", "B=2", NULL };

	CHECK_EQ(rerun("stack", env), 0);
}

TEST(what_survives_exec)
{
	struct itimerval it = { .it_value.tv_sec = 1000 };
	stack_t ss = { .ss_sp = malloc(16384), .ss_size = 16384 };
	sigset_t hup;
	int fd = open("/dev/null", O_RDONLY);

	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, (void (*)(int))_exit);
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	pid_t p = fork();

	if (p == 0) {
		char *argv[] = { "exec-test", "survivors", NULL };

		sigprocmask(SIG_BLOCK, &hup, NULL);
		raise(SIGHUP);
		dup2(fd, 100);
		dup3(fd, 101, O_CLOEXEC);
		sigaltstack(&ss, NULL);
		setitimer(ITIMER_REAL, &it, NULL);
		execve("/proc/self/exe", argv, NULL);
		_exit(120);
	}
	test_wait_exit(p, 0);
}

TEST(stack_is_randomised)
{
	int first = rerun("where", NULL), differs = 0;

	for (int i = 0; i < 8; i++)
		differs |= rerun("where", NULL) != first;
	CHECK(differs);
}

TEST(execveat_of_a_descriptor)
{
	struct tiny t = tiny_elf();
	int fd;
	pid_t p;
	char *argv[] = { "x", NULL };

	make_file("tiny", &t, sizeof(t), 0755);
	fd = open("tiny", O_RDONLY | O_CLOEXEC);
	p = fork();
	if (p == 0) {
		syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
		_exit(1);
	}
	test_wait_exit(p, 42);
	CHECK_ERR(syscall(SYS_execveat, fd, "", argv, NULL, 0), ENOENT);
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "tiny", argv, NULL, 0x10), EINVAL);
	CHECK_OK(symlink("tiny", "ln"));
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "ln", argv, NULL, AT_SYMLINK_NOFOLLOW), ELOOP);
}

TEST(set_user_id)
{
	struct tiny t = tiny_elf();
	/* mov eax,107 (geteuid); syscall; mov edi,eax; mov eax,60; syscall */
	static const unsigned char code[] = { 0xb8, 107, 0, 0, 0, 0x0f, 5, 0x89, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 5 };
	pid_t p;

	if (!test_is_root())
		test_skip("needs root");
	memcpy(t.code, code, sizeof(code));
	make_file("suid", &t, sizeof(t), 0755);
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(chown("suid", 77, 77));
	CHECK_OK(chmod("suid", 04755));
	p = fork();
	if (p == 0) {
		if (setresuid(55, 55, 55))
			_exit(1);
		_exit(try_exec("./suid"));
	}
	test_wait_exit(p, 77);
	p = fork();
	if (p == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (setresuid(55, 55, 55))
			_exit(1);
		_exit(try_exec("./suid"));
	}
	test_wait_exit(p, 55);
}

static void put(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0755);

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Whatever the file contains, it is busy first. */
TEST(exec_of_what_is_open_for_writing)
{
	char *argv[] = { "x", NULL };

	put("e", "no program");
	put("s", "#!/nope\n");
	int e = open("e", O_WRONLY), s = open("s", O_WRONLY);
	CHECK_ERR(execv("e", argv), ETXTBSY);
	CHECK_ERR(execv("s", argv), ETXTBSY);
	close(e);
	close(s);
	CHECK_ERR(execv("e", argv), ENOEXEC);
	CHECK_ERR(execv("s", argv), ENOENT);
	CHECK_OK(close(open("e", O_WRONLY)));
	CHECK_OK(close(open("s", O_WRONLY)));
}

/* Its interpreter could not open /dev/fd/N. */
TEST(execveat_of_a_script_that_closes)
{
	char *argv[] = { "x", NULL };

	put("s", "#!/proc/self/exe\n");
	int fd = open("s", O_RDONLY | O_CLOEXEC);
	CHECK_ERR(syscall(SYS_execveat, fd, "", argv, argv + 1, AT_EMPTY_PATH), ENOENT);
}
