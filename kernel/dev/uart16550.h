#pragma once

/*
 * 16550A serial ports at the four ISA addresses. Bytes are received by interrupt into a ring;
 * sending fills the FIFO directly while it is empty and goes on by interrupt. The tty layer is
 * called back; it never waits here.
 *   source       National Semiconductor PC16550D data sheet
 *
 * A port is named by its number, 0 … 3 (ttyS0 … ttyS3); there may be holes: uart_is_present().
 */

#include "lib/types.h"

enum { UART_MAX = 4 };

/* What was wrong with a received byte, in the upper half of uart_read()'s words. */
enum uart_error {
	UART_OVERRUN = 0x200,
	UART_PARITY = 0x400,
	UART_FRAME = 0x800,
	UART_BREAK = 0x1000
};

/* Called with interrupts off and no lock held. Any may be NULL. */
struct uart_client {
	void (*rx_ready)(void *ctx); /* there is something for uart_read() */
	void (*tx_space)(void *ctx); /* uart_write() will take bytes again; once per shortage */
	void (*modem)(void *ctx);    /* a modem line changed */
	void *ctx;
};

/*
 * Probes the ports and takes their interrupts. Boot, once; after slab_init() and
 * arch_devices_init().
 */
void uart_init(void);

unsigned uart_count(void); /* one more than the highest number present */
bool uart_is_present(unsigned port);

/* c stays the caller's, for ever; NULL: nobody listens, input is dropped. */
void uart_set_client(unsigned port, const struct uart_client *c);

/*
 * Any context. Returns the bytes accepted, 0 … n; less than n: tx_space will be called. Never
 * waits.
 */
size_t uart_write(unsigned port, const void *buf, size_t n);

/* Received bytes, each with its enum uart_error. Returns how many, 0 … n. */
size_t uart_read(unsigned port, uint16_t *buf, size_t n);

size_t uart_tx_pending(unsigned port); /* bytes not yet handed to the FIFO */
size_t uart_tx_space(unsigned port);
bool uart_tx_is_idle(unsigned port); /* the last bit has left: for tcdrain(3) */
void uart_flush(unsigned port, bool rx, bool tx);

/*
 * Format from termios: c_cflag (CSIZE, CSTOPB, PARENB, PARODD, CMSPAR) and the speed in bit/s; 0
 * hangs up (DTR and RTS fall). Speeds that the divisor cannot make are rounded. */
void uart_set_format(unsigned port, uint32_t cflag, uint32_t baud);

/* Lines as TIOCM_* bits (ioctl_tty(2)). */
unsigned uart_modem_get(unsigned port);
void uart_modem_set(unsigned port, unsigned set, unsigned clear);
void uart_set_break(unsigned port, bool on);

/* XOFF received (stop) and XON; or the tty's own flow control of its output. */
void uart_tx_stop(unsigned port, bool stop);

/* Counters of TIOCGICOUNT. */
struct uart_count {
	uint32_t rx, tx, frame, overrun, parity, brk, buf_overrun, cts, dsr, rng, dcd;
};
void uart_counters(unsigned port, struct uart_count *out);

/*
 * Writes the text, newlines as CR LF, by polling with a bounded wait: for the log and for panic.
 * Works before uart_init(), on a port that answers the probe.
 */
void uart_write_polled(unsigned port, const char *text, size_t n);

/*
 * Makes the port a sink of the log (`console=ttyS0`, `earlycon`); before or after uart_init().
 * -ENODEV: no such port.
 */
MUST_CHECK int uart_log_start(unsigned port);
