#include "sys/syscalls.h"

/*
 * User and group ids, supplementary groups, capabilities. Each call copies the credentials, changes
 * the copy by the rules of its page, and commits it; a change of user ids moves capabilities along
 * (capabilities(7) "Effect of user ID changes on capabilities").
 *
 * Source: credentials(7), setuid(2), setreuid(2), setresuid(2), setfsuid(2), getgroups(2),
 * capget(2).
 */

#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/limits.h"
#include "abi/prctl.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "proc/coredump.h"
#include "proc/report.h"
#include "proc/tree.h"
#include "proc/user.h"
#include "proc/task.h"
#include "sys/cred.h"
#include "vfs/cred.h"
#include "vm/usercopy.h"
#include "vm/vmspace.h"

#define NO_ID      UINT32_MAX
#define CAP_BIT(c) (1ull << (c))

static const uint64_t fs_caps = CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_MKNOD) |
				CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) |
				CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) |
				CAP_BIT(CAP_LINUX_IMMUTABLE) | CAP_BIT(CAP_MAC_OVERRIDE);

/* --- committing --- */

static void fix_caps(const struct cred *old, struct cred *new)
{
	bool had_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
	bool has_root = new->uid == 0 || new->euid == 0 || new->suid == 0;

	if (new->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (had_root && !has_root) {
		if (!(new->securebits &SECBIT_KEEP_CAPS))
			new->cap_permitted = new->cap_effective = 0;
		new->cap_ambient = 0;
	}
	if (old->euid == 0 && new->euid != 0)
		new->cap_effective = 0;
	if (old->euid != 0 && new->euid == 0)
		new->cap_effective = new->cap_permitted;
}

/* Another effective identity must not leave its memory to the old one, nor be killed with the old
 * parent. */
static void note_change(const struct cred *old, const struct cred *new)
{
	struct vmspace *vs = curthread()->vmspace;

	if (old->euid == new->euid && old->egid == new->egid && old->fsuid == new->fsuid &&
	    old->fsgid == new->fsgid && (new->cap_permitted & ~old->cap_permitted) == 0)
		return;
	if (vs != NULL)
		vs->dumpable = (uint8_t)core_suid_dumpable;
	task_set_pdeath_signal(0);
}

static int64_t commit(struct cred *new)
{
	const struct cred *old = current_cred();
	int err = old->uid == new->uid ? 0 : task_set_user(new->uid);

	if (err) {
		cred_put(new);
		return err;
	}
	note_change(old, new);
	cred_commit_reporting(new);
	return 0;
}

int64_t cred_change(void (*edit)(struct cred *c, uint64_t arg), uint64_t arg)
{
	struct cred *c = cred_dup(current_cred());

	if (c == NULL)
		return -ENOMEM;
	edit(c, arg);
	cred_commit(c);
	return 0;
}

/* --- user ids --- */

static int64_t set_uids(uint32_t uid, uint32_t euid, uint32_t suid)
{
	const struct cred *old = current_cred();
	struct cred *c = cred_dup(old);

	if (c == NULL)
		return -ENOMEM;
	c->uid = uid;
	c->euid = c->fsuid = euid;
	c->suid = suid;
	fix_caps(old, c);
	return commit(c);
}

int64_t sys_setuid(uint32_t uid)
{
	const struct cred *c = current_cred();

	if (uid == NO_ID)
		return -EINVAL;
	if (capable(CAP_SETUID))
		return set_uids(uid, uid, uid);
	if (uid != c->uid && uid != c->suid)
		return -EPERM;
	return set_uids(c->uid, uid, c->suid);
}

int64_t sys_setreuid(uint32_t ruid, uint32_t euid)
{
	const struct cred *c = current_cred();
	uint32_t r = ruid == NO_ID ? c->uid : ruid, e = euid == NO_ID ? c->euid : euid, s = c->suid;

	if (!capable(CAP_SETUID)) {
		if (r != c->uid && r != c->euid)
			return -EPERM;
		if (e != c->uid && e != c->euid && e != c->suid)
			return -EPERM;
	}
	if (ruid != NO_ID || (euid != NO_ID && euid != c->uid))
		s = e;
	return set_uids(r, e, s);
}

static bool is_any_uid(const struct cred *c, uint32_t uid)
{
	return uid == NO_ID || uid == c->uid || uid == c->euid || uid == c->suid;
}

int64_t sys_setresuid(uint32_t ruid, uint32_t euid, uint32_t suid)
{
	const struct cred *c = current_cred();

	if (!capable(CAP_SETUID) &&
	    !(is_any_uid(c, ruid) && is_any_uid(c, euid) && is_any_uid(c, suid)))
		return -EPERM;
	return set_uids(ruid == NO_ID ? c->uid : ruid, euid == NO_ID ? c->euid : euid,
			suid == NO_ID ? c->suid : suid);
}

int64_t sys_setfsuid(uint32_t fsuid)
{
	const struct cred *old = current_cred();
	uint32_t before = old->fsuid;
	struct cred *c;

	if (fsuid == before || (!is_any_uid(old, fsuid) && !capable(CAP_SETUID)) || fsuid == NO_ID)
		return before;
	c = cred_dup(old);
	if (c == NULL)
		return before;
	c->fsuid = fsuid;
	if (!(c->securebits & SECBIT_NO_SETUID_FIXUP)) {
		if (before == 0)
			c->cap_effective &= ~fs_caps;
		if (fsuid == 0)
			c->cap_effective |= c->cap_permitted & fs_caps;
	}
	(void)commit(c);
	return before;
}

/* --- group ids --- */

static int64_t set_gids(uint32_t gid, uint32_t egid, uint32_t sgid)
{
	struct cred *c = cred_dup(current_cred());

	if (c == NULL)
		return -ENOMEM;
	c->gid = gid;
	c->egid = c->fsgid = egid;
	c->sgid = sgid;
	return commit(c);
}

int64_t sys_setgid(uint32_t gid)
{
	const struct cred *c = current_cred();

	if (gid == NO_ID)
		return -EINVAL;
	if (capable(CAP_SETGID))
		return set_gids(gid, gid, gid);
	if (gid != c->gid && gid != c->sgid)
		return -EPERM;
	return set_gids(c->gid, gid, c->sgid);
}

int64_t sys_setregid(uint32_t rgid, uint32_t egid)
{
	const struct cred *c = current_cred();
	uint32_t r = rgid == NO_ID ? c->gid : rgid, e = egid == NO_ID ? c->egid : egid, s = c->sgid;

	if (!capable(CAP_SETGID)) {
		if (r != c->gid && r != c->egid)
			return -EPERM;
		if (e != c->gid && e != c->egid && e != c->sgid)
			return -EPERM;
	}
	if (rgid != NO_ID || (egid != NO_ID && egid != c->gid))
		s = e;
	return set_gids(r, e, s);
}

static bool is_any_gid(const struct cred *c, uint32_t gid)
{
	return gid == NO_ID || gid == c->gid || gid == c->egid || gid == c->sgid;
}

int64_t sys_setresgid(uint32_t rgid, uint32_t egid, uint32_t sgid)
{
	const struct cred *c = current_cred();

	if (!capable(CAP_SETGID) &&
	    !(is_any_gid(c, rgid) && is_any_gid(c, egid) && is_any_gid(c, sgid)))
		return -EPERM;
	return set_gids(rgid == NO_ID ? c->gid : rgid, egid == NO_ID ? c->egid : egid,
			sgid == NO_ID ? c->sgid : sgid);
}

int64_t sys_setfsgid(uint32_t fsgid)
{
	const struct cred *old = current_cred();
	uint32_t before = old->fsgid;
	struct cred *c;

	if (fsgid == before || (!is_any_gid(old, fsgid) && !capable(CAP_SETGID)) || fsgid == NO_ID)
		return before;
	c = cred_dup(old);
	if (c == NULL)
		return before;
	c->fsgid = fsgid;
	(void)commit(c);
	return before;
}

/* --- asking --- */

int64_t sys_getuid(void)
{
	return current_cred()->uid;
}

int64_t sys_geteuid(void)
{
	return current_cred()->euid;
}

int64_t sys_getgid(void)
{
	return current_cred()->gid;
}

int64_t sys_getegid(void)
{
	return current_cred()->egid;
}

static int64_t put_three(uaddr_t a, uint32_t va, uaddr_t b, uint32_t vb, uaddr_t c, uint32_t vc)
{
	return put_user_u32(a, va) || put_user_u32(b, vb) || put_user_u32(c, vc) ? -EFAULT : 0;
}

int64_t sys_getresuid(uaddr_t ruid, uaddr_t euid, uaddr_t suid)
{
	const struct cred *c = current_cred();

	return put_three(ruid, c->uid, euid, c->euid, suid, c->suid);
}

int64_t sys_getresgid(uaddr_t rgid, uaddr_t egid, uaddr_t sgid)
{
	const struct cred *c = current_cred();

	return put_three(rgid, c->gid, egid, c->egid, sgid, c->sgid);
}

/* --- supplementary groups --- */

int64_t sys_getgroups(int32_t size, uaddr_t list)
{
	const struct cred *c = current_cred();

	if (size < 0)
		return -EINVAL;
	if (size == 0)
		return c->ngroups;
	if ((uint32_t)size < c->ngroups)
		return -EINVAL;
	if (c->ngroups && copy_to_user(list, c->groups, c->ngroups * sizeof(c->groups[0])))
		return -EFAULT;
	return c->ngroups;
}

/* Heapsort: no recursion, and no bad case for a list that the user orders. */
static void sift_down(uint32_t *v, size_t root, size_t n)
{
	for (size_t child; (child = 2 * root + 1) < n; root = child) {
		uint32_t t;

		if (child + 1 < n && v[child] < v[child + 1])
			child++;
		if (v[root] >= v[child])
			return;
		t = v[root];
		v[root] = v[child];
		v[child] = t;
	}
}

static void sort_ids(uint32_t *v, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(v, i, n);
	for (size_t end = n; end-- > 1;) {
		uint32_t t = v[0];

		v[0] = v[end];
		v[end] = t;
		sift_down(v, 0, end);
	}
}

int64_t sys_setgroups(uint64_t size, uaddr_t list)
{
	uint32_t *groups = NULL, n = (uint32_t)size;
	struct cred *c;

	if (!capable(CAP_SETGID))
		return -EPERM;
	if (n > NGROUPS_MAX)
		return -EINVAL;
	if (n > 0 && (groups = kcalloc(n, sizeof(groups[0]))) == NULL)
		return -ENOMEM;
	if (n > 0 && copy_from_user(groups, list, n * sizeof(groups[0]))) {
		kfree(groups);
		return -EFAULT;
	}
	for (uint32_t i = 0; i < n; i++)
		if (groups[i] == NO_ID) {
			kfree(groups);
			return -EINVAL;
		}
	c = cred_dup(current_cred());
	if (c == NULL) {
		kfree(groups);
		return -ENOMEM;
	}
	sort_ids(groups, n);
	kfree(c->groups);
	c->groups = groups;
	c->ngroups = n;
	cred_commit(c);
	return 0;
}

/* --- capabilities --- */

/* Number of data records; 0: unknown version, and the header now has the preferred one. -EFAULT. */
static int cap_version(uaddr_t hdrp, struct abi_cap_header *h)
{
	if (copy_from_user(h, hdrp, sizeof(*h)))
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return 1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return 2;
	default:
		return put_user_u32(hdrp, _LINUX_CAPABILITY_VERSION_3) ? -EFAULT : 0;
	}
}

static int64_t get_caps(int32_t pid, uint64_t *e, uint64_t *p, uint64_t *i)
{
	struct task *t = pid ? task_lookup((uint32_t)pid) : curtask();
	const struct cred *c;

	if (t == NULL)
		return -ESRCH;
	c = task_get_cred(t);
	*e = c->cap_effective;
	*p = c->cap_permitted;
	*i = c->cap_inheritable;
	cred_put(c);
	if (pid)
		task_put(t);
	return 0;
}

int64_t sys_capget(uaddr_t hdrp, uaddr_t datap)
{
	struct abi_cap_data data[2];
	struct abi_cap_header h;
	uint64_t e, p, i;
	int n = cap_version(hdrp, &h);
	int64_t err;

	if (n <= 0)
		return n < 0 ? n : uaddr_is_null(datap) ? 0 : -EINVAL;
	if (h.pid < 0)
		return -EINVAL;
	if (uaddr_is_null(datap))
		return 0;
	if ((err = get_caps(h.pid, &e, &p, &i)))
		return err;
	for (unsigned k = 0; k < 2; k++)
		data[k] = (struct abi_cap_data){ (uint32_t)(e >> 32 * k), (uint32_t)(p >> 32 * k),
						 (uint32_t)(i >> 32 * k) };
	return copy_to_user(datap, data, (size_t)n * sizeof(data[0]));
}

static int check_caps(const struct cred *old, uint64_t e, uint64_t p, uint64_t i)
{
	if (!cred_has_cap(old, CAP_SETPCAP) && (i & ~(old->cap_inheritable | old->cap_permitted)))
		return -EPERM;
	if (i & ~(old->cap_inheritable | old->cap_bounding))
		return -EPERM;
	return (p & ~old->cap_permitted) || (e & ~p) ? -EPERM : 0;
}

static int64_t set_caps(uint64_t e, uint64_t p, uint64_t i)
{
	const uint64_t known = CAP_BIT(CAP_LAST_CAP + 1) - 1;
	struct cred *c;
	int err;

	e &= known;
	p &= known;
	i &= known;
	if ((err = check_caps(current_cred(), e, p, i)))
		return err;
	c = cred_dup(current_cred());
	if (c == NULL)
		return -ENOMEM;
	c->cap_effective = e;
	c->cap_permitted = p;
	c->cap_inheritable = i;
	c->cap_ambient &= p & i;
	return commit(c);
}

int64_t sys_capset(uaddr_t hdrp, uaddr_t datap)
{
	struct abi_cap_data d[2] = { 0 };
	struct abi_cap_header h;
	int n = cap_version(hdrp, &h);

	if (n <= 0)
		return n < 0 ? n : -EINVAL;
	if (h.pid != 0 && (uint32_t)h.pid != curtask()->pid->nr)
		return -EPERM;
	if (copy_from_user(d, datap, (size_t)n * sizeof(d[0])))
		return -EFAULT;
	return set_caps(d[0].effective | (uint64_t)d[1].effective << 32,
			d[0].permitted | (uint64_t)d[1].permitted << 32,
			d[0].inheritable | (uint64_t)d[1].inheritable << 32);
}
