/*
 * Memory and strings. Bulk copies and fills go by the string instructions, eight bytes at a time.
 */
#include "kern/string.h"

/* Or gcc makes calls of these very functions out of their loops. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

typedef uint64_t unaligned_word __attribute__((aligned(1), may_alias));

void *
memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	void *d = dst;
	size_t words = n >> 3, bytes = n & 7;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(bytes) : : "memory");
	return (dst);
}

void *
memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	/* Below the source, or past its end, a copy upwards never overwrites what is yet to be
	 * read. */
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return (memcpy(dst, src, n));
	while ((n & 7) != 0) {
		n--;
		d[n] = s[n];
	}
	for (; n != 0; n -= 8)
		*(unaligned_word *)(d + n - 8) = *(const unaligned_word *)(s + n - 8);
	return (dst);
}

void *
memset(void *dst, int c, size_t n)
{
	void *d = dst;
	size_t words = n >> 3, bytes = n & 7;
	uint64_t fill = (uint8_t)c * 0x0101010101010101ul;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(fill) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(fill) : "memory");
	return (dst);
}

int
memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n != 0; n--, x++, y++)
		if (*x != *y)
			return (*x - *y);
	return (0);
}

size_t
strlen(const char *s)
{
	return (strnlen(s, SIZE_MAX));
}

size_t
strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] != '\0')
		n++;
	return (n);
}

int
strcmp(const char *a, const char *b)
{
	return (strncmp(a, b, SIZE_MAX));
}

int
strncmp(const char *a, const char *b, size_t n)
{
	for (; n != 0; n--, a++, b++)
		if (*a != *b || *a == '\0')
			return ((uint8_t)*a - (uint8_t)*b);
	return (0);
}

char *
strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (*s == '\0')
			return (NULL);
	return ((char *)s);
}

size_t
strlcpy(char *restrict dst, const char *restrict src, size_t size)
{
	size_t len = strlen(src);

	if (size != 0) {
		size_t n = MIN(len, size - 1);

		memcpy(dst, src, n);
		dst[n] = '\0';
	}
	return (len);
}
