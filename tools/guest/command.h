/* Starts the requested command, on pipes or on the console. */
#pragma once

#include <sys/types.h>

#include "request.h"

#define CONSOLE_PATH "/dev/ttyS0"

/* The agent's view of a running command. A descriptor is -1 when there is none. */
struct command {
	pid_t pid;     /* the process whose end is the end of the command */
	int stdin_fd;  /* write end, non-blocking */
	int stdout_fd; /* read ends, non-blocking */
	int stderr_fd;
	int console_fd; /* with a terminal: for its size */
};

/*
 * Starts it in a session of its own.
 *   returns      0; -1 with errno, nothing started
 *   source       setsid(2), tty_ioctl(4); the statuses 126 and 127 as in POSIX sh, 2.8.2
 */
int command_start(struct command *c, const struct request *r);

/* The status a shell would show for a wait status. */
int command_status(int wait_status);
