/* kern/printf.c under other names. */
#include "k_names.h"
#include "kern/printf.c"
