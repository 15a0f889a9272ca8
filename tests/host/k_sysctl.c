/* kernel/kern/sysctl.c, with the fake kernel around it. */
#include "kern/sysctl.c"
