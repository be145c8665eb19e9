/*
 * Serial lines ttyS0 … ttyS3, over the ports of dev/uart16550.h. The port's interrupts only queue
 * work; a worker thread moves received bytes into the line discipline and waiting output into the
 * port.
 *
 * Output goes from the tty's ring to the port's as soon as there is any, so a writer mostly pays
 * for the port alone; it sleeps when both are full. Input that the line discipline refuses waits in
 * `word`, then in the port's ring; nothing is taken from the port while nobody has the line open,
 * so what was typed ahead at boot is not lost.
 */

#include "abi/errno.h"
#include "abi/ioctl.h"
#include "abi/stat.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/panic.h"
#include "dev/uart16550.h"
#include "lib/fmt.h"
#include "pmm/slab.h"
#include "sched/work.h"
#include "tty/tty_priv.h"
#include "vfs/chrdev.h"
#include "vfs/inode.h"
#include "vm/usercopy.h"

enum { SERIAL_MAJOR = 4, SERIAL_MINOR = 64, RX_CHUNK = 64, DRAIN_POLL_MS = 1 };
enum { DEFAULT_BAUD = 115200 /* of a console: what the log has been written with until now */ };

struct serial {
	struct tty tty;
	unsigned port;           /* immutable */
	bool is_console;         /* boot only; its lines do not fall when it is closed */
	bool carrier;            /* modem work only; DCD when it last looked */
	uint16_t word[RX_CHUNK]; /* tty->lock: taken from the port, not yet fed */
	unsigned first, count;   /* tty->lock: of word[] */
	struct work rx, tx, modem;
	struct uart_client client;
};

static struct serial *ports[UART_MAX]; /* immutable after serial_init() */

static struct serial *serial_of(struct tty *t)
{
	return container_of(t, struct serial, tty);
}

/* --- input --- */

/* A byte that came with an error, or a break. False: there is no room for it. */
static bool feed_error(struct serial *s, uint16_t w)
{
	struct tty *t = &s->tty;

	if (!ldisc_accepts(&t->ld)) {
		t->throttled = true;
		return false;
	}
	ldisc_input_error(&t->ld, w & UART_BREAK ? LDISC_BREAK : LDISC_PARITY, (uint8_t)w);
	tty_dispatch(t);
	s->first++;
	return true;
}

static bool has_error(uint16_t w)
{
	return w & (UART_BREAK | UART_PARITY | UART_FRAME);
}

/* Feeds word[]; false when the line discipline wants no more. */
static bool feed_words(struct serial *s)
{
	uint8_t bytes[RX_CHUNK];
	size_t n = 0, taken;

	if (!(s->tty.ld.termios.c_cflag & CREAD))
		s->first = s->count;
	if (s->first == s->count)
		return true;
	if (has_error(s->word[s->first]))
		return feed_error(s, s->word[s->first]);
	while (s->first + n < s->count && !has_error(s->word[s->first + n])) {
		bytes[n] = (uint8_t)s->word[s->first + n];
		n++;
	}
	taken = tty_feed(&s->tty, bytes, n);
	s->first += (unsigned)taken;
	return taken == n;
}

static void receive_locked(struct tty *t)
{
	struct serial *s = serial_of(t);

	if (t->opens == 0)
		return;
	do {
		if (s->first < s->count)
			continue;
		s->first = 0;
		s->count = (unsigned)uart_read(s->port, s->word, RX_CHUNK);
		if (s->count == 0)
			return;
	} while (feed_words(s));
}

static void receive(struct work *w)
{
	struct tty *t = &container_of(w, struct serial, rx)->tty;

	tty_lock(t);
	receive_locked(t);
	tty_unlock(t);
}

/* --- output --- */

static void serial_send(struct tty *t)
{
	struct serial *s = serial_of(t);
	bool was = tty_is_writable(t);
	uint32_t span, n, done;

	while ((n = ldisc_sendable(&t->ld)) > 0) {
		const uint8_t *from = ring_data(&t->out, &span);

		n = MIN(n, span);
		done = (uint32_t)uart_write(s->port, from, n);
		t->out.tail += done;
		if (done < n)
			break;
	}
	if ((!was && tty_is_writable(t)) || ring_used(&t->out) == 0)
		t->wake |= TTY_WAKE_WRITERS;
}

static void transmit(struct work *w)
{
	struct tty *t = &container_of(w, struct serial, tx)->tty;

	tty_lock(t);
	serial_send(t);
	tty_unlock(t);
}

/* The ring's end is announced; that the last bit has left the port is not, and is looked for. */
static int serial_drain(struct tty *t)
{
	struct serial *s = serial_of(t);
	int err = 0;

	tty_lock(t);
	while (err == 0 && ring_used(&t->out) > 0)
		err = tty_wait(t, &t->writable, NSEC_MAX);
	tty_unlock(t);
	while (err == 0 && !uart_tx_is_idle(s->port)) {
		err = thread_sleep_until(clock_mono() + DRAIN_POLL_MS * NSEC_PER_MSEC,
					 THREAD_SLEEP_INTR);
		if (err == -ETIMEDOUT)
			err = 0;
	}
	return err;
}

static void serial_flow(struct tty *t)
{
	uart_tx_stop(serial_of(t)->port, t->ld.stopped);
}

static void serial_flushed(struct tty *t, bool in, bool out, bool typed)
{
	struct serial *s = serial_of(t);

	if (in && !typed)
		s->first = s->count = 0;
	uart_flush(s->port, in && !typed, out);
}

static void serial_urgent(struct tty *t, uint8_t c)
{
	size_t ignored = uart_write(serial_of(t)->port, &c, 1);

	(void)ignored; /* the port is full: the other side is not what is fast */
}

static uint32_t serial_pending(struct tty *t)
{
	return ring_used(&t->out) + (uint32_t)uart_tx_pending(serial_of(t)->port);
}

/* --- the line --- */

static int serial_open(struct tty *t)
{
	struct serial *s = serial_of(t);

	if (t->opens == 0) {
		uart_modem_set(s->port, TIOCM_DTR | TIOCM_RTS, 0);
		work_queue(&s->rx);
	}
	return 0;
}

static void serial_close(struct tty *t)
{
	struct serial *s = serial_of(t);

	if ((t->ld.termios.c_cflag & HUPCL) && !s->is_console)
		uart_modem_set(s->port, 0, TIOCM_DTR | TIOCM_RTS);
}

static void serial_changed(struct tty *t, const struct abi_termios2 *old)
{
	const struct abi_termios2 *new = &t->ld.termios;

	if (old->c_cflag != new->c_cflag || old->c_ospeed != new->c_ospeed)
		uart_set_format(serial_of(t)->port, new->c_cflag, termios_speed(new));
}

static int serial_break(struct tty *t, bool on)
{
	uart_set_break(serial_of(t)->port, on);
	return 0;
}

/* Without CLOCAL the loss of the carrier hangs up. */
static void modem_changed(struct work *w)
{
	struct serial *s = container_of(w, struct serial, modem);
	bool carrier = uart_modem_get(s->port) & TIOCM_CAR, lost = s->carrier && !carrier;

	s->carrier = carrier;
	if (lost && !(s->tty.ld.termios.c_cflag & CLOCAL))
		tty_hangup(&s->tty, false);
}

static int64_t serial_ioctl(struct tty *t, unsigned cmd, uint64_t arg)
{
	unsigned port = serial_of(t)->port;
	const uint32_t all = TIOCM_DTR | TIOCM_RTS;
	uint32_t bits;
	int err;

	if (cmd == TIOCMGET)
		return put_user_u32(UADDR(arg), uart_modem_get(port));
	if (cmd != TIOCMSET && cmd != TIOCMBIS && cmd != TIOCMBIC)
		return -ENOTTY;
	if ((err = get_user_u32(&bits, UADDR(arg))))
		return err;
	bits &= all;
	if (cmd == TIOCMBIC)
		uart_modem_set(port, 0, bits);
	else
		uart_modem_set(port, bits, cmd == TIOCMSET ? all & ~bits : 0);
	return 0;
}

static void serial_free(struct tty *t)
{
	panic("ttyS%u: the driver's reference is gone", serial_of(t)->port);
}

static const struct tty_ops serial_ops = {
	.open = serial_open,
	.close = serial_close,
	.send = serial_send,
	.room = receive_locked,
	.flow = serial_flow,
	.flushed = serial_flushed,
	.pending = serial_pending,
	.changed = serial_changed,
	.urgent = serial_urgent,
	.drain = serial_drain,
	.send_break = serial_break,
	.ioctl = serial_ioctl,
	.free = serial_free,
	.hangs_up_with_leader = true,
	.paces_input = true,
};

/* --- the port's callbacks: interrupts off --- */

static void rx_ready(void *ctx)
{
	work_queue(&((struct serial *)ctx)->rx);
}

static void tx_space(void *ctx)
{
	work_queue(&((struct serial *)ctx)->tx);
}

static void modem_line(void *ctx)
{
	work_queue(&((struct serial *)ctx)->modem);
}

/* --- set-up --- */

struct tty *serial_find(unsigned port)
{
	return port < UART_MAX && ports[port] ? &ports[port]->tty : NULL;
}

/* A new format, at boot: nobody else is there yet. */
static void set_format(struct serial *s, uint32_t cflag)
{
	struct abi_termios2 t = s->tty.ld.termios;

	t.c_cflag = cflag;
	termios_set_speeds(&t);
	ldisc_set_termios(&s->tty.ld, &t);
	uart_set_format(s->port, t.c_cflag, termios_speed(&t));
}

void serial_configure(struct tty *t, const char *options)
{
	struct serial *s = serial_of(t);
	uint32_t cflag = t->ld.termios.c_cflag & ~(uint32_t)CBAUD, flag;
	const char *rest = options;
	uint64_t baud = DEFAULT_BAUD;

	if (*options != '\0' && !str_to_u64(options, &rest, &baud))
		log_warn("console=ttyS%u: \"%s\" is not a speed", s->port, options);
	flag = termios_speed_flag(baud < UINT32_MAX ? (uint32_t)baud : 0);
	cflag |= flag == BOTHER || flag == B0 ? B115200 : flag;
	if (*rest == 'o' || *rest == 'e')
		cflag |= *rest == 'o' ? PARENB | PARODD : PARENB;
	if (*rest != '\0')
		rest++;
	if (*rest == '7')
		cflag = (cflag & ~(uint32_t)CSIZE) | CS7;
	if (*rest != '\0' && rest[1] == 'r')
		cflag |= CRTSCTS;
	s->is_console = true;
	set_format(s, cflag);
}

static void serial_create(unsigned port)
{
	struct serial *s = kzalloc(sizeof(*s));
	uint64_t rdev = mkdev(SERIAL_MAJOR, SERIAL_MINOR + port);
	char name[8];

	if (s == NULL || tty_setup(&s->tty, &serial_ops, rdev)) {
		kfree(s);
		log_err("ttyS%u: no memory", port);
		return;
	}
	s->port = port;
	work_init(&s->rx, receive);
	work_init(&s->tx, transmit);
	work_init(&s->modem, modem_changed);
	s->carrier = uart_modem_get(port) & TIOCM_CAR;
	s->client = (struct uart_client){ rx_ready, tx_space, modem_line, s };
	set_format(s, B9600 | CS8 | CREAD | HUPCL | CLOCAL);
	ports[port] = s;
	uart_set_client(port, &s->client);
	fmt(name, sizeof(name), "ttyS%u", port);
	devnode_add(name, S_IFCHR | 0600, rdev);
}

static int serial_node_open(struct inode *i, struct file *f)
{
	struct tty *t = serial_find(dev_minor(i->rdev) - SERIAL_MINOR);

	return t ? tty_open_file(t, f, false) : -ENXIO;
}

static const struct file_ops serial_node_ops = { .open = serial_node_open };

void serial_init(void)
{
	for (unsigned i = 0; i < UART_MAX; i++)
		if (uart_is_present(i))
			serial_create(i);
	chrdev_register(SERIAL_MAJOR, SERIAL_MINOR, UART_MAX, "ttyS", &serial_node_ops);
}
