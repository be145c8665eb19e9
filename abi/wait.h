/* wait(2), waitid(2). */
#pragma once

#define WNOHANG     0x00000001
#define WUNTRACED   0x00000002
#define WSTOPPED    WUNTRACED
#define WEXITED     0x00000004
#define WCONTINUED  0x00000008
#define WNOWAIT     0x01000000
#define __WNOTHREAD 0x20000000 /* not the children of other threads */
#define __WALL      0x40000000 /* whatever the exit signal */
#define __WCLONE    0x80000000 /* only children whose exit signal is not SIGCHLD */

#define P_ALL   0
#define P_PID   1
#define P_PGID  2
#define P_PIDFD 3

/* The status word. */
#define W_EXITCODE(ret, sig) ((ret) << 8 | (sig))
#define W_STOPCODE(sig)      ((sig) << 8 | 0x7f)
#define __W_CONTINUED        0xffff
#define WCOREFLAG            0x80
