/*
 * gzip and deflate.
 *
 * Bits: `bits` holds at least 56 unused bits after refill(), enough for a length code, a distance
 * code and their extra bits (48). Behind the end of the input refill() supplies zeros and counts
 * them, so the hot loop has no end test; whoever finishes a block checks that no counted byte was
 * consumed.
 *
 * Codes: one table each for literals/lengths and for distances, indexed by the next 10 (8) bits;
 * longer codes lead to a second table. An entry says how many bits to drop and what it is:
 * 	bits 0-3 code bits, 4 BAD, 5 END, 6 SUBTABLE, 7 LITERAL, 8-15 extra bits (or the subtable's
 * 	index bits), 16-31 value
 *
 * Output: collected in buf, which also is the history. When less than a longest match fits, the new
 * part goes to the sink and the last 32 KiB move to the front. Word copies may write up to 8 bytes
 * past `out`, never past buf.
 *   source       RFC 1951, RFC 1952
 */
#include "lib/inflate.h"

#include "abi/errno.h"
#include "lib/string.h"

enum { E_BAD = 0x10, E_END = 0x20, E_SUB = 0x40, E_LIT = 0x80, E_BITS = 0x0f };
enum { MAX_BITS = 15, MAX_MATCH = 258, ROOM = MAX_MATCH + 16 };

struct word {
	uint64_t v;
} PACKED __attribute__((may_alias));

static inline uint64_t load64(const uint8_t *p)
{
	return ((const struct word *)p)->v;
}

static inline void copy8(uint8_t *d, const uint8_t *s)
{
	((struct word *)d)->v = ((const struct word *)s)->v;
}

/*
 * The bit reader is passed by pointer and inlined, so that the hot loop can keep a copy of it in
 * registers.
 */
static inline void refill(struct inflate_bits *b)
{
	if (LIKELY(b->in_end - b->in >= 8)) {
		b->bits |= load64(b->in) << b->nbits;
		b->in += (63 - b->nbits) >> 3;
		b->nbits |= 56;
		return;
	}
	while (b->nbits <= 56) {
		if (b->in < b->in_end)
			b->bits |= (uint64_t)*b->in++ << b->nbits;
		else
			b->overrun++;
		b->nbits += 8;
	}
}

static inline void drop(struct inflate_bits *b, unsigned n)
{
	b->bits >>= n;
	b->nbits -= n;
}

static inline unsigned take(struct inflate_bits *b, unsigned n)
{
	unsigned v = (unsigned)(b->bits & ((1ull << n) - 1));

	drop(b, n);
	return v;
}

/* True when bits were used that the input has not. */
static inline bool is_overrun(const struct inflate_bits *b)
{
	return b->overrun * 8 > b->nbits;
}

/*
 * Gives unused whole bytes back to the input: in stands behind the last byte used. Drops the rest
 * of that byte.
 */
static void align_to_byte(struct inflate_bits *b)
{
	drop(b, b->nbits & 7);
	b->in -= b->nbits / 8 - b->overrun;
	b->bits = 0;
	b->nbits = 0;
	b->overrun = 0;
}

/* Gives what is new in buf to the sink. */
static int flush(struct inflate *z)
{
	size_t n = z->out - z->flushed;
	const uint8_t *p = z->buf + z->flushed;

	z->flushed = z->out;
	if (!n)
		return 0;
	z->crc = crc32_update(&z->crc_table, z->crc, p, n);
	z->total += n;
	return z->sink(z->ctx, p, n);
}

/* Makes room for at least 200 KiB, keeping the window. */
static int make_room(struct inflate *z)
{
	int err = flush(z);

	memmove(z->buf, z->buf + z->out - INFLATE_WINDOW, INFLATE_WINDOW);
	z->out = z->flushed = INFLATE_WINDOW;
	return err;
}

static const uint16_t length_base[29] = { 3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
					  15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
					  67, 83, 99, 115, 131, 163, 195, 227, 258 };
static const uint8_t length_extra[29] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
					  2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
static const uint16_t dist_base[30] = { 1,    2,    3,    4,     5,     7,    9,    13,
					17,   25,   33,   49,    65,    97,   129,  193,
					257,  385,  513,  769,   1025,  1537, 2049, 3073,
					4097, 6145, 8193, 12289, 16385, 24577 };

static uint32_t lit_entry(unsigned sym)
{
	if (sym < 256)
		return (uint32_t)sym << 16 | E_LIT;
	if (sym == 256)
		return E_END;
	if (sym > 285)
		return E_BAD;
	return (uint32_t)length_base[sym - 257] << 16 | (uint32_t)length_extra[sym - 257] << 8;
}

static uint32_t dist_entry(unsigned sym)
{
	if (sym > 29)
		return E_BAD;
	return (uint32_t)dist_base[sym] << 16 | (uint32_t)(sym < 2 ? 0 : sym / 2 - 1) << 8;
}

static uint32_t code_entry(unsigned sym)
{
	return (uint32_t)sym << 16 | E_LIT;
}

/* A table under construction. */
struct build {
	uint32_t *table;
	unsigned capacity, used; /* entries */
	unsigned root_bits;
	uint16_t count[MAX_BITS + 1]; /* codes per length that are not entered yet */
	uint16_t next[MAX_BITS + 1];  /* next code of each length */
};

static unsigned reverse(unsigned code, unsigned len)
{
	unsigned r = 0;

	while (len--) {
		r = r << 1 | (code & 1);
		code >>= 1;
	}
	return r;
}

/*
 * Counts lengths and checks them: never more codes than there are, and fewer only when there is at
 * most one code (a block with one distance, or none).
 */
static int count_codes(struct build *b, const uint8_t *lengths, unsigned n)
{
	int left = 1;
	unsigned code = 0, codes = 0;

	memset(b->count, 0, sizeof(b->count));
	for (unsigned i = 0; i < n; i++)
		b->count[lengths[i]]++;
	b->count[0] = 0;
	for (unsigned len = 1; len <= MAX_BITS; len++) {
		left = left * 2 - b->count[len];
		if (left < 0)
			return -EINVAL;
		code = (code + b->count[len - 1]) << 1;
		b->next[len] = (uint16_t)code;
		codes += b->count[len];
	}
	if (left > 0 && (codes > 1 || codes != b->count[1]))
		return -EINVAL;
	return 0;
}

/*
 * Index bits for the subtable of a prefix whose shortest code has `len` bits: as far as its codes
 * fill it up.
 */
static unsigned sub_bits(const struct build *b, unsigned len)
{
	unsigned bits = len - b->root_bits;
	int left = 1 << bits;

	for (; len < MAX_BITS; len++, bits++) {
		left -= b->count[len];
		if (left <= 0)
			break;
		left *= 2;
	}
	return bits;
}

/*
 * Enters a code longer than the root's index. Codes come in rising length, so the first of a prefix
 * sizes its table.
 */
static int enter_long(struct build *b, unsigned rev, unsigned len, uint32_t e)
{
	unsigned prefix = rev & ((1u << b->root_bits) - 1);
	unsigned rest = len - b->root_bits, bits, base;

	if (!(b->table[prefix] & E_SUB)) {
		bits = sub_bits(b, len);
		if (b->used + (1u << bits) > b->capacity)
			return -EINVAL;
		for (unsigned i = 0; i < 1u << bits; i++)
			b->table[b->used + i] = E_BAD;
		b->table[prefix] = b->used << 16 | bits << 8 | E_SUB | b->root_bits;
		b->used += 1u << bits;
	}
	base = b->table[prefix] >> 16;
	bits = b->table[prefix] >> 8 & 0xff;
	if (rest > bits)
		return -EINVAL;
	for (unsigned i = rev >> b->root_bits; i < 1u << bits; i += 1u << rest)
		b->table[base + i] = e | rest;
	return 0;
}

/* A code within the root's index: every index that ends in it. */
static void enter_short(struct build *b, unsigned rev, unsigned len, uint32_t e)
{
	for (unsigned i = rev; i < 1u << b->root_bits; i += 1u << len)
		b->table[i] = e | len;
}

static int build_table(struct build *b, const uint8_t *lengths, unsigned n,
		       uint32_t (*entry)(unsigned))
{
	int err = count_codes(b, lengths, n);

	if (err)
		return err;
	b->used = 1u << b->root_bits;
	for (unsigned i = 0; i < b->used; i++)
		b->table[i] = E_BAD;
	for (unsigned len = 1; len <= MAX_BITS; len++) {
		for (unsigned sym = 0; sym < n && b->count[len]; sym++) {
			unsigned rev;

			if (lengths[sym] != len)
				continue;
			rev = reverse(b->next[len]++, len);
			if (len > b->root_bits)
				err = enter_long(b, rev, len, entry(sym));
			else
				enter_short(b, rev, len, entry(sym));
			if (err)
				return err;
			b->count[len]--;
		}
	}
	return 0;
}

static int build_both(struct inflate *z, unsigned nlit, unsigned ndist)
{
	struct build lit = { .table = z->lit,
			     .capacity = INFLATE_LIT_ENTRIES,
			     .root_bits = INFLATE_LIT_BITS };
	struct build dist = { .table = z->dist,
			      .capacity = INFLATE_DIST_ENTRIES,
			      .root_bits = INFLATE_DIST_BITS };
	int err = build_table(&lit, z->lengths, nlit, lit_entry);

	return err ? err : build_table(&dist, z->lengths + nlit, ndist, dist_entry);
}

static int fixed_tables(struct inflate *z)
{
	memset(z->lengths, 8, 144);
	memset(z->lengths + 144, 9, 112);
	memset(z->lengths + 256, 7, 24);
	memset(z->lengths + 280, 8, 8);
	memset(z->lengths + 288, 5, 32); /* 30 and 31 have codes too, which may not occur */
	return build_both(z, 288, 32);
}

/* The run-length coded code lengths of RFC 1951 3.2.7. */
static int read_lengths(struct inflate *z, const uint32_t *table, unsigned n)
{
	for (unsigned i = 0; i < n;) {
		uint32_t e;
		unsigned sym, repeat;
		uint8_t value = 0;

		refill(&z->b);
		e = table[z->b.bits & 127];
		if (e & E_BAD)
			return -EINVAL;
		drop(&z->b, e & E_BITS);
		sym = e >> 16;
		if (sym < 16) {
			z->lengths[i++] = (uint8_t)sym;
			continue;
		}
		if (sym == 16) {
			if (i == 0)
				return -EINVAL;
			value = z->lengths[i - 1];
			repeat = 3 + take(&z->b, 2);
		} else {
			repeat = sym == 17 ? 3 + take(&z->b, 3) : 11 + take(&z->b, 7);
		}
		if (repeat > n - i)
			return -EINVAL;
		memset(z->lengths + i, value, repeat);
		i += repeat;
	}
	return 0;
}

static int dynamic_tables(struct inflate *z)
{
	static const uint8_t order[19] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
					   11, 4,  12, 3, 13, 2, 14, 1, 15 };
	uint8_t lengths[19] = { 0 };
	struct build b = { .table = z->lit, .capacity = 128, .root_bits = 7 };
	unsigned nlit, ndist, ncode;
	int err;

	refill(&z->b);
	nlit = 257 + take(&z->b, 5);
	ndist = 1 + take(&z->b, 5);
	ncode = 4 + take(&z->b, 4);
	if (nlit > 286 || ndist > 30)
		return -EINVAL;
	for (unsigned i = 0; i < ncode; i++) {
		refill(&z->b);
		lengths[order[i]] = (uint8_t)take(&z->b, 3);
	}
	if ((err = build_table(&b, lengths, 19, code_entry)) ||
	    (err = read_lengths(z, z->lit, nlit + ndist)))
		return err;
	if (is_overrun(&z->b) || z->lengths[256] == 0) /* a block must be able to end */
		return -EINVAL;
	return build_both(z, nlit, ndist);
}

static inline uint32_t lookup(struct inflate_bits *b, const uint32_t *table, unsigned root_bits)
{
	uint32_t e = table[b->bits & ((1u << root_bits) - 1)];

	if (UNLIKELY(e & E_SUB)) {
		drop(b, root_bits);
		e = table[(e >> 16) + (b->bits & ((1u << (e >> 8 & 0xff)) - 1))];
	}
	drop(b, e & E_BITS);
	return e;
}

/*
 * Copies a match of len bytes from dist back. Words where they do not overlap; there is room
 * behind.
 */
static inline void copy_match(uint8_t *d, size_t dist, size_t len)
{
	const uint8_t *s = d - dist;
	uint8_t *end = d + len;

	if (dist >= 8) {
		do {
			copy8(d, s);
			d += 8;
			s += 8;
		} while (d < end);
		return;
	}
	if (dist == 1) {
		memset(d, *s, len);
		return;
	}
	while (d < end)
		*d++ = *s++;
}

/*
 * The symbols of one block from `*bits` to buf, until the buffer is full (E_LIT), the block ends
 * (E_END) or is found wrong (E_BAD). Reader and output pointer are locals: a store to buf might
 * otherwise change them.
 */
static unsigned inflate_symbols(struct inflate *z, struct inflate_bits *bits)
{
	struct inflate_bits b = *bits;
	uint8_t *out = z->buf + z->out, *limit = z->buf + INFLATE_BUFFER - ROOM;
	unsigned why = E_LIT;

	while (LIKELY(out <= limit)) {
		size_t len, dist;
		uint32_t e;

		refill(&b);
		e = lookup(&b, z->lit, INFLATE_LIT_BITS);
		if (e & E_LIT) {
			*out++ = (uint8_t)(e >> 16);
			e = lookup(&b, z->lit, INFLATE_LIT_BITS);
			if (e & E_LIT) {
				*out++ = (uint8_t)(e >> 16);
				if (UNLIKELY(b.overrun > 8))
					goto bad;
				continue;
			}
			refill(&b);
		}
		if (UNLIKELY(e & (E_END | E_BAD))) {
			why = e & E_BAD || is_overrun(&b) ? E_BAD : E_END;
			break;
		}
		len = (e >> 16) + take(&b, e >> 8 & 0xff);
		e = lookup(&b, z->dist, INFLATE_DIST_BITS);
		dist = (e >> 16) + take(&b, e >> 8 & 0xff);
		if (UNLIKELY((e & E_BAD) || dist > (size_t)(out - z->buf) || b.overrun > 8))
			goto bad;
		copy_match(out, dist, len);
		out += len;
	}
	z->out = (size_t)(out - z->buf);
	*bits = b;
	return why;
bad:
	*bits = b;
	return E_BAD;
}

static int inflate_codes(struct inflate *z)
{
	for (;;) {
		unsigned why = inflate_symbols(z, &z->b);
		int err;

		if (why != E_LIT)
			return why == E_BAD ? -EINVAL : 0;
		if ((err = make_room(z)))
			return err;
	}
}

static int inflate_stored(struct inflate *z)
{
	unsigned len, inverse;
	int err;

	align_to_byte(&z->b);
	if (z->b.in_end - z->b.in < 4)
		return -EINVAL;
	len = (unsigned)(z->b.in[0] | z->b.in[1] << 8);
	inverse = (unsigned)(z->b.in[2] | z->b.in[3] << 8);
	z->b.in += 4;
	if (len != (inverse ^ 0xffff) || (size_t)(z->b.in_end - z->b.in) < len)
		return -EINVAL;
	if (z->out + len > INFLATE_BUFFER - ROOM && z->out >= INFLATE_WINDOW &&
	    (err = make_room(z)))
		return err;
	memcpy(z->buf + z->out, z->b.in, len);
	z->out += len;
	z->b.in += len;
	return 0;
}

STATIC_ASSERT(INFLATE_WINDOW + 65535 < INFLATE_BUFFER - ROOM); /* a stored block always fits */

/* One deflate stream; the input stands behind it afterwards. */
static int inflate_stream(struct inflate *z)
{
	bool last;
	int err;

	z->b.bits = 0;
	z->b.nbits = z->b.overrun = 0;
	z->out = z->flushed = 0;
	z->total = 0;
	z->crc = ~0u;
	do {
		refill(&z->b);
		last = take(&z->b, 1);
		switch (take(&z->b, 2)) {
		case 0:
			err = is_overrun(&z->b) ? -EINVAL : inflate_stored(z);
			break;
		case 1:
			err = fixed_tables(z) ?: inflate_codes(z);
			break;
		case 2:
			err = dynamic_tables(z) ?: inflate_codes(z);
			break;
		default:
			err = -EINVAL;
			break;
		}
		if (err)
			return err;
	} while (!last);
	align_to_byte(&z->b);
	return flush(z);
}

enum { GZ_HCRC = 2, GZ_EXTRA = 4, GZ_NAME = 8, GZ_COMMENT = 16, GZ_RESERVED = 0xe0 };

bool inflate_is_gzip(const void *in, size_t n)
{
	const uint8_t *p = in;

	return n >= 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8;
}

static bool skip_string(struct inflate *z)
{
	while (z->b.in < z->b.in_end)
		if (!*z->b.in++)
			return true;
	return false;
}

static bool skip_bytes(struct inflate *z, size_t n)
{
	if ((size_t)(z->b.in_end - z->b.in) < n)
		return false;
	z->b.in += n;
	return true;
}

/* The member header, RFC 1952 2.3. */
static int gzip_header(struct inflate *z)
{
	const uint8_t *p = z->b.in;
	unsigned flags;

	if (!skip_bytes(z, 10))
		return -EINVAL;
	flags = p[3];
	if (flags & GZ_RESERVED)
		return -EINVAL;
	if (flags & GZ_EXTRA) {
		p = z->b.in;
		if (!skip_bytes(z, 2) || !skip_bytes(z, (size_t)(p[0] | p[1] << 8)))
			return -EINVAL;
	}
	if ((flags & GZ_NAME) && !skip_string(z))
		return -EINVAL;
	if ((flags & GZ_COMMENT) && !skip_string(z))
		return -EINVAL;
	return (flags & GZ_HCRC) && !skip_bytes(z, 2) ? -EINVAL : 0;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int gzip_member(struct inflate *z)
{
	const uint8_t *p;
	int err;

	if ((err = gzip_header(z)) || (err = inflate_stream(z)))
		return err;
	p = z->b.in;
	if (!skip_bytes(z, 8) || get32(p) != ~z->crc || get32(p + 4) != (uint32_t)z->total)
		return -EINVAL;
	return 0;
}

static void begin(struct inflate *z, const void *in, size_t n, inflate_sink *sink, void *ctx)
{
	z->b.in = in;
	z->b.in_end = z->b.in + n;
	z->sink = sink;
	z->ctx = ctx;
	crc32_table_init(&z->crc_table, CRC32_IEEE);
}

int inflate_gzip(struct inflate *z, const void *in, size_t n, size_t *used, inflate_sink *sink,
		 void *ctx)
{
	int err = -EINVAL;

	begin(z, in, n, sink, ctx);
	while (inflate_is_gzip(z->b.in, (size_t)(z->b.in_end - z->b.in)))
		if ((err = gzip_member(z)))
			break;
	*used = (size_t)(z->b.in - (const uint8_t *)in);
	return err;
}

int inflate_raw(struct inflate *z, const void *in, size_t n, size_t *used, inflate_sink *sink,
		void *ctx)
{
	int err;

	begin(z, in, n, sink, ctx);
	err = inflate_stream(z);
	*used = (size_t)(z->b.in - (const uint8_t *)in);
	return err;
}
