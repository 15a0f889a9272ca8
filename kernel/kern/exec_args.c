/*
 * The arguments of a program: gathered in one buffer, and laid out on its stack. The stack is what
 * Linux gives: argc, argv, envp and the auxiliary vector, and what those point to.
 */
#include "kern/exec.h"
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/random.h"
#include "kern/string.h"
#include <elf.h>

#define ARGS_FIRST   4096 /* bytes of a new buffer: enough for most */
#define PLATFORM     "x86_64"
#define CLOCK_TICKS  100 /* a second, as times() counts */
#define RANDOM_BYTES 16
#define NAUX         20

/* --- argv and envp in the making -------------------------------------------------------------- */

/* Bytes that may still be used, the pointers that go with the strings counted. */
static size_t
args_room(const struct image_args *args)
{
	size_t used = args->ea_used + sizeof(char *) * (size_t)(args->ea_argc + args->ea_envc);
	uint64_t max = MIN(MAX(lim_cur(RLIMIT_STACK) / 4, EXEC_ARGS_MIN), EXEC_ARGS_MAX);

	return (used < max ? max - used : 0);
}

/* Have a buffer of at least size bytes. */
static int
args_grow(struct image_args *args, size_t size)
{
	size_t new_size = MAX(args->ea_size, ARGS_FIRST);
	char *buf;

	if (size <= args->ea_size)
		return (0);
	while (new_size < size)
		new_size *= 2;
	buf = kmalloc(new_size, 0);
	if (buf == NULL)
		return (ENOMEM);
	memcpy(buf, args->ea_buf, args->ea_used);
	kfree(args->ea_buf);
	args->ea_buf = buf;
	args->ea_size = new_size;
	return (0);
}

/* Copy s in behind what there is, growing the buffer until it fits; *len with its NUL. */
static int
args_copy(struct image_args *args, const char *s, bool user, size_t max, size_t *len)
{
	size_t room = args->ea_size - args->ea_used;
	int error = ENAMETOOLONG;

	while (error == ENAMETOOLONG) {
		error = args_grow(args, args->ea_used + MIN(MAX(room * 2, 64ul), max));
		if (error != 0)
			return (error);
		room = MIN(args->ea_size - args->ea_used, max);
		if (user)
			error = copyinstr(s, args->ea_buf + args->ea_used, room, len);
		else if ((*len = strlcpy(args->ea_buf + args->ea_used, s, room) + 1) > room)
			error = ENAMETOOLONG;
		else
			error = 0;
		if (error == ENAMETOOLONG && room == max)
			return (E2BIG);
	}
	return (error);
}

int
exec_args_add(struct image_args *args, const char *s, bool user, bool env)
{
	size_t room = args_room(args), len;
	int error;

	KASSERT(env || args->ea_envc == 0, ("an argument after the environment"));
	if (room <= sizeof(char *))
		return (E2BIG);
	error = args_copy(args, s, user, MIN(room - sizeof(char *), EXEC_STRING_MAX), &len);
	if (error != 0)
		return (error);
	args->ea_used += len;
	if (env) {
		args->ea_envc++;
	} else {
		args->ea_argc++;
		args->ea_argv_len = args->ea_used;
	}
	return (0);
}

int
exec_args_replace_first(struct image_args *args, const char *const front[], int n)
{
	size_t old = args->ea_argc > 0 ? strlen(args->ea_buf) + 1 : 0, new = 0;
	int error;
	char *s;

	for (int i = 0; i < n; i++)
		new += strlen(front[i]) + 1;
	if (new + sizeof(char *) * (size_t)n > args_room(args))
		return (E2BIG);
	error = args_grow(args, args->ea_used - old + new);
	if (error != 0)
		return (error);
	s = args->ea_buf;
	memmove(s + new, s + old, args->ea_used - old);
	for (int i = 0; i < n; i++)
		s += strlcpy(s, front[i], new) + 1;
	args->ea_used += new - old;
	args->ea_argv_len += new - old;
	args->ea_argc += n - (old > 0 ? 1 : 0);
	return (0);
}

void
exec_args_free(struct image_args *args)
{
	kfree(args->ea_buf);
	*args = (struct image_args){0};
}

/* --- the stack -------------------------------------------------------------------------------- */

/* User addresses of what the words at the stack pointer point to, from the lowest up. */
struct stack_layout {
	uint64_t words, random, args, platform, path;
	size_t nwords;
};

static struct stack_layout
lay_out(const struct image_params *imgp, uint64_t top)
{
	const struct image_args *args = imgp->ip_args;
	struct stack_layout at;

	at.nwords = (size_t)args->ea_argc + (size_t)args->ea_envc + 3 + 2 * NAUX;
	at.path = top - sizeof(uint64_t) - (strlen(imgp->ip_path) + 1); /* a zero word is last */
	at.platform = at.path - sizeof(PLATFORM);
	at.args = at.platform - args->ea_used;
	at.random = rounddown2(at.args - RANDOM_BYTES, 16ul);
	at.words = rounddown2(at.random - at.nwords * sizeof(uint64_t), 16ul);
	return (at);
}

/* Pointers to n strings in a row, and a null one; returns what follows. *s: the first, which is at
 * user address *addr; both move along. */
static uint64_t *
push_pointers(uint64_t *word, int n, const char **s, uint64_t *addr)
{
	for (; n > 0; n--) {
		size_t len = strlen(*s) + 1;

		*word++ = *addr;
		*addr += len;
		*s += len;
	}
	*word++ = 0;
	return (word);
}

static void
push_auxv(uint64_t *word, const struct image_params *imgp, const struct exec_auxv *aux,
	  const struct stack_layout *at)
{
	const struct ucred *cr = imgp->ip_cred;
	const uint64_t auxv[NAUX][2] = {
	    {AT_MINSIGSTKSZ, SIGFRAME_MAX},
	    {AT_HWCAP, cpu_hwcap()},
	    {AT_PAGESZ, PAGE_SIZE},
	    {AT_CLKTCK, CLOCK_TICKS},
	    {AT_PHDR, aux->phdr},
	    {AT_PHENT, sizeof(Elf64_Phdr)},
	    {AT_PHNUM, aux->phnum},
	    {AT_BASE, aux->base},
	    {AT_FLAGS, 0},
	    {AT_ENTRY, aux->entry},
	    {AT_UID, cr->cr_ruid},
	    {AT_EUID, cr->cr_uid},
	    {AT_GID, cr->cr_rgid},
	    {AT_EGID, cr->cr_gid},
	    {AT_SECURE, imgp->ip_secure},
	    {AT_RANDOM, at->random},
	    {AT_HWCAP2, cpu_hwcap2()},
	    {AT_EXECFN, at->path},
	    {AT_PLATFORM, at->platform},
	    {AT_NULL, 0},
	};

	memcpy(word, auxv, sizeof(auxv));
}

static int
copyout_stack(const struct image_params *imgp, const struct stack_layout *at, const uint64_t *words)
{
	const struct image_args *args = imgp->ip_args;
	uint8_t random[RANDOM_BYTES];
	int error;

	random_bytes(random, sizeof(random));
	error = copyout(words, (void *)at->words, at->nwords * sizeof(*words));
	if (error == 0)
		error = copyout(random, (void *)at->random, sizeof(random));
	if (error == 0)
		error = copyout(args->ea_buf, (void *)at->args, args->ea_used);
	if (error == 0)
		error = copyout(PLATFORM, (void *)at->platform, sizeof(PLATFORM));
	if (error == 0)
		error = copyout(imgp->ip_path, (void *)at->path, strlen(imgp->ip_path) + 1);
	return (error);
}

int
exec_push_stack(struct image_params *imgp, struct vmspace *vm, const struct exec_auxv *aux)
{
	const struct image_args *args = imgp->ip_args;
	struct stack_layout at = lay_out(imgp, vm->vm_stack_top);
	uint64_t *words = kmalloc(at.nwords * sizeof(*words), 0), *word = words, addr = at.args;
	const char *s = args->ea_buf;
	int error;

	if (words == NULL)
		return (ENOMEM);
	*word++ = (uint64_t)args->ea_argc;
	word = push_pointers(word, args->ea_argc, &s, &addr);
	word = push_pointers(word, args->ea_envc, &s, &addr);
	push_auxv(word, imgp, aux, &at);
	error = copyout_stack(imgp, &at, words);
	vm->vm_auxv_start = at.words + (word - words) * sizeof(*words);
	vm->vm_auxv_end = at.words + at.nwords * sizeof(*words);
	kfree(words);
	vm->vm_arg_start = at.args;
	vm->vm_arg_end = vm->vm_env_start = at.args + args->ea_argv_len;
	vm->vm_env_end = at.args + args->ea_used;
	imgp->ip_sp = at.words;
	return (error);
}
