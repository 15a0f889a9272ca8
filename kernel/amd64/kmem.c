/*
 * Kernel memory that is not kmalloc's: pages for the time before the page allocator, the vm_pages
 * of RAM, kernel stacks, and device memory. Owns the kernel's virtual area.
 */
#include "amd64/amd64.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/string.h"
#include "kern/thread.h"
#include "kern/trace.h"
#include "vm/vm_page.h"

#define LOW_MEMORY (1ul << 20) /* left to the firmware and to CPUs that start in real mode */
#define MEMORY_MIN (8ul << 20) /* what must be left beside the initrd */
#define KVA_POOL   256 /* notes of free addresses that need no memory */
#define KVA_LARGE  (2ul << 20) /* device memory of this size on is mapped by large pages */

/* Addresses given back, kept for the next mapping of the same length. */
struct kva_range {
	LIST_ENTRY(kva_range) link; /* (k) */
	uint64_t va, len;
};

static struct boot_mem unused[BOOT_MAX_MEM]; /* RAM nobody has yet; start-up only */
static uint32_t nunused;
static struct mtx kva_mtx = MTX_INITIALIZER("kernel addresses", LR_LEAF); /* the (k) fields: */
static uint64_t kva_next = KVA_BASE; /* (k) */
static LIST_HEAD(, kva_range) kva_free = LIST_HEAD_INITIALIZER(kva_free); /* (k) */
static LIST_HEAD(, kva_range) kva_notes =
    LIST_HEAD_INITIALIZER(kva_notes); /* (k) of the pool, unused */
static struct kva_range kva_pool[KVA_POOL]; /* (k) */
static uint32_t kva_pool_used; /* (k) ever */

/* --- start-up --------------------------------------------------------------------------------- */

static void __noreturn
too_little_memory(void)
{
	uint64_t initrd = bootinfo.initrd_end - bootinfo.initrd_start, total = 0;
	uint64_t enough = 32 + (roundup2(2 * initrd, 1ul << 20) >> 20); /* MiB */
	char line[80];

	for (uint32_t i = 0; i < bootinfo.nmem; i++)
		total += bootinfo.mem[i].end - bootinfo.mem[i].start;
	ksnprintf(line, sizeof(line), "%lu MiB of memory is too little, give --mem %luM or more",
		  roundup2(total, 1ul << 20) >> 20, enough);
	boot_die(line);
}

static void
find_unused(void)
{
	memcpy(unused, bootinfo.mem, sizeof(unused));
	nunused = bootinfo.nmem;
	/* A list that is too long loses memory, nothing else. */
	boot_mem_remove(unused, &nunused, 0, LOW_MEMORY);
	boot_mem_remove(unused, &nunused, (uint64_t)image_start, (uint64_t)image_end - KERNBASE);
	boot_mem_remove(unused, &nunused, trunc_page(bootinfo.initrd_start),
			round_page(bootinfo.initrd_end));
}

uint64_t
early_alloc(uint64_t bytes)
{
	uint64_t pa;

	if (nunused == 0)
		find_unused();
	bytes = round_page(bytes);
	for (uint32_t i = 0; i < nunused; i++) {
		if (unused[i].end - unused[i].start < bytes)
			continue;
		pa = unused[i].start;
		boot_mem_remove(unused, &nunused, pa, pa + bytes);
		return (pa);
	}
	too_little_memory();
}

bool
is_ram(uint64_t pa, uint64_t len)
{
	for (uint32_t i = 0; i < bootinfo.nmem; i++)
		if (pa < bootinfo.mem[i].end && bootinfo.mem[i].start < pa + len)
			return (true);
	return (false);
}

/* The trace's memory, if there is to be a trace, is never anything else. */
static void
trace_setup(void)
{
	unsigned cpus = MIN(MAX(bootinfo.ncpus, 1u), (unsigned)MAXCPU);
	uint64_t bytes = trace_wanted(cpus), pa;

	if (bytes == 0)
		return;
	pa = early_alloc(bytes);
	trace_start(phys_to_dmap(pa), cpus);
	machine_trace(pa);
}

/* Among the kernel's constants, which nobody can write to. */
static const uint8_t zero_page[PAGE_SIZE] __aligned_to(PAGE_SIZE);

void
amd64_mem_init(void)
{
	uint64_t start, end, bytes, left = 0;
	struct vm_page *pages;
	uint32_t i;

	trace_setup();
	for (i = 0; i < bootinfo.nmem; i++) {
		start = MAX(bootinfo.mem[i].start, LOW_MEMORY);
		end = bootinfo.mem[i].end;
		if (start >= end)
			continue;
		bytes = (atop(end - start) + 1) * sizeof(struct vm_page);
		pages = phys_to_dmap(early_alloc(bytes));
		memset(pages, 0, bytes);
		vm_phys_add_seg(start, end, pages);
	}
	for (i = 0; i < nunused; i++) {
		left += unused[i].end - unused[i].start;
		vm_phys_free_range(unused[i].start, unused[i].end);
	}
	if (left < MEMORY_MIN)
		too_little_memory();
	vm_page_set_zero(PHYS_TO_VM_PAGE((uint64_t)zero_page - KERNBASE));
}

/* --- addresses -------------------------------------------------------------------------------- */

/* A note, from the pool as long as that has one: how many there are is nobody's doing, and is not to
 * show in what kmalloc has given. NULL: no memory. */
static struct kva_range *
note_alloc(void)
{
	struct kva_range *r;

	mtx_lock(&kva_mtx);
	r = LIST_FIRST(&kva_notes);
	if (r != NULL)
		LIST_REMOVE(r, link);
	else if (kva_pool_used < nitems(kva_pool))
		r = &kva_pool[kva_pool_used++];
	mtx_unlock(&kva_mtx);
	return (r != NULL ? r : kmalloc(sizeof(*r), 0));
}

static void
note_free(struct kva_range *r)
{
	if (r < kva_pool || r >= kva_pool + nitems(kva_pool)) {
		kfree(r);
		return;
	}
	mtx_lock(&kva_mtx);
	LIST_INSERT_HEAD(&kva_notes, r, link);
	mtx_unlock(&kva_mtx);
}

/* 0 when the area is used up: it has 512 GiB. */
static uint64_t
kva_alloc(uint64_t len, uint64_t align)
{
	struct kva_range *r;
	uint64_t va;

	mtx_lock(&kva_mtx);
	LIST_FOREACH (r, &kva_free, link)
		if (r->len == len)
			break;
	va = r != NULL ? r->va : roundup2(kva_next, align);
	if (r != NULL)
		LIST_REMOVE(r, link);
	else if (len > KVA_END - va)
		va = 0;
	else
		kva_next = va + len;
	mtx_unlock(&kva_mtx);
	note_free(r);
	return (va);
}

/* Without memory for the note the addresses are lost, which harms nobody. */
static void
kva_release(uint64_t va, uint64_t len)
{
	struct kva_range *r = note_alloc();

	if (r == NULL)
		return;
	r->va = va;
	r->len = len;
	mtx_lock(&kva_mtx);
	LIST_INSERT_HEAD(&kva_free, r, link);
	mtx_unlock(&kva_mtx);
}

/* --- pages at kernel addresses: stacks and large arrays --------------------------------------- */

/* The pages are free only when no CPU knows them by these addresses any more. */
static void
kva_unmap_pages(uint64_t va, uint64_t n)
{
	struct pglist pages = TAILQ_HEAD_INITIALIZER(pages);
	vm_page_t m;

	for (uint64_t i = 0; i < n; i++) {
		m = PHYS_TO_VM_PAGE(pmap_extract(kernel_pmap, va + ptoa(i)));
		TAILQ_INSERT_TAIL(&pages, m, plinks);
	}
	pmap_kremove(va, ptoa(n));
	while ((m = TAILQ_FIRST(&pages)) != NULL) {
		TAILQ_REMOVE(&pages, m, plinks);
		vm_phys_free(m, 0);
	}
}

/* The length of the address range includes the guard page. */
void *
kva_pages_alloc(uint64_t n, int req)
{
	uint64_t va = kva_alloc(ptoa(n + 1), PAGE_SIZE), i;
	vm_page_t m;

	if (va == 0)
		return (NULL);
	for (i = 0; i < n; i++) {
		m = vm_phys_alloc(0, req);
		if (m == NULL)
			break;
		if (!pmap_kenter(va + ptoa(i + 1), m->phys_addr, PAGE_SIZE, PG_RW | PG_NX)) {
			vm_phys_free(m, 0);
			break;
		}
	}
	if (i == n)
		return ((void *)(va + PAGE_SIZE));
	kva_unmap_pages(va + PAGE_SIZE, i);
	kva_release(va, ptoa(n + 1));
	return (NULL);
}

static void
kva_pages_free(void *p, uint64_t n)
{
	kva_unmap_pages((uint64_t)p, n);
	kva_release((uint64_t)p - PAGE_SIZE, ptoa(n + 1));
}

/* One stack that nobody uses is kept: a fork and an exit often take turns. */
static void *spare_kstack; /* atomic */

void *
cpu_kstack_alloc(void)
{
	void *kstack = __atomic_exchange_n(&spare_kstack, NULL, __ATOMIC_ACQ_REL);

	return (kstack != NULL ? kstack : kva_pages_alloc(atop(KSTACK_SIZE), VM_ALLOC_SYSTEM));
}

void
cpu_kstack_free(void *kstack)
{
	kstack = __atomic_exchange_n(&spare_kstack, kstack, __ATOMIC_ACQ_REL);
	if (kstack != NULL)
		kva_pages_free(kstack, atop(KSTACK_SIZE));
}

void *
pmap_alloc_page_array(vm_size_t bytes)
{
	return (kva_pages_alloc(atop(round_page(bytes)), VM_ALLOC_NORMAL | VM_ALLOC_ZERO));
}

void
pmap_free_page_array(void *array, vm_size_t bytes)
{
	kva_pages_free(array, atop(round_page(bytes)));
}

/* --- device memory ---------------------------------------------------------------------------- */

volatile void *
cpu_mapdev(uint64_t pa, uint64_t len, uint8_t attr)
{
	uint64_t start = trunc_page(pa), end = round_page(pa + len), size = end - start, va;
	uint64_t align = size >= KVA_LARGE ? KVA_LARGE : PAGE_SIZE;

	if (len == 0 || pa + len < pa || end > PG_FRAME || is_ram(start, size) ||
	    !vm_phys_attribute_ok(start, end, attr))
		return (NULL);
	/* Congruent to the physical address, so that large pages fit. */
	size += start % align;
	va = kva_alloc(size, align);
	if (va == 0)
		return (NULL);
	if (!pmap_kenter(va + start % align, start, end - start, PG_RW | PG_NX | PG_ATTR(attr))) {
		pmap_kremove(va, size);
		kva_release(va, size);
		return (NULL);
	}
	return ((volatile void *)(va + pa % align));
}
