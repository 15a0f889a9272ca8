/*
 * The files of /proc about file systems: what is mounted where, and what kinds there are.
 */
#include "fs/procfs.h"
#include "kern/kmalloc.h"
#include "kern/proc.h"

/* A mount's path as fields of a line are written: blanks and backslashes as \ooo. */
static void
add_mount_path(struct text *t, struct mount *mnt)
{
	struct text path = {0};

	text_add_path(&path, mnt->mnt_root);
	for (size_t i = 0; i < path.len; i++) {
		char c = path.buf[i];

		if (c == ' ' || c == '\t' || c == '\n' || c == '\\')
			text_add(t, "\\%03o", (unsigned)c);
		else
			text_add(t, "%c", c);
	}
	kfree(path.buf);
}

static void
show_mounts(struct text *t, struct proc *p __unused)
{
	for (struct mount *mnt = mountlist; mnt != NULL; mnt = mnt->mnt_next) {
		text_add(t, "%s ", mnt->mnt_from);
		add_mount_path(t, mnt);
		text_add(t, " %s rw,relatime 0 0\n", mnt->mnt_type);
	}
}

/* A mount's number is its device's; the root is its own parent, as where there is no initramfs. */
static void
show_mountinfo(struct text *t, struct proc *p __unused)
{
	for (struct mount *mnt = mountlist; mnt != NULL; mnt = mnt->mnt_next) {
		struct vnode *up = vnode_parent(mnt->mnt_root);

		text_add(t, "%u %u 0:%u / ", mnt->mnt_root->v_dev, up->v_dev, mnt->mnt_root->v_dev);
		add_mount_path(t, mnt);
		text_add(t, " rw,relatime - %s %s rw\n", mnt->mnt_type, mnt->mnt_from);
		vrele(up);
	}
}

PROC_PID_FILE(mounts, .path = "mounts", .type = VREG, .show = show_mounts);
PROC_PID_FILE(mountinfo, .path = "mountinfo", .type = VREG, .show = show_mountinfo);
PROC_FILE(filesystems, .path = "filesystems", .type = VREG,
	  .text = "nodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tproc\n");
PROC_FILE(mounts_link, .path = "mounts", .type = VLNK, .text = "self/mounts");
