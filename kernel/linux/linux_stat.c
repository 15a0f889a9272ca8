/*
 * System calls that tell of files and file systems.
 */
#include "linux/linux_path.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/string.h"
#include "vm/vm_page.h"

enum { S_IFBLK = 0060000 };
enum { AT_NO_AUTOMOUNT = 0x800, AT_STATX_SYNC = 0x6000 };
enum { STATX_BASIC_STATS = 0x7ff, STATX_BTIME = 0x800, STATX_MNT_ID = 0x1000 };
#define STATX_RESERVED 0x80000000u
enum { ST_VALID = 0x20, ST_RELATIME = 0x1000 };
#define ANON_INODE_FS_MAGIC 0x09041934ul /* of what is in no file system */

struct linux_statx_timestamp {
	int64_t sec;
	uint32_t nsec, pad;
};
struct linux_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad0;
	uint64_t ino, size, blocks, attributes_mask;
	struct linux_statx_timestamp atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t mnt_id, pad1[13];
};
_Static_assert(sizeof(struct linux_statx) == 256, "struct statx");

struct linux_statfs {
	int64_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree;
	int32_t fsid[2];
	int64_t namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct linux_statfs) == 120, "struct statfs");

struct linux_timespec
ns_to_timespec(uint64_t ns)
{
	int64_t sec = (int64_t)ns / 1000000000, nsec = (int64_t)ns % 1000000000;

	return (nsec >= 0 ? (struct linux_timespec){sec, nsec}
			  : (struct linux_timespec){sec - 1, nsec + 1000000000});
}

/* Pages that a file has, in memory. */
static uint64_t
vnode_pages(struct vnode *vp)
{
	vm_object_t object;
	uint64_t pages;

	if (vp->v_type != VREG || vp->v_ops->v_object == NULL ||
	    vp->v_ops->v_object(vp, &object) != 0)
		return (0);
	pages = object->resident_page_count;
	vm_object_deallocate(object);
	return (pages);
}

static struct linux_stat
vnode_stat(struct vnode *vp)
{
	static const uint32_t formats[VTYPES] = {
	    [VREG] = S_IFREG,  [VDIR] = S_IFDIR,   [VLNK] = S_IFLNK, [VCHR] = S_IFCHR,
	    [VFIFO] = S_IFIFO, [VSOCK] = S_IFSOCK, [VBLK] = S_IFBLK};
	struct vattr va = vn_attr(vp);
	struct linux_stat st = {
	    .dev = vp->v_dev,
	    .ino = vp->v_ino,
	    .nlink = vp->v_nlink,
	    .mode = formats[vp->v_type] | va.va_mode,
	    .uid = va.va_uid,
	    .gid = va.va_gid,
	    .rdev = vp->v_rdev,
	    .blksize = PAGE_SIZE,
	    .blocks = vnode_pages(vp) * (PAGE_SIZE / 512),
	    .atime = ns_to_timespec(va.va_atime),
	    .mtime = ns_to_timespec(va.va_mtime),
	    .ctime = ns_to_timespec(va.va_ctime),
	};

	rw_rlock(&vp->v_lock);
	st.size = vp->v_size;
	rw_unlock(&vp->v_lock);
	return (st);
}

int64_t
sys_newfstatat(int dirfd, const char *path, struct linux_stat *ust, int flags)
{
	struct linux_stat st;
	struct vnode *vp;
	int error;

	if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC)) != 0)
		return (-EINVAL);
	error = at_vnode(dirfd, path, flags, &vp);
	if (error != 0)
		return (-error);
	st = vnode_stat(vp);
	vrele(vp);
	return (COPYOUT(&st, ust));
}

int64_t
sys_stat(const char *path, struct linux_stat *ust)
{
	return (sys_newfstatat(AT_FDCWD, path, ust, 0));
}

int64_t
sys_lstat(const char *path, struct linux_stat *ust)
{
	return (sys_newfstatat(AT_FDCWD, path, ust, AT_SYMLINK_NOFOLLOW));
}

int64_t
sys_fstat(int fd, struct linux_stat *ust)
{
	struct linux_stat st;
	struct file *fp;
	int error = fget_path(fd, &fp);

	if (error != 0)
		return (-error);
	st = vnode_stat(fp->f_vnode);
	fdrop(fp);
	return (COPYOUT(&st, ust));
}

static struct linux_statx_timestamp
statx_time(struct linux_timespec t)
{
	return ((struct linux_statx_timestamp){.sec = t.sec, .nsec = t.nsec});
}

/* All that there is to tell is told, whatever mask asks for. */
int64_t
sys_statx(int dirfd, const char *path, int flags, uint32_t mask, struct linux_statx *ustx)
{
	const int known = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC;
	struct linux_statx stx;
	struct linux_stat st;
	struct vnode *vp;
	int error;

	if ((mask & STATX_RESERVED) != 0 || (flags & ~known) != 0 ||
	    (flags & AT_STATX_SYNC) == AT_STATX_SYNC)
		return (-EINVAL);
	error = at_vnode(dirfd, path, flags, &vp);
	if (error != 0)
		return (-error);
	st = vnode_stat(vp);
	stx = (struct linux_statx){
	    .mask = STATX_BASIC_STATS | STATX_BTIME,
	    .blksize = st.blksize,
	    .nlink = st.nlink,
	    .uid = st.uid,
	    .gid = st.gid,
	    .mode = st.mode,
	    .ino = st.ino,
	    .size = st.size,
	    .blocks = st.blocks,
	    .atime = statx_time(st.atime),
	    .btime = statx_time(ns_to_timespec(vp->v_btime)),
	    .ctime = statx_time(st.ctime),
	    .mtime = statx_time(st.mtime),
	    .rdev_major = st.rdev >> 8 & 0xfff,
	    .rdev_minor = (st.rdev & 0xff) | (st.rdev >> 12 & 0xfff00),
	    .dev_minor = st.dev,
	};
	if (vp->v_mount != NULL) {
		stx.mask |= STATX_MNT_ID;
		stx.mnt_id = vp->v_dev;
	}
	vrele(vp);
	return (COPYOUT(&stx, ustx));
}

/* --- file systems ----------------------------------------------------------------------------- */

/* All of memory is there for each file system that is in it. */
static int64_t
statfs_copyout(struct vnode *vp, struct linux_statfs *ust)
{
	struct linux_statfs st = {
	    .type = vp->v_mount != NULL ? vp->v_mount->mnt_magic : ANON_INODE_FS_MAGIC,
	    .bsize = PAGE_SIZE,
	    .frsize = PAGE_SIZE,
	    .fsid = {vp->v_dev, 0},
	    .namelen = NAME_MAX,
	    .flags = ST_VALID | ST_RELATIME,
	};

	if (st.type == TMPFS_MAGIC) {
		st.blocks = st.files = vm_cnt.v_page_count;
		st.bfree = st.bavail = st.ffree = VM_FREE_COUNT();
	}
	return (COPYOUT(&st, ust));
}

int64_t
sys_statfs(const char *path, struct linux_statfs *ust)
{
	struct vnode *vp;
	int64_t result;
	int error = at_vnode(AT_FDCWD, path, 0, &vp);

	if (error != 0)
		return (-error);
	result = statfs_copyout(vp, ust);
	vrele(vp);
	return (result);
}

int64_t
sys_fstatfs(int fd, struct linux_statfs *ust)
{
	struct file *fp;
	int64_t result;
	int error = fget_path(fd, &fp);

	if (error != 0)
		return (-error);
	result = statfs_copyout(fp->f_vnode, ust);
	fdrop(fp);
	return (result);
}

/* --- symbolic links --------------------------------------------------------------------------- */

int64_t
sys_readlinkat(int dirfd, const char *path, char *ubuf, int size)
{
	struct vnode *vp;
	size_t len = 0;
	char *buf, c;
	int error =
	    size <= 0 ? EINVAL : at_vnode(dirfd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &vp);

	if (error != 0)
		return (-error);
	buf = kmalloc(PATH_MAX, 0);
	if (buf == NULL || vp->v_type != VLNK)
		error = buf == NULL                             ? ENOMEM
			: copyin(path, &c, 1) == 0 && c == '\0' ? ENOENT
								: EINVAL;
	else
		error = vp->v_ops->v_readlink(vp, buf, PATH_MAX);
	if (error == 0) {
		vn_accessed(vp);
		len = MIN(strlen(buf), (size_t)size);
		error = copyout(buf, ubuf, len);
	}
	kfree(buf);
	vrele(vp);
	return (error != 0 ? -error : (int64_t)len);
}

int64_t
sys_readlink(const char *path, char *ubuf, int size)
{
	return (sys_readlinkat(AT_FDCWD, path, ubuf, size));
}
