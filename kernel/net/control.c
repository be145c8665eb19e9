/* Control messages on their way to the user: cmsg(3), recv(2). */

#include "abi/errno.h"
#include "abi/time.h"
#include "net/socket.h"
#include "vm/usercopy.h"

void sockmsg_put_control(struct sockmsg *m, int level, int type, const void *data, size_t len)
{
	struct abi_cmsghdr h = { .cmsg_len = sizeof(h) + len, .cmsg_level = level };
	uint64_t step;

	h.cmsg_type = type;
	if (m->control_len < sizeof(h)) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (h.cmsg_len > m->control_len) {
		m->out_flags |= MSG_CTRUNC;
		h.cmsg_len = m->control_len;
	}
	if (copy_to_user(m->ucontrol, &h, sizeof(h)) ||
	    copy_to_user(uaddr_add(m->ucontrol, sizeof(h)), data, h.cmsg_len - sizeof(h)))
		return; /* as if it had not been there */
	step = MIN(ALIGN_UP(h.cmsg_len, 8), m->control_len);
	m->ucontrol = uaddr_add(m->ucontrol, step);
	m->control_len -= step;
}

void sockmsg_put_timestamp(struct sockmsg *m, const struct socket *s, nsec_t real)
{
	struct abi_timespec stamps[3] = { { real / NSEC_PER_SEC, real % NSEC_PER_SEC } };
	bool new = socket_has(s, SOB_TIMESTAMP_NEW);

	if (socket_has(s, SOB_TIMESTAMPNS)) {
		struct abi_timespec ts = { real / NSEC_PER_SEC, real % NSEC_PER_SEC };

		sockmsg_put_control(m, SOL_SOCKET, new ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS, &ts,
				    sizeof(ts));
	} else if (socket_has(s, SOB_TIMESTAMP)) {
		struct abi_timeval tv = { real / NSEC_PER_SEC,
					  real % NSEC_PER_SEC / NSEC_PER_USEC };

		sockmsg_put_control(m, SOL_SOCKET, new ? SO_TIMESTAMP_NEW : SO_TIMESTAMP, &tv,
				    sizeof(tv));
	}
	/* By software; the others are the hardware's. */
	if (UNLIKELY(s->ts_flags & SOF_TIMESTAMPING_SOFTWARE))
		sockmsg_put_control(m, SOL_SOCKET,
				    socket_has(s, SOB_TIMESTAMPING_NEW) ? SO_TIMESTAMPING_NEW
									: SO_TIMESTAMPING,
				    stamps, sizeof(stamps));
}
