#pragma once

/* Inside vfs: the locks and leases of one inode. */

#include "lib/list.h"
#include "sched/mutex.h"
#include "sched/wait.h"
#include "vfs/lock.h"

struct textbuf;

struct file_lock {
	struct list node;
	const void *owner;  /* struct fdtable * (POSIX) or struct file * (OFD, flock) */
	off64_t start, end; /* bytes, inclusive; end INT64_MAX: to the end of the file */
	int type;           /* F_RDLCK, F_WRLCK */
	int32_t pid;        /* -1 for OFD */
	enum { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK } kind;
};

struct flock_list {
	struct mutex lock;  /* FLOCK */
	struct list ranges; /* POSIX and OFD, by start */
	struct list flocks;
	struct list leases;
	struct waitq changed;
	struct inode *inode; /* borrowed: it owns the list */
	struct list all;     /* FLOCKALL */
};

/* The inode's list, made at first use. NULL: no memory. */
struct flock_list *flock_list_of(struct inode *i);

/* lease.c */
void lease_release(struct flock_list *l, struct file *f); /* f is closing */
unsigned leases_show(struct textbuf *t, unsigned n, struct flock_list *l) HOLDS(&l->lock);
