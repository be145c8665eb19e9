// sources: kernel/core/log.c kernel/core/lockdep.c kernel/core/spinlock.c kernel/lib/fmt.c kernel/lib/strutil.c
/* The log's ring against a list of what was logged: order, overwriting, sinks, nested and panicking callers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/errno.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/log.h"
#include "host_cpu.h"

nsec_t clock_mono(void)
{
	return 1234567890;
}
bool cmdline_has(const char *word)
{
	return strcmp(word, "quiet") == 0;
}
int64_t cmdline_int(const char *name, int64_t fallback)
{
	(void)name;
	return fallback;
}

static char out[200000];
static size_t nout;
static bool nest;

static void collect(struct log_sink *s, const char *text, size_t n)
{
	(void)s;
	if (nest) { /* an interrupt handler logs in the middle of the pump */
		nest = false;
		log_f(LOG_ERR, "nested");
	}
	assert_true(nout + n < sizeof(out));
	memcpy(out + nout, text, n);
	nout += n;
	out[nout] = '\0';
}

static struct log_sink sink = { .write = collect };

static void replay_and_order(void **state)
{
	(void)state;
	log_info("before the console");
	log_f(LOG_DEBUG, "not on the console");
	log_info("");
	log_add_sink(&sink);
	assert_string_equal(out, "[    1.234567] before the console\n");
	nout = 0;
	nest = true;
	log_err("outer %d\n", 1);
	log_err("last");
	assert_string_equal(out, "[    1.234567] outer 1\n[    1.234567] nested\n[    1.234567] last\n");
}

static void levels(void **state)
{
	(void)state;
	nout = 0;
	out[0] = '\0';
	log_init();
	assert_int_equal(log_console_level(), LOG_WARNING);
	log_warn("quiet hides this");
	log_err("but not this");
	assert_string_equal(out, "[    1.234567] but not this\n");
	log_set_console_level(LOG_DEBUG);
}

static void long_text_is_cut(void **state)
{
	char buf[LOG_TEXT_MAX];
	struct log_entry e;
	uint64_t seq = log_next_seq();

	(void)state;
	log_info("%1000d", 5);
	assert_int_equal(log_read(&seq, &e, buf, sizeof(buf)), LOG_TEXT_MAX);
	assert_int_equal(e.len, LOG_TEXT_MAX);
	seq = e.seq;
	assert_int_equal(log_read(&seq, &e, buf, 10), -EINVAL);
	assert_int_equal(seq, e.seq);
}

/* Records of many lengths through several turns of the ring; two readers, one far behind. */
static void ring(void **state)
{
	uint64_t base = log_next_seq(), seq, slow = log_first_seq();
	char buf[LOG_TEXT_MAX], want[LOG_TEXT_MAX + 1];
	struct log_entry e;
	unsigned n = 0;

	(void)state;
	log_set_console_level(0);
	seq = base;
	for (unsigned i = 0; i < 6000; i++) {
		int len = 1 + (int)(i * 7919 % 390);

		log_f((enum log_level)(i % 8), "%0*u", len, i);
		assert_int_equal(log_next_seq(), base + i + 1);
		if (i % 97)
			continue;
		while ((n = (unsigned)(seq - base)) <= i) {
			ssize64_t got = log_read(&seq, &e, buf, sizeof(buf));

			n = (unsigned)(e.seq - base);
			snprintf(want, sizeof(want), "%0*u", 1 + (int)(n * 7919 % 390), n);
			assert_int_equal(got, strlen(want));
			assert_memory_equal(buf, want, (size_t)got);
			assert_int_equal(e.level, n % 8);
			assert_int_equal(seq, e.seq + 1);
		}
		assert_int_equal(log_read(&seq, &e, buf, sizeof(buf)), 0);
	}
	assert_true(log_read(&slow, &e, buf, sizeof(buf)) > 0);
	assert_int_equal(e.seq, log_first_seq());
	assert_true(log_next_seq() - log_first_seq() > 200);
	log_set_console_level(LOG_DEBUG);
	nout = 0;
	log_info("sinks have caught up");
	assert_string_equal(out, "[    1.234567] sinks have caught up\n");
}

static int wakes;
static void wake(void)
{
	wakes++;
}

static void readers_are_woken_with_interrupts_on(void **state)
{
	(void)state;
	log_wake_readers = wake;
	log_info("a");
	assert_int_equal(wakes, 1);
	host_irqs_on = false;
	log_info("b");
	assert_int_equal(wakes, 1);
	log_tick();
	assert_int_equal(wakes, 2);
	log_tick();
	assert_int_equal(wakes, 2);
	host_irqs_on = true;
}

static void panic_prints(void **state)
{
	(void)state;
	nout = 0;
	atomic_store(&panicking, true);
	log_f(LOG_EMERG, "it is over");
	assert_string_equal(out, "[    1.234567] it is over\n");
	atomic_store(&panicking, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replay_and_order), cmocka_unit_test(levels), cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(ring), cmocka_unit_test(readers_are_woken_with_interrupts_on),
		cmocka_unit_test(panic_prints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
