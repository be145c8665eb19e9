/* seccomp_unotify(2): system calls that another process answers. */
#include "test.h"

#include "seccomp.h"

#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

static struct { /* of the running test */
	int listener;
	pid_t child;
} it;

static void send_fd(int sock, int fd)
{
	char c = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	CHECK_EQ(sendmsg(sock, &m, 0), 1);
}

static int receive_fd(int sock)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int fd;

	CHECK_EQ(recvmsg(sock, &m, 0), 1);
	CHECK(CMSG_FIRSTHDR(&m) != NULL);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

/* A child whose getppid(2) is asked about; fn is what it does. Its exit status is fn's result. */
static void start(unsigned flags, int (*fn)(void))
{
	int sv[2], fd;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	it.child = fork();
	CHECK_OK(it.child);
	if (it.child == 0) {
		no_new_privs();
		CHECK_OK(fd = (int)filter_call(SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, SYS_getppid,
					       SECCOMP_RET_USER_NOTIF | 5));
		CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
		send_fd(sv[0], fd);
		close(fd);
		_exit(fn());
	}
	it.listener = receive_fd(sv[1]);
	close(sv[0]);
	close(sv[1]);
}

static int finish(void)
{
	int status;

	CHECK_EQ(waitpid(it.child, &status, 0), it.child);
	return status;
}

static struct seccomp_notif receive(void)
{
	struct seccomp_notif n;

	memset(&n, 0, sizeof(n));
	CHECK_OK(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_RECV, &n));
	return n;
}

static int answer(uint64_t id, long long val, int error, unsigned flags)
{
	struct seccomp_notif_resp r = { .id = id, .val = val, .error = error, .flags = flags };

	return ioctl(it.listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static short events(void)
{
	struct pollfd p = { .fd = it.listener, .events = POLLIN | POLLOUT };

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

/* --- */

static int three_answers(void)
{
	if (syscall(SYS_getppid, 1, 2, 3, 4, 5, 6) != 4711)
		return 1;
	if (syscall(SYS_getppid) != -1 || errno != 61)
		return 2;
	return syscall(SYS_getppid) == getpid() ? 3 : 0;
}

TEST(notify_answers)
{
	struct seccomp_notif n;

	start(0, three_answers);
	n = receive();
	CHECK_EQ(n.pid, it.child);
	CHECK_EQ(n.flags, 0);
	CHECK_EQ(n.data.nr, SYS_getppid);
	CHECK_EQ(n.data.arch, AUDIT_ARCH_X86_64);
	for (unsigned i = 0; i < 6; i++)
		CHECK_EQ(n.data.args[i], i + 1);
	CHECK(n.data.instruction_pointer != 0);
	CHECK_EQ(events(), POLLOUT);
	CHECK_OK(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id));
	CHECK_OK(ioctl(it.listener, _IOR('!', 2, uint64_t), &n.id)); /* as it was first defined */
	CHECK_ERR(answer(n.id + 1, 0, 0, 0), ENOENT);
	CHECK_ERR(answer(n.id, 0, 0, 2), EINVAL);
	CHECK_ERR(answer(n.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	CHECK_OK(answer(n.id, 4711, 0, 0));
	CHECK_ERR(answer(n.id - 1, 4711, 0, 0), ENOENT);
	n = receive();
	CHECK_OK(answer(n.id, 0, -61, 0));
	n = receive();
	CHECK_OK(answer(n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	CHECK_EQ(finish(), 0);
	CHECK_EQ(events(), POLLHUP);
	CHECK_ERR(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), ENOENT);
}

static int one_call(void)
{
	return syscall(SYS_getppid) == 7 ? 0 : errno;
}

TEST(notify_wrong_uses)
{
	struct seccomp_notif n;
	char link[64], name[64];
	ssize_t len;

	start(0, one_call);
	memset(&n, 1, sizeof(n));
	CHECK_ERR(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_RECV, &n), EINVAL);
	CHECK_ERR(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_RECV, NULL), EFAULT);
	CHECK_ERR(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_SEND, NULL), EFAULT);
	CHECK_ERR(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, NULL), EFAULT);
	CHECK_ERR(ioctl(it.listener, 0x5401, &n), EINVAL);
	CHECK_ERR(read(it.listener, &n, sizeof(n)), EINVAL);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", it.listener);
	CHECK_OK(len = readlink(link, name, sizeof(name) - 1));
	name[len] = '\0';
	CHECK_EQ(strcmp(name, "anon_inode:seccomp notify"), 0);
	n = receive();
	CHECK_OK(answer(n.id, 7, 0, 0));
	CHECK_EQ(finish(), 0);
}

TEST(notify_poll_before_and_after)
{
	struct pollfd p;
	struct seccomp_notif n;

	start(0, one_call);
	p = (struct pollfd){ .fd = it.listener, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 10000), 1);
	CHECK_EQ(p.revents, POLLIN);
	n = receive();
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_OK(answer(n.id, 7, 0, 0));
	CHECK_EQ(finish(), 0);
	CHECK_EQ(poll(&p, 1, 10000), 1);
	CHECK_EQ(p.revents, POLLHUP);
}

TEST(notify_without_a_listener_is_enosys)
{
	start(0, one_call);
	receive();
	close(it.listener);
	CHECK_EQ(finish(), ENOSYS << 8);
	start(0, one_call);
	close(it.listener);
	CHECK_EQ(finish(), ENOSYS << 8);
}

static int second_listener(void)
{
	if (filter_call(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_getuid, SECCOMP_RET_USER_NOTIF) != -1)
		return 1;
	return errno == EBUSY ? 0 : 2;
}

TEST(notify_one_listener_in_a_chain)
{
	start(0, second_listener);
	CHECK_EQ(finish(), 0);
}

/* --- signals --- */

static volatile int handled;

static void on_usr1(int sig)
{
	(void)sig;
	handled++;
}

static int interrupted_call(void)
{
	struct sigaction sa = { .sa_handler = on_usr1 };

	sigaction(SIGUSR1, &sa, NULL);
	return syscall(SYS_getppid) == -1 ? errno : 0;
}

static int restarted_call(void)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &sa, NULL);
	return syscall(SYS_getppid) == 7 ? handled : 100;
}

TEST(notify_is_interrupted)
{
	struct seccomp_notif n;

	start(0, interrupted_call);
	n = receive();
	CHECK_OK(kill(it.child, SIGUSR1));
	CHECK_EQ(finish(), EINTR << 8);
	CHECK_ERR(answer(n.id, 0, 0, 0), ENOENT);
}

TEST(notify_of_an_interrupted_call_is_not_there)
{
	struct pollfd p;
	struct seccomp_notif n;

	start(0, interrupted_call);
	p = (struct pollfd){ .fd = it.listener, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 10000), 1);
	CHECK_OK(kill(it.child, SIGUSR1));
	CHECK_EQ(finish(), EINTR << 8);
	memset(&n, 0, sizeof(n));
	CHECK_ERR(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_RECV, &n), ENOENT);
}

TEST(notify_restarts)
{
	struct seccomp_notif n, again;

	start(0, restarted_call);
	n = receive();
	CHECK_OK(kill(it.child, SIGUSR1));
	again = receive();
	CHECK(again.id != n.id);
	CHECK_OK(answer(again.id, 7, 0, 0));
	CHECK_EQ(finish(), 1 << 8);
}

TEST(notify_wait_killable_ignores_signals_once_read)
{
	struct seccomp_notif n;

	start(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, restarted_call);
	n = receive();
	CHECK_OK(kill(it.child, SIGUSR1));
	usleep(50000);
	CHECK_OK(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id));
	CHECK_OK(answer(n.id, 7, 0, 0));
	CHECK_EQ(finish(), 1 << 8);
	start(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, restarted_call);
	n = receive();
	CHECK_OK(kill(it.child, SIGKILL));
	CHECK_EQ(finish(), SIGKILL);
	CHECK_ERR(answer(n.id, 7, 0, 0), ENOENT);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static int sleeps(void)
{
	sleep(10);
	return 0;
}

TEST(notify_a_reader_is_interrupted)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval t = { .it_value = { 0, 50000 }, .it_interval = { 0, 50000 } };
	struct seccomp_notif n;

	start(0, sleeps);
	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &t, NULL));
	memset(&n, 0, sizeof(n));
	CHECK_ERR(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_RECV, &n), EINTR);
	kill(it.child, SIGKILL);
}

/* --- descriptors --- */

static int reads_added(void)
{
	char c = 0;
	long fd = syscall(SYS_getppid);

	if (fd < 0 || fd > 100 || read((int)fd, &c, 1) != 1)
		return 100;
	return c == 'x' ? (int)fd : 101;
}

static int pipe_with_x(void)
{
	int p[2];

	CHECK_OK(pipe(p));
	CHECK_EQ(write(p[1], "x", 1), 1);
	close(p[1]);
	return p[0];
}

static int add_fd(uint64_t id, unsigned flags, int src, int fd, unsigned fd_flags)
{
	struct seccomp_notif_addfd a = {
		.id = id, .flags = flags, .srcfd = (unsigned)src, .newfd = (unsigned)fd, .newfd_flags = fd_flags
	};

	return ioctl(it.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
}

TEST(notify_adds_descriptors)
{
	struct seccomp_notif n;
	int src = pipe_with_x(), fd;

	start(0, reads_added);
	n = receive();
	CHECK_ERR(add_fd(n.id, 4, src, 0, 0), EINVAL);
	CHECK_ERR(add_fd(n.id, 0, src, 20, 0), EINVAL);
	CHECK_ERR(add_fd(n.id, 0, src, 0, O_NONBLOCK), EINVAL);
	CHECK_ERR(add_fd(n.id, 0, 999, 0, 0), EBADF);
	CHECK_ERR(add_fd(n.id + 1, 0, src, 0, 0), ENOENT);
	CHECK_ERR(add_fd(n.id, SECCOMP_ADDFD_FLAG_SETFD, src, 1 << 30, 0), EBADF);
	CHECK((fd = add_fd(n.id, 0, src, 0, O_CLOEXEC)) >= 0);
	CHECK_EQ(add_fd(n.id, SECCOMP_ADDFD_FLAG_SETFD, src, 42, 0), 42);
	CHECK_EQ(add_fd(n.id, SECCOMP_ADDFD_FLAG_SETFD, src, 42, 0), 42);
	CHECK(fd != 42);
	CHECK_OK(answer(n.id, 42, 0, 0));
	CHECK_EQ(finish(), 42 << 8);
}

TEST(notify_adds_and_answers_at_once)
{
	struct seccomp_notif n;
	int src = pipe_with_x(), fd;

	start(0, reads_added);
	n = receive();
	CHECK_ERR(add_fd(n.id, SECCOMP_ADDFD_FLAG_SEND | SECCOMP_ADDFD_FLAG_SETFD, src, 1 << 30, 0), EBADF);
	CHECK_OK(ioctl(it.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id));
	CHECK((fd = add_fd(n.id, SECCOMP_ADDFD_FLAG_SEND, src, 0, 0)) >= 0);
	CHECK_ERR(answer(n.id, 0, 0, 0), ENOENT);
	CHECK_EQ(finish(), fd << 8);
}

TEST(notify_addfd_takes_any_size)
{
	struct {
		struct seccomp_notif_addfd a;
		uint64_t more;
	} big = { .a = { .srcfd = (unsigned)pipe_with_x(), .newfd = 30, .flags = SECCOMP_ADDFD_FLAG_SETFD } };
	struct seccomp_notif n;

	start(0, reads_added);
	n = receive();
	big.a.id = n.id;
	CHECK_EQ(ioctl(it.listener, _IOC(_IOC_WRITE, '!', 3, sizeof(big)), &big), 30);
	big.more = 1;
	CHECK_ERR(ioctl(it.listener, _IOC(_IOC_WRITE, '!', 3, sizeof(big)), &big), E2BIG);
	CHECK_ERR(ioctl(it.listener, _IOC(_IOC_WRITE, '!', 3, 16), &big), EINVAL);
	CHECK_OK(answer(n.id, 30, 0, 0));
	CHECK_EQ(finish(), 30 << 8);
}

/* --- many at once --- */

static void *asks(void *arg)
{
	for (int i = 0; i < 50; i++)
		if (syscall(SYS_getppid, arg, i) != i)
			return (void *)1;
	return NULL;
}

static int asks_in_threads(void)
{
	pthread_t t[4];
	void *res;

	for (long i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, asks, (void *)i))
			return 1;
	for (int i = 0; i < 4; i++)
		if (pthread_join(t[i], &res) || res != NULL)
			return 2;
	return 0;
}

TEST(notify_threads_get_their_own_answers)
{
	struct seccomp_notif n;

	start(0, asks_in_threads);
	for (int i = 0; i < 200; i++) {
		n = receive();
		CHECK_OK(answer(n.id, (long long)n.data.args[1], 0, 0));
	}
	CHECK_EQ(finish(), 0);
}
