/*
 * Kernel memory. Small objects come from slabs of one page, by powers of two; the page's vm_page
 * says which size it holds, how many are in use, and where the first free one is, so that nothing
 * is kept in the page itself but a link in each free object. Larger ones are whole buddy blocks.
 */
#include "kern/kmalloc.h"
#include "kern/lock.h"
#include "kern/panic.h"
#include "kern/sysctl.h"
#include "vm/vm_page.h"

#define UNIT_SHIFT 4 /* smallest object: 16 bytes, room for a link and INVARIANTS' mark */
#define NCACHES    8 /* 16 .. 2048 bytes */
#define SMALL_MAX  (1ul << (UNIT_SHIFT + NCACHES - 1))

/* Kept in vm_page.pindex of a page that is kmalloc's. */
struct slab {
	uint8_t kind; /* KIND_LARGE, or KIND_SLAB + the cache's index */
	uint8_t order; /* of a large block */
	uint16_t used; /* objects in use */
	uint16_t fresh; /* objects never handed out begin at this unit */
	uint16_t free; /* unit of the first object given back, or UNIT_NONE */
};
#define KIND_LARGE 0x80
#define KIND_SLAB  0x81
#define UNIT_NONE  0xffff
#define SLAB(m)    ((struct slab *)&(m)->pindex)
_Static_assert(sizeof(struct slab) == sizeof(vm_pindex_t), "a slab's state fits pindex");

/* A free object; `mark` tells it is one (INVARIANTS). */
struct freeobj {
	uint64_t next; /* unit, or UNIT_NONE */
	uint64_t mark;
};
#define MARK(obj) ((uintptr_t)(obj) ^ 0xf4eed0b1ec7f4eedul)
#define JUNK      0xdeadc0dedeadc0deul /* what a program finds that does not initialise */

/* Locks: (c) constant  (k) kmem_lock. */
struct cache {
	struct pglist slabs; /* (k) those with room, the empty one last */
	vm_page_t empty; /* (k) the one slab kept although nothing in it is in use */
	uint32_t size; /* (c) of an object, bytes */
	uint32_t capacity; /* (c) objects in a slab */
};

#define CACHE(i)                                                                             \
	{                                                                                    \
		.slabs = TAILQ_HEAD_INITIALIZER(caches[i].slabs), .empty = NULL,             \
		.size = 1u << UNIT_SHIFT << (i), .capacity = PAGE_SIZE >> UNIT_SHIFT >> (i), \
	}
static struct cache caches[NCACHES] = {CACHE(0), CACHE(1), CACHE(2), CACHE(3),
				       CACHE(4), CACHE(5), CACHE(6), CACHE(7)};
static struct mtx kmem_lock = MTX_INITIALIZER("kmem", LR_KMEM);
static uint64_t kmalloc_bytes, kmalloc_pages; /* (k) in use, as rounded up; and taken for it */
STAT(kmalloc_bytes, kmalloc_bytes);
STAT(kmalloc_pages, kmalloc_pages);

uint64_t
kmalloc_pages_used(void)
{
	return (kmalloc_pages);
}

static vm_page_t __attribute__((noinline)) slab_new(struct cache *c)
{
	vm_page_t m = vm_phys_alloc(0, VM_ALLOC_SYSTEM);

	if (m == NULL)
		return (NULL);
	*SLAB(m) = (struct slab){.kind = KIND_SLAB + (c - caches), .free = UNIT_NONE};
	TAILQ_INSERT_HEAD(&c->slabs, m, plinks);
	kmalloc_pages++;
	return (m);
}

static inline void *
slab_take(struct cache *c, vm_page_t m)
{
	struct slab *s = SLAB(m);
	char *page = phys_to_dmap(m->phys_addr);
	struct freeobj *obj;

	if (s->free != UNIT_NONE) {
		obj = (struct freeobj *)(page + ((size_t)s->free << UNIT_SHIFT));
		KASSERT(obj->mark == MARK(obj), ("kmalloc: %p was written after kfree", obj));
		s->free = obj->next;
	} else {
		obj = (struct freeobj *)(page + ((size_t)s->fresh << UNIT_SHIFT));
		s->fresh += c->size >> UNIT_SHIFT;
	}
#ifdef INVARIANTS
	obj->next = obj->mark = JUNK;
#endif
	if (c->empty == m)
		c->empty = NULL;
	if (__predict_false(++s->used == c->capacity))
		TAILQ_REMOVE(&c->slabs, m, plinks);
	return (obj);
}

static void *__attribute__((noinline)) kmalloc_large(size_t size)
{
	int order = size <= PAGE_SIZE ? 0 : 64 - __builtin_clzl((size - 1) >> PAGE_SHIFT);
	vm_page_t m;

	m = vm_phys_alloc(order, VM_ALLOC_SYSTEM);
	if (m == NULL)
		return (NULL);
	*SLAB(m) = (struct slab){.kind = KIND_LARGE, .order = order};
	mtx_lock(&kmem_lock);
	kmalloc_pages += 1ul << order;
	kmalloc_bytes += PAGE_SIZE << order;
	mtx_unlock(&kmem_lock);
	return (phys_to_dmap(m->phys_addr));
}

static void *
kmalloc_small(size_t size)
{
	unsigned index = 60 - (unsigned)__builtin_clzl((size - 1) | 15);
	struct cache *c = &caches[index];
	void *p = NULL;
	vm_page_t m;

	mtx_lock(&kmem_lock);
	m = TAILQ_FIRST(&c->slabs);
	if (__predict_true(m != NULL) || (m = slab_new(c)) != NULL) {
		p = slab_take(c, m);
		kmalloc_bytes += c->size;
	}
	mtx_unlock(&kmem_lock);
	return (p);
}

static inline void
zero_words(void *p, size_t n)
{
	__asm__ volatile("rep stosq" : "+D"(p), "+c"(n) : "a"(0ul) : "memory");
}

void *
kmalloc(size_t size, int flags)
{
	void *p;

	if (__predict_false(size - 1 >= KMALLOC_MAX))
		return (NULL);
	p = size <= SMALL_MAX ? kmalloc_small(size) : kmalloc_large(size);
	if (p != NULL && (flags & M_ZERO) != 0)
		zero_words(p, (size + 7) / 8); /* there is room for a last whole one */
	return (p);
}

/* Nothing of m is in use: keep one such page, at the end of the list, and give back others. */
static void
slab_emptied(struct cache *c, vm_page_t m)
{
	TAILQ_REMOVE(&c->slabs, m, plinks);
	if (c->empty == NULL) {
		c->empty = m;
		TAILQ_INSERT_TAIL(&c->slabs, m, plinks);
		return;
	}
	m->pindex = 0;
	kmalloc_pages--;
	vm_phys_free(m, 0);
}

static void
kfree_small(struct freeobj *obj, vm_page_t m)
{
	struct slab *s = SLAB(m);
	struct cache *c = &caches[s->kind - KIND_SLAB];
	size_t offset = (uintptr_t)obj & PAGE_MASK;

	KASSERT((offset & (c->size - 1)) == 0, ("kfree: %p is inside an object", obj));
	mtx_lock(&kmem_lock);
	KASSERT(s->used != 0 && obj->mark != MARK(obj), ("kfree: %p is free already", obj));
	obj->next = s->free;
	obj->mark = MARK(obj);
	s->free = offset >> UNIT_SHIFT;
	kmalloc_bytes -= c->size;
	if (__predict_false(s->used == c->capacity))
		TAILQ_INSERT_HEAD(&c->slabs, m, plinks);
	if (--s->used == 0)
		slab_emptied(c, m);
	mtx_unlock(&kmem_lock);
}

void
kfree(void *p)
{
	vm_page_t m;
	int order;

	if (p == NULL)
		return;
	m = PHYS_TO_VM_PAGE(trunc_page(dmap_to_phys(p)));
	KASSERT(m != NULL && m->object == NULL, ("kfree: %p is not kmalloc's", p));
	if (SLAB(m)->kind >= KIND_SLAB) {
		kfree_small(p, m);
		return;
	}
	KASSERT(SLAB(m)->kind == KIND_LARGE && ((uintptr_t)p & PAGE_MASK) == 0,
		("kfree: %p is not kmalloc's, or free already", p));
	order = SLAB(m)->order;
	m->pindex = 0;
	mtx_lock(&kmem_lock);
	kmalloc_pages -= 1ul << order;
	kmalloc_bytes -= PAGE_SIZE << order;
	mtx_unlock(&kmem_lock);
	vm_phys_free(m, order);
}
