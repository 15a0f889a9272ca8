/*
 * System calls that make pipes and eventfds, and those of epoll.
 */
#include "linux/linux.h"
#include "kern/epoll.h"
#include "kern/eventfd.h"
#include "kern/file.h"
#include "kern/machdep.h"
#include "kern/pipe.h"
#include "kern/proc.h"
#include "fs/vnode.h"
#include "vm/pmap.h"

enum { EFD_SEMAPHORE = 1, EPOLL_CLOEXEC = O_CLOEXEC };

/* --- pipes and eventfds ----------------------------------------------------------------------- */

/* Both ends of a new pipe. */
static int
pipe_files(uint32_t flags, struct file *files[2])
{
	struct vnode *vp = pipe_alloc();
	int error;

	if (vp == NULL)
		return (ENOMEM);
	error = file_open(vp, O_RDONLY | (flags & O_NONBLOCK), &files[0]);
	if (error != 0) {
		vrele(vp);
		return (error);
	}
	vref(vp);
	error = file_open(vp, O_WRONLY | flags, &files[1]);
	if (error != 0) {
		vrele(vp);
		fdrop(files[0]);
	}
	return (error);
}

int
fd_pair(struct file *files[2], bool cloexec, int *ufds)
{
	struct filedesc *fdp = curproc->p_fd;
	int fds[2], error;

	error = fd_install(fdp, files[0], 0, cloexec, &fds[0]);
	if (error != 0) {
		fdrop(files[0]);
		fdrop(files[1]);
		return (error);
	}
	error = fd_install(fdp, files[1], 0, cloexec, &fds[1]);
	if (error != 0) {
		fd_close(fdp, fds[0]);
		fdrop(files[1]);
		return (error);
	}
	error = copyout(fds, ufds, sizeof(fds));
	if (error != 0) {
		fd_close(fdp, fds[0]);
		fd_close(fdp, fds[1]);
	}
	return (error);
}

int64_t
sys_pipe2(int *ufds, uint32_t flags)
{
	struct file *files[2];
	int error;

	if ((flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) != 0)
		return (-EINVAL);
	error = pipe_files(flags & ~(uint32_t)O_CLOEXEC, files);
	if (error == 0)
		error = fd_pair(files, (flags & O_CLOEXEC) != 0, ufds);
	return (-error);
}

int64_t
sys_pipe(int *ufds)
{
	return (sys_pipe2(ufds, 0));
}

int64_t
sys_eventfd2(uint32_t count, uint32_t flags)
{
	int fd, error;

	if ((flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE)) != 0)
		return (-EINVAL);
	error = file_install(eventfd_alloc(count, (flags & EFD_SEMAPHORE) != 0),
			     O_RDWR | (flags & ~(uint32_t)EFD_SEMAPHORE), &fd);
	return (error != 0 ? -error : fd);
}

int64_t
sys_eventfd(uint32_t count)
{
	return (sys_eventfd2(count, 0));
}

/* --- epoll ------------------------------------------------------------------------------------ */

int64_t
sys_epoll_create1(uint32_t flags)
{
	int fd, error;

	if ((flags & ~(uint32_t)EPOLL_CLOEXEC) != 0)
		return (-EINVAL);
	error = file_install(epoll_alloc(), O_RDWR | flags, &fd);
	return (error != 0 ? -error : fd);
}

int64_t
sys_epoll_create(int size)
{
	return (size <= 0 ? -EINVAL : sys_epoll_create1(0));
}

int64_t
sys_epoll_ctl(int epfd, int op, int fd, const struct epoll_event *uevent)
{
	struct epoll_event event = {0};
	struct file *ep, *fp;
	int error;

	if (op != EPOLL_CTL_DEL && copyin(uevent, &event, sizeof(event)) != 0)
		return (-EFAULT);
	if (fget(epfd, &ep) != 0)
		return (-EBADF);
	error = fget(fd, &fp);
	if (error == 0) {
		error = epoll_ctl(ep, op, fp, fd, &event);
		fdrop(fp);
	}
	fdrop(ep);
	return (-error);
}

static int64_t
do_epoll_wait(int epfd, struct epoll_event *uevents, int max, const uint64_t *deadline)
{
	const size_t size = sizeof(*uevents);
	struct file *ep;
	int error, count;

	if (max <= 0 || max > INT32_MAX / (int)size)
		return (-EINVAL);
	if ((uint64_t)uevents > VM_MAXUSER_ADDRESS - max * size)
		return (-EFAULT);
	if (fget(epfd, &ep) != 0)
		return (-EBADF);
	error = is_epoll(ep) ? epoll_wait(ep, uevents, max, deadline, &count) : EINVAL;
	fdrop(ep);
	return (error != 0 ? -error : count);
}

static int64_t
epoll_wait_masked(int epfd, struct epoll_event *uevents, int max, const uint64_t *deadline,
		  const uint64_t *umask, uint64_t size)
{
	int64_t result = -sigmask_in(umask, size);

	if (result != 0)
		return (result);
	result = do_epoll_wait(epfd, uevents, max, deadline);
	if (umask != NULL)
		signal_restoremask(result < 0 ? -result : 0);
	return (result);
}

int64_t
sys_epoll_pwait(int epfd, struct epoll_event *uevents, int max, int ms, const uint64_t *umask,
		uint64_t size)
{
	uint64_t deadline = ms > 0 ? cpu_now() + ms * 1000000ul : 0;

	return (epoll_wait_masked(epfd, uevents, max, ms >= 0 ? &deadline : NULL, umask, size));
}

int64_t
sys_epoll_wait(int epfd, struct epoll_event *uevents, int max, int ms)
{
	return (sys_epoll_pwait(epfd, uevents, max, ms, NULL, 0));
}

int64_t
sys_epoll_pwait2(int epfd, struct epoll_event *uevents, int max, const struct linux_timespec *uts,
		 const uint64_t *umask, uint64_t size)
{
	uint64_t deadline;
	int error = uts != NULL ? timespec_deadline(uts, &deadline) : 0;

	if (error != 0)
		return (-error);
	return (epoll_wait_masked(epfd, uevents, max, uts != NULL ? &deadline : NULL, umask, size));
}
