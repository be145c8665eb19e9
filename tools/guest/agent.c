/*
 * The agent: process 1 of a machine that `kevlar run` starts. It prepares the machine, asks the
 * host over the control channel what to run, runs it, carries its input and output, reaps orphans,
 * reports the exit status and powers the machine off.
 *
 * One thread, one ppoll loop. SIGCHLD is blocked everywhere but in ppoll, so a child's end can
 * never be missed between looking and sleeping. Writing to the channel blocks: a host that does not
 * read slows the command down, as a full pipe would. Input for the command is kept in a buffer as
 * large as the window the host may fill, and credited when the command has taken it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "command.h"
#include "machine.h"
#include "network.h"
#include "request.h"

#define CHANNEL_PATH "/dev/ttyS1"
#define TRACE_PATH   "/proc/ktrace/dump"

enum {
	NO_STATUS = 125,
	DRAIN_LIMIT = 1 << 20, /* what a pipe can hold at most by default */
	LEAVE_MS = 3000,       /* for the host to take the status */
};

static struct agent {
	struct channel channel;
	struct request request;
	struct command command;
	bool is_started, is_ended, is_lost, may_leave;
	int status;
	size_t waiting; /* bytes of input the command has not taken */
	bool input_ended;
	uint8_t input[CHANNEL_WINDOW];
	size_t notes;
	char note[8][128]; /* kept until there is a channel to send them over */
} agent;

static void keep_note(const char *what, const char *why)
{
	if (agent.notes < sizeof agent.note / sizeof *agent.note)
		snprintf(agent.note[agent.notes++], sizeof *agent.note, "%s: %s", what, why);
}

static void on_child(int sig)
{
	(void)sig; /* its delivery ends ppoll: that is all */
}

static void wait_for_signals_only_in_poll(void)
{
	struct sigaction act = { .sa_handler = on_child };
	sigset_t set;

	sigaction(SIGCHLD, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void say_hello(void)
{
	struct utsname name = { 0 };
	char text[256];
	int n;

	uname(&name);
	n = snprintf(text, sizeof text, "%.80s %.80s %.60s", name.sysname, name.release,
		     name.machine);
	channel_send(&agent.channel, FRAME_HELLO, text, (size_t)n);
	for (size_t i = 0; i < agent.notes; i++)
		channel_note(&agent.channel, "%s", agent.note[i]);
}

static void close_input(void)
{
	if (agent.command.stdin_fd >= 0)
		close(agent.command.stdin_fd);
	agent.command.stdin_fd = -1;
}

/* Gives the command what it will take now; input nobody will ever read is credited too. */
static void pass_input(void)
{
	ssize_t n = (ssize_t)agent.waiting;

	if (agent.command.stdin_fd >= 0 && agent.waiting > 0) {
		n = write(agent.command.stdin_fd, agent.input, agent.waiting);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			close_input();
			n = (ssize_t)agent.waiting;
		}
	}
	if (n > 0) {
		agent.waiting -= (size_t)n;
		memmove(agent.input, agent.input + n, agent.waiting);
		channel_send_u32(&agent.channel, FRAME_CREDIT, (uint32_t)n);
	}
	if (agent.input_ended && agent.waiting == 0)
		close_input();
}

static void take_input(const struct frame *f)
{
	size_t room = sizeof agent.input - agent.waiting;
	size_t n = f->length < room ? f->length : room;

	memcpy(agent.input + agent.waiting, f->payload, n);
	agent.waiting += n;
	pass_input();
}

static void resize(const struct frame *f)
{
	struct winsize size = {
		.ws_row = (unsigned short)(f->payload[0] | f->payload[1] << 8),
		.ws_col = (unsigned short)(f->payload[2] | f->payload[3] << 8),
	};

	if (f->length == 4 && agent.command.console_fd >= 0)
		ioctl(agent.command.console_fd, TIOCSWINSZ, &size);
}

static void note_now(const char *what, const char *why)
{
	channel_note(&agent.channel, "%s: %s", what, why);
}

static void start(void)
{
	struct request *r = &agent.request;

	if (request_parse(r)) {
		channel_note(&agent.channel, "no memory for the request");
		agent.status = NO_STATUS;
		agent.is_ended = true;
		return;
	}
	machine_name(r->host);
	network_up(r->net, note_now);
	if (command_start(&agent.command, r)) {
		channel_note(&agent.channel, "cannot start a process: %s", strerror(errno));
		agent.status = NO_STATUS;
		agent.is_ended = true;
		return;
	}
	agent.is_started = true;
}

static void signal_command(const struct frame *f)
{
	if (agent.is_started && f->length == 1)
		kill(-agent.command.pid, f->payload[0]);
}

static void obey(const struct frame *f)
{
	switch (f->type) {
	case FRAME_REQUEST:
		if (request_append(&agent.request, f->payload, f->length))
			agent.is_lost = true;
		channel_send_u32(&agent.channel, FRAME_CREDIT, f->length);
		break;
	case FRAME_GO:
		if (agent.is_ended)
			agent.may_leave = true;
		else if (!agent.is_started)
			start();
		break;
	case FRAME_STDIN:
		take_input(f);
		break;
	case FRAME_END_OF_STDIN:
		agent.input_ended = true;
		pass_input();
		break;
	case FRAME_SIZE:
		resize(f);
		break;
	case FRAME_SIGNAL:
		signal_command(f);
		break;
	default:
		channel_note(&agent.channel, "unknown frame type %u", f->type);
	}
}

static void read_channel(void)
{
	static struct frame frame;
	int got = 0;

	if (channel_fill(&agent.channel)) {
		agent.is_lost = true;
		return;
	}
	while (!agent.is_lost && (got = channel_take(&agent.channel, &frame)) > 0)
		obey(&frame);
	if (got < 0) {
		channel_note(&agent.channel, "the control channel lost bytes");
		agent.is_lost = true;
	}
}

/*
 * Sends on what the command wrote.
 *   returns      the number of bytes; 0 if there are none now; at the end of file *fd is closed
 */
static size_t pass_output(int *fd, enum frame_type type)
{
	static uint8_t data[CHANNEL_PAYLOAD];
	ssize_t n = read(*fd, data, sizeof data);

	if (n > 0) {
		channel_send(&agent.channel, type, data, (size_t)n);
		return (size_t)n;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(*fd);
		*fd = -1;
	}
	return 0;
}

/* The rest of the output once the command has ended; a process it left behind may hold the pipe. */
static void drain_output(int *fd, enum frame_type type)
{
	size_t total = 0, n;

	while (*fd >= 0 && total < DRAIN_LIMIT && (n = pass_output(fd, type)) > 0)
		total += n;
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!agent.is_started || pid != agent.command.pid)
			continue;
		agent.status = command_status(status);
		agent.is_ended = true;
	}
}

static void serve_once(void)
{
	struct command *c = &agent.command;
	struct pollfd fds[] = {
		{ .fd = agent.channel.fd, .events = POLLIN },
		{ .fd = c->stdout_fd, .events = POLLIN },
		{ .fd = c->stderr_fd, .events = POLLIN },
		{ .fd = agent.waiting > 0 ? c->stdin_fd : -1, .events = POLLOUT },
	};
	sigset_t none;

	sigemptyset(&none);
	if (ppoll(fds, sizeof fds / sizeof *fds, NULL, &none) > 0) {
		if (fds[1].revents)
			pass_output(&c->stdout_fd, FRAME_STDOUT);
		if (fds[2].revents)
			pass_output(&c->stderr_fd, FRAME_STDERR);
		if (fds[3].revents)
			pass_input();
		if (fds[0].revents)
			read_channel();
	}
	reap();
}

static void send_trace(void)
{
	static uint8_t data[CHANNEL_PAYLOAD];
	int fd = open(TRACE_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0) {
		channel_note(&agent.channel, "%s: %s", TRACE_PATH, strerror(errno));
		return;
	}
	while ((n = read(fd, data, sizeof data)) > 0)
		channel_send(&agent.channel, FRAME_TRACE, data, (size_t)n);
	if (n < 0)
		channel_note(&agent.channel, "%s: %s", TRACE_PATH, strerror(errno));
	close(fd);
}

/* Reports the status and waits for the host to have taken it, but not for ever. */
static void take_leave(void)
{
	struct pollfd fd = { .fd = agent.channel.fd, .events = POLLIN };

	agent.is_ended = true;
	channel_send_u32(&agent.channel, FRAME_EXIT, (uint32_t)agent.status);
	while (!agent.may_leave && !agent.is_lost && poll(&fd, 1, LEAVE_MS) > 0)
		read_channel();
}

int main(void)
{
	agent.command = (struct command){ -1, -1, -1, -1, -1 };
	agent.status = NO_STATUS;
	machine_mount(keep_note);
	wait_for_signals_only_in_poll();
	if (channel_open(&agent.channel, CHANNEL_PATH)) {
		fprintf(stderr, "kevlar agent: %s: %s\n", CHANNEL_PATH, strerror(errno));
		sleep(1);
		machine_off();
		return 1;
	}
	say_hello();
	while (!agent.is_ended && !agent.is_lost)
		serve_once();
	drain_output(&agent.command.stdout_fd, FRAME_STDOUT);
	drain_output(&agent.command.stderr_fd, FRAME_STDERR);
	if (agent.request.wants_trace)
		send_trace();
	take_leave();
	machine_quiesce();
	channel_send(&agent.channel, FRAME_BYE, NULL, 0);
	channel_drain(&agent.channel);
	machine_off();
	return 1;
}
