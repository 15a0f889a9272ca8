/*
 * Credentials: their lives, and what follows from them for other processes and programs.
 */
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "fs/vnode.h"

struct ucred root_cred = {.cr_refs = 1};

struct ucred *
crcopy(const struct ucred *cr, uint32_t ngroups)
{
	struct ucred *new = kmalloc(sizeof(*new) + ngroups * sizeof(*new->cr_groups), 0);

	if (new == NULL)
		return (NULL);
	*new = *cr;
	new->cr_refs = 1;
	new->cr_ngroups = ngroups;
	memcpy(new->cr_groups, cr->cr_groups,
	       MIN(ngroups, cr->cr_ngroups) * sizeof(*new->cr_groups));
	return (new);
}

void
crhold(struct ucred *cr)
{
	__atomic_fetch_add(&cr->cr_refs, 1, __ATOMIC_RELAXED);
}

void
crfree(struct ucred *cr)
{
	if (cr == NULL || __atomic_sub_fetch(&cr->cr_refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	KASSERT(cr != &root_cred, ("root's credentials are released too often"));
	kfree(cr);
}

struct ucred *
proc_cred(struct proc *p)
{
	struct ucred *cr;

	rw_rlock(&p->p_lock);
	cr = p->p_cred;
	crhold(cr);
	rw_unlock(&p->p_lock);
	return (cr);
}

/* A thread keeps a reference of its own, so that most often nothing is to be locked. */
const struct ucred *
curcred(void)
{
	struct thread *td = curthread;
	struct proc *p = td->td_proc;

	if (p == NULL)
		return (&root_cred);
	if (td->td_borrowed != NULL)
		return (td->td_borrowed);
	if (td->td_ucred != __atomic_load_n(&p->p_cred, __ATOMIC_RELAXED)) {
		crfree(td->td_ucred);
		td->td_ucred = proc_cred(p);
	}
	return (td->td_ucred);
}

void
cred_set(struct ucred *cr)
{
	struct proc *p = curproc;
	struct ucred *old;

	rw_wlock(&p->p_lock);
	old = p->p_cred;
	__atomic_store_n(&p->p_cred, cr, __ATOMIC_RELAXED);
	rw_unlock(&p->p_lock);
	crfree(old);
}

void
cred_borrow(const struct ucred *cr)
{
	curthread->td_borrowed = cr;
}

/* Who borrowed credentials has what it would have with them (access(2)). */
bool
capable(unsigned cap)
{
	const struct thread *td = curthread;
	const struct ucred *borrowed = td->td_borrowed;
	uint64_t caps;

	if (td->td_proc == NULL)
		return (true);
	if (borrowed == NULL)
		caps = td->td_proc->p_caps.effective;
	else
		caps = borrowed->cr_fsuid == 0 ? td->td_proc->p_caps.permitted : 0;
	return ((caps & CAP_BIT(cap)) != 0);
}

bool
cr_groupmember(const struct ucred *cr, uint32_t gid)
{
	uint32_t low = 0, high = cr->cr_ngroups, at;

	if (gid == cr->cr_fsgid)
		return (true);
	while (low < high) {
		at = (low + high) / 2;
		if (cr->cr_groups[at] == gid)
			return (true);
		if (cr->cr_groups[at] < gid)
			low = at + 1;
		else
			high = at;
	}
	return (false);
}

int
cr_cansignal(struct proc *p)
{
	const struct ucred *cr = curcred();
	struct ucred *to;
	bool may;

	if (p == curproc || capable(CAP_KILL))
		return (0);
	to = proc_cred(p);
	may = cr->cr_uid == to->cr_ruid || cr->cr_uid == to->cr_svuid ||
	      cr->cr_ruid == to->cr_ruid || cr->cr_ruid == to->cr_svuid;
	crfree(to);
	return (may ? 0 : EPERM);
}

int
cr_cansched(const struct ucred *cr, struct proc *p)
{
	const struct ucred *to = p->p_cred;

	rw_assert_locked(&p->p_lock);
	return (cr->cr_uid == to->cr_ruid || cr->cr_uid == to->cr_uid || capable(CAP_SYS_NICE)
		    ? 0
		    : EPERM);
}

struct ucred *
cred_exec(struct vnode *vp, bool *secure)
{
	const struct ucred *cr = curcred();
	struct vattr va = vn_attr(vp);
	struct ucred *new;

	new = crcopy(cr, cr->cr_ngroups);
	if (new == NULL)
		return (NULL);
	if (curproc->p_no_new_privs)
		va.va_mode = 0;
	if ((va.va_mode & S_ISUID) != 0)
		new->cr_uid = va.va_uid;
	if ((va.va_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		new->cr_gid = va.va_gid;
	new->cr_svuid = new->cr_fsuid = new->cr_uid;
	new->cr_svgid = new->cr_fsgid = new->cr_gid;
	*secure = new->cr_uid != new->cr_ruid || new->cr_gid != new->cr_rgid;
	return (new);
}
