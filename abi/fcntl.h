/* open(2), openat2(2), fcntl(2), access(2), fallocate(2), posix_fadvise(2), the AT_ flags. */
#pragma once

#include <stdint.h>

#if defined(__x86_64__)
#include "abi/x86_64/fcntl.h"
#endif

#define O_ACCMODE   00000003
#define O_RDONLY    00000000
#define O_WRONLY    00000001
#define O_RDWR      00000002
#define O_CREAT     00000100
#define O_EXCL      00000200
#define O_NOCTTY    00000400
#define O_TRUNC     00001000
#define O_APPEND    00002000
#define O_NONBLOCK  00004000
#define O_NDELAY    O_NONBLOCK
#define O_DSYNC     00010000
#define FASYNC      00020000
#define O_ASYNC     FASYNC
#define O_NOATIME   01000000
#define O_CLOEXEC   02000000
#define __O_SYNC    04000000
#define O_SYNC      (__O_SYNC | O_DSYNC)
#define O_PATH      010000000
#define __O_TMPFILE 020000000
#define O_TMPFILE   (__O_TMPFILE | O_DIRECTORY)

#define F_DUPFD            0
#define F_GETFD            1
#define F_SETFD            2
#define F_GETFL            3
#define F_SETFL            4
#define F_GETLK            5
#define F_SETLK            6
#define F_SETLKW           7
#define F_SETOWN           8
#define F_GETOWN           9
#define F_SETSIG           10
#define F_GETSIG           11
#define F_SETOWN_EX        15
#define F_GETOWN_EX        16
#define F_GETOWNER_UIDS    17
#define F_OFD_GETLK        36
#define F_OFD_SETLK        37
#define F_OFD_SETLKW       38
#define F_SETLEASE         1024
#define F_GETLEASE         1025
#define F_NOTIFY           1026
#define F_CANCELLK         1029
#define F_DUPFD_CLOEXEC    1030
#define F_SETPIPE_SZ       1031
#define F_GETPIPE_SZ       1032
#define F_ADD_SEALS        1033
#define F_GET_SEALS        1034
#define F_GET_RW_HINT      1035
#define F_SET_RW_HINT      1036
#define F_GET_FILE_RW_HINT 1037
#define F_SET_FILE_RW_HINT 1038

#define RWH_WRITE_LIFE_EXTREME 5 /* the largest hint */

#define FD_CLOEXEC 1

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2

#define F_OWNER_TID  0
#define F_OWNER_PID  1
#define F_OWNER_PGRP 2

#define F_SEAL_SEAL         0x0001
#define F_SEAL_SHRINK       0x0002
#define F_SEAL_GROW         0x0004
#define F_SEAL_WRITE        0x0008
#define F_SEAL_FUTURE_WRITE 0x0010
#define F_SEAL_EXEC         0x0020

#define DN_ACCESS    0x00000001
#define DN_MODIFY    0x00000002
#define DN_CREATE    0x00000004
#define DN_DELETE    0x00000008
#define DN_RENAME    0x00000010
#define DN_ATTRIB    0x00000020
#define DN_MULTISHOT 0x80000000

/* flock(2) */
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
#define LOCK_MAND 32

/* access(2), lseek(2) */
#define F_OK      0
#define X_OK      1
#define W_OK      2
#define R_OK      4
#define SEEK_SET  0
#define SEEK_CUR  1
#define SEEK_END  2
#define SEEK_DATA 3
#define SEEK_HOLE 4

#define AT_FDCWD              (-100)
#define AT_SYMLINK_NOFOLLOW   0x100
#define AT_EACCESS            0x200
#define AT_REMOVEDIR          0x200
#define AT_HANDLE_FID         0x200
#define AT_SYMLINK_FOLLOW     0x400
#define AT_NO_AUTOMOUNT       0x800
#define AT_EMPTY_PATH         0x1000
#define AT_STATX_SYNC_TYPE    0x6000
#define AT_STATX_SYNC_AS_STAT 0x0000
#define AT_STATX_FORCE_SYNC   0x2000
#define AT_STATX_DONT_SYNC    0x4000
#define AT_RECURSIVE          0x8000

/* renameat2(2) */
#define RENAME_NOREPLACE (1 << 0)
#define RENAME_EXCHANGE  (1 << 1)
#define RENAME_WHITEOUT  (1 << 2)

/* fallocate(2) */
#define FALLOC_FL_KEEP_SIZE      0x01
#define FALLOC_FL_PUNCH_HOLE     0x02
#define FALLOC_FL_COLLAPSE_RANGE 0x08
#define FALLOC_FL_ZERO_RANGE     0x10
#define FALLOC_FL_INSERT_RANGE   0x20
#define FALLOC_FL_UNSHARE_RANGE  0x40

/* posix_fadvise(2) */
#define POSIX_FADV_NORMAL     0
#define POSIX_FADV_RANDOM     1
#define POSIX_FADV_SEQUENTIAL 2
#define POSIX_FADV_WILLNEED   3
#define POSIX_FADV_DONTNEED   4
#define POSIX_FADV_NOREUSE    5

/* sync_file_range(2) */
#define SYNC_FILE_RANGE_WAIT_BEFORE 1
#define SYNC_FILE_RANGE_WRITE       2
#define SYNC_FILE_RANGE_WAIT_AFTER  4

/* splice(2), tee(2), vmsplice(2) */
#define SPLICE_F_MOVE     1
#define SPLICE_F_NONBLOCK 2
#define SPLICE_F_MORE     4
#define SPLICE_F_GIFT     8

/* openat2(2) */
#define RESOLVE_NO_XDEV       0x01
#define RESOLVE_NO_MAGICLINKS 0x02
#define RESOLVE_NO_SYMLINKS   0x04
#define RESOLVE_BENEATH       0x08
#define RESOLVE_IN_ROOT       0x10
#define RESOLVE_CACHED        0x20
#define OPEN_HOW_SIZE_VER0    24

/* close_range(2) */
#define CLOSE_RANGE_UNSHARE (1U << 1)
#define CLOSE_RANGE_CLOEXEC (1U << 2)

/* name_to_handle_at(2) */
#define MAX_HANDLE_SZ 128

struct abi_flock {
	int16_t l_type;
	int16_t l_whence;
	int64_t l_start;
	int64_t l_len;
	int32_t l_pid;
};

struct abi_f_owner_ex {
	int32_t type;
	int32_t pid;
};

struct abi_open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};

struct abi_file_handle {
	uint32_t handle_bytes;
	int32_t handle_type;
	uint8_t f_handle[];
};
