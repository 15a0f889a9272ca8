/*
 * Which console is in front: it changes by a key or an ioctl, at once or after the program there
 * has agreed (VT_PROCESS). And whose the framebuffer is: a text screen's, or a program's, whose
 * mappings are taken back while a text screen is in front.
 *
 * The framebuffer is a program's on the console that was in front when it was first opened for
 * writing or mapped, or where it said KD_GRAPHICS. Owns the request that is under way; vt_lock
 * protects it.
 */
#include "drivers/fb.h"
#include "drivers/vt.h"
#include "kern/errno.h"
#include "kern/panic.h"
#include "kern/proc.h"

#define NONE VT_COUNT

static uint32_t wanted = NONE; /* (v) the program in front was asked to make way for this one */
static bool locked; /* (v) VT_LOCKSWITCH */

/* Text is in front: who draws by himself must wait. */
static bool
is_text(uint32_t n)
{
	rw_assert_wlocked(&vt_lock);
	return (!vts[n].vt_graphics && (fb.users == 0 || fb.vt != n));
}

/* The framebuffer becomes what the console in front is. */
static void
show(void)
{
	bool text = is_text(vt_front);

	fb_set_hidden(text);
	if (!text)
		return;
	console_lock();
	vt_draw_all();
	vt_draw(&vts[vt_front], false);
	console_unlock();
}

static void
signal_owner(struct vt *vt, int sig)
{
	struct proc *p = proc_find(vt->vt_owner);

	if (p == NULL) { /* it is gone: from now on nobody is asked */
		vt->vt_mode = (struct vt_mode){.mode = VT_AUTO};
		return;
	}
	if (sig > 0 && sig <= NSIG)
		signal_send(p, NULL, sig);
	proc_rele(p);
}

static void
come_to_front(uint32_t n)
{
	rw_assert_wlocked(&vt_lock);
	wanted = NONE;
	console_lock();
	vt_front = n;
	console_unlock();
	show();
	ps2_show_leds(vts[n].vt_locks);
	if (vts[n].vt_mode.mode == VT_PROCESS)
		signal_owner(&vts[n], vts[n].vt_mode.acqsig);
	wakeup(&vt_front);
}

static void
change(uint32_t n)
{
	struct vt *front = &vts[vt_front];

	rw_assert_wlocked(&vt_lock);
	if (n == vt_front || locked)
		return;
	if (front->vt_mode.mode == VT_PROCESS)
		signal_owner(front, front->vt_mode.relsig);
	if (front->vt_mode.mode == VT_PROCESS)
		wanted = n; /* its VT_RELDISP goes on from here */
	else
		come_to_front(n);
}

int
vt_activate(uint32_t n)
{
	if (n >= VT_COUNT)
		return (ENXIO);
	vt_fit();
	rw_wlock(&vt_lock);
	change(n);
	rw_unlock(&vt_lock);
	return (0);
}

int
vt_wait_active(uint32_t n)
{
	int error = 0;

	if (n >= VT_COUNT)
		return (ENXIO);
	rw_wlock(&vt_lock);
	while (vt_front != n && error == 0) {
		error = rw_sleep(&vt_front, &vt_lock, SLEEP_INTR, 0);
		rw_wlock(&vt_lock);
	}
	rw_unlock(&vt_lock);
	return (error != 0 ? ERESTARTNOHAND : 0);
}

/* Agreed: the switch may take place. Else it may not. */
int
vt_release(struct vt *vt, bool agreed)
{
	int error = 0;

	rw_wlock(&vt_lock);
	if (vt->vt_mode.mode != VT_PROCESS || wanted == NONE || vt != &vts[vt_front])
		error = EINVAL;
	else if (agreed)
		come_to_front(wanted);
	else
		wanted = NONE;
	rw_unlock(&vt_lock);
	return (error);
}

int
vt_set_mode(struct vt *vt, const struct vt_mode *mode)
{
	if (mode->mode != VT_AUTO && mode->mode != VT_PROCESS)
		return (EINVAL);
	rw_wlock(&vt_lock);
	vt->vt_mode = *mode;
	vt->vt_mode.frsig = 0;
	vt->vt_owner = curproc->p_pid;
	wanted = vt == &vts[vt_front] ? NONE : wanted;
	rw_unlock(&vt_lock);
	return (0);
}

void
vt_set_graphics(struct vt *vt, bool on)
{
	vt_fit();
	rw_wlock(&vt_lock);
	if (vt->vt_graphics != on) {
		__atomic_store_n(&vt->vt_graphics, on, __ATOMIC_RELAXED);
		if (vt == &vts[vt_front])
			show();
	}
	rw_unlock(&vt_lock);
}

void
vt_lock_switch(bool lock)
{
	rw_wlock(&vt_lock);
	locked = lock;
	rw_unlock(&vt_lock);
}

/* --- by a key --------------------------------------------------------------------------------- */

static struct mtx request_mtx = MTX_INITIALIZER("vt request", LR_LEAF);
static uint32_t requested = NONE; /* request_mtx; not NONE: the task is queued */

static void
request_task(void *arg __unused)
{
	uint32_t n;

	mtx_lock(&request_mtx);
	n = requested;
	requested = NONE;
	mtx_unlock(&request_mtx);
	vt_activate(n);
}

void
vt_request(uint32_t n)
{
	static struct task task;
	bool queued;

	mtx_lock(&request_mtx);
	queued = requested != NONE;
	requested = n;
	mtx_unlock(&request_mtx);
	if (!queued && n < VT_COUNT)
		task_enqueue(&task, request_task, NULL);
}
