// sources: kernel/lib/bpf.c
/* Classic BPF: what is accepted, and what programs answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/bpf.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define STMT(c, v) { (c), 0, 0, (v) }
#define JUMP(c, v, t, f) { (c), (t), (f), (v) }

struct bytes {
	struct bpf_input in;
	const uint8_t *p;
};

static bool load(const struct bpf_input *in, uint32_t at, unsigned size, uint32_t *out)
{
	const struct bytes *b = (const struct bytes *)in;
	uint32_t v = 0;

	if (at > in->len || size > in->len - at)
		return false;
	for (unsigned i = 0; i < size; i++)
		v = v << 8 | b->p[at + i];
	*out = v;
	return true;
}

static bool special(const struct bpf_input *in, int32_t offset, unsigned size, uint32_t *out)
{
	(void)in, (void)size;
	*out = 77;
	return offset == SKF_AD_OFF + SKF_AD_IFINDEX;
}

static bool ok(const struct abi_sock_filter *f, unsigned n, enum bpf_kind kind)
{
	uint16_t *written = malloc((n + 1) * sizeof(*written));
	bool res = bpf_check(f, n, kind, written);

	free(written);
	return res;
}

static uint32_t run(const struct abi_sock_filter *f, unsigned n, const void *p, uint32_t len)
{
	struct bytes b = { { load, special, len }, p };

	assert_true(ok(f, n, BPF_PACKET));
	return bpf_run(f, &b.in);
}

/* tcpdump -d 'udp dst port 68' */
static const struct abi_sock_filter dhcp[] = {
	STMT(BPF_LD | BPF_H | BPF_ABS, 12),
	JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x86dd, 0, 4),
	STMT(BPF_LD | BPF_B | BPF_ABS, 20),
	JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 11),
	STMT(BPF_LD | BPF_H | BPF_ABS, 56),
	JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 8, 9),
	JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x800, 0, 8),
	STMT(BPF_LD | BPF_B | BPF_ABS, 23),
	JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 6),
	STMT(BPF_LD | BPF_H | BPF_ABS, 20),
	JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
	STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
	STMT(BPF_LD | BPF_H | BPF_IND, 16),
	JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 0, 1),
	STMT(BPF_RET | BPF_K, 262144),
	STMT(BPF_RET | BPF_K, 0),
};

static void a_filter_of_tcpdump(void **state)
{
	uint8_t p[60] = { 0 };

	(void)state;
	p[12] = 8;
	p[14] = 0x46; /* one word of options */
	p[23] = 17;
	p[14 + 24 + 3] = 68;
	assert_int_equal(run(dhcp, N(dhcp), p, sizeof(p)), 262144);
	p[14 + 24 + 3] = 67;
	assert_int_equal(run(dhcp, N(dhcp), p, sizeof(p)), 0);
	p[14 + 24 + 3] = 68;
	p[21] = 1; /* a later fragment */
	assert_int_equal(run(dhcp, N(dhcp), p, sizeof(p)), 0);
	p[21] = 0;
	assert_int_equal(run(dhcp, N(dhcp), p, 41), 0); /* too short for the port */
}

static void arithmetic(void **state)
{
	static const struct abi_sock_filter f[] = {
		STMT(BPF_LD | BPF_IMM, 100),	     STMT(BPF_ST, 3),
		STMT(BPF_LDX | BPF_IMM, 7),	     STMT(BPF_ALU | BPF_DIV | BPF_X, 0), /* 14 */
		STMT(BPF_ALU | BPF_MUL | BPF_K, 10), STMT(BPF_ALU | BPF_SUB | BPF_X, 0), /* 133 */
		STMT(BPF_ALU | BPF_MOD | BPF_K, 50), STMT(BPF_ALU | BPF_LSH | BPF_K, 2), /* 132 */
		STMT(BPF_MISC | BPF_TAX, 0),	     STMT(BPF_LD | BPF_MEM, 3),
		STMT(BPF_ALU | BPF_XOR | BPF_X, 0),  STMT(BPF_ALU | BPF_NEG, 0),
		STMT(BPF_RET | BPF_A, 0),
	};
	static const struct abi_sock_filter zero[] = {
		STMT(BPF_LDX | BPF_IMM, 0),
		STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		STMT(BPF_RET | BPF_K, 1),
	};
	static const struct abi_sock_filter beside[] = {
		STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
		STMT(BPF_RET | BPF_A, 0),
	};

	(void)state;
	assert_int_equal(run(f, N(f), "", 0), (uint32_t) - (100 ^ 132));
	assert_int_equal(run(zero, N(zero), "", 0), 0);
	assert_int_equal(run(beside, N(beside), "", 0), 77);
}

#define REFUSED(kind, ...)                                            \
	do {                                                          \
		const struct abi_sock_filter f_[] = { __VA_ARGS__ };  \
		assert_false(ok(f_, N(f_), kind));                    \
	} while (0)
#define ACCEPTED(kind, ...)                                           \
	do {                                                          \
		const struct abi_sock_filter f_[] = { __VA_ARGS__ };  \
		assert_true(ok(f_, N(f_), kind));                     \
	} while (0)
#define END STMT(BPF_RET | BPF_K, 0)

static void refused(void **state)
{
	(void)state;
	assert_false(ok(dhcp, 0, BPF_PACKET));
	REFUSED(BPF_PACKET, STMT(BPF_LD | BPF_IMM, 1));                      /* no return */
	REFUSED(BPF_PACKET, JUMP(BPF_JMP | BPF_JA, 0xffffffff, 0, 0), END);  /* backwards */
	REFUSED(BPF_PACKET, JUMP(BPF_JMP | BPF_JA, 1, 0, 0), END);           /* behind the end */
	REFUSED(BPF_PACKET, JUMP(BPF_JMP | BPF_JEQ, 0, 0, 1), END);
	REFUSED(BPF_PACKET, STMT(BPF_ST, 16), END);
	REFUSED(BPF_PACKET, STMT(BPF_ALU | BPF_DIV, 0), END);
	REFUSED(BPF_PACKET, STMT(BPF_ALU | BPF_LSH, 32), END);
	REFUSED(BPF_PACKET, STMT(0xff, 0), END);
	REFUSED(BPF_PACKET, STMT(0x100, 0), END);
	REFUSED(BPF_PACKET, STMT(BPF_LD | BPF_MEM, 0), END); /* not written */
	REFUSED(BPF_PACKET, JUMP(BPF_JMP | BPF_JEQ, 0, 0, 1), STMT(BPF_ST, 0),
		STMT(BPF_LD | BPF_MEM, 0), END); /* written on one way only */
	ACCEPTED(BPF_PACKET, JUMP(BPF_JMP | BPF_JEQ, 0, 0, 2), STMT(BPF_ST, 0),
		 JUMP(BPF_JMP | BPF_JA, 1, 0, 0), STMT(BPF_STX, 0), STMT(BPF_LD | BPF_MEM, 0), END);
	REFUSED(BPF_SECCOMP, STMT(BPF_LD | BPF_W | BPF_ABS, 2), END);
	REFUSED(BPF_SECCOMP, STMT(BPF_LD | BPF_W | BPF_ABS, 64), END);
	REFUSED(BPF_SECCOMP, STMT(BPF_LD | BPF_H | BPF_ABS, 0), END);
	REFUSED(BPF_SECCOMP, STMT(BPF_LD | BPF_W | BPF_IND, 0), END);
	REFUSED(BPF_SECCOMP, STMT(BPF_LDX | BPF_B | BPF_MSH, 0), END);
	ACCEPTED(BPF_SECCOMP, STMT(BPF_LD | BPF_W | BPF_ABS, 60), STMT(BPF_LD | BPF_LEN, 0), END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_filter_of_tcpdump),
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
