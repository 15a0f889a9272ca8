/*
 * What the keyboard's keys send: scan codes of set 1 become characters, by the US layout, and
 * TERM=linux's escape sequences. Also the keys that the kernel keeps: Alt with a function key or an
 * arrow brings another console to the front, Alt-F12 the live view of memory. Owns which modifiers are held; interrupts are off.
 */
#include "drivers/memview.h"
#include "drivers/vt.h"
#include "kern/log.h"
#include "kern/string.h"

#define VIEW_KEY 11 /* F12, counted from 0 */
#define RELEASED 0x80
#define EXTENDED 0xe0 /* another code follows, of a key that the first PC did not have */
#define PAUSE    0xe1 /* two more codes follow */

enum {
	KEY_CTRL = 0x1d,
	KEY_LEFT_SHIFT = 0x2a,
	KEY_RIGHT_SHIFT = 0x36,
	KEY_ALT = 0x38,
	KEY_CAPS = 0x3a,
	KEY_F1 = 0x3b,
	KEY_F10 = 0x44,
	KEY_NUM,
	KEY_SCROLL,
	KEY_PAD,
	KEY_PAD_END = 0x53,
	KEY_F11 = 0x57,
	KEY_F12,
	KEY_ENTER = 0x1c,
	KEY_SLASH = 0x35,
	KEY_STAR = 0x37,
	KEY_LEFT = 0x4b,
	KEY_RIGHT = 0x4d,
	KEY_DELETE = 0x53
};

static uint8_t prefix; /* EXTENDED, or codes of PAUSE to come */
static bool left_shift, right_shift, left_ctrl, right_ctrl, left_alt, right_alt;

static const char plain[] =
    "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
/* The keypad from KEY_PAD on, with the num lock, and what its keys are without. */
static const char pad[] = "789-456+1230.";
static const char *const pad_keys[] = {"[1~", "[A",  "[5~", NULL,  "[D",  "[G", "[C",
				       NULL,  "[4~", "[B",  "[6~", "[2~", "[3~"};
static const char *const function_keys[] = {"[[A",  "[[B",  "[[C",  "[[D",  "[[E",  "[17~",
					    "[18~", "[19~", "[20~", "[21~", "[23~", "[24~"};
static const char *const shifted_functions[] = {"[25~", "[26~", "[28~", "[29~",
						"[31~", "[32~", "[33~", "[34~"};

static void
send(uint8_t c)
{
	vt_key((const char *)&c, 1);
}

/* At once, for a program can take it for what it is only if nothing else comes between. */
static void
send_escape(const char *text)
{
	char sequence[8] = "\033";

	strlcpy(sequence + 1, text, sizeof(sequence) - 1);
	vt_key(sequence, strlen(sequence));
}

/* The control character of c; false: it has none. */
static bool
control(uint8_t *c)
{
	static const char of_digits[] = "\0\033\034\035\036\037\177"; /* 2 to 8 */

	if ((*c >= '@' && *c <= '_') || (*c >= 'a' && *c <= 'z'))
		*c &= 0x1f;
	else if (*c >= '2' && *c <= '8')
		*c = (uint8_t)of_digits[*c - '2'];
	else if (*c == ' ' || *c == '`')
		*c = 0;
	else if (*c == '-' || *c == '/')
		*c = 0x1f;
	else if (*c == 0177)
		*c = '\b';
	else
		return (false);
	return (true);
}

static void
character(uint8_t code)
{
	bool upper = left_shift || right_shift;
	uint8_t c = (uint8_t)plain[code];

	if (c >= 'a' && c <= 'z' && (vts[vt_front].vt_locks & LED_CAPS) != 0)
		upper = !upper;
	if (upper)
		c = (uint8_t)shifted[code];
	if (left_ctrl || right_ctrl)
		control(&c);
	if (left_alt || right_alt || (c == '\t' && upper))
		send('\033');
	send(c);
	if (c == '\r' && vts[vt_front].vt_screen.newline)
		send('\n');
}

/* Arrows have other sequences when the program has asked for those. */
static void
cursor_key(const char *text)
{
	char application[3] = {'O', text[1], '\0'};
	bool arrow = text[1] >= 'A' && text[1] <= 'D';

	send_escape(arrow && vts[vt_front].vt_screen.cursor_keys ? application : text);
}

static void
pad_key(uint8_t code)
{
	char c = pad[code - KEY_PAD], text[3] = {'O', '\0', '\0'};
	const char *key = pad_keys[code - KEY_PAD];
	bool shift = left_shift || right_shift;

	if (vts[vt_front].vt_screen.keypad && !shift) {
		text[1] = c == '+' ? 'l' : c == '-' ? 'S' : c == '.' ? 'n' : (char)(c - '0' + 'p');
		send_escape(text);
	} else if (key == NULL || ((vts[vt_front].vt_locks & LED_NUM) != 0) != shift) {
		send((uint8_t)c);
	} else {
		cursor_key(key);
	}
}

static void
function_key(uint32_t n)
{
	if ((left_alt || right_alt) && n == VIEW_KEY)
		memview_toggle();
	else if (left_alt || right_alt)
		vt_request(n);
	else if ((left_shift || right_shift) && n < nitems(shifted_functions))
		send_escape(shifted_functions[n]);
	else
		send_escape(function_keys[n]);
}

static void
toggle(uint8_t lock)
{
	struct vt *vt = &vts[vt_front];

	vt->vt_locks ^= lock;
	ps2_show_leds(vt->vt_locks);
}

static void
extended_key(uint8_t code)
{
	bool alt = left_alt || right_alt;

	if (code == KEY_ENTER) {
		send('\r');
	} else if (code == KEY_SLASH) {
		send('/');
	} else if (alt && (code == KEY_LEFT || code == KEY_RIGHT)) {
		vt_request((vt_front + (code == KEY_LEFT ? VT_COUNT - 1 : 1)) % VT_COUNT);
	} else if (alt && (left_ctrl || right_ctrl) && code == KEY_DELETE) {
		klog(LOG_NOTICE, "keyboard: Ctrl-Alt-Del does nothing");
	} else if (code >= KEY_PAD && code <= KEY_PAD_END && pad_keys[code - KEY_PAD] != NULL) {
		if (alt)
			send('\033');
		cursor_key(pad_keys[code - KEY_PAD]);
	}
}

/* True: it is one of them. */
static bool
modifier(uint8_t code, bool extended, bool down)
{
	switch (code) {
	case KEY_LEFT_SHIFT:
	case KEY_RIGHT_SHIFT:
		if (!extended) /* else it comes with another key, for old programs */
			*(code == KEY_LEFT_SHIFT ? &left_shift : &right_shift) = down;
		return (true);
	case KEY_CTRL:
		*(extended ? &right_ctrl : &left_ctrl) = down;
		return (true);
	case KEY_ALT:
		*(extended ? &right_alt : &left_alt) = down;
		return (true);
	}
	return (false);
}

static void
pressed(uint8_t code)
{
	if (code == KEY_CAPS)
		toggle(LED_CAPS);
	else if (code == KEY_NUM)
		toggle(LED_NUM);
	else if (code == KEY_SCROLL)
		toggle(LED_SCROLL);
	else if (code >= KEY_F1 && code <= KEY_F10)
		function_key(code - KEY_F1);
	else if (code == KEY_F11 || code == KEY_F12)
		function_key(10u + code - KEY_F11);
	else if (code >= KEY_PAD && code <= KEY_PAD_END)
		pad_key(code);
	else if (code < sizeof(plain) - 1 && plain[code] != '\0')
		character(code);
}

void
keys_scancode(uint8_t code)
{
	uint8_t mode = vts[vt_front].vt_kbmode;
	bool extended = prefix == EXTENDED;

	if (mode == K_RAW)
		send(code);
	if (code == EXTENDED || code == PAUSE) {
		prefix = code == EXTENDED ? EXTENDED : 2;
		return;
	}
	if (prefix == 1 || prefix == 2) {
		prefix--;
		return;
	}
	prefix = 0;
	if (modifier(code & ~RELEASED, extended, (code & RELEASED) == 0))
		return;
	if ((code & RELEASED) != 0 || mode == K_RAW || mode == K_OFF)
		return;
	if (extended)
		extended_key(code);
	else
		pressed(code);
}
