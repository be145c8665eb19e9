/*
 * bench --serve PORT ...: the guest's side of the rows that go through the network card. The other
 * side is tools/kevlar/bench_wire.py, outside.
 *	7	TCP and UDP: sends back what comes
 *	9	takes bytes; a byte back for every MiB
 *	19	for every byte that comes, a MiB
 * One process for each, one connection at a time, no more than the calls themselves. It says @ready
 *once these listen and every PORT, other servers', takes a connection on the loopback.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 65536, MIB = 1 << 20, PATIENCE = 600 };

static char buffer[PIECE];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in address(in_addr_t host, unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(host) };
}

static int server(int type, unsigned port)
{
	struct sockaddr_in here = address(INADDR_ANY, port);
	int fd = socket(AF_INET, type, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
	    bind(fd, (struct sockaddr *)&here, sizeof here) ||
	    (type == SOCK_STREAM && listen(fd, 128)))
		die("server");
	return fd;
}

static int send_all(int fd, size_t size)
{
	ssize_t n;

	for (; size > 0; size -= (size_t)n) {
		n = send(fd, buffer, size < PIECE ? size : PIECE, MSG_NOSIGNAL);
		if (n <= 0)
			return -1;
	}
	return 0;
}

static void echo(int fd)
{
	ssize_t n;

	while ((n = recv(fd, buffer, PIECE, 0)) > 0 && send_all(fd, (size_t)n) == 0)
		;
}

static void sink(int fd)
{
	size_t got = 0;
	ssize_t n;

	while ((n = recv(fd, buffer, PIECE, 0)) > 0) {
		got += (size_t)n;
		for (; got >= MIB; got -= MIB)
			if (send_all(fd, 1))
				return;
	}
}

static void source(int fd)
{
	ssize_t n;

	while ((n = recv(fd, buffer, PIECE, 0)) > 0)
		for (; n > 0; n--)
			if (send_all(fd, MIB))
				return;
}

static void serve_tcp(unsigned port, void (*talk)(int fd))
{
	int fd, on = 1, listener = server(SOCK_STREAM, port);

	if (fork())
		return;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		talk(fd);
		close(fd);
	}
	die("accept");
}

static void serve_udp(unsigned port)
{
	struct sockaddr_in from;
	int fd = server(SOCK_DGRAM, port);
	ssize_t n = 0;

	if (fork())
		return;
	while (n >= 0) {
		socklen_t length = sizeof from;

		n = recvfrom(fd, buffer, PIECE, 0, (struct sockaddr *)&from, &length);
		if (n >= 0)
			n = sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&from, length);
	}
	die("udp");
}

static int does_answer(unsigned port)
{
	struct sockaddr_in there = address(INADDR_LOOPBACK, port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int err = connect(fd, (struct sockaddr *)&there, sizeof there);

	close(fd);
	return err == 0;
}

int serve(int count, char **ports)
{
	serve_tcp(7, echo);
	serve_udp(7);
	serve_tcp(9, sink);
	serve_tcp(19, source);
	for (int i = 0; i < count; i++) {
		int left = PATIENCE;

		while (!does_answer((unsigned)atoi(ports[i])) && left-- > 0)
			usleep(100000);
		if (left < 0) {
			printf("@fail nobody answers at port %s\n", ports[i]);
			fflush(stdout);
			return 1;
		}
	}
	printf("@ready\n");
	fflush(stdout);
	wait(NULL); /* none of them ends */
	return 1;
}
