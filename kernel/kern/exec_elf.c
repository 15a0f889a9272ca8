/*
 * ELF programs for x86-64, static or with an interpreter (the dynamic loader), and how they are
 * mapped. Nothing in the files is trusted: all of it is checked before anything is mapped.
 */
#include "kern/exec.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "fs/vnode.h"
#include <elf.h>

#define PHNUM_MAX          (65536 / sizeof(Elf64_Phdr)) /* as Linux */
#define STACK_ROOM_MIN     (128ul << 20) /* kept for it by mmap, whatever its limit, as Linux */
#define STACK_ROOM_MAX     (VM_MAXUSER_ADDRESS / 6 * 5)
#define PIE_BASE           0x555555554000ul
#define PIE_RANDOM_PAGES   (1ul << 28) /* how far things move with aslr=1, as Linux */
#define STACK_RANDOM_PAGES (1ul << 22)
#define BRK_RANDOM_PAGES   (1ul << 13)

/* An ELF file that is or will be mapped. */
struct elf_file {
	struct vnode *vp; /* the program's: image_params'; the interpreter's: held */
	vm_object_t object; /* vp's pages, referenced */
	uint64_t size; /* of the file */
	Elf64_Ehdr eh;
	Elf64_Phdr *ph; /* eh.e_phnum of them */
	uint64_t low, high; /* what the segments span, page-aligned */
	uint64_t align; /* largest p_align */
	uint64_t bias; /* added to the file's addresses */
	uint64_t phdrs; /* where in it the program headers are once loaded, 0: nowhere */
	int bad; /* the error that refuses it when it is malformed */
	const char *why; /* what is wrong with it */
};

struct elf_image {
	struct elf_file prog, interp; /* interp.vp NULL: none */
	char *interp_name; /* NULL: none */
	bool exec_stack;
};

/* Refuse unless what must hold does. */
#define CHECK(f, what, otherwise)               \
	do {                                    \
		if (!(what)) {                  \
			(f)->why = (otherwise); \
			return ((f)->bad);      \
		}                               \
	} while (0)

/* --- reading and checking --------------------------------------------------------------------- */

static int
read_all(struct elf_file *f, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;
	int error = vn_read_kernel(f->vp, buf, len, offset, &done);

	CHECK(f, error != 0 || done == len, "headers reach past the end of the file");
	return (error);
}

static int
read_headers(struct elf_file *f)
{
	Elf64_Ehdr *eh = &f->eh;
	int error;

	CHECK(f, f->size >= sizeof(*eh), "too short for an ELF file");
	error = read_all(f, eh, sizeof(*eh), 0);
	if (error != 0)
		return (error);
	CHECK(f, memcmp(eh->e_ident, ELFMAG, SELFMAG) == 0, "not an ELF file");
	CHECK(f,
	      eh->e_ident[EI_CLASS] == ELFCLASS64 && eh->e_ident[EI_DATA] == ELFDATA2LSB &&
		  eh->e_machine == EM_X86_64,
	      "not for x86-64");
	CHECK(f, eh->e_type == ET_EXEC || eh->e_type == ET_DYN, "not an executable");
	CHECK(f, eh->e_phentsize == sizeof(*f->ph) && eh->e_phnum != 0 && eh->e_phnum <= PHNUM_MAX,
	      "malformed ELF header");
	f->ph = kmalloc(eh->e_phnum * sizeof(*f->ph), 0);
	if (f->ph == NULL)
		return (ENOMEM);
	return (read_all(f, f->ph, eh->e_phnum * sizeof(*f->ph), eh->e_phoff));
}

/* One PT_LOAD; *last_end is where the one before it ended, in bytes. */
static int
check_load(struct elf_file *f, const Elf64_Phdr *ph, uint64_t *last_end)
{
	uint64_t file_end, end;

	CHECK(f,
	      !__builtin_add_overflow(ph->p_offset, ph->p_filesz, &file_end) && file_end <= f->size,
	      "segment outside the file");
	CHECK(f, ph->p_memsz >= ph->p_filesz, "segment smaller than its part of the file");
	CHECK(f,
	      !__builtin_add_overflow(ph->p_vaddr, ph->p_memsz, &end) && end <= VM_MAXUSER_ADDRESS,
	      "segment outside user space");
	CHECK(f, ((ph->p_vaddr - ph->p_offset) & PAGE_MASK) == 0,
	      "segment's address and file offset differ within the page");
	CHECK(f, powerof2(ph->p_align), "segment's alignment is not a power of two");
	CHECK(f, ph->p_vaddr >= *last_end, "segments overlap or are not in order");
	*last_end = end;
	f->low = MIN(f->low, trunc_page(ph->p_vaddr));
	f->high = round_page(end);
	f->align = MAX(f->align, ph->p_align);
	if (f->eh.e_phoff >= ph->p_offset && f->eh.e_phoff < file_end)
		f->phdrs = f->eh.e_phoff - ph->p_offset + ph->p_vaddr;
	return (0);
}

static bool
is_load(const Elf64_Phdr *ph)
{
	return (ph->p_type == PT_LOAD && ph->p_memsz != 0);
}

/* Read and check what says how to load f->vp; what is malformed is error `bad`. */
static int
file_read(struct elf_file *f, struct vnode *vp, int bad)
{
	uint64_t last_end = 0;
	int error;

	f->vp = vp;
	f->bad = bad;
	f->low = UINT64_MAX;
	rw_rlock(&vp->v_lock);
	f->size = vp->v_size;
	rw_unlock(&vp->v_lock);
	if (bad == ELIBBAD && f->size < sizeof(f->eh))
		f->bad = EIO; /* as Linux, for a library's sake */
	error = read_headers(f);
	for (int i = 0; error == 0 && i < f->eh.e_phnum; i++)
		if (is_load(&f->ph[i]))
			error = check_load(f, &f->ph[i], &last_end);
	CHECK(f, error != 0 || last_end != 0, "nothing to load");
	return (error != 0 ? error : vp->v_ops->v_object(vp, &f->object));
}

/* The first program header of that type, or NULL. */
static const Elf64_Phdr *
find_header(const struct elf_file *f, uint32_t type)
{
	for (int i = 0; i < f->eh.e_phnum; i++)
		if (f->ph[i].p_type == type)
			return (&f->ph[i]);
	return (NULL);
}

/* The interpreter that the program asks for. */
static int
read_interp(struct elf_image *elf, const Elf64_Phdr *ph)
{
	struct elf_file *prog = &elf->prog;
	struct vnode *vp;
	int error;

	CHECK(prog, ph->p_filesz >= 2 && ph->p_filesz <= PATH_MAX,
	      "the interpreter's name is too long or empty");
	elf->interp_name = kmalloc(ph->p_filesz, 0);
	if (elf->interp_name == NULL)
		return (ENOMEM);
	prog->bad = EIO; /* what Linux has for a name that is not all there */
	error = read_all(prog, elf->interp_name, ph->p_filesz, ph->p_offset);
	prog->bad = ENOEXEC;
	if (error != 0)
		return (error);
	CHECK(prog, elf->interp_name[ph->p_filesz - 1] == '\0',
	      "the interpreter's name has no end");
	error = exec_open(NULL, elf->interp_name, true, &vp);
	if (error == 0)
		return (file_read(&elf->interp, vp, ELIBBAD));
	prog->why = "its interpreter cannot be opened";
	return (error);
}

int
exec_elf_read(struct image_params *imgp, struct elf_image **elfp)
{
	struct elf_image *elf = *elfp = kmalloc(sizeof(*elf), M_ZERO);
	const Elf64_Phdr *interp, *stack;
	int error;

	if (elf == NULL)
		return (ENOMEM);
	error = file_read(&elf->prog, imgp->ip_vp, ENOEXEC);
	if (error == 0) {
		stack = find_header(&elf->prog, PT_GNU_STACK);
		elf->exec_stack = stack != NULL && (stack->p_flags & PF_X) != 0;
		interp = find_header(&elf->prog, PT_INTERP);
		if (interp != NULL)
			error = read_interp(elf, interp);
	}
	imgp->ip_why = elf->prog.why != NULL ? elf->prog.why : elf->interp.why;
	return (error);
}

static void
file_release(struct elf_file *f)
{
	kfree(f->ph);
	if (f->object != NULL)
		vm_object_deallocate(f->object);
}

void
exec_elf_free(struct elf_image *elf)
{
	if (elf == NULL)
		return;
	file_release(&elf->prog);
	file_release(&elf->interp);
	vn_text_drop(elf->interp.vp);
	kfree(elf->interp_name);
	kfree(elf);
}

/* --- where it goes ---------------------------------------------------------------------------- */

/* Let a file of no fixed place begin at base, and see that it fits in user space. */
static int
place(struct elf_file *f, uint64_t base)
{
	if (f->eh.e_type == ET_DYN) {
		CHECK(f, base != 0 && f->high - f->low <= VM_MAXUSER_ADDRESS - base, "too large");
		f->bias = base - f->low; /* may be negative: all is modulo 2^64 */
	}
	CHECK(f, f->low + f->bias >= VM_MINUSER_ADDRESS, "segment at too low an address");
	CHECK(f,
	      f->eh.e_entry + f->bias >= VM_MINUSER_ADDRESS &&
		  f->eh.e_entry + f->bias < VM_MAXUSER_ADDRESS,
	      "entry point outside user space");
	return (0);
}

static int
place_program(struct elf_file *f)
{
	uint64_t base = PIE_BASE + exec_random_offset(PIE_RANDOM_PAGES);

	if (f->align > PAGE_SIZE && f->align <= PIE_BASE)
		base = rounddown2(base, f->align);
	return (place(f, base));
}

/* The interpreter goes where mmap would put it. */
static int
place_interp(struct elf_file *f, vm_map_t map)
{
	vm_map_entry_t above;
	uint64_t base = 0;

	if (f->eh.e_type == ET_DYN) {
		vm_map_lock_read(map);
		base = vm_map_tree_room(map, map->top, f->high - f->low, PAGE_SIZE, 0, &above);
		vm_map_unlock_read(map);
	}
	return (place(f, base));
}

/* --- mapping ---------------------------------------------------------------------------------- */

static int
map_range(vm_map_t map, uint64_t start, uint64_t end, const struct vm_map_req *req)
{
	int rv;

	if (start >= end)
		return (0);
	if (req->object != NULL)
		vm_object_reference(req->object); /* the map's, if all goes well */
	rv = vm_map_fixed(map, start, end - start, req);
	if (rv != KERN_SUCCESS && req->object != NULL)
		vm_object_deallocate(req->object);
	return (vm_mmap_to_errno(rv));
}

/*
 * A segment: pages of the file, privately, as far as they go; what is left of the last one is
 * zeroed; the rest is anonymous. Segments may share a page, which then is the later one's, as on
 * Linux.
 */
static int
map_segment(const struct elf_file *f, vm_map_t map, const Elf64_Phdr *ph)
{
	vm_prot_t prot = (ph->p_flags & PF_R ? VM_PROT_READ : 0) |
			 (ph->p_flags & PF_W ? VM_PROT_WRITE : 0) |
			 (ph->p_flags & PF_X ? VM_PROT_EXECUTE : 0);
	uint64_t start = ph->p_vaddr + f->bias, data_end = start + ph->p_filesz;
	uint64_t file_end = ph->p_filesz == 0 ? trunc_page(start) : round_page(data_end);
	bool zero_tail = ph->p_memsz > ph->p_filesz && data_end < file_end;
	struct vm_map_req file = {
	    .object = f->object,
	    .offset = trunc_page(ph->p_offset),
	    .prot = zero_tail ? prot | VM_PROT_RW : prot,
	    .max_prot = VM_PROT_ALL,
	    .eflags = MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY,
	    .name_vp = f->vp,
	};
	struct vm_map_req bss = {.prot = prot, .max_prot = VM_PROT_ALL};
	int error;

	error = map_range(map, trunc_page(start), file_end, &file);
	if (error == 0)
		error = map_range(map, file_end, round_page(start + ph->p_memsz), &bss);
	if (error == 0 && zero_tail)
		error = clearuser((void *)data_end, file_end - data_end);
	if (error == 0 && file.prot != prot)
		error = vm_mmap_to_errno(vm_map_protect(map, trunc_page(start), file_end, prot));
	return (error);
}

static int
map_file(const struct elf_file *f, vm_map_t map)
{
	int error = 0;

	for (int i = 0; error == 0 && i < f->eh.e_phnum; i++)
		if (is_load(&f->ph[i]))
			error = map_segment(f, map, &f->ph[i]);
	return (error);
}

/* The stack, below which mmap finds room, and where the heap begins. */
static int
map_stack(const struct elf_image *elf, struct vmspace *vm)
{
	uint64_t top = VM_MAXUSER_ADDRESS - exec_random_offset(STACK_RANDOM_PAGES);
	struct vm_map_req stack = {
	    .prot = VM_PROT_RW | (elf->exec_stack ? VM_PROT_EXECUTE : 0),
	    .max_prot = VM_PROT_ALL,
	    .eflags = MAP_ENTRY_STACK | MAP_ENTRY_NOMERGE | MAP_ENTRY_GROWSDOWN,
	};

	vm->vm_brk_start = vm->vm_brk =
	    elf->prog.high + elf->prog.bias + exec_random_offset(BRK_RANDOM_PAGES);
	vm->vm_stack_top = top;
	vm_map_lock(&vm->vm_map);
	vm->vm_map.top = trunc_page(
	    top - MIN(MAX(lim_cur(RLIMIT_STACK), STACK_ROOM_MIN), STACK_ROOM_MAX) - STACK_GUARD);
	vm_map_unlock(&vm->vm_map);
	return (vm_mmap_to_errno(
	    vm_map_insert(&vm->vm_map, top - EXEC_STACK_SIZE, EXEC_STACK_SIZE, &stack)));
}

static int
map_interp(struct elf_file *f, vm_map_t map)
{
	int error = place_interp(f, map);

	return (error != 0 ? error : map_file(f, map));
}

int
exec_elf_load(struct image_params *imgp, struct elf_image *elf)
{
	struct elf_file *prog = &elf->prog, *interp = &elf->interp;
	struct vmspace *vm = curproc->p_vm;
	struct exec_auxv aux;
	int error = place_program(prog);

	if (error == 0)
		error = map_file(prog, &vm->vm_map);
	if (error == 0)
		error = map_stack(elf, vm);
	if (error == 0 && interp->vp != NULL)
		error = map_interp(interp, &vm->vm_map);
	imgp->ip_why = prog->why != NULL ? prog->why : interp->why;
	if (error != 0)
		return (error);
	aux = (struct exec_auxv){
	    .phdr = prog->phdrs != 0 ? prog->phdrs + prog->bias : 0,
	    .phnum = prog->eh.e_phnum,
	    .base = interp->vp != NULL ? interp->bias : 0,
	    .entry = prog->eh.e_entry + prog->bias,
	};
	imgp->ip_entry = interp->vp != NULL ? interp->eh.e_entry + interp->bias : aux.entry;
	return (exec_push_stack(imgp, vm, &aux));
}
