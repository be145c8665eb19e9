/*
 * What happens to addresses and routes by itself: lifetimes that end.
 *
 * One timer for all, whose work takes net_config_lock.
 */

#include "abi/rtnetlink.h"
#include "core/clock.h"
#include "net/inet/fib.h"
#include "net/inet/inet_priv.h"
#include "net/netif.h"
#include "sched/timer.h"
#include "sched/work.h"

static struct timer timer;
static struct work work;

static void run(struct work *w)
{
	nsec_t now = clock_mono(), next;

	(void)w;
	mutex_lock(&net_config_lock);
	next = ifaddr_expire(now);
	next = MIN(next, fib_expire(now));
	mutex_unlock(&net_config_lock);
	timer_arm(&timer, next);
	net_run_deferred();
}

static void on_timer(struct timer *t)
{
	(void)t;
	work_queue(&work);
}

void autoconf_changed(struct netdev *d)
{
	(void)d;
	work_queue(&work);
}

void autoconf_routes_changed(nsec_t expires)
{
	if (expires)
		work_queue(&work);
}

void autoconf_prepare(struct ifaddr *a)
{
	(void)a;
}

void autoconf_init(void)
{
	timer_init(&timer, on_timer);
	work_init(&work, run);
}
