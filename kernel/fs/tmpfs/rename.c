/*
 * rename(2) in tmpfs. An entry that is replaced keeps its slot and name, and gets the other inode;
 * an entry renamed inside its directory keeps its slot and gets another name. So a reader of the
 * directory meets every inode that is there all the time once, and a program that renames what it
 * reads comes to an end.
 */

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "fs/tmpfs/tmpfs_priv.h"
#include "pmm/slab.h"

struct move {
	struct inode *odir, *ndir;
	struct tmpfs_dirent *oe, *ne; /* ne: NULL when the new name is free */
	struct tmpfs_dirent *fresh;   /* the new name's entry, made when it is free */
	struct inode *whiteout;
};

static struct tmpfs_dirent *entry_of(struct inode *dir, const struct dentry *d)
{
	return tmpfs_dir_find(&tmpfs_i(dir)->dir, d->name, d->name_len, d->name_hash);
}

static void exchange(struct move *m)
{
	struct inode *a = m->oe->inode, *b = m->ne->inode;
	bool a_dir = S_ISDIR(a->mode), b_dir = S_ISDIR(b->mode);

	m->oe->inode = b;
	m->ne->inode = a;
	if (a_dir != b_dir) {
		m->odir->nlink += (uint32_t)b_dir - (uint32_t)a_dir;
		m->ndir->nlink += (uint32_t)a_dir - (uint32_t)b_dir;
	}
	tmpfs_dir_changed(m->odir, 0);
	tmpfs_dir_changed(m->ndir, 0);
	a->ctime = b->ctime = m->ndir->ctime;
}

/* Whatever may fail. */
static int prepare(struct move *m, const struct dentry *nd, unsigned flags)
{
	struct tmpfs_dir *td = &tmpfs_i(m->ndir)->dir;
	int err;

	if (flags & RENAME_WHITEOUT &&
	    (err = tmpfs_inode_create(m->odir->sb, m->odir, S_IFCHR, 0, &m->whiteout)))
		return err;
	if (m->ne != NULL)
		return 0;
	m->fresh = tmpfs_dirent_alloc(nd, m->oe->inode);
	if (m->fresh == NULL)
		return -ENOMEM;
	/* In the same directory the old slot is used, unless the whiteout stays in it. */
	if (m->odir == m->ndir && m->whiteout == NULL)
		return 0;
	return tmpfs_dir_reserve(td);
}

/* The inode that had the new name goes. The caller has its lock and a reference. */
static void drop_victim(struct move *m, struct inode *victim)
{
	victim->nlink -= S_ISDIR(victim->mode) ? 2 : 1;
	if (S_ISDIR(victim->mode))
		m->ndir->nlink--;
	inode_touch_mtime(m->ndir);
	victim->ctime = m->ndir->ctime;
	inode_put(victim);
}

static void remove_old(struct move *m)
{
	if (m->whiteout != NULL) {
		m->oe->inode = m->whiteout;
		tmpfs_dir_changed(m->odir, 0);
		return;
	}
	tmpfs_dir_remove(&tmpfs_i(m->odir)->dir, m->oe);
	kfree(m->oe);
	tmpfs_dir_changed(m->odir, -1);
}

static void commit(struct move *m)
{
	struct inode *i = m->oe->inode, *victim = m->ne ? m->ne->inode : NULL;

	if (m->ne != NULL) {
		m->ne->inode = i;
		remove_old(m);
		drop_victim(m, victim);
	} else if (m->odir == m->ndir && m->whiteout == NULL) {
		tmpfs_dir_replace(&tmpfs_i(m->odir)->dir, m->oe, m->fresh);
		kfree(m->oe);
		tmpfs_dir_changed(m->odir, 0);
	} else {
		tmpfs_dir_insert(&tmpfs_i(m->ndir)->dir, m->fresh);
		tmpfs_dir_changed(m->ndir, 1);
		remove_old(m);
	}
	if (S_ISDIR(i->mode) && m->odir != m->ndir) {
		m->odir->nlink--;
		m->ndir->nlink++;
	}
	i->ctime = m->odir->ctime;
}

int tmpfs_rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
		 unsigned flags)
{
	struct move m = { .odir = odir, .ndir = ndir };
	int err;

	m.oe = entry_of(odir, od);
	m.ne = entry_of(ndir, nd);
	if (flags & RENAME_EXCHANGE) {
		exchange(&m);
		return 0;
	}
	if (m.ne != NULL && S_ISDIR(m.ne->inode->mode) && tmpfs_i(m.ne->inode)->dir.count > 0)
		return -ENOTEMPTY;
	if ((err = prepare(&m, nd, flags))) {
		kfree(m.fresh);
		if (m.whiteout != NULL)
			inode_put(m.whiteout);
		return err;
	}
	commit(&m);
	return 0;
}
