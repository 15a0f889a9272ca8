/*
 * The root file system, in memory. A regular file's bytes are the pages of its vm_object: read and
 * write copy from and to the very pages that mmap maps, so all three agree. Owns its tree of names.
 *
 * A name holds a reference to its file, so v_inactive comes after the last name and the last user.
 */
#include "fs/vnode.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"
#include <sys/queue.h>

#define FILE_SIZE_MAX 0x7ffffffffffff000ul /* bytes; EFBIG past it */

struct dirent {
	TAILQ_ENTRY(dirent) de_link; /* (t) */
	struct vnode *de_vp; /* (c) referenced */
	uint64_t de_cookie; /* (c) never reused in its directory */
	size_t de_len; /* (c) */
	char de_name[];
};

/* Locks: (c) constant  (t) tree_lock */
struct ramnode {
	struct vnode rn_vnode;
	TAILQ_HEAD(, dirent) rn_entries; /* (t) VDIR */
	uint64_t rn_cookie; /* (t) VDIR: for the next entry */
	vm_object_t rn_object; /* (c) VREG */
	char *rn_target; /* (c) VLNK: of PATH_MAX bytes at most */
};
#define RAMNODE(vp) container_of(vp, struct ramnode, rn_vnode)

static struct rwlock tree_lock = RW_INITIALIZER("ramfs tree", LR_FILE);

static struct dirent *
entry_find(struct vnode *dir, const char *name, size_t len)
{
	struct dirent *de;

	rw_assert_locked(&tree_lock);
	TAILQ_FOREACH (de, &RAMNODE(dir)->rn_entries, de_link)
		if (de->de_len == len && memcmp(de->de_name, name, len) == 0)
			return (de);
	return (NULL);
}

static int
ramfs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	struct dirent *de;

	rw_rlock(&tree_lock);
	de = entry_find(dir, name, len);
	if (de != NULL) {
		*vpp = de->de_vp;
		vref(de->de_vp);
	}
	rw_unlock(&tree_lock);
	return (de != NULL ? 0 : ENOENT);
}

/* A name for vp, which the name takes a reference of. ENOENT: the directory itself was removed. */
static int
entry_add(struct vnode *dir, const char *name, size_t len, struct vnode *vp)
{
	struct dirent *de = kmalloc(sizeof(*de) + len, 0);
	int error = 0;

	if (de == NULL)
		return (ENOMEM);
	*de = (struct dirent){.de_vp = vp, .de_len = len};
	memcpy(de->de_name, name, len);
	rw_wlock(&tree_lock);
	if (entry_find(dir, name, len) != NULL)
		error = EEXIST;
	else if (dir->v_nlink == 0)
		error = ENOENT;
	if (error == 0) {
		de->de_cookie = RAMNODE(dir)->rn_cookie++;
		TAILQ_INSERT_TAIL(&RAMNODE(dir)->rn_entries, de, de_link);
		vref(vp);
		vp->v_nlink++;
		dir->v_nlink += vp->v_type == VDIR ? 1 : 0; /* its ".." */
	}
	rw_unlock(&tree_lock);
	if (error != 0)
		kfree(de);
	return (error);
}

static struct vnode *
node_alloc(struct vnode *dir, const char *name, size_t len, enum vtype type, uint32_t mode,
	   const char *target)
{
	struct vnode *vp = vnode_alloc(sizeof(struct ramnode), &ramfs_ops, type, dir, name, len);
	struct ramnode *rn = RAMNODE(vp);
	bool ok = true;

	if (vp == NULL)
		return (NULL);
	vp->v_mode = mode;
	vp->v_nlink = type == VDIR ? 1 : 0; /* its "."; a name makes one more */
	TAILQ_INIT(&rn->rn_entries);
	rn->rn_cookie = 2;
	if (type == VREG)
		ok = (rn->rn_object = vnode_pager_allocate(vp, 0, NULL)) != NULL;
	if (type == VLNK) {
		vp->v_size = strlen(target);
		ok = (rn->rn_target = kmalloc(vp->v_size + 1, 0)) != NULL;
		if (ok)
			memcpy(rn->rn_target, target, vp->v_size + 1);
	}
	if (ok)
		return (vp);
	vrele(vp);
	return (NULL);
}

static int
ramfs_create(struct vnode *dir, const char *name, size_t len, enum vtype type, uint32_t mode,
	     const char *target, struct vnode **vpp)
{
	struct vnode *vp = node_alloc(dir, name, len, type, mode, target);
	int error;

	if (vp == NULL)
		return (ENOMEM);
	error = entry_add(dir, name, len, vp);
	if (error != 0)
		vrele(vp);
	else
		*vpp = vp;
	return (error);
}

static int
unlink_check(struct dirent *de, bool rmdir)
{
	if (de == NULL)
		return (ENOENT);
	if (rmdir != (de->de_vp->v_type == VDIR))
		return (rmdir ? ENOTDIR : EISDIR);
	return (!rmdir || TAILQ_EMPTY(&RAMNODE(de->de_vp)->rn_entries) ? 0 : ENOTEMPTY);
}

static int
ramfs_unlink(struct vnode *dir, const char *name, size_t len, bool rmdir)
{
	struct dirent *de;
	int error;

	rw_wlock(&tree_lock);
	de = entry_find(dir, name, len);
	error = unlink_check(de, rmdir);
	if (error == 0) {
		TAILQ_REMOVE(&RAMNODE(dir)->rn_entries, de, de_link);
		de->de_vp->v_nlink -= rmdir ? 2 : 1;
		dir->v_nlink -= rmdir ? 1 : 0;
	}
	rw_unlock(&tree_lock);
	if (error != 0)
		return (error);
	vrele(de->de_vp);
	kfree(de);
	return (0);
}

static int
ramfs_readdir(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	struct dirent *de;

	rw_rlock(&tree_lock);
	TAILQ_FOREACH (de, &RAMNODE(dir)->rn_entries, de_link)
		if (de->de_cookie >= *cookie)
			break;
	if (de != NULL) {
		memcpy(name, de->de_name, de->de_len);
		name[de->de_len] = '\0';
		*ino = de->de_vp->v_ino;
		*type = de->de_vp->v_type;
		*cookie = de->de_cookie + 1;
	}
	rw_unlock(&tree_lock);
	return (de != NULL ? 0 : ENOENT);
}

/*
 * The page at pindex, valid and held, made when it is absent and make is set; else *mp is NULL for
 * a hole. A page that is busy and not valid is being filled by a fault; one that is neither was
 * wired when a truncation let go of it. Held is enough for a copy: a truncation meanwhile takes the
 * page out of the file, and the last unhold frees it.
 */
static int
page_get(vm_object_t object, vm_pindex_t pindex, bool make, vm_page_t *mp)
{
	vm_page_t m;
	int error;

	for (;;) {
		VM_OBJECT_WLOCK(object);
		m = vm_page_lookup(object, pindex);
		if (m == NULL || m->valid || vm_page_tryxbusy(m))
			break;
		error = vm_page_busy_sleep(m);
		if (error != 0)
			return (error);
	}
	if (m == NULL && make)
		m = vm_page_alloc(object, pindex, VM_ALLOC_NORMAL);
	if (m != NULL && !m->valid) {
		pmap_zero_page(m);
		m->valid = true;
		vm_page_activate(m);
		vm_page_xunbusy(m);
	}
	if (m != NULL && make)
		vm_page_dirty(m);
	if (m != NULL)
		vm_page_hold(m);
	VM_OBJECT_UNLOCK(object);
	*mp = m;
	return (m == NULL && make ? ENOSPC : 0);
}

/* Copy between the uio and the file's pages below end. */
static int
file_io(vm_object_t object, struct uio *uio, uint64_t end)
{
	vm_page_t m;
	size_t at, n;
	int error = 0;

	while (error == 0 && uio->uio_resid > 0 && uio->uio_offset < end) {
		at = uio->uio_offset & PAGE_MASK;
		n = MIN(MIN(PAGE_SIZE - at, uio->uio_resid), end - uio->uio_offset);
		error = page_get(object, atop(uio->uio_offset), uio->uio_write, &m);
		if (error != 0)
			break;
		error = uiomove(m != NULL ? (char *)pmap_page_kva(m) + at : NULL, n, uio);
		if (m != NULL)
			vm_page_unhold(m);
	}
	return (error);
}

static int
ramfs_open(struct vnode *vp, struct file *fp)
{
	return (vp->v_type == VREG && file_writable(fp) ? vn_writer_hold(vp) : 0);
}

static void
ramfs_close(struct vnode *vp, struct file *fp)
{
	if (vp->v_type == VREG && file_writable(fp))
		vn_writer_drop(vp);
}

static int
ramfs_read(struct vnode *vp, struct uio *uio, struct file *fp __unused)
{
	uint64_t size;

	rw_rlock(&vp->v_lock);
	size = vp->v_size;
	rw_unlock(&vp->v_lock);
	return (file_io(RAMNODE(vp)->rn_object, uio, size));
}

/* Writers take turns: an append finds the end where the one before left it. */
static int
ramfs_write(struct vnode *vp, struct uio *uio, struct file *fp)
{
	vm_object_t object = RAMNODE(vp)->rn_object;
	size_t resid = uio->uio_resid;
	uint64_t end;
	int error;

	rw_wlock(&vp->v_lock);
	if (fp != NULL && (fp->f_flags & O_APPEND) != 0)
		uio->uio_offset = vp->v_size;
	if (uio->uio_offset >= FILE_SIZE_MAX && uio->uio_resid > 0) {
		rw_unlock(&vp->v_lock);
		return (EFBIG);
	}
	end = uio->uio_offset + MIN(uio->uio_resid, FILE_SIZE_MAX - uio->uio_offset);
	if (end > vp->v_size)
		vm_object_set_size(object, atop(round_page(end)));
	error = file_io(object, uio, end);
	if (uio->uio_resid < resid)
		vp->v_size = MAX(vp->v_size, uio->uio_offset);
	if (error != 0) /* not as far as was thought */
		vm_object_set_size(object, atop(round_page(vp->v_size)));
	vp->v_mtime = clock_wall();
	rw_unlock(&vp->v_lock);
	return (error);
}

static int
ramfs_truncate(struct vnode *vp, uint64_t size)
{
	vm_object_t object = RAMNODE(vp)->rn_object;
	vm_page_t m = NULL;
	int error = 0;

	if (size > FILE_SIZE_MAX)
		return (EFBIG);
	if (vp->v_writers < 0)
		return (ETXTBSY);
	rw_wlock(&vp->v_lock);
	if (size < vp->v_size && (size & PAGE_MASK) != 0)
		error = page_get(object, atop(size), false, &m);
	if (error == 0) {
		vp->v_size = size;
		vp->v_mtime = clock_wall();
		vm_object_set_size(object, atop(round_page(size)));
	}
	if (m != NULL) {
		memset((char *)pmap_page_kva(m) + (size & PAGE_MASK), 0,
		       PAGE_SIZE - (size & PAGE_MASK));
		vm_page_unhold(m);
	}
	rw_unlock(&vp->v_lock);
	return (error);
}

static int
ramfs_readlink(struct vnode *vp, char *buf, size_t size)
{
	return (strlcpy(buf, RAMNODE(vp)->rn_target, size) < size ? 0 : ENAMETOOLONG);
}

static int
ramfs_object(struct vnode *vp, vm_object_t *object)
{
	*object = RAMNODE(vp)->rn_object;
	vm_object_reference(*object);
	return (0);
}

static void
ramfs_inactive(struct vnode *vp)
{
	if (RAMNODE(vp)->rn_object != NULL)
		vm_object_deallocate(RAMNODE(vp)->rn_object);
	kfree(RAMNODE(vp)->rn_target);
}

const struct vnodeops ramfs_ops = {
    .v_open = ramfs_open,
    .v_close = ramfs_close,
    .v_lookup = ramfs_lookup,
    .v_create = ramfs_create,
    .v_link = entry_add,
    .v_unlink = ramfs_unlink,
    .v_readdir = ramfs_readdir,
    .v_read = ramfs_read,
    .v_write = ramfs_write,
    .v_truncate = ramfs_truncate,
    .v_readlink = ramfs_readlink,
    .v_object = ramfs_object,
    .v_inactive = ramfs_inactive,
};

int
ramfs_init(void)
{
	rootvnode = node_alloc(NULL, "", 0, VDIR, 0755, NULL);
	if (rootvnode == NULL)
		return (ENOMEM);
	rootvnode->v_nlink++; /* the root's name is itself */
	return (0);
}
