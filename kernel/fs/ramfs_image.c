/*
 * Files whose bytes are in the initrd. A page that is absent is as in there, and is copied when it
 * is mapped or written: so it is clean until it is written, and may be dropped. (The initrd's own
 * frames cannot be mapped, because cpio aligns a file to 4 bytes only.) What a truncation or a hole
 * took away is the initrd's no more.
 */
#include "fs/ramfs.h"
#include "kern/string.h"
#include "vm/vm_page.h"

const uint8_t *
ramfs_image_bytes(const struct ramnode *rn, uint64_t offset, size_t *n)
{
	uint64_t size = __atomic_load_n(&rn->rn_image_size, __ATOMIC_RELAXED);

	if (offset >= size)
		return (NULL);
	*n = MIN(*n, size - offset);
	return (rn->rn_image + offset);
}

int
ramfs_page_fill(void *handle, vm_page_t m)
{
	size_t n = PAGE_SIZE;
	const uint8_t *bytes = ramfs_image_bytes(handle, ptoa(m->pindex), &n);
	uint8_t *page = pmap_page_kva(m);

	if (bytes == NULL) {
		pmap_zero_page(m);
		return (0);
	}
	memcpy(page, bytes, n);
	memset(page + n, 0, PAGE_SIZE - n);
	return (0);
}

void
ramfs_image_cut(struct ramnode *rn, uint64_t size)
{
	VM_OBJECT_WLOCK(rn->rn_object);
	rn->rn_image_size = MIN(rn->rn_image_size, size);
	VM_OBJECT_UNLOCK(rn->rn_object);
}

void
ramfs_set_image(struct vnode *vp, const uint8_t *bytes, uint64_t size)
{
	struct ramnode *rn = RAMNODE(vp);

	rw_wlock(&vp->v_lock);
	vp->v_size = size;
	rn->rn_image = bytes;
	rn->rn_image_size = size;
	vm_object_set_size(rn->rn_object, atop(round_page(size)));
	rw_unlock(&vp->v_lock);
}
