// sources: kernel/core/cmdline.c kernel/lib/strutil.c kernel/lib/fmt.c
/* Options, lists, quotes, and what is left for init. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/cmdline.h"
#include "core/log.h"

static int complaints;

void log_f(enum log_level level, const char *f, ...)
{
	(void)level, (void)f;
	complaints++;
}

static void last_value_wins(void **state)
{
	(void)state;
	cmdline_init("console=tty0 quiet console=ttyS0 empty= bare");
	assert_string_equal(cmdline_get("console"), "ttyS0");
	assert_string_equal(cmdline_get("empty"), "");
	assert_string_equal(cmdline_get("bare"), "");
	assert_null(cmdline_get("absent"));
	assert_true(cmdline_has("quiet"));
	assert_false(cmdline_has("console"));
	assert_string_equal(cmdline_text(), "console=tty0 quiet console=ttyS0 empty= bare");
}

/* [087]: repeated options were joined without a comma. */
static void lists_add_up(void **state)
{
	char b[16];

	(void)state;
	cmdline_init("debug=a debug=b,c debug= x=1 debug=d");
	assert_int_equal(cmdline_get_list("debug", b, sizeof(b)), 7);
	assert_string_equal(b, "a,b,c,d");
	assert_int_equal(cmdline_get_list("debug", b, 4), 3);
	assert_string_equal(b, "a,b");
	assert_int_equal(cmdline_get_list("nothing", b, sizeof(b)), 0);
	assert_string_equal(b, "");
}

static void numbers(void **state)
{
	(void)state;
	cmdline_init("a=12 b=-3 c=x d=0x10 e=12z mem=64M bad=1Q");
	complaints = 0;
	assert_int_equal(cmdline_int("a", 1), 12);
	assert_int_equal(cmdline_int("b", 1), -3);
	assert_int_equal(cmdline_int("d", 1), 16);
	assert_int_equal(cmdline_int("none", 7), 7);
	assert_int_equal(complaints, 0);
	assert_int_equal(cmdline_int("c", 1), 1);
	assert_int_equal(cmdline_int("e", 1), 1);
	assert_int_equal(complaints, 2);
	assert_int_equal(cmdline_size("mem", 1), 64 << 20);
	assert_int_equal(cmdline_size("bad", 5), 5);
	assert_int_equal(complaints, 3);
}

static void quotes_and_dashes(void **state)
{
	(void)state;
	cmdline_init("  x=\"a b\" \"y=c d\"\tsome-name=1 ");
	assert_string_equal(cmdline_get("x"), "a b");
	assert_string_equal(cmdline_get("y"), "c d");
	assert_string_equal(cmdline_get("some_name"), "1");
}

static void the_rest_is_inits(void **state)
{
	const char *argv[8], *envp[8];

	(void)state;
	cmdline_init("root=/dev/vda HOME=/root single usbcore.x=1 quiet -- quiet --login a=b");
	assert_non_null(cmdline_get("root"));
	assert_true(cmdline_has("quiet"));
	cmdline_for_init(argv, envp, 8);
	assert_string_equal(argv[0], "single");
	assert_string_equal(argv[1], "quiet");
	assert_string_equal(argv[2], "--login");
	assert_string_equal(argv[3], "a=b");
	assert_null(argv[4]);
	assert_string_equal(envp[0], "HOME=/root");
	assert_null(envp[1]);
	cmdline_for_init(argv, envp, 2);
	assert_string_equal(argv[0], "single");
	assert_null(argv[1]);
}

static void too_long(void **state)
{
	static char text[3 * CMDLINE_MAX];
	const char *argv[200], *envp[200];

	(void)state;
	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "a=b", 3);
	cmdline_init(text);
	cmdline_for_init(argv, envp, 200);
	memset(text, 0, sizeof(text));
	for (size_t i = 0; i + 4 < sizeof(text); i += 4)
		memcpy(text + i, "k=v ", 4);
	cmdline_init(text);
	cmdline_for_init(argv, envp, 200);
	assert_string_equal(envp[100], "k=v");
	assert_int_equal(strlen(cmdline_text()), CMDLINE_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_value_wins), cmocka_unit_test(lists_add_up), cmocka_unit_test(numbers),
		cmocka_unit_test(quotes_and_dashes), cmocka_unit_test(the_rest_is_inits), cmocka_unit_test(too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
