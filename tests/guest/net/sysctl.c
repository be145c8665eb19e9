/* /proc/sys/net: values that can be read and written within limits. Source: proc(5), tcp(7), socket(7). */

#include "inet_test.h"

#include <netinet/tcp.h>

static int put(const char *name, const char *text)
{
	char path[128];
	int fd, ret, err;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY);
	CHECK_OK(fd);
	ret = (int)write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static char *value(const char *name)
{
	static char text[256];
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	strncpy(text, test_slurp(path), sizeof(text) - 1);
	text[strcspn(text, "\n")] = 0;
	return text;
}

TEST(values_have_limits)
{
	static const struct {
		const char *name, *good, *bad[3];
	} row[] = {
		{ "core/somaxconn", "100", { "-1", "x", "99999999999" } },
		{ "core/rmem_default", "4096", { "100", "-5", NULL } },
		{ "core/rmem_max", "100000", { "2000", "", NULL } },
		{ "core/wmem_default", "8192", { "4000", NULL, NULL } },
		{ "core/wmem_max", "100000", { "4000", NULL, NULL } },
		{ "core/optmem_max", "20000", { "x", NULL, NULL } },
		{ "ipv4/conf/lo/forwarding", "1", { "x", NULL, NULL } },
		{ "ipv4/conf/default/forwarding", "1", { "x", NULL, NULL } },
		{ "ipv4/icmp_echo_ignore_all", "1", { "x", NULL, NULL } },
		{ "ipv4/icmp_msgs_burst", "10", { "-1", NULL, NULL } },
		{ "ipv4/icmp_msgs_per_sec", "100", { "-1", NULL, NULL } },
		{ "ipv4/ip_local_port_range", "40000\t50000", { "0 100", "50000 40000", "50000 70000" } },
		{ "ipv4/ip_unprivileged_port_start", "500", { "70000", "-1", NULL } },
		{ "ipv6/icmp/echo_ignore_all", "1", { "x", NULL, NULL } },
		{ "ipv4/ping_group_range", "5\t70", { "-1 0", "x", NULL } },
		{ "ipv6/conf/default/accept_ra", "0", { "x", NULL, NULL } },
		{ "ipv6/conf/all/dad_transmits", "2", { "x", NULL, NULL } },
		{ "ipv6/conf/lo/accept_dad", "0", { "x", NULL, NULL } },
		{ "ipv4/tcp_abort_on_overflow", "1", { "-1", "256", NULL } },
		{ "ipv4/tcp_ecn", "1", { "3", "-1", NULL } },
		{ "ipv4/tcp_keepalive_probes", "5", { "256", "-1", NULL } },
		{ "ipv4/tcp_keepalive_time", "100", { "x", NULL, NULL } },
		{ "ipv4/tcp_keepalive_intvl", "10", { "1x", NULL, NULL } },
		{ "ipv4/tcp_fin_timeout", "30", { "x", NULL, NULL } },
		{ "ipv4/tcp_retries2", "8", { "256", "-1", NULL } },
		{ "ipv4/tcp_syn_retries", "3", { "0", "128", "-1" } },
		{ "ipv4/tcp_synack_retries", "3", { "256", "-1", NULL } },
		{ "ipv4/tcp_syncookies", "2", { "256", "-1", NULL } },
		{ "ipv4/tcp_timestamps", "0", { "256", "-1", NULL } },
		{ "ipv4/tcp_sack", "0", { "256", "-1", NULL } },
		{ "ipv4/tcp_window_scaling", "0", { "256", "-1", NULL } },
		{ "ipv4/tcp_tw_reuse", "1", { "3", "-1", NULL } },
		{ "ipv4/tcp_rmem", "4096\t100000\t2000000", { "0 1 2", "x", "-4" } },
		{ "ipv4/tcp_wmem", "4096\t20000\t2000000", { "0 1 2", "x", "-4" } },
		{ "ipv4/tcp_mem", "1000\t2000\t3000", { "x", "-1", NULL } },
		{ "ipv4/tcp_notsent_lowat", "100000", { "-1", "4294967296", NULL } },
		{ "ipv4/tcp_congestion_control", "reno", { "vegas!", NULL, NULL } },
		{ "unix/max_dgram_qlen", "20", { "x", NULL, NULL } },
	};

	if (!test_is_root())
		test_skip("needs root");
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char *old = strdup(value(row[i].name));

		if (put(row[i].name, row[i].good) != (int)strlen(row[i].good))
			FAIL("%s does not take %s: %s", row[i].name, row[i].good, strerrorname_np(errno));
		CHECK_STR(value(row[i].name), row[i].good);
		for (int k = 0; k < 3 && row[i].bad[k]; k++) {
			if (!row[i].bad[k][0])
				continue;
			if (put(row[i].name, row[i].bad[k]) != -1)
				FAIL("%s takes %s", row[i].name, row[i].bad[k]);
			if (errno != EINVAL && errno != ENOENT)
				FAIL("%s with %s: %s", row[i].name, row[i].bad[k], strerrorname_np(errno));
		}
		CHECK_STR(value(row[i].name), row[i].good);
		CHECK(put(row[i].name, old) > 0);
		CHECK_STR(value(row[i].name), old);
		free(old);
	}
}

TEST(several_values_may_be_set_in_part)
{
	char *old;

	if (!test_is_root())
		test_skip("needs root");
	old = strdup(value("ipv4/tcp_rmem"));
	CHECK(put("ipv4/tcp_rmem", "5000 6000 7000") > 0);
	CHECK(put("ipv4/tcp_rmem", "5555") > 0);
	CHECK_STR(value("ipv4/tcp_rmem"), "5555\t6000\t7000");
	CHECK(put("ipv4/tcp_rmem", old) > 0);
}

TEST(congestion_control_is_what_new_sockets_have)
{
	char name[16] = "";
	socklen_t len = sizeof(name);
	int fd;

	if (!test_is_root())
		test_skip("needs root");
	CHECK(strstr(value("ipv4/tcp_available_congestion_control"), "cubic") != NULL);
	CHECK_EQ(put("ipv4/tcp_congestion_control", "reno\n"), 5);
	CHECK_OK(fd = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	CHECK_STR(name, "reno");
	CHECK_EQ(put("ipv4/tcp_congestion_control", "cubic"), 5);
}

TEST(buffer_defaults_are_what_new_sockets_have)
{
	int fd, v = 0;
	socklen_t len = sizeof(v);
	char *old;

	if (!test_is_root())
		test_skip("needs root");
	old = strdup(value("ipv4/tcp_rmem"));
	CHECK(put("ipv4/tcp_rmem", "4096 50000 6000000") > 0);
	CHECK_OK(fd = socket(AF_INET, SOCK_STREAM, 0));
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, &len));
	CHECK_EQ(v, 50000);
	CHECK(put("ipv4/tcp_rmem", old) > 0);
}

static int write_as_nobody(void *arg)
{
	(void)arg;
	if (setgid(65534) || setuid(65534))
		return 1;
	if (open("/proc/sys/net/core/somaxconn", O_RDONLY) < 0)
		return 2;
	return open("/proc/sys/net/core/somaxconn", O_WRONLY) == -1 && errno == EACCES ? 0 : 3;
}

TEST(values_are_roots_to_set)
{
	if (!test_is_root())
		test_skip("needs root");
	test_wait_exit(test_fork(write_as_nobody, NULL), 0);
}

TEST(ports_come_from_the_range)
{
	struct name n = name4("127.0.0.1", 0), own;
	char *old;
	int fd;

	if (!test_is_root())
		test_skip("needs root");
	lo_up();
	old = strdup(value("ipv4/ip_local_port_range"));
	CHECK(put("ipv4/ip_local_port_range", "45000 45010") > 0);
	for (int i = 0; i < 5; i++) {
		CHECK_OK(fd = socket(AF_INET, SOCK_DGRAM, 0));
		CHECK_OK(bind(fd, &n.a, n.len));
		own = local_name(fd);
		CHECK(ntohs(own.in.sin_port) >= 45000 && ntohs(own.in.sin_port) <= 45010);
	}
	CHECK(put("ipv4/ip_local_port_range", old) > 0);
}

TEST(snmp_says_whether_packets_are_forwarded)
{
	char *old, *line;

	if (!test_is_root())
		test_skip("needs root");
	old = strdup(value("ipv4/conf/all/forwarding"));
	for (int on = 0; on < 2; on++) {
		CHECK(put("ipv4/conf/all/forwarding", on ? "1" : "0") > 0);
		CHECK_STR(value("ipv4/ip_forward"), on ? "1" : "0");
		CHECK_STR(value("ipv4/conf/lo/forwarding"), on ? "1" : "0");
		CHECK_STR(value("ipv4/conf/default/forwarding"), on ? "1" : "0");
		line = strchr(test_slurp("/proc/net/snmp"), '\n');
		CHECK(line && strncmp(line + 1, on ? "Ip: 1 64 " : "Ip: 2 64 ", 9) == 0);
	}
	CHECK(put("ipv4/conf/all/forwarding", old) > 0);
}
