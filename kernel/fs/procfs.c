/*
 * /proc: what the kernel knows, as text. One table of paths; directories are what paths have in
 * common. A file's text is made when it is read from its beginning and kept for the reads that
 * follow, so that one reader sees one moment. What is below the number of a process is another
 * table, and its vnodes are made when they are looked up.
 */
#include "fs/procfs.h"
#include "fs/vnode.h"
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/pgrp.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "vm/vm_page.h"

#define PROC_SUPER_MAGIC 0x9fa0ul
#define PID_COOKIE \
	(1ul << 62) /* readdir: numbers of processes follow the names, each at this + number */

SET_DECLARE(sysctl, const struct sysctl);
SET_DECLARE(stats, const struct stat_counter);

static struct vnode *procdir; /* (c) */

bool
text_room(struct text *t, size_t n)
{
	size_t size = MAX(t->size, PAGE_SIZE);
	char *buf;

	while (size - t->len < n)
		size *= 2;
	if (size == t->size)
		return (true);
	buf = kmalloc(size, 0);
	if (buf == NULL)
		return (false);
	memcpy(buf, t->buf, t->len);
	kfree(t->buf);
	t->buf = buf;
	t->size = size;
	return (true);
}

void
text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	if (!text_room(t, 512))
		return;
	va_start(ap, fmt);
	t->len += MIN(kvsnprintf(t->buf + t->len, 512, fmt, ap), 511);
	va_end(ap);
}

void
text_add_path(struct text *t, struct vnode *vp)
{
	if (vp != NULL && text_room(t, PATH_MAX))
		t->len += vnode_path(vp, t->buf + t->len, PATH_MAX);
}

/* --- the files -------------------------------------------------------------------------------- */

static void
show_self(struct text *t, struct proc *p __unused)
{
	text_add(t, "%d", curproc->p_pid);
}

/* Bytes that mlock and its kin hold. */
static vm_size_t
locked_bytes(vm_map_t map)
{
	vm_size_t locked = 0;
	vm_map_entry_t e;

	vm_map_lock_read(map);
	VM_MAP_ENTRY_FOREACH (e, map)
		if (vm_map_entry_locked(e))
			locked += e->end - e->start;
	vm_map_unlock_read(map);
	return (locked);
}

/* What one line of a process's state says. */
struct snapshot {
	char state;
	int threads;
	uint64_t size, locked, resident; /* bytes, bytes, pages */
	char comm[sizeof(((struct proc *)0)->p_comm)];
};

static struct snapshot
take_snapshot(struct proc *p)
{
	struct snapshot s = {.state = p->p_zombie ? 'Z' : 'S'};
	struct thread *td;

	rw_rlock(&p->p_lock);
	TAILQ_FOREACH (td, &p->p_threads, td_plink) {
		s.threads++;
		if (td->td_state == TDS_RUNNABLE || td->td_state == TDS_RUNNING)
			s.state = 'R';
	}
	if (p->p_stop_told && p->p_stopsig != 0)
		s.state = 'T';
	if (p->p_vm != NULL) {
		s.size = p->p_vm->vm_map.size;
		s.locked = locked_bytes(&p->p_vm->vm_map);
		s.resident = p->p_vm->vm_pmap.pm_resident;
	}
	memcpy(s.comm, p->p_comm, sizeof(s.comm));
	rw_unlock(&p->p_lock);
	return (s);
}

static void
show_stat(struct text *t, struct proc *p)
{
	struct snapshot s = take_snapshot(p);
	int pgid = 0, sid = 0;

	pgrp_get(p->p_pid, &pgid, &sid);
	text_add(t, "%d (%s) %c %d %d %d 0 -1 0 %lu 0 %lu 0 %lu %lu 0 0 20 0 %d 0 %lu %lu %lu\n",
		 p->p_pid, s.comm, s.state, p->p_ppid, pgid, sid, p->p_minflt, p->p_majflt,
		 p->p_utime / 10000000, p->p_stime / 10000000, s.threads, p->p_start / 10000000,
		 s.size, s.resident);
}

static void
show_status(struct text *t, struct proc *p)
{
	struct snapshot s = take_snapshot(p);
	struct ucred *cr = proc_cred(p);

	text_add(t,
		 "Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n"
		 "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\n"
		 "VmRSS:\t%8lu kB\nThreads:\t%d\n",
		 s.comm, p->p_umask, s.state,
		 s.state == 'R'   ? "running"
		 : s.state == 'T' ? "stopped"
		 : s.state == 'Z' ? "zombie"
				  : "sleeping",
		 p->p_pid, p->p_pid, p->p_ppid, cr->cr_ruid, cr->cr_uid, cr->cr_svuid, cr->cr_fsuid,
		 cr->cr_rgid, cr->cr_gid, cr->cr_svgid, cr->cr_fsgid, s.size >> 10, s.locked >> 10,
		 s.resident << 2, s.threads);
	crfree(cr);
}

static void
show_cmdline(struct text *t, struct proc *p)
{
	struct vmspace *vm = proc_vmspace(p);
	size_t n;

	if (vm == NULL)
		return;
	n = vm->vm_arg_end - vm->vm_arg_start;
	if (n > 0 && text_room(t, n))
		t->len = vmspace_io(vm, vm->vm_arg_start, t->buf, n, false);
	vmspace_free(vm);
}

static void
show_comm(struct text *t, struct proc *p)
{
	text_add(t, "%s\n", take_snapshot(p).comm);
}

/* One of the vnodes that a process has, referenced, or NULL. */
static struct vnode *
take_vnode(struct proc *p, struct vnode *const *which)
{
	struct vnode *vp;

	rw_rlock(&p->p_lock);
	vp = *which;
	if (vp != NULL)
		vref(vp);
	rw_unlock(&p->p_lock);
	return (vp);
}

static void
show_exe(struct text *t, struct proc *p)
{
	struct vnode *vp = take_vnode(p, &p->p_exe);

	text_add_path(t, vp);
	vrele(vp);
}

static void
show_cwd(struct text *t, struct proc *p)
{
	struct vnode *vp = take_vnode(p, &p->p_cwd);

	text_add_path(t, vp);
	vrele(vp);
}

static void
show_root(struct text *t, struct proc *p)
{
	struct vnode *vp = take_vnode(p, &p->p_root);

	text_add_path(t, vp);
	vrele(vp);
}

/* A mount's path as fields of a line are written: blanks and backslashes as \ooo. */
static void
add_mount_path(struct text *t, struct mount *mnt)
{
	struct text path = {0};

	text_add_path(&path, mnt->mnt_root);
	for (size_t i = 0; i < path.len; i++) {
		char c = path.buf[i];

		if (c == ' ' || c == '\t' || c == '\n' || c == '\\')
			text_add(t, "\\%03o", (unsigned)c);
		else
			text_add(t, "%c", c);
	}
	kfree(path.buf);
}

static void
show_mounts(struct text *t, struct proc *p __unused)
{
	for (struct mount *mnt = mountlist; mnt != NULL; mnt = mnt->mnt_next) {
		text_add(t, "%s ", mnt->mnt_from);
		add_mount_path(t, mnt);
		text_add(t, " %s rw,relatime 0 0\n", mnt->mnt_type);
	}
}

/* A mount's number is its device's; the root is its own parent, as where there is no initramfs. */
static void
show_mountinfo(struct text *t, struct proc *p __unused)
{
	for (struct mount *mnt = mountlist; mnt != NULL; mnt = mnt->mnt_next) {
		struct vnode *up = vnode_parent(mnt->mnt_root);

		text_add(t, "%u %u 0:%u / ", mnt->mnt_root->v_dev, up->v_dev, mnt->mnt_root->v_dev);
		add_mount_path(t, mnt);
		text_add(t, " rw,relatime - %s %s rw\n", mnt->mnt_type, mnt->mnt_from);
		vrele(up);
	}
}

static void
show_filesystems(struct text *t, struct proc *p __unused)
{
	text_add(t, "nodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tproc\n");
}

static void
show_mounts_link(struct text *t, struct proc *p __unused)
{
	text_add(t, "self/mounts");
}

static void
show_meminfo(struct text *t, struct proc *p __unused)
{
	const struct {
		const char *name;
		uint64_t pages;
	} lines[] = {
	    {"MemTotal", vm_cnt.v_page_count},
	    {"MemFree", vm_cnt.v_free_count},
	    {"MemAvailable", vm_cnt.v_free_count},
	    {"Buffers", 0},
	    {"Cached", 0},
	    {"Active", vm_cnt.v_active_count},
	    {"Inactive", vm_cnt.v_inactive_count},
	    {"Unevictable", vm_cnt.v_wire_count},
	    {"SwapTotal", 0},
	    {"SwapFree", 0},
	    {"PageTables", vm_cnt.v_pt_pages},
	    {"CommitLimit", vm_commit_limit()},
	    {"Committed_AS", vm_cnt.v_committed},
	};

	for (size_t i = 0; i < nitems(lines); i++)
		text_add(t, "%s:%*lu kB\n", lines[i].name, 23 - (int)strlen(lines[i].name),
			 lines[i].pages << 2);
}

static void
show_uptime(struct text *t, struct proc *p __unused)
{
	uint64_t cs = cpu_now() / 10000000;

	text_add(t, "%lu.%02lu %lu.%02lu\n", cs / 100, cs % 100, 0ul, 0ul);
}

static void
show_version(struct text *t, struct proc *p __unused)
{
	text_add(t, "Linux version " KERNEL_RELEASE " " KERNEL_VERSION "\n");
}

static void
show_cpuinfo(struct text *t, struct proc *p __unused)
{
	text_add(t, "processor\t: 0\nmodel name\t: %s\ncpu MHz\t\t: %lu.%03lu\n\n", cpu_name(),
		 cpu_tsc_hz() / 1000000, cpu_tsc_hz() / 1000 % 1000);
}

static void
show_stats(struct text *t, struct proc *p __unused)
{
	const struct stat_counter *const *st;

	SET_FOREACH (st, stats)
		text_add(t, "%s %lu\n", (*st)->st_name, *(*st)->st_value);
}

static void
show_dmesg(struct text *t, struct proc *p __unused)
{
	size_t n;

	do {
		n = text_room(t, PAGE_SIZE) ? log_read(t->buf + t->len, PAGE_SIZE, t->len) : 0;
		t->len += n;
	} while (n > 0);
}

struct proc_file {
	const char *path;
	enum vtype type;
	void (*show)(struct text *t, struct proc *p); /* p: below a process's number, else NULL */
	int (*store)(struct proc *p, const char *text); /* below a process's number; or NULL */
};
static const struct proc_file files[] = {
    {"self", VLNK, show_self, NULL},
    {"meminfo", VREG, show_meminfo, NULL},
    {"uptime", VREG, show_uptime, NULL},
    {"version", VREG, show_version, NULL},
    {"cpuinfo", VREG, show_cpuinfo, NULL},
    {"quire/stats", VREG, show_stats, NULL},
    {"quire/dmesg", VREG, show_dmesg, NULL},
    {"mounts", VLNK, show_mounts_link, NULL},
    {"filesystems", VREG, show_filesystems, NULL},
};
static const struct proc_file pid_files[] = {
    {"maps", VREG, proc_show_maps, NULL},
    {"smaps", VREG, proc_show_smaps, NULL},
    {"stat", VREG, show_stat, NULL},
    {"status", VREG, show_status, NULL},
    {"cmdline", VREG, show_cmdline, NULL},
    {"comm", VREG, show_comm, NULL},
    {"limits", VREG, proc_show_limits, NULL},
    {"oom_score", VREG, proc_show_oom_score, NULL},
    {"oom_score_adj", VREG, proc_show_oom_score_adj, proc_store_oom_score_adj},
    {"exe", VLNK, show_exe, NULL},
    {"cwd", VLNK, show_cwd, NULL},
    {"root", VLNK, show_root, NULL},
    {"mounts", VREG, show_mounts, NULL},
    {"mountinfo", VREG, show_mountinfo, NULL},
};

/* --- the tree --------------------------------------------------------------------------------- */

struct procnode {
	struct vnode pn_vnode;
	void (*pn_show)(struct text *t, struct proc *p); /* (c) */
	int (*pn_store)(struct proc *p, const char *text); /* (c) or NULL */
	const struct sysctl *pn_sysctl; /* (c) in place of pn_show */
	int pn_pid; /* (c) whose; 0: nobody's */
	struct text pn_text; /* (v) */
};
#define PROCNODE(vp) container_of(vp, struct procnode, pn_vnode)

static void
show_sysctl(struct text *t, const struct sysctl *sc)
{
	size_t len = 511;

	while (text_room(t, len + 1)) {
		len = (size_t)sc->sc_show(t->buf, t->size);
		if (len < t->size) {
			t->len = len;
			return;
		}
	}
}

/* The text of vp's file; that of a process that is gone is ESRCH. */
static int
render(struct vnode *vp, struct text *t)
{
	struct procnode *pn = PROCNODE(vp);
	struct proc *p = pn->pn_pid != 0 ? proc_find(pn->pn_pid) : NULL;

	*t = (struct text){0};
	if (pn->pn_pid != 0 && p == NULL)
		return (ESRCH);
	if (pn->pn_sysctl == NULL)
		pn->pn_show(t, p);
	else
		show_sysctl(t, pn->pn_sysctl);
	if (p != NULL)
		proc_rele(p);
	return (0);
}

/* Readers take turns: one that reads on finds the text that it, or another since, began with. */
static int
procfs_read(struct vnode *vp, struct uio *uio, struct file *fp __unused)
{
	struct text *t = &PROCNODE(vp)->pn_text;
	uint64_t at = uio->uio_offset;
	int error = 0;

	rw_wlock(&vp->v_lock);
	if (at == 0 || t->buf == NULL) {
		kfree(t->buf);
		error = render(vp, t);
	}
	if (error == 0 && at < t->len) {
		error = uiomove(t->buf + at, MIN(uio->uio_resid, t->len - at), uio);
	} else { /* read to the end */
		kfree(t->buf);
		*t = (struct text){0};
	}
	rw_unlock(&vp->v_lock);
	return (error);
}

/* The text that was written, to whoever takes it. ESRCH: the process is gone. */
static int
store(struct procnode *pn, const char *value)
{
	struct proc *p;
	int error;

	if (pn->pn_sysctl != NULL)
		return (pn->pn_sysctl->sc_store(value));
	p = proc_find(pn->pn_pid);
	if (p == NULL)
		return (ESRCH);
	error = pn->pn_store(p, value);
	proc_rele(p);
	return (error);
}

static int
procfs_write(struct vnode *vp, struct uio *uio, struct file *fp __unused)
{
	struct procnode *pn = PROCNODE(vp);
	size_t len = uio->uio_resid;
	char value[128];
	int error;

	if (pn->pn_sysctl != NULL ? pn->pn_sysctl->sc_store == NULL : pn->pn_store == NULL)
		return (EACCES);
	if (len >= sizeof(value))
		return (EINVAL);
	error = uiomove(value, len, uio);
	if (error != 0)
		return (error);
	value[len > 0 && value[len - 1] == '\n' ? len - 1 : len] = '\0';
	error = store(pn, value);
	uio->uio_resid = error != 0 ? len : 0; /* nothing was written, then */
	return (error);
}

static int
procfs_readlink(struct vnode *vp, char *buf, size_t size)
{
	struct text t;
	int error = render(vp, &t);

	if (error == 0 && (t.buf == NULL || t.len >= size))
		error = t.buf == NULL ? ENOENT : ENAMETOOLONG;
	if (error == 0) {
		memcpy(buf, t.buf, t.len);
		buf[t.len] = '\0';
	}
	kfree(t.buf);
	return (error);
}

static void
procfs_inactive(struct vnode *vp)
{
	kfree(PROCNODE(vp)->pn_text.buf);
}

static const struct vnodeops file_ops = {
    .v_read = procfs_read,
    .v_write = procfs_write,
    .v_readlink = procfs_readlink,
    .v_inactive = procfs_inactive,
};

static struct vnode *
node_alloc(const struct vnodeops *ops, enum vtype type, struct vnode *dir, const char *name,
	   size_t len, int pid)
{
	struct vnode *vp = vnode_alloc(sizeof(struct procnode), ops, type, dir, name, len);

	if (vp != NULL) {
		PROCNODE(vp)->pn_pid = pid;
		vp->v_attr.va_mode = type == VREG ? 0444 : type == VDIR ? 0555 : 0777;
	}
	return (vp);
}

/* --- below the number of a process ------------------------------------------------------------ */

static int
pid_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	const struct proc_file *f = pid_files;

	while (f < pid_files + nitems(pid_files) &&
	       (strlen(f->path) != len || memcmp(f->path, name, len) != 0))
		f++;
	if (f == pid_files + nitems(pid_files))
		return (ENOENT);
	*vpp = node_alloc(&file_ops, f->type, dir, name, len, PROCNODE(dir)->pn_pid);
	if (*vpp == NULL)
		return (ENOMEM);
	PROCNODE(*vpp)->pn_show = f->show;
	PROCNODE(*vpp)->pn_store = f->store;
	if (f->store != NULL)
		(*vpp)->v_attr.va_mode |= 0200;
	return (0);
}

static int
pid_readdir(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	uint64_t i = *cookie - 2;

	if (i >= nitems(pid_files))
		return (ENOENT);
	strlcpy(name, pid_files[i].path, NAME_MAX + 1);
	*type = pid_files[i].type;
	*ino = dir->v_ino + 1 + i;
	++*cookie;
	return (0);
}

static const struct vnodeops pid_ops = {.v_lookup = pid_lookup, .v_readdir = pid_readdir};

/* --- the root --------------------------------------------------------------------------------- */

/* The number that a name says, as it is written; 0: none. */
static int
name_to_pid(const char *name, size_t len)
{
	int pid = 0;

	if (len == 0 || len > 9 || *name == '0')
		return (0);
	for (; len > 0; name++, len--) {
		if (*name < '0' || *name > '9')
			return (0);
		pid = pid * 10 + (*name - '0');
	}
	return (pid);
}

static int
root_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	int pid = name_to_pid(name, len);
	struct proc *p = pid != 0 ? proc_find(pid) : NULL;

	if (p == NULL)
		return (ramfs_ops.v_lookup(dir, name, len, vpp));
	proc_rele(p);
	*vpp = node_alloc(&pid_ops, VDIR, dir, name, len, pid);
	return (*vpp != NULL ? 0 : ENOMEM);
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
	*ino = (1ul << 32) + p->p_pid;
	*type = VDIR;
	*cookie = PID_COOKIE + p->p_pid + 1;
	proc_rele(p);
	return (0);
}

static int
dir_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	return (ramfs_ops.v_lookup(dir, name, len, vpp));
}

static int
dir_readdir(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	return (ramfs_ops.v_readdir(dir, cookie, name, ino, type));
}

static const struct vnodeops root_ops = {.v_lookup = root_lookup, .v_readdir = root_readdir};
static const struct vnodeops dir_ops = {.v_lookup = dir_lookup, .v_readdir = dir_readdir};

/* A file at path below /proc, and the directories on the way there. */
static void
add_file(const char *path, enum vtype type, void (*show)(struct text *t, struct proc *p),
	 const struct sysctl *sc)
{
	struct vnode *dir = procdir, *vp;
	const char *slash;

	for (; (slash = strchr(path, '/')) != NULL; path = slash + 1) {
		if (ramfs_ops.v_lookup(dir, path, slash - path, &vp) != 0 &&
		    ramfs_ops.v_create(dir, path, slash - path, VDIR, 0555, NULL, &vp) != 0)
			return;
		vp->v_ops = &dir_ops; /* nothing can be made there from now on */
		vrele(vp); /* its name holds it */
		dir = vp;
	}
	vp = node_alloc(&file_ops, type, dir, path, strlen(path), 0);
	if (vp == NULL)
		return;
	PROCNODE(vp)->pn_show = show;
	PROCNODE(vp)->pn_sysctl = sc;
	if (sc != NULL && sc->sc_store != NULL)
		vp->v_attr.va_mode = 0644;
	vp->v_nlink = 0;
	ramfs_ops.v_link(dir, path, strlen(path), vp);
	vrele(vp);
}

void
procfs_init(void)
{
	static struct mount procmount = {
	    .mnt_type = "proc", .mnt_from = "proc", .mnt_magic = PROC_SUPER_MAGIC};
	const struct sysctl *const *sc;
	char path[128];

	if (ramfs_mount(&procmount, rootvnode, "proc", 0555) != 0)
		return;
	procdir = procmount.mnt_root;
	for (size_t i = 0; i < nitems(files); i++)
		add_file(files[i].path, files[i].type, files[i].show, NULL);
	SET_FOREACH (sc, sysctl) {
		if ((*sc)->sc_path[0] == '/')
			strlcpy(path, (*sc)->sc_path + 1, sizeof(path));
		else
			ksnprintf(path, sizeof(path), "sys/%s", (*sc)->sc_path);
		add_file(path, VREG, NULL, *sc);
	}
	procdir->v_ops = &root_ops; /* nothing can be made there from now on */
}
