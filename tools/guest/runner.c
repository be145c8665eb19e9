/*
 * Runs a list of tests inside a guest, one after the other, and reports each as binary-safe records on
 * standard output. tools/kevlar/suite.py reads them.
 *
 *     runner LIST        LIST has one test per line: SECONDS <tab> NAME <tab> PROGRAM [<tab> ARGUMENT ...]
 *
 *     begin NAME
 *     out LENGTH         LENGTH bytes and a newline follow: standard output; `err`: standard error
 *     end NAME exit|signal|timeout|error NUMBER MILLISECONDS
 *
 * A record is written when it is known, so that after a crash the host can name the test that was
 * running and has what it printed. Each test gets a session of its own, an empty directory to work in
 * and /dev/null as input; when it has ended or its time is over, its process group is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_ARGS = 32,
	OUTPUT_LIMIT = 4 << 20, /* of one test; what it prints beyond that is dropped */
};

struct test {
	long seconds;
	const char *name;
	char *args[MAX_ARGS + 1];
};

struct stream {
	const char *tag;
	int fd;
	size_t total;
};

static void on_child(int sig)
{
	(void)sig; /* its delivery ends ppoll */
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	remove(path); /* best effort: go on with the rest */
	return 0;
}

/* Splits a line at its tabs. */
static bool parse_line(char *line, struct test *t)
{
	char *save = NULL, *word;
	int n = 0;

	line[strcspn(line, "\n")] = '\0';
	word = strtok_r(line, "\t", &save);
	if (!word)
		return false;
	t->seconds = strtol(word, NULL, 10);
	t->name = strtok_r(NULL, "\t", &save);
	while (n < MAX_ARGS && (word = strtok_r(NULL, "\t", &save)))
		t->args[n++] = word;
	t->args[n] = NULL;
	return t->name && n > 0;
}

static void __attribute__((noreturn)) execute(struct test *t, const char *dir, int out, int err)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	setsid();
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(null);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir(dir) == 0)
		execv(t->args[0], t->args);
	fprintf(stderr, "%s: %s\n", t->args[0], strerror(errno));
	_exit(127);
}

/*
 * Reports what the stream has.
 *   returns      bytes taken; 0 when there are none now; at the end of file it is closed
 */
static size_t pass(struct stream *s)
{
	static char data[8192];
	ssize_t n = read(s->fd, data, sizeof data);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			close(s->fd);
			s->fd = -1;
		}
		return 0;
	}
	if (s->total + (size_t)n <= OUTPUT_LIMIT) {
		printf("%s %zd\n", s->tag, n);
		fwrite(data, 1, (size_t)n, stdout);
		putchar('\n');
		fflush(stdout);
	}
	s->total += (size_t)n;
	return (size_t)n;
}

/* Waits for output, the test's end or the deadline. */
static void wait_for_news(struct stream streams[2], int64_t left)
{
	struct timespec t = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
	struct pollfd fds[2];
	sigset_t none;

	sigemptyset(&none);
	for (int i = 0; i < 2; i++)
		fds[i] = (struct pollfd){ .fd = streams[i].fd, .events = POLLIN };
	if (ppoll(fds, 2, &t, &none) <= 0)
		return;
	for (int i = 0; i < 2; i++)
		if (fds[i].revents)
			pass(&streams[i]);
}

static void drain(struct stream *s)
{
	size_t n, taken = 0;

	while (s->fd >= 0 && taken < 1 << 20 && (n = pass(s)) > 0)
		taken += n;
	if (s->fd >= 0)
		close(s->fd);
}

/* Follows a running test to its end, then prints the `end` record. */
static void supervise(const struct test *t, pid_t pid, struct stream streams[2])
{
	int64_t start = now_ms(), deadline = start + t->seconds * 1000;
	bool is_late = false;
	int status = 0;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) == 0) {
		int64_t left = deadline - now_ms();

		if (left <= 0) {
			is_late = true;
			break;
		}
		wait_for_news(streams, left);
	}
	kill(-pid, SIGKILL);
	if (is_late) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	drain(&streams[0]);
	drain(&streams[1]);
	printf("end %s %s %d %lld\n", t->name,
	       is_late               ? "timeout"
	       : WIFSIGNALED(status) ? "signal"
				     : "exit",
	       is_late               ? (int)t->seconds
	       : WIFSIGNALED(status) ? WTERMSIG(status)
				     : WEXITSTATUS(status),
	       (long long)(now_ms() - start));
}

static int open_stream(struct stream *s, const char *tag, int *child)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*s = (struct stream){ .tag = tag, .fd = ends[0] };
	*child = ends[1];
	return 0;
}

static int start(struct test *t, const char *dir, struct stream streams[2], pid_t *pid)
{
	int out, err;

	if (open_stream(&streams[0], "out", &out))
		return -1;
	if (open_stream(&streams[1], "err", &err))
		return -1;
	*pid = fork();
	if (*pid == 0)
		execute(t, dir, out, err);
	close(out);
	close(err);
	return *pid < 0 ? -1 : 0;
}

static void run(struct test *t)
{
	char dir[] = "/tmp/test.XXXXXX";
	struct stream streams[2] = { { .fd = -1 }, { .fd = -1 } };
	pid_t pid;

	printf("begin %s\n", t->name);
	fflush(stdout);
	if (!mkdtemp(dir) || start(t, dir, streams, &pid))
		printf("end %s error %d 0\n", t->name, errno);
	else
		supervise(t, pid, streams);
	fflush(stdout);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_child };
	static char line[16384];
	struct test test;
	sigset_t set;
	FILE *list;

	list = argc == 2 ? fopen(argv[1], "re") : NULL;
	if (!list) {
		fprintf(stderr, "usage: runner LIST\n");
		return 2;
	}
	sigaction(SIGCHLD, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);

	while (fgets(line, sizeof line, list))
		if (parse_line(line, &test))
			run(&test);
	return 0;
}
