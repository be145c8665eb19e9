/*
 * Random numbers. Three stages:
 *
 * The pool, a running BLAKE2s state, hashes everything that anybody adds. The seed is drawn from
 * it: at boot, and again every few minutes; `generation` counts the draws. Each CPU has a
 * generator: a key, and a buffer of ChaCha20 output made with the key before. Fast key erasure: the
 * first 32 bytes of each refill replace the key at once, and bytes handed out are wiped, so that a
 * later look into memory tells nothing of earlier output. A CPU that finds its generation old mixes
 * the new seed into its key.
 *
 * Where the CPU has no generator of random numbers, the jitter of the counter at boot has to do.
 *   source       D. J. Bernstein, Fast-key-erasure random-number generators, 2017; RFC 8439; RFC
 *                7693
 */
#include "core/random.h"

#include <arch/cpu.h>

#include "core/clock.h"
#include "core/percpu.h"
#include "core/spinlock.h"
#include "lib/blake2s.h"
#include "lib/chacha.h"
#include "lib/string.h"

enum { BUFFER = 256 - CHACHA_KEY, DIRECT = 128, HW_WORDS = 8, JITTER_ROUNDS = 512 };
#define RESEED_NS (300 * NSEC_PER_SEC)

struct generator {
	uint64_t generation; /* of the seed in key; 0: none */
	uint32_t left;       /* unused bytes, at the end of out */
	uint8_t key[CHACHA_KEY];
	uint8_t out[BUFFER];
};

static PERCPU(struct generator, generator); /* with interrupts off */

static struct {
	struct spinlock lock;
	struct blake2s pool;
	uint8_t seed[BLAKE2S_OUT];
} source = { .lock = SPINLOCK(RANDOM) };

static _Atomic uint64_t generation; /* of source.seed */
static _Atomic int64_t next_reseed; /* CLOCK_MONOTONIC */
static _Atomic bool ready;

/* Draws a new seed; the pool goes on from a hash of itself. Under the lock. */
static void draw_seed(void)
{
	struct blake2s h = source.pool;
	uint64_t hw, now = arch_counter();

	for (unsigned i = 0; i < HW_WORDS && arch_hw_random(&hw); i++)
		blake2s_update(&h, &hw, sizeof(hw));
	blake2s_update(&h, &now, sizeof(now));
	blake2s_final(&h, source.seed);
	blake2s_init(&source.pool, source.seed, sizeof(source.seed));
	blake2s_update(&source.pool, "pool", 4);
	blake2s_init(&h, source.seed, sizeof(source.seed));
	blake2s_update(&h, "seed", 4);
	blake2s_final(&h, source.seed);
	mem_wipe(&h, sizeof(h));
	atomic_store_explicit(&next_reseed, clock_mono() + RESEED_NS, memory_order_relaxed);
	atomic_fetch_add_explicit(&generation, 1, memory_order_release);
}

static void reseed(void)
{
	irqstate_t s = spin_lock_irq(&source.lock);

	draw_seed();
	spin_unlock_irq(&source.lock, s);
}

/*
 * key = H(seed; key, CPU number): the CPUs' streams differ, and an old key is not forgotten for a
 * bad seed.
 */
static void rekey(struct generator *g)
{
	irqstate_t s = spin_lock_irq(&source.lock);
	unsigned cpu = cpu_id();
	struct blake2s h;

	blake2s_init(&h, source.seed, sizeof(source.seed));
	g->generation = atomic_load_explicit(&generation, memory_order_relaxed);
	spin_unlock_irq(&source.lock, s);
	blake2s_update(&h, g->key, sizeof(g->key));
	blake2s_update(&h, &cpu, sizeof(cpu));
	blake2s_final(&h, g->key);
	mem_wipe(&h, sizeof(h));
	g->left = 0;
}

static void refill(struct generator *g)
{
	static const uint8_t nonce[12];
	struct chacha c;

	chacha_init(&c, g->key, nonce, 0);
	chacha_stream(&c, g->key, CHACHA_BLOCK / 2); /* the rest of this block is not used */
	chacha_stream(&c, g->out, BUFFER);
	mem_wipe(&c, sizeof(c));
	g->left = BUFFER;
}

/* Takes n <= BUFFER bytes from this CPU's generator. Interrupts off. */
static void draw(struct generator *g, void *out, size_t n)
{
	uint8_t *p;

	if (UNLIKELY(g->generation != atomic_load_explicit(&generation, memory_order_acquire)))
		rekey(g);
	if (g->left < n)
		refill(g);
	p = g->out + BUFFER - g->left;
	memcpy(out, p, n);
	memset(p, 0, n); /* stays in memory, so it is not dead code */
	g->left -= (uint32_t)n;
}

/* Long requests run on a key of their own, with interrupts on. */
static void stream(void *out, size_t n)
{
	static const uint8_t nonce[12];
	uint8_t key[CHACHA_KEY];
	struct chacha c;
	irqstate_t s = arch_irq_save();

	draw(&this_cpu(generator), key, sizeof(key));
	arch_irq_restore(s);
	chacha_init(&c, key, nonce, 0);
	while (n) { /* the block counter has 32 bits */
		size_t k = MIN(n, (size_t)1 << 30);

		chacha_stream(&c, out, k);
		out = (uint8_t *)out + k;
		n -= k;
		c.s[13]++;
	}
	mem_wipe(key, sizeof(key));
	mem_wipe(&c, sizeof(c));
}

void random_bytes(void *buf, size_t n)
{
	irqstate_t s;

	if (UNLIKELY(clock_mono() >= atomic_load_explicit(&next_reseed, memory_order_relaxed)))
		reseed();
	if (n > DIRECT) {
		stream(buf, n);
		return;
	}
	s = arch_irq_save();
	draw(&this_cpu(generator), buf, n);
	arch_irq_restore(s);
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

void random_add_entropy(const void *p, size_t n)
{
	uint64_t now = arch_counter();
	irqstate_t s = spin_lock_irq(&source.lock);

	blake2s_update(&source.pool, &now, sizeof(now));
	blake2s_update(&source.pool, p, n);
	spin_unlock_irq(&source.lock, s);
}

/* How long the same work takes differs from round to round, on real hardware. */
static void add_jitter(void)
{
	uint64_t t;

	for (unsigned i = 0; i < JITTER_ROUNDS; i++) {
		t = arch_counter();
		random_add_entropy(&t, sizeof(t));
	}
}

void random_init(void)
{
	nsec_t real = clock_real();
	uint64_t hw;

	blake2s_init(&source.pool, NULL, 0);
	random_add_entropy(&real, sizeof(real));
	if (!arch_hw_random(&hw))
		add_jitter();
	reseed();
	atomic_store_explicit(&ready, true, memory_order_release);
}

bool random_is_ready(void)
{
	return atomic_load_explicit(&ready, memory_order_acquire);
}
