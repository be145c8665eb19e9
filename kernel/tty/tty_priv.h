#pragma once

/*
 * Inside the tty layer. A struct tty is one terminal: the line discipline, what waits to be sent,
 * who has it open, and whose controlling terminal it is. Drivers (serial.c, pty.c) embed it and
 * fill in struct tty_ops.
 *
 * Locks: tty->lock (TTY, sleeping) guards everything but the session and the foreground group,
 * which belong to the process tree (PROCTREE). Wake-ups are collected in `wake` and delivered by
 * tty_unlock(), so that who is woken does not run into the lock.
 *
 * References: every open file has one, the session whose controlling terminal it is has one, and a
 * driver may have its own. process->tty is not counted: it is cleared, under PROCTREE, before the
 * session's reference goes.
 */

#include "abi/fcntl.h"
#include "abi/termios.h"
#include "core/ref.h"
#include "lib/list.h"
#include "lib/types.h"
#include "proc/task.h"
#include "sched/mutex.h"
#include "sched/wait.h"
#include "tty/ldisc.h"
#include "vfs/file.h"
#include "vm/uio.h"

struct tty;

enum { TTY_OUT = 16384 /* bytes of `out`, LDISC_ECHO_RESERVE among them */, TTY_STAGING = 1024 };
/* Unread bytes at which IXOFF asks the other side to pause, and to go on. */
enum { TTY_XOFF_AT = LDISC_BUF - 512, TTY_XON_AT = LDISC_BUF / 4 };

enum tty_wake {
	TTY_WAKE_READERS = 1,
	TTY_WAKE_WRITERS = 2,
	TTY_WAKE_MASTER_READERS = 4, /* of a pty */
	TTY_WAKE_MASTER_WRITERS = 8,
	TTY_WAKE_HANGUP = 16, /* all of them, with EPOLLHUP */
};

/*
 * What a driver does. With tty->lock held and without sleeping unless noted; all but `free` may be
 * NULL.
 */
struct tty_ops {
	int (*open)(struct tty *t);   /* one more file; -EIO: not now */
	void (*close)(struct tty *t); /* the last file is gone */
	void (*send)(struct tty *t);  /* there is something in `out` that may be sent */
	void (*room)(struct tty *t);  /* input is taken again, after tty_feed() refused some */
	void (*flow)(struct tty *t);  /* t->ld.stopped has changed */
	/* typed: by a signal character */
	void (*flushed)(struct tty *t, bool in, bool out, bool typed);
	uint32_t (*pending)(struct tty *t); /* bytes not yet sent, for TIOCOUTQ; NULL: 0 */
	/* Before new settings hold, to correct them; and after. */
	void (*settings)(struct tty *t, struct abi_termios2 *new);
	void (*changed)(struct tty *t, const struct abi_termios2 *old);
	void (*urgent)(struct tty *t, uint8_t c);   /* before everything in `out` */
	void (*wake)(struct tty *t, uint32_t wake); /* the driver's own bits; any lock state */
	int (*drain)(struct tty *t);                /* lock not held; sleeps until all is sent */
	int (*send_break)(struct tty *t, bool on);
	/* Lock not held; -ENOTTY: not known. */
	int64_t (*ioctl)(struct tty *t, unsigned cmd, uint64_t arg);
	void (*free)(struct tty *t); /* last reference gone */
	bool hangs_up_with_leader;   /* a session leader's end hangs up the line */
	bool paces_input;            /* IXOFF works */
};

struct tty {
	struct ref ref;
	const struct tty_ops *ops; /* immutable */
	uint64_t rdev;             /* immutable */
	struct mutex lock;         /* TTY; all below, unless noted */
	struct ldisc ld;
	struct ring out;
	uint8_t *staging; /* TTY_STAGING bytes between user memory and OPOST */
	struct waitq readable, writable;
	uint32_t wake;       /* enum tty_wake, to be delivered */
	uint32_t generation; /* of files: older ones have been hung up; atomic reads */
	unsigned opens;
	bool exclusive;    /* TIOCEXCL */
	bool writing;      /* a write sleeps half-way: others wait for its end */
	bool throttled;    /* input was refused; ops->room is owed */
	bool xoff_sent;    /* IXOFF */
	bool is_cut_off;   /* hung up for good: a pty without its master */
	struct list files; /* struct tty_file */
	struct abi_winsize winsize;
	struct abi_termios2 locked;       /* TIOCSLCKTRMIOS: bits and characters that stay */
	nsec_t touched[2];                /* when atime, mtime were last set; coarse clock; racy */
	struct pid *session;              /* PROCTREE; counted; whose controlling terminal it is */
	_Atomic(struct pid *) foreground; /* PROCTREE to change; counted */
};

/* An open file: file->priv of all but masters. */
struct tty_file {
	struct list node;    /* tty->lock */
	struct tty *tty;     /* counted; immutable */
	struct file *file;   /* immutable */
	uint32_t generation; /* immutable */
	bool console;        /* opened as /dev/console: outlives hang-ups */
};

extern const struct file_ops tty_file_ops;

/* tty_io.c: read(2), write(2), poll(2). */
ssize64_t tty_file_read(struct file *f, struct uio *u, off64_t *pos);
ssize64_t tty_file_write(struct file *f, struct uio *u, off64_t *pos);
uint32_t tty_file_poll(struct file *f, struct poll_ctx *ctx);
/* Not stopped, and room for a good part of the ring; racy. */
bool tty_is_writable(const struct tty *t);

/* tty.c */

/* Initialises t with count 1. -ENOMEM. tty_fini() undoes it. */
MUST_CHECK int tty_setup(struct tty *t, const struct tty_ops *ops, uint64_t rdev);
void tty_fini(struct tty *t);
static inline void tty_get(struct tty *t)
{
	ref_get(&t->ref);
}
void tty_put(struct tty *t); /* not under PROCTREE */

static inline void tty_lock(struct tty *t) ACQUIRES(&t->lock) NO_TSA
{
	mutex_lock(&t->lock);
}
void tty_unlock(struct tty *t) RELEASES(&t->lock); /* and wakes */

/* Sleeps on q with the lock released; delivers wake-ups first. As wait_unlocked(). */
MUST_CHECK int tty_wait(struct tty *t, struct waitq *q, nsec_t deadline);

/*
 * Makes f an open file of t (not consumed). `console`: see struct tty_file. -EBUSY, -EIO, -ENOMEM.
 */
MUST_CHECK int tty_open_file(struct tty *t, struct file *f, bool console);

/*
 * Input for the line discipline, lock held: returns the bytes taken, fewer when readers must make
 * room.
 */
size_t tty_feed(struct tty *t, const uint8_t *p, size_t n);
/*
 * Acts upon what the line discipline reports; lock held. After every use of t->ld that may change
 * something.
 */
void tty_dispatch(struct tty *t);

void tty_flush(struct tty *t, bool in, bool out); /* lock held */
void tty_input_taken(struct tty *t); /* lock held; input has been read: more may come */
void tty_set_winsize(struct tty *t, const struct abi_winsize *w); /* lock not held */

/*
 * Hangs up: files open now read end of file and fail to write, the session loses its terminal.
 *   context      may sleep; takes TTY, PROCTREE
 *   leader_ended the reason is the end of the session's leader, who needs no signal then
 */
void tty_hangup(struct tty *t, bool leader_ended);

static inline bool tty_file_is_hung(const struct tty_file *tf)
{
	return !tf->console &&
	       __atomic_load_n(&tf->tty->generation, __ATOMIC_RELAXED) != tf->generation;
}
static inline bool file_is_nonblock(const struct file *f)
{
	return atomic_load_explicit(&f->flags, memory_order_relaxed) & O_NONBLOCK;
}

/* tty_ioctl.c */
int64_t tty_file_ioctl(struct file *f, unsigned cmd, uint64_t arg);
/*
 * The requests that a pty's master passes to its slave. `master`: less job control, and no need to
 * be one's own.
 */
int64_t tty_ioctl(struct tty *t, struct file *f, unsigned cmd, uint64_t arg, bool master);

/* termios.c: settings between the ABI's three forms. */
uint32_t termios_speed(const struct abi_termios2 *t); /* output, bit/s */
void termios_set_speeds(struct abi_termios2 *t);      /* c_ispeed and c_ospeed from c_cflag */
uint32_t termios_speed_flag(uint32_t baud);           /* Bxxx, or BOTHER */
struct abi_termio termios_to_termio(const struct abi_termios2 *t);
void termios_from_termio(struct abi_termios2 *t, const struct abi_termio *io);

/* ctty.c: sessions and job control. None is called under PROCTREE. */
void ctty_init(void);
MUST_CHECK struct tty *ctty_get(void); /* the caller's terminal, counted; NULL */
/*
 * May the running process read (SIGTTIN), or write or change settings (SIGTTOU)? 0, -EIO,
 * -ERESTARTSYS.
 */
MUST_CHECK int ctty_check_read(struct tty *t);
MUST_CHECK int ctty_check_change(struct tty *t);
void ctty_opened(struct tty *t, const struct file *f); /* a leader without a terminal gets it */
MUST_CHECK int ctty_set(struct tty *t, const struct file *f, bool steal); /* TIOCSCTTY */
MUST_CHECK int ctty_drop(struct tty *t);                                  /* TIOCNOTTY */
bool ctty_is_mine(const struct tty *t);
/* Group and session ids; `anyone`: also when it is not the caller's terminal. -ENOTTY. */
MUST_CHECK int64_t ctty_foreground_id(struct tty *t, bool anyone);
MUST_CHECK int64_t ctty_session_id(struct tty *t, bool anyone);
MUST_CHECK int ctty_set_foreground(struct tty *t, int32_t pgid); /* tcsetpgrp(3) */
void ctty_signal(struct tty *t, int sig);                        /* to the foreground group */
/* The session loses its terminal, with the signals of a hang-up; see tty_hangup(). */
void ctty_hangup(struct tty *t, bool leader_ended);

/* serial.c */
void serial_init(void);
struct tty *serial_find(unsigned port); /* borrowed, for ever; NULL */
/* Sets speed and format as "115200n8" says; what it does not say stays. */
void serial_configure(struct tty *t, const char *options);

/* console.c */
void console_init(void);

/* pty.c and devpts.c: see pty.h */
void pty_init(void);
