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

#define NAME_MAX     255 /* bytes of a path component, without the NUL */
#define PATH_MAX     4096 /* bytes of a path, with it */
#define SYMLINKS_MAX 40 /* followed in one path */

/* Where data goes to or comes from; uiomove advances it. */
struct uio {
	void *uio_base; /* user address, or kernel when uio_kernel */
	size_t uio_resid; /* bytes left */
	uint64_t uio_offset; /* in the file */
	bool uio_kernel;
	bool uio_write; /* data flows from uio into the file */
};
/*
 * Move len (<= uio_resid) bytes between p and the uio; p NULL: zeros to the uio. 0, EINTR when
 * killed, or EFAULT: what comes before the page that is bad has moved. No lock ranked LR_MAP or
 * above is held, for it may fault.
 */
int uiomove(void *p, size_t len, struct uio *uio);

/* VANON: in no directory and of no type that programs know (an eventfd). */
enum vtype { VREG = 1, VDIR, VLNK, VCHR, VFIFO, VSOCK, VANON };

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
	/* Directory: make a file of that type; NULL: EROFS. target: of a symbolic link. */
	int (*v_create)(struct vnode *dir, const char *name, size_t len, enum vtype type,
			uint32_t mode, const char *target, struct vnode **vpp);
	/* Directory: one more name for vp, which is no directory; NULL: EROFS. */
	int (*v_link)(struct vnode *dir, const char *name, size_t len, struct vnode *vp);
	int (*v_unlink)(struct vnode *dir, const char *name, size_t len,
			bool rmdir); /* NULL: EROFS */
	/* Directory: the entry at *cookie (2: first) into name (NAME_MAX + 1 bytes), and
	 * advance; ENOENT at the end. "." and ".." are not its business. */
	int (*v_readdir)(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino,
			 enum vtype *type);
	int (*v_read)(struct vnode *vp, struct uio *uio, struct file *fp); /* NULL: EINVAL */
	int (*v_write)(struct vnode *vp, struct uio *uio, struct file *fp); /* NULL: EINVAL */
	int (*v_truncate)(struct vnode *vp, uint64_t size); /* NULL: nothing to do */
	/* The target with a NUL. ENAMETOOLONG. */
	int (*v_readlink)(struct vnode *vp, char *buf, size_t size);
	/* Regular file: its object, with a reference for the caller. NULL method: ENODEV. */
	int (*v_object)(struct vnode *vp, vm_object_t *object);
	/* The last reference went: free all but the vnode. Any lock below LR_OBJECT may be held,
	 * so none of these may be taken. */
	void (*v_inactive)(struct vnode *vp);
};

/* Locks: (c) constant  (v) v_lock  (t) its file system's lock of the tree  (a) atomic */
struct vnode {
	const struct vnodeops *v_ops; /* (c) */
	struct rwlock v_lock; /* rank LR_FILE; may be held over uiomove: no fault takes it */
	enum vtype v_type; /* (c) */
	uint32_t v_refs; /* (a) */
	int v_writers; /* (a) VREG: files open for writing, or, below 0, programs that run it */
	uint32_t v_mode; /* (c) permission bits */
	uint32_t v_nlink; /* (t) */
	uint64_t v_ino; /* (c) */
	uint64_t v_size; /* (v) bytes */
	uint64_t v_mtime; /* (v) ns since 1970 */
	uint32_t v_dev; /* (c) number of its file system */
	struct cdev *v_cdev; /* (c) VCHR */
	struct vnode
	    *v_parent; /* (c) the directory it was made in, referenced; a root is its own */
	const char *v_name; /* (c) the name it was made with, for paths in /proc */
};
/*
 * A vnode with one reference, zeroed but for its type, names, number (a new one), link count of 1
 * and time; size >= sizeof(struct vnode) leaves room for the file system's own. NULL: ENOMEM.
 * parent NULL: a new root.
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

/* Follow path from cwd (NULL: the root); *vpp comes with a reference. ENOENT, ENOTDIR, ELOOP,
 * ENAMETOOLONG. follow: the last component if it is a symbolic link. */
int namei(struct vnode *cwd, const char *path, bool follow, struct vnode **vpp);

/* The same for who wants to make or remove the last component: the directory it is in, and its
 * name. */
struct nameidata {
	struct vnode *nd_dir; /* referenced */
	struct vnode *nd_vp; /* referenced; NULL: there is no such name */
	size_t nd_len;
	bool nd_slash; /* slashes follow the last component */
	char nd_last[NAME_MAX + 1]; /* "" for the root itself */
};
int namei_last(struct vnode *cwd, const char *path, bool follow, struct nameidata *nd);
void nd_release(struct nameidata *nd);
/* Make, or make another name for vp of, or remove the last component; EROFS and what the file
 * system says. */
int vn_create(struct nameidata *nd, enum vtype type, uint32_t mode, const char *target,
	      struct vnode **vpp);
int vn_link(struct nameidata *nd, struct vnode *vp);
int vn_unlink(struct nameidata *nd, bool rmdir);

/* The absolute path of vp, best known, into buf (cut at the front if it is too long); returns its
 * length. */
size_t vnode_path(struct vnode *vp, char *buf, size_t size);
/* Read or write, as the uio says. EISDIR, EINVAL and what the file system says; uio tells how
 * far. */
int vn_io(struct vnode *vp, struct uio *uio, struct file *fp);
/* Read from a regular file into kernel memory; *done bytes. */
int vn_read_kernel(struct vnode *vp, void *buf, size_t len, uint64_t offset, size_t *done);

extern struct vnode *rootvnode;
/* Directories of devfs and procfs are ramfs's too; theirs is what stands in them. */
extern const struct vnodeops ramfs_ops;

/* Start-up, in this order: an empty writable root; /dev and /proc in it; the initrd's cpio archives
 * [start, start + len) unpacked in it (each problem is one log line; what came before it stays). */
int ramfs_init(void);
void devfs_init(void);
void procfs_init(void);
void cpio_unpack(const uint8_t *start, size_t len);
