/*
 * Unpacks the initrd: cpio archives of the "newc" kind, one after the other with zeros in between.
 * Nothing in them is trusted: a bad entry is one log line, and what comes before it stays.
 */
#include "fs/vnode.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/string.h"

/* A header is the magic number and 13 fields of 8 hex digits, then the name, padded to 4 bytes. */
#define HEADER_LEN 110ul
/* clang-format off */
enum {
	F_INO, F_MODE, F_UID, F_GID, F_NLINK, F_MTIME, F_SIZE, F_MAJOR, F_MINOR, F_RMAJOR, F_RMINOR,
};
/* clang-format on */
enum { F_NAMESIZE = 11, F_CHECK, F_COUNT };
enum { CPIO_TYPE = 0170000, CPIO_DIR = 0040000, CPIO_REG = 0100000, CPIO_LNK = 0120000 };

struct entry {
	uint32_t field[F_COUNT];
	const char *name; /* in the archive, with its NUL */
	const uint8_t *data; /* field[F_SIZE] bytes */
	enum vtype type; /* 0: none of ours */
};

/* Files with several names of which more may follow, until the archive's end. */
struct link {
	struct link *next;
	uint32_t ino, major, minor;
	struct vnode *vp; /* referenced */
};

static bool
parse_hex(const uint8_t *p, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 8; i++) {
		uint8_t lower = p[i] | 0x20;

		if (!(p[i] >= '0' && p[i] <= '9') && !(lower >= 'a' && lower <= 'f'))
			return (false);
		*value = *value << 4 | (p[i] <= '9' ? p[i] - '0' : lower - 'a' + 10);
	}
	return (true);
}

/* Take the entry at *p apart and step over it. NULL, or what is wrong with it. */
static const char *
parse_entry(const uint8_t **p, const uint8_t *end, struct entry *e)
{
	size_t left = end - *p, head;
	uint32_t mode;

	if (left < HEADER_LEN)
		return ("truncated header");
	if (memcmp(*p, "07070", 5) != 0 || ((*p)[5] != '1' && (*p)[5] != '2'))
		return ("no newc header");
	for (int i = 0; i < F_COUNT; i++)
		if (!parse_hex(*p + 6 + 8 * i, &e->field[i]))
			return ("bad number in header");
	if (e->field[F_NAMESIZE] == 0 || e->field[F_NAMESIZE] > PATH_MAX)
		return ("bad name size");
	head = roundup2(HEADER_LEN + e->field[F_NAMESIZE], 4);
	if (left < head || left - head < e->field[F_SIZE])
		return ("truncated entry");
	e->name = (const char *)*p + HEADER_LEN;
	if (e->name[e->field[F_NAMESIZE] - 1] != '\0')
		return ("name without end");
	e->data = *p + head;
	*p += MIN(left, head + roundup2((size_t)e->field[F_SIZE], 4));
	mode = e->field[F_MODE] & CPIO_TYPE;
	e->type = mode == CPIO_DIR ? VDIR : mode == CPIO_REG ? VREG : mode == CPIO_LNK ? VLNK : 0;
	return (NULL);
}

/* Not a name that could leave the root: "/..." or with a ".." in it. */
static bool
name_ok(const char *name)
{
	if (*name == '/')
		return (false);
	for (const char *s = name; s != NULL; s = strchr(s, '/')) {
		s += *s == '/' ? 1 : 0;
		if (s[0] == '.' && s[1] == '.' && (s[2] == '/' || s[2] == '\0'))
			return (false);
	}
	return (true);
}

/* Make the directories on the way to path, but for those that are there. */
static int
make_parents(char *path)
{
	struct nameidata nd;
	struct vnode *vp;
	int error = 0;

	for (char *s = strchr(path, '/'); s != NULL && error == 0; s = strchr(s + 1, '/')) {
		*s = '\0';
		error = namei_last(NULL, path, true, &nd);
		*s = '/';
		if (error != 0)
			break;
		if (nd.nd_vp == NULL) {
			error = vn_create(&nd, VDIR, 0755, NULL, &vp);
			vrele(error == 0 ? vp : NULL);
		}
		nd_release(&nd);
	}
	return (error);
}

static struct link *
link_find(struct link *link, const struct entry *e)
{
	while (link != NULL && (link->ino != e->field[F_INO] || link->major != e->field[F_MAJOR] ||
				link->minor != e->field[F_MINOR]))
		link = link->next;
	return (link);
}

static int
link_add(struct link **links, const struct entry *e, struct vnode *vp)
{
	struct link *link = kmalloc(sizeof(*link), 0);

	if (link == NULL)
		return (ENOMEM);
	*link = (struct link){*links, e->field[F_INO], e->field[F_MAJOR], e->field[F_MINOR], vp};
	vref(vp);
	*links = link;
	return (0);
}

static void
links_free(struct link **links)
{
	struct link *link;

	while ((link = *links) != NULL) {
		*links = link->next;
		vrele(link->vp);
		kfree(link);
	}
}

/* Make what e says at nd, replacing what is there but for directories; *vpp is it, and to be
 * filled if it is a file. */
static int
make_node(struct nameidata *nd, const struct entry *e, struct link **links, char *target,
	  struct vnode **vpp)
{
	bool linked = e->type == VREG && e->field[F_NLINK] > 1;
	struct link *link = linked ? link_find(*links, e) : NULL;
	int error = 0;

	if (nd->nd_vp != NULL && nd->nd_vp->v_type == VDIR && e->type == VDIR) {
		*vpp = nd->nd_vp;
		vref(*vpp);
		return (0);
	}
	if (nd->nd_vp != NULL && nd->nd_vp->v_type == VCHR)
		return (EEXIST);
	if (nd->nd_vp != NULL)
		error = vn_unlink(nd, false);
	if (error == 0 && link != NULL) {
		*vpp = link->vp;
		vref(link->vp);
		return (vn_link(nd, link->vp));
	}
	if (e->type == VLNK && error == 0) {
		if (e->field[F_SIZE] == 0 || e->field[F_SIZE] >= PATH_MAX)
			return (EINVAL);
		memcpy(target, e->data, e->field[F_SIZE]);
		target[e->field[F_SIZE]] = '\0';
	}
	if (error == 0)
		error = vn_create(nd, e->type, e->field[F_MODE] & 07777, target, vpp);
	return (error == 0 && linked ? link_add(links, e, *vpp) : error);
}

/* Owner, mode and time as e says; what is mounted there keeps its own. */
static void
set_attributes(struct vnode *vp, const struct entry *e)
{
	const uint64_t mtime = e->field[F_MTIME] * 1000000000ul;

	if (vp->v_mount->mnt_root == vp)
		return;
	vn_chown(vp, e->field[F_UID], e->field[F_GID]);
	if (vp->v_type != VLNK)
		vn_chmod(vp, e->field[F_MODE] & 07777);
	if (vp->v_type != VDIR || mtime != 0) /* folders that only lead to a file have none */
		vn_set_times(vp, VT_MODIFY, &(struct vattr){.va_mtime = mtime});
}

/* path: PATH_MAX bytes to work with. */
static int
unpack_entry(const struct entry *e, struct link **links, char *path)
{
	struct vnode *vp = NULL;
	struct nameidata nd;
	int error;

	if (e->type == 0)
		return (EOPNOTSUPP);
	if (!name_ok(e->name))
		return (EPERM);
	strlcpy(path, e->name, PATH_MAX);
	error = make_parents(path);
	if (error == 0)
		error = namei_last(NULL, path, false, &nd);
	if (error != 0)
		return (error);
	error = make_node(&nd, e, links, path, &vp);
	if (error == 0 && e->type == VREG && vp->v_type != VREG)
		error = EEXIST; /* a device has that name */
	else if (error == 0 && e->type == VREG && e->field[F_SIZE] > 0)
		ramfs_set_image(vp, e->data, e->field[F_SIZE]);
	if (error == 0)
		set_attributes(vp, e);
	vrele(vp);
	nd_release(&nd);
	return (error);
}

void
cpio_unpack(const uint8_t *start, size_t len)
{
	const uint8_t *p = start, *end = start + len;
	char *path = kmalloc(PATH_MAX, 0);
	struct link *links = NULL;
	const char *bad = NULL;
	struct entry e;
	int error = 0;

	if (path == NULL) {
		klog(LOG_ERR, "initrd: no memory to unpack it");
		return;
	}
	while (error != ENOMEM && error != ENOSPC) {
		while (p < end && *p == 0) /* between archives */
			p++;
		if (p == end)
			break;
		bad = parse_entry(&p, end, &e);
		if (bad != NULL) {
			klog(LOG_ERR, "initrd: %s at byte %zu: the rest is left out", bad,
			     (size_t)(p - start));
			break;
		}
		if (strcmp(e.name, "TRAILER!!!") == 0) {
			links_free(&links);
			continue;
		}
		error = unpack_entry(&e, &links, path);
		if (error != 0)
			klog(LOG_WARNING, "initrd: %s is left out: error %d", e.name, error);
	}
	links_free(&links);
	kfree(path);
}
