#pragma once

/* signalfd(2): pending signals of the reader as a file. */

#include "lib/types.h"

struct file;

MUST_CHECK int signalfd_open(uint64_t mask, unsigned oflags, struct file **out);

/* Replaces the set of an existing one. -EINVAL: f is none. */
MUST_CHECK int signalfd_set_mask(struct file *f, uint64_t mask);
