/*
 * counter: a plugin of QEMU's that counts each instruction by the calls that led to it. Made and
 * started by scripts/profile; argument files=DIR:
 *
 *   DIR/symbols   read: `elf LOAD PATH', then `text ADDRESS OFFSET SIZE' and `sym ADDRESS NAME' by
 *                 address; the kernel first. What is loaded at LOAD is compared byte by byte, since
 *                 processes have different programs at one address. Then words about the window:
 *                 `boot', `in NAME', `during NAME', `from NAME', `to NAME'.
 *   DIR/progress  written now and then: how many instructions there were.
 *   DIR/counts    written at the end: `node ID PARENT CALLS SELF NAME', a tree of calls whose root
 *                 is 0, and `insn ADDRESS COUNT NAME'.
 *
 * Who called whom: a call leaves a frame, known by the address where its return address lies; a
 * return from there takes it away. A return from an address of the kernel's that belongs to no
 * frame of this thread is a switch to another one. The way back from the kernel takes away all up
 * to the frame that the way in has left.
 *
 * QEMU executes one processor at a time, with -icount: nothing here is locked.
 */
#include "functions.h"

#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY (1ul << 22) /* instructions */
#define VECTORS        256
#define DEPTH_MAX      300 /* of calls; what is called from there counts as if from its caller */
#define STUB_SIZE      16 /* of each vector's part of trap_stubs */

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

enum kind { PLAIN, CALL, RET, ENTER, LEAVE };

struct insn {
	uint64_t pc, count;
	struct func *func;
	enum kind kind;
	struct insn *next;
};

struct node {
	struct func *func;
	struct node *parent, *child, *sibling;
	uint64_t self, calls;
	unsigned id;
	unsigned depth;
	bool is_in; /* the function that was asked for is this or led here */
};

struct frame {
	uint64_t slot; /* where the return address is; ENTERED, SIGNALLED: none */
	struct node *node; /* who called, or was interrupted */
	struct func *func; /* whose instruction is next when this goes; NULL: any */
	struct insn *fault; /* what faulted and is not done yet; or NULL */
};
#define ENTERED   1ul
#define SIGNALLED 2ul

struct thread {
	struct frame *frames;
	size_t nframes, size;
	struct thread *next; /* who ran last comes first */
};

struct cpu {
	struct thread *thread;
	struct node *node; /* of the instruction before, */
	struct func *func; /* its function; NULL: the next one is in another frame, */
	struct insn *insn; /* and itself */
	bool was_called; /* the next one is a function's first */
	bool has_left; /* the kernel: the next one is where it returns to */
};

static struct node root;
static unsigned nnodes = 1;
static struct insn *insns;
static struct thread *threads;
static struct cpu *cpus;
static uint64_t executed;
static struct { /* the call that the window is open for */
	const struct thread *thread;
	size_t nframes;
} during;
static char directory[4096];

/* --- frames ---------------------------------------------------------------------------------- */

static struct node *
child_of(struct node *parent, struct func *func)
{
	struct node *n;

	if (parent->depth == DEPTH_MAX)
		parent = parent->parent;
	for (n = parent->child; n != NULL; n = n->sibling)
		if (n->func == func)
			return (n);
	n = allocate(sizeof(*n));
	n->func = func;
	n->parent = parent;
	n->sibling = parent->child;
	parent->child = n;
	n->depth = parent->depth + 1;
	n->id = nnodes++;
	n->is_in = parent->is_in || func->is_in || !window.is_filtered;
	return (n);
}

static void
push(struct cpu *cpu, uint64_t slot, struct func *resumes, struct insn *fault)
{
	struct thread *t = cpu->thread;

	if (t->nframes == t->size) {
		t->size = 2 * t->size + 32;
		t->frames = realloc(t->frames, t->size * sizeof(*t->frames));
		if (t->frames == NULL)
			exit(1);
	}
	t->frames[t->nframes++] = (struct frame){slot, cpu->node, resumes, fault};
	cpu->func = NULL;
	cpu->was_called = true;
}

static struct node *
top_node(const struct thread *t)
{
	return (t->nframes == 0 ? &root : t->frames[t->nframes - 1].node);
}

/* Make the thread whose innermost frame is at slot this processor's, or a new one. */
static void
switch_thread(struct cpu *cpu, uint64_t slot)
{
	struct thread **link, *t;

	for (link = &threads; (t = *link) != NULL; link = &t->next)
		if (t->nframes > 0 && t->frames[t->nframes - 1].slot == slot)
			break;
	if (t != NULL) {
		*link = t->next;
		t->nframes--;
	} else {
		t = allocate(sizeof(*t));
	}
	t->next = threads;
	threads = t;
	cpu->thread = t;
}

/* QEMU 7.2 may call these two once more, for what a later instruction does to memory. */
static void
after_call(unsigned vcpu, uint32_t info, uint64_t va, void *data)
{
	if (cpus[vcpu].insn == data && qemu_plugin_mem_is_store(info))
		push(&cpus[vcpu], va, NULL, NULL);
}

static void
after_return(unsigned vcpu, uint32_t info, uint64_t va, void *data)
{
	struct cpu *cpu = &cpus[vcpu];
	struct thread *t = cpu->thread;
	size_t n = t->nframes;

	if (cpu->insn != data || qemu_plugin_mem_is_store(info))
		return;
	cpu->func = NULL;
	while (n > 0 && t->frames[n - 1].slot != va && t->frames[n - 1].slot != ENTERED)
		n--;
	if (n > 0 && t->frames[n - 1].slot == va)
		t->nframes = n - 1;
	else if (va >= KERNEL_BASE)
		switch_thread(cpu, va);
	else /* a frame that was not seen being made, such as a forked child's */
		while (t->nframes > 0 && t->frames[t->nframes - 1].slot <= va &&
		       t->frames[t->nframes - 1].slot != SIGNALLED)
			t->nframes--;
}

/* IRET and SYSRET. */
static void
leave_kernel(struct cpu *cpu)
{
	struct thread *t = cpu->thread;

	while (t->nframes > 0 && t->frames[t->nframes - 1].slot != ENTERED)
		t->nframes--;
	cpu->has_left = true;
}

/* The first instruction back: where the thread was, or a signal's handler, or what it interrupted,
 * or a new program. */
static void
arrive(struct cpu *cpu, const struct insn *insn)
{
	struct thread *t = cpu->thread;
	struct frame was = {0};

	cpu->has_left = false;
	cpu->func = NULL;
	if (window.at_first_user && insn->pc < KERNEL_BASE)
		window.is_on = true, window.at_first_user = false;
	if (t->nframes > 0)
		was = t->frames[--t->nframes];
	if (was.fault == insn && window.is_on && was.node->is_in) {
		/* It counts when it is done, which is now. */
		was.node->self--;
		was.fault->count--;
	}
	cpu->was_called = was.func == NULL && insn->pc == insn->func->start;
	if (insn->pc >= KERNEL_BASE || was.func == NULL || was.func == insn->func)
		return;
	size_t n = t->nframes;
	while (n > 0 && (t->frames[n - 1].slot != SIGNALLED || t->frames[n - 1].func != insn->func))
		n--;
	if (n > 0) {
		t->nframes = n - 1;
	} else if (insn->pc == insn->func->start && strcmp(insn->func->name, "_start") != 0) {
		cpu->node = was.node;
		push(cpu, SIGNALLED, was.func, NULL);
	} else {
		t->nframes = 0;
	}
}

/* --- each instruction ------------------------------------------------------------------------ */

/* Exceptions and interrupts come between any two instructions, system calls after one. Faults,
 * unlike traps and interrupts, strike before an instruction is done. */
static void
enter_kernel(struct cpu *cpu, const struct insn *insn)
{
	struct insn *last = cpu->insn;
	uint64_t vector = (insn->pc - trap_stubs) / STUB_SIZE;
	bool is_fault = vector < 32 && vector != 1 && vector != 2 && vector != 3 && vector != 4;

	push(cpu, ENTERED, last != NULL && last->kind == PLAIN ? last->func : NULL,
	     is_fault ? last : NULL);
}

static FILE *
open_file(const char *name, const char *mode)
{
	char path[sizeof(directory) + 16];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, mode);
	if (f == NULL) {
		perror(path);
		exit(1);
	}
	return (f);
}

static void
show_progress(void)
{
	FILE *f = open_file("progress", "w");

	fprintf(f, "%lu\n", (unsigned long)executed);
	fclose(f);
}

/* Another function than the instruction before, or another frame. */
static void
change_func(struct cpu *cpu, const struct insn *insn)
{
	bool is_jump = cpu->func != NULL;

	cpu->node = child_of(top_node(cpu->thread), insn->func);
	cpu->func = insn->func;
	if (during.thread == cpu->thread && cpu->thread->nframes < during.nframes) {
		during.thread = NULL;
		window.is_on = false;
	}
	if (!cpu->was_called && !is_jump)
		return;
	cpu->was_called = false;
	if (insn->func->is_to && window.is_on)
		window.is_on = false;
	else if (insn->func->is_from || insn->func->is_during)
		window.is_on = true;
	if (insn->func->is_during && during.thread == NULL) {
		during.thread = cpu->thread;
		during.nframes = cpu->thread->nframes;
	}
	if (window.is_on && cpu->node->is_in)
		cpu->node->calls++;
}

static void
on_insn(unsigned vcpu, void *data)
{
	struct cpu *cpu = &cpus[vcpu];
	struct insn *insn = data;

	if (++executed % PROGRESS_EVERY == 0)
		show_progress();
	if (insn->kind == ENTER)
		enter_kernel(cpu, insn);
	else if (cpu->has_left)
		arrive(cpu, insn);
	if (cpu->func != insn->func)
		change_func(cpu, insn);
	cpu->insn = insn;
	if (window.is_on && cpu->node->is_in) {
		cpu->node->self++;
		insn->count++;
	}
	if (insn->kind == LEAVE)
		leave_kernel(cpu);
}

static enum kind
kind_of(uint64_t pc, const uint8_t *p, size_t n)
{
	uint64_t stub = pc - trap_stubs;
	size_t i = 0;

	if (pc == syscall_entry || (stub < VECTORS * STUB_SIZE && stub % STUB_SIZE == 0))
		return (ENTER);
	while (i + 1 < n && (p[i] == 0xf2 || p[i] == 0xf3 || p[i] == 0x66 || (p[i] & 0xf0) == 0x40))
		i++;
	if (p[i] == 0xe8 || (p[i] == 0xff && i + 1 < n && (p[i + 1] & 0x38) == 0x10))
		return (CALL);
	if (p[i] == 0xc3 || p[i] == 0xc2)
		return (RET);
	if (pc >= KERNEL_BASE && (p[i] == 0xcf || (p[i] == 0x0f && i + 1 < n && p[i + 1] == 0x07)))
		return (LEAVE);
	return (PLAIN);
}

static void
on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
	struct elf *elf = elf_of(tb);

	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *from = qemu_plugin_tb_get_insn(tb, i);
		struct insn *insn = allocate(sizeof(*insn));
		insn->pc = qemu_plugin_insn_vaddr(from);
		insn->func = func_at(elf, insn->pc);
		insn->kind =
		    kind_of(insn->pc, qemu_plugin_insn_data(from), qemu_plugin_insn_size(from));
		insn->next = insns;
		insns = insn;
		qemu_plugin_register_vcpu_insn_exec_cb(from, on_insn, QEMU_PLUGIN_CB_NO_REGS, insn);
		if (insn->kind == CALL)
			qemu_plugin_register_vcpu_mem_cb(from, after_call, QEMU_PLUGIN_CB_NO_REGS,
							 QEMU_PLUGIN_MEM_RW, insn);
		else if (insn->kind == RET)
			qemu_plugin_register_vcpu_mem_cb(from, after_return, QEMU_PLUGIN_CB_NO_REGS,
							 QEMU_PLUGIN_MEM_RW, insn);
	}
}

/* --- the end --------------------------------------------------------------------------------- */

static void
write_node(FILE *f, const struct node *n)
{
	for (const struct node *c = n->child; c != NULL; c = c->sibling) {
		fprintf(f, "node %u %u %lu %lu %s\n", c->id, n->id, (unsigned long)c->calls,
			(unsigned long)c->self, c->func->name);
		write_node(f, c);
	}
}

static void
write_counts(uint64_t id, void *data)
{
	FILE *f = open_file("counts", "w");

	(void)id, (void)data;
	write_node(f, &root);
	for (const struct insn *i = insns; i != NULL; i = i->next)
		if (i->count != 0)
			fprintf(f, "insn %lx %lu %s\n", (unsigned long)i->pc,
				(unsigned long)i->count, i->func->name);
	fprintf(f, "end\n");
	fclose(f);
}

QEMU_PLUGIN_EXPORT int
qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	if (argc != 1 || sscanf(argv[0], "files=%4095s", directory) != 1) {
		fprintf(stderr, "counter: one argument, files=DIR\n");
		return (-1);
	}
	FILE *f = open_file("symbols", "r");
	read_symbols(f);
	fclose(f);
	root.is_in = !window.is_filtered;
	root.func = &unknown;
	cpus = allocate((size_t)info->system.max_vcpus * sizeof(*cpus));
	for (int i = 0; i < info->system.max_vcpus; i++) {
		cpus[i].thread = allocate(sizeof(*cpus[i].thread));
		cpus[i].node = &root;
		cpus[i].thread->next = threads;
		threads = cpus[i].thread;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, write_counts, NULL);
	return (0);
}
