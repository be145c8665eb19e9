/* What all drivers of network devices need: the object and its counters. */

#include "dev/net/netdev.h"

#include "core/percpu.h"
#include "lib/string.h"
#include "pmm/slab.h"

const struct netdev_client *netdev_client;

struct netdev *netdev_alloc(const char *name)
{
	struct netdev *d = kzalloc(sizeof(*d));

	if (!d)
		return NULL;
	if (!(d->stats = kcalloc(ncpus, sizeof(*d->stats)))) {
		kfree(d);
		return NULL;
	}
	strscpy(d->name, name, sizeof(d->name));
	list_init(&d->node);
	ref_init(&d->ref);
	memset(d->broadcast, 0xff, sizeof(d->broadcast));
	d->txqueuelen = 1000;
	return d;
}

void netdev_free(struct netdev *d)
{
	kfree(d->stats);
	kfree(d);
}

struct netdev_stats *netdev_stats(struct netdev *d)
{
	return &d->stats[cpu_id()];
}

void netdev_stats_sum(const struct netdev *d, struct netdev_stats *out)
{
	uint64_t *sum = (uint64_t *)out;

	memset(out, 0, sizeof(*out));
	for (unsigned cpu = 0; cpu < ncpus; cpu++) {
		const uint64_t *one = (const uint64_t *)&d->stats[cpu];

		for (size_t i = 0; i < sizeof(*out) / sizeof(*sum); i++)
			sum[i] += __atomic_load_n(&one[i], __ATOMIC_RELAXED);
	}
}
