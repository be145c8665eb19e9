#include "proc/uts.h"

/*
 * The names of the machine: one copy, so that whoever asks after a change sees it. The release
 * begins with the version of the Linux interface that programs may expect, because libc refuses
 * kernels that call themselves too old.
 */

#include <arch/elf.h>

#include "core/spinlock.h"
#include "lib/string.h"

static struct spinlock uts_lock = SPINLOCK(CREDS);
static char names[2][UTS_LEN + 1] = { [UTS_NODENAME] = "(none)", [UTS_DOMAINNAME] = "(none)" };

static const struct kernel_identity identity = {
	.sysname = "Linux",
	.release = "6.6.0-kevlar",
	.version = "#1 SMP Kevlar 0.1",
	.machine = ARCH_UTS_MACHINE,
	.builder = "kevlar@localhost",
};

const struct kernel_identity *kernel_identity(void)
{
	return &identity;
}

void uts_get(enum uts_name which, char out[UTS_LEN + 1])
{
	spin_lock(&uts_lock);
	memcpy(out, names[which], sizeof(names[which]));
	spin_unlock(&uts_lock);
}

void uts_set(enum uts_name which, const char *text, size_t len)
{
	len = MIN(len, (size_t)UTS_LEN);
	spin_lock(&uts_lock);
	memset(names[which], 0, sizeof(names[which]));
	memcpy(names[which], text, len);
	spin_unlock(&uts_lock);
}
