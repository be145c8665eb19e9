/* /proc/sys/kernel, /proc/sys/fs, and what their values do; syslog(2). */
#include <sys/klog.h>
#include <sys/prctl.h>

#include "../test.h"

static void put(const char *path, const char *text)
{
	int f = open(path, O_WRONLY | O_TRUNC);

	if (f < 0 || write(f, text, strlen(text)) != (ssize_t)strlen(text))
		FAIL("%s: %s", path, strerrorname_np(errno));
	close(f);
}

static int put_error(const char *path, const char *text)
{
	int f = open(path, O_WRONLY), e;

	if (f < 0)
		return errno;
	e = write(f, text, strlen(text)) < 0 ? errno : 0;
	close(f);
	return e;
}

static void need_root(void)
{
	if (!test_is_root())
		test_skip("needs root");
}

TEST(sysctl_values_that_are_there)
{
	CHECK_STR(test_slurp("/proc/sys/kernel/ostype"), "Linux\n");
	CHECK_STR(test_slurp("/proc/sys/kernel/ngroups_max"), "65536\n");
	CHECK_STR(test_slurp("/proc/sys/kernel/overflowuid"), "65534\n");
	CHECK_STR(test_slurp("/proc/sys/kernel/randomize_va_space"), "2\n");
	CHECK_STR(test_slurp("/proc/sys/kernel/arch"), "x86_64\n");
	CHECK_STR(test_slurp("/proc/sys/debug/exception-trace"), "1\n");
	CHECK(atoi(test_slurp("/proc/sys/kernel/cap_last_cap")) >= 40);
	CHECK(atoi(test_slurp("/proc/sys/kernel/threads-max")) > 1000);
}

TEST(sysctl_refuses)
{
	need_root();
	CHECK_EQ(put_error("/proc/sys/kernel/pid_max", "300"), EINVAL);
	CHECK_EQ(put_error("/proc/sys/kernel/pid_max", "4194305"), EINVAL);
	CHECK_EQ(put_error("/proc/sys/kernel/panic", "x"), EINVAL);
	CHECK_EQ(put_error("/proc/sys/kernel/core_uses_pid", "x"), EINVAL);
}

static int as_nobody(void *unused)
{
	(void)unused;
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_EQ(put_error("/proc/sys/kernel/panic", "1"), EACCES);
	CHECK_EQ(put_error("/proc/sys/kernel/core_pattern", "x"), EACCES);
	CHECK_EQ(put_error("/proc/sys/kernel/hostname", "x"), EACCES);
	return 0;
}

TEST(sysctl_is_roots)
{
	need_root();
	test_wait_exit(test_fork(as_nobody, NULL), 0);
}

/* The address of the stack in a fresh image: by exec of ourselves. */
__attribute__((constructor)) static void maybe_tell(int argc, char **argv, char **envp)
{
	(void)envp;
	if (argc == 2 && strcmp(argv[1], "--stack") == 0) {
		printf("%p\n", (void *)argv);
		exit(0);
	}
}

static void *stack_of_image(void)
{
	char exe[300] = "", cmd[400];
	void *p = NULL;
	FILE *f;

	CHECK_OK(readlink("/proc/self/exe", exe, sizeof(exe) - 1));
	snprintf(cmd, sizeof(cmd), "%s --stack", exe);
	f = popen(cmd, "r");
	CHECK(f != NULL);
	CHECK_EQ(fscanf(f, "%p", &p), 1);
	pclose(f);
	return p;
}

TEST(randomize_va_space_is_obeyed)
{
	need_root();
	if (access("/bin/sh", X_OK) != 0)
		test_skip("no shell");
	CHECK(stack_of_image() != stack_of_image() || stack_of_image() != stack_of_image());
	put("/proc/sys/kernel/randomize_va_space", "0");
	void *a = stack_of_image(), *b = stack_of_image();
	put("/proc/sys/kernel/randomize_va_space", "2");
	CHECK_EQ((uintptr_t)a, (uintptr_t)b);
}

TEST(last_pid_can_be_set)
{
	pid_t p;
	int s;

	need_root();
	put("/proc/sys/kernel/ns_last_pid", "20000");
	p = fork();
	if (p == 0)
		_exit(0);
	CHECK(p > 20000 && p < 20100);
	CHECK_EQ(waitpid(p, &s, 0), p);
	CHECK(atoi(test_slurp("/proc/sys/kernel/ns_last_pid")) >= 20001);
}

TEST(threads_max_limits)
{
	static char old[32];
	pid_t p;
	int s;

	need_root();
	strcpy(old, test_slurp("/proc/sys/kernel/threads-max"));
	put("/proc/sys/kernel/threads-max", "300");
	p = fork();
	if (p == 0) {
		setpgid(0, 0);
		int failed = 0;
		for (int i = 0; i < 400 && !failed; i++) {
			pid_t c = fork();
			if (c == 0) {
				pause();
				_exit(0);
			}
			failed = c < 0 ? errno : 0;
		}
		signal(SIGTERM, SIG_IGN);
		kill(0, SIGTERM);
		_exit(failed == EAGAIN ? 0 : 1);
	}
	CHECK_EQ(waitpid(p, &s, 0), p);
	put("/proc/sys/kernel/threads-max", old);
	CHECK(WIFEXITED(s) && WEXITSTATUS(s) == 0);
}

/* --- the log --- */

static char log_text[1 << 20];

/* All the log, NUL-terminated. */
static char *whole_log(void)
{
	int n = klogctl(3, log_text, sizeof(log_text) - 1);

	CHECK(n >= 0);
	log_text[n] = 0;
	return log_text;
}

static int faults(void *unused)
{
	(void)unused;
	prctl(PR_SET_NAME, "logs-a-fault");
	*(volatile int *)0x123456 = 1;
	return 0;
}

static int traps(void *unused)
{
	(void)unused;
	prctl(PR_SET_NAME, "logs-a-trap");
	__asm__ volatile("ud2");
	return 0;
}

TEST(fatal_faults_are_logged)
{
	char want[100];
	pid_t p;

	need_root();
	sleep(6); /* of others there may have been too many */
	p = test_fork(faults, NULL);
	test_wait_signal(p, SIGSEGV);
	snprintf(want, sizeof(want), "logs-a-fault[%d]: segfault at 123456 ip ", (int)p);
	CHECK(strstr(whole_log(), want) != NULL);
	CHECK(strstr(strstr(log_text, want), " error 6 in ") != NULL);
	p = test_fork(traps, NULL);
	test_wait_signal(p, SIGILL);
	snprintf(want, sizeof(want), "traps: logs-a-trap[%d] trap invalid opcode ip:", (int)p);
	CHECK(strstr(whole_log(), want) != NULL);
	put("/proc/sys/debug/exception-trace", "0");
	p = test_fork(traps, NULL);
	test_wait_signal(p, SIGILL);
	put("/proc/sys/debug/exception-trace", "1");
	snprintf(want, sizeof(want), "traps: logs-a-trap[%d] trap invalid opcode ip:", (int)p);
	CHECK(strstr(whole_log(), want) == NULL);
}

static int reads_log(void *unused)
{
	char buf[4096];
	int n;

	(void)unused;
	do
		n = klogctl(2, buf, sizeof(buf) - 1);
	while (n >= 0 && (buf[n] = 0, strstr(buf, "something for the reader") == NULL));
	return n < 0;
}

TEST(syslog_read_blocks)
{
	char line[] = "something for the reader\n", buf[1000];
	pid_t p;
	int f;

	need_root();
	if (klogctl(9, NULL, 0) > 100000)
		test_skip("another reader");
	while (klogctl(9, NULL, 0) > 0) /* up to now */
		CHECK(klogctl(2, buf, sizeof(buf)) >= 0);
	p = test_fork(reads_log, NULL);
	usleep(200000);
	f = open("/dev/kmsg", O_WRONLY);
	if (f < 0)
		test_skip("no /dev/kmsg");
	CHECK_EQ(write(f, line, strlen(line)), (ssize_t)strlen(line));
	test_wait_exit(p, 0);
}

static int klog_as_nobody(void *want)
{
	char buf[100];

	CHECK_OK(setresuid(1000, 1000, 1000));
	errno = 0;
	klogctl(3, buf, sizeof(buf));
	CHECK_EQ(errno, (int)(intptr_t)want);
	CHECK_ERR(klogctl(2, buf, sizeof(buf)), EPERM);
	CHECK_ERR(klogctl(5, NULL, 0), EPERM);
	return 0;
}

TEST(dmesg_restrict_restricts)
{
	char old[16];

	need_root();
	strcpy(old, test_slurp("/proc/sys/kernel/dmesg_restrict"));
	put("/proc/sys/kernel/dmesg_restrict", "1");
	test_wait_exit(test_fork(klog_as_nobody, (void *)EPERM), 0);
	put("/proc/sys/kernel/dmesg_restrict", "0");
	test_wait_exit(test_fork(klog_as_nobody, (void *)0), 0);
	put("/proc/sys/kernel/dmesg_restrict", old);
}
