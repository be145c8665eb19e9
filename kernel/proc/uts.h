#pragma once

/* What uname(2) says: the kernel's identity, which is fixed, and the names that can be set. */

#include "lib/types.h"

enum { UTS_LEN = 64 };
enum uts_name { UTS_NODENAME, UTS_DOMAINNAME };

struct kernel_identity {
	const char *sysname, *release, *version, *machine, *builder;
};
const struct kernel_identity *kernel_identity(void);

/* Copies a name with its NUL. */
void uts_get(enum uts_name which, char out[UTS_LEN + 1]);
/* Sets a name; longer ones are cut. */
void uts_set(enum uts_name which, const char *text, size_t len);
