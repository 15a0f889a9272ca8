/*
 * The framebuffer's pager and damage tracking (drivers/fb_pager.c and fb_damage.c, unchanged)
 * over a fake VRAM of 16 MiB: the table of docs/populate.md, its policies by name, damage by
 * policy, and faults, revocations and policy changes all at once.
 */
#include "fake_fb.h"

#include <stdlib.h>

#define FRAMES 2048
#define SUPER  VM_SUPERPAGE_PAGES

static void
expect_policy(const char *text)
{
	char buf[64];
	int len = policy_knob()->sc_show(buf, sizeof(buf));

	T_EQ((size_t)len, strlen(text));
	if (strcmp(buf, text) != 0)
		T_FAIL("the policy is %s", buf);
}

/* --- the table --- */

static void
check_table(const char *policy, uint64_t faults)
{
	struct space *s = setup(policy);
	uint64_t writes = vm_cnt.v_pte_writes;

	T_EQ(holds, 1);
	fake_majflt = fake_minflt = 0;
	for (uint64_t i = 0; i < NPAGES; i++)
		space_write(s, VA + ptoa(i), i * 3);
	T_EQ(fake_majflt, faults);
	T_EQ(fake_minflt, 0);
	T_EQ(fake_mapped(&s->pmap, VA, VA + FAKE_VRAM_SIZE), NPAGES);
	T_EQ(vm_cnt.v_pte_writes - writes, NPAGES);
	for (uint64_t i = 0; i < NPAGES; i++)
		T_EQ(*frame(i), i * 3);
	teardown(s);
	T_EQ(holds, 0);
}

static void
test_Y1_single(void)
{
	check_table("single", 4096);
}

static void
test_Y1_off(void)
{
	uint64_t populated = vm_cnt.v_populate_pages, asked = vm_cnt.v_pager_faults;

	check_table("off", 4096);
	T_EQ(vm_cnt.v_populate_pages - populated, 0);
	T_EQ(vm_cnt.v_pager_faults - asked, 4096);
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

/* Whichever page of a window is touched, all of it comes, and no other. */
static void
test_Y1_windows_are_aligned(void)
{
	struct space *s = setup("window:16");

	space_write(s, VA + ptoa(37), 1);
	T_EQ(fake_mapped(&s->pmap, VA, VA + FAKE_VRAM_SIZE), 16);
	T_EQ(fake_mapped(&s->pmap, VA + ptoa(32), VA + ptoa(48)), 16);
	teardown(s);
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
test_Y1_small_entry_makes_only_its_pages(void)
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
	T_EQ(*frame(102), 5);
	teardown(s);
}

/* A block of which an entry wants a good part comes whole, and costs one page; what the entry does
 * not map is not entered. The other policies keep to their windows. */
static void
check_parts_of_blocks(const char *policy, vm_pindex_t from, vm_pindex_t n, uint64_t resident)
{
	struct space *s = setup(policy);
	vm_object_t object = s->map.header.next->object;

	vm_object_reference(object);
	space_unmap(s, VA, FAKE_VRAM_SIZE);
	space_map(s, VA, ptoa(n), object, ptoa(from), RW, RW, 0);
	fake_majflt = 0;
	space_write(s, VA, 5);
	space_write(s, VA + ptoa(n - 1), 6);
	T_EQ(object->resident_page_count, resident);
	T_EQ(VM_CNT(v_busied), 0);
	if (strcmp(policy, "whole") == 0) {
		T_EQ(fake_majflt, 1);
		T_EQ(fake_mapped(&s->pmap, VA, VA + FAKE_VRAM_SIZE), n);
	}
	T_EQ(*(uint64_t *)(fake_vram + ptoa(from)), 5);
	T_EQ(*(uint64_t *)(fake_vram + ptoa(from + n - 1)), 6);
	teardown(s);
}

static void
test_Y1_whole_blocks_where_they_are_worth_it(void)
{
	check_parts_of_blocks("whole", 0, 15, 15);
	check_parts_of_blocks("whole", 0, 16, SUPER);
	check_parts_of_blocks("whole", 100, 600, 2 * SUPER);
	check_parts_of_blocks("whole", SUPER - 5, SUPER + 10, 5 + SUPER + 5);
	check_parts_of_blocks("whole", NPAGES - 16, 16, SUPER);
	check_parts_of_blocks("window:16", 96, 608, 32);
	check_parts_of_blocks("single", 0, 600, 2);
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
test_P9_memory_shortage(void)
{
	/* A window that needs memory more than once, page by page, may have pages busied by then. */
	static const char *const policies[] = {"whole", "window:128", "window:16", "single", "off"};

	for (size_t p = 0; p < nitems(policies); p++) {
		for (uint64_t nth = 1; nth < 80; nth += nth < 8 ? 1 : 13) {
			struct space *s = setup(policies[p]);

			fake_kmem_fail(nth);
			for (uint64_t i = 0; i < NPAGES; i += 97)
				space_write(s, VA + ptoa(i), i);
			fake_kmem_fail(0);
			T_EQ(vm_cnt.v_busied, 0);
			for (uint64_t i = 0; i < NPAGES; i += 97)
				T_EQ(*frame(i), i);
			teardown(s);
		}
	}
}

/* --- R1: the whole of it taken back --- */

static void
test_R1_revoke_all(void)
{
	struct space *s = setup("whole");

	space_write(s, VA + ptoa(7), 7);
	rw_wlock(&fb.lock);
	fb_pager_revoke();
	rw_unlock(&fb.lock);
	T_EQ(fake_pmap.mappings, 0);
	fake_majflt = 0;
	T_EQ(space_read(s, VA + ptoa(7)), 7);
	T_EQ(fake_majflt, 1);
	T_EQ(fake_mapped(&s->pmap, VA, VA + FAKE_VRAM_SIZE), NPAGES);
	teardown(s);
	rw_wlock(&fb.lock);
	fb_pager_revoke(); /* nobody maps it */
	rw_unlock(&fb.lock);
}

/* A part of a superpage: the rest stays mapped, and marked as it was. */
static void
test_R3_S3_part_of_a_superpage(void)
{
	struct space *s = setup("whole");
	vm_object_t object = s->map.header.next->object;

	space_write(s, VA + ptoa(VM_SUPERPAGE_PAGES + 5), 5);
	T_EQ(cdev_pager_revoke(object, VM_SUPERPAGE_PAGES + 10, VM_SUPERPAGE_PAGES + 20), 0);
	T_EQ(fake_mapped(&s->pmap, VA, VA + FAKE_VRAM_SIZE), NPAGES - 10);
	T_EQ(object->resident_page_count, NPAGES - 10);
	fake_majflt = fake_minflt = 0;
	space_write(s, VA + ptoa(VM_SUPERPAGE_PAGES + 9), 9);
	space_write(s, VA + ptoa(VM_SUPERPAGE_PAGES + 20), 20);
	T_EQ(fake_majflt + fake_minflt, 0);
	space_write(s, VA + ptoa(VM_SUPERPAGE_PAGES + 15), 15);
	T_EQ(fake_majflt, 1);
	T_EQ(fake_mapped(&s->pmap, VA, VA + FAKE_VRAM_SIZE), NPAGES);
	T_EQ(space_read(s, VA + ptoa(VM_SUPERPAGE_PAGES + 5)), 5);
	teardown(s);
}

/* --- W1: damage --- */

static void
set_damage(const char *text)
{
	T_EQ(knob("dev/fb/damage")->sc_store(text), 0);
}

/* Take all damage; it is that of [first, last] and nothing else. first > last: none. */
static void
expect_damage(vm_pindex_t first, vm_pindex_t last)
{
	static uint8_t bitmap[NPAGES / 8];
	uint32_t damaged, want = first > last ? 0 : (uint32_t)(last - first + 1);

	memset(bitmap, 0, sizeof(bitmap));
	T_EQ(fb_damage_take(0, NPAGES, bitmap, &damaged), 0);
	for (vm_pindex_t i = 0; i < NPAGES; i++) {
		if (((bitmap[i / 8] >> i % 8) & 1) != (i >= first && i <= last))
			T_FAIL("page %lu: %u", i, bitmap[i / 8] >> i % 8 & 1);
	}
	T_EQ(damaged, want);
}

static void
expect_ranges(const char *text)
{
	char buf[512];
	int len = knob("/quire/fb/damage")->sc_show(buf, sizeof(buf));

	T_EQ((size_t)len, strlen(text));
	if (strcmp(buf, text) != 0)
		T_FAIL("the ranges are %s", buf);
}

/* What a write to page 100 damages, by policy; the same again once that was taken. */
static void
check_damage(const char *policy, vm_pindex_t first, vm_pindex_t last)
{
	struct space *s = setup(policy);

	set_damage("1");
	T_EQ(space_read(s, VA + ptoa(100)), 0);
	expect_damage(1, 0);
	for (int i = 0; i < 3; i++) {
		fake_majflt = fake_minflt = 0;
		for (vm_pindex_t j = first; j <= last; j++)
			space_write(s, VA + ptoa(j), 1);
		T_EQ(fake_majflt + fake_minflt, 1); /* P17 */
		expect_damage(first, last);
		expect_damage(1, 0);
		T_EQ(space_read(s, VA + ptoa(100)), 1);
		expect_damage(1, 0);
	}
	set_damage("0");
	teardown(s);
}

static void
test_W1_damage_whole(void)
{
	check_damage("whole", 0, NPAGES - 1);
}

static void
test_W1_damage_window(void)
{
	check_damage("window:16", 96, 111);
}

static void
test_W1_damage_single(void)
{
	check_damage("single", 100, 100);
}

static void
test_W1_damage_off(void)
{
	check_damage("off", 100, 100);
}

static void
test_W1_damage_is_off_at_first(void)
{
	struct space *s = setup("single");
	uint8_t bitmap[1] = {0};
	uint32_t damaged;

	space_write(s, VA, 1);
	expect_ranges("");
	T_EQ(fb_damage_take(0, 8, bitmap, &damaged), EOPNOTSUPP);
	T_EQ(fb_damage_take(NPAGES, 1, bitmap, &damaged), EINVAL);
	T_EQ(fb_damage_take(NPAGES + 1, 0, bitmap, &damaged), EINVAL);
	T_EQ(fb_damage_take(1, ~0ul, bitmap, &damaged), EINVAL);
	T_EQ(knob("dev/fb/damage")->sc_store("2"), EINVAL);
	T_EQ(knob("dev/fb/damage")->sc_store(""), EINVAL);
	T_EQ(knob("dev/fb/damage")->sc_store("10"), EINVAL);
	damage_option = "yes";
	fb_damage_init();
	T_OK(fake_logged("fb.damage=yes"));
	T_OK(!fb_damage_enabled());
	damage_option = "1";
	fb_damage_init();
	T_OK(fb_damage_enabled());
	expect_damage(1, 0); /* it begins with none */
	space_write(s, VA, 2);
	expect_damage(0, 0);
	set_damage("0");
	teardown(s);
}

/* Damage outlives the mapping that made it, and the object. */
static void
test_W1_damage_is_there_after_the_last_munmap(void)
{
	struct space *s = setup("single");

	set_damage("1");
	for (vm_pindex_t i = 20; i < 30; i++)
		space_write(s, VA + ptoa(i), 1);
	space_unmap(s, VA, FAKE_VRAM_SIZE);
	T_EQ(holds, 0);
	T_EQ(vm_cnt.v_objects, 0);
	expect_ranges("20-29\n");
	expect_damage(20, 29);
	expect_damage(1, 0);
	set_damage("0");
	teardown(s);
}

static void
test_W1_damage_by_write(void)
{
	struct space *s = setup("single");

	set_damage("1");
	fb_damage_mark(ptoa(5) + 4095, 2);
	expect_damage(5, 6);
	fb_damage_mark(ptoa(5), PAGE_SIZE);
	expect_damage(5, 5);
	fb_damage_mark(ptoa(NPAGES - 1) + 4095, 1);
	expect_damage(NPAGES - 1, NPAGES - 1);
	fb_damage_mark(ptoa(5), 0);
	expect_damage(1, 0);
	T_EQ(space_read(s, VA + ptoa(9)), 0);
	fb_damage_mark(ptoa(9), 8);
	fake_majflt = fake_minflt = 0;
	space_write(s, VA + ptoa(9), 1); /* damaged already: the pager need not know */
	T_EQ(fake_majflt, 0);
	T_EQ(fake_minflt, 1);
	expect_damage(9, 9);
	space_write(s, VA + ptoa(9), 1);
	expect_damage(9, 9);
	set_damage("0");
	teardown(s);
}

static void
test_W1_damage_put_back(void)
{
	struct space *s = setup("single");
	uint8_t bitmap[2] = {0};
	uint32_t damaged;

	set_damage("1");
	space_write(s, VA + ptoa(12), 1);
	space_write(s, VA + ptoa(13), 1);
	space_write(s, VA + ptoa(40), 1);
	T_EQ(fb_damage_take(10, 10, bitmap, &damaged), 0);
	T_EQ(damaged, 2);
	T_EQ(bitmap[0], 0xc);
	T_EQ(bitmap[1], 0);
	expect_ranges("40-40\n");
	fb_damage_put_back(10, 10, bitmap);
	expect_ranges("12-13\n40-40\n");
	space_write(s, VA + ptoa(12), 2);
	T_EQ(fb_damage_take(40, 1, bitmap, &damaged), 0);
	expect_damage(12, 13);
	set_damage("0");
	teardown(s);
}

static void
test_W1_damage_survives_a_revocation(void)
{
	struct space *s = setup("single");

	set_damage("1");
	space_write(s, VA + ptoa(12), 1);
	T_EQ(space_read(s, VA + ptoa(13)), 0);
	fb_pager_revoke();
	expect_damage(12, 12);
	space_write(s, VA + ptoa(13), 1);
	expect_damage(13, 13);
	set_damage("0");
	teardown(s);
}

/* On and off while it is mapped: what was writable is armed, and what was armed can be written. */
static void
test_W1_damage_on_and_off(void)
{
	struct space *s = setup("whole");

	space_write(s, VA + ptoa(1), 1);
	set_damage("1");
	set_damage("1"); /* damage stays */
	set_policy("single");
	space_write(s, VA + ptoa(2), 1);
	set_damage("1");
	expect_ranges("2-2\n");
	set_damage("0");
	expect_ranges("");
	fake_majflt = fake_minflt = 0;
	for (vm_pindex_t i = 0; i < 8; i++)
		space_write(s, VA + ptoa(i), 1);
	T_EQ(fake_majflt, 0);
	T_EQ(fake_minflt, 7); /* page 2 was writable */
	set_damage("1");
	expect_damage(1, 0);
	set_damage("0");
	teardown(s);
}

static void
test_W1_damage_through_a_private_mapping_is_none(void)
{
	struct space *s = setup("single");
	vm_object_t object = s->map.header.next->object;

	set_damage("1");
	vm_object_reference(object);
	space_map(s, 0x80000000ul, ptoa(8), object, ptoa(8), RW, VM_PROT_ALL,
		  MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY);
	space_write(s, 0x80000000ul + ptoa(1), 18);
	expect_damage(1, 0);
	space_write(s, VA + ptoa(9), 1); /* seen although the object is shadowed (P4) */
	expect_damage(9, 9);
	set_damage("0");
	teardown(s);
}

static void
test_W1_damage_of_an_object_made_later(void)
{
	struct space *s = setup("single");
	vm_object_t object;
	int error;

	set_damage("1");
	space_unmap(s, VA, FAKE_VRAM_SIZE);
	rw_rlock(&fb.lock);
	object = fb_pager_object(RW, &error);
	rw_unlock(&fb.lock);
	space_map(s, VA, FAKE_VRAM_SIZE, object, 0, RW, RW, 0);
	space_write(s, VA + ptoa(20), 1);
	set_policy("window:4096");
	T_EQ(space_read(s, VA), 0); /* tracked pages before the one that is not, and after it */
	set_policy("single");
	space_write(s, VA + ptoa(21), 1);
	expect_damage(20, 21);
	fb_damage_mark(0, 1);
	space_unmap(s, VA, FAKE_VRAM_SIZE);
	rw_rlock(&fb.lock);
	object = fb_pager_object(RW, &error);
	rw_unlock(&fb.lock);
	space_map(s, VA, FAKE_VRAM_SIZE, object, 0, RW, RW, 0);
	set_policy("whole");
	T_EQ(space_read(s, VA + ptoa(9)), 0); /* the first page may be written, the rest may not */
	set_policy("single");
	space_write(s, VA + ptoa(1), 1);
	expect_damage(0, 1);
	set_damage("0");
	teardown(s);
}

/* More ranges than a first guess at the length holds. */
static void
test_W1_damage_many_ranges(void)
{
	struct space *s = setup("single");
	char *buf = malloc(1 << 16);
	int len, again;

	set_damage("1");
	for (vm_pindex_t i = 0; i < NPAGES; i += 2)
		fb_damage_mark(ptoa(i), 1);
	len = knob("/quire/fb/damage")->sc_show(buf, 512);
	T_OK(len > 512);
	T_EQ(strlen(buf), 511);
	again = knob("/quire/fb/damage")->sc_show(buf, (size_t)len + 1);
	T_EQ(again, len);
	T_EQ(strlen(buf), len);
	free(buf);
	set_damage("0");
	teardown(s);
}

/* Superpages: pages of one have rights of their own, and are armed together. */
static void
test_W1_S3_damage_of_a_part_of_a_superpage(void)
{
	struct space *s = setup("whole"), *s2 = space_create();
	vm_object_t object = s->map.header.next->object;
	uint8_t bitmap[SUPER / 8] = {0};
	uint32_t damaged;
	vm_prot_t prot;

	set_damage("1");
	vm_object_reference(object);
	space_map(s2, VA, FAKE_VRAM_SIZE, object, 0, RW, RW, 0);
	T_EQ(space_read(s, VA), 0); /* all of it, by superpages */
	T_EQ(vm_page_unit_pages(vm_page_unit(&fb.pages[SUPER + 7])), SUPER);
	fb_damage_mark(ptoa(SUPER + 7), 2 * PAGE_SIZE);
	fake_majflt = 0;
	T_EQ(space_read(s2, VA + ptoa(SUPER + 7)), 0);
	T_EQ(space_read(s2, VA + ptoa(SUPER + 9)), 0);
	T_OK(fake_pte(&s2->pmap, VA + ptoa(SUPER + 7), NULL, &prot, NULL) && prot == RW);
	T_OK(fake_pte(&s2->pmap, VA + ptoa(SUPER + 9), NULL, &prot, NULL) && prot == R);
	expect_damage(SUPER + 7, SUPER + 8);
	space_write(s, VA + ptoa(3), 1); /* whole: all of VRAM */
	T_EQ(fb_damage_take(SUPER, SUPER, bitmap, &damaged), 0);
	T_EQ(damaged, SUPER);
	T_OK(fake_pte(&s->pmap, VA + ptoa(SUPER - 1), NULL, &prot, NULL) && prot == RW);
	T_OK(fake_pte(&s->pmap, VA + ptoa(SUPER), NULL, &prot, NULL) && prot == R);
	T_OK(fake_pte(&s->pmap, VA + ptoa(2 * SUPER - 1), NULL, &prot, NULL) && prot == R);
	T_OK(fake_pte(&s->pmap, VA + ptoa(2 * SUPER), NULL, &prot, NULL) && prot == RW);
	set_policy("single");
	space_write(s, VA + ptoa(SUPER + 1), 1); /* policy or not: a superpage is busied as one */
	T_EQ(fb_damage_take(SUPER, SUPER, bitmap, &damaged), 0);
	T_EQ(damaged, 1);
	set_damage("0");
	space_destroy(s2);
	teardown(s);
}

static struct space *taken_from;
static uint8_t pages_seen[64];

static void
drawer(void *arg)
{
	struct rng r = {(uint64_t)arg};

	for (int i = 0; i < 400; i++) {
		vm_pindex_t p = rng_below(&r, 64);
		uint8_t *where;

		T_EQ(fake_touch(&taken_from->map, VA + ptoa(p), W, &where), KERN_SUCCESS);
		++*where;
		if (rng_below(&r, 20) == 0)
			fb_pager_revoke();
		if (rng_below(&r, 3) == 0)
			fake_yield();
	}
}

/* Takes the damage and looks at what was drawn, again and again. */
static void
taker(void *arg __unused)
{
	uint32_t damaged;

	for (int i = 0; i < 300; i++) {
		uint8_t bitmap[8] = {0};

		T_EQ(fb_damage_take(0, 64, bitmap, &damaged), 0);
		for (vm_pindex_t p = 0; p < 64; p++) {
			if ((bitmap[p / 8] & 1u << p % 8) != 0)
				pages_seen[p] = fake_vram[ptoa(p)];
		}
		fake_yield();
	}
}

/* Whoever looks at what is damaged, and at nothing else, sees all that is drawn. */
static void
test_W1_damage_is_never_lost(void)
{
	static const char *const policies[] = {"single", "window:5", "off", "whole"};

	for (uint64_t n = 0; n < nitems(policies); n++) {
		struct thread *td[3];

		taken_from = setup(policies[n]);
		memset(fake_vram, 0, ptoa(64));
		memset(pages_seen, 0, sizeof(pages_seen));
		set_damage("1");
		td[0] = fake_spawn("drawer", drawer, (void *)(n + 3));
		td[1] = fake_spawn("drawer", drawer, (void *)(n + 9));
		td[2] = fake_spawn("taker", taker, NULL);
		fake_preempt(31 + n, 100);
		for (size_t i = 0; i < nitems(td); i++)
			fake_join(td[i]);
		fake_preempt(0, 0);
		taker(NULL);
		for (vm_pindex_t p = 0; p < 64; p++)
			T_EQ(pages_seen[p], fake_vram[ptoa(p)]);
		set_damage("0");
		teardown(taken_from);
	}
}

/*
 * No memory for a page in front of the one asked for: those made before it are let go again. The
 * mapping begins inside a superpage, whose pages come one by one.
 */
static void
test_P9_short_of_memory_in_front_of_the_page(void)
{
	for (uint64_t nth = 1; nth < 20; nth++) {
		struct space *s = setup("whole");
		vm_object_t object = s->map.header.next->object;

		vm_object_reference(object);
		space_unmap(s, VA, FAKE_VRAM_SIZE);
		space_map(s, VA, ptoa(1000), object, ptoa(100), RW, RW, 0);
		fake_kmem_fail(nth);
		space_write(s, VA + ptoa(900), nth);
		fake_kmem_fail(0);
		T_EQ(vm_cnt.v_busied, 0);
		T_EQ(*frame(1000), nth);
		teardown(s);
	}
}

/* --- two faults with overlapping ranges --- */

static void
touch_job(void *arg)
{
	space_write(arg, VA + ptoa(3), 3);
}

/* Who waits for a busy page has nothing busied meanwhile: else two could wait for each other. */
static void
test_P21_waits_with_nothing_busied(void)
{
	struct space *s = setup("window:16");
	struct thread *busier, *td;

	space_write(s, VA + ptoa(9), 9);
	cdev_pager_revoke(s->map.header.next->object, 0, 9);
	busier = fake_spawn("busier", busy_for_a_while, &fb.pages[9]);
	fake_run(busier);
	td = fake_spawn("toucher", touch_job, s);
	fake_run(td);
	T_OK(fake_asleep(td));
	T_EQ(vm_cnt.v_busied, 1);
	T_EQ(fake_locks_held(td), 0);
	fake_join(busier);
	fake_join(td);
	T_EQ(fake_mapped(&s->pmap, VA, VA + FAKE_VRAM_SIZE), 16);
	teardown(s);
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

/* A wired superpage that is unlocked in part: its members' own `valid` means nothing, and none
 * may be freed. */
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
    TEST(test_Y1_windows_are_aligned),
    TEST(test_Y1_whole),
    TEST(test_policy_names),
    TEST(test_Y1_small_entry_makes_only_its_pages),
    TEST(test_Y1_whole_blocks_where_they_are_worth_it),
    TEST(test_private_mapping),
    TEST(test_R1_revoke_all),
    TEST(test_R3_S3_part_of_a_superpage),
    TEST(test_W1_damage_whole),
    TEST(test_W1_damage_window),
    TEST(test_W1_damage_single),
    TEST(test_W1_damage_off),
    TEST(test_W1_damage_is_off_at_first),
    TEST(test_W1_damage_is_there_after_the_last_munmap),
    TEST(test_W1_damage_by_write),
    TEST(test_W1_damage_put_back),
    TEST(test_W1_damage_survives_a_revocation),
    TEST(test_W1_damage_on_and_off),
    TEST(test_W1_damage_through_a_private_mapping_is_none),
    TEST(test_W1_damage_of_an_object_made_later),
    TEST(test_W1_damage_many_ranges),
    TEST(test_W1_damage_is_never_lost),
    TEST(test_W1_S3_damage_of_a_part_of_a_superpage),
    TEST(test_P9_memory_shortage),
    TEST(test_P9_short_of_memory_in_front_of_the_page),
    TEST(test_P21_waits_with_nothing_busied),
    TEST(test_stress),
};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "fb", tests, nitems(tests), FRAMES));
}
