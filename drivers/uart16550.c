/*
 * The first serial port, a 16550 at its customary place: the console's serial side. Owns COM1.
 * Sends by polling, so that it works in a panic and before interrupts; receives by interrupt.
 */
#include "drivers/drivers.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/machdep.h"

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
#define LSR_TX_EMPTY     0x20
#define LSR_TX_IDLE      0x40
#define UART_SCRATCH     7

/*
 * How often to look for room before text is given up as lost: seconds in an emulator whose reader
 * is slow. Once lost, one look is enough until the port moves again.
 */
#define SEND_POLLS 5000000
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

static struct console_sink uart_sink = {
    .cs_name = "com1",
    .cs_write = uart_send,
    .cs_serial = true,
};

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

/*
 * The line is edge-triggered: the FIFO must be seen empty before returning, or no edge comes any
 * more. After a full burst the receive interrupt is switched off and on, which makes a new edge.
 */
static void
uart_intr(void *arg __unused)
{
	for (int i = 0; i < RX_BURST; i++) {
		if ((uart_read(UART_LSR) & LSR_RX) == 0)
			return;
		console_input((char)uart_read(UART_DATA));
	}
	uart_write(UART_IER, 0);
	uart_write(UART_IER, IER_RX);
}

int
uart16550_intr_probe(void)
{
	int error;

	if (!uart_present)
		return (ENODEV);
	error = cpu_irq_register(COM1_IRQ, uart_intr, NULL);
	if (error != 0)
		return (error);
	uart_write(UART_IER, IER_RX); /* what was typed meanwhile interrupts now */
	debug_exit_ready();
	return (0);
}
