/*
 * Options of sockets.
 */
#include "linux/linux_socket.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/machdep.h"

/* clang-format off */
enum {
	SO_DEBUG = 1, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE, SO_BROADCAST, SO_SNDBUF,
	SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE, SO_PRIORITY = 12, SO_LINGER, SO_REUSEPORT = 15,
	SO_PEERCRED = 17, SO_RCVLOWAT, SO_SNDLOWAT, SO_RCVTIMEO, SO_SNDTIMEO, SO_ACCEPTCONN = 30,
	SO_SNDBUFFORCE = 32, SO_RCVBUFFORCE, SO_PROTOCOL = 38, SO_DOMAIN,
};
/* clang-format on */
#define BIT(n) (1ul << (n))
/* Kept and told; but for SO_PASSCRED they mean nothing here. */
#define SWITCHES                                                                     \
	(BIT(SO_DEBUG) | BIT(SO_REUSEADDR) | BIT(SO_DONTROUTE) | BIT(SO_BROADCAST) | \
	 BIT(SO_KEEPALIVE) | BIT(SO_OOBINLINE) | BIT(SO_REUSEPORT) | BIT(SO_PASSCRED))
#define BUF_MAX    212992u /* that a program may ask for; what it gets is twice as much */
#define SNDBUF_MIN 4608u
#define RCVBUF_MIN 2304u

static int
set_timeout(uint64_t *timeo, const struct linux_timeval *utv, uint32_t len)
{
	struct linux_timeval tv;

	if (len < sizeof(tv))
		return (EINVAL);
	if (copyin(utv, &tv, sizeof(tv)) != 0)
		return (EFAULT);
	if (tv.usec < 0 || tv.usec >= 1000000)
		return (EDOM);
	*timeo = tv.sec < 0 ? 1 : MIN((uint64_t)tv.sec, 1ul << 33) * 1000000000 + tv.usec * 1000;
	return (0);
}

static int
set_option(struct socket *so, int option, int value)
{
	switch (option) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		so->so_sndbuf = MAX(2 * MIN((uint32_t)value, BUF_MAX), SNDBUF_MIN);
		return (0);
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		so->so_rcvbuf = MAX(2 * MIN((uint32_t)value, BUF_MAX), RCVBUF_MIN);
		return (0);
	case SO_RCVLOWAT:
		so->so_rcvlowat = value < 0 ? INT32_MAX : MAX(value, 1);
		return (0);
	case SO_PRIORITY:
		return (0);
	}
	if (option < 0 || option > 63 || (SWITCHES & BIT(option)) == 0)
		return (ENOPROTOOPT);
	if (value != 0)
		__atomic_fetch_or(&so->so_options, BIT(option), __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&so->so_options, ~BIT(option), __ATOMIC_RELAXED);
	return (0);
}

static int
setsockopt(struct socket *so, int level, int option, const void *uvalue, int len)
{
	int value;

	if (len < 0)
		return (EINVAL);
	if (level != SOL_SOCKET)
		return (EOPNOTSUPP);
	if (option == SO_RCVTIMEO || option == SO_SNDTIMEO)
		return (set_timeout(option == SO_RCVTIMEO ? &so->so_rcvtimeo : &so->so_sndtimeo,
				    uvalue, len));
	if ((size_t)len < sizeof(value))
		return (EINVAL);
	if (copyin(uvalue, &value, sizeof(value)) != 0)
		return (EFAULT);
	if (option == SO_LINGER) /* nothing is lost that was sent: there is nothing to wait for */
		return ((size_t)len < 2 * sizeof(value) ? EINVAL : 0);
	return (set_option(so, option, value));
}

int64_t
sys_setsockopt(int fd, int level, int option, const void *uvalue, int len)
{
	struct file *fp;
	int error = socket_get(fd, &fp);

	if (error != 0)
		return (-error);
	error = setsockopt(FP_SOCKET(fp), level, option, uvalue, len);
	fdrop(fp);
	return (-error);
}

static int
take_error(struct socket *so)
{
	int error;

	rw_wlock(&unp_lock);
	error = so->so_error;
	so->so_error = 0;
	rw_unlock(&unp_lock);
	return (error);
}

/* The value of an option, of *size bytes, in buf. */
static int
get_option(struct socket *so, int option, void *buf, size_t *size)
{
	uint64_t timeo = option == SO_RCVTIMEO ? so->so_rcvtimeo : so->so_sndtimeo;
	int *value = buf;

	*size = sizeof(*value);
	switch (option) {
	case SO_TYPE:
		*value = so->so_type;
		return (0);
	case SO_ERROR:
		*value = take_error(so);
		return (0);
	case SO_SNDBUF:
		*value = so->so_sndbuf;
		return (0);
	case SO_RCVBUF:
		*value = so->so_rcvbuf;
		return (0);
	case SO_RCVLOWAT:
		*value = so->so_rcvlowat;
		return (0);
	case SO_SNDLOWAT:
		*value = 1;
		return (0);
	case SO_PRIORITY:
	case SO_PROTOCOL:
		*value = 0;
		return (0);
	case SO_DOMAIN:
		*value = AF_UNIX;
		return (0);
	case SO_ACCEPTCONN:
		*value = so->so_state == SS_LISTENING;
		return (0);
	case SO_LINGER:
		*size = 2 * sizeof(*value);
		value[0] = value[1] = 0;
		return (0);
	case SO_PEERCRED:
		*size = sizeof(so->so_peercred);
		*(struct sockcred *)buf = so->so_state == SS_FREE
					      ? (struct sockcred){0, UINT32_MAX, UINT32_MAX}
					      : so->so_peercred;
		return (0);
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
		*size = sizeof(struct linux_timeval);
		*(struct linux_timeval *)buf =
		    (struct linux_timeval){timeo / 1000000000, timeo % 1000000000 / 1000};
		return (0);
	}
	if (option < 0 || option > 63 || (SWITCHES & BIT(option)) == 0)
		return (ENOPROTOOPT);
	*value = so_option(so, option);
	return (0);
}

static int
getsockopt(struct socket *so, int level, int option, void *uvalue, int *ulen)
{
	uint64_t buf[2] = {0};
	size_t size;
	int len, error;

	if (level != SOL_SOCKET)
		return (EOPNOTSUPP);
	if (copyin(ulen, &len, sizeof(len)) != 0)
		return (EFAULT);
	if (len < 0)
		return (EINVAL);
	error = get_option(so, option, buf, &size);
	if (error != 0)
		return (error);
	len = MIN(len, (int)size);
	return (copyout(buf, uvalue, len) != 0 ? EFAULT : copyout(&len, ulen, sizeof(len)));
}

int64_t
sys_getsockopt(int fd, int level, int option, void *uvalue, int *ulen)
{
	struct file *fp;
	int error = socket_get(fd, &fp);

	if (error != 0)
		return (-error);
	error = getsockopt(FP_SOCKET(fp), level, option, uvalue, ulen);
	fdrop(fp);
	return (-error);
}
