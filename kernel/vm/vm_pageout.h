/*
 * Getting memory back: pages that can be made again are dropped when it is short. vm_pageout.c says
 * which, and in what order.
 */
#pragma once

#include "vm/vm.h"

/* Free up to want pages; returns how many. No object is locked; never sleeps. */
uint64_t vm_pageout(uint64_t want);
/* Have pages freed soon: fewer than vm_cnt.v_free_target are left. Locks as for task_enqueue. */
void vm_pageout_wakeup(void);
/* Drop m, neither busied, wired nor held, if it can be made again. Its object is write-locked. */
void vm_pageout_page(vm_page_t m);
