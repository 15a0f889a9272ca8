/*
 * Credentials: who a process acts as. A struct ucred never changes once a process has it: who
 * changes identity makes another one (FreeBSD's crcopy), and processes that fork share theirs.
 *
 * What only the superuser may is asked for by single capabilities, which a process has apart from
 * its credentials (struct caps) and which come and go with user 0: capabilities(7).
 */
#pragma once

#include "kern/types.h"

struct proc;
struct vnode;

#define NGROUPS_MAX 65536

/* Locks: (a) atomic; all else is constant once it is a process's. */
struct ucred {
	uint32_t cr_refs; /* (a) */
	uint32_t cr_ruid, cr_uid, cr_svuid, cr_fsuid; /* real, effective, saved, for files */
	uint32_t cr_rgid, cr_gid, cr_svgid, cr_fsgid;
	uint32_t cr_ngroups;
	uint32_t cr_groups[]; /* ascending */
};

/* The superuser's, which the first process begins with. */
extern struct ucred root_cred;
/* A copy with one reference and room for ngroups groups, as many as there are copied; NULL: no
 * memory. */
struct ucred *crcopy(const struct ucred *cr, uint32_t ngroups);
void crhold(struct ucred *cr);
void crfree(struct ucred *cr); /* NULL is allowed */

/* What curthread acts as: constant, and valid until it asks again. A kernel thread is root. */
const struct ucred *curcred(void);
/* Curproc acts as cr, whose reference it gets, from now on. */
void cred_set(struct ucred *cr);
/* Until it is called with NULL, curthread (only) acts as cr, the caller's or its own, with the
 * capabilities that fit it: access(2). */
void cred_borrow(const struct ucred *cr);
/* p's, with a reference. */
struct ucred *proc_cred(struct proc *p);

/* Capabilities by their bits, as Linux numbers them. */
/* clang-format off */
enum {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_KILL,
	CAP_SETGID, CAP_SETUID, CAP_IPC_LOCK = 14, CAP_IPC_OWNER = 15, CAP_SYS_CHROOT = 18,
	CAP_SYS_PTRACE, CAP_SYS_ADMIN = 21, CAP_SYS_NICE = 23, CAP_SYS_RESOURCE = 24, CAP_SYS_TIME,
	CAP_MKNOD = 27, CAP_SYSLOG = 34,
};
/* clang-format on */
#define CAP_BIT(cap) (1ul << (cap))
/* Those that come and go with user 0 for files (setfsuid). */
#define CAP_FS                                                                           \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) | \
	 CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_MKNOD))

/* May curthread, as it acts now, do what cap lets one do? A kernel thread may all. */
bool capable(unsigned cap);

/* Is gid among cr's groups, for files? */
bool cr_groupmember(const struct ucred *cr, uint32_t gid);
/* May curproc send a signal to p? 0 or EPERM. */
int cr_cansignal(struct proc *p);
/* May curproc, which is cr (curcred takes its p_lock), say how p's threads are scheduled? 0 or EPERM.
 * p_lock is held. */
int cr_cansched(const struct ucred *cr, struct proc *p);
/*
 * The credentials with which curproc runs the file vp: other ones than it has if that is setuid or
 * setgid. NULL: no memory. *secure is what AT_SECURE says.
 */
struct ucred *cred_exec(struct vnode *vp, bool *secure);
