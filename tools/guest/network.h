/* The machine's network card, where the kernel leaves it to user space, and who answers for names.
 */
#pragma once

#include "machine.h"

/*
 * Sets the card up as the host asks, unless the kernel has (ip=dhcp); loads the modules that the
 * host put in for it. Without `user_net` only what the kernel found out is passed on. Writes
 * /etc/resolv.conf if the root has none, or an empty one. user_net     "ADDRESS/PREFIX GATEWAY
 * DNS", or NULL: no card, or one that is none of ours context      process 1, before the command
 * starts
 */
void network_up(const char *user_net, machine_note *note);
