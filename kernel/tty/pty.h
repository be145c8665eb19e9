#pragma once

/*
 * Pseudoterminals: pty.c has both ends, devpts.c the file system in which the slaves have their
 * names. Inside the tty layer.
 */

#include "tty/tty_priv.h"

struct pts_inode;
struct path;

enum { PTY_BACKLOG = 16384 /* bytes from a master that wait for the line discipline */ };

struct pty {
	struct tty tty; /* the slave; its lock guards the master's part too */
	struct ring in; /* from the master */
	struct waitq master_readable, master_writable;
	uint8_t packet_status; /* TIOCPKT_*, not yet read */
	bool packet;           /* TIOCPKT */
	bool locked;           /* TIOCSPTLCK: the slave cannot be opened */
	bool slave_closed;     /* it was open, and is no longer */
	bool master_stopped;   /* TCOOFF on the master */
	unsigned index;        /* N of /dev/pts/N; immutable */
	struct superblock *sb; /* counted; immutable: where it has its name */
	struct inode *inode;   /* counted until the master is closed: its name */
};

/*
 * Makes a pty whose master f is to be. Opens of ptmx end here. -ENODEV no devpts beside it;
 * -ENOSPC; -ENOMEM.
 */
MUST_CHECK int pty_open_master(struct inode *i, struct file *f);

/* devpts.c */
void devpts_init(void);

/*
 * The root of the devpts that belongs to a ptmx node: the one that holds it, or "pts" beside it.
 * Counted. -ENODEV.
 */
MUST_CHECK int devpts_find_root(const struct file *f, struct path *root);

/* Names p: sets index, sb and inode. -ENOSPC; -ENOMEM. */
MUST_CHECK int devpts_add(struct superblock *sb, struct pty *p);
/* Takes the name away; nobody can open the slave by it any more. */
void devpts_remove(struct pty *p);
/* The pty whose slave an inode names, its tty counted; NULL: not a slave, or its master is gone. */
MUST_CHECK struct pty *devpts_get_pty(struct inode *i);
