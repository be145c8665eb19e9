/*
 * Debug builds of the slab allocator. Behind an object: the free link, a red zone word that also
 * says whether the object is free, and the caller that allocated or freed it last. A free object
 * without constructor is filled with a poison byte, and looked at when it is taken again.
 */
#ifdef KEVLAR_DEBUG

#include "pmm/slab_priv.h"

#include "core/lockdep.h"
#include "core/panic.h"
#include "lib/string.h"

#define RED_FREE 0x09f911029d74e35bull
#define RED_LIVE 0xd84156c5635688c0ull
enum { POISON = 0x6b };

void (*slab_free_check)(const void *obj, size_t size, const char *what);

struct tail {
	void *link;
	uint64_t red;
	const void *caller;
};

static struct tail *tail_of(const struct slab_cache *c, void *obj)
{
	return (struct tail *)((char *)obj + c->link);
}

void slab_layout(struct slab_cache *c, uint32_t align)
{
	c->link = ALIGN_UP(c->size, 8u);
	c->stride = ALIGN_UP(c->link + (uint32_t)sizeof(struct tail), align);
}

void slab_debug_new(struct slab_cache *c, void *obj)
{
	struct tail *t = tail_of(c, obj);

	/* The bytes between the object and its tail belong to nobody: always poison. */
	memset((char *)obj + c->size, POISON, c->link - c->size);
	if (!c->ctor)
		memset(obj, POISON, c->size);
	t->red = RED_FREE;
	t->caller = NULL;
}

static void check_filled(struct slab_cache *c, void *obj, size_t from, size_t to, const char *what)
{
	const uint8_t *b = obj;

	for (size_t i = from; i < to; i++)
		if (b[i] != POISON)
			panic("slab %s: %s %p +%zu is %02x (last by %p)", c->name, what, obj, i,
			      b[i], tail_of(c, obj)->caller);
}

void slab_debug_alloc(struct slab_cache *c, void *obj, const void *caller)
{
	struct tail *t = tail_of(c, obj);

	lockdep_not_in_irq();
	if (t->red != RED_FREE)
		panic("slab %s: free %p has red zone %lx (last by %p)", c->name, obj, t->red,
		      t->caller);
	check_filled(c, obj, c->ctor ? c->size : 0, c->link, "written after free");
	t->red = RED_LIVE;
	t->caller = caller;
}

void slab_debug_free(struct slab_cache *c, void *obj, const void *caller)
{
	struct tail *t = tail_of(c, obj);

	lockdep_not_in_irq();
	if (t->red != RED_LIVE)
		panic("slab %s: %s %p, red zone %lx (last by %p, now %p)", c->name,
		      t->red == RED_FREE ? "double free of" : "overrun of", obj, t->red, t->caller,
		      caller);
	check_filled(c, obj, c->size, c->link, "overrun of");
	if (slab_free_check)
		slab_free_check(obj, c->size, c->name);
	if (!c->ctor)
		memset(obj, POISON, c->size);
	t->red = RED_FREE;
	t->caller = caller;
}

#endif
