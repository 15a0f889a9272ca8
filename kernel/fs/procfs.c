/*
 * /proc: what the kernel knows, as files. This is the tree: a ramfs directory with a node for each
 * file of the machine and each knob, made once; the directories of processes are made when they are
 * looked up. Owns the root of it.
 */
#include "fs/procfs.h"
#include "fs/ramfs.h"
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/sysctl.h"

#define PROC_SUPER_MAGIC 0x9fa0ul
#define PID_INO          (1ul << 32) /* a process's directory has this number + its own */
#define PID_COOKIE \
	(1ul << 62) /* readdir: numbers of processes follow the names, each at this + number */

SET_DECLARE(sysctl, const struct sysctl);
SET_DECLARE(proc_files, const struct proc_file);

static struct vnode *procdir; /* (c) */

struct proc *
procfs_proc(struct vnode *vp)
{
	return (PROCNODE(vp)->pn_id.pid != 0 ? proc_find(PROCNODE(vp)->pn_id.pid) : NULL);
}

int
procfs_number(const char *name, size_t len)
{
	int n = 0;

	if (len == 0 || len > 9 || (*name == '0' && len > 1))
		return (-1);
	for (; len > 0; name++, len--) {
		if (*name < '0' || *name > '9')
			return (-1);
		n = n * 10 + (*name - '0');
	}
	return (n);
}

/* --- files ------------------------------------------------------------------------------------ */

static int
store(struct vnode *vp, const char *text)
{
	struct procnode *pn = PROCNODE(vp);
	struct proc *p;
	int error;

	if (pn->pn_sysctl != NULL)
		return (pn->pn_sysctl->sc_store(text));
	p = procfs_proc(vp);
	if (p == NULL && pn->pn_id.pid != 0)
		return (ESRCH);
	error = pn->pn_file->store(p, text);
	if (p != NULL)
		proc_rele(p);
	return (error);
}

/* What cannot be written answers as Linux does: a knob, a file of a process, one of the machine. */
static int
write_check(const struct procnode *pn)
{
	if (pn->pn_sysctl != NULL)
		return (pn->pn_sysctl->sc_store != NULL ? 0 : EACCES);
	if (pn->pn_file->store != NULL)
		return (0);
	return (pn->pn_id.pid != 0 ? EINVAL : EIO);
}

static int
file_write(struct vnode *vp, struct uio *uio, struct file *fp __unused)
{
	size_t len = uio->uio_resid;
	char value[128];
	int error = write_check(PROCNODE(vp));

	if (error != 0)
		return (error);
	if (len >= sizeof(value))
		return (EINVAL);
	error = uiomove(value, len, uio);
	if (error != 0)
		return (error);
	value[len > 0 && value[len - 1] == '\n' ? len - 1 : len] = '\0';
	error = store(vp, value);
	uio->uio_resid = error != 0 ? len : 0; /* nothing was written, then */
	return (error);
}

static int
file_read(struct vnode *vp, struct uio *uio, struct file *fp)
{
	const struct proc_file *f = PROCNODE(vp)->pn_file;
	struct proc *p;
	int error;

	if (f == NULL || f->read == NULL)
		return (proctext_read(vp, uio, fp));
	p = procfs_proc(vp);
	if (p == NULL)
		return (ESRCH);
	error = f->read(p, uio);
	proc_rele(p);
	return (error);
}

static int
file_follow(struct vnode *vp, struct vnode **vpp)
{
	struct procnode *pn = PROCNODE(vp);
	int error = procfs_may_look(vp);
	struct proc *p;

	if (pn->pn_file->follow == NULL)
		return (EOPNOTSUPP);
	if (error != 0)
		return (error);
	p = procfs_proc(vp);
	if (p == NULL)
		return (ENOENT);
	error = pn->pn_file->follow(p, pn->pn_id.fd, vpp);
	proc_rele(p);
	return (error);
}

/* What cannot be mapped answers as Linux does, too. */
static int
file_object(struct vnode *vp, vm_object_t *object __unused)
{
	const struct procnode *pn = PROCNODE(vp);

	return (pn->pn_sysctl != NULL || pn->pn_id.pid != 0 ? ENODEV : EIO);
}

static const struct vnodeops file_ops = {
    .v_open = proctext_open,
    .v_close = proctext_close,
    .v_read = file_read,
    .v_write = file_write,
    .v_readlink = proctext_readlink,
    .v_follow = file_follow,
    .v_object = file_object,
};

/* --- nodes ------------------------------------------------------------------------------------ */

static struct vnode *
node_alloc(struct vnode *dir, const char *name, size_t len, const struct vnodeops *ops,
	   enum vtype type, uint32_t mode)
{
	struct vnode *vp = vnode_alloc(sizeof(struct procnode), ops, type, dir, name, len);

	if (vp != NULL)
		vp->v_attr.va_mode = mode;
	return (vp);
}

/* It is about id, and belongs to that process's user. */
static void
set_id(struct vnode *vp, struct proc_id id)
{
	struct proc *p = id.pid != 0 ? proc_find(id.pid) : NULL;
	struct ucred *cr;

	PROCNODE(vp)->pn_id = id;
	if (p == NULL)
		return;
	cr = proc_cred(p);
	vp->v_attr.va_uid = cr->cr_uid;
	vp->v_attr.va_gid = cr->cr_gid;
	crfree(cr);
	proc_rele(p);
}

int
procfs_may_look(struct vnode *vp)
{
	return (PROCNODE(vp)->pn_id.pid == 0 || vp->v_attr.va_uid == curcred()->cr_fsuid ||
			capable(CAP_SYS_PTRACE)
		    ? 0
		    : EACCES);
}

struct vnode *
procfs_dir(struct vnode *dir, const char *name, size_t len, const struct vnodeops *ops,
	   struct proc_id id)
{
	struct vnode *vp = node_alloc(dir, name, len, ops, VDIR, 0555);

	if (vp != NULL)
		set_id(vp, id);
	return (vp);
}

static uint32_t
file_mode(const struct proc_file *f)
{
	if (f->type == VREG)
		return (f->store != NULL ? 0644 : 0444);
	if (f->type == VDIR)
		return (f->private ? 0500 : 0555);
	return (0777);
}

struct vnode *
procfs_node(struct vnode *dir, const char *name, size_t len, const struct proc_file *f,
	    struct proc_id id)
{
	struct vnode *vp =
	    node_alloc(dir, name, len, f->dir != NULL ? f->dir : &file_ops, f->type, file_mode(f));

	if (vp != NULL) {
		PROCNODE(vp)->pn_file = f;
		set_id(vp, id);
	}
	return (vp);
}

/* --- the root --------------------------------------------------------------------------------- */

static int
root_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	struct proc_id id = {.pid = procfs_number(name, len)};
	struct proc *p = id.pid > 0 ? proc_find(id.pid) : NULL;

	if (p == NULL)
		return (ramfs_ops.v_lookup(dir, name, len, vpp));
	proc_rele(p);
	*vpp = procfs_dir(dir, name, len, &proc_pid_ops, id);
	if (*vpp == NULL)
		return (ENOMEM);
	(*vpp)->v_ino = PID_INO + (uint64_t)id.pid;
	return (0);
}

static int
root_readdir(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	struct proc *p;

	if (*cookie < PID_COOKIE) {
		if (ramfs_ops.v_readdir(dir, cookie, name, ino, type) == 0)
			return (0);
		*cookie = PID_COOKIE;
	}
	p = proc_next(*cookie - PID_COOKIE);
	if (p == NULL)
		return (ENOENT);
	ksnprintf(name, NAME_MAX + 1, "%d", p->p_pid);
	*ino = PID_INO + (uint64_t)p->p_pid;
	*type = VDIR;
	*cookie = PID_COOKIE + (uint64_t)p->p_pid + 1;
	proc_rele(p);
	return (0);
}

static const struct vnodeops root_ops = {.v_lookup = root_lookup, .v_readdir = root_readdir};
static const struct vnodeops dir_ops = {.v_lookup = ramfs_lookup, .v_readdir = ramfs_readdir};

/* The directory that path's last name goes to, made where it is not there; NULL: no memory. */
static struct vnode *
make_dirs(const char **path)
{
	struct vnode *dir = procdir, *vp;
	const char *slash;

	for (; (slash = strchr(*path, '/')) != NULL; *path = slash + 1) {
		if (ramfs_ops.v_lookup(dir, *path, slash - *path, &vp) != 0 &&
		    ramfs_ops.v_create(dir, *path, slash - *path, VDIR, 0555, NULL, &vp) != 0)
			return (NULL);
		vp->v_ops = &dir_ops; /* nothing can be made there from now on */
		vrele(vp); /* its name holds it */
		dir = vp;
	}
	return (dir);
}

static void
add_file(const char *path, const struct proc_file *f, const struct sysctl *sc)
{
	struct vnode *dir = make_dirs(&path), *vp = NULL;

	if (dir != NULL && f != NULL)
		vp = procfs_node(dir, path, strlen(path), f, (struct proc_id){0});
	else if (dir != NULL)
		vp = node_alloc(dir, path, strlen(path), &file_ops, VREG,
				sc->sc_store != NULL ? 0644 : 0444);
	if (vp == NULL)
		return;
	PROCNODE(vp)->pn_sysctl = sc;
	vp->v_nlink = 0;
	ramfs_ops.v_link(dir, path, strlen(path), vp);
	vrele(vp);
}

void
procfs_init(void)
{
	static struct mount procmount = {
	    .mnt_type = "proc", .mnt_from = "proc", .mnt_magic = PROC_SUPER_MAGIC};
	const struct proc_file *const *f;
	const struct sysctl *const *sc;
	char path[128];

	if (ramfs_mount(&procmount, rootvnode, "proc", 0555) != 0)
		return;
	procdir = procmount.mnt_root;
	SET_FOREACH (f, proc_files)
		add_file((*f)->path, *f, NULL);
	SET_FOREACH (sc, sysctl) {
		if ((*sc)->sc_path[0] == '/')
			strlcpy(path, (*sc)->sc_path + 1, sizeof(path));
		else
			ksnprintf(path, sizeof(path), "sys/%s", (*sc)->sc_path);
		add_file(path, NULL, *sc);
	}
	procdir->v_ops = &root_ops; /* nothing can be made there from now on */
}
