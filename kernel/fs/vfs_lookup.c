/*
 * Path names: the walk along one, and what is done to its last component.
 */
#include "fs/vnode.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/proc.h"
#include "kern/pwd.h"
#include "kern/string.h"

/* One step of a path, from dir by the component of len bytes at name; not above root. */
static int
walk(struct vnode *root, struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	bool up = len == 2 && memcmp(name, "..", 2) == 0;
	int error = dir->v_type != VDIR ? ENOTDIR : len != 0 ? vaccess(dir, VEXEC) : 0;

	if (error != 0)
		return (error);
	if (len > NAME_MAX)
		return (ENAMETOOLONG);
	if (!up && len != 0 && !(len == 1 && *name == '.'))
		return (dir->v_ops->v_lookup(dir, name, len, vpp));
	if (up && dir != root) {
		*vpp = vnode_parent(dir);
		return (0);
	}
	*vpp = dir;
	vref(dir);
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
	vn_accessed(link);
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

/* Go on from the link *vpp: to where it leads by itself, or (*vpp is NULL) by the path *buf. */
static int
link_follow(struct vnode **vpp, const char *rest, char **buf)
{
	struct vnode *link = *vpp;
	int error = EOPNOTSUPP;

	*vpp = NULL;
	if (link->v_ops->v_follow != NULL)
		error = link->v_ops->v_follow(link, vpp);
	if (error == EOPNOTSUPP)
		error = link_expand(link, rest, buf);
	vrele(link);
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
static void
nd_finish(struct nameidata *nd, struct vnode *vp, const char *name, const char *end)
{
	nd->nd_vp = vp;
	nd->nd_len = end - name;
	nd->nd_slash = *end == '/';
	memcpy(nd->nd_last, name, nd->nd_len);
}

void
nd_release(struct nameidata *nd)
{
	vrele(nd->nd_dir);
	vrele(nd->nd_vp);
}

int
namei_last(struct vnode *cwd, const char *path, int how, struct nameidata *nd)
{
	int error = *path == '\0' ? ENOENT : 0, links = 0;
	struct vnode *root = pwd_root(), *vp;
	const char *end, *rest;
	char *buf = NULL;

	*nd = (struct nameidata){.nd_dir = cwd != NULL ? cwd : root};
	vref(nd->nd_dir);
	while (error == 0) {
		if (*path == '/') { /* the path's own start, or a symbolic link's */
			vref(root);
			nd_move(nd, root);
		}
		path = skip_slashes(path);
		for (end = path; *end != '\0' && *end != '/'; end++)
			;
		rest = skip_slashes(end);
		error = walk(root, nd->nd_dir, path, end - path, &vp);
		if (error == ENOENT && *rest == '\0') {
			vp = NULL;
			error = 0;
		} else if (error != 0) {
			break;
		}
		if (vp != NULL && vp->v_type == VLNK &&
		    (*rest != '\0' || how == NAMEI_FOLLOW || (how != NAMEI_NAME && *end == '/'))) {
			error = ++links > SYMLINKS_MAX ? ELOOP : link_follow(&vp, end, &buf);
			if (error != 0 || vp == NULL) {
				vrele(vp);
				path = buf;
				continue;
			}
		}
		if (*rest == '\0') {
			nd_finish(nd, vp, path, end);
			break;
		}
		nd_move(nd, vp);
		path = rest;
	}
	kfree(buf);
	vrele(root);
	if (error != 0)
		nd_release(nd);
	return (error);
}

int
nd_vnode(struct nameidata *nd, struct vnode **vpp)
{
	*vpp = nd->nd_vp;
	vrele(nd->nd_dir);
	if (*vpp == NULL)
		return (ENOENT);
	if (!nd->nd_slash || (*vpp)->v_type == VDIR)
		return (0);
	vrele(*vpp);
	return (ENOTDIR);
}

int
namei(struct vnode *cwd, const char *path, bool follow, struct vnode **vpp)
{
	struct nameidata nd;
	int error = namei_last(cwd, path, follow ? NAMEI_FOLLOW : NAMEI_NOFOLLOW, &nd);

	return (error != 0 ? error : nd_vnode(&nd, vpp));
}

int
vn_create(struct nameidata *nd, enum vtype type, uint32_t mode, const char *target,
	  struct vnode **vpp)
{
	const struct vnodeops *ops = nd->nd_dir->v_ops;

	return (ops->v_create == NULL
		    ? ENOENT
		    : ops->v_create(nd->nd_dir, nd->nd_last, nd->nd_len, type, mode, target, vpp));
}

int
vn_mknod(struct nameidata *nd, enum vtype type, uint32_t mode, uint32_t rdev)
{
	const struct vnodeops *ops = nd->nd_dir->v_ops;
	struct vnode *vp;
	int error = ops->v_node == NULL ? ENOENT : ops->v_node(nd->nd_dir, type, mode, &vp);

	if (error != 0)
		return (error);
	vp->v_rdev = rdev;
	vp->v_tmpfile = false;
	error = ops->v_link(nd->nd_dir, nd->nd_last, nd->nd_len, vp);
	vrele(vp);
	return (error);
}

int
vn_link(struct nameidata *nd, struct vnode *vp)
{
	const struct vnodeops *ops = nd->nd_dir->v_ops;
	int error;

	if (ops->v_link == NULL)
		return (ENOENT);
	if (nd->nd_dir->v_dev != vp->v_dev)
		return (EXDEV);
	if (vp->v_type == VDIR)
		return (EPERM);
	if (vp->v_nlink == 0 && !vp->v_tmpfile)
		return (ENOENT);
	error = ops->v_link(nd->nd_dir, nd->nd_last, nd->nd_len, vp);
	if (error == 0)
		vp->v_tmpfile = false; /* once */
	return (error);
}

int
vn_unlink(struct nameidata *nd, bool rmdir)
{
	const struct vnodeops *ops = nd->nd_dir->v_ops;

	return (ops->v_unlink == NULL ? EPERM
				      : ops->v_unlink(nd->nd_dir, nd->nd_last, nd->nd_len, rmdir));
}

int
vn_rename(struct nameidata *from, struct nameidata *to, int flags)
{
	const struct vnodeops *ops = from->nd_dir->v_ops;

	if (from->nd_dir->v_dev != to->nd_dir->v_dev)
		return (EXDEV);
	if (ops->v_rename == NULL || to->nd_dir->v_ops->v_rename != ops->v_rename)
		return (EPERM);
	return (ops->v_rename(from, to, flags));
}
