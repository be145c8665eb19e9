/*
 * Control messages of AF_UNIX: files (SCM_RIGHTS) and credentials (SCM_CREDENTIALS), unix(7).
 *
 * Files are in flight from sendmsg(2)'s look at them until a receiver has them or the message is
 * thrown away; gc.c counts them. Throwing away closes files, which can close sockets, which throw
 * away their messages: what comes up while a thread is closing files is put on its list, so the
 * depth of the stack does not depend on how sockets were put into sockets.
 */

#include "abi/errno.h"
#include "lib/string.h"
#include "net/unix/unix_priv.h"
#include "pmm/slab.h"
#include "vfs/cred.h"
#include "vfs/fdtable.h"
#include "vfs/file.h"
#include "vm/usercopy.h"

enum { CMSG_HEADER = sizeof(struct abi_cmsghdr), OVERFLOW_ID = 65534 };

/* --- sending --- */

/* Room for n more. There is mostly one SCM_RIGHTS, so it is just that. */
static int reserve(struct unix_scm *scm, uint32_t n)
{
	uint32_t have = scm->rights ? scm->rights->n : 0;
	struct unix_rights *r;

	if (n > SCM_MAX_FD || have + n > SCM_MAX_FD)
		return -EINVAL;
	r = krealloc(scm->rights, sizeof(*r) + (have + n) * sizeof(r->file[0]));
	if (r == NULL)
		return -ENOMEM;
	if (scm->rights == NULL)
		*r = (struct unix_rights){ .n = 0 };
	scm->rights = r;
	return 0;
}

static int add_files(struct unix_scm *scm, const int32_t *fd, uint32_t n)
{
	int err;

	if (n == 0)
		return 0;
	if ((err = reserve(scm, n)))
		return err;
	for (uint32_t i = 0; i < n; i++) {
		struct fdref f = fdref_get_path(fd[i]);

		if (f.file == NULL)
			return -EBADF;
		if (!f.counted)
			file_get(f.file);
		scm->rights->file[scm->rights->n++] = f.file;
	}
	return 0;
}

/* unix(7): one's own ids, unless privileged. */
static int take_cred(struct unix_scm *scm, const struct abi_ucred *uc)
{
	const struct cred *c = current_cred();
	uint32_t pid = (uint32_t)uc->pid;

	if (pid != unix_current_pid() && !cred_has_cap(c, CAP_SYS_ADMIN))
		return -EPERM;
	if (uc->uid != c->uid && uc->uid != c->euid && uc->uid != c->suid &&
	    !cred_has_cap(c, CAP_SETUID))
		return -EPERM;
	if (uc->gid != c->gid && uc->gid != c->egid && uc->gid != c->sgid &&
	    !cred_has_cap(c, CAP_SETGID))
		return -EPERM;
	if (pid != unix_current_pid() && !net_pid_exists(pid))
		return -ESRCH;
	scm->cred = (struct unix_cred){ pid, uc->uid, uc->gid };
	scm->has_cred = true;
	return 0;
}

static int parse_one(const struct abi_cmsghdr *h, struct unix_scm *scm)
{
	uint32_t len = (uint32_t)(h->cmsg_len - CMSG_HEADER);

	if (h->cmsg_level != SOL_SOCKET)
		return 0;
	switch (h->cmsg_type) {
	case SCM_RIGHTS:
		return add_files(scm, (const int32_t *)(h + 1), len / (uint32_t)sizeof(int32_t));
	case SCM_CREDENTIALS:
		if (len != sizeof(struct abi_ucred))
			return -EINVAL;
		return take_cred(scm, (const struct abi_ucred *)(h + 1));
	}
	return -EINVAL;
}

static int put_in_flight(struct unix_rights *r)
{
	int err;

	r->uid = current_cred()->uid;
	err = unix_inflight_add(r->file, r->n, r->uid);
	r->in_flight = !err;
	return err;
}

int unix_scm_parse(const struct sockmsg *m, struct unix_scm *out)
{
	const char *at = m->control;
	uint64_t left = m->control_len;
	int err = 0;

	*out = (struct unix_scm){ .rights = NULL };
	while (!err && left >= CMSG_HEADER) {
		const struct abi_cmsghdr *h = (const struct abi_cmsghdr *)at;
		uint64_t step;

		if (h->cmsg_len < CMSG_HEADER || h->cmsg_len > left) {
			err = -EINVAL;
			break;
		}
		err = parse_one(h, out);
		step = MIN(ALIGN_UP(h->cmsg_len, 8), left);
		at += step;
		left -= step;
	}
	if (!err && out->rights != NULL)
		err = put_in_flight(out->rights);
	if (err)
		unix_scm_drop(out);
	return err;
}

void unix_scm_drop(struct unix_scm *scm)
{
	if (UNLIKELY(scm->rights != NULL))
		unix_rights_free(scm->rights);
	scm->rights = NULL;
}

void unix_scm_attach(struct unix_scm *scm, struct unix_sock *u, struct unix_sock *to,
		     struct unix_msg *m)
{
	if (UNLIKELY(scm->rights != NULL)) {
		m->rights = scm->rights;
		scm->rights = NULL;
	}
	if (UNLIKELY(scm->has_cred)) {
		m->cred = scm->cred;
		m->has_cred = true;
	} else if (UNLIKELY(socket_has(&u->s, SOB_PASSCRED) || socket_has(&to->s, SOB_PASSCRED) ||
			    to->embryo)) {
		const struct cred *c = current_cred();

		m->cred = (struct unix_cred){ unix_current_pid(), c->uid, c->gid };
		m->has_cred = true;
	} else {
		m->cred = (struct unix_cred){ 0, OVERFLOW_ID, OVERFLOW_ID };
	}
}

/* --- receiving --- */

void unix_scm_receive_cred(const struct unix_msg *msg, struct sockmsg *m)
{
	struct abi_ucred uc = { (int32_t)msg->cred.pid, msg->cred.uid, msg->cred.gid };

	sockmsg_put_control(m, SOL_SOCKET, SCM_CREDENTIALS, &uc, sizeof(uc));
}

/* The same files once more, for a peek; NULL: no memory. */
static struct unix_rights *copy_rights(struct unix_rights *r)
{
	struct unix_rights *c = kmalloc(sizeof(*c) + r->n * sizeof(c->file[0]));

	if (c == NULL)
		return NULL;
	*c = (struct unix_rights){ .n = r->n, .uid = r->uid };
	memcpy(c->file, r->file, r->n * sizeof(c->file[0]));
	unix_inflight_peek(c->file, c->n);
	return c;
}

/* Installs one file and writes its number. The file is consumed when that succeeds. */
static int give_file(struct file *f, uaddr_t where, bool cloexec)
{
	int fd = fd_reserve(0, cloexec);

	if (fd < 0)
		return fd;
	if (put_user_u32(where, (uint32_t)fd)) {
		fd_unreserve(fd);
		return -EFAULT;
	}
	fd_install(fd, f);
	return 0;
}

static uint32_t give_files(struct unix_rights *r, struct sockmsg *m)
{
	uaddr_t data = uaddr_add(m->ucontrol, CMSG_HEADER);
	uint32_t n = 0, room = 0;

	if (m->control_len > CMSG_HEADER)
		room = (uint32_t)MIN((m->control_len - CMSG_HEADER) / 4, (uint64_t)r->n);
	while (n < room &&
	       give_file(r->file[n], uaddr_add(data, n * 4ul), m->flags & MSG_CMSG_CLOEXEC) == 0)
		r->file[n++] = NULL;
	return n;
}

struct unix_rights *unix_scm_receive_rights(struct unix_msg *msg, struct sockmsg *m, bool peek)
{
	struct unix_rights *r = msg->rights;
	struct abi_cmsghdr h = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	uint64_t step;
	uint32_t n;

	if (peek) {
		if ((r = copy_rights(r)) == NULL)
			return NULL;
	} else {
		msg->rights = NULL;
		unix_inflight_remove(r->file, r->n, r->uid);
		r->in_flight = false;
	}
	n = give_files(r, m);
	if (n > 0) {
		h.cmsg_len = CMSG_HEADER + n * 4ul;
		if (copy_to_user(m->ucontrol, &h, sizeof(h)) == 0) {
			step = MIN(ALIGN_UP(h.cmsg_len, 8), m->control_len);
			m->ucontrol = uaddr_add(m->ucontrol, step);
			m->control_len -= step;
		}
	}
	if (n < r->n) {
		m->out_flags |= MSG_CTRUNC;
		return r;
	}
	kfree(r);
	return NULL;
}

/* --- throwing away --- */

static void close_files(struct unix_rights *r)
{
	for (unsigned i = 0; i < r->n; i++)
		file_put(r->file[i]);
	kfree(r);
}

void unix_rights_free(struct unix_rights *r)
{
	struct thread *t = curthread();
	struct unix_rights *todo = r;

	if (r->in_flight)
		unix_inflight_remove(r->file, r->n, r->uid);
	r->next = NULL;
	if (t->closing != NULL) {
		struct unix_rights **list = t->closing;

		r->next = *list;
		*list = r;
		return;
	}
	t->closing = &todo;
	while ((r = todo) != NULL) {
		todo = r->next;
		close_files(r);
		thread_resched_point();
	}
	t->closing = NULL;
}
