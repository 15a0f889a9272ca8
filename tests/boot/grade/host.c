#include "harness.h"

static void
finds(void)
{
	struct vm_map_req req = {.prot = VM_PROT_ALL, .max_prot = VM_PROT_ALL};
	vm_offset_t addr = 0x200000;
	struct vm_map map;
	struct pmap pmap;

	T_EQ(pmap_pinit(&pmap), 0);
	vm_map_init(&map, &pmap, 0x100000, 0x400000);
	T_EQ(vm_map_fixed(&map, addr, ptoa(2), &req), 0);
	vm_map_lock(&map);
	T_OK(vm_map_lookup_entry(&map, addr + 5) != NULL);
	T_EQ(vm_map_lookup_entry(&map, addr + 5)->start, addr);
	vm_map_unlock(&map);
	vm_map_destroy(&map);
	pmap_release(&pmap);
}

static const struct host_test tests[] = {TEST(finds)};

int
main(int argc, char **argv)
{
	return (host_main(argc, argv, "lab", tests, nitems(tests), 256));
}
