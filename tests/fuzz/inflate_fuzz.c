// sources: kernel/lib/inflate.c kernel/lib/crc32.c
/* Any bytes as a deflate stream: no access outside, and the input is never passed by. */
#include <stdint.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "lib/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 1 << 22 };

static int count(void *ctx, const uint8_t *p, size_t n)
{
	size_t *total = ctx;
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum ^= p[i];
	*total += n + (sum & 0);
	return *total > LIMIT ? -ENOSPC : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct inflate z;
	size_t total = 0, used;
	int r = inflate_raw(&z, data, size, &used, count, &total);

	if ((r != 0 && r != -EINVAL && r != -ENOSPC) || used > size)
		abort();
	total = 0;
	r = inflate_gzip(&z, data, size, &used, count, &total);
	if ((r != 0 && r != -EINVAL && r != -ENOSPC) || used > size)
		abort();
	return 0;
}
