/*
 * 16550A serial ports.
 *
 * Each port has a transmit and a receive ring, guarded by its lock (UART, interrupts off). Writing
 * puts bytes into the transmit ring and moves them to the FIFO at once, sixteen at a time, as long
 * as the port says "holding register empty": an emulated port always says so, and then no interrupt
 * is ever needed; a real one says so again sixteen characters later, by interrupt. The THRE
 * interrupt is enabled exactly while the ring has something to send.
 *
 * Ports 0 and 2 share ISA interrupt 4, ports 1 and 3 interrupt 3. These lines are edge-triggered:
 * the handler serves its ports until none of them asks any more. Callbacks to the tty layer run
 * after the lock is released.
 *   source       PC16550D data sheet (register numbers and bits)
 */
#include "dev/uart16550.h"

#include <arch/cpu.h>
#include <arch/io.h>

#include "abi/errno.h"
#include "abi/ioctl.h"
#include "abi/termios.h"
#include "core/irq.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "lib/string.h"
#include "pmm/slab.h"

enum uart_register { R_DATA, R_IER, R_IIR, R_LCR, R_MCR, R_LSR, R_MSR, R_SCRATCH, R_FCR = R_IIR };
enum { IER_RX = 1, IER_TX = 2, IER_LINE = 4, IER_MODEM = 8 };
enum {
	IIR_NONE = 1,
	IIR_MASK = 0x0e,
	IIR_MODEM = 0,
	IIR_TX = 2,
	IIR_RX = 4,
	IIR_LINE = 6,
	IIR_TIMEOUT = 0x0c,
	IIR_HAS_FIFO = 0xc0
};
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4, FCR_TRIGGER_8 = 0x80 };
enum {
	LCR_STOP2 = 4,
	LCR_PARITY = 8,
	LCR_EVEN = 0x10,
	LCR_STICK = 0x20,
	LCR_BREAK = 0x40,
	LCR_DIVISOR = 0x80,
	LCR_8N1 = 3
};
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT2 = 8 /* lets interrupts through */ };
enum {
	LSR_READY = 1,
	LSR_OVERRUN = 2,
	LSR_PARITY = 4,
	LSR_FRAME = 8,
	LSR_BREAK = 0x10,
	LSR_THRE = 0x20,
	LSR_IDLE = 0x40
};
enum {
	MSR_DCTS = 1,
	MSR_DDSR = 2,
	MSR_TERI = 4,
	MSR_DDCD = 8,
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RI = 0x40,
	MSR_DCD = 0x80
};

enum { RX_RING = 2048, TX_RING = 4096, FIFO = 16, BASE_BAUD = 115200 };
enum { CHUNK = 256, SERVICE_ROUNDS = 64, RX_BURST = 256 }; /* bounds on time with interrupts off */
enum { POLL_SPINS = 100000, POLL_SPINS_STUCK = 100 };

struct uart {
	struct spinlock lock;
	uint16_t base;         /* immutable */
	uint8_t number;        /* immutable */
	uint8_t fifo;          /* bytes that fit at once; 0: not probed yet */
	bool absent;           /* the probe found nothing */
	bool started;          /* rings exist, interrupts come; immutable after uart_init() */
	bool stopped;          /* flow control */
	bool want_space;       /* tx_space is owed */
	bool stuck;            /* polling has timed out, and not succeeded since */
	uint8_t ier, lcr, mcr; /* as written */
	uint32_t rx_head, rx_tail, tx_head,
		tx_tail; /* counted for ever; tail - head bytes are held */
	uint16_t *rx;
	uint8_t *tx;
	const struct uart_client *client;
	struct uart_count count;
	struct log_sink sink;
};

#define UART(n, port)                                                                 \
	{                                                                             \
		.lock = SPINLOCK(UART), .number = (n), .base = (port), .lcr = LCR_8N1 \
	}
static struct uart uarts[UART_MAX] = { UART(0, 0x3f8), UART(1, 0x2f8), UART(2, 0x3e8),
				       UART(3, 0x2e8) };

/* What a service routine wants to tell the client once the lock is released. */
enum notice { N_RX = 1, N_SPACE = 2, N_MODEM = 4 };

static inline uint8_t get(const struct uart *u, enum uart_register r)
{
	return arch_inb((uint16_t)(u->base + r));
}

static inline void put(const struct uart *u, enum uart_register r, uint8_t v)
{
	arch_outb((uint16_t)(u->base + r), v);
}

static void set_divisor(struct uart *u, uint32_t baud)
{
	uint32_t d = (BASE_BAUD + baud / 2) / baud;

	d = MAX(d, 1u);
	d = MIN(d, 0xffffu);
	put(u, R_LCR, u->lcr | LCR_DIVISOR);
	put(u, R_DATA, (uint8_t)d);
	put(u, R_IER, (uint8_t)(d >> 8));
	put(u, R_LCR, u->lcr);
}

/*
 * The scratch register keeps what is written, and an empty bus does not. Sets the port up for
 * polling.
 */
static bool probe(struct uart *u)
{
	if (u->fifo || u->absent)
		return !u->absent;
	put(u, R_SCRATCH, 0x5a);
	u->absent = get(u, R_SCRATCH) != 0x5a;
	put(u, R_SCRATCH, 0xa5);
	u->absent |= get(u, R_SCRATCH) != 0xa5;
	if (u->absent)
		return false;
	put(u, R_IER, 0);
	set_divisor(u, BASE_BAUD);
	put(u, R_FCR, FCR_ENABLE | FCR_CLEAR_RX | FCR_CLEAR_TX | FCR_TRIGGER_8);
	u->fifo = (get(u, R_IIR) & IIR_HAS_FIFO) == IIR_HAS_FIFO ? FIFO : 1;
	u->mcr = MCR_DTR | MCR_RTS | MCR_OUT2;
	put(u, R_MCR, u->mcr);
	return true;
}

static struct uart *find(unsigned port)
{
	return port < UART_MAX && uarts[port].fifo && uarts[port].started ? &uarts[port] : NULL;
}

static void set_ier(struct uart *u, uint8_t ier)
{
	if (u->ier == ier)
		return;
	u->ier = ier;
	put(u, R_IER, ier);
}

/*
 * Moves bytes from the ring to the FIFO while it is empty, and asks for an interrupt when some
 * remain.
 */
static void transmit_locked(struct uart *u)
{
	while (u->tx_head != u->tx_tail && !u->stopped && (get(u, R_LSR) & LSR_THRE)) {
		uint32_t n = MIN(u->tx_tail - u->tx_head, (uint32_t)u->fifo);

		u->count.tx += n;
		while (n--)
			put(u, R_DATA, u->tx[u->tx_head++ % TX_RING]);
	}
	if (u->tx_head != u->tx_tail && !u->stopped)
		set_ier(u, u->ier | IER_TX);
	else
		set_ier(u, u->ier & (uint8_t)~IER_TX);
}

static unsigned take_space_notice(struct uart *u)
{
	if (!u->want_space || u->tx_tail - u->tx_head > TX_RING / 2)
		return 0;
	u->want_space = false;
	return N_SPACE;
}

static uint16_t line_errors(struct uart *u, uint8_t lsr)
{
	uint16_t e = 0;

	if (LIKELY(!(lsr & (LSR_OVERRUN | LSR_PARITY | LSR_FRAME | LSR_BREAK))))
		return 0;
	if (lsr & LSR_OVERRUN) {
		u->count.overrun++;
		e |= UART_OVERRUN;
	}
	if (lsr & LSR_BREAK) { /* comes with a framing error, which is not one */
		u->count.brk++;
		return e | UART_BREAK;
	}
	if (lsr & LSR_PARITY) {
		u->count.parity++;
		e |= UART_PARITY;
	}
	if (lsr & LSR_FRAME) {
		u->count.frame++;
		e |= UART_FRAME;
	}
	return e;
}

static unsigned receive_locked(struct uart *u)
{
	unsigned notices = 0;
	uint8_t lsr;

	for (int i = 0; i < RX_BURST && ((lsr = get(u, R_LSR)) & LSR_READY); i++) {
		uint16_t errors = line_errors(u, lsr), byte = get(u, R_DATA);

		u->count.rx++;
		if (!u->client)
			continue;
		if (u->rx_tail - u->rx_head == RX_RING) {
			u->count.buf_overrun++;
			continue;
		}
		u->rx[u->rx_tail++ % RX_RING] = byte | errors;
		notices = N_RX;
	}
	return notices;
}

/* Reading the register forgets the changes it reports, so every reader counts them. */
static uint8_t read_msr_locked(struct uart *u)
{
	uint8_t msr = get(u, R_MSR);

	u->count.cts += !!(msr & MSR_DCTS);
	u->count.dsr += !!(msr & MSR_DDSR);
	u->count.rng += !!(msr & MSR_TERI);
	u->count.dcd += !!(msr & MSR_DDCD);
	return msr;
}

/* Serves what the port asks for. Bounded, in case a port asks without end. */
static unsigned service_locked(struct uart *u, bool *busy)
{
	unsigned notices = 0;

	for (int i = 0; i < SERVICE_ROUNDS; i++) {
		uint8_t iir = get(u, R_IIR);

		if (iir & IIR_NONE)
			break;
		*busy = true;
		switch (iir & IIR_MASK) {
		case IIR_TX:
			transmit_locked(u);
			notices |= take_space_notice(u);
			break;
		case IIR_MODEM:
			if (read_msr_locked(u) & (MSR_DCTS | MSR_DDSR | MSR_TERI | MSR_DDCD))
				notices |= N_MODEM;
			break;
		default: /* received, time-out, line status */
			notices |= receive_locked(u);
			break;
		}
	}
	return notices;
}

static void notify(const struct uart_client *c, unsigned notices)
{
	if (!c)
		return;
	if ((notices & N_RX) && c->rx_ready)
		c->rx_ready(c->ctx);
	if ((notices & N_SPACE) && c->tx_space)
		c->tx_space(c->ctx);
	if ((notices & N_MODEM) && c->modem)
		c->modem(c->ctx);
}

/* Returns true when the port asked for something. Interrupts off. */
static bool service(struct uart *u)
{
	const struct uart_client *c;
	bool busy = false;
	unsigned notices;

	spin_lock(&u->lock);
	notices = service_locked(u, &busy);
	c = u->client;
	spin_unlock(&u->lock);
	if (notices)
		notify(c, notices);
	return busy;
}

/* ctx: the first of the two ports on the line. */
static void uart_irq(void *ctx)
{
	struct uart *u = ctx;
	bool busy = true;

	for (int i = 0; busy && i < SERVICE_ROUNDS; i++) {
		busy = false;
		if (u[0].started)
			busy |= service(&u[0]);
		if (u[2].started)
			busy |= service(&u[2]);
	}
}

static bool start(struct uart *u)
{
	irqstate_t s;

	u->rx = kmalloc(RX_RING * sizeof(u->rx[0]));
	u->tx = kmalloc(TX_RING);
	if (!u->rx || !u->tx) {
		log_err("ttyS%u: no memory", u->number);
		kfree(u->rx);
		kfree(u->tx);
		return false;
	}
	s = spin_lock_irq(&u->lock);
	u->started = true;
	(void)get(u, R_LSR);
	(void)get(u, R_DATA);
	(void)get(u, R_IIR);
	(void)get(u, R_MSR);
	set_ier(u, IER_RX | IER_LINE | IER_MODEM);
	spin_unlock_irq(&u->lock, s);
	log_info("ttyS%u at I/O 0x%x (irq = %u, base_baud = %u) is a %s", u->number, u->base,
		 u->number & 1 ? 3u : 4u, BASE_BAUD, u->fifo > 1 ? "16550A" : "8250");
	return true;
}

void uart_init(void)
{
	for (unsigned line = 0; line < 2; line++) {
		struct uart *u = &uarts[line];
		bool any = false;

		for (unsigned i = 0; i < UART_MAX; i += 2)
			if (probe(&u[i]) && start(&u[i]))
				any = true;
		if (any && irq_request_isa(line ? 3 : 4, uart_irq, u))
			log_err("ttyS%u: no interrupt %u: input is lost", line, line ? 3u : 4u);
	}
}

unsigned uart_count(void)
{
	unsigned n = UART_MAX;

	while (n && !find(n - 1))
		n--;
	return n;
}

bool uart_is_present(unsigned port)
{
	return find(port);
}

void uart_set_client(unsigned port, const struct uart_client *c)
{
	struct uart *u = find(port);
	irqstate_t s;

	if (!u)
		return;
	s = spin_lock_irq(&u->lock);
	u->client = c;
	u->rx_head = u->rx_tail;
	spin_unlock_irq(&u->lock, s);
}

/* Puts up to n bytes into the ring; returns how many. */
static size_t enqueue_locked(struct uart *u, const uint8_t *p, size_t n)
{
	size_t room = TX_RING - (u->tx_tail - u->tx_head), at, part;

	n = MIN(n, room);
	at = u->tx_tail % TX_RING;
	part = MIN(n, TX_RING - at);
	memcpy(u->tx + at, p, part);
	memcpy(u->tx, p + part, n - part);
	u->tx_tail += (uint32_t)n;
	return n;
}

size_t uart_write(unsigned port, const void *buf, size_t n)
{
	struct uart *u = find(port);
	const uint8_t *p = buf;
	size_t done = 0;

	while (u && done < n) {
		size_t chunk = MIN(n - done, (size_t)CHUNK), taken;
		irqstate_t s = spin_lock_irq(&u->lock);

		taken = enqueue_locked(u, p + done, chunk);
		if (!(u->ier & IER_TX))
			transmit_locked(u);
		if (taken < chunk)
			u->want_space = true;
		spin_unlock_irq(&u->lock, s);
		done += taken;
		if (taken < chunk)
			break;
	}
	return done;
}

size_t uart_read(unsigned port, uint16_t *buf, size_t n)
{
	struct uart *u = find(port);
	size_t done = 0;
	irqstate_t s;

	if (!u)
		return 0;
	s = spin_lock_irq(&u->lock);
	while (done < n && u->rx_head != u->rx_tail)
		buf[done++] = u->rx[u->rx_head++ % RX_RING];
	spin_unlock_irq(&u->lock, s);
	return done;
}

size_t uart_tx_pending(unsigned port)
{
	struct uart *u = find(port);
	irqstate_t s;
	size_t n;

	if (!u)
		return 0;
	s = spin_lock_irq(&u->lock);
	n = u->tx_tail - u->tx_head;
	spin_unlock_irq(&u->lock, s);
	return n;
}

size_t uart_tx_space(unsigned port)
{
	return find(port) ? TX_RING - uart_tx_pending(port) : 0;
}

bool uart_tx_is_idle(unsigned port)
{
	struct uart *u = find(port);

	return !u || (!uart_tx_pending(port) && (get(u, R_LSR) & LSR_IDLE));
}

void uart_flush(unsigned port, bool rx, bool tx)
{
	struct uart *u = find(port);
	const struct uart_client *c;
	unsigned notices;
	irqstate_t s;

	if (!u)
		return;
	s = spin_lock_irq(&u->lock);
	if (rx)
		u->rx_head = u->rx_tail;
	if (tx)
		u->tx_head = u->tx_tail;
	put(u, R_FCR,
	    (uint8_t)(FCR_ENABLE | FCR_TRIGGER_8 | (rx ? FCR_CLEAR_RX : 0) |
		      (tx ? FCR_CLEAR_TX : 0)));
	notices = take_space_notice(u);
	c = u->client;
	spin_unlock_irq(&u->lock, s);
	notify(c, notices);
}

void uart_set_format(unsigned port, uint32_t cflag, uint32_t baud)
{
	struct uart *u = find(port);
	uint8_t lcr = (uint8_t)((cflag & CSIZE) >> 4);
	irqstate_t s;

	if (!u)
		return;
	if (cflag & CSTOPB)
		lcr |= LCR_STOP2;
	if (cflag & PARENB)
		lcr |= (uint8_t)(LCR_PARITY | (cflag & PARODD ? 0 : LCR_EVEN) |
				 (cflag & CMSPAR ? LCR_STICK : 0));
	s = spin_lock_irq(&u->lock);
	u->lcr = (uint8_t)((u->lcr & LCR_BREAK) | lcr);
	if (baud) {
		set_divisor(u, baud);
		put(u, R_IER, u->ier); /* the divisor's high byte shares its address */
		u->mcr |= MCR_DTR | MCR_RTS;
	} else {
		put(u, R_LCR, u->lcr);
		u->mcr &= (uint8_t) ~(MCR_DTR | MCR_RTS);
	}
	put(u, R_MCR, u->mcr);
	spin_unlock_irq(&u->lock, s);
}

/* A line as TIOCM_* bit and as bit of a register. */
struct line_bit {
	unsigned tiocm;
	uint8_t bit;
};
static const struct line_bit mcr_bits[] = {
	{ TIOCM_DTR, MCR_DTR },
	{ TIOCM_RTS, MCR_RTS },
};
static const struct line_bit msr_bits[] = {
	{ TIOCM_CTS, MSR_CTS },
	{ TIOCM_DSR, MSR_DSR },
	{ TIOCM_RNG, MSR_RI },
	{ TIOCM_CAR, MSR_DCD },
};

static unsigned to_tiocm(const struct line_bit *bits, size_t n, uint8_t reg)
{
	unsigned t = 0;

	for (size_t i = 0; i < n; i++)
		if (reg & bits[i].bit)
			t |= bits[i].tiocm;
	return t;
}

static uint8_t from_tiocm(unsigned t)
{
	uint8_t reg = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mcr_bits); i++)
		if (t & mcr_bits[i].tiocm)
			reg |= mcr_bits[i].bit;
	return reg;
}

unsigned uart_modem_get(unsigned port)
{
	struct uart *u = find(port);
	irqstate_t s;
	unsigned t;

	if (!u)
		return 0;
	s = spin_lock_irq(&u->lock);
	t = to_tiocm(mcr_bits, ARRAY_SIZE(mcr_bits), u->mcr);
	t |= to_tiocm(msr_bits, ARRAY_SIZE(msr_bits), read_msr_locked(u));
	spin_unlock_irq(&u->lock, s);
	return t;
}

void uart_modem_set(unsigned port, unsigned set, unsigned clear)
{
	struct uart *u = find(port);
	irqstate_t s;

	if (!u)
		return;
	s = spin_lock_irq(&u->lock);
	u->mcr = (uint8_t)((u->mcr & ~from_tiocm(clear)) | from_tiocm(set));
	put(u, R_MCR, u->mcr);
	spin_unlock_irq(&u->lock, s);
}

void uart_set_break(unsigned port, bool on)
{
	struct uart *u = find(port);
	irqstate_t s;

	if (!u)
		return;
	s = spin_lock_irq(&u->lock);
	u->lcr = (uint8_t)((u->lcr & ~LCR_BREAK) | (on ? LCR_BREAK : 0));
	put(u, R_LCR, u->lcr);
	spin_unlock_irq(&u->lock, s);
}

void uart_tx_stop(unsigned port, bool stop)
{
	struct uart *u = find(port);
	irqstate_t s;

	if (!u)
		return;
	s = spin_lock_irq(&u->lock);
	u->stopped = stop;
	transmit_locked(u);
	spin_unlock_irq(&u->lock, s);
}

void uart_counters(unsigned port, struct uart_count *out)
{
	struct uart *u = find(port);
	irqstate_t s;

	*out = (struct uart_count){ 0 };
	if (!u)
		return;
	s = spin_lock_irq(&u->lock);
	*out = u->count;
	spin_unlock_irq(&u->lock, s);
}

/*
 * Waits for an empty FIFO, but not for ever: a port whose other end has stopped is given up after
 * one long wait.
 */
static bool poll_empty(struct uart *u)
{
	int spins = u->stuck ? POLL_SPINS_STUCK : POLL_SPINS;

	while (!(get(u, R_LSR) & LSR_THRE)) {
		if (!spins--) {
			u->stuck = true;
			return false;
		}
		arch_pause();
	}
	u->stuck = false;
	return true;
}

static bool poll_char(struct uart *u, unsigned *room, char c)
{
	if (!*room) {
		if (!poll_empty(u))
			return false;
		*room = u->fifo;
	}
	put(u, R_DATA, (uint8_t)c);
	--*room;
	return true;
}

static void poll_out(struct uart *u, const char *text, size_t n)
{
	unsigned room = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n' && !poll_char(u, &room, '\r'))
			return;
		if (!poll_char(u, &room, text[i]))
			return;
	}
}

void uart_write_polled(unsigned port, const char *text, size_t n) NO_TSA
{
	struct uart *u = &uarts[port];
	irqstate_t s = arch_irq_save();
	bool locked = !atomic_load_explicit(&panicking, memory_order_relaxed);

	if (locked)
		spin_lock(&u->lock);
	if (probe(u))
		poll_out(u, text, n);
	if (locked)
		spin_unlock(&u->lock);
	arch_irq_restore(s);
}

static void sink_write(struct log_sink *s, const char *text, size_t n)
{
	uart_write_polled(container_of(s, struct uart, sink)->number, text, n);
}

int uart_log_start(unsigned port)
{
	struct uart *u;

	if (port >= UART_MAX || !probe(&uarts[port]))
		return -ENODEV;
	u = &uarts[port];
	if (u->sink.write)
		return 0;
	u->sink.write = sink_write;
	log_add_sink(&u->sink);
	return 0;
}
