/*
 * testdev DEVICE STEP...: ask the device's pager for something (drivers/testdev_ioctl.h), touch,
 * and say what came of it, a line for each step. Pages go by their index in the device; page i is
 * mapped at BASE + i pages, so that there is room about every mapping. A page is known by its first
 * word.
 *
 *   set[:KEY=VALUE]...   the request, for one call unless times= says more; see set()
 *   map:FIRST:COUNT:HOW  HOW: letters of r w x, p (private), l (MAP_LOCKED); prints nothing if it works
 *   unmap:FIRST:COUNT  protect:FIRST:COUNT:HOW  lock:FIRST:COUNT  unlock:FIRST:COUNT
 *   w:PAGE r:PAGE        write its number + 1, read, by the program itself
 *   fill:FIRST:COUNT     w for each page
 *   in:FIRST:COUNT       read(2) of a file into these pages: the word of page i is 1000 + i
 *   out:FIRST:COUNT      write(2) from these pages to a file; prints their words
 *   dev:PAGE             the word of that frame of the device, past the pager
 *   call                 the arguments of populate's last call
 *   calls                how many calls since `mark`: populate, getpages, constructor, destructor
 *   page:INDEX           the state of the page there
 *   take:FIRST:LAST destroy:0|1 wake close open:DEVICE
 *   ioctl:COMMAND:ARG    prints its errno
 *   settle               wait until no object of the device is left: a destructor may run later (R4)
 *   mark                 note all counters
 *   same                 those counters that should be as at `mark` and are not
 *   count:NAME           by how much a counter has moved since
 */
#include "../../../drivers/testdev_ioctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BASE  ((char *)0x200000000000)
#define PAGE  4096ul
#define AT(i) (BASE + (i)*PAGE)

static int fd;
static char stats_then[4096], stats_now[4096];
static struct testdev_record then;

static void
show(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s\n", what, strerror(errno));
}

static volatile long *
word(unsigned long page)
{
	return ((volatile long *)AT(page));
}

static unsigned
rights(const char *how)
{
	return ((strchr(how, 'r') != NULL ? PROT_READ : 0) |
		(strchr(how, 'w') != NULL ? PROT_WRITE : 0) |
		(strchr(how, 'x') != NULL ? PROT_EXEC : 0));
}

/* --- requests --------------------------------------------------------------------------------- */

static unsigned
choose(const char *word, const char *const *names, const char *key)
{
	for (unsigned i = 0; names[i] != NULL; i++)
		if (strcmp(word, names[i]) == 0)
			return (i);
	if (*word >= '0' && *word <= '9')
		return ((unsigned)atoi(word));
	fprintf(stderr, "no such %s: %s\n", key, word);
	exit(2);
}

static const char *const answers[] = {"ok", "bad", "fail", "error", "again", NULL};
static const char *const breaches[] = {"none",    "missing",   "invalid", "unbusied",
				       "sbusied", "elsewhere", "kind",    "unlocked",
				       "extra",   "order",     NULL};
static const char *const actions[] = {"idle", "unmap", "remap",  "protect",
				      "wire", "grow",  "revoke", NULL};
static const struct {
	const char *name;
	unsigned flag;
} flags[] = {
    {"reverse", TESTDEV_REVERSE}, {"leave", TESTDEV_LEAVE_BUSY},
    {"sleep", TESTDEV_SLEEP},     {"kill", TESTDEV_KILL},
    {"short", TESTDEV_SHORT},     {"nogetpages", TESTDEV_NO_GETPAGES},
    {"first", TESTDEV_RANGE},     {"claim", TESTDEV_CLAIM},
};

/* KEY=VALUE: times first last claim claim_last at sleep kill (ms) answer breach action; from and
 * pages: where the action is; prot: letters. KEY alone: reverse leave short nogetpages. */
static void
set_key(struct testdev_request *q, const char *key, const char *value)
{
	unsigned long n = strtoul(value, NULL, 0);

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(key, flags[i].name) == 0)
			q->flags |= flags[i].flag;
	if (strcmp(key, "times") == 0)
		q->times = n;
	else if (strcmp(key, "first") == 0)
		q->first = n;
	else if (strcmp(key, "last") == 0)
		q->last = n;
	else if (strcmp(key, "claim") == 0)
		q->claim_first = n;
	else if (strcmp(key, "claim_last") == 0)
		q->claim_last = n;
	else if (strcmp(key, "at") == 0)
		q->at = n;
	else if (strcmp(key, "sleep") == 0)
		q->sleep_ms = n;
	else if (strcmp(key, "kill") == 0)
		q->kill_ms = n;
	else if (strcmp(key, "prot") == 0)
		q->prot = rights(value);
	else if (strcmp(key, "from") == 0)
		q->addr = n * PAGE;
	else if (strcmp(key, "pages") == 0)
		q->length = n * PAGE;
	else if (strcmp(key, "answer") == 0)
		q->answer = choose(value, answers, key);
	else if (strcmp(key, "breach") == 0)
		q->breach = choose(value, breaches, key);
	else if (strcmp(key, "action") == 0)
		q->action = choose(value, actions, key);
}

static void
set(char *words)
{
	struct testdev_request q = {.times = 1};
	char *value;

	for (char *key = strtok(words, ":"); key != NULL; key = strtok(NULL, ":")) {
		value = strchr(key, '=');
		if (value != NULL)
			*value++ = '\0';
		set_key(&q, key, value != NULL ? value : "");
	}
	if (q.action != TESTDEV_REVOKE && q.action != TESTDEV_IDLE)
		q.addr += (unsigned long)BASE;
	show("set", ioctl(fd, TESTDEV_SET, &q));
}

static struct testdev_record
record(void)
{
	struct testdev_record r;

	if (ioctl(fd, TESTDEV_GET, &r) != 0) {
		perror("TESTDEV_GET");
		exit(2);
	}
	return (r);
}

static void
show_call(void)
{
	struct testdev_record r = record();

	printf("call: pidx %lu hint %lu-%lu fault %u max %u action %s\n", r.pidx, r.first, r.last,
	       r.fault_type, r.max_prot, r.action_error == 0 ? "ok" : strerror(r.action_error));
}

static void
show_calls(void)
{
	struct testdev_record r = record();

	printf("calls: %lu %lu %lu %lu\n", r.calls - then.calls, r.getpages - then.getpages,
	       r.ctors - then.ctors, r.dtors - then.dtors);
}

/* Who frees the object may have to go on a little after its destructor has counted. */
static void
settle(void)
{
	struct testdev_record r = record();

	for (int i = 0; i < 500 && r.ctors != r.dtors; i++) {
		usleep(10000);
		r = record();
	}
	usleep(10000);
}

static void
show_page(unsigned long index)
{
	struct testdev_page p = {.index = index};

	if (ioctl(fd, TESTDEV_PAGE, &p) != 0) {
		perror("TESTDEV_PAGE");
		exit(2);
	}
	printf("page %lu:%s", index, p.resident ? " resident" : " none");
	if (p.resident)
		printf("%s%s%s%s wired %u held %u", p.valid ? " valid" : "",
		       p.dirty ? " dirty" : "", p.busied ? " busied" : "",
		       p.mapped ? " mapped" : "", p.wirings, p.holds);
	printf("\n");
}

/* --- counters --------------------------------------------------------------------------------- */

static void
read_stats(char *buf)
{
	int stats = open("/proc/quire/stats", O_RDONLY);
	ssize_t n = read(stats, buf, sizeof(stats_now) - 1);

	if (n <= 0) {
		perror("/proc/quire/stats");
		exit(2);
	}
	buf[n] = '\0';
	close(stats);
}

static long
stat_of(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (; text != NULL && *text != '\0'; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, name, len) == 0 && text[len] == ' ')
			return (atol(text + len + 1));
	}
	fprintf(stderr, "no such counter: %s\n", name);
	exit(2);
}

/* Pages that kmalloc keeps for its next callers are as good as free. */
static long
gauge(const char *text, const char *name)
{
	long spare = strcmp(name, "pages_free") == 0 ? stat_of(text, "kmalloc_pages") : 0;

	return (stat_of(text, name) + spare);
}

static void
same(void)
{
	static const char *const names[] = {"pages_busied",   "pages_free",   "pages_active",
					    "pages_inactive", "pages_wired",  "objects",
					    "map_entries",    "pv_entries",   "pt_pages",
					    "files",          "kmalloc_bytes"};
	long moved;

	read_stats(stats_now);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		moved = gauge(stats_now, names[i]) - gauge(stats_then, names[i]);
		if (moved != 0)
			printf("not the same: %s %+ld\n", names[i], moved);
	}
}

static void
mark(void)
{
	read_stats(stats_then);
	then = record();
}

/* --- touching --------------------------------------------------------------------------------- */

static void
map(unsigned long first, unsigned long count, const char *how)
{
	int how_shared = strchr(how, 'p') != NULL ? MAP_PRIVATE : MAP_SHARED;
	int locked = strchr(how, 'l') != NULL ? MAP_LOCKED : 0;
	void *p = mmap(AT(first), count * PAGE, (int)rights(how),
		       how_shared | locked | MAP_FIXED_NOREPLACE, fd, (off_t)(first * PAGE));

	show("map", p == MAP_FAILED ? -1 : 0);
}

static int
temporary(void)
{
	int file = open("/tmp/testdev", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (file < 0) {
		perror("/tmp/testdev");
		exit(2);
	}
	unlink("/tmp/testdev");
	return (file);
}

static void
in(unsigned long first, unsigned long count)
{
	static char buf[PAGE];
	int file = temporary();
	ssize_t n;

	for (unsigned long i = 0; i < count; i++) {
		*(long *)buf = (long)(1000 + first + i);
		if (write(file, buf, PAGE) != (ssize_t)PAGE)
			perror("write");
	}
	n = pread(file, AT(first), count * PAGE, 0);
	printf("in: %s", n < 0 ? strerror(errno) : "");
	printf(n < 0 ? "\n" : "%zd\n", n);
	close(file);
}

static void
out(unsigned long first, unsigned long count)
{
	int file = temporary();
	ssize_t n = write(file, AT(first), count * PAGE);
	long value;

	if (n < 0)
		printf("out: %s\n", strerror(errno));
	else
		printf("out: %zd", n);
	for (off_t at = 0; at < n; at += PAGE)
		if (pread(file, &value, sizeof(value), at) == sizeof(value))
			printf(" %ld", value);
	printf(n < 0 ? "" : "\n");
	close(file);
}

static void
frame(unsigned long index)
{
	long value = -1;

	show("dev", pread(fd, &value, sizeof(value), (off_t)(index * PAGE)));
	printf("dev %lu: %ld\n", index, value);
}

static void
open_device(const char *path)
{
	int opened = open(path, O_RDWR);

	show(path, opened);
	if (opened >= 0)
		fd = opened;
}

static void
step(const char *name, char *rest)
{
	struct testdev_range range;
	unsigned long a = strtoul(rest, &rest, 0), b = 0;
	const char *how;

	rest += *rest == ':';
	b = strtoul(rest, &rest, 0);
	how = rest + (*rest == ':');
	range = (struct testdev_range){a, b};
	if (strcmp(name, "map") == 0)
		map(a, b, how);
	else if (strcmp(name, "unmap") == 0)
		show("unmap", munmap(AT(a), b * PAGE));
	else if (strcmp(name, "protect") == 0)
		show("protect", mprotect(AT(a), b * PAGE, (int)rights(how)));
	else if (strcmp(name, "lock") == 0)
		show("lock", mlock(AT(a), b * PAGE));
	else if (strcmp(name, "unlock") == 0)
		show("unlock", munlock(AT(a), b * PAGE));
	else if (strcmp(name, "w") == 0)
		*word(a) = (long)a + 1;
	else if (strcmp(name, "r") == 0)
		printf("r %lu: %ld\n", a, *word(a));
	else if (strcmp(name, "fill") == 0)
		for (; b > 0; a++, b--)
			*word(a) = (long)a + 1;
	else if (strcmp(name, "in") == 0)
		in(a, b);
	else if (strcmp(name, "out") == 0)
		out(a, b);
	else if (strcmp(name, "dev") == 0)
		frame(a);
	else if (strcmp(name, "call") == 0)
		show_call();
	else if (strcmp(name, "calls") == 0)
		show_calls();
	else if (strcmp(name, "page") == 0)
		show_page(a);
	else if (strcmp(name, "take") == 0)
		show("take", ioctl(fd, TESTDEV_TAKE, &range));
	else if (strcmp(name, "ioctl") == 0)
		show("ioctl", ioctl(fd, a, b));
	else if (strcmp(name, "destroy") == 0)
		show("destroy", ioctl(fd, TESTDEV_DESTROY, a));
	else if (strcmp(name, "wake") == 0)
		show("wake", ioctl(fd, TESTDEV_WAKE));
	else if (strcmp(name, "close") == 0)
		close(fd);
	else if (strcmp(name, "settle") == 0)
		settle();
	else if (strcmp(name, "mark") == 0)
		mark();
	else if (strcmp(name, "same") == 0)
		same();
	else {
		fprintf(stderr, "no such step: %s\n", name);
		exit(2);
	}
}

/* All memory of the program's own is there from now on: its faults count no more. */
static void
lock_program(void)
{
	unsigned long start, end;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[256];

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			mlock((void *)start, end - start);
	if (maps != NULL)
		fclose(maps);
}

static void
count(const char *name)
{
	read_stats(stats_now);
	printf("%s %+ld\n", name, stat_of(stats_now, name) - stat_of(stats_then, name));
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_device(argc > 1 ? argv[1] : "/dev/testdev");
	if (fd == 0) /* standard input still is */
		return (1);
	lock_program();
	mark();
	same();
	mark();
	for (int i = 2; i < argc; i++) {
		char *rest = strchr(argv[i], ':');

		if (rest != NULL)
			*rest++ = '\0';
		if (strcmp(argv[i], "set") == 0)
			set(rest != NULL ? rest : argv[i] + 3);
		else if (strcmp(argv[i], "open") == 0)
			open_device(rest);
		else if (strcmp(argv[i], "count") == 0)
			count(rest);
		else
			step(argv[i], rest != NULL ? rest : argv[i] + strlen(argv[i]));
	}
	return (0);
}
