/*
 * What the live view shows: each frame by whose it is, each process's mappings by page. It is looked
 * at while everything goes on, and nobody is made to wait: a frame's vm_page is read without a lock,
 * a map that is locked for writing is left out this time. What is read so may be half of a change, and
 * is right in the next picture; objects may be gone, but their memory can be read, being RAM.
 *
 * Owns a byte or two for each frame: what it was in the last picture, and for how long it is lit.
 */
#include "drivers/fb.h"
#include "drivers/memview.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"

/* Of several frames in one cell the last in this order is shown. */
enum kind {
	FREE,
	KERNEL,
	TABLE,
	FILE_OLD,
	FILE_ACTIVE,
	ANON_OLD,
	ANON_ACTIVE,
	VRAM_IDLE,
	DEVICE,
	WIRED,
	KINDS
};
static const struct {
	const char *name;
	uint32_t color;
} kinds[KINDS] = {
    [FREE] = {"free", 0x20262d},
    [KERNEL] = {"kernel", 0x6b7a8f},
    [TABLE] = {"page table", 0xc678dd},
    [FILE_OLD] = {"file", 0x24569c},
    [FILE_ACTIVE] = {"file, active", 0x4f9cf0},
    [ANON_OLD] = {"anonymous", 0x1f7a44},
    [ANON_ACTIVE] = {"anonymous, active", 0x45d07f},
    [VRAM_IDLE] = {"video, unused", 0x4a3a22},
    [DEVICE] = {"device, in an object", 0xf0932b},
    [WIRED] = {"wired", 0xe0454e},
};
#define INK    0xe6e9ed
#define FAINT  0x8b95a1
#define LIGHT  0xffffff
#define GROUND 0x0e1116
#define LIT    8 /* pictures that what is new is lit for, ever less */

/* The left half: frames. The right half: address spaces. */
#define MARGIN      8
#define FRAMES_TOP  24
#define FRAMES_WIDE 256 /* cells of RAM in a row, and at most so many rows */
#define FRAME_CELL  2 /* pixels */
#define VRAM_TOP    544
#define VRAM_WIDE   128
#define VRAM_CELL   4
#define VRAM_ROWS   28
#define LEGEND_TOP  684
#define SPACES_LEFT 544
#define SPACE_WIDE  128 /* cells in a row */
#define SPACE_CELL  3
#define SPACE_ROWS  34 /* of one mapping, at most; then a cell is several pages */
#define SPACE_MAX   (1ul << 20) /* pages of a mapping that is drawn as cells */
#define LINE        16
#define BATCH       8 /* mappings copied at a time */

static struct frame {
	uint8_t kind, lit;
} * frames; /* RAM's in order, then VRAM's */
static uint64_t nram, nvram;
static uint64_t counts[KINDS];

int
scan_init(void)
{
	struct vm_phys_range range;

	for (int i = 0; vm_phys_ram(i, &range); i++)
		nram += atop(range.size);
	nvram = atop(fb.backend->size);
	frames = kmalloc((nram + nvram) * sizeof(*frames), M_ZERO);
	return (frames != NULL ? 0 : ENOMEM);
}

/* --- frames ------------------------------------------------------------------------------------- */

static enum kind
kind_of(vm_page_t m)
{
	vm_object_t object = __atomic_load_n(&m->object, __ATOMIC_RELAXED);
	bool active = m->queue == PQ_ACTIVE;

	if (object == NULL)
		return ((m->flags & PG_TABLE) != 0 ? TABLE : KERNEL);
	if (m->wire_count != 0)
		return (WIRED);
	if (object->type == OBJT_ANON)
		return (active ? ANON_ACTIVE : ANON_OLD);
	if (object->type == OBJT_VNODE)
		return (active ? FILE_ACTIVE : FILE_OLD);
	return (DEVICE);
}

static void
note(struct frame *f, enum kind kind)
{
	bool owner_changed = f->kind / 2 != kind / 2 || (f->kind != kind && kind >= DEVICE);

	counts[kind]++;
	if (owner_changed && kind != FREE && kind != VRAM_IDLE)
		f->lit = LIT;
	else if (f->lit > 0)
		f->lit--;
	f->kind = kind;
}

static void
look_at_ram(void)
{
	struct frame *f = frames;
	struct vm_phys_range range;
	uint64_t free_until;
	vm_page_t m;

	for (int i = 0; vm_phys_ram(i, &range); i++) {
		free_until = 0;
		for (uint64_t n = 0; n < atop(range.size); n++, f++) {
			m = &range.pages[n];
			if (n >= free_until && m->order < VM_NFREEORDER)
				free_until = n + (1ul << m->order);
			note(f, n < free_until ? FREE : kind_of(m));
		}
	}
}

static void
look_at_vram(void)
{
	for (uint64_t i = 0; i < nvram; i++)
		note(&frames[nram + i],
		     vm_page_unit(&fb.pages[i])->object != NULL ? DEVICE : VRAM_IDLE);
}

static uint32_t
color_of(const struct frame *f)
{
	return (color_between(kinds[f->kind].color, LIGHT, f->lit, LIT));
}

/* The frames as cells, a row after the other; so many frames a cell that all have room. */
static uint64_t
draw_frames(struct canvas *c, uint32_t top, const struct frame *f, uint64_t n, uint32_t wide,
	    uint32_t rows, uint32_t size)
{
	const struct frame *end = f + n, *best;
	uint64_t each = 1;

	while (n > each * wide * rows)
		each *= 2;
	for (uint32_t cell = 0; f < end; cell++) {
		best = f;
		for (uint64_t i = 0; i < each && f < end; i++, f++)
			if (f->kind > best->kind || f->lit > best->lit)
				best = f;
		canvas_rect(c, MARGIN + cell % wide * size, top + cell / wide * size, size, size,
			    color_of(best));
	}
	return (each);
}

static void
draw_legend(struct canvas *c)
{
	uint32_t x, y;

	for (uint32_t i = 0; i < KINDS; i++) {
		x = MARGIN + i / 5 * 260;
		y = LEGEND_TOP + i % 5 * LINE;
		canvas_rect(c, x, y + 3, 10, 10, kinds[i].color);
		canvas_text(c, x + 18, y, FAINT, "%-20s %8lu", kinds[i].name, counts[i]);
	}
}

/* --- address spaces ----------------------------------------------------------------------------- */

struct mapping {
	vm_offset_t start, end;
	vm_prot_t prot;
	char name[20]; /* the pager's, and which object */
	struct pmap_usage usage;
};

/* BATCH mappings at most from address `at' on; how many. None, too, when somebody changes them. */
static int
get_mappings(vm_map_t map, vm_offset_t at, struct mapping batch[BATCH])
{
	vm_map_entry_t e;
	int n = 0;

	if (!vm_map_trylock_read(map))
		return (0);
	for (e = vm_map_entry_at_or_after(map, at); e != NULL && e != &map->header && n < BATCH;
	     e = e->next, n++) {
		batch[n] = (struct mapping){e->start, e->end, e->protection, "anonymous", {0}};
		if (e->object != NULL)
			ksnprintf(batch[n].name, sizeof(batch[n].name), "%-7s @%06lx",
				  vm_pager_name(e->object), (uint64_t)e->object & 0xffffff);
	}
	vm_map_unlock_read(map);
	return (n);
}

/* What is known of the frame at pa; NULL: it is another device's. */
static const struct frame *
frame_at(vm_paddr_t pa)
{
	struct vm_phys_range range;
	uint64_t first = 0;

	for (int i = 0; vm_phys_ram(i, &range); i++) {
		if (pa - range.start < range.size)
			return (&frames[first + atop(pa - range.start)]);
		first += atop(range.size);
	}
	pa -= fb.backend->pa;
	return (pa < ptoa(nvram) ? &frames[nram + atop(pa)] : NULL);
}

/* Where the first page of [va, va + size) that is mapped leads; one is, or was just now. */
static vm_paddr_t
first_mapped(pmap_t pmap, vm_offset_t va, vm_size_t size)
{
	vm_size_t half;

	for (; size > PAGE_SIZE; size = half) {
		half = round_page(size / 2);
		if (pmap_usage(pmap, va, va + half).resident == 0) {
			va += half;
			half = size - half;
		}
	}
	return (pmap_extract(pmap, va));
}

/* What [va, va + size) is mapped to, by its first page that is. Pages of 2 MiB have no gaps. */
static void
draw_page(struct canvas *c, pmap_t pmap, vm_offset_t va, vm_size_t size, uint32_t x, uint32_t y)
{
	static const struct frame other = {.kind = DEVICE};
	struct pmap_usage u = pmap_usage(pmap, va, va + size);
	const struct frame *f;
	vm_paddr_t pa = 0;

	if (u.resident > 0)
		pa = first_mapped(pmap, va, size);
	f = pa != 0 ? frame_at(pa) : NULL;
	canvas_rect(c, x, y, SPACE_CELL - (u.super == 0), SPACE_CELL - (u.super == 0),
		    pa == 0     ? kinds[FREE].color
		    : f != NULL ? color_of(f)
				: color_of(&other));
}

/* The mapping's pages from line y on; where the next thing goes. */
static uint32_t
draw_mapping(struct canvas *c, pmap_t pmap, const struct mapping *m, uint32_t y)
{
	uint64_t pages = atop(m->end - m->start), each = 1, cells;

	while (pages > each * SPACE_WIDE * SPACE_ROWS)
		each *= 2;
	canvas_text(c, SPACES_LEFT, y, FAINT, "%012lx %c%c%c %-15s %lu of %lu pages%s", m->start,
		    (m->prot & VM_PROT_READ) != 0 ? 'r' : '-',
		    (m->prot & VM_PROT_WRITE) != 0 ? 'w' : '-',
		    (m->prot & VM_PROT_EXECUTE) != 0 ? 'x' : '-', m->name, m->usage.resident, pages,
		    m->usage.super > 0 ? ", 2M" : "");
	y += LINE;
	if (pages > SPACE_MAX)
		return (y);
	cells = (pages + each - 1) / each;
	for (uint64_t i = 0; i < cells; i++)
		draw_page(c, pmap, m->start + ptoa(i * each),
			  MIN(ptoa(each), m->end - m->start - ptoa(i * each)),
			  SPACES_LEFT + (uint32_t)(i % SPACE_WIDE) * SPACE_CELL,
			  y + (uint32_t)(i / SPACE_WIDE) * SPACE_CELL);
	return (y + (uint32_t)((cells + SPACE_WIDE - 1) / SPACE_WIDE) * SPACE_CELL + 1);
}

static uint32_t
draw_space(struct canvas *c, struct vmspace *vm, uint32_t y)
{
	struct mapping batch[BATCH];
	uint32_t untouched = 0;
	vm_offset_t at = 0;
	int n;

	while ((n = get_mappings(&vm->vm_map, at, batch)) > 0) {
		for (int i = 0; i < n && y + 2 * LINE < c->height; i++) {
			batch[i].usage = pmap_usage(&vm->vm_pmap, batch[i].start, batch[i].end);
			if (batch[i].usage.resident > 0)
				y = draw_mapping(c, &vm->vm_pmap, &batch[i], y);
			else
				untouched++;
		}
		at = batch[n - 1].end;
	}
	if (untouched == 0)
		return (y);
	canvas_text(c, SPACES_LEFT, y, FAINT, "and %u that nobody touched", untouched);
	return (y + LINE);
}

/* As many processes as there is room for. */
static void
draw_spaces(struct canvas *c)
{
	uint32_t y = FRAMES_TOP;
	struct vmspace *vm;
	struct proc *p;

	for (int pid = 0; y + 2 * LINE < c->height && (p = proc_next(pid)) != NULL;
	     pid = p->p_pid + 1, proc_rele(p)) {
		vm = proc_vmspace(p);
		if (vm == NULL)
			continue;
		canvas_text(c, SPACES_LEFT, y, INK, "process %d, %s", p->p_pid, p->p_comm);
		y = draw_space(c, vm, y + LINE) + LINE / 2;
		vmspace_free(vm);
	}
}

void
scan_draw(struct canvas *c)
{
	uint64_t each;

	memset(counts, 0, sizeof(counts));
	look_at_ram();
	look_at_vram();
	canvas_rect(c, 0, 0, c->width, c->height, GROUND);
	each = draw_frames(c, FRAMES_TOP, frames, nram, FRAMES_WIDE, FRAMES_WIDE, FRAME_CELL);
	canvas_text(c, MARGIN, 4, INK, "RAM, %lu MiB, %lu KiB a cell", nram >> 8, each * 4);
	each =
	    draw_frames(c, VRAM_TOP + LINE, frames + nram, nvram, VRAM_WIDE, VRAM_ROWS, VRAM_CELL);
	canvas_text(c, MARGIN, VRAM_TOP, INK, "fb0, %lu MiB, %lu KiB a cell", nvram >> 8, each * 4);
	canvas_text(c, SPACES_LEFT, 4, INK, "%lu faults, %lu calls of populate, %lu pages by them",
		    vm_cnt.v_faults, vm_cnt.v_populate_calls, vm_cnt.v_populate_pages);
	draw_legend(c);
	draw_spaces(c);
	canvas_text(c, c->width - 17 * 8, c->height - LINE, FAINT, "Alt-F12: go back");
}
