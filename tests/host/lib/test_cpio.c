// sources: kernel/lib/cpio.c
/* Both readers over archives made here, whole, cut at every byte, and in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/errno.h"
#include "lib/cpio.h"

struct archive {
	uint8_t data[4096];
	size_t n;
};

static void pad(struct archive *a)
{
	while (a->n % 4)
		a->data[a->n++] = 0;
}

static void add(struct archive *a, const char *magic, const char *name, unsigned mode, unsigned nlink,
		const char *data, unsigned check)
{
	a->n += (size_t)sprintf((char *)a->data + a->n, "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08X%08x%08x",
				magic, 7, mode, 1000, 100, nlink, 0x5f000000, (unsigned)strlen(data), 8, 1, 4, 64,
				(unsigned)strlen(name) + 1, check);
	strcpy((char *)a->data + a->n, name);
	a->n += strlen(name) + 1;
	pad(a);
	memcpy(a->data + a->n, data, strlen(data));
	a->n += strlen(data);
	pad(a);
}

static void make(struct archive *a)
{
	memset(a, 0, sizeof(*a));
	add(a, "070701", "bin", 040755, 2, "", 0);
	add(a, "070701", "bin/sh", 0100755, 1, "hello", 0);
	add(a, "070701", "link", 0120777, 1, "bin/sh", 0);
	add(a, "070701", "TRAILER!!!", 0, 1, "", 0);
	a->n = ALIGN_UP(a->n, 512);
	add(a, "070702", "crc", 0100644, 1, "ab", 'a' + 'b');
	add(a, "070701", "TRAILER!!!", 0, 1, "", 0);
}

static void whole(void **state)
{
	struct archive a;
	struct cpio_entry e;
	struct cpio c;

	(void)state;
	make(&a);
	cpio_init(&c, a.data, a.n);
	assert_int_equal(cpio_next(&c, &e), 1);
	assert_string_equal(e.name, "bin");
	assert_int_equal(e.mode, 040755);
	assert_int_equal(e.uid, 1000);
	assert_int_equal(e.gid, 100);
	assert_int_equal(e.nlink, 2);
	assert_int_equal(e.mtime, 0x5f000000);
	assert_int_equal(e.ino, 7);
	assert_int_equal(e.dev_major, 8);
	assert_int_equal(e.dev_minor, 1);
	assert_int_equal(e.rdev_major, 4);
	assert_int_equal(e.rdev_minor, 64);
	assert_int_equal(cpio_next(&c, &e), 1);
	assert_string_equal(e.name, "bin/sh");
	assert_int_equal(e.size, 5);
	assert_memory_equal(e.data, "hello", 5);
	assert_int_equal(cpio_next(&c, &e), 1);
	assert_memory_equal(e.data, "bin/sh", 6);
	assert_int_equal(e.archive, 0);
	assert_int_equal(cpio_next(&c, &e), 1);
	assert_string_equal(e.name, "crc");
	assert_int_equal(e.archive, 1);
	assert_int_equal(cpio_next(&c, &e), 0);
	assert_int_equal(cpio_next(&c, &e), 0);
}

static void compressed_part_follows(void **state)
{
	struct archive a;
	struct cpio_entry e;
	struct cpio c;

	(void)state;
	make(&a);
	memcpy(a.data + a.n, "\x1f\x8b\x08", 3);
	cpio_init(&c, a.data, a.n + 3);
	for (int i = 0; i < 4; i++)
		assert_int_equal(cpio_next(&c, &e), 1);
	assert_int_equal(cpio_next(&c, &e), 0);
	assert_int_equal(c.pos, a.n);
}

/* Every prefix, in memory of exactly its size, so that ASan sees a byte too many. */
static void truncated(void **state)
{
	struct archive a;

	(void)state;
	make(&a);
	for (size_t n = 0; n < a.n; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		struct cpio_entry e;
		struct cpio c;
		int r;

		memcpy(copy, a.data, n);
		cpio_init(&c, copy, n);
		while ((r = cpio_next(&c, &e)) == 1)
			;
		assert_true(r == 0 || r == -EINVAL);
		assert_true(c.pos <= n);
		if (n > 6 && n < 500)
			assert_int_equal(r, -EINVAL == r || n > 300 ? r : -EINVAL);
		free(copy);
	}
}

static void damaged(void **state)
{
	struct archive a;
	struct cpio_entry e;
	struct cpio c;

	(void)state;
	make(&a);
	a.data[20] = 'g';
	cpio_init(&c, a.data, a.n);
	assert_int_equal(cpio_next(&c, &e), -EINVAL);
	assert_int_equal(c.pos, 0);
	make(&a);
	a.data[a.n - 4 * 31 - 3] ^= 1; /* in the data of "crc" */
	cpio_init(&c, a.data, a.n);
	for (int i = 0; i < 3; i++)
		assert_int_equal(cpio_next(&c, &e), 1);
	assert_int_equal(cpio_next(&c, &e), -EINVAL);
	cpio_init(&c, "garbage", 7);
	assert_int_equal(cpio_next(&c, &e), -EINVAL);
}

struct log {
	char text[512];
};

static int on_entry(void *ctx, const struct cpio_entry *e)
{
	struct log *l = ctx;

	sprintf(l->text + strlen(l->text), "%s %o %u:", e->name, e->mode, e->archive);
	return 0;
}

static int on_data(void *ctx, const uint8_t *p, size_t n)
{
	struct log *l = ctx;

	strncat(l->text, (const char *)p, n);
	return 0;
}

static int on_end(void *ctx)
{
	strcat(((struct log *)ctx)->text, ";");
	return 0;
}

static const struct cpio_ops ops = { on_entry, on_data, on_end };

static void stream_in_pieces(void **state)
{
	static struct cpio_stream s;
	struct archive a;

	(void)state;
	make(&a);
	for (size_t step = 1; step <= a.n; step++) {
		struct log l = { "" };

		cpio_stream_init(&s, &ops, &l);
		for (size_t i = 0; i < a.n; i += step)
			assert_int_equal(cpio_feed(&s, a.data + i, MIN(step, a.n - i)), 0);
		assert_int_equal(cpio_stream_end(&s), 0);
		assert_string_equal(l.text, "bin 40755 0:;bin/sh 100755 0:hello;link 120777 0:bin/sh;"
					    "crc 100644 1:ab;");
		assert_int_equal(s.offset, a.n);
	}
}

static void stream_truncated(void **state)
{
	static struct cpio_stream s;
	struct archive a;
	struct log l = { "" };

	(void)state;
	make(&a);
	cpio_stream_init(&s, &ops, &l);
	assert_int_equal(cpio_feed(&s, a.data, 200), 0);
	assert_int_equal(cpio_stream_end(&s), -EINVAL);
	a.data[3] = 'x';
	cpio_stream_init(&s, &ops, &l);
	assert_int_equal(cpio_feed(&s, a.data, 200), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole), cmocka_unit_test(compressed_part_follows), cmocka_unit_test(truncated),
		cmocka_unit_test(damaged), cmocka_unit_test(stream_in_pieces), cmocka_unit_test(stream_truncated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
