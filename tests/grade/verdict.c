/*
 * Linked with each program of a lab that runs in Quire (scripts/grade): the program's own word
 * about how it ended. Owns the secret word of the run, which scripts/grade puts over the one below.
 *
 * The last line on the console is the word, the exit status, and the instructions since main began.
 * A submission may print what it likes, it does not know the word; and without this line nothing
 * has passed.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile char word[] = "THE-SECRET-WORD-OF-THIS-RUN-COMES-HERE";
static pid_t first;
static uint64_t began;

int __real_main(int argc, char **argv, char **envp);
void __real_exit(int status) __attribute__((noreturn));
void __real__exit(int status) __attribute__((noreturn));
void __wrap_exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));
int __wrap_main(int argc, char **argv, char **envp);

static uint64_t
now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return ((uint64_t)high << 32 | low);
}

/* The program may have closed its output, or sent it elsewhere. */
static void
tell(int status)
{
	uint64_t spent = now() - began;
	char line[sizeof(word) + 64], secret[sizeof(word)];
	int fd, len;

	if (getpid() != first)
		return;
	for (size_t i = 0; i < sizeof(word); i++)
		secret[i] = word[i];
	len = snprintf(line, sizeof(line), "\n%s %d %lu\n", secret, status & 0xff, spent);
	fd = open("/dev/console", O_WRONLY | O_NOCTTY);
	for (int done = 0, n; done < len; done += n) {
		n = (int)write(fd >= 0 ? fd : 1, line + done, (size_t)(len - done));
		if (n <= 0)
			break;
	}
}

void
__wrap_exit(int status)
{
	fflush(NULL);
	tell(status);
	__real_exit(status);
}

void
__wrap__exit(int status)
{
	tell(status);
	__real__exit(status);
}

int
__wrap_main(int argc, char **argv, char **envp)
{
	first = getpid();
	began = now();
	return (__real_main(argc, argv, envp));
}
