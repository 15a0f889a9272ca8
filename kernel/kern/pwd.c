/*
 * Working directories, roots and umasks: see pwd.h.
 */
#include "kern/pwd.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/proc.h"
#include "fs/vnode.h"

#define UMASK 022 /* of the first process */

/* It gets the references. */
static struct pwddesc *
pwd_new(struct vnode *cdir, struct vnode *rdir, uint32_t umask)
{
	struct pwddesc *pd = kmalloc(sizeof(*pd), 0);

	if (pd == NULL) {
		vrele(cdir);
		vrele(rdir);
		return (NULL);
	}
	pd->pd_refs = 1;
	pd->pd_umask = umask;
	rw_init(&pd->pd_lock, "directories", LR_FILE);
	pd->pd_cdir = cdir;
	pd->pd_rdir = rdir;
	return (pd);
}

struct pwddesc *
pwd_alloc(void)
{
	vref(rootvnode);
	vref(rootvnode);
	return (pwd_new(rootvnode, rootvnode, UMASK));
}

struct pwddesc *
pwd_copy(struct pwddesc *pd)
{
	return (pwd_new(pwd_cdir(pd), pwd_rdir(pd), pd->pd_umask));
}

void
pwd_ref(struct pwddesc *pd)
{
	__atomic_fetch_add(&pd->pd_refs, 1, __ATOMIC_RELAXED);
}

void
pwd_free(struct pwddesc *pd)
{
	if (pd == NULL || __atomic_sub_fetch(&pd->pd_refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	vrele(pd->pd_cdir);
	vrele(pd->pd_rdir);
	kfree(pd);
}

int
pwd_unshare(void)
{
	struct proc *p = curproc;
	struct pwddesc *old = p->p_pd, *pd;

	if (proc_has_threads(p))
		return (EINVAL);
	if (__atomic_load_n(&old->pd_refs, __ATOMIC_RELAXED) == 1)
		return (0);
	pd = pwd_copy(old);
	if (pd == NULL)
		return (ENOMEM);
	rw_wlock(&p->p_lock);
	p->p_pd = pd;
	rw_unlock(&p->p_lock);
	pwd_free(old);
	return (0);
}

static struct vnode *
pwd_get(struct pwddesc *pd, struct vnode **place)
{
	struct vnode *dir;

	rw_rlock(&pd->pd_lock);
	dir = *place;
	vref(dir);
	rw_unlock(&pd->pd_lock);
	return (dir);
}

struct vnode *
pwd_cdir(struct pwddesc *pd)
{
	return (pwd_get(pd, &pd->pd_cdir));
}

struct vnode *
pwd_rdir(struct pwddesc *pd)
{
	return (pwd_get(pd, &pd->pd_rdir));
}

static void
pwd_set(struct pwddesc *pd, struct vnode **place, struct vnode *dir)
{
	struct vnode *old;

	rw_wlock(&pd->pd_lock);
	old = *place;
	*place = dir;
	rw_unlock(&pd->pd_lock);
	vrele(old);
}

void
pwd_chdir(struct vnode *dir)
{
	pwd_set(curproc->p_pd, &curproc->p_pd->pd_cdir, dir);
}

void
pwd_chroot(struct vnode *dir)
{
	pwd_set(curproc->p_pd, &curproc->p_pd->pd_rdir, dir);
}

struct vnode *
pwd_root(void)
{
	struct proc *p = curproc;

	if (p != NULL)
		return (pwd_rdir(p->p_pd));
	vref(rootvnode);
	return (rootvnode);
}

const struct vnode *
pwd_root_peek(void)
{
	struct proc *p = curproc;

	return (p != NULL ? __atomic_load_n(&p->p_pd->pd_rdir, __ATOMIC_RELAXED) : rootvnode);
}
