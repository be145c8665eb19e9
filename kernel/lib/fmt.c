/*
 * printf-style formatting. One pass over the format; each conversion is parsed into a `spec`, its
 * digits are made backwards in a small buffer, and everything leaves through out_c(), which counts
 * all and stores what fits.
 */
#include "lib/fmt.h"

#include "lib/string.h"

enum spec_flags { F_LEFT = 1, F_ZERO = 2, F_PLUS = 4, F_SPACE = 8, F_ALT = 16, F_UPPER = 32 };

struct out {
	char *buf;
	size_t size, len;
};

struct spec {
	unsigned flags;
	size_t width;
	int precision;  /* -1: not given */
	unsigned bytes; /* of the argument */
};

static inline void out_c(struct out *o, char c)
{
	if (o->len < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void out_n(struct out *o, const char *s, size_t n)
{
	if (o->len < o->size)
		memcpy(o->buf + o->len, s, MIN(n, o->size - o->len));
	o->len += n;
}

static void out_fill(struct out *o, char c, size_t n)
{
	while (n--)
		out_c(o, c);
}

/* Text of n bytes, padded to the width. */
static void out_padded(struct out *o, const struct spec *sp, const char *s, size_t n)
{
	size_t pad = sp->width > n ? sp->width - n : 0;

	if (!(sp->flags & F_LEFT))
		out_fill(o, ' ', pad);
	out_n(o, s, n);
	if (sp->flags & F_LEFT)
		out_fill(o, ' ', pad);
}

/* Writes v's digits so that they end before `end`; returns the first. 0 has none. */
static char *digits(char *end, uint64_t v, unsigned base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	if (base == 10) {
		for (; v; v /= 10)
			*--end = set[v % 10];
		return end;
	}
	for (; v; v /= base)
		*--end = set[v % base];
	return end;
}

/* A number: sign or base prefix, zeros up to the precision or the width, digits. */
static void out_number(struct out *o, const struct spec *sp, uint64_t v, unsigned base,
		       const char *prefix)
{
	char buf[24];
	char *end = buf + sizeof(buf), *p = digits(end, v, base, sp->flags & F_UPPER);
	size_t n = (size_t)(end - p), plen = strlen(prefix), zeros = 0, pad = 0;
	size_t want = sp->precision < 0 ? 1 : (size_t)sp->precision;

	if (base == 8 && (sp->flags & F_ALT) && want <= n)
		want = n + 1;
	if (n < want)
		zeros = want - n;
	if (sp->width > plen + zeros + n)
		pad = sp->width - plen - zeros - n;
	if ((sp->flags & F_ZERO) && !(sp->flags & F_LEFT) && sp->precision < 0) {
		zeros += pad;
		pad = 0;
	}
	if (!(sp->flags & F_LEFT))
		out_fill(o, ' ', pad);
	out_n(o, prefix, plen);
	out_fill(o, '0', zeros);
	out_n(o, p, n);
	if (sp->flags & F_LEFT)
		out_fill(o, ' ', pad);
}

static void out_signed(struct out *o, const struct spec *sp, int64_t v)
{
	const char *sign = v < 0 ? "-" : sp->flags & F_PLUS ? "+" : sp->flags & F_SPACE ? " " : "";

	out_number(o, sp, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, sign);
}

static void out_string(struct out *o, const struct spec *sp, const char *s)
{
	if (!s)
		s = "(null)";
	out_padded(o, sp, s, sp->precision < 0 ? strlen(s) : strnlen(s, (size_t)sp->precision));
}

static unsigned parse_flags(const char **f)
{
	unsigned flags = 0;

	for (;; (*f)++)
		switch (**f) {
		case '-':
			flags |= F_LEFT;
			break;
		case '0':
			flags |= F_ZERO;
			break;
		case '+':
			flags |= F_PLUS;
			break;
		case ' ':
			flags |= F_SPACE;
			break;
		case '#':
			flags |= F_ALT;
			break;
		default:
			return flags;
		}
}

static size_t parse_number(const char **f)
{
	size_t n = 0;

	for (; **f >= '0' && **f <= '9'; (*f)++)
		if (n < 100000)
			n = n * 10 + (size_t)(**f - '0');
	return n;
}

static unsigned parse_length(const char **f)
{
	switch (*(*f)++) {
	case 'h':
		if (**f != 'h')
			return sizeof(short);
		(*f)++;
		return sizeof(char);
	case 'l':
		if (**f == 'l')
			(*f)++;
		return sizeof(long);
	case 'z':
	case 't':
	case 'j':
		return sizeof(long);
	default:
		(*f)--;
		return sizeof(int);
	}
}

STATIC_ASSERT(sizeof(long) == 8 && sizeof(long long) == 8 && sizeof(intmax_t) == 8);

/* va_list is an array type on some ports, hence the wrapper. */
struct args {
	va_list ap;
};

static void parse_spec(const char **f, struct spec *sp, struct args *a)
{
	*sp = (struct spec){ .flags = parse_flags(f), .precision = -1 };
	if (**f == '*') {
		int w = va_arg(a->ap, int);

		(*f)++;
		if (w < 0)
			sp->flags |= F_LEFT;
		sp->width = (size_t)(w < 0 ? -(int64_t)w : w);
	} else {
		sp->width = parse_number(f);
	}
	if (**f == '.') {
		(*f)++;
		if (**f == '*') {
			(*f)++;
			sp->precision = va_arg(a->ap, int);
		} else {
			sp->precision = (int)parse_number(f);
		}
	}
	sp->bytes = parse_length(f);
}

static int64_t arg_signed(const struct spec *sp, struct args *a)
{
	switch (sp->bytes) {
	case 1:
		return (signed char)va_arg(a->ap, int);
	case 2:
		return (short)va_arg(a->ap, int);
	case 4:
		return va_arg(a->ap, int);
	default:
		return va_arg(a->ap, long);
	}
}

static uint64_t arg_unsigned(const struct spec *sp, struct args *a)
{
	int64_t v = arg_signed(sp, a);

	return sp->bytes == 8 ? (uint64_t)v : (uint64_t)v & ((1ull << sp->bytes * 8) - 1);
}

static void out_unsigned(struct out *o, struct spec *sp, struct args *a, char conv)
{
	uint64_t v = arg_unsigned(sp, a);
	bool prefix = (sp->flags & F_ALT) && v;

	switch (conv) {
	case 'o':
		out_number(o, sp, v, 8, "");
		break;
	case 'X':
		sp->flags |= F_UPPER;
		out_number(o, sp, v, 16, prefix ? "0X" : "");
		break;
	case 'x':
		out_number(o, sp, v, 16, prefix ? "0x" : "");
		break;
	default:
		out_number(o, sp, v, 10, "");
		break;
	}
}

static void convert(struct out *o, struct spec *sp, struct args *a, char conv)
{
	char c;

	switch (conv) {
	case 'd':
	case 'i':
		out_signed(o, sp, arg_signed(sp, a));
		break;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		out_unsigned(o, sp, a, conv);
		break;
	case 'c':
		c = (char)va_arg(a->ap, int);
		out_padded(o, sp, &c, 1);
		break;
	case 's':
		out_string(o, sp, va_arg(a->ap, const char *));
		break;
	case 'p':
		out_number(o, sp, (uintptr_t)va_arg(a->ap, void *), 16, "0x");
		break;
	case '%':
		out_c(o, '%');
		break;
	default: /* unknown: shown, so that it is found */
		out_c(o, '%');
		if (conv)
			out_c(o, conv);
		break;
	}
}

static void format(struct out *o, const char *f, struct args *a)
{
	while (*f) {
		size_t n = 0;
		struct spec sp;

		while (f[n] && f[n] != '%')
			n++;
		out_n(o, f, n);
		f += n;
		if (!*f)
			return;
		f++;
		parse_spec(&f, &sp, a);
		convert(o, &sp, a, *f);
		if (*f)
			f++;
	}
}

size_t fmt_v(char *buf, size_t size, const char *f, va_list ap)
{
	struct out o = { buf, size ? size - 1 : 0, 0 };
	struct args a;

	va_copy(a.ap, ap);
	format(&o, f, &a);
	va_end(a.ap);
	if (size)
		buf[MIN(o.len, o.size)] = '\0';
	return o.len;
}

size_t fmt(char *buf, size_t size, const char *f, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, f);
	n = fmt_v(buf, size, f, ap);
	va_end(ap);
	return n;
}

void text_n(struct textbuf *t, const char *s, size_t n)
{
	if (t->len < t->size)
		memcpy(t->buf + t->len, s, MIN(n, t->size - t->len));
	t->len += n;
}

void text_c(struct textbuf *t, char c)
{
	if (t->len < t->size)
		t->buf[t->len] = c;
	t->len++;
}

void text_u(struct textbuf *t, uint64_t v, size_t width)
{
	char buf[24];
	char *end = buf + sizeof(buf), *p = digits(end, v, 10, false);

	if (p == end)
		*--p = '0';
	while ((size_t)(end - p) < width && p > buf)
		*--p = ' ';
	text_n(t, p, (size_t)(end - p));
}

/* No terminator is written: the text may fill its buffer to the last byte. */
void text_f(struct textbuf *t, const char *f, ...)
{
	struct out o = { t->buf, t->size, t->len };
	struct args a;

	va_start(a.ap, f);
	format(&o, f, &a);
	va_end(a.ap);
	t->len = o.len;
}
