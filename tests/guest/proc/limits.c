/* Resource limits, credentials, capabilities, prctl, identity. */
#include "test.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

TEST(rlimit_rules)
{
	struct rlimit l, old;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &old));
	l = (struct rlimit){ 100, 50 };
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &l), EINVAL);
	CHECK_ERR(getrlimit((__rlimit_resource_t)16, &l), EINVAL);
	l = (struct rlimit){ 20, 30 };
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &l));
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &l));
	CHECK_EQ(l.rlim_cur, 20);
	CHECK_EQ(l.rlim_max, 30);
	int n = 0;

	while (dup(0) >= 0)
		n++;
	CHECK_EQ(errno, EMFILE);
	CHECK(n < 20);
	CHECK_OK(prlimit(0, RLIMIT_CORE, NULL, &l));
	pid_t p = fork();

	if (p == 0) {
		if (setresuid(1234, 1234, 1234))
			_exit(0);
		l = (struct rlimit){ 20, 31 };
		_exit(setrlimit(RLIMIT_NOFILE, &l) == -1 && errno == EPERM ? 0 : 1);
	}
	test_wait_exit(p, 0);
}

TEST(fsize_limit_signals)
{
	struct rlimit l = { 1000, 1000 };
	char buf[2000] = { 0 };
	int fd = open("f", O_WRONLY | O_CREAT, 0600);

	signal(SIGXFSZ, SIG_IGN);
	CHECK_OK(setrlimit(RLIMIT_FSIZE, &l));
	CHECK_EQ(write(fd, buf, sizeof(buf)), 1000);
	CHECK_ERR(write(fd, buf, 1), EFBIG);
	pid_t p = fork();

	if (p == 0) {
		signal(SIGXFSZ, SIG_DFL);
		if (write(fd, buf, 1))
			_exit(1);
		_exit(0);
	}
	test_wait_signal(p, SIGXFSZ);
}

static int in_child(void (*fn)(void))
{
	int st;
	pid_t p = fork();

	if (p == 0) {
		fn();
		_exit(0);
	}
	waitpid(p, &st, 0);
	return st;
}

#define REQUIRE(c) do { if (!(c)) _exit(__LINE__ & 0xff); } while (0)

static void check_ids(uid_t r, uid_t e, uid_t s)
{
	uid_t a, b, c;

	REQUIRE(getresuid(&a, &b, &c) == 0 && a == r && b == e && c == s);
}

static void uids_as_root(void)
{
	REQUIRE(syscall(SYS_setresuid, 10, 20, 30) == 0);
	check_ids(10, 20, 30);
	REQUIRE(syscall(SYS_setresuid, -1, 40, -1) == -1 && errno == EPERM);
	REQUIRE(syscall(SYS_setresuid, 20, 30, 10) == 0);
	check_ids(20, 30, 10);
	REQUIRE(syscall(SYS_setuid, 20) == 0);
	check_ids(20, 20, 10);
	REQUIRE(syscall(SYS_setreuid, -1, 10) == 0);
	check_ids(20, 10, 10); /* the saved one follows, since the effective one is not the real one */
	REQUIRE(syscall(SYS_setuid, 99) == -1 && errno == EPERM);
	REQUIRE(syscall(SYS_setuid, -1) == -1 && errno == EINVAL);
}

static void gids_as_root(void)
{
	gid_t a, b, c;

	REQUIRE(syscall(SYS_setresgid, 1, 2, 3) == 0);
	REQUIRE(syscall(SYS_setregid, -1, 9) == 0);
	REQUIRE(getresgid(&a, &b, &c) == 0 && a == 1 && b == 9 && c == 9);
	REQUIRE(syscall(SYS_setgid, 5) == 0);
	REQUIRE(getresgid(&a, &b, &c) == 0 && a == 5 && b == 5 && c == 5);
	REQUIRE(setfsgid(7) == 5 && setfsgid((gid_t)-1) == 7);
}

static void groups_as_root(void)
{
	gid_t g[3] = { 30, 10, 20 }, out[3];

	REQUIRE(syscall(SYS_setgroups, 3, g) == 0);
	REQUIRE(syscall(SYS_getgroups, 0, NULL) == 3);
	REQUIRE(syscall(SYS_getgroups, 2, out) == -1 && errno == EINVAL);
	REQUIRE(syscall(SYS_getgroups, 3, out) == 3 && out[0] == 10 && out[1] == 20 && out[2] == 30);
	REQUIRE(syscall(SYS_setgroups, 70000, g) == -1 && errno == EINVAL);
	REQUIRE(syscall(SYS_setuid, 100) == 0);
	REQUIRE(syscall(SYS_setgroups, 0, NULL) == -1 && errno == EPERM);
}

static uint64_t caps(int which)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	REQUIRE(syscall(SYS_capget, &h, d) == 0);
	return which == 0 ? d[0].effective | (uint64_t)d[1].effective << 32
			  : d[0].permitted | (uint64_t)d[1].permitted << 32;
}

static void caps_follow_uids(void)
{
	REQUIRE(caps(0) != 0 && caps(1) != 0);
	REQUIRE(syscall(SYS_setresuid, -1, 5, -1) == 0);
	REQUIRE(caps(0) == 0 && caps(1) != 0);
	REQUIRE(syscall(SYS_setresuid, -1, 0, -1) == 0);
	REQUIRE(caps(0) == caps(1));
	REQUIRE(setfsuid(5) == 0);
	REQUIRE(!(caps(0) >> CAP_DAC_OVERRIDE & 1) && (caps(0) >> CAP_SETUID & 1));
	REQUIRE(setfsuid(0) == 5);
	REQUIRE(caps(0) >> CAP_DAC_OVERRIDE & 1);
	REQUIRE(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 1);
	REQUIRE(syscall(SYS_setresuid, 5, 5, 5) == 0);
	REQUIRE(caps(0) == 0 && caps(1) != 0);
}

static void caps_are_lost(void)
{
	REQUIRE(syscall(SYS_setresuid, 5, 5, 5) == 0);
	REQUIRE(caps(0) == 0 && caps(1) == 0);
}

static void capset_rules(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { 0 };

	d[0].permitted = d[0].effective = 1 << CAP_KILL;
	REQUIRE(syscall(SYS_capset, &h, d) == 0);
	REQUIRE(caps(0) == 1 << CAP_KILL);
	d[0].permitted |= 1 << CAP_CHOWN;
	REQUIRE(syscall(SYS_capset, &h, d) == -1 && errno == EPERM);
	d[0].permitted = 0;
	REQUIRE(syscall(SYS_capset, &h, d) == -1 && errno == EPERM); /* effective beyond permitted */
	h.version = 1;
	REQUIRE(syscall(SYS_capget, &h, d) == -1 && errno == EINVAL && h.version == _LINUX_CAPABILITY_VERSION_3);
}

TEST(ids_and_capabilities)
{
	if (!test_is_root())
		test_skip("needs root");
	CHECK_EQ(in_child(uids_as_root), 0);
	CHECK_EQ(in_child(gids_as_root), 0);
	CHECK_EQ(in_child(groups_as_root), 0);
	CHECK_EQ(in_child(caps_follow_uids), 0);
	CHECK_EQ(in_child(caps_are_lost), 0);
	CHECK_EQ(in_child(capset_rules), 0);
}

TEST(prctl_options)
{
	char name[17] = "";
	int v = 0;

	CHECK_OK(prctl(PR_SET_NAME, "a name that is too long"));
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "a name that is ");
	CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	CHECK_OK(prctl(PR_GET_PDEATHSIG, &v));
	CHECK_EQ(v, SIGUSR1);
	CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 5), EINVAL);
	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_OK(prctl(PR_GET_CHILD_SUBREAPER, &v));
	CHECK_EQ(v, 1);
	CHECK_OK(prctl(PR_SET_TIMERSLACK, 12345));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 12345);
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(0x7fff1234), EINVAL);
	CHECK_ERR(prctl(PR_CAPBSET_READ, 200), EINVAL);
}

TEST(uname_and_hostname)
{
	struct utsname u, v;
	char host[65];

	CHECK_OK(uname(&u));
	CHECK_STR(u.sysname, "Linux");
	CHECK_STR(u.machine, "x86_64");
	CHECK(u.release[0] >= '3' && u.release[0] <= '9');
	CHECK_OK(gethostname(host, sizeof(host)));
	CHECK_STR(host, u.nodename);
	if (!test_is_root())
		return;
	pid_t p = fork();

	if (p == 0) {
		if (unshare(CLONE_NEWUTS) && errno != EINVAL)
			_exit(0);
		REQUIRE(sethostname("kevlar-test", 11) == 0);
		REQUIRE(uname(&v) == 0 && !strcmp(v.nodename, "kevlar-test"));
		REQUIRE(sethostname(host, strlen(host)) == 0);
		REQUIRE(sethostname(host, 65) == -1 && errno == EINVAL);
		_exit(0);
	}
	test_wait_exit(p, 0);
}

TEST(sysinfo_is_plausible)
{
	struct sysinfo s;

	CHECK_OK(sysinfo(&s));
	CHECK(s.totalram > s.freeram && s.freeram > 0);
	CHECK(s.procs > 0 && s.uptime >= 0 && s.mem_unit > 0);
}

TEST(getrandom_flags)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };

	CHECK_EQ(getrandom(a, 64, 0), 64);
	CHECK_EQ(getrandom(b, 64, GRND_NONBLOCK), 64);
	CHECK(memcmp(a, b, 64) != 0);
	CHECK_ERR(getrandom(a, 64, 0x100), EINVAL);
	CHECK_ERR(syscall(SYS_getrandom, 8, 64, 0), EFAULT);
}

TEST(personality_is_kept)
{
	int old = personality(0xffffffff);

	CHECK_EQ(personality((unsigned long)old | ADDR_NO_RANDOMIZE), old);
	CHECK_EQ(personality(0xffffffff), old | ADDR_NO_RANDOMIZE);
}

TEST(unknown_call)
{
	CHECK_ERR(syscall(499), ENOSYS);
	CHECK_ERR(syscall(100000), ENOSYS);
	CHECK_ERR(syscall(-1), ENOSYS);
}

TEST(reboot_checks)
{
	CHECK_ERR(syscall(SYS_reboot, 1, 2, 3, 0), test_is_root() ? EINVAL : EPERM);
}

TEST(setgroups_refuses_the_id_that_is_none)
{
	gid_t g[2] = { 5, (gid_t)-1 };

	if (!test_is_root())
		test_skip("needs root");
	CHECK_ERR(setgroups(2, g), EINVAL);
	CHECK_OK(setgroups(1, g));
}

TEST(no_locked_memory_at_all)
{
	struct rlimit none = { 0, 0 };
	static char page[8192];

	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &none));
	CHECK_OK(setuid(1000));
	CHECK_ERR(mlock(page, 0), EPERM);
	CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0),
		  EPERM);
	CHECK_OK(munlock(page, 0));
	CHECK_OK(syscall(SYS_munlock, (uintptr_t)page & -4096, -1ul)); /* rounds up to nothing */
}

TEST(personality_of_uname)
{
	struct utsname u;

	CHECK_OK(personality(PER_LINUX32));
	CHECK_OK(uname(&u));
	CHECK_STR(u.machine, "i686");
	CHECK_OK(personality(0x20000)); /* UNAME26 */
	CHECK_OK(uname(&u));
	CHECK_EQ(strncmp(u.release, "2.6.6", 5), 0);
	CHECK_STR(u.machine, "x86_64");
}

TEST(prctl_mce_kill_and_io_flusher)
{
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
	CHECK_OK(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
	CHECK_ERR(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, 3, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 1, 0, 0), EINVAL);
	CHECK_OK(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
	CHECK_OK(prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 1);
	CHECK_ERR(prctl(PR_SET_IO_FLUSHER, 2, 0, 0, 0), EINVAL);
	CHECK_OK(setuid(1000));
	CHECK_ERR(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), EPERM);
}
