/* Signals about files: O_ASYNC, F_SETSIG, F_SETOWN_EX, leases, dnotify; /proc/locks. Source: fcntl(2). */

#include "test.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

static void block(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	CHECK_OK(sigprocmask(SIG_BLOCK, &s, NULL));
}

/* 0: no signal within 200 ms. */
static int next_signal(int sig, siginfo_t *si)
{
	const struct timespec t = { .tv_nsec = 200000000 };
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	int r = sigtimedwait(&s, si, &t);
	return r < 0 ? 0 : r;
}

TEST(pipe_sends_sigio_to_its_owner)
{
	siginfo_t si;
	int p[2];

	block(SIGIO);
	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	CHECK_EQ(fcntl(p[0], F_GETOWN), getpid());
	CHECK_OK(fcntl(p[0], F_SETFL, O_ASYNC));
	CHECK_EQ(fcntl(p[0], F_GETFL) & O_ASYNC, O_ASYNC);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(next_signal(SIGIO, &si), SIGIO);
	CHECK_OK(fcntl(p[0], F_SETFL, 0));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(next_signal(SIGIO, &si), 0);
}

TEST(setsig_tells_band_and_descriptor)
{
	struct f_owner_ex ex = { F_OWNER_TID, gettid() }, got;
	siginfo_t si;
	int p[2];

	block(SIGRTMIN + 3);
	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[0], F_SETOWN_EX, &ex));
	CHECK_OK(fcntl(p[0], F_GETOWN_EX, &got));
	CHECK(got.type == F_OWNER_TID && got.pid == gettid());
	CHECK_OK(fcntl(p[0], F_SETSIG, SIGRTMIN + 3));
	CHECK_EQ(fcntl(p[0], F_GETSIG), SIGRTMIN + 3);
	CHECK_OK(fcntl(p[0], F_SETFL, O_ASYNC));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(next_signal(SIGRTMIN + 3, &si), SIGRTMIN + 3);
	CHECK_EQ(si.si_code, POLL_IN);
	CHECK_EQ(si.si_fd, p[0]);
	CHECK_EQ(si.si_band, POLLIN | POLLRDNORM);
	CHECK_ERR(fcntl(p[0], F_SETSIG, 65), EINVAL);
}

TEST(async_has_no_effect_on_regular_files)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600), on = 1;

	CHECK_EQ(fcntl(fd, F_GETFL) & O_ASYNC, 0);
	CHECK_OK(fcntl(fd, F_SETFL, O_ASYNC));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ASYNC, 0);
	CHECK_ERR(ioctl(fd, FIOASYNC, &on), ENOTTY);
}

TEST(owner_that_does_not_exist)
{
	struct f_owner_ex ex = { F_OWNER_PID, 4194000 };
	unsigned ids[2] = { 7, 7 };
	int p[2];

	CHECK_OK(pipe(p));
	CHECK_ERR(fcntl(p[0], F_SETOWN, 4194000), ESRCH);
	CHECK_ERR(fcntl(p[0], F_SETOWN_EX, &ex), ESRCH);
	ex.type = 3;
	CHECK_ERR(fcntl(p[0], F_SETOWN_EX, &ex), EINVAL);
	CHECK_OK(fcntl(p[0], F_SETOWN, 0));
	CHECK_EQ(fcntl(p[0], F_GETOWN), 0);
	CHECK_OK(fcntl(p[0], F_SETOWN, -getpgrp()));
	CHECK_EQ(fcntl(p[0], F_GETOWN), -getpgrp());
	int r = fcntl(p[0], 17 /* F_GETOWNER_UIDS */, ids);
	CHECK(r == 0 ? ids[0] == getuid() && ids[1] == geteuid() : errno == EINVAL);
}

TEST(inotify_sends_sigio)
{
	int in = inotify_init1(0);
	siginfo_t si;

	block(SIGIO);
	CHECK_OK(inotify_add_watch(in, ".", IN_CREATE));
	CHECK_OK(fcntl(in, F_SETOWN, getpid()));
	CHECK_OK(fcntl(in, F_SETFL, O_ASYNC));
	CHECK_OK(mkdir("d", 0700));
	CHECK_EQ(next_signal(SIGIO, &si), SIGIO);
}

TEST(write_hints_are_kept)
{
	uint64_t hint = 3, got = 9;
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	CHECK_OK(fcntl(fd, F_GET_RW_HINT, &got));
	CHECK_EQ(got, 0);
	CHECK_OK(fcntl(fd, F_SET_RW_HINT, &hint));
	CHECK_OK(fcntl(fd, F_GET_RW_HINT, &got));
	CHECK_EQ(got, 3);
	hint = 6;
	CHECK_ERR(fcntl(fd, F_SET_RW_HINT, &hint), EINVAL);
}

/* --- leases --- */

TEST(lease_rules)
{
	int w = open("f", O_CREAT | O_RDWR, 0600), r;

	CHECK_EQ(fcntl(w, F_GETLEASE), F_UNLCK);
	CHECK_ERR(fcntl(w, F_SETLEASE, F_RDLCK), EAGAIN); /* open for writing */
	CHECK_ERR(fcntl(w, F_SETLEASE, F_UNLCK), EAGAIN);
	CHECK_OK(fcntl(w, F_SETLEASE, F_WRLCK));
	CHECK_EQ(fcntl(w, F_GETLEASE), F_WRLCK);
	CHECK_OK(fcntl(w, F_SETLEASE, F_UNLCK));
	CHECK_OK(close(w));
	r = open("f", O_RDONLY);
	CHECK_OK(fcntl(r, F_SETLEASE, F_RDLCK));
	int r2 = open("f", O_RDONLY);
	CHECK_OK(r2); /* a reader does not disturb */
	CHECK_ERR(fcntl(r2, F_SETLEASE, F_WRLCK), EAGAIN);
	CHECK_OK(fcntl(r2, F_SETLEASE, F_RDLCK));
	CHECK_ERR(fcntl(r, F_SETLEASE, 7), EINVAL);
	int d = open(".", O_RDONLY);
	CHECK_ERR(fcntl(d, F_SETLEASE, F_RDLCK), EINVAL);
	if (getuid() == 0) {
		CHECK_OK(fchown(r, 1, 1));
		pid_t pid = fork();
		if (pid == 0) {
			if (setresuid(2, 2, 2))
				_exit(3);
			_exit(fcntl(r2, F_SETLEASE, F_RDLCK) == -1 && errno == EACCES ? 0 : 1);
		}
		test_wait_exit(pid, 0);
	}
}

static int try_open(void *arg)
{
	int flags = *(int *)arg, fd = open("f", flags);

	if (flags & O_NONBLOCK)
		return fd == -1 && errno == EWOULDBLOCK ? 0 : 1;
	return fd >= 0 ? 0 : 2;
}

TEST(lease_is_broken_by_an_open)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600), flags = O_RDONLY | O_NONBLOCK;
	siginfo_t si;

	block(SIGIO);
	block(SIGUSR2);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	test_wait_exit(test_fork(try_open, &flags), 0);
	CHECK_EQ(next_signal(SIGIO, &si), SIGIO);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK); /* what it is to become */
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));

	CHECK_OK(fcntl(fd, F_SETSIG, SIGUSR2));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	flags = O_RDWR;
	pid_t pid = test_fork(try_open, &flags);
	CHECK_EQ(next_signal(SIGUSR2, &si), SIGUSR2);
	CHECK_EQ(si.si_fd, fd);
	CHECK_EQ(si.si_code, POLL_MSG);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	test_wait_exit(pid, 0);
}

static int truncate_it(void *arg)
{
	(void)arg;
	return truncate("f", 0) ? 1 : 0;
}

TEST(lease_is_broken_by_truncate)
{
	int fd = open("f", O_CREAT | O_RDONLY, 0600);
	siginfo_t si;

	block(SIGIO);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	pid_t pid = test_fork(truncate_it, NULL);
	CHECK_EQ(next_signal(SIGIO, &si), SIGIO);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	test_wait_exit(pid, 0);
}

/* --- dnotify --- */

TEST(dnotify_tells_of_entries)
{
	int d = open(".", O_RDONLY), f = open("f", O_CREAT | O_RDWR, 0600);
	siginfo_t si;

	block(SIGRTMIN);
	CHECK_ERR(fcntl(f, F_NOTIFY, DN_CREATE), ENOTDIR);
	CHECK_OK(fcntl(d, F_SETSIG, SIGRTMIN));
	CHECK_OK(fcntl(d, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	CHECK_OK(mkdir("a", 0700));
	CHECK_EQ(next_signal(SIGRTMIN, &si), SIGRTMIN);
	CHECK_EQ(si.si_fd, d);
	CHECK_EQ(write(f, "x", 1), 1);
	CHECK_EQ(next_signal(SIGRTMIN, &si), 0);
	CHECK_OK(mkdir("b", 0700));
	CHECK_EQ(next_signal(SIGRTMIN, &si), SIGRTMIN);
	CHECK_OK(fcntl(d, F_NOTIFY, 0));
	CHECK_OK(mkdir("c", 0700));
	CHECK_EQ(next_signal(SIGRTMIN, &si), 0);
}

TEST(dnotify_once_and_rename)
{
	int d = open(".", O_RDONLY);
	siginfo_t si;

	block(SIGIO);
	CHECK_OK(mkdir("a", 0700));
	CHECK_OK(fcntl(d, F_NOTIFY, DN_RENAME));
	CHECK_OK(mkdir("x", 0700));
	CHECK_EQ(next_signal(SIGIO, &si), 0);
	CHECK_OK(rename("x", "y"));
	CHECK_EQ(next_signal(SIGIO, &si), SIGIO);
	CHECK_OK(rename("y", "x"));
	CHECK_EQ(next_signal(SIGIO, &si), 0);
	CHECK_OK(fcntl(d, F_NOTIFY, DN_RENAME));
	CHECK_OK(rename("x", "a/x"));
	CHECK_EQ(next_signal(SIGIO, &si), 0);
}

TEST(proc_locks_shows_all_kinds)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 3, .l_len = 4 };
	char line[200], want[4][100];
	int fd = open("f", O_CREAT | O_RDWR, 0600), found[4] = { 0 };
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	CHECK_OK(fcntl(fd, F_SETLK, &fl));
	fl.l_start = 100;
	fl.l_len = 0;
	fl.l_type = F_RDLCK;
	CHECK_OK(fcntl(fd, F_OFD_SETLK, &fl));
	CHECK_OK(flock(fd, LOCK_SH));
	snprintf(want[0], 100, "POSIX  ADVISORY  WRITE %d 00:%02x:%lu 3 6\n", getpid(), (unsigned)(st.st_dev & 0xff),
		 st.st_ino);
	snprintf(want[1], 100, "OFDLCK ADVISORY  READ -1 00:%02x:%lu 100 EOF\n", (unsigned)(st.st_dev & 0xff),
		 st.st_ino);
	snprintf(want[2], 100, "FLOCK  ADVISORY  READ %d 00:%02x:%lu 0 EOF\n", getpid(), (unsigned)(st.st_dev & 0xff),
		 st.st_ino);
	FILE *p = fopen("/proc/locks", "r");
	CHECK(p != NULL);
	while (fgets(line, sizeof(line), p))
		for (int i = 0; i < 3; i++)
			if (strstr(line, want[i]))
				found[i]++;
	fclose(p);
	for (int i = 0; i < 3; i++)
		if (found[i] != 1)
			FAIL("%d times: %s", found[i], want[i]);
}
