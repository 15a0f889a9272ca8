/*
 * Threads' machine part: the first stack frame, the switch, the segment bases and the FPU state of
 * user threads, and the way into user mode. The kernel itself never touches the FPU.
 */
#include "amd64/amd64.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"

#define XCR0_WANTED 7u /* x87, SSE, AVX */

size_t fpu_size = FXSAVE_SIZE; /* (c) */
uint64_t fpu_features = 3; /* (c) */
static uint8_t fpu_initial[XSAVE_MAX + FPU_MAGIC] __aligned_to(64); /* (c) */

static void
fpu_save(void *area)
{
	if (cpu_features.xsave)
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static void
fpu_restore(const void *area)
{
	if (cpu_features.xsave)
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

void
fpu_init(void)
{
	uint32_t mxcsr = 0x1f80, xcr0;
	bool first = cpu_id() == 0;

	if (cpu_features.xsave) {
		xcr0 = XCR0_WANTED & cpuid(0xd, 0).eax;
		__asm__ volatile("xsetbv" : : "c"(0), "a"(xcr0), "d"(0));
		if (first) {
			cpu_features.avx = xcr0 >> 2 & 1;
			fpu_size = MIN(cpuid(0xd, 0).ebx, XSAVE_MAX); /* for what XCR0 has on */
			fpu_features = xcr0;
		}
	}
	__asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
	if (!first)
		return;
	fpu_save(fpu_initial);
	sigframe_init(fpu_initial);
}

void
fpu_save_user(void)
{
	fpu_save(curthread->td_md.md_fpu);
}

void
fpu_load_user(const void *area)
{
	fpu_restore(area);
}

void
fpu_reset_user(void)
{
	fpu_restore(fpu_initial);
}

int
cpu_thread_setup(struct thread *td, void (*fn)(void *), void *arg)
{
	uint64_t top = (uint64_t)td->td_kstack + KSTACK_SIZE;
	uint64_t *sp;

	if (td->td_proc != NULL) {
		td->td_md.md_fpu_memory = kmalloc(fpu_size + FPU_MAGIC + 63, 0);
		if (td->td_md.md_fpu_memory == NULL)
			return (ENOMEM);
		td->td_md.md_fpu = (void *)roundup2((uint64_t)td->td_md.md_fpu_memory, 64ul);
		memcpy(td->td_md.md_fpu, fpu_initial, fpu_size + FPU_MAGIC);
	}
	td->td_frame = (struct trapframe *)(top - sizeof(struct trapframe));
	memset(td->td_frame, 0, sizeof(struct trapframe));
	/* What switch_stack pops: R15 R14 R13 R12 RBX RBP, and where it returns to. */
	sp = (uint64_t *)td->td_frame - 8;
	memset(sp, 0, 8 * sizeof(*sp));
	sp[3] = (uint64_t)arg;
	sp[4] = (uint64_t)fn;
	sp[6] = (uint64_t)thread_trampoline;
	td->td_md.md_rsp = (uint64_t)sp;
	return (0);
}

void
cpu_thread_free(struct thread *td)
{
	kfree(td->td_md.md_fpu_memory);
	td->td_md.md_fpu_memory = td->td_md.md_fpu = NULL;
}

/* With FSGSBASE programs set their bases without asking, so the CPU knows best. */
static void
save_user(struct thread_md *md)
{
	fpu_save(md->md_fpu);
	if (cpu_features.fsgsbase)
		__asm__ volatile("rdfsbase %0" : "=r"(md->md_fsbase));
	md->md_gsbase = rdmsr(MSR_KERNEL_GSBASE);
}

static void
restore_user(const struct thread_md *md)
{
	fpu_restore(md->md_fpu);
	wrmsr(MSR_FSBASE, md->md_fsbase);
	wrmsr(MSR_KERNEL_GSBASE, md->md_gsbase);
}

/* A kernel thread runs in whichever address space is there: all share the kernel's half. */
void
cpu_switch(struct thread *from, struct thread *to)
{
	if (from->td_proc != NULL)
		save_user(&from->td_md);
	thread_set_current(to);
	if (to->td_proc != NULL) {
		cpu_set_kstack((uint64_t)to->td_kstack + KSTACK_SIZE);
		tlb_switch(&to->td_proc->p_vm->vm_pmap);
		restore_user(&to->td_md);
	} else {
		tlb_switch(NULL);
	}
	switch_stack(&from->td_md.md_rsp, to->td_md.md_rsp);
}

int
cpu_thread_fork(struct thread *td, uint64_t sp, const uint64_t *tls)
{
	struct thread_md *md = &td->td_md;

	if (tls != NULL && *tls >= VM_MAXUSER_ADDRESS)
		return (EPERM);
	*td->td_frame = *curthread->td_frame;
	td->td_frame->tf_rax = 0;
	if (sp != 0)
		td->td_frame->tf_rsp = sp;
	md->md_fsbase = curthread->td_md.md_fsbase;
	save_user(md);
	md->md_fsbase = tls != NULL ? *tls : md->md_fsbase;
	return (0);
}

/* IRET and SYSRET must never be given an address that is not canonical. The page at
 * VM_MAXUSER_ADDRESS is canonical and never mapped: a jump there is the program's fault, not
 * ours. */
void
cpu_set_user_entry(struct thread *td, uint64_t entry, uint64_t sp)
{
	*td->td_frame = (struct trapframe){
	    .tf_rip = MIN(entry, VM_MAXUSER_ADDRESS),
	    .tf_cs = SEL_UCODE,
	    .tf_rflags = RFLAGS_IF | 2,
	    .tf_rsp = sp,
	    .tf_ss = SEL_UDATA,
	};
	td->td_md.md_fsbase = td->td_md.md_gsbase = 0;
	memcpy(td->td_md.md_fpu, fpu_initial, fpu_size);
	if (td == curthread)
		restore_user(&td->td_md);
}

int
cpu_set_fsbase(uint64_t base)
{
	if (base >= VM_MAXUSER_ADDRESS)
		return (EPERM);
	curthread->td_md.md_fsbase = base;
	wrmsr(MSR_FSBASE, base);
	return (0);
}

uint64_t
cpu_get_fsbase(void)
{
	return (rdmsr(MSR_FSBASE));
}

/* In the kernel GS is its own, and the program's waits for the SWAPGS. */
int
cpu_set_gsbase(uint64_t base)
{
	if (base >= VM_MAXUSER_ADDRESS)
		return (EPERM);
	wrmsr(MSR_KERNEL_GSBASE, base);
	return (0);
}

uint64_t
cpu_get_gsbase(void)
{
	return (rdmsr(MSR_KERNEL_GSBASE));
}

void
cpu_enter_user(void)
{
	user_return();
	user_return_to(curthread->td_frame);
}
