/* The DHCPv4 client. See dhcp.h. */
#include "net/ip/dhcp.h"

enum {
	OP_REQUEST = 1,
	OP_REPLY = 2,
	FIXED_LEN = 240, /* up to and with the magic cookie */
	MIN_LEN = 300,   /* RFC 1542 2.1: some relays drop shorter ones */
	DISCOVER = 1,
	OFFER = 2,
	REQUEST = 3,
	ACK = 5,
	NAK = 6,
};

enum dhcp_option {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_HOST = 12,
	OPT_DOMAIN = 15,
	OPT_MTU = 26,
	OPT_BROADCAST = 28,
	OPT_ADDR = 50,
	OPT_LEASE = 51,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_WANT = 55,
	OPT_MAX = 57,
	OPT_T1 = 58,
	OPT_T2 = 59,
	OPT_CLIENT = 61,
	OPT_END = 255,
};

#define MAGIC 0x63825363u

void dhcp_start(struct dhcp *d, const uint8_t *mac, uint32_t random, nsec_t now)
{
	*d = (struct dhcp){ .state = DHCP_SELECTING, .send = true, .xid = random, .started = now };
	memcpy(d->mac, mac, ETH_ALEN);
	d->random = random | 1;
	d->t1_at = d->t2_at = d->ends_at = NSEC_MAX;
	d->resend_at = now;
}

static uint32_t jitter(struct dhcp *d)
{
	d->random ^= d->random << 13;
	d->random ^= d->random >> 17;
	d->random ^= d->random << 5;
	return d->random;
}

/* RFC 2131 4.1: 4 s, doubled up to 64 s, each randomised by up to a second. */
static nsec_t resend_after(struct dhcp *d)
{
	nsec_t base = (4ll << MIN(d->tries, 4)) * NSEC_PER_SEC;

	return base - NSEC_PER_SEC + (nsec_t)(jitter(d) % 2000) * NSEC_PER_MSEC;
}

static uint8_t *put_option(uint8_t *o, uint8_t code, const void *data, uint8_t n)
{
	o[0] = code;
	o[1] = n;
	memcpy(o + 2, data, n);
	return o + 2 + n;
}

static uint8_t *put_option32(uint8_t *o, uint8_t code, uint32_t v)
{
	uint8_t b[4];

	be32_put(b, v);
	return put_option(o, code, b, sizeof(b));
}

static uint8_t *put_options(const struct dhcp *d, uint8_t *o)
{
	static const uint8_t want[] = { OPT_MASK, OPT_ROUTER, OPT_DNS,       OPT_HOST, OPT_DOMAIN,
					OPT_MTU,  OPT_LEASE,  OPT_BROADCAST, OPT_T1,   OPT_T2 };
	uint8_t type = d->state == DHCP_SELECTING ? DISCOVER : REQUEST, id[1 + ETH_ALEN] = { 1 };

	memcpy(id + 1, d->mac, ETH_ALEN);
	o = put_option(o, OPT_TYPE, &type, 1);
	o = put_option(o, OPT_CLIENT, id, sizeof(id));
	if (d->state == DHCP_REQUESTING) { /* RFC 2131 4.3.2: who was chosen, and what for */
		o = put_option32(o, OPT_SERVER, d->offer.server);
		o = put_option32(o, OPT_ADDR, d->offer.addr);
	}
	o = put_option(o, OPT_MAX, (const uint8_t[]){ DHCP_MAX >> 8, DHCP_MAX & 255 }, 2);
	o = put_option(o, OPT_WANT, want, sizeof(want));
	*o++ = OPT_END;
	return o;
}

bool dhcp_output(struct dhcp *d, nsec_t now, struct dhcp_out *out)
{
	bool has_addr = d->state == DHCP_RENEWING || d->state == DHCP_REBINDING;
	uint8_t *p = out->data;

	if (!d->send || d->state == DHCP_OFF || d->state == DHCP_BOUND)
		return false;
	d->send = false;
	memset(p, 0, sizeof(out->data));
	p[0] = OP_REQUEST;
	p[1] = 1; /* Ethernet */
	p[2] = ETH_ALEN;
	be32_put(p + 4, d->xid);
	be16_put(p + 8, (uint16_t)MIN((now - d->started) / NSEC_PER_SEC, 65535));
	if (has_addr)
		be32_put(p + 12, d->lease.addr);
	else
		be16_put(p + 10, 0x8000); /* answer by broadcast: there is no address to send to */
	memcpy(p + 28, d->mac, ETH_ALEN);
	be32_put(p + 236, MAGIC);
	out->len = (size_t)(put_options(d, p + FIXED_LEN) - p);
	out->len = MAX(out->len, (size_t)MIN_LEN);
	out->dst = d->state == DHCP_RENEWING ? d->lease.server : 0xffffffff;
	out->src = has_addr ? d->lease.addr : 0;
	d->resend_at = now + resend_after(d);
	d->tries++;
	return true;
}

static void copy_name(char *dst, const uint8_t *p, size_t n)
{
	n = MIN(n, (size_t)DHCP_NAME - 1);
	memcpy(dst, p, n);
	dst[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)dst[i] <= ' ' || dst[i] == 127)
			dst[i] = '\0';
}

static void take_option(struct dhcp_lease *l, uint8_t *type, uint8_t code, const uint8_t *p,
			size_t n)
{
	uint32_t v = n >= 4 ? be32_get(p) : 0;

	if (code == OPT_TYPE && n == 1)
		*type = p[0];
	else if (code == OPT_HOST)
		copy_name(l->host, p, n);
	else if (code == OPT_DOMAIN)
		copy_name(l->domain, p, n);
	else if (code == OPT_MTU && n == 2)
		l->mtu = be16_get(p);
	if (n < 4)
		return;
	switch (code) {
	case OPT_MASK:
		l->mask = v;
		break;
	case OPT_ROUTER:
		l->router = v;
		break;
	case OPT_BROADCAST:
		l->broadcast = v;
		break;
	case OPT_LEASE:
		l->seconds = v;
		break;
	case OPT_SERVER:
		l->server = v;
		break;
	case OPT_T1:
		l->t1 = v;
		break;
	case OPT_T2:
		l->t2 = v;
		break;
	case OPT_DNS:
		l->ndns = (uint8_t)MIN(n / 4, (size_t)DHCP_DNS);
		for (unsigned i = 0; i < l->ndns; i++)
			l->dns[i] = be32_get(p + 4 * (size_t)i);
		break;
	default:
		break;
	}
}

/* RFC 950 and before: the mask of a class, when none was told. */
static uint32_t class_mask(uint32_t addr)
{
	if (!(addr >> 31))
		return 0xff000000;
	return addr >> 30 == 2 ? 0xffff0000 : 0xffffff00;
}

/* Reads a reply to this client. Returns its type, 0: none. */
static uint8_t parse(const struct dhcp *d, const uint8_t *p, size_t n, struct dhcp_lease *l)
{
	uint8_t type = 0;
	size_t at = FIXED_LEN;

	if (n < FIXED_LEN || p[0] != OP_REPLY || p[2] != ETH_ALEN || be32_get(p + 4) != d->xid ||
	    memcmp(p + 28, d->mac, ETH_ALEN) || be32_get(p + 236) != MAGIC)
		return 0;
	*l = (struct dhcp_lease){ .addr = be32_get(p + 16) };
	while (at < n && p[at] != OPT_END) {
		size_t len;

		if (p[at] == OPT_PAD) {
			at++;
			continue;
		}
		if (n - at < 2 || p[at + 1] > n - at - 2)
			return 0;
		len = p[at + 1];
		take_option(l, &type, p[at], p + at + 2, len);
		at += 2 + len;
	}
	if (!l->mask)
		l->mask = class_mask(l->addr);
	return type;
}

static bool addr_is_usable(uint32_t a)
{
	return a && a != 0xffffffff && !ipv4_is_multicast(a) && !ipv4_is_loopback(a);
}

static nsec_t after(nsec_t now, uint32_t seconds)
{
	return seconds == UINT32_MAX ? NSEC_MAX : now + seconds * NSEC_PER_SEC;
}

/* RFC 2131 4.4.5: T1 is half of the lease, T2 seven eighths. */
static void bind(struct dhcp *d, const struct dhcp_lease *l, nsec_t now)
{
	uint32_t lease = l->seconds ? l->seconds : 3600;

	d->changed |= d->state == DHCP_REQUESTING || l->addr != d->lease.addr ||
		      l->mask != d->lease.mask || l->router != d->lease.router;
	d->lease = *l;
	d->lease.seconds = lease;
	if (!l->t1 || l->t1 > lease)
		d->lease.t1 = lease == UINT32_MAX ? lease : lease / 2;
	if (!l->t2 || l->t2 > lease || l->t2 < d->lease.t1)
		d->lease.t2 = lease == UINT32_MAX ? lease : (uint32_t)((uint64_t)lease * 7 / 8);
	d->state = DHCP_BOUND;
	d->send = false;
	d->tries = 0;
	d->t1_at = after(now, d->lease.t1);
	d->t2_at = after(now, d->lease.t2);
	d->ends_at = after(now, lease);
}

/* From the beginning, without an address. */
static void restart(struct dhcp *d, nsec_t now)
{
	bool had = d->lease.addr != 0;
	uint8_t mac[ETH_ALEN];

	memcpy(mac, d->mac, ETH_ALEN);
	dhcp_start(d, mac, jitter(d), now);
	d->changed = had;
}

void dhcp_input(struct dhcp *d, const uint8_t *p, size_t n, nsec_t now)
{
	struct dhcp_lease l;
	uint8_t type = parse(d, p, n, &l);

	if (d->state == DHCP_SELECTING && type == OFFER && addr_is_usable(l.addr) && l.server) {
		d->offer = l;
		d->state = DHCP_REQUESTING;
		d->tries = 0;
		d->send = true;
		d->resend_at = now;
	} else if (d->state > DHCP_SELECTING && d->state != DHCP_BOUND && type == ACK &&
		   addr_is_usable(l.addr)) {
		if (!l.server)
			l.server = d->state == DHCP_REQUESTING ? d->offer.server : d->lease.server;
		bind(d, &l, now);
	} else if (d->state > DHCP_SELECTING && d->state != DHCP_BOUND && type == NAK) {
		restart(d, now);
	}
}

nsec_t dhcp_deadline(const struct dhcp *d)
{
	switch (d->state) {
	case DHCP_OFF:
		return NSEC_MAX;
	case DHCP_BOUND:
		return d->t1_at;
	case DHCP_RENEWING:
		return MIN(d->resend_at, d->t2_at);
	case DHCP_REBINDING:
		return MIN(d->resend_at, d->ends_at);
	default:
		return d->resend_at;
	}
}

/* RFC 2131 4.4.5: about a minute between two tries, as resend_after() has it after four. */
static void begin(struct dhcp *d, enum dhcp_state state, nsec_t now)
{
	d->state = (uint8_t)state;
	d->xid = jitter(d);
	d->started = now;
	d->tries = 4;
	d->send = true;
	d->resend_at = now;
}

void dhcp_timer(struct dhcp *d, nsec_t now)
{
	enum { REQUEST_TRIES = 5 };

	if (now < dhcp_deadline(d))
		return;
	if (d->state == DHCP_BOUND)
		begin(d, DHCP_RENEWING, now);
	else if (d->state == DHCP_RENEWING && now >= d->t2_at)
		begin(d, DHCP_REBINDING, now);
	else if (d->state == DHCP_REBINDING && now >= d->ends_at)
		restart(d, now);
	else if (d->state == DHCP_REQUESTING && d->tries >= REQUEST_TRIES)
		restart(d, now);
	else
		d->send = true;
}

bool dhcp_take_change(struct dhcp *d)
{
	bool changed = d->changed;

	d->changed = false;
	return changed;
}
