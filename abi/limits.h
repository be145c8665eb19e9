/* Limits that programs are told of. */
#pragma once

#define NGROUPS_MAX    65536
#define LINK_MAX       127
#define MAX_CANON      255
#define MAX_INPUT      255
#define NAME_MAX       255
#define PATH_MAX       4096 /* its NUL included */
#define PIPE_BUF       4096
#define TASK_COMM_LEN  16         /* prctl(2) PR_SET_NAME, its NUL included */
#define MAXSYMLINKS    40         /* path_resolution(7) */
#define MAX_ARG_STRLEN 131072     /* execve(2): one argument string */
#define MAX_RW_COUNT   0x7ffff000 /* read(2): the most that one call transfers */
