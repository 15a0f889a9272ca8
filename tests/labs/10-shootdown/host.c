/*
 * Revocation without a machine: a device whose pages are taken back while they are mapped, while
 * they are wired, and while the driver is making them.
 */
#include "renew.h"

static struct space *
setup(void)
{
	return (device_setup(OBJT_MGTDEVICE, false));
}

static void
revoke_next_touch(void)
{
	struct space *s = setup(), *s2 = space_create();

	device_map(s2, VA, 0, NPAGES, R, 0);
	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	T_EQ(device_touch(s2, 3, R), KERN_SUCCESS);
	device_renew(0, NPAGES);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), 0);
	T_EQ(fake_mapped(&s2->pmap, VA, VA + ptoa(NPAGES)), 0);
	T_EQ(dev.object->resident_page_count, 0);
	T_EQ(device_touch(s, 4, W), KERN_SUCCESS);
	T_EQ(device_touch(s2, 5, R), KERN_SUCCESS);
	T_EQ(dev.calls, 2);
	device_check(s);
	device_check(s2);
	space_destroy(s2);
	device_teardown(s);
}

static void
revoke_range(void)
{
	struct space *s = setup();

	T_EQ(device_touch(s, 3, W), KERN_SUCCESS);
	T_EQ(cdev_pager_revoke(dev.object, 5, 5), 0);
	T_EQ(cdev_pager_revoke(dev.object, 9, 2), 0);
	T_EQ(cdev_pager_revoke(dev.object, NPAGES, ~0ul), 0);
	T_EQ(fake_mapped(&s->pmap, VA, VA + ptoa(NPAGES)), NPAGES);
	T_EQ(cdev_pager_revoke(dev.object, 6, 9), 0);
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		T_EQ(device_prot(s, i) == VM_PROT_NONE, i >= 6 && i < 9);
		T_EQ(device_page(i) == NULL, i >= 6 && i < 9);
	}
	T_EQ(cdev_pager_revoke(dev.object, NPAGES - 1, ~0ul), 0);
	T_OK(device_page(NPAGES - 1) == NULL);
	T_EQ(dev.object->resident_page_count, NPAGES - 4);
	device_teardown(s);
}

static void
revoke_during_call(void)
{
	struct space *s = setup();

	device_renew_before_its_pages(s);
	device_teardown(s);
	s = setup();
	device_renew_with_its_pages(s);
	device_teardown(s);
}

static void
revoke_wired(void)
{
	struct space *s = setup();

	T_EQ(vm_map_wire(&s->map, VA, VA + ptoa(4)), KERN_SUCCESS);
	T_EQ(device_page(2)->wire_count, 1);
	device_renew(0, NPAGES);
	T_EQ(fake_pmap.wired, 0);
	T_EQ(dev.object->resident_page_count, 0);
	T_EQ(device_touch(s, 2, W), KERN_SUCCESS);
	T_EQ(device_page(2)->wire_count, 0);
	device_check(s);
	device_teardown(s);
}

static const struct host_test tests[] = {
    TEST(revoke_next_touch),
    TEST(revoke_range),
    TEST(revoke_during_call),
    TEST(revoke_wired),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab 10", tests, nitems(tests), 2048));
}
