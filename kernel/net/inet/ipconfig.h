#pragma once

/*
 * `ip=` on the kernel's command line: addresses, a default route, name servers and a host name,
 * given or asked for by DHCP, before process 1 runs.
 *   source       ip=client:server:gateway:netmask:host:device:method:dns0:dns1:ntp0
 */

#include "lib/types.h"

struct textbuf;

/* Boot, in a thread: begins, beside what else there is to do. */
void ipconfig_start(void);
/* Waits until it is done. The host name that was given or told, "" for none. */
const char *ipconfig_finish(void);

/* What /proc/net/pnp says, as resolv.conf(5) has it. */
void ipconfig_show(struct textbuf *t);
