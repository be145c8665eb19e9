/* Small cases that fuzzing found, each once wrong here. */
#include "test.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <mqueue.h>
#include <utime.h>

/* What nanoseconds in 64 bits cannot hold. */
TEST(times_beyond_the_clock)
{
	static const int64_t far[] = { INT64_MAX, INT64_MIN, INT64_MAX / 1000000000 + 1, INT64_MIN / 1000000000 - 1, -1 };
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	struct stat st;

	CHECK(fd >= 0);
	for (size_t i = 0; i < sizeof(far) / sizeof(*far); i++) {
		struct utimbuf u = { far[i], far[i] };
		struct timeval tv[2] = { { far[i], 999999 }, { far[i], 0 } };
		struct timespec ts[2] = { { far[i], 999999999 }, { far[i], 0 } };

		CHECK_OK(syscall(SYS_utime, "f", &u));
		CHECK_OK(syscall(SYS_utimes, "f", tv));
		CHECK_OK(syscall(SYS_futimesat, AT_FDCWD, "f", tv));
		CHECK_OK(utimensat(AT_FDCWD, "f", ts, 0));
		CHECK_OK(fstat(fd, &st));
		CHECK(st.st_mtim.tv_nsec >= 0 && st.st_mtim.tv_nsec < 1000000000);
		CHECK((st.st_mtim.tv_sec < 0) == (far[i] < 0));
	}
	CHECK_EQ(st.st_mtim.tv_sec, -1);
}

TEST(sync_file_range_of_everything)
{
	int p[2];

	CHECK_OK(pipe(p));
	CHECK_ERR(sync_file_range(p[0], 0, 0, 0), ESPIPE);
	CHECK_ERR(sync_file_range(eventfd(0, 0), 0, 0, 0), ESPIPE);
	CHECK_ERR(sync_file_range(open("/dev/null", O_RDONLY), 0, 0, 0), ESPIPE);
	CHECK_OK(sync_file_range(open("/proc/version", O_RDONLY), 0, 0, SYNC_FILE_RANGE_WRITE));
	CHECK_OK(sync_file_range(open("/proc", O_RDONLY), 0, 0, SYNC_FILE_RANGE_WRITE));
	CHECK_OK(sync_file_range(open(".", O_RDONLY), 0, 0, SYNC_FILE_RANGE_WRITE));
}

/* A wall clock so late that it would overflow; and before the machine started. */
TEST(wall_clock_limits)
{
	struct timeval late = { INT64_MAX / 1000000000, 0 }, never = { INT64_MAX, 0 }, early = { -1, 0 };
	struct timespec ts = { INT64_MAX / 1000000000 - 946080000 + 1, 0 };

	if (!test_is_root())
		test_skip("needs root");
	CHECK_ERR(syscall(SYS_settimeofday, &late, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_settimeofday, &never, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_settimeofday, &early, NULL), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &ts), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &ts), EINVAL);
}

/* adjtime(3) by more than there is time for, and a step behind the end of it. */
TEST(adjustments_beyond_the_clock)
{
	static const long far[] = { LONG_MAX, LONG_MIN, LONG_MAX / 1000, LONG_MIN / 1000, 1l << 40, -(1l << 40), 0 };
	struct timex x = { .modes = ADJ_SETOFFSET, .time = { LONG_MAX / 1000000000 - 86400, 0 } };

	if (!test_is_root())
		test_skip("needs root");
	CHECK_ERR(syscall(SYS_adjtimex, &x), EINVAL);
	x.time.tv_sec = LONG_MAX;
	CHECK_ERR(syscall(SYS_adjtimex, &x), EINVAL);
	for (size_t i = 0; i < sizeof(far) / sizeof(*far); i++) {
		x = (struct timex){ .modes = ADJ_OFFSET_SINGLESHOT, .offset = far[i] };
		CHECK_OK(syscall(SYS_adjtimex, &x));
		x = (struct timex){ .modes = ADJ_OFFSET_SS_READ };
		CHECK_OK(syscall(SYS_adjtimex, &x));
		CHECK((x.offset > 0) == (far[i] > 0) && (x.offset < 0) == (far[i] < 0));
	}
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* The first time at once, the second after the end of time. */
TEST(periods_beyond_the_clock)
{
	struct itimerspec never = { { LONG_MAX, 0 }, { 0, 1 } }, left;
	struct itimerval alarm_never = { { LONG_MAX, 0 }, { 0, 1 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t n = 0;
	timer_t t;

	CHECK_OK(timerfd_settime(fd, 0, &never, NULL));
	CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
	CHECK_EQ(n, 1);
	CHECK_OK(timerfd_gettime(fd, &left));
	CHECK(left.it_value.tv_sec > 1000000000 && left.it_interval.tv_sec > 1000000000);
	signal(SIGALRM, on_alarm);
	CHECK_OK(setitimer(ITIMER_REAL, &alarm_never, NULL));
	while (alarms < 1)
		usleep(1000);
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &t));
	CHECK_OK(timer_settime(t, 0, &never, NULL));
	while (alarms < 2)
		usleep(1000);
	usleep(50000);
	CHECK_EQ(alarms, 2);
	CHECK_OK(timer_delete(t));
}

/* A regular file with a size, but without pages. */
TEST(holes_of_files_without_pages)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	int fd = mq_open("/soak.seek", O_RDWR | O_CREAT, 0600, &attr);
	struct stat st;

	if (fd < 0 && errno == ENOSYS)
		test_skip("no message queues");
	CHECK(fd >= 0);
	CHECK_OK(mq_unlink("/soak.seek"));
	CHECK_OK(fstat(fd, &st));
	CHECK(st.st_size > 0);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
	CHECK_EQ(lseek(fd, 1, SEEK_HOLE), st.st_size);
	CHECK_ERR(lseek(fd, st.st_size, SEEK_DATA), ENXIO);
}

static long count_of(const char *text, const char *row)
{
	const char *p = strstr(text, row);

	return p ? atol(p + strlen(row)) : -1;
}

/* /proc/PID in the name cache must not keep the process. */
TEST(dead_processes_are_not_kept_by_proc)
{
	char name[64];
	struct stat st;
	long before, after = 0;

	if (access("/proc/slabinfo", R_OK) || (before = count_of(test_slurp("/proc/slabinfo"), "\nprocess ")) < 0)
		test_skip("no count of processes");
	for (int i = 0; i < 300; i++) {
		pid_t p = fork();

		if (p == 0) {
			pause();
			_exit(0);
		}
		CHECK(p > 0);
		snprintf(name, sizeof(name), "/proc/%d/task/%d/stat", p, p);
		CHECK_OK(stat(name, &st));
		snprintf(name, sizeof(name), "/proc/%d/fd/1", p);
		CHECK_OK(stat(name, &st));
		kill(p, SIGKILL);
		CHECK_EQ(waitpid(p, NULL, 0), p);
		CHECK_ERR(stat(name, &st), ENOENT);
	}
	for (int i = 0; i < 100; i++) { /* a worker puts them, and a grace period passes */
		after = count_of(test_slurp("/proc/slabinfo"), "\nprocess ");
		if (after < before + 100)
			return;
		usleep(50000);
	}
	FAIL("%ld processes before, %ld after", before, after);
}

TEST(seek_without_an_offset)
{
	sigset_t none;
	int p[2];

	sigemptyset(&none);
	CHECK_OK(pipe(p));
	CHECK_ERR(lseek(p[0], 0, SEEK_CUR), ESPIPE);
	CHECK_EQ(lseek(epoll_create1(0), 5, SEEK_SET), 0);
	CHECK_EQ(lseek(eventfd(0, 0), 5, SEEK_SET), 0);
	CHECK_EQ(lseek(timerfd_create(CLOCK_MONOTONIC, 0), 5, SEEK_SET), 0);
	CHECK_EQ(lseek(signalfd(-1, &none, 0), 5, SEEK_SET), 0);
	CHECK_EQ(lseek(inotify_init(), 5, SEEK_SET), 0);
}

TEST(longest_seek)
{
	int fd = memfd_create("m", 0);

	CHECK_EQ(lseek(fd, INT64_MAX, SEEK_SET), INT64_MAX);
	CHECK_ERR(pread(fd, &fd, sizeof(fd), INT64_MAX), EINVAL);
}

TEST(a_path_descriptor_can_be_duplicated)
{
	int fd = open(".", O_PATH), copy = dup(fd);

	CHECK(copy >= 0);
	CHECK_EQ(fcntl(copy, F_GETFL) & O_PATH, O_PATH);
	CHECK(dup2(fd, 50) == 50);
	CHECK(fcntl(fd, F_DUPFD, 60) == 60);
}

TEST(lengths_beyond_user_space)
{
	int fd = memfd_create("m", 0), null = open("/dev/null", O_RDWR);
	char c = 0;

	CHECK_ERR(syscall(SYS_read, fd, &c, SIZE_MAX), EFAULT);
	CHECK_ERR(syscall(SYS_write, fd, &c, (size_t)SSIZE_MAX), EFAULT);
	CHECK_ERR(syscall(SYS_pread64, fd, &c, SIZE_MAX, 0), EFAULT);
	CHECK_ERR(syscall(SYS_sendfile, null, fd, NULL, SIZE_MAX), EINVAL);
	CHECK_ERR(syscall(SYS_readahead, fd, 0, SIZE_MAX), EINVAL);
}

static int as_nobody(void *arg)
{
	(void)arg;
	if (setresuid(65533, 65533, 65533))
		return 1;
	/* There are others, none of which it may reach; that is no error for "everybody". */
	if (syscall(SYS_kill, -1, 0) != 0)
		return 2;
	if (syscall(SYS_kill, 1, 0) != -1 || errno != EPERM)
		return 3;
	return 0;
}

TEST(kill_everybody_as_nobody)
{
	if (!test_is_root())
		test_skip("needs root");
	test_wait_exit(test_fork(as_nobody, NULL), 0);
}

TEST(orders_of_checks)
{
	siginfo_t si;

	CHECK_ERR(flock(-1, 0), EINVAL);
	CHECK_EQ(flock(-1, 32), 0); /* LOCK_MAND */
	CHECK_ERR(syscall(SYS_rt_sigaction, 0, 8, 0, 8), EFAULT);
	CHECK_ERR(setpgid(-5, 0), EINVAL);
	CHECK_ERR(setpgid(-5, 7), ESRCH);
	memset(&si, 0x55, sizeof(si));
	CHECK_ERR(waitid(P_ALL, 0, &si, WEXITED), ECHILD);
	CHECK_EQ(si.si_signo, 0);
	CHECK_EQ(si.si_pid, 0);
	CHECK_ERR(syscall(SYS_waitid, P_ALL, 0, 8, WEXITED, 0), EFAULT);
	CHECK_ERR(syscall(SYS_mremap, 0xffff800000000000, 4096, 4096, 0, 0), EFAULT);
	CHECK(mremap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096, SIZE_MAX / 2, MREMAP_MAYMOVE) == MAP_FAILED);
	CHECK_EQ(errno, ENOMEM);
}

/* A fallocate that fails leaves nothing behind. */
TEST(fallocate_gives_back)
{
	int fd;
	char text[4096] = "";

	if (!test_is_root())
		test_skip("needs root");
	CHECK_OK(mkdir("d", 0755));
	CHECK_EQ(syscall(SYS_mount, "none", "d", "tmpfs", 0, "size=1m"), 0);
	fd = open("d/f", O_RDWR | O_CREAT, 0600);
	int other = open("d/g", O_RDWR | O_CREAT, 0600);
	CHECK_OK(fallocate(other, 0, 0, 512 << 10));
	CHECK_ERR(fallocate(fd, 0, 0, 600 << 10), ENOSPC);
	for (int i = 0; i < 128; i++)
		CHECK_EQ(write(fd, text, sizeof(text)), sizeof(text));
	CHECK_ERR(write(fd, text, sizeof(text)), ENOSPC);
	close(fd);
	close(other);
	CHECK_EQ(syscall(SYS_umount2, "d", 0), 0);
}
