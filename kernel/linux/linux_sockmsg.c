/*
 * System calls that send and receive messages, and what goes along with one: addresses, open files
 * (SCM_RIGHTS), credentials (SCM_CREDENTIALS).
 */
#include "linux/linux_socket.h"
#include "kern/cred.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/proc.h"

enum { SCM_RIGHTS = 1, SCM_CREDENTIALS };
#define MSG_CMSG_COMPAT 0x80000000u /* a 32-bit program's: never of a system call here */
#define NAMELEN_MAX     128 /* bytes of an address: more are not looked at */
#define CONTROL_MAX     20480ul /* bytes of control messages: ENOBUFS past it */
#define MMSG_MAX        1024u /* messages of one call: more are not looked at */

struct linux_msghdr {
	void *name;
	int namelen, pad0;
	struct iovec *iov;
	uint64_t iovlen;
	void *control;
	uint64_t controllen;
	int flags, pad1;
};
struct linux_mmsghdr {
	struct linux_msghdr hdr;
	uint32_t len, pad;
};
struct cmsghdr {
	uint64_t len; /* with this header */
	int level, type;
};
#define CMSG_ALIGN(n) roundup2((uint64_t)(n), 8ul)

/* --- control messages ------------------------------------------------------------------------- */

static int
rights_in(const int *fds, uint32_t n, struct sockctl *ctl)
{
	uint32_t have = ctl->files != NULL ? ctl->nfiles : 0;

	if (n == 0)
		return (0);
	if (have + n > SCM_MAX_FD)
		return (EINVAL);
	if (ctl->files == NULL)
		ctl->files = kmalloc(SCM_MAX_FD * sizeof(*ctl->files), 0);
	if (ctl->files == NULL)
		return (ENOMEM);
	for (ctl->nfiles = have; ctl->nfiles < have + n; ctl->nfiles++)
		if (fget_path(fds[ctl->nfiles - have], &ctl->files[ctl->nfiles]) != 0)
			return (EBADF);
	return (0);
}

/* Who says that it is another must be allowed to become that. */
static int
cred_check(const struct sockcred *cred)
{
	const struct ucred *cr = curcred();
	struct proc *p = proc_find(cred->pid);

	if (p == NULL)
		return (ESRCH);
	proc_rele(p);
	return ((cred->pid == curproc->p_pid || capable(CAP_SYS_ADMIN)) &&
			(cred->uid == cr->cr_ruid || cred->uid == cr->cr_uid ||
			 cred->uid == cr->cr_svuid || capable(CAP_SETUID)) &&
			(cred->gid == cr->cr_rgid || cred->gid == cr->cr_gid ||
			 cred->gid == cr->cr_svgid || capable(CAP_SETGID))
		    ? 0
		    : EPERM);
}

static int
cmsg_in(const struct cmsghdr *cm, struct sockctl *ctl)
{
	const void *data = cm + 1;
	size_t len = cm->len - sizeof(*cm);

	if (cm->level != SOL_SOCKET)
		return (0);
	if (cm->type == SCM_RIGHTS)
		return (rights_in(data, len / sizeof(int), ctl));
	if (cm->type != SCM_CREDENTIALS || len != sizeof(ctl->cred))
		return (EINVAL);
	ctl->cred = *(const struct sockcred *)data;
	ctl->has_cred = true;
	return (cred_check(&ctl->cred));
}

static int
control_in(const void *ucontrol, uint64_t len, struct sockctl *ctl)
{
	struct cmsghdr *cm;
	uint64_t at;
	char *buf;
	int error;

	if (len < sizeof(*cm))
		return (0);
	if (len > CONTROL_MAX)
		return (ENOBUFS);
	buf = kmalloc(len, 0);
	if (buf == NULL)
		return (ENOBUFS);
	error = copyin(ucontrol, buf, len);
	for (at = 0; error == 0 && at + sizeof(*cm) <= len; at += CMSG_ALIGN(cm->len)) {
		cm = (struct cmsghdr *)(buf + at);
		if (cm->len < sizeof(*cm) || cm->len > len - at)
			error = EINVAL;
		else
			error = cmsg_in(cm, ctl);
		if (error != 0)
			break;
	}
	kfree(buf);
	return (error);
}

/* Where the next control message goes, and how much is left. */
struct control {
	char *at;
	uint64_t left;
	int flags; /* MSG_CTRUNC */
};

/* Room for the header and up to len bytes of data, of which *len fit. */
static bool
cmsg_room(struct control *c, size_t *len)
{
	if (c->left < sizeof(struct cmsghdr)) {
		c->flags |= MSG_CTRUNC;
		return (false);
	}
	if (c->left < sizeof(struct cmsghdr) + *len) {
		c->flags |= MSG_CTRUNC;
		*len = c->left - sizeof(struct cmsghdr);
	}
	return (true);
}

static int
cmsg_out(struct control *c, int type, const void *data, size_t len)
{
	struct cmsghdr cm = {sizeof(cm) + len, SOL_SOCKET, type};
	uint64_t size = MIN(CMSG_ALIGN(cm.len), c->left);

	if (copyout(&cm, c->at, sizeof(cm)) != 0 || copyout(data, c->at + sizeof(cm), len) != 0)
		return (EFAULT);
	c->at += size;
	c->left -= size;
	return (0);
}

/* Descriptors for as many of the files as there is room for. */
static int
rights_out(struct control *c, struct sockctl *ctl, bool cloexec)
{
	int fds[SCM_MAX_FD];
	size_t room = ctl->nfiles * sizeof(int);
	uint32_t n = 0;

	if (!cmsg_room(c, &room))
		return (0);
	for (; n < room / sizeof(int); n++) {
		fref(ctl->files[n]);
		if (fd_install(curproc->p_fd, ctl->files[n], 0, cloexec, &fds[n]) != 0) {
			fdrop(ctl->files[n]);
			break;
		}
	}
	if (n < ctl->nfiles)
		c->flags |= MSG_CTRUNC;
	return (n > 0 ? cmsg_out(c, SCM_RIGHTS, fds, n * sizeof(int)) : 0);
}

static int
control_out(struct control *c, struct socket *so, struct sockctl *ctl, bool cloexec)
{
	size_t room = sizeof(ctl->cred);
	int error = 0;

	if (so_option(so, SO_PASSCRED) && ctl->has_cred && cmsg_room(c, &room))
		error = cmsg_out(c, SCM_CREDENTIALS, &ctl->cred, room);
	if (error == 0 && ctl->files != NULL)
		error = rights_out(c, ctl, cloexec);
	return (error);
}

/* --- one message ------------------------------------------------------------------------------ */

static int
msghdr_in(const struct linux_msghdr *umsg, struct linux_msghdr *msg, struct iovec **iov,
	  struct uio *uio)
{
	if (copyin(umsg, msg, sizeof(*msg)) != 0)
		return (EFAULT);
	if (msg->namelen < 0)
		return (EINVAL);
	msg->namelen = msg->name == NULL ? 0 : MIN(msg->namelen, NAMELEN_MAX);
	if (msg->iovlen > IOV_MAX)
		return (EMSGSIZE);
	return (iovec_in(msg->iov, msg->iovlen, iov, uio));
}

static int
file_nowait(struct file *fp)
{
	return ((fp->f_flags & O_NONBLOCK) != 0 ? MSG_DONTWAIT : 0);
}

static int64_t
send_hdr(struct file *fp, struct linux_msghdr *umsg, int flags)
{
	struct sockctl ctl = {0};
	struct linux_msghdr msg;
	struct iovec *iov;
	struct uio uio;
	uint16_t family;
	size_t size;
	int error = msghdr_in(umsg, &msg, &iov, &uio);

	if (error != 0)
		return (-error);
	size = uio.uio_resid;
	uio.uio_write = true;
	if (msg.namelen > 0)
		error = sockname_in(msg.name, msg.namelen, &family, &ctl.name);
	if (error == 0 && msg.control != NULL)
		error = control_in(msg.control, msg.controllen, &ctl);
	if (error == 0)
		error = so_send(FP_SOCKET(fp), &uio, &ctl, flags | file_nowait(fp));
	sockctl_free(&ctl);
	kfree(iov);
	size -= uio.uio_resid;
	return (size > 0 || error == 0 ? (int64_t)size : -error);
}

/* What was received: all but the bytes. */
static int
received_out(struct socket *so, struct sockctl *ctl, struct linux_msghdr *msg,
	     struct linux_msghdr *umsg, int flags)
{
	struct control c = {msg->control, msg->control != NULL ? msg->controllen : 0, 0};
	int error = 0, namelen = 0;

	if (msg->name != NULL && (ctl->name != NULL || so->so_type != SOCK_STREAM)) {
		namelen = ctl->name != NULL ? ctl->name->un_len : 0;
		if (copyout(ctl->name != NULL ? &ctl->name->un_addr : NULL, msg->name,
			    MIN(namelen, msg->namelen)) != 0)
			error = EFAULT;
	}
	if (error == 0)
		error = control_out(&c, so, ctl, (flags & MSG_CMSG_CLOEXEC) != 0);
	msg->namelen = namelen;
	msg->controllen = c.at - (char *)msg->control;
	msg->flags = (flags & MSG_CMSG_CLOEXEC) | ctl->flags | c.flags;
	if (error == 0)
		error = COPYOUT(&msg->namelen, &umsg->namelen);
	if (error == 0)
		error = COPYOUT(&msg->controllen, &umsg->controllen);
	if (error == 0)
		error = COPYOUT(&msg->flags, &umsg->flags);
	return (error != 0 ? EFAULT : 0);
}

static int64_t
receive_hdr(struct file *fp, struct linux_msghdr *umsg, int flags)
{
	struct socket *so = FP_SOCKET(fp);
	struct sockctl ctl = {0};
	struct linux_msghdr msg;
	struct iovec *iov;
	struct uio uio;
	size_t size, len = 0;
	int error = msghdr_in(umsg, &msg, &iov, &uio);

	if (error != 0)
		return (-error);
	size = uio.uio_resid;
	error = so_receive(so, &uio, &ctl, flags | file_nowait(fp), &len);
	size -= uio.uio_resid;
	if (size > 0)
		error = 0;
	if (error == 0)
		error = received_out(so, &ctl, &msg, umsg, flags);
	sockctl_free(&ctl);
	kfree(iov);
	if (error != 0)
		return (-error);
	return ((flags & MSG_TRUNC) != 0 && so->so_type != SOCK_STREAM ? len : size);
}

typedef int64_t msg_fn(struct file *fp, struct linux_msghdr *umsg, int flags);

/* One message, by send_hdr or receive_hdr. */
static int64_t
one_message(int fd, struct linux_msghdr *umsg, int flags, msg_fn *fn)
{
	struct file *fp;
	int64_t result;
	int error = socket_get(fd, &fp);

	if (error != 0)
		return (-error);
	result = fn(fp, umsg, flags);
	fdrop(fp);
	return (result);
}

int64_t
sys_sendmsg(int fd, struct linux_msghdr *umsg, int flags)
{
	return (one_message(fd, umsg, flags, send_hdr));
}

int64_t
sys_recvmsg(int fd, struct linux_msghdr *umsg, int flags)
{
	return (one_message(fd, umsg, flags, receive_hdr));
}

/* --- bytes alone ------------------------------------------------------------------------------ */

static int
uio_of(void *buf, uint64_t len, bool write, struct uio *uio)
{
	*uio = (struct uio){.uio_base = buf, .uio_resid = MIN(len, RW_MAX), .uio_write = write};
	return (user_range(buf, len) ? 0 : EFAULT);
}

int64_t
sys_sendto(int fd, void *buf, uint64_t len, int flags, const void *uaddr, int addrlen)
{
	struct sockctl ctl = {0};
	struct file *fp;
	struct uio uio;
	uint16_t family;
	int error = uio_of(buf, len, true, &uio);

	if (error != 0)
		return (-error);
	len = uio.uio_resid;
	error = socket_get(fd, &fp);
	if (error != 0)
		return (-error);
	if (uaddr != NULL)
		error = sockname_in(uaddr, addrlen, &family, &ctl.name);
	if (error == 0)
		error = so_send(FP_SOCKET(fp), &uio, &ctl, flags | file_nowait(fp));
	sockctl_free(&ctl);
	fdrop(fp);
	len -= uio.uio_resid;
	return (len > 0 || error == 0 ? (int64_t)len : -error);
}

int64_t
sys_recvfrom(int fd, void *buf, uint64_t size, int flags, void *uaddr, int *ulen)
{
	struct sockctl ctl = {0};
	struct socket *so;
	struct file *fp;
	struct uio uio;
	size_t len = 0;
	int none = 0, error = uio_of(buf, size, false, &uio);

	if (error != 0)
		return (-error);
	size = uio.uio_resid;
	error = socket_get(fd, &fp);
	if (error != 0)
		return (-error);
	so = FP_SOCKET(fp);
	error = so_receive(so, &uio, &ctl, flags | file_nowait(fp), &len);
	size -= uio.uio_resid;
	if (size > 0)
		error = 0;
	if (error == 0 && uaddr != NULL)
		error = ctl.name != NULL ? sockname_out(ctl.name, uaddr, ulen)
					 : copyout(&none, ulen, sizeof(none));
	if ((flags & MSG_TRUNC) != 0 && so->so_type != SOCK_STREAM)
		size = len;
	sockctl_free(&ctl);
	fdrop(fp);
	return (error != 0 ? -error : (int64_t)size);
}

/* --- several messages ------------------------------------------------------------------------- */

int64_t
sys_sendmmsg(int fd, struct linux_mmsghdr *umsgs, uint32_t count, int flags)
{
	struct file *fp;
	int64_t result = 0;
	uint32_t n, len;
	int error = (flags & MSG_CMSG_COMPAT) != 0 ? EINVAL : socket_get(fd, &fp);

	if (error != 0)
		return (-error);
	for (n = 0; n < MIN(count, MMSG_MAX); n++) {
		result = send_hdr(fp, &umsgs[n].hdr, flags);
		if (result < 0)
			break;
		len = result;
		result = COPYOUT(&len, &umsgs[n].len);
		if (result != 0)
			break;
	}
	fdrop(fp);
	return (n > 0 ? (int64_t)n : result);
}

/* The time-out is looked at after each message only: so does Linux. */
int64_t
sys_recvmmsg(int fd, struct linux_mmsghdr *umsgs, uint32_t count, int flags,
	     const struct linux_timespec *uts)
{
	uint64_t deadline = 0;
	struct file *fp;
	int64_t result = uts != NULL ? -timespec_deadline(uts, &deadline) : 0;
	uint32_t n, len;
	int error;

	if (result != 0)
		return (result);
	error = socket_get(fd, &fp);
	if (error != 0)
		return (-error);
	for (n = 0; n < MIN(count, MMSG_MAX); n++) {
		result = receive_hdr(fp, &umsgs[n].hdr, flags & ~MSG_WAITFORONE);
		if (result < 0)
			break;
		len = result;
		result = COPYOUT(&len, &umsgs[n].len);
		if (result != 0 || (uts != NULL && cpu_now() >= deadline)) {
			n += result == 0;
			break;
		}
		if ((flags & MSG_WAITFORONE) != 0)
			flags |= MSG_DONTWAIT;
	}
	fdrop(fp);
	return (n > 0 ? (int64_t)n : result);
}
