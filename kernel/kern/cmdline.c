/*
 * The kernel command line: options, and the first program's arguments after "--".
 */
#include "kern/log.h"
#include "kern/main.h"
#include "kern/string.h"

#define MAX_WORDS (BOOT_CMDLINE_MAX / 2) /* one letter and one space each */

/* Whoever reads an option with cmdline_get names it here. */
static const char *const known[] = {"loglevel",       "fb.populate", "fb.mode",      "fb.damage",
				    "aslr",           "testdev",     "console.size", "trace",
				    "trace.syscalls", "maxcpus",     "jitter",       "memview"};

static char text[BOOT_CMDLINE_MAX]; /* the words, decoded, each with its NUL */
static char *words[MAX_WORDS + 1]; /* options, then arguments, then NULL */
static int noptions, nargs;

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	c |= 'a' ^ 'A';
	return (c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1);
}

/* Copy the word of len bytes to dst, with %HH as that byte, and a NUL; returns the end. */
static char *
decode(char *dst, const char *src, size_t len)
{
	const char *end = src + len;

	if (len == 3 && memcmp(src, "%00", 3) == 0) /* how an empty word is written */
		end = src;

	while (src < end) {
		int high = *src == '%' && end - src > 2 ? hex_digit(src[1]) : -1;
		int low = high >= 0 ? hex_digit(src[2]) : -1;

		if (low >= 0 && (high | low) != 0) {
			*dst++ = (char)(high << 4 | low);
			src += 3;
		} else {
			*dst++ = *src++;
		}
	}
	*dst++ = '\0';
	return (dst);
}

/* The length of the option's name if the word is that option, else 0. */
static size_t
is_option(const char *word, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(word, name, len) != 0 || (word[len] != '=' && word[len] != '\0'))
		return (0);
	return (len);
}

static bool
is_environment(const char *word)
{
	const char *s = word;

	while ((*s >= 'A' && *s <= 'Z') || *s == '_' || (s > word && *s >= '0' && *s <= '9'))
		s++;
	return (s > word && *s == '=');
}

static void
check_known(const char *word)
{
	if (is_environment(word))
		return;
	for (size_t i = 0; i < nitems(known); i++)
		if (is_option(word, known[i]) != 0)
			return;
	klog(LOG_WARNING, "unknown option on the command line: %s", word);
}

void
cmdline_parse(const char *line)
{
	char *end = text;
	int n = 0;
	bool args = false;

	noptions = nargs = 0;
	/* Decoding never lengthens: what is within the first BOOT_CMDLINE_MAX - 1 bytes fits. */
	for (const char *stop = line + strnlen(line, BOOT_CMDLINE_MAX - 1); line < stop;) {
		size_t len = 0;

		while (line + len < stop && line[len] != ' ')
			len++;
		if (len == 2 && !args && strncmp(line, "--", 2) == 0) {
			args = true;
		} else if (len != 0) {
			words[n++] = end;
			end = decode(end, line, len);
			if (args)
				nargs++;
			else
				check_known(words[noptions++]);
		}
		line += len + (line + len < stop);
	}
	words[n] = NULL;
}

const char *
cmdline_get(const char *name)
{
	for (int i = noptions - 1; i >= 0; i--) {
		size_t len = is_option(words[i], name);

		if (len != 0)
			return (words[i] + len + (words[i][len] == '='));
	}
	return (NULL);
}

const char *
cmdline_environment(int i)
{
	for (int w = 0; w < noptions; w++)
		if (is_environment(words[w]) && i-- == 0)
			return (words[w]);
	return (NULL);
}

int
cmdline_init_args(char ***argv)
{
	*argv = words + noptions;
	return (nargs);
}
