/* socket(2), socket(7), unix(7), send(2), cmsg(3). */
#pragma once

#include <stdint.h>

#include "abi/fcntl.h"

#define AF_UNSPEC  0
#define AF_UNIX    1
#define AF_LOCAL   1
#define AF_INET    2
#define AF_INET6   10
#define AF_NETLINK 16
#define AF_BRIDGE  7
#define AF_PACKET  17
#define AF_ALG     38
#define AF_VSOCK   40
#define AF_MAX     46

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_RDM       4
#define SOCK_SEQPACKET 5
#define SOCK_PACKET    10
#define SOCK_TYPE_MASK 0xf
#define SOCK_CLOEXEC   O_CLOEXEC
#define SOCK_NONBLOCK  O_NONBLOCK

#define SHUT_RD   0
#define SHUT_WR   1
#define SHUT_RDWR 2
#define SOMAXCONN 4096

#define SOL_SOCKET  1
#define SOL_IP      0
#define SOL_TCP     6
#define SOL_UDP     17
#define SOL_UDPLITE 136
#define SOL_IPV6    41
#define SOL_ICMPV6  58
#define SOL_RAW     255
#define SOL_PACKET  263
#define SOL_NETLINK 270

#define SO_DEBUG                 1
#define SO_REUSEADDR             2
#define SO_TYPE                  3
#define SO_ERROR                 4
#define SO_DONTROUTE             5
#define SO_BROADCAST             6
#define SO_SNDBUF                7
#define SO_RCVBUF                8
#define SO_KEEPALIVE             9
#define SO_OOBINLINE             10
#define SO_NO_CHECK              11
#define SO_PRIORITY              12
#define SO_LINGER                13
#define SO_BSDCOMPAT             14
#define SO_REUSEPORT             15
#define SO_PASSCRED              16
#define SO_PEERCRED              17
#define SO_RCVLOWAT              18
#define SO_SNDLOWAT              19
#define SO_RCVTIMEO              20
#define SO_SNDTIMEO              21
#define SO_BINDTODEVICE          25
#define SO_ATTACH_FILTER         26
#define SO_DETACH_FILTER         27
#define SO_PEERNAME              28
#define SO_TIMESTAMP             29
#define SO_ACCEPTCONN            30
#define SO_PEERSEC               31
#define SO_SNDBUFFORCE           32
#define SO_RCVBUFFORCE           33
#define SO_PASSSEC               34
#define SO_TIMESTAMPNS           35
#define SO_MARK                  36
#define SO_TIMESTAMPING          37
#define SO_PROTOCOL              38
#define SO_DOMAIN                39
#define SO_RXQ_OVFL              40
#define SO_WIFI_STATUS           41
#define SO_PEEK_OFF              42
#define SO_NOFCS                 43
#define SO_LOCK_FILTER           44
#define SO_SELECT_ERR_QUEUE      45
#define SO_BUSY_POLL             46
#define SO_MAX_PACING_RATE       47
#define SO_BPF_EXTENSIONS        48
#define SO_INCOMING_CPU          49
#define SO_ATTACH_BPF            50
#define SO_ATTACH_REUSEPORT_CBPF 51
#define SO_ATTACH_REUSEPORT_EBPF 52
#define SO_CNX_ADVICE            53
#define SO_MEMINFO               55
#define SO_INCOMING_NAPI_ID      56
#define SO_COOKIE                57
#define SO_PEERGROUPS            59
#define SO_ZEROCOPY              60
#define SO_TXTIME                61
#define SO_BINDTOIFINDEX         62
#define SO_TIMESTAMP_NEW         63
#define SO_TIMESTAMPNS_NEW       64
#define SO_TIMESTAMPING_NEW      65
#define SO_RCVTIMEO_NEW          66
#define SO_SNDTIMEO_NEW          67
#define SO_PREFER_BUSY_POLL      69
#define SO_BUSY_POLL_BUDGET      70
#define SO_NETNS_COOKIE          71
#define SO_BUF_LOCK              72
#define SO_RESERVE_MEM           73
#define SO_TXREHASH              74
#define SO_RCVMARK               75

#define MSG_OOB          0x1
#define MSG_PEEK         0x2
#define MSG_DONTROUTE    0x4
#define MSG_CTRUNC       0x8
#define MSG_TRUNC        0x20
#define MSG_DONTWAIT     0x40
#define MSG_EOR          0x80
#define MSG_WAITALL      0x100
#define MSG_CONFIRM      0x800
#define MSG_ERRQUEUE     0x2000
#define MSG_NOSIGNAL     0x4000
#define MSG_MORE         0x8000
#define MSG_WAITFORONE   0x10000
#define MSG_ZEROCOPY     0x4000000
#define MSG_FASTOPEN     0x20000000
#define MSG_CMSG_CLOEXEC 0x40000000
#define MSG_CMSG_COMPAT  0x80000000u /* of 32-bit programs */

#define SCM_RIGHTS      0x01
#define SCM_CREDENTIALS 0x02
#define SCM_MAX_FD      253

#define UNIX_PATH_MAX 108

struct abi_sockaddr {
	uint16_t sa_family;
	uint8_t sa_data[14];
};

struct abi_sockaddr_storage {
	uint16_t ss_family;
	uint8_t __pad0[6];
	uint64_t __data[15];
};

struct abi_sockaddr_un {
	uint16_t sun_family;
	char sun_path[UNIX_PATH_MAX];
};

/* SO_TIMESTAMPING */
enum {
	SOF_TIMESTAMPING_TX_HARDWARE = 1,
	SOF_TIMESTAMPING_TX_SOFTWARE = 2,
	SOF_TIMESTAMPING_RX_HARDWARE = 4,
	SOF_TIMESTAMPING_RX_SOFTWARE = 8,
	SOF_TIMESTAMPING_SOFTWARE = 16,
	SOF_TIMESTAMPING_SYS_HARDWARE = 32,
	SOF_TIMESTAMPING_RAW_HARDWARE = 64,
	SOF_TIMESTAMPING_OPT_ID = 128,
	SOF_TIMESTAMPING_TX_SCHED = 256,
	SOF_TIMESTAMPING_TX_ACK = 512,
	SOF_TIMESTAMPING_OPT_CMSG = 1024,
	SOF_TIMESTAMPING_OPT_TSONLY = 2048,
	SOF_TIMESTAMPING_OPT_STATS = 4096,
	SOF_TIMESTAMPING_OPT_PKTINFO = 8192,
	SOF_TIMESTAMPING_OPT_TX_SWHW = 16384,
	SOF_TIMESTAMPING_BIND_PHC = 32768,
};

struct abi_so_timestamping {
	int32_t flags, bind_phc;
};

struct abi_sock_txtime {
	int32_t clockid;
	uint32_t flags;
};
enum { SOF_TXTIME_DEADLINE_MODE = 1, SOF_TXTIME_REPORT_ERRORS = 2 };

enum { SOCK_SNDBUF_LOCK = 1, SOCK_RCVBUF_LOCK = 2 };
enum { SCM_TSTAMP_SND = 0, SCM_TSTAMP_SCHED = 1, SCM_TSTAMP_ACK = 2 };

struct abi_linger {
	int32_t l_onoff;
	int32_t l_linger; /* seconds */
};

struct abi_ucred {
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
};

struct abi_msghdr {
	uint64_t msg_name;
	int32_t msg_namelen;
	uint64_t msg_iov;
	uint64_t msg_iovlen;
	uint64_t msg_control;
	uint64_t msg_controllen;
	uint32_t msg_flags;
};

struct abi_mmsghdr {
	struct abi_msghdr msg_hdr;
	uint32_t msg_len;
};

/* Followed by its data; the next header begins at a multiple of 8. */
struct abi_cmsghdr {
	uint64_t cmsg_len; /* header and data */
	int32_t cmsg_level;
	int32_t cmsg_type;
};
