/*
 * Access control lists. The entries are in the order that the attribute demands: owner, users,
 * owning group, groups, mask, others; users and groups sorted by nothing in particular. The group
 * bits of the mode are the mask while there is one, else the owning group's.
 *
 * Sources: acl(5), POSIX 1003.1e draft 17 (withdrawn), umask(2).
 */

#include "vfs/acl.h"

#include "abi/acl.h"
#include "abi/errno.h"
#include "abi/xattr.h"
#include "core/clock.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "vfs/cred.h"
#include "vfs/inode.h"

struct acl {
	struct epoch_head epoch;
	unsigned n;
	struct abi_acl_entry entry[];
};

enum { ALL_BITS = 7 };

static struct acl *acl_alloc(unsigned n)
{
	struct acl *a = kmalloc(sizeof(*a) + n * sizeof(a->entry[0]));

	if (a != NULL)
		a->n = n;
	return a;
}

static void acl_free(struct epoch_head *h)
{
	kfree(container_of(h, struct acl, epoch));
}

static void acl_drop(struct acl *a)
{
	if (a != NULL)
		epoch_free(&a->epoch, acl_free);
}

static struct acl *acl_copy(const struct acl *from)
{
	struct acl *a = acl_alloc(from->n);

	if (a != NULL)
		memcpy(a->entry, from->entry, from->n * sizeof(a->entry[0]));
	return a;
}

static struct abi_acl_entry *entry_of(struct acl *a, unsigned tag)
{
	for (unsigned k = 0; k < a->n; k++)
		if (a->entry[k].e_tag == tag)
			return &a->entry[k];
	return NULL;
}

/* The entry that the mode's group bits stand for. */
static struct abi_acl_entry *group_class(struct acl *a)
{
	struct abi_acl_entry *mask = entry_of(a, ACL_MASK);

	return mask ? mask : entry_of(a, ACL_GROUP_OBJ);
}

static unsigned mask_of(const struct acl *a)
{
	for (unsigned k = 0; k < a->n; k++)
		if (a->entry[k].e_tag == ACL_MASK)
			return a->entry[k].e_perm;
	return ALL_BITS;
}

int acl_permission(const struct acl *a, const struct cred *c, const struct inode *i, unsigned want)
{
	bool in_group = false;
	unsigned mask = mask_of(a);

	for (unsigned k = 0; k < a->n; k++) {
		const struct abi_acl_entry *e = &a->entry[k];

		switch (e->e_tag) {
		case ACL_USER_OBJ:
			if (i->uid == c->fsuid)
				return want & ~(unsigned)e->e_perm ? -EACCES : 0;
			break;
		case ACL_USER:
			if (e->e_id == c->fsuid)
				return want & ~(e->e_perm & mask) ? -EACCES : 0;
			break;
		case ACL_GROUP_OBJ:
		case ACL_GROUP:
			if (!cred_in_group(c, e->e_tag == ACL_GROUP_OBJ ? i->gid : e->e_id))
				break;
			in_group = true;
			if (!(want & ~(e->e_perm & mask)))
				return 0;
			break;
		case ACL_OTHER:
			return in_group || want & ~(unsigned)e->e_perm ? -EACCES : 0;
		}
	}
	return -EACCES;
}

bool acl_is_name(const char *name)
{
	return str_eq(name, XATTR_NAME_POSIX_ACL_ACCESS) ||
	       str_eq(name, XATTR_NAME_POSIX_ACL_DEFAULT);
}

static _Atomic(struct acl *) *list_named(struct inode *i, const char *name)
{
	return str_eq(name, XATTR_NAME_POSIX_ACL_ACCESS) ? &i->acl : &i->default_acl;
}

ssize64_t acl_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	const struct abi_acl_header head = { POSIX_ACL_XATTR_VERSION };
	const struct acl *a = atomic_load(list_named(i, name));
	size_t bytes;

	if (S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	if (a == NULL)
		return -ENODATA;
	bytes = sizeof(head) + a->n * sizeof(a->entry[0]);
	if (size == 0)
		return (ssize64_t)bytes;
	if (bytes > size)
		return -ERANGE;
	memcpy(buf, &head, sizeof(head));
	memcpy((char *)buf + sizeof(head), a->entry, a->n * sizeof(a->entry[0]));
	return (ssize64_t)bytes;
}

ssize64_t acl_listxattr(struct inode *i, char *buf, size_t size, size_t n)
{
	static const char *const names[] = { XATTR_NAME_POSIX_ACL_ACCESS,
					     XATTR_NAME_POSIX_ACL_DEFAULT };

	for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
		size_t len = strlen(names[k]) + 1;

		if (atomic_load(list_named(i, names[k])) == NULL)
			continue;
		if (size != 0) {
			if (n + len > size)
				return -ERANGE;
			memcpy(buf + n, names[k], len);
		}
		n += len;
	}
	return (ssize64_t)n;
}

/* The order of tags, one each of the three classes, a mask if there are names, sane bits and ids.
 */
static bool is_valid(const struct acl *a)
{
	bool named = false, mask = false;
	unsigned state = ACL_USER_OBJ, k = 0;

	for (; k < a->n; k++) {
		const struct abi_acl_entry *e = &a->entry[k];

		if (e->e_perm & ~(unsigned)ALL_BITS)
			return false;
		if (e->e_tag == ACL_USER_OBJ && state == ACL_USER_OBJ) {
			state = ACL_USER;
		} else if (e->e_tag == ACL_USER && state == ACL_USER) {
			named = true;
		} else if (e->e_tag == ACL_GROUP_OBJ && state == ACL_USER) {
			state = ACL_GROUP;
		} else if (e->e_tag == ACL_GROUP && state == ACL_GROUP) {
			named = true;
		} else if (e->e_tag == ACL_MASK && state == ACL_GROUP && !mask) {
			mask = true;
			state = ACL_OTHER;
		} else if (e->e_tag == ACL_OTHER &&
			   (state == ACL_OTHER || (state == ACL_GROUP && !named))) {
			break;
		} else {
			return false;
		}
		if ((e->e_tag == ACL_USER || e->e_tag == ACL_GROUP) &&
		    e->e_id == (uint32_t)ACL_UNDEFINED_ID)
			return false;
	}
	return k + 1 == a->n && !(a->entry[k].e_perm & ~(unsigned)ALL_BITS);
}

/* *out NULL: the value has no entries, which means to remove the list. */
static int parse(const void *value, size_t size, struct acl **out)
{
	const struct abi_acl_header *head = value;
	size_t n;
	struct acl *a;

	*out = NULL;
	if (value == NULL || size == 0)
		return 0;
	if (size < sizeof(*head) || (size - sizeof(*head)) % sizeof(a->entry[0]))
		return -EINVAL;
	if (head->a_version != POSIX_ACL_XATTR_VERSION)
		return -EOPNOTSUPP;
	n = (size - sizeof(*head)) / sizeof(a->entry[0]);
	if (n == 0)
		return 0;
	if ((a = acl_alloc((unsigned)n)) == NULL)
		return -ENOMEM;
	memcpy(a->entry, head + 1, n * sizeof(a->entry[0]));
	for (unsigned k = 0; k < a->n; k++)
		if (a->entry[k].e_tag != ACL_USER && a->entry[k].e_tag != ACL_GROUP)
			a->entry[k].e_id = ACL_UNDEFINED_ID;
	if (!is_valid(a)) {
		kfree(a);
		return -EINVAL;
	}
	*out = a;
	return 0;
}

static uint32_t mode_from(struct acl *a)
{
	return (uint32_t)entry_of(a, ACL_USER_OBJ)->e_perm << 6 |
	       (uint32_t)group_class(a)->e_perm << 3 | entry_of(a, ACL_OTHER)->e_perm;
}

int acl_setxattr(struct inode *i, const char *name, const void *value, size_t size)
{
	_Atomic(struct acl *) *list = list_named(i, name);
	const struct cred *c = current_cred();
	struct acl *a;
	int err;

	if (S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	if (list == &i->default_acl && !S_ISDIR(i->mode))
		return value != NULL && size > 0 ? -EACCES : 0;
	if (!inode_owner_or_capable(c, i))
		return -EPERM;
	if ((err = parse(value, size, &a)))
		return err;
	if (list == &i->acl && a != NULL) {
		uint32_t mode = (i->mode & ~0777u) | mode_from(a);

		if (!cred_in_group(c, i->gid) && !cred_has_cap(c, CAP_FSETID))
			mode &= ~(uint32_t)S_ISGID;
		i->mode = mode;
		if (a->n == 3) { /* the mode says it all */
			kfree(a);
			a = NULL;
		}
	}
	acl_drop(atomic_exchange(list, a));
	i->ctime = clock_real();
	return 0;
}

int acl_chmod(struct inode *i)
{
	struct acl *old = atomic_load(&i->acl), *a;

	if (old == NULL)
		return 0;
	if ((a = acl_copy(old)) == NULL)
		return -ENOMEM;
	entry_of(a, ACL_USER_OBJ)->e_perm = i->mode >> 6 & ALL_BITS;
	group_class(a)->e_perm = i->mode >> 3 & ALL_BITS;
	entry_of(a, ACL_OTHER)->e_perm = i->mode & ALL_BITS;
	acl_drop(atomic_exchange(&i->acl, a));
	return 0;
}

/* Neither the list nor the mode gives what the other does not. */
static void join(struct acl *a, struct inode *i)
{
	struct abi_acl_entry *owner = entry_of(a, ACL_USER_OBJ), *group = group_class(a),
			     *other = entry_of(a, ACL_OTHER);

	owner->e_perm &= i->mode >> 6 & ALL_BITS;
	group->e_perm &= i->mode >> 3 & ALL_BITS;
	other->e_perm &= i->mode & ALL_BITS;
	i->mode = (i->mode & ~0777u) | mode_from(a);
}

int acl_inherit(const struct inode *dir, struct inode *i)
{
	const struct acl *from = atomic_load(&dir->default_acl);
	struct acl *a, *d = NULL;

	if (S_ISLNK(i->mode))
		return 0;
	if ((a = acl_copy(from)) == NULL || (S_ISDIR(i->mode) && (d = acl_copy(from)) == NULL)) {
		kfree(a);
		return -ENOMEM;
	}
	join(a, i);
	if (a->n == 3) {
		kfree(a);
		a = NULL;
	}
	atomic_store(&i->acl, a);
	atomic_store(&i->default_acl, d);
	return 0;
}

void acl_free_inode(struct inode *i)
{
	acl_drop(atomic_exchange(&i->acl, NULL));
	acl_drop(atomic_exchange(&i->default_acl, NULL));
}
