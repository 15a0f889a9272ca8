/*
 * What a signal's handler finds on its stack and goes back through: Linux's struct rt_sigframe, with
 * the FPU's state above it. Nothing that comes back from there is trusted.
 */
#include "amd64/amd64.h"
#include "kern/errno.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"

enum { UC_FP_XSTATE = 1, UC_SIGCONTEXT_SS = 2, UC_STRICT_RESTORE_SS = 4 };
#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u
#define RED_ZONE         128 /* bytes below the stack pointer that are the program's */

struct sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate; /* user address; 0: the initial state */
	uint64_t reserved[8];
};
struct rt_sigframe {
	uint64_t pretcode; /* where the handler returns to: sa_restorer */
	struct {
		uint64_t flags, link;
		struct ksigstack stack;
		struct sigcontext mcontext;
		uint64_t sigmask;
	} uc;
	struct siginfo info;
};
_Static_assert(sizeof(struct rt_sigframe) == 440, "rt_sigframe");

/* An XSAVE area as far as its layout is fixed. */
struct fpstate {
	uint8_t x87[24];
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[432];
	struct { /* the bytes that the CPU leaves to software say what is there */
		uint32_t magic1, extended_size;
		uint64_t features;
		uint32_t size, padding[7];
	} sw;
	uint64_t xstate_bv, xcomp_bv, reserved[6];
};
_Static_assert(offsetof(struct fpstate, xstate_bv) == FXSAVE_SIZE, "the XSAVE header");
_Static_assert(SIGFRAME_MAX >= sizeof(struct rt_sigframe) + 16 + 64 + XSAVE_MAX + 4, "machdep.h");

static uint32_t mxcsr_mask = 0xffbf; /* (c) */

void
sigframe_init(void *fpu_initial)
{
	struct fpstate *fs = fpu_initial;
	const uint32_t magic2 = FP_XSTATE_MAGIC2;

	if (fs->mxcsr_mask != 0)
		mxcsr_mask = fs->mxcsr_mask;
	if (!cpu_features.xsave)
		return;
	fs->sw.magic1 = FP_XSTATE_MAGIC1;
	fs->sw.extended_size = fpu_size + FPU_MAGIC;
	fs->sw.features = fpu_features;
	fs->sw.size = fpu_size;
	memcpy((uint8_t *)fpu_initial + fpu_size, &magic2, sizeof(magic2));
}

/* --- into the handler ------------------------------------------------------------------------- */

/* Where the FPU's state goes, and below it the frame; false: past the end of the signal stack. */
static bool
place(const struct sigaction *sa, uint64_t *fpu, uint64_t *frame)
{
	const struct ksigstack *ss = &curthread->td_sigstack;
	uint64_t sp = curthread->td_frame->tf_rsp;
	uint32_t state = sigaltstack_state(sp);
	bool entering = state == 0 && (sa->sa_flags & SA_ONSTACK) != 0;

	sp -= RED_ZONE;
	if (entering)
		sp = ss->ss_sp + ss->ss_size;
	*fpu = rounddown2(sp - fpu_size - (cpu_features.xsave ? FPU_MAGIC : 0), 64ul);
	*frame = rounddown2(*fpu - sizeof(struct rt_sigframe), 16ul) - 8;
	return ((!entering && state != SS_ONSTACK) ||
		(*frame > ss->ss_sp && *frame - ss->ss_sp <= ss->ss_size));
}

static int
put_fpu(uint64_t fpu)
{
	struct fpstate *fs = curthread->td_md.md_fpu;

	fpu_save_user();
	if (!cpu_features.xsave)
		return (copyout(fs, (void *)fpu, FXSAVE_SIZE));
	fs->xstate_bv |= 3; /* who changes x87 or SSE registers there need not know of it */
	return (copyout(fs, (void *)fpu, fpu_size + FPU_MAGIC));
}

static void
get_context(struct sigcontext *sc, const struct trapframe *tf, uint64_t mask, uint64_t fpu)
{
	const struct thread_md *md = &curthread->td_md;

	*sc = (struct sigcontext){
	    tf->tf_r8,         tf->tf_r9,
	    tf->tf_r10,        tf->tf_r11,
	    tf->tf_r12,        tf->tf_r13,
	    tf->tf_r14,        tf->tf_r15,
	    tf->tf_rdi,        tf->tf_rsi,
	    tf->tf_rbp,        tf->tf_rbx,
	    tf->tf_rdx,        tf->tf_rax,
	    tf->tf_rcx,        tf->tf_rsp,
	    tf->tf_rip,        tf->tf_rflags,
	    .cs = tf->tf_cs,   .ss = tf->tf_ss,
	    .err = md->md_err, .trapno = md->md_trapno,
	    .oldmask = mask,   .cr2 = md->md_cr2,
	    .fpstate = fpu,
	};
}

int
cpu_sendsig(const struct sigaction *sa, const struct siginfo *info, uint64_t mask)
{
	bool want_info = (sa->sa_flags & SA_SIGINFO) != 0;
	struct trapframe *tf = curthread->td_frame;
	struct rt_sigframe f;
	uint64_t fpu, at;

	if ((sa->sa_flags & SA_RESTORER) == 0 || !place(sa, &fpu, &at) || put_fpu(fpu) != 0)
		return (EFAULT);
	f.pretcode = sa->sa_restorer;
	f.uc.flags =
	    UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (cpu_features.xsave ? UC_FP_XSTATE : 0);
	f.uc.link = 0;
	f.uc.stack = curthread->td_sigstack;
	f.uc.stack.ss_pad = 0;
	get_context(&f.uc.mcontext, tf, mask, fpu);
	f.uc.sigmask = mask;
	f.info = *info;
	if (copyout(&f, (void *)at, want_info ? sizeof(f) : offsetof(struct rt_sigframe, info)) !=
	    0)
		return (EFAULT);
	tf->tf_rdi = info->si_signo;
	tf->tf_rsi = at + offsetof(struct rt_sigframe, info);
	tf->tf_rdx = at + offsetof(struct rt_sigframe, uc);
	tf->tf_rax = 0;
	tf->tf_rsp = at;
	tf->tf_trapno = 0; /* no longer as SYSCALL left it */
	tf->tf_rip = MIN(sa->sa_handler, VM_MAXUSER_ADDRESS);
	tf->tf_cs = SEL_UCODE;
	tf->tf_ss = SEL_UDATA;
	tf->tf_rflags &= ~(uint64_t)(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
	fpu_reset_user();
	return (0);
}

/* --- and back --------------------------------------------------------------------------------- */

/* Fetch the rest of what the software bytes claim is there, if it is; else the 512 bytes of FXSAVE are
 * all. */
static bool
get_extended(struct fpstate *fs, uint64_t fpu)
{
	uint8_t *rest = (uint8_t *)fs + FXSAVE_SIZE;
	uint32_t size = fs->sw.size, magic2;

	if (!cpu_features.xsave || fs->sw.magic1 != FP_XSTATE_MAGIC1 || size < sizeof(*fs) ||
	    size > fpu_size || fs->sw.extended_size <= size ||
	    copyin((void *)(fpu + FXSAVE_SIZE), rest, size - FXSAVE_SIZE + FPU_MAGIC) != 0)
		return (false);
	memcpy(&magic2, (uint8_t *)fs + size, sizeof(magic2));
	return (magic2 == FP_XSTATE_MAGIC2);
}

/* All that makes XRSTOR and FXRSTOR fault. */
static bool
is_sane(const struct fpstate *fs)
{
	uint64_t reserved = 0;

	for (size_t i = 0; i < nitems(fs->reserved); i++)
		reserved |= fs->reserved[i];
	return ((fs->mxcsr & ~mxcsr_mask) == 0 && (fs->xstate_bv & ~fpu_features) == 0 &&
		fs->xcomp_bv == 0 && reserved == 0);
}

static int
restore_fpu(uint64_t fpu)
{
	uint8_t area[XSAVE_MAX + FPU_MAGIC] __aligned_to(64);
	struct fpstate *fs = (struct fpstate *)area;
	int error;

	if (fpu == 0) {
		fpu_reset_user();
		return (0);
	}
	error = copyin((void *)fpu, area, FXSAVE_SIZE);
	if (error != 0)
		return (error);
	if (!get_extended(fs, fpu)) {
		memset(area + FXSAVE_SIZE, 0, sizeof(*fs) - FXSAVE_SIZE);
		fs->xstate_bv = fs->sw.features = 3;
	}
	if (!is_sane(fs))
		return (EINVAL);
	fs->xstate_bv &= fs->sw.features; /* what is not restored is as it is initially */
	fpu_load_user(area);
	return (0);
}

static bool
is_canonical(uint64_t va)
{
	return ((uint64_t)((int64_t)(va << 16) >> 16) == va);
}

static void
set_context(struct trapframe *tf, const struct sigcontext *sc)
{
	*tf = (struct trapframe){
	    sc->r15,
	    sc->r14,
	    sc->r13,
	    sc->r12,
	    sc->rbp,
	    sc->rbx,
	    sc->r11,
	    sc->r10,
	    sc->r9,
	    sc->r8,
	    sc->rax,
	    sc->rcx,
	    sc->rdx,
	    sc->rsi,
	    sc->rdi,
	    .tf_rip = sc->rip,
	    .tf_cs = SEL_UCODE,
	    .tf_rflags = (tf->tf_rflags & ~(uint64_t)RFLAGS_USER) | (sc->rflags & RFLAGS_USER),
	    .tf_rsp = sc->rsp,
	    .tf_ss = SEL_UDATA,
	};
}

int
cpu_sigreturn(uint64_t *mask)
{
	struct trapframe *tf = curthread->td_frame;
	const struct sigcontext *sc;
	struct rt_sigframe f;
	int error;

	error = copyin((void *)(tf->tf_rsp - sizeof(f.pretcode)), &f,
		       offsetof(struct rt_sigframe, info));
	if (error != 0)
		return (error);
	sc = &f.uc.mcontext;
	if ((sc->cs | 3) != SEL_UCODE ||
	    ((f.uc.flags & UC_STRICT_RESTORE_SS) != 0 && (sc->ss | 3) != SEL_UDATA))
		return (EINVAL);
	error = restore_fpu(sc->fpstate);
	if (error != 0)
		return (error);
	set_context(tf, sc);
	*mask = f.uc.sigmask;
	sigaltstack_set(&f.uc.stack, sc->rsp); /* if it is none, there is none to tell */
	/* IRET would fault, here and not there: the program's SIGSEGV shows where it wanted to go. */
	return (is_canonical(sc->rip) ? 0 : EINVAL);
}

/* --- the system call that a signal cuts short ------------------------------------------------- */

int
cpu_syscall_error(const struct thread *td)
{
	const struct trapframe *tf = td->td_frame;

	return (tf->tf_trapno == VEC_SYSCALL && (int64_t)tf->tf_rax < 0 &&
			(int64_t)tf->tf_rax >= -4095
		    ? (int)-tf->tf_rax
		    : 0);
}

void
cpu_syscall_return(struct thread *td, int error)
{
	td->td_frame->tf_rax = (uint64_t)-error;
}

/* The instruction has two bytes, and the number is what was in RAX. */
void
cpu_syscall_restart(struct thread *td)
{
	struct trapframe *tf = td->td_frame;

	tf->tf_rax = tf->tf_err;
	tf->tf_trapno = 0; /* no longer as SYSCALL left it */
	tf->tf_rip -= 2;
}
