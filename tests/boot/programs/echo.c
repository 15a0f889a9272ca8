/*
 * Read stdin to its end and say what came, in a form that the console's echo cannot be taken for.
 */
#include <stdio.h>
#include <string.h>

int
main(void)
{
	char line[8192];
	int n = 0;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		printf("line %d of %zu: <%s>\n", ++n, strlen(line), line);
	}
	printf("end after %d\n", n);
	return (n);
}
