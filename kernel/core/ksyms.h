#pragma once

/*
 * Names of the kernel's functions, for backtraces. tools/mksyms makes the tables from a first link
 * of the image; they lie behind the text, so the second link leaves every address as it was.
 */

#include "lib/types.h"

/* The function that addr lies in, and how far; NULL: none, or no tables. Any context. */
const char *ksym_find(kaddr_t addr, size_t *offset);
