/*
 * System V's shared memory: shmget, shmat, shmdt, shmctl.
 *
 * A segment is a file of ramfs in no directory, with methods of its own to tell it by. Each map entry
 * holds the file, so its references but for the table's are how often it is attached; a segment that
 * was removed has only these, and goes with the last of them (shm_inactive). A number is the place in
 * the table, and above that how many segments were made before.
 */
#include "linux/linux.h"
#include "kern/clock.h"
#include "kern/cred.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/sysctl.h"
#include "fs/vnode.h"
#include "vm/vm_map.h"
#include "vm/vm_page.h"

/* clang-format off */
enum { IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO, SHM_LOCK = 11, SHM_UNLOCK, SHM_STAT, SHM_INFO,
       SHM_STAT_ANY };
enum { IPC_PRIVATE = 0, IPC_CREAT = 01000, IPC_EXCL = 02000, SHM_HUGETLB = 04000 };
enum { SHM_RDONLY = 010000, SHM_RND = 020000, SHM_REMAP = 040000, SHM_EXEC = 0100000 };
enum { SHM_DEST = 01000, SHM_LOCKED = 02000 }; /* in a segment's mode */
/* clang-format on */
#define SHMMNI      4096 /* segments */
#define SHMMAX      (UINT64_MAX - (1ul << 24)) /* bytes of one, pages of all */
#define PLACE_SHIFT 15 /* of a number: below it is the place */
#define PLACE(id)   ((id) & ((1 << PLACE_SHIFT) - 1))

struct linux_shmid_ds {
	int32_t key;
	uint32_t uid, gid, cuid, cgid, mode;
	uint16_t pad1, seq;
	uint16_t pad2[2];
	uint64_t unused1[2];
	uint64_t size;
	int64_t atime, dtime, ctime;
	int32_t cpid, lpid;
	uint64_t nattch, unused2[2];
};
_Static_assert(sizeof(struct linux_shmid_ds) == 112, "struct shmid64_ds");

/* Locks: (c) constant  (l) shm_lock */
struct shmseg {
	struct vnode *vp; /* (c) its v_data is this */
	int32_t id; /* (c) */
	struct linux_shmid_ds ds; /* (l) as it is told, but for nattch */
};

static struct rwlock shm_lock = RW_INITIALIZER("shared memory", LR_FILE);
static struct mtx table_mtx = MTX_INITIALIZER("shared memory table", LR_LEAF);
static struct shmseg *table[SHMMNI]; /* (l) and table_mtx to change; either to look */
static int highest = -1; /* (l) no place past it was ever taken */
static uint32_t made; /* (l) segments, ever */
static struct vnodeops shm_ops; /* (l) ramfs's, but for v_inactive; constant once one is made */

static int64_t
now_seconds(void)
{
	return ((int64_t)(clock_wall() / 1000000000));
}

/* --- the table -------------------------------------------------------------------------------- */

/* A reference to its file, unless the last has gone and shm_inactive is about to come. */
static bool
seg_hold(struct shmseg *seg)
{
	uint32_t refs = __atomic_load_n(&seg->vp->v_refs, __ATOMIC_RELAXED);

	while (refs != 0 && !__atomic_compare_exchange_n(&seg->vp->v_refs, &refs, refs + 1, false,
							 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		continue;
	return (refs != 0);
}

/* That of number id, or at place id: held. NULL: there is none. */
static struct shmseg *
seg_get(int id, bool place)
{
	int i = place ? id : PLACE(id);
	struct shmseg *seg;

	mtx_lock(&table_mtx);
	seg = id >= 0 && i < SHMMNI ? table[i] : NULL;
	if (seg != NULL && ((!place && seg->id != id) || !seg_hold(seg)))
		seg = NULL;
	mtx_unlock(&table_mtx);
	return (seg);
}

static struct shmseg *
seg_of_key(int key)
{
	struct shmseg *seg;

	for (int i = 0; key != IPC_PRIVATE && i <= highest; i++) {
		seg = seg_get(i, true);
		if (seg != NULL && seg->ds.key == key)
			return (seg);
		if (seg != NULL)
			vrele(seg->vp);
	}
	return (NULL);
}

/* The table and all map entries have let go. */
static void
shm_inactive(struct vnode *vp)
{
	struct shmseg *seg = vp->v_data;

	mtx_lock(&table_mtx);
	table[PLACE(seg->id)] = NULL;
	mtx_unlock(&table_mtx);
	kfree(seg);
	vp->v_data = NULL;
	ramfs_ops.v_inactive(vp);
}

/* --- who may ---------------------------------------------------------------------------------- */

/* want: as a file's mode, whoever it is for. */
static int
seg_access(const struct linux_shmid_ds *ds, uint32_t want)
{
	const struct ucred *cr = curcred();
	uint32_t granted = ds->mode;

	want = (want >> 6 | want >> 3 | want) & 7;
	if (cr->cr_uid == ds->cuid || cr->cr_uid == ds->uid)
		granted >>= 6;
	else if (cr_groupmember(cr, ds->cgid) || cr_groupmember(cr, ds->gid))
		granted >>= 3;
	return ((want & ~granted) != 0 && !capable(CAP_IPC_OWNER) ? EACCES : 0);
}

/* --- shmget ----------------------------------------------------------------------------------- */

/* One that is not in the table yet. */
static int
seg_make(int key, uint64_t size, uint32_t mode, struct shmseg **segp)
{
	struct shmseg *seg = *segp = kmalloc(sizeof(*seg), M_ZERO);
	const struct ucred *cr = curcred();
	char name[16];
	int error;

	if (seg == NULL)
		return (ENOMEM);
	seg->ds = (struct linux_shmid_ds){.key = key,
					  .uid = cr->cr_uid,
					  .gid = cr->cr_gid,
					  .cuid = cr->cr_uid,
					  .cgid = cr->cr_gid,
					  .mode = mode,
					  .size = size,
					  .cpid = curproc->p_pid,
					  .ctime = now_seconds()};
	ksnprintf(name, sizeof(name), "SYSV%08x", (unsigned)key);
	error = ramfs_memfile(name, &seg->vp);
	if (error == 0 && (error = ramfs_ops.v_truncate(seg->vp, round_page(size))) != 0)
		vrele(seg->vp);
	if (error != 0)
		kfree(seg);
	return (error);
}

/* A new one: its number. */
static int64_t
seg_new(int key, uint64_t size, uint32_t flags)
{
	struct shmseg *seg;
	int i = 0, error;

	while (i < SHMMNI && table[i] != NULL)
		i++;
	if (size < 1 || size > SHMMAX)
		return (-EINVAL);
	/* Of huge pages none are set aside. */
	if ((flags & SHM_HUGETLB) != 0 || atop(size) >= vm_cnt.v_page_count)
		return (-ENOMEM);
	error = i == SHMMNI ? ENOSPC : seg_make(key, size, flags & 0777, &seg);
	if (error != 0)
		return (-error);
	if (made == 0) {
		shm_ops = ramfs_ops;
		shm_ops.v_inactive = shm_inactive;
	}
	seg->ds.seq = made++ & 0xffff;
	seg->id = seg->ds.seq << PLACE_SHIFT | i;
	seg->vp->v_data = seg;
	seg->vp->v_ops = &shm_ops;
	highest = MAX(highest, i);
	mtx_lock(&table_mtx);
	table[i] = seg;
	mtx_unlock(&table_mtx);
	return (seg->id);
}

static int64_t
seg_existing(const struct shmseg *seg, uint64_t size, uint32_t flags)
{
	if ((flags & IPC_CREAT) != 0 && (flags & IPC_EXCL) != 0)
		return (-EEXIST);
	if (size > seg->ds.size)
		return (-EINVAL);
	return (seg_access(&seg->ds, flags) != 0 ? -EACCES : seg->id);
}

int64_t
sys_shmget(int key, uint64_t size, uint32_t flags)
{
	struct shmseg *seg;
	int64_t id = -ENOENT;

	rw_wlock(&shm_lock);
	seg = seg_of_key(key);
	if (seg != NULL) {
		id = seg_existing(seg, size, flags);
		vrele(seg->vp);
	} else if (key == IPC_PRIVATE || (flags & IPC_CREAT) != 0) {
		id = seg_new(key, size, flags);
	}
	rw_unlock(&shm_lock);
	return (id);
}

/* --- shmat, shmdt ----------------------------------------------------------------------------- */

/* Seg, held, was attached, or (to false) detached. */
static void
seg_stamp(struct shmseg *seg, bool to)
{
	rw_wlock(&shm_lock);
	*(to ? &seg->ds.atime : &seg->ds.dtime) = now_seconds();
	seg->ds.lpid = curproc->p_pid;
	rw_unlock(&shm_lock);
}

int64_t
sys_shmat(int id, uint64_t addr, uint32_t flags)
{
	bool read = (flags & SHM_RDONLY) != 0, exec = (flags & SHM_EXEC) != 0;
	bool remap = (flags & SHM_REMAP) != 0;
	uint64_t prot = PROT_READ | (read ? 0 : PROT_WRITE) | (exec ? PROT_EXEC : 0),
		 fixed = addr == 0 ? 0
			 : remap   ? MAP_FIXED
				   : MAP_FIXED_NOREPLACE;
	struct shmseg *seg;
	struct file *fp;
	int64_t at;
	int error;

	if (((flags & SHM_RND) == 0 && (addr & PAGE_MASK) != 0) || (remap && trunc_page(addr) == 0))
		return (-EINVAL);
	seg = seg_get(id, false);
	if (seg == NULL)
		return (-EINVAL);
	error = seg_access(&seg->ds, (read ? 0444 : 0666) | (exec ? 0111 : 0));
	if (error == 0)
		error = file_open(seg->vp, read ? O_RDONLY : O_RDWR, &fp);
	if (error != 0) {
		vrele(seg->vp);
		return (-error);
	}
	at = linux_mmap(fp, trunc_page(addr), seg->ds.size, prot, MAP_SHARED | fixed, 0);
	if (at >= 0)
		seg_stamp(seg, true);
	fdrop(fp);
	return (at == -EEXIST ? -EINVAL : at);
}

/* The first part of the attachment at addr that is left: of *seg, or, that being NULL, of which
 * one there is, which is held then. */
static bool
find_part(uint64_t addr, struct shmseg **seg, vm_offset_t *start, vm_offset_t *end)
{
	vm_map_t map = &curproc->p_vm->vm_map;
	struct vnode *vp;
	vm_map_entry_t e;
	bool found = false;

	vm_map_lock_read(map);
	VM_MAP_ENTRY_FOREACH (e, map) {
		vp = e->name_vp;
		found = vp != NULL && vp->v_ops == &shm_ops && e->start >= addr &&
			e->start - addr == e->offset && (*seg == NULL || vp == (*seg)->vp);
		if (found)
			break;
	}
	if (found) {
		*start = e->start;
		*end = e->end;
		if (*seg == NULL)
			vref(vp);
		*seg = vp->v_data;
	}
	vm_map_unlock_read(map);
	return (found);
}

int64_t
sys_shmdt(uint64_t addr)
{
	struct shmseg *seg = NULL;
	vm_offset_t start, end;
	int rv = KERN_SUCCESS;

	if ((addr & PAGE_MASK) != 0)
		return (-EINVAL);
	while (rv == KERN_SUCCESS && find_part(addr, &seg, &start, &end))
		rv = vm_map_remove(&curproc->p_vm->vm_map, start, end);
	if (seg == NULL)
		return (-EINVAL);
	seg_stamp(seg, false);
	vrele(seg->vp);
	return (-vm_mmap_to_errno(rv));
}

/* --- shmctl ----------------------------------------------------------------------------------- */

/* What there is to tell of the one of number id, or at place id: its number. EINVAL. */
static int64_t
seg_look(int id, bool place, struct linux_shmid_ds *ds, uint64_t *resident)
{
	struct shmseg *seg = seg_get(id, place);
	vm_object_t object;

	if (seg == NULL)
		return (-EINVAL);
	rw_rlock(&shm_lock);
	*ds = seg->ds;
	ds->nattch = seg->vp->v_refs - 1 - ((ds->mode & SHM_DEST) == 0); /* 1: held here */
	rw_unlock(&shm_lock);
	ramfs_ops.v_object(seg->vp, &object);
	*resident = object->resident_page_count;
	vm_object_deallocate(object);
	id = seg->id;
	vrele(seg->vp);
	return (id);
}

static int64_t
shm_stat(int id, int cmd, void *ubuf)
{
	struct linux_shmid_ds ds;
	uint64_t resident;
	int64_t number = seg_look(id, cmd != IPC_STAT, &ds, &resident);

	if (number < 0)
		return (number);
	if (cmd != SHM_STAT_ANY && seg_access(&ds, 0444) != 0)
		return (-EACCES);
	if (copyout(&ds, ubuf, sizeof(ds)) != 0)
		return (-EFAULT);
	return (cmd == IPC_STAT ? 0 : number);
}

/* struct shminfo64: the limits; or struct shm_info: segments, their pages, those in memory. */
static int64_t
shm_info(int cmd, void *ubuf)
{
	uint64_t limits[9] = {SHMMAX, 1, SHMMNI, SHMMNI, SHMMAX}, total[6] = {0}, resident;
	bool all = cmd == SHM_INFO;
	struct linux_shmid_ds ds;

	for (int i = 0; i <= highest; i++) {
		if (seg_look(i, true, &ds, &resident) < 0)
			continue;
		total[0]++;
		total[1] += atop(round_page(ds.size));
		total[2] += resident;
	}
	return (copyout(all ? total : limits, ubuf, all ? sizeof(total) : sizeof(limits)) != 0
		    ? -EFAULT
		    : MAX(highest, 0));
}

static int
seg_change(struct shmseg *seg, int cmd, const struct linux_shmid_ds *ds)
{
	const struct ucred *cr = curcred();
	bool owned = cr->cr_uid == seg->ds.uid || cr->cr_uid == seg->ds.cuid;

	if (cmd == SHM_LOCK || cmd == SHM_UNLOCK) {
		if (!capable(CAP_IPC_LOCK) && (!owned || lim_cur(RLIMIT_MEMLOCK) == 0))
			return (EPERM);
	} else if (!owned && !capable(CAP_SYS_ADMIN)) {
		return (EPERM);
	}
	if (cmd == SHM_LOCK)
		seg->ds.mode |= SHM_LOCKED;
	else if (cmd == SHM_UNLOCK)
		seg->ds.mode &= ~(uint32_t)SHM_LOCKED;
	if (cmd == IPC_SET) {
		seg->ds.uid = ds->uid;
		seg->ds.gid = ds->gid;
		seg->ds.mode = (seg->ds.mode & ~0777u) | (ds->mode & 0777);
		seg->ds.ctime = now_seconds();
	}
	if (cmd == IPC_RMID && (seg->ds.mode & SHM_DEST) == 0) {
		seg->ds.mode |= SHM_DEST;
		seg->ds.key = IPC_PRIVATE;
		vrele(seg->vp); /* the table's; the caller has one yet */
	}
	return (0);
}

static int64_t
shm_change(int id, int cmd, const void *ubuf)
{
	struct linux_shmid_ds ds;
	struct shmseg *seg;
	int error;

	if (cmd != IPC_RMID && cmd != IPC_SET && cmd != SHM_LOCK && cmd != SHM_UNLOCK)
		return (-EINVAL);
	if (cmd == IPC_SET && copyin(ubuf, &ds, sizeof(ds)) != 0)
		return (-EFAULT);
	seg = seg_get(id, false);
	if (seg == NULL)
		return (-EINVAL);
	rw_wlock(&shm_lock);
	error = seg_change(seg, cmd, &ds);
	rw_unlock(&shm_lock);
	vrele(seg->vp);
	return (-error);
}

int64_t
sys_shmctl(int id, int cmd, void *ubuf)
{
	if (cmd < 0 || id < 0)
		return (-EINVAL);
	if (cmd == IPC_INFO || cmd == SHM_INFO)
		return (shm_info(cmd, ubuf));
	if (cmd == IPC_STAT || cmd == SHM_STAT || cmd == SHM_STAT_ANY)
		return (shm_stat(id, cmd, ubuf));
	return (shm_change(id, cmd, ubuf));
}

/* --- /proc ------------------------------------------------------------------------------------ */

static int
shm_show(char *buf, size_t size)
{
	struct linux_shmid_ds ds;
	uint64_t resident;
	int64_t id;
	size_t at = (size_t)ksnprintf(
	    buf, size, "%10s %10s %s %21s %5s %5s %s %5s %5s %5s %5s %10s %10s %10s %21s %21s\n",
	    "key", "shmid", "perms", "size", "cpid", "lpid", "nattch", "uid", "gid", "cuid", "cgid",
	    "atime", "dtime", "ctime", "rss", "swap");

	for (int i = 0; i <= highest; i++) {
		id = seg_look(i, true, &ds, &resident);
		if (id < 0)
			continue;
		at += (size_t)ksnprintf(
		    buf + MIN(at, size), size - MIN(at, size),
		    "%10d %10ld  %4o %21lu %5d %5d  %5lu %5u %5u %5u %5u %10ld %10ld %10ld %21lu %21u\n",
		    ds.key, id, ds.mode, ds.size, ds.cpid, ds.lpid, ds.nattch, ds.uid, ds.gid,
		    ds.cuid, ds.cgid, ds.atime, ds.dtime, ds.ctime, ptoa(resident), 0);
	}
	return ((int)at);
}
SYSCTL(sysvipc_shm, "/sysvipc/shm", shm_show, NULL);
