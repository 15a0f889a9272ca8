/*
 * timerfd: timers that a file tells of.
 */
#include "linux/linux.h"
#include "fs/vnode.h"
#include "kern/callout.h"
#include "kern/clock.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/ptimer.h"
#include "kern/select.h"

enum { TFD_ABSTIME = 1, TFD_CANCEL_ON_SET = 2 };

/* Locks: (c) constant  (l) tf_lock */
struct timerfd {
	struct vnode tf_vnode;
	struct mtx tf_lock; /* rank LR_KMEM: before the selinfo lock */
	struct callout tf_callout; /* own lock */
	struct selinfo tf_sel; /* own lock */
	bool tf_wall; /* (c) absolute times are the wall clock's */
	struct ptimer_time tf_time; /* (l) when it is due, ns since boot; 0: not armed */
};
#define TIMERFD(vp) container_of(vp, struct timerfd, tf_vnode)

static const struct vnodeops timerfd_ops;

/* How often it has been due by now, since it was read last: from then on it counts anew. A timer
 * that nobody reads is not armed again, so that it costs nothing. */
static uint64_t
ticks_now(struct timerfd *tf, uint64_t now)
{
	struct ptimer_time *t = &tf->tf_time;
	uint64_t n;

	if (t->value == 0 || now < t->value)
		return (0);
	n = t->interval != 0 ? (now - t->value) / t->interval + 1 : 1;
	t->value = t->interval != 0 ? t->value + n * t->interval : 0;
	return (n);
}

static void
timerfd_due(struct callout *c)
{
	struct timerfd *tf = container_of(c, struct timerfd, tf_callout);

	wakeup(tf);
	selwakeup(&tf->tf_sel, POLLIN);
}

static void
arm(struct timerfd *tf)
{
	if (tf->tf_time.value != 0)
		callout_reset(&tf->tf_callout, tf->tf_time.value, timerfd_due);
	else
		callout_stop(&tf->tf_callout);
}

/* Read how often it was due. ERESTART, EAGAIN. */
static int
take_ticks(struct timerfd *tf, bool wait, uint64_t *ticks)
{
	for (;;) {
		mtx_lock(&tf->tf_lock);
		*ticks = ticks_now(tf, cpu_now());
		if (*ticks != 0 && tf->tf_time.value != 0)
			arm(tf);
		if (*ticks != 0 || !wait) {
			mtx_unlock(&tf->tf_lock);
			return (*ticks != 0 ? 0 : EAGAIN);
		}
		if (mtx_sleep(tf, &tf->tf_lock, SLEEP_INTR, 0) == EINTR)
			return (ERESTART);
	}
}

static int
timerfd_read(struct vnode *vp, struct uio *uio, struct file *fp)
{
	uint64_t ticks;
	int error;

	if (uio->uio_resid < sizeof(ticks))
		return (EINVAL);
	error = take_ticks(TIMERFD(vp), (fp->f_flags & O_NONBLOCK) == 0, &ticks);
	return (error != 0 ? error : uiomove(&ticks, sizeof(ticks), uio));
}

static uint32_t
timerfd_poll(struct vnode *vp, struct file *fp __unused, struct selfd *sfd)
{
	struct timerfd *tf = TIMERFD(vp);
	bool ready;

	mtx_lock(&tf->tf_lock);
	selrecord(&tf->tf_sel, sfd);
	ready = tf->tf_time.value != 0 && tf->tf_time.value <= cpu_now();
	mtx_unlock(&tf->tf_lock);
	return (ready ? POLLIN : 0);
}

static void
timerfd_close(struct vnode *vp, struct file *fp __unused)
{
	callout_drain(&TIMERFD(vp)->tf_callout);
	seldestroy(&TIMERFD(vp)->tf_sel);
}

int64_t
sys_timerfd_create(int id, uint32_t flags)
{
	struct vnode *vp;
	int error, fd;

	if ((flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK)) != 0 ||
	    (id != CLOCK_REALTIME && id != CLOCK_MONOTONIC && id != CLOCK_BOOTTIME))
		return (-EINVAL);
	vp = vnode_alloc(sizeof(struct timerfd), &timerfd_ops, VANON, NULL, "anon_inode:[timerfd]",
			 20);
	if (vp != NULL) {
		vp->v_attr.va_mode = 0600;
		mtx_init(&TIMERFD(vp)->tf_lock, "timerfd", LR_KMEM);
		TIMERFD(vp)->tf_wall = id == CLOCK_REALTIME;
	}
	error = file_install(vp, O_RDWR | flags, &fd);
	return (error != 0 ? -error : fd);
}

/* The timer that fd is, and its file with a reference. EBADF, EINVAL. */
static int
timerfd_get(int fd, struct file **fpp, struct timerfd **tfp)
{
	int error = fget(fd, fpp);

	if (error != 0)
		return (error);
	*tfp = TIMERFD((*fpp)->f_vnode);
	if ((*fpp)->f_vnode->v_ops == &timerfd_ops)
		return (0);
	fdrop(*fpp);
	return (EINVAL);
}

/* What is left until it is due next. */
static struct ptimer_time
time_left(const struct timerfd *tf, uint64_t now)
{
	struct ptimer_time t = tf->tf_time;

	if (t.value != 0 && t.value <= now && t.interval != 0)
		t.value += ((now - t.value) / t.interval + 1) * t.interval;
	t.value = t.value > now ? t.value - now : 0;
	return (t);
}

static void
set_time(struct timerfd *tf, struct ptimer_time *t, bool absolute, struct ptimer_time *old)
{
	uint64_t now = cpu_now(), boot = tf->tf_wall ? clock_wall() - now : 0;

	mtx_lock(&tf->tf_lock);
	*old = time_left(tf, now);
	if (t->value != 0 && absolute)
		t->value = t->value > boot ? t->value - boot : 1;
	else if (t->value != 0 && __builtin_add_overflow(now, t->value, &t->value))
		t->value = UINT64_MAX;
	tf->tf_time = *t;
	arm(tf);
	mtx_unlock(&tf->tf_lock);
}

int64_t
sys_timerfd_settime(int fd, uint32_t flags, const struct linux_itimerspec *unew,
		    struct linux_itimerspec *uold)
{
	struct ptimer_time t, old;
	struct timerfd *tf;
	struct file *fp;
	int error = itimerspec_in(unew, &t);

	if (error == 0 && (flags & ~(uint32_t)(TFD_ABSTIME | TFD_CANCEL_ON_SET)) != 0)
		error = EINVAL;
	if (error == 0)
		error = timerfd_get(fd, &fp, &tf);
	if (error != 0)
		return (-error);
	set_time(tf, &t, (flags & TFD_ABSTIME) != 0, &old);
	fdrop(fp);
	return (uold != NULL ? -itimerspec_out(&old, uold) : 0);
}

int64_t
sys_timerfd_gettime(int fd, struct linux_itimerspec *uvalue)
{
	struct ptimer_time t;
	struct timerfd *tf;
	struct file *fp;
	int error = timerfd_get(fd, &fp, &tf);

	if (error != 0)
		return (-error);
	mtx_lock(&tf->tf_lock);
	t = time_left(tf, cpu_now());
	mtx_unlock(&tf->tf_lock);
	fdrop(fp);
	return (-itimerspec_out(&t, uvalue));
}

static const struct vnodeops timerfd_ops = {
    .v_read = timerfd_read,
    .v_poll = timerfd_poll,
    .v_close = timerfd_close,
};
