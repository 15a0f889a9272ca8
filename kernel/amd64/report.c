/*
 * The machine's part of a panic's report: registers, the way through the page tables to the
 * faulting address, and the backtrace. Nothing here trusts a pointer that it has not looked up
 * first.
 */
#include "amd64/amd64.h"
#include "kern/ksyms.h"
#include "kern/machdep.h"
#include "kern/panic.h"

#define BACKTRACE_MAX 32

typedef void out_fn(const char *fmt, ...);

static uint64_t *
active_tables(void)
{
	return (phys_to_dmap(READ_CR(3) & PG_FRAME));
}

static void
report_registers(const struct trapframe *tf, out_fn *out)
{
	out("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", tf->tf_rax, tf->tf_rbx, tf->tf_rcx,
	    tf->tf_rdx);
	out("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", tf->tf_rsi, tf->tf_rdi, tf->tf_rbp,
	    tf->tf_rsp);
	out("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", tf->tf_r8, tf->tf_r9, tf->tf_r10,
	    tf->tf_r11);
	out("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", tf->tf_r12, tf->tf_r13, tf->tf_r14,
	    tf->tf_r15);
	out("rip %016lx cs %lx ss %lx rflags %lx trap %lu error %lx", tf->tf_rip, tf->tf_cs,
	    tf->tf_ss, tf->tf_rflags, tf->tf_trapno, tf->tf_err);
	if (tf->tf_trapno == 14)
		out(" (%s%s%s%s)", (tf->tf_err & 4) != 0 ? "user " : "kernel ",
		    (tf->tf_err & 16) != 0  ? "execute"
		    : (tf->tf_err & 2) != 0 ? "write"
					    : "read",
		    (tf->tf_err & 1) != 0 ? ", not allowed" : ", not present",
		    (tf->tf_err & 8) != 0 ? ", reserved bit" : "");
	out("\n");
}

static void
report_walk(uint64_t va, out_fn *out)
{
	static const char *const names[] = {"pte  ", "pde  ", "pdpte", "pml4e"};
	uint64_t path[4] = {0}, e;
	int level;

	out("page tables for %#lx:\n", va);
	pmap_walk(active_tables(), va, &level, path);
	for (int i = 3; i >= level; i--) {
		e = path[i];
		out("  %s %016lx %s%s%s%s%s%s%s%s\n", names[i], e,
		    (e & PG_V) != 0 ? "present" : "not present", (e & PG_RW) != 0 ? " write" : "",
		    (e & PG_U) != 0 ? " user" : "", (e & PG_NX) != 0 ? " nx" : "",
		    (e & PG_A) != 0 ? " accessed" : "", (e & PG_D) != 0 ? " dirty" : "",
		    i > 0 && (e & PG_PS) != 0 ? " large" : "", (e & PG_W) != 0 ? " wired" : "");
	}
}

static void
report_address(uint64_t addr, out_fn *out)
{
	uint64_t offset;
	const char *name = ksym_lookup(addr, &offset);

	if (name != NULL)
		out("  %016lx %s+%#lx\n", addr, name, offset);
	else
		out("  %016lx\n", addr);
}

/* Both words of a stack frame can be read. */
static bool
readable(uint64_t fp)
{
	int level;

	return (fp % 8 == 0 && fp >= DMAP_BASE && fp < UINT64_MAX - 16 &&
		pmap_walk(active_tables(), fp, &level, NULL) != NULL &&
		pmap_walk(active_tables(), fp + 8, &level, NULL) != NULL);
}

static void
report_frames(uint64_t fp, out_fn *out)
{
	uint64_t next;

	for (int i = 0; i < BACKTRACE_MAX && readable(fp); i++) {
		next = ((uint64_t *)fp)[0];
		report_address(((uint64_t *)fp)[1], out);
		/* Stacks grow down: a frame that does not lie above is no caller's. */
		if (next <= fp)
			break;
		fp = next;
	}
}

static void
report_backtrace(const struct trapframe *tf, out_fn *out)
{
	out("backtrace:\n");
	if (tf != NULL)
		report_address(tf->tf_rip, out);
	report_frames(tf != NULL ? tf->tf_rbp : (uint64_t)__builtin_frame_address(0), out);
}

void
cpu_report(const struct trapframe *tf, void (*out)(const char *fmt, ...))
{
	if (tf == NULL)
		tf = panic_frame;
	if (tf != NULL)
		report_registers(tf, out);
	out("cr0 %lx cr2 %lx cr3 %lx cr4 %lx\n", READ_CR(0), READ_CR(2), READ_CR(3), READ_CR(4));
	if (tf != NULL && (tf->tf_trapno == 14 || tf->tf_trapno == 8))
		report_walk(READ_CR(2), out);
	report_backtrace(tf, out);
}
