/*
 * The virtual consoles. "screen": escape sequences to /dev/tty2, and what /dev/vcsu2 then shows.
 * "keys": what the keyboard sends to the console. "switch": text and a program that draws take
 * turns on the framebuffer.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "gauges.h"

#define TEXT_MAX 4096

static int tty2;

static void
put(const char *text)
{
	if (write(tty2, text, strlen(text)) != (ssize_t)strlen(text))
		printf("write: %s\n", strerror(errno));
}

static void
put_utf8(uint32_t c)
{
	if (c < 0x80)
		printf("%c", c);
	else if (c < 0x800)
		printf("%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
	else if (c < 0x10000)
		printf("%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
	else
		printf("<%x>", c);
}

/* The first lines of the screen, between bars, and where the cursor is. */
static void
show(const char *what, int lines)
{
	unsigned char header[4];
	uint32_t cells[300];
	int fd = open("/dev/vcsa2", O_RDONLY), columns, last;

	if (read(fd, header, 4) != 4)
		printf("vcsa2: %s\n", strerror(errno));
	close(fd);
	columns = header[1];
	printf("%s: cursor %d,%d\n", what, header[2], header[3]);
	fd = open("/dev/vcsu2", O_RDONLY);
	for (int i = 0; i < lines; i++) {
		read(fd, cells, (size_t)columns * 4);
		for (last = columns; last > 0 && cells[last - 1] == ' ';)
			last--;
		printf("|");
		for (int x = 0; x < last; x++)
			put_utf8(cells[x]);
		printf("|\n");
	}
	close(fd);
	put("\033c");
}

static void
answers(void)
{
	struct termios t;
	char buf[64];
	ssize_t n;

	tcgetattr(tty2, &t);
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 5;
	tcsetattr(tty2, TCSANOW, &t);
	put("\033[5;7H\033[6n\033[5n\033[c");
	usleep(50000);
	n = read(tty2, buf, sizeof(buf));
	printf("answers:");
	for (ssize_t i = 0; i < n; i++)
		printf(buf[i] == '\033' ? " ESC" : "%c", buf[i]);
	printf("\n");
	put("\033c");
}

static void
screen(void)
{
	struct winsize ws;
	char line[300];

	ioctl(tty2, TIOCGWINSZ, &ws);
	printf("%d x %d\n", ws.ws_col, ws.ws_row);
	put("one\ntwo\r\nthree\b\b\bX\ttab");
	show("text", 4);
	memset(line, 'w', ws.ws_col);
	line[ws.ws_col] = '\0';
	put(line);
	show("a full line", 2);
	put(line);
	put("x");
	show("one more", 2);
	put(line);
	put("\rback");
	show("back", 2);
	put("\033[?7l");
	put(line);
	put("END");
	put("\033[10D!");
	show("no wrap", 2);
	put("abcdef\033[3D\033[2P\033[1;1H\033[@\033[2X");
	show("cells", 2);
	put("abc\033[4h\033[1Gxy\033[4l\033[1Cz");
	show("insert mode", 1);
	put("1\r\n2\r\n3\r\n4\r\n5\033[2;4r\033[4;1H\nnew\033[2;1H\033Mtop\033[r");
	show("region", 6);
	put("1\r\n2\r\n3\r\n4\033[2;1H\033[L\033[4;1H\033[M");
	show("lines", 5);
	put("aaa\r\nbbb\r\nccc\033[2;2H\033[1J");
	show("erase to here", 3);
	put("aaa\r\nbbb\r\nccc\033[2;2H\033[J");
	show("erase from here", 3);
	put("abcdef\033[3G\033[K\r\nabcdef\033[3G\033[1K\r\nabc\033[2K.");
	show("erase in lines", 3);
	put("\033[3;5Hat\0337\033[1;1Hhome\0338back");
	show("save", 3);
	put("\033[2;4r\033[?6h\033[1;3Ho\033[99;1Hb\033[?6l\033[r");
	show("origin", 4);
	put("\033[3g\033[5G\033H\033[1Ga\tb\tc\033[1;5H\033[g\033[2;1Ha\tb");
	show("tabs", 1);
	put("\033(0lqk\033(B lqk \016lqk\017 \033)0\016mqj\017");
	show("line drawing", 1);
	put("\033[11m\332\304\277\033[10m \342\224\200\303\244 \303( \355\240\200 \360\237\230\200");
	show("characters", 1);
	put("\033[1;31;42mx\033[38;5;196m\033[48;2;0;0;255my\033[0mz\033[>4;1mok\033[?2004h\033]0;title\007!");
	show("colours", 1);
	put("\033[99999999999999999999;1H\033[;;;;;;;;;;;;;;;;;;;;;;;;;;m\033[999999999@e\033[-1Xf");
	show("nonsense", 2);
	put("a\033[3;1H\033[999999L\033[999999M\033[999999S\033[999999T\033[999999Pz");
	show("large", 3);
	answers();
}

/* --- keys ------------------------------------------------------------------------------------- */

static void
keys(void)
{
	struct termios t, saved;
	char buf[64];
	ssize_t n;

	tcgetattr(0, &saved);
	t = saved;
	cfmakeraw(&t);
	tcsetattr(0, TCSANOW, &t);
	printf("\r\nready\r\n");
	fflush(stdout);
	do {
		n = read(0, buf, sizeof(buf));
		for (ssize_t i = 0; i < n; i++)
			printf("%02x ", (unsigned char)buf[i]);
		printf("\r\n");
		fflush(stdout);
	} while (n > 0 && buf[n - 1] != 'q');
	tcsetattr(0, TCSANOW, &saved);
}

/* Ask where the cursor is while much is typed, up to a q: are the answers in one piece each? */
static void
asked(void)
{
	int whole = 0, split = 0;
	bool within = false, ended = false;
	struct termios t;
	char buf[64];
	ssize_t n;

	tcgetattr(0, &t);
	cfmakeraw(&t);
	tcsetattr(0, TCSANOW, &t);
	while (!ended && write(1, "\033[6n", 4) == 4 && (n = read(0, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			whole += within && buf[i] == 'R';
			split += within && (buf[i] == 'x' || buf[i] == 'q');
			within = buf[i] == '\033' || (within && strchr("Rxq", buf[i]) == NULL);
			ended |= buf[i] == 'q';
		}
	}
	printf("\r\nanswers: whole %d split %d\r\n", whole > 0, split);
}

/* --- switch ----------------------------------------------------------------------------------- */

static volatile uint32_t *vram, *touches;

static unsigned
in_front(void)
{
	struct vt_stat st = {0};

	ioctl(0, VT_GETSTATE, &st);
	return (st.v_active);
}

static void
go_to(unsigned n)
{
	if (ioctl(0, VT_ACTIVATE, n) != 0 || ioctl(0, VT_WAITACTIVE, n) != 0)
		printf("to %u: %s\n", n, strerror(errno));
}

/* A program that draws and draws, and counts. */
static pid_t
painter(uint32_t pixel)
{
	pid_t pid = fork();

	if (pid != 0)
		return (pid);
	for (;;) {
		for (int i = 0; i < 64 * 1024; i++)
			vram[i] = pixel;
		++*touches;
		usleep(1000);
	}
}

static bool
paints(void)
{
	uint32_t before;

	usleep(50000);
	before = *touches;
	usleep(200000);
	return (*touches != before);
}

/* What is to be seen at the top left, by read(2). */
static uint64_t
picture(int fd)
{
	static uint32_t pixels[64 * 1024];
	uint64_t sum = 0;

	pread(fd, pixels, sizeof(pixels), 0);
	for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
		sum = sum * 31 + pixels[i];
	return (sum);
}

static void
switching(void)
{
	int fb = open("/dev/fb0", O_RDWR), mode = -1, status, seen = open("/dev/fb0", O_RDONLY);
	struct vt_mode ask = {.mode = VT_PROCESS, .relsig = SIGURG, .acqsig = SIGURG};
	struct vt_mode not = {.mode = VT_AUTO};
	uint64_t text, painted;
	pid_t pid;

	vram = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fb, 0);
	touches = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("graphics %d", ioctl(0, KDSETMODE, KD_GRAPHICS));
	ioctl(0, KDGETMODE, &mode);
	printf(", mode %d\n", mode);
	pid = painter(0x00aa55);
	printf("in front %u: paints %d\n", in_front(), paints());
	put("\033ctext of the second console\n");
	go_to(2);
	text = picture(seen);
	printf("in front %u: paints %d\n", in_front(), paints());
	printf("the text stays %d\n", picture(seen) == text);
	put("more\n");
	printf("it can be written %d\n", picture(seen) != text);
	text = picture(seen);
	go_to(1);
	printf("in front %u: paints %d\n", in_front(), paints());
	painted = picture(seen);
	printf("the text is gone %d\n", painted != text);
	go_to(2);
	printf("it is back %d\n", picture(seen) == text);
	usleep(50000);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	printf("killed while it waits: %d\n", WTERMSIG(status));
	go_to(1);

	ioctl(0, VT_SETMODE, &ask);
	printf("asked %d", ioctl(0, VT_ACTIVATE, 2));
	printf(": %u is in front\n", in_front());
	printf("refused %d", ioctl(0, VT_RELDISP, 0));
	printf(", nothing to refuse %d\n", ioctl(0, VT_RELDISP, 0));
	ioctl(0, VT_ACTIVATE, 2);
	printf("agreed %d", ioctl(0, VT_RELDISP, 1));
	printf(": %u is in front\n", in_front());
	ioctl(0, VT_SETMODE, &not );
	go_to(1);
	printf("text %d\n", ioctl(0, KDSETMODE, KD_TEXT));
	printf("none such %d", ioctl(0, VT_ACTIVATE, 9));
	printf(" errno %d\n", errno);
	munmap((void *)vram, 1 << 20);
	munmap((void *)touches, 4096);
	close(fb);
	close(seen);
}

static void
run(const char *what)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid != 0) {
		waitpid(pid, NULL, 0);
		return;
	}
	tty2 = open("/dev/tty2", O_RDWR | O_NOCTTY);
	if (strcmp(what, "screen") == 0)
		screen();
	else
		switching();
	exit(0);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct gauges before;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(what, "keys") == 0) {
		keys();
		return (0);
	}
	if (strcmp(what, "asked") == 0) {
		asked();
		return (0);
	}
	for (int i = 0; i < 3; i++) { /* by then all caches hold what they will */
		printf("run %d\n", i);
		before = gauges_before();
		run(what);
		usleep(100000); /* what is freed later is free */
	}
	gauges_check(&before);
	return (0);
}
