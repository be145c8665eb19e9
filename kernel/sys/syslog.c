#include "sys/syscalls.h"

/*
 * syslog(2): the kernel log as text, "<level>[seconds.micros] message". SYSLOG_ACTION_READ
 * consumes: one position for the whole system; SYSLOG_ACTION_CLEAR moves where READ_ALL begins. A
 * record that does not fit in what is left of the buffer stays for the next read.
 *
 * Source: syslog(2), proc(5) /proc/kmsg.
 */

#include "core/log.h"

#include "abi/errno.h"
#include "abi/syslog.h"
#include "dev/mem.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "sched/mutex.h"
#include "sched/wait.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"

enum { LINE_MAX = LOG_TEXT_MAX + 48, RING_BYTES = 1 << 17 };

static struct mutex syslog_lock = MUTEX(syslog_lock, PIPE);
static uint64_t read_seq;  /* syslog_lock */
static uint64_t clear_seq; /* syslog_lock */

struct line {
	uint64_t next; /* the record after it */
	size_t len;
	char text[LINE_MAX];
	char body[LOG_TEXT_MAX];
};

/* The record at or after seq as a line of text. False: there is none. */
static bool make_line(struct line *l, uint64_t seq)
{
	struct log_entry e;
	ssize64_t n;

	l->next = seq;
	n = log_read(&l->next, &e, l->body, sizeof(l->body));
	if (n < 0 || l->next == seq)
		return false;
	l->len = fmt(l->text, sizeof(l->text), "<%d>[%5lld.%06lld] %.*s\n", (int)e.level,
		     e.time / NSEC_PER_SEC, e.time % NSEC_PER_SEC / NSEC_PER_USEC, (int)n, l->body);
	l->len = MIN(l->len, sizeof(l->text) - 1);
	return true;
}

/* Copies whole lines from *seq on. Bytes; -EFAULT. */
static int64_t copy_lines(struct line *l, uint64_t *seq, uaddr_t buf, size_t size)
{
	size_t done = 0;

	while (make_line(l, *seq) && l->len <= size - done) {
		if (copy_to_user(uaddr_add(buf, done), l->text, l->len))
			return -EFAULT;
		done += l->len;
		*seq = l->next;
	}
	return (int64_t)done;
}

/* Until there is a record after `seen`. 0; -ERESTARTSYS. */
static int wait_for_record(struct waiter *w, uint64_t seen)
{
	int err = 0;

	waiter_init(w);
	while (err == 0) {
		wait_prepare(&kmsg_wait, w, THREAD_SLEEP_INTR);
		if (log_next_seq() > seen)
			break;
		err = wait_sleep(NSEC_MAX);
	}
	wait_finish(&kmsg_wait, w);
	return err;
}

/* READ: waits for something, then takes as much as fits. */
static int64_t read_new(struct line *l, uaddr_t buf, size_t size)
{
	struct waiter w;
	uint64_t seen;
	int64_t n;
	int err;

	for (;;) {
		mutex_lock(&syslog_lock);
		n = copy_lines(l, &read_seq, buf, size);
		seen = read_seq;
		mutex_unlock(&syslog_lock);
		if (n != 0)
			return n;
		if (log_next_seq() > seen)
			return 0; /* a line longer than the buffer */
		if ((err = wait_for_record(&w, seen)))
			return err;
	}
}

/* READ_ALL: the last lines that fit. */
static int64_t read_all(struct line *l, uaddr_t buf, size_t size, bool clear)
{
	uint64_t seq, end = log_next_seq();
	size_t total = 0;
	int64_t n;

	mutex_lock(&syslog_lock);
	for (seq = clear_seq; seq < end && make_line(l, seq); seq = l->next)
		total += l->len;
	for (seq = clear_seq; total > size && make_line(l, seq); seq = l->next)
		total -= l->len;
	n = copy_lines(l, &seq, buf, size);
	if (clear)
		clear_seq = end;
	mutex_unlock(&syslog_lock);
	return n;
}

static int64_t unread_bytes(struct line *l)
{
	int64_t total = 0;

	mutex_lock(&syslog_lock);
	for (uint64_t seq = read_seq; make_line(l, seq); seq = l->next)
		total += (int64_t)l->len;
	mutex_unlock(&syslog_lock);
	return total;
}

static int64_t with_line(int type, uaddr_t buf, size_t size)
{
	struct line *l = kmalloc(sizeof(*l));
	int64_t n;

	if (l == NULL)
		return -ENOMEM;
	if (type == SYSLOG_ACTION_READ)
		n = read_new(l, buf, size);
	else if (type == SYSLOG_ACTION_SIZE_UNREAD)
		n = unread_bytes(l);
	else
		n = read_all(l, buf, size, type == SYSLOG_ACTION_READ_CLEAR);
	kfree(l);
	return n;
}

static int saved_level = -1; /* syslog_lock; before CONSOLE_OFF */

static int64_t set_console(int type, int level)
{
	if (type == SYSLOG_ACTION_CONSOLE_LEVEL && (level < 1 || level > 8))
		return -EINVAL;
	mutex_lock(&syslog_lock);
	if (type == SYSLOG_ACTION_CONSOLE_OFF) {
		if (saved_level < 0)
			saved_level = log_console_level();
		log_set_console_level(1);
	} else if (type == SYSLOG_ACTION_CONSOLE_ON) {
		if (saved_level >= 0)
			log_set_console_level(saved_level);
		saved_level = -1;
	} else {
		saved_level = -1;
		log_set_console_level(level);
	}
	mutex_unlock(&syslog_lock);
	return 0;
}

static int64_t clear_log(void)
{
	mutex_lock(&syslog_lock);
	clear_seq = log_next_seq();
	mutex_unlock(&syslog_lock);
	return 0;
}

int64_t sys_syslog(int32_t type, uaddr_t buf, int32_t len)
{
	bool open = !syslog_restrict &&
		    (type == SYSLOG_ACTION_READ_ALL || type == SYSLOG_ACTION_SIZE_BUFFER);

	if (!open && !capable(CAP_SYSLOG) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (type) {
	case SYSLOG_ACTION_CLOSE:
	case SYSLOG_ACTION_OPEN:
		return 0;
	case SYSLOG_ACTION_READ:
	case SYSLOG_ACTION_READ_ALL:
	case SYSLOG_ACTION_READ_CLEAR:
		if (len < 0 || uaddr_is_null(buf))
			return -EINVAL;
		return len == 0 ? 0 : with_line(type, buf, (size_t)len);
	case SYSLOG_ACTION_SIZE_UNREAD:
		return with_line(type, buf, 0);
	case SYSLOG_ACTION_CLEAR:
		return clear_log();
	case SYSLOG_ACTION_CONSOLE_OFF:
	case SYSLOG_ACTION_CONSOLE_ON:
	case SYSLOG_ACTION_CONSOLE_LEVEL:
		return set_console(type, len);
	case SYSLOG_ACTION_SIZE_BUFFER:
		return RING_BYTES;
	default:
		return -EINVAL;
	}
}
