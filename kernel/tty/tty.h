#pragma once

/* Terminals, as boot sees them; everything else reaches them through files. */

/*
 * Registers the devices (ttyS*, console, tty, ptmx, pts), the file system devpts, and the hook of
 * proc for session leaders that end. Boot, once, in a thread, after uart_init() and proc_init().
 */
void tty_init(void);

/* vhangup(2): hangs up the controlling terminal of the running process, if it has one. */
void tty_vhangup(void);
