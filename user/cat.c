/*
 * cat: copy files, or standard input, to standard output. `cat /proc/self/maps` shows an address
 * space.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* 0, or an errno from either side. */
static int
copy(int fd)
{
	static char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t done = 0, put; done < n; done += put)
			if ((put = write(STDOUT_FILENO, buf + done, (size_t)(n - done))) <= 0)
				return (put < 0 ? errno : EIO);
	return (n < 0 ? errno : 0);
}

int
main(int argc, char **argv)
{
	static char *standard_input[] = {"-"};
	char **names = argc > 1 ? argv + 1 : standard_input;
	int count = argc > 1 ? argc - 1 : 1, status = 0;

	for (int i = 0; i < count; i++) {
		bool dash = strcmp(names[i], "-") == 0;
		int fd = dash ? STDIN_FILENO : open(names[i], O_RDONLY | O_CLOEXEC);
		int error = fd < 0 ? errno : copy(fd);
		if (error != 0) {
			fprintf(stderr, "cat: %s: %s\n", names[i], strerror(error));
			status = 1;
		}
		if (fd >= 0 && !dash)
			close(fd);
	}
	return (status);
}
