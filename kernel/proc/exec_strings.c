#include "proc/exec_priv.h"

/*
 * argv and envp on their way from the old image to the new. Their strings are copied, in order,
 * into a list of kernel pages, so that no limit but the real ones applies: a quarter of
 * RLIMIT_STACK (at least 128 KiB, at most 6 MiB) for strings and pointers together, and 128 KiB for
 * one string. Where each string begins is found again by its NUL.
 *
 * Source: execve(2) "Limits on size of arguments and environment".
 */

#include <arch/usercopy.h>

#include "abi/errno.h"
#include "abi/limits.h"
#include "lib/string.h"
#include "pmm/page.h"
#include "pmm/slab.h"
#include "vm/usercopy.h"

enum { ARG_MIN_BYTES = 128 << 10, ARG_MAX_BYTES = 6 << 20 };

struct chunk {
	struct list node;
	uint64_t used;
	char data[PAGE_SIZE - sizeof(struct list) - sizeof(uint64_t)];
};
STATIC_ASSERT(sizeof(struct chunk) == PAGE_SIZE);

void exec_strings_init(struct exec_strings *s)
{
	uint64_t stack = process_rlimit(curproc(), RLIMIT_STACK) / 4;

	memset(s, 0, sizeof(*s));
	list_init(&s->chunks);
	s->limit = MIN(MAX(stack, (uint64_t)ARG_MIN_BYTES), (uint64_t)ARG_MAX_BYTES);
}

void exec_strings_free(struct exec_strings *s)
{
	while (!list_is_empty(&s->chunks)) {
		struct chunk *c = list_first(&s->chunks, struct chunk, node);

		list_remove(&c->node);
		page_put(va_page(c));
	}
	for (unsigned i = 0; i < s->nhead; i++)
		kfree(s->head[i]);
	s->nhead = 0;
}

/* The chunk to fill, with room. NULL: no memory. */
static struct chunk *room(struct exec_strings *s)
{
	struct chunk *c =
		list_is_empty(&s->chunks) ? NULL : list_last(&s->chunks, struct chunk, node);
	struct page *p;

	if (c != NULL && c->used < sizeof(c->data))
		return c;
	p = page_alloc(0, PAGE_KERNEL, 0);
	if (p == NULL)
		return NULL;
	c = page_va(p);
	c->used = 0;
	list_add_tail(&s->chunks, &c->node);
	return c;
}

/* The strings so far, and one pointer for each string and terminator. */
static int check_limit(const struct exec_strings *s, uint64_t nstrings)
{
	uint64_t pointers = (s->argc + s->envc + nstrings + s->nhead + 2) * sizeof(uint64_t);

	return s->bytes + s->head_bytes + pointers > s->limit ? -E2BIG : 0;
}

static int add_user_string(struct exec_strings *s, uaddr_t str)
{
	uint64_t len = 0;

	for (;;) {
		struct chunk *c = room(s);
		size_t space;
		ssize64_t n;

		if (c == NULL)
			return -ENOMEM;
		space = sizeof(c->data) - c->used;
		n = arch_strncpy_from_user(c->data + c->used, uaddr_add(str, len), space);
		if (n < 0)
			return (int)n;
		if ((size_t)n < space)
			n++; /* the NUL */
		c->used += (uint64_t)n;
		s->bytes += (uint64_t)n;
		len += (uint64_t)n;
		if (len > MAX_ARG_STRLEN || s->bytes > s->limit)
			return -E2BIG;
		if (c->data[c->used - 1] == '\0')
			return 0;
	}
}

int exec_strings_add_user(struct exec_strings *s, uaddr_t vector, uint64_t *count)
{
	uint64_t n = 0, str;
	int err = 0;

	while (!uaddr_is_null(vector)) {
		if ((err = get_user_u64(&str, uaddr_add(vector, n * sizeof(str)))))
			return err;
		if (str == 0)
			break;
		if ((err = add_user_string(s, UADDR(str))))
			return err;
		n++;
		if ((err = check_limit(s, n)))
			return err;
	}
	*count = n;
	return 0;
}

static int add_kernel_string(struct exec_strings *s, const char *str)
{
	size_t left = strlen(str) + 1;

	while (left > 0) {
		struct chunk *c = room(s);
		size_t n;

		if (c == NULL)
			return -ENOMEM;
		n = MIN(left, sizeof(c->data) - c->used);
		memcpy(c->data + c->used, str, n);
		c->used += n;
		s->bytes += n;
		str += n;
		left -= n;
	}
	return 0;
}

int exec_strings_add_kernel(struct exec_strings *s, const char *const *vector, uint64_t *count)
{
	uint64_t n;
	int err;

	for (n = 0; vector != NULL && vector[n] != NULL; n++)
		if ((err = add_kernel_string(s, vector[n])) || (err = check_limit(s, n + 1)))
			return err;
	*count = n;
	return 0;
}

int exec_strings_prepend(struct exec_strings *s, const char *str, size_t len)
{
	char *copy;

	if (s->nhead == EXEC_HEAD_MAX)
		return -E2BIG;
	copy = kmalloc(len + 1);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, str, len);
	copy[len] = '\0';
	memmove(&s->head[1], &s->head[0], s->nhead * sizeof(s->head[0]));
	s->head[0] = copy;
	s->nhead++;
	s->head_bytes += len + 1;
	return check_limit(s, 0);
}

void exec_strings_drop_first(struct exec_strings *s)
{
	if (s->nhead == 0) {
		s->skip_first = s->argc > 0;
		return;
	}
	s->head_bytes -= strlen(s->head[0]) + 1;
	kfree(s->head[0]);
	s->nhead--;
	memmove(&s->head[0], &s->head[1], s->nhead * sizeof(s->head[0]));
}

/* --- reading the stream --- */

void exec_cursor_init(struct exec_cursor *c, const struct exec_strings *s)
{
	c->s = s;
	c->chunk = s->chunks.next;
	c->off = 0;
}

size_t exec_cursor_next(struct exec_cursor *c, size_t max, const char **p)
{
	while (c->chunk != &c->s->chunks) {
		struct chunk *k = list_entry(c->chunk, struct chunk, node);
		size_t n = MIN(max, k->used - c->off);

		if (n > 0) {
			*p = k->data + c->off;
			c->off += n;
			return n;
		}
		c->chunk = c->chunk->next;
		c->off = 0;
	}
	return 0;
}

size_t exec_cursor_skip_string(struct exec_cursor *c)
{
	size_t total = 0, n;
	const char *p, *nul;

	while ((n = exec_cursor_next(c, SIZE_MAX, &p)) != 0) {
		nul = memchr(p, '\0', n);
		if (nul == NULL) {
			total += n;
			continue;
		}
		c->off -= n - (size_t)(nul + 1 - p);
		return total + (size_t)(nul + 1 - p);
	}
	return total;
}

size_t exec_strings_first_len(const struct exec_strings *s)
{
	struct exec_cursor c;

	exec_cursor_init(&c, s);
	return exec_cursor_skip_string(&c);
}
