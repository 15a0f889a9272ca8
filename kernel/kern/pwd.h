/*
 * Where a process's paths begin, and what the modes of its new files lack (FreeBSD's struct
 * pwddesc). Processes that clone with CLONE_FS share one; threads always do.
 */
#pragma once

#include "kern/lock.h"

struct vnode;

/* Locks: (d) pd_lock  (a) atomic */
struct pwddesc {
	uint32_t pd_refs; /* (a) processes */
	uint32_t pd_umask; /* (a) the permission bits that new files are not to have */
	struct rwlock pd_lock; /* rank LR_FILE, after its process's */
	struct vnode *pd_cdir; /* (d) working directory, referenced */
	struct vnode *pd_rdir; /* (d), and pwd_root_peek: where absolute paths begin, referenced */
};

/* Both directories are the real root. NULL: no memory. */
struct pwddesc *pwd_alloc(void);
struct pwddesc *pwd_copy(struct pwddesc *pd);
void pwd_ref(struct pwddesc *pd);
void pwd_free(struct pwddesc *pd); /* NULL is allowed */
/* Curproc shares its own with no other process any more. EINVAL: it has threads; ENOMEM. */
int pwd_unshare(void);
/* Directories of pd's, referenced. */
struct vnode *pwd_cdir(struct pwddesc *pd);
struct vnode *pwd_rdir(struct pwddesc *pd);
/* dir, whose reference it takes, is curproc's from now on. */
void pwd_chdir(struct vnode *dir);
void pwd_chroot(struct vnode *dir);
/* Curproc's root directory, referenced; the real one for a kernel thread. */
struct vnode *pwd_root(void);
/* The same, takes no lock: it may be gone already, and is only to be compared with. */
const struct vnode *pwd_root_peek(void);
