/*
 * Address spaces as processes hold them: made, copied, let go.
 */
#include "kern/kmalloc.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "fs/vnode.h"
#include "vm/vm_fault.h"
#include "vm/vm_page.h"

static void
name_ref(void *vp)
{
	vref(vp);
}

static void
name_rele(void *vp)
{
	vrele(vp);
}

struct vmspace *
vmspace_alloc(void)
{
	struct vmspace *vm = kmalloc(sizeof(*vm), 0);

	if (vm == NULL)
		return (NULL);
	if (pmap_pinit(&vm->vm_pmap) != 0) {
		kfree(vm);
		return (NULL);
	}
	memset(&vm->vm_lock, 0, sizeof(*vm) - offsetof(struct vmspace, vm_lock));
	rw_init(&vm->vm_lock, "address space", LR_FILE);
	vm_map_init(&vm->vm_map, &vm->vm_pmap, VM_MINUSER_ADDRESS, VM_MAXUSER_ADDRESS);
	vm->vm_map.name_ref = name_ref;
	vm->vm_map.name_rele = name_rele;
	vm->vm_refs = 1;
	vm->vm_dumpable = true;
	return (vm);
}

struct vmspace *
vmspace_fork(struct vmspace *from)
{
	struct vmspace *vm = vmspace_alloc();
	int rv;

	if (vm == NULL)
		return (NULL);
	rw_rlock(&from->vm_lock);
	rv = vm_map_fork(&from->vm_map, &vm->vm_map);
	vm->vm_brk_start = from->vm_brk_start;
	vm->vm_brk = from->vm_brk;
	vm->vm_stack_top = from->vm_stack_top;
	vm->vm_arg_start = from->vm_arg_start;
	vm->vm_arg_end = from->vm_arg_end;
	vm->vm_env_start = from->vm_env_start;
	vm->vm_env_end = from->vm_env_end;
	vm->vm_membarrier = from->vm_membarrier;
	vm->vm_dumpable = from->vm_dumpable;
	rw_unlock(&from->vm_lock);
	if (rv == KERN_SUCCESS)
		return (vm);
	vmspace_free(vm);
	return (NULL);
}

void
vmspace_ref(struct vmspace *vm)
{
	__atomic_fetch_add(&vm->vm_refs, 1, __ATOMIC_RELAXED);
}

void
vmspace_free(struct vmspace *vm)
{
	if (__atomic_sub_fetch(&vm->vm_refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	vm_map_destroy(&vm->vm_map);
	pmap_release(&vm->vm_pmap);
	kfree(vm);
}

size_t
vmspace_io(struct vmspace *vm, vm_offset_t addr, char *buf, size_t len, bool write)
{
	vm_prot_t access = write ? VM_PROT_WRITE : VM_PROT_READ;
	size_t done = 0, n;
	vm_page_t m;
	char *at;

	for (; done < len; done += n) {
		if (addr + done >= VM_MAXUSER_ADDRESS ||
		    vm_fault(&vm->vm_map, addr + done, access, VM_FAULT_NORMAL, &m) != KERN_SUCCESS)
			break;
		n = (m->flags & PG_FICTITIOUS) != 0
			? 0
			: MIN(PAGE_SIZE - ((addr + done) & PAGE_MASK), len - done);
		at = (char *)pmap_page_kva(m) + ((addr + done) & PAGE_MASK);
		memcpy(write ? at : buf + done, write ? buf + done : at, n);
		vm_page_unhold(m);
		if (n == 0)
			break;
	}
	return (done);
}
