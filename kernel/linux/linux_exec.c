/*
 * The system calls that run a program.
 */
#include "linux/linux_path.h"
#include "fs/vnode.h"
#include "kern/exec.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/proc.h"
#include "kern/string.h"

#define FD_PATH     "/dev/fd/" /* what a program is called that was found by a descriptor */
#define FD_PATH_MAX 20 /* bytes that the descriptor and slashes add */

/* The strings of a list that ends in a null pointer. A null list is an empty one. */
static int
copy_strings(struct image_args *args, char *const *ulist, bool env)
{
	char *s;
	int error = 0;

	for (int i = 0; ulist != NULL && error == 0; i++) {
		if (copyin(ulist + i, &s, sizeof(s)) != 0)
			return (EFAULT);
		if (s == NULL)
			break;
		error = exec_args_add(args, s, true, env);
	}
	return (error);
}

static int
copy_args(struct image_args *args, char *const *uargv, char *const *uenvp)
{
	int error = copy_strings(args, uargv, false);

	if (error == 0 && args->ea_argc == 0) /* a program may rely on having a name */
		error = exec_args_add(args, "", false, false);
	return (error != 0 ? error : copy_strings(args, uenvp, true));
}

/* What program is asked for, and how it is called: a name, or /dev/fd/N and the name from there. */
struct exec_path {
	char user[PATH_MAX];
	char name[PATH_MAX + FD_PATH_MAX];
};

static int
open_program(int fd, struct exec_path *path, int flags, bool *reachable, struct vnode **vpp)
{
	bool at_fd = fd != AT_FDCWD && *path->user != '/', cloexec = false;
	struct vnode *dir = NULL;
	int error = 0;

	if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return (EINVAL);
	if (at_fd || *path->user == '\0')
		error = at_dir(fd, &dir);
	if (error == 0 && at_fd)
		error = fd_cloexec(curproc->p_fd, fd, -1, &cloexec);
	if (error == 0)
		error = exec_open(dir, path->user, (flags & AT_SYMLINK_NOFOLLOW) == 0, vpp);
	vrele(dir);
	*reachable = !cloexec;
	if (at_fd)
		ksnprintf(path->name, sizeof(path->name), *path->user == '\0' ? "%s%d" : "%s%d/%s",
			  FD_PATH, fd, path->user);
	else
		strlcpy(path->name, path->user, sizeof(path->name));
	return (error);
}

static int
run_program(int fd, struct exec_path *path, int flags, struct image_args *args)
{
	struct vnode *vp;
	bool reachable;
	int error = open_program(fd, path, flags, &reachable, &vp);

	return (error != 0 ? error : exec_image(vp, path->name, reachable, args));
}

int64_t
sys_execveat(int fd, const char *upath, char *const *uargv, char *const *uenvp, int flags)
{
	struct exec_path *path = kmalloc(sizeof(*path), 0);
	struct image_args args = {0};
	int error = path != NULL ? copyinstr(upath, path->user, PATH_MAX, NULL) : ENOMEM;

	if (error == 0 && *path->user == '\0' && (flags & AT_EMPTY_PATH) == 0)
		error = ENOENT;
	if (error == 0)
		error = copy_args(&args, uargv, uenvp);
	if (error == 0)
		error = run_program(fd, path, flags, &args);
	exec_args_free(&args);
	kfree(path);
	return (-error);
}

int64_t
sys_execve(const char *path, char *const *argv, char *const *envp)
{
	return (sys_execveat(AT_FDCWD, path, argv, envp, 0));
}
