/*
 * System V's shared memory: shmget, shmat, shmdt, shmctl.
 */
#include "abi.h"
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#define KEY 0x51554952

static int id;

static void
show(const char *what)
{
	struct shmid_ds ds;

	if (shmctl(id, IPC_STAT, &ds) != 0) {
		say(what, "%s", errname(errno));
		return;
	}
	say(what, "%zu bytes, mode %o, attached %lu, mine %d, times %d%d, key %d", ds.shm_segsz,
	    ds.shm_perm.mode, ds.shm_nattch, ds.shm_cpid == getpid(), ds.shm_atime != 0,
	    ds.shm_ctime != 0, ds.shm_perm.__key != 0);
}

/* A segment of a page and a bit under KEY. */
static void
begin(void)
{
	shmctl(shmget(KEY, 0, 0), IPC_RMID, NULL);
	id = shmget(KEY, 5000, IPC_CREAT | 0640);
}

FAMILY(shm_get)
{
	begin();
	CHECK("none of the key", shmget, KEY + 1, PAGE, 0);
	CHECK("no size", shmget, IPC_PRIVATE, 0, 0600);
	CHECK("all there is", shmget, IPC_PRIVATE, -1L, 0600);
	CHECK("more than memory", shmget, IPC_PRIVATE, 1L << 60, 0600);
	CHECK("huge pages", shmget, IPC_PRIVATE, PAGE, SHM_HUGETLB | 0600);
	say("the same", "%d", shmget(KEY, 5000, 0) == id);
	say("a smaller one", "%d", shmget(KEY, 0, IPC_CREAT) == id);
	CHECK("a larger one", shmget, KEY, 5001, 0);
	CHECK("exclusive", shmget, KEY, 1, IPC_CREAT | IPC_EXCL | 0600);
	say("exclusive, not to be made", "%d", shmget(KEY, 1, IPC_EXCL) == id);
	show("new");
	CHECK("remove", shmctl, id, IPC_RMID, NULL);
	show("removed");
	CHECK("its key", shmget, KEY, 1, 0);
}

FAMILY(shm_attach)
{
	char *p, *q;

	begin();
	p = shmat(id, NULL, 0);
	p[2 * PAGE - 1] = 1;
	p[0] = 7;
	show("attached");
	q = shmat(id, NULL, SHM_RDONLY);
	say("to read", "%d %s", q[0], access_to(q));
	CHECK("make it writable", mprotect, q, PAGE, RW);
	CHECK_OK("to run", shmat, id, NULL, SHM_EXEC);
	show("three times");
	CHECK("protect a part", mprotect, p, PAGE, PROT_READ);
	show("in parts");
	CHECK("detach in the middle", shmdt, p + PAGE);
	CHECK("detach an odd address", shmdt, p + 1);
	CHECK("detach nothing", shmdt, NULL);
	CHECK("detach", shmdt, p);
	show("one less");
	say("gone", "%s", access_to(p));
	CHECK("detach again", shmdt, p);
	CHECK_OK("at an odd address", shmat, id, p + 1, 0);
	say("rounded", "%d", (char *)shmat(id, p + 1, SHM_RND) == p);
	CHECK_OK("what is taken", shmat, id, p, 0);
	CHECK_OK("in its place", shmat, id, p, SHM_REMAP);
	CHECK_OK("in no place", shmat, id, NULL, SHM_REMAP);
	CHECK_OK("in no place, rounded", shmat, id, 1, SHM_RND | SHM_REMAP);
	CHECK_OK("past user memory", shmat, id, 0x7ffffffff000, 0);
	CHECK_OK("kernel memory", shmat, id, 0xffff800000000000, 0);
	CHECK_OK("no number", shmat, -1, NULL, 0);
	CHECK_OK("another number", shmat, id + 1, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	show("removed");
	say("attach what is removed", "%d", *(char *)shmat(id, NULL, 0));
	shmdt(p);
	shmdt(q);
	show("twice yet");
}

static void
touch_and_exit(void *p)
{
	show("in a child");
	*(char *)p = 9;
	_exit(0);
}

static void
run_another(void *arg)
{
	(void)arg;
	execl("/proc/self/exe", "abi", "none", NULL);
}

FAMILY(shm_fork)
{
	char *p;

	begin();
	p = shmat(id, NULL, 0);
	say("child", "%s", ending(touch_and_exit, p));
	say("it wrote", "%d", *p);
	show("after it");
	ending(run_another, NULL);
	show("after another program");
	shmctl(id, IPC_RMID, NULL);
	munmap(p, PAGE);
	show("half of it unmapped");
	munmap(p + PAGE, PAGE);
	show("all of it");
}

FAMILY(shm_control)
{
	struct shm_info total;
	struct shminfo limits;
	struct shmid_ds ds;
	int last, found = 0, any = 0;

	begin();
	shmctl(id, IPC_STAT, &ds);
	ds.shm_perm.mode = 0777777;
	CHECK("set all", shmctl, id, IPC_SET, &ds);
	show("set");
	CHECK("stat to nowhere", shmctl, id, IPC_STAT, -1L);
	CHECK("set from nowhere", shmctl, id, IPC_SET, -1L);
	CHECK("no number", shmctl, -1, IPC_STAT, &ds);
	CHECK("no command", shmctl, id, 99, &ds);
	CHECK("a negative command", shmctl, id, -1, &ds);
	CHECK("lock", shmctl, id, SHM_LOCK, NULL);
	show("locked");
	CHECK("unlock", shmctl, id, SHM_UNLOCK, NULL);
	show("unlocked");
	ok("limits", shmctl(0, IPC_INFO, (struct shmid_ds *)&limits));
	say("they are", "%lu %lu %lx %lx %lu", limits.shmmin, limits.shmmni, limits.shmmax,
	    limits.shmall, limits.shmseg);
	last = shmctl(0, SHM_INFO, (struct shmid_ds *)&total);
	say("total", "%d %d", total.used_ids > 0, total.shm_tot >= 2);
	for (int i = 0; i <= last; i++) {
		found += shmctl(i, SHM_STAT, &ds) == id;
		any += shmctl(i, SHM_STAT_ANY, &ds) == id;
	}
	say("found", "%d %d", found, any);
	CHECK("a place past all", shmctl, last + 1000, SHM_STAT, &ds);
	CHECK("remove", shmctl, id, IPC_RMID, NULL);
	CHECK("remove again", shmctl, id, IPC_RMID, NULL);
}

static void
as_another(void *arg)
{
	const char *whose = arg;
	struct shmid_ds ds;

	if (setgroups(0, NULL) != 0 || setgid(1000) != 0 || setuid(1000) != 0)
		_exit(1);
	say(named("%s: number", whose), "%d", shmget(KEY, 1, 0) == id);
	ok(named("%s: to read", whose), shmget(KEY, 1, 0444));
	ok(named("%s: to read and write", whose), shmget(KEY, 1, 0666));
	CHECK(named("%s: stat", whose), shmctl, id, IPC_STAT, &ds);
	CHECK_OK(named("%s: attach", whose), shmat, id, NULL, 0);
	CHECK_OK(named("%s: attach to read", whose), shmat, id, NULL, SHM_RDONLY);
	CHECK(named("%s: lock", whose), shmctl, id, SHM_LOCK, NULL);
	CHECK(named("%s: unlock", whose), shmctl, id, SHM_UNLOCK, NULL);
	memset(&ds, 0, sizeof(ds));
	CHECK(named("%s: set", whose), shmctl, id, IPC_SET, &ds);
	CHECK(named("%s: remove", whose), shmctl, id, IPC_RMID, NULL);
	_exit(0);
}

FAMILY(shm_others)
{
	struct shmid_ds ds;

	begin();
	ending(as_another, "mode 640");
	shmctl(id, IPC_STAT, &ds);
	ds.shm_perm.mode = 0644;
	shmctl(id, IPC_SET, &ds);
	ending(as_another, "mode 644");
	ds.shm_perm.mode = 0600;
	ds.shm_perm.uid = 1000;
	shmctl(id, IPC_SET, &ds);
	ending(as_another, "its own");
}
