#pragma once

#include "lib/types.h"

/* Bits set in v. Called by compiled code, under the name that libgcc gives it. */
int __popcountdi2(int64_t v);
