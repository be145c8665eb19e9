/*
 * NETLINK_CONNECTOR with the process event connector: forks, programs, ids, sessions, names, core
 * dumps and ends of all tasks, reported to a multicast group. Reports are made while more have
 * asked for them (LISTEN) than have asked not to (IGNORE), as on Linux: a listener that ends
 * without saying so leaves them being made, for nobody.
 *
 * Every message has a number, by CPU. Answers to requests go to the group as well, numbered by the
 * asker's `ack` and one.
 *
 * Source: linux/connector.h, linux/cn_proc.h, Linux's behaviour.
 */

#include "abi/connector.h"
#include "abi/errno.h"
#include "core/clock.h"
#include "core/percpu.h"
#include "lib/string.h"
#include "net/netlink/netlink.h"
#include "proc/report.h"
#include "vfs/cred.h"

_Atomic uint32_t process_watch;

static _Atomic uint32_t nlisteners;
static PERCPU(uint32_t, numbers);

static void send_event(struct abi_proc_event *e, uint32_t ack)
{
	uint32_t size = sizeof(struct abi_cn_msg) + sizeof(*e);
	struct abi_cn_msg c = {
		.id = { CN_IDX_PROC, CN_VAL_PROC },
		.seq = this_cpu(numbers)++,
		.ack = ack,
		.len = sizeof(*e),
	};
	struct nlmsgs *m;
	uint8_t *at;

	e->cpu = cpu_id();
	e->timestamp_ns = (uint64_t)clock_mono();
	if (!netlink_has_listeners(NETLINK_CONNECTOR, CN_IDX_PROC) ||
	    (m = nlmsgs_alloc(sizeof(struct abi_nlmsghdr) + size)) == NULL)
		return;
	at = nlmsg_begin(m, NLMSG_DONE, 0, c.seq, 0, size);
	memcpy(at, &c, sizeof(c));
	memcpy(at + sizeof(c), e, sizeof(*e));
	(void)!nlmsg_end(m); /* it was made to measure */
	netlink_report(NETLINK_CONNECTOR, CN_IDX_PROC, m);
}

/* What begins with t's numbers. */
static struct abi_proc_event event_of(uint32_t what, const struct task *t)
{
	return (struct abi_proc_event){
		.what = what,
		.data = { t->pid->nr, t->process->pid->nr },
	};
}

struct task_parent report_parent(struct task *t)
{
	struct task_parent p = { 0, 0 };
	struct process *parent;

	spin_lock(&proctree_lock);
	parent = process_parent(t->process);
	if (parent != NULL)
		p = (struct task_parent){
			.tid = (int32_t)t->process->leader->parent_tid,
			.tgid = (int32_t)parent->pid->nr,
		};
	spin_unlock(&proctree_lock);
	return p;
}

void report_fork(struct task *child)
{
	struct task_parent p;
	struct abi_proc_event e;

	if (!process_is_watched(WATCH_EVENTS))
		return;
	p = report_parent(child);
	e = (struct abi_proc_event){
		.what = PROC_EVENT_FORK,
		.data = { (uint32_t)p.tid, (uint32_t)p.tgid, child->pid->nr,
			  child->process->pid->nr },
	};
	send_event(&e, 0);
}

static void report_simple(uint32_t what)
{
	struct abi_proc_event e;

	if (!process_is_watched(WATCH_EVENTS))
		return;
	e = event_of(what, curtask());
	send_event(&e, 0);
}

void report_exec(void)
{
	report_simple(PROC_EVENT_EXEC);
}

void report_session(void)
{
	report_simple(PROC_EVENT_SID);
}

static void report_id(uint32_t what, uint32_t real, uint32_t effective)
{
	struct abi_proc_event e = event_of(what, curtask());

	e.data[2] = real;
	e.data[3] = effective;
	send_event(&e, 0);
}

static void report_ids(const struct cred *old, const struct cred *c)
{
	if (c->uid != old->uid || c->euid != old->euid || c->suid != old->suid ||
	    c->fsuid != old->fsuid)
		report_id(PROC_EVENT_UID, c->uid, c->euid);
	if (c->gid != old->gid || c->egid != old->egid || c->sgid != old->sgid ||
	    c->fsgid != old->fsgid)
		report_id(PROC_EVENT_GID, c->gid, c->egid);
}

void cred_commit_reporting(struct cred *c)
{
	const struct cred *old = current_cred();

	if (!process_is_watched(WATCH_EVENTS)) {
		cred_commit(c);
		return;
	}
	cred_get(old);
	cred_commit(c);
	report_ids(old, c);
	cred_put(old);
}

void report_name(struct task *t)
{
	struct abi_proc_event e;

	if (!process_is_watched(WATCH_EVENTS))
		return;
	e = event_of(PROC_EVENT_COMM, t);
	(void)!strscpy((char *)&e.data[2], t->thread.name, sizeof(t->thread.name));
	send_event(&e, 0);
}

void report_core_dump(void)
{
	struct task_parent p;
	struct abi_proc_event e;

	if (!process_is_watched(WATCH_EVENTS))
		return;
	p = report_parent(curtask());
	e = event_of(PROC_EVENT_COREDUMP, curtask());
	e.data[2] = (uint32_t)p.tid;
	e.data[3] = (uint32_t)p.tgid;
	send_event(&e, 0);
}

void report_exit(struct task *t, struct task_parent p)
{
	struct abi_proc_event e = event_of(PROC_EVENT_EXIT, t);
	bool leads = t->pid == t->process->pid;

	e.data[2] = (uint32_t)t->exit_code;
	e.data[3] = leads ? (uint32_t)t->process->exit_signal : UINT32_MAX;
	if (leads) { /* the others are gone by now, and have no parent */
		e.data[4] = (uint32_t)p.tid;
		e.data[5] = (uint32_t)p.tgid;
	}
	send_event(&e, 0);
}

/* --- requests --- */

static void listen(void)
{
	atomic_fetch_add(&nlisteners, 1);
	atomic_fetch_or(&process_watch, WATCH_EVENTS);
}

static void ignore(void)
{
	uint32_t n = atomic_load(&nlisteners);

	while (n > 0 && !atomic_compare_exchange_weak(&nlisteners, &n, n - 1))
		;
	if (n != 1)
		return;
	atomic_fetch_and(&process_watch, ~(uint32_t)WATCH_EVENTS);
	if (atomic_load(&nlisteners) > 0) /* one came in between */
		atomic_fetch_or(&process_watch, WATCH_EVENTS);
}

static uint32_t obey(uint32_t op)
{
	if (!capable(CAP_NET_ADMIN))
		return EPERM;
	switch (op) {
	case PROC_CN_MCAST_LISTEN:
		listen();
		return 0;
	case PROC_CN_MCAST_IGNORE:
		ignore();
		return 0;
	default:
		return EINVAL;
	}
}

/* One message, whatever its type; what is cut off or for nobody is passed over. */
static void receive(const void *bytes, uint32_t n)
{
	struct abi_proc_event e = { .what = PROC_EVENT_NONE };
	const uint8_t *p = bytes;
	struct abi_nlmsghdr h;
	struct abi_cn_msg c;
	uint32_t op;

	if (n < sizeof(h) + sizeof(c) + sizeof(op))
		return;
	memcpy(&h, p, sizeof(h));
	memcpy(&c, p + sizeof(h), sizeof(c));
	memcpy(&op, p + sizeof(h) + sizeof(c), sizeof(op));
	if (h.nlmsg_len > n || h.nlmsg_len < sizeof(h) + sizeof(c) + sizeof(op) ||
	    h.nlmsg_len > sizeof(h) + CONNECTOR_MAX_MSG_SIZE)
		return;
	if (c.id.idx != CN_IDX_PROC || c.id.val != CN_VAL_PROC || c.len != sizeof(op))
		return;
	e.data[0] = obey(op);
	if (process_is_watched(WATCH_EVENTS))
		send_event(&e, c.ack + 1);
}

void connector_init(void)
{
	static struct netlink_protocol_ops ops = {
		.protocol = NETLINK_CONNECTOR,
		.ngroups = 32,
		.receive = receive,
	};

	netlink_register(&ops);
}
