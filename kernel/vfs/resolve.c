/*
 * One component at a time: find its end (hashing it on the way), look whether anything follows,
 * move. A symbolic link puts what remains of the present text on the stack, unless nothing remains,
 * and goes on in its own text, from the directory the link is in. So the component is the last of
 * all exactly when its text is used up and the stack is empty. Slashes at the end of the last text
 * make the result a directory, and make a link there be followed.
 */

#include "vfs/resolve.h"

#include "abi/errno.h"
#include "vfs/namehash.h"

enum { RESOLVE_STOP = 100 }; /* internal: the last component has been reached */

static int push_text(struct resolve *r, const char *text)
{
	if (*text == '\0')
		return -ENOENT;
	if (*r->rest != '\0') {
		if (r->depth == r->max_depth)
			return RESOLVE_PUNT;
		r->stack[r->depth++] = r->rest;
	}
	r->rest = text;
	return *text == '/' ? r->ops->root(r->ctx) : 0;
}

static int follow_link(struct resolve *r, bool last)
{
	const char *text;
	int err;

	if (++r->nlinks > RESOLVE_MAX_LINKS)
		return -ELOOP;
	err = r->ops->read_link(r->ctx, last, &text);
	if (err == RESOLVE_JUMPED)
		return 0;
	return err ? err : push_text(r, text);
}

static inline enum resolve_last kind_of(const char *name, uint32_t len)
{
	if (LIKELY(name[0] != '.') || len > 2)
		return RESOLVE_LAST_NAME;
	if (len == 1)
		return RESOLVE_LAST_DOT;
	return name[1] == '.' ? RESOLVE_LAST_DOTDOT : RESOLVE_LAST_NAME;
}

static int stop_at_last(struct resolve *r, const char *name, uint32_t len, uint32_t hash,
			enum resolve_last kind)
{
	int err = r->ops->dot(r->ctx); /* it is to be searched even so */

	r->last = name;
	r->last_len = len;
	r->last_hash = hash;
	r->last_kind = kind;
	return err ? err : RESOLVE_STOP;
}

static inline int resolve_component(struct resolve *r)
{
	const char *name = r->rest, *end;
	enum resolve_last kind;
	uint32_t hash, len;
	bool last;
	int err;

	end = name_component_end(name, r->seed, &hash);
	len = (uint32_t)(end - name);
	if (UNLIKELY(end - name > RESOLVE_NAME_MAX))
		return -ENAMETOOLONG;
	for (r->rest = end; *r->rest == '/'; r->rest++)
		;
	last = *r->rest == '\0' && r->depth == 0;
	if (last && r->rest != end)
		r->slash = true;
	kind = kind_of(name, len);
	if (last && r->parent)
		return stop_at_last(r, name, len, hash, kind);
	if (UNLIKELY(kind != RESOLVE_LAST_NAME))
		return kind == RESOLVE_LAST_DOT ? r->ops->dot(r->ctx) : r->ops->dotdot(r->ctx);
	err = r->ops->child(r->ctx, name, len, hash);
	if (LIKELY(err != RESOLVE_LINK))
		return err;
	if (last && !r->follow && !r->slash) {
		r->ops->take_link(r->ctx);
		return 0;
	}
	return follow_link(r, last);
}

void resolve_resume(struct resolve *r, const char *rest)
{
	r->rest = rest;
	r->nlinks = r->depth = 0;
	r->slash = false;
	r->last = rest;
	r->last_len = r->last_hash = 0;
	r->last_kind = RESOLVE_LAST_ROOT;
}

int resolve_begin(struct resolve *r, const char *name)
{
	resolve_resume(r, name);
	return *name == '/' ? r->ops->root(r->ctx) : 0;
}

int resolve_run(struct resolve *r)
{
	int err;

	for (;;) {
		while (*r->rest == '/')
			r->rest++;
		if (*r->rest != '\0') {
			err = resolve_component(r);
			if (err)
				return err == RESOLVE_STOP ? 0 : err;
		} else if (r->depth > 0) {
			r->rest = r->stack[--r->depth];
		} else {
			break;
		}
	}
	return r->slash || r->directory ? r->ops->must_be_dir(r->ctx) : 0;
}

int resolve_follow_last(struct resolve *r)
{
	int err;

	r->last_kind = RESOLVE_LAST_ROOT; /* the text may be all slashes */
	err = follow_link(r, true);
	return err ? err : resolve_run(r);
}
