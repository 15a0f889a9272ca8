/*
 * What the files of /proc share: text that is made for a reader, and how a file says what it is.
 * procfs.c has the tree, proc_text.c the text and its reading, proc_pid.c what is below a number
 * with its descriptors and threads, proc_status.c and proc_maps.c a process's state and memory,
 * proc_system.c the machine's, proc_sys.c the knobs that belong to nobody else.
 */
#pragma once

#include "fs/vnode.h"

struct proc;
struct sysctl;

/*
 * A piece of a file's text. A show function that has more to say than fits a piece leaves in
 * `next` where it goes on, and is called again with that, without text, when a reader gets there.
 */
struct text {
	char *buf;
	size_t len, size;
	uint64_t next; /* 0: at the beginning; on return: that was all */
	int tid, fd; /* of whom: a thread of the process (0: all of it), a descriptor */
	bool lost; /* memory was short: something is missing */
};
#define TEXT_PIECE 16384ul /* bytes after which a show function had better leave the rest */

/* Room for n bytes at buf + len, or false. */
bool text_room(struct text *t, size_t n);
/* Up to 511 characters. */
void text_add(struct text *t, const char *fmt, ...) __printf_like(2, 3);
/* "name:   123 kB", as in meminfo. */
void text_add_kb(struct text *t, const char *name, uint64_t pages);
/* vp's path, or nothing if it is NULL. */
void text_add_path(struct text *t, struct vnode *vp);

struct proc_file {
	const char *path; /* below /proc, or below the number of a process */
	enum vtype type;
	const char *text; /* what it says, always; or, being NULL, show says it */
	/* p: whose number the file is below, else NULL. */
	void (*show)(struct text *t, struct proc *p);
	/* Set from text without its newline; 0 or an errno. NULL: it cannot be written. */
	int (*store)(struct proc *p, const char *text);
	/* Binary, in place of show: as v_read. */
	int (*read)(struct proc *p, struct uio *uio);
	/* A symbolic link that leads to a vnode whatever its name: referenced. */
	int (*follow)(struct proc *p, int fd, struct vnode **vpp);
	const struct vnodeops *dir; /* of a directory */
	bool private; /* none but the process's user may open it, or see what is in it */
};
/* A file /proc/PATH, and one of each process (and thread); then the fields of struct proc_file. */
#define PROC_FILE(sym, ...)                                            \
	static const struct proc_file proc_file_##sym = {__VA_ARGS__}; \
	SET_ENTRY(proc_files, proc_file_##sym)
#define PROC_PID_FILE(sym, ...)                                            \
	static const struct proc_file proc_pid_file_##sym = {__VA_ARGS__}; \
	SET_ENTRY(proc_pid_files, proc_pid_file_##sym)

/* Whom and what a vnode of /proc is about. */
struct proc_id {
	int pid; /* 0: no process */
	int tid; /* of a thread, below task; else 0 */
	int fd; /* below fd and fdinfo */
};
/* Locks: all constant. */
struct procnode {
	struct vnode pn_vnode;
	const struct proc_file *pn_file; /* NULL: a knob, or a directory of processes or threads */
	const struct sysctl *pn_sysctl;
	struct proc_id pn_id;
};
#define PROCNODE(vp) container_of(vp, struct procnode, pn_vnode)

/* A vnode in dir of what f tells; the caller adds the permissions that differ. NULL: ENOMEM. */
struct vnode *procfs_node(struct vnode *dir, const char *name, size_t len,
			  const struct proc_file *f, struct proc_id id);
/* The same for a directory that is in no table. */
struct vnode *procfs_dir(struct vnode *dir, const char *name, size_t len,
			 const struct vnodeops *ops, struct proc_id id);
/* May curthread see what the private file, or the link, of a process says? EACCES. */
int procfs_may_look(struct vnode *vp);
/* The process that vp is about, referenced: proc_rele; NULL when it is gone or there is none. */
struct proc *procfs_proc(struct vnode *vp);
/* The number that a name says, as it is written; -1: none. */
int procfs_number(const char *name, size_t len);

/* proc_text.c: v_open, v_close, v_read and v_readlink of the files with text. Each open file has
 * its own text: one reader sees one moment, as far as one piece goes. */
int proctext_open(struct vnode *vp, struct file *fp);
void proctext_close(struct vnode *vp, struct file *fp);
int proctext_read(struct vnode *vp, struct uio *uio, struct file *fp);
int proctext_readlink(struct vnode *vp, char *buf, size_t size);

/* proc_pid.c: the directory of a process. */
extern const struct vnodeops proc_pid_ops;
