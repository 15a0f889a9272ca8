/*
 * Clocks, fault counters, the kernel's counters, and numbers as text. No state.
 */
#include "lib/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct fault_count
faults_now(void)
{
	struct rusage ru;

	if (getrusage(RUSAGE_SELF, &ru) != 0)
		return ((struct fault_count){0, 0});
	return ((struct fault_count){(uint64_t)ru.ru_majflt, (uint64_t)ru.ru_minflt});
}

uint64_t
clock_ns(void)
{
	struct timespec ts = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec);
}

void
sleep_ns(uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

/* As much of the file as fits, NUL-terminated. 0 or an errno. */
static int
slurp(const char *path, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return (errno);
	while ((n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	int error = n < 0 ? errno : 0;
	buf[len] = '\0';
	close(fd);
	return (error);
}

int
file_get(const char *path, char *buf, size_t size)
{
	int error = slurp(path, buf, size);

	if (error == 0)
		buf[strcspn(buf, "\n")] = '\0';
	return (error);
}

int
file_set(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return (errno);
	ssize_t n = write(fd, text, len);
	int error = n < 0 ? errno : (size_t)n != len ? EIO : 0;
	close(fd);
	return (error);
}

bool
kernel_counter(const char *name, uint64_t *value)
{
	char text[16384];
	size_t len = strlen(name);

	if (slurp("/proc/quire/stats", text, sizeof(text)) != 0)
		return (false);
	for (char *line = text; line != NULL && *line != '\0';) {
		if (strncmp(line, name, len) == 0 && line[len] == ' ') {
			*value = strtoull(line + len, NULL, 10);
			return (true);
		}
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	return (false);
}

const char *
number(char buf[NUMBER_LEN], uint64_t value)
{
	char digits[21];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	char *out = buf;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return (buf);
}

const char *
number_tenths(char buf[NUMBER_LEN], double value)
{
	uint64_t tenths = (uint64_t)(value * 10 + 0.5);

	number(buf, tenths / 10);
	size_t len = strlen(buf);
	buf[len] = '.';
	buf[len + 1] = (char)('0' + tenths % 10);
	buf[len + 2] = '\0';
	return (buf);
}
