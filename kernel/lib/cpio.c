/*
 * newc cpio. An entry is a header of 110 ASCII characters (magic "070701", or "070702" with a check
 * sum, and thirteen numbers of eight hexadecimal digits), the name with its NUL, zero bytes up to a
 * multiple of four, the data, zero bytes up to a multiple of four. An archive ends with the entry
 * "TRAILER!!!". Offsets for the padding count from the archive's beginning, which itself is aligned
 * to four.
 *
 * The stream reader is a machine of few states; each gathers a fixed number of bytes (`left`) and
 * then acts. State GAP stands between entries and between archives.
 */
#include "lib/cpio.h"

#include "abi/errno.h"
#include "lib/string.h"

enum { FIELDS = 13 };

static bool is_magic(const uint8_t *h)
{
	return memcmp(h, "07070", 5) == 0 && (h[5] == '1' || h[5] == '2');
}

static bool hex8(const uint8_t *p, uint32_t *out)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 8; i++) {
		uint8_t c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

/* Reads the header into *e. Returns false when it is not one. */
static bool parse_header(const uint8_t *h, struct cpio_entry *e, uint32_t *namesize,
			 uint32_t *check)
{
	uint32_t f[FIELDS];

	if (!is_magic(h))
		return false;
	for (unsigned i = 0; i < FIELDS; i++)
		if (!hex8(h + 6 + 8 * i, &f[i]))
			return false;
	e->ino = f[0];
	e->mode = f[1];
	e->uid = f[2];
	e->gid = f[3];
	e->nlink = f[4];
	e->mtime = f[5];
	e->size = f[6];
	e->dev_major = f[7];
	e->dev_minor = f[8];
	e->rdev_major = f[9];
	e->rdev_minor = f[10];
	*namesize = f[11];
	*check = f[12];
	return *namesize >= 1 && *namesize <= CPIO_NAME_MAX;
}

static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t n)
{
	while (n--)
		sum += *p++;
	return sum;
}

static bool is_trailer(const char *name)
{
	return strcmp(name, "TRAILER!!!") == 0;
}

void cpio_init(struct cpio *c, const void *base, size_t len)
{
	*c = (struct cpio){ .base = base, .len = len };
}

/*
 * Parses the entry at c->pos; *end is where the next one begins (perhaps past the end of a cut
 * archive).
 */
static int parse_entry(const struct cpio *c, struct cpio_entry *e, size_t *end)
{
	const uint8_t *h = c->base + c->pos;
	size_t left = c->len - c->pos, data;
	uint32_t namesize, check;

	if (left < CPIO_HEADER || !parse_header(h, e, &namesize, &check))
		return -EINVAL;
	data = ALIGN_UP((size_t)CPIO_HEADER + namesize, 4);
	if (CPIO_HEADER + namesize > left || h[CPIO_HEADER + namesize - 1] != '\0')
		return -EINVAL;
	if (e->size && (data > left || e->size > left - data))
		return -EINVAL;
	e->name = (const char *)h + CPIO_HEADER;
	e->data = e->size ? h + data : NULL;
	e->archive = c->archive;
	if (h[5] == '2' && e->data && sum_bytes(0, e->data, e->size) != check)
		return -EINVAL;
	*end = c->pos + data + ALIGN_UP(e->size, 4);
	return 0;
}

int cpio_next(struct cpio *c, struct cpio_entry *e)
{
	struct cpio_entry got;
	size_t end;

	for (;;) {
		if (!c->inside) {
			while (c->pos < c->len && c->base[c->pos] == 0)
				c->pos++;
			if (c->pos == c->len)
				return 0;
			if (c->len - c->pos < 6 || !is_magic(c->base + c->pos))
				return c->archive || c->pos ? 0 : -EINVAL;
		}
		if (c->pos >= c->len || parse_entry(c, &got, &end))
			return -EINVAL;
		c->pos = MIN(end, c->len);
		c->inside = !is_trailer(got.name);
		if (c->inside) {
			*e = got;
			return 1;
		}
		c->archive++;
	}
}

enum { S_GAP, S_HEAD, S_NAME, S_NAME_PAD, S_DATA, S_DATA_PAD };

void cpio_stream_init(struct cpio_stream *s, const struct cpio_ops *ops, void *ctx)
{
	s->ops = ops;
	s->ctx = ctx;
	s->offset = 0;
	s->left = 0;
	s->have = 0;
	s->state = S_GAP;
	s->inside = s->is_crc = false;
	s->archive = 0;
}

/* Zero bytes between archives are skipped; the first other byte begins a header. */
static size_t take_gap(struct cpio_stream *s, const uint8_t *p, size_t n)
{
	size_t i = 0;

	if (!s->inside)
		while (i < n && p[i] == 0)
			i++;
	if (i < n) {
		s->state = S_HEAD;
		s->left = CPIO_HEADER;
		s->have = 0;
	}
	return i;
}

static void begin_pad(struct cpio_stream *s, uint8_t state, uint64_t used)
{
	s->state = state;
	s->left = ALIGN_UP(used, 4) - used;
}

static int end_header(struct cpio_stream *s)
{
	uint32_t namesize;

	if (!parse_header(s->head, &s->e, &namesize, &s->check))
		return -EINVAL;
	s->is_crc = s->head[5] == '2';
	s->sum = 0;
	s->inside = true;
	s->state = S_NAME;
	s->have = 0;
	s->left = namesize;
	return 0;
}

static int end_name_pad(struct cpio_stream *s)
{
	int err;

	if (is_trailer(s->name)) {
		s->inside = false;
		s->archive++;
	} else {
		s->e.name = s->name;
		s->e.data = NULL;
		s->e.archive = s->archive;
		if ((err = s->ops->entry(s->ctx, &s->e)))
			return err;
	}
	s->state = S_DATA;
	s->left = s->e.size;
	return 0;
}

static int end_data(struct cpio_stream *s)
{
	begin_pad(s, S_DATA_PAD, s->e.size);
	if (s->is_crc && s->e.size && s->sum != s->check)
		return -EINVAL;
	return s->inside ? s->ops->end(s->ctx) : 0; /* not for the trailer */
}

/* The present state has all its bytes. */
static int advance(struct cpio_stream *s)
{
	switch (s->state) {
	case S_HEAD:
		return end_header(s);
	case S_NAME:
		if (s->name[s->have - 1] != '\0')
			return -EINVAL;
		begin_pad(s, S_NAME_PAD, CPIO_HEADER + s->have);
		return 0;
	case S_NAME_PAD:
		return end_name_pad(s);
	case S_DATA:
		return end_data(s);
	default:
		s->state = S_GAP;
		return 0;
	}
}

/* Takes n <= left bytes for the present state. */
static int take(struct cpio_stream *s, const uint8_t *p, size_t n)
{
	switch (s->state) {
	case S_HEAD:
		memcpy(s->head + s->have, p, n);
		s->have += (uint32_t)n;
		return 0;
	case S_NAME:
		memcpy(s->name + s->have, p, n);
		s->have += (uint32_t)n;
		return 0;
	case S_DATA:
		if (s->is_crc)
			s->sum = sum_bytes(s->sum, p, n);
		return s->inside ? s->ops->data(s->ctx, p, n) : 0;
	default:
		return 0; /* padding */
	}
}

int cpio_feed(struct cpio_stream *s, const void *in, size_t n)
{
	const uint8_t *p = in;
	int err;

	for (;;) {
		size_t k;

		while (s->state != S_GAP && s->left == 0)
			if ((err = advance(s)))
				return err;
		if (!n)
			return 0;
		if (s->state == S_GAP) {
			k = take_gap(s, p, n);
		} else {
			k = (size_t)MIN((uint64_t)n, s->left);
			if ((err = take(s, p, k)))
				return err;
			s->left -= k;
		}
		s->offset += k;
		p += k;
		n -= k;
	}
}

int cpio_stream_end(struct cpio_stream *s)
{
	bool between =
		s->state == S_GAP || s->state == S_DATA_PAD; /* the last padding is often missing */

	return between && !s->inside ? 0 : -EINVAL;
}
