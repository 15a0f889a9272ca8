/*
 * Open files, and the table of descriptors that names them in a process.
 */
#pragma once

#include "kern/types.h"
#include "kern/lock.h"
#include <sys/queue.h>

struct epitem;
struct proc;
struct vnode;

#define FD_MAX 1048576 /* descriptors that a process may be allowed (RLIMIT_NOFILE) */

/* f_flags: open(2)'s, with Linux's values because they cross the system-call boundary. */
/* clang-format off */
enum {
	O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_ACCMODE = 3, O_CREAT = 0100, O_EXCL = 0200,
	O_NOCTTY = 0400, O_TRUNC = 01000, O_APPEND = 02000, O_NONBLOCK = 04000, O_DIRECT = 040000,
	O_DIRECTORY = 0200000, O_NOFOLLOW = 0400000, O_CLOEXEC = 02000000, O_DSYNC = 010000,
	O_LARGEFILE = 0100000, /* every file is one */
	O_NOATIME = 01000000, O_SYNC = 04010000,
	O_PATH = 010000000, /* a place in the tree: neither read nor written, nor opened by v_open */
	O_TMPFILE = 020000000, /* with O_DIRECTORY */
};

/* ioctls of any file, and FIONREAD (bytes that can be read) of those that have a v_ioctl for it. */
enum {
	FIONREAD = 0x541b, FIONBIO = 0x5421, FIONCLEX = 0x5450, FIOCLEX, FIOASYNC,
};
/* clang-format on */

/* Locks: (c) constant  (a) atomic  (f) f_lock */
struct file {
	uint32_t f_refs; /* (a) */
	uint32_t f_flags; /* (a) */
	struct vnode *f_vnode; /* (c) a pipe, a socket or an eventfd has one as well */
	struct rwlock
	    f_lock; /* rank LR_FPOS: held over each use of the position, so they take turns */
	uint64_t f_offset; /* (f) */
	void *f_data; /* its vnode's v_open set it, whose it is */
	LIST_HEAD(, epitem) f_epitems; /* epoll's lock: which epolls watch it */
	int f_owner; /* (a) F_SETOWN: who is to be told of SIGIO and SIGURG */
	int f_inflight; /* uipc_usrreq.c's lock: how many times it waits in a socket's queue */
};
#define file_readable(fp) (((fp)->f_flags & O_ACCMODE) != O_WRONLY)
#define file_writable(fp) (((fp)->f_flags & O_ACCMODE) != O_RDONLY)

/* Open vp, whose reference goes to the file on success. ENOMEM, ENFILE (the files of all processes
 * fill too much memory), or what the device says. */
int file_open(struct vnode *vp, uint32_t flags, struct file **fpp);
/* The same, and a descriptor for it: for a new vnode, mostly. vp NULL: ENOMEM. The vnode's reference
 * goes even on failure. flags: open's, O_CLOEXEC for the descriptor. */
int file_install(struct vnode *vp, uint32_t flags, int *fd);
/* The open file that fd is in curproc, with a reference; EBADF. */
int fget(int fd, struct file **fpp);
/* The same also of one opened with O_PATH. */
int fget_path(int fd, struct file **fpp);
void fref(struct file *fp);
void fdrop(struct file *fp);

/* An empty table, or NULL. One reference, or one more; the last fd_free closes all. */
struct filedesc *fd_alloc(void);
void fd_ref(struct filedesc *fdp);
void fd_free(struct filedesc *fdp);
/* A table with the same open files, or NULL; close those that exec does not keep. */
struct filedesc *fd_copy(struct filedesc *from);
void fd_exec(struct filedesc *fdp);
/* Curproc's table is its own from now on. EINVAL: its threads share it; ENOMEM. */
int fd_unshare(void);
/* Descriptors 0, 1 and 2 on /dev/console. */
int fd_open_console(struct filedesc *fdp);
/* Give fp the lowest free descriptor from min on; the caller's reference goes to the table on
 * success. EMFILE, EINVAL (min is past RLIMIT_NOFILE), ENOMEM. */
int fd_install(struct filedesc *fdp, struct file *fp, int min, bool cloexec, int *fd);
/* The same for descriptor fd, closing what it was. EBADF past the limit, ENOMEM. */
int fd_replace(struct filedesc *fdp, struct file *fp, int fd, bool cloexec);
int fd_close(struct filedesc *fdp, int fd);
/* Tells in *cloexec whether exec closes fd, and sets it so when set >= 0. EBADF. */
int fd_cloexec(struct filedesc *fdp, int fd, int set, bool *cloexec);
/* The least open descriptor >= fd, or -1. */
int fd_next(struct filedesc *fdp, int fd);
/* The open file of the least descriptor >= *fd of p, whoever's that is, with a reference; *fd is
 * that descriptor. NULL: there is none. */
struct file *proc_next_file(struct proc *p, int *fd);
/* How many descriptors curproc may have: they are below this number. */
int fd_limit(void);
/* Past every descriptor that was ever open. */
int fd_bound(struct filedesc *fdp);
