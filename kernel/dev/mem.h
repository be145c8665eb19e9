#pragma once

/* /dev/null, zero, full, random, urandom (major 1) and kmsg. Boot, once. */
void mem_devices_init(void);
