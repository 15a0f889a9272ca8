/* kern/cmdline.c, with the kernel's own string functions. */
#include "k_names.h"
#include "kern/cmdline.c"
