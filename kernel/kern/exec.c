/*
 * Running a program in place of another: the file is found and looked at, scripts lead to their
 * interpreter, and only when all of the new program is there does the process change over to it.
 * A failure leaves the process what it was.
 */
#include "kern/exec.h"
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/futex.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/proc.h"
#include "kern/pwd.h"
#include "kern/ptimer.h"
#include "kern/random.h"
#include "kern/string.h"
#include "kern/trace.h"
#include "fs/vnode.h"

#define SCRIPTS_MAX 5 /* interpreters that are scripts themselves; ELOOP past it, as Linux */

uint64_t
exec_random_offset(uint64_t pages)
{
	const char *aslr = cmdline_get("aslr");
	uint64_t r;

	if (aslr == NULL || strcmp(aslr, "0") == 0 || (curproc->p_persona & ADDR_NO_RANDOMIZE) != 0)
		return (0);
	if (strcmp(aslr, "1") != 0) {
		klog(LOG_WARNING, "aslr=%s: not 0 or 1", aslr);
		return (0);
	}
	random_bytes(&r, sizeof(r));
	return (ptoa(r % pages));
}

/* --- the file --------------------------------------------------------------------------------- */

int
exec_open(struct vnode *dir, const char *path, bool follow, struct vnode **vpp)
{
	struct vnode *vp;
	int error = 0;

	if (dir != NULL)
		vref(dir);
	else
		dir = pwd_cdir(curproc->p_pd);
	if (*path == '\0')
		vref(vp = dir);
	else
		error = namei(dir, path, follow, &vp);
	vrele(dir);
	if (error != 0)
		return (error);
	if (vp->v_type == VLNK)
		error = ELOOP;
	else if (vp->v_type != VREG || vaccess(vp, VEXEC) != 0 || vp->v_ops->v_object == NULL)
		error = EACCES;
	else
		error = vn_text_hold(vp);
	if (error == 0)
		*vpp = vp;
	vrele(vp);
	return (error);
}

/* How the file begins, with zeros where it is shorter. */
static int
read_head(struct image_params *imgp)
{
	size_t done;

	memset(imgp->ip_head, 0, sizeof(imgp->ip_head));
	return (vn_read_kernel(imgp->ip_vp, imgp->ip_head, EXEC_HEAD, 0, &done));
}

/* Follow scripts until ip_vp is something else. */
static int
find_program(struct image_params *imgp)
{
	int error = read_head(imgp);

	for (int depth = 0; error == 0 && exec_is_script(imgp); depth++) {
		error = exec_script(imgp);
		if (error == 0 && depth == SCRIPTS_MAX)
			error = ELOOP;
		if (error == 0)
			error = read_head(imgp);
	}
	return (error);
}

/* --- the process ------------------------------------------------------------------------------ */

/* The process is the program from now on: its name, and its file. */
static void
take_name(struct proc *p, struct image_params *imgp)
{
	const char *name = imgp->ip_path;
	struct vnode *old;

	for (const char *s = name; *s != '\0'; s++)
		if (*s == '/' && s[1] != '\0')
			name = s + 1;
	rw_wlock(&p->p_lock);
	strlcpy(p->p_comm, name, sizeof(p->p_comm));
	TRACE(TR_EXEC, ((const uint64_t *)p->p_comm)[0], ((const uint64_t *)p->p_comm)[1]);
	old = p->p_exe;
	p->p_exe = imgp->ip_vp;
	imgp->ip_vp = NULL;
	rw_unlock(&p->p_lock);
	vn_text_drop(old);
}

/* Put vm in place of curproc's address space; returns that. */
static struct vmspace *
exec_switch(struct proc *p, struct vmspace *vm)
{
	struct vmspace *old;

	rw_wlock(&p->p_lock);
	old = p->p_vm;
	p->p_vm = vm;
	p->p_maxrss = MAX(p->p_maxrss, old->vm_pmap.pm_resident);
	rw_unlock(&p->p_lock);
	spinlock_enter(); /* it is this CPU that has it */
	pmap_activate(&vm->vm_pmap);
	spinlock_exit();
	return (old);
}

/* Load the program into a new address space; the old one comes back if that fails. */
static int
exec_load(struct image_params *imgp, struct elf_image *elf, struct proc *p)
{
	struct vmspace *vm = vmspace_alloc();
	int error;

	if (vm == NULL)
		return (ENOMEM);
	vm = exec_switch(p, vm);
	error = exec_elf_load(imgp, elf);
	if (error != 0 || curthread->td_robust_list != 0)
		vm = exec_switch(p, vm);
	if (error == 0 && curthread->td_robust_list != 0) {
		futex_robust_exit();
		vm = exec_switch(p, vm);
	}
	vmspace_free(vm);
	return (error);
}

/* The superuser's program has all that it may have; another's, what was kept for it, unless it is
 * more than who runs it. */
static void
exec_caps(struct proc *p, bool secure)
{
	struct caps *caps = &p->p_caps;
	bool real, effective;

	rw_wlock(&p->p_lock);
	real = p->p_cred->cr_ruid == 0;
	effective = p->p_cred->cr_uid == 0;
	if (real || effective || secure)
		caps->ambient = 0;
	caps->permitted = caps->ambient;
	if (real || effective)
		caps->permitted = caps->bounding | caps->inheritable;
	caps->effective = effective ? caps->permitted : caps->ambient;
	rw_unlock(&p->p_lock);
	p->p_keepcaps = false;
}

/* What of the old program the new one has nothing to do with. */
static void
exec_forget(struct proc *p, struct thread *td, bool secure)
{
	fd_exec(p->p_fd);
	signal_exec(p);
	ptimer_free_all(p, false);
	exec_caps(p, secure);
	td->td_clear_tid = 0;
	td->td_sigstack = (struct ksigstack){0};
}

int
exec_image(struct vnode *vp, const char *path, bool reachable, struct image_args *args)
{
	struct image_params imgp = {
	    .ip_path = path, .ip_args = args, .ip_vp = vp, .ip_reachable = reachable};
	struct elf_image *elf = NULL;
	struct proc *p = curproc;
	int error = find_program(&imgp);

	if (error == 0)
		error = exec_elf_read(&imgp, &elf);
	if (error == 0) {
		imgp.ip_cred = cred_exec(imgp.ip_vp, &imgp.ip_secure);
		error = imgp.ip_cred == NULL ? ENOMEM : proc_single();
	}
	if (error == 0)
		error = fd_unshare();
	if (error == 0)
		error = exec_load(&imgp, elf, p);
	if (error == 0) {
		take_name(p, &imgp);
		cred_set(imgp.ip_cred);
		imgp.ip_cred = NULL;
		exec_forget(p, curthread, imgp.ip_secure);
		cpu_set_user_entry(curthread, imgp.ip_entry, imgp.ip_sp);
		proc_execed(p);
	}
	if (imgp.ip_why != NULL)
		klog(LOG_NOTICE, "%s: %s", path, imgp.ip_why);
	exec_elf_free(elf);
	crfree(imgp.ip_cred);
	vn_text_drop(imgp.ip_vp);
	return (error);
}

int
exec_program(const char *path, struct image_args *args)
{
	struct vnode *vp;
	int error = exec_open(NULL, path, true, &vp);

	return (error != 0 ? error : exec_image(vp, path, true, args));
}
