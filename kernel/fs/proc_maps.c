/*
 * /proc/PID/maps and smaps: what an address space maps, as proc(5) of Linux has it.
 */
#include "fs/procfs.h"
#include "fs/vnode.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "vm/vm_object.h"

static void
show_map_entry(struct text *t, vm_map_entry_t e)
{
	struct vnode *vp = e->name_vp;
	size_t start = t->len;

	text_add(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", e->start, e->end,
		 (e->protection & VM_PROT_READ) != 0 ? 'r' : '-',
		 (e->protection & VM_PROT_WRITE) != 0 ? 'w' : '-',
		 (e->protection & VM_PROT_EXECUTE) != 0 ? 'x' : '-',
		 (e->eflags & MAP_ENTRY_SHARED) != 0 ? 's' : 'p', vp != NULL ? e->offset : 0ul, 0u,
		 vp != NULL ? vp->v_dev : 0, vp != NULL ? vp->v_ino : 0ul);
	if (vp != NULL || (e->eflags & (MAP_ENTRY_HEAP | MAP_ENTRY_STACK)) != 0)
		text_add(t, "%*s", (int)(73 - MIN(t->len - start, 72ul)), "");
	if (vp != NULL)
		text_add_path(t, vp);
	else if ((e->eflags & MAP_ENTRY_HEAP) != 0)
		text_add(t, "[heap]");
	else if ((e->eflags & MAP_ENTRY_STACK) != 0)
		text_add(t, "[stack]");
	text_add(t, "\n");
}

/* A copy of the first entry at or after addr, with references to its file and object. */
static bool
take_entry(vm_map_t map, vm_offset_t addr, struct vm_map_entry *copy)
{
	vm_map_entry_t e;

	vm_map_lock_read(map);
	e = vm_map_entry_at_or_after(map, addr);
	if (e != NULL) {
		*copy = *e;
		if (e->name_vp != NULL)
			vref(e->name_vp);
		if (e->object != NULL)
			vm_object_reference(e->object);
	}
	vm_map_unlock_read(map);
	return (e != NULL);
}

/* Call show for each mapping of p; no lock is held, for a path takes a process's. */
static void
for_each_entry(struct text *t, struct proc *p,
	       void (*show)(struct text *t, struct vmspace *vm, vm_map_entry_t e))
{
	struct vmspace *vm = proc_vmspace(p);
	struct vm_map_entry e;

	if (vm == NULL)
		return;
	for (vm_offset_t at = 0; take_entry(&vm->vm_map, at, &e); at = e.end) {
		show(t, vm, &e);
		vrele(e.name_vp);
		if (e.object != NULL)
			vm_object_deallocate(e.object);
	}
	vmspace_free(vm);
}

static void
show_entry_line(struct text *t, struct vmspace *vm __unused, vm_map_entry_t e)
{
	show_map_entry(t, e);
}

void
proc_show_maps(struct text *t, struct proc *p)
{
	for_each_entry(t, p, show_entry_line);
}

/* The flags' two letters are Linux's. */
static void
show_vm_flags(struct text *t, vm_map_entry_t e)
{
	const struct {
		bool set;
		const char *letters;
	} flags[] = {
	    {(e->protection & VM_PROT_READ) != 0, "rd"},
	    {(e->protection & VM_PROT_WRITE) != 0, "wr"},
	    {(e->protection & VM_PROT_EXECUTE) != 0, "ex"},
	    {(e->eflags & MAP_ENTRY_SHARED) != 0, "sh"},
	    {(e->max_protection & VM_PROT_READ) != 0, "mr"},
	    {(e->max_protection & VM_PROT_WRITE) != 0, "mw"},
	    {(e->max_protection & VM_PROT_EXECUTE) != 0, "me"},
	    {(e->eflags & MAP_ENTRY_SHARED) != 0, "ms"},
	    {(e->eflags & MAP_ENTRY_GROWSDOWN) != 0, "gd"},
	    {vm_map_entry_locked(e), "lo"},
	    {(e->eflags & MAP_ENTRY_DEVICE) != 0, "io"},
	    {(e->eflags & MAP_ENTRY_SEQUENTIAL) != 0, "sr"},
	    {(e->eflags & MAP_ENTRY_RANDOM) != 0, "rr"},
	    {(e->eflags & MAP_ENTRY_NOFORK) != 0, "dc"},
	    {(e->eflags & MAP_ENTRY_CHARGED) != 0, "ac"},
	    {(e->eflags & MAP_ENTRY_NORESERVE) != 0, "nr"},
	    {(e->eflags & MAP_ENTRY_WIPEFORK) != 0, "wf"},
	    {(e->eflags & MAP_ENTRY_NODUMP) != 0, "dd"},
	    {(e->eflags & MAP_ENTRY_SUPER) != 0, "hg"},
	    {(e->eflags & MAP_ENTRY_NOSUPER) != 0, "nh"},
	};

	text_add(t, "VmFlags:");
	for (size_t i = 0; i < nitems(flags); i++)
		if (flags[i].set)
			text_add(t, " %s", flags[i].letters);
	text_add(t, "\n");
}

/*
 * Pages are called shared when others have the object too; the proportional size divides by how
 * many refer to it. What this kernel never has (swap, lazily freed or huge anonymous pages) is 0.
 */
static void
show_entry_sizes(struct text *t, struct vmspace *vm, vm_map_entry_t e)
{
	vm_object_t object = e->object;
	bool device = (e->eflags & MAP_ENTRY_DEVICE) != 0;
	uint64_t refs = object != NULL ? MAX(object->ref_count - 1, 1u) : 1; /* one is ours */
	struct pmap_usage u = pmap_usage(&vm->vm_pmap, e->start, e->end);
	uint64_t clean = u.resident - u.dirty;

	const struct {
		const char *name;
		uint64_t pages;
	} lines[] = {
	    {"Size", atop(e->end - e->start)},
	    {"KernelPageSize", 1},
	    {"MMUPageSize", 1},
	    {"Rss", u.resident},
	    {"Pss", u.resident / refs},
	    {"Shared_Clean", refs > 1 ? clean : 0},
	    {"Shared_Dirty", refs > 1 ? u.dirty : 0},
	    {"Private_Clean", refs > 1 ? 0 : clean},
	    {"Private_Dirty", refs > 1 ? 0 : u.dirty},
	    {"Referenced", u.referenced},
	    {"Anonymous", object != NULL && object->type == OBJT_ANON ? u.resident : 0},
	    {"LazyFree", 0},
	    {"AnonHugePages", 0},
	    {"ShmemPmdMapped", 0},
	    {"FilePmdMapped", u.super},
	    {"Shared_Hugetlb", 0},
	    {"Private_Hugetlb", 0},
	    {"Swap", 0},
	    {"SwapPss", 0},
	    {"Locked", vm_map_entry_locked(e) ? u.resident : 0},
	};

	show_map_entry(t, e);
	for (size_t i = 0; i < nitems(lines); i++)
		text_add(t, "%s:%*lu kB\n", lines[i].name, 23 - (int)strlen(lines[i].name),
			 lines[i].pages << 2);
	text_add(t, "THPeligible:    %d\n",
		 device && (e->eflags & MAP_ENTRY_NOSUPER) == 0 && vm_superpages != 0);
	show_vm_flags(t, e);
}

void
proc_show_smaps(struct text *t, struct proc *p)
{
	for_each_entry(t, p, show_entry_sizes);
}
