#pragma once

/* Programs that the kernel starts for itself. process_create_init(): task.h. */

#include "lib/types.h"

struct file;

/*
 * Starts argv[0] as root, in process 1's root directory, with std_input as its descriptor 0 and no
 * other. Nobody waits for it: it reaps itself. A program that cannot be executed ends with 127.
 *   argv         NULL-terminated; copied
 *   std_input    borrowed
 *   returns      0; -ENOMEM, -EAGAIN
 *   context      may sleep
 */
MUST_CHECK int process_spawn_helper(const char *const *argv, struct file *std_input);
