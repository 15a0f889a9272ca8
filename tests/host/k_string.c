/* kern/string.c under other names. */
#include "k_names.h"
#include "kern/string.c"
