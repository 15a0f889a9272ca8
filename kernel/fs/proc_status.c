/*
 * What /proc/PID tells of a process's state: stat, statm, status, and its strings, as proc(5) of
 * Linux has them. Below task/TID the same, of one thread.
 */
#include "fs/procfs.h"
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/panic.h"
#include "kern/pgrp.h"
#include "kern/proc.h"
#include "kern/pwd.h"
#include "kern/string.h"
#include "kern/tty.h"

#define TICK_NS 10000000ul /* ns of a tick, of which programs expect 100 a second */

/* What maps add up to, bytes but for `file`: pages in memory of files and devices. */
struct vm_sizes {
	uint64_t size, locked, data, stack, text, lib, file;
};

static void
add_entry(struct vm_sizes *s, struct vmspace *vm, vm_map_entry_t e, const void *exe)
{
	uint64_t size = e->end - e->start;
	bool writable = (e->protection & VM_PROT_WRITE) != 0;

	s->size += size;
	if (vm_map_entry_locked(e))
		s->locked += size;
	if ((e->eflags & MAP_ENTRY_STACK) != 0)
		s->stack += size;
	else if (writable && (e->eflags & MAP_ENTRY_SHARED) == 0)
		s->data += size;
	else if (!writable && (e->protection & VM_PROT_EXECUTE) != 0)
		*(e->name_vp == exe ? &s->text : &s->lib) += size;
	/* Pages that a private mapping has copied are not told from those of the file behind. */
	if (e->object != NULL && e->object->type != OBJT_ANON)
		s->file += pmap_usage(&vm->vm_pmap, e->start, e->end).resident;
}

/* What one line of a process's state says. */
struct snapshot {
	char state;
	int id; /* of the process or the thread */
	int threads;
	int umask; /* -1: it is dead */
	uint64_t resident; /* pages */
	struct vm_sizes vm;
	struct vmspace *space; /* referenced; NULL: it is dead */
	uint64_t pending, shared_pending, blocked, ignored, caught; /* signals */
	char comm[sizeof(((struct proc *)0)->p_comm)];
};

static void
add_threads(struct snapshot *s, struct proc *p, int tid)
{
	struct thread *td;

	rw_assert_locked(&p->p_lock);
	TAILQ_FOREACH (td, &p->p_threads, td_plink) {
		s->threads++;
		if (tid != 0 && td->td_tid != tid)
			continue;
		if (td->td_state == TDS_RUNNABLE || td->td_state == TDS_RUNNING)
			s->state = 'R';
		if (tid != 0 || td == TAILQ_FIRST(&p->p_threads)) {
			s->pending = td->td_sigqueue.sq_set;
			s->blocked = td->td_sigmask;
		}
	}
	if (p->p_stop_told && p->p_stopsig != 0)
		s->state = 'T';
	s->shared_pending = p->p_sigqueue.sq_set;
	for (int i = 0; i < NSIG; i++) {
		s->ignored |= p->p_sigaction[i].sa_handler == SIG_IGN ? 1ul << i : 0;
		s->caught |= p->p_sigaction[i].sa_handler > SIG_IGN ? 1ul << i : 0;
	}
}

/* Let go of s->space afterwards. */
static struct snapshot
take_snapshot(struct text *t, struct proc *p)
{
	struct snapshot s = {
	    .state = p->p_zombie ? 'Z' : 'S', .id = t->tid ? t->tid : p->p_pid, .umask = -1};
	vm_map_entry_t e;
	void *exe;

	rw_rlock(&p->p_lock);
	add_threads(&s, p, t->tid);
	memcpy(s.comm, p->p_comm, sizeof(s.comm));
	if (p->p_pd != NULL)
		s.umask = (int)p->p_pd->pd_umask;
	exe = p->p_exe; /* only compared */
	s.space = p->p_vm;
	if (s.space != NULL)
		vmspace_ref(s.space);
	rw_unlock(&p->p_lock);
	if (s.space == NULL)
		return (s);
	s.resident = s.space->vm_pmap.pm_resident;
	vm_map_lock_read(&s.space->vm_map);
	VM_MAP_ENTRY_FOREACH (e, &s.space->vm_map)
		add_entry(&s.vm, s.space, e, exe);
	vm_map_unlock_read(&s.space->vm_map);
	return (s);
}

static void
release_snapshot(struct snapshot *s)
{
	if (s->space != NULL)
		vmspace_free(s->space);
}

/* Group, session, terminal and the terminal's foreground group: of one that is gone, nothing. */
static void
add_jobs(struct text *t, struct proc *p)
{
	const struct pgrp *pg;
	const struct tty *tp = NULL;

	rw_rlock(&proctree_lock);
	pg = p->p_pgrp;
	if (pg != NULL)
		tp = pg->pg_session->s_tty;
	text_add(t, " %d %d %u %d", pg != NULL ? pg->pg_id : 0,
		 pg != NULL ? pg->pg_session->s_sid : 0,
		 tp != NULL ? tp->t_major << 8 | tp->t_minor : 0, tp != NULL ? tp->t_pgid : -1);
	rw_unlock(&proctree_lock);
}

/* The 52 fields of proc(5), a line of them for each kind of thing. */
static void
show_stat(struct text *t, struct proc *p)
{
	static const struct vmspace none;
	struct snapshot s = take_snapshot(t, p);
	const struct vmspace *vm = s.space != NULL ? s.space : &none;
	struct usage u, c;

	proc_usage(p, &u);
	rw_rlock(&proctree_lock);
	c = p->p_cusage;
	rw_unlock(&proctree_lock);
	text_add(t, "%d (%s) %c %d", s.id, s.comm, s.state, p->p_ppid);
	add_jobs(t, p);
	text_add(t, " 0 %lu %lu %lu %lu", u.u_minflt, c.u_minflt, u.u_majflt, c.u_majflt);
	text_add(t, " %lu %lu %lu %lu", u.u_utime / TICK_NS, u.u_stime / TICK_NS,
		 c.u_utime / TICK_NS, c.u_stime / TICK_NS);
	text_add(t, " 20 0 %d 0 %lu", s.threads, p->p_start / TICK_NS);
	text_add(t, " %lu %lu %lu", s.vm.size, s.resident, ~0ul); /* no limit */
	text_add(t, " 0 0 %lu 0 0", vm->vm_stack_top); /* where the program and its registers are */
	text_add(t, " %lu %lu %lu %lu", s.pending | s.shared_pending, s.blocked, s.ignored,
		 s.caught);
	text_add(t, " %d 0 0 %d 0 0 0 0 0 0", s.state == 'S', p->p_exit_signal);
	text_add(t, " 0 0 %lu %lu %lu", vm->vm_brk_start, vm->vm_arg_start, vm->vm_arg_end);
	text_add(t, " %lu %lu %d\n", vm->vm_env_start, vm->vm_env_end, MAX(p->p_status, 0));
	release_snapshot(&s);
}
PROC_PID_FILE(stat, .path = "stat", .type = VREG, .show = show_stat);

static void
show_statm(struct text *t, struct proc *p)
{
	struct snapshot s = take_snapshot(t, p);

	text_add(t, "%lu %lu %lu %lu 0 %lu 0\n", atop(s.vm.size), s.resident, s.vm.file,
		 atop(s.vm.text), atop(s.vm.data + s.vm.stack));
	release_snapshot(&s);
}
PROC_PID_FILE(statm, .path = "statm", .type = VREG, .show = show_statm);

static void
show_status_memory(struct text *t, const struct snapshot *s)
{
	const struct {
		const char *name;
		uint64_t kb;
	} lines[] = {
	    {"VmSize", s->vm.size >> 10},
	    {"VmLck", s->vm.locked >> 10},
	    {"VmRSS", s->resident << 2},
	    {"RssAnon", (s->resident - MIN(s->resident, s->vm.file)) << 2},
	    {"RssFile", s->vm.file << 2},
	    {"VmData", s->vm.data >> 10},
	    {"VmStk", s->vm.stack >> 10},
	    {"VmExe", s->vm.text >> 10},
	    {"VmLib", s->vm.lib >> 10},
	};

	for (size_t i = 0; i < nitems(lines); i++)
		text_add(t, "%s:\t%8lu kB\n", lines[i].name, lines[i].kb);
}

static void
show_status(struct text *t, struct proc *p)
{
	struct snapshot s = take_snapshot(t, p);
	struct ucred *cr = proc_cred(p);
	const char *word = s.state == 'R'   ? "running"
			   : s.state == 'Z' ? "zombie"
			   : s.state == 'T' ? "stopped"
					    : "sleeping";

	text_add(t, "Name:\t%s\n", s.comm);
	if (s.umask >= 0)
		text_add(t, "Umask:\t%04o\n", s.umask);
	text_add(t, "State:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\n", s.state, word, p->p_pid,
		 s.id);
	text_add(t, "PPid:\t%d\nTracerPid:\t0\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n",
		 p->p_ppid, cr->cr_ruid, cr->cr_uid, cr->cr_svuid, cr->cr_fsuid, cr->cr_rgid,
		 cr->cr_gid, cr->cr_svgid, cr->cr_fsgid);
	crfree(cr);
	text_add(t, "FDSize:\t%d\nGroups:\t \n", FD_MAX);
	if (s.space != NULL)
		show_status_memory(t, &s);
	text_add(t, "Threads:\t%d\nSigPnd:\t%016lx\nShdPnd:\t%016lx\n", s.threads, s.pending,
		 s.shared_pending);
	text_add(t, "SigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", s.blocked, s.ignored,
		 s.caught);
	text_add(t, "Cpus_allowed:\t1\nCpus_allowed_list:\t0\n");
	release_snapshot(&s);
}
PROC_PID_FILE(status, .path = "status", .type = VREG, .show = show_status);

/* Nothing is read from or written to disks. */
static void
show_io(struct text *t, struct proc *p)
{
	text_add(t, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n", p->p_read.bytes,
		 p->p_written.bytes, p->p_read.calls, p->p_written.calls);
	text_add(t, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
}
PROC_PID_FILE(io, .path = "io", .type = VREG, .show = show_io, .private = true);

/* --- strings ---------------------------------------------------------------------------------- */

/* Memory of vm, whose reference goes, from start to end, where exec has put it; a piece a call. */
static void
show_memory(struct text *t, struct vmspace *vm, vm_offset_t start, vm_offset_t end)
{
	size_t n;

	start += t->next;
	n = MIN(end - start, TEXT_PIECE);
	if (n > 0 && text_room(t, n))
		t->len = vmspace_io(vm, start, t->buf, n, false);
	t->next = t->len == n && start + n < end ? t->next + n : 0;
	vmspace_free(vm);
}

#define MEMORY(name, field, ...)                                                          \
	static void show_##name(struct text *t, struct proc *p)                           \
	{                                                                                 \
		struct vmspace *vm = proc_vmspace(p);                                     \
                                                                                          \
		if (vm != NULL)                                                           \
			show_memory(t, vm, vm->vm_##field##_start, vm->vm_##field##_end); \
	}                                                                                 \
	PROC_PID_FILE(name, .path = #name, .type = VREG, .show = show_##name, ##__VA_ARGS__)

MEMORY(cmdline, arg);
MEMORY(environ, env, .private = true);
MEMORY(auxv, auxv, .private = true);

static void
show_comm(struct text *t, struct proc *p)
{
	char comm[sizeof(p->p_comm)];

	rw_rlock(&p->p_lock);
	memcpy(comm, p->p_comm, sizeof(comm));
	rw_unlock(&p->p_lock);
	text_add(t, "%s\n", comm);
}

/* Only the process's own threads may. */
static int
store_comm(struct proc *p, const char *text)
{
	if (p != curproc)
		return (EINVAL);
	rw_wlock(&p->p_lock);
	strlcpy(p->p_comm, text, sizeof(p->p_comm));
	rw_unlock(&p->p_lock);
	return (0);
}
PROC_PID_FILE(comm, .path = "comm", .type = VREG, .show = show_comm, .store = store_comm);

/* --- links ------------------------------------------------------------------------------------ */

enum place { PLACE_EXE, PLACE_CWD, PLACE_ROOT };

/* Referenced, or NULL. */
static struct vnode *
place_of(struct proc *p, enum place place)
{
	struct vnode *vp = NULL;

	rw_rlock(&p->p_lock);
	if (place == PLACE_EXE && p->p_exe != NULL)
		vref(vp = p->p_exe);
	else if (place != PLACE_EXE && p->p_pd != NULL)
		vp = place == PLACE_CWD ? pwd_cdir(p->p_pd) : pwd_rdir(p->p_pd);
	rw_unlock(&p->p_lock);
	return (vp);
}

#define PLACE(name, place)                                                            \
	static void show_##name(struct text *t, struct proc *p)                       \
	{                                                                             \
		struct vnode *vp = place_of(p, place);                                \
                                                                                      \
		text_add_path(t, vp);                                                 \
		vrele(vp);                                                            \
	}                                                                             \
	static int follow_##name(struct proc *p, int fd __unused, struct vnode **vpp) \
	{                                                                             \
		*vpp = place_of(p, place);                                            \
		return (*vpp != NULL ? 0 : ENOENT);                                   \
	}                                                                             \
	PROC_PID_FILE(name, .path = #name, .type = VLNK, .show = show_##name,         \
		      .follow = follow_##name)

PLACE(exe, PLACE_EXE);
PLACE(cwd, PLACE_CWD);
PLACE(root, PLACE_ROOT);
