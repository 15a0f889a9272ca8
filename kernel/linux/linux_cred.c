/*
 * System calls on identity: users and groups. Each change is another struct ucred; its rules are
 * those of credentials(7), where user 0 may all.
 */
#include "linux/linux.h"
#include "kern/cred.h"
#include "kern/machdep.h"
#include "kern/proc.h"

enum { KEEP = -1 }; /* an id that stays */

/* The four ids of one kind, so that users and groups are one code. */
struct ids {
	uint32_t *r, *e, *s, *fs;
};

static struct ids
user_ids(struct ucred *cr)
{
	return ((struct ids){&cr->cr_ruid, &cr->cr_uid, &cr->cr_svuid, &cr->cr_fsuid});
}

static struct ids
group_ids(struct ucred *cr)
{
	return ((struct ids){&cr->cr_rgid, &cr->cr_gid, &cr->cr_svgid, &cr->cr_fsgid});
}

/* Capabilities come and go with user 0, as capabilities(7) says. */
static void
caps_follow(const struct ucred *old, const struct ucred *new)
{
	bool had = old->cr_ruid == 0 || old->cr_uid == 0 || old->cr_svuid == 0;
	bool has = new->cr_ruid == 0 || new->cr_uid == 0 || new->cr_svuid == 0;
	struct proc *p = curproc;
	struct caps *caps = &p->p_caps;

	rw_wlock(&p->p_lock);
	if (had && !has && !p->p_keepcaps)
		caps->permitted = caps->effective = 0;
	if (had && !has)
		caps->ambient = 0;
	if (old->cr_uid == 0 && new->cr_uid != 0)
		caps->effective = 0;
	else if (old->cr_uid != 0 && new->cr_uid == 0)
		caps->effective = caps->permitted;
	else if (old->cr_fsuid == 0 && new->cr_fsuid != 0)
		caps->effective &= ~CAP_FS;
	else if (old->cr_fsuid != 0 && new->cr_fsuid == 0)
		caps->effective |= caps->permitted & CAP_FS;
	rw_unlock(&p->p_lock);
}

/* Make a copy of curproc's credentials, have change work on it, and take it on if that is well. */
static int64_t
change_ids(bool group, int (*change)(const struct ids *ids, bool may, const uint32_t *args),
	   const uint32_t *args)
{
	const struct ucred *cr = curcred();
	struct ucred *new = crcopy(cr, cr->cr_ngroups);
	struct ids ids;
	int error;

	if (new == NULL)
		return (-ENOMEM);
	ids = group ? group_ids(new) : user_ids(new);
	error = change(&ids, capable(group ? CAP_SETGID : CAP_SETUID), args);
	if (error == 0) {
		caps_follow(cr, new);
		cred_set(new);
	} else {
		crfree(new);
	}
	return (-error);
}

static int
set_id(const struct ids *ids, bool may, const uint32_t *args)
{
	uint32_t id = args[0];

	if (id == (uint32_t)KEEP)
		return (EINVAL);
	if (may)
		*ids->r = *ids->s = id;
	else if (id != *ids->r && id != *ids->s)
		return (EPERM);
	*ids->e = *ids->fs = id;
	return (0);
}

static int
set_reid(const struct ids *ids, bool may, const uint32_t *args)
{
	uint32_t r = args[0], e = args[1], old = *ids->r;

	if (r != (uint32_t)KEEP && !may && r != *ids->r && r != *ids->e)
		return (EPERM);
	if (e != (uint32_t)KEEP && !may && e != *ids->r && e != *ids->e && e != *ids->s)
		return (EPERM);
	if (r != (uint32_t)KEEP)
		*ids->r = r;
	if (e != (uint32_t)KEEP)
		*ids->e = e;
	if (r != (uint32_t)KEEP || (e != (uint32_t)KEEP && e != old))
		*ids->s = *ids->e;
	*ids->fs = *ids->e;
	return (0);
}

static int
set_resid(const struct ids *ids, bool may, const uint32_t *args)
{
	uint32_t *const to[3] = {ids->r, ids->e, ids->s};

	for (int i = 0; i < 3; i++)
		if (args[i] != (uint32_t)KEEP && !may && args[i] != *ids->r && args[i] != *ids->e &&
		    args[i] != *ids->s)
			return (EPERM);
	for (int i = 0; i < 3; i++)
		if (args[i] != (uint32_t)KEEP)
			*to[i] = args[i];
	*ids->fs = *ids->e;
	return (0);
}

static int
set_fsid(const struct ids *ids, bool may, const uint32_t *args)
{
	uint32_t id = args[0];

	if (id == (uint32_t)KEEP ||
	    (!may && id != *ids->r && id != *ids->e && id != *ids->s && id != *ids->fs))
		return (EPERM);
	*ids->fs = id;
	return (0);
}

int64_t
sys_setuid(uint32_t id)
{
	return (change_ids(false, set_id, &id));
}

int64_t
sys_setgid(uint32_t id)
{
	return (change_ids(true, set_id, &id));
}

int64_t
sys_setreuid(uint32_t r, uint32_t e)
{
	return (change_ids(false, set_reid, (uint32_t[]){r, e}));
}

int64_t
sys_setregid(uint32_t r, uint32_t e)
{
	return (change_ids(true, set_reid, (uint32_t[]){r, e}));
}

int64_t
sys_setresuid(uint32_t r, uint32_t e, uint32_t s)
{
	return (change_ids(false, set_resid, (uint32_t[]){r, e, s}));
}

int64_t
sys_setresgid(uint32_t r, uint32_t e, uint32_t s)
{
	return (change_ids(true, set_resid, (uint32_t[]){r, e, s}));
}

/* Tells the id before, whether it could be changed or not. */
int64_t
sys_setfsuid(uint32_t id)
{
	uint32_t old = curcred()->cr_fsuid;

	change_ids(false, set_fsid, &id);
	return (old);
}

int64_t
sys_setfsgid(uint32_t id)
{
	uint32_t old = curcred()->cr_fsgid;

	change_ids(true, set_fsid, &id);
	return (old);
}

int64_t
sys_getuid(void)
{
	return (curcred()->cr_ruid);
}

int64_t
sys_geteuid(void)
{
	return (curcred()->cr_uid);
}

int64_t
sys_getgid(void)
{
	return (curcred()->cr_rgid);
}

int64_t
sys_getegid(void)
{
	return (curcred()->cr_gid);
}

static int64_t
ids_out(const uint32_t ids[3], uint32_t *ur, uint32_t *ue, uint32_t *us)
{
	uint32_t *const to[3] = {ur, ue, us};

	for (int i = 0; i < 3; i++)
		if (copyout(&ids[i], to[i], sizeof(ids[i])) != 0)
			return (-EFAULT);
	return (0);
}

int64_t
sys_getresuid(uint32_t *r, uint32_t *e, uint32_t *s)
{
	const struct ucred *cr = curcred();

	return (ids_out((uint32_t[]){cr->cr_ruid, cr->cr_uid, cr->cr_svuid}, r, e, s));
}

int64_t
sys_getresgid(uint32_t *r, uint32_t *e, uint32_t *s)
{
	const struct ucred *cr = curcred();

	return (ids_out((uint32_t[]){cr->cr_rgid, cr->cr_gid, cr->cr_svgid}, r, e, s));
}

/* --- groups ----------------------------------------------------------------------------------- */

int64_t
sys_getgroups(int size, uint32_t *ugroups)
{
	const struct ucred *cr = curcred();

	if (size < 0 || (size != 0 && (uint32_t)size < cr->cr_ngroups))
		return (-EINVAL);
	if (size != 0 && cr->cr_ngroups != 0 &&
	    copyout(cr->cr_groups, ugroups, cr->cr_ngroups * sizeof(*cr->cr_groups)) != 0)
		return (-EFAULT);
	return (cr->cr_ngroups);
}

/* Put the last of n numbers, a heap but for the first one, in order: one step of heap sort. */
static void
sift_down(uint32_t *a, uint32_t at, uint32_t n)
{
	for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
		uint32_t value = a[at];

		if (child + 1 < n && a[child + 1] > a[child])
			child++;
		if (a[child] <= value)
			return;
		a[at] = a[child];
		a[child] = value;
	}
}

static void
sort_groups(uint32_t *a, uint32_t n)
{
	for (uint32_t i = n / 2; i-- > 0;)
		sift_down(a, i, n);
	while (n-- > 1) {
		uint32_t largest = a[0];

		a[0] = a[n];
		a[n] = largest;
		sift_down(a, 0, n);
	}
}

int64_t
sys_setgroups(uint32_t size, const uint32_t *ugroups)
{
	struct ucred *cr;

	if (!capable(CAP_SETGID))
		return (-EPERM);
	if (size > NGROUPS_MAX)
		return (-EINVAL);
	cr = crcopy(curcred(), size);
	if (cr == NULL)
		return (-ENOMEM);
	if (copyin(ugroups, cr->cr_groups, size * sizeof(*cr->cr_groups)) != 0) {
		crfree(cr);
		return (-EFAULT);
	}
	sort_groups(cr->cr_groups, size);
	cred_set(cr);
	return (0);
}
