#pragma once

/*
 * Credentials: immutable once published, shared by reference, replaced as a whole (proc prepares a
 * copy and commits it). Permission checks take the credentials they are to judge, never "current"
 * implicitly, except through the inline current_cred().
 */

#include "abi/capability.h"
#include "core/epoch.h"
#include "core/ref.h"
#include "lib/types.h"
#include "sched/thread.h"

struct cred {
	struct ref ref;
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
	uint32_t securebits;
	uint32_t ngroups;
	uint32_t *groups; /* sorted; owned; NULL when ngroups is 0 */
	struct epoch_head epoch;
};

#define CAP_FULL_SET ((2ull << CAP_LAST_CAP) - 1)

void cred_init(void);         /* boot */
extern struct cred root_cred; /* of kernel threads and process 1 */

/* Kernel threads that were given none act as root. */
static inline const struct cred *current_cred(void)
{
	const struct cred *c = curthread()->cred;

	return LIKELY(c != NULL) ? c : &root_cred;
}
void cred_get(const struct cred *c);
void cred_put(const struct cred *c); /* freed under an epoch */
MUST_CHECK struct cred *cred_dup(
	const struct cred *c); /* a private copy, count 1; NULL: no memory */
/* Makes c (consumed) the running thread's; the old one is put. */
void cred_commit(struct cred *c);
/* The running thread acts with c until it changes back; the counts stay. Returns what it had. */
struct cred *cred_swap(struct cred *c);
bool cred_in_group(const struct cred *c, uint32_t gid); /* fsgid or supplementary */

static inline bool cred_has_cap(const struct cred *c, unsigned cap)
{
	return c->cap_effective >> cap & 1;
}
/* Of the running thread, which is remembered to have used it. */
static inline bool capable(unsigned cap)
{
	bool has = cred_has_cap(current_cred(), cap);

	curthread()->used_caps |= has;
	return has;
}
