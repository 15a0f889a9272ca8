/*
 * What the families of checks share. A family is a function FAMILY(name) in some file here; it runs
 * in a process and an empty folder of its own. A check is one line, "family: what = result", that
 * is the same in each run on Linux: no address, number of a process or time in it.
 */
#pragma once

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE      4096ul
#define RW        (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)
#define NITEMS(a) (sizeof(a) / sizeof((a)[0]))

struct family {
	const char *name;
	void (*run)(void);
};
#define FAMILY(name)                                                      \
	static void family_##name(void);                                  \
	static const struct family entry_##name = {#name, family_##name}; \
	static const struct family *const pointer_##name                  \
	    __attribute__((section("families"), used)) = &entry_##name;   \
	static void family_##name(void)

/* One check: what was looked at, and the result as by printf. */
void say(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with a name that is made: say2("write to page %d", i)("%d", result) in one. */
const char *named(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* An errno's name. */
const char *errname(int error);
/* A result: a number, or the errno of -1. */
void result(const char *what, long r);
/* The same, but a result that is no error says "ok": a descriptor, an address, a number. */
void ok(const char *what, long r);

/* The system call itself: libc neither looks at the arguments nor puts something in between. -1
 * and errno. */
#define SYS(name, ...)            syscall(SYS_##name __VA_OPT__(, ) __VA_ARGS__)
#define CHECK(what, name, ...)    result(what, syscall(SYS_##name __VA_OPT__(, ) __VA_ARGS__))
#define CHECK_OK(what, name, ...) ok(what, syscall(SYS_##name __VA_OPT__(, ) __VA_ARGS__))

/* May the byte at p be read and written? By system calls: "rw", "r", "" */
const char *access_to(const void *p);
/* Run fn(arg) in a child: "exit 3" or "signal 11". */
const char *ending(void (*fn)(void *), void *arg);
/* A wait status in those words. */
const char *status_words(int status);
/* n fresh pages, each filled with 'a' + its number; ends the family if there are none. */
char *fresh(size_t n);
/* A new file of n bytes (page i filled with 'A' + i), open for reading and writing. */
int file_of(const char *name, size_t n);
