/*
 * The pager table and the calls through it, with the checks that are the same for every pager.
 */
#include "vm/vm_pager.h"
#include "vm/vm_page.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/trace.h"

const struct pagerops *const pagertab[OBJT_COUNT] = {
    [OBJT_ANON] = &anon_pager_ops,     [OBJT_VNODE] = &vnode_pager_ops,
    [OBJT_DEVICE] = &device_pager_ops, [OBJT_MGTDEVICE] = &device_pager_ops,
    [OBJT_PHYS] = &phys_pager_ops,
};

const char *
vm_pager_name(vm_object_t object)
{
	bool device = object->type == OBJT_DEVICE || object->type == OBJT_MGTDEVICE;

	return (device ? object->un_pager.devp.name : pagertab[object->type]->pgo_name);
}

/* P20: back with the object's lock, and with no other that it did not hold before. */
static void
check_locks(vm_object_t object, const char *method, uint64_t held)
{
	if (__predict_true(rw_wowned(&object->lock) && locks_held() == held))
		return;
	KASSERT(false,
		("P20: %s: %s returned %s", vm_pager_name(object), method,
		 rw_wowned(&object->lock) ? "holding another lock" : "without the object lock"));
	klog(LOG_ERR, "P20: %s: %s returned without the object lock", vm_pager_name(object),
	     method);
	VM_OBJECT_WLOCK(object);
}

static inline void
trace_call(vm_object_t object, vm_pindex_t pidx, vm_pindex_t first, vm_pindex_t last)
{
	TRACE(TR_PAGER_CALL, (uint64_t)object, (uint64_t)vm_pager_name(object), pidx, first, last);
}

int
vm_pager_get_page(vm_object_t object, vm_page_t *m, int fault_type)
{
	const struct pagerops *ops = pagertab[object->type];
	uint64_t held = locks_held();
	int rv;

	VM_OBJECT_ASSERT_WLOCKED(object);
	if (ops->pgo_getpages == NULL)
		return (VM_PAGER_FAIL);
	VM_CNT_INC(v_pager_faults);
	trace_call(object, (*m)->pindex, (*m)->pindex, (*m)->pindex);
	rv = ops->pgo_getpages(object, m, fault_type);
	TRACE(TR_PAGER_DONE, (uint64_t)object, (uint64_t)rv, (*m)->pindex, (*m)->pindex);
	check_locks(object, "getpages", held);
	if (rv == VM_PAGER_OK)
		KASSERT(vm_page_xbusied(*m) && (*m)->valid && (*m)->object == object,
			("%s: getpages returned a page not valid or not busied",
			 vm_pager_name(object)));
	return (rv);
}

int
vm_pager_populate(vm_object_t object, vm_pindex_t pidx, int fault_type, vm_prot_t max_prot,
		  vm_pindex_t *first, vm_pindex_t *last)
{
	uint64_t held = locks_held();
	int rv;

	VM_OBJECT_ASSERT_WLOCKED(object);
	KASSERT((object->flags & OBJ_POPULATE) != 0 && pidx < object->size &&
		    object->paging_in_progress > 0 && object->backing_object == NULL,
		("P5: populate of %s called out of order", vm_pager_name(object)));
	trace_call(object, pidx, *first, *last);
	rv = pagertab[object->type]->pgo_populate(object, pidx, fault_type, max_prot, first, last);
	TRACE(TR_PAGER_DONE, (uint64_t)object, (uint64_t)rv, *first, *last);
	check_locks(object, "populate", held);
	return (rv);
}
