/* /sys: as far as glibc, procps and udev-less userlands read it. Source: sysfs(5). */

#include "abi/errno.h"
#include "abi/statfs.h"
#include "core/percpu.h"
#include "lib/string.h"
#include "pseudofs/procfs.h"
#include "pseudofs/sys_priv.h"
#include "vm/vmspace.h"

static int cpu_list_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	if (ncpus > 1)
		text_f(t, "0-%u\n", ncpus - 1);
	else
		text_f(t, "0\n");
	return 0;
}

static int number_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%lu\n", (unsigned long)i->node->arg);
	return 0;
}

static int text_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%s\n", (const char *)i->node->ptr);
	return 0;
}

static int subject_number_show(struct pinode *i, struct textbuf *t)
{
	text_f(t, "%lu\n", (unsigned long)i->subject.number);
	return 0;
}

int sys_mask_show(struct textbuf *t, uint64_t mask)
{
	if (ncpus > 32)
		text_f(t, "%0*x,%08x\n", (int)(ncpus - 32 + 3) / 4, (unsigned)(mask >> 32),
		       (unsigned)mask);
	else
		text_f(t, "%0*x\n", (int)(ncpus + 3) / 4, (unsigned)mask);
	return 0;
}

static int core_mask_show(struct pinode *i, struct textbuf *t)
{
	return sys_mask_show(t, 1ul << i->subject.number);
}

static int cpu_mask_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	return sys_mask_show(t, ncpus < 64 ? (1ul << ncpus) - 1 : ~0ul);
}

#define TEXT(n, fn)                                           \
	{                                                     \
		.name = n, .mode = S_IFREG | 0444, .show = fn \
	}
#define NUMBER(n, v)                                                             \
	{                                                                        \
		.name = n, .mode = S_IFREG | 0444, .show = number_show, .arg = v \
	}
#define FIXED(n, s)                                                            \
	{                                                                      \
		.name = n, .mode = S_IFREG | 0444, .show = text_show, .ptr = s \
	}
#define DIR(n, c)                                                \
	{                                                        \
		.name = n, .mode = S_IFDIR | 0755, .children = c \
	}

static const struct pnode nothing[] = { { 0 } };

static const struct pnode topology[] = {
	TEXT("core_id", subject_number_show),
	NUMBER("physical_package_id", 0),
	NUMBER("die_id", 0),
	TEXT("thread_siblings", core_mask_show),
	TEXT("core_cpus", core_mask_show),
	TEXT("core_siblings", cpu_mask_show),
	TEXT("die_cpus", cpu_mask_show),
	TEXT("package_cpus", cpu_mask_show),
	TEXT("thread_siblings_list", subject_number_show),
	TEXT("core_cpus_list", subject_number_show),
	TEXT("core_siblings_list", cpu_list_show),
	TEXT("die_cpus_list", cpu_list_show),
	TEXT("package_cpus_list", cpu_list_show),
	{ 0 },
};
static const struct pnode one_cpu[] = {
	DIR("topology", topology),
	{ .name = "cache", .mode = S_IFDIR | 0755, .find = sys_cache_find, .list = sys_cache_next },
	NUMBER("online", 1),
	{ 0 },
};
static const struct pnode cpu_dir = { .name = "", .mode = S_IFDIR | 0755, .children = one_cpu };

static int cpu_find(struct pinode *dir, const char *name, size_t len, const struct pnode **node,
		    struct psubject *s)
{
	uint32_t cpu;

	(void)dir;
	if (len < 4 || name[0] != 'c' || name[1] != 'p' || name[2] != 'u' ||
	    !proc_parse_number(name + 3, len - 3, &cpu) || cpu >= ncpus)
		return -ENOENT;
	*s = (struct psubject){ .number = cpu };
	*node = &cpu_dir;
	return 0;
}

static bool cpu_next(struct pinode *dir, uint64_t *key, char *name, size_t size,
		     const struct pnode **node)
{
	(void)dir;
	if (*key >= ncpus)
		return false;
	fmt(name, size, "cpu%u", (unsigned)*key);
	*node = &cpu_dir;
	return true;
}

static const struct pnode cpu_nodes[] = {
	TEXT("online", cpu_list_show),      TEXT("possible", cpu_list_show),
	TEXT("present", cpu_list_show),     FIXED("offline", ""),
	NUMBER("kernel_max", MAX_CPUS - 1), { 0 },
};
static const struct pnode node0[] = { TEXT("cpulist", cpu_list_show),
				      TEXT("cpumap", cpu_mask_show),
				      FIXED("distance", "10"),
				      TEXT("meminfo", sys_node_meminfo_show),
				      { 0 } };
static const struct pnode node_nodes[] = {
	FIXED("online", "0"),     FIXED("possible", "0"), FIXED("has_cpu", "0"),
	FIXED("has_memory", "0"), DIR("node0", node0),    { 0 },
};
static const struct pnode system_nodes[] = {
	{ .name = "cpu",
	  .mode = S_IFDIR | 0755,
	  .children = cpu_nodes,
	  .find = cpu_find,
	  .list = cpu_next },
	DIR("node", node_nodes),
	{ 0 },
};
static const struct pnode serial_nodes[] = {
	SYS_CHARDEVS("tty", SYS_AT(SYS_SERIAL), sys_chardev_dir),
	{ 0 },
};
static const struct pnode rtc_nodes[] = {
	SYS_CHARDEVS("rtc", SYS_AT(SYS_RTC), sys_chardev_dir),
	{ 0 },
};
static const struct pnode platform_nodes[] = {
	DIR("rtc_cmos", rtc_nodes),
	DIR("serial8250", serial_nodes),
	{ 0 },
};
static const struct pnode devices_nodes[] = {
	DIR("platform", platform_nodes),
	DIR("system", system_nodes),
	DIR("virtual", sys_virtual_nodes),
	{ 0 },
};
static const char *const thp_modes[] = {
	[VM_HUGE_ALWAYS] = "always",
	[VM_HUGE_MADVISE] = "madvise",
	[VM_HUGE_NEVER] = "never",
};

static int thp_enabled_show(struct pinode *i, struct textbuf *t)
{
	(void)i;
	for (int k = 0; k < (int)ARRAY_SIZE(thp_modes); k++)
		text_f(t, k == vm_huge_mode ? "%s[%s]" : "%s%s", k ? " " : "", thp_modes[k]);
	text_c(t, '\n');
	return 0;
}

static ssize64_t thp_enabled_store(struct pinode *i, char *text, size_t n)
{
	size_t len = strlen(text);

	(void)i;
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	for (int k = 0; k < (int)ARRAY_SIZE(thp_modes); k++)
		if (strcmp(text, thp_modes[k]) == 0) {
			vm_huge_mode = k;
			return (ssize64_t)n;
		}
	return -EINVAL;
}

static const struct pnode thp_nodes[] = {
	{ .name = "enabled",
	  .mode = S_IFREG | 0644,
	  .show = thp_enabled_show,
	  .store = thp_enabled_store },
	FIXED("defrag", "always defer defer+madvise [madvise] never"),
	NUMBER("hpage_pmd_size", HUGE_SIZE),
	{ 0 },
};
static const struct pnode mm_nodes[] = { DIR("transparent_hugepage", thp_nodes), { 0 } };
static const struct pnode kernel_nodes[] = { DIR("mm", mm_nodes), { 0 } };
static const struct pnode fs_nodes[] = { DIR("cgroup", nothing), { 0 } };
static const struct pnode dev_nodes[] = {
	DIR("block", nothing),
	SYS_CHARDEVS("char", SYS_BY_NUMBER | (SYS_BY_NUMBER - 1), sys_chardev_link),
	{ 0 },
};

static const struct pnode root_nodes[] = {
	DIR("block", nothing),
	DIR("bus", sys_bus_nodes),
	DIR("class", sys_class_nodes),
	DIR("dev", dev_nodes),
	{ .name = "devices",
	  .mode = S_IFDIR | 0755,
	  .children = devices_nodes,
	  .find = sys_pci_root_find,
	  .list = sys_pci_root_list },
	DIR("firmware", nothing),
	DIR("fs", fs_nodes),
	DIR("kernel", kernel_nodes),
	DIR("module", nothing),
	DIR("power", nothing),
	{ 0 },
};
static const struct pnode sys_root = { .name = "/",
				       .mode = S_IFDIR | 0555,
				       .children = root_nodes };

static int sysfs_mount(const struct fs_type *t, const char *source, unsigned flags,
		       const char *data, struct superblock **out)
{
	(void)source, (void)flags, (void)data;
	return pseudo_mount(t, SYSFS_MAGIC, &sys_root, out);
}

static struct fs_type sysfs_type = { .name = "sysfs", .mount = sysfs_mount };

void sysfs_init(void)
{
	fs_register(&sysfs_type);
}
