/*
 * With ip=dhcp the kernel has set the card up before process 1 starts, and says in /proc/net/pnp
 * what it learned. Debian's Linux has neither that nor the driver built in: there the modules are
 * loaded and the user network's addresses, which are always the same, are set by hand.
 */
#include "network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MODULES     "/.kevlar/modules"
#define RESOLV_CONF "/etc/resolv.conf"
#define LEARNED     "/proc/net/pnp"

enum { CARDS = 16 }; /* interface numbers looked at */

static void load_modules(machine_note *note)
{
	struct dirent **names;
	int n = scandir(MODULES, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[512];
		int fd;

		snprintf(path, sizeof path, "%s/%s", MODULES, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && (fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
			if (syscall(SYS_finit_module, fd, "", 0))
				note(path, strerror(errno));
			close(fd);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

/* Finds the first interface that is not a loopback; fills in its name. */
static bool find_card(int fd, struct ifreq *ifr)
{
	for (int i = 1; i < CARDS; i++) {
		*ifr = (struct ifreq){ .ifr_ifindex = i };
		if (ioctl(fd, SIOCGIFNAME, ifr) || ioctl(fd, SIOCGIFFLAGS, ifr))
			continue;
		if (!(ifr->ifr_flags & IFF_LOOPBACK))
			return true;
	}
	return false;
}

static struct sockaddr inet(in_addr_t addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = addr };
	struct sockaddr sa;

	memcpy(&sa, &in, sizeof sa);
	return sa;
}

/* The addresses of "ADDRESS/PREFIX GATEWAY DNS"; `dns` stays text. */
static bool parse(const char *user_net, in_addr_t *addr, in_addr_t *mask, in_addr_t *gateway,
		  char dns[64])
{
	char a[64], g[64];
	unsigned prefix;

	if (sscanf(user_net, "%63[^/]/%u %63s %63s", a, &prefix, g, dns) != 4 || prefix < 1 ||
	    prefix > 32)
		return false;
	*addr = inet_addr(a);
	*mask = htonl(~0U << (32 - prefix));
	*gateway = inet_addr(g);
	return true;
}

static int configure(int fd, struct ifreq *ifr, in_addr_t addr, in_addr_t mask, in_addr_t gateway)
{
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY, .rt_gateway = inet(gateway) };

	route.rt_dst = route.rt_genmask = inet(INADDR_ANY);
	ifr->ifr_addr = inet(addr);
	if (ioctl(fd, SIOCSIFADDR, ifr))
		return -1;
	ifr->ifr_netmask = inet(mask);
	if (ioctl(fd, SIOCSIFNETMASK, ifr) || ioctl(fd, SIOCGIFFLAGS, ifr))
		return -1;
	ifr->ifr_flags = (short)(ifr->ifr_flags | IFF_UP | IFF_RUNNING);
	return ioctl(fd, SIOCSIFFLAGS, ifr) || ioctl(fd, SIOCADDRT, &route) ? -1 : 0;
}

/* True if there is a card with an address, by the kernel or by us. */
static bool card_up(const char *user_net, char dns[64], machine_note *note)
{
	in_addr_t addr, mask, gateway;
	struct ifreq ifr;
	bool is_up = false;
	int fd;

	if (!parse(user_net, &addr, &mask, &gateway, dns))
		return false;
	load_modules(note);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		note("network", strerror(errno));
		return false;
	}
	if (!find_card(fd, &ifr))
		note("network", "no card");
	else if (ioctl(fd, SIOCGIFADDR, &ifr) == 0 || !configure(fd, &ifr, addr, mask, gateway))
		is_up = true;
	else
		note("network", strerror(errno));
	close(fd);
	return is_up;
}

/* The lines of what the kernel learned that mean something in a resolv.conf. */
static size_t learned_names(char *text, size_t size)
{
	FILE *f = fopen(LEARNED, "re");
	char line[256], word[256];
	size_t n = 0;

	text[0] = '\0';
	if (!f)
		return 0;
	while (fgets(line, sizeof line, f)) {
		bool is_wanted = sscanf(line, "nameserver %255s", word) == 1 ||
				 sscanf(line, "domain %255s", word) == 1;

		if (is_wanted && strcmp(word, "0.0.0.0") != 0 && n + strlen(line) < size)
			n += (size_t)sprintf(text + n, "%s", line);
	}
	fclose(f);
	return n;
}

static void name_servers(const char *dns, machine_note *note)
{
	char text[1024];
	size_t n = learned_names(text, sizeof text);
	struct stat st;
	int fd;

	if (n == 0 && dns)
		n = (size_t)snprintf(text, sizeof text, "nameserver %s\n", dns);
	if (n == 0 || (stat(RESOLV_CONF, &st) == 0 && st.st_size > 0))
		return;
	mkdir("/etc", 0755);
	unlink(RESOLV_CONF); /* empty, or a link to what is not there */
	fd = open(RESOLV_CONF, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, n) != (ssize_t)n)
		note(RESOLV_CONF, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void network_up(const char *user_net, machine_note *note)
{
	char dns[64] = "";
	bool is_up = user_net && card_up(user_net, dns, note);

	name_servers(is_up ? dns : NULL, note);
}
