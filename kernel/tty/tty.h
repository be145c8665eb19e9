#pragma once

/* Terminals, as boot sees them; everything else reaches them through files. */

/*
 * Registers the devices (ttyS*, console, tty, ptmx, pts), the file system devpts, and the hook of
 * proc for session leaders that end. Boot, once, in a thread, after uart_init() and proc_init().
 */
void tty_init(void);
