/*
 * The virtual consoles: a screen and a terminal each. The first one also shows the kernel's text
 * and what is written to /dev/console, whose terminal gets its keys unless somebody has /dev/tty1
 * open. Owns the consoles, and the thread that draws what was put off and moves them.
 */
#include "drivers/vt.h"
#include "drivers/drivers.h"
#include "drivers/fb.h"
#include "drivers/memview.h"
#include "fs/vnode.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/string.h"
#include "kern/thread.h"

#define TTY_MAJOR 4
#define CHUNK     256 /* bytes written with interrupts off */
#define LATER_NS  20000000ul /* how long drawing is put off while text scrolls by */

struct vt vts[VT_COUNT];
struct rwlock vt_lock = RW_INITIALIZER("vt", LR_FILE);
uint32_t vt_front;
static bool present; /* (c) there is a screen */
static uint32_t fitted; /* vt_lock: the generation of the framebuffer that vt_fit looked at */

/* --- output ----------------------------------------------------------------------------------- */

static struct mtx later_mtx = MTX_INITIALIZER("vt later", LR_LEAF);
static bool later; /* later_mtx */

void
vt_draw_later(void)
{
	mtx_lock(&later_mtx);
	later = true;
	mtx_unlock(&later_mtx);
	wakeup(&later);
}

static void
later_main(void *arg __unused)
{
	for (;;) {
		mtx_lock(&later_mtx);
		if (!later) {
			mtx_sleep(&later, &later_mtx, 0, 0);
			continue;
		}
		later = false;
		mtx_unlock(&later_mtx);
		rw_sleep(&later_mtx, NULL, 0, LATER_NS); /* nobody wakes it */
		vt_fit();
		console_lock();
		vt_draw(&vts[vt_front], false);
		console_unlock();
	}
}

/* What s has to say, taken from it. */
static size_t
take_answer(struct vt_screen *s, char *buf, size_t size)
{
	size_t n = MIN(s->answered, size);

	memcpy(buf, s->answer, n);
	s->answered = 0;
	return (n);
}

static void
vt_outwakeup(struct tty *tp)
{
	struct vt *vt = tp->t_softc;
	char buf[CHUNK], answer[32];
	bool put_off = false;
	size_t n, answered;

	while ((n = tty_getout(tp, buf, sizeof(buf))) > 0) {
		console_lock();
		vt_write(&vt->vt_screen, buf, n);
		answered = take_answer(&vt->vt_screen, answer, sizeof(answer));
		if (vt == &vts[vt_front])
			put_off = vt_draw(vt, true);
		console_unlock();
		if (answered > 0)
			tty_rint(tp, answer, answered);
	}
	if (put_off)
		vt_draw_later();
}

static int
vt_tty_ioctl(struct tty *tp, struct file *fp __unused, uint64_t cmd, uint64_t arg)
{
	return (vt_ioctl(tp->t_softc, cmd, arg));
}

static const struct ttydevsw vt_ttysw = {
    .tsw_outwakeup = vt_outwakeup,
    .tsw_ioctl = vt_tty_ioctl,
};

/* --- the console's screen --------------------------------------------------------------------- */

static void
sink_write(const char *text, size_t len)
{
	vt_write(&vts[0].vt_screen, text, len);
}

static bool
sink_draw(bool may_wait)
{
	return (vt_front == 0 && vt_draw(&vts[0], may_wait));
}

static void
sink_flush(void)
{
	vt_draw_flush(&vts[vt_front]);
}

static size_t
sink_answer(char *buf, size_t size)
{
	return (take_answer(&vts[0].vt_screen, buf, size));
}

static int
sink_ioctl(struct file *fp __unused, uint64_t cmd, uint64_t arg)
{
	return (vt_ioctl(&vts[0], cmd, arg));
}

static void
sink_panic(void)
{
	memview_panic();
	vt_front = 0;
	vt_draw_panic(&vts[0]);
}

static struct console_sink vt_sink = {
    .cs_write = sink_write,
    .cs_draw = sink_draw,
    .cs_later = vt_draw_later,
    .cs_flush = sink_flush,
    .cs_panic = sink_panic,
    .cs_answer = sink_answer,
    .cs_ioctl = sink_ioctl,
};

/* --- input ------------------------------------------------------------------------------------ */

/* What is typed and finds no room is lost. */
void
vt_key(const char *text, size_t len)
{
	struct vt *vt = &vts[vt_front];

	if (vt == &vts[0] && __atomic_load_n(&vt->vt_tty.t_opens, __ATOMIC_RELAXED) == 0)
		console_input(text, len);
	else
		tty_rint(&vt->vt_tty, text, len);
}

/* --- sizes ------------------------------------------------------------------------------------ */

static int
resize(struct vt *vt, uint32_t columns, uint32_t rows)
{
	struct winsize ws = {.ws_row = (uint16_t)rows, .ws_col = (uint16_t)columns};
	struct vt_screen new, old;

	if (vt_screen_init(&new, columns, rows) != 0)
		return (ENOMEM);
	console_lock();
	old = vt->vt_screen;
	vt_screen_copy(&new, &old);
	vt->vt_screen = new;
	console_unlock();
	vt_screen_fini(&old);
	tty_set_winsize(&vt->vt_tty, &ws);
	if (vt == &vts[0])
		console_set_size(rows, columns);
	return (0);
}

void
vt_fit(void)
{
	struct vt_screen *s = &vts[0].vt_screen;
	uint32_t columns, rows, generation;
	int error = 0;

	rw_wlock(&vt_lock);
	generation = __atomic_load_n(&fb.generation, __ATOMIC_RELAXED);
	if (generation != fitted && vt_draw_size(&columns, &rows) &&
	    (columns != s->columns || rows != s->rows)) {
		error = vt_draw_resize(columns, rows);
		for (uint32_t i = 0; i < VT_COUNT && error == 0; i++)
			error = resize(&vts[i], columns, rows);
		if (error != 0) /* what fits is drawn */
			klog(LOG_WARNING, "vt: no memory for %ux%u cells", columns, rows);
	}
	fitted = generation;
	rw_unlock(&vt_lock);
}

/* --- attaching -------------------------------------------------------------------------------- */

static int
tty0_open(void *softc __unused, struct file *fp)
{
	return (tty_file_open(&vts[vt_front].vt_tty, fp, true));
}

static int
vt_attach(struct vt *vt, uint32_t columns, uint32_t rows)
{
	static const char *const names[VT_COUNT] = {"tty1", "tty2", "tty3", "tty4"};
	uint32_t n = (uint32_t)(vt - vts);
	int error = vt_screen_init(&vt->vt_screen, columns, rows);

	if (error == 0)
		error = tty_init(&vt->vt_tty, &vt_ttysw, vt, TTY_MAJOR, n + 1);
	if (error != 0)
		return (error);
	vt->vt_kbmode = K_UNICODE;
	vt->vt_tty.t_winsize =
	    (struct winsize){.ws_row = (uint16_t)rows, .ws_col = (uint16_t)columns};
	return (tty_makedev(&vt->vt_tty, &vt->vt_cdev, names[n]));
}

int
vt_probe(void)
{
	static const struct cdevsw tty0_sw = TTY_CDEVSW(tty0_open);
	static struct cdev tty0 = {
	    .cd_name = "tty0", .cd_sw = &tty0_sw, .cd_major = TTY_MAJOR, .cd_mode = 0620};
	struct thread *td;
	uint32_t columns, rows;
	int error;

	if (fb.backend == NULL)
		return (ENODEV);
	if (!font_init()) {
		klog(LOG_ERR, "vt: the font is not a usable PSF file");
		return (EINVAL);
	}
	if (!vt_draw_size(&columns, &rows))
		return (ENXIO);
	error = vt_draw_resize(columns, rows);
	for (uint32_t i = 0; i < VT_COUNT && error == 0; i++)
		error = vt_attach(&vts[i], columns, rows);
	td = error == 0 ? thread_create(NULL, "vt", later_main, NULL) : NULL;
	if (td == NULL)
		return (error != 0 ? error : ENOMEM);
	sched_add(td);
	cdev_register(&tty0);
	vcs_init();
	present = true;
	console_set_size(rows, columns);
	console_attach(&vt_sink);
	return (0);
}
