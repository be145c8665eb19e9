#include "proc/exec_priv.h"

/*
 * Credentials across execve: set-user-id and set-group-id bits, then the rules for capabilities, in
 *which a file has capabilities only by way of root:
 *
 *	P'(ambient)     = file is privileged ? 0 : P(ambient)
 *	P'(permitted)   = (P(inheritable) & F(inheritable)) | (F(permitted) & P(bounding)) |
 *P'(ambient) P'(effective)   = F(effective) ? P'(permitted) : P'(ambient)
 *
 * F(permitted) and F(inheritable) are all ones when the real or effective user is root,
 *F(effective) is one when the effective user is, unless SECBIT_NOROOT. Source: execve(2),
 *capabilities(7), credentials(7), prctl(2).
 */

#include "abi/errno.h"
#include "abi/mount.h"
#include "abi/prctl.h"
#include "vfs/cred.h"
#include "vfs/file.h"

static void apply_setid(struct exec *x, struct cred *c)
{
	const struct file *f = x->prog.file;
	const struct inode *i = f->inode;

	if ((f->path.mnt->flags & MS_NOSUID) || c->no_new_privs)
		return;
	if (i->mode & S_ISUID)
		c->euid = i->uid;
	/* Without group execute permission the bit means something else: mandatory locking. */
	if ((i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		c->egid = i->gid;
}

static void apply_caps(struct cred *c, bool privileged)
{
	bool root_works = !(c->securebits & SECBIT_NOROOT);
	bool is_root = root_works && (c->uid == 0 || c->euid == 0);
	bool effective = root_works && c->euid == 0;

	if (privileged)
		c->cap_ambient = 0;
	c->cap_permitted = (is_root ? c->cap_inheritable | c->cap_bounding : 0) | c->cap_ambient;
	c->cap_effective = effective ? c->cap_permitted : c->cap_ambient;
}

int exec_compute_cred(struct exec *x)
{
	const struct cred *old = current_cred();
	struct cred *c = cred_dup(old);

	if (c == NULL)
		return -ENOMEM;
	apply_setid(x, c);
	x->setid = c->euid != old->euid || c->egid != old->egid;
	apply_caps(c, x->setid);
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	c->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
	x->secure = c->euid != c->uid || c->egid != c->gid ||
		    (c->uid != 0 && (c->cap_permitted & ~c->cap_ambient) != 0);
	x->unreadable = inode_permission(old, x->prog.file->inode, PERM_READ) != 0;
	x->cred = c;
	return 0;
}
