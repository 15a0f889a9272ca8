/*
 * /dev: the character devices, and those of them that need no hardware. A directory of
 * ramfs with a node for each, so that links and directories can be made there as well.
 */
#include "fs/procfs.h"
#include "kern/cdev.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/random.h"
#include "kern/select.h"
#include "kern/string.h"

#define MAJORS 256 /* numbers of kinds of devices */

static struct vnode *devdir; /* (c) */
static struct cdev *cdevs; /* (c) once the system has started */

static int
dev_io(struct vnode *vp, struct uio *uio, struct file *fp)
{
	struct cdev *dev = vp->v_cdev;
	__typeof__(dev->cd_sw->d_read) io =
	    uio->uio_write ? dev->cd_sw->d_write : dev->cd_sw->d_read;

	return (io != NULL ? io(dev->cd_softc, uio, fp) : EINVAL);
}

static int
dev_open(struct vnode *vp, struct file *fp)
{
	struct cdev *dev = vp->v_cdev;

	if (dev == NULL && vp->v_type == VCHR) { /* of mknod */
		for (dev = cdevs; dev != NULL; dev = dev->cd_next)
			if ((dev->cd_major << 8 | dev->cd_minor) == vp->v_rdev)
				break;
		__atomic_store_n(&vp->v_cdev, dev, __ATOMIC_RELEASE);
	}
	if (dev == NULL)
		return (ENXIO);
	return (dev->cd_sw->d_open != NULL ? dev->cd_sw->d_open(dev->cd_softc, fp) : 0);
}

static void
dev_close(struct vnode *vp, struct file *fp)
{
	const struct cdevsw *sw = vp->v_cdev->cd_sw;

	if (sw->d_close != NULL)
		sw->d_close(vp->v_cdev->cd_softc, fp);
}

static int
dev_ioctl(struct vnode *vp, struct file *fp, uint64_t cmd, uint64_t arg)
{
	const struct cdevsw *sw = vp->v_cdev->cd_sw;

	return (sw->d_ioctl != NULL ? sw->d_ioctl(vp->v_cdev->cd_softc, cmd, arg, fp) : ENOTTY);
}

static uint32_t
dev_poll(struct vnode *vp, struct file *fp, struct selfd *sfd)
{
	const struct cdevsw *sw = vp->v_cdev->cd_sw;

	return (sw->d_poll != NULL ? sw->d_poll(vp->v_cdev->cd_softc, fp, sfd) : POLL_ALWAYS);
}

static void
dev_inactive(struct vnode *vp)
{
	const struct cdev *dev = vp->v_cdev;

	if (dev != NULL && dev->cd_sw->d_gone != NULL)
		dev->cd_sw->d_gone(dev->cd_softc);
}

static const struct vnodeops dev_ops = {
    .v_open = dev_open,
    .v_close = dev_close,
    .v_read = dev_io,
    .v_write = dev_io,
    .v_ioctl = dev_ioctl,
    .v_poll = dev_poll,
    .v_inactive = dev_inactive,
};

int
cdev_register_at(struct cdev *dev, struct vnode *dir, struct vnode **vpp)
{
	size_t len = strlen(dev->cd_name);
	struct vnode *vp =
	    dir == NULL ? NULL : vnode_alloc(sizeof(*vp), &dev_ops, VCHR, dir, dev->cd_name, len);
	int error;

	if (vp == NULL)
		return (ENOMEM);
	vp->v_attr.va_mode = dev->cd_mode != 0 ? dev->cd_mode : 0666;
	vp->v_rdev = dev->cd_major << 8 | dev->cd_minor;
	vp->v_nlink = 0;
	vp->v_cdev = dev;
	error = ramfs_ops.v_link(dir, dev->cd_name, len, vp);
	if (error != 0)
		vp->v_cdev = NULL;
	if (error == 0 && vpp != NULL)
		*vpp = vp;
	else
		vrele(vp);
	return (error);
}

int
cdev_register(struct cdev *dev)
{
	int error = cdev_register_at(dev, devdir, NULL);

	if (error == 0) {
		dev->cd_next = cdevs;
		cdevs = dev;
	}
	return (error);
}

/* Somebody may have removed or replaced the name: then it is not ours to take away. */
void
cdev_unregister(struct cdev *dev, struct vnode *dir)
{
	size_t len = strlen(dev->cd_name);
	struct vnode *vp;

	if (ramfs_ops.v_lookup(dir, dev->cd_name, len, &vp) != 0)
		return;
	if (vp->v_cdev == dev)
		ramfs_ops.v_unlink(dir, dev->cd_name, len, false);
	vrele(vp);
}

struct vnode *
cdev_mkdir(const char *name)
{
	struct vnode *vp = NULL;

	if (devdir != NULL)
		ramfs_ops.v_create(devdir, name, strlen(name), VDIR, 0755, NULL, &vp);
	return (vp);
}

/* --- devices that need no hardware; softc is the kind ----------------------------------------- */

enum kind { DEV_NULL, DEV_ZERO, DEV_FULL, DEV_RANDOM };

static int
soft_read(void *softc, struct uio *uio, struct file *fp __unused)
{
	enum kind kind = (uintptr_t)softc;
	char buf[256];
	size_t n;
	int error = 0;

	if (kind == DEV_NULL)
		return (0);
	if (kind == DEV_ZERO || kind == DEV_FULL)
		return (uiomove(NULL, uio->uio_resid, uio));
	while (uio->uio_resid > 0 && error == 0) {
		n = MIN(uio->uio_resid, sizeof(buf));
		random_bytes(buf, n);
		error = uiomove(buf, n, uio);
	}
	return (error);
}

static int
soft_write(void *softc, struct uio *uio, struct file *fp __unused)
{
	enum kind kind = (uintptr_t)softc;
	char buf[256];
	size_t n;
	int error = 0;

	if (kind == DEV_FULL)
		return (ENOSPC);
	if (kind == DEV_NULL || kind == DEV_ZERO)
		uio->uio_resid = 0;
	while (uio->uio_resid > 0 && error == 0) {
		n = MIN(uio->uio_resid, sizeof(buf));
		error = uiomove(buf, n, uio);
		if (error == 0)
			random_stir(buf, n);
	}
	return (error);
}

/* /dev/zero is anonymous memory: a mapping's own (no object), or shared with who inherits it. */
static int
soft_mmap(void *softc, uint64_t offset, uint64_t size, vm_prot_t prot __unused, bool shared,
	  vm_object_t *object, uint64_t *phase)
{
	if ((uintptr_t)softc != DEV_ZERO)
		return (ENODEV);
	*phase = 0;
	*object = shared ? vm_object_allocate(OBJT_ANON, atop(offset + size)) : NULL;
	return (shared && *object == NULL ? ENOMEM : 0);
}

static const struct cdevsw memory_sw = {
    .d_read = soft_read, .d_write = soft_write, .d_mmap = soft_mmap, .d_seekable = true};

#define SOFT_DEVICE(name, sw, kind, major, minor)                                          \
	{                                                                                  \
		.cd_name = name, .cd_sw = sw, .cd_softc = (void *)kind, .cd_major = major, \
		.cd_minor = minor                                                          \
	}

void
devfs_init(void)
{
	static struct mount devmount = {
	    .mnt_type = "devtmpfs", .mnt_from = "udev", .mnt_magic = TMPFS_MAGIC};
	static struct mount shmmount = {
	    .mnt_type = "tmpfs", .mnt_from = "tmpfs", .mnt_magic = TMPFS_MAGIC};
	static struct cdev soft_devices[] = {
	    SOFT_DEVICE("null", &memory_sw, DEV_NULL, 1, 3),
	    SOFT_DEVICE("zero", &memory_sw, DEV_ZERO, 1, 5),
	    SOFT_DEVICE("full", &memory_sw, DEV_FULL, 1, 7),
	    SOFT_DEVICE("random", &memory_sw, DEV_RANDOM, 1, 8),
	    SOFT_DEVICE("urandom", &memory_sw, DEV_RANDOM, 1, 9),
	};

	if (ramfs_mount(&devmount, rootvnode, "dev", 0755) != 0)
		return;
	devdir = devmount.mnt_root;
	vfs_set_special(VCHR, &dev_ops);
	vfs_set_special(VBLK, &dev_ops);
	for (size_t i = 0; i < nitems(soft_devices); i++)
		cdev_register(&soft_devices[i]);
	if (ramfs_mount(&shmmount, devdir, "shm", 01777) != 0)
		klog(LOG_ERR, "/dev/shm cannot be made");
}

/* --- /proc/devices ---------------------------------------------------------------------------- */

/* Each major number, with the name of its first device. There are no block devices. */
static void
show_devices(struct text *t, struct proc *p __unused)
{
	const struct cdev *dev;

	text_add(t, "Character devices:\n");
	for (uint32_t major = 0; major < MAJORS; major++) {
		for (dev = cdevs; dev != NULL && dev->cd_major != major; dev = dev->cd_next)
			continue;
		if (dev != NULL)
			text_add(t, "%3u %s\n", major, dev->cd_name);
	}
	text_add(t, "\nBlock devices:\n");
}
PROC_FILE(devices, .path = "devices", .type = VREG, .show = show_devices);
