/* Frames over a raw serial port: see channel.h for the format. */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static int set_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return -1;
	cfmakeraw(&t);
	t.c_iflag |= IGNBRK;
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cflag &= (tcflag_t) ~(CRTSCTS | HUPCL);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	cfsetispeed(&t, B115200);
	cfsetospeed(&t, B115200);
	return tcsetattr(fd, TCSANOW, &t);
}

static void write_all(int fd, const void *data, size_t length)
{
	const uint8_t *p = data;

	while (length > 0) {
		ssize_t n = write(fd, p, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		length -= (size_t)n;
	}
}

static uint8_t header_check(uint8_t type, uint16_t length)
{
	return (uint8_t)(0x5a ^ type ^ (length & 0xff) ^ (length >> 8));
}

int channel_open(struct channel *ch, const char *path)
{
	ch->fill = 0;
	ch->fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ch->fd < 0)
		return -1;
	if (set_raw(ch->fd)) {
		int err = errno;

		close(ch->fd);
		errno = err;
		return -1;
	}
	tcflush(ch->fd, TCIFLUSH);
	write_all(ch->fd, CHANNEL_PREAMBLE, strlen(CHANNEL_PREAMBLE));
	return 0;
}

void channel_send(struct channel *ch, enum frame_type type, const void *data, size_t length)
{
	uint16_t n = (uint16_t)length;
	uint8_t head[CHANNEL_HEADER] = {
		(uint8_t)type,
		header_check((uint8_t)type, n),
		(uint8_t)(n & 0xff),
		(uint8_t)(n >> 8),
	};

	write_all(ch->fd, head, sizeof head);
	write_all(ch->fd, data, n);
}

void channel_send_u32(struct channel *ch, enum frame_type type, uint32_t value)
{
	uint8_t bytes[4] = {
		(uint8_t)value,
		(uint8_t)(value >> 8),
		(uint8_t)(value >> 16),
		(uint8_t)(value >> 24),
	};

	channel_send(ch, type, bytes, sizeof bytes);
}

void channel_note(struct channel *ch, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	channel_send(ch, FRAME_NOTE, text, strlen(text));
}

int channel_fill(struct channel *ch)
{
	ssize_t n = read(ch->fd, ch->buffer + ch->fill, sizeof ch->buffer - ch->fill);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -1;
	if (n == 0)
		return -1;
	ch->fill += (size_t)n;
	return 0;
}

int channel_take(struct channel *ch, struct frame *frame)
{
	const uint8_t *b = ch->buffer;
	size_t whole;

	if (ch->fill < CHANNEL_HEADER)
		return 0;
	frame->type = b[0];
	frame->length = (uint16_t)(b[2] | b[3] << 8);
	if (b[1] != header_check(b[0], frame->length) || frame->length > CHANNEL_PAYLOAD)
		return -1;

	whole = CHANNEL_HEADER + (size_t)frame->length;
	if (ch->fill < whole)
		return 0;
	memcpy(frame->payload, b + CHANNEL_HEADER, frame->length);
	ch->fill -= whole;
	memmove(ch->buffer, b + whole, ch->fill);
	return 1;
}

void channel_drain(struct channel *ch)
{
	tcdrain(ch->fd);
}
