/* Many at once: connections made and ended from several threads, bytes checked. */
#include "tcp_test.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, ROUNDS = 300 };

static struct sockaddr_in name;
static int listener_fd;
static atomic_int accepted, finished;

static void *serve(void *unused)
{
	char b[256];
	ssize_t n;
	int s;

	(void)unused;
	while ((s = accept(listener_fd, NULL, NULL)) >= 0) {
		atomic_fetch_add(&accepted, 1);
		while ((n = read(s, b, sizeof(b))) > 0)
			if (write(s, b, (size_t)n) != n)
				break;
		close(s);
	}
	return NULL;
}

static void *ask(void *arg)
{
	long id = (long)arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct linger reset = { 1, 0 };
		char b[64], c[64];
		int s = socket(AF_INET, SOCK_STREAM, 0), got = 0, how = i % 4;

		CHECK_OK(connect(s, (void *)&name, sizeof(name)));
		memset(b, (int)(id * 31 + i), sizeof(b));
		CHECK_EQ(write(s, b, sizeof(b)), sizeof(b));
		if (how == 1)
			CHECK_OK(shutdown(s, SHUT_WR));
		if (how == 2) {
			CHECK_OK(setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)));
		} else {
			while (got < (int)sizeof(c)) {
				ssize_t n = read(s, c + got, sizeof(c) - (size_t)got);

				CHECK(n > 0);
				got += (int)n;
			}
			CHECK(memcmp(b, c, sizeof(b)) == 0);
			if (how == 1)
				CHECK_EQ(read(s, c, 1), 0);
		}
		close(s);
		atomic_fetch_add(&finished, 1);
	}
	return NULL;
}

TEST_TIMED(tcp_storm_connect_echo_close, 120)
{
	pthread_t t[2 * THREADS];

	listener_fd = tcp_listener(&name, 64);
	for (long i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_create(&t[i], NULL, serve, NULL), 0);
		CHECK_EQ(pthread_create(&t[THREADS + i], NULL, ask, (void *)i), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[THREADS + i], NULL);
	CHECK_EQ(finished, THREADS * ROUNDS);
	shutdown(listener_fd, SHUT_RD);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

struct stream {
	int fd;
	uint32_t seed;
	size_t bytes;
};

static void *push(void *arg)
{
	struct stream *s = arg;
	static __thread unsigned char b[70000];
	uint32_t x = s->seed;

	for (size_t left = s->bytes; left;) {
		size_t n = 1 + (x >> 7) % sizeof(b), at = 0;

		n = n < left ? n : left;
		for (size_t i = 0; i < n; i++)
			b[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
		for (ssize_t w; at < n; at += (size_t)w)
			if ((w = write(s->fd, b + at, n - at)) <= 0)
				FAIL("write: %zd", w);
		left -= n;
	}
	shutdown(s->fd, SHUT_WR);
	return NULL;
}

static void *pull(void *arg)
{
	struct stream *s = arg;
	static __thread unsigned char b[50000];
	uint32_t x = s->seed;
	size_t got = 0;
	ssize_t n;

	while ((n = read(s->fd, b, 1 + x % sizeof(b))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (b[i] != (unsigned char)((x = x * 1664525 + 1013904223) >> 24))
				FAIL("byte %zu is wrong", got + (size_t)i);
		got += (size_t)n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(got, s->bytes);
	return NULL;
}

TEST_TIMED(tcp_storm_streams_both_ways, 120)
{
	struct stream st[2 * THREADS][2];
	pthread_t t[4 * THREADS];

	for (int i = 0; i < THREADS; i++) {
		int s[2];

		tcp_pair(i & 1 ? AF_INET6 : AF_INET, s);
		for (int d = 0; d < 2; d++) {
			st[2 * i + d][0] = (struct stream){ s[d], (uint32_t)(i * 2 + d), 3000000 };
			st[2 * i + d][1] = (struct stream){ s[!d], (uint32_t)(i * 2 + d), 3000000 };
		}
	}
	for (int i = 0; i < 2 * THREADS; i++) {
		CHECK_EQ(pthread_create(&t[2 * i], NULL, push, &st[i][0]), 0);
		CHECK_EQ(pthread_create(&t[2 * i + 1], NULL, pull, &st[i][1]), 0);
	}
	for (int i = 0; i < 4 * THREADS; i++)
		pthread_join(t[i], NULL);
}

static void *close_soon(void *arg)
{
	int fd = (int)(long)arg;

	for (int i = 0; i < 20; i++)
		sched_yield();
	shutdown(fd, SHUT_RD);
	close(fd);
	return NULL;
}

TEST_TIMED(tcp_storm_listener_closes_meanwhile, 60)
{
	for (int i = 0; i < 60; i++) {
		struct sockaddr_in a;
		int l = tcp_listener(&a, 4096);
		pthread_t t;

		CHECK_EQ(pthread_create(&t, NULL, close_soon, (void *)(long)l), 0);
		for (;;) {
			int s = socket(AF_INET, SOCK_STREAM, 0);
			int err = connect(s, (void *)&a, sizeof(a)) ? errno : 0;

			close(s);
			sched_yield();
			if (err && err != ECONNRESET) {
				CHECK_EQ(err, ECONNREFUSED);
				break;
			}
		}
		pthread_join(t, NULL);
	}
}
