// sources: kernel/lib/inflate.c kernel/lib/crc32.c
/*
 * Data compressed by Python's zlib at test time (levels, strategies, stored, several members), cut at every byte, and
 * with every bit of a small stream turned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/errno.h"
#include "lib/inflate.h"

static struct inflate z;

struct sink {
	uint8_t *p;
	size_t n, cap;
};

static int collect(void *ctx, const uint8_t *p, size_t n)
{
	struct sink *s = ctx;

	if (s->n + n > s->cap) {
		s->cap = (s->n + n) * 2;
		s->p = realloc(s->p, s->cap);
	}
	memcpy(s->p + s->n, p, n);
	s->n += n;
	return 0;
}

/* What a program writes, in memory of exactly its size. */
static uint8_t *output_of(const char *cmd, size_t *n)
{
	FILE *f = popen(cmd, "r");
	struct sink s = { NULL, 0, 0 };
	uint8_t buf[4096], *exact;
	size_t k;

	assert_non_null(f);
	while ((k = fread(buf, 1, sizeof(buf), f)) > 0)
		collect(&s, buf, k);
	assert_int_equal(pclose(f), 0);
	exact = malloc(s.n ? s.n : 1);
	if (s.n)
		memcpy(exact, s.p, s.n);
	free(s.p);
	*n = s.n;
	return exact;
}

#define DATA                                                                                          \
	"import zlib,sys,random,struct;random.seed(5);"                                               \
	"kinds={'empty':b'','text':b''.join(b'%%d the quick brown fox\\n'%%(i*i) for i in range(40000)),"  \
	"'noise':random.randbytes(300000),'zeros':bytes(1500000),"                                    \
	"'far':(lambda r:r+b'x'*10+r)(random.randbytes(32758)),"                                      \
	"'mixed':b''.join(random.randbytes(random.randrange(40))*random.randrange(9) for i in range(30000))};"

static void roundtrip(const char *kind, int level, int strategy)
{
	char cmd[2048];
	size_t n, want, used;
	uint8_t *in, *plain;
	struct sink s = { NULL, 0, 0 };

	snprintf(cmd, sizeof(cmd),
		 "python3 -c \"" DATA "c=zlib.compressobj(%d,8,31,9,%d);d=kinds['%s'];"
		 "sys.stdout.buffer.write(c.compress(d)+c.flush())\"", level, strategy, kind);
	in = output_of(cmd, &n);
	snprintf(cmd, sizeof(cmd), "python3 -c \"" DATA "sys.stdout.buffer.write(kinds['%s'])\"", kind);
	plain = output_of(cmd, &want);
	assert_int_equal(inflate_gzip(&z, in, n, &used, collect, &s), 0);
	assert_int_equal(used, n);
	assert_int_equal(s.n, want);
	if (want)
		assert_memory_equal(s.p, plain, want);
	free(in);
	free(plain);
	free(s.p);
}

static void levels_and_strategies(void **state)
{
	static const char *kinds[] = { "empty", "text", "noise", "zeros", "far", "mixed" };
	static const int levels[] = { 0, 1, 6, 9 };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (size_t l = 0; l < ARRAY_SIZE(levels); l++)
			roundtrip(kinds[k], levels[l], 0);
		roundtrip(kinds[k], 9, 2); /* Huffman only */
		roundtrip(kinds[k], 9, 3); /* run lengths */
		roundtrip(kinds[k], 9, 4); /* fixed codes */
	}
}

/* A header with every field, two members, and zeros behind, as `cat a.gz b.gz` and a padded initrd have them. */
static void members(void **state)
{
	size_t n, used;
	uint8_t *in = output_of(
		"python3 -c \"import gzip,sys,zlib;"
		"raw=zlib.compressobj(9,8,-15);d=raw.compress(b'one ')+raw.flush();"
		"import struct;"
		"m=bytes([31,139,8,2|4|8|16,0,0,0,0,0,3])+b'\\x03\\x00abc'+b'name\\x00'+b'comment\\x00'+b'hh'+d"
		"+struct.pack('<II',zlib.crc32(b'one '),4);"
		"sys.stdout.buffer.write(m+gzip.compress(b'two')+bytes(10))\"", &n);
	struct sink s = { NULL, 0, 0 };

	(void)state;
	assert_int_equal(inflate_gzip(&z, in, n, &used, collect, &s), 0);
	assert_int_equal(used, n - 10);
	assert_int_equal(s.n, 7);
	assert_memory_equal(s.p, "one two", 7);
	free(s.p);
	free(in);
}

static uint8_t *small_sample(size_t *n)
{
	return output_of("python3 -c \"import gzip,sys;"
			 "sys.stdout.buffer.write(gzip.compress(bytes(range(200))*3+b'abcabcabc'*50,mtime=0))\"", n);
}

static void truncated(void **state)
{
	size_t n, used;
	uint8_t *in = small_sample(&n);

	(void)state;
	for (size_t k = 0; k < n; k++) {
		uint8_t *cut = malloc(k ? k : 1);
		struct sink s = { NULL, 0, 0 };

		memcpy(cut, in, k);
		assert_int_equal(inflate_gzip(&z, cut, k, &used, collect, &s), -EINVAL);
		assert_true(used <= k);
		free(s.p);
		free(cut);
	}
	free(in);
}

static void damaged(void **state)
{
	size_t n, used, harmless = 0;
	uint8_t *in = small_sample(&n);
	struct sink want = { NULL, 0, 0 };

	(void)state;
	assert_int_equal(inflate_gzip(&z, in, n, &used, collect, &want), 0);
	for (size_t bit = 0; bit < n * 8; bit++) {
		struct sink s = { NULL, 0, 0 };
		int r;

		in[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r = inflate_gzip(&z, in, n, &used, collect, &s);
		assert_true(r == 0 || r == -EINVAL);
		if (r == 0) { /* a bit without meaning, in the header or in the padding */
			assert_int_equal(s.n, want.n);
			assert_memory_equal(s.p, want.p, want.n);
			harmless++;
		}
		in[bit / 8] ^= (uint8_t)(1 << bit % 8);
		free(s.p);
	}
	assert_true(harmless < 7 * 8 + 8); /* time, flags, system; rest of the last byte */
	free(want.p);
	free(in);
}

static int refuse(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx, (void)p, (void)n;
	return -ENOSPC;
}

static void sink_stops(void **state)
{
	size_t n, used;
	uint8_t *in = small_sample(&n);

	(void)state;
	assert_int_equal(inflate_gzip(&z, in, n, &used, refuse, NULL), -ENOSPC);
	free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_and_strategies), cmocka_unit_test(members), cmocka_unit_test(truncated),
		cmocka_unit_test(damaged), cmocka_unit_test(sink_stops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
