/*
 * Other names for the kernel's own C library, so that it can be linked beside the host's. To be
 * included before anything else.
 */
#pragma once

#define memcpy     k_memcpy
#define memmove    k_memmove
#define memset     k_memset
#define memcmp     k_memcmp
#define strlen     k_strlen
#define strnlen    k_strnlen
#define strcmp     k_strcmp
#define strncmp    k_strncmp
#define strchr     k_strchr
#define strlcpy    k_strlcpy
#define kvsnprintf k_kvsnprintf
#define ksnprintf  k_ksnprintf

#include "kern/string.h"
#include "kern/log.h"
