/*
 * The kernel's half of the page tables: made at boot from the memory map, changed for stacks and
 * device memory, shared by all pmaps. Its tables are never freed.
 */
#include "amd64/pmap_int.h"
#include "boot/bootinfo.h"
#include "kern/main.h"
#include "kern/string.h"

struct pmap kernel_pmap_store = {.pm_mtx = MTX_INITIALIZER("kernel pmap", LR_PMAP)};

/* A zeroed table, from vm_phys once that has memory; 0 when there is none. Never freed. */
static uint64_t
kernel_table_alloc(void)
{
	vm_page_t m;
	uint64_t pa;

	if (vm_cnt.v_page_count > 0) {
		m = vm_phys_alloc(0, VM_ALLOC_SYSTEM | VM_ALLOC_ZERO);
		return (m != NULL ? m->phys_addr : 0);
	}
	pa = early_alloc(PAGE_SIZE);
	memset(phys_to_dmap(pa), 0, PAGE_SIZE);
	return (pa);
}

static bool
kenter_range(uint64_t *table, int level, uint64_t va, uint64_t pa, uint64_t end, uint64_t bits)
{
	uint64_t size = 1ul << LEVEL_SHIFT(level), next, child, *e;
	bool leaf = level <= (cpu_features.page1gb ? 2 : 1);

	for (; va < end; pa += next - va, va = next) {
		next = MIN(rounddown2(va, size) + size - 1, end - 1) + 1;
		e = &table[PTE_INDEX(va, level)];
		if ((*e & PG_V) == 0 && leaf && (pa & (size - 1)) == 0 && next - va == size) {
			*e = pa | bits | PG_V | PG_G | (level > 0 ? PG_PS : 0);
			continue;
		}
		if ((*e & PG_V) == 0) {
			child = kernel_table_alloc();
			if (child == 0)
				return (false);
			*e = child | PG_V | PG_RW;
		}
		if (!kenter_range(pte_table(*e), level - 1, va, pa, next, bits))
			return (false);
	}
	return (true);
}

bool
pmap_kenter(uint64_t va, uint64_t pa, uint64_t len, uint64_t bits)
{
	bool ok;

	mtx_lock(&kernel_pmap->pm_mtx);
	ok = kenter_range(kernel_pmap->pm_pml4, TOP_LEVEL, va, pa, va + len, bits);
	mtx_unlock(&kernel_pmap->pm_mtx);
	return (ok);
}

void
pmap_kremove(uint64_t va, uint64_t len)
{
	uint64_t *e, start = va, end = va + len, size;
	int level;

	mtx_lock(&kernel_pmap->pm_mtx);
	for (; va < end; va = rounddown2(va, size) + size) {
		e = pmap_walk(kernel_pmap->pm_pml4, va, &level, NULL);
		size = 1ul << LEVEL_SHIFT(level);
		if (e == NULL)
			continue;
		*e = 0;
	}
	tlb_shootdown(kernel_pmap, start, end, false);
	mtx_unlock(&kernel_pmap->pm_mtx);
}

/* The kernel's image at its linked address, each segment with its own rights, and holes under the
 * stacks that are part of it. */
static void
map_image(void)
{
	static const struct {
		const char *start, *end;
		uint64_t bits;
	} segments[] = {
	    {text_start, text_end, 0},
	    {text_end, rodata_end, PG_NX},
	    {rodata_end, data_end, PG_RW | PG_NX},
	    {data_end, image_end, PG_NX},
	};
	uint64_t va;

	for (size_t i = 0; i < nitems(segments); i++) {
		va = (uint64_t)segments[i].start;
		pmap_kenter(va, va - KERNBASE, (uint64_t)segments[i].end - va, segments[i].bits);
	}
	pmap_kremove((uint64_t)boot_stack_guard, PAGE_SIZE);
	for (size_t i = 0; i < nitems(ist_stacks); i++)
		pmap_kremove((uint64_t)ist_stacks[i], PAGE_SIZE);
}

/* RAM at DMAP_BASE; the kernel's text and constants are read-only there, too. */
static void
map_ram(void)
{
	static struct boot_mem ram[BOOT_MAX_MEM];
	uint64_t ro_start = (uint64_t)text_start - KERNBASE,
		 ro_end = (uint64_t)rodata_end - KERNBASE;
	uint32_t n = bootinfo.nmem;

	memcpy(ram, bootinfo.mem, sizeof(ram));
	boot_mem_remove(ram, &n, ro_start, ro_end);
	for (uint32_t i = 0; i < n; i++)
		pmap_kenter(DMAP_BASE + ram[i].start, ram[i].start, ram[i].end - ram[i].start,
			    PG_RW | PG_NX);
	pmap_kenter(DMAP_BASE + ro_start, ro_start, ro_end - ro_start, PG_NX);
}

void
pmap_bootstrap(void)
{
	kernel_pmap->pm_cr3 = kernel_table_alloc();
	kernel_pmap->pm_pml4 = phys_to_dmap(kernel_pmap->pm_cr3);
	/* The top-level entry of the kernel's virtual area must be there before it is copied. */
	kernel_pmap->pm_pml4[PTE_INDEX(KVA_BASE, TOP_LEVEL)] = kernel_table_alloc() | PG_V | PG_RW;
	map_image();
	map_ram();
	pmap_kenter(COPY_WINDOW, 0, PAGE_SIZE, PG_NX); /* leaves its page tables */
	pmap_kremove(COPY_WINDOW, PAGE_SIZE);
	pmap_activate(kernel_pmap);
}
