/*
 * Formatted text: the part of printf that a kernel needs.
 */
#include "kern/log.h"
#include "kern/string.h"

struct out {
	char *buf;
	size_t size;
	size_t len; /* what it would be if size did not matter */
};

/* One conversion: %[-+ 0#][width][.precision]. */
struct spec {
	bool left, zero, alt;
	char plus; /* '+', ' ' or NUL */
	int width;
	int precision; /* -1: none */
};

static void
put(struct out *o, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++, o->len++)
		if (o->len + 1 < o->size)
			o->buf[o->len] = s[i];
}

/* The prefix and text, with so many zeros between, padded to the width. */
static void
put_field(struct out *o, const struct spec *sp, const char *prefix, int zeros, const char *s, int n)
{
	int pad = sp->width - (int)strlen(prefix) - MAX(zeros, 0) - n;

	for (int i = pad; i > 0 && !sp->left; i--)
		put(o, " ", 1);
	put(o, prefix, strlen(prefix));
	while (zeros-- > 0)
		put(o, "0", 1);
	put(o, s, (size_t)n);
	for (int i = pad; i > 0 && sp->left; i--)
		put(o, " ", 1);
}

static void
put_number(struct out *o, const struct spec *sp, uint64_t v, unsigned base, bool upper,
	   const char *prefix)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[22], *s = text + sizeof(text); /* room for 2^64 - 1 in octal */
	int n, least = sp->precision < 0 ? 1 : sp->precision;

	for (; v != 0; v /= base)
		*--s = digits[v % base];
	n = (int)(text + sizeof(text) - s);
	if (sp->zero && !sp->left && sp->precision < 0)
		least = MAX(1, sp->width - (int)strlen(prefix));
	put_field(o, sp, prefix, least - n, s, n);
}

static int
parse_count(const char **fmt, va_list *ap)
{
	int n = 0;

	if (**fmt == '*') {
		++*fmt;
		return (va_arg(*ap, int));
	}
	for (; **fmt >= '0' && **fmt <= '9'; ++*fmt)
		n = MIN(n * 10 + (**fmt - '0'), 4096);
	return (n);
}

static const char *
parse_spec(const char *fmt, struct spec *sp, va_list *ap)
{
	*sp = (struct spec){.precision = -1};
	for (; *fmt != '\0' && strchr("-+ 0#", *fmt) != NULL; fmt++) {
		sp->left |= *fmt == '-';
		sp->zero |= *fmt == '0';
		sp->alt |= *fmt == '#';
		if (*fmt == '+' || (*fmt == ' ' && sp->plus == '\0'))
			sp->plus = *fmt;
	}
	sp->width = parse_count(&fmt, ap);
	if (sp->width < 0) {
		sp->left = true;
		sp->width = -sp->width;
	}
	if (*fmt == '.') {
		fmt++;
		sp->precision = parse_count(&fmt, ap);
	}
	return (fmt);
}

/* Convert one argument; wide: it is 64 bits. False: no such conversion. */
static bool
convert(struct out *o, const struct spec *sp, char type, bool wide, va_list *ap)
{
	char text[2] = {sp->plus, '\0'};
	const char *s = text;
	int64_t v = 0;

	if (type == 'd' || type == 'i')
		v = wide ? va_arg(*ap, int64_t) : va_arg(*ap, int);
	else if (type == 'u' || type == 'x' || type == 'X' || type == 'o')
		v = wide ? va_arg(*ap, int64_t) : va_arg(*ap, unsigned);
	switch (type) {
	case 'd':
	case 'i':
		text[0] = v < 0 ? '-' : sp->plus;
		put_number(o, sp, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, false, text);
		return (true);
	case 'u':
		put_number(o, sp, (uint64_t)v, 10, false, "");
		return (true);
	case 'x':
	case 'X':
		s = !sp->alt || v == 0 ? "" : type == 'x' ? "0x" : "0X";
		put_number(o, sp, (uint64_t)v, 16, type == 'X', s);
		return (true);
	case 'o':
		put_number(o, sp, (uint64_t)v, 8, false, "");
		return (true);
	case 'p':
		put_number(o, sp, va_arg(*ap, uint64_t), 16, false, "0x");
		return (true);
	case 's':
		s = va_arg(*ap, const char *);
		if (s == NULL)
			s = "(null)";
		put_field(o, sp, "", 0, s, (int)strnlen(s, (unsigned)sp->precision));
		return (true);
	case 'c':
		text[0] = (char)va_arg(*ap, int);
		put_field(o, sp, "", 0, text, 1);
		return (true);
	case '%':
		put(o, "%", 1);
		return (true);
	}
	return (false);
}

int
kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap0)
{
	struct out o = {buf, size, 0};
	struct spec sp;
	va_list ap;

	va_copy(ap, ap0); /* so that its address can be passed on */
	while (*fmt != '\0') {
		const char *start = fmt;
		bool wide = false;

		if (*fmt++ == '%') {
			fmt = parse_spec(fmt, &sp, &ap);
			for (; *fmt == 'l' || *fmt == 'z'; fmt++)
				wide = true;
			if (*fmt != '\0' && convert(&o, &sp, *fmt++, wide, &ap))
				continue;
			/* Not understood: nor then is it known which arguments are left. */
			put(&o, start, strlen(start));
			break;
		}
		put(&o, start, (size_t)(fmt - start));
	}
	va_end(ap);
	if (size != 0)
		buf[MIN(o.len, size - 1)] = '\0';
	return ((int)o.len);
}

int
ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = kvsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return (len);
}
