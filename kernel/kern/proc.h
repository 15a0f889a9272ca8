/*
 * Processes: an address space, a descriptor table, an identity, and how it ended.
 */
#pragma once

#include "kern/thread.h"
#include "vm/vm_map.h"

struct filedesc;
struct vnode;

#define NSIG 64
struct sigaction { /* as Linux's programs give it */
	uint64_t sa_handler, sa_flags, sa_restorer, sa_mask;
};

/* Locks: (c) constant  (p) p_lock  (a) atomic */
struct proc {
	TAILQ_ENTRY(proc) p_list; /* the process table's lock */
	struct rwlock p_lock; /* rank LR_FILE */
	int p_pid; /* (c) */
	char p_comm[16]; /* (p) as Linux's /proc/PID/comm */
	struct vm_map p_map; /* own lock */
	struct pmap p_pmap; /* own lock */
	vm_offset_t p_brk_start, p_brk; /* (p) */
	vm_offset_t p_stack_top; /* (c) after exec */
	vm_offset_t p_arg_start, p_arg_end; /* (c) after exec: argv's strings */
	TAILQ_HEAD(, thread) p_threads; /* (p) */
	struct filedesc *p_fd; /* (c) own lock */
	struct vnode *p_cwd; /* (p) */
	struct vnode *p_exe; /* (p) */
	struct sigaction
	    p_sigaction[NSIG]; /* (p) of signal i + 1; kept, but no handler is called yet */
	uint64_t p_majflt, p_minflt; /* (a) as getrusage counts them (P17) */
	uint64_t p_start; /* (c) ns since boot */
	uint64_t p_utime, p_stime; /* (a) ns; run time is p_utime, the two are not told apart yet */
	volatile int p_killed; /* (a) signal that ends it, 0: none */
	int p_status; /* (p) once dead: wait status, (exit << 8) or signal; -1 before */
};
#define curproc (curthread->td_proc)

/* A number for a new process or thread, not used before. */
int pid_alloc(void);
/* Make the first process, pid 1, run path with argv (argc strings, kernel memory). 0 or an errno. */
int proc_start_init(const char *path, int argc, char *const argv[]);
/* Ends curproc with a wait status. The end of pid 1 ends the machine. */
void proc_exit(int status) __noreturn;
/* Mark p for death by signal: it unwinds at its next return to user mode or kill-able sleep. */
void proc_kill(struct proc *p, int sig);
/* On the way to user mode, interrupts on: die if killed. */
void proc_ast(void);
/*
 * A fault of curthread's in user mode that nobody mended: signal number, si_code, the address, and
 * words for the log line ("write, no mapping"). Kills the process: there are no handlers yet.
 */
void trapsignal(int sig, int code, vm_offset_t addr, const char *why);

enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9, SIGSEGV = 11, SIGSYS = 31 };
enum { SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRALN = 1, BUS_ADRERR = 2 };

/* exec.c: load an ELF program into p, which has an empty map, and set up its stack and td_frame.
 * 0, ENOENT, ENOEXEC, EACCES, ENOMEM, E2BIG, EFAULT. On an error the map may be partly filled. */
int exec_load(struct proc *p, struct thread *td, const char *path, int argc, char *const argv[],
	      int envc, char *const envv[]);
