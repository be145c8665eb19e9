/* System V message queues: msgget(2), msgop(2), msgctl(2). */

#include "test.h"

#include <grp.h>
#include <pthread.h>
#include <sys/msg.h>

enum { NOBODY = 65534, TEXT = 16000 };

struct message {
	long type;
	char text[TEXT];
};
static struct message m;

static int queue(void)
{
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

	CHECK_OK(id);
	return id;
}

static int put(int id, long type, const char *text, int flags)
{
	struct message *out = malloc(sizeof(*out));
	int res, err;

	out->type = type;
	strcpy(out->text, text);
	res = msgsnd(id, out, strlen(text) + 1, flags);
	err = errno;
	free(out);
	errno = err;
	return res;
}

static const char *get(int id, long type, int flags)
{
	memset(&m, 0, 64);
	return msgrcv(id, &m, sizeof(m.text), type, flags | IPC_NOWAIT) < 0 ? strerrorname_np(errno) : m.text;
}

static struct msqid_ds stat_of(int id)
{
	struct msqid_ds d;

	CHECK_OK(msgctl(id, IPC_STAT, &d));
	return d;
}

static void removed(int id)
{
	struct msqid_ds d;

	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_ERR(msgctl(id, IPC_STAT, &d), EINVAL);
}

TEST(get_by_key)
{
	key_t key = 0x5e1f2001;
	int id = msgget(key, IPC_CREAT | IPC_EXCL | 0600);

	CHECK_OK(id);
	CHECK_EQ(msgget(key, 0), id);
	CHECK_EQ(msgget(key, IPC_CREAT), id);
	CHECK_ERR(msgget(key, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_ERR(msgget(key + 1, 0), ENOENT);
	removed(id);
	CHECK_ERR(msgget(key, 0), ENOENT);
}

TEST(by_age_and_by_type)
{
	int id = queue();

	put(id, 5, "five", 0);
	put(id, 3, "three", 0);
	put(id, 7, "seven", 0);
	put(id, 3, "third", 0);
	CHECK_STR(get(id, 4, 0), "ENOMSG");
	CHECK_STR(get(id, -2, 0), "ENOMSG");
	CHECK_STR(get(id, 7, 0), "seven");
	CHECK_STR(get(id, -6, 0), "three");
	CHECK_EQ(m.type, 3);
	CHECK_STR(get(id, 5, MSG_EXCEPT), "third");
	put(id, 2, "two", 0);
	CHECK_STR(get(id, 0, 0), "five");
	CHECK_STR(get(id, LONG_MIN, 0), "two");
	CHECK_STR(get(id, 0, 0), "ENOMSG");
	put(id, LONG_MAX, "last", 0);
	put(id, 1, "first", 0);
	CHECK_STR(get(id, LONG_MIN, 0), "first");
	CHECK_STR(get(id, -LONG_MAX, 0), "last");
	removed(id);
}

TEST(one_type_keeps_its_order)
{
	int id = queue();
	char text[8];

	for (int i = 0; i < 300; i++) {
		sprintf(text, "%d", i);
		CHECK_OK(put(id, 1 + i % 7, text, 0));
	}
	for (int t = 7; t >= 1; t--)
		for (int i = t - 1; i < 300; i += 7)
			CHECK_EQ(atoi(get(id, t, 0)), i);
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	CHECK_EQ(stat_of(id).__msg_cbytes, 0);
	removed(id);
}

TEST(sizes)
{
	int id = queue();

	m.type = 1;
	CHECK_OK(msgsnd(id, &m, 0, 0));
	CHECK_EQ(msgrcv(id, &m, 0, 0, 0), 0);
	CHECK_ERR(msgsnd(id, &m, 8193, 0), EINVAL);
	CHECK_ERR(msgsnd(id, &m, (size_t)-1, 0), EINVAL);
	CHECK_OK(msgsnd(id, &m, 8192, 0));
	CHECK_ERR(msgrcv(id, &m, 8191, 0, 0), E2BIG);
	CHECK_EQ(stat_of(id).msg_qnum, 1);
	CHECK_EQ(msgrcv(id, &m, 100, 0, MSG_NOERROR), 100);
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	CHECK_ERR(msgrcv(id, &m, (size_t)-1, 0, 0), EINVAL);
	m.type = 0;
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
	m.type = -1;
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, NULL, 1, 0), EFAULT);
	CHECK_ERR(msgsnd(id + 1000, NULL, 9000, 0), EFAULT);
	m.type = 1;
	CHECK_ERR(msgsnd(-1, &m, 1, 0), EINVAL);
	CHECK_ERR(msgsnd(id + 1000, &m, 1, 0), EINVAL);
	CHECK_ERR(msgrcv(id + 1000, &m, 1, 0, 0), EINVAL);
	CHECK_OK(msgsnd(id, &m, 1, 0));
	CHECK_ERR(msgrcv(id, NULL, 1, 0, 0), EFAULT); /* and is lost */
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	removed(id);
}

TEST(copies)
{
	int id = queue();

	put(id, 4, "one", 0);
	put(id, 2, "two", 0);
	CHECK_STR(get(id, 0, MSG_COPY), "one");
	CHECK_STR(get(id, 1, MSG_COPY), "two");
	CHECK_EQ(m.type, 2);
	CHECK_STR(get(id, 2, MSG_COPY), "ENOMSG");
	CHECK_STR(get(id, -1, MSG_COPY), "ENOMSG");
	CHECK_ERR(msgrcv(id, &m, 10, 0, MSG_COPY), EINVAL);
	CHECK_STR(get(id, 0, MSG_COPY | MSG_EXCEPT), "EINVAL");
	CHECK_ERR(msgrcv(id, &m, 3, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
	CHECK_ERR(msgrcv(id, &m, 3, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR), EINVAL);
	CHECK_EQ(stat_of(id).msg_qnum, 2);
	CHECK_EQ(stat_of(id).msg_lrpid, 0);
	removed(id);
}

TEST(stat_and_limits)
{
	int id = msgget(IPC_PRIVATE, 0640);
	struct msqid_ds d = stat_of(id);
	time_t now = time(NULL);

	CHECK_EQ(d.msg_qbytes, 16384);
	CHECK_EQ(d.msg_perm.mode, 0640);
	CHECK(d.msg_stime == 0 && d.msg_rtime == 0 && d.msg_ctime >= now - 1);
	CHECK(d.msg_lspid == 0 && d.msg_lrpid == 0);
	put(id, 1, "hello", 0);
	d = stat_of(id);
	CHECK(d.msg_qnum == 1 && d.__msg_cbytes == 6 && d.msg_lspid == getpid() && d.msg_stime >= now);
	get(id, 0, 0);
	d = stat_of(id);
	CHECK(d.msg_qnum == 0 && d.__msg_cbytes == 0 && d.msg_lrpid == getpid() && d.msg_rtime >= now);
	d.msg_qbytes = 3;
	d.msg_perm.mode = 0600;
	CHECK_OK(msgctl(id, IPC_SET, &d));
	CHECK_ERR(put(id, 1, "four", IPC_NOWAIT), EAGAIN);
	CHECK_OK(put(id, 1, "2", IPC_NOWAIT));
	CHECK_ERR(put(id, 1, "2", IPC_NOWAIT), EAGAIN);
	CHECK_OK(put(id, 1, "", IPC_NOWAIT));
	CHECK_ERR(put(id, 1, "", IPC_NOWAIT), EAGAIN);
	m.type = 1;
	d = stat_of(id);
	d.msg_qbytes = 2; /* as many messages, too, as bytes */
	CHECK_OK(msgctl(id, IPC_SET, &d));
	CHECK_ERR(msgsnd(id, &m, 0, IPC_NOWAIT), EAGAIN);
	CHECK_ERR(msgctl(id, IPC_SET, NULL), EFAULT);
	CHECK_ERR(msgctl(id, IPC_STAT, NULL), EFAULT);
	CHECK_ERR(msgctl(id, 99, &d), EINVAL);
	CHECK_ERR(msgctl(id, IPC_STAT | 0x100, &d), EINVAL);
	removed(id);
}

TEST(info)
{
	struct msginfo before, after;
	struct msqid_ds d;
	int id;

	CHECK_OK(msgctl(0, MSG_INFO, (void *)&before));
	id = queue();
	put(id, 1, "12345", 0);
	put(id, 1, "1", 0);
	CHECK(msgctl(0, MSG_INFO, (void *)&after) >= (id & 0x7fff));
	CHECK_EQ(after.msgpool, before.msgpool + 1);
	CHECK_EQ(after.msgmap, before.msgmap + 2);
	CHECK_EQ(after.msgtql, before.msgtql + 8);
	CHECK_OK(msgctl(0, IPC_INFO, (void *)&after));
	CHECK(after.msgmni == 32000 && after.msgmax == 8192 && after.msgmnb == 16384 && after.msgpool == 512000);
	CHECK_EQ(msgctl(id & 0x7fff, MSG_STAT, &d), id);
	CHECK_EQ(d.msg_qnum, 2);
	CHECK_EQ(msgctl(id & 0x7fff, MSG_STAT_ANY, &d), id);
	removed(id);
}

/* --- waiting --- */

struct receiver {
	pthread_t thread;
	int id, flags;
	size_t size;
	long type, result;
	struct message m;
};

static void *receives(void *arg)
{
	struct receiver *r = arg;

	r->result = msgrcv(r->id, &r->m, r->size, r->type, r->flags);
	if (r->result == -1)
		r->result = -errno;
	return NULL;
}

static struct receiver *receiver(int id, long type, size_t size, int flags)
{
	struct receiver *r = calloc(1, sizeof(*r));

	r->id = id;
	r->type = type;
	r->size = size;
	r->flags = flags;
	CHECK_EQ(pthread_create(&r->thread, NULL, receives, r), 0);
	usleep(50000); /* it waits by then, or the order of things is another valid one */
	return r;
}

static long result_of(struct receiver *r)
{
	pthread_join(r->thread, NULL);
	return r->result;
}

TEST(a_message_goes_to_who_waits_for_it)
{
	int id = queue();
	struct receiver *two = receiver(id, 2, 100, 0), *three = receiver(id, 3, 100, 0), *low = receiver(id, -1, 100, 0);

	put(id, 3, "3", 0);
	CHECK_EQ(result_of(three), 2);
	CHECK_EQ(three->m.type, 3);
	put(id, 1, "1", 0);
	CHECK_EQ(result_of(low), 2);
	put(id, 9, "9", 0);
	put(id, 2, "2", 0);
	CHECK_EQ(result_of(two), 2);
	CHECK_STR(two->m.text, "2");
	CHECK_EQ(stat_of(id).msg_qnum, 1);
	removed(id);
}

TEST(a_receiver_without_room_hears_so)
{
	int id = queue();
	struct receiver *small = receiver(id, 0, 3, 0), *cut = receiver(id, 0, 3, MSG_NOERROR);

	put(id, 1, "12345", 0);
	CHECK_EQ(result_of(small), -E2BIG);
	CHECK_EQ(result_of(cut), 3);
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	removed(id);
}

static void *sends(void *arg)
{
	struct receiver *r = arg;

	r->m.type = 1;
	r->result = msgsnd(r->id, &r->m, r->size, r->flags) ? -errno : 0;
	return NULL;
}

static struct receiver *sender(int id, size_t size)
{
	struct receiver *r = calloc(1, sizeof(*r));

	r->id = id;
	r->size = size;
	CHECK_EQ(pthread_create(&r->thread, NULL, sends, r), 0);
	usleep(50000);
	return r;
}

TEST(a_sender_waits_for_room)
{
	int id = queue();
	struct receiver *s;

	m.type = 1;
	CHECK_OK(msgsnd(id, &m, 8192, 0));
	CHECK_OK(msgsnd(id, &m, 8192, 0));
	CHECK_ERR(msgsnd(id, &m, 1, IPC_NOWAIT), EAGAIN);
	s = sender(id, 5000);
	CHECK_EQ(stat_of(id).msg_qnum, 2);
	CHECK_EQ(msgrcv(id, &m, TEXT, 0, 0), 8192);
	CHECK_EQ(result_of(s), 0);
	CHECK_EQ(stat_of(id).__msg_cbytes, 8192 + 5000);
	s = sender(id, 8000);
	struct msqid_ds d = stat_of(id);
	d.msg_qbytes = 16384 * 2;
	CHECK_OK(msgctl(id, IPC_SET, &d)); /* room in another way */
	CHECK_EQ(result_of(s), 0);
	removed(id);
}

TEST(removal_wakes_all)
{
	int id = queue(), full = queue();
	struct receiver *r = receiver(id, 0, 10, 0), *s;

	m.type = 1;
	CHECK_OK(msgsnd(full, &m, 8192, 0));
	CHECK_OK(msgsnd(full, &m, 8192, 0));
	s = sender(full, 1);
	removed(id);
	removed(full);
	CHECK_EQ(result_of(r), -EIDRM);
	CHECK_EQ(result_of(s), -EIDRM);
}

static void on_signal(int sig)
{
	(void)sig;
}

static int waits_in_process(void *arg)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &sa, NULL);
	return msgrcv(*(int *)arg, &m, 10, 0, 0) == -1 ? errno : 0;
}

TEST(a_handler_ends_the_wait_and_a_stop_does_not)
{
	int id = queue();
	pid_t p = test_fork(waits_in_process, &id);

	usleep(100000);
	kill(p, SIGUSR1); /* SA_RESTART or not */
	test_wait_exit(p, EINTR);
	p = test_fork(waits_in_process, &id);
	usleep(100000);
	kill(p, SIGSTOP);
	waitpid(p, NULL, WUNTRACED);
	kill(p, SIGCONT);
	usleep(100000);
	put(id, 1, "x", 0);
	test_wait_exit(p, 0);
	removed(id);
}

/* --- owners --- */

static int others(void *arg)
{
	int *id = arg, own; /* 0644, 0222 */
	struct msqid_ds d;

	m.type = 1;
	if (msgsnd(id[0], &m, 1, 0) != -1 || errno != EACCES || msgrcv(id[0], &m, 1, 0, IPC_NOWAIT) != -1 || errno != ENOMSG)
		return 1;
	if (msgsnd(id[1], &m, 1, 0) || msgrcv(id[1], &m, 1, 0, IPC_NOWAIT) != -1 || errno != EACCES)
		return 2;
	if (msgctl(id[0], IPC_STAT, &d) || msgctl(id[1], IPC_STAT, &d) != -1 || errno != EACCES)
		return 3;
	if (msgctl(id[0], IPC_RMID, NULL) != -1 || errno != EPERM || msgctl(id[0], IPC_SET, &d) != -1 || errno != EPERM)
		return 4;
	own = msgget(IPC_PRIVATE, 0600);
	msgctl(own, IPC_STAT, &d);
	d.msg_qbytes = 16385; /* only with CAP_SYS_RESOURCE */
	if (msgctl(own, IPC_SET, &d) != -1 || errno != EPERM)
		return 5;
	d.msg_qbytes = 100;
	d.msg_perm.uid = 12345; /* still its creator's */
	if (msgctl(own, IPC_SET, &d) || msgctl(own, IPC_STAT, &d) || d.msg_perm.uid != 12345 || d.msg_qbytes != 100)
		return 6;
	return msgctl(own, IPC_RMID, NULL) ? 7 : 0;
}

TEST(permissions)
{
	int id[2] = { msgget(IPC_PRIVATE, 0644), msgget(IPC_PRIVATE, 0222) };
	pid_t p;

	if (!test_is_root())
		test_skip("needs root");
	if ((p = fork()) == 0) {
		if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
			_exit(99);
		_exit(others(id));
	}
	test_wait_exit(p, 0);
	removed(id[0]);
	removed(id[1]);
}

TEST(proc_sysvipc_msg)
{
	int id = msgget(0x5e1f2002, IPC_CREAT | 0640);
	char want[200];

	put(id, 1, "hello", 0);
	snprintf(want, sizeof(want), "\n%10d %10d   640  %10d %10d %5d %5d %5d %5d %5d %5d ", 0x5e1f2002, id, 6, 1, getpid(), 0, geteuid(),
		 getegid(), geteuid(), getegid());
	CHECK(strstr(test_slurp("/proc/sysvipc/msg"), want));
	removed(id);
	CHECK(!strstr(test_slurp("/proc/sysvipc/msg"), want));
}

/* --- storms --- */

enum { MESSAGES = 1500, PAIRS = 3 };

static void *pours(void *arg)
{
	int id = *(int *)arg;
	struct message *out = calloc(1, sizeof(*out));

	for (int i = 0; i < MESSAGES; i++) {
		size_t size = (size_t)(i * 37 % 900) + sizeof(int);

		out->type = 1 + i % 5;
		memcpy(out->text, &i, sizeof(i));
		if (msgsnd(id, out, size, 0))
			return (void *)1;
	}
	free(out);
	return NULL;
}

static void *drains(void *arg)
{
	int id = *(int *)arg;
	struct message *in = calloc(1, sizeof(*in));
	long sum = 0;

	for (int i = 0; i < MESSAGES; i++) {
		int n;

		if (msgrcv(id, in, TEXT, i % 3 ? 0 : -5, 0) < (ssize_t)sizeof(int))
			return (void *)-1;
		memcpy(&n, in->text, sizeof(n));
		if (in->type != 1 + n % 5)
			return (void *)-1;
		sum += n;
	}
	free(in);
	return (void *)sum;
}

TEST_TIMED(storm, 60)
{
	int id = queue();
	pthread_t in[PAIRS], out[PAIRS];
	long sum = 0;
	void *res;

	for (int i = 0; i < PAIRS; i++) {
		CHECK_EQ(pthread_create(&in[i], NULL, pours, &id), 0);
		CHECK_EQ(pthread_create(&out[i], NULL, drains, &id), 0);
	}
	for (int i = 0; i < PAIRS; i++) {
		pthread_join(in[i], &res);
		CHECK_EQ((long)res, 0);
		pthread_join(out[i], &res);
		sum += (long)res;
	}
	CHECK_EQ(sum, (long)PAIRS * MESSAGES * (MESSAGES - 1) / 2);
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	CHECK_EQ(stat_of(id).__msg_cbytes, 0);
	removed(id);
}

static void *uses_doomed(void *arg)
{
	_Atomic int *id = arg;
	struct message *b = calloc(1, sizeof(*b));
	int now;

	for (int i = 0; (now = *id) != -1; i++) {
		b->type = 1;
		if (i & 1)
			msgsnd(now, b, 5000, 0);
		else
			msgrcv(now, b, TEXT, 2, 0); /* nobody sends these */
	}
	free(b);
	return NULL;
}

TEST_TIMED(removal_storm, 60)
{
	_Atomic int id = queue();
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, uses_doomed, (void *)&id), 0);
	for (int i = 0; i < 200; i++) {
		int old = id;

		id = queue();
		usleep(500);
		CHECK_OK(msgctl(old, IPC_RMID, NULL));
	}
	int last = id;
	id = -1;
	CHECK_OK(msgctl(last, IPC_RMID, NULL));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}
