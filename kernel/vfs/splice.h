#pragma once

/* Moving data between files inside the kernel: splice(2), tee(2), sendfile(2), copy_file_range(2).
 */

#include "lib/types.h"

struct file;

/*
 * One of the two is a pipe. Offsets NULL: the file's own.
 *   returns      bytes moved; 0 at end of file; -EAGAIN, -EPIPE, -EINVAL (neither is a pipe,
 * O_APPEND target), -EBADF mode, -ERESTARTSYS, and the files' own errors
 */
MUST_CHECK ssize64_t file_splice(struct file *in, off64_t *in_pos, struct file *out,
				 off64_t *out_pos, size_t len, bool nonblock);
MUST_CHECK ssize64_t pipe_tee(struct file *in, struct file *out, size_t len, bool nonblock);

/* From a file with an offset to any file: sendfile(2), copy_file_range(2). pos NULL: the file's own
 * offset. */
MUST_CHECK ssize64_t file_copy(struct file *in, off64_t *in_pos, struct file *out, off64_t *out_pos,
			       size_t len);
