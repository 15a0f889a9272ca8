/*
 * The real machine/pmap_md.h, with the direct map where a host process can have it.
 */
#pragma once

#define DMAP_BASE 0x200000000000ul
#include "../../../../kernel/amd64/machine/pmap_md.h"
