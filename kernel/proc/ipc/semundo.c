#include "proc/ipc/sem_priv.h"

/*
 * SEM_UNDO. Tasks that were made with CLONE_SYSVSEM share a list, in which there is one sem_undo
 * for each set they have used so; it is found by both. The set's lock guards the numbers and
 * whether it is still there, the list's own lock its tree. The end of the last task, or of the set,
 * frees it.
 *
 * Source: semop(2), clone(2) CLONE_SYSVSEM, unshare(2).
 */

#include "abi/errno.h"
#include "pmm/slab.h"
#include "proc/task.h"

struct sem_undo_list {
	struct ref ref;
	struct spinlock lock;
	struct rbtree sets;
};

static struct sem_undo_list *list_create(void)
{
	struct sem_undo_list *l = kzalloc(sizeof(*l));

	if (l != NULL) {
		ref_init(&l->ref);
		spin_init(&l->lock, RANK_SYSVUNDO);
	}
	return l;
}

int sem_undo_share(struct sem_undo_list **out)
{
	struct task *t = curtask();

	if (t->sem_undo == NULL && (t->sem_undo = list_create()) == NULL)
		return -ENOMEM;
	ref_get(&t->sem_undo->ref);
	*out = t->sem_undo;
	return 0;
}

/* --- of one set --- */

static struct sem_undo *find_locked(struct sem_undo_list *l, const struct sem_set *s,
				    struct rbnode **parent, struct rbnode ***link)
{
	*parent = NULL;
	*link = &l->sets.root;
	while (**link != NULL) {
		struct sem_undo *u = rb_entry(**link, struct sem_undo, node);

		if (u->set == s)
			return u;
		*parent = **link;
		*link = s < u->set ? &(*parent)->left : &(*parent)->right;
	}
	return NULL;
}

static struct sem_undo *find(struct sem_undo_list *l, const struct sem_set *s)
{
	struct rbnode *parent, **link;
	struct sem_undo *u;

	spin_lock(&l->lock);
	u = find_locked(l, s, &parent, &link);
	spin_unlock(&l->lock);
	return u;
}

static void unlink(struct sem_undo *u)
{
	spin_lock(&u->owner->lock);
	rb_remove(&u->owner->sets, &u->node);
	spin_unlock(&u->owner->lock);
	list_remove(&u->set_node);
}

/* Puts u in, unless another thread was faster; gives back what is there. The set is locked. */
static struct sem_undo *insert_locked(struct sem_undo_list *l, struct sem_undo *u)
{
	struct rbnode *parent, **link;
	struct sem_undo *there;

	spin_lock(&l->lock);
	there = find_locked(l, u->set, &parent, &link);
	if (there == NULL)
		rb_insert(&l->sets, &u->node, parent, link);
	spin_unlock(&l->lock);
	if (there == NULL)
		list_add_tail(&u->set->undos, &u->set_node);
	return there != NULL ? there : u;
}

int sem_undo_find(struct sem_set *s, struct sem_undo **out)
{
	struct task *t = curtask();
	struct sem_undo *u, *new;
	int err = 0;

	if (t->sem_undo == NULL && (t->sem_undo = list_create()) == NULL)
		return -ENOMEM;
	if ((*out = find(t->sem_undo, s)) != NULL)
		return 0;
	if ((new = kzalloc(sizeof(*new) + s->nsems * sizeof(new->adjust[0]))) == NULL)
		return -ENOMEM;
	list_init(&new->set_node);
	new->set = s;
	new->owner = t->sem_undo;
	u = NULL;
	spin_lock(&s->ipc.lock);
	if (s->ipc.removed)
		err = -EIDRM;
	else
		u = insert_locked(t->sem_undo, new);
	spin_unlock(&s->ipc.lock);
	if (u != new)
		kfree(new);
	*out = u;
	return err;
}

void sem_undo_forget_locked(struct sem_set *s, unsigned index)
{
	struct sem_undo *u;

	list_for_each (u, &s->undos, set_node)
		for (unsigned i = 0; i < s->nsems; i++)
			if (index == SEM_ANY || i == index)
				u->adjust[i] = 0;
}

void sem_undo_drop_locked(struct sem_set *s)
{
	struct sem_undo *u, *next;

	list_for_each_safe (u, next, &s->undos, set_node) {
		unlink(u);
		kfree(u);
	}
}

/* --- the end --- */

static void undo_locked(struct sem_set *s, const struct sem_undo *u)
{
	bool any = false;

	for (unsigned i = 0; i < s->nsems; i++) {
		int value = s->sems[i].value + u->adjust[i];

		if (u->adjust[i] == 0)
			continue;
		s->sems[i].value = (uint16_t)MIN(MAX(value, 0), SEMVMX);
		s->sems[i].pid = ipc_pid();
		any = true;
	}
	if (any) {
		s->otime = ipc_now();
		sem_update_locked(s, SEM_ANY);
	}
}

/* The set of some entry of l, counted: an entry is there only as long as its set is not removed,
 * and that one still has the table's reference then. NULL: there is none. */
static struct sem_set *any_set(struct sem_undo_list *l)
{
	struct sem_set *s = NULL;

	spin_lock(&l->lock);
	if (l->sets.root != NULL) {
		s = rb_entry(l->sets.root, struct sem_undo, node)->set;
		ref_get(&s->ipc.ref);
	}
	spin_unlock(&l->lock);
	return s;
}

void sem_undo_put(struct sem_undo_list *l)
{
	struct sem_undo *u;
	struct sem_set *s;

	if (l == NULL || !ref_put(&l->ref))
		return;
	while ((s = any_set(l)) != NULL) {
		spin_lock(&s->ipc.lock);
		if ((u = find(l, s)) != NULL) { /* or the set was removed just now */
			unlink(u);
			undo_locked(s, u);
			kfree(u);
		}
		spin_unlock(&s->ipc.lock);
		ipc_put(&s->ipc);
	}
	kfree(l);
}

void sem_undo_exit(struct task *t)
{
	struct sem_undo_list *l = t->sem_undo;

	t->sem_undo = NULL;
	sem_undo_put(l);
}
