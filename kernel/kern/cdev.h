/*
 * Character devices: a driver registers a name and a switch of functions; devfs shows it in /dev.
 */
#pragma once

#include "kern/types.h"
#include "vm/vm_object.h"

struct file;
struct selfd;
struct uio;
struct vnode;

struct cdevsw {
	/* Any of these may be NULL: open and close succeed, the others do as noted. */
	int (*d_open)(void *softc, struct file *fp);
	void (*d_close)(void *softc, struct file *fp);
	int (*d_read)(void *softc, struct uio *uio, struct file *fp); /* EINVAL */
	int (*d_write)(void *softc, struct uio *uio, struct file *fp); /* EINVAL */
	/* ENOTTY; arg: user's word. A result that is not 0 is returned negated. */
	int (*d_ioctl)(void *softc, uint64_t cmd, uint64_t arg, struct file *fp);
	uint32_t (*d_poll)(void *softc, struct file *fp, struct selfd *sfd); /* as v_poll */
	/*
	 * The object that [offset, offset + size) of the device maps, with a reference for the
	 * caller in *object. prot: what is asked; shared: MAP_SHARED. *phase: physical address of
	 * offset 0 if the device is physically contiguous, so that mmap can choose a congruent
	 * address (S1), else 0. 0 or an errno. NULL method: ENODEV.
	 */
	int (*d_mmap)(void *softc, uint64_t offset, uint64_t size, vm_prot_t prot, bool shared,
		      vm_object_t *object, uint64_t *phase);
	bool d_seekable;
	uint64_t (*d_size)(void *softc); /* for SEEK_END; NULL: 0 */
	/* The device was unregistered, and its node's last user has gone. Any lock may be held. */
	void (*d_gone)(void *softc);
};

struct cdev {
	const char *cd_name; /* (c) in /dev */
	const struct cdevsw *cd_sw; /* (c) */
	void *cd_softc; /* (c) */
	uint32_t cd_major, cd_minor; /* (c) Linux's numbers */
	uint16_t cd_mode; /* (c) permissions; 0: all may read and write it */
	struct cdev *cd_next; /* devfs's */
};
/* Make dev visible in /dev (after devfs_init); it stays the driver's memory. EEXIST, ENOMEM. */
int cdev_register(struct cdev *dev);
/* The same in dir, a directory that cdev_mkdir has made in /dev (NULL: no memory); the node, with a
 * reference, in *vpp unless NULL. And take it away: files that are open stay so. */
int cdev_register_at(struct cdev *dev, struct vnode *dir, struct vnode **vpp);
void cdev_unregister(struct cdev *dev, struct vnode *dir);
struct vnode *cdev_mkdir(const char *name);
