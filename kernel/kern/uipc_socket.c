/*
 * Sockets as files, and messages through them: see socket.h. Owns unp_lock and the count of what
 * memory messages take.
 */
#include "kern/socket.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "vm/vm_page.h"

#define BUFFER     212992 /* bytes: SO_SNDBUF and SO_RCVBUF, as Linux's default */
#define CHUNK      32768ul /* bytes of a stream in one message at most */
#define PACKET_TAX 32 /* bytes of SO_SNDBUF that a packet cannot have */
#define QLEN_MAX \
	10 /* datagrams wait for one who is not connected to the sender; one more is full */
#define SIOCOUTQ 0x5411

struct rwlock unp_lock = RW_INITIALIZER("sockets", LR_FILE);
struct socketlist all_sockets = LIST_HEAD_INITIALIZER(all_sockets);
static uint64_t message_bytes; /* (u) */
STAT(socket_bytes, message_bytes);

void
so_list(struct socket *so)
{
	rw_assert_wlocked(&unp_lock);
	if (!so->so_listed)
		LIST_INSERT_HEAD(&all_sockets, so, so_all);
	so->so_listed = true;
}

/* --- waiting ---------------------------------------------------------------------------------- */

uint64_t
so_until(uint64_t ns)
{
	uint64_t at;

	return (ns == 0 || __builtin_add_overflow(cpu_now(), ns, &at) ? 0 : at);
}

int
so_sleep(const void *chan, uint64_t until)
{
	uint64_t now = until != 0 ? cpu_now() : 0;
	int error;

	rw_assert_wlocked(&unp_lock);
	if (until != 0 && now >= until)
		return (EAGAIN);
	error = rw_sleep(chan, &unp_lock, SLEEP_INTR, until != 0 ? until - now : 0);
	rw_wlock(&unp_lock);
	if (error == ETIMEDOUT)
		return (EAGAIN);
	return (error == EINTR && until == 0 ? ERESTART : error);
}

void
so_wakeup(struct socket *so, uint32_t events)
{
	wakeup(so);
	selwakeup(&so->so_sel, events);
}

/* --- messages --------------------------------------------------------------------------------- */

static size_t
msg_size(const struct sockmsg *m)
{
	return (sizeof(*m) + m->m_len);
}

void
sockctl_free(struct sockctl *ctl)
{
	for (uint32_t i = 0; ctl->files != NULL && i < ctl->nfiles; i++)
		fdrop(ctl->files[i]);
	kfree(ctl->files);
	name_rele(ctl->name);
	ctl->files = NULL;
	ctl->name = NULL;
}

/* No more may be sent for now: too much that we sent waits; or all messages have a quarter of the
 * memory, and one of them is ours. */
static bool
send_full(struct socket *so)
{
	return (so->so_sent >= so->so_sndbuf ||
		(so->so_sent > 0 && message_bytes > ptoa(vm_cnt.v_page_count) / 4));
}

static bool
send_ready(struct socket *so)
{
	return (so->so_sent * 4 <= so->so_sndbuf && (so->so_sent == 0 || !send_full(so)));
}

/* So's datagram would go to one whose queue is full. */
static bool
peer_full(struct socket *so, struct socket *to)
{
	return (!connected_type(so) && to->so_peer != so && to->so_nrcv > QLEN_MAX);
}

void
so_unqueue(struct socket *so, struct sockmsg *m, struct sockmsgs *to)
{
	struct socket *from = m->m_from, *sender;
	bool ready = send_ready(from);

	rw_assert_wlocked(&unp_lock);
	STAILQ_REMOVE(&so->so_rcv, m, sockmsg, m_link);
	STAILQ_INSERT_TAIL(to, m, m_link);
	unp_inflight(m, -1);
	so->so_nrcv--;
	so->so_rcvbytes -= m->m_len - m->m_at;
	from->so_sent -= msg_size(m);
	message_bytes -= msg_size(m);
	wakeup(from);
	if (!ready && send_ready(from))
		selwakeup(&from->so_sel, POLLOUT | POLLWRNORM | POLLWRBAND);
	if (so->so_nrcv != QLEN_MAX)
		return;
	wakeup(so); /* who waits to send to it */
	LIST_FOREACH (sender, &so->so_senders, so_slink)
		selwakeup(&sender->so_sel, POLLOUT | POLLWRNORM | POLLWRBAND);
}

static void
so_queue(struct socket *from, struct socket *to, struct sockmsg *m)
{
	rw_assert_wlocked(&unp_lock);
	STAILQ_INSERT_TAIL(&to->so_rcv, m, m_link);
	unp_inflight(m, 1);
	to->so_nrcv++;
	to->so_rcvbytes += m->m_len;
	from->so_sent += msg_size(m);
	message_bytes += msg_size(m);
	so_wakeup(to, POLLIN | POLLRDNORM);
}

/* --- send ------------------------------------------------------------------------------------- */

/* A message of the next n bytes of uio, on no queue. */
static int
msg_make(struct socket *so, struct uio *uio, size_t n, struct sockmsg **mp)
{
	struct sockmsg *m = kmalloc(sizeof(*m) + n, 0);
	int error;

	if (m == NULL)
		return (ENOBUFS);
	*m = (struct sockmsg){.m_len = n, .m_from = so};
	error = uiomove(m->m_data, n, uio);
	if (error != 0) {
		kfree(m);
		return (error);
	}
	vref(&so->so_vnode);
	*mp = m;
	return (0);
}

/* It is sent: with who sent it, and what goes along. */
static void
msg_complete(struct socket *so, struct socket *to, struct sockmsg *m, struct sockctl *ctl)
{
	m->m_cred = (struct sockcred){0, 65534, 65534};
	if (ctl->has_cred)
		m->m_cred = ctl->cred;
	else if (so_option(so, SO_PASSCRED) || so_option(to, SO_PASSCRED) || to->so_file == NULL)
		m->m_cred = unp_cred(true);
	m->m_name = so->so_name;
	if (m->m_name != NULL)
		__atomic_fetch_add(&m->m_name->un_refs, 1, __ATOMIC_RELAXED);
	m->m_files = ctl->files;
	m->m_nfiles = ctl->nfiles;
	ctl->files = NULL;
}

static int
send_wait(struct socket *so, bool nowait, uint64_t until)
{
	int error = 0;

	while (error == 0 && send_full(so)) {
		if (so->so_wshut)
			return (EPIPE);
		error = nowait ? EAGAIN : so_sleep(so, until);
	}
	return (error);
}

/* May m go to `to` now? */
static int
send_check(struct socket *so, struct socket *to)
{
	if (so->so_wshut)
		return (EPIPE);
	if (to == NULL)
		return (ENOTCONN);
	if (to->so_dead)
		return (connected_type(so) ? EPIPE : ECONNREFUSED);
	if (to->so_rshut)
		return (EPIPE);
	return (!connected_type(so) && to->so_peer != NULL && to->so_peer != so ? EPERM : 0);
}

/* One message of n bytes; to NULL: to the peer. */
static int
send_message(struct socket *so, struct socket *to, struct uio *uio, size_t n, struct sockctl *ctl,
	     int flags)
{
	bool nowait = (flags & MSG_DONTWAIT) != 0;
	struct sockmsgs unsent = STAILQ_HEAD_INITIALIZER(unsent);
	uint64_t until = so_until(so->so_sndtimeo);
	struct socket *dest = to;
	struct uio saved = *uio;
	struct sockmsg *m;
	int error;

	rw_wlock(&unp_lock);
	error = send_wait(so, nowait, until);
	rw_unlock(&unp_lock);
	if (error == 0)
		error = msg_make(so, uio, n, &m);
	if (error != 0)
		return (error);
	rw_wlock(&unp_lock);
	do {
		dest = to != NULL ? to : so->so_peer;
		error = send_check(so, dest);
		if (error != 0 || !peer_full(so, dest))
			break;
		error = nowait ? EAGAIN : so_sleep(dest, until);
	} while (error == 0);
	if (error == 0) {
		msg_complete(so, dest, m, ctl);
		so_queue(so, dest, m);
	}
	rw_unlock(&unp_lock);
	if (error != 0) {
		*uio = saved;
		STAILQ_INSERT_TAIL(&unsent, m, m_link);
		unp_discard(&unsent);
	}
	return (error);
}

static int
send_packet(struct socket *so, struct uio *uio, struct sockctl *ctl, int flags)
{
	struct socket *to = NULL;
	int error = 0;

	if (connected_type(so) && so->so_state != SS_CONNECTED)
		return (ENOTCONN);
	if (!connected_type(so) && ctl->name != NULL)
		error = unp_find(ctl->name, SOCK_DGRAM, &to);
	else if (so->so_peer == NULL)
		error = ENOTCONN;
	if (error == 0 && uio->uio_resid > so->so_sndbuf - PACKET_TAX)
		error = EMSGSIZE;
	if (error == 0)
		error = send_message(so, to, uio, uio->uio_resid, ctl, flags);
	if (error == ECONNREFUSED && to == NULL)
		unp_connect(so, NULL, true);
	if (to != NULL)
		vrele(&to->so_vnode);
	return (error);
}

static int
send_stream(struct socket *so, struct uio *uio, struct sockctl *ctl, int flags)
{
	size_t before = uio->uio_resid, most = MIN(CHUNK, so->so_sndbuf / 2 - 64ul);
	int error = 0;

	if (ctl->name != NULL)
		return (so->so_state == SS_CONNECTED ? EISCONN : EOPNOTSUPP);
	if (so->so_state != SS_CONNECTED)
		return (ENOTCONN);
	if (so->so_wshut)
		error = EPIPE;
	while (error == 0 && uio->uio_resid > 0)
		error = send_message(so, NULL, uio, MIN(uio->uio_resid, most), ctl, flags);
	if (error == EPIPE && uio->uio_resid == before && (flags & MSG_NOSIGNAL) == 0)
		signal_send(curproc, curthread, SIGPIPE);
	return (error);
}

int
so_send(struct socket *so, struct uio *uio, struct sockctl *ctl, int flags)
{
	if ((flags & MSG_OOB) != 0)
		return (EOPNOTSUPP);
	return (so->so_type == SOCK_STREAM ? send_stream(so, uio, ctl, flags)
					   : send_packet(so, uio, ctl, flags));
}

/* --- receive ---------------------------------------------------------------------------------- */

static int
turn_take(struct socket *so, bool nowait, uint64_t until)
{
	int error = 0;

	/* Only a copy goes on with the turn taken: it is no wait that nowait speaks of. */
	while (so->so_reading && error == 0)
		error = so_sleep(so, nowait ? 0 : until);
	if (error == 0)
		so->so_reading = true;
	return (error);
}

static void
turn_end(struct socket *so)
{
	so->so_reading = false;
	wakeup(so);
}

/* Wait for a message; 0 also at the end of what comes. The turn is ours then, and only then: it
 * keeps the message while its bytes are copied without the lock. */
static int
receive_wait(struct socket *so, bool nowait, uint64_t until)
{
	int error = turn_take(so, nowait, until);

	while (error == 0 && STAILQ_EMPTY(&so->so_rcv)) {
		error = so->so_error;
		so->so_error = 0;
		if (error == 0 && so->so_rshut && (connected_type(so) || !nowait))
			return (0);
		if (error == 0 && nowait)
			error = EAGAIN;
		so->so_reading = false;
		if (error == 0)
			error = so_sleep(so, until);
		if (error == 0)
			error = turn_take(so, nowait, until);
	}
	return (error);
}

/* Files that come with m, taken or (peek) once more. */
static int
take_files(struct sockmsg *m, struct sockctl *ctl, bool peek)
{
	if (m->m_files == NULL)
		return (0);
	ctl->files = m->m_files;
	ctl->nfiles = m->m_nfiles;
	if (!peek) {
		unp_inflight(m, -1);
		m->m_files = NULL;
		return (0);
	}
	ctl->files = kmalloc(m->m_nfiles * sizeof(*ctl->files), 0);
	if (ctl->files == NULL)
		return (ENOBUFS);
	for (uint32_t i = 0; i < m->m_nfiles; i++)
		fref(ctl->files[i] = m->m_files[i]);
	return (0);
}

static void
tell_sender(struct sockmsg *m, struct sockctl *ctl)
{
	ctl->cred = m->m_cred;
	ctl->has_cred = true;
	ctl->name = m->m_name;
	if (ctl->name != NULL)
		__atomic_fetch_add(&ctl->name->un_refs, 1, __ATOMIC_RELAXED);
}

static int
receive_packet(struct socket *so, struct uio *uio, struct sockctl *ctl, int flags, size_t *len,
	       struct sockmsgs *read)
{
	bool peek = (flags & MSG_PEEK) != 0;
	struct sockmsg *m = STAILQ_FIRST(&so->so_rcv);
	int error;

	*len = 0;
	if (m == NULL) /* the end */
		return (0);
	*len = m->m_len;
	ctl->flags |= m->m_len > uio->uio_resid ? MSG_TRUNC : 0;
	tell_sender(m, ctl);
	error = uiomove_unlocked(m->m_data, MIN(m->m_len, uio->uio_resid), uio, &unp_lock);
	if (error == 0)
		error = take_files(m, ctl, peek);
	if (!peek)
		so_unqueue(so, m, read);
	return (error);
}

/* Another sender's bytes are not read along with those of the first. */
static bool
other_sender(struct socket *so, struct sockmsg *m, struct sockctl *ctl)
{
	return (ctl->has_cred && so_option(so, SO_PASSCRED) &&
		memcmp(&m->m_cred, &ctl->cred, sizeof(ctl->cred)) != 0);
}

/* From messages that are there, as far as they go together; m: the first to look at. */
static int
receive_some(struct socket *so, struct sockmsg *m, struct uio *uio, struct sockctl *ctl, bool peek,
	     struct sockmsgs *read)
{
	struct sockmsg *next;
	size_t n;
	int error;

	for (; m != NULL && uio->uio_resid > 0 && ctl->files == NULL; m = next) {
		if (other_sender(so, m, ctl))
			break;
		if (!ctl->has_cred)
			tell_sender(m, ctl);
		n = uio->uio_resid;
		error = uiomove_unlocked(m->m_data + m->m_at, MIN(m->m_len - m->m_at, n), uio,
					 &unp_lock);
		n -= uio->uio_resid;
		if (error == 0)
			error = take_files(m, ctl, peek);
		next = STAILQ_NEXT(m, m_link);
		if (!peek) {
			m->m_at += n;
			so->so_rcvbytes -= n;
		}
		if (!peek && m->m_at == m->m_len)
			so_unqueue(so, m, read);
		if (error != 0)
			return (error);
	}
	return (0);
}

static int
receive_stream(struct socket *so, struct uio *uio, struct sockctl *ctl, int flags, uint64_t until,
	       struct sockmsgs *read)
{
	bool peek = (flags & MSG_PEEK) != 0, nowait = (flags & MSG_DONTWAIT) != 0;
	size_t size = uio->uio_resid, target, copied = 0;
	int error = 0;

	target = (flags & MSG_WAITALL) != 0 ? size : MIN(so->so_rcvlowat, size);
	while (error == 0 && !STAILQ_EMPTY(&so->so_rcv)) {
		error = receive_some(so, STAILQ_FIRST(&so->so_rcv), uio, ctl, peek, read);
		copied = size - uio->uio_resid;
		if (error != 0 || peek || copied >= target || ctl->files != NULL ||
		    !STAILQ_EMPTY(&so->so_rcv))
			break;
		turn_end(so);
		error = receive_wait(so, nowait, until);
		if (error != 0) /* and the turn is not ours */
			return (error);
	}
	turn_end(so);
	return (error);
}

int
so_receive(struct socket *so, struct uio *uio, struct sockctl *ctl, int flags, size_t *len)
{
	struct sockmsgs read = STAILQ_HEAD_INITIALIZER(read);
	uint64_t until = so_until(so->so_rcvtimeo);
	size_t size = uio->uio_resid;
	int error;

	if ((flags & MSG_OOB) != 0)
		return (EOPNOTSUPP);
	if (connected_type(so) && so->so_state != SS_CONNECTED)
		return (so->so_type == SOCK_STREAM ? EINVAL : ENOTCONN);
	rw_wlock(&unp_lock);
	error = receive_wait(so, (flags & MSG_DONTWAIT) != 0, until);
	if (error == 0 && so->so_type == SOCK_STREAM) {
		error = receive_stream(so, uio, ctl, flags, until, &read);
		*len = size - uio->uio_resid;
	} else if (error == 0) {
		error = receive_packet(so, uio, ctl, flags, len, &read);
		turn_end(so);
	}
	rw_unlock(&unp_lock);
	unp_discard(&read);
	return (error);
}

/* --- as a file -------------------------------------------------------------------------------- */

static int
socket_flags(struct uio *uio, struct file *fp)
{
	return (uio->uio_nowait || (fp->f_flags & O_NONBLOCK) != 0 ? MSG_DONTWAIT : 0);
}

static int
socket_read(struct vnode *vp, struct uio *uio, struct file *fp)
{
	struct sockctl ctl = {0};
	size_t len;
	int error;

	if (uio->uio_resid == 0)
		return (0);
	error = so_receive(SOCKET(vp), uio, &ctl, socket_flags(uio, fp), &len);
	sockctl_free(&ctl);
	return (error);
}

static int
socket_write(struct vnode *vp, struct uio *uio, struct file *fp)
{
	struct sockctl ctl = {0};

	return (so_send(SOCKET(vp), uio, &ctl, socket_flags(uio, fp)));
}

static uint32_t
socket_poll(struct vnode *vp, struct file *fp __unused, struct selfd *sfd)
{
	struct socket *so = SOCKET(vp);
	uint32_t events = 0;

	rw_wlock(&unp_lock);
	selrecord(&so->so_sel, sfd);
	if (so->so_error != 0)
		events |= POLLERR;
	if (so->so_rshut && so->so_wshut)
		events |= POLLHUP;
	if (so->so_rshut)
		events |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (!STAILQ_EMPTY(&so->so_rcv) || !TAILQ_EMPTY(&so->so_queue))
		events |= POLLIN | POLLRDNORM;
	if (connected_type(so) && so->so_state == SS_FREE)
		events |= POLLHUP;
	if (so->so_state != SS_LISTENING && send_ready(so) &&
	    (so->so_peer == NULL || !peer_full(so, so->so_peer)))
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	rw_unlock(&unp_lock);
	return (events);
}

static int
socket_ioctl(struct vnode *vp, struct file *fp __unused, uint64_t cmd, uint64_t arg)
{
	struct socket *so = SOCKET(vp);
	struct sockmsg *m;
	int value;

	if (cmd != FIONREAD && cmd != SIOCOUTQ)
		return (ENOTTY);
	if (cmd == FIONREAD && so->so_state == SS_LISTENING)
		return (EINVAL);
	rw_rlock(&unp_lock);
	m = STAILQ_FIRST(&so->so_rcv);
	if (cmd == SIOCOUTQ)
		value = so->so_sent;
	else if (connected_type(so))
		value = so->so_rcvbytes;
	else
		value = m != NULL ? m->m_len : 0;
	rw_unlock(&unp_lock);
	return (copyout(&value, (void *)arg, sizeof(value)));
}

static int
socket_open(struct vnode *vp, struct file *fp)
{
	struct socket *so = SOCKET(vp);
	int error = ENXIO; /* by way of /proc */

	rw_wlock(&unp_lock);
	if (so->so_file == NULL && !so->so_dead) {
		so->so_file = fp;
		so_list(so);
		error = 0;
	}
	rw_unlock(&unp_lock);
	return (error);
}

static void
socket_close(struct vnode *vp, struct file *fp __unused)
{
	unp_close(SOCKET(vp));
}

static void
socket_inactive(struct vnode *vp)
{
	name_rele(SOCKET(vp)->so_name);
}

static const struct vnodeops socket_ops = {
    .v_open = socket_open,
    .v_close = socket_close,
    .v_read = socket_read,
    .v_write = socket_write,
    .v_poll = socket_poll,
    .v_ioctl = socket_ioctl,
    .v_inactive = socket_inactive,
};

struct socket *
file_socket(struct file *fp)
{
	return (fp->f_vnode->v_ops == &socket_ops ? SOCKET(fp->f_vnode) : NULL);
}

struct socket *
socket_alloc(int type)
{
	struct vnode *vp =
	    vnode_alloc(sizeof(struct socket), &socket_ops, VSOCK, NULL, "socket", 6);
	struct socket *so;

	if (vp == NULL)
		return (NULL);
	so = SOCKET(vp);
	vp->v_attr.va_mode = 0777;
	so->so_type = type;
	STAILQ_INIT(&so->so_rcv);
	TAILQ_INIT(&so->so_queue);
	so->so_sndbuf = so->so_rcvbuf = BUFFER;
	so->so_rcvlowat = 1;
	return (so);
}
