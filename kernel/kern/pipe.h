/*
 * Pipes and FIFOs. A pipe is a vnode of type VFIFO, in no directory or in one; what was written and
 * not read yet is in pages that it takes as it needs them.
 */
#pragma once

#include "kern/types.h"

struct vnode;
struct uio;
struct file;

#define PIPE_SLOTS     16 /* pages that a new pipe may hold */
#define PIPE_SIZE_FREE (1u << 20) /* bytes that anybody may make it hold; more, the superuser */

/* A new pipe, in no directory: one reference, or NULL. Its reading end is opened first. */
struct vnode *pipe_alloc(void);
/* Those of pipes, and of FIFOs but for v_inactive, which is their file system's. */
extern const struct vnodeops pipe_ops;
/* How many bytes the pipe that is open as vp can hold; make that at least size, rounded to a power
 * of two of pages. EBUSY: more is in it; ENOMEM. */
uint32_t pipe_size(struct vnode *vp);
int pipe_resize(struct vnode *vp, uint64_t size);
/* Wait until a page can be written. EAGAIN, EPIPE with the signal, ERESTART. */
int pipe_room(struct vnode *vp, struct file *fp, bool nowait);
/* Copy up to uio_resid bytes of what is in the pipe, as pipe_ops.v_read would, and leave them there
 * (tee). */
int pipe_peek(struct vnode *vp, struct uio *uio, struct file *fp);
