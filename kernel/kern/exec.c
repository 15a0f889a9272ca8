/*
 * Loading a program: static ELF executables for x86-64, and the stack that Linux gives a new
 * program. Nothing in the file is trusted: all of it is checked before anything is mapped.
 */
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/random.h"
#include "kern/string.h"
#include "fs/vnode.h"
#include <elf.h>

#define ARG_MAX            (128ul << 10) /* bytes of argv and envp, pointers included */
#define PHNUM_MAX          1024
#define STACK_SIZE         (8ul << 20)
#define STACK_GUARD        (1ul << 20) /* not given out below the stack, as Linux */
#define PIE_BASE           0x555555554000ul
#define PIE_RANDOM_PAGES   (1ul << 28) /* how far things move with aslr=1, as Linux */
#define STACK_RANDOM_PAGES (1ul << 22)
#define PLATFORM           "x86_64"
#define NAUX               19

struct image {
	const char *path, *why; /* why it was refused, for the log */
	struct vnode *vp;
	vm_object_t object; /* vp's pages */
	uint64_t size; /* of the file */
	Elf64_Ehdr eh;
	Elf64_Phdr *ph; /* eh.e_phnum of them */
	const Elf64_Phdr *interp;
	uint64_t low, high; /* what the segments span, page-aligned */
	uint64_t align; /* largest p_align */
	uint64_t bias; /* added to the file's addresses */
	uint64_t phdrs; /* where the program headers are once loaded, 0: nowhere */
	bool exec_stack;
};

/* Refuse unless what must hold does. */
#define CHECK(img, what, otherwise)               \
	do {                                      \
		if (!(what)) {                    \
			(img)->why = (otherwise); \
			return (ENOEXEC);         \
		}                                 \
	} while (0)

static int
read_all(struct image *img, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;
	int error = vn_read_kernel(img->vp, buf, len, offset, &done);

	CHECK(img, error != 0 || done == len, "headers reach past the end of the file");
	return (error);
}

static int
read_headers(struct image *img)
{
	Elf64_Ehdr *eh = &img->eh;
	int error = read_all(img, eh, sizeof(*eh), 0);

	if (error != 0)
		return (error);
	CHECK(img, memcmp(eh->e_ident, ELFMAG, SELFMAG) == 0, "not an ELF file");
	CHECK(img,
	      eh->e_ident[EI_CLASS] == ELFCLASS64 && eh->e_ident[EI_DATA] == ELFDATA2LSB &&
		  eh->e_machine == EM_X86_64,
	      "not for x86-64");
	CHECK(img, eh->e_type == ET_EXEC || eh->e_type == ET_DYN, "not an executable");
	CHECK(img,
	      eh->e_ident[EI_VERSION] == EV_CURRENT && eh->e_ehsize == sizeof(*eh) &&
		  eh->e_phentsize == sizeof(*img->ph) && eh->e_phnum != 0 &&
		  eh->e_phnum <= PHNUM_MAX,
	      "malformed ELF header");
	img->ph = kmalloc(eh->e_phnum * sizeof(*img->ph), 0);
	if (img->ph == NULL)
		return (ENOMEM);
	return (read_all(img, img->ph, eh->e_phnum * sizeof(*img->ph), eh->e_phoff));
}

/* One PT_LOAD; *last_end is where the one before it ended, in bytes. */
static int
check_load(struct image *img, const Elf64_Phdr *ph, uint64_t *last_end)
{
	uint64_t file_end, end;

	CHECK(img,
	      !__builtin_add_overflow(ph->p_offset, ph->p_filesz, &file_end) &&
		  file_end <= img->size,
	      "segment outside the file");
	CHECK(img, ph->p_memsz >= ph->p_filesz, "segment smaller than its part of the file");
	CHECK(img,
	      !__builtin_add_overflow(ph->p_vaddr, ph->p_memsz, &end) && end <= VM_MAXUSER_ADDRESS,
	      "segment outside user space");
	CHECK(img, ((ph->p_vaddr - ph->p_offset) & PAGE_MASK) == 0,
	      "segment's address and file offset differ within the page");
	CHECK(img, powerof2(ph->p_align), "segment's alignment is not a power of two");
	CHECK(img, ph->p_vaddr >= *last_end, "segments overlap or are not in order");
	*last_end = end;
	img->low = MIN(img->low, trunc_page(ph->p_vaddr));
	img->high = round_page(end);
	img->align = MAX(img->align, ph->p_align);
	if (img->eh.e_phoff >= ph->p_offset && img->eh.e_phoff < file_end)
		img->phdrs = img->eh.e_phoff - ph->p_offset + ph->p_vaddr;
	return (0);
}

static int
check_segments(struct image *img)
{
	uint64_t last_end = 0;
	int error;

	img->low = UINT64_MAX;
	for (const Elf64_Phdr *ph = img->ph; ph < img->ph + img->eh.e_phnum; ph++) {
		if (ph->p_type == PT_INTERP)
			img->interp = ph;
		else if (ph->p_type == PT_GNU_STACK)
			img->exec_stack = (ph->p_flags & PF_X) != 0;
		if (ph->p_type != PT_LOAD || ph->p_memsz == 0)
			continue;
		error = check_load(img, ph, &last_end);
		if (error != 0)
			return (error);
	}
	CHECK(img, last_end != 0, "nothing to load");
	return (0);
}

/* Fewer than `pages` pages, in bytes; 0 unless addresses are to be random. */
static uint64_t
random_offset(uint64_t pages)
{
	const char *aslr = cmdline_get("aslr");
	uint64_t r;

	if (aslr == NULL || strcmp(aslr, "0") == 0)
		return (0);
	if (strcmp(aslr, "1") != 0) {
		klog(LOG_WARNING, "aslr=%s: not 0 or 1", aslr);
		return (0);
	}
	random_bytes(&r, sizeof(r));
	return (ptoa(r % pages));
}

/* Choose where it goes and see that it fits there. */
static int
place(struct image *img)
{
	uint64_t base = PIE_BASE + random_offset(PIE_RANDOM_PAGES);

	if (img->eh.e_type == ET_DYN) {
		if (img->align > PAGE_SIZE && img->align <= PIE_BASE)
			base = rounddown2(base, img->align);
		CHECK(img, img->high - img->low <= VM_MAXUSER_ADDRESS - base, "too large");
		img->bias = base - img->low; /* may be negative: all is modulo 2^64 */
	}
	if (img->phdrs != 0)
		img->phdrs += img->bias;
	CHECK(img, img->low + img->bias >= VM_MINUSER_ADDRESS, "segment at too low an address");
	CHECK(img,
	      img->eh.e_entry + img->bias >= VM_MINUSER_ADDRESS &&
		  img->eh.e_entry + img->bias < VM_MAXUSER_ADDRESS,
	      "entry point outside user space");
	return (0);
}

static int
refuse_dynamic(struct image *img)
{
	char name[128] = ""; /* what of it cannot be read is not shown */

	read_all(img, name, MIN(img->interp->p_filesz, sizeof(name) - 1), img->interp->p_offset);
	klog(LOG_WARNING, "dynamic programs are not supported yet: %s wants %s", img->path, name);
	img->why = NULL;
	return (ENOEXEC);
}

/* Find the file, and read and check what says how to load it. */
static int
image_open(struct image *img, struct proc *p)
{
	int error = namei(p->p_cwd, img->path, true, &img->vp);

	if (error != 0)
		return (error);
	if (img->vp->v_type != VREG || (img->vp->v_mode & 0111) == 0 ||
	    img->vp->v_ops->v_object == NULL)
		return (EACCES);
	rw_rlock(&img->vp->v_lock);
	img->size = img->vp->v_size;
	rw_unlock(&img->vp->v_lock);
	error = read_headers(img);
	if (error == 0)
		error = check_segments(img);
	if (error == 0)
		error = img->interp != NULL ? refuse_dynamic(img) : place(img);
	return (error != 0 ? error : img->vp->v_ops->v_object(img->vp, &img->object));
}

static int
map_range(struct proc *p, uint64_t start, uint64_t end, const struct vm_map_req *req)
{
	int rv;

	if (start >= end)
		return (0);
	if (req->object != NULL)
		vm_object_reference(req->object); /* the map's, if all goes well */
	rv = vm_map_fixed(&p->p_vm->vm_map, start, end - start, req);
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
map_segment(struct image *img, struct proc *p, const Elf64_Phdr *ph)
{
	vm_prot_t prot = (ph->p_flags & PF_R ? VM_PROT_READ : 0) |
			 (ph->p_flags & PF_W ? VM_PROT_WRITE : 0) |
			 (ph->p_flags & PF_X ? VM_PROT_EXECUTE : 0);
	uint64_t start = ph->p_vaddr + img->bias, data_end = start + ph->p_filesz;
	uint64_t file_end = ph->p_filesz == 0 ? trunc_page(start) : round_page(data_end);
	bool zero_tail = ph->p_memsz > ph->p_filesz && data_end < file_end;
	struct vm_map_req file = {
	    .object = img->object,
	    .offset = trunc_page(ph->p_offset),
	    .prot = zero_tail ? prot | VM_PROT_RW : prot,
	    .max_prot = VM_PROT_ALL,
	    .eflags = MAP_ENTRY_COW | MAP_ENTRY_NEEDS_COPY,
	    .name_vp = img->vp,
	};
	struct vm_map_req bss = {.prot = prot, .max_prot = VM_PROT_ALL};
	int error;

	error = map_range(p, trunc_page(start), file_end, &file);
	if (error == 0)
		error = map_range(p, file_end, round_page(start + ph->p_memsz), &bss);
	if (error == 0 && zero_tail)
		error = clearuser((void *)data_end, file_end - data_end);
	if (error == 0 && file.prot != prot)
		error = vm_mmap_to_errno(
		    vm_map_protect(&p->p_vm->vm_map, trunc_page(start), file_end, prot));
	return (error);
}

static int
map_image(struct image *img, struct proc *p)
{
	uint64_t top = VM_MAXUSER_ADDRESS - random_offset(STACK_RANDOM_PAGES);
	struct vmspace *vm = p->p_vm;
	struct vm_map_req stack = {
	    .prot = VM_PROT_RW | (img->exec_stack ? VM_PROT_EXECUTE : 0),
	    .max_prot = VM_PROT_ALL,
	    .eflags = MAP_ENTRY_STACK | MAP_ENTRY_NOMERGE,
	};
	int error = 0;

	for (const Elf64_Phdr *ph = img->ph; ph < img->ph + img->eh.e_phnum && error == 0; ph++)
		if (ph->p_type == PT_LOAD && ph->p_memsz != 0)
			error = map_segment(img, p, ph);
	if (error != 0)
		return (error);
	vm->vm_brk_start = vm->vm_brk = img->high + img->bias;
	vm->vm_stack_top = top;
	vm_map_lock(&vm->vm_map);
	vm->vm_map.top = top - STACK_SIZE - STACK_GUARD;
	vm_map_unlock(&vm->vm_map);
	return (vm_mmap_to_errno(vm_map_insert(&vm->vm_map, top - STACK_SIZE, STACK_SIZE, &stack)));
}

/* A new stack's contents in the making: buf is to stand at user address sp; offsets in it so
 * far. */
struct stack_image {
	uint8_t *buf;
	uint64_t sp;
	size_t word, string;
};

static void
push_word(struct stack_image *si, uint64_t value)
{
	*(uint64_t *)(si->buf + si->word) = value;
	si->word += sizeof(value);
}

/* Append a string and return its user address. */
static uint64_t
push_string(struct stack_image *si, const char *s)
{
	uint64_t addr = si->sp + si->string;

	si->string += strlcpy((char *)si->buf + si->string, s, SIZE_MAX) + 1;
	return (addr);
}

static void
push_auxv(struct stack_image *si, const struct image *img, uint64_t random)
{
	const uint64_t aux[NAUX][2] = {
	    {AT_HWCAP, cpu_hwcap()},
	    {AT_PAGESZ, PAGE_SIZE},
	    {AT_CLKTCK, 100},
	    {AT_PHDR, img->phdrs},
	    {AT_PHENT, sizeof(Elf64_Phdr)},
	    {AT_PHNUM, img->eh.e_phnum},
	    {AT_BASE, 0},
	    {AT_FLAGS, 0},
	    {AT_ENTRY, img->eh.e_entry + img->bias},
	    {AT_UID, 0},
	    {AT_EUID, 0},
	    {AT_GID, 0},
	    {AT_EGID, 0},
	    {AT_SECURE, 0},
	    {AT_RANDOM, random},
	    {AT_EXECFN, push_string(si, img->path)},
	    {AT_PLATFORM, push_string(si, PLATFORM)},
	    {AT_MINSIGSTKSZ, 4096}, /* holds a frame with AVX-512 state */
	    {AT_NULL, 0},
	};

	memcpy(si->buf + si->word, aux, sizeof(aux));
}

/*
 * The new stack as Linux lays it out, upwards from *sp: argc, argv, envp, auxv; 16 random bytes;
 * the strings; zeros. Built in kernel memory, then copied out at once.
 */
static int
push_args(struct image *img, struct vmspace *vm, int argc, char *const argv[], int envc,
	  char *const envv[], uint64_t *sp)
{
	size_t strings = 0, total, random = sizeof(uint64_t) * (size_t)(argc + envc + 3 + 2 * NAUX);
	struct stack_image si = {.word = 0};
	int error;

	for (int i = 0; i < argc + envc; i++) {
		strings += strlen(i < argc ? argv[i] : envv[i - argc]) + 1;
		if (strings + sizeof(char *) * (size_t)(argc + envc) > ARG_MAX)
			return (E2BIG);
	}
	si.string = random + 16;
	total = si.string + strings + strlen(img->path) + 1 + sizeof(PLATFORM) + 8;
	total = roundup2(total, 16ul);
	si.buf = kmalloc(total, M_ZERO);
	if (si.buf == NULL)
		return (ENOMEM);
	*sp = si.sp = vm->vm_stack_top - total;
	push_word(&si, (uint64_t)argc);
	vm->vm_arg_start = si.sp + si.string;
	for (int i = 0; i < argc; i++)
		push_word(&si, push_string(&si, argv[i]));
	push_word(&si, 0);
	vm->vm_arg_end = si.sp + si.string;
	for (int i = 0; i < envc; i++)
		push_word(&si, push_string(&si, envv[i]));
	push_word(&si, 0);
	push_auxv(&si, img, si.sp + random);
	random_bytes(si.buf + random, 16);
	error = copyout(si.buf, (void *)si.sp, total);
	kfree(si.buf);
	return (error);
}

/* The process is the program from now on: its name, and its file. */
static void
take_name(struct proc *p, struct image *img)
{
	const char *name = img->path;
	struct vnode *old;

	for (const char *s = name; *s != '\0'; s++)
		if (*s == '/' && s[1] != '\0')
			name = s + 1;
	vref(img->vp);
	rw_wlock(&p->p_lock);
	strlcpy(p->p_comm, name, sizeof(p->p_comm));
	old = p->p_exe;
	p->p_exe = img->vp;
	rw_unlock(&p->p_lock);
	if (old != NULL)
		vrele(old);
}

/* Put vm in place of curproc's address space; returns that. */
static struct vmspace *
exec_switch(struct proc *p, struct vmspace *vm)
{
	struct vmspace *old;

	rw_wlock(&p->p_lock);
	old = p->p_vm;
	p->p_vm = vm;
	p->p_maxrss = MAX(p->p_maxrss, old->vm_pmap.pm_resident);
	rw_unlock(&p->p_lock);
	pmap_activate(&vm->vm_pmap);
	return (old);
}

/* Load img into a new address space, where *sp is its stack; the old one comes back if that
 * fails. */
static int
exec_load(struct image *img, struct proc *p, int argc, char *const argv[], int envc,
	  char *const envv[], uint64_t *sp)
{
	struct vmspace *vm = vmspace_alloc();
	int error;

	if (vm == NULL)
		return (ENOMEM);
	vm = exec_switch(p, vm);
	error = map_image(img, p);
	if (error == 0)
		error = push_args(img, p->p_vm, argc, argv, envc, envv, sp);
	if (error != 0)
		vm = exec_switch(p, vm);
	vmspace_free(vm);
	return (error);
}

int
exec_program(const char *path, int argc, char *const argv[], int envc, char *const envv[])
{
	struct image img = {.path = path};
	struct thread *td = curthread;
	struct proc *p = curproc;
	uint64_t sp;
	int error;

	error = image_open(&img, p);
	if (error == 0)
		error = proc_single();
	if (error == 0)
		error = exec_load(&img, p, argc, argv, envc, envv, &sp);
	if (error == 0) {
		take_name(p, &img);
		fd_exec(p->p_fd);
		signal_exec(p);
		td->td_clear_tid = 0;
		cpu_set_user_entry(td, img.eh.e_entry + img.bias, sp);
		proc_execed(p);
	}
	if (img.why != NULL)
		klog(LOG_WARNING, "%s: %s", path, img.why);
	kfree(img.ph);
	if (img.object != NULL)
		vm_object_deallocate(img.object);
	if (img.vp != NULL)
		vrele(img.vp);
	return (error);
}
