/*
 * The console. Each `console=ttySn[,options]` makes that port a sink of the kernel log; the last
 * one that exists is /dev/console as well. Without the option that is ttyS0; when there is no port,
 * /dev/console swallows what is written and is always at end of file, so that init has its three
 * descriptors. Also /dev/tty, the terminal of whoever asks.
 *
 *   source       console= as bootparam(7) has it, tty(4), console(4)
 */

#include "tty/console.h"

#include "abi/errno.h"
#include "abi/stat.h"
#include "core/cmdline.h"
#include "core/log.h"
#include "dev/uart16550.h"
#include "tty/tty_priv.h"
#include "vfs/chrdev.h"
#include "vfs/inode.h"

enum { AUX_MAJOR = 5, TTY_MINOR = 0, CONSOLE_MINOR = 1, OPTION_MAX = 256 };

static struct tty *console; /* borrowed, for ever; immutable after console_init() */

/* One `console=`: name and options, cut out of the command line. */
struct choice {
	unsigned port;
	char options[16];
};

static void copy_word(char *to, size_t size, const char *word, size_t len)
{
	size_t n = MIN(len, size - 1);

	memcpy(to, word, n);
	to[n] = '\0';
}

/* "ttyS" and a digit: false for other devices, of which there are none. */
static bool parse_device(const char *word, size_t len, unsigned *port)
{
	if (len != 5 || memcmp(word, "ttyS", 4) != 0 || word[4] < '0' || word[4] > '9')
		return false;
	*port = (unsigned)(word[4] - '0');
	return true;
}

/*
 * The next choice in a list of options joined by commas, which separate a device from its own
 * options too: a word that begins with a digit belongs to the device before it.
 *   at           where to go on; NULL at the end
 */
static bool next_choice(const char **at, struct choice *out)
{
	while (*at != NULL) {
		const char *word = *at, *end = strchr(word, ',');
		size_t len = end ? (size_t)(end - word) : strlen(word);

		*at = end ? end + 1 : NULL;
		if (!parse_device(word, len, &out->port))
			continue;
		out->options[0] = '\0';
		if (*at != NULL && **at >= '0' && **at <= '9') {
			word = *at;
			end = strchr(word, ',');
			copy_word(out->options, sizeof(out->options), word,
				  end ? (size_t)(end - word) : strlen(word));
			*at = end ? end + 1 : NULL;
		}
		return true;
	}
	return false;
}

/* What `console=` says; "ttyS0" when it is not there. */
static const char *read_option(char *buf, size_t size)
{
	size_t n = cmdline_get_list("console", buf, size);

	return n == 0 && cmdline_get("console") == NULL ? "ttyS0" : buf;
}

void console_early_init(void)
{
	char buf[OPTION_MAX] = "";
	const char *at = read_option(buf, sizeof(buf));
	struct choice c;

	while (next_choice(&at, &c))
		if (uart_log_start(c.port))
			log_warn("console=ttyS%u: there is no such port", c.port);
}

/* --- /dev/console without a console --- */

static ssize64_t null_read(struct file *f, struct uio *u, off64_t *pos)
{
	(void)f, (void)u, (void)pos;
	return 0;
}

static ssize64_t null_write(struct file *f, struct uio *u, off64_t *pos)
{
	size_t n = u->resid;

	(void)f, (void)pos;
	uio_advance(u, n);
	return (ssize64_t)n;
}

static const struct file_ops null_console_ops = { .read = null_read,
						  .write = null_write,
						  .flags = FOP_STREAM };

/* --- nodes --- */

static int console_open(struct inode *i, struct file *f)
{
	(void)i;
	if (console)
		return tty_open_file(console, f, true);
	f->ops = &null_console_ops;
	return 0;
}

static int own_tty_open(struct inode *i, struct file *f)
{
	struct tty *t = ctty_get();
	int err;

	(void)i;
	if (t == NULL)
		return -ENXIO;
	err = tty_open_file(t, f, false);
	tty_put(t);
	return err;
}

static const struct file_ops console_node_ops = { .open = console_open };
static const struct file_ops own_tty_node_ops = { .open = own_tty_open };

static void choose_console(void)
{
	char buf[OPTION_MAX] = "";
	const char *at = read_option(buf, sizeof(buf));
	struct choice c;

	while (next_choice(&at, &c)) {
		struct tty *t = serial_find(c.port);

		if (t == NULL)
			continue;
		serial_configure(t, c.options);
		console = t;
	}
}

void console_init(void)
{
	console_early_init();
	choose_console();
	chrdev_register(AUX_MAJOR, TTY_MINOR, 1, "/dev/tty", &own_tty_node_ops);
	chrdev_register(AUX_MAJOR, CONSOLE_MINOR, 1, "/dev/console", &console_node_ops);
	devnode_add("tty", S_IFCHR | 0666, mkdev(AUX_MAJOR, TTY_MINOR));
	devnode_add("console", S_IFCHR | 0600, mkdev(AUX_MAJOR, CONSOLE_MINOR));
}
