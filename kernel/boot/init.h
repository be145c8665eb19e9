#pragma once

/* The root file system and process 1. */

/* Unpacks the initramfs into a tmpfs and starts process 1 from it. Panics when there is nothing to
 * run, as Linux does. */
void init_start(void);
