/*
 * Running a program: what the files that do it share. exec.c opens the file and puts the process in
 * its new place, exec_script.c follows "#!", exec_elf.c maps an ELF program and its interpreter,
 * exec_args.c has argv and envp and the stack that they end up on.
 */
#pragma once

#include "kern/types.h"

struct ucred;
struct vmspace;
struct vnode;

/*
 * What a program is given: the strings of argv, then those of envp, one after the other in ea_buf.
 * All zeros is an empty one. One thread's own.
 */
struct image_args {
	char *ea_buf;
	size_t ea_size; /* of ea_buf, which grows */
	size_t ea_used;
	size_t ea_argv_len; /* bytes of it that are argv's */
	int ea_argc, ea_envc;
};

#define EXEC_STACK_SIZE (132ul << 10) /* bytes of a new program's stack; faults make it grow */
/* The strings and their pointers may take a quarter of RLIMIT_STACK, but within these; bytes. And
 * one string. */
#define EXEC_ARGS_MIN   (128ul << 10)
#define EXEC_ARGS_MAX   (6ul << 20)
#define EXEC_STRING_MAX (128ul << 10)

/* Append a string, of kernel or (user) user memory, to argv or (env) to envp, which begins when
 * argv is complete. E2BIG, EFAULT, ENOMEM. */
int exec_args_add(struct image_args *args, const char *s, bool user, bool env);
/* Let the n strings of front stand in place of argv[0]; E2BIG, ENOMEM. */
int exec_args_replace_first(struct image_args *args, const char *const front[], int n);
void exec_args_free(struct image_args *args);

#define EXEC_HEAD 256 /* bytes of a file that say what it is; the longest "#!" line */

/* A program that is being looked at. One thread's own. */
struct image_params {
	const char *ip_path; /* the name it was given: AT_EXECFN, and what ps shows */
	struct image_args *ip_args;
	struct vnode *ip_vp; /* held by vn_text_hold */
	bool ip_reachable; /* ip_path will lead to it once it runs */
	const char *ip_why; /* why it was refused, for the log */
	char ip_head[EXEC_HEAD + 1]; /* how the file begins, and zeros */
	char ip_script[EXEC_HEAD]; /* its name if a script led to it; "": ip_path */
	struct ucred *ip_cred; /* what it will act as, referenced; NULL: not known yet */
	bool ip_secure; /* ... which is more than who runs it */
	/* Set by exec_elf. */
	uint64_t ip_entry, ip_sp; /* where it starts, and its stack pointer */
};

/*
 * The program at path, from directory dir (NULL: curproc's own), or (path "") dir itself, to *vpp,
 * held: a regular file that may be executed and that nobody has open for writing. EACCES, ETXTBSY,
 * and namei's; ELOOP: a symbolic link, not to be followed.
 */
int exec_open(struct vnode *dir, const char *path, bool follow, struct vnode **vpp);

/* The image is a script: put its interpreter in its place, in ip_vp and in the arguments. */
bool exec_is_script(const struct image_params *imgp);
int exec_script(struct image_params *imgp);

/* What a new program is told of itself by its auxiliary vector. */
struct exec_auxv {
	uint64_t phdr, phnum; /* user address of its program headers, and how many */
	uint64_t base; /* where its interpreter is; 0: none */
	uint64_t entry; /* its own entry point */
};

/* What is known of an ELF program and its interpreter, read and checked. */
struct elf_image;
/* Read imgp's file, and its interpreter, without changing anything. ENOEXEC, ELIBBAD, EIO and
 * what opening the interpreter says. */
int exec_elf_read(struct image_params *imgp, struct elf_image **elfp);
/* Map it into curproc's new, empty address space, with a stack; ip_entry and ip_sp are set. */
int exec_elf_load(struct image_params *imgp, struct elf_image *elf);
void exec_elf_free(struct elf_image *elf);

/* Fill the stack below vm_stack_top with the arguments and the vector; sets ip_sp. */
int exec_push_stack(struct image_params *imgp, struct vmspace *vm, const struct exec_auxv *aux);

/* Fewer than `pages` pages, in bytes; 0 unless addresses are to be random (aslr=1). */
uint64_t exec_random_offset(uint64_t pages);

/*
 * Make curproc the program in vp (the reference of vn_text_hold is given up), called path: a new
 * address space, its stack and td_frame; other threads end. On an error it is what it was. ENOENT,
 * ENOEXEC, ELIBBAD, EACCES, ETXTBSY, ELOOP, EIO, ENOMEM, E2BIG, EFAULT, EINTR. reachable: who opens
 * path after that finds the file (a script's interpreter must).
 */
int exec_image(struct vnode *vp, const char *path, bool reachable, struct image_args *args);
/* exec_open and exec_image. */
int exec_program(const char *path, struct image_args *args);
