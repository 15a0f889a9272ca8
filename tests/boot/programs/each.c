/*
 * Runs each line of a file as a command, without a shell, in a folder of its own: argv[1] is the
 * file, argv[2] where the folder is made. Prints the line, what the command says, and its status if
 * that is not 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS 64

static void
run(char *line)
{
	char *words[WORDS] = {NULL};
	int n = 0, status;

	for (char *word = strtok(line, " "); word != NULL && n < WORDS - 1;
	     word = strtok(NULL, " "))
		words[n++] = word;
	if (n == 0)
		return;
	if (fork() == 0) {
		execv(words[0], words);
		_exit(127);
	}
	wait(&status);
	if (status != 0)
		printf("status %x\n", status);
}

int
main(int argc, char **argv)
{
	char line[1024];
	FILE *file = argc > 2 ? fopen(argv[1], "r") : NULL;

	if (file == NULL || chdir(argv[2]) != 0 || mkdir("each", 0755) != 0 || chdir("each") != 0)
		return (1);
	dup2(1, 2);
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		printf("$ %s\n", line);
		fflush(stdout);
		run(line);
		fflush(stdout);
	}
	return (0);
}
