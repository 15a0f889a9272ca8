/*
 * What all file systems share: vnodes' lives, their place in the tree, and moving data. Owns the
 * root, the list of mounts, and the lock of names.
 */
#include "fs/vnode.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/lockf.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/pwd.h"
#include "kern/string.h"
#include "kern/sysctl.h"

struct vnode *rootvnode;
struct mount *mountlist;
const struct vnodeops *vfs_special[VTYPES]; /* (c) once the system has started */
static uint64_t vnode_count, last_ino;
static uint32_t last_dev;
STAT(vnodes, vnode_count);
/* For who wants a path and holds locks below which the tree's cannot be taken. */
static struct mtx name_mtx = MTX_INITIALIZER("names", LR_LEAF);

struct vnode *
vnode_alloc(size_t size, const struct vnodeops *ops, enum vtype type, struct vnode *parent,
	    const char *name, size_t len)
{
	struct vnode *vp = kmalloc(size, M_ZERO);
	uint64_t now = clock_wall();

	if (vp == NULL)
		return (NULL);
	vp->v_name = kmalloc(len + 1, M_ZERO);
	if (vp->v_name == NULL) {
		kfree(vp);
		return (NULL);
	}
	memcpy(vp->v_name, name, len);
	rw_init(&vp->v_lock, "vnode", LR_FILE);
	mtx_init(&vp->v_mtx, "vnode attributes", LR_LEAF);
	vp->v_ops = ops;
	vp->v_type = type;
	vp->v_refs = vp->v_nlink = 1;
	vp->v_ino = __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED);
	vp->v_btime = now;
	vp->v_attr = (struct vattr){.va_atime = now, .va_mtime = now, .va_ctime = now};
	vp->v_parent = parent != NULL ? parent : vp;
	vp->v_mount = parent != NULL ? parent->v_mount : NULL;
	if (parent != NULL)
		vp->v_dev = parent->v_dev;
	else if (type == VDIR)
		vp->v_dev = __atomic_add_fetch(&last_dev, 1, __ATOMIC_RELAXED);
	if (parent != NULL)
		vref(parent);
	__atomic_fetch_add(&vnode_count, 1, __ATOMIC_RELAXED);
	return (vp);
}

void
vref(struct vnode *vp)
{
	__atomic_fetch_add(&vp->v_refs, 1, __ATOMIC_RELAXED);
}

/* One more on the side of sign, unless the other side holds it. */
static int
writers_hold(struct vnode *vp, int sign)
{
	int n = __atomic_load_n(&vp->v_writers, __ATOMIC_RELAXED);

	do {
		if (n * sign < 0)
			return (ETXTBSY);
	} while (!__atomic_compare_exchange_n(&vp->v_writers, &n, n + sign, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return (0);
}

int
vn_writer_hold(struct vnode *vp)
{
	return (writers_hold(vp, 1));
}

void
vn_writer_drop(struct vnode *vp)
{
	int n = __atomic_fetch_sub(&vp->v_writers, 1, __ATOMIC_RELAXED);

	KASSERT(n > 0, ("vnode %s has no writer", vp->v_name));
	(void)n;
}

int
vn_text_hold(struct vnode *vp)
{
	int error = writers_hold(vp, -1);

	if (error == 0)
		vref(vp);
	return (error);
}

void
vn_text_drop(struct vnode *vp)
{
	int n;

	if (vp == NULL)
		return;
	n = __atomic_fetch_add(&vp->v_writers, 1, __ATOMIC_RELAXED);
	KASSERT(n < 0, ("vnode %s is not being run", vp->v_name));
	(void)n;
	vrele(vp);
}

/* The last reference takes its reference to the parent along; no recursion, the tree may be
 * deep. */
void
vrele(struct vnode *vp)
{
	struct vnode *parent;

	while (vp != NULL) {
		KASSERT(vp->v_refs > 0, ("vnode %s released too often", vp->v_name));
		if (__atomic_sub_fetch(&vp->v_refs, 1, __ATOMIC_ACQ_REL) != 0)
			return;
		parent = vp->v_parent != vp ? vp->v_parent : NULL;
		if (vp->v_ops->v_inactive != NULL)
			vp->v_ops->v_inactive(vp);
		lockf_free(vp->v_lockf);
		kfree(vp->v_name);
		kfree(vp);
		__atomic_fetch_sub(&vnode_count, 1, __ATOMIC_RELAXED);
		vp = parent;
	}
}

void
vfs_mount(struct mount *mnt, struct vnode *root)
{
	struct mount **at = &mountlist;

	root->v_mount = mnt;
	root->v_dev = __atomic_add_fetch(&last_dev, 1, __ATOMIC_RELAXED);
	mnt->mnt_root = root;
	mnt->mnt_next = NULL;
	while (*at != NULL)
		at = &(*at)->mnt_next;
	*at = mnt;
}

void
vfs_set_special(enum vtype type, const struct vnodeops *ops)
{
	vfs_special[type] = ops;
}

/* --- the tree --------------------------------------------------------------------------------- */

void
vnode_set_place(struct vnode *vp, struct vnode **parent, char **name)
{
	struct vnode *old_parent = vp->v_parent;
	char *old_name = vp->v_name;

	mtx_lock(&name_mtx);
	vp->v_parent = *parent;
	vp->v_name = *name;
	mtx_unlock(&name_mtx);
	*parent = old_parent;
	*name = old_name;
}

bool
vnode_is_above(struct vnode *vp, struct vnode *dir)
{
	while (dir != vp && dir->v_parent != dir)
		dir = dir->v_parent;
	return (dir == vp);
}

struct vnode *
vnode_parent(struct vnode *vp)
{
	struct vnode *parent;

	mtx_lock(&name_mtx);
	parent = vp->v_parent;
	vref(parent);
	mtx_unlock(&name_mtx);
	return (parent);
}

/* Put text before *at in buf, as far as there is room. */
static void
prepend(char *buf, size_t *at, const char *text)
{
	for (size_t len = strlen(text); len > 0 && *at > 0; len--)
		buf[--*at] = text[len - 1];
}

/* What /proc calls a pipe, a socket, an eventfd. */
static size_t
name_anonymous(struct vnode *vp, char *buf, size_t size)
{
	if (vp->v_type == VANON)
		return (MIN(strlcpy(buf, vp->v_name, size), size - 1));
	return (MIN((size_t)ksnprintf(buf, size, "%s:[%lu]", vp->v_name, vp->v_ino), size - 1));
}

size_t
vnode_path(struct vnode *vp, char *buf, size_t size)
{
	const struct vnode *root = pwd_root_peek();
	size_t at = size - 1;

	if (vp->v_type != VDIR && vp->v_parent == vp)
		return (name_anonymous(vp, buf, size));
	buf[at] = '\0';
	if (vp->v_nlink == 0)
		prepend(buf, &at, " (deleted)");
	mtx_lock(&name_mtx);
	for (; vp != root && vp->v_parent != vp && at > 0; vp = vp->v_parent) {
		prepend(buf, &at, vp->v_name);
		prepend(buf, &at, "/");
	}
	mtx_unlock(&name_mtx);
	if (buf[at] != '/') /* the root itself */
		prepend(buf, &at, "/");
	memmove(buf, buf + at, size - at);
	return (size - 1 - at);
}

/* How many of len bytes lie together at uio_base, after a step to the next piece if need be. */
static size_t
uio_piece(struct uio *uio, size_t len)
{
	if (uio->uio_next == NULL)
		return (len);
	for (; uio->uio_left == 0; uio->uio_next++) {
		uio->uio_base = uio->uio_next->iov_base;
		uio->uio_left = uio->uio_next->iov_len;
	}
	return (MIN(len, uio->uio_left));
}

/* uiomove to or from another file: splice, sendfile. */
static int
uiomove_file(void *p, size_t len, struct uio *uio)
{
	static const char zeros[PAGE_SIZE];
	struct uio other = {.uio_offset = *uio->uio_pos,
			    .uio_kernel = true,
			    .uio_write = !uio->uio_write,
			    .uio_nowait = uio->uio_file_nowait};
	size_t n, moved;
	int error;

	do {
		n = p == NULL ? MIN(len, sizeof(zeros)) : len;
		other.uio_base = p == NULL ? (void *)zeros : p;
		other.uio_resid = n;
		error = vn_io(uio->uio_file->f_vnode, &other, uio->uio_file);
		moved = n - other.uio_resid;
		len -= moved;
		uio->uio_resid -= moved;
		uio->uio_offset += moved;
	} while (error == 0 && p == NULL && len > 0 && moved > 0);
	*uio->uio_pos = other.uio_offset;
	return (error);
}

int
uiomove(void *p, size_t len, struct uio *uio)
{
	void *user;
	size_t n;
	int error = 0;

	if (uio->uio_file != NULL && len > 0)
		return (uiomove_file(p, len, uio));
	for (; len > 0; len -= n) {
		n = uio_piece(uio, len);
		user = uio->uio_base;
		/* Page by page, so that it is known how far a copy that fails has come. */
		if (!uio->uio_kernel)
			n = MIN(n, PAGE_SIZE - ((uintptr_t)user & PAGE_MASK));
		if (thread_killed())
			return (EINTR);
		if (uio->uio_kernel && p == NULL)
			memset(user, 0, n);
		else if (uio->uio_kernel)
			memcpy(uio->uio_write ? p : user, uio->uio_write ? user : p, n);
		else if (uio->uio_write)
			error = copyin(user, p, n);
		else
			error = p == NULL ? clearuser(user, n) : copyout(p, user, n);
		if (error != 0)
			return (error);
		uio->uio_base = (char *)user + n;
		uio->uio_left -= n;
		uio->uio_resid -= n;
		uio->uio_offset += n;
		p = p == NULL ? NULL : (char *)p + n;
	}
	return (0);
}

int
uiomove_unlocked(void *p, size_t len, struct uio *uio, struct rwlock *rw)
{
	struct uio saved = *uio;
	int error;

	rw_unlock(rw);
	error = uiomove(p, len, uio);
	if (error == EFAULT)
		*uio = saved;
	rw_wlock(rw);
	return (error);
}

int
vn_io(struct vnode *vp, struct uio *uio, struct file *fp)
{
	int (*io)(struct vnode *, struct uio *, struct file *) =
	    uio->uio_write ? vp->v_ops->v_write : vp->v_ops->v_read;

	if (vp->v_type == VDIR)
		return (EISDIR);
	return (io != NULL ? io(vp, uio, fp) : EINVAL);
}

int
vn_read_kernel(struct vnode *vp, void *buf, size_t len, uint64_t offset, size_t *done)
{
	struct uio uio = {buf, len, offset, .uio_kernel = true};
	int error = vn_io(vp, &uio, NULL);

	*done = len - uio.uio_resid;
	return (error);
}
