/*
 * The machine of test_pmap: RAM at the direct map's address, and a CPU with a TLB and a cache of
 * table entries. Owns what the CPU remembers.
 */
#include "harness.h"
#include "fake_cpu.h"
#include "amd64/amd64.h"
#include "kern/kmalloc.h"

#include <sys/mman.h>

#define TLB_ENTRIES 128
#define TOP_LEVEL   3

/* How the leaf of va was found. */
struct translation {
	bool used;
	vm_offset_t va; /* first address that the leaf maps */
	int level; /* of the leaf */
	uint64_t leaf;
	bool has_path; /* the entries above the leaf are remembered, too */
	uint64_t path[TOP_LEVEL + 1];
};

struct cpu_features cpu_features = {.avx = true};
struct pcpu pcpus[MAXCPU];
unsigned pcpu_now;
void (*cpu_asked)(void);
uint32_t cpus_online = 1;
volatile bool panicking;
struct pmap kernel_pmap_store = {.pm_mtx = MTX_INITIALIZER("kernel pmap", LR_PMAP)};
struct fake_pmap_counts fake_pmap;
struct vm_page *fake_ram_pages;
uint64_t cpu_invlpgs, cpu_cr3_writes;
static uint64_t cr3;
static struct translation tlb[TLB_ENTRIES];
static unsigned tlb_next;
static size_t ram_frames;
static uint64_t kernel_top[512] __aligned_to(4096);

void fake_threads_init(void);

/* --- memory --- */

void
fake_boot(size_t frames)
{
	uint8_t *ram = phys_to_dmap(FAKE_RAM_BASE);
	size_t bytes = (frames + 1) * sizeof(struct vm_page);

	fake_threads_init();
	ram_frames = frames + 1; /* the last is the page of zeros */
	T_OK(mmap(ram, ptoa(ram_frames), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == ram);
	memset(ram, 0xa5, ptoa(frames));
	fake_ram_pages =
	    mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	T_OK(fake_ram_pages != MAP_FAILED);
	vm_phys_add_seg(FAKE_RAM_BASE, FAKE_RAM_BASE + ptoa(ram_frames), fake_ram_pages);
	vm_page_set_zero(&fake_ram_pages[frames]);
	vm_phys_free_range(FAKE_RAM_BASE, FAKE_RAM_BASE + ptoa(frames));
	for (int i = 256; i < 512; i++)
		kernel_top[i] = 0xabc000ul + ptoa(i);
	kernel_pmap->pm_pml4 = kernel_top;
	pmap_activate(kernel_pmap);
}

bool
is_ram(uint64_t pa, uint64_t len)
{
	return (pa + len > FAKE_RAM_BASE && pa < FAKE_RAM_BASE + ptoa(ram_frames));
}

void
zero_page_avx(void *page)
{
	memset(page, 0, PAGE_SIZE);
}

void
copy_page_avx(const void *from, void *to)
{
	memcpy(to, from, PAGE_SIZE);
}

void *
pmap_alloc_page_array(vm_size_t bytes)
{
	return (kmalloc(bytes, M_ZERO));
}

void
pmap_free_page_array(void *array, vm_size_t bytes)
{
	(void)bytes;
	kfree(array);
}

/* Only copies from device memory would want these; no test of the pmap makes one. */
bool
pmap_kenter(uint64_t va, uint64_t pa, uint64_t len, uint64_t bits)
{
	T_FAIL("pmap_kenter of [%#lx, +%#lx) at %#lx with %#lx", pa, len, va, bits);
}

void
pmap_kremove(uint64_t va, uint64_t len)
{
	T_FAIL("pmap_kremove of [%#lx, +%#lx)", va, len);
}

/* vm_phys goes by this count. */
uint64_t
memory_leave(uint64_t pages)
{
	uint64_t hidden;

	pmap_drain(); /* what is in store is free, too */
	hidden = vm_cnt.v_free_count - MIN(pages, vm_cnt.v_free_count);

	vm_cnt.v_free_count -= hidden;
	return (hidden);
}

void
memory_restore(uint64_t hidden)
{
	vm_cnt.v_free_count += hidden;
}

/* --- the CPU --- */

/* Only large changes of the kernel's half would want it. */
void
fake_write_cr4(uint64_t v)
{
	T_FAIL("CR4 is set to %#lx", v);
}

void
apic_ipi(uint32_t apic, uint32_t how)
{
	if (cpu_asked == NULL)
		T_FAIL("interrupt %#x for CPU %u, and there is one", how, apic);
	cpu_asked();
	pcpu_now = 1;
	tlb_poll();
	pcpu_now = 0;
}

static vm_size_t
leaf_size(int level)
{
	return (PAGE_SIZE << (9 * level));
}

static bool
maps(const struct translation *t, vm_offset_t va)
{
	return (t->used && va >= t->va && va - t->va < leaf_size(t->level));
}

/* The leaf entry of va in the tables that CR3 names, and the entries on the way. */
static uint64_t *
walk(vm_offset_t va, int *level, uint64_t *path)
{
	uint64_t *table = phys_to_dmap(cr3), *e;

	for (*level = TOP_LEVEL;; --*level) {
		e = &table[va >> (PAGE_SHIFT + 9 * *level) & 511];
		path[*level] = *e;
		if ((*e & PG_V) == 0 || (*e & PG_PS) != 0 || *level == 0)
			return ((*e & PG_V) != 0 ? e : NULL);
		if (!is_ram(*e & PG_FRAME, PAGE_SIZE))
			T_FAIL("level %d at %#lx: entry %#lx leads to no RAM", *level, va, *e);
		table = phys_to_dmap(*e & PG_FRAME);
	}
}

/* As long as some CPU remembers a page, no other can be at its address: somebody would write to that
 * while another reads what was. */
static void
check_forgotten(const struct translation *t)
{
	uint64_t path[TOP_LEVEL + 1] = {0}, *e;
	int level;

	e = walk(t->va, &level, path);
	if (e != NULL && level == t->level && ((*e ^ t->leaf) & PG_FRAME) != 0)
		T_FAIL("%#lx has %#lx already, and the TLB had %#lx", t->va, *e, t->leaf);
}

void
fake_write_cr3(uint64_t v)
{
	cpu_cr3_writes++;
	for (size_t i = 0; i < TLB_ENTRIES && v == cr3; i++)
		if (tlb[i].used)
			check_forgotten(&tlb[i]);
	cr3 = v;
	memset(tlb, 0, sizeof(tlb));
}

void
invlpg(uint64_t va)
{
	cpu_invlpgs++;
	for (size_t i = 0; i < TLB_ENTRIES; i++) {
		tlb[i].has_path = false;
		if (!maps(&tlb[i], va))
			continue;
		tlb[i].used = false;
		check_forgotten(&tlb[i]);
	}
}

static bool
allows(uint64_t leaf, vm_prot_t access)
{
	return ((leaf & PG_U) != 0 && ((access & VM_PROT_WRITE) == 0 || (leaf & PG_RW) != 0) &&
		((access & VM_PROT_EXECUTE) == 0 || (leaf & PG_NX) == 0));
}

/* What is remembered of va, or a place to remember it. */
static struct translation *
tlb_find(vm_offset_t va)
{
	for (size_t i = 0; i < TLB_ENTRIES; i++)
		if (maps(&tlb[i], va))
			return (&tlb[i]);
	tlb_next = (tlb_next + 1) % TLB_ENTRIES;
	tlb[tlb_next].used = false;
	return (&tlb[tlb_next]);
}

bool
cpu_access(vm_offset_t va, vm_prot_t access, vm_paddr_t *pa)
{
	uint64_t need = PG_A | ((access & VM_PROT_WRITE) != 0 ? PG_D : 0), *e;
	struct translation *t = tlb_find(va);

	if (!t->used || !allows(t->leaf, access) || (need & ~t->leaf) != 0) {
		*t = (struct translation){.has_path = true};
		e = walk(va, &t->level, t->path);
		if (e == NULL || !allows(*e, access))
			return (false);
		*e |= need;
		t->leaf = t->path[t->level] = *e;
		t->va = rounddown2(va, leaf_size(t->level));
		t->used = true;
	}
	*pa = (t->leaf & PG_FRAME) + (va - t->va);
	return (true);
}

/* May this leaf be remembered while the tables say now? */
static bool
still_true(uint64_t leaf, uint64_t now)
{
	return (((leaf ^ now) & PG_FRAME) == 0 &&
		(leaf & ~now & (PG_V | PG_RW | PG_U | PG_D)) == 0 && (now & ~leaf & PG_NX) == 0);
}

void
cpu_check(void)
{
	uint64_t path[TOP_LEVEL + 1] = {0}, *e;
	int level;

	for (const struct translation *t = tlb; t < tlb + TLB_ENTRIES; t++) {
		if (!t->used)
			continue;
		e = walk(t->va, &level, path);
		if (e == NULL || level != t->level || !still_true(t->leaf, *e))
			T_FAIL("the TLB has %#lx: %#lx at level %d, the tables %#lx at level %d",
			       t->va, t->leaf, t->level, e != NULL ? *e : 0, level);
		for (int l = TOP_LEVEL; t->has_path && l > level; l--)
			if (((t->path[l] ^ path[l]) & ~PG_A) != 0)
				T_FAIL("the CPU knows %#lx at level %d as %#lx, it is %#lx", t->va,
				       l, t->path[l], path[l]);
	}
}

void
fake_pmap_verify(void)
{
	cpu_check();
}

void
lock_waited(const char *name, bool slept)
{
	T_FAIL("the only thread waits for the lock %s (slept: %d)", name, slept);
}
