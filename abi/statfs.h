/* statfs(2). */
#pragma once

#include <stdint.h>

#define ANON_INODE_FS_MAGIC   0x09041934
#define CGROUP2_SUPER_MAGIC   0x63677270
#define DEVPTS_SUPER_MAGIC    0x1cd1
#define EXT4_SUPER_MAGIC      0xEF53
#define ISOFS_SUPER_MAGIC     0x9660
#define MSDOS_SUPER_MAGIC     0x4d44
#define NSFS_MAGIC            0x6e736673
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define PIPEFS_MAGIC          0x50495045
#define PROC_SUPER_MAGIC      0x9fa0
#define RAMFS_MAGIC           0x858458f6
#define SECURITYFS_MAGIC      0x73636673
#define SOCKFS_MAGIC          0x534F434B
#define SYSFS_MAGIC           0x62656572
#define TMPFS_MAGIC           0x01021994
#define TRACEFS_MAGIC         0x74726163
#define V9FS_MAGIC            0x01021997
#define FUSE_SUPER_MAGIC      0x65735546
#define DEBUGFS_MAGIC         0x64626720
#define MQUEUE_MAGIC          0x19800202
#define PID_FS_MAGIC          0x50494446

#define ST_RDONLY      0x0001
#define ST_NOSUID      0x0002
#define ST_NODEV       0x0004
#define ST_NOEXEC      0x0008
#define ST_SYNCHRONOUS 0x0010
#define ST_VALID       0x0020 /* f_flags is filled in; libc hides this bit */
#define ST_MANDLOCK    0x0040
#define ST_NOATIME     0x0400
#define ST_NODIRATIME  0x0800
#define ST_RELATIME    0x1000

struct abi_fsid {
	int32_t val[2];
};

/* ustat(2) */
struct abi_ustat {
	int32_t f_tfree;
	int32_t __pad;
	uint64_t f_tinode;
	char f_fname[6];
	char f_fpack[6];
};

struct abi_statfs {
	int64_t f_type;
	int64_t f_bsize;
	int64_t f_blocks;
	int64_t f_bfree;
	int64_t f_bavail;
	int64_t f_files;
	int64_t f_ffree;
	struct abi_fsid f_fsid;
	int64_t f_namelen;
	int64_t f_frsize;
	int64_t f_flags;
	int64_t f_spare[4];
};
