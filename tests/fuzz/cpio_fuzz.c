// sources: kernel/lib/cpio.c
/* Any bytes as an archive: both readers stay inside, and see the same entries as far as the iterator gets. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "lib/cpio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	unsigned entries;
	uint64_t bytes;
};

static int on_entry(void *ctx, const struct cpio_entry *e)
{
	struct seen *s = ctx;

	s->entries++;
	s->bytes += strlen(e->name);
	return 0;
}

static int on_data(void *ctx, const uint8_t *p, size_t n)
{
	struct seen *s = ctx;

	for (size_t i = 0; i < n; i++)
		s->bytes += p[i] & 1;
	return 0;
}

static int on_end(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct cpio_ops ops = { on_entry, on_data, on_end };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cpio_stream stream;
	struct seen whole = { 0, 0 }, pieces = { 0, 0 };
	struct cpio_entry e;
	struct cpio c;
	size_t step;
	int r, err = 0;

	cpio_init(&c, data, size);
	while ((r = cpio_next(&c, &e)) == 1) {
		on_entry(&whole, &e);
		if (e.data)
			on_data(&whole, e.data, e.size);
	}
	if ((r != 0 && r != -EINVAL) || c.pos > size)
		abort();
	step = size ? 1 + data[0] % 64 : 1;
	cpio_stream_init(&stream, &ops, &pieces);
	for (size_t i = 0; i < size && !err; i += step)
		err = cpio_feed(&stream, data + i, MIN(step, size - i));
	if (!err)
		err = cpio_stream_end(&stream);
	if (pieces.entries + (r == -EINVAL) < whole.entries) /* the padding behind the last name may be cut off */
		abort();
	if (!r && !err && c.pos == size && (pieces.entries != whole.entries || pieces.bytes != whole.bytes))
		abort();
	return 0;
}
