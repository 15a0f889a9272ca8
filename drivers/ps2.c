/*
 * The keyboard behind an i8042 controller, which translates its codes to set 1. Owns the
 * controller's ports. A machine without one, or with one that does not answer, has no keyboard and a
 * line in the log.
 */
#include "drivers/drivers.h"
#include "drivers/fb.h"
#include "drivers/vt.h"
#include "kern/errno.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/panic.h"

#define PORT_DATA    0x60
#define PORT_STATUS  0x64 /* to read */
#define PORT_COMMAND 0x64 /* to write */
#define KEYBOARD_IRQ 1

#define STATUS_OUTPUT 0x01 /* a byte is there to be read */
#define STATUS_INPUT  0x02 /* the last byte written was not taken yet */
#define STATUS_MOUSE  0x20 /* what is there comes from the second port */

#define CMD_READ_CONFIG   0x20
#define CMD_WRITE_CONFIG  0x60
#define CMD_DISABLE_MOUSE 0xa7
#define CMD_SELF_TEST     0xaa
#define CMD_DISABLE       0xad
#define CMD_ENABLE        0xae
#define SELF_TEST_OK      0x55
#define CONFIG_INTERRUPT  0x01
#define CONFIG_MOUSE_INTR 0x02
#define CONFIG_CLOCK_OFF  0x10
#define CONFIG_MOUSE_OFF  0x20
#define CONFIG_TRANSLATE  0x40

#define KEY_CMD_LEDS   0xed
#define KEY_CMD_ENABLE 0xf4
#define KEY_ACK        0xfa
#define KEY_RESEND     0xfe

#define POLLS 100000 /* looks at the status, a microsecond or so each, before it is given up */
#define BURST 32 /* bytes taken by one interrupt */

static struct mtx ps2_mtx = MTX_INITIALIZER("ps2", LR_LEAF);
static bool ready; /* (c) */
static uint8_t leds, shown; /* ps2_mtx: wanted, and told to the keyboard */
static enum { IDLE, COMMAND_SENT, VALUE_SENT } led_state; /* ps2_mtx */

static bool
wait_status(uint8_t bits, uint8_t value)
{
	for (int i = 0; i < POLLS; i++)
		if ((inb(PORT_STATUS) & bits) == value)
			return (true);
	return (false);
}

static bool
write_port(uint16_t port, uint8_t v)
{
	if (!wait_status(STATUS_INPUT, 0))
		return (false);
	outb(port, v);
	return (true);
}

/* The byte that comes next; -1: none comes. */
static int
read_byte(void)
{
	return (wait_status(STATUS_OUTPUT, STATUS_OUTPUT) ? inb(PORT_DATA) : -1);
}

static int
ask(uint8_t command)
{
	return (write_port(PORT_COMMAND, command) ? read_byte() : -1);
}

/* --- the lights; answered by interrupts ------------------------------------------------------- */

static void
leds_go_on(void)
{
	mtx_assert_owned(&ps2_mtx);
	if (led_state == COMMAND_SENT) {
		shown = leds;
		led_state = write_port(PORT_DATA, shown) ? VALUE_SENT : IDLE;
	} else {
		led_state = IDLE;
	}
	if (led_state == IDLE && leds != shown)
		led_state = write_port(PORT_DATA, KEY_CMD_LEDS) ? COMMAND_SENT : IDLE;
}

void
ps2_show_leds(uint8_t new)
{
	mtx_lock(&ps2_mtx);
	leds = new;
	if (ready && led_state == IDLE)
		leds_go_on();
	mtx_unlock(&ps2_mtx);
}

static void
ps2_intr(void *arg __unused)
{
	uint8_t status, byte;

	for (int i = 0; i < BURST; i++) {
		status = inb(PORT_STATUS);
		if ((status & STATUS_OUTPUT) == 0)
			return;
		byte = inb(PORT_DATA);
		if ((status & STATUS_MOUSE) != 0)
			continue;
		if (byte != KEY_ACK && byte != KEY_RESEND) {
			keys_scancode(byte);
			continue;
		}
		mtx_lock(&ps2_mtx);
		leds_go_on();
		mtx_unlock(&ps2_mtx);
	}
}

/* Controller and keyboard into a known state; false: something does not answer. */
static bool
ps2_reset(void)
{
	int config;

	if (!write_port(PORT_COMMAND, CMD_DISABLE) || !write_port(PORT_COMMAND, CMD_DISABLE_MOUSE))
		return (false);
	for (int i = 0; i < BURST && (inb(PORT_STATUS) & STATUS_OUTPUT) != 0; i++)
		inb(PORT_DATA);
	if (ask(CMD_SELF_TEST) != SELF_TEST_OK)
		return (false);
	config = ask(CMD_READ_CONFIG);
	if (config < 0)
		return (false);
	config &= ~(CONFIG_MOUSE_INTR | CONFIG_CLOCK_OFF);
	config |= CONFIG_INTERRUPT | CONFIG_TRANSLATE | CONFIG_MOUSE_OFF;
	if (!write_port(PORT_COMMAND, CMD_WRITE_CONFIG) ||
	    !write_port(PORT_DATA, (uint8_t)config) || !write_port(PORT_COMMAND, CMD_ENABLE) ||
	    !write_port(PORT_DATA, KEY_CMD_ENABLE))
		return (false);
	return (read_byte() == KEY_ACK);
}

int
ps2_probe(void)
{
	int error;

	if (fb.backend == NULL) /* there is nothing to type at */
		return (ENODEV);
	if (inb(PORT_STATUS) == 0xff || !ps2_reset()) {
		klog(LOG_INFO, "ps2: no keyboard answers");
		return (ENODEV);
	}
	error = cpu_irq_register(KEYBOARD_IRQ, ps2_intr, NULL);
	ready = error == 0;
	return (error);
}
