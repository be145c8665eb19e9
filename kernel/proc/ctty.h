#pragma once

/* The controlling terminal of a process, of which tty knows more than proc. */

struct process;

/* For /proc/PID/stat: the device number of the controlling terminal (0: none) and its foreground
 * group (-1: none), from the hook that tty sets. */
void process_tty(struct process *p, int *tty, int *tpgid);
extern void (*process_tty_hook)(struct process *p, int *tty, int *tpgid);
