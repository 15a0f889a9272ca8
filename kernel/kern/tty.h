/*
 * Terminals. A struct tty is what programs see: settings, a line being typed, output under way, a
 * session whose terminal it is. Behind it is a driver (ttydevsw): the console, a serial port, a
 * virtual console, the master side of a pty.
 *
 *   tty.c         beginning and end, the queues
 *   tty_file.c    open files: read and write, poll
 *   tty_disc.c    the line discipline: what a character typed does, echo; what becomes of output
 *   tty_ioctl.c   ioctl: settings and sizes
 *   tty_jobs.c    sessions, foreground and background, hang-up; /dev/tty
 *   tty_pty.c     pseudo-terminals
 *
 * Input:  driver -> tty_rint (any context) -> the tty's task -> discipline -> t_in -> read
 * Output: write, echo -> discipline -> t_out -> tsw_outwakeup -> driver takes it by tty_getout
 */
#pragma once

#include "kern/cdev.h"
#include "kern/lock.h"
#include "kern/select.h"
#include "kern/task.h"
#include "kern/termios.h"
#include <sys/queue.h>

struct file;
struct session;
struct tty;
struct uio;

#define TTY_BUF 4096 /* of input and of output; a line has one character less, and its end */
#define TTY_RAW 512 /* typed, not looked at yet */

#define TIOCSPGRP 0x5410

struct ttydevsw {
	/* Something is in t_out, or has room again: take it with tty_getout. t_lock is held. */
	void (*tsw_outwakeup)(struct tty *tp);
	/* Input has room again after tty_rint had none; NULL: nobody stops. Any context. */
	void (*tsw_inwakeup)(struct tty *tp);
	/* The driver's own ioctls, t_lock not held. ENOTTY: not one of them. May be NULL. */
	int (*tsw_ioctl)(struct tty *tp, struct file *fp, uint64_t cmd, uint64_t arg);
	/* It is opened; the last has closed it. T_lock is held. EIO. May be NULL. */
	int (*tsw_open)(struct tty *tp);
	void (*tsw_close)(struct tty *tp);
	/* The last reference went; any lock may be held. NULL: it stays for good. */
	void (*tsw_free)(struct tty *tp);
	bool tsw_pty; /* the end of the session does not hang it up */
};

/* A ring of TTY_BUF bytes, indexed modulo that. */
struct ttyq {
	char *tq_buf; /* (c) */
	uint32_t tq_read, tq_end;
};
#define ttyq_len(q) ((q)->tq_end - (q)->tq_read)

/* Locks: (c) constant  (t) t_lock  (r) t_raw_lock  (a) atomic  (p) proctree_lock, after t_lock */
struct tty {
	struct rwlock t_lock; /* rank LR_FILE; always taken to write, never held over user memory */
	const struct ttydevsw *t_sw; /* (c) */
	void *t_softc; /* (c) the driver's */
	uint32_t t_refs; /* (a) the driver's, of files, and of its session */
	uint32_t t_major, t_minor; /* (c) as tools call it */
	struct termios t_termios; /* (t) */
	struct winsize t_winsize; /* (t) */

	struct ttyq t_in; /* (t) */
	uint64_t t_eol[TTY_BUF / 64]; /* (t) a bit: the character there ends a line */
	uint32_t t_lines; /* (t) end of the finished lines in t_in */
	bool t_lnext; /* (t) the next character is taken as it is */
	bool t_prting; /* (t) characters erased are being printed (ECHOPRT) */

	struct ttyq t_out; /* (t) */
	uint32_t t_reserved; /* (t) bytes of room in it that a write under way will need */
	uint32_t t_column; /* (t) of the cursor, as far as known */
	uint32_t t_line_column; /* (t) where the line being typed began */
	bool t_stopped; /* (t) by ^S or TCOOFF */
	bool t_writing; /* (t) somebody's write is under way: others wait */

	uint32_t t_opens; /* (t) to change, (a) to look */
	uint32_t t_hangups; /* (t) a file opened before the last one is dead */
	bool t_exclusive; /* (t) TIOCEXCL */
	bool t_gone; /* (t) its other side is gone: EIO */
	int t_pgid; /* (p) the foreground group's number; there may be none of that number any more */
	struct session *t_session; /* (p) whose controlling terminal it is */
	struct task t_hangup; /* (p) */
	bool t_hangup_queued; /* (p) */
	struct selinfo t_sel; /* own lock */

	struct mtx t_raw_lock; /* rank LR_LEAF */
	uint16_t t_raw[TTY_RAW]; /* (r) characters, and TTY_BREAK */
	uint32_t t_raw_read, t_raw_end; /* (r) */
	bool t_raw_full; /* (r) tty_rint had no room */
	bool t_task_queued; /* (r) */
	struct task t_task; /* (r) */
};
#define tty_lock(tp)   rw_wlock(&(tp)->t_lock)
#define tty_unlock(tp) rw_unlock(&(tp)->t_lock)
#define tty_assert(tp) rw_assert_wlocked(&(tp)->t_lock)

/* --- for drivers ------------------------------------------------------------------------------ */

#define TTY_BREAK 0x100 /* no character: the line was broken */

/* Make *tp, zeroed memory, a terminal with the usual settings and a reference. ENOMEM. */
int tty_init(struct tty *tp, const struct ttydevsw *sw, void *softc, uint32_t major,
	     uint32_t minor);
/* Free what it has; nobody refers to it, and no task of it is queued. */
void tty_fini(struct tty *tp);
void tty_ref(struct tty *tp);
void tty_rele(struct tty *tp);
/* Text came in, or (NULL, 1) a break. It stays together: what comes from elsewhere meanwhile comes
 * before it or behind. False: no room, none of it is taken, and tsw_inwakeup will be called. From
 * any context; no lock of LR_LEAF or above is held. */
bool tty_rint(struct tty *tp, const char *text, size_t len);
/* The same from a thread, with t_lock held: returns how many of len characters were taken. */
size_t tty_input(struct tty *tp, const char *buf, size_t len);
/* Up to len bytes of output; how many. T_lock is held. */
size_t tty_getout(struct tty *tp, char *buf, size_t len);
/* Of another size from now on: tells the foreground by SIGWINCH. */
void tty_set_winsize(struct tty *tp, const struct winsize *ws);
/* Register dev, named by its cd_name, as the device of tp. */
int tty_makedev(struct tty *tp, struct cdev *dev, const char *name);

/* --- for devices that are a terminal each time another (/dev/tty, /dev/tty0, /dev/ptmx) ------- */

/* A file's f_data. */
struct ttyfile {
	struct tty *tf_tty; /* (c) */
	uint32_t tf_hangups; /* (c) of the terminal when it was opened */
};
#define file_tty(fp) (((struct ttyfile *)(fp)->f_data)->tf_tty)

/* For d_open: fp is a file on tp from now on. Noctty: it does not become the controlling
 * terminal. EIO, ENOMEM. */
int tty_file_open(struct tty *tp, struct file *fp, bool noctty);
void tty_file_close(void *softc, struct file *fp);
int tty_file_read(void *softc, struct uio *uio, struct file *fp);
int tty_file_write(void *softc, struct uio *uio, struct file *fp);
int tty_file_ioctl(void *softc, uint64_t cmd, uint64_t arg, struct file *fp);
uint32_t tty_file_poll(void *softc, struct file *fp, struct selfd *sfd);
#define TTY_CDEVSW(open, ...)                                                                  \
	{                                                                                      \
		.d_open = open, .d_close = tty_file_close, .d_read = tty_file_read,            \
		.d_write = tty_file_write, .d_ioctl = tty_file_ioctl, .d_poll = tty_file_poll, \
		##__VA_ARGS__                                                                  \
	}
/* D_open of a device that is one terminal, its softc. */
int tty_dev_open(void *softc, struct file *fp);

/* --- among the files of tty ------------------------------------------------------------------- */

/* tty_file.c */
/* Fp's terminal was hung up since it was opened (NULL: a master's, never). T_lock is held. */
bool tty_hung(struct tty *tp, struct file *fp);
/* tty.c */
/* Append output that needs no more processing; false: no room for all of it, and none is. */
bool tty_putout(struct tty *tp, const char *buf, size_t len);
/* Input has no room: tsw_inwakeup will be called when it has. T_lock is held. */
void tty_want_room(struct tty *tp);
/* Look at what came in, as far as there is room. T_lock is held. */
void tty_take_input(struct tty *tp);
/* Stop output or let it go on (TCOOFF, TCOON, ^S, ^Q). */
void tty_stop(struct tty *tp, bool stop);
/* Forget what was typed, or what is to come out; who waits is woken. */
void tty_flush_in(struct tty *tp);
void tty_flush_out(struct tty *tp);
/* Sleep on chan, ns long at most (0: for ever): 0, ERESTART (a signal), ETIMEDOUT. T_lock is let go
 * meanwhile, and held again in any case. */
int tty_sleep(struct tty *tp, const void *chan, uint64_t ns);
/* Wait until all output was taken; a pty's is gone once it is written. As tty_sleep; EIO. */
int tty_drain(struct tty *tp, struct file *fp);
/* Everybody looks again: readers, writers, pollers. */
void tty_wakeup(struct tty *tp);

/* tty_disc.c; t_lock is held. */
/* How many characters the discipline takes now; TTY_BUF or more: any number. */
uint32_t tty_disc_room(struct tty *tp);
/* One character of input, or TTY_BREAK. */
void tty_disc_input(struct tty *tp, uint16_t c);
/* How much of t_in a read can have now; FIONREAD's number leaves ends of file out. */
uint32_t tty_disc_avail(struct tty *tp);
uint32_t tty_disc_count(struct tty *tp);
/* Move what a read of len bytes gets to buf; *done says that the read is over. */
size_t tty_disc_read(struct tty *tp, char *buf, size_t len, bool *done);
/* A read that is full takes an end of file behind what it got along. */
void tty_disc_skip_eof(struct tty *tp);
/* Process output; returns how much of it was taken. */
size_t tty_disc_output(struct tty *tp, const char *buf, size_t len);
/* The settings were *old before: what has been typed counts by the new ones. */
void tty_disc_changed(struct tty *tp, const struct termios *old);

/* tty_ioctl.c; no lock is held. */
/* A word that an ioctl answers, to user memory at arg. */
int tty_word_out(uint64_t arg, uint32_t word);
int tty_ioctl(struct tty *tp, struct file *fp, uint64_t cmd, uint64_t arg);

/* tty_jobs.c */
/* May curproc read (SIGTTIN) or write (SIGTTOU)? 0, EIO, ERESTART: it was sent the signal. T_lock
 * is held. */
int tty_check_background(struct tty *tp, int sig);
/* Send sig to the foreground. T_lock may be held. */
void tty_signal(struct tty *tp, int sig);
/* Make tp, which curproc has opened, its session's terminal if it leads one that has none. */
void tty_open_session(struct tty *tp);
/* The terminal of curproc's session, referenced, or NULL. */
struct tty *tty_controlling(void);
/* All files of tp are dead from now on, and its session, told by SIGHUP, has no terminal. No lock
 * is held. */
void tty_hangup(struct tty *tp);
/* The ioctls about sessions; ENOTTY: not one of them. No lock is held. */
int tty_jobs_ioctl(struct tty *tp, struct file *fp, uint64_t cmd, uint64_t arg);

/* Start-up, once there is /dev. */
void tty_jobs_init(void);
void pty_init(void);
