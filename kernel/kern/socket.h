/*
 * Sockets of the family AF_UNIX. A socket is a vnode of type VSOCK in no directory; what is bound
 * to a path has a node there, too, whose v_data it is.
 *
 * Streams, datagrams and sequenced packets alike are messages that a sender puts on the receiver's
 * queue: one that reads a stream takes parts of them, or several. unp_lock, one for all sockets,
 * protects them; it is held for short, never while bytes are copied.
 */
#pragma once

#include "kern/lock.h"
#include "kern/select.h"
#include "fs/vnode.h"

/* Linux's numbers, because they cross the system-call boundary. */
enum { AF_UNSPEC = 0, AF_UNIX = 1 };
enum { SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_SEQPACKET = 5 };
enum { SHUT_RD, SHUT_WR, SHUT_RDWR };
/* clang-format off */
enum {
	MSG_OOB = 1, MSG_PEEK = 2, MSG_CTRUNC = 8, MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40,
	MSG_WAITALL = 0x100, MSG_NOSIGNAL = 0x4000, MSG_WAITFORONE = 0x10000,
	MSG_CMSG_CLOEXEC = 0x40000000,
};
/* clang-format on */

#define UNP_PATH_MAX 108 /* bytes of a name, without its family */
#define SCM_MAX_FD   253 /* files in one message */
#define SOMAXCONN    4096 /* listen's backlog */

struct sockaddr_un {
	uint16_t sun_family;
	char sun_path[UNP_PATH_MAX];
};
/* An address: Linux's length, of the family and of the name with its NUL, if it is a path. */
struct unpname {
	uint32_t un_refs; /* (a) */
	uint32_t un_len;
	struct sockaddr_un un_addr;
};
struct sockcred {
	int pid;
	uint32_t uid, gid;
};

/* Locks: (c) constant once it is queued  (u) unp_lock  (r) the turn to read besides */
struct sockmsg {
	STAILQ_ENTRY(sockmsg) m_link; /* (u) */
	size_t m_len; /* (c) */
	size_t m_at; /* (u, r) bytes of a stream's that were read */
	struct sockcred m_cred; /* (c) */
	struct unpname *m_name; /* (c) the sender's, referenced, or NULL */
	struct socket *m_from; /* (u) whose so_sent it counts in, referenced */
	struct file **m_files; /* (u) referenced; NULL: none, or taken */
	uint32_t m_nfiles; /* (u) */
	char m_data[];
};
STAILQ_HEAD(sockmsgs, sockmsg);

enum so_state { SS_FREE, SS_LISTENING, SS_CONNECTED };

/* Locks: (c) constant  (u) unp_lock  (a) atomic */
struct socket {
	struct vnode so_vnode;
	struct selinfo so_sel; /* own lock */
	LIST_ENTRY(socket) so_all; /* (u) */
	bool so_listed; /* (u) among all_sockets: from open, or connect, to close */
	int so_type; /* (c) SOCK_* */
	enum so_state so_state; /* (u) */
	bool so_dead; /* (u) closed; who is connected may still have it */
	bool so_rshut, so_wshut; /* (u) nothing comes any more, nothing goes */
	bool so_reading; /* (u) it is some thread's turn to read */
	int so_error; /* (u) told once */
	struct socket *so_peer; /* (u) referenced, or NULL */
	LIST_HEAD(, socket) so_senders; /* (u) datagrams: whose so_peer this is */
	LIST_ENTRY(socket) so_slink; /* (u) */
	struct file *so_file; /* (u) NULL: not accepted yet, or closed */
	struct sockcred so_cred; /* (u) of who listened or connected */
	struct sockcred so_peercred; /* (u) SO_PEERCRED */

	struct unpname *so_name; /* (u) referenced; NULL: not bound */
	struct vnode *so_bound; /* (u) its node, referenced; NULL: no path */
	LIST_ENTRY(socket) so_hash; /* (u) by name; of one that is bound to no path: */
	bool so_hashed; /* (u) */

	struct sockmsgs so_rcv; /* (u) */
	uint32_t so_nrcv; /* (u) messages in it, */
	size_t so_rcvbytes; /* (u) and bytes not read */
	size_t so_sent; /* (u) memory of what we sent and nobody has read */
	TAILQ_HEAD(, socket) so_queue; /* (u) listening: connected and not accepted, referenced */
	TAILQ_ENTRY(socket) so_qlink; /* (u) */
	struct socket *so_head; /* (u) on whose queue it waits to be accepted */
	uint32_t so_qlen, so_backlog; /* (u) */

	uint32_t so_sndbuf, so_rcvbuf; /* (a) as SO_SNDBUF tells them */
	uint64_t so_rcvtimeo, so_sndtimeo; /* (a) ns; 0: none */
	uint32_t so_rcvlowat; /* (a) */
	uint64_t so_options; /* (a) bits numbered as Linux's SO_* */
	bool so_marked; /* (u) the collector has come by */
	struct socket *so_marklink; /* (u) */
};
#define SOCKET(vp)         container_of(vp, struct socket, so_vnode)
#define SO_PASSCRED        16
#define so_option(so, n)   (((so)->so_options >> (n)&1) != 0)
#define connected_type(so) ((so)->so_type != SOCK_DGRAM)

extern struct rwlock unp_lock; /* rank LR_FILE */
LIST_HEAD(socketlist, socket);
extern struct socketlist all_sockets; /* (u) */
void so_list(struct socket *so); /* unp_lock is held */

/* --- uipc_socket.c: sockets, and what goes through them --------------------------------------- */

struct socket *socket_alloc(int type);
/* The socket that is open as fp, or NULL. */
struct socket *file_socket(struct file *fp);
/* Sleep on chan; unp_lock is let go of meanwhile. until: a time-out, ns since boot, 0: none: EAGAIN.
 * ERESTART; EINTR if there is a time-out. */
int so_sleep(const void *chan, uint64_t until);
/* The moment when a time-out of ns is over. */
uint64_t so_until(uint64_t ns);
/* Something about so changed that may be waited for. unp_lock is held. */
void so_wakeup(struct socket *so, uint32_t events);

/* m leaves the queue of so, onto the list of those to be discarded. unp_lock is held. */
void so_unqueue(struct socket *so, struct sockmsg *m, struct sockmsgs *to);

/* What goes along with a message. */
struct sockctl {
	struct unpname *name; /* sent to; received from; NULL: not given. Referenced */
	struct file **files; /* kmalloc'ed, and referenced */
	uint32_t nfiles;
	bool has_cred;
	struct sockcred cred;
	int flags; /* received: MSG_TRUNC */
};
void sockctl_free(struct sockctl *ctl);
/*
 * Send uio's bytes, or receive into it; flags: MSG_*. Sending takes ctl's files on success.
 * so_receive tells in *len how long a packet is, of which uio took what it has room for.
 */
int so_send(struct socket *so, struct uio *uio, struct sockctl *ctl, int flags);
int so_receive(struct socket *so, struct uio *uio, struct sockctl *ctl, int flags, size_t *len);

/* --- uipc_usrreq.c: names and connections ----------------------------------------------------- */

/* Curproc, with its real user and group, or those it acts as. */
struct sockcred unp_cred(bool real);
void name_rele(struct unpname *name); /* NULL is allowed */
/* An address of len bytes as a name; len is at least 3, of the family and a byte. NULL: ENOMEM. */
struct unpname *name_alloc(const struct sockaddr_un *addr, uint32_t len);
/* name NULL: any abstract one. EINVAL: it has one; EADDRINUSE; what the file system says. */
int unp_bind(struct socket *so, struct unpname *name);
/* The socket of that type that is bound to name, referenced. ECONNREFUSED, EPROTOTYPE, .. */
int unp_find(struct unpname *name, int type, struct socket **sop);
int unp_listen(struct socket *so, int backlog);
/* name NULL: datagrams go nowhere any more. */
int unp_connect(struct socket *so, struct unpname *name, bool nowait);
/* The first connection that waits, a socket with a reference. */
int unp_accept(struct socket *so, bool nowait, struct socket **sop);
void unp_pair(struct socket *a, struct socket *b);
int unp_shutdown(struct socket *so, int how);
/* so's last file was closed. */
void unp_close(struct socket *so);

/* --- uipc_gc.c: files on their way ------------------------------------------------------------ */

/* The files of m are, or are no longer, on a queue. unp_lock is held. */
void unp_inflight(struct sockmsg *m, int how);
/* Free messages that are on no queue; their files are closed, one after the other. No lock held. */
void unp_discard(struct sockmsgs *msgs);
/* Sockets that are open nowhere but in one another's queues lose what is on these. */
void unp_collect(void);
