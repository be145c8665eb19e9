// sources: kernel/lib/bitmap.c kernel/lib/hash.c
/* Bitmap searches against a loop; the hash for its reach and its seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/bitmap.h"
#include "lib/hash.h"

static size_t model(const uint64_t *m, size_t n, size_t from, bool set)
{
	while (from < n && bitmap_test(m, from) != set)
		from++;
	return from < n ? from : n;
}

static void searches(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t n = 1 + (size_t)rand() % 300, from = (size_t)rand() % 320;
		uint64_t m[BITMAP_WORDS(300)];
		int density = rand() % 3;

		memset(m, density == 0 ? 0 : 0xff, sizeof(m));
		for (int k = rand() % 10; k > 0; k--) {
			size_t bit = (size_t)rand() % 300;

			if (density == 0)
				bitmap_set(m, bit);
			else
				bitmap_clear(m, bit);
		}
		assert_int_equal(bitmap_find_set(m, n, from), model(m, n, from, true));
		assert_int_equal(bitmap_find_clear(m, n, from), model(m, n, from, false));
	}
}

static void hash_depends_on_everything(void **state)
{
	char s[40];

	(void)state;
	memset(s, 'a', sizeof(s));
	for (size_t n = 0; n < sizeof(s); n++) {
		uint64_t h = hash_bytes(1, s, n);

		assert_true(h == hash_bytes(1, s, n));
		assert_true(h != hash_bytes(2, s, n));
		assert_true(h != hash_bytes(1, s, n + 1 < sizeof(s) ? n + 1 : 0));
		for (size_t i = 0; i < n; i++) {
			s[i] ^= 1;
			assert_true(h != hash_bytes(1, s, n));
			s[i] ^= 1;
		}
	}
}

/* Numbered names must spread over the low bits, which are what tables use. */
static void hash_spreads(void **state)
{
	unsigned count[256] = { 0 };
	uint32_t name;

	(void)state;
	for (name = 0; name < 25600; name++)
		count[hash_bytes(7, &name, sizeof(name)) % 256]++;
	for (int i = 0; i < 256; i++)
		assert_in_range(count[i], 50, 170);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(searches), cmocka_unit_test(hash_depends_on_everything),
		cmocka_unit_test(hash_spreads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
