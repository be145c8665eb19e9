/* procfs(5) as ps, top, free, mount, lsof and libc read it. */

#include "test.h"

#include <dirent.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>

/* The value of "Name:" in a status-like text. */
static long field(const char *text, const char *name)
{
	char key[64];
	const char *p;

	snprintf(key, sizeof(key), "%s:", name);
	p = strncmp(text, key, strlen(key)) ? NULL : text;
	if (!p) {
		snprintf(key, sizeof(key), "\n%s:", name);
		if (!(p = strstr(text, key)))
			FAIL("no line %s", name);
	}
	return strtol(p + strlen(key), NULL, 10);
}

TEST(proc_magic)
{
	struct statfs sf;

	CHECK_OK(statfs("/proc", &sf));
	CHECK_EQ(sf.f_type, 0x9fa0);
}

TEST(proc_self_is_me)
{
	char b[32] = "", want[32];

	CHECK(readlink("/proc/self", b, sizeof(b) - 1) > 0);
	snprintf(want, sizeof(want), "%d", getpid());
	CHECK_STR(b, want);
	snprintf(want, sizeof(want), "/proc/%d/stat", getpid());
	CHECK_OK(access(want, R_OK));
}

TEST(proc_stat_fields)
{
	char *s = test_slurp("/proc/self/stat"), *after, state;
	int ppid, pgrp, sid;

	CHECK_EQ(strtol(s, NULL, 10), getpid());
	CHECK((after = strrchr(s, ')')) != NULL);
	CHECK_EQ(sscanf(after + 2, "%c %d %d %d", &state, &ppid, &pgrp, &sid), 4);
	CHECK_EQ(state, 'R');
	CHECK_EQ(ppid, getppid());
	CHECK_EQ(pgrp, getpgrp());
	CHECK_EQ(sid, getsid(0));
	int spaces = 0;
	for (char *p = after; *p; p++)
		spaces += *p == ' ';
	CHECK_EQ(spaces, 50);
}

TEST(proc_status_fields)
{
	char *s = test_slurp("/proc/self/status");

	CHECK_EQ(field(s, "Pid"), getpid());
	CHECK_EQ(field(s, "Tgid"), getpid());
	CHECK_EQ(field(s, "PPid"), getppid());
	CHECK_EQ(field(s, "Uid"), getuid());
	CHECK_EQ(field(s, "Threads"), 1);
	CHECK(field(s, "VmRSS") > 0);
	CHECK(field(s, "VmSize") >= field(s, "VmRSS"));
}

TEST(proc_comm_can_be_written)
{
	int fd = open("/proc/self/comm", O_RDWR);

	CHECK_EQ(write(fd, "a-new-name-that-is-long\n", 24), 24);
	CHECK_STR(test_slurp("/proc/self/comm"), "a-new-name-that\n");
}

/* Run by the next test with its own arguments and environment; by itself it finds the runner's. */
TEST(proc_environ_child)
{
	if (getenv("KEY"))
		CHECK_STR(test_slurp("/proc/self/environ"), "KEY=value");
}

TEST(proc_cmdline_and_environ)
{
	pid_t pid = fork();

	if (pid == 0) {
		char *const env[] = { "KEY=value", NULL };
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO);
		execle("/proc/self/exe", "name", "proc_environ_child", NULL, env);
		_exit(1);
	}
	test_wait_exit(pid, 0);
	char *s = test_slurp("/proc/self/cmdline");
	CHECK(strlen(s) > 0);
}

TEST(proc_maps_are_ordered_and_name_things)
{
	char *s = test_slurp("/proc/self/maps"), *save = NULL;
	unsigned long last = 0, lo, hi;
	bool stack = false, vdso = false, exe = false;

	for (char *line = strtok_r(s, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		CHECK_EQ(sscanf(line, "%lx-%lx", &lo, &hi), 2);
		CHECK(lo >= last && hi > lo);
		last = hi;
		stack |= strstr(line, "[stack]") != NULL;
		vdso |= strstr(line, "[vdso]") != NULL;
		exe |= strstr(line, "r-xp") && strchr(line, '/');
	}
	CHECK(stack);
	CHECK(vdso);
	CHECK(exe);
}

TEST(proc_fd_lists_and_links)
{
	char name[64], target[256] = "", want[256];
	int fd = open("file", O_CREAT | O_RDWR, 0600);

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK(readlink(name, target, sizeof(target) - 1) > 0);
	CHECK(getcwd(want, sizeof(want) - 8) != NULL);
	strcat(want, "/file");
	CHECK_STR(target, want);
	CHECK_OK(unlink("file"));
	memset(target, 0, sizeof(target));
	CHECK(readlink(name, target, sizeof(target) - 1) > 0);
	strcat(want, " (deleted)");
	CHECK_STR(target, want);
	CHECK_EQ(write(fd, "x", 1), 1);
	int again = open(name, O_RDONLY);
	char b;
	CHECK_EQ(read(again, &b, 1), 1);
	bool found = false;
	DIR *d = opendir("/proc/self/fd");
	for (struct dirent *e; (e = readdir(d));)
		found |= atoi(e->d_name) == fd && e->d_name[0] != '.';
	CHECK(found);
}

static unsigned link_mode(int fd)
{
	char name[64];
	struct stat st;

	CHECK(fd >= 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK_OK(lstat(name, &st));
	CHECK_EQ(st.st_size, 64);
	return st.st_mode;
}

/* lsof's and lsfd's r, w and u. */
TEST(proc_fd_links_tell_how_a_file_is_open)
{
	CHECK_EQ(link_mode(open("f", O_CREAT | O_RDWR, 0600)), S_IFLNK | 0700);
	CHECK_EQ(link_mode(open("f", O_RDONLY)), S_IFLNK | 0500);
	CHECK_EQ(link_mode(open("f", O_WRONLY)), S_IFLNK | 0300);
	CHECK_EQ(link_mode(open("f", O_PATH)), S_IFLNK);
	CHECK_EQ(link_mode(open(".", O_RDONLY)), S_IFLNK | 0500);
}

static unsigned fdinfo_flags(int fd)
{
	char name[64], *flags;

	CHECK(fd >= 0);
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	flags = strstr(test_slurp(name), "flags:");
	CHECK(flags != NULL);
	return (unsigned)strtoul(flags + 6, NULL, 8);
}

TEST(proc_fdinfo_has_the_flags_of_descriptor_and_file)
{
	int fd = open("f", O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);

	CHECK_EQ(fdinfo_flags(fd), O_RDWR | O_APPEND | O_CLOEXEC | 0100000);
	CHECK_EQ(fdinfo_flags(dup(fd)), O_RDWR | O_APPEND | 0100000);
	CHECK_EQ(fdinfo_flags(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), O_RDWR | O_CLOEXEC | O_NONBLOCK);
	CHECK_EQ(fdinfo_flags(eventfd(0, 0)), O_RDWR);
	CHECK(strstr(test_slurp("/proc/self/fdinfo/0"), "pos:") != NULL);
	fd = eventfd(0, 0);
	CHECK(fdinfo_flags(fd) == O_RDWR);
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	CHECK(strstr(test_slurp(name), "\neventfd-id: ") != NULL);
	CHECK(strstr(test_slurp("/proc/zoneinfo"), "low ") != NULL);
}

static unsigned links(const char *name)
{
	struct stat st;

	CHECK_OK(stat(name, &st));
	return st.st_nlink;
}

/* The fields of "name" that are directories, and two. */
static unsigned links_counted(const char *name)
{
	DIR *d = opendir(name);
	unsigned n = 2;

	CHECK(d != NULL);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_type == DT_DIR && e->d_name[0] != '.';
	closedir(d);
	return n;
}

TEST(proc_and_sys_count_their_directories)
{
	unsigned before = links("/proc/self/task");
	struct statx st;
	struct stat s;
	pid_t child;

	CHECK_EQ(before, 3);
	CHECK_EQ(links("/proc/self"), links_counted("/proc/self"));
	CHECK_EQ(links("/sys/devices/system/cpu/cpu0"), links_counted("/sys/devices/system/cpu/cpu0"));
	CHECK_EQ(links("/sys"), links_counted("/sys"));
	before = links("/proc");
	CHECK((child = fork()) >= 0);
	if (child == 0) {
		pause();
		_exit(0);
	}
	CHECK_EQ(links("/proc"), before + 1);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(links("/proc"), before);
	CHECK_OK(statx(AT_FDCWD, "/proc/version", 0, STATX_ALL, &st));
	CHECK(!(st.stx_mask & STATX_BTIME));
	CHECK_OK(stat("/proc/version", &s));
	CHECK_EQ(s.st_blksize, 1024);
}

TEST(proc_lists_processes)
{
	bool me = false, one = false;
	DIR *d = opendir("/proc");

	CHECK(d != NULL);
	for (struct dirent *e; (e = readdir(d));) {
		me |= atoi(e->d_name) == getpid();
		one |= !strcmp(e->d_name, "1");
	}
	CHECK(me);
	CHECK(one);
}

TEST(proc_pid_of_a_dead_process_is_gone)
{
	char name[64];
	pid_t pid = fork();

	if (pid == 0)
		pause();
	snprintf(name, sizeof(name), "/proc/%d", pid);
	CHECK_OK(access(name, F_OK));
	kill(pid, SIGKILL);
	test_wait_signal(pid, SIGKILL);
	CHECK_ERR(access(name, F_OK), ENOENT);
}

TEST(proc_meminfo_and_sysinfo_agree)
{
	struct sysinfo si;
	char *s = test_slurp("/proc/meminfo");

	CHECK_OK(sysinfo(&si));
	CHECK_EQ(field(s, "MemTotal"), (long)(si.totalram * si.mem_unit / 1024));
	CHECK(field(s, "MemFree") <= field(s, "MemTotal"));
	CHECK(field(s, "MemAvailable") > 0);
}

/* psutil's softirqs, numactl's node. */
TEST(stat_has_softirqs_and_the_node_has_memory)
{
	char *node = strstr(test_slurp("/sys/devices/system/node/node0/meminfo"), "Node 0 MemTotal:");
	long total;

	CHECK(node != NULL);
	total = strtol(node + 16, NULL, 10);
	CHECK_EQ(total, field(test_slurp("/proc/meminfo"), "MemTotal"));
	CHECK(strstr(test_slurp("/proc/stat"), "\nsoftirq ") != NULL);
}

TEST(proc_cpuinfo_has_every_cpu)
{
	char *s = test_slurp("/proc/cpuinfo");
	int n = 0;

	for (char *p = s; (p = strstr(p, "processor")); p++)
		n++;
	CHECK_EQ(n, sysconf(_SC_NPROCESSORS_ONLN));
}

TEST(proc_small_reads_see_one_text)
{
	char whole[4096] = "", parts[4096] = "";
	int fd = open("/proc/version", O_RDONLY);
	ssize_t n = read(fd, whole, sizeof(whole) - 1), m = 0;

	CHECK(n > 10);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	while (m < (ssize_t)sizeof(parts) - 1 && read(fd, parts + m, 1) == 1)
		m++;
	CHECK_EQ(m, n);
	CHECK_STR(parts, whole);
}

TEST(proc_exe_cwd_root)
{
	char a[256] = "", b[256];

	CHECK(readlink("/proc/self/cwd", a, sizeof(a) - 1) > 0);
	CHECK_STR(a, getcwd(b, sizeof(b)));
	memset(a, 0, sizeof(a));
	CHECK(readlink("/proc/self/root", a, sizeof(a) - 1) > 0);
	CHECK_STR(a, "/");
	CHECK(readlink("/proc/self/exe", a, sizeof(a) - 1) > 0);
}

TEST(proc_mounts_has_proc)
{
	CHECK(strstr(test_slurp("/proc/mounts"), " /proc proc ") != NULL);
	CHECK(strstr(test_slurp("/proc/self/mountinfo"), " /proc ") != NULL);
}

TEST(proc_sys_kernel)
{
	char *s = test_slurp("/proc/sys/kernel/pid_max");

	CHECK(atoi(s) > 1000);
	CHECK_EQ(strlen(test_slurp("/proc/sys/kernel/random/uuid")), 37);
	CHECK_STR(test_slurp("/proc/sys/kernel/ostype"), "Linux\n");
}

TEST(proc_limits_text)
{
	struct rlimit rl;
	char *s, want[64];

	getrlimit(RLIMIT_NOFILE, &rl);
	s = strstr(test_slurp("/proc/self/limits"), "Max open files");
	CHECK(s != NULL);
	snprintf(want, sizeof(want), "%lu", (unsigned long)rl.rlim_cur);
	CHECK(strstr(s, want) != NULL);
}

TEST(proc_task_directory)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/task/%d/comm", getpid());
	CHECK_OK(access(name, R_OK));
	CHECK_ERR(access("/proc/self/task/1/comm", R_OK), ENOENT);
}

TEST(proc_write_to_readonly_file)
{
	if (!test_is_root())
		test_skip("needs root to tell EACCES from EPERM");
	int fd = open("/proc/meminfo", O_WRONLY);
	CHECK(fd == -1 || (write(fd, "x", 1) == -1 && errno == EIO));
	CHECK_ERR(mkdir("/proc/x", 0700), ENOENT);
	CHECK(unlink("/proc/meminfo") == -1);
}

TEST(proc_mem_of_self)
{
	static char secret[] = "secret";
	char b[8] = "";
	int fd = open("/proc/self/mem", O_RDWR);

	CHECK_OK(fd);
	CHECK_EQ(pread(fd, b, 7, (off_t)(uintptr_t)secret), 7);
	CHECK_STR(b, "secret");
	CHECK_EQ(pwrite(fd, "SECRET", 6, (off_t)(uintptr_t)secret), 6);
	CHECK_STR(secret, "SECRET");
	CHECK_ERR(pread(fd, b, 1, 0), EIO);
}

/* lscpu(1) compares the masks of every CPU, and trusts that they are there. */
static const char *cache_text(int index, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
	return test_slurp(path);
}

TEST(sysfs_tells_the_caches_of_a_cpu)
{
	int n;

	for (n = 0;; n++) {
		char dir[64], type[16];
		long bytes;

		snprintf(dir, sizeof(dir), "/sys/devices/system/cpu/cpu0/cache/index%d", n);
		if (access(dir, F_OK))
			break;
		bytes = atol(cache_text(n, "number_of_sets"));
		bytes *= atol(cache_text(n, "ways_of_associativity"));
		bytes *= atol(cache_text(n, "coherency_line_size"));
		CHECK_EQ(bytes, atol(cache_text(n, "size")) * 1024);
		snprintf(type, sizeof(type), "%s", cache_text(n, "type"));
		CHECK(!strcmp(type, "Data\n") || !strcmp(type, "Instruction\n") || !strcmp(type, "Unified\n"));
		CHECK(atoi(cache_text(n, "level")) >= 1);
		CHECK(strtoul(cache_text(n, "shared_cpu_map"), NULL, 16) & 1);
		CHECK_EQ(cache_text(n, "shared_cpu_list")[0], '0');
	}
	CHECK(n >= 3);
}

TEST(sysfs_tells_the_topology_of_a_cpu)
{
	static const char *const masks[][2] = { { "thread_siblings", "core_cpus" },
						{ "core_siblings", "package_cpus" },
						{ "die_cpus", "die_cpus" } };
	char name[128], text[2][128];

	for (unsigned i = 0; i < 3; i++) {
		for (unsigned j = 0; j < 2; j++) {
			snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu0/topology/%s", masks[i][j]);
			int fd = open(name, O_RDONLY);
			ssize_t n = fd < 0 ? -1 : read(fd, text[j], sizeof(text[j]) - 1);

			CHECK(n > 1);
			text[j][n] = '\0';
			CHECK_EQ(text[j][n - 1], '\n');
			CHECK(strtoul(&text[j][n - 2], NULL, 16) & 1);
			CHECK_OK(close(fd));
		}
		CHECK(strcmp(text[0], text[1]) == 0);
	}
}

static char *of_pid(pid_t pid, const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return path;
}

/* Its registers were on a stack that is gone. */
TEST(proc_syscall_of_a_zombie)
{
	pid_t pid = fork();
	siginfo_t si;

	if (pid == 0)
		_exit(0);
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_STR(test_slurp(of_pid(pid, "syscall")), "-1 0x0 0x0\n");
}

TEST(proc_mem_ends_with_the_process)
{
	static char word[8] = "hello";
	char b[8];
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	int mem = open(of_pid(pid, "mem"), O_RDWR), map = open(of_pid(pid, "pagemap"), O_RDONLY);
	CHECK_EQ(pread(mem, b, sizeof(b), (off_t)(uintptr_t)word), sizeof(b));
	CHECK_STR(b, "hello");
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_OK(waitpid(pid, NULL, 0));
	CHECK_EQ(pread(mem, b, sizeof(b), (off_t)(uintptr_t)word), 0);
	CHECK_EQ(pwrite(mem, b, sizeof(b), (off_t)(uintptr_t)word), 0);
	CHECK_EQ(pread(map, b, sizeof(b), 0), 0);
}

TEST(proc_fd_links_and_fdinfo)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 1, .l_len = 2 };
	int r = open("/dev/null", O_RDONLY), w = open("/dev/null", O_WRONLY), rw;
	char path[64], *text;
	struct stat st;

	rw = open("f", O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r);
	CHECK_OK(lstat(path, &st));
	CHECK_EQ(st.st_mode, S_IFLNK | 0500);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", w);
	CHECK_OK(lstat(path, &st));
	CHECK_EQ(st.st_mode, S_IFLNK | 0300);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", rw);
	CHECK_OK(lstat(path, &st));
	CHECK_EQ(st.st_mode, S_IFLNK | 0700);
	CHECK_OK(fcntl(rw, F_SETLK, &lock));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", rw);
	text = test_slurp(path);
	CHECK(strstr(text, "flags:\t02102002\n") != NULL);
	CHECK(strstr(text, "lock:\t1: POSIX  ADVISORY  WRITE ") != NULL);
	CHECK(strstr(text, " 1 2\n") != NULL);
}

TEST(proc_maps_names)
{
	int fd = open("a\nb", O_CREAT | O_RDWR, 0600), m = memfd_create("mm", 0);

	CHECK_OK(ftruncate(fd, 4096));
	CHECK_OK(ftruncate(m, 4096));
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, m, 0) != MAP_FAILED);
	CHECK(strstr(test_slurp("/proc/self/maps"), "/a\\012b\n") != NULL);
	CHECK(strstr(test_slurp("/proc/self/maps"), "/memfd:mm (deleted)\n") != NULL);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), n;

	CHECK(fd >= 0);
	n = (int)write(fd, text, strlen(text));
	close(fd);
	return n;
}

TEST(oom_adjustments)
{
	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(write_text("/proc/self/oom_adj", "-16"));
	CHECK_STR(test_slurp("/proc/self/oom_score_adj"), "-941\n");
	CHECK_OK(write_text("/proc/self/oom_adj", "15"));
	CHECK_STR(test_slurp("/proc/self/oom_score_adj"), "1000\n");
	CHECK_ERR(write_text("/proc/self/oom_adj", "16"), EINVAL);
	CHECK_OK(write_text("/proc/self/oom_score_adj", "100"));
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	CHECK_OK(setuid(1000));
	CHECK_EQ(write(fd, "200", 3), 3);
	CHECK_EQ(pwrite(fd, "100", 3, 0), 3);
	CHECK_ERR(pwrite(fd, "50", 2, 0), EACCES);
}
