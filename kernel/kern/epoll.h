/*
 * epoll: a set of files that one waits for again and again. What is in it stays recorded with the
 * files, so that a wait costs as much as there is to tell.
 */
#pragma once

#include "kern/types.h"

struct file;
struct vnode;

/* Linux's numbers and layout, because they cross the system-call boundary; other bits are POLL*. */
enum { EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL, EPOLL_CTL_MOD };
enum { EPOLLEXCLUSIVE = 1 << 28, EPOLLWAKEUP = 1 << 29, EPOLLONESHOT = 1 << 30 };
#define EPOLLET (1u << 31)
struct epoll_event {
	uint32_t events;
	uint64_t data;
} __packed;

/* A new set: one reference, or NULL. */
struct vnode *epoll_alloc(void);
bool is_epoll(struct file *fp);
/*
 * Change what the set ep says of fp, which is open as fd (Linux counts it as one more member under
 * each number). EEXIST, ENOENT, EPERM (fp is always ready), EINVAL, ELOOP, ENOSPC, ENOMEM.
 */
int epoll_ctl(struct file *ep, int op, struct file *fp, int fd, const struct epoll_event *event);
/* Up to max events into uevents, in user memory, once there is one or (deadline not NULL) cpu_now()
 * is *deadline. EFAULT: edges told in vain are lost; ENOMEM, EINTR. */
int epoll_wait(struct file *ep, struct epoll_event *uevents, int max, const uint64_t *deadline,
	       int *count);
/* fp, whose last reference went, is in no set. */
void epoll_forget(struct file *fp);
