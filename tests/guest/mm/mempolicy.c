/* Memory policies on a machine with one node: get_mempolicy(2), set_mempolicy(2), mbind(2), migrate_pages(2),
 * move_pages(2), set_mempolicy_home_node(2). */

#include "test.h"

#include <linux/mempolicy.h>
#include <pthread.h>

#ifndef __NR_set_mempolicy_home_node
#define __NR_set_mempolicy_home_node 450
#endif

enum { PAGE = 4096, PRIV = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE };

typedef unsigned long mask;
#define NODES 1024

static long get_policy(int *mode, void *nodes, unsigned long max, void *addr, unsigned long flags)
{
	return syscall(__NR_get_mempolicy, mode, nodes, max, addr, flags);
}

static long set_policy(int mode, const void *nodes, unsigned long max)
{
	return syscall(__NR_set_mempolicy, mode, nodes, max);
}

static long bind_range(void *addr, unsigned long len, int mode, const void *nodes, unsigned long max, unsigned flags)
{
	return syscall(__NR_mbind, addr, len, mode, nodes, max, flags);
}

static long move(pid_t pid, unsigned long n, void **pages, const int *nodes, int *status, int flags)
{
	return syscall(__NR_move_pages, pid, n, pages, nodes, status, flags);
}

static long migrate(pid_t pid, unsigned long max, const mask *from, const mask *to)
{
	return syscall(__NR_migrate_pages, pid, max, from, to);
}

static char *map_pages(int n)
{
	char *p = mmap(NULL, (size_t)n * PAGE, RW, PRIV, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void expect_policy(int mode, mask nodes)
{
	mask m[NODES / 64];
	int got = -1;

	memset(m, 0xff, sizeof(m));
	CHECK_OK(get_policy(&got, m, NODES, NULL, 0));
	CHECK_EQ(got, mode);
	CHECK_EQ(m[0], nodes);
	for (unsigned i = 1; i < NODES / 64; i++)
		CHECK_EQ(m[i], 0);
}

static void expect_at(void *addr, int mode, mask nodes)
{
	mask m = -1ul;
	int got = -1;

	CHECK_OK(get_policy(&got, &m, 64, addr, MPOL_F_ADDR));
	CHECK_EQ(got, mode);
	CHECK_EQ(m, nodes);
}

static const mask node0 = 1, node1 = 2, both = 3, none = 0;

TEST(default_policy)
{
	expect_policy(MPOL_DEFAULT, 0);
	CHECK_OK(get_policy(NULL, NULL, 0, NULL, 0));
}

TEST(get_arguments)
{
	mask m;
	int mode;

	CHECK_ERR(get_policy(&mode, &m, 64, NULL, 8), EINVAL);
	CHECK_ERR(get_policy(&mode, &m, 0, NULL, 0), EINVAL);
	CHECK_ERR(get_policy(&mode, NULL, 0, &m, 0), EINVAL);
	CHECK_ERR(get_policy(&mode, NULL, 0, NULL, MPOL_F_ADDR), EFAULT);
	CHECK_ERR(get_policy(&mode, NULL, 0, NULL, MPOL_F_NODE), EINVAL);
	CHECK_ERR(get_policy(&mode, NULL, 0, NULL, MPOL_F_NODE | MPOL_F_MEMS_ALLOWED), EINVAL);
	CHECK_ERR(get_policy(&mode, NULL, 0, &m, MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED), EINVAL);
	CHECK_ERR(get_policy((int *)8, NULL, 0, NULL, 0), EFAULT);
	CHECK_ERR(get_policy(&mode, (void *)8, 64, NULL, 0), EFAULT);
}

TEST(allowed_nodes)
{
	mask m[NODES / 64];
	int mode = 77;

	memset(m, 0xff, sizeof(m));
	CHECK_OK(get_policy(&mode, m, NODES, NULL, MPOL_F_MEMS_ALLOWED));
	CHECK_EQ(m[0], 1);
	CHECK_EQ(m[NODES / 64 - 1], 0);
	CHECK_EQ(mode, 0);
	m[0] = m[1] = -1ul;
	CHECK_OK(get_policy(NULL, m, 1, NULL, MPOL_F_MEMS_ALLOWED)); /* one less counts */
	CHECK_EQ(m[0], -1ul);
	CHECK_OK(get_policy(NULL, m, 2, NULL, MPOL_F_MEMS_ALLOWED));
	CHECK_EQ(m[0], 1);
	CHECK_EQ(m[1], -1ul);
}

TEST(set_each_mode)
{
	CHECK_OK(set_policy(MPOL_BIND, &node0, 64));
	expect_policy(MPOL_BIND, 1);
	CHECK_OK(set_policy(MPOL_INTERLEAVE, &both, 64));
	expect_policy(MPOL_INTERLEAVE, 1);
	CHECK_OK(set_policy(MPOL_PREFERRED, &node0, 64));
	expect_policy(MPOL_PREFERRED, 1);
	CHECK_OK(set_policy(MPOL_PREFERRED, NULL, 0));
	expect_policy(MPOL_LOCAL, 0);
	CHECK_OK(set_policy(MPOL_LOCAL, NULL, 0));
	expect_policy(MPOL_LOCAL, 0);
	CHECK_OK(set_policy(MPOL_PREFERRED_MANY, &node0, 64));
	expect_policy(MPOL_PREFERRED_MANY, 1);
	CHECK_OK(set_policy(MPOL_DEFAULT, &none, 64));
	expect_policy(MPOL_DEFAULT, 0);
}

TEST(set_modes_that_need_nodes)
{
	for (int mode = MPOL_BIND; mode <= MPOL_INTERLEAVE; mode++) {
		CHECK_ERR(set_policy(mode, NULL, 0), EINVAL);
		CHECK_ERR(set_policy(mode, &none, 64), EINVAL);
		CHECK_ERR(set_policy(mode, &node1, 64), EINVAL);
		CHECK_ERR(set_policy(mode, &node0, 1), EINVAL); /* one less counts */
		CHECK_OK(set_policy(mode, &node0, 2));
	}
	CHECK_ERR(set_policy(MPOL_PREFERRED, &node1, 64), EINVAL);
	CHECK_ERR(set_policy(MPOL_DEFAULT, &node0, 64), EINVAL);
	CHECK_ERR(set_policy(MPOL_LOCAL, &node0, 64), EINVAL);
	CHECK_ERR(set_policy(6, &node0, 64), EINVAL);
	CHECK_ERR(set_policy(-1, &node0, 64), EINVAL);
}

TEST(set_mask_sizes)
{
	static mask m[PAGE / 8 + 16];

	m[0] = 1;
	CHECK_OK(set_policy(MPOL_BIND, m, PAGE * 8));
	CHECK_OK(set_policy(MPOL_BIND, m, PAGE * 8 + 1));
	CHECK_ERR(set_policy(MPOL_BIND, m, PAGE * 8 + 2), EINVAL);
	m[NODES / 64] = 1;
	CHECK_ERR(set_policy(MPOL_BIND, m, PAGE * 8), EINVAL);
	CHECK_ERR(set_policy(MPOL_BIND, m, NODES + 2), EINVAL);
	CHECK_OK(set_policy(MPOL_BIND, m, NODES + 1));
	CHECK_ERR(set_policy(MPOL_BIND, (void *)8, 64), EFAULT);
	CHECK_OK(set_policy(MPOL_DEFAULT, (void *)8, 1));
	CHECK_OK(set_policy(MPOL_DEFAULT, NULL, 0));
	CHECK_ERR(set_policy(MPOL_DEFAULT, m, 0), EINVAL);
}

TEST(set_mode_flags)
{
	CHECK_ERR(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, &node0, 64), EINVAL);
	CHECK_OK(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES, &both, 64));
	expect_policy(MPOL_BIND | MPOL_F_STATIC_NODES, 3);
	CHECK_ERR(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES, &node1, 64), EINVAL);
	CHECK_OK(set_policy(MPOL_BIND | MPOL_F_RELATIVE_NODES, &node1, 64));
	expect_policy(MPOL_BIND | MPOL_F_RELATIVE_NODES, 2);
	CHECK_OK(set_policy(MPOL_PREFERRED | MPOL_F_RELATIVE_NODES, &node1, 64));
	expect_policy(MPOL_PREFERRED | MPOL_F_RELATIVE_NODES, 2);
	CHECK_ERR(set_policy(MPOL_PREFERRED | MPOL_F_STATIC_NODES, NULL, 0), EINVAL);
	CHECK_ERR(set_policy(MPOL_LOCAL | MPOL_F_STATIC_NODES, NULL, 0), EINVAL);
	CHECK_OK(set_policy(MPOL_DEFAULT | MPOL_F_STATIC_NODES, NULL, 0));
	expect_policy(MPOL_DEFAULT, 0);
	CHECK_OK(set_policy(MPOL_BIND | MPOL_F_NUMA_BALANCING, &node0, 64));
	expect_policy(MPOL_BIND | MPOL_F_NUMA_BALANCING, 1);
	CHECK_ERR(set_policy(MPOL_INTERLEAVE | MPOL_F_NUMA_BALANCING, &node0, 64), EINVAL);
}

TEST(next_node_of_interleave)
{
	int node = 5;

	CHECK_OK(set_policy(MPOL_INTERLEAVE, &node0, 64));
	CHECK_OK(get_policy(&node, NULL, 0, NULL, MPOL_F_NODE));
	CHECK_EQ(node, 0);
}

static int child_policy(void *arg)
{
	int mode = -1;

	(void)arg;
	if (get_policy(&mode, NULL, 0, NULL, 0) || mode != MPOL_BIND)
		return 1;
	return set_policy(MPOL_DEFAULT, NULL, 0) ? 2 : 0;
}

static void *thread_policy(void *arg)
{
	CHECK_EQ(child_policy(NULL), 0);
	return arg;
}

TEST(policy_is_inherited_and_the_threads_own)
{
	pthread_t t;

	CHECK_OK(set_policy(MPOL_BIND, &node0, 64));
	test_wait_exit(test_fork(child_policy, NULL), 0);
	CHECK_EQ(pthread_create(&t, NULL, thread_policy, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	expect_policy(MPOL_BIND, 1);
}

TEST(bind_part_of_a_mapping)
{
	char *p = map_pages(4);

	expect_at(p, MPOL_DEFAULT, 0);
	CHECK_OK(bind_range(p + PAGE, 2 * PAGE, MPOL_BIND, &node0, 64, 0));
	expect_at(p, MPOL_DEFAULT, 0);
	expect_at(p + PAGE, MPOL_BIND, 1);
	expect_at(p + 3 * PAGE - 1, MPOL_BIND, 1);
	expect_at(p + 3 * PAGE, MPOL_DEFAULT, 0);
	CHECK_OK(bind_range(p + 2 * PAGE, 1, MPOL_PREFERRED | MPOL_F_STATIC_NODES, &both, 64, 0));
	expect_at(p + PAGE, MPOL_BIND, 1);
	expect_at(p + 2 * PAGE, MPOL_PREFERRED | MPOL_F_STATIC_NODES, 3);
	CHECK_OK(bind_range(p, 4 * PAGE, MPOL_DEFAULT, NULL, 0, 0));
	expect_at(p + 2 * PAGE, MPOL_DEFAULT, 0);
	CHECK_ERR(get_policy(NULL, NULL, 0, p + PAGE, 0), EINVAL);
}

static unsigned count_maps(char *from, char *to)
{
	char *s = test_slurp("/proc/self/maps"), *line;
	unsigned n = 0;

	for (line = strtok(s, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long start = strtoul(line, NULL, 16);

		n += start >= (unsigned long)from && start < (unsigned long)to;
	}
	return n;
}

TEST(bound_parts_merge_again)
{
	char *p = mmap(NULL, 8 * PAGE, PROT_NONE, PRIV, -1, 0), *q = p + 2 * PAGE;

	CHECK_OK(mprotect(q, 4 * PAGE, RW));
	CHECK_EQ(count_maps(q, q + 4 * PAGE), 1);
	CHECK_OK(bind_range(q + PAGE, PAGE, MPOL_BIND, &node0, 64, 0));
	CHECK_EQ(count_maps(q, q + 4 * PAGE), 3);
	CHECK_OK(bind_range(q, 4 * PAGE, MPOL_BIND, &node0, 64, 0));
	CHECK_EQ(count_maps(q, q + 4 * PAGE), 1);
}

TEST(address_does_not_tell_the_threads_policy)
{
	char *p = map_pages(1);

	CHECK_OK(set_policy(MPOL_INTERLEAVE, &node0, 64));
	expect_at(p, MPOL_DEFAULT, 0);
	CHECK_OK(bind_range(p, PAGE, MPOL_LOCAL, NULL, 0, 0));
	expect_at(p, MPOL_LOCAL, 0);
}

TEST(bound_memory_after_fork_and_mremap)
{
	char *p = map_pages(2), *q;
	pid_t pid;

	CHECK_OK(bind_range(p, 2 * PAGE, MPOL_BIND, &node0, 64, 0));
	pid = fork();
	if (pid == 0) {
		expect_at(p, MPOL_BIND, 1);
		_exit(0);
	}
	test_wait_exit(pid, 0);
	q = map_pages(8);
	CHECK(mremap(p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	expect_at(q, MPOL_BIND, 1);
	expect_at(q + 3 * PAGE, MPOL_BIND, 1);
}

TEST(mbind_arguments)
{
	char *p = map_pages(4);

	CHECK_ERR(bind_range(p + 1, PAGE, MPOL_BIND, &node0, 64, 0), EINVAL);
	CHECK_ERR(bind_range(p, PAGE, MPOL_BIND, &node0, 64, 8), EINVAL);
	CHECK_ERR(bind_range(p, PAGE, 6, &node0, 64, 0), EINVAL);
	CHECK_OK(bind_range(p, -1ul, MPOL_BIND, &node0, 64, 0)); /* rounded up to 0 */
	CHECK_ERR(bind_range(p, -2ul * PAGE, MPOL_BIND, &node0, 64, 0), EINVAL);
	CHECK_ERR(bind_range(p, 1ul << 46, MPOL_BIND, &node0, 64, 0), EFAULT);
	CHECK_ERR(bind_range(p, PAGE, MPOL_BIND, &node1, 64, 0), EINVAL);
	CHECK_ERR(bind_range(p, PAGE, MPOL_BIND, NULL, 0, 0), EINVAL);
	CHECK_OK(bind_range(p, 0, MPOL_BIND, &node0, 64, 0));
	CHECK_OK(bind_range(p, 0, MPOL_BIND, NULL, 0, 0));
	CHECK_ERR(bind_range(p, 0, MPOL_BIND, (void *)8, 64, 0), EFAULT);
	expect_at(p, MPOL_DEFAULT, 0);
}

TEST(mbind_over_holes)
{
	char *p = map_pages(4);

	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(bind_range(p, 3 * PAGE, MPOL_BIND, &node0, 64, 0), EFAULT);
	expect_at(p, MPOL_DEFAULT, 0);
	CHECK_ERR(bind_range(p + PAGE, PAGE, MPOL_BIND, &node0, 64, 0), EFAULT);
	CHECK_ERR(bind_range(p, 2 * PAGE, MPOL_BIND, &node0, 64, 0), EFAULT);
	CHECK_ERR(bind_range(p + PAGE, 2 * PAGE, MPOL_BIND, &node0, 64, 0), EFAULT);
	CHECK_OK(bind_range(p, PAGE, MPOL_BIND, &node0, 64, 0));
	CHECK_OK(bind_range(p + 2 * PAGE, 2 * PAGE, MPOL_BIND, &node0, 64, 0));
	CHECK_OK(bind_range(p, 4 * PAGE, MPOL_DEFAULT, NULL, 0, 0));
	expect_at(p + 3 * PAGE, MPOL_DEFAULT, 0);
	CHECK_ERR(bind_range(p + PAGE, PAGE, MPOL_DEFAULT, NULL, 0, 0), EFAULT);
	CHECK_OK(bind_range(p + PAGE, 2 * PAGE, MPOL_DEFAULT, NULL, 0, 0));
}

TEST(mbind_move_and_strict)
{
	char *p = map_pages(2);

	p[0] = 1;
	CHECK_OK(bind_range(p, 2 * PAGE, MPOL_BIND, &node0, 64, MPOL_MF_STRICT));
	CHECK_OK(bind_range(p, 2 * PAGE, MPOL_BIND, &node0, 64, MPOL_MF_MOVE));
	CHECK_OK(bind_range(p, 2 * PAGE, MPOL_DEFAULT, NULL, 0, MPOL_MF_STRICT));
	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(bind_range(p, 2 * PAGE, MPOL_BIND, &node0, 64, MPOL_MF_MOVE_ALL | MPOL_MF_STRICT));
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(bind_range(p, 2 * PAGE, MPOL_BIND, &node0, 64, MPOL_MF_MOVE_ALL), EPERM);
	CHECK_OK(bind_range(p, 2 * PAGE, MPOL_BIND, &node0, 64, MPOL_MF_MOVE));
}

TEST(node_of_an_address)
{
	char *p = map_pages(2);
	unsigned char in[2];
	int node = 9;

	CHECK_OK(get_policy(&node, NULL, 0, p, MPOL_F_ADDR | MPOL_F_NODE));
	CHECK_EQ(node, 0);
	CHECK_OK(mincore(p, 2 * PAGE, in));
	CHECK_EQ(in[0] & 1, 1); /* it was touched */
	CHECK_EQ(in[1] & 1, 0);
	CHECK_OK(mprotect(p + PAGE, PAGE, PROT_NONE));
	CHECK_ERR(get_policy(&node, NULL, 0, p + PAGE, MPOL_F_ADDR | MPOL_F_NODE), EFAULT);
	CHECK_OK(munmap(p, PAGE));
	CHECK_ERR(get_policy(&node, NULL, 0, p, MPOL_F_ADDR | MPOL_F_NODE), EFAULT);
	CHECK_ERR(get_policy(&node, NULL, 0, p, MPOL_F_ADDR), EFAULT);
}

TEST(move_pages_tells_where_pages_are)
{
	char *p = map_pages(6);
	void *pages[7] = { p, p + PAGE, p + 2 * PAGE, p + 3 * PAGE, (void *)PAGE, p + 5 * PAGE + 7, &pages };
	int status[7] = { 77, 77, 77, 77, 77, 77, 77 };
	volatile char c;

	p[0] = 1;
	c = p[PAGE];
	(void)c;
	p[5 * PAGE] = 1;
	CHECK_OK(mprotect(p + 5 * PAGE, PAGE, PROT_NONE));
	CHECK_OK(munmap(p + 3 * PAGE, PAGE));
	CHECK_EQ(move(0, 7, pages, NULL, status, 0), 0);
	CHECK_EQ(status[0], 0);
	CHECK_EQ(status[1], -EFAULT); /* the page of zeros */
	CHECK_EQ(status[2], -EFAULT); /* never touched */
	CHECK_EQ(status[3], -EFAULT);
	CHECK_EQ(status[4], -EFAULT);
	CHECK_EQ(status[5], -ENOENT); /* PROT_NONE */
	CHECK_EQ(status[6], 0);
}

TEST(move_pages_to_the_only_node)
{
	char *p = map_pages(3);
	void *pages[3] = { p, p + PAGE, (void *)PAGE };
	int status[3] = { 77, 77, 77 }, nodes[3] = { 0, 0, 0 };

	p[0] = 1;
	CHECK_EQ(move(0, 3, pages, nodes, status, MPOL_MF_MOVE), 0);
	CHECK_EQ(status[0], 0);
	CHECK_EQ(status[1], -EFAULT);
	CHECK_EQ(status[2], -EFAULT);
	status[0] = 77;
	CHECK_EQ(move(0, 1, pages, nodes, status, 0), 0);
	CHECK_EQ(status[0], 0);
	nodes[1] = 1;
	status[0] = status[1] = 77;
	CHECK_ERR(move(0, 2, pages, nodes, status, MPOL_MF_MOVE), ENODEV);
	CHECK_EQ(status[0], 0);
	CHECK_EQ(status[1], 77);
	nodes[1] = -1;
	CHECK_ERR(move(0, 2, pages, nodes, status, MPOL_MF_MOVE), ENODEV);
	nodes[1] = 5000;
	CHECK_ERR(move(0, 2, pages, nodes, status, MPOL_MF_MOVE), ENODEV);
}

TEST(move_pages_of_a_file)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600), status[2] = { 77, 77 };
	volatile char *p;
	void *pages[2];

	CHECK_OK(ftruncate(fd, 2 * PAGE));
	CHECK((p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0)) != MAP_FAILED);
	p[0] = 1;
	pages[0] = (void *)p;
	pages[1] = (char *)p + PAGE;
	CHECK_EQ(move(0, 2, pages, NULL, status, 0), 0);
	CHECK_EQ(status[0], 0);
	CHECK_EQ(status[1], -ENOENT);
}

TEST(move_pages_arguments)
{
	char *p = map_pages(1);
	void *pages[1] = { p };
	int status[1], nodes[1] = { 0 };

	CHECK_ERR(move(0, 1, pages, nodes, status, 1), EINVAL);
	CHECK_ERR(move(0, 1, pages, nodes, status, 8), EINVAL);
	CHECK_EQ(move(0, 0, NULL, NULL, NULL, 0), 0);
	CHECK_ERR(move(0, 1, (void *)8, NULL, status, 0), EFAULT);
	CHECK_ERR(move(0, 1, pages, NULL, (void *)8, 0), EFAULT);
	CHECK_ERR(move(0, 1, pages, (void *)8, status, 0), EFAULT);
	CHECK_ERR(move(0x3fffffff, 1, pages, NULL, status, 0), ESRCH);
	CHECK_ERR(move(-1, 1, pages, NULL, status, 0), ESRCH);
	if (!test_is_root())
		test_skip("needs root");
	CHECK_EQ(move(0, 1, pages, nodes, status, MPOL_MF_MOVE_ALL), 0);
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(move(0, 1, pages, nodes, status, MPOL_MF_MOVE_ALL), EPERM);
	CHECK_ERR(move(1, 1, pages, nodes, status, 0), EPERM);
}

static int pause_child(void *arg)
{
	(void)arg;
	pause();
	return 0;
}

TEST(pages_of_another_process)
{
	char *p = map_pages(1);
	void *pages[1] = { p };
	int status[1] = { 77 };
	pid_t pid;

	p[0] = 1;
	pid = test_fork(pause_child, NULL);
	CHECK_EQ(move(pid, 1, pages, NULL, status, 0), 0);
	CHECK_EQ(status[0], 0);
	CHECK_EQ(migrate(pid, 64, &node0, &node0), 0);
	CHECK_OK(kill(pid, SIGKILL));
	test_wait_signal(pid, SIGKILL);
}

TEST(migrate_pages_with_one_node)
{
	static mask big[PAGE / 8 + 1];

	CHECK_EQ(migrate(0, 64, &node0, &node0), 0);
	CHECK_EQ(migrate(0, 64, &none, &node0), 0);
	CHECK_EQ(migrate(getpid(), 2, &node0, &node0), 0);
	CHECK_ERR(migrate(0, 64, &node0, (void *)8), EFAULT);
	CHECK_ERR(migrate(0, 64, (void *)8, &node0), EFAULT);
	CHECK_ERR(migrate(0, PAGE * 8 + 2, big, big), EINVAL);
	CHECK_ERR(migrate(0x3fffffff, 64, &node0, &node0), ESRCH);
	CHECK_ERR(migrate(-1, 64, &node0, &node0), ESRCH);
	CHECK_ERR(migrate(0, 64, &node0, &node1), EINVAL);
	CHECK_ERR(migrate(0, 64, &node0, &none), EINVAL);
	CHECK_EQ(migrate(0, 64, &both, &both), 0);
	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_ERR(migrate(1, 64, &node0, &node0), EPERM);
	CHECK_ERR(migrate(0, 64, &node0, &both), EPERM);
}

TEST(home_node)
{
	char *p = map_pages(2);

	if (syscall(__NR_set_mempolicy_home_node, p, 0, 0, 0) && errno == ENOSYS)
		test_skip("not there");
	CHECK_ERR(syscall(__NR_set_mempolicy_home_node, p, PAGE, 0, 1), EINVAL);
	CHECK_ERR(syscall(__NR_set_mempolicy_home_node, p + 1, PAGE, 0, 0), EINVAL);
	CHECK_ERR(syscall(__NR_set_mempolicy_home_node, p, PAGE, 1, 0), EINVAL);
	CHECK_ERR(syscall(__NR_set_mempolicy_home_node, p, PAGE, 5000, 0), EINVAL);
	CHECK_OK(bind_range(p, PAGE, MPOL_BIND, &node0, 64, 0));
	CHECK_OK(syscall(__NR_set_mempolicy_home_node, p, PAGE, 0, 0));
	CHECK_OK(syscall(__NR_set_mempolicy_home_node, p, 2 * PAGE, 0, 0));
	CHECK_ERR(syscall(__NR_set_mempolicy_home_node, p + PAGE, PAGE, 0, 0), ENOENT);
	CHECK_OK(bind_range(p, PAGE, MPOL_INTERLEAVE, &node0, 64, 0));
	CHECK_ERR(syscall(__NR_set_mempolicy_home_node, p, PAGE, 0, 0), EOPNOTSUPP);
}
