#include "proc/exec_priv.h"

/*
 * Credentials across execve: set-user-id and set-group-id bits, then the rules for capabilities:
 *
 *	P'(ambient)     = file is privileged ? 0 : P(ambient)
 *	P'(permitted)   = (P(inheritable) & F(inheritable)) | (F(permitted) & P(bounding)) |
 *P'(ambient) P'(effective)   = F(effective) ? P'(permitted) : P'(ambient)
 *
 * F is security.capability of the file, if it has that. F(permitted) and F(inheritable) are all
 *ones when the real or effective user is root, F(effective) is one when the effective user is,
 *unless SECBIT_NOROOT. Source: execve(2), capabilities(7), credentials(7), prctl(2).
 */

#include "abi/errno.h"
#include "abi/mount.h"
#include "abi/prctl.h"
#include "proc/ptrace.h"
#include "vfs/cred.h"
#include "vfs/file.h"
#include "vfs/xattr.h"

static void apply_setid(struct exec *x, struct cred *c)
{
	const struct file *f = x->prog.file;
	const struct inode *i = f->inode;

	if ((f->path.mnt->flags & MS_NOSUID) || curtask()->confined.no_new_privs)
		return;
	if (i->mode & S_ISUID)
		c->euid = i->uid;
	/* Without group execute permission the bit means something else: mandatory locking. */
	if ((i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		c->egid = i->gid;
}

/* The file's own capabilities; none from a mount or for a task that must not gain any. */
static bool file_caps_of(const struct exec *x, struct file_caps *f)
{
	*f = (struct file_caps){ 0 };
	return !(x->prog.file->path.mnt->flags & MS_NOSUID) && !curtask()->confined.no_new_privs &&
	       inode_get_caps(x->prog.file->inode, f);
}

/* -EPERM: the program counts on capabilities that it cannot have. */
static int apply_caps(const struct exec *x, struct cred *c, bool setid)
{
	struct file_caps f;
	bool has = file_caps_of(x, &f), root_works = !(c->securebits & SECBIT_NOROOT);

	/* Set-user-id root with capabilities of its own: those are meant. */
	if (root_works && has && c->uid != 0 && c->euid == 0)
		root_works = false;
	if (root_works && (c->uid == 0 || c->euid == 0))
		f.permitted = f.inheritable = CAP_FULL_SET;
	if (root_works && c->euid == 0)
		f.effective = true;
	if (setid || has)
		c->cap_ambient = 0;
	c->cap_permitted = (c->cap_inheritable & f.inheritable) | (f.permitted & c->cap_bounding);
	if (has && f.effective && f.permitted & ~c->cap_permitted && c->uid != 0 && c->euid != 0)
		return -EPERM;
	c->cap_permitted |= c->cap_ambient;
	c->cap_effective = f.effective ? c->cap_permitted : c->cap_ambient;
	return 0;
}

void exec_limit_cred(struct exec *x)
{
	const struct cred *old = current_cred();
	struct cred *c = x->cred;
	bool gains = c->euid != old->euid || c->egid != old->egid ||
		     (c->cap_permitted & ~old->cap_permitted) != 0;

	if (!gains)
		return;
	if (!capable(CAP_SETUID)) {
		c->euid = c->suid = c->fsuid = c->uid;
		c->egid = c->sgid = c->fsgid = c->gid;
	}
	c->cap_permitted &= old->cap_permitted;
	c->cap_effective &= c->cap_permitted;
	x->setid = c->euid != old->euid || c->egid != old->egid;
}

int exec_compute_cred(struct exec *x)
{
	const struct cred *old = current_cred();
	struct cred *c = cred_dup(old);
	int err;

	if (c == NULL)
		return -ENOMEM;
	apply_setid(x, c);
	x->setid = c->euid != old->euid || c->egid != old->egid;
	if ((err = apply_caps(x, c, x->setid))) {
		cred_put(c);
		return err;
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	x->cred = c;
	if (trace_limits_exec())
		exec_limit_cred(x);
	c->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
	x->secure = c->euid != c->uid || c->egid != c->gid ||
		    (c->uid != 0 && (c->cap_permitted & ~c->cap_ambient) != 0);
	x->unreadable = inode_permission(old, x->prog.file->inode, PERM_READ) != 0;
	return 0;
}
