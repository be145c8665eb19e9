#pragma once

/*
 * The kernel command line. Options have Linux's names; repeated list options add up (`ktrace=a
 * ktrace=b` is `ktrace=a,b`). Everything after "--", and options nobody claims, go to init:
 * "name=value" into its environment, plain words into its arguments.
 */

#include "lib/types.h"

enum { CMDLINE_MAX = 4096 };

void cmdline_init(const char *text);
const char *cmdline_text(void); /* as given, for /proc/cmdline */

/*
 * The last value of `name=`; NULL when it is not there. Claims the option. "name" alone gives "".
 */
const char *cmdline_get(const char *name);

/* All values of a list option, joined by commas, into buf. Returns the length; 0 when absent. */
size_t cmdline_get_list(const char *name, char *buf, size_t size);

/* True when the bare word is there (`quiet`, `ro`). Claims it. */
bool cmdline_has(const char *word);

/* Numbers: `fallback` when absent; a wrong value is named in one log line and ignored. */
int64_t cmdline_int(const char *name, int64_t fallback);
uint64_t cmdline_size(const char *name, uint64_t fallback);

/*
 * What nobody claimed, for init: pointers into static storage, NULL-terminated.
 *   argv, envp   at most `max` entries each, the terminator included
 */
void cmdline_for_init(const char **argv, const char **envp, unsigned max);
