// sources: kernel/lib/fmt.c
/* Formatting against the host's snprintf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/fmt.h"

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

#define SAME(...)                                                        \
	do {                                                             \
		char a[200], b[200];                                     \
		size_t x = fmt(a, sizeof(a), __VA_ARGS__);               \
		int y = snprintf(b, sizeof(b), __VA_ARGS__);             \
		assert_string_equal(a, b);                               \
		assert_int_equal(x, y);                                  \
	} while (0)

static void literals_and_strings(void **state)
{
	(void)state;
	SAME("plain");
	SAME("%%");
	SAME("%s|%10s|%-10s|%.2s|%*.*s", "abc", "abc", "abc", "abc", -6, 1, "abc");
	SAME("%c%5c%-5c|", 'x', 'y', 'z');
}

static void every_combination(void **state)
{
	static const char *flags[] = { "", "-", "0", "+", " ", "#", "-+", "0+", "0#", "-#", "+ ", "0-" };
	static const char *widths[] = { "", "1", "8", "20" };
	static const char *precs[] = { "", ".", ".0", ".1", ".5", ".12" };
	static const char convs[] = "diuxXo";
	static const long values[] = { 0, 1, -1, 8, 255, 65535, 123456789, INT32_MIN, INT64_MAX, INT64_MIN };
	char f[32];

	(void)state;
	for (size_t a = 0; a < ARRAY_SIZE(flags); a++)
	for (size_t b = 0; b < ARRAY_SIZE(widths); b++)
	for (size_t c = 0; c < ARRAY_SIZE(precs); c++)
	for (size_t d = 0; convs[d]; d++)
	for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
		snprintf(f, sizeof(f), "<%%%s%s%sl%c>", flags[a], widths[b], precs[c], convs[d]);
		SAME(f, values[v]);
		snprintf(f, sizeof(f), "<%%%s%s%s%c>", flags[a], widths[b], precs[c], convs[d]);
		SAME(f, (int)values[v]);
		snprintf(f, sizeof(f), "<%%%s%s%shh%c>", flags[a], widths[b], precs[c], convs[d]);
		SAME(f, (int)values[v]);
		snprintf(f, sizeof(f), "<%%%s%s%sh%c>", flags[a], widths[b], precs[c], convs[d]);
		SAME(f, (int)values[v]);
		snprintf(f, sizeof(f), "<%%%s%s%sj%c>", flags[a], widths[b], precs[c], convs[d]);
		SAME(f, (intmax_t)values[v]);
	}
}

static void pointers_and_lengths(void **state)
{
	(void)state;
	SAME("%p %zu %td %lld", (void *)0x1234, (size_t)7, (ptrdiff_t)-7, -9ll);
}

static void cut(void **state)
{
	char b[8] = "xxxxxxx";

	(void)state;
	assert_int_equal(fmt(b, 4, "%d", 123456), 6);
	assert_string_equal(b, "123");
	assert_int_equal(b[4], 'x');
	assert_int_equal(fmt(b, 0, "abc"), 3);
	assert_int_equal(b[0], '1');
	assert_int_equal(fmt(NULL, 0, "%100s", ""), 100);
	assert_int_equal(fmt(b, 1, "abc"), 3);
	assert_string_equal(b, "");
	assert_int_equal(fmt(b, sizeof(b), "%s", (char *)NULL), 6);
}

static void textbuf(void **state)
{
	char b[9] = "yyyyyyyy";
	struct textbuf t = { b, 8, 0 };

	(void)state;
	text_f(&t, "%d-", 42);
	text_c(&t, 'c');
	text_n(&t, "defgh", 5);
	assert_int_equal(t.len, 9);
	assert_memory_equal(b, "42-cdefgy", 9 - 1);
	text_f(&t, "more");
	assert_int_equal(t.len, 13);
	assert_int_equal(b[8], '\0');
}

static void textbuf_numbers(void **state)
{
	char b[64];
	struct textbuf t = { b, sizeof(b), 0 };

	(void)state;
	text_u(&t, 0, 0);
	text_u(&t, 0, 3);
	text_u(&t, 12345, 3);
	text_u(&t, 42, 8);
	text_u(&t, UINT64_MAX, 24);
	text_c(&t, '\0');
	assert_string_equal(b, "0  012345      42    18446744073709551615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_and_strings), cmocka_unit_test(every_combination),
		cmocka_unit_test(pointers_and_lengths), cmocka_unit_test(cut), cmocka_unit_test(textbuf),
		cmocka_unit_test(textbuf_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
