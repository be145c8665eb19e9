#pragma once

/* procfs and sysfs: registration at boot. */

void procfs_init(void);
void sysfs_init(void);
