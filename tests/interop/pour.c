/*
 * pour: streams of known bytes over TCP, or datagrams over UDP, each byte compared on arrival.
 *
 *   pour serve PORT                        takes connections for ever, one process for each
 *   pour call HOST PORT UP DOWN STREAMS    sends UP MiB and takes DOWN MiB at the same time, on STREAMS connections
 *   pour udp-serve PORT                    sends each datagram back
 *   pour udp-call HOST PORT COUNT SIZE MS  counts what came back, whole and once; waits so long before it sends the next
 *
 * Byte p of a stream is byte p mod PERIOD of a block made from the stream's seed. PERIOD is prime, so a piece that is lost,
 * doubled or moved does not compare equal unless it moved by a multiple of that.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD = 1048573, CHUNK = 1 << 16 };

struct header {
	uint64_t seed, up, down; /* bytes, as the caller sees them */
};

struct stream {
	uint8_t *block; /* PERIOD + CHUNK bytes */
	uint64_t at, total;
};

static void die(const char *what)
{
	fprintf(stderr, "pour: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void stream_init(struct stream *s, uint64_t seed, uint64_t total)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;

	s->at = 0;
	s->total = total;
	if (!(s->block = malloc(PERIOD + CHUNK)))
		die("malloc");
	for (size_t i = 0; i < PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		s->block[i] = (uint8_t)(x >> 32);
	}
	memcpy(s->block + PERIOD, s->block, CHUNK);
}

static size_t chunk_of(const struct stream *s)
{
	uint64_t left = s->total - s->at;

	return left < CHUNK ? (size_t)left : CHUNK;
}

static void pump_out(int fd, struct stream *s)
{
	ssize_t n = send(fd, s->block + s->at % PERIOD, chunk_of(s), MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		die("send");
	if (n > 0)
		s->at += (uint64_t)n;
	if (s->at == s->total && shutdown(fd, SHUT_WR))
		die("shutdown");
}

/* True at the end. */
static int pump_in(int fd, struct stream *s)
{
	static uint8_t buf[CHUNK];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0) {
		if (errno == EAGAIN)
			return 0;
		die("recv");
	}
	if ((uint64_t)n > s->total - s->at) {
		fprintf(stderr, "pour: more than %llu bytes\n", (unsigned long long)s->total);
		exit(1);
	}
	if (memcmp(buf, s->block + s->at % PERIOD, (size_t)n)) {
		fprintf(stderr, "pour: wrong bytes after %llu\n", (unsigned long long)s->at);
		exit(1);
	}
	s->at += (uint64_t)n;
	if (n == 0 && s->at != s->total) {
		fprintf(stderr, "pour: end after %llu of %llu\n", (unsigned long long)s->at,
			(unsigned long long)s->total);
		exit(1);
	}
	return n == 0;
}

static void both_ways(int fd, struct stream *out, struct stream *in)
{
	int at_end = 0;

	if (out->total == 0 && shutdown(fd, SHUT_WR))
		die("shutdown");
	while (!at_end || out->at < out->total) {
		struct pollfd p = { .fd = fd };

		p.events = (short)((at_end ? 0 : POLLIN) | (out->at < out->total ? POLLOUT : 0));
		if (poll(&p, 1, 120000) <= 0) {
			fprintf(stderr, "pour: nothing for 120 s (sent %llu, received %llu)\n",
				(unsigned long long)out->at, (unsigned long long)in->at);
			exit(1);
		}
		if (p.revents & POLLOUT)
			pump_out(fd, out);
		if (p.revents & (POLLIN | POLLHUP | POLLERR) && !at_end)
			at_end = pump_in(fd, in);
	}
}

static void serve_one(int fd)
{
	struct header h;
	struct stream in, out;

	if (recv(fd, &h, sizeof(h), MSG_WAITALL) != sizeof(h))
		die("header");
	stream_init(&in, h.seed, h.up);
	stream_init(&out, ~h.seed, h.down);
	both_ways(fd, &out, &in);
	exit(0);
}

static int open_socket(const char *host, const char *port, int type, int (*use)(int, const struct sockaddr *, socklen_t))
{
	struct addrinfo hints = { .ai_socktype = type, .ai_flags = host ? AI_NUMERICHOST : AI_PASSIVE };
	struct addrinfo *a;
	int fd, one = 1;

	if (!host)
		hints.ai_family = AF_INET6;
	if (getaddrinfo(host, port, &hints, &a))
		die("address");
	if ((fd = socket(a->ai_family, type, 0)) < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (use(fd, a->ai_addr, a->ai_addrlen))
		die(host ? "connect" : "bind");
	return fd;
}

static _Noreturn void serve(const char *port)
{
	int s = open_socket(NULL, port, SOCK_STREAM, bind), c;

	signal(SIGCHLD, SIG_IGN);
	if (listen(s, 64))
		die("listen");
	puts("ready");
	fflush(stdout);
	for (;;) {
		if ((c = accept(s, NULL, NULL)) < 0)
			die("accept");
		if (fork() == 0) {
			close(s);
			serve_one(c);
		}
		close(c);
	}
}

static int call(const char *host, const char *port, uint64_t up, uint64_t down, int streams)
{
	struct timespec a, b;
	int status, bad = 0;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < streams; i++) {
		if (fork() == 0) {
			struct header h = { (uint64_t)getpid() * 77 + (uint64_t)a.tv_nsec, up << 20, down << 20 };
			struct stream in, out;
			int fd = open_socket(host, port, SOCK_STREAM, connect);

			if (send(fd, &h, sizeof(h), 0) != sizeof(h))
				die("header");
			stream_init(&out, h.seed, h.up);
			stream_init(&in, ~h.seed, h.down);
			both_ways(fd, &out, &in);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		bad += status != 0;
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%s %llu MiB in %ld ms, %d streams\n", bad ? "FAILED" : "ok",
	       (unsigned long long)((up + down) * (uint64_t)streams),
	       (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000, streams);
	return bad != 0;
}

static _Noreturn void udp_serve(const char *port)
{
	static uint8_t buf[1 << 16];
	int s = open_socket(NULL, port, SOCK_DGRAM, bind);
	struct sockaddr_storage from;

	puts("ready");
	fflush(stdout);
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(s, buf, sizeof(buf), 0, (void *)&from, &len);

		if (n >= 0)
			(void)!sendto(s, buf, (size_t)n, 0, (void *)&from, len);
	}
}

static int udp_call(const char *host, const char *port, int count, size_t size, int patience)
{
	static uint8_t out[1 << 16], in[1 << 16];
	int s = open_socket(host, port, SOCK_DGRAM, connect), back = 0, twice = 0, wrong = 0;
	uint8_t *seen = calloc(1, (size_t)count);

	for (int i = 0; i <= count; i++) {
		struct pollfd p = { .fd = s, .events = POLLIN };

		if (i < count) {
			for (size_t k = 0; k < size; k++)
				out[k] = (uint8_t)((unsigned)i * 31 + k * 7 + (k >> 8));
			memcpy(out, &i, sizeof(i));
			if (send(s, out, size, 0) != (ssize_t)size)
				die("send");
		}
		while (poll(&p, 1, i < count ? patience : 2000) > 0) {
			ssize_t n = recv(s, in, sizeof(in), 0);
			int got;

			if (n < 0)
				die("recv");
			memcpy(&got, in, sizeof(got));
			if ((size_t)n != size || got < 0 || got >= count) {
				wrong++;
				continue;
			}
			for (size_t k = sizeof(got); k < size; k++)
				wrong += in[k] != (uint8_t)((unsigned)got * 31 + k * 7 + (k >> 8));
			twice += seen[got]++ != 0;
			back++;
			if (got == i)
				break;
		}
	}
	printf("%s %d of %d back, %d twice, %d wrong bytes\n", wrong ? "FAILED" : "ok", back, count, twice, wrong);
	return wrong != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(argv[2]);
	if (argc == 7 && !strcmp(argv[1], "call"))
		return call(argv[2], argv[3], strtoull(argv[4], NULL, 0), strtoull(argv[5], NULL, 0), atoi(argv[6]));
	if (argc == 3 && !strcmp(argv[1], "udp-serve"))
		udp_serve(argv[2]);
	if (argc == 7 && !strcmp(argv[1], "udp-call"))
		return udp_call(argv[2], argv[3], atoi(argv[4]), strtoul(argv[5], NULL, 0), atoi(argv[6]));
	fprintf(stderr, "usage: pour serve|call|udp-serve|udp-call ...\n");
	return 2;
}
