#pragma once

/* copy.S. Ranges are checked by the caller; the result is the number of bytes not done. */

#include "lib/types.h"

size_t x86_copy_user(void *dst, const void *src, size_t n);
size_t x86_clear_user(void *dst, size_t n);
