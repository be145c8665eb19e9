#pragma once

struct waitq;

/* /dev/null, zero, full, random, urandom (major 1) and kmsg. Boot, once. */
void mem_devices_init(void);

/* Woken when the kernel's log has a new record. */
extern struct waitq kmsg_wait;
