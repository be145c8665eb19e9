/* The table of neighbours has an end, and says how it fares. Source: arp(7) gc_thresh3, lnstat(8). */

#include "inet_test.h"
#include "rtnl_test.h"

enum { PER_FAMILY = 1024, ASKED = 1400 };

struct cache {
	unsigned long entries, allocs, destroys, failed, forced, fulls;
};

/* Sums over the lines, one for each CPU. */
static struct cache cache(const char *name)
{
	struct cache sum = { 0 };
	char path[64], *text, *line;
	unsigned long v[13];

	snprintf(path, sizeof(path), "/proc/net/stat/%s", name);
	text = test_slurp(path);
	CHECK(strncmp(text, "entries  allocs   destroys hash_grows lookups  hits     res_failed ", 67) == 0);
	strtok(text, "\n");
	while ((line = strtok(NULL, "\n"))) {
		for (int i = 0; i < 13; i++)
			v[i] = strtoul(line, &line, 16);
		sum.entries = v[0];
		sum.allocs += v[1];
		sum.destroys += v[2];
		sum.failed += v[6];
		sum.forced += v[10];
		sum.fulls += v[12];
	}
	return sum;
}

TEST(a_flood_of_addresses_ends_at_the_threshold)
{
	int nl, fd, eth;
	struct cache before, after;
	struct name to;
	char addr[32];

	if (!test_is_root())
		test_skip("needs root");
	nl = nl_open(0);
	if ((eth = nl_dummy(nl, "neighs"))) /* it asks, and nobody answers */
		nl_set_flags(nl, eth, 0, IFF_NOARP);
	else if ((eth = (int)if_nametoindex("eth0")))
		nl_link_up(nl, eth);
	else
		test_skip("needs a link that asks");
	CHECK_EQ(nl_addr(nl, RTM_NEWADDR, NLM_F_CREATE, AF_INET, eth, "10.66.0.1", 16), 0);
	before = cache("arp_cache");
	for (int i = 0; i < ASKED; i++) {
		snprintf(addr, sizeof(addr), "10.66.%d.%d", 1 + i / 200, 1 + i % 200);
		to = name4(addr, 9);
		CHECK_OK(fd = socket(AF_INET, SOCK_DGRAM, 0)); /* its buffer would be full soon */
		(void)!sendto(fd, "x", 1, MSG_DONTWAIT, &to.a, to.len);
		close(fd);
	}
	after = cache("arp_cache");
	CHECK(after.entries > PER_FAMILY / 2);
	CHECK(after.entries <= PER_FAMILY);
	CHECK(after.allocs - before.allocs >= after.entries - before.entries);
	CHECK(after.forced > before.forced);
	CHECK(after.fulls > before.fulls); /* all wait for an answer, none can go */
	CHECK(cache("ndisc_cache").entries < 100);

	/* Nobody answers: then there is room again. */
	for (int i = 0; i < 100 && cache("arp_cache").failed < before.failed + PER_FAMILY / 2; i++)
		usleep(100000);
	CHECK(cache("arp_cache").failed >= before.failed + PER_FAMILY / 2);
	CHECK_EQ(nl_addr(nl, RTM_DELADDR, 0, AF_INET, eth, "10.66.0.1", 16), 0);
	if (if_nametoindex("neighs")) {
		CHECK_EQ(nl_link(nl, RTM_DELLINK, 0, "neighs", NULL), 0);
		CHECK(cache("arp_cache").entries <= before.entries); /* its own went with it */
	}
	close(nl);
}
