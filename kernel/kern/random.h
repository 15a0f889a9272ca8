/*
 * Random bytes for getrandom, /dev/urandom, AT_RANDOM and address-space randomisation.
 */
#pragma once

#include "kern/types.h"

/* Seed from the CPU's generator, if it has one, and the time stamp counter. */
void random_init(void);
/* Mix something unpredictable in. Any context. */
void random_stir(const void *buf, size_t len);
/* Never fails and never waits. Kernel memory; any context. */
void random_bytes(void *buf, size_t len);
