#pragma once

/*
 * What procfs and sysfs share: directories described by tables, files whose text is made when they
 * are read from their beginning, and inodes that may stand for a process, a task or a number.
 *
 * A node is a `struct pnode`: a row of its directory's table. A directory may besides have children
 * that come and go (processes, descriptors): `find` and `list`. The object that a dynamic child
 * stands for is kept in the inode (pinode) and handed down to the static children below it.
 */

#include "abi/stat.h"
#include "lib/fmt.h"
#include "lib/types.h"
#include "vfs/file.h"
#include "vfs/inode.h"

struct pinode;
struct pnode;
struct process;
struct task;

/* What an inode stands for. References are counted by the inode. */
struct psubject {
	struct process *process; /* NULL: none */
	struct task *task;       /* of that process; NULL: its leader where one is needed */
	bool is_task;            /* below /proc/PID/task/TID */
	uint64_t number;         /* descriptor, CPU … */
};

struct pnode {
	const char *name; /* NULL ends a table */
	uint32_t mode;    /* type and permissions */
	/* Regular files: writes the text. 0 or -errno. */
	int (*show)(struct pinode *i, struct textbuf *t);
	/*
	 * Regular files with a long text, instead of show: writes records from the one that *key
	 * names (0: the first; what a key is, the file knows) until they no longer fit, and moves
	 * *key on to the first that is missing. What does not fit is taken back, unless it would be
	 * the only one: then t->len >= t->size asks for a larger buffer. Between two calls anything
	 * may change; a record that stays all the time is given once. 1: more may follow; 0: that
	 * was the end; -errno.
	 */
	int (*fill)(struct pinode *i, uint64_t *key, struct textbuf *t);
	bool bytes; /* fill's text is not lines: a short read has all that it can have */
	int (*check_open)(struct pinode *i); /* regular files: 0 or open(2)'s -errno */
	/* Regular files: takes a write of n bytes (NUL-terminated copy, at most 4095). Bytes taken
	 * or -errno. */
	ssize64_t (*store)(struct pinode *i, char *text, size_t n);
	/* Symbolic links: as inode_ops.get_link. */
	int (*link)(struct pinode *i, const char **text, char **to_free, struct path *jump);
	/* Directories. */
	const struct pnode *children;
	/* A dynamic child: 0 with *node and *subject (references taken), or -ENOENT. */
	int (*find)(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		    struct psubject *subject);
	/* The dynamic child with the smallest key >= *key: its name and inode type; false: no more.
	 */
	bool (*list)(struct pinode *dir, uint64_t *key, char *name, size_t size,
		     const struct pnode **node);
	const struct file_ops *fops; /* files with methods of their own */
	uint64_t arg;                /* the table's own */
	const void *ptr;
	/* Directories below procfs: how many of the dynamic children are directories. NULL: none.
	 */
	uint32_t (*subdirs)(struct pinode *dir);
	uint32_t link_size;    /* symbolic links: st_size */
	bool owned_by_subject; /* uid and gid of the process; private to it when not dumpable */
	bool volatile_links;   /* children are looked up anew each time */
};

struct pinode {
	struct inode inode;
	const struct pnode *node; /* immutable */
	struct psubject subject;
};

/* The task that s stands for, or the leader of its process, counted. NULL: none, or reaped. */
MUST_CHECK struct task *subject_get_task(const struct psubject *s);

static inline struct pinode *pinode_of(struct inode *i)
{
	return container_of(i, struct pinode, inode);
}

void pseudo_init(void);

/* Makes a superblock whose root is `root`; for mount methods. */
MUST_CHECK int pseudo_mount(const struct fs_type *t, uint32_t magic, const struct pnode *root,
			    struct superblock **out);

/* The node of a directory of procfs or sysfs, borrowed; NULL: f is none. */
struct pinode *pseudo_dir_of(struct file *f);

/* A `fill` by single records: writes the first at or after *key, and the key of what follows it.
 * 1: written; 0: there is none; -errno. */
typedef int pseudo_record_fn(struct pinode *i, uint64_t *key, struct textbuf *t);
MUST_CHECK int pseudo_records(struct pinode *i, uint64_t *key, struct textbuf *t,
			      pseudo_record_fn *one);

/* Opens with the text made by show() or fill(); for fops that extend it. */
extern const struct file_ops pseudo_file_ops;
