/*
 * The first serial port, a 16550 at its customary place: the console's serial side, and /dev/ttyS0.
 * Owns COM1.
 * Sends by polling, so that it works in a panic and before interrupts; receives by interrupt.
 */
#include "drivers/drivers.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/machdep.h"
#include "kern/thread.h"
#include "kern/tty.h"

#define COM1_PORT 0x3f8
#define COM1_IRQ  4
#define FIFO_SIZE 16

/* Registers, and the bits of them that are used. */
#define UART_DATA        0
#define UART_IER         1
#define IER_RX           0x01
#define UART_FCR         2
#define FCR_ENABLE_CLEAR 0x07
#define UART_LCR         3
#define LCR_8N1          0x03
#define LCR_DLAB         0x80
#define UART_MCR         4
#define MCR_DTR_RTS_OUT2 0x0b
#define UART_LSR         5
#define LSR_RX           0x01
#define LSR_BREAK        0x10
#define LSR_TX_EMPTY     0x20
#define LSR_TX_IDLE      0x40
#define UART_SCRATCH     7

/*
 * How often to look for room before text is given up as lost: seconds in an emulator whose reader
 * is slow. Once lost, one look is enough until the port moves again.
 */
#define SEND_POLLS 5000000
#define CHUNK      256 /* bytes sent with interrupts off */
#define RX_BURST   256 /* characters taken by one interrupt: a babbling line cannot hold the CPU */

static bool uart_present;
static bool uart_stuck; /* the console's lock */

static uint8_t
uart_read(int reg)
{
	return (inb(COM1_PORT + reg));
}

static void
uart_write(int reg, uint8_t v)
{
	outb(COM1_PORT + reg, v);
}

/* Wait for a bit of the line status; false when it does not come. */
static bool
uart_wait(uint8_t bit)
{
	int polls = uart_stuck ? 1 : SEND_POLLS;

	while ((uart_read(UART_LSR) & bit) == 0) {
		if (--polls <= 0) {
			uart_stuck = true;
			return (false);
		}
	}
	uart_stuck = false;
	return (true);
}

static void
uart_send(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && uart_wait(LSR_TX_EMPTY)) {
		for (int room = FIFO_SIZE; room > 0 && i < len; room--)
			uart_write(UART_DATA, (uint8_t)text[i++]);
	}
}

/* --- input ------------------------------------------------------------------------------------ */

static struct tty serial_tty; /* /dev/ttyS0 */
/* The interrupt comes on one CPU, a reader who has made room on any. Its rank: what takes input in has
 * locks of rank LR_LEAF. */
static struct mtx rx_mtx = MTX_INITIALIZER("com1 input", LR_PHYS);
static int held = -1; /* rx_mtx: a character that there was no room for; the next wait */

/* The character held, to who reads the line; false: no room. */
static bool
uart_deliver(void)
{
	char c = (char)held;
	const char *text = held != TTY_BREAK ? &c : NULL;

	if (__atomic_load_n(&serial_tty.t_opens, __ATOMIC_RELAXED) > 0)
		return (tty_rint(&serial_tty, text, 1));
	return (console_input(text, 1));
}

/*
 * Take what has come. The line is edge-triggered: the FIFO must be seen empty before returning, or
 * no edge comes any more. After a full burst the receive interrupt is switched off and on, which
 * makes a new edge; and while there is no room it stays off, so that the other side waits.
 */
static void
uart_receive(void)
{
	uint8_t status;

	if (held >= 0 && !uart_deliver())
		return;
	held = -1;
	for (int i = 0; i < RX_BURST; i++) {
		status = uart_read(UART_LSR);
		if ((status & LSR_RX) == 0)
			return;
		held = uart_read(UART_DATA) | ((status & LSR_BREAK) != 0 ? TTY_BREAK : 0);
		if (!uart_deliver()) {
			uart_write(UART_IER, 0);
			return;
		}
		held = -1;
	}
	uart_write(UART_IER, 0);
	uart_write(UART_IER, IER_RX);
}

static void
uart_intr(void *arg __unused)
{
	mtx_lock(&rx_mtx);
	uart_receive();
	mtx_unlock(&rx_mtx);
}

static void
uart_resume(void)
{
	mtx_lock(&rx_mtx);
	if (held >= 0) {
		uart_receive();
		if (held < 0)
			uart_write(UART_IER, IER_RX);
	}
	mtx_unlock(&rx_mtx);
}

static struct console_sink uart_sink = {
    .cs_write = uart_send,
    .cs_resume = uart_resume,
    .cs_serial = true,
};

/* --- /dev/ttyS0 ------------------------------------------------------------------------------- */

static void
serial_outwakeup(struct tty *tp)
{
	char buf[CHUNK];
	size_t n;

	while ((n = tty_getout(tp, buf, sizeof(buf))) > 0) {
		console_lock();
		uart_send(buf, n);
		console_unlock();
	}
}

static void
serial_inwakeup(struct tty *tp __unused)
{
	uart_resume();
}

static const struct ttydevsw serial_ttysw = {
    .tsw_outwakeup = serial_outwakeup,
    .tsw_inwakeup = serial_inwakeup,
};

/* --- attaching -------------------------------------------------------------------------------- */

void
uart16550_drain(void)
{
	if (uart_present)
		uart_wait(LSR_TX_IDLE);
}

static bool
uart_scratch_holds(uint8_t v)
{
	uart_write(UART_SCRATCH, v);
	return (uart_read(UART_SCRATCH) == v);
}

int
uart16550_probe(void)
{
	if (!uart_scratch_holds(0x5a) || !uart_scratch_holds(0xa5))
		return (ENODEV);
	uart_write(UART_IER, 0);
	uart_write(UART_LCR, LCR_DLAB); /* divisor 1: 115200 baud */
	uart_write(UART_DATA, 1);
	uart_write(UART_IER, 0);
	uart_write(UART_LCR, LCR_8N1);
	uart_write(UART_FCR, FCR_ENABLE_CLEAR);
	uart_write(UART_MCR, MCR_DTR_RTS_OUT2);
	uart_present = true;
	console_attach(&uart_sink);
	return (0);
}

int
uart16550_intr_probe(void)
{
	static struct cdev dev;
	int error;

	if (!uart_present)
		return (ENODEV);
	error = tty_init(&serial_tty, &serial_ttysw, NULL, 4, 64);
	if (error == 0)
		error = tty_makedev(&serial_tty, &dev, "ttyS0");
	if (error == 0)
		error = cpu_irq_register(COM1_IRQ, uart_intr, NULL);
	if (error != 0)
		return (error);
	uart_write(UART_IER, IER_RX); /* what was typed meanwhile interrupts now */
	debug_exit_ready();
	return (0);
}
