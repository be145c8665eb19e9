/* UDP sockets from many processes at once: nothing is lost that was read, nothing crosses over. */

#include "inet_test.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 300 };

static struct name server;
static int stop;

/* Answers whatever comes with the same bytes. */
static void *serve(void *arg)
{
	int fd = *(int *)arg;
	struct name from;
	char buf[64];

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		from.len = sizeof(from.all);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, &from.a, &from.len);

		if (n > 0)
			sendto(fd, buf, (size_t)n, 0, &from.a, from.len);
	}
	return NULL;
}

/* New sockets all the time, connected and not; each answer must be the question. */
static void *ask(void *arg)
{
	long me = (long)arg, got = 0;
	struct timeval limit = { .tv_usec = 200000 };

	for (long i = 0; i < ROUNDS; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		long out[2] = { me, i }, in[2] = { -1, -1 };

		if (fd < 0)
			return (void *)-1L;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		if (i % 2 && connect(fd, &server.a, server.len))
			return (void *)-2L;
		if (sendto(fd, out, sizeof(out), 0, i % 2 ? NULL : &server.a,
			   i % 2 ? 0 : server.len) != sizeof(out))
			return (void *)-3L;
		if (recv(fd, in, sizeof(in), 0) == sizeof(in)) {
			if (in[0] != me || in[1] != i)
				return (void *)-4L;
			got++;
		}
		if (i % 3 == 0)
			disconnect(fd);
		close(fd);
	}
	return (void *)got;
}

TEST_TIMED(storm_of_short_sockets, 120)
{
	pthread_t s[2], c[THREADS];
	int fd;
	void *ret;

	lo_up();
	fd = udp_bound("127.0.0.1", &server);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&s[i], NULL, serve, &fd), 0);
	for (long i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&c[i], NULL, ask, (void *)i), 0);
	for (int i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_join(c[i], &ret), 0);
		CHECK((long)ret >= ROUNDS * 9 / 10); /* a full queue may drop a few */
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	shutdown(fd, SHUT_RDWR);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(s[i], NULL), 0);
}

/* Sends to ports that come and go: refused or taken, and nothing else. */
static void *shoot(void *arg)
{
	struct name to = server;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bad = 0;

	(void)arg;
	CHECK_OK(connect(fd, &to.a, to.len));
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		if (send(fd, "x", 1, 0) != 1 && errno != ECONNREFUSED)
			bad++;
	close(fd);
	return (void *)(long)bad;
}

TEST_TIMED(sockets_end_under_fire, 120)
{
	pthread_t c[2];
	void *ret;
	char byte;

	lo_up();
	close(udp_bound("127.0.0.1", &server));
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&c[i], NULL, shoot, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		if (bind(fd, &server.a, server.len)) /* somebody chose it for himself */
			CHECK_EQ(errno, EADDRINUSE);
		else if (i % 4)
			CHECK_EQ(recv(fd, &byte, 1, 0), 1);
		close(fd);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(pthread_join(c[i], &ret), 0);
		CHECK_EQ((long)ret, 0);
	}
}
