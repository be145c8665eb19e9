/* The value of system.posix_acl_access and system.posix_acl_default: a header, then entries. acl(5). */
#pragma once

#include <stdint.h>

#define POSIX_ACL_XATTR_VERSION 2

#define ACL_UNDEFINED_ID (-1)

#define ACL_USER_OBJ  0x01
#define ACL_USER      0x02
#define ACL_GROUP_OBJ 0x04
#define ACL_GROUP     0x08
#define ACL_MASK      0x10
#define ACL_OTHER     0x20

struct abi_acl_header {
	uint32_t a_version;
};

struct abi_acl_entry {
	uint16_t e_tag;
	uint16_t e_perm; /* read 4, write 2, execute 1 */
	uint32_t e_id;
};
