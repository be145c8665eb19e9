/* uname(2). */
#pragma once

#define __NEW_UTS_LEN 64

struct abi_utsname {
	char sysname[65];
	char nodename[65];
	char release[65];
	char version[65];
	char machine[65];
	char domainname[65];
};
