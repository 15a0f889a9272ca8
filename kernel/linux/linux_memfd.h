/*
 * linux_memfd.c's part of fcntl.
 */
#pragma once

#include "linux/linux.h"

struct file;

enum { F_ADD_SEALS = 1033, F_GET_SEALS };

bool linux_is_seal(int command);
int64_t linux_fcntl_seal(struct file *fp, int command, uint64_t arg);
