/* Puts the request together and takes it apart: see request.h. */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int request_append(struct request *r, const uint8_t *data, size_t length)
{
	char *text = realloc(r->text, r->length + length + 1);

	if (!text)
		return -1;
	memcpy(text + r->length, data, length);
	r->text = text;
	r->length += length;
	text[r->length] = '\0';
	return 0;
}

/* The value if `word` is key=value, else NULL. */
static char *value_of(char *word, const char *key)
{
	size_t n = strlen(key);

	return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

static void parse_word(struct request *r, char *word, size_t *nargs, size_t *nenv)
{
	char *v;

	if ((v = value_of(word, "arg")))
		r->args[(*nargs)++] = v;
	else if ((v = value_of(word, "env")))
		r->env[(*nenv)++] = v;
	else if ((v = value_of(word, "dir")))
		r->dir = v;
	else if ((v = value_of(word, "host")))
		r->host = v;
	else if ((v = value_of(word, "net")))
		r->net = v;
	else if ((v = value_of(word, "tty")))
		r->has_tty = sscanf(v, "%hux%hu", &r->rows, &r->cols) == 2;
	else if ((v = value_of(word, "stderr")))
		r->pipes_stderr = strcmp(v, "pipe") == 0;
	else if ((v = value_of(word, "trace")))
		r->wants_trace = strcmp(v, "1") == 0;
}

int request_parse(struct request *r)
{
	size_t words = 0, nargs = 0, nenv = 0;

	for (size_t i = 0; i < r->length; i++)
		words += r->text[i] == '\0';
	r->args = calloc(words + 1, sizeof *r->args);
	r->env = calloc(words + 1, sizeof *r->env);
	if (!r->args || !r->env)
		return -1;

	r->dir = "/";
	for (size_t i = 0; i < r->length; i += strlen(r->text + i) + 1)
		parse_word(r, r->text + i, &nargs, &nenv);
	return 0;
}
