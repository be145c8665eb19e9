/*
 * Shared subtrees (mount_namespaces(7)). Mounts that share changes form a group: a ring through
 * `peers` with one group_id. A slave has a master, some mount of a group, on whose list `slaves` it
 * is; a mount may be slave and shared at once. A mount made on one member of a group is made on
 * all, and on the slaves of all, and so on: first all copies are made (what can fail), then they
 * are attached.
 *
 * The copies on a group's members are peers of each other; those on slaves are slaves of what was
 * copied, and, where the slaves share among themselves, a new group.
 */

#include "abi/errno.h"
#include "abi/mount.h"
#include "vfs/mount_priv.h"

enum { MAX_DEPTH = 24 }; /* slaves of slaves: recursion below */

static uint32_t visit_stamp;

void mount_set_shared(struct mount *m)
{
	static int last_group;

	if (m->group_id == 0)
		m->group_id = ++last_group;
}

static void join_as_peer(struct mount *m, struct mount *of)
{
	m->group_id = of->group_id;
	list_add_tail(&of->peers, &m->peers);
	if (of->master != NULL) {
		m->master = of->master;
		list_add_tail(&m->master->slaves, &m->slave);
	}
}

static void join_as_slave(struct mount *m, struct mount *master)
{
	m->master = master;
	list_add_tail(&master->slaves, &m->slave);
}

void mount_leave_group(struct mount *m, bool become_slave)
{
	struct mount *peer =
		list_is_empty(&m->peers) ? NULL : list_first(&m->peers, struct mount, peers);
	struct mount *heir = peer ? peer : m->master, *s;

	while (!list_is_empty(&m->slaves)) {
		s = list_first(&m->slaves, struct mount, slave);
		list_remove(&s->slave);
		s->master = heir;
		if (heir != NULL)
			list_add_tail(&heir->slaves, &s->slave);
	}
	list_remove(&m->peers);
	m->group_id = 0;
	if (become_slave && peer == NULL)
		return;
	list_remove(&m->slave);
	m->master = NULL;
	if (become_slave)
		join_as_slave(m, peer);
}

/* A copy of one mount, showing `root` of it. */
static struct mount *copy_one(struct mount *o, struct dentry *root, enum copy_how how)
{
	struct mount *m = mount_alloc(o->sb, root, o->flags, o->source);

	if (m == NULL)
		return NULL;
	if (how == COPY_PEER && o->group_id)
		join_as_peer(m, o);
	else if (how == COPY_PEER && o->master)
		join_as_slave(m, o->master);
	else if (how == COPY_SLAVE && o->group_id)
		join_as_slave(m, o);
	return m;
}

/* The next after m in top's tree, leaving out what is below m. */
static struct mount *skip_subtree(struct mount *m, struct mount *top)
{
	while (m != top) {
		if (m->child.next != &m->parent->children)
			return list_entry(m->child.next, struct mount, child);
		m = m->parent;
	}
	return NULL;
}

int mount_copy_tree(struct mount *top, struct dentry *root, bool recursive, enum copy_how how,
		    struct mount **out)
{
	struct mount *copy = copy_one(top, root, how), *from = top, *to = copy, *m;

	if (copy == NULL)
		return -ENOMEM;
	m = recursive ? mount_next_in_tree(top, top) : NULL;
	while (m != NULL) {
		struct mount *c;

		if (m->unbindable || (m->parent == top && !dentry_is_below(m->mountpoint, root))) {
			m = skip_subtree(m, top);
			continue;
		}
		/* Both trees are walked alike: climb in step until `from` is m's parent. */
		while (from != m->parent) {
			from = from->parent;
			to = to->parent;
		}
		c = copy_one(m, m->root, how);
		if (c == NULL) {
			mount_free_tree(copy);
			return -ENOMEM;
		}
		mount_link(c, to, m->mountpoint);
		from = m;
		to = c;
		m = mount_next_in_tree(m, top);
	}
	*out = copy;
	return 0;
}

/* What a propagation makes before anything is seen: tops of trees, by ns_node, linked to their
 * place. */
struct plan {
	struct dentry *d;
	struct list *trees;
	unsigned count;
};

static bool shows(const struct mount *m, const struct dentry *d)
{
	return m->ns == &mount_init_ns && dentry_is_below(d, m->root);
}

static int plan_copy(struct plan *plan, struct mount *tree, struct mount *dest, enum copy_how how,
		     struct mount **out)
{
	struct mount *c;
	int err;

	if (mount_init_ns.count + ++plan->count > (unsigned)mount_max)
		return -ENOSPC;
	err = mount_copy_tree(tree, tree->root, true, how, &c);
	if (err)
		return err;
	mount_link(c, dest, plan->d);
	list_add_tail(plan->trees, &c->ns_node);
	*out = c;
	return 0;
}

static void set_tree_shared(struct mount *top)
{
	for (struct mount *m = top; m != NULL; m = mount_next_in_tree(m, top))
		mount_set_shared(m);
}

static int plan_group(struct plan *plan, struct mount *member, struct mount *tree,
		      struct mount *skip, unsigned depth);

/* One slave, or the group that slaves form. */
static int plan_slaves_of(struct plan *plan, struct mount *master, struct mount *tree,
			  unsigned depth)
{
	struct mount *s, *copy;
	int err = 0;

	list_for_each (s, &master->slaves, slave) {
		if (err)
			break;
		if (s->visit == visit_stamp || !shows(s, plan->d))
			continue;
		s->visit = visit_stamp;
		err = plan_copy(plan, tree, s, COPY_SLAVE, &copy);
		if (!err && s->group_id) {
			set_tree_shared(copy);
			err = plan_group(plan, s, copy, s, depth + 1);
		}
	}
	return err;
}

/* Copies for the other members of member's group, and for the slaves of all. `tree` is what `skip`
 * already has. */
static int plan_group(struct plan *plan, struct mount *member, struct mount *tree,
		      struct mount *skip, unsigned depth)
{
	struct mount *m = member, *copy;
	int err;

	if (depth > MAX_DEPTH)
		return 0;
	do {
		m->visit = visit_stamp;
		if (m != skip && shows(m, plan->d) &&
		    (err = plan_copy(plan, tree, m, COPY_PEER, &copy)))
			return err;
		m = list_entry(m->peers.next, struct mount, peers);
	} while (m != member);
	do {
		if ((err = plan_slaves_of(plan, m, tree, depth)))
			return err;
		m = list_entry(m->peers.next, struct mount, peers);
	} while (m != member);
	return 0;
}

int mount_plan_copies(struct mount *top, struct mount *parent, struct dentry *d, struct list *trees)
{
	struct plan plan = { .d = d, .trees = trees, .count = 1 };
	struct mount *m;
	int err;

	if (mount_init_ns.count >= (unsigned)mount_max)
		return -ENOSPC;
	if (!parent->group_id)
		return 0;
	visit_stamp++;
	set_tree_shared(top);
	err = plan_group(&plan, parent, top, parent, 0);
	if (!err)
		return 0;
	while (!list_is_empty(trees)) {
		m = list_first(trees, struct mount, ns_node);
		list_remove(&m->ns_node);
		mount_free_tree(m);
	}
	return err;
}

void mount_publish_copies(struct list *trees)
{
	while (!list_is_empty(trees)) {
		struct mount *m = list_first(trees, struct mount, ns_node);

		list_remove(&m->ns_node);
		mount_publish(m);
	}
}

int mount_attach(struct mount *top, struct mount *parent, struct dentry *d)
{
	struct list trees = LIST_INIT(trees);
	int err = mount_plan_copies(top, parent, d, &trees);

	if (err)
		return err;
	mount_link(top, parent, d);
	mount_publish(top);
	mount_publish_copies(&trees);
	return 0;
}

/* One step of the walk over all receivers: m's own copy, then those below. */
static int each_in_group(struct mount *member, struct mount *skip, struct dentry *d,
			 int (*fn)(struct mount *m, void *ctx), void *ctx, unsigned depth)
{
	struct mount *m = member, *s, *c;
	int err = 0;

	do {
		m->visit = visit_stamp;
		c = m != skip ? mount_on(m, d) : NULL;
		if (c != NULL && (err = fn(c, ctx)))
			return err;
		m = list_entry(m->peers.next, struct mount, peers);
	} while (m != member);
	do {
		list_for_each (s, &m->slaves, slave)
			if (s->visit != visit_stamp && depth < MAX_DEPTH &&
			    (err = each_in_group(s, NULL, d, fn, ctx, depth + 1)))
				return err;
		m = list_entry(m->peers.next, struct mount, peers);
	} while (m != member);
	return 0;
}

int mount_for_each_copy(struct mount *parent, struct dentry *d,
			int (*fn)(struct mount *m, void *ctx), void *ctx)
{
	if (!parent->group_id)
		return 0;
	visit_stamp++;
	return each_in_group(parent, parent, d, fn, ctx, 0);
}
