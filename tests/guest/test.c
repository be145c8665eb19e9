/* The guest tests' main(): see test.h. */

#include "test.h"

#include <dirent.h>
#include <ftw.h>

static struct test *first, **last = &first;
static int report_fd = -1;

void test_register(struct test *t)
{
	*last = t;
	last = &t->next;
}

static void report(char kind, const char *f, va_list ap)
{
	char text[400];
	int n = vsnprintf(text + 1, sizeof(text) - 1, f, ap);

	text[0] = kind;
	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	if (report_fd >= 0 && write(report_fd, text, (size_t)n + 1) < 0)
		_exit(99);
}

void test_fail(const char *file, int line, const char *f, ...)
{
	char text[300];
	va_list ap;
	int saved = errno;
	const char *base = strrchr(file, '/');

	snprintf(text, sizeof(text), "%s:%d: ", base ? base + 1 : file, line);
	size_t n = strlen(text);
	va_start(ap, f);
	errno = saved;
	vsnprintf(text + n, sizeof(text) - n, f, ap);
	va_end(ap);
	if (report_fd >= 0) {
		char out[302];
		int len = snprintf(out, sizeof(out), "F%s", text);

		if (write(report_fd, out, (size_t)len) < 0)
			_exit(99);
	}
	_exit(98);
}

void test_skip(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	report('S', f, ap);
	va_end(ap);
	_exit(97);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void child(struct test *t, const char *dir, int fd)
{
	report_fd = fd;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setpgid(0, 0);
	signal(SIGALRM, SIG_DFL);
	if (chdir(dir) < 0)
		FAIL("chdir %s: %s", dir, strerror(errno));
	t->fn();
	_exit(0);
}

/* The first report of the child, or how it died without one. Returns 'P', 'F' or 'S'. */
static char judge(int status, bool timed_out, char *text, size_t n, size_t size)
{
	text[n] = 0;
	if (n > 0)
		return text[0];
	if (timed_out)
		snprintf(text + 1, size - 1, "timed out");
	else if (WIFSIGNALED(status))
		snprintf(text + 1, size - 1, "killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		snprintf(text + 1, size - 1, "exit status %d without a report", WEXITSTATUS(status));
	else
		return 'P';
	return 'F';
}

static char run(struct test *t)
{
	char dir[64] = "/tmp/test.XXXXXX", text[512] = "";
	int p[2], status = 0;
	bool timed_out = false;

	if (!mkdtemp(dir) || pipe2(p, O_CLOEXEC) < 0) {
		printf("not ok %s: set-up: %s\n", t->name, strerror(errno));
		return 'F';
	}
	chmod(dir, 0777);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		child(t, dir, p[1]);
	close(p[1]);
	alarm(t->seconds);
	while (waitpid(pid, &status, 0) < 0)
		if (errno == EINTR) {
			timed_out = true;
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			alarm(5);
		} else {
			break;
		}
	alarm(0);
	kill(-pid, SIGKILL);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	ssize_t n = read(p[0], text, sizeof(text) - 1);
	close(p[0]);
	char verdict = judge(status, timed_out, text, n > 0 ? (size_t)n : 0, sizeof(text));
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

	if (verdict == 'P')
		printf("ok %s\n", t->name);
	else
		printf("%s %s: %s\n", verdict == 'S' ? "skip" : "not ok", t->name, text + 1);
	return verdict;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	int n = 0, failed = 0;

	sigaction(SIGALRM, &sa, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *t = first; t; t = t->next) {
		if (argc > 1 && !strstr(t->name, argv[1]))
			continue;
		n++;
		failed += run(t) == 'F';
	}
	printf("done %d\n", n);
	return failed != 0;
}

pid_t test_fork(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		FAIL("fork: %s", strerror(errno));
	if (pid == 0)
		_exit(fn(arg));
	return pid;
}

void test_wait_exit(pid_t pid, int status)
{
	int st = 0;

	CHECK_EQ(waitpid(pid, &st, 0), pid);
	if (!WIFEXITED(st) || WEXITSTATUS(st) != status)
		FAIL("child: wait status %#x, not exit %d", st, status);
}

void test_wait_signal(pid_t pid, int sig)
{
	int st = 0;

	CHECK_EQ(waitpid(pid, &st, 0), pid);
	if (!WIFSIGNALED(st) || WTERMSIG(st) != sig)
		FAIL("child: wait status %#x, not signal %d", st, sig);
}

char *test_slurp(const char *path)
{
	static char buf[1 << 20];
	size_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		FAIL("open %s: %s", path, strerror(errno));
	for (ssize_t r; n < sizeof(buf) - 1 && (r = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0;)
		n += (size_t)r;
	close(fd);
	buf[n] = 0;
	return buf;
}

bool test_is_root(void)
{
	return geteuid() == 0;
}

int64_t test_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}
