#pragma once

/*
 * What is below net/ for fuzzers of code that is not pure: memory that can run out, a clock that is moved by hand, epochs
 * that end between two steps, works and timers that run there, locks that must be free. One thread, one CPU.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "core/log.h"
#include "core/random.h"
#include "net/netif.h"
#include "net/socket.h"
#include "net/trace.h"
#include "pmm/slab.h"
#include "sched/mutex.h"
#include "sched/timer.h"
#include "sched/work.h"
#include "tests/host/core/host_cpu.h"
#include "vfs/cred.h"
#include "vfs/lock.h"
#include "vm/uio.h"
#include "vm/usercopy.h"

static void require(bool c)
{
	if (!c)
		abort();
}

/* --- memory --- */

static unsigned fake_fail_in; /* the nth allocation from now fails; 0: none */

static bool fake_fails(void)
{
	return fake_fail_in && --fake_fail_in == 0;
}
void *kmalloc(size_t n)
{
	void *p = fake_fails() ? NULL : malloc(n);

	if (p)
		memset(p, 0xa5, n);
	return p;
}
void *kzalloc(size_t n)
{
	return fake_fails() ? NULL : calloc(1, n);
}
void *kcalloc(size_t n, size_t size)
{
	return fake_fails() ? NULL : calloc(n, size);
}
void kfree(void *p)
{
	free(p);
}

/* --- time, and what is done later --- */

static nsec_t fake_now = 1000 * NSEC_PER_SEC;
static struct epoch_head *fake_epoch;
static struct work *fake_works[16];
static struct timer *fake_timers[16];
static uint64_t fake_random;

nsec_t clock_mono(void)
{
	return fake_now;
}
uint64_t random_u64(void)
{
	return fake_random = fake_random * 6364136223846793005ull + 1442695040888963407ull;
}
void epoch_free(struct epoch_head *h, void (*fn)(struct epoch_head *h))
{
	h->fn = fn;
	h->next = fake_epoch;
	fake_epoch = h;
}
static void fake_end_epoch(void)
{
	struct epoch_head *h;

	while ((h = fake_epoch)) {
		fake_epoch = h->next;
		h->fn(h);
	}
}
void work_init(struct work *w, void (*fn)(struct work *w))
{
	w->fn = fn;
	w->queued = 0;
}
bool work_queue(struct work *w)
{
	if (w->queued)
		return false;
	w->queued = 1;
	for (unsigned i = 0; i < ARRAY_SIZE(fake_works); i++)
		if (!fake_works[i]) {
			fake_works[i] = w;
			return true;
		}
	abort();
}
void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	t->fn = fn;
	t->expires = NSEC_MAX;
	for (unsigned i = 0; i < ARRAY_SIZE(fake_timers); i++)
		if (!fake_timers[i]) {
			fake_timers[i] = t;
			return;
		}
	abort();
}
void timer_arm(struct timer *t, nsec_t expires)
{
	t->expires = expires;
}
/* Timers that are due, works, and the end of the epoch. */
static void fake_run(void)
{
	struct work *w;

	for (unsigned i = 0; i < ARRAY_SIZE(fake_timers) && fake_timers[i]; i++)
		if (fake_timers[i]->expires <= fake_now) {
			fake_timers[i]->expires = NSEC_MAX;
			fake_timers[i]->fn(fake_timers[i]);
		}
	for (unsigned i = 0; i < ARRAY_SIZE(fake_works); i++)
		if ((w = fake_works[i])) {
			fake_works[i] = NULL;
			w->queued = 0;
			w->fn(w);
		}
	fake_end_epoch();
}

/* --- locks --- */

void spin_take_contended(struct spinlock *l)
{
	(void)l;
	abort(); /* nobody else runs: its holder has not let it go */
}
void mutex_init(struct mutex *m, enum lock_rank rank)
{
	m->owner = 0;
	m->rank = rank;
}
void mutex_lock(struct mutex *m)
{
	require(!m->owner);
	m->owner = 1;
}
void mutex_unlock(struct mutex *m)
{
	require(m->owner == 1);
	m->owner = 0;
}

/* --- threads and what they may --- */

struct cred root_cred = { .cap_effective = CAP_FULL_SET };
static struct thread fake_thread;

struct thread *arch_curthread(void)
{
	return &fake_thread;
}
static int32_t fake_tgid(void)
{
	return 77;
}
int32_t (*vfs_current_tgid)(void) = fake_tgid;
void log_f(enum log_level level, const char *f, ...)
{
	(void)level, (void)f;
}

/* --- sockets --- */

static struct net_family *fake_family;

void net_family_register(struct net_family *f)
{
	fake_family = f;
}
void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol)
{
	s->ops = ops;
	s->family = (uint16_t)family;
	s->type = (uint16_t)type;
	s->protocol = (uint16_t)protocol;
	s->sndbuf = s->rcvbuf = 65536;
	s->sndtimeo = s->rcvtimeo = NSEC_MAX;
	ref_init(&s->inode.ref);
}
void inode_get(struct inode *i)
{
	ref_get(&i->ref);
}
void inode_put(struct inode *i)
{
	struct socket *s = container_of(i, struct socket, inode);

	if (ref_put(&i->ref))
		s->ops->destroy(s);
}
nsec_t socket_deadline(nsec_t timeout, bool nonblock)
{
	return nonblock ? 0 : timeout;
}
int socket_wait(struct socket *s, struct waitq *q, bool (*ready)(struct socket *), nsec_t deadline)
{
	(void)q, (void)deadline;
	require(!ready(s));
	return -EAGAIN;
}
void socket_wake(struct socket *s, struct waitq *q, uint32_t events)
{
	(void)s, (void)q, (void)events;
}
struct socket *socket_of(const struct file *f)
{
	(void)f;
	return NULL;
}
void sockmsg_put_control(struct sockmsg *m, int level, int type, const void *data, size_t len)
{
	(void)m, (void)level, (void)type, (void)data, (void)len;
}
int get_user_u32(uint32_t *out, uaddr_t src)
{
	memcpy(out, (const void *)src.a, sizeof(*out));
	return 0;
}
size_t uio_get(struct uio *u, void *dst, size_t n)
{
	n = MIN(n, u->resid);
	memcpy(dst, (const void *)u->one.base, n);
	u->one.base += n;
	u->resid -= n;
	return n;
}
size_t uio_put(struct uio *u, const void *src, size_t n)
{
	n = MIN(n, u->resid);
	memcpy((void *)u->one.base, src, n);
	u->one.base += n;
	u->resid -= n;
	return n;
}

/* --- packets: there are none --- */

void pkt_init(void)
{
}
struct pkt *pkt_alloc(void)
{
	return NULL;
}
void pkt_free(struct pkt *p)
{
	require(!p);
}
void pkt_free_list(struct list *pkts)
{
	require(list_is_empty(pkts));
}
struct pkt *pkt_clone(const struct pkt *p)
{
	(void)p;
	return NULL;
}
bool pkt_need_slow(struct pkt *p, uint32_t n)
{
	(void)p, (void)n;
	return false;
}
uint8_t *pkt_base(const struct pkt *p)
{
	(void)p;
	abort();
}
void pkt_drop(struct pkt *p, enum net_drop why)
{
	(void)p, (void)why;
	abort();
}

/* --- filters: no socket here has one --- */

struct socket_filter;
struct filter_bytes;

uint32_t filter_run_bytes(const struct socket_filter *f, const struct filter_bytes *b)
{
	(void)f, (void)b;
	return UINT32_MAX;
}
