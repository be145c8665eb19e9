#include "sys/syscalls.h"

/* ioperm(2) and iopl(2): I/O ports for programs, where the machine has any. */

#include <arch/io.h>

#include "abi/capability.h"
#include "abi/errno.h"
#include "vfs/cred.h"

#if ARCH_HAS_PORTS

int64_t sys_ioperm(uint64_t from, uint64_t num, int32_t turn_on)
{
	if (num == 0 || num > ARCH_IO_PORTS || from > ARCH_IO_PORTS - num)
		return -EINVAL;
	if (turn_on && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	return arch_ioperm((unsigned)from, (unsigned)num, turn_on != 0);
}

int64_t sys_iopl(uint32_t level)
{
	if (level > 3)
		return -EINVAL;
	if (level > arch_iopl() && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	arch_iopl_set(level);
	return 0;
}

#endif
