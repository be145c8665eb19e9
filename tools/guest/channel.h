/*
 * The control channel between the host's `kevlar run` and the agent: frames over a raw serial
 * port (ttyS1). tools/kevlar/channel.py is the other end.
 *
 * Once the port is raw, the agent writes CHANNEL_PREAMBLE; everything after it, in both
 * directions, is frames:
 *
 *     type u8 | check u8 | length u16, little endian | payload of `length` bytes
 *
 * `check` is 0x5a ^ type ^ low byte ^ high byte of the length. A serial line loses bytes without
 * saying so; a header that does not check is the sign of it, and ends the run with an error.
 *
 * Flow: from guest to host the line itself pushes back. From host to guest nothing does (a UART
 * has a 16-byte FIFO and a tty a few KiB behind it), so the host may have at most CHANNEL_WINDOW
 * bytes of REQUEST and STDIN payload out that no CREDIT frame has returned. Every other frame of the
 * host is small and rare.
 *
 * Order of a run:
 *     agent  preamble, HELLO (kernel release)
 *     host   REQUEST ..., GO
 *     agent  STDOUT, STDERR, CREDIT, NOTE ...   host  STDIN, END_OF_STDIN, SIZE, SIGNAL ...
 *     agent  TRACE ..., EXIT (status)
 *     host   GO, when it has taken what the command wrote on the console: the kernel's last words
 *            must not mix with it
 *     agent  BYE; then it powers the machine off
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNEL_PREAMBLE "\nKEVLAR-CHANNEL-1\n"

enum {
	CHANNEL_HEADER = 4,
	CHANNEL_PAYLOAD = 4096, /* the longest payload either side sends */
	CHANNEL_WINDOW = 2048,
};

enum frame_type {
	FRAME_HELLO = 'H',  /* text: the kernel's name, release and machine */
	FRAME_STDOUT = 'O', /* bytes the command wrote */
	FRAME_STDERR = 'E',
	FRAME_CREDIT = 'C',       /* u32: bytes of REQUEST or STDIN that were consumed */
	FRAME_NOTE = 'N',         /* text: something the user of -v wants to know */
	FRAME_TRACE = 'T',        /* bytes of /proc/ktrace/dump */
	FRAME_EXIT = 'X',         /* u32: the exit status, as a shell counts it */
	FRAME_BYE = 'B',          /* empty: file systems are synced, power goes off */
	FRAME_REQUEST = 'R',      /* bytes of the request, see request.h */
	FRAME_GO = 'G',           /* empty: start the command; after EXIT: switch off */
	FRAME_STDIN = 'I',        /* bytes for the command */
	FRAME_END_OF_STDIN = 'Z', /* empty */
	FRAME_SIZE = 'W',         /* u16 rows, u16 columns of the terminal */
	FRAME_SIGNAL = 'K',       /* u8: a signal for the command's process group */
};

struct frame {
	uint8_t type;
	uint16_t length;
	uint8_t payload[CHANNEL_PAYLOAD];
};

struct channel {
	int fd;
	size_t fill;                                            /* bytes in buffer */
	uint8_t buffer[2 * (CHANNEL_HEADER + CHANNEL_PAYLOAD)]; /* received, not yet parsed */
};

/*
 * Opens the serial port, makes it raw and writes the preamble.
 *   returns      0; -1 with errno
 */
int channel_open(struct channel *ch, const char *path);

/*
 * Sends one frame and waits until the port has taken it. There is nobody to report a failure to, so
 * none is reported: the host sees the line go quiet.
 */
void channel_send(struct channel *ch, enum frame_type type, const void *data, size_t length);
void channel_send_u32(struct channel *ch, enum frame_type type, uint32_t value);

/* Sends a NOTE, printf-style; at most 255 bytes of it. */
void channel_note(struct channel *ch, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Reads what the port has. Call it when poll says so; it blocks otherwise.
 *   returns      0; -1 at the end of the line or on an error
 */
int channel_fill(struct channel *ch);

/*
 * Takes the next complete frame out of what was read.
 *   returns      1 with *frame filled; 0 if there is none yet; -1 on a header that does not check
 */
int channel_take(struct channel *ch, struct frame *frame);

/* Waits until everything sent has left the port. */
void channel_drain(struct channel *ch);
