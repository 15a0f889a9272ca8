/*
 * linux_lock.c's part of fcntl.
 */
#pragma once

#include "linux/linux.h"

struct file;

enum { F_GETLK = 5, F_SETLK, F_SETLKW, F_OFD_GETLK = 36, F_OFD_SETLK, F_OFD_SETLKW };

bool linux_is_lock(int command);
/* One of these commands, on the file fp that fd is. */
int64_t linux_fcntl_lock(int fd, struct file *fp, int command, uint64_t arg);
