/* memfd_create(2). */

#include "abi/memfd.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "fs/tmpfs/tmpfs.h"
#include "sys/syscalls.h"
#include "vfs/fdtable.h"
#include "vm/usercopy.h"

int64_t sys_memfd_create(uaddr_t uname, uint32_t flags)
{
	char name[MFD_NAME_MAX + 1];
	struct file *f;
	ssize64_t n;
	int err, fd;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL; /* no huge pages here; MFD_NOEXEC_SEAL and MFD_EXEC came after 6.1
				 */
	n = strncpy_from_user(name, uname, sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	if ((err = tmpfs_open_memfd(name, flags & MFD_ALLOW_SEALING, O_RDWR | O_LARGEFILE, &f)))
		return err;
	if ((fd = fd_add(f, flags & MFD_CLOEXEC)) < 0)
		file_put(f);
	return fd;
}
