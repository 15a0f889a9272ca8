/*
 * Ramfs's directories: which names there are, made, taken away and moved. Owns the tree of names.
 *
 * A directory's entries are a treap: a search tree by cookie and a heap by a random number, so that
 * it is balanced whatever comes and goes. The cookie is a hash of the name, with a secret in it, and
 * counts up where names have the same; so one tree finds names and lets readdir go on from where it
 * was, whatever else is removed.
 *
 * A name holds a reference to its file, so v_inactive comes after the last name and the last user.
 */
#include "fs/ramfs.h"
#include "kern/errno.h"
#include "kern/kmalloc.h"
#include "kern/panic.h"
#include "kern/random.h"
#include "kern/string.h"

#define HASH_SHIFT 32 /* below it the cookie counts names with the same hash */
#define HASH_BITS  29
#define HASH(c)    ((c) >> HASH_SHIFT)

struct dirent {
	struct dirent *de_left, *de_right; /* (t) */
	struct vnode *de_vp; /* (t) referenced */
	uint64_t de_cookie; /* (c) its place in the tree */
	uint32_t de_priority; /* (c) no child's is larger */
	uint32_t de_len; /* (c) */
	char de_name[];
};

struct rwlock ramfs_lock = RW_INITIALIZER("ramfs tree", LR_FILE);
uint64_t ramfs_secret;

/* --- a directory's tree ----------------------------------------------------------------------- */

/* FNV-1a, and MurmurHash3's last step. */
static uint64_t
hash_name(const char *name, size_t len)
{
	uint64_t h = ramfs_secret;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 0x100000001b3ul;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdul;
	return (h ^ h >> 33);
}

/* The first from cookie on, or NULL. */
static struct dirent *
tree_ge(struct dirent *de, uint64_t cookie)
{
	struct dirent *best = NULL;

	while (de != NULL && de->de_cookie != cookie) {
		if (de->de_cookie > cookie)
			best = de;
		de = de->de_cookie > cookie ? de->de_left : de->de_right;
	}
	return (de != NULL ? de : best);
}

static void
tree_insert(struct dirent **at, struct dirent *de)
{
	struct dirent *rest, **left = &de->de_left, **right = &de->de_right;

	while (*at != NULL && (*at)->de_priority >= de->de_priority)
		at = de->de_cookie < (*at)->de_cookie ? &(*at)->de_left : &(*at)->de_right;
	rest = *at;
	*at = de;
	while (rest != NULL) { /* what was there goes to its left and its right */
		if (rest->de_cookie < de->de_cookie) {
			*left = rest;
			left = &rest->de_right;
			rest = *left;
		} else {
			*right = rest;
			right = &rest->de_left;
			rest = *right;
		}
	}
	*left = *right = NULL;
}

static void
tree_remove(struct dirent **at, struct dirent *de)
{
	struct dirent *left = de->de_left, *right = de->de_right;

	while (*at != de)
		at = de->de_cookie < (*at)->de_cookie ? &(*at)->de_left : &(*at)->de_right;
	while (left != NULL && right != NULL) {
		if (left->de_priority >= right->de_priority) {
			*at = left;
			at = &left->de_right;
			left = *at;
		} else {
			*at = right;
			at = &right->de_left;
			right = *at;
		}
	}
	*at = left != NULL ? left : right;
}

/* The entry of that name, or NULL. *cookie is its, or would be. */
static struct dirent *
entry_find(struct vnode *dir, const char *name, size_t len, uint64_t *cookie)
{
	struct dirent *root = RAMNODE(dir)->rn_entries, *de;
	uint64_t hash = hash_name(name, len) & ((1ul << HASH_BITS) - 1);

	rw_assert_locked(&ramfs_lock);
	*cookie = (hash + 1) << HASH_SHIFT; /* 0 and 1 are "." and ".." */
	while ((de = tree_ge(root, *cookie)) != NULL && HASH(de->de_cookie) == hash + 1) {
		*cookie = de->de_cookie;
		if (de->de_len == len && memcmp(de->de_name, name, len) == 0)
			return (de);
		++*cookie;
	}
	return (NULL);
}

static struct dirent *
entry_alloc(const char *name, size_t len)
{
	struct dirent *de = kmalloc(sizeof(*de) + len, M_ZERO);

	if (de == NULL)
		return (NULL);
	de->de_len = len;
	memcpy(de->de_name, name, len);
	return (de);
}

/* Name vp, to which the entry gets the caller's reference. */
static void
entry_insert(struct vnode *dir, struct dirent *de, uint64_t cookie, struct vnode *vp)
{
	rw_assert_wlocked(&ramfs_lock);
	de->de_vp = vp;
	de->de_cookie = cookie;
	random_bytes(&de->de_priority, sizeof(de->de_priority));
	tree_insert(&RAMNODE(dir)->rn_entries, de);
	dir->v_size += ENTRY_SIZE;
}

/* Take de out of the tree; its vnode, and it, are the caller's to let go of. */
static void
entry_remove(struct vnode *dir, struct dirent *de)
{
	rw_assert_wlocked(&ramfs_lock);
	tree_remove(&RAMNODE(dir)->rn_entries, de);
	dir->v_size -= ENTRY_SIZE;
}

/* --- names come and go ------------------------------------------------------------------------ */

int
ramfs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **vpp)
{
	struct dirent *de;
	uint64_t cookie;

	rw_rlock(&ramfs_lock);
	de = entry_find(dir, name, len, &cookie);
	if (de != NULL) {
		*vpp = de->de_vp;
		vref(de->de_vp);
	}
	rw_unlock(&ramfs_lock);
	return (de != NULL ? 0 : ENOENT);
}

/* vp has n names more, or less; a directory's name is also the parent's "..". */
static void
count_links(struct vnode *dir, struct vnode *vp, int n)
{
	vp->v_nlink += n;
	if (vp->v_type == VDIR)
		dir->v_nlink += n;
	vn_touch(dir, VT_MODIFY | VT_CHANGE);
	vn_touch(vp, VT_CHANGE);
}

/* A name for vp, which the name takes a reference of. ENOENT: the directory itself was removed. */
int
ramfs_link(struct vnode *dir, const char *name, size_t len, struct vnode *vp)
{
	struct dirent *de = entry_alloc(name, len);
	char *copy = kmalloc(len + 1, M_ZERO);
	struct vnode *parent = dir;
	uint64_t cookie;
	int error = 0;

	if (de == NULL || copy == NULL) {
		kfree(de);
		kfree(copy);
		return (ENOMEM);
	}
	memcpy(copy, name, len);
	vref(dir);
	rw_wlock(&ramfs_lock);
	error = entry_find(dir, name, len, &cookie) != NULL ? EEXIST : vn_may_create(dir);
	if (error == 0) {
		if (vp->v_nlink == 0) /* its only name from now on */
			vnode_set_place(vp, &parent, &copy);
		vref(vp);
		entry_insert(dir, de, cookie, vp);
		count_links(dir, vp, 1);
	}
	rw_unlock(&ramfs_lock);
	if (error != 0)
		kfree(de);
	kfree(copy);
	vrele(parent);
	return (error);
}

int
ramfs_create(struct vnode *dir, const char *name, size_t len, enum vtype type, uint32_t mode,
	     const char *target, struct vnode **vpp)
{
	struct vnode *vp = ramfs_node(dir, name, len, type, mode, target);
	int error;

	if (vp == NULL)
		return (ENOMEM);
	error = ramfs_link(dir, name, len, vp);
	if (error != 0)
		vrele(vp);
	else
		*vpp = vp;
	return (error);
}

int
ramfs_unlink(struct vnode *dir, const char *name, size_t len, bool rmdir)
{
	struct dirent *de;
	uint64_t cookie;
	int error;

	rw_wlock(&ramfs_lock);
	de = entry_find(dir, name, len, &cookie);
	error = de == NULL ? ENOENT : vn_may_delete(dir, de->de_vp, rmdir);
	if (error == 0 && rmdir && RAMNODE(de->de_vp)->rn_entries != NULL)
		error = ENOTEMPTY;
	if (error == 0) {
		entry_remove(dir, de);
		count_links(dir, de->de_vp, -1);
		if (rmdir)
			de->de_vp->v_nlink--; /* its "." */
	}
	rw_unlock(&ramfs_lock);
	if (error != 0)
		return (error);
	vrele(de->de_vp);
	kfree(de);
	return (0);
}

int
ramfs_readdir(struct vnode *dir, uint64_t *cookie, char *name, uint64_t *ino, enum vtype *type)
{
	struct dirent *de;

	rw_rlock(&ramfs_lock);
	de = tree_ge(RAMNODE(dir)->rn_entries, *cookie);
	if (de != NULL) {
		memcpy(name, de->de_name, de->de_len);
		name[de->de_len] = '\0';
		*ino = de->de_vp->v_ino;
		*type = de->de_vp->v_type;
		*cookie = de->de_cookie + 1;
	}
	rw_unlock(&ramfs_lock);
	return (de != NULL ? 0 : ENOENT);
}

/* --- and move --------------------------------------------------------------------------------- */

/* One that is under way; what is allocated before, or to be let go of after, the lock is held. */
struct rename {
	struct vnode *fdir, *tdir;
	struct dirent *from, *to; /* entries; to NULL: there is none */
	uint64_t cookie; /* of the new entry */
	struct dirent *spare; /* the new entry, or the old one */
	char *name[2]; /* what the moved, and an exchanged one, will be called; or were */
	struct vnode *parent[2]; /* where; or were. Referenced */
	struct vnode *victim; /* what lost its name */
};

static bool
rename_alloc(struct rename *r, struct nameidata *from, struct nameidata *to)
{
	*r = (struct rename){.fdir = from->nd_dir, .tdir = to->nd_dir};
	r->parent[0] = r->tdir;
	r->parent[1] = r->fdir;
	vref(r->parent[0]);
	vref(r->parent[1]);
	r->spare = entry_alloc(to->nd_last, to->nd_len);
	r->name[0] = kmalloc(to->nd_len + 1, M_ZERO);
	r->name[1] = kmalloc(from->nd_len + 1, M_ZERO);
	if (r->spare == NULL || r->name[0] == NULL || r->name[1] == NULL)
		return (false);
	memcpy(r->name[0], to->nd_last, to->nd_len);
	memcpy(r->name[1], from->nd_last, from->nd_len);
	return (true);
}

static void
rename_free(struct rename *r)
{
	kfree(r->spare);
	kfree(r->name[0]);
	kfree(r->name[1]);
	vrele(r->parent[0]);
	vrele(r->parent[1]);
	vrele(r->victim);
}

/* The refusals, in Linux's order. */
static int
rename_check(const struct rename *r, const struct nameidata *from, const struct nameidata *to,
	     int flags)
{
	struct vnode *vp = r->from != NULL ? r->from->de_vp : NULL;
	struct vnode *target = r->to != NULL ? r->to->de_vp : NULL;
	bool exchange = (flags & RENAME_EXCHANGE) != 0;
	int error;

	if (vp == NULL || (exchange && target == NULL))
		return (ENOENT);
	if ((flags & RENAME_NOREPLACE) != 0 && target != NULL)
		return (EEXIST);
	if (vp->v_type != VDIR && (from->nd_slash || (!exchange && to->nd_slash)))
		return (ENOTDIR);
	if (exchange && target->v_type != VDIR && to->nd_slash)
		return (ENOTDIR);
	if (vp->v_type == VDIR && vnode_is_above(vp, r->tdir))
		return (EINVAL);
	if (target != NULL && target->v_type == VDIR && vnode_is_above(target, r->fdir))
		return (exchange ? EINVAL : ENOTEMPTY);
	if (vp == target)
		return (0);
	error = vn_may_delete(r->fdir, vp, vp->v_type == VDIR);
	if (error == 0 && target == NULL)
		error = vn_may_create(r->tdir);
	else if (error == 0)
		error = vn_may_delete(r->tdir, target, (exchange ? target : vp)->v_type == VDIR);
	if (error == 0 && r->fdir != r->tdir && vp->v_type == VDIR)
		error = vaccess(vp, VWRITE);
	if (error == 0 && exchange && r->fdir != r->tdir && target->v_type == VDIR)
		error = vaccess(target, VWRITE);
	if (error == 0 && !exchange && target != NULL && target->v_type == VDIR &&
	    RAMNODE(target)->rn_entries != NULL)
		error = ENOTEMPTY;
	return (error);
}

static void
rename_exchange(struct rename *r)
{
	struct vnode *vp = r->from->de_vp, *other = r->to->de_vp;

	count_links(r->tdir, vp, 1); /* first: who looks must never see none */
	count_links(r->fdir, other, 1);
	count_links(r->fdir, vp, -1);
	count_links(r->tdir, other, -1);
	r->from->de_vp = other;
	r->to->de_vp = vp;
	vnode_set_place(vp, &r->parent[0], &r->name[0]);
	vnode_set_place(other, &r->parent[1], &r->name[1]);
}

static void
rename_move(struct rename *r)
{
	struct vnode *vp = r->from->de_vp;

	entry_remove(r->fdir, r->from);
	count_links(r->tdir, vp, 1); /* first: who looks must never see none */
	count_links(r->fdir, vp, -1);
	if (r->to != NULL) {
		r->victim = r->to->de_vp;
		count_links(r->tdir, r->victim, -1);
		if (r->victim->v_type == VDIR)
			r->victim->v_nlink--; /* its "." */
		r->to->de_vp = vp;
	} else {
		entry_insert(r->tdir, r->spare, r->cookie, vp);
		r->spare = NULL;
	}
	kfree(r->from);
	vnode_set_place(vp, &r->parent[0], &r->name[0]);
}

int
ramfs_rename(struct nameidata *from, struct nameidata *to, int flags)
{
	struct rename r;
	uint64_t cookie;
	int error = ENOMEM;

	if (rename_alloc(&r, from, to)) {
		rw_wlock(&ramfs_lock);
		r.from = entry_find(r.fdir, from->nd_last, from->nd_len, &cookie);
		r.to = entry_find(r.tdir, to->nd_last, to->nd_len, &r.cookie);
		error = rename_check(&r, from, to, flags);
		if (error == 0 && r.to != NULL && r.to->de_vp == r.from->de_vp)
			; /* two names of one file: both stay */
		else if (error == 0 && (flags & RENAME_EXCHANGE) != 0)
			rename_exchange(&r);
		else if (error == 0)
			rename_move(&r);
		rw_unlock(&ramfs_lock);
	}
	rename_free(&r);
	return (error);
}
