/*
 * What SO_TIMESTAMPING and MSG_ZEROCOPY tell of messages that were sent: entries in the queue of
 * errors. A packet that is to be stamped calls back when a device takes it; its sender's memory is
 * counted until the packet goes, as that of any packet under way.
 *
 * Source: "Timestamping" and "MSG_ZEROCOPY" of the kernel's documentation; what Linux tells.
 */

#include "abi/epoll.h"
#include "abi/errno.h"
#include "lib/string.h"
#include "net/inet/dgram.h"
#include "net/inet/inet_priv.h"

static void tell(struct inet_sock *i, const struct pkt *p, uint32_t what, uint32_t key)
{
	bool alone = i->s.ts_flags & SOF_TIMESTAMPING_OPT_TSONLY;
	struct inet_error e = {
		.ee = { .ee_errno = ENOMSG,
			.ee_origin = SO_EE_ORIGIN_TIMESTAMPING,
			.ee_info = what,
			.ee_data = key },
	};

	inet_errq_add(i, &e, alone ? NULL : pkt_clone(p));
	socket_wake_state(&i->s, inet_errq_poll(i));
}

static void stamp(struct pkt *p)
{
	struct dgram_sock *d = p->owner;

	p->stamp = NULL;
	if (!d->closed)
		tell(&d->i, p, SCM_TSTAMP_SND, p->stamp_key);
}

void inet_stamp_sent(struct inet_sock *i, struct pkt *p, uint32_t flags)
{
	uint32_t key = 0;

	if (!(flags & (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED)))
		return;
	if (flags & SOF_TIMESTAMPING_OPT_ID)
		key = atomic_fetch_add(&i->s.ts_key, 1);
	if (flags & SOF_TIMESTAMPING_TX_SCHED)
		tell(i, p, SCM_TSTAMP_SCHED, key);
	if (flags & SOF_TIMESTAMPING_TX_SOFTWARE) {
		p->stamp = stamp;
		p->stamp_key = key;
	}
}

void inet_tell_copied(struct inet_sock *i)
{
	uint32_t key = atomic_fetch_add(&i->s.copy_key, 1);
	struct inet_error e = {
		.ee = { .ee_origin = SO_EE_ORIGIN_ZEROCOPY,
			.ee_code = SO_EE_CODE_ZEROCOPY_COPIED,
			.ee_info = key,
			.ee_data = key },
	};

	inet_errq_add(i, &e, NULL);
	socket_wake_state(&i->s, inet_errq_poll(i));
}
