/*
 * What the system calls on path names share.
 */
#pragma once

#include "linux/linux.h"
#include "fs/vnode.h"

/* The directory, or whatever it is, that dirfd names; referenced. EBADF. */
int at_dir(int dirfd, struct vnode **dir);
#define AT_NAME (1 << 30) /* no program's: the last component is not followed, whatever is behind */
/*
 * namei_last for a program's path below dirfd. flags: AT_SYMLINK_NOFOLLOW, AT_NAME; AT_EMPTY_PATH: ""
 * is what dirfd names, whatever its kind, then with no directory in *nd.
 */
int at_namei(int dirfd, const char *upath, int flags, struct nameidata *nd);
/* The vnode of a path that must exist, referenced. */
int at_vnode(int dirfd, const char *upath, int flags, struct vnode **vpp);
/* A path from user memory in a kmalloc'd buffer. EFAULT, ENAMETOOLONG, ENOMEM. */
int path_in(const char *upath, char **path);
/* File times to and from a program's; times before 1970 are negative. */
struct linux_timespec ns_to_timespec(uint64_t ns);
