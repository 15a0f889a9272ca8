/*
 * /proc/PID and what is below it: the files that modules add by PROC_PID_FILE, for the process and
 * again for each of its threads in task/TID; the directories of descriptors. Vnodes are made when
 * they are looked up and go with their last user; their numbers are made from what they are about,
 * so that two look-ups of one file agree.
 */
#include "fs/procfs.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/proc.h"
#include "kern/string.h"

SET_DECLARE(proc_pid_files, const struct proc_file);

static const struct vnodeops task_ops;

/* File index of a process or thread, or its descriptor fd below that. */
static uint64_t
inode(struct proc_id id, size_t index)
{
	uint64_t task = id.tid != 0 ? 1 : 0, n = (uint64_t)(task ? id.tid : id.pid);

	return (1ul << 63 | n << 32 | task << 31 | index << 22 | (uint64_t)(id.fd + 1));
}

static int
made(struct vnode *vp, uint64_t ino, struct vnode **vpp)
{
	if (vp == NULL)
		return (ENOMEM);
	vp->v_ino = ino;
	*vpp = vp;
	return (0);
}

/* --- the files of a process or thread --------------------------------------------------------- */

/* Threads have no threads. */
static bool
is_there(const struct proc_file *f, struct proc_id id)
{
	return (id.tid == 0 || f->dir != &task_ops);
}

static int
pid_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	const struct proc_file *const *f;
	struct proc_id id = PROCNODE(dir)->pn_id;

	id.fd = -1;
	SET_FOREACH (f, proc_pid_files)
		if (strlen((*f)->path) == len && memcmp((*f)->path, name, len) == 0 &&
		    is_there(*f, id))
			return (made(procfs_node(dir, name, len, *f, id),
				     inode(id, f - __start_set_proc_pid_files), vpp));
	return (ENOENT);
}

static int
pid_readdir(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	const size_t count = __stop_set_proc_pid_files - __start_set_proc_pid_files;
	const struct proc_file *const *f = __start_set_proc_pid_files;
	struct proc_id id = PROCNODE(dir)->pn_id;
	size_t i = *cookie - 2;

	if (i < count && !is_there(f[i], id))
		i++;
	if (i >= count)
		return (ENOENT);
	f += i;
	id.fd = -1;
	strlcpy(name, (*f)->path, NAME_MAX + 1);
	*type = (*f)->type;
	*ino = inode(id, i);
	*cookie = i + 3;
	return (0);
}

const struct vnodeops proc_pid_ops = {.v_lookup = pid_lookup, .v_readdir = pid_readdir};

/* --- task ------------------------------------------------------------------------------------- */

/* The least number >= tid of a thread of dir's process; 0: there is none. */
static int
next_tid(struct vnode *dir, int tid)
{
	struct proc *p = procfs_proc(dir);
	struct thread *td;
	int least = 0;

	if (p == NULL)
		return (0);
	rw_rlock(&p->p_lock);
	TAILQ_FOREACH (td, &p->p_threads, td_plink)
		if (td->td_tid >= tid && (least == 0 || td->td_tid < least))
			least = td->td_tid;
	rw_unlock(&p->p_lock);
	proc_rele(p);
	return (least);
}

static int
task_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	struct proc_id id = PROCNODE(dir)->pn_id;

	id.tid = procfs_number(name, len);
	if (id.tid <= 0 || next_tid(dir, id.tid) != id.tid)
		return (ENOENT);
	return (made(procfs_dir(dir, name, len, &proc_pid_ops, id), inode(id, 511), vpp));
}

static int
task_readdir(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	struct proc_id id = PROCNODE(dir)->pn_id;

	id.tid = next_tid(dir, (int)MIN(*cookie - 1, 0x7ffffffful));
	if (id.tid == 0)
		return (ENOENT);
	ksnprintf(name, NAME_MAX + 1, "%d", id.tid);
	*type = VDIR;
	*ino = inode(id, 511);
	*cookie = (uint64_t)id.tid + 2;
	return (0);
}

static const struct vnodeops task_ops = {.v_lookup = task_lookup, .v_readdir = task_readdir};
PROC_PID_FILE(task, .path = "task", .type = VDIR, .dir = &task_ops);

/* --- descriptors ------------------------------------------------------------------------------ */

/* The open file of descriptor fd of dir's process, or the first after it; NULL: there is none. */
static struct file *
next_file(struct vnode *dir, int *fd)
{
	struct proc *p = procfs_proc(dir);
	struct file *fp;

	if (p == NULL)
		return (NULL);
	fp = proc_next_file(p, fd);
	proc_rele(p);
	return (fp);
}

/* The open file of p's descriptor fd, and no other; NULL: there is none. */
static struct file *
file_of(struct proc *p, int fd)
{
	int found = fd;
	struct file *fp = proc_next_file(p, &found);

	if (fp == NULL || found == fd)
		return (fp);
	fdrop(fp);
	return (NULL);
}

static void
show_fd_target(struct text *t, struct proc *p)
{
	struct file *fp = file_of(p, t->fd);

	if (fp == NULL)
		return;
	text_add_path(t, fp->f_vnode);
	fdrop(fp);
}

static int
follow_fd(struct proc *p, int fd, struct vnode **vpp)
{
	struct file *fp = file_of(p, fd);

	if (fp == NULL)
		return (ENOENT);
	*vpp = fp->f_vnode;
	vref(*vpp);
	fdrop(fp);
	return (0);
}

static void
show_fdinfo(struct text *t, struct proc *p)
{
	struct file *fp = file_of(p, t->fd);

	if (fp == NULL)
		return;
	text_add(t, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", fp->f_offset, fp->f_flags,
		 fp->f_vnode->v_dev, fp->f_vnode->v_ino);
	fdrop(fp);
}

static const struct proc_file fd_file = {
    .path = "fd", .type = VLNK, .show = show_fd_target, .follow = follow_fd};
static const struct proc_file fdinfo_file = {.path = "fdinfo", .type = VREG, .show = show_fdinfo};

/* Dir is fd, of links; else fdinfo. */
static bool
has_links(struct vnode *dir)
{
	return (PROCNODE(dir)->pn_file->path[2] == '\0');
}

static int
fd_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	struct proc_id id = PROCNODE(dir)->pn_id;
	int want = procfs_number(name, len), error = ENOENT;
	bool link = has_links(dir);
	struct file *fp;

	id.fd = want;
	fp = want >= 0 ? next_file(dir, &id.fd) : NULL;
	if (fp == NULL)
		return (ENOENT);
	if (id.fd == want)
		error = made(procfs_node(dir, name, len, link ? &fd_file : &fdinfo_file, id),
			     inode(id, link), vpp);
	if (error == 0 && link) /* the rights say how it is open, as in Linux */
		(*vpp)->v_attr.va_mode =
		    0100 | (file_readable(fp) ? 0400 : 0) | (file_writable(fp) ? 0200 : 0);
	fdrop(fp);
	return (error);
}

static int
fd_readdir(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	struct proc_id id = PROCNODE(dir)->pn_id;
	struct file *fp;

	id.fd = (int)MIN(*cookie - 2, 0x7ffffffful);
	fp = next_file(dir, &id.fd);
	if (fp == NULL)
		return (ENOENT);
	fdrop(fp);
	ksnprintf(name, NAME_MAX + 1, "%d", id.fd);
	*type = has_links(dir) ? VLNK : VREG;
	*ino = inode(id, has_links(dir));
	*cookie = (uint64_t)id.fd + 3;
	return (0);
}

static const struct vnodeops fd_ops = {.v_lookup = fd_lookup, .v_readdir = fd_readdir};
PROC_PID_FILE(fd, .path = "fd", .type = VDIR, .dir = &fd_ops, .private = true);
PROC_PID_FILE(fdinfo, .path = "fdinfo", .type = VDIR, .dir = &fd_ops, .private = true);
