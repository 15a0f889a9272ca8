/*
 * The line discipline through a pty: what is typed at the master, what is echoed there, what the
 * slave reads. The host and Quire must print the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int master, slave;
static struct termios start;

/* Everything is where it goes, also where a kernel thread moves it. */
static void
settle(void)
{
	usleep(30000);
}

static void
show(const char *what, const char *buf, ssize_t n)
{
	printf("  %s", what);
	if (n < 0) {
		printf(" error %d\n", errno);
		return;
	}
	printf(" \"");
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)buf[i];

		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
			putchar(c);
		else
			printf("\\%03o", c);
	}
	printf("\"\n");
}

static void
take(const char *what, int fd, size_t size)
{
	static char buf[16384];
	ssize_t n = read(fd, buf, size);

	/* On a busy machine it may take a while until it is clear that there is nothing. */
	for (int i = 0; i < 3 && n < 0 && errno == EAGAIN; i++) {
		usleep(50000);
		n = read(fd, buf, size);
	}
	if (n > 200) {
		printf("  %s %zd bytes, ends with", what, n);
		show("", buf + n - 8, 8);
	} else {
		show(what, buf, n);
	}
}

/* Type at the terminal; what comes back is the echo. */
static void
type(const char *text, size_t len)
{
	if (write(master, text, len) != (ssize_t)len)
		printf("  typing failed: %d\n", errno);
	settle();
	take("echo", master, 16384);
}
#define TYPE(text) type(text, sizeof(text) - 1)

static void
hear(size_t size)
{
	take("read", slave, size);
}

static void
open_pty(void)
{
	int unlocked = 0, n = -1;
	char name[32];

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	ioctl(master, TIOCSPTLCK, &unlocked);
	ioctl(master, TIOCGPTN, &n);
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	tcgetattr(slave, &start);
}

static void
begin(const char *name)
{
	printf("--- %s\n", name);
	open_pty();
}

static void
end(void)
{
	close(slave);
	close(master);
}

static void
set(tcflag_t iflag, tcflag_t oflag, tcflag_t lflag)
{
	struct termios t = start;

	t.c_iflag = iflag;
	t.c_oflag = oflag;
	t.c_lflag = lflag;
	if (tcsetattr(slave, TCSANOW, &t) != 0)
		printf("  tcsetattr: %d\n", errno);
}

static void
defaults(void)
{
	begin("defaults");
	printf("  %o %o %o %o line %d\n", start.c_iflag & ~IUTF8, start.c_oflag, start.c_cflag,
	       start.c_lflag, start.c_line);
	for (int i = 0; i < 19; i++)
		printf(" %d", start.c_cc[i]);
	printf("\n  speeds %d %d, a terminal %d %d\n", cfgetispeed(&start) == B38400,
	       cfgetospeed(&start) == B38400, isatty(slave), isatty(master));
	end();
}

static void
lines(void)
{
	begin("lines");
	hear(100);
	TYPE("abc");
	hear(100);
	TYPE("def\n");
	hear(100);
	TYPE("one\ntwo\n");
	hear(2);
	hear(100);
	hear(100);
	TYPE("cr\r");
	hear(100);
	TYPE("x\004");
	hear(100);
	hear(100);
	TYPE("\004");
	hear(100);
	hear(100);
	TYPE("exact\004more\n");
	hear(5);
	hear(100);
	TYPE("\004after\n");
	hear(100);
	hear(100);
	end();
}

static void
editing(void)
{
	begin("editing");
	set(start.c_iflag | IUTF8, start.c_oflag, start.c_lflag);
	TYPE("abc\177\177X\n");
	hear(100);
	TYPE("one two_3  \027\027zwei\n");
	hear(100);
	TYPE("one-two\027\027\027\027x\n");
	hear(100);
	TYPE("kill me\025keep\n");
	hear(100);
	TYPE("\303\244\342\202\254\177\177\177\177ok\n");
	hear(100);
	TYPE("a\tb\t\177\177\177c\n");
	hear(100);
	TYPE("\t\177x\n");
	hear(100);
	TYPE("a\001b\033\177\177\177\n");
	hear(100);
	TYPE("lit\026\003\026\177\026\026!\n");
	hear(100);
	TYPE("shown\001again\022!\n");
	hear(100);
	write(slave, "prompt> ", 8);
	settle();
	TYPE("a\t\177\tb\025c\n");
	hear(100);
	end();
}

static void
editing_flags(void)
{
	static const struct {
		const char *name;
		tcflag_t off, on;
	} sets[] = {
	    {"no echo", ECHO, 0},     {"newline only", ECHO, ECHONL},  {"no ECHOE", ECHOE, 0},
	    {"no ECHOKE", ECHOKE, 0}, {"no ECHOK", ECHOKE | ECHOK, 0}, {"no ECHOCTL", ECHOCTL, 0},
	    {"ECHOPRT", 0, ECHOPRT},  {"no IEXTEN", IEXTEN, 0},        {"no ISIG", ISIG, 0},
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		begin(sets[i].name);
		set(start.c_iflag, start.c_oflag, (start.c_lflag & ~sets[i].off) | sets[i].on);
		TYPE("abc\177\177d\n");
		hear(100);
		TYPE("one two\027three\n");
		hear(100);
		TYPE("gone\025kept\n");
		hear(100);
		TYPE("a\001\t\026\001b\177\177\n");
		hear(100);
		TYPE("r\022s\n");
		hear(100);
		if ((sets[i].off & ISIG) != 0) {
			TYPE("\003\034\032\n");
			hear(100);
		}
		end();
	}
}

static void
ends_of_lines(void)
{
	struct termios t;

	begin("VEOL");
	t = start;
	t.c_cc[VEOL] = ';';
	t.c_cc[VEOL2] = ',';
	t.c_cc[VEOF] = '!';
	t.c_cc[VERASE] = '#';
	t.c_cc[VKILL] = '@';
	t.c_cc[VINTR] = 0;
	tcsetattr(slave, TCSANOW, &t);
	TYPE("a;b,c!d\n");
	for (int i = 0; i < 5; i++)
		hear(100);
	TYPE("ab#@\177\025\003\n");
	hear(100);
	end();
}

static void
input_flags(void)
{
	static const struct {
		const char *name;
		tcflag_t iflag;
	} sets[] = {
	    {"none", 0},
	    {"INLCR", INLCR},
	    {"IGNCR", IGNCR},
	    {"INLCR ICRNL", INLCR | ICRNL},
	    {"ISTRIP", ISTRIP | ICRNL},
	    {"IUCLC", IUCLC | ICRNL},
	    {"PARMRK", PARMRK | ICRNL},
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		begin(sets[i].name);
		set(sets[i].iflag, start.c_oflag, start.c_lflag);
		TYPE("Ab\rcD\n\344\377 Z\n\004");
		hear(100);
		hear(100);
		hear(100);
		end();
	}
}

static void
output_flags(void)
{
	static const struct {
		const char *name;
		tcflag_t oflag;
	} sets[] = {
	    {"no OPOST", ONLCR},
	    {"OPOST", OPOST},
	    {"ONLCR", OPOST | ONLCR},
	    {"OCRNL", OPOST | OCRNL},
	    {"ONOCR", OPOST | ONOCR},
	    {"ONLRET", OPOST | ONLRET},
	    {"OLCUC", OPOST | OLCUC},
	    {"XTABS", OPOST | ONLCR | XTABS},
	    {"all", OPOST | ONLCR | OCRNL | ONOCR | ONLRET | OLCUC | XTABS},
	};
	static const char text[] = "\rab\tc\b\b\td\n\te\r\r\tf\344\303\244\tg\n";

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		begin(sets[i].name);
		set(start.c_iflag | IUTF8, sets[i].oflag, start.c_lflag);
		printf("  wrote %zd\n", write(slave, text, sizeof(text) - 1));
		settle();
		take("out", master, 16384);
		end();
	}
}

static long
ms_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((now.tv_sec - t->tv_sec) * 1000 + (now.tv_nsec - t->tv_nsec) / 1000000);
}

/* A read that may block. */
static void
patient(const char *typed, int min, int time, size_t size)
{
	struct termios t = start;
	struct timespec begun;
	long ms;

	t.c_lflag &= ~(ICANON | ECHO);
	t.c_cc[VMIN] = (cc_t)min;
	t.c_cc[VTIME] = (cc_t)time;
	tcsetattr(slave, TCSANOW, &t);
	write(master, typed, strlen(typed));
	settle();
	fcntl(slave, F_SETFL, O_RDWR);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	printf("  min %d, time %d:\n", min, time);
	hear(size);
	ms = ms_since(&begun);
	fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
	printf("  took %s\n", ms < 60 ? "no time" : ms >= 190 ? "its time" : "some time");
}

static void
raw(void)
{
	begin("raw");
	patient("abc", 1, 0, 100);
	patient("abc", 2, 0, 100);
	patient("abc", 3, 0, 2);
	patient("", 0, 0, 100);
	patient("", 0, 2, 100);
	patient("abc", 0, 2, 100);
	patient("abc", 5, 2, 100);
	patient("abc", 5, 2, 2);
	hear(100);
	TYPE("\003\004\r\n\177\025\021\023");
	hear(100);
	set(0, 0, 0);
	TYPE("\003\004\r\n\177\025\021\023");
	hear(100);
	end();
}

static void
switching(void)
{
	begin("switching");
	TYPE("in canonical\nhalf");
	set(start.c_iflag, start.c_oflag, start.c_lflag & ~ICANON);
	hear(100);
	TYPE("in raw");
	set(start.c_iflag, start.c_oflag, start.c_lflag);
	hear(100);
	TYPE(" and more\n");
	hear(100);
	hear(100);
	TYPE("flushed\n");
	tcsetattr(slave, TCSAFLUSH, &start);
	hear(100);
	TYPE("this too\nand half");
	printf("  tcflush %d\n", tcflush(slave, TCIFLUSH));
	hear(100);
	TYPE("rest\n");
	hear(100);
	end();
}

static void
count(const char *what)
{
	int in = -1, out = -1, at_master = -1;

	ioctl(slave, FIONREAD, &in);
	ioctl(slave, TIOCOUTQ, &out);
	ioctl(master, FIONREAD, &at_master);
	printf("  %s: %d to read, %d to read at the master\n", what, in, at_master);
}

static void
counts(void)
{
	begin("counts");
	count("nothing");
	TYPE("abc");
	count("half a line");
	TYPE("\n");
	count("a line");
	TYPE("\004x\n");
	count("and an end");
	hear(100);
	hear(100);
	hear(100);
	write(slave, "out", 3);
	settle();
	count("output");
	printf("  drained %d\n", tcdrain(slave));
	close(slave);
	take("left", master, 100);
	take("left", master, 100);
	close(master);
}

static void
look(const char *what, int fd)
{
	struct pollfd p = {fd, POLLIN | POLLOUT, 0};

	int n = poll(&p, 1, 0);

	printf("  %s: poll %d %x\n", what, n, p.revents);
}

static void
polls(void)
{
	begin("poll");
	look("nothing", slave);
	TYPE("abc");
	look("half a line", slave);
	TYPE("\n");
	look("a line", slave);
	hear(100);
	look("nothing at the master", master);
	write(slave, "out", 3);
	settle();
	look("output", master);
	TYPE("\023");
	look("stopped", slave);
	TYPE("\021");
	set(start.c_iflag, start.c_oflag, start.c_lflag & ~ICANON);
	TYPE("r");
	look("raw", slave);
	close(slave);
	look("closed", master);
	take("left", master, 100);
	look("nothing left", master);
	ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	look("open again", master);
	close(master);
}

static void
long_line(void)
{
	static char text[5000];

	begin("a long line");
	memset(text, 'x', sizeof(text));
	set(start.c_iflag, start.c_oflag, start.c_lflag & ~ECHO);
	for (int i = 0; i < 50; i++)
		write(master, text, 100);
	write(master, "END\n", 4);
	settle();
	settle();
	hear(16000);
	hear(100);
	TYPE("next\n");
	hear(100);
	end();
}

static void
stopping(void)
{
	begin("stopping");
	TYPE("\023");
	printf("  write %zd errno %d\n", write(slave, "held", 4), errno);
	settle();
	take("out", master, 100);
	TYPE("\021");
	printf("  write %zd\n", write(slave, "free", 4));
	settle();
	take("out", master, 100);
	printf("  off %d\n", tcflow(slave, TCOOFF));
	printf("  write %zd errno %d\n", write(slave, "held", 4), errno);
	printf("  on %d\n", tcflow(slave, TCOON));
	printf("  write %zd\n", write(slave, "free", 4));
	settle();
	take("out", master, 100);
	set(start.c_iflag | IXANY, start.c_oflag, start.c_lflag);
	TYPE("\023");
	TYPE("x");
	printf("  write %zd\n", write(slave, "free", 4));
	settle();
	take("out", master, 100);
	set(start.c_iflag & ~(tcflag_t)IXON, start.c_oflag, start.c_lflag);
	TYPE("\023\021\n");
	hear(100);
	printf("  bad flow %d errno %d\n", tcflow(slave, 9), errno);
	printf("  bad flush %d errno %d\n", tcflush(slave, 9), errno);
	end();
}

static void
sizes(void)
{
	struct winsize ws = {1, 2, 3, 4};

	begin("sizes");
	printf("  get %d", ioctl(slave, TIOCGWINSZ, &ws));
	printf(": %d %d %d %d\n", ws.ws_row, ws.ws_col, ws.ws_xpixel, ws.ws_ypixel);
	ws = (struct winsize){30, 100, 5, 6};
	printf("  set %d\n", ioctl(master, TIOCSWINSZ, &ws));
	memset(&ws, 0, sizeof(ws));
	printf("  get %d", ioctl(slave, TIOCGWINSZ, &ws));
	printf(": %d %d %d %d\n", ws.ws_row, ws.ws_col, ws.ws_xpixel, ws.ws_ypixel);
	printf("  bad %d errno %d\n", ioctl(slave, TIOCGWINSZ, (void *)8), errno);
	printf("  bad %d errno %d\n", ioctl(slave, TIOCSWINSZ, (void *)8), errno);
	printf("  bad %d errno %d\n", ioctl(slave, TCGETS, (void *)8), errno);
	printf("  bad %d errno %d\n", ioctl(slave, TCSETS, (void *)8), errno);
	printf("  unknown %d errno %d\n", ioctl(slave, 0x54ff, 0), errno);
	end();
}

static void
doors(void)
{
	int locked = 1, n, again, peer;
	char name[32];

	begin("doors");
	printf("  lock %d\n", ioctl(master, TIOCSPTLCK, &locked));
	ioctl(master, TIOCGPTN, &n);
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	again = open(name, O_RDWR | O_NOCTTY);
	printf("  open %d errno %d\n", again, errno);
	locked = 0;
	ioctl(master, TIOCSPTLCK, &locked);
	peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	printf("  peer %d\n", peer >= 0);
	write(peer, "hi", 2);
	settle();
	take("from the peer", master, 100);
	close(peer);
	printf("  exclusive %d\n", ioctl(slave, TIOCEXCL));
	again = open(name, O_RDWR | O_NOCTTY);
	printf("  open %d\n", again >= 0 || errno == EBUSY);
	close(again);
	ioctl(slave, TIOCNXCL);
	close(slave);
	slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	TYPE("again\n");
	hear(100);
	close(master);
	settle();
	take("after the master", slave, 100);
	printf("  write %zd errno %d\n", write(slave, "x", 1), errno);
	printf("  ioctl %d errno %d\n", tcgetattr(slave, &start), errno);
	again = open(name, O_RDWR | O_NOCTTY);
	printf("  open %d errno %d\n", again, errno);
	close(slave);
}

static void
sti(void)
{
	begin("TIOCSTI");
	for (const char *s = "hi\177o\n"; *s != '\0'; s++)
		ioctl(slave, TIOCSTI, s);
	settle();
	take("echo", master, 100);
	hear(100);
	end();
}

int
main(int argc, char **argv __attribute__((unused)))
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1) {
		polls();
		return (0);
	}
	defaults();
	lines();
	editing();
	editing_flags();
	ends_of_lines();
	input_flags();
	output_flags();
	raw();
	switching();
	counts();
	long_line();
	stopping();
	sizes();
	doors();
	sti();
	return (0);
}
