/*
 * The framebuffer's pager (drivers/fb_pager.c, unchanged) over a fake VRAM of 16 MiB: the table of
 * docs/populate.md, its policies by name, and faults, revocations and policy changes all at once.
 */
#include "harness.h"
#include "drivers/fb.h"
#include "kern/main.h"
#include "kern/sysctl.h"

#include <stdlib.h>

#define FRAMES 2048
#define VA     0x40000000ul
#define NPAGES 4096ul /* of VRAM */
#define R      VM_PROT_READ
#define W      VM_PROT_WRITE
#define RW     VM_PROT_RW

/* --- what fb_pager.c wants of the rest of the driver and the kernel --- */

struct fb_softc fb;
static const struct fb_backend backend = {
    .name = "fake", .pa = FAKE_VRAM_BASE, .size = FAKE_VRAM_SIZE, .bpp = 32};
static const char *option;
static int holds;

void
fb_hold(void)
{
	holds++;
}

void
fb_release(void)
{
	holds--;
}

const char *
cmdline_get(const char *name)
{
	return (strcmp(name, "fb.populate") == 0 ? option : NULL);
}

SET_DECLARE(sysctl, const struct sysctl);

static const struct sysctl *
policy_knob(void)
{
	const struct sysctl *const *knob;

	SET_FOREACH (knob, sysctl) {
		if (strcmp((*knob)->sc_path, "dev/fb/populate") == 0)
			return (*knob);
	}
	T_FAIL("no knob");
}

static void
set_policy(const char *text)
{
	T_EQ(policy_knob()->sc_store(text), 0);
}

static void
expect_policy(const char *text)
{
	char buf[64];
	int len = policy_knob()->sc_show(buf, sizeof(buf));

	T_EQ((size_t)len, strlen(text));
	if (strcmp(buf, text) != 0)
		T_FAIL("the policy is %s", buf);
}

static struct space *
setup(const char *policy)
{
	struct space *s = space_create();
	int error;
	vm_object_t object;

	T_EQ(vm_phys_fictitious_reg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE,
					  VM_MEMATTR_WRITE_COMBINING),
	     0);
	fb.backend = &backend;
	fb.vram = fake_vram;
	fb.pages = vm_phys_fictitious_to_vm_page(FAKE_VRAM_BASE);
	set_policy(policy);
	object = fb_pager_object(RW, &error);
	T_OK(object != NULL && error == 0);
	T_EQ(holds, 1);
	space_map(s, VA, FAKE_VRAM_SIZE, object, 0, RW, RW, 0);
	return (s);
}

static void
teardown(struct space *s)
{
	T_EQ(vm_cnt.v_busied, 0);
	fake_pmap_verify();
	space_destroy(s);
	T_EQ(holds, 0);
	vm_phys_fictitious_unreg_range(FAKE_VRAM_BASE, FAKE_VRAM_BASE + FAKE_VRAM_SIZE);
}

/* --- the table --- */

static void
check_table(const char *policy, uint64_t faults)
{
	struct space *s = setup(policy);
	uint64_t writes = vm_cnt.v_pte_writes;

	fake_majflt = fake_minflt = 0;
	for (uint64_t i = 0; i < NPAGES; i++)
		space_write(s, VA + ptoa(i), i * 3);
	T_EQ(fake_majflt, faults);
	T_EQ(fake_minflt, 0);
	T_EQ(fake_mapped(&s->pmap, VA, VA + FAKE_VRAM_SIZE), NPAGES);
	T_EQ(vm_cnt.v_pte_writes - writes, NPAGES);
	for (uint64_t i = 0; i < NPAGES; i++)
		T_EQ(*(uint64_t *)(fake_vram + ptoa(i)), i * 3);
	teardown(s);
}

static void
test_Y1_single(void)
{
	check_table("single", 4096);
}

static void
test_Y1_off(void)
{
	check_table("off", 4096);
}

static void
test_Y1_window_16(void)
{
	check_table("window:16", 256);
}

static void
test_Y1_window_not_a_power_of_two(void)
{
	check_table("window:1000", 5);
}

static void
test_Y1_whole(void)
{
	check_table("whole", 1);
}

static void
test_policy_names(void)
{
	static const char *const bad[] = {
	    "",          "Whole",     "whole ",       "window",
	    "window:",   "window:0",  "window:-1",    "window:x",
	    "window:1x", "window: 1", "window:65537", "window:99999999999999999999",
	    "offf",      "off,off"};

	set_policy("whole");
	for (size_t i = 0; i < nitems(bad); i++) {
		T_EQ(policy_knob()->sc_store(bad[i]), EINVAL);
		expect_policy("whole\n");
	}
	set_policy("window:65536");
	expect_policy("window:65536\n");
	set_policy("single");
	expect_policy("single\n");
	set_policy("off");
	expect_policy("off\n");
	option = "window:7";
	fb_pager_init();
	expect_policy("window:7\n");
	option = "nonsense";
	fb_pager_init();
	T_OK(fake_logged("nonsense"));
}

/* --- P5, P13: parts of VRAM, mappings larger than VRAM, private ones --- */

static void
test_small_entry_makes_only_its_pages(void)
{
	struct space *s = setup("whole");
	vm_object_t object = s->map.header.next->object;

	vm_object_reference(object);
	space_unmap(s, VA, FAKE_VRAM_SIZE);
	space_map(s, VA, ptoa(5), object, ptoa(100), RW, RW, 0);
	space_write(s, VA + ptoa(2), 5);
	T_EQ(object->resident_page_count, 5);
	T_EQ(fake_mapped(&s->pmap, VA, VA + FAKE_VRAM_SIZE), 5);
	T_EQ(vm_cnt.v_populate_clipped, 0);
	T_EQ(*(uint64_t *)(fake_vram + ptoa(102)), 5);
	teardown(s);
}

static void
test_private_mapping(void)
{
	struct space *s = setup("whole");
	vm_object_t object = s->map.header.next->object;

	vm_object_reference(object);
	space_map(s, 0x80000000ul, ptoa(8), object, ptoa(8), RW, VM_PROT_ALL,
		  MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	space_write(s, VA + ptoa(9), 17);
	T_EQ(space_read(s, 0x80000000ul + ptoa(1)), 17);
	space_write(s, 0x80000000ul + ptoa(1), 18);
	space_write(s, 0x80000000ul + ptoa(2), 19);
	T_EQ(space_read(s, VA + ptoa(9)), 17);
	T_EQ(space_read(s, 0x80000000ul + ptoa(1)), 18);
	T_EQ(space_read(s, 0x80000000ul + ptoa(2)), 19);
	T_EQ(space_read(s, VA + ptoa(10)), 0);
	teardown(s);
}

/* Each allocation on the way fails once: the fault waits and comes through, in every policy. */
static void
test_memory_shortage(void)
{
	static const char *const policies[] = {"whole", "window:16", "single", "off"};

	for (size_t p = 0; p < nitems(policies); p++) {
		for (uint64_t nth = 1; nth < 80; nth += nth < 8 ? 1 : 13) {
			struct space *s = setup(policies[p]);

			fake_kmem_fail(nth);
			for (uint64_t i = 0; i < NPAGES; i += 97)
				space_write(s, VA + ptoa(i), i);
			fake_kmem_fail(0);
			T_EQ(vm_cnt.v_busied, 0);
			for (uint64_t i = 0; i < NPAGES; i += 97)
				T_EQ(*(uint64_t *)(fake_vram + ptoa(i)), i);
			teardown(s);
		}
	}
}

/* --- all at once --- */

#define STRESS 48ul /* pages */
static struct space *stress_space;
static vm_object_t stress_object;

static void
stress_thread(void *arg)
{
	static const char *const policies[] = {"whole", "window:4", "window:7", "single", "off"};
	struct rng r = {(uint64_t)arg};
	struct vm_map *map = &stress_space->map;

	for (int i = 0; i < 600; i++) {
		vm_pindex_t first = rng_below(&r, STRESS), n = 1 + rng_below(&r, STRESS - first);
		vm_offset_t va = VA + ptoa(first);
		bool private = rng_below(&r, 4) == 0;
		struct vm_map_req req = {
		    .object = stress_object, .offset = ptoa(first), .prot = RW, .max_prot = RW};
		int rv;

		switch (rng_below(&r, 12)) {
		case 0:
			if (private)
				req.eflags = MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY;
			vm_object_reference(stress_object);
			T_EQ(vm_map_fixed(map, va, ptoa(n), &req), KERN_SUCCESS);
			break;
		case 1:
			T_EQ(vm_map_remove(map, va, va + ptoa(n)), KERN_SUCCESS);
			break;
		case 2:
			cdev_pager_revoke(stress_object, first, first + n);
			break;
		case 3:
			set_policy(policies[rng_below(&r, nitems(policies))]);
			break;
		default:
			rv = fake_touch(map, va, rng_below(&r, 2) ? R : W, NULL);
			T_OK(rv == KERN_SUCCESS || rv == KERN_INVALID_ADDRESS);
		}
	}
}

static void
test_stress(void)
{
	struct space *s = setup("whole");
	const char *more = getenv("STRESS_SEED");
	uint64_t seed = 7 + (more != NULL ? strtoul(more, NULL, 0) : 0);
	struct thread *td[4];

	stress_space = s;
	stress_object = s->map.header.next->object;
	vm_object_reference(stress_object);
	for (uint64_t i = 0; i < nitems(td); i++)
		td[i] = fake_spawn("stress", stress_thread, (void *)(seed * 100 + i));
	fake_preempt(seed, 150);
	for (size_t i = 0; i < nitems(td); i++)
		fake_join(td[i]);
	fake_preempt(0, 0);
	vm_object_deallocate(stress_object);
	teardown(s);
}

/* A wired superpage that is unlocked in part: its members' own `valid` means nothing, and none may be freed. */
static void
test_S3_unwiring_a_part_of_a_superpage(void)
{
	struct space *s = setup("whole");

	T_EQ(vm_map_wire(&s->map, VA, VA + FAKE_VRAM_SIZE), KERN_SUCCESS);
	T_EQ(vm_map_unwire(&s->map, VA + ptoa(3), VA + ptoa(700)), KERN_SUCCESS);
	for (uint64_t i = 0; i < NPAGES; i++)
		space_write(s, VA + ptoa(i), i);
	T_EQ(vm_map_unwire(&s->map, VA, VA + FAKE_VRAM_SIZE), KERN_SUCCESS);
	T_EQ(fake_pmap.wired, 0);
	T_EQ(space_read(s, VA + ptoa(NPAGES - 1)), NPAGES - 1);
	teardown(s);
}

/* Which pages are in memory: all of a populated superpage. */
static void
test_S3_mincore_of_a_superpage(void)
{
	struct space *s = setup("whole");
	uint8_t vec[8] = {0};

	T_EQ(vm_map_mincore(&s->map, VA + ptoa(510), VA + ptoa(518), vec), 8);
	for (int i = 0; i < 8; i++)
		T_EQ(vec[i], 0);
	T_EQ(space_read(s, VA), space_read(s, VA));
	T_EQ(vm_map_mincore(&s->map, VA + ptoa(510), VA + ptoa(518), vec), 8);
	for (int i = 0; i < 8; i++)
		T_EQ(vec[i], 1);
	teardown(s);
}

static const struct host_test tests[] = {
    TEST(test_S3_unwiring_a_part_of_a_superpage),
    TEST(test_S3_mincore_of_a_superpage),
    TEST(test_Y1_single),
    TEST(test_Y1_off),
    TEST(test_Y1_window_16),
    TEST(test_Y1_window_not_a_power_of_two),
    TEST(test_Y1_whole),
    TEST(test_policy_names),
    TEST(test_small_entry_makes_only_its_pages),
    TEST(test_private_mapping),
    TEST(test_memory_shortage),
    TEST(test_stress),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "fb", tests, nitems(tests), FRAMES));
}
