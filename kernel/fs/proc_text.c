/*
 * The text of a file of /proc: made piece by piece as somebody reads on, kept from one read to the
 * next in the open file, so that a long file read in small parts is made once.
 */
#include "fs/procfs.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/sysctl.h"

#define LINE_MAX 512

/* Locks: (l) lock */
struct proctext {
	struct rwlock lock; /* rank LR_FILE: held over the copy to the reader, as v_lock may be */
	struct text text; /* (l) the piece that was made last */
	uint64_t start; /* (l) where in the file it begins */
	bool begun; /* (l) there is one */
};

bool
text_room(struct text *t, size_t n)
{
	size_t size = MAX(t->size, PAGE_SIZE);
	char *buf;

	while (size - t->len < n)
		size *= 2;
	if (size == t->size)
		return (true);
	buf = kmalloc(size, 0);
	if (buf == NULL) {
		t->lost = true;
		return (false);
	}
	memcpy(buf, t->buf, t->len);
	kfree(t->buf);
	t->buf = buf;
	t->size = size;
	return (true);
}

void
text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	if (!text_room(t, LINE_MAX))
		return;
	va_start(ap, fmt);
	t->len += MIN(kvsnprintf(t->buf + t->len, LINE_MAX, fmt, ap), LINE_MAX - 1);
	va_end(ap);
}

void
text_add_kb(struct text *t, const char *name, uint64_t pages)
{
	text_add(t, "%s:%*lu kB\n", name, 23 - (int)strlen(name), pages << 2);
}

void
text_add_path(struct text *t, struct vnode *vp)
{
	if (vp != NULL && text_room(t, PATH_MAX))
		t->len += vnode_path(vp, t->buf + t->len, PATH_MAX);
}

static void
show_sysctl(struct text *t, const struct sysctl *sc)
{
	size_t len = LINE_MAX - 1;

	while (text_room(t, len + 1)) {
		len = (size_t)sc->sc_show(t->buf, t->size);
		if (len < t->size) {
			t->len = len;
			return;
		}
	}
}

/* The piece of vp's file that t->next says, in place of what t has. That of a process that is gone
 * is ESRCH. */
static int
render(struct vnode *vp, struct text *t)
{
	struct procnode *pn = PROCNODE(vp);
	struct proc *p = procfs_proc(vp);

	if (pn->pn_id.pid != 0 && p == NULL)
		return (ESRCH);
	t->len = 0;
	t->lost = false;
	t->tid = pn->pn_id.tid;
	t->fd = pn->pn_id.fd;
	if (pn->pn_sysctl != NULL)
		show_sysctl(t, pn->pn_sysctl);
	else if (pn->pn_file->text != NULL)
		text_add(t, "%s", pn->pn_file->text);
	else
		pn->pn_file->show(t, p);
	if (p != NULL)
		proc_rele(p);
	return (t->lost ? ENOMEM : 0);
}

/* Make pt->text the piece that has offset at, or an empty one past the end. */
static int
seek_piece(struct vnode *vp, struct proctext *pt, uint64_t at)
{
	int error = 0;

	rw_assert_wlocked(&pt->lock);
	if (!pt->begun || at < pt->start || at == 0) {
		pt->text.next = pt->start = 0;
		error = render(vp, &pt->text);
	}
	while (error == 0 && at >= pt->start + pt->text.len && pt->text.next != 0) {
		pt->start += pt->text.len;
		error = render(vp, &pt->text);
	}
	pt->begun = error == 0;
	return (error);
}

int
proctext_open(struct vnode *vp, struct file *fp)
{
	const struct proc_file *f = PROCNODE(vp)->pn_file;
	struct proctext *pt;

	if (vp->v_type != VREG)
		return (0);
	if (f != NULL && f->private && procfs_may_look(vp) != 0)
		return (EACCES);
	pt = kmalloc(sizeof(*pt), M_ZERO);
	if (pt == NULL)
		return (ENOMEM);
	rw_init(&pt->lock, "text of /proc", LR_FILE);
	fp->f_data = pt;
	return (0);
}

void
proctext_close(struct vnode *vp __unused, struct file *fp)
{
	struct proctext *pt = fp->f_data;

	if (pt != NULL)
		kfree(pt->text.buf);
	kfree(pt);
}

int
proctext_read(struct vnode *vp, struct uio *uio, struct file *fp)
{
	struct proctext *pt = fp != NULL ? fp->f_data : NULL;
	size_t n = 1;
	int error = 0;

	if (pt == NULL)
		return (EINVAL);
	rw_wlock(&pt->lock);
	while (error == 0 && uio->uio_resid > 0 && n > 0) {
		error = seek_piece(vp, pt, uio->uio_offset);
		n = error == 0
			? pt->start + pt->text.len - MIN(uio->uio_offset, pt->start + pt->text.len)
			: 0;
		n = MIN(n, uio->uio_resid);
		if (n > 0)
			error = uiomove(pt->text.buf + (uio->uio_offset - pt->start), n, uio);
	}
	if (n == 0) { /* the end: nobody reads on */
		kfree(pt->text.buf);
		pt->text = (struct text){0};
		pt->begun = false;
	}
	rw_unlock(&pt->lock);
	return (error);
}

int
proctext_readlink(struct vnode *vp, char *buf, size_t size)
{
	struct text t = {0};
	int error = procfs_may_look(vp);

	if (error == 0)
		error = render(vp, &t);

	if (error == 0 && (t.buf == NULL || t.len >= size))
		error = t.buf == NULL ? ENOENT : ENAMETOOLONG;
	if (error == 0) {
		memcpy(buf, t.buf, t.len);
		buf[t.len] = '\0';
	}
	kfree(t.buf);
	return (error);
}
