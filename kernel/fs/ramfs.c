/*
 * The root file system, in memory: its nodes and their bytes; names are ramfs_dir.c's. A regular
 * file's bytes are the pages of its vm_object: read and write copy from and to the very pages that
 * mmap maps, so all three agree.
 */
#include "fs/ramfs.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/random.h"
#include "kern/resource.h"
#include "kern/string.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"

#define FILE_SIZE_MAX 0x7ffffffffffff000ul /* bytes; EFBIG past it */

static bool
node_fill(struct ramnode *rn, const char *target)
{
	struct vnode *vp = &rn->rn_vnode;

	vp->v_seals = F_SEAL_SEAL;
	if (vp->v_type == VREG)
		return ((rn->rn_object = vnode_pager_allocate(rn, 0, ramfs_page_fill)) != NULL);
	if (vp->v_type != VLNK)
		return (true);
	vp->v_size = strlen(target);
	rn->rn_target = kmalloc(vp->v_size + 1, 0);
	if (rn->rn_target != NULL)
		memcpy(rn->rn_target, target, vp->v_size + 1);
	return (rn->rn_target != NULL);
}

struct vnode *
ramfs_node(struct vnode *dir, const char *name, size_t len, enum vtype type, uint32_t mode,
	   const char *target)
{
	const struct vnodeops *ops = vfs_special[type] != NULL ? vfs_special[type] : &ramfs_ops;
	struct vnode *vp = vnode_alloc(sizeof(struct ramnode), ops, type, dir, name, len);

	if (vp == NULL)
		return (NULL);
	vp->v_attr.va_mode = mode;
	if (dir != NULL)
		vn_set_new(vp, dir, mode);
	vp->v_nlink = type == VDIR; /* its "."; a name makes one more */
	if (type == VDIR)
		vp->v_size = 2 * ENTRY_SIZE;
	if (node_fill(RAMNODE(vp), target))
		return (vp);
	vrele(vp);
	return (NULL);
}

static int
ramfs_unnamed(struct vnode *dir, enum vtype type, uint32_t mode, struct vnode **vpp)
{
	*vpp = ramfs_node(dir, "", 0, type, mode, NULL);
	if (*vpp == NULL)
		return (ENOMEM);
	(*vpp)->v_tmpfile = true;
	return (0);
}

int
ramfs_memfile(const char *name, struct vnode **vpp)
{
	*vpp = ramfs_node(rootvnode, name, strlen(name), VREG, 0777, NULL);
	return (*vpp != NULL ? 0 : ENOMEM);
}

/*
 * The page at pindex, valid and held, made when it is absent and make is set; else *mp is NULL:
 * there is a hole, or what the initrd has. A page that is busy and not valid is being filled by a
 * fault. Held is enough for a copy: a truncation meanwhile takes the page out of the file, and the
 * last unhold frees it.
 */
static int
page_get(struct ramnode *rn, vm_pindex_t pindex, bool make, vm_page_t *mp)
{
	vm_object_t object = rn->rn_object;
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
		ramfs_page_fill(rn, m);
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
file_io(struct ramnode *rn, struct uio *uio, uint64_t end)
{
	const uint8_t *from;
	vm_page_t m;
	size_t at, n;
	int error = 0;

	while (error == 0 && uio->uio_resid > 0 && uio->uio_offset < end) {
		at = uio->uio_offset & PAGE_MASK;
		n = MIN(MIN(PAGE_SIZE - at, uio->uio_resid), end - uio->uio_offset);
		error = page_get(rn, atop(uio->uio_offset), uio->uio_write, &m);
		if (error != 0)
			break;
		from = m != NULL ? (uint8_t *)pmap_page_kva(m) + at
				 : ramfs_image_bytes(rn, uio->uio_offset, &n);
		error = uiomove((void *)from, n, uio);
		if (m != NULL)
			vm_page_unhold(m);
	}
	return (error);
}

/* ENXIO: a node that nobody set ops for (vfs_set_special). */
static int
ramfs_open(struct vnode *vp, struct file *fp)
{
	if (vp->v_type != VREG && vp->v_type != VDIR)
		return (ENXIO);
	return (vp->v_type == VREG && file_writable(fp) ? vn_writer_hold(vp) : 0);
}

static void
ramfs_close(struct vnode *vp, struct file *fp)
{
	if (vp->v_type == VREG && file_writable(fp))
		vn_writer_drop(vp);
}

static int
ramfs_read(struct vnode *vp, struct uio *uio, struct file *fp)
{
	uint64_t size;

	if (vp->v_type != VREG)
		return (EINVAL);
	rw_rlock(&vp->v_lock);
	size = vp->v_size;
	rw_unlock(&vp->v_lock);
	if (fp != NULL && (fp->f_flags & O_NOATIME) == 0)
		vn_accessed(vp);
	return (file_io(RAMNODE(vp), uio, size));
}

/* Where what uio writes, something, may end; a file that may not grow takes whole pages only, as
 * Linux's. EPERM, EFBIG; with a signal where it is RLIMIT_FSIZE. */
static int
write_end(struct vnode *vp, const struct uio *uio, uint64_t *end)
{
	uint64_t start = uio->uio_offset;

	if ((vp->v_seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0)
		return (EPERM);
	if (start >= FILE_SIZE_MAX)
		return (EFBIG);
	*end = start + MIN(uio->uio_resid, FILE_SIZE_MAX - start);
	if ((vp->v_seals & F_SEAL_GROW) != 0 && *end > vp->v_size) {
		*end = trunc_page(vp->v_size);
		return (start >= *end ? EPERM : 0);
	}
	return (lim_file_size(start, end));
}

/* Writers take turns: an append finds the end where the one before left it. */
static int
ramfs_write(struct vnode *vp, struct uio *uio, struct file *fp)
{
	vm_object_t object = RAMNODE(vp)->rn_object;
	size_t resid = uio->uio_resid;
	uint64_t end;
	int error;

	if (vp->v_type != VREG)
		return (EINVAL);
	rw_wlock(&vp->v_lock);
	if (uio->uio_append || (fp != NULL && (fp->f_flags & O_APPEND) != 0))
		uio->uio_offset = vp->v_size;
	error = resid != 0 ? write_end(vp, uio, &end) : 0;
	if (error != 0 || resid == 0) {
		rw_unlock(&vp->v_lock);
		return (error);
	}
	if (end > vp->v_size)
		vm_object_set_size(object, atop(round_page(end)));
	error = file_io(RAMNODE(vp), uio, end);
	if (uio->uio_resid < resid)
		vp->v_size = MAX(vp->v_size, uio->uio_offset);
	if (error != 0) /* not as far as was thought */
		vm_object_set_size(object, atop(round_page(vp->v_size)));
	rw_unlock(&vp->v_lock);
	vn_strip(vp);
	vn_touch(vp, VT_MODIFY | VT_CHANGE);
	return (error);
}

/* Zeros in [start, end), which lies in one page; a hole stays one. */
static int
zero_part(struct ramnode *rn, uint64_t start, uint64_t end)
{
	vm_page_t m = NULL;
	int error = start < end ? page_get(rn, atop(start), false, &m) : 0;

	if (m != NULL) {
		memset((char *)pmap_page_kva(m) + (start & PAGE_MASK), 0, end - start);
		vm_page_unhold(m);
	}
	return (error);
}

static int
ramfs_truncate(struct vnode *vp, uint64_t size)
{
	vm_object_t object = RAMNODE(vp)->rn_object;
	uint64_t limited = size, kept;
	int error = 0;

	if (size > FILE_SIZE_MAX)
		return (EFBIG);
	if (vp->v_writers < 0)
		return (ETXTBSY);
	rw_wlock(&vp->v_lock);
	kept = MIN(size, vp->v_size);
	if ((vp->v_seals & (size < vp->v_size ? F_SEAL_SHRINK : F_SEAL_GROW)) != 0 &&
	    size != vp->v_size)
		error = EPERM;
	else if (size > vp->v_size)
		error = lim_file_size(size, &limited);
	if (error == 0) /* what a mapping has written past the end goes, too */
		error = zero_part(RAMNODE(vp), kept, round_page(kept));
	if (error == 0) {
		vp->v_size = size;
		ramfs_image_cut(RAMNODE(vp), size);
		vm_object_set_size(object, atop(round_page(size)));
	}
	rw_unlock(&vp->v_lock);
	if (error != 0)
		return (error);
	vn_strip(vp);
	vn_touch(vp, VT_MODIFY | VT_CHANGE);
	return (0);
}

/* Where the initrd has bytes in [start, end), and more behind them, pages of zeros hide them. */
static int
zero_image(struct ramnode *rn, uint64_t start, uint64_t end)
{
	vm_page_t m;
	uint64_t to;
	int error = 0;

	if (end >= rn->rn_image_size)
		ramfs_image_cut(rn, start);
	for (; start < MIN(end, rn->rn_image_size) && error == 0; start = to) {
		to = MIN(trunc_page(start) + PAGE_SIZE, end);
		error = page_get(rn, atop(start), true, &m);
		if (error != 0)
			break;
		memset((char *)pmap_page_kva(m) + (start & PAGE_MASK), 0, to - start);
		vm_page_unhold(m);
	}
	return (error);
}

/* The whole pages of [start, end) go, the rest of it is zeroed. The vnode is locked. */
static int
punch(struct vnode *vp, uint64_t start, uint64_t end)
{
	struct ramnode *rn = RAMNODE(vp);
	vm_object_t object = rn->rn_object;
	uint64_t first = MIN(round_page(start), end), last = MAX(trunc_page(end), first);
	int error = zero_image(rn, start, end);

	if (error == 0)
		error = zero_part(rn, start, first);
	if (error == 0)
		error = zero_part(rn, last, end);
	if (error == 0 && first < last && first >= rn->rn_image_size) {
		VM_OBJECT_WLOCK(object);
		vm_object_page_remove(object, atop(first), atop(last));
		VM_OBJECT_UNLOCK(object);
	}
	return (error);
}

/* Pages for all of [start, end). What was made before memory ran out stays. */
static int
fill(struct vnode *vp, uint64_t start, uint64_t end)
{
	vm_page_t m;
	int error = 0;

	for (start = trunc_page(start); start < end && error == 0; start += PAGE_SIZE) {
		error = thread_killed() ? EINTR : page_get(RAMNODE(vp), atop(start), true, &m);
		if (error == 0)
			vm_page_unhold(m);
	}
	return (error);
}

static int
ramfs_allocate(struct vnode *vp, int how, uint64_t offset, uint64_t len)
{
	vm_object_t object = RAMNODE(vp)->rn_object;
	uint64_t end = offset + len, old;
	bool keep = (how & FALLOC_KEEP_SIZE) != 0;
	int error = 0;

	if (end > FILE_SIZE_MAX)
		return (EFBIG);
	rw_wlock(&vp->v_lock);
	old = vp->v_size;
	if ((how & FALLOC_PUNCH_HOLE) != 0 &&
	    (vp->v_seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0)
		error = EPERM;
	else if ((how & FALLOC_PUNCH_HOLE) == 0 && end > old && (vp->v_seals & F_SEAL_GROW) != 0)
		error = EPERM;
	if (error == 0 && how != 0 && how != FALLOC_KEEP_SIZE)
		error = punch(vp, offset, MIN(end, round_page(old)));
	if (error == 0 && (how & FALLOC_PUNCH_HOLE) == 0) {
		end = keep ? MIN(end, old) : end; /* pages past the end are not kept anyway */
		vm_object_set_size(object, atop(round_page(MAX(end, old))));
		error = fill(vp, offset, end);
		if (error == 0)
			vp->v_size = MAX(end, old);
		else
			vm_object_set_size(object, atop(round_page(old)));
	}
	rw_unlock(&vp->v_lock);
	if (error == 0)
		vn_touch(vp, VT_MODIFY | VT_CHANGE);
	return (error);
}

/* Holes are as the pages are: what is absent is one, but for what the initrd has. */
static int
ramfs_seek(struct vnode *vp, bool data, uint64_t *offset)
{
	vm_object_t object = RAMNODE(vp)->rn_object;
	vm_pindex_t at = atop(*offset), found = at;
	uint64_t size;

	rw_rlock(&vp->v_lock);
	size = vp->v_size;
	VM_OBJECT_RLOCK(object);
	if (!data)
		found = MAX(found, atop(round_page(RAMNODE(vp)->rn_image_size)));
	if (data && *offset >= RAMNODE(vp)->rn_image_size &&
	    vm_radix_lookup_ge(&object->rtree, at, &found) == NULL)
		found = atop(round_page(size));
	else if (!data)
		while (found < object->size && vm_page_lookup(object, found) != NULL)
			found++;
	VM_OBJECT_UNLOCK(object);
	rw_unlock(&vp->v_lock);
	if (*offset >= size || (data && ptoa(found) >= size))
		return (ENXIO);
	*offset = MIN(found == at ? *offset : ptoa(found), size);
	return (0);
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
	vm_object_t object = RAMNODE(vp)->rn_object;

	/* Mappings hold the vnode; a fault that is under way while the last goes may still ask for
	 * a page, which nobody will see. */
	if (object != NULL) {
		VM_OBJECT_WLOCK(object);
		object->un_pager.vnp.getpage = NULL;
		VM_OBJECT_UNLOCK(object);
		vm_object_deallocate(object);
	}
	kfree(RAMNODE(vp)->rn_target);
}

const struct vnodeops ramfs_ops = {
    .v_open = ramfs_open,
    .v_close = ramfs_close,
    .v_lookup = ramfs_lookup,
    .v_create = ramfs_create,
    .v_node = ramfs_unnamed,
    .v_link = ramfs_link,
    .v_unlink = ramfs_unlink,
    .v_rename = ramfs_rename,
    .v_readdir = ramfs_readdir,
    .v_read = ramfs_read,
    .v_write = ramfs_write,
    .v_truncate = ramfs_truncate,
    .v_allocate = ramfs_allocate,
    .v_seek = ramfs_seek,
    .v_readlink = ramfs_readlink,
    .v_object = ramfs_object,
    .v_inactive = ramfs_inactive,
};

int
ramfs_mount(struct mount *mnt, struct vnode *dir, const char *name, uint32_t mode)
{
	struct vnode *vp = ramfs_node(dir, name, strlen(name), VDIR, mode, NULL);
	int error = 0;

	if (vp == NULL)
		return (ENOMEM);
	vfs_mount(mnt, vp);
	if (dir == NULL) {
		rootvnode = vp; /* with its reference */
		vp->v_nlink++; /* the root's name is itself */
		return (0);
	}
	error = ramfs_link(dir, name, strlen(name), vp);
	vrele(vp);
	return (error);
}

int
ramfs_init(void)
{
	static struct mount root = {
	    .mnt_type = "tmpfs", .mnt_from = "tmpfs", .mnt_magic = TMPFS_MAGIC};

	random_bytes(&ramfs_secret, sizeof(ramfs_secret));
	return (ramfs_mount(&root, NULL, "", 0755));
}
