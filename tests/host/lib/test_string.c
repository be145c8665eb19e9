// sources: kernel/lib/strutil.c
/*
 * Our C library functions against the host's. They are compiled under other names, since the sanitizers own the
 * real ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define memcpy  kv_memcpy
#define memmove kv_memmove
#define memset  kv_memset
#define memcmp  kv_memcmp
#define memchr  kv_memchr
#define strlen  kv_strlen
#define strnlen kv_strnlen
#define strcmp  kv_strcmp
#define strncmp kv_strncmp
#define strchr  kv_strchr
#define strrchr kv_strrchr
#define strstr  kv_strstr
#include "kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr

enum { SIZE = 400 };

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rand();
}

static void copies(void **state)
{
	uint8_t a[SIZE], b[SIZE], src[SIZE];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)rand() % 200, d = (size_t)rand() % 100, s = (size_t)rand() % 100;

		fill(a, SIZE);
		fill(src, SIZE);
		memcpy(b, a, SIZE);
		memcpy(b + d, src + s, n);
		assert_ptr_equal(kv_memcpy(a + d, src + s, n), a + d);
		assert_memory_equal(a, b, SIZE);
		memmove(b + d, b + s, n);
		assert_ptr_equal(kv_memmove(a + d, a + s, n), a + d);
		assert_memory_equal(a, b, SIZE);
		memset(b + d, (int)s, n);
		assert_ptr_equal(kv_memset(a + d, (int)s, n), a + d);
		assert_memory_equal(a, b, SIZE);
	}
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void comparisons(void **state)
{
	char a[64], b[64];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)rand() % 40;

		for (size_t k = 0; k < sizeof(a); k++) {
			a[k] = (char)(rand() % 2 + 'a');
			b[k] = rand() % 8 ? a[k] : (char)(rand() % 256 - 128);
		}
		a[40 + rand() % 20] = b[63] = a[63] = '\0';
		assert_int_equal(sign(kv_memcmp(a, b, n)), sign(memcmp(a, b, n)));
		assert_int_equal(sign(kv_strcmp(a, b)), sign(strcmp(a, b)));
		assert_int_equal(sign(kv_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		assert_int_equal(kv_strlen(b), strlen(b));
		assert_int_equal(kv_strnlen(b, n), strnlen(b, n));
		assert_ptr_equal(kv_strchr(b, 'b'), strchr(b, 'b'));
		assert_ptr_equal(kv_strchr(b, 0), strchr(b, 0));
		assert_ptr_equal(kv_strrchr(b, 'b'), strrchr(b, 'b'));
		assert_ptr_equal(kv_memchr(b, 'b', n), memchr(b, 'b', n));
		b[3] = '\0';
		assert_ptr_equal(kv_strstr(a, b), strstr(a, b));
	}
}

static void bounded_copy(void **state)
{
	char b[5];

	(void)state;
	assert_int_equal(strscpy(b, "abcd", sizeof(b)), 4);
	assert_string_equal(b, "abcd");
	assert_true(strscpy(b, "abcde", sizeof(b)) < 0);
	assert_string_equal(b, "abcd");
	assert_true(strscpy(b, "abcde", 0) < 0);
	assert_true(str_starts("console=tty", "console="));
	assert_false(str_starts("con", "console="));
}

static void numbers(void **state)
{
	const char *end;
	uint64_t v;

	(void)state;
	assert_true(str_to_u64("123x", &end, &v));
	assert_int_equal(v, 123);
	assert_string_equal(end, "x");
	assert_true(str_to_u64("0x1fG", &end, &v));
	assert_int_equal(v, 31);
	assert_string_equal(end, "G");
	assert_true(str_to_u64("0178", &end, &v));
	assert_int_equal(v, 15);
	assert_string_equal(end, "8");
	assert_true(str_to_u64("0", &end, &v));
	assert_int_equal(v, 0);
	assert_true(str_to_u64("0xg", &end, &v));
	assert_string_equal(end, "xg");
	assert_true(str_to_u64("18446744073709551615", NULL, &v));
	assert_true(v == UINT64_MAX);
	assert_false(str_to_u64("18446744073709551616", NULL, &v));
	assert_false(str_to_u64("0x10000000000000000", NULL, &v));
	assert_false(str_to_u64("", NULL, &v));
	assert_false(str_to_u64("-1", NULL, &v));
	assert_true(str_to_size("512M,", &end, &v));
	assert_true(v == 512ull << 20);
	assert_string_equal(end, ",");
	assert_false(str_to_size("99999999T", NULL, &v));
	assert_true(str_to_size("7", NULL, &v));
	assert_int_equal(v, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies), cmocka_unit_test(comparisons), cmocka_unit_test(bounded_copy),
		cmocka_unit_test(numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
