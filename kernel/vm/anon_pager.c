/*
 * The anonymous pager: memory that nothing stands behind. An absent page was never written, and the
 * fault handler fills it with zeros itself.
 */
#include "vm/vm_pager.h"

const struct pagerops anon_pager_ops = {.pgo_name = "anon", .pgo_clean = true};
