#pragma once

/* For prctl(2): one change of the running task's credentials. */

#include "lib/types.h"

struct cred;

/* Copies the credentials, lets `edit` change them, commits. 0; -ENOMEM. */
MUST_CHECK int64_t cred_change(void (*edit)(struct cred *c, uint64_t arg), uint64_t arg);
