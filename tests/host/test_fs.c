/*
 * Tests of kernel/fs: path names, ramfs's files against a model in plain memory, and cpio archives
 * good, bad and random. The file systems run on the real VM, as all host tests do.
 */
#include "harness.h"
#include "fs/vnode.h"
#include "kern/cred.h"
#include "kern/lockf.h"
#include "kern/machdep.h"
#include "kern/random.h"
#include <stdio.h>
#include <stdlib.h>

/* What vfs and ramfs need of the kernel. All are root, in one root directory. User memory is ours; null pages are bad. */
static bool
bad_user(const void *uaddr)
{
	return ((uintptr_t)uaddr < 0x10000);
}

int
copyin(const void *uaddr, void *kaddr, size_t len)
{
	return (bad_user(uaddr) ? EFAULT : (memcpy(kaddr, uaddr, len), 0));
}

int
copyout(const void *kaddr, void *uaddr, size_t len)
{
	return (bad_user(uaddr) ? EFAULT : (memcpy(uaddr, kaddr, len), 0));
}

int
clearuser(void *uaddr, size_t len)
{
	return (bad_user(uaddr) ? EFAULT : (memset(uaddr, 0, len), 0));
}

uint64_t
clock_wall(void)
{
	return (1);
}

struct vnode *
pwd_root(void)
{
	vref(rootvnode);
	return (rootvnode);
}

const struct vnode *
pwd_root_peek(void)
{
	return (rootvnode);
}

bool
capable(unsigned cap)
{
	(void)cap;
	return (true);
}

const struct ucred *
curcred(void)
{
	static const struct ucred root;

	return (&root);
}

bool
cr_groupmember(const struct ucred *cr, uint32_t gid)
{
	return (gid == cr->cr_fsgid);
}

void
lockf_free(struct lockf_list *list)
{
	T_OK(list == NULL);
}

void
random_bytes(void *buf, size_t len)
{
	for (uint8_t *p = buf; len > 0; p++, len--)
		*p = rand() >> 8;
}

size_t
strlcpy(char *restrict dst, const char *restrict src, size_t size)
{
	size_t len = strlen(src), n = size == 0 ? 0 : MIN(len, size - 1);

	memcpy(dst, src, n);
	if (size != 0)
		dst[n] = '\0';
	return (len);
}

/* --- help ------------------------------------------------------------------------------------- */

static void
remove_tree(struct vnode *dir)
{
	char name[NAME_MAX + 1];
	enum vtype type;
	struct vnode *vp;
	uint64_t cookie, ino;

	for (;;) {
		cookie = 2;
		if (dir->v_ops->v_readdir(dir, &cookie, name, &ino, &type) != 0)
			return;
		if (type == VDIR) {
			T_EQ(dir->v_ops->v_lookup(dir, name, strlen(name), &vp), 0);
			remove_tree(vp);
			vrele(vp);
		}
		T_EQ(dir->v_ops->v_unlink(dir, name, strlen(name), type == VDIR), 0);
	}
}

static void
fs_end(void)
{
	remove_tree(rootvnode);
	T_EQ(rootvnode->v_nlink, 2);
	T_EQ(rootvnode->v_refs, 1);
	vrele(rootvnode);
}

static struct vnode *
make(const char *path, enum vtype type, const char *target)
{
	struct nameidata nd;

	T_EQ(namei_last(NULL, path, false, &nd), 0);
	T_OK(nd.nd_vp == NULL);
	T_EQ(vn_create(&nd, type, 0644, target, &nd.nd_vp), 0);
	vrele(nd.nd_dir);
	return (nd.nd_vp);
}

static int
look(const char *path, bool follow)
{
	struct vnode *vp = NULL;
	int error = namei(NULL, path, follow, &vp);

	if (error == 0)
		vrele(vp);
	return (error);
}

/* --- path names ------------------------------------------------------------------------------- */

static void
test_names(void)
{
	char path[PATH_MAX + 600], text[PATH_MAX];
	struct vnode *vp, *file;

	T_EQ(ramfs_init(), 0);
	vrele(make("/a", VDIR, NULL));
	vrele(make("a//b/", VDIR, NULL));
	file = make("/a/./b/../b/f", VREG, NULL);
	vrele(make("/l", VLNK, "a/b"));
	vrele(make("/abs", VLNK, "/l/f"));
	vrele(make("/loop", VLNK, "loop"));
	vrele(make("/slash", VLNK, "/"));
	vrele(make("/dangling", VLNK, "a/none"));
	T_EQ(namei(NULL, "//abs", true, &vp), 0);
	T_OK(vp == file);
	T_EQ(vnode_path(vp, text, sizeof(text)), 6);
	T_OK(strcmp(text, "/a/b/f") == 0);
	vrele(vp);
	T_EQ(namei(NULL, "abs", false, &vp), 0);
	T_EQ(vp->v_type, VLNK);
	vrele(vp);
	T_EQ(look("/", true), 0);
	T_EQ(look("/../..//", true), 0);
	T_EQ(look("", true), ENOENT);
	T_EQ(look("/slash/slash/a", true), 0);
	T_EQ(look("l/", false), 0);
	T_EQ(look("/a/b/f/", true), ENOTDIR);
	T_EQ(look("/abs/", true), ENOTDIR);
	T_EQ(look("/a/b/f/x", true), ENOTDIR);
	T_EQ(look("/a/b/f/..", true), ENOTDIR);
	T_EQ(look("/x/y", true), ENOENT);
	T_EQ(look("/dangling", true), ENOENT);
	T_EQ(look("/dangling", false), 0);
	T_EQ(look("/loop", true), ELOOP);
	T_EQ(look("/loop", false), 0);
	T_EQ(look("/loop/x", false), ELOOP);
	memset(path, 'n', 256);
	path[256] = '\0';
	T_EQ(look(path, true), ENAMETOOLONG);
	path[255] = '\0';
	T_EQ(look(path, true), ENOENT);
	strlcpy(path, "slash/", sizeof(path));
	memset(path + 6, '/', PATH_MAX - 8);
	path[PATH_MAX - 2] = 'a';
	path[PATH_MAX - 1] = '\0';
	T_EQ(look(path, true), 0); /* shorter once the link is followed */
	strlcpy(path, "l/", sizeof(path));
	memset(path + 2, '/', PATH_MAX - 3);
	path[PATH_MAX - 1] = '\0';
	T_EQ(look(path, false), ENAMETOOLONG); /* longer */
	T_EQ(vnode_path(file, text, 5), 4);
	T_OK(strcmp(text, "/b/f") == 0);
	vrele(file);
	fs_end();
}

/* Forty links are followed, forty-one are not. */
static void
test_forty_links(void)
{
	char name[16], target[16];

	T_EQ(ramfs_init(), 0);
	vrele(make("s0", VREG, NULL));
	for (int i = 1; i <= SYMLINKS_MAX + 1; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(target, sizeof(target), "s%d", i - 1);
		vrele(make(name, VLNK, target));
	}
	T_EQ(look("s40", true), 0);
	T_EQ(look("s41", true), ELOOP);
	fs_end();
}

static void
test_removed_directory(void)
{
	struct nameidata nd;
	struct vnode *dir, *vp;

	T_EQ(ramfs_init(), 0);
	vrele(make("/a", VDIR, NULL));
	dir = make("/a/b", VDIR, NULL);
	T_EQ(rootvnode->v_ops->v_unlink(rootvnode, "a", 1, true), ENOTEMPTY);
	T_EQ(rootvnode->v_ops->v_unlink(rootvnode, "a", 1, false), EISDIR);
	T_EQ(namei_last(NULL, "/a/b", true, &nd), 0);
	T_EQ(vn_unlink(&nd, true), 0);
	nd_release(&nd);
	T_EQ(rootvnode->v_ops->v_unlink(rootvnode, "a", 1, true), 0);
	T_EQ(namei_last(dir, "x", true, &nd), 0);
	T_EQ(vn_create(&nd, VREG, 0644, NULL, &vp), ENOENT);
	nd_release(&nd);
	T_EQ(namei(dir, "../..", true, &vp), 0);
	T_OK(vp == rootvnode);
	vrele(vp);
	vrele(dir); /* and the parent that only it held */
	fs_end();
}

/* --- files ------------------------------------------------------------------------------------ */

#define FILE_MAX 40000
static uint8_t model[FILE_MAX], data[FILE_MAX];

static void
check_file(struct vnode *vp, uint64_t size)
{
	size_t done;

	T_EQ(vp->v_size, size);
	memset(data, 0xee, sizeof(data));
	T_EQ(vn_read_kernel(vp, data, sizeof(data), 0, &done), 0);
	T_EQ(done, size);
	T_OK(memcmp(data, model, size) == 0);
}

static void
write_file(struct vnode *vp, struct rng *r, uint64_t at, size_t len, bool user)
{
	struct uio uio = {.uio_base = data,
			  .uio_resid = len,
			  .uio_offset = at,
			  .uio_kernel = !user,
			  .uio_write = true};

	for (size_t i = 0; i < len; i++)
		data[i] = rng_next(r);
	memcpy(model + at, data, len);
	T_EQ(vn_io(vp, &uio, NULL), 0);
	T_EQ(uio.uio_resid, 0);
}

/* Write, truncate, read and touch through a mapping, at random, against the model. */
static void
test_file_model(void)
{
	struct space *s = space_create();
	struct rng r = {7};
	uint64_t size = 0, at, n;
	vm_object_t object;
	uint8_t *byte;
	struct vnode *vp;

	T_EQ(ramfs_init(), 0);
	vp = make("f", VREG, NULL);
	T_EQ(vp->v_ops->v_object(vp, &object), 0);
	space_map(s, 0x100000, round_page(FILE_MAX), object, 0, VM_PROT_RW, VM_PROT_ALL, 0);
	for (int i = 0; i < 3000; i++) {
		at = rng_below(&r, FILE_MAX);
		n = rng_below(&r, FILE_MAX - at + 1);
		switch (rng_below(&r, 4)) {
		case 0:
			n = n % 9000;
			write_file(vp, &r, at, n, rng_below(&r, 2));
			size = n > 0 ? MAX(size, at + n) : size;
			break;
		case 1:
			memset(model + at, 0, FILE_MAX - at);
			T_EQ(vp->v_ops->v_truncate(vp, at), 0);
			size = at;
			break;
		case 2:
			if (at < size) {
				T_EQ(fake_touch(&s->map, 0x100000 + at, VM_PROT_WRITE, &byte), 0);
				*byte = model[at] = rng_next(&r);
			} else if (at >= round_page(size)) {
				T_EQ(fake_touch(&s->map, 0x100000 + at, VM_PROT_READ, &byte),
				     KERN_FAILURE);
			}
			break;
		default:
			check_file(vp, size);
		}
	}
	vrele(vp);
	fs_end(); /* the mapping keeps the pages */
	space_destroy(s);
}

static void
test_file_limits(void)
{
	struct uio uio = {.uio_base = data,
			  .uio_resid = 10,
			  .uio_offset = 100,
			  .uio_kernel = true,
			  .uio_write = true};
	struct vnode *vp;
	size_t done;

	T_EQ(ramfs_init(), 0);
	vp = make("f", VREG, NULL);
	T_EQ(vp->v_ops->v_truncate(vp, 1ul << 62), 0); /* holes take no memory */
	T_EQ(vn_read_kernel(vp, data, 10, (1ul << 62) - 5, &done), 0);
	T_EQ(done, 5);
	T_EQ(vp->v_ops->v_truncate(vp, UINT64_MAX), EFBIG);
	T_EQ(vp->v_ops->v_truncate(vp, 0), 0);
	uio.uio_offset = UINT64_MAX - 4;
	T_EQ(vn_io(vp, &uio, NULL), EFBIG);
	uio = (struct uio){.uio_base = (void *)0x1000,
			   .uio_resid = 10,
			   .uio_offset = 100,
			   .uio_kernel = false,
			   .uio_write = true};
	T_EQ(vn_io(vp, &uio, NULL), EFAULT);
	T_EQ(vp->v_size, 0);
	fake_eat_memory(2);
	uio = (struct uio){.uio_base = data,
			   .uio_resid = 4 * PAGE_SIZE,
			   .uio_offset = 0,
			   .uio_kernel = true,
			   .uio_write = true};
	T_EQ(vn_io(vp, &uio, NULL), ENOSPC);
	T_EQ(vp->v_size, 2 * PAGE_SIZE - uio.uio_offset % PAGE_SIZE);
	fake_give_memory(~0ul);
	T_EQ(vn_io(rootvnode, &uio, NULL), EISDIR);
	vrele(vp);
	fs_end();
}

/* --- cpio ------------------------------------------------------------------------------------- */

static uint8_t archive[1 << 16];
static size_t archive_len;

static void
cpio_add(const char *name, uint32_t mode, uint32_t ino, uint32_t nlink, const char *content)
{
	char head[200];
	uint32_t namesize = strlen(name) + 1, size = strlen(content);

	archive_len = roundup2(archive_len, 4ul);
	snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		 ino, mode, 0, 0, nlink, 0, size, 0, 0, 0, 0, namesize, 0);
	memcpy(archive + archive_len, head, 110);
	memcpy(archive + archive_len + 110, name, namesize);
	archive_len += roundup2(110 + namesize, 4ul);
	memcpy(archive + archive_len, content, size);
	archive_len += roundup2(size, 4ul);
}

static void
archive_begin(void)
{
	memset(archive, 0, sizeof(archive));
	archive_len = 0;
}

static void
expect_content(const char *path, const char *content)
{
	char buf[100] = "";
	struct vnode *vp;
	size_t done;

	if (namei(NULL, path, true, &vp) != 0)
		T_FAIL("no %s", path);
	T_EQ(vn_read_kernel(vp, buf, sizeof(buf) - 1, 0, &done), 0);
	if (strcmp(buf, content) != 0)
		T_FAIL("%s is \"%s\", should be \"%s\"", path, buf, content);
	vrele(vp);
}

static void
good_archive(void)
{
	archive_begin();
	cpio_add(".", 0040755, 1, 2, "");
	cpio_add("bin", 0040755, 2, 2, "");
	cpio_add("bin/one", 0100755, 3, 1, "first");
	cpio_add("deep/er/two", 0100600, 4, 1, "second");
	cpio_add("link", 0120777, 5, 1, "bin/one");
	cpio_add("h1", 0100644, 6, 3, "");
	cpio_add("other", 0100644, 7, 1, "");
	cpio_add("h2", 0100644, 6, 3, "");
	cpio_add("deep/h3", 0100644, 6, 3, "hard");
	cpio_add("/etc/absolute", 0100644, 8, 1, "no");
	cpio_add("bin/../../up", 0100644, 9, 1, "no");
	cpio_add("dev/console", 0020600, 10, 1, "");
	cpio_add("TRAILER!!!", 0, 0, 1, "");
	archive_len += 512; /* as padding between archives is */
	cpio_add("bin/one", 0100755, 3, 1, "replaced");
	cpio_add("h4", 0100644, 6, 2, "not h1: another archive");
	cpio_add("TRAILER!!!", 0, 0, 1, "");
}

static void
test_cpio(void)
{
	struct vnode *vp;

	T_EQ(ramfs_init(), 0);
	good_archive();
	cpio_unpack(archive, archive_len);
	expect_content("/bin/one", "replaced");
	expect_content("/link", "replaced");
	expect_content("/deep/er/two", "second");
	expect_content("/h1", "hard");
	expect_content("/h2", "hard");
	expect_content("/deep/h3", "hard");
	expect_content("/h4", "not h1: another archive");
	T_EQ(namei(NULL, "/h1", false, &vp), 0);
	T_EQ(vp->v_nlink, 3);
	T_EQ(vp->v_attr.va_mode, 0644);
	vrele(vp);
	T_EQ(look("/etc", true), ENOENT);
	T_EQ(look("/up", true), ENOENT);
	T_OK(fake_logged("/etc/absolute"));
	T_OK(fake_logged("bin/../../up"));
	fs_end();
}

/* Any prefix of an archive, and any archive with bytes changed, leaves a file system that works. */
static void
test_cpio_damaged(void)
{
	static const char digits[] = "0123456789abcdefF/.\0xZ";
	struct rng r = {1};

	for (int i = 0; i < 3000; i++) {
		T_EQ(ramfs_init(), 0);
		good_archive();
		for (int j = rng_below(&r, 4); j > 0; j--)
			archive[rng_below(&r, archive_len)] =
			    rng_below(&r, 2) ? (uint8_t)digits[rng_below(&r, sizeof(digits))]
					     : (uint8_t)rng_next(&r);
		if (rng_below(&r, 2) == 0)
			archive_len = rng_below(&r, archive_len + 1);
		uint8_t *exact = malloc(archive_len); /* reading past its end is a report */
		memcpy(exact, archive, archive_len);
		cpio_unpack(exact, archive_len);
		free(exact);
		fs_end();
	}
}

static void
test_cpio_memory_short(void)
{
	for (int nth = 1;; nth++) {
		T_EQ(ramfs_init(), 0);
		good_archive();
		fake_kmem_fail(nth);
		cpio_unpack(archive, archive_len);
		bool failed = fake_kmem_failed();
		fake_kmem_fail(0);
		fs_end();
		if (!failed)
			break;
		T_OK(fake_logged("initrd"));
		fake_log_clear();
	}
}

/* --- directories with many names, which move -------------------------------------------------- */

#define NAMES   600
#define FOLDERS 3

static struct vnode *folders[FOLDERS];
static struct vnode *names[FOLDERS][NAMES]; /* what each name is, or NULL */

static struct nameidata
name_at(int folder, int i)
{
	struct nameidata nd = {.nd_dir = folders[folder]};

	nd.nd_len = (size_t)snprintf(nd.nd_last, sizeof(nd.nd_last), "n%d", i);
	return (nd);
}

static void
move_one(int fa, int a, int fb, int b, int flags)
{
	struct vnode *from = names[fa][a], *to = names[fb][b];
	struct nameidata nf = name_at(fa, a), nt = name_at(fb, b);
	int error = vn_rename(&nf, &nt, flags);

	if (from == NULL || (to == NULL && flags == RENAME_EXCHANGE)) {
		T_EQ(error, ENOENT);
		return;
	}
	if (to != NULL && flags == RENAME_NOREPLACE) {
		T_EQ(error, EEXIST);
		return;
	}
	T_EQ(error, 0);
	if (from == to)
		return;
	names[fb][b] = from;
	names[fa][a] = flags == RENAME_EXCHANGE ? to : NULL;
}

/* All names are found, and what readdir lists, once each, is they. */
static void
check_folder(int folder)
{
	struct vnode *dir = folders[folder], *vp;
	uint64_t cookie = 2, last = 0, ino;
	char name[NAME_MAX + 1];
	int listed = 0, count = 0;
	enum vtype type;

	for (int i = 0; i < NAMES; i++) {
		struct nameidata nd = name_at(folder, i);
		int error = dir->v_ops->v_lookup(dir, nd.nd_last, nd.nd_len, &vp);

		T_EQ(error, names[folder][i] != NULL ? 0 : ENOENT);
		if (error == 0) {
			T_OK(vp == names[folder][i]);
			vrele(vp);
			count++;
		}
	}
	while (dir->v_ops->v_readdir(dir, &cookie, name, &ino, &type) == 0) {
		T_OK(cookie > last);
		last = cookie;
		if (*name != 'n') /* the folder in this one */
			continue;
		T_EQ(names[folder][atoi(name + 1)]->v_ino, ino);
		listed++;
	}
	T_EQ(listed, count);
}

static void
test_many_names(void)
{
	T_EQ(ramfs_init(), 0);
	for (int f = 0; f < FOLDERS; f++)
		folders[f] = make((const char *[]){"/a", "/b", "/a/c"}[f], VDIR, NULL);
	srand(7);
	for (int step = 0; step < 30000; step++) {
		int f = rand() % FOLDERS, i = rand() % NAMES, what = rand() % 8;
		struct nameidata nd = name_at(f, i);

		if (what < 4) {
			int error = vn_create(&nd, VFIFO, 0644, NULL, &nd.nd_vp);

			T_EQ(error, names[f][i] != NULL ? EEXIST : 0);
			if (error == 0) {
				names[f][i] = nd.nd_vp; /* its name holds it */
				vrele(nd.nd_vp);
			}
		} else if (what < 6) {
			T_EQ(vn_unlink(&nd, false), names[f][i] != NULL ? 0 : ENOENT);
			names[f][i] = NULL;
		} else {
			move_one(f, i, rand() % FOLDERS, rand() % NAMES, rand() % 3);
		}
		if (step % 3000 == 0)
			for (f = 0; f < FOLDERS; f++)
				check_folder(f);
	}
	for (int f = 0; f < FOLDERS; f++) {
		check_folder(f);
		vrele(folders[f]);
	}
	fs_end();
}

static void
test_moved_folder(void)
{
	struct nameidata from, to;
	char text[64];
	struct vnode *leaf;

	T_EQ(ramfs_init(), 0);
	vrele(make("/a", VDIR, NULL));
	vrele(make("/a/b", VDIR, NULL));
	vrele(make("/z", VDIR, NULL));
	leaf = make("/a/b/leaf", VREG, NULL);
	T_EQ(namei_last(NULL, "/a/b", NAMEI_NAME, &from), 0);
	T_EQ(namei_last(NULL, "/z/moved", NAMEI_NAME, &to), 0);
	T_EQ(vn_rename(&from, &to, 0), 0);
	nd_release(&from);
	nd_release(&to);
	vnode_path(leaf, text, sizeof(text));
	T_OK(strcmp(text, "/z/moved/leaf") == 0);
	T_EQ(look("/z/moved/../moved/leaf", true), 0);
	T_EQ(namei_last(NULL, "/z", NAMEI_NAME, &from), 0);
	T_EQ(namei_last(NULL, "/z/moved/x", NAMEI_NAME, &to), 0);
	T_EQ(vn_rename(&from, &to, 0), EINVAL);
	nd_release(&from);
	nd_release(&to);
	vrele(leaf);
	fs_end();
}

int
main(int argc, char **argv)
{
	static const struct host_test tests[] = {
	    TEST(test_names),        TEST(test_forty_links),       TEST(test_removed_directory),
	    TEST(test_file_model),   TEST(test_file_limits),       TEST(test_cpio),
	    TEST(test_cpio_damaged), TEST(test_cpio_memory_short), TEST(test_many_names),
	    TEST(test_moved_folder),
	};

	return (host_main(argc, argv, "fs", tests, nitems(tests), 4096));
}
