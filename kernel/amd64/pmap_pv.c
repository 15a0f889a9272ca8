/*
 * Who maps a page: the pv lists. Owns their entries and the chunks these come from.
 *
 * A list is a splay tree (Sleator and Tarjan, 1985): each search turns what it comes to up to the top,
 * so that what was used last is found at once, and in the long run none takes more than O(log n).
 */
#include "amd64/pmap_int.h"
#include "kern/machdep.h"
#include "kern/panic.h"

void __slow_path
pv_list_wait(uintptr_t *head)
{
	unsigned looks = 0;

	lock_waited("pv list", false);
	while ((__atomic_load_n(head, __ATOMIC_RELAXED) & PV_LOCKED) != 0)
		cpu_spinwait(++looks);
}

struct pv_chunk *
pv_chunk_alloc(pmap_t pmap)
{
	vm_page_t m = vm_phys_alloc(0, VM_ALLOC_SYSTEM | VM_ALLOC_ZERO);
	struct pv_chunk *pc;

	if (m == NULL)
		return (NULL);
	pc = pmap_page_kva(m);
	pc->pc_pmap = pmap;
	pc->pc_owner = pmap_cpu(pmap);
	LIST_INSERT_HEAD(&pc->pc_owner->pmc_chunks, pc, pc_link);
	return (pc);
}

/* One after which there is none. */
static void
entry_free(struct pv_entry *pv)
{
	struct pv_chunk *pc = pv_chunk_of(pv);

	VM_CNT_DEC(v_pv_entries);
	pv->pv_child[0] = pc->pc_free;
	pc->pc_free = pv;
	if (pc->pc_used-- == PV_PER_CHUNK)
		LIST_INSERT_HEAD(&pc->pc_owner->pmc_chunks, pc, pc_link);
	if (pc->pc_used == 0) {
		LIST_REMOVE(pc, pc_link);
		vm_phys_free(PHYS_TO_VM_PAGE(dmap_to_phys(pc)), 0);
	}
}

/* The address of the block's first page when m is at va. */
static inline vm_offset_t
base_address(vm_offset_t va, vm_page_t m)
{
	return ((m->flags & PG_BLOCK) != 0 ? va - ptoa(m - vm_page_block(m)) : va);
}

/* Which child of pv leads to the entry of pmap and base; -1: it is pv. */
static inline int
towards(const struct pv_entry *pv, pmap_t pmap, vm_offset_t base)
{
	vm_offset_t at = trunc_page(pv->pv_va);

	if (pv_pmap(pv) != pmap)
		return ((uintptr_t)pv_pmap(pv) < (uintptr_t)pmap);
	return (at == base ? -1 : at < base);
}

/* What the search passes goes to one of two trees, of what is before and what is after, which in the
 * end hang below the new top. */
static struct pv_entry *__attribute__((noinline))
turn(struct pv_entry *top, pmap_t pmap, vm_offset_t base)
{
	struct pv_entry *side[2] = {NULL, NULL}, **end[2] = {&side[0], &side[1]}, *next;
	int way;

	while ((way = towards(top, pmap, base)) >= 0 && (next = top->pv_child[way]) != NULL) {
		if (next->pv_child[way] != NULL && towards(next, pmap, base) == way) {
			top->pv_child[way] = next->pv_child[!way];
			next->pv_child[!way] = top;
			top = next;
			next = top->pv_child[way];
		}
		*end[!way] = top;
		end[!way] = &top->pv_child[way];
		top = next;
	}
	*end[0] = top->pv_child[0];
	*end[1] = top->pv_child[1];
	top->pv_child[0] = side[0];
	top->pv_child[1] = side[1];
	return (top);
}

/* Turn the tree so that the entry of pmap and base is at its top; if there is none, one between which
 * and it there is no other. Returns where it is from there: towards. */
static inline int
splay(struct pv_entry **top, pmap_t pmap, vm_offset_t base)
{
	int way = towards(*top, pmap, base);

	if (__predict_true(way < 0 || (*top)->pv_child[way] == NULL))
		return (way);
	*top = turn(*top, pmap, base);
	return (towards(*top, pmap, base));
}

void
pv_hang(struct pv_entry *first, struct pv_entry *pv)
{
	vm_offset_t base = trunc_page(pv->pv_va);
	int way = splay(&first, pv_pmap(pv), base);

	KASSERT(way >= 0, ("pv list: two entries for %#lx", base));
	pv->pv_child[way] = first->pv_child[way];
	pv->pv_child[!way] = first;
	first->pv_child[way] = NULL;
}

/* What is left of the tree without its top. */
static inline struct pv_entry *
without_top(const struct pv_entry *top)
{
	struct pv_entry *before = top->pv_child[0], *after = top->pv_child[1];

	if (before == NULL || after == NULL)
		return (before != NULL ? before : after);
	splay(&before, pv_pmap(top), trunc_page(top->pv_va)); /* the last of these */
	before->pv_child[1] = after;
	return (before);
}

bool
pv_insert(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n)
{
	uintptr_t *head = pv_head(m);
	struct pv_entry *first;
	bool there;

	mtx_assert_owned(&pmap->pm_mtx);
	va = base_address(va, m);
	if ((m->flags & PG_BLOCK) == 0)
		return (pv_add(pmap, head, va, n));
	first = pv_list_lock(head);
	there = first != NULL && splay(&first, pmap, va) < 0;
	if (there)
		first->pv_va += n;
	pv_list_unlock(head, first);
	return (there || pv_add(pmap, head, va, n)); /* only its own pmap adds such an entry */
}

void
pv_remove_listed(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n, struct pv_entry **first)
{
	vm_offset_t base = base_address(va, m);
	int way __unused = splay(first, pmap, base);
	struct pv_entry *pv = *first;

	mtx_assert_owned(&pmap->pm_mtx);
	KASSERT(way < 0, ("pv list: no entry for %#lx", base));
	if (((pv->pv_va - n) & PAGE_MASK) != 0) {
		pv->pv_va -= n;
		return;
	}
	*first = without_top(pv);
	pv->pv_child[1] = NULL;
	entry_free(pv);
}

static void __attribute__((noinline))
remove_searched(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n)
{
	uintptr_t *head = pv_head(m);
	struct pv_entry *first = pv_list_lock(head);

	pv_remove_listed(pmap, va, m, n, &first);
	pv_list_unlock(head, first);
}

/* Most are alone in their list, or all others are on one side, as a child's parent is. Nothing is
 * kept over a call here, so that these do not pay for a frame. */
void
pv_remove(pmap_t pmap, vm_offset_t va, vm_page_t m, uint64_t n)
{
	struct pv_entry *pv, *left, *right;
	uintptr_t *head = pv_head(m);

	mtx_assert_owned(&pmap->pm_mtx);
	if (__predict_true(pv_list_trylock(head, &pv))) {
		left = pv->pv_child[0];
		right = pv->pv_child[1];
		if ((pv->pv_va & PAGE_MASK) == n && (left == NULL || right == NULL) &&
		    (left == right || towards(pv, pmap, base_address(va, m)) < 0)) {
			pv_list_unlock(head, left != NULL ? left : right);
			pv->pv_child[1] = NULL;
			entry_free(pv);
			return;
		}
		pv_list_unlock(head, pv);
	}
	remove_searched(pmap, va, m, n);
}

struct pv_entry *
pv_rehang(struct pv_entry *first, pmap_t pmap, vm_offset_t from, vm_offset_t to)
{
	struct pv_entry *pv;

	splay(&first, pmap, from);
	pv = first;
	first = without_top(pv);
	pv->pv_va = to + 1; /* one page */
	pv->pv_child[0] = pv->pv_child[1] = NULL;
	if (first != NULL)
		pv_hang(first, pv);
	return (pv);
}

/* The first entry after that of pmap and base, or NULL. */
static struct pv_entry *
entry_after(struct pv_entry **first, pmap_t pmap, vm_offset_t base)
{
	struct pv_entry **after;

	if (*first == NULL || splay(first, pmap, base) == 0)
		return (*first);
	after = &(*first)->pv_child[1];
	if (*after != NULL)
		splay(after, pmap, base);
	return (*after);
}

/* One walk of the list; false: it came to a pmap that is in use. */
static bool
foreach_once(uintptr_t *head, pv_fn *fn, void *arg, bool *done)
{
	struct pv_entry *first = pv_list_lock(head), *pv;
	pmap_t pmap = NULL; /* before all */
	vm_offset_t base = 0;
	bool locked = true;

	while (!*done && (pv = entry_after(&first, pmap, base)) != NULL) {
		pmap = pv_pmap(pv);
		base = trunc_page(pv->pv_va);
		locked = mtx_trylock(&pmap->pm_mtx);
		if (!locked)
			break;
		*done = fn(arg, pv, &first);
		mtx_unlock(&pmap->pm_mtx);
	}
	pv_list_unlock(head, first);
	return (locked);
}

bool
pv_foreach(vm_page_t m, pv_fn *fn, void *arg)
{
	bool done = false;

	spinlock_enter();
	while (!foreach_once(pv_head(m), fn, arg, &done))
		cpu_spinwait(0);
	spinlock_exit();
	return (done);
}
