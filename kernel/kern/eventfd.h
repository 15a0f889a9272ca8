/*
 * A counter that can be waited for: eventfd(2).
 */
#pragma once

#include "kern/types.h"

struct vnode;

/* A new one: one reference, or NULL. semaphore: a read takes one, not all. */
struct vnode *eventfd_alloc(uint32_t count, bool semaphore);
