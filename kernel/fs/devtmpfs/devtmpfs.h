#pragma once

/* devtmpfs: one tree of device nodes, kept by the kernel, mounted as often as wished. Boot, after
 * tmpfs_init(): makes the nodes registered so far; later ones appear as they are registered
 * (vfs/chrdev.h). */
void devtmpfs_init(void);
