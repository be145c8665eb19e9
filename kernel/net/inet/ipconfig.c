/*
 * `ip=`. A thread brings the devices up and, unless the address is given, asks for one on all of
 * them at once; the first that is answered is it, and the others go down again. Requests leave from
 * 0.0.0.0 in frames made here, and answers are read from a tap, since no address is ours yet.
 *
 * The lease is not renewed later, as on Linux: that is for a DHCP client of user space.
 *
 * Source: RFC 2131 (net/ip/dhcp.h), nfsroot.txt's description of ip=.
 */

#include "net/inet/ipconfig.h"

#include "abi/errno.h"
#include "abi/if.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/log.h"
#include "core/random.h"
#include "core/spinlock.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "net/checksum.h"
#include "net/inet/fib.h"
#include "net/inet/inet_priv.h"
#include "net/ip/dhcp.h"
#include "net/netif.h"
#include "net/parse.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "sched/wait.h"

enum { DEVICES = 8, ANSWERS = 4, ANSWER_MAX = 1500, DNS_MAX = 3 };
enum method { METHOD_OFF, METHOD_STATIC, METHOD_DHCP, METHOD_OTHER };
#define CARRIER_TIME (5 * NSEC_PER_SEC)  /* for a link that comes up late */
#define ANSWER_TIME  (30 * NSEC_PER_SEC) /* for an answer */

/* What the command line says, then what came out. */
static struct {
	enum method method;
	uint32_t addr, server, gateway, mask;
	uint32_t dns[DNS_MAX];
	unsigned ndns;
	uint32_t mtu;
	char host[DHCP_NAME], domain[DHCP_NAME], device[NETDEV_NAME];
	bool by_dhcp;
} conf;

struct attempt {
	struct netdev *dev; /* counted */
	bool was_up;
	struct dhcp dhcp;
};

struct answer {
	struct netdev *dev;
	uint32_t len;
	uint8_t data[ANSWER_MAX];
};

static struct attempt attempts[DEVICES]; /* the thread's */
static unsigned nattempts;
static struct answer answers[ANSWERS]; /* answers_lock; a ring */
static unsigned answers_head, answers_tail;
static struct spinlock answers_lock = SPINLOCK(NETTAPS);
static struct waitq news = WAITQ(news);
static _Atomic bool is_done;
static bool is_started;

/* --- the command line --- */

static bool get_ip(const char *s, uint32_t *out)
{
	uint32_t a = 0;
	uint64_t v;

	for (unsigned i = 0; i < 4; i++) {
		if (!str_to_u64(s, &s, &v) || v > 255 || (i < 3 && *s++ != '.'))
			return false;
		a = a << 8 | (uint32_t)v;
	}
	*out = a;
	return *s == '\0';
}

/* False: no such method. */
static bool get_method(const char *s, enum method *out)
{
	static const struct {
		const char *name;
		enum method m;
	} names[] = { { "on", METHOD_DHCP },     { "any", METHOD_DHCP },  { "dhcp", METHOD_DHCP },
		      { "both", METHOD_DHCP },   { "off", METHOD_OFF },   { "none", METHOD_OFF },
		      { "bootp", METHOD_OTHER }, { "rarp", METHOD_OTHER } };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(s, names[i].name)) {
			*out = names[i].m;
			return true;
		}
	return false;
}

/* "host.domain" */
static void get_host(char *s)
{
	char *dot = strchr(s, '.');

	if (dot) {
		*dot = '\0';
		strscpy(conf.domain, dot + 1, sizeof(conf.domain));
	}
	strscpy(conf.host, s, sizeof(conf.host));
}

static bool get_field(unsigned n, char *s)
{
	uint32_t *const addresses[] = { &conf.addr, &conf.server, &conf.gateway, &conf.mask };
	uint32_t ntp;

	if (!*s)
		return true;
	if (n < ARRAY_SIZE(addresses))
		return get_ip(s, addresses[n]);
	switch (n) {
	case 4:
		get_host(s);
		return true;
	case 5:
		strscpy(conf.device, s, sizeof(conf.device));
		return true;
	case 6:
		return get_method(s, &conf.method);
	case 7:
	case 8:
		return get_ip(s, &conf.dns[conf.ndns]) && ++conf.ndns;
	default: /* time servers: nobody here asks them */
		return get_ip(s, &ntp);
	}
}

static void read_command_line(void)
{
	const char *given = cmdline_get("ip");
	char text[256], *s = text, *next;

	if (!given || !*given || strscpy(text, given, sizeof(text)) < 0)
		return;
	if (!strchr(text, ':') && get_method(text, &conf.method))
		return;
	conf.method = METHOD_DHCP; /* unless there is an address, or another word is */
	for (unsigned n = 0; s; n++, s = next) {
		if ((next = strchr(s, ':')))
			*next++ = '\0';
		if (!get_field(n, s)) {
			log_warn("ip=: \"%s\" is not understood; ignored", s);
			conf.method = METHOD_OFF;
			return;
		}
	}
	if (conf.addr)
		conf.method = METHOD_STATIC;
}

/* --- DHCP --- */

/* A tap: a DHCP answer is kept for the thread. */
static void see(struct net_tap *t, const struct pkt *p, bool outgoing)
{
	uint8_t head[ETH_HEADER + IPV4_HEADER_MAX + UDP_HEADER];
	uint32_t n = MIN(p->len, (uint32_t)sizeof(head)), at, len;
	struct ipv4_header ip;
	struct answer *a;

	(void)t;
	pkt_copy(p, 0, head, n);
	if (outgoing || n < ETH_HEADER + IPV4_HEADER + UDP_HEADER ||
	    ipv4_parse(head + ETH_HEADER, p->len - ETH_HEADER, &ip) || ip.proto != IPPROTO_UDP_ ||
	    ip.frag || ip.more)
		return;
	at = ETH_HEADER + ip.len + UDP_HEADER;
	if (at > n || be16_get(head + at - 6) != DHCP_CLIENT_PORT ||
	    be16_get(head + at - 8) != DHCP_SERVER_PORT)
		return;
	len = MIN(be16_get(head + at - 4) - (uint32_t)UDP_HEADER, p->len - at);
	if (len > ANSWER_MAX)
		return;
	spin_lock(&answers_lock);
	if (answers_head - answers_tail < ANSWERS) {
		a = &answers[answers_head++ % ANSWERS];
		a->dev = p->dev;
		a->len = len;
		pkt_copy(p, at, a->data, len);
	}
	spin_unlock(&answers_lock);
	waitq_wake_all(&news, 0);
}

/* A frame of its own: there is no address that the stack could send from. */
static void send_request(struct netdev *d, const struct dhcp_out *out)
{
	struct ipv4_header h = { .src = out->src,
				 .dst = out->dst,
				 .total = (uint16_t)(IPV4_HEADER + UDP_HEADER + out->len),
				 .ttl = 64,
				 .proto = IPPROTO_UDP_ };
	struct page *page = page_alloc(0, PAGE_KERNEL, 0);
	uint16_t len = (uint16_t)(UDP_HEADER + out->len);
	struct pkt *p = pkt_alloc();
	uint8_t *udp;
	uint32_t sum;

	if (!page || !p || !pkt_add_frag(p, page, 0, (uint32_t)out->len)) {
		if (page)
			page_put(page);
		pkt_free(p);
		return;
	}
	memcpy(page_va(page), out->data, out->len);
	udp = pkt_push(p, UDP_HEADER);
	udp_build(udp, DHCP_CLIENT_PORT, DHCP_SERVER_PORT, len);
	sum = csum_add(csum_pseudo4(h.src, h.dst, IPPROTO_UDP_, len), udp, UDP_HEADER);
	csum_put(udp + 6, csum_finish(csum_add(sum, out->data, out->len)));
	ipv4_build(pkt_push(p, IPV4_HEADER), &h);
	pkt_set_network(p);
	(void)ether_send(p, d, d->broadcast, ETH_TYPE_IPV4);
}

static bool take_answer(struct answer *out)
{
	bool any;

	spin_lock(&answers_lock);
	any = answers_tail != answers_head;
	if (any)
		memcpy(out, &answers[answers_tail++ % ANSWERS], sizeof(*out));
	spin_unlock(&answers_lock);
	return any;
}

/* Sends what is due and reads what has come. When to come again. */
static nsec_t drive(struct answer *buf)
{
	nsec_t now = clock_mono(), next = NSEC_MAX;
	struct dhcp_out out;

	while (take_answer(buf))
		for (unsigned i = 0; i < nattempts; i++)
			if (attempts[i].dev == buf->dev)
				dhcp_input(&attempts[i].dhcp, buf->data, buf->len, now);
	for (unsigned i = 0; i < nattempts; i++) {
		struct attempt *a = &attempts[i];

		dhcp_timer(&a->dhcp, now);
		while (atomic_load(&a->dev->carrier) && dhcp_output(&a->dhcp, now, &out))
			send_request(a->dev, &out);
		next = MIN(next, dhcp_deadline(&a->dhcp));
	}
	return next;
}

static struct attempt *find_bound(void)
{
	for (unsigned i = 0; i < nattempts; i++)
		if (attempts[i].dhcp.state == DHCP_BOUND)
			return &attempts[i];
	return NULL;
}

static struct attempt *ask(void)
{
	struct net_tap *tap = kzalloc(sizeof(*tap));
	struct answer *buf = kmalloc(sizeof(*buf));
	nsec_t end = clock_mono() + ANSWER_TIME, next;
	struct attempt *bound = NULL;
	struct waiter w;

	if (!tap || !buf) {
		kfree(tap);
		kfree(buf);
		return NULL;
	}
	tap->type = ETH_TYPE_IPV4;
	tap->see = see;
	net_tap_add(tap);
	for (unsigned i = 0; i < nattempts; i++)
		dhcp_start(&attempts[i].dhcp, attempts[i].dev->addr, (uint32_t)random_u64(),
			   clock_mono());
	waiter_init(&w);
	while (clock_mono() < end) {
		wait_prepare(&news, &w, THREAD_SLEEP);
		next = drive(buf);
		if ((bound = find_bound()))
			break;
		if (wait_sleep(MIN(next, end)) == -ERESTARTSYS)
			break;
	}
	wait_finish(&news, &w);
	net_tap_remove(tap);
	epoch_wait();
	kfree(tap);
	kfree(buf);
	return bound;
}

static void take_lease(const struct dhcp_lease *l)
{
	conf.addr = l->addr;
	conf.mask = l->mask;
	conf.server = l->server;
	conf.by_dhcp = true;
	conf.mtu = l->mtu;
	if (!conf.gateway)
		conf.gateway = l->router;
	for (unsigned i = 0; i < l->ndns && conf.ndns < DNS_MAX; i++)
		conf.dns[conf.ndns++] = l->dns[i];
	if (!conf.host[0])
		strscpy(conf.host, l->host, sizeof(conf.host));
	if (!conf.domain[0])
		strscpy(conf.domain, l->domain, sizeof(conf.domain));
}

/* --- devices --- */

static bool bring_up(struct netdev *d, bool up)
{
	int err;

	mutex_lock(&net_config_lock);
	err = netdev_change_flags(d, up ? IFF_UP : 0, IFF_UP);
	mutex_unlock(&net_config_lock);
	return !err;
}

static void open_devices(void)
{
	struct netdev *d;
	int index = 1;

	for (; (d = netdev_next(&index)); index++) {
		bool wanted = !(d->features & NETDEV_LOOPBACK) && nattempts < DEVICES &&
			      (!conf.device[0] || str_eq(d->name, conf.device));
		bool was_up = netdev_is_up(d);

		if (d->features & NETDEV_LOOPBACK)
			bring_up(d, true);
		if (wanted && bring_up(d, true))
			attempts[nattempts++] = (struct attempt){ .dev = d, .was_up = was_up };
		else
			netdev_put(d);
	}
}

/* The devices that are not `used` go down again. */
static void close_devices(const struct attempt *used)
{
	for (unsigned i = 0; i < nattempts; i++) {
		if (&attempts[i] != used && !attempts[i].was_up)
			bring_up(attempts[i].dev, false);
		netdev_put(attempts[i].dev);
	}
}

static bool has_carrier(void)
{
	for (unsigned i = 0; i < nattempts; i++)
		if (atomic_load(&attempts[i].dev->carrier))
			return true;
	return false;
}

static void wait_for_carrier(void)
{
	nsec_t end = clock_mono() + CARRIER_TIME;

	while (!has_carrier() && clock_mono() < end)
		if (thread_sleep_until(clock_mono() + 10 * NSEC_PER_MSEC, THREAD_SLEEP) ==
		    -ERESTARTSYS)
			return;
}

/* --- the result --- */

static uint32_t class_mask(uint32_t a)
{
	if (a >> 31 == 0)
		return 0xff000000;
	return a >> 30 == 2 ? 0xffff0000 : 0xffffff00;
}

static int add_gateway(struct netdev *d)
{
	struct fib_config *c = kzalloc(sizeof(*c));
	const char *why = NULL;
	int err;

	if (!c)
		return -ENOMEM;
	c->f.table = RT_TABLE_MAIN;
	c->f.r.protocol = RTPROT_BOOT;
	c->f.nhops = 1;
	c->hop[0] = (struct fib_hop){ .ifindex = (uint32_t)d->index,
				      .weight = 1,
				      .has_gateway = true,
				      .gateway = route_key4(conf.gateway) };
	err = fib_add(true, c, NLM_F_CREATE, &why);
	kfree(c);
	return err;
}

static void apply(struct netdev *d)
{
	struct ifaddr a = {
		.dev = d, .valid = UINT32_MAX, .preferred = UINT32_MAX, .flags = IFA_F_PERMANENT
	};
	int err;

	if (!conf.mask)
		conf.mask = class_mask(conf.addr);
	a.addr = a.peer = addr_from4(conf.addr);
	a.plen = (uint8_t)__builtin_popcount(conf.mask);
	a.broadcast = addr_from4(a.plen < 31 ? conf.addr | ~conf.mask : 0);
	strscpy(a.label, d->name, sizeof(a.label));
	mutex_lock(&net_config_lock);
	err = ifaddr_add(&a);
	if ((!err || err == -EEXIST) && conf.gateway)
		err = add_gateway(d);
	if (conf.mtu && !err)
		err = netdev_change_mtu(d, conf.mtu);
	mutex_unlock(&net_config_lock);
	if (err)
		log_warn("IP-Config: %s: error %d", d->name, err);
}

static const char *ip_text(char buf[16], uint32_t a)
{
	fmt(buf, 16, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	return buf;
}

static void tell(const struct netdev *d)
{
	char addr[16], mask[16], gateway[16], dns[16];

	log_info("IP-Config: Complete: device=%s, ipaddr=%s, mask=%s, gw=%s, dns=%s, host=%s",
		 d->name, ip_text(addr, conf.addr), ip_text(mask, conf.mask),
		 ip_text(gateway, conf.gateway), ip_text(dns, conf.dns[0]),
		 conf.host[0] ? conf.host : addr);
}

static void configure(void)
{
	struct attempt *used = &attempts[0];

	open_devices();
	if (!nattempts) {
		log_warn("IP-Config: %s", conf.device[0] ? "No such network device"
							 : "No network devices available");
		return;
	}
	if (conf.method == METHOD_DHCP) {
		wait_for_carrier();
		used = ask();
	}
	if (!used) {
		log_warn("IP-Config: Auto-configuration of network failed");
	} else {
		if (conf.method == METHOD_DHCP)
			take_lease(&used->dhcp.lease);
		apply(used->dev);
		tell(used->dev);
	}
	close_devices(used);
}

static void run(void *arg)
{
	(void)arg;
	configure();
	atomic_store(&is_done, true);
	waitq_wake_all(&news, 0);
}

void ipconfig_start(void)
{
	struct thread *t;

	read_command_line();
	if (conf.method == METHOD_OTHER)
		log_warn("ip=: bootp and rarp are not there; use dhcp");
	if (conf.method != METHOD_STATIC && conf.method != METHOD_DHCP)
		return;
	if (!(t = kthread_create("ipconfig", run, NULL))) {
		log_warn("IP-Config: no memory");
		return;
	}
	is_started = true;
	thread_start(t);
}

const char *ipconfig_finish(void)
{
	struct waiter w;

	waiter_init(&w);
	while (is_started) {
		wait_prepare(&news, &w, THREAD_SLEEP);
		if (atomic_load(&is_done) || wait_sleep(NSEC_MAX) == -ERESTARTSYS)
			break;
	}
	if (is_started)
		wait_finish(&news, &w);
	return conf.host;
}

void ipconfig_show(struct textbuf *t)
{
	char buf[16];

	text_f(t, conf.by_dhcp ? "#PROTO: DHCP\n" : "#MANUAL\n");
	if (conf.domain[0])
		text_f(t, "domain %s\n", conf.domain);
	for (unsigned i = 0; i < conf.ndns; i++)
		text_f(t, "nameserver %s\n", ip_text(buf, conf.dns[i]));
	if (conf.server)
		text_f(t, "bootserver %s\n", ip_text(buf, conf.server));
}
