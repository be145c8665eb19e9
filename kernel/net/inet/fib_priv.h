#pragma once

/* Between fib.c and fib_lookup.c. */

#include "net/inet/fib.h"

/* Made with its first route, never destroyed. */
struct fib_table {
	struct fib_table *next; /* of the bucket */
	uint32_t id;
	struct route_table t[2]; /* [1]: IPv4 */
};

extern struct fib_table fib_local, fib_main, fib_defaults;
struct fib_table *fib_find_table(uint32_t id); /* NULL: none; epoch or net_config_lock */
