/*
 * The kernel command line. The text is copied and cut into words at white space outside double
 * quotes; the quotes themselves go away (`x="a b"` is x with the value `a b`). Each word is a name,
 * with or without a value; in names "-" and "_" are the same. A word is claimed when somebody asks
 * for its name. What stands after "--" is init's alone.
 *
 * Written once at boot; claiming is idempotent, so readers need no lock.
 *   source       kernel-command-line(7), bootparam(7)
 */
#include "core/cmdline.h"

#include "core/log.h"
#include "lib/fmt.h"
#include "lib/string.h"

enum { MAX_WORDS = 128 };

struct word {
	char *name;  /* what stands before "=", NUL-terminated */
	char *value; /* NULL: no "=" */
	bool claimed;
	bool for_init; /* after "--" */
};

static char text[CMDLINE_MAX];    /* as given */
static char storage[CMDLINE_MAX]; /* words, cut */
static char joined[CMDLINE_MAX];  /* "name=value" of what init gets */
static struct word words[MAX_WORDS];
static unsigned nwords;

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Cuts the next word out of *p in place. Returns NULL at the end. */
static char *next_word(char **p)
{
	char *in = *p, *out, *word;
	bool quoted = false;

	while (is_space(*in))
		in++;
	if (!*in)
		return NULL;
	word = out = in;
	for (; *in && (quoted || !is_space(*in)); in++) {
		if (*in == '"')
			quoted = !quoted;
		else
			*out++ = *in;
	}
	*p = *in ? in + 1 : in;
	*out = '\0';
	return word;
}

void cmdline_init(const char *given)
{
	char *p = storage, *w;
	bool for_init = false;

	strscpy(text, given, sizeof(text));
	strscpy(storage, given, sizeof(storage));
	nwords = 0;
	while ((w = next_word(&p))) {
		struct word *o;

		if (!for_init && str_eq(w, "--")) {
			for_init = true;
			continue;
		}
		if (nwords == MAX_WORDS)
			break;
		o = &words[nwords++];
		*o = (struct word){ .name = w, .for_init = for_init };
		o->value = for_init ? NULL : strchr(w, '=');
		if (o->value)
			*o->value++ = '\0';
	}
}

const char *cmdline_text(void)
{
	return text;
}

static bool same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		char x = *a == '-' ? '_' : *a, y = *b == '-' ? '_' : *b;

		if (x != y)
			return false;
		if (!x)
			return true;
	}
}

/* The next option called name, from index *i on; claims it. */
static struct word *next_option(const char *name, unsigned *i)
{
	while (*i < nwords) {
		struct word *w = &words[(*i)++];

		if (w->for_init || !same_name(w->name, name))
			continue;
		w->claimed = true;
		return w;
	}
	return NULL;
}

const char *cmdline_get(const char *name)
{
	const char *value = NULL;
	const struct word *w;
	unsigned i = 0;

	while ((w = next_option(name, &i)))
		value = w->value ? w->value : "";
	return value;
}

size_t cmdline_get_list(const char *name, char *buf, size_t size)
{
	struct textbuf t = { buf, size ? size - 1 : 0, 0 };
	const struct word *w;
	unsigned i = 0;

	while ((w = next_option(name, &i))) {
		if (!w->value || !*w->value)
			continue;
		if (t.len)
			text_c(&t, ',');
		text_n(&t, w->value, strlen(w->value));
	}
	if (size)
		buf[MIN(t.len, t.size)] = '\0';
	return MIN(t.len, t.size);
}

bool cmdline_has(const char *word)
{
	const struct word *w;
	bool found = false;
	unsigned i = 0;

	while ((w = next_option(word, &i)))
		found |= !w->value;
	return found;
}

static void complain(const char *name, const char *value)
{
	log_warn("command line: %s=%s is not a number, ignored", name, value);
}

int64_t cmdline_int(const char *name, int64_t fallback)
{
	const char *s = cmdline_get(name), *end;
	uint64_t v;
	bool negative;

	if (!s)
		return fallback;
	negative = *s == '-';
	if (!str_to_u64(s + negative, &end, &v) || *end || v > INT64_MAX) {
		complain(name, s);
		return fallback;
	}
	return negative ? -(int64_t)v : (int64_t)v;
}

uint64_t cmdline_size(const char *name, uint64_t fallback)
{
	const char *s = cmdline_get(name), *end;
	uint64_t v;

	if (!s)
		return fallback;
	if (!str_to_size(s, &end, &v) || *end) {
		complain(name, s);
		return fallback;
	}
	return v;
}

/*
 * Appends "name=value" to `joined`; NULL when it is full (it cannot be: it is as large as the
 * text).
 */
static const char *join(size_t *used, const struct word *w)
{
	char *at = joined + *used;
	size_t n = fmt(at, sizeof(joined) - *used, "%s=%s", w->name, w->value);

	if (n >= sizeof(joined) - *used)
		return NULL;
	*used += n + 1;
	return at;
}

/*
 * "module.option" is for a module that is not there; Linux does not hand such words to init either.
 */
void cmdline_for_init(const char **argv, const char **envp, unsigned max)
{
	unsigned nargs = 0, nenv = 0;
	size_t used = 0;

	for (unsigned i = 0; i < nwords; i++) {
		const struct word *w = &words[i];

		if (!w->for_init && (w->claimed || strchr(w->name, '.')))
			continue;
		if (!w->value) {
			if (nargs + 1 < max)
				argv[nargs++] = w->name;
		} else if (nenv + 1 < max) {
			const char *s = join(&used, w);

			if (s)
				envp[nenv++] = s;
		}
	}
	argv[nargs] = NULL;
	envp[nenv] = NULL;
}
