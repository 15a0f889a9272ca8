/*
 * Signals that wait: queues, who is told of one, and masks.
 */
#include "kern/signal.h"
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/ptimer.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/select.h"
#include "kern/sysctl.h"

/* Those that a thread brings upon itself: before all others. */
#define SIG_SYNCHRONOUS                                                                         \
	(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) | \
	 SIGBIT(SIGSYS))
#define SIGPENDING_MAX 4096

static uint64_t nqueued; /* (a) ksiginfos made, of all processes: they are one user's */
STAT(siginfos, nqueued);

/* --- queues ----------------------------------------------------------------------------------- */

void
sigqueue_init(struct sigqueue *sq)
{
	sq->sq_set = 0;
	TAILQ_INIT(&sq->sq_list);
}

static struct ksiginfo *
ksiginfo_alloc(const struct siginfo *info)
{
	struct ksiginfo *ksi = NULL;

	if (__atomic_add_fetch(&nqueued, 1, __ATOMIC_RELAXED) <= SIGPENDING_MAX)
		ksi = kmalloc(sizeof(*ksi), 0);
	if (ksi == NULL) {
		__atomic_sub_fetch(&nqueued, 1, __ATOMIC_RELAXED);
		return (NULL);
	}
	*ksi = (struct ksiginfo){.ksi_info = *info};
	return (ksi);
}

static void
dequeue(struct sigqueue *sq, struct ksiginfo *ksi)
{
	TAILQ_REMOVE(&sq->sq_list, ksi, ksi_link);
	ksi->ksi_queue = NULL;
	if (ksi->ksi_timer != NULL)
		return;
	kfree(ksi);
	__atomic_sub_fetch(&nqueued, 1, __ATOMIC_RELAXED);
}

static void
enqueue(struct sigqueue *sq, struct ksiginfo *ksi)
{
	ksi->ksi_queue = sq;
	TAILQ_INSERT_TAIL(&sq->sq_list, ksi, ksi_link);
	sq->sq_set |= SIGBIT(ksi->ksi_info.si_signo);
}

/* What cannot be queued is known by its number alone, but one that somebody counts on. */
static int
sigqueue_add(struct sigqueue *sq, const struct siginfo *info)
{
	int sig = info->si_signo;
	struct ksiginfo *ksi;

	if (sig < SIGRTMIN && (sq->sq_set & SIGBIT(sig)) != 0)
		return (0);
	ksi = ksiginfo_alloc(info);
	if (ksi != NULL)
		enqueue(sq, ksi);
	else if (sig >= SIGRTMIN && info->si_code != SI_USER && info->si_code != SI_KERNEL)
		return (EAGAIN);
	sq->sq_set |= SIGBIT(sig);
	return (0);
}

/* The next of number sig. */
static struct ksiginfo *
sigqueue_next(struct sigqueue *sq, struct ksiginfo *ksi, int sig)
{
	ksi = ksi == NULL ? TAILQ_FIRST(&sq->sq_list) : TAILQ_NEXT(ksi, ksi_link);
	while (ksi != NULL && ksi->ksi_info.si_signo != sig)
		ksi = TAILQ_NEXT(ksi, ksi_link);
	return (ksi);
}

static void
sigqueue_take(struct sigqueue *sq, int sig, struct siginfo *info)
{
	struct ksiginfo *ksi = sigqueue_next(sq, NULL, sig);

	*info = (struct siginfo){.si_signo = sig, .si_code = SI_USER};
	if (ksi == NULL || sigqueue_next(sq, ksi, sig) == NULL)
		sq->sq_set &= ~SIGBIT(sig);
	if (ksi == NULL)
		return;
	*info = ksi->ksi_info;
	if (ksi->ksi_timer != NULL)
		ptimer_delivered(ksi->ksi_timer, info);
	dequeue(sq, ksi);
}

void
sigqueue_flush(struct sigqueue *sq, uint64_t mask)
{
	struct ksiginfo *ksi, *next;

	if ((sq->sq_set & mask) == 0)
		return;
	sq->sq_set &= ~mask;
	for (ksi = TAILQ_FIRST(&sq->sq_list); ksi != NULL; ksi = next) {
		next = TAILQ_NEXT(ksi, ksi_link);
		if ((SIGBIT(ksi->ksi_info.si_signo) & mask) != 0)
			dequeue(sq, ksi);
	}
}

void
signal_flush(struct proc *p, uint64_t mask)
{
	struct thread *td;

	rw_assert_wlocked(&p->p_lock);
	sigqueue_flush(&p->p_sigqueue, mask);
	TAILQ_FOREACH (td, &p->p_threads, td_plink)
		sigqueue_flush(&td->td_sigqueue, mask);
}

/* --- sending ---------------------------------------------------------------------------------- */

struct siginfo
signal_by_user(int sig)
{
	return ((struct siginfo){
	    .si_signo = sig,
	    .si_code = SI_USER,
	    .si_pid = curproc->p_pid,
	    .si_uid = curcred()->cr_ruid,
	});
}

/* Nobody would notice. One that is blocked is kept: its action may change. */
static bool
ignored(struct proc *p, struct thread *td, int sig)
{
	uint64_t handler = p->p_sigaction[sig - 1].sa_handler;

	if (((td->td_sigmask | td->td_sigwait) & SIGBIT(sig)) != 0)
		return (false);
	return (handler == SIG_IGN || (handler == SIG_DFL && (SIG_HARMLESS & SIGBIT(sig)) != 0));
}

static bool
lets_in(const struct thread *td, uint64_t set)
{
	return ((set & (~td->td_sigmask | td->td_sigwait)) != 0);
}

/* Some of set has come for td, or (NULL) any one thread: one that has nothing to do yet, if there
 * is one. */
static void
notify(struct proc *p, struct thread *td, uint64_t set)
{
	struct thread *busy = NULL;

	if (td != NULL) {
		busy = lets_in(td, set) ? td : NULL;
	} else {
		TAILQ_FOREACH (td, &p->p_threads, td_plink) {
			if (!lets_in(td, set))
				continue;
			busy = td;
			if ((td->td_ast & AST_SIGNAL) == 0)
				break;
		}
	}
	if (busy != NULL)
		thread_ast(busy, AST_SIGNAL);
	if (p->p_signalfds) {
		wakeup(&p->p_sigsel);
		selwakeup(&p->p_sigsel, POLLIN | POLLRDNORM);
	}
}

/* A stop and SIGCONT undo one another as soon as they are sent. False: sig needs nothing more. */
static bool
prepare(struct proc *p, struct thread *td, int sig)
{
	if (TAILQ_EMPTY(&p->p_threads)) /* dead already */
		return (false);
	if (sig == SIGKILL) {
		proc_kill_locked(p, sig);
		return (false);
	}
	if (sig == SIGCONT) {
		signal_flush(p, SIG_STOPS);
		signal_continue(p);
	} else if ((SIG_STOPS & SIGBIT(sig)) != 0) {
		signal_flush(p, SIGBIT(SIGCONT));
	}
	return (!ignored(p, td != NULL ? td : TAILQ_FIRST(&p->p_threads), sig));
}

int
signal_post(struct proc *p, struct thread *td, const struct siginfo *info)
{
	int error;

	rw_assert_wlocked(&p->p_lock);
	if (!prepare(p, td, info->si_signo))
		return (0);
	error = sigqueue_add(td != NULL ? &td->td_sigqueue : &p->p_sigqueue, info);
	if (error == 0)
		notify(p, td, SIGBIT(info->si_signo));
	return (error);
}

void
signal_post_timer(struct proc *p, struct thread *td, struct ksiginfo *ksi)
{
	struct sigqueue *sq = td != NULL ? &td->td_sigqueue : &p->p_sigqueue;
	int sig = ksi->ksi_info.si_signo;

	rw_assert_wlocked(&p->p_lock);
	KASSERT(ksi->ksi_queue == NULL, ("a timer's signal waits already"));
	if (!prepare(p, td, sig) ||
	    (ksi->ksi_info.si_code == SI_KERNEL && (sq->sq_set & SIGBIT(sig)) != 0))
		return;
	enqueue(sq, ksi);
	notify(p, td, SIGBIT(sig));
}

void
signal_forget_timer(struct ksiginfo *ksi)
{
	struct sigqueue *sq = ksi->ksi_queue;
	int sig = ksi->ksi_info.si_signo;

	if (sq == NULL)
		return;
	dequeue(sq, ksi);
	if (sigqueue_next(sq, NULL, sig) == NULL)
		sq->sq_set &= ~SIGBIT(sig);
}

int
signal_send_info(struct proc *p, struct thread *td, const struct siginfo *info)
{
	int error;

	rw_wlock(&p->p_lock);
	error = signal_post(p, td, info);
	rw_unlock(&p->p_lock);
	return (error);
}

void
signal_send(struct proc *p, struct thread *td, int sig)
{
	signal_send_info(p, td, &(struct siginfo){.si_signo = sig, .si_code = SI_KERNEL});
}

/* --- taking ----------------------------------------------------------------------------------- */

uint64_t
signal_pending(void)
{
	return (curthread->td_sigqueue.sq_set | curproc->p_sigqueue.sq_set);
}

int
signal_take(uint64_t set, struct siginfo *info)
{
	struct sigqueue *sq = &curthread->td_sigqueue;
	struct proc *p = curproc;
	uint64_t ready;
	int sig;

	rw_assert_wlocked(&p->p_lock);
	if ((sq->sq_set & set) == 0)
		sq = &p->p_sigqueue;
	ready = sq->sq_set & set;
	if (ready == 0)
		return (0);
	if ((ready & SIG_SYNCHRONOUS) != 0)
		ready &= SIG_SYNCHRONOUS;
	sig = __builtin_ctzl(ready) + 1;
	sigqueue_take(sq, sig, info);
	return (sig);
}

void
signal_thread_exit(struct proc *p, struct thread *td)
{
	uint64_t set = p->p_sigqueue.sq_set & ~td->td_sigmask;

	rw_assert_wlocked(&p->p_lock);
	sigqueue_flush(&td->td_sigqueue, ~0ul);
	if (set != 0)
		notify(p, NULL, set);
}

/* --- masks ------------------------------------------------------------------------------------ */

/* Others may have to see to what curthread was told of and blocks from now on. */
void
signal_setmask(uint64_t mask)
{
	struct thread *td = curthread;
	struct proc *p = curproc;
	uint64_t handed_on;

	mask &= ~SIG_NEVER;
	rw_wlock(&p->p_lock);
	handed_on = p->p_sigqueue.sq_set & mask & ~td->td_sigmask;
	td->td_sigmask = mask;
	if ((signal_pending() & ~mask) != 0)
		thread_ast(td, AST_SIGNAL);
	if (handed_on != 0)
		notify(p, NULL, handed_on);
	rw_unlock(&p->p_lock);
}

void
signal_tempmask(uint64_t mask)
{
	struct thread *td = curthread;

	td->td_oldmask = td->td_sigmask;
	__atomic_fetch_or(&td->td_ast, AST_SIGMASK, __ATOMIC_RELAXED);
	signal_setmask(mask);
}

void
signal_restoremask(int error)
{
	struct thread *td = curthread;

	if (error == ERESTARTNOHAND || error == EINTR || (td->td_ast & AST_SIGMASK) == 0)
		return;
	__atomic_fetch_and(&td->td_ast, ~AST_SIGMASK, __ATOMIC_RELAXED);
	signal_setmask(td->td_oldmask);
}
