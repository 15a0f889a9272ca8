/*
 * mremap: an area of a map grows where it is, or its entries are hung in elsewhere. Nothing is
 * copied: an entry takes its object along, and what the page tables had of it moves, too.
 *
 * An area is what a program made by one mmap, however many entries it has by now: a part that was
 * written, or that grew, may have got an object of its own.
 */
#include "vm/vm_map_entry.h"
#include "vm/vm_object.h"

#define ALIGN_LARGE   (2ul << 20) /* what moves keeps its place in a large page, if there is room */
#define REMAP_ENTRIES 3u /* that a move may make for a time */

/*
 * The request that would map once more what lies at addr of e: a shared object itself, and of
 * private memory not the pages that are this entry's own but what is behind them: a file or device,
 * or nothing.
 */
static void
entry_origin(vm_map_entry_t e, vm_offset_t addr, struct vm_map_req *req)
{
	vm_pindex_t pindex = atop(e->offset + (addr - e->start));
	vm_object_t object = e->object;
	bool shared = (e->eflags & MAP_ENTRY_SHARED) != 0;

	*req = (struct vm_map_req){
	    .prot = e->protection,
	    .max_prot = e->max_protection,
	    .eflags = e->eflags & ~(MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY),
	    .name_vp = e->name_vp,
	    .offset = ptoa(pindex),
	};
	if (object == NULL)
		return;
	object = vm_object_walk(object, &pindex, NULL);
	VM_OBJECT_UNLOCK(object);
	req->offset = ptoa(pindex);
	if (!shared && object->type == OBJT_ANON)
		return;
	req->object = object; /* e's chain of references keeps it while the map is locked */
	if (!shared)
		req->eflags |= MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY;
}

/* Is b, the entry after a, more of the same? */
static bool
entry_continues(vm_map_entry_t a, vm_map_entry_t b)
{
	struct vm_map_req ra, rb;

	entry_origin(a, a->end, &ra);
	entry_origin(b, b->start, &rb);
	return (a->end == b->start && ra.prot == rb.prot && ra.max_prot == rb.max_prot &&
		ra.eflags == rb.eflags && ra.name_vp == rb.name_vp && ra.object == rb.object &&
		(ra.object == NULL || ra.offset == rb.offset) && a->wired_count == b->wired_count);
}

/* The last entry of the area that begins in e and reaches to end; NULL if it does not reach. */
static vm_map_entry_t
area_last(vm_map_t map, vm_map_entry_t e, vm_offset_t end)
{
	for (; e->end < end; e = e->next)
		if (e->next == &map->header || !entry_continues(e, e->next))
			return (NULL);
	return (e);
}

/* Map length bytes at start: those of the area from `skip` bytes on. */
static int
area_extend(vm_map_t map, vm_offset_t start, vm_size_t length, struct vm_map_req req,
	    vm_size_t skip)
{
	int rv;

	req.offset = req.object != NULL ? req.offset + skip : 0;
	if (req.object != NULL)
		vm_object_reference(req.object);
	rv = vm_map_insert_locked(map, start, length, &req);
	if (rv != KERN_SUCCESS && req.object != NULL)
		vm_object_deallocate(req.object); /* not the last one: the area has it */
	return (rv);
}

/* Hang the entries of [start, end), which are clipped, in at `to`, where there is room. Cannot
 * fail. */
static void
area_move(vm_map_t map, vm_offset_t start, vm_offset_t end, vm_offset_t to)
{
	vm_map_entry_t e = vm_map_entry_at_or_after(map, start), next;

	pmap_move(map->pmap, start, end, to);
	for (; e != NULL && e->start < end; e = next) {
		next = vm_map_entry_next(map, e);
		vm_map_entry_unlink(map, e);
		e->start += to - start;
		e->end += to - start;
		vm_map_entry_link(map, vm_map_tree_le(map, e->start), e);
	}
}

/* Room for the area: r->new. */
static int
remap_target(vm_map_t map, struct vm_map_remap *r, vm_map_entry_t *dead)
{
	vm_size_t align = r->new_size >= ALIGN_LARGE ? ALIGN_LARGE : PAGE_SIZE;
	vm_map_entry_t above;

	if (!r->may_move || r->new_size > map->max - map->min)
		return (KERN_NO_SPACE);
	if (r->fixed)
		return (vm_map_remove_locked(map, r->new, r->new + r->new_size, dead));
	r->new = vm_map_tree_room(map, map->top, r->new_size, align, r->old, &above);
	if (r->new == 0)
		r->new = vm_map_tree_room(map, map->max, r->new_size, PAGE_SIZE, 0, &above);
	return (r->new != 0 ? KERN_SUCCESS : KERN_NO_SPACE);
}

/* The move is undone by moving back, which cannot fail: so what can fail comes first or last,
 * and nothing is merged in between. */
static int
remap_move(vm_map_t map, struct vm_map_remap *r, const struct vm_map_req *req)
{
	vm_offset_t old_end = r->old + r->old_size, new_end = r->new + r->old_size;
	int rv = r->old_size != 0 ? vm_map_clip_range(map, r->old, old_end) : KERN_SUCCESS;

	if (rv != KERN_SUCCESS)
		return (rv);
	if (r->old_size != 0)
		area_move(map, r->old, old_end, r->new);
	if (r->new_size > r->old_size)
		rv = area_extend(map, new_end, r->new_size - r->old_size, *req, r->old_size);
	else if (r->keep)
		rv = area_extend(map, r->old, r->old_size, *req, 0);
	if (rv != KERN_SUCCESS && r->old_size != 0)
		area_move(map, r->new, new_end, r->old);
	vm_map_simplify_range(map, rv == KERN_SUCCESS ? r->new : r->old,
			      rv == KERN_SUCCESS ? r->new + r->new_size : old_end);
	return (rv);
}

static int
remap_check(struct vm_map_remap *r, const struct vm_map_req *req, bool continues)
{
	bool device = (req->eflags & MAP_ENTRY_DEVICE) != 0;

	if ((r->old_size == 0 && (req->eflags & MAP_ENTRY_SHARED) == 0) || (r->keep && device))
		return (KERN_INVALID_ARGUMENT);
	if (!continues)
		return (KERN_INVALID_ADDRESS);
	if (req->object != NULL && req->offset + r->new_size < req->offset)
		return (KERN_INVALID_ARGUMENT);
	return (device && r->new_size > r->old_size ? KERN_INVALID_ADDRESS : KERN_SUCCESS);
}

static int
remap_locked(vm_map_t map, struct vm_map_remap *r, vm_map_entry_t *dead)
{
	vm_offset_t end = r->old + r->old_size;
	vm_map_entry_t e = vm_map_lookup_entry(map, r->old), last;
	vm_size_t growth = r->new_size - r->old_size;
	struct vm_map_req req;
	int rv;

	if (e == NULL || end < r->old)
		return (KERN_INVALID_ADDRESS);
	entry_origin(e, r->old, &req);
	last = area_last(map, e, end);
	rv = remap_check(r, &req, last != NULL);
	if (rv != KERN_SUCCESS)
		return (rv);
	r->wired = e->wired_count != 0;
	if (map->nentries + REMAP_ENTRIES > vm_max_map_count ||
	    !vm_map_admit(map, growth + (r->keep ? r->old_size : 0), req.prot, req.eflags))
		return (KERN_RESOURCE_SHORTAGE);
	if (!r->fixed && !r->keep && last->end == end && growth <= last->next->start - end) {
		r->new = r->old;
		return (growth != 0 ? area_extend(map, end, growth, req, r->old_size)
				    : KERN_SUCCESS);
	}
	rv = remap_target(map, r, dead);
	return (rv == KERN_SUCCESS ? remap_move(map, r, &req) : rv);
}

int
vm_map_remap(vm_map_t map, struct vm_map_remap *r)
{
	vm_offset_t old_end = r->old + r->old_size;
	vm_map_entry_t dead = NULL;
	int rv;

	vm_map_lock_range(map, r->fixed ? MIN(r->old, r->new) : r->old,
			  r->fixed ? MAX(old_end, r->new + r->new_size) : old_end);
	rv = remap_locked(map, r, &dead);
	vm_map_unlock(map);
	vm_map_free_dead(map, dead);
	return (rv);
}
