// sources: kernel/lib/bpf.c
/*
 * Programs of classic BPF: what is accepted runs to its end, reads only what the checks allow, and says the same twice.
 * The first byte says of which kind it is, the second how long the packet is, which lies at the end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SECCOMP_BYTES = 64, INSTRUCTIONS_MAX = 512 };

struct view {
	struct bpf_input in;
	const uint8_t *bytes;
	bool is_seccomp;
};

static void require(bool c)
{
	if (!c)
		abort();
}

static bool load(const struct bpf_input *in, uint32_t offset, unsigned size, uint32_t *out)
{
	const struct view *v = (const struct view *)in;
	uint32_t word = 0;

	require(size == 1 || size == 2 || size == 4);
	if (v->is_seccomp)
		require(size == 4 && offset % 4 == 0 && offset < SECCOMP_BYTES);
	if (offset > in->len || size > in->len - offset)
		return false;
	for (unsigned i = 0; i < size; i++)
		word = word << 8 | v->bytes[offset + i];
	*out = word;
	return true;
}

static bool special(const struct bpf_input *in, int32_t offset, unsigned size, uint32_t *out)
{
	require(!((const struct view *)in)->is_seccomp && offset < 0);
	*out = (uint32_t)offset + size;
	return offset % 3 != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t codes[] = { 0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x80, 0x01, 0x61, 0x81, 0xb1,
					  0x02, 0x03, 0x04, 0x0c, 0x34, 0x3c, 0x94, 0x9c, 0x05, 0x15, 0x1d, 0x25, 0x35,
					  0x45, 0x06, 0x16, 0x07, 0x87, 0x64, 0x74, 0x84 };
	struct abi_sock_filter f[INSTRUCTIONS_MAX];
	uint16_t written[INSTRUCTIONS_MAX];
	struct view v = { .in = { .load = load, .special = special } };
	unsigned n = 0;
	uint8_t *packet;

	if (size < 2)
		return 0;
	v.is_seccomp = data[0] & 1;
	v.in.len = v.is_seccomp ? SECCOMP_BYTES : data[1];
	packet = calloc(1, v.in.len + 1);
	memcpy(packet, data + size - (size < v.in.len ? size : v.in.len), size < v.in.len ? size : v.in.len);
	v.bytes = packet;
	for (data += 2, size -= 2; size >= 8 && n < INSTRUCTIONS_MAX; data += 8, size -= 8, n++) {
		memcpy(&f[n], data, 8);
		if (f[n].code & 0x8000) /* else the fuzzer would have to find each */
			f[n].code = codes[f[n].code % (sizeof(codes) / sizeof(codes[0]))];
	}
	if (n > 0 && bpf_check(f, n, v.is_seccomp ? BPF_SECCOMP : BPF_PACKET, written))
		require(bpf_run(f, &v.in) == bpf_run(f, &v.in));
	free(packet);
	return 0;
}
