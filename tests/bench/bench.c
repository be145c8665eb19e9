/*
 * bench: the same work on Kevlar and on Linux. Process 1 of a small initramfs, the same file for
 *both.
 *
 * /bench.conf says what to do, a word and its value on a line:
 *	target TICKS	how long a batch is to take
 *	batches N	how many of them
 *	row NAME	this row; none: all of them but those with @ in their name; @: those
 *	break NAME	closes the row's descriptors behind its back: it must be reported as failed
 *	profile NAME	runs this row alone, after asking on the results' port, between two marks
 *	rounds N	how many rounds of it
 * Results go to the second serial port, so that the kernel's log cannot mix with them:
 *	@value NAME NUMBER
 *	@begin NAME
 *	@row NAME ROUNDS PER TICKS ...		one for each batch
 *	@fail NAME ERRNO WHAT			0: the result was wrong; 999: the process died
 *	@end
 * A row's process first does one round, then finds how many rounds make a batch, then measures.
 *Whatever is left of it is killed and waited for before the next one starts.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ROWS = 256, RESULTS = 3, DIED = 999, SETTLE = 200000 };

static uint64_t target = 2000000;
static unsigned batches = 3;
static uint64_t profile_rounds = 1;
static const char *wanted[MAX_ROWS], *broken, *profiled;
static unsigned nwanted;
static const struct row *const tables[] = { call_rows, file_rows, ipc_rows, net_rows,   tcp_rows,
					    udp_rows,  task_rows, mm_rows,  growth_rows };

char self_path[256] = "/bench";
uint64_t first_instruction; /* the counter at the program's entry: bench_start */

/* The entry point (see bench.mk): notes the time before the libc's start-up code runs. */
__asm__(".globl bench_start\nbench_start:\n\trdtsc\n\tshl $32, %rdx\n\tor %rdx, %rax\n"
	"\tmov %rax, first_instruction(%rip)\n\txor %edx, %edx\n\tjmp _start\n");

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[400];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof line - 1, format, ap);
	va_end(ap);
	if (n >= (int)sizeof line - 1)
		n = sizeof line - 2;
	line[n++] = '\n';
	(void)!write(RESULTS, line, (size_t)n);
	tcdrain(RESULTS);
}

int failed(struct run *r, long got, const char *what)
{
	r->error = got < 0 && got > -4096 ? (int)-got : 0;
	snprintf(r->what, sizeof r->what, "%s = %ld", what, got);
	return -1;
}

int failed_libc(struct run *r, const char *what)
{
	return failed(r, -(long)errno, what);
}

static void report_failure(const struct row *row, const struct run *r)
{
	say("@fail %s %d %s", row->name, r->error, r->what);
}

/* Functions, not inlines: the profiler leaves out what happens between them. */
__attribute__((noinline)) void leave(struct run *r)
{
	r->left = ticks();
}

__attribute__((noinline)) void back(struct run *r)
{
	r->away += ticks() - r->left;
}

/* The profiler cuts its log at these two. */
__attribute__((noinline)) void profile_begin(void)
{
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void profile_end(void)
{
	__asm__ volatile("" ::: "memory");
}

static int measure(const struct row *row, struct run *r, uint64_t n, uint64_t *took)
{
	uint64_t start;
	int err;

	r->n = n;
	r->away = 0;
	start = ticks();
	err = row->op(r);
	*took = ticks() - start - r->away;
	return err;
}

/* How many rounds take about `target` ticks. */
static int calibrate(const struct row *row, struct run *r, uint64_t *n)
{
	uint64_t took;

	*n = 1;
	if (measure(row, r, 1, &took)) /* the first time is not like the others */
		return -1;
	for (;;) {
		if (measure(row, r, *n, &took))
			return -1;
		if (took >= target / 8)
			break;
		*n *= 4;
	}
	*n = *n * target / took;
	if (*n == 0)
		*n = 1;
	return 0;
}

static int run_profile(const struct row *row, struct run *r)
{
	uint64_t took;
	char answer;
	int err;

	if (measure(row, r, profile_rounds, &took) || measure(row, r, profile_rounds, &took))
		return -1;
	say("@ready %s", row->name);
	if (read(RESULTS, &answer, 1) != 1) /* the other side switches its log on */
		return failed_libc(r, "read");
	profile_begin();
	err = measure(row, r, profile_rounds, &took);
	profile_end();
	if (!err)
		say("@row %s %lu %u %lu", row->name, profile_rounds, row->per ? row->per : 1, took);
	return err;
}

static int run_batches(const struct row *row, struct run *r)
{
	uint64_t n = 0, took[16];
	char line[400];
	int at;

	if (calibrate(row, r, &n))
		return -1;
	for (unsigned i = 0; i < batches; i++)
		if (measure(row, r, n, &took[i]))
			return -1;
	at = snprintf(line, sizeof line, "@row %s %lu %u", row->name, n, row->per ? row->per : 1);
	for (unsigned i = 0; i < batches; i++)
		at += snprintf(line + at, sizeof line - (size_t)at, " %lu", took[i]);
	say("%s", line);
	return 0;
}

static void run_row(const struct row *row)
{
	static struct run r;

	setpgid(0, 0); /* a group without this program in it */
	r.arg = row->arg;
	if (row->setup && row->setup(&r)) {
		report_failure(row, &r);
		_exit(1);
	}
	if (broken && !strcmp(broken, row->name))
		for (int fd = RESULTS + 1; fd < 1024; fd++)
			close(fd);
	if (profiled ? run_profile(row, &r) : run_batches(row, &r)) {
		report_failure(row, &r);
		_exit(1);
	}
	_exit(0);
}

/*
 * Kills whatever a row has left and sees it gone. Nobody waits for it: a wait that looks through
 * 30,000 children each time one of them ends takes longer than all the rows.
 */
static void clear_away(void)
{
	signal(SIGCHLD, SIG_IGN);
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) >= 0)
		usleep(10000);
	signal(SIGCHLD, SIG_DFL);
	usleep(SETTLE);
}

/* One row in its own process; everything it started is gone afterwards. */
static void do_row(const struct row *row)
{
	int status = 0;
	pid_t pid;

	say("@begin %s", row->name);
	pid = fork();
	if (pid == 0)
		run_row(row);
	if (pid < 0) {
		say("@fail %s %d fork", row->name, errno);
		return;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	clear_away();
	if (WIFSIGNALED(status))
		say("@fail %s %d killed by signal %d", row->name, DIED, WTERMSIG(status));
}

static int is_wanted(const char *name)
{
	if (profiled)
		return !strcmp(profiled, name);
	if (nwanted == 0)
		return strchr(name, '@') == NULL;
	for (unsigned i = 0; i < nwanted; i++)
		if (!strcmp(wanted[i], name) || (!strcmp(wanted[i], "@") && strchr(name, '@')))
			return 1;
	return 0;
}

static void each_row(void (*what)(const struct row *row))
{
	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (const struct row *row = tables[t]; row->name; row++)
			if (is_wanted(row->name))
				what(row);
}

static void read_line(char *line)
{
	char *word = strtok(line, " \n"), *value = strtok(NULL, "\n");

	if (word == NULL || value == NULL)
		return;
	value = strdup(value);
	if (!strcmp(word, "target"))
		target = strtoull(value, NULL, 10);
	else if (!strcmp(word, "batches"))
		batches = (unsigned)strtoul(value, NULL, 10) % 17;
	else if (!strcmp(word, "rounds"))
		profile_rounds = strtoull(value, NULL, 10);
	else if (!strcmp(word, "break"))
		broken = value;
	else if (!strcmp(word, "profile"))
		profiled = value;
	else if (!strcmp(word, "row") && nwanted < MAX_ROWS)
		wanted[nwanted++] = value;
}

static void read_config(const char *path)
{
	char line[200];
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return;
	while (fgets(line, sizeof line, f))
		read_line(line);
	fclose(f);
}

static void open_results(void)
{
	struct termios t;
	int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY);

	if (fd < 0)
		fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0)
		return;
	if (tcgetattr(fd, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(fd, TCSANOW, &t);
	}
	if (fd != RESULTS)
		dup2(fd, RESULTS);
	if (fd > RESULTS)
		close(fd);
}

static void write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0) {
		(void)!write(fd, value, strlen(value));
		close(fd);
	}
}

/* The machine as process 1 finds it: devices, /proc, a tmpfs to work in, no limit that a row would
 * meet. */
static void set_up_machine(void)
{
	while (open("/dev/null", O_RDWR) < 0 && mkdir("/dev", 0755) == 0)
		;
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3));
	mknod("/dev/zero", S_IFCHR | 0666, makedev(1, 5));
	mknod("/dev/ttyS1", S_IFCHR | 0600, makedev(4, 65));
	for (int fd = 0; fd <= RESULTS; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", O_RDWR);
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mkdir("/tmp", 0777);
	mount("tmpfs", "/tmp", "tmpfs", 0, "size=75%");
	write_setting("/proc/sys/kernel/pid_max", "4194304");
	write_setting("/proc/sys/kernel/threads-max", "200000");
	write_setting("/proc/sys/vm/max_map_count", "1000000");
	write_setting("/proc/sys/fs/file-max", "1000000");
	open_results();
}

static void print_name(const struct row *row)
{
	printf("%s\n", row->name);
}

/* How fast the counter of this machine is, for wall-clock figures. */
static int print_frequency(void)
{
	struct timespec a, b;
	uint64_t t0, t1;

	clock_gettime(CLOCK_MONOTONIC, &a);
	t0 = ticks();
	usleep(200000);
	clock_gettime(CLOCK_MONOTONIC, &b);
	t1 = ticks();
	printf("%.0f\n", (double)(t1 - t0) / ((double)(b.tv_sec - a.tv_sec) +
					      (double)(b.tv_nsec - a.tv_nsec) * 1e-9));
	return 0;
}

int main(int argc, char **argv)
{
	struct sysinfo info;

	if (!strcmp(argv[0], "true"))
		return 0;
	if (argc > 1 && !strcmp(argv[1], "--frequency"))
		return print_frequency();
	if (argc > 1 && !strcmp(argv[1], "--list")) {
		wanted[nwanted++] = "@";
		each_row(print_name);
		nwanted = 0;
		each_row(print_name);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "--serve"))
		return serve(argc - 2, argv + 2);
	if (getpid() != 1)
		return 2;
	sysinfo(&info);
	set_up_machine();
	read_config("/bench.conf");
	raise_limits();
	say("@value boot %lu", first_instruction);
	say("@value free %lu", info.freeram * info.mem_unit / 1024);
	(void)!chdir("/tmp");
	each_row(do_row);
	say("@end");
	reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT);
	return 1;
}
