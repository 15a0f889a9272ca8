/*
 * Sockets' names, and how they come together and part. Owns the table of abstract names.
 *
 * Who is connected holds its peer, which may be closed before it (so_dead).
 */
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/proc.h"
#include "kern/pwd.h"
#include "kern/socket.h"
#include "kern/string.h"

#define BUCKETS   64
#define AUTOBINDS 0x100000 /* names of five hexadecimal digits */

static struct socketlist abstract[BUCKETS]; /* (u) by name */
static uint32_t next_autobind; /* (u) */

/* Who connects is told by what it acts as, who sends by who it is: so does Linux. */
struct sockcred
unp_cred(bool real)
{
	const struct ucred *cr = curcred();

	return ((struct sockcred){curproc->p_pid, real ? cr->cr_ruid : cr->cr_uid,
				  real ? cr->cr_rgid : cr->cr_gid});
}

/* --- names ------------------------------------------------------------------------------------ */

void
name_rele(struct unpname *name)
{
	if (name != NULL && __atomic_sub_fetch(&name->un_refs, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(name);
}

static bool
is_path(const struct unpname *name)
{
	return (name->un_addr.sun_path[0] != '\0');
}

struct unpname *
name_alloc(const struct sockaddr_un *addr, uint32_t len)
{
	const uint32_t family = offsetof(struct sockaddr_un, sun_path);
	struct unpname *name = kmalloc(sizeof(*name) + 1, M_ZERO); /* a NUL ends every path */

	if (name == NULL)
		return (NULL);
	name->un_refs = 1;
	memcpy(&name->un_addr, addr, len);
	name->un_addr.sun_family = AF_UNIX;
	name->un_len = is_path(name) ? family + strlen(name->un_addr.sun_path) + 1 : len;
	return (name);
}

static struct socketlist *
bucket(const struct unpname *name)
{
	uint32_t hash = 0;

	for (uint32_t i = 0; i < name->un_len; i++)
		hash = hash * 31 + ((const uint8_t *)&name->un_addr)[i];
	return (&abstract[hash % BUCKETS]);
}

/* Each type of sockets has names of its own. */
static struct socket *
abstract_find(const struct unpname *name, int type)
{
	struct socket *so;

	LIST_FOREACH (so, bucket(name), so_hash)
		if (so->so_type == type && so->so_name->un_len == name->un_len &&
		    memcmp(&so->so_name->un_addr, &name->un_addr, name->un_len) == 0)
			break;
	return (so);
}

/* --- bind ------------------------------------------------------------------------------------- */

static int
bind_abstract(struct socket *so, struct unpname *name)
{
	int error = 0;

	rw_wlock(&unp_lock);
	if (so->so_name != NULL)
		error = EINVAL;
	else if (abstract_find(name, so->so_type) != NULL)
		error = EADDRINUSE;
	if (error == 0) {
		so->so_name = name;
		so->so_hashed = true;
		LIST_INSERT_HEAD(bucket(name), so, so_hash);
	}
	rw_unlock(&unp_lock);
	return (error);
}

static int
bind_any(struct socket *so)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct unpname *name;
	int error = EADDRINUSE;

	for (int tries = 0; error == EADDRINUSE && tries < AUTOBINDS; tries++) {
		ksnprintf(addr.sun_path + 1, 6, "%05x",
			  __atomic_add_fetch(&next_autobind, 1, __ATOMIC_RELAXED) % AUTOBINDS);
		name = name_alloc(&addr, offsetof(struct sockaddr_un, sun_path) + 6);
		if (name == NULL)
			return (ENOMEM);
		error = bind_abstract(so, name);
		if (error != 0)
			name_rele(name);
	}
	return (error);
}

/* A new node at the path, of a socket that has no name yet. */
static int
make_node(const char *path, bool unnamed, struct vnode **vpp)
{
	struct vnode *cwd = pwd_cdir(curproc->p_pd);
	struct nameidata nd;
	int error = namei_last(cwd, path, false, &nd);

	vrele(cwd);
	if (error != 0)
		return (error);
	if (nd.nd_vp != NULL)
		error = EADDRINUSE;
	else if (nd.nd_slash)
		error = ENOENT;
	else if (!unnamed)
		error = EINVAL;
	else
		error = vn_create(&nd, VSOCK, 0777 & ~curproc->p_pd->pd_umask, NULL, &nd.nd_vp);
	*vpp = nd.nd_vp;
	if (error == 0)
		vref(*vpp);
	nd_release(&nd);
	return (error == EEXIST ? EADDRINUSE : error);
}

static int
bind_path(struct socket *so, struct unpname *name)
{
	struct vnode *vp;
	int error = make_node(name->un_addr.sun_path, so->so_name == NULL, &vp);

	if (error != 0)
		return (error);
	rw_wlock(&unp_lock);
	if (so->so_name != NULL) { /* another thread was quicker; the node stays */
		rw_unlock(&unp_lock);
		vrele(vp);
		return (EINVAL);
	}
	so->so_name = name;
	so->so_bound = vp;
	vp->v_data = so;
	rw_unlock(&unp_lock);
	return (0);
}

int
unp_bind(struct socket *so, struct unpname *name)
{
	int error;

	if (name == NULL)
		return (so->so_name != NULL ? 0 : bind_any(so));
	__atomic_fetch_add(&name->un_refs, 1, __ATOMIC_RELAXED);
	error = is_path(name) ? bind_path(so, name) : bind_abstract(so, name);
	if (error != 0)
		name_rele(name);
	return (error);
}

int
unp_find(struct unpname *name, int type, struct socket **sop)
{
	struct vnode *cwd, *vp = NULL;
	struct socket *so = NULL;
	int error = 0;

	if (is_path(name)) {
		cwd = pwd_cdir(curproc->p_pd);
		error = namei(cwd, name->un_addr.sun_path, true, &vp);
		vrele(cwd);
		if (error == 0 && vp->v_type == VSOCK)
			error = vaccess(vp, VWRITE);
		if (error != 0) {
			vrele(vp);
			return (error);
		}
	}
	rw_rlock(&unp_lock);
	if (vp == NULL)
		so = abstract_find(name, type);
	else if (vp->v_type == VSOCK)
		so = vp->v_data;
	if (so == NULL)
		error = ECONNREFUSED;
	else if (so->so_type != type)
		error = EPROTOTYPE;
	else
		vref(&so->so_vnode);
	rw_unlock(&unp_lock);
	vrele(vp);
	*sop = so;
	return (error);
}

/* --- connect ---------------------------------------------------------------------------------- */

/* So's peer is `to`, or nobody; what it was is returned, with its reference. */
static struct socket *
peer_set(struct socket *so, struct socket *to)
{
	struct socket *old = so->so_peer;

	rw_assert_wlocked(&unp_lock);
	if (old != NULL && !connected_type(so))
		LIST_REMOVE(so, so_slink);
	so->so_peer = to;
	if (to == NULL)
		return (old);
	vref(&to->so_vnode);
	if (!connected_type(so))
		LIST_INSERT_HEAD(&to->so_senders, so, so_slink);
	return (old);
}

static void
peer_rele(struct socket *so)
{
	if (so != NULL)
		vrele(&so->so_vnode);
}

static int
connect_packets(struct socket *so, struct unpname *name)
{
	struct socket *to = NULL, *old = NULL;
	int error = name != NULL ? unp_find(name, SOCK_DGRAM, &to) : 0;

	if (error != 0)
		return (error);
	rw_wlock(&unp_lock);
	if (to != NULL && to->so_peer != NULL && to->so_peer != so)
		error = EPERM;
	else
		old = peer_set(so, to);
	if (error == 0)
		so->so_state = to != NULL ? SS_CONNECTED : SS_FREE;
	selwakeup(&so->so_sel, POLLOUT | POLLWRNORM | POLLWRBAND);
	rw_unlock(&unp_lock);
	peer_rele(old);
	peer_rele(to);
	return (error);
}

/* Wait until there is room on the queue of `to`, and check both again. */
static int
connect_wait(struct socket *so, struct socket *to, bool nowait)
{
	uint64_t until = so_until(so->so_sndtimeo);
	int error = 0;

	for (;;) {
		if (to->so_dead || to->so_state != SS_LISTENING || to->so_rshut)
			return (ECONNREFUSED);
		if (to->so_qlen <= to->so_backlog)
			break;
		error = nowait ? EAGAIN : so_sleep(to, until);
		if (error != 0)
			return (error);
	}
	return (so->so_state == SS_FREE ? 0 : so->so_state == SS_CONNECTED ? EISCONN : EINVAL);
}

/* `new`, which is what so talks to from now on, waits to be accepted. */
static void
connect_link(struct socket *so, struct socket *to, struct socket *new)
{
	new->so_name = to->so_name;
	if (new->so_name != NULL)
		__atomic_fetch_add(&new->so_name->un_refs, 1, __ATOMIC_RELAXED);
	new->so_state = so->so_state = SS_CONNECTED;
	new->so_cred = to->so_cred;
	new->so_peercred = so->so_cred = unp_cred(false);
	so->so_peercred = to->so_cred;
	new->so_options = to->so_options & 1ul << SO_PASSCRED;
	peer_set(so, new);
	peer_set(new, so);
	so_list(new);
	new->so_head = to;
	TAILQ_INSERT_TAIL(&to->so_queue, new, so_qlink);
	to->so_qlen++;
	so_wakeup(to, POLLIN | POLLRDNORM);
	so_wakeup(so, POLLOUT | POLLWRNORM | POLLWRBAND);
}

static int
connect_stream(struct socket *so, struct unpname *name, bool nowait)
{
	struct socket *to, *new;
	int error = unp_find(name, so->so_type, &to);

	if (error != 0)
		return (error);
	new = socket_alloc(so->so_type);
	if (new == NULL) {
		peer_rele(to);
		return (ENOMEM);
	}
	rw_wlock(&unp_lock);
	error = connect_wait(so, to, nowait);
	if (error == 0)
		connect_link(so, to, new);
	rw_unlock(&unp_lock);
	peer_rele(to);
	if (error != 0)
		peer_rele(new);
	return (error);
}

int
unp_connect(struct socket *so, struct unpname *name, bool nowait)
{
	int error = 0;

	if (name != NULL && so_option(so, SO_PASSCRED)) /* who passes credentials has a name */
		error = unp_bind(so, NULL);
	if (error != 0)
		return (error);
	return (connected_type(so) ? connect_stream(so, name, nowait) : connect_packets(so, name));
}

void
unp_pair(struct socket *a, struct socket *b)
{
	rw_wlock(&unp_lock);
	a->so_cred = b->so_cred = a->so_peercred = b->so_peercred = unp_cred(false);
	a->so_state = b->so_state = SS_CONNECTED;
	peer_set(a, b);
	peer_set(b, a);
	rw_unlock(&unp_lock);
}

/* --- listen and accept ------------------------------------------------------------------------ */

int
unp_listen(struct socket *so, int backlog)
{
	int error = 0;

	if (!connected_type(so))
		return (EOPNOTSUPP);
	rw_wlock(&unp_lock);
	if (so->so_name == NULL || so->so_state == SS_CONNECTED || so->so_dead) {
		error = EINVAL;
	} else {
		so->so_state = SS_LISTENING;
		so->so_backlog = MIN((uint32_t)backlog, SOMAXCONN);
		so->so_cred = unp_cred(false);
		so_wakeup(so, 0); /* there may be more room */
	}
	rw_unlock(&unp_lock);
	return (error);
}

static struct socket *
queue_take(struct socket *so)
{
	struct socket *first = TAILQ_FIRST(&so->so_queue);

	rw_assert_wlocked(&unp_lock);
	if (first == NULL)
		return (NULL);
	TAILQ_REMOVE(&so->so_queue, first, so_qlink);
	first->so_head = NULL;
	so->so_qlen--;
	wakeup(so);
	return (first);
}

int
unp_accept(struct socket *so, bool nowait, struct socket **sop)
{
	uint64_t until = so_until(so->so_rcvtimeo);
	int error = 0;

	if (!connected_type(so))
		return (EOPNOTSUPP);
	rw_wlock(&unp_lock);
	if (so->so_state != SS_LISTENING)
		error = EINVAL;
	while (error == 0 && TAILQ_EMPTY(&so->so_queue)) {
		if (so->so_rshut)
			error = EINVAL;
		else
			error = nowait ? EAGAIN : so_sleep(so, until);
	}
	*sop = error == 0 ? queue_take(so) : NULL;
	rw_unlock(&unp_lock);
	return (error);
}

/* --- the end ---------------------------------------------------------------------------------- */

int
unp_shutdown(struct socket *so, int how)
{
	struct socket *peer;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return (EINVAL);
	rw_wlock(&unp_lock);
	so->so_rshut |= how != SHUT_WR;
	so->so_wshut |= how != SHUT_RD;
	peer = connected_type(so) ? so->so_peer : NULL;
	if (peer != NULL) {
		peer->so_wshut |= how != SHUT_WR;
		peer->so_rshut |= how != SHUT_RD;
		so_wakeup(peer, POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLRDNORM);
	}
	so_wakeup(so, POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLRDNORM);
	rw_unlock(&unp_lock);
	return (0);
}

/* Its peer, if it is a stream's, hears of so's end: an error if there is something it was not read
 * of, or nobody accepted it. */
static void
tell_peer(struct socket *so, bool reset)
{
	struct socket *peer = so->so_peer;

	if (peer == NULL || !connected_type(so))
		return;
	peer->so_rshut = peer->so_wshut = true;
	if (reset)
		peer->so_error = ECONNRESET;
	so_wakeup(peer, POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP | POLLRDNORM);
}

/* The name is free. Returns the node, with its reference. */
static struct vnode *
unbind(struct socket *so)
{
	struct vnode *vp = so->so_bound;

	if (vp != NULL)
		vp->v_data = NULL;
	else if (so->so_hashed)
		LIST_REMOVE(so, so_hash);
	so->so_bound = NULL;
	return (vp);
}

/* All but what waits for accept; what is on the queue goes to msgs. unp_lock is held. */
static void
detach(struct socket *so, bool embryo, struct sockmsgs *msgs, struct socket **peer,
       struct vnode **bound)
{
	struct socket *sender;

	rw_assert_wlocked(&unp_lock);
	so->so_dead = so->so_rshut = so->so_wshut = true;
	so->so_file = NULL;
	tell_peer(so, embryo || !STAILQ_EMPTY(&so->so_rcv));
	while (!STAILQ_EMPTY(&so->so_rcv))
		so_unqueue(so, STAILQ_FIRST(&so->so_rcv), msgs);
	*peer = peer_set(so, NULL);
	*bound = unbind(so);
	if (so->so_listed)
		LIST_REMOVE(so, so_all);
	so->so_listed = false;
	wakeup(so);
	LIST_FOREACH (sender, &so->so_senders, so_slink)
		selwakeup(&sender->so_sel, POLLOUT | POLLWRNORM | POLLWRBAND);
}

static void
unp_end(struct socket *so, bool embryo)
{
	struct sockmsgs msgs = STAILQ_HEAD_INITIALIZER(msgs);
	struct socket *peer, *waiting;
	struct vnode *bound;

	rw_wlock(&unp_lock);
	detach(so, embryo, &msgs, &peer, &bound);
	while ((waiting = queue_take(so)) != NULL) {
		rw_unlock(&unp_lock);
		unp_end(waiting, true); /* whose own queue is empty: one deep */
		vrele(&waiting->so_vnode);
		rw_wlock(&unp_lock);
	}
	rw_unlock(&unp_lock);
	peer_rele(peer);
	vrele(bound);
	unp_discard(&msgs);
}

void
unp_close(struct socket *so)
{
	unp_end(so, so->so_file == NULL);
	unp_collect();
}
