/*
 * What the files of /proc share: text that is made for a reader, and who makes some of it.
 */
#pragma once

#include "kern/types.h"

struct proc;
struct vnode;

/* Text that grows; what does not fit in memory any more is left out. */
struct text {
	char *buf;
	size_t len, size;
};

/* Room for n bytes at buf + len, or false. */
bool text_room(struct text *t, size_t n);
/* Up to 511 characters. */
void text_add(struct text *t, const char *fmt, ...) __printf_like(2, 3);
/* vp's path, or nothing if it is NULL. */
void text_add_path(struct text *t, struct vnode *vp);

/* proc_limits.c. The value comes without its newline; EINVAL, EACCES. */
void proc_show_limits(struct text *t, struct proc *p);
void proc_show_oom_score(struct text *t, struct proc *p);
void proc_show_oom_score_adj(struct text *t, struct proc *p);
int proc_store_oom_score_adj(struct proc *p, const char *text);
/* proc_maps.c: an address space, a line or a paragraph for each mapping. */
void proc_show_maps(struct text *t, struct proc *p);
void proc_show_smaps(struct text *t, struct proc *p);
