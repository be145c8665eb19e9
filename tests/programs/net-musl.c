/*
 * What apk asks of a network and a file system, by a program linked to musl: names, HTTP over one kept
 * connection and over closed ones, and a tar.gz stream unpacked while it arrives.
 *
 *     net-musl names NAME...           the addresses of each, by getaddrinfo
 *     net-musl http HOST PATH...       lengths and sums, all over one connection
 *     net-musl closed HOST PATH        one that ends with the connection
 *     net-musl unpack HOST PATH DIR    through gzip -dc; each file made under another name, then renamed
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "net-musl: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names(char **name)
{
	for (; *name; name++) {
		struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *a;
		char *text[200];
		size_t n = 0;
		int err = getaddrinfo(*name, "80", &hints, &list);

		printf("%s:", *name);
		if (err)
			printf(" error %d", err);
		for (a = err ? NULL : list; a && n < 200; a = a->ai_next) {
			char host[64];

			if (getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST))
				die(*name);
			text[n++] = strdup(host);
		}
		qsort(text, n, sizeof *text, by_text);
		for (size_t i = 0; i < n && i < 3; i++)
			printf(" %s", text[i]);
		printf("\n");
		if (!err)
			freeaddrinfo(list);
	}
}

/* Connects as apk does: without blocking, then poll, then SO_ERROR. */
static int connect_to(const char *host)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_INET }, *list;
	struct timeval limit = { 30, 0 };
	int fd, err, one = 1;
	socklen_t len = sizeof err;

	if (getaddrinfo(host, "80", &hints, &list))
		die(host);
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("socket");
	if (connect(fd, list->ai_addr, list->ai_addrlen) && errno != EINPROGRESS)
		die("connect");
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 30000) != 1)
		die("poll");
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		die("SO_ERROR");
	if ((errno = err))
		die("connect");
	fcntl(fd, F_SETFL, 0);
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one))
		die("setsockopt");
	freeaddrinfo(list);
	return fd;
}

/* Sends a request in two parts under TCP_CORK. */
static void ask(int fd, const char *host, const char *path, bool keep)
{
	char line[512], rest[512];
	int on = 1, off = 0;

	snprintf(line, sizeof line, "GET %s HTTP/1.1\r\n", path);
	snprintf(rest, sizeof rest, "Host: %s\r\nConnection: %s\r\n\r\n", host, keep ? "keep-alive" : "close");
	setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
	if (write(fd, line, strlen(line)) < 0 || write(fd, rest, strlen(rest)) < 0)
		die("write");
	setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
}

/* Reads the head; the length announced, or -1. */
static long head(FILE *f)
{
	char line[1024];
	long length = -1;

	if (!fgets(line, sizeof line, f) || strncmp(line, "HTTP/1.1 200", 12) != 0)
		die("not 200");
	while (fgets(line, sizeof line, f) && strcmp(line, "\r\n") != 0)
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			length = atol(line + 15);
	return length;
}

static void body(FILE *in, long length, const char *path)
{
	unsigned long sum = 0, n = 0;
	int c;

	while ((length < 0 || n < (unsigned long)length) && (c = getc(in)) != EOF) {
		sum = sum * 31 + (unsigned)c;
		n++;
	}
	printf("%s: %lu bytes, sum %08lx\n", path, n, sum & 0xffffffff);
}

static void http(char **arg)
{
	const char *host = *arg++;
	int fd = connect_to(host);
	FILE *f = fdopen(fd, "r+");

	for (; *arg; arg++) {
		long length;

		ask(fd, host, *arg, true);
		length = head(f);
		body(f, length, *arg);
	}
	fclose(f);
}

static void closed(char **arg)
{
	int fd = connect_to(arg[0]);
	FILE *f = fdopen(fd, "r+");

	ask(fd, arg[0], arg[1], false);
	body(f, head(f), arg[1]);
	fclose(f);
}

/* Copies what the connection brings into gzip's pipe, in a child, as it comes. */
static FILE *unpacked(const char *host, const char *path)
{
	int fd = connect_to(host), to[2], from[2];
	FILE *f = fdopen(fd, "r+");
	char data[8192];
	size_t n;

	ask(fd, host, path, false);
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		die("pipe");
	if (vfork() == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execlp("gzip", "gzip", "-dc", (char *)0);
		_exit(127);
	}
	if (fork() == 0) {
		head(f);
		while ((n = fread(data, 1, sizeof data, f)) > 0)
			if (write(to[1], data, n) != (ssize_t)n)
				_exit(1);
		_exit(ferror(f) ? 1 : 0);
	}
	close(to[0]);
	close(to[1]);
	close(from[1]);
	fclose(f);
	return fdopen(from[0], "r");
}

/* Makes a file as apk does: beside its name, complete and on the disk, then renamed. */
static void make_file(FILE *in, int dir, const char *name, size_t size, mode_t mode, uid_t uid, time_t when)
{
	struct timespec times[2] = { { when, 0 }, { when, 0 } };
	char temporary[256], data[4096];
	int fd;

	snprintf(temporary, sizeof temporary, "%.99s.apk-new", name);
	fd = openat(dir, temporary, O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		die(temporary);
	for (size_t left = size; left;) {
		size_t n = fread(data, 1, left < sizeof data ? left : sizeof data, in);

		if (n == 0 || write(fd, data, n) != (ssize_t)n)
			die("the archive ends early");
		left -= n;
	}
	if (fsync(fd) || close(fd) || fchownat(dir, temporary, uid, uid, AT_SYMLINK_NOFOLLOW) ||
	    fchmodat(dir, temporary, mode, 0) || utimensat(dir, temporary, times, AT_SYMLINK_NOFOLLOW) ||
	    renameat(dir, temporary, dir, name))
		die(name);
}

static void unpack(char **arg)
{
	FILE *in = unpacked(arg[0], arg[1]);
	int dir = open(arg[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC), status, good = 0;
	char header[512], link[101], pad[512];
	unsigned count = 0;

	if (dir < 0)
		die(arg[2]);
	while (fread(header, 1, 512, in) == 512 && header[0]) {
		mode_t mode = (mode_t)strtoul(header + 100, NULL, 8);
		uid_t uid = (uid_t)strtoul(header + 108, NULL, 8);
		size_t size = strtoul(header + 124, NULL, 8);
		time_t when = (time_t)strtoul(header + 136, NULL, 8);

		header[99] = '\0';
		snprintf(link, sizeof link, "%.100s", header + 157);
		if (header[156] == '5' && mkdirat(dir, header, mode) && errno != EEXIST)
			die(header);
		else if (header[156] == '2' && symlinkat(link, dir, header))
			die(header);
		else if (header[156] == '1' && linkat(dir, link, dir, header, 0))
			die(header);
		else if (header[156] == '0')
			make_file(in, dir, header, size, mode, uid, when);
		if (size % 512 && fread(pad, 1, 512 - size % 512, in) != 512 - size % 512)
			die("the archive ends early");
		count++;
	}
	while (fread(pad, 1, sizeof pad, in) > 0)
		;
	while (wait(&status) > 0)
		good += status == 0;
	printf("%u entries, %d children ended well\n", count, good);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (strcmp(what, "names") == 0)
		names(argv + 2);
	else if (strcmp(what, "http") == 0)
		http(argv + 2);
	else if (strcmp(what, "closed") == 0)
		closed(argv + 2);
	else if (strcmp(what, "unpack") == 0 && argc == 5)
		unpack(argv + 2);
	else
		return 2;
	return fflush(stdout) ? 1 : 0;
}
