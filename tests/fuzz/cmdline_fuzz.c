// sources: kernel/core/cmdline.c kernel/lib/fmt.c kernel/lib/strutil.c
/*
 * The kernel's command line: any text. Checked: whatever is asked for lies within what was given and ends; what is
 * handed to init was not claimed, or stood behind "--"; asking twice gives the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INIT_MAX = 32 };

static void require(bool c)
{
	if (!c)
		abort();
}

void log_f(enum log_level level, const char *format, ...)
{
	(void)level;
	require(strlen(format) > 0);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void ask(void)
{
	static const char *const names[] = { "quiet", "a", "console", "mem", "ktrace", "a-b", "ip", "init" };
	char list[64], again[64];

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *v = cmdline_get(names[i]);
		size_t n;

		require(!v || strlen(v) < CMDLINE_MAX);
		require(same(v, cmdline_get(names[i])));
		require(cmdline_has(names[i]) == cmdline_has(names[i]));
		memset(list, 'x', sizeof(list));
		n = cmdline_get_list(names[i], list, sizeof(list) - 1);
		require(n < sizeof(list) - 1 && list[n] == '\0' && list[sizeof(list) - 1] == 'x');
		require(cmdline_get_list(names[i], again, sizeof(again) - 1) == n && !memcmp(list, again, n));
		(void)cmdline_get_list(names[i], list, 1);
		require(list[0] == '\0');
		(void)cmdline_get_list(names[i], NULL, 0);
		require(cmdline_int(names[i], 7) == cmdline_int(names[i], 7));
		(void)cmdline_size(names[i], 7);
	}
}

static void give_to_init(void)
{
	const char *argv[INIT_MAX], *envp[INIT_MAX];
	unsigned n = 0;

	cmdline_for_init(argv, envp, INIT_MAX);
	while (argv[n])
		require(strlen(argv[n++]) < CMDLINE_MAX);
	require(n < INIT_MAX);
	for (n = 0; envp[n]; n++)
		require(strchr(envp[n], '=') != NULL && strncmp(envp[n], "console=", 8) != 0);
	require(n < INIT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	cmdline_init(text);
	require(strlen(cmdline_text()) < CMDLINE_MAX);
	require(strncmp(cmdline_text(), text, strlen(cmdline_text())) == 0);
	free(text);
	ask();
	give_to_init();
	return 0;
}
