/*
 * Two ways to start a command.
 *
 * On pipes: the child calls setsid() and executes. Simple, binary-clean, no terminal anywhere.
 *
 * On the console there is one more process, the leader: it owns the session and the controlling
 * terminal and runs the command as the foreground process group. The command must not lead the
 * session itself: when a session leader exits, its terminal is hung up and output still waiting in the
 * serial driver is thrown away. The leader waits, drains the port, and only then exits.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { CANNOT_EXECUTE = 126, NOT_FOUND = 127 };

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int command_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The shell in root's line of /etc/passwd, or /bin/sh. */
static const char *login_shell(char *line, size_t size)
{
	FILE *f = fopen("/etc/passwd", "re");
	const char *shell = "/bin/sh";

	while (f && fgets(line, (int)size, f)) {
		char *last = strrchr(line, ':');

		if (strncmp(line, "root:", 5) != 0 || !last)
			continue;
		last[strcspn(last, "\n")] = '\0';
		if (access(last + 1, X_OK) == 0)
			shell = last + 1;
		break;
	}
	if (f)
		fclose(f);
	return shell;
}

static void execute_login_shell(const struct request *r)
{
	char line[512], name[128];
	const char *shell = login_shell(line, sizeof line);
	const char *home = getenv("HOME");

	if (home)
		(void)!chdir(home);
	if (r->has_tty)
		setenv("SHELL", shell, 1);
	snprintf(name, sizeof name, "-%s", strrchr(shell, '/') + 1);
	execl(shell, name, (char *)NULL);
	fprintf(stderr, "kevlar: %s: %s\n", shell, strerror(errno));
	_exit(errno == ENOENT ? NOT_FOUND : CANNOT_EXECUTE);
}

static void __attribute__((noreturn)) execute(const struct request *r)
{
	reset_signals();
	environ = r->env;
	if (chdir(r->dir)) {
		fprintf(stderr, "kevlar: %s: %s\n", r->dir, strerror(errno));
		_exit(CANNOT_EXECUTE);
	}
	if (!r->args[0])
		execute_login_shell(r);
	execvp(r->args[0], r->args);
	fprintf(stderr, "kevlar: %s: %s\n", r->args[0], strerror(errno));
	_exit(errno == ENOENT ? NOT_FOUND : CANNOT_EXECUTE);
}

/* A terminal as login(1) would leave it. */
static void set_cooked(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return;
	t.c_iflag = ICRNL | IXON | IUTF8;
	t.c_oflag = OPOST | ONLCR;
	t.c_cflag = CS8 | CREAD | CLOCAL;
	t.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
	t.c_cc[VINTR] = 'C' & 0x1f;
	t.c_cc[VQUIT] = '\\' & 0x1f;
	t.c_cc[VERASE] = 0x7f;
	t.c_cc[VKILL] = 'U' & 0x1f;
	t.c_cc[VEOF] = 'D' & 0x1f;
	t.c_cc[VSTART] = 'Q' & 0x1f;
	t.c_cc[VSTOP] = 'S' & 0x1f;
	t.c_cc[VSUSP] = 'Z' & 0x1f;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	cfsetispeed(&t, B115200);
	cfsetospeed(&t, B115200);
	tcsetattr(fd, TCSANOW, &t);
}

static void set_size(int fd, unsigned short rows, unsigned short cols)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };

	if (rows && cols)
		ioctl(fd, TIOCSWINSZ, &size);
}

/*
 * Waits for the command. A command that stops itself has no shell above it to continue it, so it is
 * continued here.
 */
static int lead(pid_t pid, int tty)
{
	int status;

	for (;;) {
		if (waitpid(pid, &status, WUNTRACED) < 0) {
			if (errno == EINTR)
				continue;
			return CANNOT_EXECUTE;
		}
		if (!WIFSTOPPED(status))
			return command_status(status);
		tcsetpgrp(tty, pid);
		kill(-pid, SIGCONT);
	}
}

static void __attribute__((noreturn)) run_on_console(const struct request *r, int stderr_fd)
{
	int tty, status;
	pid_t pid;

	setsid();
	tty = open(CONSOLE_PATH, O_RDWR);
	if (tty < 0 || ioctl(tty, TIOCSCTTY, 1)) {
		fprintf(stderr, "kevlar: %s: %s\n", CONSOLE_PATH, strerror(errno));
		_exit(CANNOT_EXECUTE);
	}
	set_cooked(tty);
	set_size(tty, r->rows, r->cols);
	dup2(tty, 0);
	dup2(tty, 1);
	dup2(stderr_fd >= 0 ? stderr_fd : tty, 2);

	/* Its own end of the terminal's signals, and the right to move the foreground group. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGHUP, SIG_IGN);

	pid = fork();
	if (pid < 0)
		_exit(CANNOT_EXECUTE);
	if (pid == 0) {
		setpgid(0, 0);
		tcsetpgrp(0, getpid());
		execute(r);
	}
	setpgid(pid, pid);
	tcsetpgrp(tty, pid);
	status = lead(pid, tty);
	tcdrain(tty);
	_exit(status);
}

static void __attribute__((noreturn)) run_on_pipes(const struct request *r, const int fds[3])
{
	setsid();
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	execute(r);
}

static int set_nonblocking(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/*
 * Makes the pipes a command of this kind needs: child[i] is its end for descriptor i, *parent[i] ours.
 *   returns      0; -1 with errno, ends made so far stand in the arrays
 */
static int make_pipes(const struct request *r, int child[3], int *parent[3])
{
	for (int i = 0; i < 3; i++) {
		int ends[2];

		if (r->has_tty && (i != STDERR_FILENO || !r->pipes_stderr))
			continue;
		if (pipe2(ends, O_CLOEXEC))
			return -1;
		child[i] = ends[i == STDIN_FILENO ? 0 : 1];
		*parent[i] = ends[i == STDIN_FILENO ? 1 : 0];
		if (set_nonblocking(*parent[i]))
			return -1;
	}
	return 0;
}

static void close_all(struct command *c)
{
	close_fd(&c->stdin_fd);
	close_fd(&c->stdout_fd);
	close_fd(&c->stderr_fd);
	close_fd(&c->console_fd);
}

int command_start(struct command *c, const struct request *r)
{
	int child[3] = { -1, -1, -1 };
	int *parent[3] = { &c->stdin_fd, &c->stdout_fd, &c->stderr_fd };
	int err = 0;

	*c = (struct command){ -1, -1, -1, -1, -1 };
	if (r->has_tty)
		c->console_fd = open(CONSOLE_PATH, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (make_pipes(r, child, parent) == 0)
		c->pid = fork();
	if (c->pid < 0)
		err = errno;
	if (c->pid == 0) {
		if (r->has_tty)
			run_on_console(r, child[STDERR_FILENO]);
		run_on_pipes(r, child);
	}
	for (int i = 0; i < 3; i++)
		close_fd(&child[i]);
	if (err) {
		close_all(c);
		errno = err;
		return -1;
	}
	return 0;
}
