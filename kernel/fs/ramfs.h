/*
 * What ramfs.c (nodes and their bytes) and ramfs_dir.c (names) share; of the rest only /proc, whose
 * directories are ramfs's, uses it.
 */
#pragma once

#include "fs/vnode.h"

struct dirent;

#define ENTRY_SIZE 20 /* bytes that a name adds to its directory's size, as Linux's tmpfs counts */

/* Locks: (c) constant  (t) ramfs_lock  (a) atomic */
struct ramnode {
	struct vnode rn_vnode;
	struct dirent *rn_entries; /* (t) VDIR: a tree */
	vm_object_t rn_object; /* (c) VREG */
	const uint8_t *rn_image; /* (c) VREG: the bytes that it has in the initrd */
	uint64_t rn_image_size; /* (a) how many of these count; written under rn_object's lock */
	char *rn_target; /* (c) VLNK: of PATH_MAX bytes at most */
};
#define RAMNODE(vp) container_of(vp, struct ramnode, rn_vnode)

extern struct rwlock ramfs_lock; /* of all trees, rank LR_FILE */
extern uint64_t ramfs_secret; /* what names are hashed with; set before there is one */

/* A node with no name yet, one reference and curproc's ownership, for dir (NULL: a new root);
 * name: where it will be. NULL: no memory. */
struct vnode *ramfs_node(struct vnode *dir, const char *name, size_t len, enum vtype type,
			 uint32_t mode, const char *target);

/* ramfs_image.c: the initrd's bytes from offset on, at most *n, which becomes how many there are;
 * NULL: none. */
const uint8_t *ramfs_image_bytes(const struct ramnode *rn, uint64_t offset, size_t *n);
/* The vnode pager's getpage; handle: the ramnode. */
int ramfs_page_fill(void *handle, vm_page_t m);
/* Forget what the initrd has from size on. */
void ramfs_image_cut(struct ramnode *rn, uint64_t size);

/* ramfs_dir.c: methods of ramfs_ops. */
int ramfs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp);
int ramfs_create(struct vnode *dir, const char *name, size_t len, enum vtype type, uint32_t mode,
		 const char *target, struct vnode **vpp);
int ramfs_link(struct vnode *dir, const char *name, size_t len, struct vnode *vp);
int ramfs_unlink(struct vnode *dir, const char *name, size_t len, bool rmdir);
int ramfs_rename(struct nameidata *from, struct nameidata *to, int flags);
int ramfs_readdir(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type);
