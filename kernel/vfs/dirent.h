#pragma once

/* Records of getdents64(2), gathered in a kernel buffer. Inline, because large directories are read
 * entry by entry. */

#include "abi/dirent.h"
#include "lib/types.h"
#include "vfs/file.h"

struct dirent_buf {
	uint8_t *buf,
		*last; /* last: the entry before; its d_off is known only when the next one comes */
	uint32_t used, room; /* bytes of buf */
	bool full;           /* an entry did not fit */
};

static inline void dirent_set_last_off(struct dirent_buf *b, off64_t pos)
{
	if (LIKELY(b->last != NULL))
		((struct abi_dirent64 *)b->last)->d_off = pos;
}

static inline void dirent_copy_name(char *to, const char *from, size_t n)
{
	for (; n >= 8; n -= 8, to += 8, from += 8)
		__builtin_memcpy(to, from, 8);
	if (n & 4) {
		__builtin_memcpy(to, from, 4);
		to += 4, from += 4;
	}
	if (n & 2) {
		__builtin_memcpy(to, from, 2);
		to += 2, from += 2;
	}
	if (n & 1)
		*to = *from;
}

/*
 * Writes a record at `at`, after the one at `last` (NULL: none), whose d_off becomes pos.
 *   returns      where the next one goes; NULL when there is no room below `end`
 */
static inline uint8_t *dirent_write(uint8_t *at, const uint8_t *end, uint8_t *last, off64_t pos,
				    const char *name, size_t len, uint64_t ino, unsigned type)
{
	size_t reclen = ALIGN_UP(offsetof(struct abi_dirent64, d_name) + len + 1, 8ul);
	struct abi_dirent64 *e = (struct abi_dirent64 *)at;

	if (UNLIKELY(reclen > (size_t)(end - at)))
		return NULL;
	if (LIKELY(last != NULL))
		((struct abi_dirent64 *)last)->d_off = pos;
	*(uint64_t *)(at + reclen - 8) =
		0; /* the padding, before the name may cover its beginning */
	e->d_ino = ino;
	e->d_reclen = (uint16_t)reclen;
	e->d_type = (uint8_t)type;
	dirent_copy_name(e->d_name, name, len);
	return at + reclen;
}

static inline bool dirent_put(struct dirent_buf *b, off64_t pos, const char *name, size_t len,
			      uint64_t ino, unsigned type)
{
	uint8_t *at = b->buf + b->used, *next;

	next = dirent_write(at, b->buf + b->room, b->last, pos, name, len, ino, type);
	if (next == NULL) {
		b->full = true;
		return false;
	}
	b->last = at;
	b->used = (uint32_t)(next - b->buf);
	return true;
}
