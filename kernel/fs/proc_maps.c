/*
 * What an address space maps, as proc(5) of Linux has it: /proc/PID/maps, smaps, smaps_rollup and
 * pagemap. A few mappings at a time are copied with the map locked and written with it unlocked:
 * their names take locks of file systems, and a long list is nobody's wait.
 */
#include "fs/procfs.h"
#include "kern/errno.h"
#include "kern/proc.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"

#define BATCH 16 /* mappings copied at a time */

struct mapping {
	struct vm_map_entry e; /* as it was; name_vp is referenced, the object is not */
	bool anon; /* its object is anonymous memory */
	uint32_t refs; /* who has the object */
};

/* The mappings from address at on, BATCH at most. */
static int
mappings_get(struct vmspace *vm, vm_offset_t at, struct mapping batch[BATCH])
{
	vm_map_t map = &vm->vm_map;
	vm_map_entry_t e;
	int n = 0;

	vm_map_lock_read(map);
	e = vm_map_entry_at_or_after(map, at);
	for (; e != NULL && n < BATCH; n++) {
		batch[n] = (struct mapping){*e, true, 1};
		if (e->object != NULL) {
			batch[n].anon = e->object->type == OBJT_ANON;
			batch[n].refs = MAX(e->object->ref_count, 1u);
		}
		if (e->name_vp != NULL)
			vref(e->name_vp);
		e = e->next != &map->header ? e->next : NULL;
	}
	vm_map_unlock_read(map);
	return (n);
}

/* Call show for each mapping of p from t->next on, until the piece is long enough. */
static void
for_each_mapping(struct text *t, struct proc *p,
		 void (*show)(struct text *t, struct vmspace *vm, struct mapping *m))
{
	struct vmspace *vm = proc_vmspace(p);
	struct mapping batch[BATCH];
	int n;

	if (vm == NULL)
		return;
	do {
		n = mappings_get(vm, t->next, batch);
		for (int i = 0; i < n; i++) {
			show(t, vm, &batch[i]);
			vrele(batch[i].e.name_vp);
		}
		t->next = n == BATCH ? batch[n - 1].e.end : 0;
	} while (t->next != 0 && t->len < TEXT_PIECE && !t->lost);
	vmspace_free(vm);
}

/* --- maps ------------------------------------------------------------------------------------- */

static void
show_line(struct text *t, struct vmspace *vm __unused, struct mapping *m)
{
	const struct vm_map_entry *e = &m->e;
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

static void
show_maps(struct text *t, struct proc *p)
{
	for_each_mapping(t, p, show_line);
}
PROC_PID_FILE(maps, .path = "maps", .type = VREG, .show = show_maps, .private = true);

/* --- smaps ------------------------------------------------------------------------------------ */

/* What the pages of a mapping, or of all, are; in pages. */
struct sizes {
	uint64_t resident, pss, pss_dirty, shared_clean, shared_dirty, private_clean, private_dirty,
	    referenced, anon, super, locked;
};

/* Pages are called shared when others have the object too; the proportional size divides by how
 * many refer to it. */
static struct sizes
sizes_of(struct vmspace *vm, const struct mapping *m)
{
	struct pmap_usage u = pmap_usage(&vm->vm_pmap, m->e.start, m->e.end);
	uint64_t clean = u.resident - u.dirty;
	bool shared = m->refs > 1;

	return ((struct sizes){
	    .resident = u.resident,
	    .pss = u.resident / m->refs,
	    .pss_dirty = u.dirty / m->refs,
	    .shared_clean = shared ? clean : 0,
	    .shared_dirty = shared ? u.dirty : 0,
	    .private_clean = shared ? 0 : clean,
	    .private_dirty = shared ? 0 : u.dirty,
	    .referenced = u.referenced,
	    .anon = m->anon ? u.resident : 0,
	    .super = u.super,
	    .locked = vm_map_entry_locked(&m->e) ? u.resident : 0,
	});
}

/* What this kernel never has (swap, lazily freed or huge anonymous pages) is 0. */
static void
show_sizes(struct text *t, const struct sizes *s)
{
	const struct {
		const char *name;
		uint64_t pages;
	} lines[] = {
	    {"Rss", s->resident},
	    {"Pss", s->pss},
	    {"Pss_Dirty", s->pss_dirty},
	    {"Shared_Clean", s->shared_clean},
	    {"Shared_Dirty", s->shared_dirty},
	    {"Private_Clean", s->private_clean},
	    {"Private_Dirty", s->private_dirty},
	    {"Referenced", s->referenced},
	    {"Anonymous", s->anon},
	    {"LazyFree", 0},
	    {"AnonHugePages", 0},
	    {"ShmemPmdMapped", 0},
	    {"FilePmdMapped", s->super},
	    {"Shared_Hugetlb", 0},
	    {"Private_Hugetlb", 0},
	    {"Swap", 0},
	    {"SwapPss", 0},
	    {"Locked", s->locked},
	};

	for (size_t i = 0; i < nitems(lines); i++)
		text_add_kb(t, lines[i].name, lines[i].pages);
}

/* The flags' two letters are Linux's. */
static void
show_vm_flags(struct text *t, const struct vm_map_entry *e)
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

static void
show_paragraph(struct text *t, struct vmspace *vm, struct mapping *m)
{
	struct sizes s = sizes_of(vm, m);
	bool device = (m->e.eflags & MAP_ENTRY_DEVICE) != 0;

	show_line(t, vm, m);
	text_add_kb(t, "Size", atop(m->e.end - m->e.start));
	text_add_kb(t, "KernelPageSize", 1);
	text_add_kb(t, "MMUPageSize", 1);
	show_sizes(t, &s);
	text_add(t, "THPeligible:    %d\n",
		 device && (m->e.eflags & MAP_ENTRY_NOSUPER) == 0 && vm_superpages != 0);
	show_vm_flags(t, &m->e);
}

static void
show_smaps(struct text *t, struct proc *p)
{
	for_each_mapping(t, p, show_paragraph);
}
PROC_PID_FILE(smaps, .path = "smaps", .type = VREG, .show = show_smaps, .private = true);

static void
show_smaps_rollup(struct text *t, struct proc *p)
{
	struct vmspace *vm = proc_vmspace(p);
	struct mapping batch[BATCH];
	struct sizes sum = {0}, s;
	vm_offset_t first = 0, last = 0;
	int n = vm != NULL ? BATCH : 0;

	while (n == BATCH) {
		n = mappings_get(vm, last, batch);
		for (int i = 0; i < n; i++) {
			s = sizes_of(vm, &batch[i]);
			for (size_t j = 0; j < sizeof(s) / sizeof(uint64_t); j++)
				((uint64_t *)&sum)[j] += ((uint64_t *)&s)[j];
			vrele(batch[i].e.name_vp);
			first = first != 0 ? first : batch[0].e.start;
			last = batch[i].e.end;
		}
	}
	if (vm == NULL)
		return;
	vmspace_free(vm);
	text_add(t, "%08lx-%08lx ---p 00000000 00:00 0 %31s[rollup]\n", first, last, "");
	show_sizes(t, &sum);
}
PROC_PID_FILE(smaps_rollup, .path = "smaps_rollup", .type = VREG, .show = show_smaps_rollup,
	      .private = true);

/* --- pagemap ---------------------------------------------------------------------------------- */

#define PM_EXCLUSIVE (1ul << 56) /* no other process has the page */
#define PM_FILE      (1ul << 61) /* of a file or device, or shared anonymous memory */
#define PM_PRESENT   (1ul << 63)

/* What stands at va in vm, whose map is read-locked. */
static uint64_t
pagemap_entry(struct vmspace *vm, vm_offset_t va)
{
	vm_map_entry_t e = vm_map_lookup_entry(&vm->vm_map, va);
	vm_paddr_t pa = e != NULL ? pmap_extract(&vm->vm_pmap, va) : 0;
	uint64_t flags = PM_PRESENT;
	vm_page_t m;

	if (pa == 0)
		return (0);
	m = PHYS_TO_VM_PAGE(pa);
	if (m == vm_zero_page)
		return (flags | atop(pa));
	/* A glance at whose page it is: it may be another's by now, as what is told may be. */
	if ((e->eflags & MAP_ENTRY_SHARED) != 0 || m == NULL || m->object == NULL ||
	    m->object->type != OBJT_ANON)
		flags |= PM_FILE;
	if (m != NULL && m->object == e->object && m->object != NULL && m->object->ref_count == 1)
		flags |= PM_EXCLUSIVE;
	return (flags | atop(pa));
}

/* A word for each page of the address space, at 8 times its number. */
static int
read_pagemap(struct proc *p, struct uio *uio)
{
	const uint64_t end = atop(VM_MAXUSER_ADDRESS) * 8;
	struct vmspace *vm;
	uint64_t words[128];
	size_t n;
	int error = 0;

	if (uio->uio_offset % 8 != 0 || uio->uio_resid % 8 != 0)
		return (EINVAL);
	vm = proc_vmspace(p);
	while (vm != NULL && error == 0 && uio->uio_resid > 0 && uio->uio_offset < end) {
		n = MIN(MIN(uio->uio_resid, end - uio->uio_offset), sizeof(words)) / 8;
		vm_map_lock_read(&vm->vm_map);
		for (size_t i = 0; i < n; i++)
			words[i] = pagemap_entry(vm, ptoa(uio->uio_offset / 8 + i));
		vm_map_unlock_read(&vm->vm_map);
		error = uiomove(words, n * 8, uio);
	}
	if (vm != NULL)
		vmspace_free(vm);
	return (error);
}
PROC_PID_FILE(pagemap, .path = "pagemap", .type = VREG, .read = read_pagemap, .private = true);
