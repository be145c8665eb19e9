/* AF_PACKET on the loopback device: packet(7). */

#include "net_test.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/mman.h>

enum { TYPE = 0x88b5 }; /* for local experiments: IEEE 802 */

static int lo;

static int opened(int type, int protocol)
{
	struct timeval tv = { .tv_sec = 5 };
	int u = socket(AF_UNIX, SOCK_DGRAM, 0), fd;
	struct ifreq r = { .ifr_name = "lo" };

	if (!test_is_root())
		test_skip("needs CAP_NET_RAW");
	CHECK_OK(ioctl(u, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	CHECK_OK(ioctl(u, SIOCSIFFLAGS, &r));
	close(u);
	lo = (int)if_nametoindex("lo");
	fd = socket(AF_PACKET, type, htons((uint16_t)protocol));
	CHECK_OK(fd);
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	return fd;
}

static struct sockaddr_ll name(int protocol)
{
	return (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol),
				     .sll_ifindex = lo, .sll_halen = 6 };
}

/* A frame of our type, as a RAW socket takes it. */
static size_t make(unsigned char *f, const char *text)
{
	memset(f, 0, 14);
	f[12] = TYPE >> 8;
	f[13] = TYPE & 255;
	memcpy(f + 14, text, strlen(text));
	return 14 + strlen(text);
}

static void send_one(const char *text)
{
	int fd = opened(SOCK_RAW, 0);
	struct sockaddr_ll to = name(TYPE);
	unsigned char f[256];
	size_t n = make(f, text);

	CHECK_EQ(sendto(fd, f, n, 0, (void *)&to, sizeof(to)), n);
	close(fd);
}

TEST(raw_frame_comes_with_its_header)
{
	int fd = opened(SOCK_RAW, TYPE);
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	unsigned char b[256];

	send_one("hello");
	CHECK_EQ(recvfrom(fd, b, sizeof(b), 0, (void *)&from, &len), 19);
	CHECK_EQ(b[12] << 8 | b[13], TYPE);
	CHECK_EQ(memcmp(b + 14, "hello", 5), 0);
	CHECK_EQ(from.sll_family, AF_PACKET);
	CHECK_EQ(from.sll_ifindex, lo);
	CHECK_EQ(ntohs(from.sll_protocol), TYPE);
	CHECK_EQ(from.sll_halen, 6);
	CHECK_EQ(from.sll_pkttype, PACKET_HOST);
}

TEST(dgram_is_without_header)
{
	int in = opened(SOCK_DGRAM, TYPE), out = opened(SOCK_DGRAM, 0);
	struct sockaddr_ll to = name(TYPE);
	char b[64];

	CHECK_EQ(sendto(out, "abc", 3, 0, (void *)&to, sizeof(to)), 3);
	CHECK_EQ(recv(in, b, sizeof(b), 0), 3);
	CHECK_EQ(memcmp(b, "abc", 3), 0);
}

TEST(everything_sees_what_leaves_too)
{
	int fd = opened(SOCK_RAW, ETH_P_ALL);
	struct sockaddr_ll from, bind_to = name(ETH_P_ALL);
	bool out = false, in = false;
	unsigned char b[256];

	CHECK_OK(bind(fd, (void *)&bind_to, sizeof(bind_to)));
	send_one("x");
	while (!in || !out) {
		socklen_t len = sizeof(from);

		CHECK(recvfrom(fd, b, sizeof(b), 0, (void *)&from, &len) > 0);
		out |= from.sll_pkttype == PACKET_OUTGOING && (b[12] << 8 | b[13]) == TYPE;
		in |= from.sll_pkttype == PACKET_HOST && (b[12] << 8 | b[13]) == TYPE;
	}
}

TEST(protocol_0_hears_nothing)
{
	int fd = opened(SOCK_RAW, 0);
	char b[64];

	send_one("x");
	CHECK_ERR(recv(fd, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
}

TEST(truncation_and_peek)
{
	int fd = opened(SOCK_RAW, TYPE);
	char b[8];
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	send_one("0123456789");
	CHECK_EQ(recv(fd, b, sizeof(b), MSG_PEEK | MSG_TRUNC), 24);
	CHECK_EQ(recvmsg(fd, &m, 0), 8);
	CHECK(m.msg_flags & MSG_TRUNC);
	CHECK_ERR(recv(fd, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
}

TEST(auxdata_tells_lengths)
{
	int fd = opened(SOCK_RAW, TYPE), one = 1;
	char b[8], control[128];
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct tpacket_auxdata a;
	struct cmsghdr *c;

	CHECK_OK(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)));
	send_one("0123456789");
	CHECK_EQ(recvmsg(fd, &m, 0), 8);
	CHECK((c = CMSG_FIRSTHDR(&m)));
	CHECK_EQ(c->cmsg_level, SOL_PACKET);
	CHECK_EQ(c->cmsg_type, PACKET_AUXDATA);
	memcpy(&a, CMSG_DATA(c), sizeof(a));
	CHECK_EQ(a.tp_len, 24);
	CHECK_EQ(a.tp_snaplen, 24);
	CHECK_EQ(a.tp_net, 14);
}

TEST(filter_and_statistics)
{
	/* Only frames whose first byte behind the header is 'k', and of those 16 bytes. */
	struct sock_filter code[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'k', 0, 1),
				      BPF_STMT(BPF_RET | BPF_K, 16), BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog prog = { 4, code };
	int fd = opened(SOCK_RAW, TYPE);
	struct tpacket_stats st;
	socklen_t len = sizeof(st);
	char b[64];

	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	send_one("drop");
	send_one("keep");
	CHECK_EQ(recv(fd, b, sizeof(b), 0), 16);
	CHECK_EQ(b[14], 'k');
	CHECK_OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
	CHECK_EQ(st.tp_packets, 1);
	CHECK_EQ(st.tp_drops, 0);
	CHECK_OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
	CHECK_EQ(st.tp_packets, 0); /* since it was asked for */
}

TEST(errors)
{
	int fd = opened(SOCK_RAW, TYPE), v = 9;
	struct sockaddr_ll to = name(TYPE);
	struct packet_mreq mr = { .mr_ifindex = 4711, .mr_type = PACKET_MR_PROMISC };
	static char big[70000];

	CHECK_ERR(send(fd, big, 64, 0), ENXIO); /* through which device? */
	CHECK_ERR(sendto(fd, big, 10, 0, (void *)&to, sizeof(to)), EINVAL);
	CHECK_ERR(sendto(fd, big, sizeof(big), 0, (void *)&to, sizeof(to)), EMSGSIZE);
	to.sll_ifindex = 4711;
	CHECK_ERR(sendto(fd, big, 64, 0, (void *)&to, sizeof(to)), ENXIO);
	CHECK_ERR(bind(fd, (void *)&to, sizeof(to)), ENODEV);
	CHECK_ERR(bind(fd, (void *)&to, 10), EINVAL);
	CHECK_ERR(listen(fd, 1), EOPNOTSUPP);
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, sizeof(v)), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)), ENODEV);
	mr.mr_ifindex = lo;
	CHECK_OK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &mr, sizeof(mr))); /* there was none */
	CHECK_OK(setuid(65534));
	CHECK_ERR(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
}

TEST(ring_version_2)
{
	struct tpacket_req q = { .tp_block_size = 4096, .tp_block_nr = 2, .tp_frame_size = 1024, .tp_frame_nr = 8 };
	int fd = opened(SOCK_RAW, TYPE), v = TPACKET_V2, hdr = TPACKET_V2;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	socklen_t len = sizeof(hdr);
	struct tpacket2_hdr *h;
	char *ring;

	CHECK_OK(getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &hdr, &len));
	CHECK_EQ(hdr, sizeof(*h));
	CHECK_OK(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, sizeof(v)));
	q.tp_frame_nr = 9;
	CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)), EINVAL);
	q.tp_frame_nr = 8;
	CHECK_OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
	ring = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(ring != MAP_FAILED);
	CHECK_EQ(poll(&p, 1, 0), 0);
	for (int i = 0; i < 20; i++) {
		h = (void *)(ring + i % 8 * 1024);
		CHECK_EQ(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE), TP_STATUS_KERNEL);
		send_one("ring");
		CHECK_EQ(poll(&p, 1, 5000), 1);
		CHECK(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER);
		CHECK_EQ(h->tp_len, 18);
		CHECK_EQ(h->tp_snaplen, 18);
		CHECK_EQ(h->tp_net - h->tp_mac, 14);
		CHECK_EQ(memcmp((char *)h + h->tp_net, "ring", 4), 0);
		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	}
}

TEST(ring_version_3)
{
	struct tpacket_req3 q = { .tp_block_size = 8192, .tp_block_nr = 2, .tp_frame_size = 2048, .tp_frame_nr = 8,
				  .tp_retire_blk_tov = 50 };
	int fd = opened(SOCK_RAW, TYPE), v = TPACKET_V3;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct tpacket_block_desc *b;
	struct tpacket3_hdr *h;
	char *ring;

	CHECK_OK(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, sizeof(v)));
	CHECK_OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
	ring = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(ring != MAP_FAILED);
	send_one("first");
	send_one("second");
	CHECK_EQ(poll(&p, 1, 5000), 1); /* the timer gives the block */
	b = (void *)ring;
	CHECK(__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER);
	CHECK(b->hdr.bh1.num_pkts >= 1);
	h = (void *)(ring + b->hdr.bh1.offset_to_first_pkt);
	CHECK_EQ(h->tp_len, 19);
	CHECK_EQ(memcmp((char *)h + h->tp_net, "first", 5), 0);
	if (b->hdr.bh1.num_pkts > 1) {
		h = (void *)((char *)h + h->tp_next_offset);
		CHECK_EQ(memcmp((char *)h + h->tp_net, "second", 6), 0);
	}
}

TEST(fanout_gives_each_frame_once)
{
	int a = opened(SOCK_RAW, TYPE), b = opened(SOCK_RAW, TYPE), how = 77 | PACKET_FANOUT_LB << 16, n = 0;
	char buf[64];

	CHECK_OK(setsockopt(a, SOL_PACKET, PACKET_FANOUT, &how, sizeof(how)));
	CHECK_OK(setsockopt(b, SOL_PACKET, PACKET_FANOUT, &how, sizeof(how)));
	CHECK_ERR(setsockopt(b, SOL_PACKET, PACKET_FANOUT, &how, sizeof(how)), EALREADY);
	for (int i = 0; i < 10; i++)
		send_one("share");
	for (int i = 0; i < 10; i++)
		n += (recv(a, buf, sizeof(buf), MSG_DONTWAIT) > 0) + (recv(b, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	CHECK_EQ(n, 10);
}
