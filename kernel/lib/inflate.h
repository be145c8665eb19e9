#pragma once

/*
 * gzip decompression. The compressed input lies in memory as a whole; the output goes, in pieces of
 * some 200 KiB, to a sink. Several members are one stream. The state is large: the caller allocates
 * it in pages.
 *   source       RFC 1951 (deflate), RFC 1952 (gzip)
 */

#include "lib/crc32.h"
#include "lib/types.h"

enum {
	INFLATE_WINDOW = 32768,
	INFLATE_BUFFER = 262144, /* output gathered before the sink sees it; history included */
	INFLATE_LIT_BITS = 10,
	INFLATE_DIST_BITS = 8,
	INFLATE_LIT_ENTRIES =
		2400, /* checked when a table is built; 1334 is the most that a code can ask for */
	INFLATE_DIST_ENTRIES = 900,
};

/* Takes n bytes of output. A non-zero return ends the decompression and is returned. */
typedef int inflate_sink(void *ctx, const uint8_t *p, size_t n);

struct inflate_bits {
	const uint8_t *in, *in_end;
	uint64_t bits; /* not yet used, lowest first */
	unsigned nbits;
	unsigned overrun; /* bytes of zeros that stand in `bits` for input which is not there */
};

struct inflate {
	struct inflate_bits b;
	size_t out, flushed; /* positions in buf */
	uint32_t crc;
	uint64_t total; /* bytes of the present member */
	inflate_sink *sink;
	void *ctx;
	uint8_t lengths[320]; /* code lengths of the block */
	uint32_t lit[INFLATE_LIT_ENTRIES];
	uint32_t dist[INFLATE_DIST_ENTRIES];
	struct crc32_table crc_table;
	uint8_t buf[INFLATE_BUFFER];
};

bool inflate_is_gzip(const void *in, size_t n);

/*
 * Decompresses the gzip members at `in`, up to the end or to bytes that begin no member.
 *   used         set in every case: bytes taken (whole members); on error the offset of the damage,
 *                roughly
 *   returns      0; -EINVAL damaged or truncated; what the sink returned. The sink may have had
 *                part of the output.
 */
MUST_CHECK int inflate_gzip(struct inflate *z, const void *in, size_t n, size_t *used,
			    inflate_sink *sink, void *ctx);

/* As inflate_gzip() for one bare deflate stream, without check sum. */
MUST_CHECK int inflate_raw(struct inflate *z, const void *in, size_t n, size_t *used,
			   inflate_sink *sink, void *ctx);
