/*
 * A device's memory under faults, an unmapper, and a revoker. The device has NPAGES pages and
 * shows, page by page, a frame of its own; a revocation gives it other frames.
 */
#include "scenario.h"
#include "world.h"

static vm_pindex_t fresh; /* frames below this were revoked, and the revocation is over */

/* A page may show a frame that is being revoked, not one that was. */
static void
seen_frame(struct touch *t, uint8_t *where)
{
	vm_pindex_t frame = atop(where - fake_vram);

	if (frame % NPAGES != t->page)
		T_FAIL("page %lu shows frame %lu", t->page, frame);
	if (frame < fresh)
		T_FAIL("stale: page %lu shows frame %lu, which was revoked", t->page, frame);
}

/* No page table has a frame that was revoked. */
static void
check_fresh(struct space *s, vm_pindex_t first, vm_pindex_t end)
{
	vm_paddr_t pa;

	for (vm_pindex_t i = first; s != NULL && i < end; i++) {
		pa = pmap_extract(&s->pmap, VA + ptoa(i));
		if (pa != 0 && atop(pa - FAKE_VRAM_BASE) < dev.shift)
			T_FAIL("stale: page %lu is mapped to a frame that was revoked", i);
	}
}

/* At the end, nor has the object. */
static void
check_device_fresh(void)
{
	vm_page_t m;

	check_fresh(one, 0, NPAGES);
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		m = device_page(i);
		if (m != NULL && atop(m->phys_addr - FAKE_VRAM_BASE) < dev.shift)
			T_FAIL("stale: page %lu is still a frame that was revoked", i);
	}
}

static void
revoke(vm_pindex_t first, vm_pindex_t end)
{
	dev.shift += NPAGES;
	T_EQ(cdev_pager_revoke(dev.object, first, end), 0);
	check_fresh(one, first, end);
	check_fresh(two, first, end);
}

static void
revoke_all(void *arg __unused)
{
	revoke(0, NPAGES);
	fresh = dev.shift;
}

/* One page; who has the others keeps them. */
static void
revoke_one(void *arg __unused)
{
	bool before = device_page(2) != NULL;

	T_EQ(cdev_pager_revoke(dev.object, 1, 2), 0);
	if (before && device_page(2) == NULL)
		T_FAIL("R3: revoking page 1 took page 2 away");
}

static void
unmap_pages(vm_pindex_t first, vm_pindex_t end)
{
	T_EQ(vm_map_remove(&one->map, VA + ptoa(first), VA + ptoa(end)), KERN_SUCCESS);
	for (vm_pindex_t i = first; i < end; i++)
		check_unmapped(one, i);
}

static void
unmap_all(void *arg __unused)
{
	unmap_pages(0, NPAGES);
}

static void
unmap_one(void *arg __unused)
{
	unmap_pages(1, 2);
}

static void
protect_all(void *arg __unused)
{
	vm_prot_t prot;

	T_EQ(vm_map_protect(&one->map, VA, VA + ptoa(NPAGES), R), KERN_SUCCESS);
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		if (fake_pte(&one->pmap, VA + ptoa(i), NULL, &prot, NULL) && (prot & W) != 0)
			T_FAIL("stale: page %lu is writable after mprotect", i);
	}
}

static void
wire_some(void *arg __unused)
{
	int rv = vm_map_wire(&one->map, VA + ptoa(1), VA + ptoa(3));

	if (rv != KERN_SUCCESS && rv != KERN_INVALID_ADDRESS)
		T_FAIL("mlock answers %d", rv);
}

static void
unwire_some(void *arg __unused)
{
	vm_map_unwire(&one->map, VA + ptoa(1), VA + ptoa(3));
}

/* --- the family: who takes part is a set, how the pages come in is another word --- */

static struct touch *
fault(const char *name, unsigned who, vm_pindex_t page, vm_prot_t access)
{
	struct touch *t = touch_in(name, one, page, access, NULL);

	t->seen = seen_frame;
	t->may_be_gone = (who & UNMAP) != 0 || ((who & HOLE) != 0 && page == 1);
	return (t);
}

/* The pager lets the object's lock go for a moment, as one does to sleep or to allocate. */
static void
nap(struct device *d __unused)
{
}

void
device_scenario_setup(const struct scenario *sc)
{
	one =
	    device_setup(sc->how == UNMANAGED ? OBJT_DEVICE : OBJT_MGTDEVICE, sc->how == ORDINARY);
	if (sc->how == ORDINARY)
		dev.object->flags &= (uint16_t)~OBJ_POPULATE;
	dev.window = sc->how == SINGLE ? 1 : 0;
	dev.before = nap;
	if (sc->who & FAULT)
		fault("fault 1", sc->who, 1, W);
	if (sc->who & SAME)
		fault("fault 1 too", sc->who, 1, R);
	if (sc->who & OTHER)
		fault("fault 2", sc->who, 2, W);
	if (sc->who & UNMAP)
		fake_spawn("unmapper", unmap_all, NULL);
	if (sc->who & HOLE)
		fake_spawn("unmapper", unmap_one, NULL);
	if (sc->who & REVOKE)
		fake_spawn("revoker", revoke_all, NULL);
	if (sc->who & REVOKE_ONE)
		fake_spawn("revoker", revoke_one, NULL);
	if (sc->who & WIRE)
		fake_spawn("mlock", wire_some, NULL);
	if (sc->who & UNWIRE)
		fake_spawn("munlock", unwire_some, NULL);
	if (sc->who & PROTECT)
		fake_spawn("mprotect", protect_all, NULL);
}

void
device_scenario_check(const struct scenario *sc)
{
	if ((sc->who & PROTECT) == 0)
		check_touches();
	check_space(one);
	if (two != NULL)
		check_space(two);
	check_object(dev.object);
	if (sc->who & REVOKE)
		check_device_fresh();
}

void
device_scenario_teardown(const struct scenario *sc __unused)
{
	if (two != NULL)
		space_destroy(two);
	device_teardown(one);
}

/* --- a pager that brings in more than the entry maps --- */

void
clip_setup(const struct scenario *sc)
{
	one = device_setup(OBJT_MGTDEVICE, false);
	two = space_create();
	device_map(two, VA, 0, NPAGES, RW, 0);
	space_unmap(one, VA, PAGE_SIZE);
	space_unmap(one, VA + ptoa(2), PAGE_SIZE);
	dev.beyond = true;
	dev.before = nap;
	fault("fault 1", sc->who, 1, W);
	if (sc->who & OTHER) {
		touch_in("fault 0 in 2", two, 0, W, NULL)->seen = seen_frame;
		touch_in("fault 2 in 2", two, 2, W, NULL)->seen = seen_frame;
	}
	if (sc->who & UNMAP)
		fake_spawn("unmapper", unmap_all, NULL);
	if (sc->who & REVOKE)
		fake_spawn("revoker", revoke_all, NULL);
}

/* --- the fault's reference is the last one, and it holds a lock (R4) --- */

static struct rwlock file_lock = RW_INITIALIZER("file", LR_FILE);
static bool dropped;

static void
unmap_and_drop(void *arg __unused)
{
	unmap_all(NULL);
	dropped = true;
	vm_object_deallocate(dev.object);
}

void
last_setup(const struct scenario *sc __unused)
{
	one = device_setup(OBJT_MGTDEVICE, false);
	dev.before = nap;
	touch_in("copyout", one, 1, W, &file_lock)->may_be_gone = true;
	fake_spawn("unmapper", unmap_and_drop, NULL);
}

void
last_check(const struct scenario *sc __unused)
{
	check_touches();
	check_space(one);
	T_EQ(dev.dtors, 1);
}

void
last_teardown(const struct scenario *sc __unused)
{
	space_destroy(one);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

/* --- the device is opened again while its last mapping goes (R2) --- */

static vm_object_t reopened;
static int reopen_dtors;

static void
reopen(void *arg __unused)
{
	int error;

	reopened = cdev_pager_allocate(&dev, OBJT_MGTDEVICE, dev.object->un_pager.devp.ops, "dev",
				       ptoa(NPAGES), RW, 0, &error);
	T_OK(reopened != NULL && error == 0);
	reopen_dtors = dev.dtors;
	T_EQ(dev.ctors, 1 + reopen_dtors); /* of the old object, or of a new one after its end */
}

static void
close_last(void *arg __unused)
{
	space_unmap(one, VA, ptoa(NPAGES));
	vm_object_deallocate(dev.object);
}

void
reopen_setup(const struct scenario *sc __unused)
{
	one = device_setup(OBJT_MGTDEVICE, false);
	fake_spawn("close", close_last, NULL);
	fake_spawn("open", reopen, NULL);
}

void
reopen_check(const struct scenario *sc __unused)
{
	T_OK(reopened->ref_count == 1 && (reopened->flags & OBJ_DEAD) == 0);
}

void
reopen_teardown(const struct scenario *sc __unused)
{
	vm_object_deallocate(reopened);
	T_EQ(dev.dtors, dev.ctors);
	last_teardown(sc);
}

/* --- a pager that has nothing for now, fails, makes no progress, breaks its word --- */

static struct touch *asker;

static void
give(void *arg __unused)
{
	dev.write_answer = VM_PAGER_OK;
}

static void
unplug(void *arg __unused)
{
	dev.write_answer = VM_PAGER_FAIL;
}

static void
revoke_mine(struct device *d)
{
	T_EQ(cdev_pager_revoke(d->object, 0, NPAGES), 0);
}

static void
kill_asker(void *arg)
{
	fake_kill(arg);
}

static void
break_word(void *arg __unused)
{
	dev.one_short = true;
}

void
pager_setup(const struct scenario *sc)
{
	one = device_setup(OBJT_MGTDEVICE, false);
	dev.before = nap;
	asker = fault("fault 1", 0, 1, W);
	if (sc->who & AGAIN) {
		dev.write_answer = VM_PAGER_AGAIN;
		fake_spawn("giver", give, NULL);
	}
	if (sc->who & UNPLUG)
		fake_spawn("unplugger", unplug, NULL);
	if (sc->who & KILL) {
		dev.before = revoke_mine;
		fake_spawn("killer", kill_asker, &x_threads[0].td);
	}
	if (sc->who & BREAK)
		fake_spawn("bug", break_word, NULL);
}

void
pager_check(const struct scenario *sc)
{
	bool may_fail = (sc->who & (UNPLUG | BREAK)) != 0;
	int rv = asker->rv;

	if (!(rv == KERN_SUCCESS && (sc->who & KILL) == 0) && !(rv == KERN_FAILURE && may_fail) &&
	    !(rv == KERN_ABORTED && (sc->who & KILL) != 0))
		T_FAIL("the fault answers %d", rv);
	check_space(one);
	check_object(dev.object);
}

/* --- a pager that looks for a free frame, lets the lock go, and puts the frame in (P21) --- */

static int
pool_populate(vm_object_t object, vm_pindex_t pidx, int fault_type __unused,
	      vm_prot_t max_prot __unused, vm_pindex_t *first, vm_pindex_t *last)
{
	vm_page_t m = NULL;

	*first = *last = pidx;
	for (;;) {
		for (vm_pindex_t i = 0; m == NULL; i++) {
			m = vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE + ptoa(i));
			if (m->object != NULL || vm_page_busied(m))
				m = NULL;
		}
		VM_OBJECT_UNLOCK(object);
		VM_OBJECT_WLOCK(object);
		if (vm_page_tryxbusy(m)) {
			if (vm_page_insert(m, object, pidx) == 0)
				break;
			vm_page_xunbusy(m);
		}
		m = NULL;
	}
	m->valid = true;
	return (VM_PAGER_OK);
}

static const struct cdev_pager_ops pool_ops = {.cdev_pg_populate = pool_populate};

void
pool_setup(const struct scenario *sc __unused)
{
	one = device_setup(OBJT_MGTDEVICE, false);
	dev.object->un_pager.devp.ops = &pool_ops;
	touch_in("fault 1", one, 1, W, NULL);
	touch_in("fault 2", one, 2, W, NULL);
}

void
pool_teardown(const struct scenario *sc __unused)
{
	space_destroy(one);
	vm_object_deallocate(dev.object);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}
