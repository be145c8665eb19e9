#pragma once

/* The console: which terminal /dev/console is, and where the kernel log goes. */

/*
 * Gives the log its serial sinks, as `console=` says (ttyS0 when it says nothing). Boot, as early
 * as the command line is known; tty_init() does it, too.
 */
void console_early_init(void);
