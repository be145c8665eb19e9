/* ioperm(2) and iopl(2): which I/O ports a thread may use, who may say so, and who inherits it. Port 0x80 takes what
 * the firmware tells about its progress: writing to it does nothing. */

#include "test.h"

#include <pthread.h>
#include <sys/io.h>
#include <sys/prctl.h>

enum { POST = 0x80, UNUSED = 0x84 };

static int write_port(void *port)
{
	outb(0, (unsigned short)(uintptr_t)port);
	return 0;
}

static void port_is_allowed(unsigned port)
{
	test_wait_exit(test_fork(write_port, (void *)(uintptr_t)port), 0);
}

static void port_faults(unsigned port)
{
	test_wait_signal(test_fork(write_port, (void *)(uintptr_t)port), SIGSEGV);
}

static void drop_root(void)
{
	CHECK_OK(setresuid(65534, 65534, 65534));
}

static void need_root(void)
{
	if (!test_is_root())
		test_skip("needs root");
}

TEST(ports_fault_by_default)
{
	port_faults(POST);
	port_faults(0xffff);
}

TEST(ioperm_allows_the_named_ports)
{
	need_root();
	CHECK_OK(ioperm(POST, 1, 1));
	outb(0, POST);
	port_is_allowed(POST);
	port_faults(POST + 1);
	port_faults(POST - 1);
	CHECK_OK(ioperm(UNUSED, 3, 1));
	outb(0, UNUSED + 2);
	outb(0, POST);
	CHECK_OK(ioperm(POST, UNUSED + 2 - POST, 0));
	port_faults(POST);
	port_faults(UNUSED + 1);
	outb(0, UNUSED + 2);
	CHECK_OK(ioperm(0, 65536, 0));
	port_faults(UNUSED + 2);
}

TEST(ioperm_of_wide_access_needs_every_port)
{
	need_root();
	CHECK_OK(ioperm(UNUSED, 1, 1));
	pid_t pid = fork();
	if (pid == 0) {
		outw(0, UNUSED);
		_exit(0);
	}
	test_wait_signal(pid, SIGSEGV);
	CHECK_OK(ioperm(UNUSED + 1, 1, 1));
	outw(0, UNUSED);
}

TEST(ioperm_range)
{
	need_root();
	CHECK_ERR(ioperm(65535, 2, 1), EINVAL);
	CHECK_ERR(ioperm(0, 65537, 1), EINVAL);
	CHECK_ERR(ioperm(65536, 1, 0), EINVAL);
	CHECK_ERR(ioperm(1, -1ul, 1), EINVAL);
	CHECK_ERR(ioperm(5, 0, 1), EINVAL);
	CHECK_OK(ioperm(65535, 1, 1));
	CHECK_OK(ioperm(0, 65536, 0));
}

TEST(ioperm_needs_capability_to_allow_only)
{
	need_root();
	CHECK_OK(ioperm(POST, 1, 1));
	drop_root();
	outb(0, POST);
	CHECK_ERR(ioperm(POST, 1, 1), EPERM);
	CHECK_ERR(ioperm(65535, 2, 1), EINVAL);
	CHECK_OK(ioperm(POST, 1, 0));
	CHECK_ERR(ioperm(POST, 1, 1), EPERM);
	port_faults(POST);
}

static int child_changes(void *arg)
{
	(void)arg;
	outb(0, POST);
	if (ioperm(POST, 1, 0) || ioperm(UNUSED, 1, 1))
		return 1;
	outb(0, UNUSED);
	return 0;
}

TEST(ioperm_is_inherited_as_a_copy)
{
	need_root();
	CHECK_OK(ioperm(POST, 1, 1));
	test_wait_exit(test_fork(child_changes, NULL), 0);
	outb(0, POST);
	port_faults(UNUSED);
}

static void *thread_allows(void *arg)
{
	(void)arg;
	outb(0, POST);
	CHECK_OK(ioperm(UNUSED, 1, 1));
	outb(0, UNUSED);
	return NULL;
}

TEST(ioperm_belongs_to_the_thread)
{
	pthread_t t;

	need_root();
	CHECK_OK(ioperm(POST, 1, 1));
	CHECK_EQ(pthread_create(&t, NULL, thread_allows, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	port_faults(UNUSED);
}

static void exec_self(const char *test, const char *port)
{
	setenv("TEST_PORT", port, 1);
	execl("/proc/self/exe", "ioport", test, (char *)NULL);
}

/* Run by the next ones through exec: TEST_PORT is set there only. */
TEST(after_exec)
{
	const char *port = getenv("TEST_PORT");

	if (port == NULL)
		test_skip("run by others");
	outb(0, (unsigned short)atoi(port));
}

static int exec_output(void)
{
	pid_t pid = fork();
	int status, null;

	if (pid == 0) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		dup2(null, 2);
		exec_self("after_exec", "128");
		_exit(99);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(ioperm_survives_exec)
{
	need_root();
	CHECK(exec_output() != 0);
	CHECK_OK(ioperm(POST, 1, 1));
	CHECK_EQ(exec_output(), 0);
}

TEST(iopl_survives_exec)
{
	need_root();
	CHECK_OK(iopl(3));
	CHECK_EQ(exec_output(), 0);
}

TEST(iopl_allows_all_ports)
{
	need_root();
	CHECK_OK(iopl(3));
	outb(0, POST);
	outb(0, UNUSED);
	port_is_allowed(POST);
	CHECK_OK(iopl(0));
	port_faults(POST);
	CHECK_OK(iopl(2));
	port_faults(POST);
	CHECK_OK(ioperm(POST, 1, 1));
	CHECK_OK(iopl(3));
	CHECK_OK(iopl(0));
	outb(0, POST);
	port_faults(UNUSED);
}

TEST(iopl_arguments)
{
	need_root();
	CHECK_ERR(iopl(4), EINVAL);
	CHECK_ERR(iopl(-1), EINVAL);
	CHECK_OK(iopl(2));
	drop_root();
	CHECK_ERR(iopl(3), EPERM);
	CHECK_ERR(iopl(4), EINVAL);
	CHECK_OK(iopl(2));
	CHECK_OK(iopl(1));
	CHECK_ERR(iopl(2), EPERM);
	CHECK_OK(iopl(0));
}

static int disable_interrupts(void *arg)
{
	(void)arg;
	__asm__ volatile("cli; sti" ::: "memory");
	return 0;
}

TEST(iopl_does_not_give_the_interrupt_flag)
{
	unsigned long flags;

	need_root();
	test_wait_signal(test_fork(disable_interrupts, NULL), SIGSEGV);
	CHECK_OK(iopl(3));
	test_wait_exit(test_fork(disable_interrupts, NULL), 0);
	__asm__ volatile("cli; pushfq; popq %0; sti" : "=r"(flags)::"memory");
	CHECK_EQ(flags & 0x3200, 0x200);
}
