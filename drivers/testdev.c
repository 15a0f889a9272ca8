/*
 * The test devices: /dev/testdev, testraw, testraw2 and testblock, with `testdev` on the command line.
 *
 * Their frames are RAM that is taken from the page allocator for good. Those of /dev/testdev are
 * marked fictitious, so that the VM deals with them as with a real device's: nobody queues, frees
 * or moves them. The raw devices make a page for each index, and the frames' own pages are not
 * used.
 */
#include "drivers/drivers.h"
#include "drivers/testdev.h"
#include "fs/vnode.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/string.h"
#include "vm/vm_object.h"
#include "vm/vm_page.h"
#include "vm/vm_pager.h"

#define TESTDEV_MAJOR 60 /* Linux leaves it to local experiments */
#define TESTDEV_ORDER 10 /* 1024 frames */
#define TESTRAW_ORDER 4 /* 16 frames */
_Static_assert(1 << TESTDEV_ORDER == TESTDEV_PAGES && 1 << TESTRAW_ORDER == TESTRAW_FRAMES,
	       "blocks of frames");

vm_page_t
testdev_frame(struct testdev *td, vm_pindex_t index)
{
	return (&td->frames[index % td->nframes]);
}

bool
testdev_gone(struct testdev *td)
{
	bool gone;

	mtx_lock(&td->mtx);
	gone = td->gone;
	mtx_unlock(&td->mtx);
	return (gone);
}

static int
testdev_open(void *softc, struct file *fp __unused)
{
	return (testdev_gone(softc) ? ENXIO : 0);
}

/* A program that ends must not wait for a page that a breach left busied. */
static void
testdev_close(void *softc, struct file *fp __unused)
{
	testdev_mend(softc);
}

/* The frames themselves, past the pager. */
static int
testdev_io(void *softc, struct uio *uio, struct file *fp __unused)
{
	struct testdev *td = softc;
	uint64_t size = ptoa(td->npages), at = uio->uio_offset;
	uint8_t *frame;
	int error = 0;

	if (at >= size)
		return (uio->uio_write && uio->uio_resid > 0 ? ENOSPC : 0);
	for (; uio->uio_resid > 0 && at < size && error == 0; at = uio->uio_offset) {
		frame = pmap_page_kva(testdev_frame(td, atop(at)));
		error = uiomove(frame + (at & PAGE_MASK),
				MIN(uio->uio_resid, PAGE_SIZE - (at & PAGE_MASK)), uio);
	}
	return (error);
}

static uint64_t
testdev_size(void *softc)
{
	return (ptoa(((struct testdev *)softc)->npages));
}

static int
testdev_mmap(void *softc, uint64_t offset, uint64_t size, vm_prot_t prot, bool shared __unused,
	     vm_object_t *object, uint64_t *phase)
{
	struct testdev *td = softc;
	int error;

	if (offset > testdev_size(td) || size > testdev_size(td) - offset)
		return (EINVAL);
	if (testdev_gone(td))
		return (ENXIO);
	*object = testdev_object(td, prot, &error);
	*phase = td->raw && !td->blocks ? 0 : td->frames->phys_addr;
	return (*object != NULL ? 0 : error);
}

/* --- ioctl ------------------------------------------------------------------------------------ */

static bool
request_valid(const struct testdev_request *q)
{
	uint64_t length = q->action == TESTDEV_IDLE ? PAGE_SIZE : q->length;

	return ((q->flags & ~TESTDEV_FLAGS) == 0 && q->answer <= TESTDEV_AGAIN &&
		q->breach < TESTDEV_NBREACHES && q->action < TESTDEV_NACTIONS &&
		(q->prot & ~VM_PROT_ALL) == 0 && ((q->addr | length) & PAGE_MASK) == 0 &&
		length != 0 && length < VM_MAXUSER_ADDRESS &&
		q->addr <= VM_MAXUSER_ADDRESS - length);
}

static int
set_request(struct testdev *td, void *uaddr)
{
	struct testdev_request q;
	int error = copyin(uaddr, &q, sizeof(q));

	if (error != 0)
		return (error);
	if (!request_valid(&q) || (td->raw && q.action == TESTDEV_REVOKE))
		return (EINVAL);
	testdev_mend(td);
	mtx_lock(&td->mtx);
	td->request = q;
	td->told = false;
	mtx_unlock(&td->mtx);
	return (0);
}

static int
get_record(struct testdev *td, void *uaddr)
{
	struct testdev_record record;

	mtx_lock(&td->mtx);
	record = td->record;
	mtx_unlock(&td->mtx);
	return (copyout(&record, uaddr, sizeof(record)));
}

static int
get_page(struct testdev *td, void *uaddr)
{
	vm_object_t object;
	struct testdev_page p;
	vm_page_t m;
	int error = copyin(uaddr, &p, sizeof(p));

	if (error != 0)
		return (error);
	p = (struct testdev_page){.index = p.index};
	object = cdev_pager_lookup(td);
	if (object != NULL) {
		VM_OBJECT_RLOCK(object);
		m = vm_page_lookup(object, p.index);
		if (m != NULL) {
			p.resident = true;
			p.valid = m->valid;
			p.dirty = m->dirty;
			p.busied = vm_page_busied(m);
			p.mapped = pmap_page_is_mapped(m);
			p.wirings = m->wire_count;
			p.holds = m->hold_count;
		}
		VM_OBJECT_UNLOCK(object);
		vm_object_deallocate(object);
	}
	return (copyout(&p, uaddr, sizeof(p)));
}

static int
take_pages(struct testdev *td, vm_pindex_t first, vm_pindex_t last)
{
	vm_object_t object;

	if (td->raw)
		return (EOPNOTSUPP); /* nobody knows who maps an unmanaged page */
	if (first > last || last >= td->npages)
		return (EINVAL);
	object = cdev_pager_lookup(td);
	if (object == NULL)
		return (0);
	cdev_pager_revoke(object, first, last + 1);
	vm_object_deallocate(object);
	return (0);
}

static int
take_range(struct testdev *td, void *uaddr)
{
	struct testdev_range range;
	int error = copyin(uaddr, &range, sizeof(range));

	return (error != 0 ? error : take_pages(td, range.first, range.last));
}

static int
wake(struct testdev *td)
{
	mtx_lock(&td->mtx);
	td->told = true;
	mtx_unlock(&td->mtx);
	wakeup(&td->told);
	return (0);
}

/* The pages of a raw device stay where they are mapped; no new ones come. */
static int
destroy(struct testdev *td, bool gone)
{
	mtx_lock(&td->mtx);
	td->gone = gone;
	mtx_unlock(&td->mtx);
	return (gone && !td->raw ? take_pages(td, 0, td->npages - 1) : 0);
}

static int
testdev_ioctl(void *softc, uint64_t cmd, uint64_t arg, struct file *fp __unused)
{
	struct testdev *td = softc;
	void *uaddr = (void *)arg;

	switch (cmd) {
	case TESTDEV_SET:
		return (set_request(td, uaddr));
	case TESTDEV_GET:
		return (get_record(td, uaddr));
	case TESTDEV_PAGE:
		return (get_page(td, uaddr));
	case TESTDEV_TAKE:
		return (take_range(td, uaddr));
	case TESTDEV_WAKE:
		return (wake(td));
	case TESTDEV_DESTROY:
		return (destroy(td, arg != 0));
	default:
		return (ENOTTY);
	}
}

/* --- the devices ------------------------------------------------------------------------------ */

static const struct cdevsw testdev_cdevsw = {
    .d_open = testdev_open,
    .d_close = testdev_close,
    .d_read = testdev_io,
    .d_write = testdev_io,
    .d_ioctl = testdev_ioctl,
    .d_mmap = testdev_mmap,
    .d_seekable = true,
    .d_size = testdev_size,
};

static struct testdev devices[] = {
    {.cdev.cd_name = "testdev", .npages = TESTDEV_PAGES, .nframes = TESTDEV_PAGES},
    {.cdev.cd_name = "testraw", .raw = true, .npages = TESTRAW_PAGES, .nframes = TESTRAW_FRAMES},
    {.cdev.cd_name = "testraw2", .raw = true, .npages = TESTRAW_PAGES, .nframes = TESTRAW_FRAMES},
    {.cdev.cd_name = "testblock",
     .raw = true,
     .blocks = true,
     .npages = TESTBLOCK_PAGES,
     .nframes = TESTBLOCK_FRAMES},
};

static int
attach(struct testdev *td, vm_page_t frames)
{
	td->cdev.cd_sw = &testdev_cdevsw;
	td->cdev.cd_softc = td;
	td->cdev.cd_major = TESTDEV_MAJOR;
	td->cdev.cd_minor = td - devices;
	td->frames = frames;
	mtx_init(&td->mtx, td->cdev.cd_name, LR_LEAF);
	rw_init(&td->extra, "a lock too many", LR_FILE);
	return (cdev_register(&td->cdev));
}

int
testdev_probe(void)
{
	vm_page_t own, raw;
	int error = 0;

	if (cmdline_get("testdev") == NULL)
		return (ENODEV);
	own = vm_phys_alloc(TESTDEV_ORDER, VM_ALLOC_ZERO);
	if (own == NULL)
		return (ENOMEM);
	raw = vm_phys_alloc(TESTRAW_ORDER, VM_ALLOC_ZERO);
	if (raw == NULL) {
		vm_phys_free(own, TESTDEV_ORDER);
		return (ENOMEM);
	}
	for (vm_page_t m = own; m < own + TESTDEV_PAGES; m++)
		m->flags |= PG_FICTITIOUS;
	for (struct testdev *td = devices; td < devices + nitems(devices) && error == 0; td++)
		error = attach(td, td->raw && !td->blocks ? raw : own);
	return (error);
}
