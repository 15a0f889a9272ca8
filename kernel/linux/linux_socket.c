/*
 * System calls that make, name and connect sockets. linux_sockmsg.c has those that send and receive,
 * linux_sockopt.c options.
 */
#include "linux/linux_socket.h"
#include "kern/file.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/proc.h"

enum { AF_MAX = 46, SOCK_RAW = 3, SOCK_MAX = 11, SOCK_TYPE_MASK = 15 };
#define SOCKADDR_MAX 128 /* bytes of an address of any family */
#define FAMILY_SIZE  offsetof(struct sockaddr_un, sun_path)

int
socket_get(int fd, struct file **fpp)
{
	if (fget(fd, fpp) != 0)
		return (EBADF);
	if (file_socket(*fpp) != NULL)
		return (0);
	fdrop(*fpp);
	return (ENOTSOCK);
}

/* --- addresses -------------------------------------------------------------------------------- */

int
sockname_in(const void *uaddr, int len, uint16_t *family, struct unpname **name)
{
	union {
		struct sockaddr_un un;
		char bytes[SOCKADDR_MAX];
	} addr = {0};

	*name = NULL;
	if (len < 0 || len > SOCKADDR_MAX)
		return (EINVAL);
	if (copyin(uaddr, &addr, len) != 0)
		return (EFAULT);
	*family = addr.un.sun_family;
	if (len <= (int)FAMILY_SIZE || len > (int)sizeof(addr.un) || *family != AF_UNIX)
		return (EINVAL);
	*name = name_alloc(&addr.un, len);
	return (*name == NULL ? ENOMEM : 0);
}

int
sockname_out(const struct unpname *name, void *uaddr, int *ulen)
{
	static const struct sockaddr_un unnamed = {.sun_family = AF_UNIX};
	int len, size = name != NULL ? name->un_len : FAMILY_SIZE;

	if (copyin(ulen, &len, sizeof(len)) != 0)
		return (EFAULT);
	if (len < 0)
		return (EINVAL);
	if (copyout(name != NULL ? &name->un_addr : &unnamed, uaddr, MIN(len, size)) != 0)
		return (EFAULT);
	return (copyout(&size, ulen, sizeof(size)));
}

/* The name of so, or (peer) of whom it is connected to, referenced. */
static int
name_of(struct socket *so, bool peer, struct unpname **name)
{
	int error = 0;

	*name = NULL;
	rw_rlock(&unp_lock);
	if (peer)
		so = so->so_peer;
	if (so == NULL)
		error = ENOTCONN;
	else
		*name = so->so_name;
	if (*name != NULL)
		__atomic_fetch_add(&(*name)->un_refs, 1, __ATOMIC_RELAXED);
	rw_unlock(&unp_lock);
	return (error);
}

static int64_t
get_name(int fd, void *uaddr, int *ulen, bool peer)
{
	struct unpname *name;
	struct file *fp;
	int error = socket_get(fd, &fp);

	if (error != 0)
		return (-error);
	error = name_of(FP_SOCKET(fp), peer, &name);
	if (error == 0)
		error = sockname_out(name, uaddr, ulen);
	name_rele(name);
	fdrop(fp);
	return (-error);
}

int64_t
sys_getsockname(int fd, void *uaddr, int *ulen)
{
	return (get_name(fd, uaddr, ulen, false));
}

int64_t
sys_getpeername(int fd, void *uaddr, int *ulen)
{
	return (get_name(fd, uaddr, ulen, true));
}

/* --- sockets ---------------------------------------------------------------------------------- */

/* The type of a new socket, and O_* in *flags. */
static int
socket_type(int family, int *type, int protocol, uint32_t *flags)
{
	*flags = *type & ~SOCK_TYPE_MASK;
	*type &= SOCK_TYPE_MASK;
	if ((*flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK)) != 0)
		return (EINVAL);
	if (family < 0 || family >= AF_MAX)
		return (EAFNOSUPPORT);
	if (*type >= SOCK_MAX)
		return (EINVAL);
	if (family != AF_UNIX) {
		klog(LOG_NOTICE, "sockets of family %d are not supported", family);
		return (EAFNOSUPPORT);
	}
	if (protocol != 0 && protocol != AF_UNIX)
		return (EPROTONOSUPPORT);
	if (*type == SOCK_RAW)
		*type = SOCK_DGRAM;
	return (*type != SOCK_STREAM && *type != SOCK_DGRAM && *type != SOCK_SEQPACKET
		    ? ESOCKTNOSUPPORT
		    : 0);
}

/* An open socket. */
static int
socket_file(int type, uint32_t flags, struct file **fpp)
{
	struct socket *so = socket_alloc(type);
	int error =
	    so == NULL ? ENOMEM : file_open(&so->so_vnode, O_RDWR | (flags & O_NONBLOCK), fpp);

	if (error != 0 && so != NULL)
		vrele(&so->so_vnode);
	return (error);
}

int64_t
sys_socket(int family, int type, int protocol)
{
	uint32_t flags;
	struct socket *so;
	int fd, error = socket_type(family, &type, protocol, &flags);

	if (error != 0)
		return (-error);
	so = socket_alloc(type);
	error = file_install(so != NULL ? &so->so_vnode : NULL, O_RDWR | flags, &fd);
	return (error != 0 ? -error : fd);
}

int64_t
sys_socketpair(int family, int type, int protocol, int *ufds)
{
	struct file *files[2];
	uint32_t flags;
	int error = socket_type(family, &type, protocol, &flags);

	if (error == 0)
		error = socket_file(type, flags, &files[0]);
	if (error != 0)
		return (-error);
	error = socket_file(type, flags, &files[1]);
	if (error != 0) {
		fdrop(files[0]);
		return (-error);
	}
	unp_pair(file_socket(files[0]), file_socket(files[1]));
	return (-fd_pair(files, (flags & O_CLOEXEC) != 0, ufds));
}

int64_t
sys_bind(int fd, const void *uaddr, int len)
{
	struct unpname *name;
	struct file *fp;
	uint16_t family = 0;
	int error = socket_get(fd, &fp);

	if (error != 0)
		return (-error);
	error = sockname_in(uaddr, len, &family, &name);
	if (error == EINVAL && family == AF_UNIX && len == (int)FAMILY_SIZE)
		error = 0; /* any name */
	if (error == 0)
		error = unp_bind(FP_SOCKET(fp), name);
	name_rele(name);
	fdrop(fp);
	return (-error);
}

int64_t
sys_listen(int fd, int backlog)
{
	struct file *fp;
	int error = socket_get(fd, &fp);

	if (error != 0)
		return (-error);
	error = unp_listen(FP_SOCKET(fp), backlog);
	fdrop(fp);
	return (-error);
}

int64_t
sys_connect(int fd, const void *uaddr, int len)
{
	struct unpname *name;
	struct file *fp;
	uint16_t family = AF_UNIX;
	int error = socket_get(fd, &fp);

	if (error != 0)
		return (-error);
	error = sockname_in(uaddr, len, &family, &name);
	if (error == EINVAL && family == AF_UNSPEC && len >= (int)FAMILY_SIZE &&
	    !connected_type(FP_SOCKET(fp)))
		error = 0; /* not connected any longer */
	if (error == 0)
		error = unp_connect(FP_SOCKET(fp), name, (fp->f_flags & O_NONBLOCK) != 0);
	name_rele(name);
	fdrop(fp);
	return (-error);
}

/* A descriptor for a connection, a socket whose reference goes; its peer's name to the user. */
static int
accept_install(struct socket *so, uint32_t flags, void *uaddr, int *ulen, int *fd)
{
	struct unpname *name = NULL;
	struct file *fp;
	int error = file_open(&so->so_vnode, O_RDWR | (flags & O_NONBLOCK), &fp);

	if (error != 0) {
		unp_close(so);
		vrele(&so->so_vnode);
		return (error);
	}
	if (uaddr != NULL) {
		name_of(so, true, &name);
		error = sockname_out(name, uaddr, ulen);
		name_rele(name);
	}
	if (error == 0)
		error = fd_install(curproc->p_fd, fp, 0, (flags & O_CLOEXEC) != 0, fd);
	if (error != 0)
		fdrop(fp);
	return (error);
}

int64_t
sys_accept4(int fd, void *uaddr, int *ulen, uint32_t flags)
{
	struct socket *new;
	struct file *fp;
	int error;

	if ((flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK)) != 0)
		return (-EINVAL);
	error = socket_get(fd, &fp);
	if (error != 0)
		return (-error);
	error = unp_accept(FP_SOCKET(fp), (fp->f_flags & O_NONBLOCK) != 0, &new);
	fdrop(fp);
	if (error == 0)
		error = accept_install(new, flags, uaddr, ulen, &fd);
	return (error != 0 ? -error : fd);
}

int64_t
sys_accept(int fd, void *uaddr, int *ulen)
{
	return (sys_accept4(fd, uaddr, ulen, 0));
}

int64_t
sys_shutdown(int fd, int how)
{
	struct file *fp;
	int error = socket_get(fd, &fp);

	if (error != 0)
		return (-error);
	error = unp_shutdown(FP_SOCKET(fp), how);
	fdrop(fp);
	return (-error);
}
