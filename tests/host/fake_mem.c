/*
 * The machine of the host tests: frames of RAM in one mapping of the host, VRAM in another, an
 * address space on top. Owns both memories and the pages that tests take away from the allocator.
 */
#include "fake.h"
#include "harness.h"
#include "kern/kmalloc.h"

#include <sys/mman.h>

uint8_t fake_vram[FAKE_VRAM_SIZE] __aligned_to(4096);
struct vm_page *fake_ram_pages;
static uint8_t *ram;
static size_t ram_frames;
static struct pglist eaten = TAILQ_HEAD_INITIALIZER(eaten);
static size_t neaten;

void fake_threads_init(void);

void
fake_boot(size_t frames)
{
	fake_threads_init();
	if (frames == 0)
		return;
	ram_frames = frames + 1; /* the last is the page of zeros */
	ram = mmap(NULL, ptoa(ram_frames), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	T_OK(ram != MAP_FAILED);
	memset(ram, 0xa5, ptoa(frames));
	fake_ram_pages = mmap(NULL, (ram_frames + 1) * sizeof(struct vm_page),
			      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	T_OK(fake_ram_pages != MAP_FAILED);
	vm_phys_add_seg(FAKE_RAM_BASE, FAKE_RAM_BASE + ptoa(ram_frames), fake_ram_pages);
	vm_page_set_zero(&fake_ram_pages[frames]);
	vm_phys_free_range(FAKE_RAM_BASE, FAKE_RAM_BASE + ptoa(frames));
	T_EQ(pmap_pinit(kernel_pmap), 0);
	vm_overcommit_memory = VM_OVERCOMMIT_ALWAYS; /* devices larger than RAM are mapped */
}

void *
fake_phys(vm_paddr_t pa)
{
	if (pa >= FAKE_RAM_BASE && pa - FAKE_RAM_BASE < ptoa(ram_frames))
		return (ram + (pa - FAKE_RAM_BASE));
	if (pa >= FAKE_VRAM_BASE && pa - FAKE_VRAM_BASE < FAKE_VRAM_SIZE)
		return (fake_vram + (pa - FAKE_VRAM_BASE));
	T_FAIL("physical address %#lx is neither RAM nor VRAM", pa);
}

void *
pmap_page_kva(vm_page_t m)
{
	if (m->phys_addr < FAKE_RAM_BASE || m->phys_addr - FAKE_RAM_BASE >= ptoa(ram_frames))
		T_FAIL("no direct map of %#lx: not RAM", m->phys_addr);
	return (fake_phys(m->phys_addr));
}

void
pmap_zero_page(vm_page_t m)
{
	memset(pmap_page_kva(m), 0, PAGE_SIZE);
}

void
pmap_copy_page(vm_page_t src, vm_page_t dst)
{
	memcpy(pmap_page_kva(dst), fake_phys(src->phys_addr), PAGE_SIZE);
}

void
fake_eat_memory(size_t left)
{
	while (vm_cnt.v_free_count > vm_cnt.v_free_reserved + left) {
		vm_page_t m = vm_phys_alloc(0, VM_ALLOC_NORMAL);

		T_OK(m != NULL);
		TAILQ_INSERT_TAIL(&eaten, m, plinks);
		neaten++;
	}
}

void
fake_give_memory(size_t n)
{
	vm_page_t m;

	for (; n > 0 && neaten > 0; n--, neaten--) {
		m = TAILQ_FIRST(&eaten);
		TAILQ_REMOVE(&eaten, m, plinks);
		vm_page_free(m); /* wakes who waits for memory */
	}
}

struct space *
space_create(void)
{
	struct space *s = kmalloc(sizeof(*s), M_ZERO);

	T_EQ(pmap_pinit(&s->pmap), 0);
	vm_map_init(&s->map, &s->pmap, VM_MINUSER_ADDRESS, VM_MAXUSER_ADDRESS);
	return (s);
}

void
space_destroy(struct space *s)
{
	vm_map_destroy(&s->map);
	pmap_release(&s->pmap);
	kfree(s);
}

uint64_t
space_read(struct space *s, vm_offset_t va)
{
	uint64_t value;
	uint8_t *p;

	T_EQ(fake_touch(&s->map, va, VM_PROT_READ, &p), KERN_SUCCESS);
	memcpy(&value, p, sizeof(value));
	return (value);
}

void
space_write(struct space *s, vm_offset_t va, uint64_t value)
{
	uint8_t *p;

	T_EQ(fake_touch(&s->map, va, VM_PROT_WRITE, &p), KERN_SUCCESS);
	memcpy(p, &value, sizeof(value));
}

void
space_map(struct space *s, vm_offset_t va, vm_size_t length, vm_object_t object,
	  vm_ooffset_t offset, vm_prot_t prot, vm_prot_t max_prot, uint32_t eflags)
{
	struct vm_map_req req = {.object = object,
				 .offset = offset,
				 .prot = prot,
				 .max_prot = max_prot,
				 .eflags = eflags};

	T_EQ(vm_map_insert(&s->map, va, length, &req), KERN_SUCCESS);
}

void
space_unmap(struct space *s, vm_offset_t va, vm_size_t length)
{
	T_EQ(vm_map_remove(&s->map, va, va + length), KERN_SUCCESS);
}
