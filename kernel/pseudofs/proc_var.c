/*
 * Variables of the kernel as files of /proc/sys: numbers in and out, within limits.
 * Source: proc(5).
 */

#include "abi/errno.h"
#include "pseudofs/proc_var.h"

static int64_t get(const struct proc_var *s, unsigned k)
{
	if (s->bytes == 8)
		return ((const int64_t *)s->var)[k];
	return s->is_unsigned ? (int64_t)((const uint32_t *)s->var)[k]
			      : (int64_t)((const int32_t *)s->var)[k];
}

static void set(const struct proc_var *s, unsigned k, int64_t v)
{
	if (s->bytes == 8)
		((int64_t *)s->var)[k] = v;
	else
		((int32_t *)s->var)[k] = (int32_t)v;
}

int proc_var_show(struct pinode *i, struct textbuf *t)
{
	const struct proc_var *s = i->node->ptr;

	for (unsigned k = 0; k < s->count; k++)
		text_f(t, k ? "\t%ld" : "%ld", (long)get(s, k));
	text_c(t, '\n');
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

int proc_next_number(const char **text, int64_t *out)
{
	bool minus;
	uint64_t v = 0;

	while (is_space(**text))
		++*text;
	if (**text == '\0')
		return 0;
	minus = **text == '-';
	*text += minus;
	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; ++*text) {
		v = v * 10 + (uint64_t)(**text - '0');
		if (v > 1ull << 62)
			return -EINVAL;
	}
	if (**text != '\0' && !is_space(**text))
		return -EINVAL;
	*out = minus ? -(int64_t)v : (int64_t)v;
	return 1;
}

/* All values are read before the first is set; those that are missing stay. */
ssize64_t proc_var_store(struct pinode *i, char *text, size_t n)
{
	const struct proc_var *s = i->node->ptr;
	const char *at = text;
	int64_t v[4];
	unsigned k;
	int res;

	for (k = 0; k < s->count; k++) {
		if ((res = proc_next_number(&at, &v[k])) < 0)
			return res;
		if (res == 0)
			break;
		if (v[k] < s->least || v[k] > s->most)
			return -EINVAL;
	}
	if (k == 0)
		return -EINVAL;
	while (k-- > 0)
		set(s, k, v[k]);
	return (ssize64_t)n;
}

int proc_one_number(const char *text, int64_t least, int64_t most, int64_t *out)
{
	return proc_next_number(&text, out) == 1 && *out >= least && *out <= most ? 0 : -EINVAL;
}
