/*
 * What a test program that is compared with Linux says of its calls: a line each.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The call as it is written, and its result or errno. */
#define T(call) tell(#call, (long)(call))

static inline void
tell(const char *what, long result)
{
	if (result < 0)
		printf("%s: errno %d\n", what, errno);
	else
		printf("%s: %ld\n", what, result);
	fflush(stdout);
}

static inline void
say(const char *what, long result)
{
	printf("%s: %ld\n", what, result);
	fflush(stdout);
}

/* A call that may fail: what it returned, and errno's name then. */
static inline void
call(const char *what, long result)
{
	if (result == -1)
		printf("%s: -1 %s\n", what, strerror(errno));
	else
		say(what, result);
	fflush(stdout);
}

/* Run fn in a child, so that what it gives up is not lost; its wait status. */
static inline int
apart(const char *name, void (*fn)(void))
{
	int status;
	pid_t pid;

	printf("--- %s\n", name);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fn();
		fflush(stdout);
		_exit(3);
	}
	waitpid(pid, &status, 0);
	printf("--- ended %x\n", status);
	return (status);
}

/* The cases that a program has, run by name. */
struct test_case {
	const char *name;
	void (*run)(void);
};

static inline int
run_cases(int argc, char **argv, const struct test_case *cases, size_t count)
{
	for (int i = 1; i < argc; i++)
		for (size_t c = 0; c < count; c++)
			if (strcmp(argv[i], cases[c].name) == 0) {
				printf("--- %s\n", argv[i]);
				cases[c].run();
				fflush(stdout);
			}
	return (0);
}
