/*
 * Linux's ioctls of virtual consoles: ioctl_console(2). Numbers of consoles begin with 1 there.
 */
#include "drivers/vt.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/machdep.h"

#define KIOCSOUND       0x4b2f
#define KDMKTONE        0x4b30
#define KDGETLED        0x4b31
#define KDSETLED        0x4b32
#define KDGKBTYPE       0x4b33
#define KDSETMODE       0x4b3a
#define KDGETMODE       0x4b3b
#define KDGKBMODE       0x4b44
#define KDSKBMODE       0x4b45
#define KDGKBMETA       0x4b62
#define KDSKBMETA       0x4b63
#define KDGKBLED        0x4b64
#define KDSKBLED        0x4b65
#define VT_OPENQRY      0x5600
#define VT_GETMODE      0x5601
#define VT_SETMODE      0x5602
#define VT_GETSTATE     0x5603
#define VT_RELDISP      0x5605
#define VT_ACTIVATE     0x5606
#define VT_WAITACTIVE   0x5607
#define VT_DISALLOCATE  0x5608
#define VT_LOCKSWITCH   0x560b
#define VT_UNLOCKSWITCH 0x560c

#define KB_101      2
#define KD_TEXT     0
#define KD_GRAPHICS 1
#define K_ESCPREFIX 4
#define VT_ACKACQ   2

static int
word_out(uint64_t arg, uint32_t word)
{
	return (copyout(&word, (void *)arg, sizeof(word)));
}

static int
byte_out(uint64_t arg, uint8_t byte)
{
	return (copyout(&byte, (void *)arg, 1));
}

static bool
is_open(uint32_t n)
{
	return (__atomic_load_n(&vts[n].vt_tty.t_opens, __ATOMIC_RELAXED) > 0);
}

static int
keyboard_mode(struct vt *vt, uint64_t mode)
{
	if (mode == K_MEDIUMRAW)
		klog(LOG_INFO, "vt: K_MEDIUMRAW is not supported");
	if (mode == K_MEDIUMRAW || mode > K_OFF)
		return (EINVAL);
	vt->vt_kbmode = (uint8_t)mode;
	return (0);
}

static int
set_locks(struct vt *vt, uint64_t leds)
{
	if ((leds & ~0x77ul) != 0)
		return (EINVAL);
	vt->vt_locks = leds & 7;
	if (vt == &vts[vt_front])
		ps2_show_leds(vt->vt_locks);
	return (0);
}

static int
kd_ioctl(struct vt *vt, uint64_t cmd, uint64_t arg)
{
	switch (cmd) {
	case KIOCSOUND: /* there is no speaker */
	case KDMKTONE:
		return (0);
	case KDGETLED:
	case KDGKBLED:
		return (byte_out(arg, vt->vt_locks));
	case KDSETLED:
	case KDSKBLED:
		return (set_locks(vt, cmd == KDSETLED && arg > 7 ? vt->vt_locks : arg));
	case KDGKBTYPE:
		return (byte_out(arg, KB_101));
	case KDSETMODE:
		if (arg > 3)
			return (EINVAL);
		vt_set_graphics(vt, arg == KD_GRAPHICS);
		return (0);
	case KDGETMODE:
		return (word_out(arg, vt->vt_graphics ? KD_GRAPHICS : KD_TEXT));
	case KDGKBMODE:
		return (word_out(arg, vt->vt_kbmode));
	case KDSKBMODE:
		return (keyboard_mode(vt, arg));
	case KDGKBMETA:
		return (word_out(arg, K_ESCPREFIX));
	case KDSKBMETA:
		return (arg == K_ESCPREFIX ? 0 : EINVAL);
	}
	return (ENOTTY);
}

static int
get_state(uint64_t arg)
{
	struct {
		uint16_t active, signal, state;
	} st = {.active = (uint16_t)(vt_front + 1), .state = 1}; /* bit 0: /dev/tty0 */

	for (uint32_t i = 0; i < VT_COUNT; i++)
		if (is_open(i) || i == vt_front)
			st.state |= (uint16_t)(2u << i);
	return (copyout(&st, (void *)arg, sizeof(st)));
}

static int
first_free(uint64_t arg)
{
	uint32_t n = 0;

	while (n < VT_COUNT && is_open(n))
		n++;
	return (word_out(arg, n < VT_COUNT ? n + 1 : UINT32_MAX));
}

static int
set_mode(struct vt *vt, uint64_t arg)
{
	struct vt_mode mode;
	int error = copyin((void *)arg, &mode, sizeof(mode));

	return (error != 0 ? error : vt_set_mode(vt, &mode));
}

int
vt_ioctl(struct vt *vt, uint64_t cmd, uint64_t arg)
{
	struct vt_mode mode = vt->vt_mode;

	switch (cmd) {
	case VT_OPENQRY:
		return (first_free(arg));
	case VT_GETMODE:
		return (copyout(&mode, (void *)arg, sizeof(mode)));
	case VT_SETMODE:
		return (set_mode(vt, arg));
	case VT_GETSTATE:
		return (get_state(arg));
	case VT_RELDISP:
		return (arg == VT_ACKACQ ? 0 : vt_release(vt, arg != 0));
	case VT_ACTIVATE:
		return (arg == 0 ? ENXIO : vt_activate((uint32_t)MIN(arg - 1, VT_COUNT)));
	case VT_WAITACTIVE:
		return (arg == 0 ? ENXIO : vt_wait_active((uint32_t)MIN(arg - 1, VT_COUNT)));
	case VT_DISALLOCATE: /* they are all there for good */
		return (0);
	case VT_LOCKSWITCH:
	case VT_UNLOCKSWITCH:
		vt_lock_switch(cmd == VT_LOCKSWITCH);
		return (0);
	}
	return (kd_ioctl(vt, cmd, arg));
}
