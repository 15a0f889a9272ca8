/*
 * Pure code of kernel/kern: printf against the host's, strings against the obvious loops, the
 * command line against its description; and of boot/: the lists of memory ranges against a bitmap.
 */
#include "k_names.h"
#include "harness.h"
#include "kern/main.h"

#include <stdio.h>
#include <stdlib.h>

/* --- printf ----------------------------------------------------------------------------------- */

static const char *const flag_sets[] = {"",   "-",  "0",  "+",  " ",  "#",   "-+", "-0",
					"+0", " 0", "#0", "#-", "+ ", "-+#", "0-"};
static const char *const widths[] = {"", "1", "5", "12", "30"};
static const char *const precisions[] = {"", ".", ".0", ".1", ".3", ".8", ".25"};

/* Both must print the same and return the same. */
#define SAME(fmt, ...)                                                                          \
	do {                                                                                    \
		char host_[200], ours_[200];                                                    \
		int h_ = snprintf(host_, sizeof(host_), fmt, __VA_ARGS__);                      \
		int k_ = ksnprintf(ours_, sizeof(ours_), fmt, __VA_ARGS__);                     \
		if (h_ != k_ || strcmp(host_, ours_) != 0)                                      \
			T_FAIL("%s: \"%s\" (%d), should be \"%s\" (%d)", fmt, ours_, k_, host_, \
			       h_);                                                             \
	} while (0)

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-truncation"

static void
same_numbers(const char *spec)
{
	static const int64_t values[] = {
	    0, 1, -1, 9, 10, 255, -4096, INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX, INT64_MIN};
	char fmt[40];

	for (size_t i = 0; i < nitems(values); i++) {
		for (const char *type = "diuxXo"; *type != '\0'; type++) {
			if (*type == 'o' && strchr(spec, '#') != NULL)
				continue; /* not the kernel's */
			snprintf(fmt, sizeof(fmt), "<%%%s%c>", spec, *type);
			SAME(fmt, (int)values[i]);
			snprintf(fmt, sizeof(fmt), "<%%%sl%c>", spec, *type);
			SAME(fmt, (long)values[i]);
			snprintf(fmt, sizeof(fmt), "<%%%sll%c>", spec, *type);
			SAME(fmt, (long long)values[i]);
			snprintf(fmt, sizeof(fmt), "<%%%sz%c>", spec, *type);
			SAME(fmt, (size_t)values[i]);
		}
	}
}

static void
test_printf_numbers_as_the_host(void)
{
	char spec[30];

	for (size_t f = 0; f < nitems(flag_sets); f++)
		for (size_t w = 0; w < nitems(widths); w++)
			for (size_t p = 0; p < nitems(precisions); p++) {
				snprintf(spec, sizeof(spec), "%s%s%s", flag_sets[f], widths[w],
					 precisions[p]);
				same_numbers(spec);
			}
}

static void
test_printf_strings_as_the_host(void)
{
	static const char *const texts[] = {"", "a", "abc", "a longer text than its field"};
	char fmt[40];

	for (size_t t = 0; t < nitems(texts); t++)
		for (size_t w = 0; w < nitems(widths); w++)
			for (size_t p = 0; p < nitems(precisions); p++)
				for (int left = 0; left < 2; left++) {
					snprintf(fmt, sizeof(fmt), "<%%%s%s%ss>", left ? "-" : "",
						 widths[w], precisions[p]);
					SAME(fmt, texts[t]);
				}
	SAME("%c%3c%-3c|", 'x', 'y', 'z');
	SAME("%d%%|%*d|%-*d|%.*s", 5, 6, 7, 8, 9, 2, "abc");
	SAME("%*d|", -6, 7);
	SAME("%s", "no conversion but this");
}

/* The text of a precision need not end. */
static void
test_printf_precision_bounds_the_read(void)
{
	char *text = malloc(3), out[10];

	text[0] = 'a', text[1] = 'b', text[2] = 'c';
	T_EQ(ksnprintf(out, sizeof(out), "%.3s", text), 3);
	T_EQ(strcmp(out, "abc"), 0);
	free(text);
}

static void
test_printf_never_writes_past_size(void)
{
	for (size_t size = 0; size < 20; size++) {
		char *buf = malloc(size + 1);

		buf[size] = 'Z';
		T_EQ(ksnprintf(buf, size, "%s %d", "hello", 12345), 11);
		T_EQ(buf[size], 'Z');
		if (size > 0)
			T_EQ(strlen(buf), MIN(size - 1, 11ul));
		free(buf);
	}
	T_EQ(ksnprintf(NULL, 0, "%x", 0x1234), 4);
}

static void
test_printf_pointer_null_and_unknown(void)
{
	char out[64];

	ksnprintf(out, sizeof(out), "%p %s", (void *)0xffff800000001000ul, (char *)NULL);
	T_EQ(strcmp(out, "0xffff800000001000 (null)"), 0);
	/* A conversion that is not known is shown, and nothing is read for it. */
	ksnprintf(out, sizeof(out), "%q %d %");
	T_OK(strncmp(out, "%q ", 3) == 0);
}

/* --- strings ---------------------------------------------------------------------------------- */

static void
test_memory_functions(void)
{
	struct rng r = {21};

	for (int i = 0; i < 20000; i++) {
		size_t n = rng_below(&r, 70), from = rng_below(&r, 60), to = rng_below(&r, 60);
		uint8_t a[140], expected[140];

		for (size_t k = 0; k < sizeof(a); k++)
			a[k] = expected[k] = rng_next(&r);
		switch (rng_below(&r, 3)) {
		case 0: { /* overlapping either way */
			uint8_t copy[70];

			for (size_t k = 0; k < n; k++)
				copy[k] = a[from + k];
			for (size_t k = 0; k < n; k++)
				expected[to + k] = copy[k];
			T_OK(memmove(a + to, a + from, n) == a + to);
			break;
		}
		case 1:
			n = MIN(n, 60ul);
			for (size_t k = 0; k < n; k++)
				expected[70 + to % 10 + k] = a[from % 10 + k];
			T_OK(memcpy(a + 70 + to % 10, a + from % 10, n) == a + 70 + to % 10);
			break;
		default:
			for (size_t k = 0; k < n; k++)
				expected[to + k] = (uint8_t)(i + 200);
			T_OK(memset(a + to, i + 200, n) == a + to);
		}
		for (size_t k = 0; k < sizeof(a); k++)
			T_EQ(a[k], expected[k]);
	}
}

static int
sign(int x)
{
	return ((x > 0) - (x < 0));
}

static void
test_compare(void)
{
	T_EQ(memcmp("abc", "abd", 2), 0);
	T_OK(memcmp("abc", "abd", 3) < 0);
	T_OK(memcmp("\xff", "a", 1) > 0);
	T_EQ(memcmp("a", "b", 0), 0);
	T_EQ(strcmp("", ""), 0);
	T_OK(strcmp("a", "") > 0 && strcmp("", "a") < 0);
	T_OK(strcmp("\xff", "a") > 0);
	T_EQ(sign(strcmp("abc", "abcd")), -1);
	T_EQ(strncmp("abcx", "abcy", 3), 0);
	T_EQ(strncmp("ab", "ab", 10), 0);
	T_OK(strncmp("abc", "abd", 3) < 0);
	T_EQ(strncmp("a", "b", 0), 0);
}

static void
test_string_functions(void)
{
	const char *s = "hello";
	char *unended = malloc(4), small[4];

	T_EQ(strlen(""), 0);
	T_EQ(strlen(s), 5);
	T_EQ(strnlen(s, 3), 3);
	T_EQ(strnlen(s, 30), 5);
	memset(unended, 'x', 4);
	T_EQ(strnlen(unended, 4), 4);
	free(unended);
	T_OK(strchr(s, 'l') == s + 2);
	T_OK(strchr(s, 'z') == NULL);
	T_OK(strchr(s, '\0') == s + 5);
	small[0] = small[3] = 'Z';
	T_EQ(strlcpy(small, s, 3), 5);
	T_EQ(strcmp(small, "he"), 0);
	T_EQ(small[3], 'Z');
	T_EQ(strlcpy(small, "ab", 4), 2);
	T_EQ(strcmp(small, "ab"), 0);
	T_EQ(strlcpy(small, s, 0), 5);
	T_EQ(strcmp(small, "ab"), 0);
	T_EQ(strlcpy(small, "", 1), 0);
	T_EQ(small[0], '\0');
}

/* --- the command line ------------------------------------------------------------------------- */

static void
expect_option(const char *name, const char *value)
{
	const char *got = cmdline_get(name);

	if ((got == NULL) != (value == NULL) || (got != NULL && strcmp(got, value) != 0))
		T_FAIL("%s is %s, should be %s", name, got != NULL ? got : "absent",
		       value != NULL ? value : "absent");
}

static void
expect_args(int n, const char *const *args)
{
	char **argv = NULL;

	T_EQ(cmdline_init_args(&argv), n);
	for (int i = 0; i < n; i++)
		if (strcmp(argv[i], args[i]) != 0)
			T_FAIL("argument %d is %s, should be %s", i, argv[i], args[i]);
	T_OK(argv[n] == NULL);
}

static void
test_cmdline_options_and_arguments(void)
{
	cmdline_parse("loglevel=6  fb.populate=window:16 aslr -- /bin/faultbench single");
	expect_option("loglevel", "6");
	expect_option("fb.populate", "window:16");
	expect_option("aslr", "");
	expect_option("fb.mode", NULL);
	expect_option("log", NULL);
	expect_option("single", NULL);
	expect_args(2, (const char *const[]){"/bin/faultbench", "single"});
	T_OK(!fake_logged("unknown"));
}

static void
test_cmdline_empty(void)
{
	static const char *const lines[] = {"", " ", "    ", "--", " -- ", "--  "};

	for (size_t i = 0; i < nitems(lines); i++) {
		cmdline_parse(lines[i]);
		expect_option("loglevel", NULL);
		expect_args(0, NULL);
	}
}

static void
test_cmdline_last_one_wins(void)
{
	cmdline_parse("aslr=0 loglevel=1 aslr=1");
	expect_option("aslr", "1");
	cmdline_parse("aslr=");
	expect_option("aslr", "");
	expect_option("loglevel", NULL); /* nothing is left of the line before */
}

static void
test_cmdline_percent(void)
{
	cmdline_parse("fb.mode=a%20b%25 -- /bin/x%20y %2d%2D a%3Db %41%7e");
	expect_option("fb.mode", "a b%");
	expect_args(4, (const char *const[]){"/bin/x y", "--", "a=b", "A~"});
	/* What is not %HH stays as it is, and a NUL cannot be made. */
	cmdline_parse("-- % %4 %zz %4g %00 100% %%41 %0");
	expect_args(8, (const char *const[]){"%", "%4", "%zz", "%4g", "", "100%", "%A", "%0"});
}

static void
test_cmdline_second_dashes_are_an_argument(void)
{
	cmdline_parse("-- prog -- --help");
	expect_args(3, (const char *const[]){"prog", "--", "--help"});
	cmdline_parse("--x -- y");
	expect_args(1, (const char *const[]){"y"});
}

static void
test_cmdline_unknown_option_is_one_log_line(void)
{
	cmdline_parse("quiet loglevel=3 loglevels=9 -- unheard");
	T_OK(fake_logged("quiet") && fake_logged("loglevels=9"));
	T_OK(!fake_logged("loglevel=3") && !fake_logged("unheard"));
	expect_option("loglevel", "3");
}

/* Any line at all: nothing is written out of bounds. */
static void
test_cmdline_any_line(void)
{
	static char line[2 * BOOT_CMDLINE_MAX];
	struct rng r = {31};
	char **argv;

	for (int i = 0; i < 2000; i++) {
		size_t n = rng_below(&r, i % 2 ? sizeof(line) : 40);

		for (size_t k = 0; k < n; k++)
			line[k] = "  ab=-%%0Ff\x80"[rng_below(&r, 12)];
		line[n] = '\0';
		cmdline_parse(line);
		T_OK(cmdline_init_args(&argv) >= 0);
		cmdline_get("a");
		fake_log_clear();
	}
	/* As many words as there can be. */
	for (size_t k = 0; k < sizeof(line) - 1; k++)
		line[k] = k % 2 ? ' ' : 'a';
	line[sizeof(line) - 1] = '\0';
	cmdline_parse(line);
	T_OK(cmdline_get("a") != NULL);
}

/* --- the memory map --------------------------------------------------------------------------- */

#define BITS 256

/* Add and remove random ranges; the list stays sorted, joined, and says what the bitmap says. */
static void
test_boot_memory_ranges(void)
{
	struct rng r = {41};

	for (int run = 0; run < 300; run++) {
		static struct boot_mem mem[BOOT_MAX_MEM];
		bool bits[BITS + 1] = {false};
		uint32_t n = 0;

		for (int i = 0; i < 60; i++) {
			uint64_t start = rng_below(&r, BITS), end = start + 1 + rng_below(&r, 20);
			bool add = rng_below(&r, 5) < 3;

			end = MIN(end, (uint64_t)BITS);
			T_OK(add ? boot_mem_add(mem, &n, start, end)
				 : boot_mem_remove(mem, &n, start, end));
			for (uint64_t k = start; k < end; k++)
				bits[k] = add;
			for (uint64_t k = 0, at = 0; k < BITS; k++) {
				while (at < n && mem[at].end <= k)
					at++;
				T_EQ(at < n && mem[at].start <= k, bits[k]);
			}
			for (uint32_t k = 0; k < n; k++) {
				T_OK(mem[k].start < mem[k].end);
				T_OK(k == 0 || mem[k - 1].end < mem[k].start);
			}
		}
	}
}

static void
test_boot_memory_list_full(void)
{
	static struct boot_mem mem[BOOT_MAX_MEM + 1];
	uint32_t n = 0;

	mem[BOOT_MAX_MEM].start = 0x5a5a;
	for (uint64_t i = 0; i < BOOT_MAX_MEM; i++)
		T_OK(boot_mem_add(mem, &n, 10 * i, 10 * i + 5));
	T_OK(!boot_mem_add(mem, &n, 10000, 10005));
	T_OK(!boot_mem_remove(mem, &n, 2, 3)); /* would split one */
	T_EQ(n, BOOT_MAX_MEM);
	T_EQ(mem[0].end, 2); /* what did not fit is left out */
	T_OK(boot_mem_add(mem, &n, 0, 10000)); /* joins them */
	T_EQ(n, 1);
	T_EQ(mem[BOOT_MAX_MEM].start, 0x5a5a);
}

static const struct host_test tests[] = {
    TEST(test_printf_numbers_as_the_host),
    TEST(test_printf_strings_as_the_host),
    TEST(test_printf_precision_bounds_the_read),
    TEST(test_printf_never_writes_past_size),
    TEST(test_printf_pointer_null_and_unknown),
    TEST(test_memory_functions),
    TEST(test_compare),
    TEST(test_string_functions),
    TEST(test_cmdline_options_and_arguments),
    TEST(test_cmdline_empty),
    TEST(test_cmdline_last_one_wins),
    TEST(test_cmdline_percent),
    TEST(test_cmdline_second_dashes_are_an_argument),
    TEST(test_cmdline_unknown_option_is_one_log_line),
    TEST(test_cmdline_any_line),
    TEST(test_boot_memory_ranges),
    TEST(test_boot_memory_list_full),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "kern", tests, nitems(tests), 0));
}
