/*
 * Processes: an address space, a descriptor table, an identity, a family, and how it ended. proc.c
 * has the table and the first process, fork.c beginnings, exit.c ends, signal.c signals; exec.h is
 * about programs.
 */
#pragma once

#include "kern/resource.h"
#include "kern/select.h"
#include "kern/signal.h"
#include "kern/thread.h"
#include "vm/vm_map.h"

struct filedesc;
struct ucred;
struct vnode;

#define TASK_MAX \
	4096 /* processes, dead ones included, and again threads: fork answers EAGAIN past it */

#define PID_MAX INT32_MAX /* numbers are never used again */

/* An address space and what is known of it: of one process, or of a parent and its child by vfork.
 * Locks: (c) constant  (v) vm_lock  (x) constant once exec has made it  (a) atomic */
struct vmspace {
	struct vm_map vm_map; /* own lock */
	struct pmap vm_pmap; /* own lock */
	struct rwlock vm_lock; /* rank LR_FILE */
	uint32_t vm_refs; /* (a) */
	vm_offset_t vm_brk_start; /* (x) */
	vm_offset_t vm_brk; /* (v) */
	vm_offset_t vm_stack_top; /* (x) */
	vm_offset_t vm_arg_start, vm_arg_end; /* (x) argv's strings */
	vm_offset_t vm_env_start, vm_env_end; /* (x) envp's */
	vm_offset_t vm_auxv_start, vm_auxv_end; /* (x) the auxiliary vector */
	uint32_t vm_membarrier; /* (a) which barriers its threads have registered for */
	bool vm_dumpable; /* (a) told; there are no core dumps */
};
/* An empty one, or (vmspace_fork) a copy-on-write copy; one reference. NULL: ENOMEM. */
struct vmspace *vmspace_alloc(void);
struct vmspace *vmspace_fork(struct vmspace *from);
void vmspace_ref(struct vmspace *vm);
/* Copy from vm, whoever's it is, to buf, or (write) from buf to vm, as far as RAM can be accessed
 * from addr on; how many bytes. May sleep. */
size_t vmspace_io(struct vmspace *vm, vm_offset_t addr, char *buf, size_t len, bool write);
/* The last reference unmaps all. No lock held. */
void vmspace_free(struct vmspace *vm);

/* What a process used, as wait4 and getrusage tell; times in ns. */
struct usage {
	uint64_t u_utime, u_stime, u_minflt, u_majflt, u_maxrss; /* the last in pages */
};

struct io_count {
	uint64_t calls, bytes;
};

/* Capabilities, a bit for each, as capabilities(7) has them; capable() asks for one. */
struct caps {
	uint64_t effective, permitted, inheritable, bounding, ambient;
};
#define CAP_ALL ((1ul << 41) - 1)

#define ADDR_NO_RANDOMIZE 0x0040000 /* in p_persona: no random addresses, whatever aslr says */

TAILQ_HEAD(proclist, proc);

/* Locks: (c) constant  (p) p_lock  (t) proctree_lock  (a) atomic  (k) only its own threads */
struct proc {
	TAILQ_ENTRY(proc) p_list; /* (t) */
	TAILQ_ENTRY(proc) p_sibling; /* (t) its parent's p_zombies if it is dead, else p_children */
	struct proclist p_children; /* (t) the oldest first; also what wait sleeps on */
	struct proclist p_zombies; /* (t) the oldest first */
	struct proc *p_parent; /* (t) NULL: the first process */
	struct pgrp *p_pgrp; /* (t) NULL once nobody can find it */
	TAILQ_ENTRY(proc) p_pglist; /* (t) */
	uint32_t p_refs; /* (a) the table's and those of who looks at it */
	struct rwlock p_lock; /* rank LR_FILE */
	int p_pid; /* (c) */
	int p_ppid; /* (a) its parent's number; 0: none */
	int p_exit_signal; /* (t) what its end sends to the parent; 0: nothing */
	bool p_zombie; /* (t) ended, waits for its parent's wait */
	bool p_execed; /* (t) has run execve: its group is no longer its parent's business */
	bool p_vfork; /* (t) its parent waits until it execs or ends */
	char p_comm[16]; /* (p) as Linux's /proc/PID/comm */
	struct vmspace *p_vm; /* (p) NULL once dead; constant for its own threads, but in exec */
	TAILQ_HEAD(threadlist, thread) p_threads; /* (p) */
	struct thread *p_single; /* (p) the thread that execs: all others end */
	struct filedesc *p_fd; /* own lock; (p) NULL once dead, else (c) */
	struct pwddesc
	    *p_pd; /* own lock; (p) NULL once dead; constant for its threads, but in unshare */
	struct vnode *p_exe; /* (p) held by vn_text_hold */
	struct ucred *p_cred; /* (p) to look at it without: curcred() */
	uint32_t p_persona; /* (a) as personality(2) */
	int p_death_signal; /* (a) what it is sent when its parent ends; 0: nothing */
	bool p_subreaper; /* (a) its descendants' orphans become its children */
	bool p_no_new_privs, p_keepcaps; /* (a) */
	struct caps p_caps; /* (p) */
	struct rlimit p_rlimit[RLIM_NLIMITS]; /* (p); read alone, without */
	int p_oom_score_adj; /* (a) -1000 .. 1000: how readily vm_oom kills it */
	struct sigqueue p_sigqueue; /* (p) signals sent to the process that no thread has taken */
	bool p_signalfds; /* (p) it has read or polled a signalfd: */
	struct selinfo p_sigsel; /* own lock: who waits for a signal there; sleepers, too */
	int p_stopsig; /* (p) the signal that stopped it; 0: it runs. Sleepers are parked threads */
	bool p_stop_taken; /* (p) a thread is about to do a stop, and no SIGCONT has come since */
	bool p_stop_told; /* (p) that it is stopped: all threads have parked */
	bool p_continued; /* (p) it goes on, and who is first of the parked is to tell */
	uint32_t p_nparked; /* (p) threads in signal_park */
	uint32_t p_numthreads; /* (p) */
	int p_jobstatus; /* (t) wait status of a stop or continuation not waited for yet; 0: none */
	LIST_HEAD(, ptimer) p_ptimers; /* (p) */
	int p_next_timer; /* (p) number of the next one */
	bool p_cputimers; /* (a) some of them count CPU time */
	uint64_t p_majflt, p_minflt; /* (p) of threads that have ended (proc_usage) */
	uint64_t p_start; /* (c) ns since boot */
	uint64_t p_utime, p_stime; /* (a) ns in user mode and in the kernel */
	struct usage p_cusage; /* (t) of the children that were waited for */
	uint64_t p_maxrss; /* (a) pages, of address spaces that are gone */
	struct io_count p_read, p_written; /* (a) by its calls, from and to whatever file */
	volatile int p_killed; /* (a) signal that ends it, 0: none */
	int p_status; /* (p) once dead: wait status, (exit << 8) or signal; -1 before */
	/* The last, as proc_alloc does not zero it for those who copy their parent's. */
	struct sigaction p_sigaction[NSIG]; /* (p) of signal i + 1 */
};
#define curproc (curthread->td_proc)

/* Asked by one of p's own. */
static inline bool
proc_has_threads(struct proc *p)
{
	return (TAILQ_FIRST(&p->p_threads) != TAILQ_LAST(&p->p_threads, threadlist));
}

/* --- proc.c ----------------------------------------------------------------------------------- */

/* The table and the family tree. Held for short, never while memory is waited for: vm_oom takes it.
 * Before any p_lock. */
extern struct rwlock proctree_lock;
extern struct proclist allproc; /* (t) by number: the oldest first */
/* A number for a new process or thread, not used before: no group or session has it either. */
int pid_alloc(void);
/* The last number given. */
int pid_last(void);
/* A process with number, lock and no thread; not in the table, and without p_sigaction. NULL:
 * ENOMEM. */
struct proc *proc_alloc(void);
/* Put it in the table, as a child of parent, which is curproc, or the first process: NULL. False:
 * curthread has a signal to see to first, so that what is sent to a group misses nobody. */
bool proc_insert(struct proc *p, struct proc *parent);
/* Take p, a zombie, out of the table and the family. proctree_lock is write-locked. */
void proc_remove(struct proc *p);
/* The process of that number, referenced, or NULL; proc_next: the one with the least number >=
 * pid. */
struct proc *proc_find(int pid);
struct proc *proc_next(int pid);
void proc_rele(struct proc *p);
/* The thread tid of p, whose lock is held, or NULL. */
struct thread *proc_thread(struct proc *p, int tid);
/* The thread of that number (0: curthread) and its process, which is referenced and write-locked
 * until proc_thread_rele; NULL: there is none. */
struct proc *proc_find_thread(int tid, struct thread **tdp);
void proc_thread_rele(struct proc *p);
/* Processes in the table. */
uint64_t proc_count(void);
/* Those of the real user uid, a process counted as often as it has threads, and dead ones too. */
uint64_t proc_count_of(uint32_t uid);
/* p's address space, referenced, or NULL when it is dead. */
struct vmspace *proc_vmspace(struct proc *p);
void proc_usage(struct proc *p, struct usage *u);
/* Who p is and what it has used, for what its parent is told. */
void proc_siginfo(struct proc *p, struct siginfo *info);
/* How many pages p has mapped; 0: it is dead. */
uint64_t proc_resident(struct proc *p);
/* Make the first process, pid 1, run path with argv (argc strings, kernel memory). 0 or an
 * errno. */
int proc_start_init(const char *path, int argc, char *const argv[]);
/* Mark p for death by signal: it unwinds at its next return to user mode or kill-able sleep. */
void proc_kill(struct proc *p, int sig);
void proc_kill_locked(struct proc *p, int sig); /* p_lock is held */
/* p, if it was killed, is dead and its memory free. */
void proc_died(struct proc *p);
/* Somebody was killed, and has not let go of all memory. */
bool proc_dying(void);
/* Send a signal (si_signo 0: nothing) to all but curproc and the first process; false: there is
 * none. */
bool proc_signal_all(const struct siginfo *info);
/* On the way to user mode, td_ast being set, interrupts on: die, or see to timers and signals. */
void proc_ast(void);

/* --- oom.c ------------------------------------------------------------------------------------ */

#define OOM_SCORE_ADJ_MIN (-1000) /* of p_oom_score_adj: never killed */
#define OOM_SCORE_ADJ_MAX 1000
/* How good it would be to kill p, in pages, as Linux reckons: what it has, more or less as many
 * thousandths of memory as its oom_score_adj says. 0: it is not to be killed. */
uint64_t proc_badness(struct proc *p);
/* Can so many pages be had that leave what there is of free memory alone? Drops some for it. */
bool memory_left(uint64_t pages);

/* --- fork.c ----------------------------------------------------------------------------------- */

/* What clone asks for; a fork is all zeros. */
struct fork_args {
	bool thread; /* of this process; else a process */
	bool share_vm; /* a process in the same address space */
	bool share_files; /* a process with the same table of descriptors */
	bool share_fs; /* a process with the same directories and umask */
	bool vfork; /* return once the child has execed or ended */
	bool set_tls;
	bool
	    clear_handlers; /* a process: actions become the default ones, but for what is ignored */
	int exit_signal;
	uint64_t stack; /* the new stack pointer; 0: as it is */
	uint64_t tls; /* the new FS base */
	int *parent_tid, *child_tid; /* user addresses for the number, NULL: none */
	uint64_t clear_tid; /* user address to zero and wake when the thread ends; 0: none */
};
/* The new thread or process returns to user mode from where curthread entered, with a result of
 * 0. *tid is its number. EAGAIN, ENOMEM, EPERM (tls); EFAULT is not told, as in Linux. */
int fork1(const struct fork_args *args, int *tid);
/* What td, of a process, is called: the first thread's name is the process's. Its p_lock is held. */
char *thread_comm(struct thread *td);

/* --- exit.c ----------------------------------------------------------------------------------- */

/* Let go of all that p has but its identity; it has no thread. */
void proc_release(struct proc *p);
/* Ends curproc with a wait status. The end of pid 1 ends the machine. */
void proc_exit(int status) __noreturn;
/* Ends curthread, and the process, with that wait status, if it is the last. */
void proc_thread_exit(int status) __noreturn;
/* Make curthread the only one of its process. EINTR: it is to die itself. */
int proc_single(void);
/* P has execed: the parent that waits in vfork may go on, and may no longer move it to a group. */
void proc_execed(struct proc *p);

/* --- wait.c ----------------------------------------------------------------------------------- */

enum wait_for { WAIT_ANY, WAIT_PID, WAIT_PGID }; /* any child, child id, those in group id */
enum {
	WAIT_NOHANG = 1,
	WAIT_KEEP = 2, /* leave it to be waited for again */
	WAIT_EXITED = 4, /* for its end, */
	WAIT_STOPPED = 8, /* its stop, */
	WAIT_CONTINUED = 16, /* or that it goes on */
	WAIT_CLONES = 32, /* only those whose end sends another signal than SIGCHLD, */
	WAIT_ALL = 64, /* or whatever it sends */
};
#define W_STOPPED(sig) ((sig) << 8 | 0x7f)
#define W_CONTINUED    0xffff
struct wait_result {
	int pid; /* 0: nothing has happened yet (WAIT_NOHANG) */
	int status;
	struct usage usage;
};
/* Wait for a child of those. ECHILD, ERESTART. */
int proc_wait(enum wait_for what, int id, int flags, struct wait_result *r);
