/* AF_UNIX under many threads: both ends of a stream, names and connections, files in flight. */

#include "net_test.h"

#include "../smp/smp.h"

#include <sys/epoll.h>

/* --- one stream, several writers and readers --- */

enum { RECORD = 64, STREAMS = 4 };

static int stream[STREAMS][2];
static _Atomic unsigned long sent, received;

static void *stream_writer(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;
	char record[RECORD];

	memset(record, 'a' + (int)i, sizeof(record));
	while (storm_goes_on()) {
		CHECK_EQ(write(stream[i % STREAMS][0], record, RECORD), RECORD);
		sent++;
	}
	return NULL;
}

static void *stream_reader(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;
	char buf[RECORD];
	ssize_t n;

	while ((n = recv(stream[i % STREAMS][1], buf, RECORD, MSG_WAITALL)) > 0) {
		CHECK_EQ(n, RECORD);
		/* One writer's record each: a write of this size is not cut by another. */
		for (int k = 1; k < RECORD; k++)
			CHECK_EQ(buf[k], buf[0]);
		received++;
	}
	CHECK_EQ(n, 0);
	return NULL;
}

TEST(both_ends_busy)
{
	struct crew readers;

	for (int i = 0; i < STREAMS; i++)
		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, stream[i]));
	crew_start(&readers, STREAMS, stream_reader);
	storm(8, STORM_MS, stream_writer);
	for (int i = 0; i < STREAMS; i++)
		close(stream[i][0]);
	crew_join(&readers);
	CHECK_EQ(received, sent);
	CHECK(sent > 100);
}

static void *turn_taker(void *arg)
{
	int fd = stream[0][(uintptr_t)arg];
	char b = 0;

	for (int i = 0; i < 500; i++) {
		if (arg == NULL)
			CHECK_EQ(write(fd, "x", 1), 1);
		CHECK_EQ(read(fd, &b, 1), 1);
		if (arg != NULL)
			CHECK_EQ(write(fd, "y", 1), 1);
	}
	return NULL;
}

TEST(taking_turns_loses_no_wakeup)
{
	struct crew c;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, stream[0]));
	crew_start(&c, 2, turn_taker);
	crew_join(&c);
}

/* --- connections --- */

static int accepting;

static void *accepter(void *arg)
{
	int s;

	(void)arg;
	while ((s = accept(accepting, NULL, NULL)) >= 0) {
		char b;

		if (read(s, &b, 1) == 1)
			CHECK_EQ(send(s, "k", 1, MSG_NOSIGNAL) >= -1, 1);
		close(s);
	}
	CHECK_EQ(errno, EINVAL);
	return NULL;
}

static void *connecter(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	char b;

	while (storm_goes_on()) {
		int c = socket(AF_UNIX, SOCK_STREAM, 0);

		CHECK_OK(c);
		CHECK_OK(connect_path(c, "s"));
		if (rand_r(&seed) % 4) {
			CHECK_EQ(write(c, "q", 1), 1);
			CHECK_EQ(read(c, &b, 1), 1);
			sent++;
		}
		close(c);
	}
	return NULL;
}

TEST(connect_storm)
{
	struct crew servers;

	accepting = listener(SOCK_STREAM, "s", 2);
	crew_start(&servers, 3, accepter);
	storm(6, STORM_MS, connecter);
	CHECK_OK(shutdown(accepting, SHUT_RDWR));
	crew_join(&servers);
	CHECK(sent > 20);
}

/* Listeners that come and go under those who connect to them. */
static void *flickering_listener(void *arg)
{
	char name[16];
	int n = 0;

	(void)arg;
	while (storm_goes_on()) {
		struct sockaddr_un a;
		int l = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), s;

		snprintf(name, sizeof(name), "flicker");
		socklen_t len = abstract_name(&a, name);
		if (bind(l, (void *)&a, len) == 0 && listen(l, 3) == 0) {
			sched_yield();
			if (n++ % 2 && (s = accept(l, NULL, NULL)) >= 0)
				close(s);
		}
		close(l);
	}
	return NULL;
}

static void *flickering_client(void *arg)
{
	struct sockaddr_un a;
	socklen_t len = abstract_name(&a, "flicker");
	char b;

	(void)arg;
	while (storm_goes_on()) {
		int c = socket(AF_UNIX, SOCK_STREAM, 0);

		if (connect(c, (void *)&a, len) == 0) {
			errno = 0;
			(void)!send(c, "abc", 3, MSG_NOSIGNAL);
			CHECK(read(c, &b, 1) <= 0);
			CHECK(errno == 0 || errno == EPIPE || errno == ECONNRESET);
		} else {
			CHECK_EQ(errno, ECONNREFUSED);
			sched_yield();
		}
		close(c);
	}
	return NULL;
}

static void *flicker(void *arg)
{
	return (uintptr_t)arg < 2 ? flickering_listener(arg) : flickering_client(arg);
}

TEST(listeners_come_and_go)
{
	storm(6, STORM_MS, flicker);
}

/* --- files --- */

enum { KNOTS = 6 };

static int knot[KNOTS][2];
static pthread_mutex_t knot_lock[KNOTS];

/* Sends sockets into each other at random, receives some, and replaces pairs: cycles of all kinds
 * come to be, and are left behind. */
static void *knotter(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg + 1;
	int got[4], n;
	char buf[8];

	while (storm_goes_on()) {
		unsigned a = (unsigned)rand_r(&seed) % KNOTS, b = (unsigned)rand_r(&seed) % KNOTS;

		pthread_mutex_lock(&knot_lock[a < b ? a : b]);
		if (a != b)
			pthread_mutex_lock(&knot_lock[a < b ? b : a]);
		switch (rand_r(&seed) % 4) {
		case 0:
		case 1:
			fcntl(knot[a][0], F_SETFL, O_NONBLOCK);
			if (send_files(knot[a][0], "k", knot[b], 2) < 0)
				CHECK(errno == EAGAIN || errno == ETOOMANYREFS);
			break;
		case 2:
			if (recv_files(knot[a][1], buf, 8, got, 4, &n,
				       MSG_DONTWAIT | (rand_r(&seed) % 2 ? MSG_PEEK : 0), NULL) >= 0)
				for (int i = 0; i < n; i++)
					close(got[i]);
			break;
		default:
			close(knot[a][0]);
			close(knot[a][1]);
			CHECK_OK(socketpair(AF_UNIX, rand_r(&seed) % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, knot[a]));
		}
		if (a != b)
			pthread_mutex_unlock(&knot_lock[a < b ? b : a]);
		pthread_mutex_unlock(&knot_lock[a < b ? a : b]);
	}
	return NULL;
}

/* One that must survive all of it: its pipe is in flight the whole time, in a socket that is in
 * flight too, reachable. */
TEST_TIMED(knots_of_sockets, 60)
{
	int keep[2], outer[2], q[2], got[4], n;
	char buf[8];

	CHECK_OK(pipe(q));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, keep));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, outer));
	CHECK_EQ(send_files(keep[0], "a", &q[1], 1), 1);
	CHECK_EQ(send_files(outer[0], "b", &keep[1], 1), 1);
	close(keep[0]);
	close(keep[1]);
	close(q[1]);
	for (int i = 0; i < KNOTS; i++) {
		pthread_mutex_init(&knot_lock[i], NULL);
		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, knot[i]));
	}
	storm(6, 2 * STORM_MS, knotter);
	CHECK_EQ(recv_files(outer[1], buf, 8, got, 4, &n, 0, NULL), 1);
	CHECK_EQ(n, 1);
	CHECK_EQ(recv_files(got[0], buf, 8, got + 1, 2, &n, 0, NULL), 1);
	CHECK_EQ(n, 1);
	CHECK_EQ(write(got[1], "x", 1), 1);
	CHECK_EQ(read(q[0], buf, 8), 1);
}

static int post[2];

static void *file_sender(void *arg)
{
	int q[2];

	(void)arg;
	while (storm_goes_on()) {
		CHECK_OK(pipe(q));
		CHECK_EQ(write(q[1], "inside", 6), 6);
		CHECK_EQ(send_files(post[0], "p", q, 1), 1);
		close(q[0]);
		close(q[1]);
		sent++;
	}
	return NULL;
}

static void *file_receiver(void *arg)
{
	int got[4], n;
	char buf[8];

	(void)arg;
	while (recv_files(post[1], buf, 1, got, 4, &n, 0, NULL) == 1) {
		CHECK_EQ(n, 1);
		CHECK_EQ(read(got[0], buf, 8), 6);
		CHECK_EQ(read(got[0], buf, 8), 0);
		close(got[0]);
		received++;
	}
	return NULL;
}

TEST(files_by_the_hundred)
{
	struct crew readers;

	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, post));
	crew_start(&readers, 3, file_receiver);
	storm(3, STORM_MS, file_sender);
	close(post[0]);
	crew_join(&readers);
	CHECK_EQ(received, sent);
}

/* --- datagrams, full queues, pollers --- */

static void *dgram_sender(void *arg)
{
	int c = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct pollfd p = { .fd = c, .events = POLLOUT };

	CHECK_OK(connect_path(c, "d"));
	while (storm_goes_on()) {
		if ((uintptr_t)arg % 2) {
			CHECK_EQ(send(c, "x", 1, 0), 1);
		} else {
			CHECK_OK(poll(&p, 1, 5000));
			CHECK(p.revents & POLLOUT);
			if (send(c, "x", 1, MSG_DONTWAIT) != 1) {
				CHECK_EQ(errno, EAGAIN);
				continue;
			}
		}
		sent++;
	}
	return NULL;
}

static void *dgram_receiver(void *arg)
{
	char b;

	while (recv((int)(uintptr_t)arg, &b, 1, 0) == 1 && b == 'x')
		received++;
	return NULL;
}

TEST(full_queues)
{
	int d = bound(SOCK_DGRAM, "d");
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, dgram_receiver, (void *)(uintptr_t)d), 0);
	storm(6, STORM_MS, dgram_sender);
	int c = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_OK(connect_path(c, "d"));
	CHECK_EQ(send(c, "q", 1, 0), 1);
	pthread_join(t, NULL);
	CHECK_EQ(received, sent);
}

/* Everything that ends a socket, against everything that uses it. */
static int victim[2];
static pthread_rwlock_t victim_lock = PTHREAD_RWLOCK_INITIALIZER;

static void *abuser(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT };
	int ep = epoll_create1(0);
	char buf[64];

	while (storm_goes_on()) {
		int fd = victim[rand_r(&seed) % 2];

		/* Descriptors are closed and used again under us: any result is right, as long as
		 * nothing breaks. */
		switch (rand_r(&seed) % 9) {
		case 8:
			(void)fcntl(fd, F_SETOWN, getpid());
			(void)fcntl(fd, F_SETFL, O_ASYNC);
			break;
		case 0:
			(void)send(fd, buf, 64, MSG_DONTWAIT | MSG_NOSIGNAL);
			break;
		case 1:
			(void)recv(fd, buf, 64, MSG_DONTWAIT);
			break;
		case 2:
			(void)recv(fd, buf, 64, MSG_DONTWAIT | MSG_PEEK);
			break;
		case 3:
			if (rand_r(&seed) % 8 == 0)
				(void)shutdown(fd, rand_r(&seed) % 3);
			break;
		case 4:
			(void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
			(void)epoll_wait(ep, &ev, 1, 0);
			ev.events = EPOLLIN | EPOLLOUT;
			break;
		case 5:
			poll_now(fd, POLLIN | POLLOUT);
			break;
		case 6:
			(void)send(fd, buf, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL);
			break;
		default:
			if (pthread_rwlock_trywrlock(&victim_lock) == 0) {
				int p[2];

				CHECK_OK(socketpair(AF_UNIX, rand_r(&seed) % 3 ? SOCK_STREAM : SOCK_DGRAM,
						    0, p));
				CHECK_OK(dup2(p[0], victim[0]));
				CHECK_OK(dup2(p[1], victim[1]));
				close(p[0]);
				close(p[1]);
				pthread_rwlock_unlock(&victim_lock);
			}
		}
	}
	return NULL;
}

TEST(use_against_close)
{
	signal(SIGIO, SIG_IGN);
	signal(SIGURG, SIG_IGN);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, victim));
	storm(6, 2 * STORM_MS, abuser);
}
