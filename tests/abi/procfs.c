/*
 * /proc: forms of what programs read there, and what agrees with what they did.
 */
#include "abi.h"
#include <dirent.h>
#include <sys/prctl.h>

static char text[65536];

static long
slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	long n = 0, r = -1;

	while (fd >= 0 && n < (long)sizeof(text) - 1 &&
	       (r = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
		n += r;
	text[n] = 0;
	if (fd >= 0)
		close(fd);
	return (fd < 0 || r < 0 ? -errno : n);
}

static int
words(const char *s)
{
	int n = 0, in = 0;

	for (; *s; s++) {
		n += !in && *s != ' ' && *s != '\n';
		in = *s != ' ' && *s != '\n';
	}
	return (n);
}

/* The value of a line "NAME: value" of the text. */
static const char *
value(const char *name)
{
	char *line = text, *end;
	size_t len = strlen(name);

	for (; line != NULL && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		while (*line == ' ' || *line == '\t')
			line++;
		end = strchr(line, '\n');
		return (named("%.*s", (int)(end - line), line));
	}
	return ("missing");
}

static const char *
target(const char *path)
{
	static char buf[300];
	ssize_t n = readlink(path, buf, sizeof(buf) - 1);

	if (n < 0)
		return (errname(errno));
	buf[n] = 0;
	return (buf);
}

FAMILY(proc_self)
{
	static const char *const names[] = {
	    "Umask", "Tgid",   "Pid",   "PPid",  "TracerPid", "Uid",    "Gid",    "VmSize",
	    "VmRSS", "VmData", "VmStk", "VmExe", "Threads",   "SigPnd", "SigBlk", "SigCgt"};
	char *field, *p;
	int fd = file_of("file", 100), fds[2], i;
	struct stat a, b;

	prctl(PR_SET_NAME, "na (me) x");
	slurp("/proc/self/comm");
	say("comm", "%s", text);
	fd = open("/proc/self/comm", O_WRONLY);
	CHECK("writing comm", write, fd, "other\n", 6);
	close(fd);
	slurp("/proc/self/comm");
	say("comm then", "%s", text);
	prctl(PR_SET_NAME, "a b) c");
	slurp("/proc/self/stat");
	p = strrchr(text, ')');
	say("stat's name", "%.*s", (int)(p - strchr(text, '(')) + 1, strchr(text, '('));
	say("stat's fields", "%d", words(p + 1) + 2);
	say("its number", "%d", atoi(text) == getpid());
	strtok(p + 1, " ");
	say("its parent", "%d", atoi(strtok(NULL, " ")) == getppid());
	say("its group", "%d", atoi(strtok(NULL, " ")) == getpgrp());
	say("its session", "%d", atoi(strtok(NULL, " ")) == getsid(0));
	for (i = 7; i < 20; i++)
		field = strtok(NULL, " ");
	field = strtok(NULL, " ");
	say("its threads", "%s", field);
	slurp("/proc/self/statm");
	say("statm's fields", "%d", words(text));
	slurp("/proc/self/status");
	for (size_t n = 0; n < NITEMS(names); n++)
		say(named("status %s", names[n]), "%d", strcmp(value(names[n]), "missing") != 0);
	say("State", "%s", value("State"));
	say("Umask is", "%s", value("Umask"));
	say("Uids are", "%s", value("Uid"));
	say("SigBlk is", "%s", value("SigBlk"));
	say("cmdline", "%d", slurp("/proc/self/cmdline") > 0 && strchr(text, '/') != NULL);
	say("environ", "%d", slurp("/proc/self/environ") >= 0);
	stat("/proc/self/exe", &a);
	say("exe", "%d", S_ISREG(a.st_mode) && a.st_size > 1000);
	say("cwd", "%s", target("/proc/self/cwd"));
	say("root", "%s", target("/proc/self/root"));
	say("self", "%d", atoi(target("/proc/self")) == getpid());
	say("thread-self", "%d", strstr(target("/proc/thread-self"), "/task/") != NULL);
	fd = open("file", O_RDWR);
	say("fd", "%s", target(named("/proc/self/fd/%d", fd)));
	lstat(named("/proc/self/fd/%d", fd), &a);
	say("fd's mode", "%o", a.st_mode);
	fstat(fd, &a);
	stat(named("/proc/self/fd/%d", fd), &b);
	say("through it", "%d", a.st_ino == b.st_ino);
	lseek(fd, 42, SEEK_SET);
	slurp(named("/proc/self/fdinfo/%d", fd));
	say("fdinfo", "pos %s flags %s", value("pos"), value("flags"));
	unlink("file");
	say("of what is unlinked", "%s", target(named("/proc/self/fd/%d", fd)));
	CHECK_OK("opened again", open, named("/proc/self/fd/%d", fd), O_RDONLY);
	CHECK("closed", readlink, "/proc/self/fd/999", text, 10);
	CHECK("no number", readlink, "/proc/self/fd/x", text, 10);
	CHECK("a leading zero", access, "/proc/self/fd/01", 0);
	if (pipe(fds) == 0) {
		say("a pipe", "%.6s", target(named("/proc/self/fd/%d", fds[0])));
		lstat(named("/proc/self/fd/%d", fds[1]), &a);
		say("its mode", "%o", a.st_mode);
	}
	CHECK("task", access, "/proc/self/task", 0);
	say("own task", "%d", access(named("/proc/self/task/%d/stat", getpid()), R_OK));
	CHECK("of nobody", access, "/proc/999999999", 0);
	CHECK("no file", access, "/proc/self/none", 0);
	CHECK("mkdir", mkdir, "/proc/self/x", 0700);
	CHECK_OK("create", open, "/proc/x", O_CREAT | O_RDWR, 0600);
	CHECK("unlink", unlink, "/proc/self/stat");
}

FAMILY(proc_maps)
{
	char *p = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0), whole[2048], line[200];
	int fd = file_of("a file", 3 * PAGE), n = 0, k;
	char *f = mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, PAGE);
	uint64_t words4[4], r;

	mprotect(p + PAGE, PAGE, PROT_NONE);
	slurp("/proc/self/maps");
	for (char *l = strtok(text, "\n"); l != NULL; l = strtok(NULL, "\n")) {
		unsigned long start = strtoul(l, NULL, 16);

		if (start == (unsigned long)p + PAGE)
			say("no rights", "%.4s %d", strchr(l, ' ') + 1, words(l));
		if (start == (unsigned long)f) {
			say("a file", "%.13s", strchr(l, ' ') + 1);
			say("its name", "%d %s", (int)(strchr(l, '/') - l), strchr(l, '/'));
		}
		if (strstr(l, "[stack]") != NULL)
			say("the stack", "%.4s", strchr(l, ' ') + 1);
	}
	unlink("a file");
	slurp("/proc/self/maps");
	say("unlinked", "%d", strstr(text, "a file (deleted)\n") != NULL);
	strcpy(whole, "");
	fd = open("/proc/self/maps", O_RDONLY);
	while (n < 2000 && (k = (int)read(fd, whole + n, 7)) > 0)
		n += k;
	whole[n] = 0;
	say("read in small parts", "%d",
	    strncmp(whole, text, strlen(text) < 2000 ? strlen(text) : 2000));
	n = (int)pread(fd, line, 20, 30);
	say("at an offset", "%d %d", n, memcmp(line, text + 30, 20));
	close(fd);
	slurp("/proc/self/smaps");
	say("smaps", "%d %d %d", strstr(text, "\nRss: ") != NULL, strstr(text, "\nPss: ") != NULL,
	    strstr(text, "\nVmFlags: ") != NULL);
	slurp("/proc/self/smaps_rollup");
	say("rollup", "%d %d", strstr(text, "[rollup]") != NULL,
	    strcmp(value("Private_Dirty"), "missing") != 0);
	p[0] = 1;
	p[3 * PAGE] = 1;
	fd = open("/proc/self/pagemap", O_RDONLY);
	r = (uint64_t)pread(fd, words4, 32, (off_t)((unsigned long)p / PAGE * 8));
	say("pagemap", "%d", (int)r);
	say("present", "%d%d%d%d", (int)(words4[0] >> 63), (int)(words4[1] >> 63),
	    (int)(words4[2] >> 63), (int)(words4[3] >> 63));
	say("exclusive, of no file", "%d %d", (int)(words4[0] >> 56 & 1),
	    (int)(words4[0] >> 61 & 1));
	say("a file's", "%d",
	    (words4[3] = (uint64_t)f[0], pread(fd, words4, 8, (off_t)((unsigned long)f / PAGE * 8)),
	     (int)(words4[0] >> 61)));
	CHECK("an odd offset", pread64, fd, words4, 8, 4);
	CHECK("an odd length", pread64, fd, words4, 7, 0);
}

FAMILY(proc_system)
{
	static const char *const fields[] = {
	    "MemTotal",     "MemFree",    "MemAvailable", "Buffers",     "Cached",
	    "SwapCached",   "Active",     "Inactive",     "SwapTotal",   "SwapFree",
	    "Dirty",        "AnonPages",  "Mapped",       "Shmem",       "Slab",
	    "SReclaimable", "PageTables", "CommitLimit",  "Committed_AS"};
	static const char *const files[] = {"stat",
					    "uptime",
					    "loadavg",
					    "version",
					    "cpuinfo",
					    "filesystems",
					    "mounts",
					    "vmstat",
					    "interrupts",
					    "swaps",
					    "partitions",
					    "diskstats",
					    "devices",
					    "sys/kernel/ostype",
					    "sys/kernel/osrelease",
					    "sys/kernel/hostname",
					    "sys/kernel/pid_max",
					    "sys/kernel/random/uuid",
					    "sys/kernel/random/boot_id",
					    "sys/fs/file-max",
					    "sys/fs/file-nr",
					    "sys/fs/nr_open",
					    "sys/fs/pipe-max-size",
					    "sys/vm/overcommit_memory",
					    "self/limits",
					    "self/oom_score",
					    "self/oom_score_adj",
					    "self/mounts",
					    "self/mountinfo",
					    "self/auxv",
					    "self/io",
					    "self/wchan"};
	unsigned long user, nice, sys, idle;

	slurp("/proc/meminfo");
	for (size_t i = 0; i < NITEMS(fields); i++)
		say(named("meminfo %s", fields[i]), "%s",
		    strstr(value(fields[i]), " kB") != NULL ? "kB" : "missing");
	for (size_t i = 0; i < NITEMS(files); i++)
		say(files[i], "%s", slurp(named("/proc/%s", files[i])) >= 0 ? "ok" : "missing");
	slurp("/proc/stat");
	say("stat's cpu", "%d", sscanf(text, "cpu %lu %lu %lu %lu", &user, &nice, &sys, &idle));
	say("stat has", "%d %d %d", strstr(text, "\nctxt ") != NULL,
	    strstr(text, "\nbtime ") != NULL, strstr(text, "\nprocesses ") != NULL);
	slurp("/proc/uptime");
	say("uptime's words", "%d", words(text));
	slurp("/proc/loadavg");
	say("loadavg's words", "%d", words(text));
	slurp("/proc/sys/kernel/ostype");
	say("ostype", "%s", text);
	say("uuid's length", "%ld", slurp("/proc/sys/kernel/random/uuid"));
	slurp("/proc/sys/fs/file-nr");
	say("file-nr is", "%d", strchr(text, '\t') != NULL);
	CHECK_OK("a folder", open, "/proc", O_RDONLY | O_DIRECTORY);
	CHECK("reading one", read, open("/proc", O_RDONLY), text, 10);
	CHECK("seek in a file", lseek, open("/proc/uptime", O_RDONLY), 3, SEEK_SET);
	CHECK("map a file", mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, open("/proc/uptime", 0), 0);
}
