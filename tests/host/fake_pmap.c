/*
 * vm/pmap.h for the host tests: per pmap a hash of entries by address, per managed page a list of
 * the entries that map it. Checks what each caller owes the pmap, keeps the accessed and modified
 * bits that a CPU would set, and counts. Owns the entries.
 */
#include "fake.h"
#include "harness.h"
#include "kern/kmalloc.h"

#include <stdlib.h>

struct fake_pte {
	LIST_ENTRY(fake_pte) hash, all, pv;
	pmap_t pmap;
	vm_offset_t va;
	vm_paddr_t pa;
	vm_page_t m; /* unmanaged: only to compare, it may be gone */
	vm_prot_t prot;
	bool managed, wired, accessed, modified;
};

struct pmap kernel_pmap_store;
struct fake_pmap_counts fake_pmap;
void (*fake_pmap_enter_hook)(pmap_t pmap, vm_offset_t va, vm_page_t m);
static uint64_t fail_in;
/* Every pmap's entries, for fake_pmap_verify. */
static struct pmap *live_pmaps[64];

void
fake_pmap_fail(uint64_t nth)
{
	fail_in = nth;
}

static struct fake_ptes *
bucket(pmap_t pmap, vm_offset_t va)
{
	return (&pmap->pm_hash[((atop(va) * 0x9e3779b97f4a7c15ul) >> 48) % FAKE_PMAP_BUCKETS]);
}

static struct fake_pte *
find(pmap_t pmap, vm_offset_t va)
{
	struct fake_pte *pte;

	LIST_FOREACH (pte, bucket(pmap, va), hash) {
		if (pte->va == va)
			return (pte);
	}
	return (NULL);
}

int
pmap_pinit(pmap_t pmap)
{
	memset(pmap, 0, sizeof(*pmap));
	mtx_init(&pmap->pm_mtx, "pmap", LR_PMAP);
	pmap->pm_live = true;
	for (size_t i = 0; i < nitems(live_pmaps); i++) {
		if (live_pmaps[i] == NULL) {
			live_pmaps[i] = pmap;
			return (0);
		}
	}
	T_FAIL("too many pmaps");
}

uint64_t
pmap_stored(void)
{
	return (0);
}

bool
pmap_drain(void)
{
	return (false);
}

void
pmap_release(pmap_t pmap)
{
	struct fake_pte *pte = LIST_FIRST(&pmap->pm_all);

	if (pte != NULL)
		T_FAIL("pmap_release: %#lx is still mapped", pte->va);
	T_OK(pmap->pm_live);
	pmap->pm_live = false;
	for (size_t i = 0; i < nitems(live_pmaps); i++) {
		if (live_pmaps[i] == pmap)
			live_pmaps[i] = NULL;
	}
}

void
pmap_activate(pmap_t pmap)
{
	T_OK(pmap->pm_live);
}

/* The entry's modified bit belongs to the page when the entry goes or becomes read-only. */
static void
sync_modified(struct fake_pte *pte)
{
	if (pte->modified && pte->managed)
		vm_page_dirty(pte->m);
	pte->modified = false;
}

static void
drop(struct fake_pte *pte)
{
	sync_modified(pte);
	LIST_REMOVE(pte, hash);
	LIST_REMOVE(pte, all);
	if (pte->managed) {
		LIST_REMOVE(pte, pv);
		VM_CNT_DEC(v_pv_entries);
	}
	pte->pmap->pm_resident--;
	fake_pmap.mappings--;
	fake_pmap.wired -= pte->wired;
	VM_CNT_INC(v_pte_writes);
	free(pte);
}

/* What pmap_enter may rely on for a page. */
static void
check_enter(vm_page_t m, vm_paddr_t pa, vm_prot_t prot)
{
	if (m->phys_addr != pa)
		T_FAIL("pmap_enter: the run is not contiguous at %#lx", pa);
	if (m == vm_zero_page) {
		if ((prot & VM_PROT_WRITE) != 0)
			T_FAIL("pmap_enter: the page of zeros, writable");
		return;
	}
	m = vm_page_unit(m);
	if (m->object == NULL)
		T_FAIL("pmap_enter: page %#lx stands in no object", pa);
	if (!vm_page_busied(m) && !fake_holds(&m->object->lock))
		T_FAIL("pmap_enter: page %#lx is not busied, its object not locked", pa);
	if (!m->valid)
		T_FAIL("pmap_enter: page %#lx is not valid", pa);
}

static void
store(pmap_t pmap, vm_offset_t va, vm_page_t m, vm_prot_t prot, bool wired)
{
	struct fake_pte *pte = calloc(1, sizeof(*pte));

	*pte = (struct fake_pte){
	    .pmap = pmap, .va = va, .pa = m->phys_addr, .m = m, .prot = prot, .wired = wired};
	pte->managed = !(m->flags & PG_UNMANAGED);
	LIST_INSERT_HEAD(bucket(pmap, va), pte, hash);
	LIST_INSERT_HEAD(&pmap->pm_all, pte, all);
	if (pte->managed) {
		LIST_INSERT_HEAD(&m->md.pv_list, pte, pv);
		VM_CNT_INC(v_pv_entries);
	}
	pmap->pm_resident++;
	fake_pmap.mappings++;
	fake_pmap.wired += wired;
	fake_pmap.entered++;
	VM_CNT_INC(v_pte_writes);
}

/* Same frame: raise what is there to what is asked, or leave it alone (P18). */
static void
upgrade(struct fake_pte *pte, vm_prot_t prot, bool wired)
{
	bool more_wired = wired && !pte->wired;

	if ((pte->prot & prot) == prot && !more_wired) {
		fake_pmap.left_alone++;
		return;
	}
	pte->prot |= prot;
	pte->wired |= wired;
	fake_pmap.wired += more_wired;
	fake_pmap.entered++;
	VM_CNT_INC(v_pte_writes);
}

static int
enter_one(pmap_t pmap, vm_offset_t va, vm_page_t m, vm_prot_t prot, bool wired)
{
	struct fake_pte *pte = find(pmap, va);

	if (fail_in != 0 && --fail_in == 0)
		return (KERN_RESOURCE_SHORTAGE);
	if (pte != NULL && pte->pa == m->phys_addr) {
		if (pte->managed && pte->m != m)
			T_FAIL("pmap_enter: two vm_pages for frame %#lx at one address",
			       m->phys_addr);
		upgrade(pte, prot, wired);
		return (KERN_SUCCESS);
	}
	if (pte != NULL) {
		fake_pmap.replaced++;
		wired |= pte->wired;
		drop(pte);
	}
	store(pmap, va, m, prot, wired);
	return (KERN_SUCCESS);
}

int
pmap_enter(pmap_t pmap, vm_offset_t va, vm_page_t m, vm_pindex_t npages, vm_prot_t prot,
	   uint32_t flags)
{
	int rv = KERN_SUCCESS;

	T_OK(pmap->pm_live);
	T_EQ(va & PAGE_MASK, 0);
	T_OK(npages > 0);
	T_OK(va >= VM_MINUSER_ADDRESS && va + ptoa(npages) <= VM_MAXUSER_ADDRESS);
	T_OK(prot != VM_PROT_NONE && (prot & ~VM_PROT_ALL) == 0);
	if (fake_pmap_enter_hook != NULL)
		fake_pmap_enter_hook(pmap, va, m);
	fake_pmap.enter_calls++;
	mtx_lock(&pmap->pm_mtx);
	for (vm_pindex_t i = 0; i < npages && rv == KERN_SUCCESS; i++) {
		check_enter(&m[i], m->phys_addr + ptoa(i), prot);
		rv = enter_one(pmap, va + ptoa(i), &m[i], prot, (flags & PMAP_ENTER_WIRED) != 0);
	}
	mtx_unlock(&pmap->pm_mtx);
	return (rv);
}

/* Call fn for each entry in [sva, eva); it may drop the entry. */
static void
for_range(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, void (*fn)(struct fake_pte *, vm_prot_t),
	  vm_prot_t prot)
{
	struct fake_pte *pte, *next;

	T_OK(pmap->pm_live);
	T_OK(((sva | eva) & PAGE_MASK) == 0 && sva <= eva);
	mtx_lock(&pmap->pm_mtx);
	if (atop(eva - sva) <= pmap->pm_resident) {
		for (; sva < eva; sva += PAGE_SIZE) {
			if ((pte = find(pmap, sva)) != NULL)
				fn(pte, prot);
		}
	} else {
		for (pte = LIST_FIRST(&pmap->pm_all); pte != NULL; pte = next) {
			next = LIST_NEXT(pte, all);
			if (pte->va >= sva && pte->va < eva)
				fn(pte, prot);
		}
	}
	mtx_unlock(&pmap->pm_mtx);
}

static void
remove_one(struct fake_pte *pte, vm_prot_t prot)
{
	(void)prot;
	drop(pte);
}

void
pmap_remove(pmap_t pmap, vm_offset_t sva, vm_offset_t eva)
{
	for_range(pmap, sva, eva, remove_one, 0);
}

/* Not all: what the pmap may remove instead, it removes now and then. */
void
pmap_move(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, vm_offset_t dva)
{
	struct fake_pte *pte;

	T_OK(dva + (eva - sva) <= sva || dva >= eva);
	mtx_lock(&pmap->pm_mtx);
	for (vm_offset_t va = sva; va < eva; va += PAGE_SIZE) {
		T_OK(find(pmap, va - sva + dva) == NULL);
		pte = find(pmap, va);
		if (pte == NULL)
			continue;
		if (!pte->managed || atop(va) % 7 == 0) {
			drop(pte);
			continue;
		}
		LIST_REMOVE(pte, hash);
		pte->va = va - sva + dva;
		LIST_INSERT_HEAD(bucket(pmap, pte->va), pte, hash);
	}
	mtx_unlock(&pmap->pm_mtx);
}

static void
protect_one(struct fake_pte *pte, vm_prot_t prot)
{
	if ((pte->prot & prot) == 0) {
		drop(pte);
		return;
	}
	if ((pte->prot & ~prot) == 0)
		return;
	if (!(prot & VM_PROT_WRITE))
		sync_modified(pte);
	pte->prot &= prot;
	VM_CNT_INC(v_pte_writes);
}

void
pmap_protect(pmap_t pmap, vm_offset_t sva, vm_offset_t eva, vm_prot_t prot)
{
	for_range(pmap, sva, eva, protect_one, prot);
}

static void
unwire_one(struct fake_pte *pte, vm_prot_t prot)
{
	(void)prot;
	fake_pmap.wired -= pte->wired;
	pte->wired = false;
}

void
pmap_unwire(pmap_t pmap, vm_offset_t sva, vm_offset_t eva)
{
	for_range(pmap, sva, eva, unwire_one, 0);
}

vm_paddr_t
pmap_extract(pmap_t pmap, vm_offset_t va)
{
	struct fake_pte *pte = find(pmap, trunc_page(va));

	return (pte != NULL ? pte->pa + (va & PAGE_MASK) : 0);
}

void
pmap_page_init(vm_page_t m)
{
	LIST_INIT(&m->md.pv_list);
}

static void
check_by_page(vm_page_t m)
{
	if (m->flags & PG_UNMANAGED)
		T_FAIL("an unmanaged page has no pv list");
	if (vm_page_unit(m) != m)
		T_FAIL("by-page pmap operation on a part of a superpage");
	if (m->object != NULL && !rw_wowned(&m->object->lock))
		T_FAIL("by-page pmap operation, the object is not write-locked");
}

void
pmap_remove_all(vm_page_t m)
{
	vm_page_t end = m + vm_page_unit_pages(m);

	check_by_page(m);
	for (; m < end; m++)
		while (!LIST_EMPTY(&m->md.pv_list))
			drop(LIST_FIRST(&m->md.pv_list));
}

void
pmap_remove_write(vm_page_t m)
{
	struct fake_pte *pte, *next;

	vm_page_t end = m + vm_page_unit_pages(m);

	check_by_page(m);
	for (; m < end; m++) {
		for (pte = LIST_FIRST(&m->md.pv_list); pte != NULL; pte = next) {
			next = LIST_NEXT(pte, pv);
			protect_one(pte, VM_PROT_READ | VM_PROT_EXECUTE);
		}
	}
}

bool
pmap_page_is_mapped(vm_page_t m)
{
	vm_page_t end = m + vm_page_unit_pages(m);

	if (m->flags & PG_UNMANAGED)
		return (false);
	while (m < end && LIST_EMPTY(&m->md.pv_list))
		m++;
	return (m < end);
}

bool
pmap_is_modified(vm_page_t m)
{
	struct fake_pte *pte;

	LIST_FOREACH (pte, &m->md.pv_list, pv) {
		if (pte->modified)
			return (true);
	}
	return (false);
}

bool
pmap_ts_referenced(vm_page_t m)
{
	struct fake_pte *pte;
	bool referenced = false;

	LIST_FOREACH (pte, &m->md.pv_list, pv) {
		referenced |= pte->accessed;
		pte->accessed = false;
	}
	return (referenced);
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

/* --- for tests --- */

bool
fake_pte(pmap_t pmap, vm_offset_t va, vm_page_t *m, vm_prot_t *prot, bool *wired)
{
	struct fake_pte *pte = find(pmap, va);

	if (pte == NULL)
		return (false);
	if (m != NULL)
		*m = pte->m;
	if (prot != NULL)
		*prot = pte->prot;
	if (wired != NULL)
		*wired = pte->wired;
	return (true);
}

uint64_t
fake_mapped(pmap_t pmap, vm_offset_t start, vm_offset_t end)
{
	struct fake_pte *pte;
	uint64_t n = 0;

	LIST_FOREACH (pte, &pmap->pm_all, all)
		n += pte->va >= start && pte->va < end;
	return (n);
}

void
fake_pmap_verify(void)
{
	struct fake_pte *pte;

	for (size_t i = 0; i < nitems(live_pmaps); i++) {
		if (live_pmaps[i] == NULL)
			continue;
		LIST_FOREACH (pte, &live_pmaps[i]->pm_all, all) {
			if (pte->managed && vm_page_unit(pte->m)->object == NULL)
				T_FAIL("%#lx maps frame %#lx, which stands in no object", pte->va,
				       pte->pa);
		}
	}
}

int
fake_touch(vm_map_t map, vm_offset_t va, vm_prot_t access, uint8_t **where)
{
	struct fake_pte *pte;
	int rv;

	for (int tries = 0; tries < 100; tries++) {
		pte = find(map->pmap, trunc_page(va));
		if (pte != NULL && (pte->prot & access) == access) {
			if (pte->managed && vm_page_unit(pte->m)->object == NULL)
				T_FAIL("%#lx maps frame %#lx, which stands in no object", va,
				       pte->pa);
			pte->accessed = true;
			pte->modified |= (access & VM_PROT_WRITE) != 0;
			if (where != NULL)
				*where = (uint8_t *)fake_phys(pte->pa) + (va & PAGE_MASK);
			return (KERN_SUCCESS);
		}
		rv = vm_fault(map, va, access, VM_FAULT_NORMAL, NULL);
		if (curthread->td_ranks != 0 || fake_locks_held(curthread) != 0)
			T_FAIL("vm_fault returned %d with a lock held", rv);
		if (rv != KERN_SUCCESS)
			return (rv);
	}
	T_FAIL("the fault at %#lx makes no progress", va);
}
