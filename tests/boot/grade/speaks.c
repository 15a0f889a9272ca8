#include <stdio.h>
#include <unistd.h>

int
main(void)
{
	printf("one\ntwo\n");
	fflush(stdout);
	_exit(0);
}
