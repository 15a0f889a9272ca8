/*
 * Capabilities: what each one, lost or kept alone, changes for user 0. Only those that a container's
 * root has, too, for the host's Linux may be in one.
 */
#include "abi.h"
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <time.h>

static int
capabilities(uint64_t effective)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	SYS(capget, &header, data);
	data[0].effective = (uint32_t)effective & data[0].permitted;
	data[1].effective = (uint32_t)(effective >> 32) & data[1].permitted;
	return ((int)SYS(capset, &header, data));
}

static int
answer(long result)
{
	return (result == -1 ? errno : 0);
}

/* Each is done in a process of its own. */
static int
read_closed(void)
{
	return (answer(open("closed", O_RDONLY)));
}

static int
write_closed(void)
{
	return (answer(open("closed", O_WRONLY)));
}

static int
list_closed(void)
{
	return (answer(open("closed-dir", O_RDONLY | O_DIRECTORY)));
}

static int
make_in_closed(void)
{
	return (answer(open("closed-dir/new", O_CREAT | O_WRONLY, 0600)));
}

static int
give_away(void)
{
	return (answer(chown("mine", 1000, -1)));
}

static int
change_theirs(void)
{
	return (answer(chmod("closed", 0)));
}

static int
kill_theirs(void)
{
	int ready[2], end[2];
	char byte;
	pid_t pid;

	pipe(ready);
	pipe(end);
	pid = fork();
	if (pid == 0) {
		SYS(setresuid, 1000, 1000, 1000);
		write(ready[1], "r", 1);
		close(end[1]);
		_exit((int)read(end[0], &byte, 1)); /* until its parent has ended */
	}
	read(ready[0], &byte, 1);
	return (answer(kill(pid, SIGKILL)));
}

static int
become(void)
{
	return (answer(SYS(setresuid, 5, 6, 7)));
}

static int
join(void)
{
	gid_t group = 9;

	return (answer(SYS(setgroups, 1, &group)));
}

static int
new_root(void)
{
	return (answer(chroot(".")));
}

static const struct {
	const char *name;
	int (*run)(void);
} deeds[] = {
    {"read a closed file", read_closed},
    {"write a closed file", write_closed},
    {"list a closed folder", list_closed},
    {"make in a closed folder", make_in_closed},
    {"give a file away", give_away},
    {"chmod another's", change_theirs},
    {"kill another's", kill_theirs},
    {"become another", become},
    {"join a group", join},
    {"another root", new_root},
};

static const struct {
	const char *name;
	uint64_t effective;
} sets[] = {
    {"all", ~0ul},
    {"none", 0},
    {"no CHOWN", ~(1ul << CAP_CHOWN)},
    {"CHOWN alone", 1ul << CAP_CHOWN},
    {"DAC_OVERRIDE alone", 1ul << CAP_DAC_OVERRIDE},
    {"no DAC_OVERRIDE", ~(1ul << CAP_DAC_OVERRIDE | 1ul << CAP_DAC_READ_SEARCH)},
    {"FOWNER alone", 1ul << CAP_FOWNER},
    {"KILL alone", 1ul << CAP_KILL},
    {"no KILL", ~(1ul << CAP_KILL)},
    {"SETUID alone", 1ul << CAP_SETUID},
    {"SETGID alone", 1ul << CAP_SETGID},
    {"SYS_CHROOT alone", 1ul << CAP_SYS_CHROOT},
};

/* In a child, which ends with the errno, or 0. With user 1000 for files it has lost those for files. */
static int
child(uint64_t effective, int fsuid, int (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		SYS(setfsuid, fsuid);
		if (fsuid == 0 && capabilities(effective) != 0)
			_exit(255);
		_exit(run());
	}
	waitpid(pid, &status, 0);
	return (WEXITSTATUS(status));
}

static const char *
outcome(int error)
{
	return (error == 0 ? "ok" : errname(error));
}

FAMILY(capabilities)
{
	close(file_of("mine", 1));
	close(file_of("closed", 1));
	mkdir("closed-dir", 0);
	chmod("closed", 0);
	chown("closed", 2000, 2000);
	chown("closed-dir", 2000, 2000);
	for (size_t i = 0; i < NITEMS(sets); i++)
		for (size_t j = 0; j < NITEMS(deeds); j++) {
			chown("mine", 0, -1);
			unlink("closed-dir/new");
			say(named("%s: %s", sets[i].name, deeds[j].name), "%s",
			    outcome(child(sets[i].effective, 0, deeds[j].run)));
		}
	for (size_t j = 0; j < NITEMS(deeds); j++) {
		chown("mine", 0, -1);
		unlink("closed-dir/new");
		say(named("another for files: %s", deeds[j].name), "%s",
		    outcome(child(0, 1000, deeds[j].run)));
	}
	say("access with none", "%s", access("closed", R_OK) == 0 ? "ok" : "no");
	capabilities(0);
	say("access asks what root may", "%s", access("closed", R_OK) == 0 ? "ok" : "no");
	say("faccessat2 asks what we may", "%s",
	    SYS(faccessat2, AT_FDCWD, "closed", R_OK, 0x200) == 0 ? "ok" : "no");
}

/* What a user gets to know of root's process, and may do to the machine. */
static void
as_a_user(void *arg)
{
	static const char *const files[] = {"maps",    "smaps",   "smaps_rollup", "pagemap",
					    "environ", "auxv",    "io",           "status",
					    "stat",    "cmdline", "fd",           "fdinfo"};
	static const char *const links[] = {"exe", "cwd", "root", "fd/0"};
	struct timespec day = {1000000000, 0};
	int root = (int)(long)arg;
	char text[64], target[256];

	SYS(setgroups, 0, NULL);
	SYS(setresgid, 1234, 1234, 1234);
	SYS(setresuid, 1234, 1234, 1234);
	SYS(prctl, PR_SET_DUMPABLE,
	    1); /* or Linux hides a process that changes users from itself */
	for (size_t i = 0; i < NITEMS(files); i++) {
		snprintf(text, sizeof(text), "/proc/%d/%s", root, files[i]);
		ok(named("open %s", files[i]), open(text, O_RDONLY));
		snprintf(text, sizeof(text), "/proc/self/%s", files[i]);
		ok(named("open its own %s", files[i]), open(text, O_RDONLY));
	}
	for (size_t i = 0; i < NITEMS(links); i++) {
		snprintf(text, sizeof(text), "/proc/%d/%s", root, links[i]);
		ok(named("read link %s", links[i]), readlink(text, target, sizeof(target)));
		ok(named("follow link %s", links[i]), open(text, O_PATH));
	}
	CHECK("set the time", clock_settime, CLOCK_REALTIME, &day);
	CHECK("set it otherwise", settimeofday, &day, NULL);
	CHECK("name the machine", sethostname, "x", 1);
	CHECK("name its domain", setdomainname, "x", 1);
	CHECK("lengths come later", sethostname, "x", -1);
	CHECK("root's robust list", get_robust_list, root, text, text + 8);
	CHECK("root's signals", kill, root, 0);
}

FAMILY(user_and_root)
{
	say("it ends", "%s", ending(as_a_user, (void *)(long)getpid()));
}
