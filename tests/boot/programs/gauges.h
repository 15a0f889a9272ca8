/*
 * The kernel's counts for a test program: /proc/quire/stats, faults, and whether what was taken was
 * given back.
 */
#pragma once

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What must be the same before and after. */
static const char *const gauge_names[] = {
    "pages_free", "pages_wired", "pages_active",  "pages_inactive", "pages_busied",
    "objects",    "map_entries", "pv_entries",    "pt_pages",       "vnodes",
    "files",      "threads",     "kmalloc_bytes", "kmalloc_pages",
};
#define SMALL_SIZES 8 /* of kmalloc */
#define GAUGES      (sizeof(gauge_names) / sizeof(gauge_names[0]))

struct gauges {
	unsigned long value[GAUGES];
};

/* The number after name in a file of lines; 0 if it is not there. */
static inline unsigned long
number_in(const char *path, const char *name)
{
	static char buf[16384];
	int fd = open(path, O_RDONLY);
	size_t n = 0, len = strlen(name);
	ssize_t r;

	if (fd < 0)
		return (0);
	while (n < sizeof(buf) - 1 && (r = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += (size_t)r;
	buf[n] = '\0';
	close(fd);
	for (char *line = buf; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && strchr(" :\t", line[len]) != NULL)
			return (strtoul(line + len + 1, NULL, 10));
	}
	return (0);
}

static inline unsigned long
stat_of(const char *name)
{
	return (number_in("/proc/quire/stats", name));
}

static inline struct gauges
gauges_now(void)
{
	struct gauges g;

	for (size_t i = 0; i < GAUGES; i++)
		g.value[i] = stat_of(gauge_names[i]);
	return (g);
}

static inline bool
many_cpus(void)
{
	return (sysconf(_SC_NPROCESSORS_ONLN) > 1);
}

/* A slab that was empty before may have been given back meanwhile: pages more free are no loss. */
static inline bool
is_given_back(const char *name, unsigned long before, unsigned long now)
{
	return (strcmp(name, "pages_free") == 0      ? now > before
		: strcmp(name, "kmalloc_pages") == 0 ? now < before
						     : false);
}

static inline unsigned long *
gauge(struct gauges *g, const char *name)
{
	size_t i = 0;

	while (strcmp(gauge_names[i], name) != 0)
		i++;
	return (&g->value[i]);
}

/*
 * What is kept may stand in a page of its own afterwards, if at the time others filled the kernel's
 * slabs: one page for each size of small object may have gone from the free ones to those, while the
 * bytes in use are the same. Take it for given back.
 */
static inline void
gauges_pack_slabs(const struct gauges *before, struct gauges *now)
{
	struct gauges was = *before;
	unsigned long more = *gauge(now, "kmalloc_pages") - *gauge(&was, "kmalloc_pages");

	if (more <= SMALL_SIZES) {
		*gauge(now, "kmalloc_pages") -= more;
		*gauge(now, "pages_free") += more;
	}
}

/* The first count that is not what it was; GAUGES: none. */
static inline size_t
gauge_lost(const struct gauges *before, const struct gauges *now, size_t from)
{
	while (from < GAUGES &&
	       (now->value[from] == before->value[from] ||
		is_given_back(gauge_names[from], before->value[from], now->value[from])))
		from++;
	return (from);
}

/* As they are to be compared with those before. On many CPUs it is chance which object is freed
 * first, and so which slabs become empty. */
static inline struct gauges
gauges_after(const struct gauges *before)
{
	struct gauges now = gauges_now();

	if (many_cpus())
		gauges_pack_slabs(before, &now);
	return (now);
}

/* A line for each count that is not what it was, and has not become it for two seconds. It
 * lies in one page, so that its own is there when it is first called. */
static __attribute__((unused, noinline, aligned(1024))) void
gauges_check(const struct gauges *before)
{
	struct gauges now = gauges_after(before);

	for (int i = 0; i < 100 && gauge_lost(before, &now, 0) < GAUGES; i++) {
		usleep(20000);
		now = gauges_after(before);
	}
	for (size_t i = 0; (i = gauge_lost(before, &now, i)) < GAUGES; i++)
		printf("lost: %s was %lu, is %lu\n", gauge_names[i], before->value[i],
		       now.value[i]);
}

/* The program's own pages are all there: which of its code runs when is chance on many CPUs. */
static inline void
gauges_touch_program(void)
{
	extern const char __executable_start[], edata[];

	for (const volatile char *p = __executable_start; p < edata; p += 4096)
		(void)*p;
}

/* What ends on another CPU is given back a moment later, and a thread by the idle one: as soon as
 * nothing moves any more. By then the pages of gauges_check and of what it calls are there, too. */
static inline struct gauges
gauges_at_rest(void)
{
	struct gauges last, next;

	gauges_touch_program();
	last = gauges_now();
	for (int same = 0; same < 3; last = next) {
		usleep(20000);
		next = gauges_after(&last);
		same =
		    gauge_lost(&last, &next, 0) == GAUGES && memcmp(&next, &last, sizeof(next)) == 0
			? same + 1
			: 0;
	}
	gauges_check(&last);
	return (last);
}

/* What gauges_check is to compare with. One CPU has nobody who gives back later; what is read twice
 * has its own pages, too. */
static inline struct gauges
gauges_before(void)
{
	if (many_cpus())
		return (gauges_at_rest());
	gauges_now();
	return (gauges_now());
}

static inline long
faults_so_far(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (ru.ru_minflt + ru.ru_majflt);
}
