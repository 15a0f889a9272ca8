/*
 * What all file systems share: vnodes' lives, path names, mounts, and moving data. Owns the root.
 */
#include "fs/vnode.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "kern/sysctl.h"

struct vnode *rootvnode;
static uint64_t vnode_count, last_ino;
static uint32_t last_dev;
STAT(vnodes, vnode_count);

struct vnode *
vnode_alloc(size_t size, const struct vnodeops *ops, enum vtype type, struct vnode *parent,
	    const char *name, size_t len)
{
	struct vnode *vp = kmalloc(size + len + 1, M_ZERO);

	if (vp == NULL)
		return (NULL);
	vp->v_name = memcpy((char *)vp + size, name, len);
	rw_init(&vp->v_lock, "vnode", LR_FILE);
	vp->v_ops = ops;
	vp->v_type = type;
	vp->v_refs = vp->v_nlink = 1;
	vp->v_ino = __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED);
	vp->v_mtime = clock_wall();
	vp->v_parent = parent != NULL ? parent : vp;
	vp->v_dev =
	    parent != NULL ? parent->v_dev : __atomic_add_fetch(&last_dev, 1, __ATOMIC_RELAXED);
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
		kfree(vp);
		__atomic_fetch_sub(&vnode_count, 1, __ATOMIC_RELAXED);
		vp = parent;
	}
}

/* One step of a path, from dir by the component of len bytes at name. */
static int
walk(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	bool up = len == 2 && memcmp(name, "..", 2) == 0;

	if (dir->v_type != VDIR)
		return (ENOTDIR);
	if (len > NAME_MAX)
		return (ENAMETOOLONG);
	if (!up && len != 0 && !(len == 1 && *name == '.'))
		return (dir->v_ops->v_lookup(dir, name, len, vpp));
	*vpp = up ? dir->v_parent : dir;
	vref(*vpp);
	return (0);
}

/* What is left of the path, rest, put behind the target of link, into a new *buf. */
static int
link_expand(struct vnode *link, const char *rest, char **buf)
{
	char *path = kmalloc(PATH_MAX, 0);
	size_t len;
	int error;

	if (path == NULL)
		return (ENOMEM);
	error = link->v_ops->v_readlink(link, path, PATH_MAX);
	if (error == 0) {
		len = strlen(path);
		if (strlcpy(path + len, rest, PATH_MAX - len) >= PATH_MAX - len)
			error = ENAMETOOLONG;
	}
	kfree(*buf); /* rest may point into it */
	*buf = path;
	return (error);
}

static const char *
skip_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return (path);
}

static void
nd_move(struct nameidata *nd, struct vnode *dir)
{
	vrele(nd->nd_dir);
	nd->nd_dir = dir;
}

/* The walk is over: name, up to end, is the last component, and vp (or NULL) what it names. */
static int
nd_finish(struct nameidata *nd, struct vnode *vp, const char *name, const char *end)
{
	nd->nd_vp = vp;
	nd->nd_len = end - name;
	nd->nd_slash = *end == '/';
	memcpy(nd->nd_last, name, nd->nd_len);
	return (vp != NULL && nd->nd_slash && vp->v_type != VDIR ? ENOTDIR : 0);
}

void
nd_release(struct nameidata *nd)
{
	vrele(nd->nd_dir);
	vrele(nd->nd_vp);
}

int
namei_last(struct vnode *cwd, const char *path, bool follow, struct nameidata *nd)
{
	int error = *path == '\0' ? ENOENT : 0, links = 0;
	const char *end, *rest;
	char *buf = NULL;
	struct vnode *vp;

	*nd = (struct nameidata){.nd_dir = cwd != NULL ? cwd : rootvnode};
	vref(nd->nd_dir);
	while (error == 0) {
		if (*path == '/') { /* the path's own start, or a symbolic link's */
			vref(rootvnode);
			nd_move(nd, rootvnode);
		}
		path = skip_slashes(path);
		for (end = path; *end != '\0' && *end != '/'; end++)
			;
		rest = skip_slashes(end);
		error = walk(nd->nd_dir, path, end - path, &vp);
		if (error == ENOENT && *rest == '\0') {
			vp = NULL;
			error = 0;
		} else if (error != 0) {
			break;
		}
		if (vp != NULL && vp->v_type == VLNK && (follow || *end == '/')) {
			error = ++links > SYMLINKS_MAX ? ELOOP : link_expand(vp, end, &buf);
			vrele(vp);
			path = buf;
		} else if (*rest != '\0') {
			nd_move(nd, vp);
			path = rest;
		} else {
			error = nd_finish(nd, vp, path, end);
			break;
		}
	}
	kfree(buf);
	if (error != 0)
		nd_release(nd);
	return (error);
}

int
namei(struct vnode *cwd, const char *path, bool follow, struct vnode **vpp)
{
	struct nameidata nd;
	int error = namei_last(cwd, path, follow, &nd);

	if (error != 0)
		return (error);
	vrele(nd.nd_dir);
	*vpp = nd.nd_vp;
	return (nd.nd_vp != NULL ? 0 : ENOENT);
}

int
vn_create(struct nameidata *nd, enum vtype type, uint32_t mode, const char *target,
	  struct vnode **vpp)
{
	const struct vnodeops *ops = nd->nd_dir->v_ops;

	return (ops->v_create == NULL
		    ? EROFS
		    : ops->v_create(nd->nd_dir, nd->nd_last, nd->nd_len, type, mode, target, vpp));
}

int
vn_link(struct nameidata *nd, struct vnode *vp)
{
	const struct vnodeops *ops = nd->nd_dir->v_ops;

	return (ops->v_link == NULL ? EROFS : ops->v_link(nd->nd_dir, nd->nd_last, nd->nd_len, vp));
}

int
vn_unlink(struct nameidata *nd, bool rmdir)
{
	const struct vnodeops *ops = nd->nd_dir->v_ops;

	return (ops->v_unlink == NULL ? EROFS
				      : ops->v_unlink(nd->nd_dir, nd->nd_last, nd->nd_len, rmdir));
}

/* Put text before *at in buf, as far as there is room. */
static void
prepend(char *buf, size_t *at, const char *text)
{
	for (size_t len = strlen(text); len > 0 && *at > 0; len--)
		buf[--*at] = text[len - 1];
}

size_t
vnode_path(struct vnode *vp, char *buf, size_t size)
{
	size_t at = size - 1;

	buf[at] = '\0';
	if (vp->v_nlink == 0)
		prepend(buf, &at, " (deleted)");
	for (; vp->v_parent != vp; vp = vp->v_parent) {
		prepend(buf, &at, vp->v_name);
		prepend(buf, &at, "/");
	}
	if (buf[at] != '/') /* the root itself */
		prepend(buf, &at, "/");
	memmove(buf, buf + at, size - at);
	return (size - 1 - at);
}

int
uiomove(void *p, size_t len, struct uio *uio)
{
	void *user;
	size_t n;
	int error = 0;

	for (; len > 0; len -= n) {
		user = uio->uio_base;
		/* Page by page, so that it is known how far a copy that fails has come. */
		n = uio->uio_kernel ? len : MIN(len, PAGE_SIZE - ((uintptr_t)user & PAGE_MASK));
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
		uio->uio_resid -= n;
		uio->uio_offset += n;
		p = p == NULL ? NULL : (char *)p + n;
	}
	return (0);
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
