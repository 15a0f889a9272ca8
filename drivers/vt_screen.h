/*
 * A text screen: cells, a cursor, and the escape sequences of TERM=linux that change them
 * (console_codes(4)). Pure state: knows neither terminals nor pixels. Who has a screen locks it.
 *
 *   vt_screen.c   what is done to the cells
 *   vt_parse.c    which bytes do that
 *   vt_csi.c      those of control sequences
 */
#pragma once

#include "kern/types.h"

#define VT_PARAMS 16
#define VT_TABS   256 /* columns that can have a tab stop */
#define VT_COLORS 16

/* A cell: a Unicode character, and how it looks. */
#define CELL_CHAR       0x1fffffu
#define CELL_FG(cell)   ((cell) >> 21 & 15)
#define CELL_BG(cell)   ((cell) >> 25 & 15)
#define CELL_UNDERLINE  (1u << 29)
#define CELL(c, fg, bg) ((uint32_t)(c) | (uint32_t)(fg) << 21 | (uint32_t)(bg) << 25)

struct vt_pen {
	uint8_t fg, bg; /* colours, of 16 */
	bool bold, dim, underline, blink, reverse;
};

/* What ESC 7 saves. */
struct vt_place {
	uint32_t x, y;
	struct vt_pen pen;
	bool graphics[2]; /* G0, G1: the set of line drawings */
	uint8_t shift; /* which of them */
	bool origin; /* lines are counted from the region's first (DECOM) */
};

enum vt_state {
	VT_TEXT,
	VT_ESC,
	VT_CSI,
	VT_CHARSET,
	VT_HASH,
	VT_PERCENT,
	VT_OSC,
	VT_PALETTE,
	VT_STRING,
	VT_STRING_ESC
};

struct vt_screen {
	uint32_t columns, rows;
	uint32_t **line; /* rows of cells; scrolling moves the pointers */
	uint32_t *cells; /* the memory they point into */
	bool *dirty; /* by row: cells may have changed since they were drawn */
	bool scrolled; /* since it was drawn */
	struct vt_place now, saved;
	bool
	    wrap; /* the cursor stands behind the last column: the next character goes on the next line */
	uint32_t top, bottom; /* lines [top, bottom) scroll */
	bool autowrap, insert, newline, hidden_cursor, inverse; /* modes */
	bool cursor_keys, keypad; /* modes of the keyboard: application */
	bool cp437; /* bytes above 0x7f are the PC's own characters (SGR 11) */
	uint64_t tabs[VT_TABS / 64];
	uint32_t palette[VT_COLORS]; /* 0xRRGGBB */
	bool recolored; /* the palette changed since it was drawn */

	enum vt_state state;
	uint32_t param[VT_PARAMS], nparams;
	char prefix; /* of a CSI sequence: '?', '>', '=', '<', or 0 */
	bool ignored; /* the sequence has something unknown */
	uint8_t which; /* the charset that is selected, or the digits of a palette entry read */
	uint32_t ucs, more; /* of a UTF-8 character: bits so far, bytes to come */
	uint32_t least; /* what it must be at least, or it was too long */
	char answer[32]; /* for the program */
	uint32_t answered; /* bytes of it */
};

/* An empty screen. ENOMEM. */
int vt_screen_init(struct vt_screen *s, uint32_t columns, uint32_t rows);
void vt_screen_fini(struct vt_screen *s);
/* What is on from goes on to, another size, from the top left on; the cursor's line stays seen. */
void vt_screen_copy(struct vt_screen *to, const struct vt_screen *from);
/* No more than this many are used from now on; needs no memory. */
void vt_screen_clip(struct vt_screen *s, uint32_t columns, uint32_t rows);
/* Bytes from a program. */
void vt_write(struct vt_screen *s, const char *text, size_t len);

/* --- vt_csi.c for vt_parse.c ------------------------------------------------------------------- */

/* A control sequence begins; a byte of it. After the last the state is VT_TEXT. */
void vt_csi_start(struct vt_screen *s);
void vt_csi_byte(struct vt_screen *s, char c);
/* What the program will read as if it were typed; dropped if the last answers were not taken. */
void vt_answer(struct vt_screen *s, const char *text);

/* --- vt_screen.c for both ---------------------------------------------------------------------- */

void vt_reset(struct vt_screen *s);
void vt_reset_palette(struct vt_screen *s);
/* Put a character at the cursor, which moves on. */
void vt_put(struct vt_screen *s, uint32_t c);
/* To (x, y), as near as the screen, or with origin the region, allows. */
void vt_goto(struct vt_screen *s, int64_t x, int64_t y);
void vt_line_feed(struct vt_screen *s);
void vt_reverse_feed(struct vt_screen *s);
/* Lines [top, bottom) up by n, or down. */
void vt_scroll(struct vt_screen *s, uint32_t top, uint32_t bottom, int64_t n);
/* n cells: make room at the cursor, close up, blank. */
void vt_insert_cells(struct vt_screen *s, uint32_t n);
void vt_delete_cells(struct vt_screen *s, uint32_t n);
void vt_erase_cells(struct vt_screen *s, uint32_t y, uint32_t from, uint32_t to);
void vt_tab(struct vt_screen *s);
void vt_save(struct vt_screen *s);
void vt_restore(struct vt_screen *s);
/* All cells become c in the usual colours (DECALN). */
void vt_fill(struct vt_screen *s, uint32_t c);
void vt_all_dirty(struct vt_screen *s);
