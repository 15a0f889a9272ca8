/*
 * System calls that read directories.
 */
#include "linux/linux.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/string.h"
#include "fs/vnode.h"

struct linux_dirent { /* of old; the type comes in the last byte of the record */
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	char name[];
} __packed;

/* An entry as it is copied out; name and type are where the program's kind of record has them. */
struct record {
	union {
		struct linux_dirent64 new;
		struct linux_dirent old;
		char bytes[roundup2(sizeof(struct linux_dirent64) + NAME_MAX + 1, 8ul)];
	};
} __aligned_to(8);

/* The entry at *cookie, of every directory: "." and ".." come first. */
static int
dir_entry(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	struct vnode *parent;

	if (*cookie >= 2)
		return (dir->v_ops->v_readdir(dir, cookie, name, ino, type));
	strlcpy(name, *cookie == 0 ? "." : "..", NAME_MAX + 1);
	parent = vnode_parent(dir);
	*ino = *cookie == 0 ? dir->v_ino : parent->v_ino;
	vrele(parent);
	*type = VDIR;
	++*cookie;
	return (0);
}

/* The entry at *cookie as a record. */
static int
make_record(struct vnode *dir, bool old, uint64_t *cookie, struct record *r)
{
	static const uint8_t types[VTYPES] = {
	    [VREG] = 8, [VDIR] = 4, [VLNK] = 10, [VCHR] = 2, [VFIFO] = 1, [VSOCK] = 12, [VBLK] = 6};
	char *name = old ? r->old.name : r->new.name;
	enum vtype type;
	uint64_t ino;
	int error;

	memset(r, 0, sizeof(*r));
	error = dir_entry(dir, cookie, name, &ino, &type);
	if (error != 0)
		return (error);
	r->new.ino = ino; /* the numbers are at the same places in both */
	r->new.off = *cookie;
	r->new.reclen = roundup2((size_t)(name - r->bytes) + strlen(name) + 1 + old, 8ul);
	if (old)
		r->bytes[r->new.reclen - 1] = types[type];
	else
		r->new.type = types[type];
	return (0);
}

/* As many entries from *cookie on as fit. */
static int
dir_read(struct vnode *dir, bool old, char *ubuf, size_t size, uint64_t *cookie, size_t *done)
{
	uint64_t next = *cookie;
	struct record r;
	int error;

	for (*done = 0;; *cookie = next, *done += r.new.reclen) {
		error = make_record(dir, old, &next, &r);
		if (error != 0)
			return (error == ENOENT ? 0 : error);
		if (r.new.reclen > size - *done)
			return (*done > 0 ? 0 : EINVAL);
		error = copyout(&r, ubuf + *done, r.new.reclen);
		if (error != 0)
			return (error);
	}
}

static int64_t
getdents(int fd, bool old, char *ubuf, int size)
{
	struct vnode *dir;
	struct file *fp;
	size_t done = 0;
	int error = fget(fd, &fp);

	if (error != 0)
		return (-error);
	dir = fp->f_vnode;
	rw_wlock(&fp->f_lock);
	if (dir->v_type != VDIR)
		error = ENOTDIR;
	else if (dir->v_nlink == 0)
		error = ENOENT;
	else
		error = dir_read(dir, old, ubuf, (size_t)MAX(size, 0), &fp->f_offset, &done);
	rw_unlock(&fp->f_lock);
	if (error == 0 && (fp->f_flags & O_NOATIME) == 0)
		vn_accessed(dir);
	fdrop(fp);
	return (done == 0 && error != 0 ? -error : (int64_t)done);
}

int64_t
sys_getdents64(int fd, char *ubuf, uint32_t size)
{
	return (getdents(fd, false, ubuf, size));
}

int64_t
sys_getdents(int fd, char *ubuf, uint32_t size)
{
	return (getdents(fd, true, ubuf, size));
}
