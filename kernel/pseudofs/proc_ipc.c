/* /proc/sysvipc and System V's values in /proc/sys/kernel. Source: proc(5), svipc(7). */

#include "abi/errno.h"
#include "lib/string.h"
#include "proc/ipc/msg.h"
#include "proc/ipc/sem.h"
#include "proc/ipc/shm.h"
#include "pseudofs/proc_var.h"
#include "pseudofs/procfs_priv.h"
#include "vfs/cred.h"

/* --- /proc/sysvipc: a heading (key 0), then an object at each key that is its index and one --- */

static void owners(struct textbuf *t, const struct abi_ipc64_perm *p)
{
	text_f(t, " %5u %5u %5u %5u", p->uid, p->gid, p->cuid, p->cgid);
}

static int shm_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	uint32_t index = (uint32_t)*key - 1;
	struct abi_shmid64_ds d;
	uint64_t rss;
	int id;

	(void)i;
	if (*key == 0) {
		text_f(t,
		       "       key      shmid perms                  size  cpid  lpid nattch   "
		       "uid   gid  cuid  cgid      atime      dtime      ctime                   "
		       "rss                  swap\n");
		*key = 1;
		return 1;
	}
	if (!shm_next(&index, &d, &id, &rss))
		return 0;
	text_f(t, "%10d %10d  %4o %21lu %5u %5u  %5lu", d.shm_perm.key, id, d.shm_perm.mode,
	       (unsigned long)d.shm_segsz, (unsigned)d.shm_cpid, (unsigned)d.shm_lpid,
	       (unsigned long)d.shm_nattch);
	owners(t, &d.shm_perm);
	text_f(t, " %10lu %10lu %10lu %21lu %21lu\n", (unsigned long)d.shm_atime,
	       (unsigned long)d.shm_dtime, (unsigned long)d.shm_ctime, (unsigned long)rss, 0ul);
	*key = index + 1;
	return 1;
}

static int sem_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	uint32_t index = (uint32_t)*key - 1;
	struct abi_semid64_ds d;
	int id;

	(void)i;
	if (*key == 0) {
		text_f(t,
		       "       key      semid perms      nsems   uid   gid  cuid  cgid      otime"
		       "      ctime\n");
		*key = 1;
		return 1;
	}
	if (!sem_next(&index, &d, &id))
		return 0;
	text_f(t, "%10d %10d  %4o %10lu", d.sem_perm.key, id, d.sem_perm.mode,
	       (unsigned long)d.sem_nsems);
	owners(t, &d.sem_perm);
	text_f(t, " %10lu %10lu\n", (unsigned long)d.sem_otime, (unsigned long)d.sem_ctime);
	*key = index + 1;
	return 1;
}

static int msg_record(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	uint32_t index = (uint32_t)*key - 1;
	struct abi_msqid64_ds d;
	int id;

	(void)i;
	if (*key == 0) {
		text_f(t, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   "
			  "gid  cuid  cgid      stime      rtime      ctime\n");
		*key = 1;
		return 1;
	}
	if (!msg_next(&index, &d, &id))
		return 0;
	text_f(t, "%10d %10d  %4o  %10lu %10lu %5u %5u", d.msg_perm.key, id, d.msg_perm.mode,
	       (unsigned long)d.msg_cbytes, (unsigned long)d.msg_qnum, (unsigned)d.msg_lspid,
	       (unsigned)d.msg_lrpid);
	owners(t, &d.msg_perm);
	text_f(t, " %10lu %10lu %10lu\n", (unsigned long)d.msg_stime, (unsigned long)d.msg_rtime,
	       (unsigned long)d.msg_ctime);
	*key = index + 1;
	return 1;
}

static int shm_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, shm_record);
}

static int sem_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, sem_record);
}

static int msg_fill(struct pinode *i, uint64_t *key, struct textbuf *t)
{
	return pseudo_records(i, key, t, msg_record);
}

const struct pnode proc_sysvipc_nodes[] = {
	{ .name = "msg", .mode = S_IFREG | 0444, .fill = msg_fill },
	{ .name = "sem", .mode = S_IFREG | 0444, .fill = sem_fill },
	{ .name = "shm", .mode = S_IFREG | 0444, .fill = shm_fill },
	{ 0 },
};

/* --- /proc/sys/kernel --- */

int proc_ipc_next_id_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%d\n", ((const struct ipc_ids *)i->node->ptr)->next_id);
	return 0;
}

ssize64_t proc_ipc_next_id_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	if (!capable(CAP_SYS_ADMIN) && !capable(CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	if (proc_one_number(text, 0, INT32_MAX, &v))
		return -EINVAL;
	((struct ipc_ids *)(uintptr_t)i->node->ptr)->next_id = (int)v;
	return (ssize64_t)n;
}

int proc_ipc_ulong_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%lu\n", (unsigned long)*(const uint64_t *)i->node->ptr);
	return 0;
}

ssize64_t proc_ipc_ulong_store(struct pinode *i, char *text, size_t n)
{
	uint64_t v;

	if (!str_to_u64(text, NULL, &v))
		return -EINVAL;
	*(uint64_t *)(uintptr_t)i->node->ptr = v;
	return (ssize64_t)n;
}

int proc_ipc_sem_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "%d\t%d\t%d\t%d\n", sem_limits[SEM_MSL], sem_limits[SEM_MNS], sem_limits[SEM_OPM],
	       sem_ids.limit);
	return 0;
}

/* As many of the four as there are; they take effect up to the first that is wrong. */
ssize64_t proc_ipc_sem_store(struct pinode *i, char *text, size_t n)
{
	const char *at = text;
	int64_t v;
	int res;

	(void)i;
	for (unsigned k = 0; k < 4; k++) {
		if ((res = proc_next_number(&at, &v)) == 0)
			break;
		if (res < 0 || v < INT32_MIN || v > INT32_MAX)
			return -EINVAL;
		if (k == 3 && (v < 0 || v > IPC_MNI_MAX))
			return -ERANGE;
		if (k == 3)
			sem_ids.limit = (int)v;
		else
			sem_limits[k] = (int)v;
	}
	return (ssize64_t)n;
}

ssize64_t proc_ipc_rmid_forced_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	if (proc_one_number(text, 0, 1, &v))
		return -EINVAL;
	shm_rmid_forced = (int)v;
	if (v)
		shm_remove_orphans();
	return (ssize64_t)n;
}

/* It once switched something that is gone: it takes 0 and 1, and stays 0. */
ssize64_t proc_ipc_auto_store(struct pinode *i, char *text, size_t n)
{
	int64_t v;

	(void)i;
	return proc_one_number(text, 0, 1, &v) ? -EINVAL : (ssize64_t)n;
}
