/*
 * Filters of sock_diag requests: see the header. An instruction tests something and goes on `yes`
 * or `no` bytes further. A socket passes when the program runs exactly to its end; a jump behind
 * the end rejects it. Jumps only lead forward, so every program ends; where one leads into is
 * looked at when it is taken.
 */

#include "net/netlink/diag_filter.h"

#include "abi/errno.h"
#include "abi/sock_diag.h"
#include "abi/socket.h"
#include "lib/string.h"

enum { OP = sizeof(struct abi_inet_diag_bc_op) };

static void read_op(const uint8_t *at, struct abi_inet_diag_bc_op *op)
{
	memcpy(op, at, sizeof(*op));
}

/* Bytes of the instruction at `at`, of which n are there; 0: none, or it is cut. */
static uint32_t op_size(const uint8_t *at, uint32_t n)
{
	struct abi_inet_diag_hostcond host;
	struct abi_inet_diag_bc_op op;
	uint32_t size = OP;

	if (n < OP)
		return 0;
	read_op(at, &op);
	switch (op.code) {
	case INET_DIAG_BC_NOP:
	case INET_DIAG_BC_JMP:
	case INET_DIAG_BC_AUTO:
		break;
	case INET_DIAG_BC_S_GE:
	case INET_DIAG_BC_S_LE:
	case INET_DIAG_BC_D_GE:
	case INET_DIAG_BC_D_LE:
	case INET_DIAG_BC_S_EQ:
	case INET_DIAG_BC_D_EQ:
		size += OP; /* a second one, whose `no` is the port */
		break;
	case INET_DIAG_BC_DEV_COND:
		size += 4;
		break;
	case INET_DIAG_BC_MARK_COND:
		size += (uint32_t)sizeof(struct abi_inet_diag_markcond);
		break;
	case INET_DIAG_BC_S_COND:
	case INET_DIAG_BC_D_COND:
		size += (uint32_t)sizeof(host);
		if (n < size)
			return 0;
		memcpy(&host, at + OP, sizeof(host));
		size += host.family == AF_INET ? 4 : host.family == AF_INET6 ? 16 : 0;
		if (host.family != AF_UNSPEC && host.family != AF_INET && host.family != AF_INET6)
			return 0;
		if (host.prefix_len > (size - OP - sizeof(host)) * 8)
			return 0;
		break;
	default:
		return 0;
	}
	return size <= n ? size : 0;
}

int diag_filter_check(const uint8_t *code, uint32_t n, bool may_mark)
{
	struct abi_inet_diag_bc_op op;
	uint32_t size;

	if (n == 0)
		return -EINVAL;
	while (n > 0) {
		if ((size = op_size(code, n)) == 0)
			return -EINVAL;
		read_op(code, &op);
		if (op.code == INET_DIAG_BC_MARK_COND && !may_mark)
			return -EPERM;
		/* An instruction ends where `yes` leads: there may be more bytes than it reads. */
		if (op.yes < size || op.yes > n || op.yes % 4)
			return -EINVAL;
		if (op.code != INET_DIAG_BC_NOP && (op.no < OP || op.no > n + 4 || op.no % 4))
			return -EINVAL;
		code += op.yes;
		n -= op.yes;
	}
	return 0;
}

static bool prefix_matches(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8)) == 0;
}

static bool is_mapped(const uint8_t *a)
{
	static const uint8_t head[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a, head, sizeof(head)) == 0;
}

static bool host_matches(const uint8_t *cond, const struct diag_subject *s, bool source)
{
	const uint8_t *own = source ? s->src : s->dst, *want = cond + 8;
	uint16_t port = source ? s->sport : s->dport;
	struct abi_inet_diag_hostcond host;

	memcpy(&host, cond, sizeof(host));
	if (host.port != -1 && host.port != port)
		return false;
	if (host.prefix_len == 0)
		return true;
	if ((host.family == AF_INET ? 4 : 6) == s->family)
		return prefix_matches(own, want, host.prefix_len);
	/* One of IPv6 may stand for IPv4. */
	if (host.family == AF_INET && is_mapped(own))
		return prefix_matches(own + 12, want, host.prefix_len);
	return false;
}

static bool test(const uint8_t *at, uint8_t code, const struct diag_subject *s)
{
	struct abi_inet_diag_markcond mark;
	struct abi_inet_diag_bc_op second;
	uint32_t ifindex;

	switch (code) {
	case INET_DIAG_BC_NOP:
		return true;
	case INET_DIAG_BC_JMP:
		return false;
	case INET_DIAG_BC_AUTO:
		return s->auto_port;
	case INET_DIAG_BC_S_COND:
	case INET_DIAG_BC_D_COND:
		return host_matches(at + OP, s, code == INET_DIAG_BC_S_COND);
	case INET_DIAG_BC_DEV_COND:
		memcpy(&ifindex, at + OP, sizeof(ifindex));
		return ifindex == s->ifindex;
	case INET_DIAG_BC_MARK_COND:
		memcpy(&mark, at + OP, sizeof(mark));
		return (s->mark & mark.mask) == mark.mark;
	}
	read_op(at + OP, &second);
	switch (code) {
	case INET_DIAG_BC_S_GE:
		return s->sport >= second.no;
	case INET_DIAG_BC_S_LE:
		return s->sport <= second.no;
	case INET_DIAG_BC_D_GE:
		return s->dport >= second.no;
	case INET_DIAG_BC_D_LE:
		return s->dport <= second.no;
	case INET_DIAG_BC_S_EQ:
		return s->sport == second.no;
	default:
		return s->dport == second.no;
	}
}

bool diag_filter_run(const uint8_t *code, uint32_t n, const struct diag_subject *s)
{
	struct abi_inet_diag_bc_op op;
	uint32_t step;

	while (n > 0) {
		if (op_size(code, n) == 0)
			return false;
		read_op(code, &op);
		step = test(code, op.code, s) ? op.yes : op.no;
		if (step < OP || step > n)
			return false;
		code += step;
		n -= step;
	}
	return true;
}
