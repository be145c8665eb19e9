/* System V shared memory: shmget(2), shmop(2), shmctl(2), and what fork, exec, exit, munmap and mremap do to it. */

#include "test.h"

#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/shm.h>

enum { PAGE = 4096, NOBODY = 65534 };

static int segment(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);

	CHECK_OK(id);
	return id;
}

static char *attach(int id, int flags)
{
	char *p = shmat(id, NULL, flags);

	CHECK(p != (void *)-1);
	return p;
}

static struct shmid_ds stat_of(int id)
{
	struct shmid_ds d;

	CHECK_OK(shmctl(id, IPC_STAT, &d));
	return d;
}

static unsigned long attached(int id)
{
	return stat_of(id).shm_nattch;
}

static void removed(int id)
{
	struct shmid_ds d;

	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERR(shmctl(id, IPC_STAT, &d), EINVAL);
}

static int as_nobody(int (*fn)(void *), void *arg)
{
	int status;
	pid_t p;

	if (!test_is_root())
		test_skip("needs root");
	p = fork();
	if (p == 0) {
		if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
			_exit(99);
		_exit(fn(arg));
	}
	CHECK_EQ(waitpid(p, &status, 0), p);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(a_segment_is_shared_and_starts_as_zeroes)
{
	int id = segment(3 * PAGE);
	char *a = attach(id, 0), *b = attach(id, SHM_RDONLY);

	CHECK(a != b);
	for (int i = 0; i < 3 * PAGE; i++)
		CHECK_EQ(b[i], 0);
	a[2 * PAGE + 5] = 'x';
	CHECK_EQ(b[2 * PAGE + 5], 'x');
	CHECK_EQ(attached(id), 2);
	CHECK_OK(shmdt(a));
	CHECK_EQ(attached(id), 1);
	CHECK_EQ(b[2 * PAGE + 5], 'x');
	CHECK_OK(shmdt(b));
	a = attach(id, 0);
	CHECK_EQ(a[2 * PAGE + 5], 'x');
	CHECK_OK(shmdt(a));
	removed(id);
}

TEST(get_by_key)
{
	key_t key = 0x5e1f0001;
	int id = shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600);

	CHECK_OK(id);
	CHECK_EQ(shmget(key, 0, 0), id);
	CHECK_EQ(shmget(key, 100, 0), id);
	CHECK_EQ(shmget(key, 100, IPC_CREAT), id);
	CHECK_ERR(shmget(key, 101, 0), EINVAL);
	CHECK_ERR(shmget(key, 101, IPC_CREAT), EINVAL);
	CHECK_ERR(shmget(key, 101, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_ERR(shmget(key + 1, 1, 0), ENOENT);
	CHECK_ERR(shmget(key + 1, 0, IPC_CREAT), EINVAL);
	CHECK(segment(1) != id);
	CHECK_EQ(stat_of(id).shm_perm.__key, key);
	removed(id);
	CHECK_ERR(shmget(key, 0, 0), ENOENT);
}

TEST(sizes)
{
	int id;

	CHECK_ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, ULONG_MAX, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, 1ul << 50, 0600), ENOMEM);
	id = shmget(IPC_PRIVATE, 1ul << 40, SHM_NORESERVE | 0600);
	CHECK_OK(id);
	CHECK_EQ(stat_of(id).shm_segsz, 1ul << 40);
	removed(id);
	id = segment(1);
	CHECK_EQ(stat_of(id).shm_segsz, 1);
	char *p = attach(id, 0);
	p[PAGE - 1] = 1; /* the page is whole */
	CHECK_OK(shmdt(p));
	removed(id);
	CHECK_ERR(shmget(IPC_PRIVATE, PAGE, SHM_HUGETLB | 25 << 26 | 0600), EINVAL);
}

TEST(what_stat_says)
{
	int id = shmget(IPC_PRIVATE, 5000, 0640);
	time_t before = time(NULL);
	struct shmid_ds d = stat_of(id);

	CHECK_EQ(d.shm_segsz, 5000);
	CHECK_EQ(d.shm_perm.mode, 0640);
	CHECK_EQ(d.shm_perm.uid, geteuid());
	CHECK_EQ(d.shm_perm.cuid, geteuid());
	CHECK_EQ(d.shm_perm.gid, getegid());
	CHECK_EQ(d.shm_perm.__key, IPC_PRIVATE);
	CHECK_EQ(d.shm_perm.__seq, id >> 15);
	CHECK_EQ(d.shm_cpid, getpid());
	CHECK_EQ(d.shm_lpid, 0);
	CHECK_EQ(d.shm_nattch, 0);
	CHECK_EQ(d.shm_atime, 0);
	CHECK_EQ(d.shm_dtime, 0);
	CHECK(d.shm_ctime >= before - 1 && d.shm_ctime <= before + 5);
	char *p = attach(id, 0);
	d = stat_of(id);
	CHECK_EQ(d.shm_lpid, getpid());
	CHECK(d.shm_atime >= before && d.shm_dtime == 0);
	CHECK_OK(shmdt(p));
	CHECK(stat_of(id).shm_dtime >= before);
	CHECK_ERR(shmctl(id, IPC_STAT, NULL), EFAULT);
	CHECK_ERR(shmctl(-1, IPC_STAT, &d), EINVAL);
	CHECK_ERR(shmctl(id + 1000, IPC_STAT, &d), EINVAL);
	CHECK_ERR(shmctl(id, 99, &d), EINVAL);
	CHECK_ERR(shmctl(id, -1, &d), EINVAL);
	removed(id);
}

TEST(fork_inherits_and_exit_detaches)
{
	int id = segment(PAGE), to_child[2], from_child[2];
	char *p = attach(id, 0), c;
	pid_t child;

	CHECK_OK(pipe(to_child));
	CHECK_OK(pipe(from_child));
	if ((child = fork()) == 0) {
		p[0] = 'c';
		write(from_child[1], "1", 1);
		read(to_child[0], &c, 1);
		_exit(p[1] == 'p' ? 0 : 1);
	}
	CHECK_EQ(read(from_child[0], &c, 1), 1);
	CHECK_EQ(p[0], 'c');
	CHECK_EQ(attached(id), 2);
	CHECK_EQ(stat_of(id).shm_lpid, getpid());
	p[1] = 'p';
	write(to_child[1], "1", 1);
	test_wait_exit(child, 0);
	CHECK_EQ(attached(id), 1);
	CHECK_EQ(stat_of(id).shm_lpid, child);
	CHECK_OK(shmdt(p));
	removed(id);
}

/* This program, executed again, says that it runs and waits for the end of its input. */
__attribute__((constructor)) static void exec_waits(int argc, char **argv)
{
	char c;

	if (argc != 2 || strcmp(argv[1], "-wait") != 0)
		return;
	write(1, "x", 1);
	read(0, &c, 1);
	_exit(0);
}

TEST(exec_detaches)
{
	int id = segment(PAGE), in[2], out[2];
	char c, *const args[] = { "shm", "-wait", NULL };
	pid_t child;

	CHECK_OK(pipe(in));
	CHECK_OK(pipe(out));
	if ((child = fork()) == 0) {
		attach(id, 0);
		attach(id, 0);
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		execv("/proc/self/exe", args);
		_exit(127);
	}
	CHECK_EQ(read(out[0], &c, 1), 1); /* exec_waits() */
	CHECK_EQ(attached(id), 0);
	close(in[1]);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	removed(id);
}

static int attach_and_die(void *arg)
{
	attach(*(int *)arg, 0)[0] = 1;
	raise(SIGKILL);
	return 0;
}

TEST(a_killed_process_detaches)
{
	int id = segment(PAGE);

	test_wait_signal(test_fork(attach_and_die, &id), SIGKILL);
	CHECK_EQ(attached(id), 0);
	removed(id);
}

TEST(removal_waits_for_the_last_to_detach)
{
	key_t key = 0x5e1f0002;
	int id = shmget(key, PAGE, IPC_CREAT | 0600);
	char *a = attach(id, 0), *b;
	struct shmid_ds d;

	a[0] = 'a';
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(stat_of(id).shm_perm.mode, 01600);
	CHECK_EQ(stat_of(id).shm_perm.__key, 0);
	CHECK_ERR(shmget(key, 0, 0), ENOENT);
	b = attach(id, 0); /* Linux lets it, by the identifier */
	CHECK_EQ(b[0], 'a');
	CHECK_OK(shmdt(a));
	CHECK_EQ(attached(id), 1);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_OK(shmdt(b));
	CHECK_ERR(shmctl(id, IPC_STAT, &d), EINVAL);
	CHECK(shmat(id, NULL, 0) == (void *)-1 && errno == EINVAL);
}

TEST(a_removed_segment_ends_with_its_process)
{
	int id = segment(PAGE);
	struct shmid_ds d;
	pid_t child;

	if ((child = fork()) == 0) {
		attach(id, 0);
		shmctl(id, IPC_RMID, NULL);
		_exit(0);
	}
	test_wait_exit(child, 0);
	CHECK_ERR(shmctl(id, IPC_STAT, &d), EINVAL);
}

TEST(identifiers_do_not_come_back_soon)
{
	int seen[40], n = 0;

	for (; n < 40; n++) {
		seen[n] = segment(PAGE);
		for (int i = 0; i < n; i++)
			CHECK(seen[i] != seen[n]);
		removed(seen[n]);
	}
}

TEST(addresses)
{
	int id = segment(2 * PAGE);
	char *room = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(room != MAP_FAILED);
	CHECK(shmat(id, room, 0) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, room + 1, SHM_REMAP) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, NULL, SHM_REMAP) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, (void *)1, SHM_REMAP | SHM_RND) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, (void *)-PAGE, 0) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, room, SHM_REMAP) == room);
	CHECK_OK(munmap(room + 4 * PAGE, 12 * PAGE));
	CHECK(shmat(id, room + 8 * PAGE, 0) == room + 8 * PAGE);
	CHECK(shmat(id, room + 12 * PAGE + 77, SHM_RND) == room + 12 * PAGE);
	room[PAGE] = 'r';
	CHECK_EQ(room[9 * PAGE], 'r');
	CHECK_EQ(room[13 * PAGE], 'r');
	CHECK_EQ(attached(id), 3);
	CHECK_ERR(shmdt(room + PAGE), EINVAL);
	CHECK_ERR(shmdt(room + 1), EINVAL);
	CHECK_OK(shmdt(room));
	CHECK_ERR(shmdt(room), EINVAL);
	CHECK_OK(shmdt(room + 8 * PAGE));
	CHECK_OK(shmdt(room + 12 * PAGE));
	CHECK_EQ(attached(id), 0);
	removed(id);
}

TEST(attachments_side_by_side_stay_apart)
{
	int id = segment(PAGE);
	char *room = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 4; i++)
		CHECK(shmat(id, room + i * PAGE, SHM_REMAP) == room + i * PAGE);
	CHECK_EQ(attached(id), 4);
	CHECK_OK(shmdt(room + PAGE));
	CHECK_EQ(attached(id), 3);
	room[0] = 7;
	CHECK_EQ(room[2 * PAGE], 7);
	CHECK_OK(munmap(room, 4 * PAGE));
	CHECK_EQ(attached(id), 0);
	removed(id);
}

TEST(parts_of_an_attachment)
{
	int id = segment(8 * PAGE);
	char *p = attach(id, 0), *q;

	CHECK_OK(munmap(p + 2 * PAGE, PAGE)); /* a hole: two mappings */
	CHECK_EQ(attached(id), 2);
	CHECK_OK(mprotect(p + 4 * PAGE, PAGE, PROT_READ)); /* two more */
	CHECK_EQ(attached(id), 4);
	CHECK_OK(mprotect(p + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE)); /* never joined again */
	CHECK_EQ(attached(id), 4);
	CHECK_OK(munmap(p, PAGE));
	CHECK_EQ(attached(id), 4);
	q = mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(q == p);
	CHECK_OK(shmdt(p)); /* all that is left, though its first page is gone */
	CHECK_EQ(attached(id), 0);
	CHECK_EQ(*q, 0); /* and not what came instead */
	CHECK_ERR(shmdt(p), EINVAL);
	CHECK_OK(munmap(q, PAGE));
	removed(id);
}

TEST(a_moved_attachment)
{
	int id = segment(4 * PAGE);
	char *p = attach(id, 0), *q;

	p[0] = 'm';
	q = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	CHECK_EQ(attached(id), 1);
	CHECK_EQ(q[0], 'm');
	CHECK_ERR(shmdt(p), EINVAL);
	p = mremap(q, 0, 4 * PAGE, MREMAP_MAYMOVE); /* once more */
	CHECK(p != MAP_FAILED);
	CHECK_EQ(attached(id), 2);
	CHECK_EQ(p[0], 'm');
	CHECK_OK(shmdt(p));
	CHECK_OK(shmdt(q));
	CHECK_EQ(attached(id), 0);
	removed(id);
}

static sigjmp_buf *jump;

static void on_bus(int sig)
{
	siglongjmp(*jump, sig);
}

TEST(beyond_the_end_is_a_bus_error)
{
	int id = segment(PAGE), sig;
	char *p = attach(id, 0);
	sigjmp_buf env;

	jump = &env;
	p = mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED);
	signal(SIGBUS, on_bus);
	if ((sig = sigsetjmp(env, 1)) == 0)
		((volatile char *)p)[PAGE] = 1;
	CHECK_EQ(sig, SIGBUS);
	CHECK_OK(munmap(p, 2 * PAGE));
	CHECK_EQ(attached(id), 0);
	removed(id);
}

TEST(protections)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0700);
	char *r = attach(id, SHM_RDONLY), *x = attach(id, SHM_EXEC);
	int (*fn)(void) = (int (*)(void))x;

	CHECK_ERR(mprotect(r, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK_OK(mprotect(r, PAGE, PROT_READ | PROT_EXEC));
	memcpy(x, "\xb8\x2a\0\0\0\xc3", 6); /* mov $42, %eax; ret */
	CHECK_EQ(fn(), 42);
	CHECK_OK(shmdt(x));
	CHECK_OK(shmdt(r));
	removed(id);
}

static int others(void *arg)
{
	int *id = arg;
	struct shmid_ds d;

	/* 0: 0644, 1: 0000, 2: 0622 */
	if (shmget(0x5e1f0003, 0, 0444) != id[0] || shmget(0x5e1f0003, 0, 0200) != -1 || errno != EACCES)
		return 1;
	if (shmget(0x5e1f0003, 0, IPC_CREAT | 0600) != -1 || errno != EACCES || shmget(0x5e1f0003, 0, 0) != id[0])
		return 2;
	if (shmat(id[0], NULL, SHM_RDONLY) == (void *)-1 || shmat(id[0], NULL, 0) != (void *)-1 || errno != EACCES)
		return 3;
	if (shmat(id[0], NULL, SHM_RDONLY | SHM_EXEC) != (void *)-1 || errno != EACCES)
		return 4;
	if (shmctl(id[0], IPC_STAT, &d) || shmctl(id[1], IPC_STAT, &d) != -1 || errno != EACCES)
		return 5;
	if (shmctl(id[1] & 0x7fff, SHM_STAT, &d) != -1 || errno != EACCES)
		return 6;
	if (shmctl(id[1] & 0x7fff, SHM_STAT_ANY, &d) != id[1] || d.shm_nattch != 0)
		return 7;
	if (shmctl(id[0], IPC_RMID, NULL) != -1 || errno != EPERM || shmctl(id[0], IPC_SET, &d) != -1 || errno != EPERM)
		return 8;
	if (shmctl(id[0], SHM_LOCK, NULL) != -1 || errno != EPERM || shmctl(id[0], SHM_UNLOCK, NULL) != -1 || errno != EPERM)
		return 9;
	if (shmat(id[2], NULL, SHM_RDONLY) != (void *)-1 || errno != EACCES)
		return 10;
	return 0;
}

TEST(permissions)
{
	int id[3] = { shmget(0x5e1f0003, PAGE, IPC_CREAT | 0644), shmget(IPC_PRIVATE, PAGE, 0), shmget(IPC_PRIVATE, PAGE, 0622) };

	CHECK_EQ(as_nobody(others, id), 0);
	for (int i = 0; i < 3; i++)
		removed(id[i]);
}

static int new_owner(void *arg)
{
	int id = *(int *)arg;
	struct shmid_ds d = { 0 };

	if (shmctl(id, IPC_STAT, &d) || d.shm_perm.uid != NOBODY || d.shm_perm.cuid != 0 || d.shm_perm.mode != 0640)
		return 1;
	if (shmat(id, NULL, 0) == (void *)-1)
		return 2;
	d.shm_perm.mode = 0600;
	if (shmctl(id, IPC_SET, &d))
		return 3;
	d.shm_perm.uid = (uid_t)-1;
	if (shmctl(id, IPC_SET, &d) != -1 || errno != EINVAL)
		return 4;
	return shmctl(id, IPC_RMID, NULL) ? 5 : 0;
}

TEST(ownership_can_be_given_away)
{
	int id = segment(PAGE);
	struct shmid_ds d = stat_of(id);

	d.shm_perm.uid = d.shm_perm.gid = NOBODY;
	d.shm_perm.mode = 07640;
	CHECK_OK(shmctl(id, IPC_SET, &d));
	CHECK_EQ(as_nobody(new_owner, &id), 0);
	CHECK_ERR(shmctl(id, IPC_STAT, &d), EINVAL);
	CHECK_ERR(shmctl(0, IPC_SET, NULL), EFAULT);
}

static int lock_limits(void *arg)
{
	struct rlimit two = { 2 * PAGE, 2 * PAGE }, none = { 0, 0 };
	int big = shmget(IPC_PRIVATE, 3 * PAGE, 0600), one = shmget(IPC_PRIVATE, PAGE, 0600), more = shmget(IPC_PRIVATE, PAGE + 1, 0600);
	int res = 0;

	(void)arg;
	setrlimit(RLIMIT_MEMLOCK, &two);
	if (shmctl(big, SHM_LOCK, NULL) != -1 || errno != ENOMEM)
		res = 1;
	else if (shmctl(one, SHM_LOCK, NULL) || shmctl(one, SHM_LOCK, NULL) || stat_of(one).shm_perm.mode != 02600)
		res = 2;
	else if (shmctl(more, SHM_LOCK, NULL) != -1 || errno != ENOMEM)
		res = 3;
	else if (shmctl(one, SHM_UNLOCK, NULL) || shmctl(more, SHM_LOCK, NULL) || stat_of(one).shm_perm.mode != 0600)
		res = 4;
	else if (shmctl(one, SHM_LOCK, NULL) != -1 || errno != ENOMEM)
		res = 5;
	else if (shmctl(more, IPC_RMID, NULL) || shmctl(one, SHM_LOCK, NULL))
		res = 6;
	setrlimit(RLIMIT_MEMLOCK, &none);
	if (res == 0 && (shmctl(one, SHM_LOCK, NULL) != -1 || errno != EPERM || shmctl(one, SHM_UNLOCK, NULL)))
		res = 7;
	shmctl(big, IPC_RMID, NULL);
	shmctl(one, IPC_RMID, NULL);
	return res;
}

TEST(locks_are_limited)
{
	CHECK_EQ(as_nobody(lock_limits, NULL), 0);
}

TEST(info)
{
	struct shm_info before, after;
	struct shminfo limits;
	struct shmid_ds d;
	int id, highest;
	char *p;

	CHECK_OK(shmctl(0, SHM_INFO, (void *)&before));
	id = segment(10 * PAGE);
	p = attach(id, 0);
	p[0] = p[5 * PAGE] = 1;
	highest = shmctl(0, SHM_INFO, (void *)&after);
	CHECK(highest >= (id & 0x7fff));
	CHECK_EQ(after.used_ids, before.used_ids + 1);
	CHECK_EQ(after.shm_tot, before.shm_tot + 10);
	CHECK_EQ(after.shm_rss, before.shm_rss + 2);
	CHECK_EQ(shmctl(id & 0x7fff, SHM_STAT, &d), id);
	CHECK_EQ(d.shm_segsz, 10 * PAGE);
	CHECK_OK(shmctl(0, IPC_INFO, (void *)&limits));
	CHECK_EQ(limits.shmmin, 1);
	CHECK_EQ(limits.shmmni, 4096);
	CHECK_EQ(limits.shmseg, 4096);
	CHECK_EQ(limits.shmmax, ULONG_MAX - (1 << 24));
	CHECK_ERR(shmctl(-1, IPC_INFO, (void *)&limits), EINVAL);
	CHECK_OK(shmdt(p));
	removed(id);
	CHECK_ERR(shmctl(id & 0x7fff, SHM_STAT, &d), EINVAL);
}

TEST(proc_sysvipc_shm)
{
	int id = shmget(0x5e1f0004, 5000, IPC_CREAT | 0640), n;
	char *p = attach(id, 0), *line, want[200];

	p[0] = 1;
	n = snprintf(want, sizeof(want), "\n%10d %10d   640 %21d %5d %5d  %5d %5d %5d %5d %5d ", 0x5e1f0004, id, 5000, getpid(), getpid(), 1,
		     geteuid(), getegid(), geteuid(), getegid());
	line = strstr(test_slurp("/proc/sysvipc/shm"), want);
	CHECK(line);
	CHECK(strncmp(strchr(line + 1, '\n') - 43, "                 4096                     0", 43) == 0);
	CHECK_OK(shmdt(p));
	removed(id);
	CHECK(n > 0 && !strstr(test_slurp("/proc/sysvipc/shm"), want));
}

TEST(maps_show_key_and_identifier)
{
	int id = shmget(0x5e1f0005, 2 * PAGE, IPC_CREAT | 0600);
	char *p = attach(id, 0), want[200], *line;

	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	snprintf(want, sizeof(want), "%lx-%lx rw-s 00000000 00:01 %d ", (long)p, (long)p + 2 * PAGE, id);
	line = strstr(test_slurp("/proc/self/maps"), want);
	CHECK(line);
	CHECK(strstr(line, " /SYSV5e1f0005 (deleted)\n"));
	CHECK_OK(shmdt(p));
}

static long meminfo(const char *name)
{
	char *p = strstr(test_slurp("/proc/meminfo"), name);

	CHECK(p);
	return atol(p + strlen(name));
}

TEST(memory_comes_back)
{
	long before = meminfo("Shmem:"), free = meminfo("MemFree:");

	for (int i = 0; i < 20; i++) {
		int id = segment(8 << 20);
		char *p = attach(id, 0);

		memset(p, 1, 8 << 20);
		if (i == 0)
			CHECK(meminfo("Shmem:") >= before + 8000);
		if (i & 1)
			CHECK_OK(shmctl(id, IPC_RMID, NULL));
		CHECK_OK(shmdt(p));
		if (!(i & 1))
			CHECK_OK(shmctl(id, IPC_RMID, NULL));
	}
	CHECK(meminfo("Shmem:") < before + 8000);
	CHECK(meminfo("MemFree:") > free - 40000);
}

static int creates(void *arg)
{
	int *id = arg;

	id[0] = segment(PAGE);
	id[1] = segment(PAGE);
	attach(id[1], 0);
	return 0;
}

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	CHECK_OK(fd);
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

TEST(rmid_forced)
{
	static const char forced[] = "/proc/sys/kernel/shm_rmid_forced";
	int *id = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), mine, fd, gone[4];
	struct shmid_ds d;
	char *p;

	if (!test_is_root())
		test_skip("needs root");
	mine = segment(PAGE);
	test_wait_exit(test_fork(creates, id), 0);
	CHECK_EQ(attached(id[0]) + attached(id[1]), 0);
	fd = open(forced, O_WRONLY);
	CHECK_ERR(write(fd, "2", 1), EINVAL);
	close(fd);
	set(forced, "1");
	gone[0] = shmctl(id[0], IPC_STAT, &d);
	gone[1] = shmctl(id[1], IPC_STAT, &d);
	test_wait_exit(test_fork(creates, id), 0);
	gone[2] = shmctl(id[0], IPC_STAT, &d);
	gone[3] = shmctl(id[1], IPC_STAT, &d);
	CHECK_OK(shmctl(mine, IPC_STAT, &d));
	p = attach(mine, 0);
	shmdt(p);
	fd = shmctl(mine, IPC_STAT, &d);
	set(forced, "0");
	for (int i = 0; i < 4; i++)
		CHECK_EQ(gone[i], -1);
	CHECK_EQ(fd, -1);
}

TEST(next_id_and_limits)
{
	char old[32], *all = test_slurp("/proc/sys/kernel/shmmni");
	int id, fd;

	if (!test_is_root())
		test_skip("needs root");
	CHECK_STR(test_slurp("/proc/sys/kernel/shm_next_id"), "-1\n");
	set("/proc/sys/kernel/shm_next_id", "1638401"); /* 50 * 32768 + 1 */
	id = segment(PAGE);
	CHECK_EQ(id >> 15, 50);
	CHECK_STR(test_slurp("/proc/sys/kernel/shm_next_id"), "-1\n");
	removed(id);
	snprintf(old, sizeof(old), "%s", all);
	fd = open("/proc/sys/kernel/shmmni", O_WRONLY);
	CHECK_ERR(write(fd, "32769", 5), EINVAL);
	set("/proc/sys/kernel/shmmni", "0");
	id = shmget(IPC_PRIVATE, PAGE, 0600);
	fd = errno;
	set("/proc/sys/kernel/shmmni", "4096");
	CHECK(id == -1 && fd == ENOSPC);
}

/* --- storms --- */

static _Atomic bool stop;

static void *attacher(void *arg)
{
	int id = *(int *)arg;

	while (!stop) {
		char *p = shmat(id, NULL, 0);

		if (p == (void *)-1)
			break;
		p[0]++;
		shmdt(p);
	}
	return NULL;
}

TEST_TIMED(attach_storm, 60)
{
	int id = segment(4 * PAGE);
	pthread_t t[4];
	pid_t child[2];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, attacher, &id), 0);
	for (int round = 0; round < 60; round++) {
		for (int i = 0; i < 2; i++)
			if ((child[i] = fork()) == 0) {
				char *p = shmat(id, NULL, 0);

				_exit(p == (void *)-1 || (i && shmdt(p)));
			}
		for (int i = 0; i < 2; i++)
			test_wait_exit(child[i], 0);
	}
	stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(attached(id), 0);
	removed(id);
}

static void *maker(void *arg)
{
	(void)arg;
	for (int i = 0; i < 150; i++) {
		int id = shmget(0x5e1f0100 + i % 4, PAGE, IPC_CREAT | 0600);
		char *p;

		if (id == -1)
			continue;
		p = shmat(id, NULL, 0);
		if (i % 3 == 0)
			shmctl(id, IPC_RMID, NULL);
		if (p != (void *)-1) {
			p[0] = 1;
			shmdt(p);
		}
	}
	return NULL;
}

TEST_TIMED(make_and_remove_storm, 60)
{
	struct shm_info before, after;
	pthread_t t[4];

	shmctl(0, SHM_INFO, (void *)&before);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, maker, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 4; i++)
		shmctl(shmget(0x5e1f0100 + i, 0, 0), IPC_RMID, NULL);
	shmctl(0, SHM_INFO, (void *)&after);
	CHECK_EQ(after.used_ids, before.used_ids);
	CHECK_EQ(after.shm_tot, before.shm_tot);
}
