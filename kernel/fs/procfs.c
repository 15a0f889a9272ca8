/*
 * /proc: what the kernel knows, as text. One table of paths; directories are what paths have in common.
 * A file's text is made when it is read from its beginning and kept for the reads that follow, so
 * that one reader sees one moment. A process sees itself here, and no other.
 */
#include "fs/vnode.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "vm/vm_page.h"

#define PID_DIR "PID"

SET_DECLARE(sysctl, const struct sysctl);
SET_DECLARE(stats, const struct stat_counter);

static struct vnode *procdir; /* (c) */

/* Text that grows; what does not fit in memory any more is left out. */
struct text {
	char *buf;
	size_t len, size;
};

/* Room for n bytes at buf + len, or false. */
static bool
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

static void __printf_like(2, 3) text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	if (!text_room(t, 512))
		return;
	va_start(ap, fmt);
	t->len += MIN(kvsnprintf(t->buf + t->len, 512, fmt, ap), 511);
	va_end(ap);
}

static void
text_add_path(struct text *t, struct vnode *vp)
{
	if (vp != NULL && text_room(t, PATH_MAX))
		t->len += vnode_path(vp, t->buf + t->len, PATH_MAX);
}

/* --- the files ---------------------------------------------------------------------------------- */

static void
show_self(struct text *t)
{
	text_add(t, "%d", curproc->p_pid);
}

static void
show_map_entry(struct text *t, vm_map_entry_t e)
{
	struct vnode *vp = e->name_vp;
	size_t start = t->len;

	text_add(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", e->start, e->end,
		 (e->protection & VM_PROT_READ) != 0 ? 'r' : '-',
		 (e->protection & VM_PROT_WRITE) != 0 ? 'w' : '-',
		 (e->protection & VM_PROT_EXECUTE) != 0 ? 'x' : '-',
		 (e->eflags & MAP_ENTRY_SHARED) != 0 ? 's' : 'p', vp != NULL ? e->offset : 0ul, 0u,
		 vp != NULL ? vp->v_dev : 0, vp != NULL ? vp->v_ino : 0ul);
	if (vp != NULL || (e->eflags & (MAP_ENTRY_HEAP | MAP_ENTRY_STACK)) != 0)
		text_add(t, "%*s", (int)(73 - MIN(t->len - start, 72ul)), "");
	if (vp != NULL)
		text_add_path(t, vp);
	else if ((e->eflags & MAP_ENTRY_HEAP) != 0)
		text_add(t, "[heap]");
	else if ((e->eflags & MAP_ENTRY_STACK) != 0)
		text_add(t, "[stack]");
	text_add(t, "\n");
}

static void
show_maps(struct text *t)
{
	vm_map_t map = &curproc->p_map;
	vm_map_entry_t e;

	vm_map_lock_read(map);
	VM_MAP_ENTRY_FOREACH (e, map)
		show_map_entry(t, e);
	vm_map_unlock_read(map);
}

static void
show_stat(struct text *t)
{
	struct proc *p = curproc;

	text_add(t, "%d (%s) R 0 %d %d 0 -1 0 %lu 0 %lu 0 %lu %lu 0 0 20 0 1 0 %lu %lu %lu\n",
		 p->p_pid, p->p_comm, p->p_pid, p->p_pid, p->p_minflt, p->p_majflt,
		 p->p_utime / 10000000, p->p_stime / 10000000, p->p_start / 10000000, p->p_map.size,
		 p->p_pmap.pm_resident);
}

/* Bytes that mlock and its kin hold. */
static vm_size_t
locked_bytes(vm_map_t map)
{
	vm_size_t locked = 0;
	vm_map_entry_t e;

	vm_map_lock_read(map);
	VM_MAP_ENTRY_FOREACH (e, map)
		if (e->wired_count != 0 || (e->eflags & MAP_ENTRY_ONFAULT) != 0)
			locked += e->end - e->start;
	vm_map_unlock_read(map);
	return (locked);
}

static void
show_status(struct text *t)
{
	struct proc *p = curproc;

	text_add(
	    t,
	    "Name:\t%s\nUmask:\t0022\nState:\tR (running)\nTgid:\t%d\nPid:\t%d\nPPid:\t0\n"
	    "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmRSS:\t%8lu kB\n",
	    p->p_comm, p->p_pid, p->p_pid, p->p_map.size >> 10, locked_bytes(&p->p_map) >> 10,
	    p->p_pmap.pm_resident << 2);
}

static void
show_cmdline(struct text *t)
{
	size_t n = curproc->p_arg_end - curproc->p_arg_start;

	if (text_room(t, n) && copyin((void *)curproc->p_arg_start, t->buf, n) == 0)
		t->len = n;
}

static void
show_comm(struct text *t)
{
	text_add(t, "%s\n", curproc->p_comm);
}

static void
show_exe(struct text *t)
{
	text_add_path(t, curproc->p_exe);
}

static void
show_meminfo(struct text *t)
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
	};

	for (size_t i = 0; i < nitems(lines); i++)
		text_add(t, "%s:%*lu kB\n", lines[i].name, 23 - (int)strlen(lines[i].name),
			 lines[i].pages << 2);
}

static void
show_uptime(struct text *t)
{
	uint64_t cs = cpu_now() / 10000000;

	text_add(t, "%lu.%02lu %lu.%02lu\n", cs / 100, cs % 100, 0ul, 0ul);
}

static void
show_version(struct text *t)
{
	text_add(t, "Linux version " KERNEL_RELEASE " " KERNEL_VERSION "\n");
}

static void
show_cpuinfo(struct text *t)
{
	text_add(t, "processor\t: 0\nmodel name\t: %s\ncpu MHz\t\t: %lu.%03lu\n\n", cpu_name(),
		 cpu_tsc_hz() / 1000000, cpu_tsc_hz() / 1000 % 1000);
}

static void
show_stats(struct text *t)
{
	const struct stat_counter *const *st;

	SET_FOREACH (st, stats)
		text_add(t, "%s %lu\n", (*st)->st_name, *(*st)->st_value);
}

static void
show_dmesg(struct text *t)
{
	size_t n;

	do {
		n = text_room(t, PAGE_SIZE) ? log_read(t->buf + t->len, PAGE_SIZE, t->len) : 0;
		t->len += n;
	} while (n > 0);
}

static const struct proc_file {
	const char *path; /* PID_DIR: the directory that goes by the process's number */
	enum vtype type;
	void (*show)(struct text *t);
} files[] = {
    {"self", VLNK, show_self},
    {PID_DIR "/maps", VREG, show_maps},
    {PID_DIR "/stat", VREG, show_stat},
    {PID_DIR "/status", VREG, show_status},
    {PID_DIR "/cmdline", VREG, show_cmdline},
    {PID_DIR "/comm", VREG, show_comm},
    {PID_DIR "/exe", VLNK, show_exe},
    {"meminfo", VREG, show_meminfo},
    {"uptime", VREG, show_uptime},
    {"version", VREG, show_version},
    {"cpuinfo", VREG, show_cpuinfo},
    {"quire/stats", VREG, show_stats},
    {"quire/dmesg", VREG, show_dmesg},
};

/* --- the tree ------------------------------------------------------------------------------------- */

struct procnode {
	struct vnode pn_vnode;
	void (*pn_show)(struct text *t); /* (c) */
	const struct sysctl *pn_sysctl; /* (c) in place of pn_show */
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

static struct text
render(struct vnode *vp)
{
	struct procnode *pn = PROCNODE(vp);
	struct text t = {0};

	if (pn->pn_sysctl == NULL)
		pn->pn_show(&t);
	else
		show_sysctl(&t, pn->pn_sysctl);
	return (t);
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
		*t = render(vp);
	}
	if (at < t->len) {
		error = uiomove(t->buf + at, MIN(uio->uio_resid, t->len - at), uio);
	} else { /* read to the end */
		kfree(t->buf);
		*t = (struct text){0};
	}
	rw_unlock(&vp->v_lock);
	return (error);
}

static int
procfs_write(struct vnode *vp, struct uio *uio, struct file *fp __unused)
{
	const struct sysctl *sc = PROCNODE(vp)->pn_sysctl;
	size_t len = uio->uio_resid;
	char value[128];
	int error;

	if (sc == NULL || sc->sc_store == NULL)
		return (EACCES);
	if (len >= sizeof(value))
		return (EINVAL);
	error = uiomove(value, len, uio);
	if (error != 0)
		return (error);
	value[len > 0 && value[len - 1] == '\n' ? len - 1 : len] = '\0';
	error = sc->sc_store(value);
	uio->uio_resid = error != 0 ? len : 0; /* nothing was written, then */
	return (error);
}

static int
procfs_readlink(struct vnode *vp, char *buf, size_t size)
{
	struct text t = render(vp);
	int error = t.buf == NULL ? ENOENT : t.len >= size ? ENAMETOOLONG : 0;

	if (error == 0) {
		memcpy(buf, t.buf, t.len);
		buf[t.len] = '\0';
	}
	kfree(t.buf);
	return (error);
}

static const struct vnodeops file_ops = {
    .v_read = procfs_read,
    .v_write = procfs_write,
    .v_readlink = procfs_readlink,
};

/* The number of the process that looks, if that is what the text says. */
static bool
is_own_pid(const char *name, size_t len)
{
	char pid[12];

	if (curproc == NULL) /* the initrd is unpacked before there is a process */
		return (false);
	return ((size_t)ksnprintf(pid, sizeof(pid), "%d", curproc->p_pid) == len &&
		memcmp(pid, name, len) == 0);
}

static int
dir_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	if (dir == procdir && is_own_pid(name, len))
		return (ramfs_ops.v_lookup(dir, PID_DIR, strlen(PID_DIR), vpp));
	return (ramfs_ops.v_lookup(dir, name, len, vpp));
}

static int
dir_readdir(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	int error = ramfs_ops.v_readdir(dir, cookie, name, ino, type);

	if (error == 0 && strcmp(name, PID_DIR) == 0)
		ksnprintf(name, NAME_MAX + 1, "%d", curproc->p_pid);
	return (error);
}

static const struct vnodeops dir_ops = {.v_lookup = dir_lookup, .v_readdir = dir_readdir};

/* A file at path below /proc, and the directories on the way there. */
static void
add_file(const char *path, enum vtype type, void (*show)(struct text *t), const struct sysctl *sc)
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
	vp = vnode_alloc(sizeof(struct procnode), &file_ops, type, dir, path, strlen(path));
	if (vp == NULL)
		return;
	PROCNODE(vp)->pn_show = show;
	PROCNODE(vp)->pn_sysctl = sc;
	vp->v_mode = type == VLNK ? 0777 : sc != NULL && sc->sc_store != NULL ? 0644 : 0444;
	vp->v_nlink = 0;
	ramfs_ops.v_link(dir, path, strlen(path), vp);
	vrele(vp);
}

void
procfs_init(void)
{
	const struct sysctl *const *sc;
	char path[128];

	if (ramfs_ops.v_create(rootvnode, "proc", 4, VDIR, 0555, NULL, &procdir) != 0)
		return;
	procdir->v_ops = &dir_ops;
	for (size_t i = 0; i < nitems(files); i++)
		add_file(files[i].path, files[i].type, files[i].show, NULL);
	SET_FOREACH (sc, sysctl) {
		if ((*sc)->sc_path[0] == '/')
			strlcpy(path, (*sc)->sc_path + 1, sizeof(path));
		else
			ksnprintf(path, sizeof(path), "sys/%s", (*sc)->sc_path);
		add_file(path, VREG, NULL, *sc);
	}
}
