/*
 * A device whose pager does, on request, every good and bad thing of docs/populate.md.
 *
 *   testdev.c            the devices: frames, read, write, ioctl, mmap
 *   testdev_pager.c      the pager that misbehaves
 *   testdev_interlude.c  what happens during its call
 *   testdev_ioctl.h      what can be asked for
 */
#pragma once

#include "drivers/testdev_ioctl.h"
#include "kern/callout.h"
#include "kern/cdev.h"
#include "kern/lock.h"
#include "vm/vm.h"

/* Locks: (c) constant  (t) mtx */
struct testdev {
	struct cdev cdev; /* (c) */
	struct mtx mtx; /* rank LR_LEAF */
	bool raw; /* (c) unmanaged: a page made for each index */
	bool blocks; /* (c) ... or for a superpage, where it fits */
	vm_pindex_t npages, nframes; /* (c) page i shows frame i % nframes */
	vm_page_t frames; /* (c) pages of the frames, in order */
	struct testdev_request request; /* (t) */
	struct testdev_record record; /* (t) */
	bool gone; /* (t) */
	bool told; /* (t) the call that sleeps may go on */
	vm_page_t sbusied; /* (t) left by a breach, or NULL */
	struct callout unbusy; /* (c) ends that: an exit waits for busy pages */
	vm_object_t
	    elsewhere; /* (t) where a breach put a page, or NULL; set with the object locked */
	struct rwlock extra; /* rank LR_FILE; what TESTDEV_EXTRA_LOCK takes */
};

/* The page that describes the frame of index. */
vm_page_t testdev_frame(struct testdev *td, vm_pindex_t index);
/* Destroyed: nothing can be mapped or had of it any more. */
bool testdev_gone(struct testdev *td);
/* The object of all the device, with a reference; NULL and *error. */
vm_object_t testdev_object(struct testdev *td, vm_prot_t prot, int *error);
/* testdev_interlude.c: do what q asks for during a call. The object is write-locked on entry and on
 * return, and let go in between if there is anything to do. 0, EINTR when killed, ENOMEM. */
int testdev_interlude(struct testdev *td, vm_object_t object, const struct testdev_request *q);
/* Undo what breaches left behind. No lock held. */
void testdev_mend(struct testdev *td);
