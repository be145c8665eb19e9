/*
 * The classic BPF machine: an accumulator, an index register, sixteen words of memory. A checked
 * program cannot loop, leave its memory or read a word that it did not write, so that running it
 * needs no check but those on the packet itself.
 *
 * An instruction is known when it is in `known`, a row for each class: the bits say which of the
 * upper five bits of the code may be there.
 */

#include "lib/bpf.h"

enum { SECCOMP_DATA_BYTES = 64 };

#define CLASS(code) ((code)&7u)
#define SIZE(code)  ((code)&0x18u)
#define MODE(code)  ((code)&0xe0u)
#define OP(code)    ((code)&0xf0u)

#define CODE(bits) (1u << ((unsigned)(bits) >> 3))
#define OPS(op)    (CODE((op) | BPF_K) | CODE((op) | BPF_X))

static const uint32_t known[8] = {
	[BPF_LD] = CODE(BPF_IMM) | CODE(BPF_MEM) | CODE(BPF_LEN) | CODE(BPF_ABS | BPF_W) |
		   CODE(BPF_ABS | BPF_H) | CODE(BPF_ABS | BPF_B) | CODE(BPF_IND | BPF_W) |
		   CODE(BPF_IND | BPF_H) | CODE(BPF_IND | BPF_B),
	[BPF_LDX] = CODE(BPF_IMM) | CODE(BPF_MEM) | CODE(BPF_LEN) | CODE(BPF_MSH | BPF_B),
	[BPF_ST] = CODE(0),
	[BPF_STX] = CODE(0),
	[BPF_ALU] = OPS(BPF_ADD) | OPS(BPF_SUB) | OPS(BPF_MUL) | OPS(BPF_DIV) | OPS(BPF_MOD) |
		    OPS(BPF_OR) | OPS(BPF_AND) | OPS(BPF_XOR) | OPS(BPF_LSH) | OPS(BPF_RSH) |
		    CODE(BPF_NEG),
	[BPF_JMP] = CODE(BPF_JA) | OPS(BPF_JEQ) | OPS(BPF_JGT) | OPS(BPF_JGE) | OPS(BPF_JSET),
	[BPF_RET] = CODE(BPF_K) | CODE(BPF_A),
	[BPF_MISC] = CODE(BPF_TAX) | CODE(BPF_TXA),
};

static bool is_known(uint16_t code)
{
	return code < 0x100 && known[CLASS(code)] >> (code >> 3) & 1;
}

static bool is_memory(uint16_t code)
{
	unsigned class = CLASS(code);

	return class == BPF_ST || class == BPF_STX ||
	       ((class == BPF_LD || class == BPF_LDX) && MODE(code) == BPF_MEM);
}

/* What only this kind of program may, or may not. */
static bool suits(const struct abi_sock_filter *i, enum bpf_kind kind)
{
	unsigned class = CLASS(i->code), mode = MODE(i->code);

	if (kind != BPF_SECCOMP || (class != BPF_LD && class != BPF_LDX))
		return true;
	if (class == BPF_LDX)
		return mode != BPF_MSH;
	if (mode == BPF_ABS)
		return SIZE(i->code) == BPF_W && !(i->k & 3) && i->k < SECCOMP_DATA_BYTES;
	return mode != BPF_IND;
}

/* One instruction by itself; n are left from it on. */
static bool check_one(const struct abi_sock_filter *i, unsigned left, enum bpf_kind kind)
{
	unsigned op = OP(i->code);

	if (!is_known(i->code) || !suits(i, kind) || (is_memory(i->code) && i->k >= BPF_MEMWORDS))
		return false;
	if (CLASS(i->code) == BPF_ALU && !(i->code & BPF_X)) {
		if ((op == BPF_DIV || op == BPF_MOD) && i->k == 0)
			return false;
		if ((op == BPF_LSH || op == BPF_RSH) && i->k > 31)
			return false;
	}
	if (CLASS(i->code) != BPF_JMP)
		return true;
	if (op == BPF_JA)
		return i->k < left - 1;
	return i->jt < left - 1 && i->jf < left - 1;
}

/* The words written on every way to the target shrink to those written here. */
static void flow(uint16_t *written, unsigned target, uint16_t here)
{
	written[target] &= here;
}

/* Follows which memory words are written; false: one is read that may not be. */
static bool check_memory(const struct abi_sock_filter *f, unsigned n, uint16_t *written)
{
	for (unsigned i = 0; i < n; i++)
		written[i] = 0xffff;
	written[0] = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned class = CLASS(f[i].code);
		uint16_t here = written[i];

		if (is_memory(f[i].code)) {
			if (class == BPF_ST || class == BPF_STX)
				here |= (uint16_t)(1u << f[i].k);
			else if (!(here >> f[i].k & 1))
				return false;
		}
		if (class == BPF_RET)
			continue;
		if (class != BPF_JMP) {
			if (i + 1 < n)
				flow(written, i + 1, here);
		} else if (OP(f[i].code) == BPF_JA) {
			flow(written, i + 1 + f[i].k, here);
		} else {
			flow(written, i + 1 + f[i].jt, here);
			flow(written, i + 1 + f[i].jf, here);
		}
	}
	return true;
}

bool bpf_check(const struct abi_sock_filter *f, unsigned n, enum bpf_kind kind, uint16_t *written)
{
	if (n == 0 || n > BPF_MAXINSNS || CLASS(f[n - 1].code) != BPF_RET)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!check_one(&f[i], n - i, kind))
			return false;
	return check_memory(f, n, written);
}

static unsigned load_size(uint16_t code)
{
	return SIZE(code) == BPF_W ? 4 : SIZE(code) == BPF_H ? 2 : 1;
}

static bool load(const struct bpf_input *in, uint32_t at, unsigned size, uint32_t *out)
{
	if (UNLIKELY((int32_t)at < 0))
		return in->special && in->special(in, (int32_t)at, size, out);
	return in->load(in, at, size, out);
}

struct machine {
	uint32_t a, x, memory[BPF_MEMWORDS];
};

/* False: the program is over, with 0. */
static bool do_load(struct machine *m, const struct abi_sock_filter *i, const struct bpf_input *in)
{
	uint32_t *to = CLASS(i->code) == BPF_LD ? &m->a : &m->x;
	uint32_t v = 0;

	switch (MODE(i->code)) {
	case BPF_IMM:
		v = i->k;
		break;
	case BPF_MEM:
		v = m->memory[i->k];
		break;
	case BPF_LEN:
		v = in->len;
		break;
	case BPF_ABS:
		if (!load(in, i->k, load_size(i->code), &v))
			return false;
		break;
	case BPF_IND:
		if (!load(in, i->k + m->x, load_size(i->code), &v))
			return false;
		break;
	case BPF_MSH: /* the length of an IPv4 header, from its first byte */
		if (!load(in, i->k, 1, &v))
			return false;
		v = (v & 15) * 4;
		break;
	}
	*to = v;
	return true;
}

/* False: division by 0 ends the program. */
static bool do_alu(struct machine *m, const struct abi_sock_filter *i)
{
	uint32_t v = i->code & BPF_X ? m->x : i->k;

	switch (OP(i->code)) {
	case BPF_ADD:
		m->a += v;
		break;
	case BPF_SUB:
		m->a -= v;
		break;
	case BPF_MUL:
		m->a *= v;
		break;
	case BPF_DIV:
		if (v == 0)
			return false;
		m->a /= v;
		break;
	case BPF_MOD:
		if (v == 0)
			return false;
		m->a %= v;
		break;
	case BPF_OR:
		m->a |= v;
		break;
	case BPF_AND:
		m->a &= v;
		break;
	case BPF_XOR:
		m->a ^= v;
		break;
	case BPF_LSH:
		m->a <<= v & 31;
		break;
	case BPF_RSH:
		m->a >>= v & 31;
		break;
	case BPF_NEG:
		m->a = -m->a;
		break;
	}
	return true;
}

/* How many instructions to pass over. */
static uint32_t do_jump(const struct machine *m, const struct abi_sock_filter *i)
{
	uint32_t v = i->code & BPF_X ? m->x : i->k;
	bool yes = false;

	switch (OP(i->code)) {
	case BPF_JA:
		return i->k;
	case BPF_JEQ:
		yes = m->a == v;
		break;
	case BPF_JGT:
		yes = m->a > v;
		break;
	case BPF_JGE:
		yes = m->a >= v;
		break;
	case BPF_JSET:
		yes = m->a & v;
		break;
	}
	return yes ? i->jt : i->jf;
}

uint32_t bpf_run(const struct abi_sock_filter *f, const struct bpf_input *in)
{
	struct machine m;

	m.a = m.x = 0;
	for (;; f++) {
		switch (CLASS(f->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!do_load(&m, f, in))
				return 0;
			break;
		case BPF_ST:
			m.memory[f->k] = m.a;
			break;
		case BPF_STX:
			m.memory[f->k] = m.x;
			break;
		case BPF_ALU:
			if (!do_alu(&m, f))
				return 0;
			break;
		case BPF_JMP:
			f += do_jump(&m, f);
			break;
		case BPF_RET:
			return f->code & BPF_A ? m.a : f->k;
		default:
			if (f->code & BPF_TXA)
				m.a = m.x;
			else
				m.x = m.a;
			break;
		}
	}
}
