/* /sys/devices/system/cpu/cpuN/cache: what lscpu(1) and programs that fit their blocks to a cache
 * read. source: sysfs-devices-system-cpu's names, as a Linux kernel shows them. */

#include <arch/cpu.h>

#include "abi/errno.h"
#include "core/percpu.h"
#include "lib/string.h"
#include "pseudofs/sys_priv.h"

/* What a directory "indexN" stands for: the CPU and the cache's number. */
enum { INDEX_SHIFT = 32 };
enum cache_word { LEVEL, SETS, WAYS, LINE };

static unsigned cpu_of(const struct pinode *i)
{
	return (unsigned)i->subject.number;
}
static unsigned index_of(const struct pinode *i)
{
	return (unsigned)(i->subject.number >> INDEX_SHIFT);
}

static int word_show(struct pinode *i, struct textbuf *t)
{
	struct arch_cache c;

	if (!arch_cpu_cache(index_of(i), &c))
		return -ENOENT;
	text_f(t, "%u\n",
	       i->node->arg == LEVEL  ? c.level
	       : i->node->arg == SETS ? c.sets
	       : i->node->arg == WAYS ? c.ways
				      : c.line);
	return 0;
}

static int size_show(struct pinode *i, struct textbuf *t)
{
	struct arch_cache c;

	if (!arch_cpu_cache(index_of(i), &c))
		return -ENOENT;
	text_f(t, "%luK\n", (unsigned long)c.sets * c.ways * c.line / 1024);
	return 0;
}

static int type_show(struct pinode *i, struct textbuf *t)
{
	static const char *const types[] = { [CACHE_DATA] = "Data",
					     [CACHE_INSTRUCTION] = "Instruction",
					     [CACHE_UNIFIED] = "Unified" };
	struct arch_cache c;

	if (!arch_cpu_cache(index_of(i), &c) || c.type >= ARRAY_SIZE(types) || !types[c.type])
		return -ENOENT;
	text_f(t, "%s\n", types[c.type]);
	return 0;
}

static int map_show(struct pinode *i, struct textbuf *t)
{
	return sys_mask_show(t, arch_cpu_cache_sharers(cpu_of(i), index_of(i)));
}

/* "0-3,5" */
static int list_show(struct pinode *i, struct textbuf *t)
{
	uint64_t mask = arch_cpu_cache_sharers(cpu_of(i), index_of(i));
	const char *comma = "";

	for (unsigned first = 0, last; first < ncpus; first = last + 1) {
		last = first;
		if (!(mask >> first & 1))
			continue;
		while (last + 1 < ncpus && mask >> (last + 1) & 1)
			last++;
		text_f(t, last > first ? "%s%u-%u" : "%s%u", comma, first, last);
		comma = ",";
	}
	text_c(t, '\n');
	return 0;
}

static int one_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	text_f(t, "1\n");
	return 0;
}

#define TEXT(n, fn, a)                                                  \
	{                                                               \
		.name = n, .mode = S_IFREG | 0444, .show = fn, .arg = a \
	}

static const struct pnode index_nodes[] = {
	TEXT("coherency_line_size", word_show, LINE),
	TEXT("level", word_show, LEVEL),
	TEXT("number_of_sets", word_show, SETS),
	TEXT("physical_line_partition", one_show, 0),
	TEXT("shared_cpu_list", list_show, 0),
	TEXT("shared_cpu_map", map_show, 0),
	TEXT("size", size_show, 0),
	TEXT("type", type_show, 0),
	TEXT("ways_of_associativity", word_show, WAYS),
	{ 0 },
};
static const struct pnode index_dir = { .name = "",
					.mode = S_IFDIR | 0755,
					.children = index_nodes };

int sys_cache_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		   struct psubject *s)
{
	struct arch_cache c;
	uint32_t index;

	if (len < 6 || memcmp(name, "index", 5) != 0 ||
	    !proc_parse_number(name + 5, len - 5, &index) || !arch_cpu_cache(index, &c))
		return -ENOENT;
	*s = (struct psubject){ .number = cpu_of(dir) | (uint64_t)index << INDEX_SHIFT };
	*node = &index_dir;
	return 0;
}

bool sys_cache_next(struct pinode *dir, uint64_t *key, char *name, size_t size,
		    const struct pnode **node)
{
	struct arch_cache c;

	(void)dir;
	if (!arch_cpu_cache((unsigned)*key, &c))
		return false;
	fmt(name, size, "index%u", (unsigned)*key);
	*node = &index_dir;
	return true;
}
