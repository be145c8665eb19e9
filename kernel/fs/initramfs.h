#pragma once

/* The initramfs. */

#include "lib/types.h"

/*
 * Unpacks archives ("newc" cpio, plain or gzip, any number after each other, with zero bytes
 * between) into the root of the mount tree, which must be a tmpfs. data, n      in memory; the
 * caller frees it returns      0; -EINVAL damaged or in an unknown format, -ENOSPC, -ENOMEM: one
 * line of log names the offset, and what was unpacked before stays context      a thread with
 * root's credentials, in the root directory; may sleep source       initramfs buffer format,
 * cpio(5)
 */
MUST_CHECK int initramfs_unpack(const void *data, size_t n);
