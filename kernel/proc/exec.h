#pragma once

/* execve(2): planning (open, read, check, build the new space with its stack), then the point of no
 * return. */

#include "lib/types.h"

/*
 * Strings of a new image: pages filled as argv and envp are copied, so that no limit but the real
 * one (RLIMIT_STACK / 4, 128 KiB a string) applies.
 */
struct exec_strings;

/* execve and execveat for the running task.
 *   argv, envp   user pointers; UADDR_NULL is an empty list
 *   returns      0: registers are set, the old image is gone; -errno of execve(2): nothing has
 * changed */
MUST_CHECK int exec_user(int dirfd, const char *path, uaddr_t argv, uaddr_t envp, unsigned flags);

extern int exec_randomize_va_space; /* sysctl kernel.randomize_va_space: 0, 1, 2 */

/* For boot: kernel strings. */
MUST_CHECK int exec_kernel(const char *path, const char *const argv[], const char *const envp[]);
