/*
 * fuzz SEED CHILDREN CALLS: children that make random system calls with hostile arguments, one
 * after the other. The kernel must live, and have everything back in the end.
 */
#define _GNU_SOURCE
#include "gauges.h"
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define LAST_CALL 460

static uint64_t state;
static const char *const names[] = {"a",
				    "b",
				    "c",
				    "d",
				    "a/b",
				    "../fuzz/c",
				    "/dev/null",
				    "/proc/self/maps",
				    "/proc/self/fd/3",
				    "/dev/zero",
				    ".",
				    ""};
static char *memory;

static uint64_t
chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state % below);
}

/* What ends the test and not the kernel, or makes processes that nobody waits for. */
static int
left_out(long call)
{
	static const short calls[] = {
	    SYS_exit,
	    SYS_exit_group,
	    SYS_kill,
	    SYS_tkill,
	    SYS_tgkill,
	    SYS_fork,
	    SYS_vfork,
	    SYS_clone,
	    SYS_clone3,
	    SYS_execve,
	    SYS_reboot,
	    SYS_execveat,
	    SYS_rt_sigqueueinfo,
	    SYS_rt_tgsigqueueinfo,
	    SYS_setsid,
	    SYS_setpgid,
	    SYS_sethostname,
	    SYS_setdomainname,
	    SYS_clock_settime,
	    SYS_syslog,
	    SYS_mount,
	    SYS_settimeofday,
	    SYS_chroot,
	    SYS_pidfd_send_signal,
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i] == call)
			return (1);
	return (0);
}

static uint64_t
argument(void)
{
	static const uint64_t values[] = {0,          1,          2,          7,
					  8,          0x7f,       0xfff,      0x1000,
					  0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
					  1ul << 46,  1ul << 47,  1ul << 63,  INT64_MAX,
					  -1ul,       -8ul,       -4096ul,    0xffffffff80200000};

	switch (chance(8)) {
	case 0:
	case 1:
		return (values[chance(sizeof(values) / sizeof(values[0]))]);
	case 2:
		return (chance(16)); /* a descriptor, a small number, flags */
	case 3:
		return (1ul << chance(64));
	case 4:
		return ((uint64_t)names[chance(sizeof(names) / sizeof(names[0]))]);
	case 5:
		return ((uint64_t)memory + chance(16) * 4096); /* mapped, or not */
	case 6:
		return ((uint64_t)memory + chance(16 * 4096));
	}
	return (chance(UINT64_MAX));
}

static void
child(uint64_t seed, int calls)
{
	uint64_t a[6];
	long call;

	state = seed * 0x9e3779b97f4a7c15ul | 1;
	for (int i = 0; i < 8; i++)
		chance(2);
	memory = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 16 * 512; i++)
		((uint64_t *)memory)[i] = argument();
	munmap(memory + 8 * 4096, 4096);
	mprotect(memory + 12 * 4096, 4096, PROT_READ);
	close(0);
	close(1);
	close(2);
	for (int i = 0; i < calls; i++) {
		call = (long)chance(LAST_CALL);
		for (int j = 0; j < 6; j++)
			a[j] = argument();
		if (!left_out(call))
			syscall(call, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	_exit(0);
}

/* One child; true if it ran to its end. */
static int
run_child(uint64_t seed, int calls)
{
	const struct timespec nap = {0, 1000000};
	int status, naps = 0;
	pid_t pid = fork();

	if (pid == 0)
		child(seed, calls);
	while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0) {
		nanosleep(&nap, NULL);
		if (naps++ > 300) { /* it waits for something that never comes */
			kill(pid, SIGKILL);
			kill(pid, SIGCONT);
		}
	}
	return (pid > 0 && WIFEXITED(status));
}

/* All that was made here, whatever it is called. */
static void
clean(const char *path, int depth)
{
	DIR *dir = opendir(path);
	struct dirent *de;
	char name[1024];

	while (dir != NULL && (de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, de->d_name);
		if (unlink(name) != 0 && depth < 3)
			clean(name, depth + 1);
	}
	if (dir != NULL)
		closedir(dir);
	if (depth > 0)
		rmdir(path);
}

/* It is chance which slabs random calls leave empty: pages may be among them that were free before,
 * while no more bytes are in use. */
static void
slabs_moved(struct gauges *before)
{
	struct gauges now = gauges_now();
	unsigned long more = *gauge(&now, "kmalloc_pages") - *gauge(before, "kmalloc_pages");

	if (more <= SMALL_SIZES) {
		*gauge(before, "kmalloc_pages") += more;
		*gauge(before, "pages_free") -= more;
	}
}

/* System V's shared memory outlives who made it. */
static void
remove_segments(void)
{
	struct shmid_ds ds;

	for (int place = 0; place < 4096; place++)
		shmctl(shmctl(place, SHM_STAT, &ds), IPC_RMID, NULL);
}

int
main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	int children = argc > 2 ? atoi(argv[2]) : 20, calls = argc > 3 ? atoi(argv[3]) : 1000,
	    ended = 0;
	struct gauges before;

	setvbuf(stdout, malloc(65536), _IOFBF, 65536);
	mkdir("/tmp/fuzz", 0755);
	if (chdir("/tmp/fuzz") != 0)
		return (1);
	for (int i = 0; i < 3; i++) /* what is made once is there then */
		run_child(seed + (uint64_t)i, calls);
	clean(".", 0);
	remove_segments();
	before = gauges_before();
	for (int i = 0; i < children; i++) {
		ended += run_child(seed + (uint64_t)i, calls);
		clean(".", 0);
	}
	remove_segments();
	usleep(100000);
	slabs_moved(&before);
	gauges_check(&before);
	printf("ended %d\ndone\n", ended);
	return (0);
}
