/* What process 1 owes the machine: mounts, devices, host name, loopback, and the way out. */
#pragma once

/*
 * Called with one line of text for each thing that could not be set up. The agent goes on: a kernel
 * without sysfs still runs most programs.
 */
typedef void machine_note(const char *what, const char *why);

/* Mounts proc, sysfs, devtmpfs, devpts and a tmpfs for /dev/shm; makes what /dev lacks. */
void machine_mount(machine_note *note);

/* Sets the host name and brings the loopback interface up. */
void machine_name(const char *host);

/*
 * Kills every other process and writes everything back.
 *   context      process 1 only
 */
void machine_quiesce(void);

/*
 * Switches the machine off, or resets it where the kernel cannot do that: both end QEMU. Returns only
 * if the kernel refuses either.
 */
void machine_off(void);
