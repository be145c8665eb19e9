/*
 * The text of /proc/PID/mounts (fstab(5)) and mountinfo (proc(5)). Characters that would break a
 * line into other fields are written as three octal digits.
 */

#include "abi/errno.h"
#include "abi/mount.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "pmm/slab.h"
#include "vfs/chrdev.h"
#include "vfs/mount_priv.h"

static void text_escaped(struct textbuf *t, const char *s, const char *special)
{
	for (; *s != '\0'; s++) {
		if (strchr(special, *s) != NULL)
			text_f(t, "\\%03o", (unsigned)(uint8_t)*s);
		else
			text_c(t, *s);
	}
}

struct flag_name {
	uint32_t flag;
	const char *name;
};

static void text_flags(struct textbuf *t, uint32_t flags, const struct flag_name *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (flags & names[i].flag)
			text_f(t, ",%s", names[i].name);
}

static const struct flag_name sb_names[] = {
	{ MS_SYNCHRONOUS, "sync" },
	{ MS_DIRSYNC, "dirsync" },
	{ MS_MANDLOCK, "mand" },
	{ MS_LAZYTIME, "lazytime" },
};
static const struct flag_name mount_names[] = {
	{ MS_NOSUID, "nosuid" },           { MS_NODEV, "nodev" },
	{ MS_NOEXEC, "noexec" },           { MS_NOATIME, "noatime" },
	{ MS_NODIRATIME, "nodiratime" },   { MS_RELATIME, "relatime" },
	{ MS_NOSYMFOLLOW, "nosymfollow" },
};

static const char *ro_or_rw(uint32_t flags)
{
	return flags & MS_RDONLY ? "ro" : "rw";
}

static void show_fs_options(struct textbuf *t, struct superblock *sb)
{
	if (sb->ops->show_options)
		sb->ops->show_options(sb, t);
}

static void format_mounts(struct textbuf *t, struct mount *m, const char *where)
{
	struct superblock *sb = m->sb;

	text_escaped(t, m->source, " \t\n\\#");
	text_c(t, ' ');
	text_escaped(t, where, " \t\n\\");
	text_f(t, " %s %s", sb->type->name, ro_or_rw(m->flags | sb->flags));
	text_flags(t, sb->flags, sb_names, ARRAY_SIZE(sb_names));
	text_flags(t, m->flags, mount_names, ARRAY_SIZE(mount_names));
	show_fs_options(t, sb);
	text_n(t, " 0 0\n", 5);
}

static void show_root(struct textbuf *t, struct mount *m, char *buf)
{
	/* As if the superblock's own root were mounted alone. */
	struct mount alone = { .sb = m->sb, .root = m->sb->root };
	struct path p = { &alone, m->root }, root = { &alone, m->sb->root };
	const char *name;
	bool reachable;

	alone.parent = &alone;
	name = path_format_reach(&p, &root, buf, PATH_MAX_BYTES, &reachable);
	text_escaped(t, name ? name : "/", " \t\n\\");
}

static void show_propagation(struct textbuf *t, const struct mount *m)
{
	if (m->group_id)
		text_f(t, " shared:%d", m->group_id);
	if (m->master)
		text_f(t, " master:%d", m->master->group_id);
	if (m->unbindable)
		text_n(t, " unbindable", 11);
}

static void format_mountinfo(struct textbuf *t, struct mount *m, const char *where, char *buf)
{
	struct superblock *sb = m->sb;

	text_f(t, "%d %d %u:%u ", m->id, m->parent->id, dev_major(sb->dev), dev_minor(sb->dev));
	show_root(t, m, buf);
	text_c(t, ' ');
	text_escaped(t, where, " \t\n\\");
	text_f(t, " %s", ro_or_rw(m->flags));
	text_flags(t, m->flags, mount_names, ARRAY_SIZE(mount_names));
	show_propagation(t, m);
	text_f(t, " - %s ", sb->type->name);
	text_escaped(t, m->source, " \t\n\\");
	text_f(t, " %s", ro_or_rw(sb->flags));
	text_flags(t, sb->flags, sb_names, ARRAY_SIZE(sb_names));
	show_fs_options(t, sb);
	text_c(t, '\n');
}

static void format_mountstats(struct textbuf *t, struct mount *m, const char *where)
{
	text_n(t, "device ", 7);
	text_escaped(t, m->source, " \t\n\\#");
	text_n(t, " mounted on ", 12);
	text_escaped(t, where, " \t\n\\");
	text_f(t, " with fstype %s\n", m->sb->type->name);
}

void mount_format(const struct path *root, enum mount_format f, struct textbuf *t)
{
	char *buf = kmalloc(2 * PATH_MAX_BYTES);
	struct mount *m;

	if (buf == NULL)
		return;
	mutex_lock(&mount_lock);
	list_for_each (m, &mount_init_ns.mounts, ns_node) {
		struct path p = { m, m->root };
		bool reachable;
		const char *where = path_format_reach(&p, root, buf, PATH_MAX_BYTES, &reachable);

		if (where == NULL || !reachable)
			continue;
		if (f == MOUNT_FMT_MOUNTS)
			format_mounts(t, m, where);
		else if (f == MOUNT_FMT_MOUNTSTATS)
			format_mountstats(t, m, where);
		else
			format_mountinfo(t, m, where, buf + PATH_MAX_BYTES);
	}
	mutex_unlock(&mount_lock);
	kfree(buf);
}
