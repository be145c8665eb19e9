/* Boot of the layer, in the order of who needs whom. */

#include "vfs/vfs.h"

#include "vfs/cred.h"
#include "vfs/dentry.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vfs/mount.h"
#include "vfs/walk.h"

void vfs_init(void)
{
	cred_init();
	dcache_init();
	mount_init();
	walk_init();
	fdtable_init();
	file_init();
}
