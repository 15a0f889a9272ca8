/*
 * The host tests' machine: it has one CPU, and its counts are vm_cnt.
 */
#pragma once

#include "vm/vm_counters.h"

#define VM_CNT(field)        (vm_cnt.field)
#define VM_CNT_ADD(field, n) __atomic_fetch_add(&vm_cnt.field, (n), __ATOMIC_RELAXED)
#define VM_CNT_OWN(field)    (vm_cnt.field)
#define VM_CNT_INC(field)    VM_CNT_ADD(field, 1)
#define VM_CNT_DEC(field)    VM_CNT_ADD(field, -1)
