// sources: kernel/vfs/acl.c kernel/lib/strutil.c
/*
 * Access control lists as extended attributes: any bytes as a value, on files and directories, between changes of the mode
 * and files that inherit; memory may run out. Checked: what was taken reads back the same, apart from ids that mean
 * nothing; the mode and the list say the same; nothing is left over.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "abi/acl.h"
#include "abi/errno.h"
#include "abi/stat.h"
#include "abi/xattr.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "pmm/slab.h"
#include "vfs/acl.h"
#include "vfs/cred.h"
#include "vfs/inode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 4096 };

static void require(bool c)
{
	if (!c)
		abort();
}

/* --- what is below --- */

static unsigned fail_in;

void *kmalloc(size_t n)
{
	return fail_in && --fail_in == 0 ? NULL : malloc(n);
}
void kfree(void *p)
{
	free(p);
}
void epoch_free(struct epoch_head *h, void (*fn)(struct epoch_head *h))
{
	fn(h);
}
nsec_t clock_real(void)
{
	return 1;
}
static struct cred who;
struct cred root_cred;
struct thread *arch_curthread(void);
struct thread *arch_curthread(void)
{
	static struct thread me = { .cred = &who };

	return &me;
}
bool cred_in_group(const struct cred *c, uint32_t gid)
{
	(void)c;
	return gid & 1;
}
bool inode_owner_or_capable(const struct cred *c, const struct inode *i)
{
	(void)c, (void)i;
	return true;
}

/* --- checks --- */

static void check(struct inode *i, const char *name)
{
	uint8_t buf[ROOM];
	ssize64_t n = acl_getxattr(i, name, NULL, 0), again;
	struct abi_acl_entry e;
	const struct acl *a = !strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS) ? atomic_load(&i->acl)
									 : atomic_load(&i->default_acl);

	require(n == -ENODATA ? a == NULL : n > 4 && n <= ROOM && (n - 4) % 8 == 0);
	if (n < 0)
		return;
	require(acl_getxattr(i, name, buf, (size_t)n - 1) == -ERANGE);
	again = acl_getxattr(i, name, buf, (size_t)n);
	require(again == n);
	for (ssize64_t at = 4; at < n; at += 8) {
		memcpy(&e, buf + at, sizeof(e));
		require(!(e.e_perm & ~7u));
	}
	for (unsigned want = 0; want < 8; want++)
		(void)!acl_permission(a, &who, i, want);
	require(!acl_setxattr(i, name, buf, (size_t)n)); /* it takes its own word */
	require(acl_getxattr(i, name, buf, sizeof(buf)) == n);
}

static void set(struct inode *i, const char *name, const uint8_t *value, size_t n, bool with_header)
{
	uint8_t *v = malloc(n + 4);
	uint32_t version = POSIX_ACL_XATTR_VERSION;

	if (with_header) {
		memcpy(v, &version, 4);
		memcpy(v + 4, value, n);
		n += 4;
	} else {
		memcpy(v, value, n);
	}
	(void)!acl_setxattr(i, name, v, n);
	free(v);
}

/* Entries made of the input's bits, so that many are in order. */
static size_t shape(const uint8_t *d, size_t n, uint8_t *out)
{
	static const uint16_t tags[] = { ACL_USER_OBJ, ACL_USER, ACL_GROUP_OBJ, ACL_GROUP, ACL_MASK, ACL_OTHER };
	size_t made = 0;

	for (size_t k = 0; k < n && made + 8 <= ROOM - 4; k++, made += 8) {
		struct abi_acl_entry e = { .e_tag = tags[d[k] % 6], .e_perm = d[k] >> 3 & 7, .e_id = d[k] };

		memcpy(out + made, &e, sizeof(e));
	}
	return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct inode dir, file;
	uint8_t made[ROOM], list[128];
	size_t n;

	if (size < 4)
		return 0;
	memset(&dir, 0, sizeof(dir));
	memset(&file, 0, sizeof(file));
	dir.mode = S_IFDIR | 0755;
	file.mode = S_IFREG | (data[0] * 8u & 0777);
	fail_in = data[1] % 16;
	n = MIN(size - 4, (size_t)ROOM - 4);
	if (data[2] & 1) {
		set(&dir, XATTR_NAME_POSIX_ACL_DEFAULT, made, shape(data + 4, n, made), true);
		set(&dir, XATTR_NAME_POSIX_ACL_ACCESS, made, shape(data + 4, n / 2, made), true);
	} else {
		set(&dir, XATTR_NAME_POSIX_ACL_DEFAULT, data + 4, n, data[2] & 2);
	}
	if (atomic_load(&dir.default_acl))
		(void)!acl_inherit(&dir, &file);
	dir.mode = S_IFDIR | (data[3] * 3u & 0777);
	(void)!acl_chmod(&dir);
	(void)!acl_chmod(&file);
	fail_in = 0;
	check(&dir, XATTR_NAME_POSIX_ACL_DEFAULT);
	check(&dir, XATTR_NAME_POSIX_ACL_ACCESS);
	check(&file, XATTR_NAME_POSIX_ACL_ACCESS);
	require(acl_listxattr(&dir, (char *)list, sizeof(list), 0) == acl_listxattr(&dir, NULL, 0, 0));
	require(acl_listxattr(&dir, (char *)list, 3, 0) <= 0);
	acl_free_inode(&dir);
	acl_free_inode(&file);
	return 0;
}
