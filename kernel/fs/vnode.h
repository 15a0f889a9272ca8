/*
 * Vnodes: a file, directory or device whatever file system it is in; and path names.
 */
#pragma once

#include "kern/types.h"
#include "kern/lock.h"
#include "vm/vm_object.h"

struct file;
struct selfd;
struct vnode;
struct cdev;
struct nameidata;
struct lockf_list;

#define NAME_MAX     255 /* bytes of a path component, without the NUL */
#define PATH_MAX     4096 /* bytes of a path, with it */
#define SYMLINKS_MAX 40 /* followed in one path */

struct iovec {
	void *iov_base;
	size_t iov_len;
};

/* Where data goes to or comes from, in one piece or several; uiomove advances it. */
struct uio {
	void *uio_base; /* user address, or kernel when uio_kernel */
	size_t uio_resid; /* bytes left, in all pieces */
	uint64_t uio_offset; /* in the file */
	bool uio_kernel;
	bool uio_write; /* data flows from uio into the file */
	bool uio_nowait; /* EAGAIN rather than wait, as for a file that is O_NONBLOCK */
	bool uio_append; /* as for a file that is O_APPEND */
	const struct iovec *uio_next; /* the pieces after this one; NULL: it is the only one, */
	size_t uio_left; /* else bytes left in this one */
	/* Not NULL: the other side is no memory but this file, at *uio_pos, which moves. Its own
	 * errors are uiomove's; when it is read from and ends, less moves than was asked for. */
	struct file *uio_file;
	uint64_t *uio_pos;
	bool uio_file_nowait; /* uio_nowait for it */
};
/*
 * Move len (<= uio_resid) bytes between p and the uio; p NULL: zeros to the uio. 0, EINTR when
 * killed, or EFAULT: what comes before the page that is bad has moved. No lock ranked LR_MAP or
 * above is held, for it may fault.
 */
int uiomove(void *p, size_t len, struct uio *uio);
/* The same of a caller that holds rw for writing and lets go of it meanwhile. What a bad address cut
 * short has not moved at all. */
int uiomove_unlocked(void *p, size_t len, struct uio *uio, struct rwlock *rw);

/* VANON: in no directory and of no type that programs know (an eventfd). */
enum vtype { VREG = 1, VDIR, VLNK, VCHR, VFIFO, VSOCK, VANON, VBLK, VTYPES };

/* What vaccess asks for, and the bits of a mode, with Linux's values. */
enum { VEXEC = 1, VWRITE = 2, VREAD = 4 };
enum { S_ISUID = 04000, S_ISGID = 02000, S_ISVTX = 01000, S_IXGRP = 010, S_IXALL = 0111 };
/* Which times vn_touch brings up to now. */
enum { VT_ACCESS = 1, VT_MODIFY = 2, VT_CHANGE = 4 };
/* What v_rename is to do; Linux's values. */
enum { RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2 };
/* v_allocate's; Linux's values. */
enum { FALLOC_KEEP_SIZE = 1, FALLOC_PUNCH_HOLE = 2, FALLOC_ZERO_RANGE = 16 };
/* v_seals; Linux's values. */
enum {
	F_SEAL_SEAL = 1,
	F_SEAL_SHRINK = 2,
	F_SEAL_GROW = 4,
	F_SEAL_WRITE = 8,
	F_SEAL_FUTURE_WRITE = 16,
};
#define TMPFS_MAGIC 0x01021994ul /* mnt_magic of what is in memory */

struct vattr {
	uint32_t va_mode; /* permission bits, S_ISUID and its like */
	uint32_t va_uid, va_gid;
	uint64_t va_atime, va_mtime, va_ctime; /* ns since 1970 */
};

/* A file system as it is mounted: what statfs and /proc/mounts tell. */
struct mount {
	const char *mnt_type; /* (c) "tmpfs" */
	const char *mnt_from; /* (c) the device's name, where there is one */
	uint64_t mnt_magic; /* (c) statfs's f_type */
	struct vnode *mnt_root; /* (c) set by ramfs_mount, which gives it a name */
	struct mount *mnt_next; /* (c) once listed */
};

struct vnodeops {
	/* A file is opened on vp (NULL: it may be); its last reference goes. fp->f_data is theirs. */
	int (*v_open)(struct vnode *vp, struct file *fp);
	void (*v_close)(struct vnode *vp, struct file *fp);
	/* arg: the user's word. NULL: ENOTTY. */
	int (*v_ioctl)(struct vnode *vp, struct file *fp, uint64_t cmd, uint64_t arg);
	/*
	 * Which POLL* are true now, and selrecord(.., sfd) first, so that none is missed that becomes
	 * true later. May take locks up to LR_LEAF's, but not sleep for what is waited for. NULL:
	 * reading and writing never wait.
	 */
	uint32_t (*v_poll)(struct vnode *vp, struct file *fp, struct selfd *sfd);
	/* Directory: find name (never "." or ".."); *vpp comes with a reference. ENOENT. */
	int (*v_lookup)(struct vnode *dir, const char *name, size_t len, struct vnode **vpp);
	/* Directory: make a file of that type; NULL: ENOENT. target: of a symbolic link. */
	int (*v_create)(struct vnode *dir, const char *name, size_t len, enum vtype type,
			uint32_t mode, const char *target, struct vnode **vpp);
	/* Directory: the same without a name (O_TMPFILE); v_link may give it one. */
	int (*v_node)(struct vnode *dir, enum vtype type, uint32_t mode, struct vnode **vpp);
	/* Directory: one more name for vp, which is no directory; NULL: ENOENT. */
	int (*v_link)(struct vnode *dir, const char *name, size_t len, struct vnode *vp);
	int (*v_unlink)(struct vnode *dir, const char *name, size_t len,
			bool rmdir); /* NULL: EPERM */
	/* Directory: the last component of from becomes that of to (RENAME_*). Both directories are
	 * of one mount. */
	int (*v_rename)(struct nameidata *from, struct nameidata *to, int flags);
	/* Directory: the entry at *cookie (2: first) into name (NAME_MAX + 1 bytes), and
	 * advance; ENOENT at the end. "." and ".." are not its business. */
	int (*v_readdir)(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino,
			 enum vtype *type);
	int (*v_read)(struct vnode *vp, struct uio *uio, struct file *fp); /* NULL: EINVAL */
	int (*v_write)(struct vnode *vp, struct uio *uio, struct file *fp); /* NULL: EINVAL */
	int (*v_truncate)(struct vnode *vp, uint64_t size); /* NULL: nothing to do */
	/* Regular file: FALLOC_*; the range is below INT64_MAX. NULL: EOPNOTSUPP. */
	int (*v_allocate)(struct vnode *vp, int how, uint64_t offset, uint64_t len);
	/* Regular file: the first byte from *offset on that is in a hole, or (data) is not, not past
	 * the end; ENXIO. NULL: all is data. */
	int (*v_seek)(struct vnode *vp, bool data, uint64_t *offset);
	/* The target with a NUL. ENAMETOOLONG. */
	int (*v_readlink)(struct vnode *vp, char *buf, size_t size);
	/* Symbolic link that leads to a vnode, which may have no name any more: *vpp comes with a
	 * reference. EOPNOTSUPP, or a NULL method: go by v_readlink. */
	int (*v_follow)(struct vnode *vp, struct vnode **vpp);
	/* Regular file: its object, with a reference for the caller. NULL method: ENODEV. */
	int (*v_object)(struct vnode *vp, vm_object_t *object);
	/* The last reference went: free all but the vnode. Any lock below LR_OBJECT may be held,
	 * so none of these may be taken. */
	void (*v_inactive)(struct vnode *vp);
};

/*
 * Locks: (c) constant  (v) v_lock  (t) its file system's lock of the tree  (n) to change, the tree's
 * lock and the one of names; to look, either  (m) v_mtx  (a) atomic  (l) the lock of kern/lockf.c
 */
struct vnode {
	const struct vnodeops *v_ops; /* (c) */
	struct rwlock v_lock; /* rank LR_FILE; may be held over uiomove: no fault takes it */
	enum vtype v_type; /* (c) */
	uint32_t v_refs; /* (a) */
	int v_writers; /* (a) VREG: files open for writing, or, below 0, programs that run it */
	uint32_t v_nlink; /* (t) */
	bool v_tmpfile; /* (a) may be linked although it has no name */
	uint32_t v_seals; /* (v) F_SEAL_*, of a memory file */
	struct mtx v_mtx; /* rank LR_LEAF */
	struct vattr v_attr; /* (m) */
	uint64_t v_btime; /* (c) when it was made */
	uint64_t v_ino; /* (c) */
	uint64_t v_size; /* (v) bytes; (t) of a directory */
	uint32_t v_dev; /* (c) number of its file system */
	uint32_t v_rdev; /* (c) VCHR, VBLK: major << 8 | minor */
	struct mount *v_mount; /* (c) NULL: VANON's */
	struct cdev *v_cdev; /* (a) VCHR: set by its first open */
	void *v_data; /* VFIFO (v), VSOCK (unp_lock): theirs who made v_ops */
	struct lockf_list *v_lockf; /* (l) NULL: never locked */
	/* The directory that it is in, or was last, referenced; a root is its own. */
	struct vnode *v_parent; /* (n) */
	char *v_name; /* (n) its name there; if it has several, one of them */
};
/*
 * A vnode with one reference, zeroed but for its type, names, number (a new one), owner, link count
 * of 1 and times; size >= sizeof(struct vnode) leaves room for the file system's own. NULL: ENOMEM.
 * parent NULL: a new root, or what is no directory and in none.
 */
struct vnode *vnode_alloc(size_t size, const struct vnodeops *ops, enum vtype type,
			  struct vnode *parent, const char *name, size_t len);
/* A reference for a program that runs vp, so that nobody writes to it; ETXTBSY if somebody may. */
int vn_text_hold(struct vnode *vp);
void vn_text_drop(struct vnode *vp); /* NULL is allowed */
/* The same the other way round, without a reference: ETXTBSY while vp is being run. */
int vn_writer_hold(struct vnode *vp);
void vn_writer_drop(struct vnode *vp);

void vref(struct vnode *vp);
void vrele(struct vnode *vp);

/* --- vfs_lookup.c ----------------------------------------------------------------------------- */

/* Follow path from cwd (NULL: the root) as curproc may; *vpp comes with a reference. ENOENT,
 * ENOTDIR, EACCES, ELOOP, ENAMETOOLONG. follow: the last component if it is a symbolic link. */
int namei(struct vnode *cwd, const char *path, bool follow, struct vnode **vpp);

/*
 * The same for who wants to make or remove the last component: the directory it is in, and its
 * name. That the component, if slashes follow it, must be a directory is for the caller to see.
 */
enum namei_how {
	NAMEI_NAME, /* the last component is not followed */
	NAMEI_FOLLOW, /* if it is a symbolic link, it is */
	NAMEI_NOFOLLOW, /* ... only if slashes follow it */
};
struct nameidata {
	struct vnode *nd_dir; /* referenced */
	struct vnode *nd_vp; /* referenced; NULL: there is no such name */
	size_t nd_len;
	bool nd_slash; /* slashes follow the last component */
	char nd_last[NAME_MAX + 1]; /* "" for the root itself */
};
int namei_last(struct vnode *cwd, const char *path, int how, struct nameidata *nd);
void nd_release(struct nameidata *nd);
/* Only the vnode is of interest: it comes with a reference, nd is let go. ENOENT, ENOTDIR. */
int nd_vnode(struct nameidata *nd, struct vnode **vpp);
/* Make, or make another name for vp of, or remove or move the last component. ENOENT or
 * EPERM where nobody can, EXDEV, and what the file system says. */
int vn_create(struct nameidata *nd, enum vtype type, uint32_t mode, const char *target,
	      struct vnode **vpp);
int vn_mknod(struct nameidata *nd, enum vtype type, uint32_t mode, uint32_t rdev);
int vn_link(struct nameidata *nd, struct vnode *vp);
int vn_unlink(struct nameidata *nd, bool rmdir);
int vn_rename(struct nameidata *from, struct nameidata *to, int flags);

/* --- vfs_attr.c: owners, rights and times ----------------------------------------------------- */

/* May curproc do all of mode (VREAD..) with vp? 0 or EACCES. */
int vaccess(struct vnode *vp, int mode);
/* May curproc make a name in dir; take victim's away from there, rmdir: as a directory's? The tree
 * is locked. */
int vn_may_create(struct vnode *dir);
int vn_may_delete(struct vnode *dir, struct vnode *victim, bool rmdir);
/* Is vp curproc's, or is curproc the superuser? */
bool vn_owned(struct vnode *vp);
/* The owner and mode of vp, new in dir. */
void vn_set_new(struct vnode *vp, struct vnode *dir, uint32_t mode);
struct vattr vn_attr(struct vnode *vp);
/* EPERM. An owner or group of UINT32_MAX stays. */
int vn_chmod(struct vnode *vp, uint32_t mode);
int vn_chown(struct vnode *vp, uint32_t uid, uint32_t gid);
/* Set the times that which (VT_*) names to what va says. */
void vn_set_times(struct vnode *vp, int which, const struct vattr *va);
void vn_touch(struct vnode *vp, int which);
/* It was read: its time of access moves, unless that is later than its last change and of today. */
void vn_accessed(struct vnode *vp);
/* It is written to: who is not the superuser takes S_ISUID and S_ISGID away. */
void vn_strip(struct vnode *vp);

/* --- vfs.c ------------------------------------------------------------------------------------ */

/* What is at the place of vp in the tree changes: parent, referenced, and name, in kmalloc'd memory.
 * Those before are the caller's, to let go of without the tree's lock, which is write-locked. */
void vnode_set_place(struct vnode *vp, struct vnode **parent, char **name);
/* Above dir, or dir itself? The tree is locked. */
bool vnode_is_above(struct vnode *vp, struct vnode *dir);
/* The directory that vp is in, referenced. */
struct vnode *vnode_parent(struct vnode *vp);
/* What opens nodes of VFIFO, VSOCK, VCHR and VBLK in every file system; before any is opened. */
void vfs_set_special(enum vtype type, const struct vnodeops *ops);
extern const struct vnodeops *vfs_special[VTYPES];
/* mnt is mounted, with root, a node that nobody knows yet, and a device number of its own. */
void vfs_mount(struct mount *mnt, struct vnode *root);
extern struct mount *mountlist; /* in the order of mounting; the first is the root */
/* The path of vp from curproc's root, best known, into buf (cut at the front if it is too long);
 * returns its length. Any lock below LR_LEAF may be held. */
size_t vnode_path(struct vnode *vp, char *buf, size_t size);
/* Read or write, as the uio says. EISDIR, EINVAL and what the file system says; uio tells how
 * far. */
int vn_io(struct vnode *vp, struct uio *uio, struct file *fp);
/* Read from a regular file into kernel memory; *done bytes. */
int vn_read_kernel(struct vnode *vp, void *buf, size_t len, uint64_t offset, size_t *done);

extern struct vnode *rootvnode;
/* Directories of devfs and procfs are ramfs's too; theirs is what stands in them. */
extern const struct vnodeops ramfs_ops;

/* vp, of ramfs, new and empty, has these size bytes, which stay where they are for good. */
void ramfs_set_image(struct vnode *vp, const uint8_t *bytes, uint64_t size);

/* Start-up, in this order: an empty writable root; /dev and /proc in it; the initrd's cpio archives
 * [start, start + len) unpacked in it (each problem is one log line; what came before it stays),
 * which from then on has the files' bytes. */
int ramfs_init(void);
/* An empty file system named name in dir: mnt's root, to which the caller gets no reference. */
int ramfs_mount(struct mount *mnt, struct vnode *dir, const char *name, uint32_t mode);
/* A regular file, curproc's, with a name for /proc but in no directory; referenced. ENOMEM. */
int ramfs_memfile(const char *name, struct vnode **vpp);
void devfs_init(void);
void procfs_init(void);
void cpio_unpack(const uint8_t *start, size_t len);
