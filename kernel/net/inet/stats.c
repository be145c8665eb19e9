/* Counters of the Internet protocols: see stats.h. */

#include "net/inet/stats.h"

PERCPU(struct net_stats, net_stats);

static const struct {
	const char *group, *name;
} rows[NET_STATS] = {
#define STAT(group, name) { #group, #name },
#include "net/inet/stats.def"
#undef STAT
};

/* The counter that has a message's type in its name; NET_STATS: there is none. */
static enum net_stat icmp_in(uint8_t type)
{
	static const uint16_t in[] = {
		[0] = STAT_Icmp_InEchoReps,       [3] = STAT_Icmp_InDestUnreachs,
		[4] = STAT_Icmp_InSrcQuenchs,     [5] = STAT_Icmp_InRedirects,
		[8] = STAT_Icmp_InEchos,          [11] = STAT_Icmp_InTimeExcds,
		[12] = STAT_Icmp_InParmProbs,     [13] = STAT_Icmp_InTimestamps,
		[14] = STAT_Icmp_InTimestampReps, [17] = STAT_Icmp_InAddrMasks,
		[18] = STAT_Icmp_InAddrMaskReps,
	};

	return type < ARRAY_SIZE(in) && in[type] ? in[type] : NET_STATS;
}

static enum net_stat icmp6_in(uint8_t type)
{
	static const uint16_t error[] = { NET_STATS, STAT_Icmp6_InDestUnreachs,
					  STAT_Icmp6_InPktTooBigs, STAT_Icmp6_InTimeExcds,
					  STAT_Icmp6_InParmProblems };

	if (type < ARRAY_SIZE(error))
		return error[type];
	/* 128 to 137 are in the order of the table. */
	if (type >= 128 && type <= 137)
		return (enum net_stat)(STAT_Icmp6_InEchos + type - 128);
	return type == 143 ? STAT_Icmp6_InMLDv2Reports : NET_STATS;
}

void net_count_icmp(bool v6, bool out, uint8_t type)
{
	enum net_stat s = v6 ? icmp6_in(type) : icmp_in(type);

	if (v6)
		net_count(out ? STAT_Icmp6_OutMsgs : STAT_Icmp6_InMsgs);
	else
		net_count(out ? STAT_Icmp_OutMsgs : STAT_Icmp_InMsgs);
	/* What goes out is in the same order as what comes in. */
	if (s != NET_STATS && out)
		s += v6 ? STAT_Icmp6_OutDestUnreachs - STAT_Icmp6_InDestUnreachs
			: STAT_Icmp_OutDestUnreachs - STAT_Icmp_InDestUnreachs;
	if (s != NET_STATS)
		net_count(s);
	this_cpu(net_stats).icmp[v6][out][type]++;
}

uint64_t net_stat_sum(enum net_stat s)
{
	uint64_t sum = 0;
	unsigned cpu;

	for_each_cpu (cpu)
		sum += of_cpu(net_stats, cpu).n[s];
	return sum;
}

uint64_t net_icmp_sum(bool v6, bool out, uint8_t type)
{
	uint64_t sum = 0;
	unsigned cpu;

	for_each_cpu (cpu)
		sum += of_cpu(net_stats, cpu).icmp[v6][out][type];
	return sum;
}

const char *net_stat_group(enum net_stat s)
{
	return rows[s].group;
}

const char *net_stat_name(enum net_stat s)
{
	return rows[s].name;
}
