/*
 * Signals: their numbers, what is told with one, and how they are sent, kept and acted on.
 *
 * Whatever is sent waits in a queue, of a thread or of its process, until a thread that does not
 * block it is on its way to user mode (td_ast): signal.c. There its action is done: sigact.c. A
 * stop is done by all of the process's threads, which park on that way: sigstop.c.
 */
#pragma once

#include "kern/sigqueue.h"

struct proc;
struct thread;
struct ptimer;

#define NSIG        64
#define SIGRTMIN    32 /* from here on each one sent is kept; of the others, one */
#define SIGBIT(sig) (1ul << ((sig)-1))
/* clang-format off */
enum {
	SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1,
	SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP,
	SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR,
	SIGSYS,
};
#define SIG_NEVER    (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)) /* cannot be blocked, caught or ignored */
#define SIG_HARMLESS (SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH))
#define SIG_STOPS    (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))

/* Structures and numbers that programs give and get are Linux's. */
enum { SIG_DFL, SIG_IGN };
struct sigaction {
	uint64_t sa_handler, sa_flags, sa_restorer, sa_mask;
};
enum {
	SA_NOCLDSTOP = 1, SA_NOCLDWAIT = 2, SA_SIGINFO = 4, SA_EXPOSE_TAGBITS = 0x800,
	SA_RESTORER = 0x4000000, SA_ONSTACK = 0x8000000, SA_RESTART = 0x10000000,
	SA_NODEFER = 0x40000000,
};
/* clang-format on */
#define SA_RESETHAND 0x80000000u

enum { SS_ONSTACK = 1, SS_DISABLE = 2 };
#define SS_AUTODISARM 0x80000000u
#define MINSIGSTKSZ   2048 /* ENOMEM below it */

enum { SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRALN = 1, BUS_ADRERR = 2 };
enum { CLD_EXITED = 1, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED, CLD_CONTINUED };
enum { SI_USER, SI_KERNEL = 0x80, SI_QUEUE = -1, SI_TIMER = -2, SI_TKILL = -6 };
struct siginfo {
	int si_signo, si_errno, si_code, si_pad;
	union {
		struct {
			int si_pid;
			uint32_t si_uid;
			union {
				uint64_t si_value; /* SI_QUEUE */
				struct {
					int si_status; /* CLD_* */
					int64_t si_utime, si_stime; /* in 1/100 s */
				};
			};
		};
		struct {
			int si_timerid, si_overrun; /* SI_TIMER */
			uint64_t si_timer_value;
		};
		uint64_t si_addr; /* of a fault */
		uint64_t si_words[14];
	};
};
_Static_assert(sizeof(struct siginfo) == 128, "siginfo_t");

/* One that waits, but for those of which nothing is known but the number. */
struct ksiginfo {
	TAILQ_ENTRY(ksiginfo) ksi_link; /* proc lock */
	struct siginfo ksi_info; /* proc lock */
	struct ptimer *ksi_timer; /* (c) whose it is, for ever; NULL: kmalloc'ed */
	struct sigqueue *ksi_queue; /* proc lock: where it waits, NULL: nowhere */
};

/* --- signal.c: who gets it -------------------------------------------------------------------- */

/* What kill(2) tells: that curproc sends sig. */
struct siginfo signal_by_user(int sig);
/*
 * Send a signal to p, or to its thread td alone. signal_send: of a number, by the kernel. p_lock is
 * not held, or (signal_post) write-locked; curthread may be no process's. EAGAIN: too many wait; only
 * for one of SIGRTMIN on that is not SI_USER's or the kernel's.
 */
void signal_send(struct proc *p, struct thread *td, int sig);
int signal_send_info(struct proc *p, struct thread *td, const struct siginfo *info);
int signal_post(struct proc *p, struct thread *td, const struct siginfo *info);
/* The same for a timer's, which is not queued already. p_lock is write-locked. */
void signal_post_timer(struct proc *p, struct thread *td, struct ksiginfo *ksi);
/* One that waits does no longer. p_lock is write-locked. */
void signal_forget_timer(struct ksiginfo *ksi);
/* Take the first signal of set that waits for curthread, or for its process; 0: none. p_lock is
 * write-locked. */
int signal_take(uint64_t set, struct siginfo *info);
/* What waits for curthread or its process, blocked or not. */
uint64_t signal_pending(void);
/* Those of mask that wait are forgotten, by p and all its threads. p_lock is write-locked. */
void signal_flush(struct proc *p, uint64_t mask);
void sigqueue_init(struct sigqueue *sq);
void sigqueue_flush(struct sigqueue *sq, uint64_t mask);
/* Td, a thread of p's, ends: what it was told of is for others to see to. p_lock is write-locked. */
void signal_thread_exit(struct proc *p, struct thread *td);

/* Change curthread's mask; what that lets through is acted on. */
void signal_setmask(uint64_t mask);
/*
 * The same for the time of one system call (sigsuspend, ppoll): the mask becomes what it was on the
 * way to user mode, after handlers have run; signal_restoremask does so at once, unless error says
 * that a signal ends the call.
 */
void signal_tempmask(uint64_t mask);
void signal_restoremask(int error);

/* --- sigact.c: what is done ------------------------------------------------------------------- */

/* Act on the signals that wait for curthread and are not blocked. */
void signal_ast(void);
/* On the way to user mode, all signals being acted on: a system call that one cut short begins
 * again, and a mask of sigsuspend's goes. */
void signal_ast_done(void);
/* What stays of p's actions when it execs: handlers do not. */
void signal_exec(struct proc *p);
/*
 * A fault of curthread's in user mode that nobody mended: signal number, si_code, the address, and
 * words for the log line ("write, no mapping"). Its handler runs, even if there are others that
 * wait; if there is none or it is blocked, the process dies.
 */
void trapsignal(int sig, int code, uint64_t addr, const char *why);
/* Curthread's signal stack, if it is at sp: SS_ONSTACK, SS_DISABLE or 0. */
uint32_t sigaltstack_state(uint64_t sp);
/* As sigaltstack(2), with curthread's stack pointer at sp. EPERM, EINVAL, ENOMEM. */
int sigaltstack_set(const struct ksigstack *ss, uint64_t sp);

/* --- sigstop.c: stops ------------------------------------------------------------------------- */

/* P stops by sig: all threads park. p_lock is write-locked. */
void signal_stop(struct proc *p, int sig);
/* Curproc is stopped: wait until it is not, or is killed. */
void signal_park(void);
/* P goes on, if it is stopped. p_lock is write-locked. */
void signal_continue(struct proc *p);
