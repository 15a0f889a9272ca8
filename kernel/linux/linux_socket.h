/*
 * What the files of system calls on sockets share.
 */
#pragma once

#include "linux/linux.h"
#include "kern/socket.h"

#define SOL_SOCKET 1

/* The file of the socket that fd is, referenced. EBADF, ENOTSOCK. */
int socket_get(int fd, struct file **fpp);
#define FP_SOCKET(fp) SOCKET((fp)->f_vnode)
/* An address of len bytes from user memory, as a name with a reference. EFAULT; EINVAL: no address
 * of AF_UNIX, *family is what it says; ENOMEM. */
int sockname_in(const void *uaddr, int len, uint16_t *family, struct unpname **name);
/* A name (NULL: none) to user memory, as much as *ulen has room for; *ulen becomes its length. */
int sockname_out(const struct unpname *name, void *uaddr, int *ulen);
