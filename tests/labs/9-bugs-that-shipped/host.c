/*
 * Lab 9: each of the four defects by what a user of the memory sees of it.
 */
#include "device.h"
#include "lab.h"

#define FRAMES 1024

/* Pages first to last are installed, whatever the hint was, and that is answered. */
static vm_pindex_t make_first, make_last;

static void
make_more(struct device *d)
{
	vm_page_t m;

	VM_OBJECT_WLOCK(d->object);
	for (vm_pindex_t i = make_first; i <= make_last; i++) {
		if (vm_page_lookup(d->object, i) != NULL)
			continue;
		m = vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE + ptoa(i));
		T_OK(vm_page_tryxbusy(m));
		m->valid = true;
		T_EQ(vm_page_insert(m, d->object, i), 0);
	}
	VM_OBJECT_UNLOCK(d->object);
	d->lies = true; /* it does not, now */
	d->lie_first = make_first;
	d->lie_last = make_last;
}

/* Eight pages from page 4 on are mapped, and a touch has the pager make more. */
static struct space *
eight_of(vm_pindex_t first, vm_pindex_t last)
{
	struct space *s = device_setup(OBJT_MGTDEVICE, false);

	space_unmap(s, VA, ptoa(NPAGES));
	device_map(s, VA + ptoa(4), 4, 8, RW, 0);
	make_first = first;
	make_last = last;
	dev.after = make_more;
	T_EQ(device_touch(s, 6, W), KERN_SUCCESS);
	dev.after = NULL;
	dev.lies = false;
	return (s);
}

static struct thread *other_cpu;

static void
unmap_all(void *arg)
{
	space_unmap(arg, VA, ptoa(NPAGES));
}

static void
run_other_cpu(void *arg)
{
	(void)arg;
	fake_run(other_cpu);
}

/* Another CPU unmaps all as soon as the fault has unlocked the map. */
static void
entry_gone(void)
{
	struct space *s = device_setup(OBJT_MGTDEVICE, false);

	other_cpu = fake_spawn("unmapper", unmap_all, s);
	fake_on_unlock(&s->map.lock, run_other_cpu, NULL);
	T_EQ(device_touch(s, 3, R), KERN_INVALID_ADDRESS);
	fake_join(other_cpu);
	expect("calls", (uint64_t)dev.calls, 1);
	expect("the maximum protection that the pager was told", dev.max_prot, RW);
	device_teardown(s);
}

static void
page_after_the_entry(void)
{
	struct space *s = eight_of(4, 12);

	expect("pages mapped of the entry", fake_mapped(&s->pmap, VA + ptoa(4), VA + ptoa(12)), 8);
	expect("pages mapped behind it", fake_mapped(&s->pmap, VA + ptoa(12), VA + ptoa(16)), 0);
	device_teardown(s);
}

static void
locked_memory(void)
{
	struct space *s = device_setup(OBJT_MGTDEVICE, false);

	T_EQ(vm_map_wire(&s->map, VA + ptoa(2), VA + ptoa(10)), KERN_SUCCESS);
	for (vm_pindex_t i = 2; i < 10; i++)
		expect("how often a locked page is wired", device_page(i)->wire_count, 1);
	T_EQ(vm_map_unwire(&s->map, VA + ptoa(2), VA + ptoa(10)), KERN_SUCCESS);
	for (vm_pindex_t i = 2; i < 10; i++)
		expect("and after munlock", device_page(i)->wire_count, 0);
	device_teardown(s);
}

static void
cut_off_pages(void)
{
	struct space *s = eight_of(0, NPAGES - 1);

	expect("pages still busy", vm_cnt.v_busied, 0);
	device_map(s, VA, 0, 4, RW, 0);
	device_map(s, VA + ptoa(12), 12, 4, RW, 0);
	for (vm_pindex_t i = 0; i < NPAGES; i++)
		T_EQ(device_touch(s, i, W), KERN_SUCCESS);
	device_check(s);
	device_teardown(s);
}

static const struct host_test tests[] = {
    TEST(entry_gone),
    TEST(page_after_the_entry),
    TEST(locked_memory),
    TEST(cut_off_pages),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab 9", tests, nitems(tests), FRAMES));
}
