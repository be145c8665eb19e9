/*
 * What the host asks the agent to run. It arrives as REQUEST frames whose payloads, put together,
 * are strings of the form key=value, each ended by a NUL:
 *
 *     arg=WORD      one word of the command, in order; none at all: root's login shell
 *     env=NAME=VAL  one variable of its environment
 *     dir=PATH      its working directory
 *     host=NAME     the machine's host name
 *     tty=ROWSxCOLS the command gets the console as its controlling terminal, of that size
 *     stderr=pipe   with tty: standard error goes over the channel all the same
 *     net=A/P G D   the user network: address and prefix, gateway, name server; for a card that the
 *                   kernel has not set up itself
 *     trace=1       send /proc/ktrace/dump when the command has ended
 *
 * An unknown key is ignored, so that an older agent still runs under a newer host.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request {
	char *text; /* the bytes received; args and env point into it */
	size_t length;
	char **args; /* ends with NULL */
	char **env;  /* ends with NULL */
	const char *dir;
	const char *host;
	const char *net; /* or NULL */
	bool has_tty;
	unsigned short rows, cols;
	bool pipes_stderr;
	bool wants_trace;
};

/*
 * Appends bytes as they arrive.
 *   returns      0; -1 if there is no memory
 */
int request_append(struct request *r, const uint8_t *data, size_t length);

/*
 * Reads the complete text and fills in every other member.
 *   returns      0; -1 if there is no memory
 */
int request_parse(struct request *r);
