/*
 * The retransmission time-out: RFC 6298, with a lower bound on the variance part as Linux has it,
 * so that delayed acknowledgements do not look like losses on a path with a constant round trip.
 */
#include "net/tcp/tcp_priv.h"

void tcp_rtt_init(struct tcp_rtt *r)
{
	*r = (struct tcp_rtt){ .min_us = UINT32_MAX, .rto = TCP_RTO_INIT_NS };
}

void tcp_rtt_sample(struct tcp_rtt *r, uint32_t us)
{
	nsec_t rto;

	us = MIN(MAX(us, 1u), 1u << 27);
	r->min_us = MIN(r->min_us, us);
	if (r->srtt_us == 0) {
		r->srtt_us = us * 8;
		r->rttvar_us = us * 2;
	} else {
		int32_t err = (int32_t)(us - (r->srtt_us >> 3));
		uint32_t dev = err < 0 ? -(uint32_t)err : (uint32_t)err;

		r->rttvar_us += dev - (r->rttvar_us >> 2);
		r->srtt_us += (uint32_t)err;
	}
	rto = (nsec_t)(r->srtt_us >> 3) * NSEC_PER_USEC +
	      MAX((nsec_t)r->rttvar_us * NSEC_PER_USEC, TCP_RTO_MIN_NS);
	r->rto = MIN(rto, TCP_RTO_MAX_NS);
}

nsec_t tcp_backed_off(nsec_t rto, unsigned backoff)
{
	return backoff >= 16 || rto << backoff > TCP_RTO_MAX_NS ? TCP_RTO_MAX_NS : rto << backoff;
}

/* tcp(7) tcp_retries2: the time that so many retransmissions take at the smallest time-out. */
nsec_t tcp_give_up_after(unsigned retries)
{
	nsec_t sum = 0;

	for (unsigned i = 0; i <= retries; i++)
		sum += tcp_backed_off(TCP_RTO_MIN_NS, i);
	return sum;
}
