/* ioctl(2): how request numbers are made; those of terminals, files and block devices. */
#pragma once

#include <stdint.h>

/* A request: direction << 30 | size of the argument << 16 | type << 8 | number */
#define _IOC_NRSHIFT   0
#define _IOC_TYPESHIFT 8
#define _IOC_SIZESHIFT 16
#define _IOC_DIRSHIFT  30
#define _IOC_NONE      0U
#define _IOC_WRITE     1U
#define _IOC_READ      2U
#define _IOC(dir, type, nr, size)                                      \
	((dir) << _IOC_DIRSHIFT | (unsigned)(type) << _IOC_TYPESHIFT | \
	 (unsigned)(nr) << _IOC_NRSHIFT | (unsigned)(size) << _IOC_SIZESHIFT)
#define _IO(type, nr)            _IOC(_IOC_NONE, type, nr, 0)
#define _IOR(type, nr, argtype)  _IOC(_IOC_READ, type, nr, sizeof(argtype))
#define _IOW(type, nr, argtype)  _IOC(_IOC_WRITE, type, nr, sizeof(argtype))
#define _IOWR(type, nr, argtype) _IOC(_IOC_READ | _IOC_WRITE, type, nr, sizeof(argtype))
#define _IOC_DIR(req)            ((req) >> _IOC_DIRSHIFT & 3)
#define _IOC_TYPE(req)           ((req) >> _IOC_TYPESHIFT & 0xff)
#define _IOC_NR(req)             ((req) >> _IOC_NRSHIFT & 0xff)
#define _IOC_SIZE(req)           ((req) >> _IOC_SIZESHIFT & 0x3fff)

/* ioctl_tty(2) */
#define TCGETS       0x5401
#define TCSETS       0x5402
#define TCSETSW      0x5403
#define TCSETSF      0x5404
#define TCGETA       0x5405
#define TCSETA       0x5406
#define TCSETAW      0x5407
#define TCSETAF      0x5408
#define TCSBRK       0x5409
#define TCXONC       0x540A
#define TCFLSH       0x540B
#define TIOCEXCL     0x540C
#define TIOCNXCL     0x540D
#define TIOCSCTTY    0x540E
#define TIOCGPGRP    0x540F
#define TIOCSPGRP    0x5410
#define TIOCOUTQ     0x5411
#define TIOCSTI      0x5412
#define TIOCGWINSZ   0x5413
#define TIOCSWINSZ   0x5414
#define TIOCMGET     0x5415
#define TIOCMBIS     0x5416
#define TIOCMBIC     0x5417
#define TIOCMSET     0x5418
#define TIOCGSOFTCAR 0x5419
#define TIOCSSOFTCAR 0x541A
#define FIONREAD     0x541B
#define TIOCINQ      FIONREAD
#define TIOCLINUX    0x541C
#define TIOCCONS     0x541D
#define TIOCGSERIAL  0x541E
#define TIOCSSERIAL  0x541F
#define TIOCPKT      0x5420
#define FIONBIO      0x5421
#define TIOCNOTTY    0x5422
#define TIOCSETD     0x5423
#define TIOCGETD     0x5424
#define TCSBRKP      0x5425
#define TIOCSBRK     0x5427
#define TIOCCBRK     0x5428
#define TIOCGSID     0x5429
#define TCGETS2      0x802C542A /* 2: struct abi_termios2 */
#define TCSETS2      0x402C542B
#define TCSETSW2     0x402C542C
#define TCSETSF2     0x402C542D
#define TIOCGPTN     0x80045430 /* the pty's number */
#define TIOCSPTLCK   0x40045431
#define TIOCGDEV     0x80045432
#define TIOCSIG      0x40045436
#define TIOCVHANGUP  0x5437
#define TIOCGPKT     0x80045438
#define TIOCGPTLCK   0x80045439
#define TIOCGEXCL    0x80045440
#define TIOCGPTPEER  0x5441
#define FIONCLEX     0x5450
#define FIOCLEX      0x5451
#define FIOASYNC     0x5452

#define TIOCGLCKTRMIOS 0x5456
#define TIOCSLCKTRMIOS 0x5457

#define FIOQSIZE 0x5460

#define FIOSETOWN   0x8901
#define SIOCSPGRP   0x8902
#define FIOGETOWN   0x8903
#define SIOCGPGRP   0x8904
#define SIOCATMARK  0x8905
#define SIOCOUTQNSD 0x894B

#define SIOCADDRT          0x890B
#define SIOCDELRT          0x890C
#define SIOCGIFNAME        0x8910
#define SIOCSIFLINK        0x8911
#define SIOCGIFCONF        0x8912
#define SIOCGIFFLAGS       0x8913
#define SIOCSIFFLAGS       0x8914
#define SIOCGIFADDR        0x8915
#define SIOCSIFADDR        0x8916
#define SIOCGIFDSTADDR     0x8917
#define SIOCSIFDSTADDR     0x8918
#define SIOCGIFBRDADDR     0x8919
#define SIOCSIFBRDADDR     0x891a
#define SIOCGIFNETMASK     0x891b
#define SIOCSIFNETMASK     0x891c
#define SIOCGIFMETRIC      0x891d
#define SIOCSIFMETRIC      0x891e
#define SIOCGIFMEM         0x891f
#define SIOCSIFMEM         0x8920
#define SIOCGIFMTU         0x8921
#define SIOCSIFMTU         0x8922
#define SIOCSIFNAME        0x8923
#define SIOCSIFHWADDR      0x8924
#define SIOCGIFHWADDR      0x8927
#define SIOCGIFSLAVE       0x8929
#define SIOCADDMULTI       0x8931
#define SIOCDELMULTI       0x8932
#define SIOCGIFINDEX       0x8933
#define SIOCSIFPFLAGS      0x8934
#define SIOCGIFPFLAGS      0x8935
#define SIOCDIFADDR        0x8936
#define SIOCSIFHWBROADCAST 0x8937
#define SIOCGIFTXQLEN      0x8942
#define SIOCSIFTXQLEN      0x8943
#define SIOCETHTOOL        0x8946
#define SIOCDARP           0x8953
#define SIOCGARP           0x8954
#define SIOCSARP           0x8955
#define SIOCGIFMAP         0x8970
#define SIOCSIFMAP         0x8971

#define TIOCM_LE  0x001
#define TIOCM_DTR 0x002
#define TIOCM_RTS 0x004
#define TIOCM_CTS 0x020
#define TIOCM_CAR 0x040
#define TIOCM_RNG 0x080
#define TIOCM_DSR 0x100

#define TIOCPKT_DATA       0
#define TIOCPKT_FLUSHREAD  1
#define TIOCPKT_FLUSHWRITE 2
#define TIOCPKT_STOP       4
#define TIOCPKT_START      8
#define TIOCPKT_NOSTOP     16
#define TIOCPKT_DOSTOP     32
#define TIOCPKT_IOCTL      64

/* block devices and file systems: ioctl_fs(2), blockdev(8) */
#define BLKROSET          0x125D
#define BLKROGET          0x125E
#define BLKRRPART         0x125F
#define BLKGETSIZE        0x1260 /* in sectors of 512 bytes, unsigned long */
#define BLKFLSBUF         0x1261
#define BLKRASET          0x1262
#define BLKRAGET          0x1263
#define BLKSSZGET         0x1268
#define BLKBSZGET         0x80081270
#define BLKBSZSET         0x40081271
#define BLKGETSIZE64      0x80081272
#define BLKDISCARD        0x1277
#define BLKIOMIN          0x1278
#define BLKIOOPT          0x1279
#define BLKALIGNOFF       0x127A
#define BLKPBSZGET        0x127B
#define BLKDISCARDZEROES  0x127C
#define BLKSECDISCARD     0x127D
#define BLKROTATIONAL     0x127E
#define BLKZEROOUT        0x127F
#define HDIO_GETGEO       0x0301
#define FIBMAP            0x0001
#define FIGETBSZ          0x0002
#define FIFREEZE          0xC0045877
#define FITHAW            0xC0045878
#define FITRIM            0xC0185879
#define FICLONE           0x40049409
#define FICLONERANGE      0x4020940D
#define FS_IOC_GETFLAGS   0x80086601
#define FS_IOC_SETFLAGS   0x40086602
#define FS_IOC_GETVERSION 0x80087601
#define FS_IOC_FIEMAP     0xC020660B
#define FS_IOC_FSGETXATTR 0x801C581F
#define FS_IOC_FSSETXATTR 0x401C5820

#define FS_SYNC_FL      0x00000008
#define FS_IMMUTABLE_FL 0x00000010
#define FS_APPEND_FL    0x00000020
#define FS_NODUMP_FL    0x00000040
#define FS_NOATIME_FL   0x00000080
#define FS_DIRSYNC_FL   0x00010000
#define FS_EXTENT_FL    0x00080000

#define FS_XFLAG_IMMUTABLE 0x00000008
#define FS_XFLAG_APPEND    0x00000010
#define FS_XFLAG_NOATIME   0x00000040
#define FS_XFLAG_NODUMP    0x00000080

struct abi_fsxattr {
	uint32_t fsx_xflags;
	uint32_t fsx_extsize;
	uint32_t fsx_nextents;
	uint32_t fsx_projid;
	uint32_t fsx_cowextsize;
	uint8_t fsx_pad[8];
};

/* FICLONERANGE */
struct abi_file_clone_range {
	int64_t src_fd;
	uint64_t src_offset;
	uint64_t src_length;
	uint64_t dest_offset;
};

/* real-time clock: rtc(4) */
struct abi_rtc_time {
	int32_t tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst;
};

#define RTC_RD_TIME  0x80247009
#define RTC_SET_TIME 0x4024700A

/* name spaces: ioctl_ns(2) */
#define NS_GET_USERNS    0xB701
#define NS_GET_PARENT    0xB702
#define NS_GET_NSTYPE    0xB703
#define NS_GET_OWNER_UID 0xB704
