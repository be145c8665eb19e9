/*
 * Panic. The first CPU to come wins, stops the others by NMI and prints; from then on `panicking`
 * makes the log and the consoles work without locks, since their holders will not go on. A second
 * panic of the same CPU (the report itself failed) prints one line and ends; other CPUs halt where
 * they are.
 */
#include "core/panic.h"

#include <arch/boot.h>
#include <arch/cpu.h>

#include "core/clock.h"
#include "core/cmdline.h"
#include "core/ktrace.h"
#include "core/log.h"
#include "core/percpu.h"
#include "lib/fmt.h"

enum { NOBODY = ~0u, LAST_RECORDS = 16 };

_Atomic bool panicking;
_Atomic int panic_timeout;
const char *(*panic_thread_name)(void);

static _Atomic unsigned panic_cpu = NOBODY;
static char message[256]; /* the winner's: stacks may be short */

void panic_init(void)
{
	atomic_store(&panic_timeout, (int)cmdline_int("panic", 0));
}

static bool is_first(void)
{
	unsigned expected = NOBODY;

	return atomic_compare_exchange_strong(&panic_cpu, &expected, cpu_id());
}

static NORETURN void finish(void)
{
	int timeout = atomic_load(&panic_timeout);

	if (timeout == 0)
		arch_halt_forever();
	if (timeout > 0) {
		log_f(LOG_EMERG, "Rebooting in %d seconds..", timeout);
		clock_delay(timeout * NSEC_PER_SEC);
	}
	arch_reboot();
}

static void report(void)
{
	const char *name = panic_thread_name ? panic_thread_name() : NULL;
	uint32_t tid = ktrace_current_tid();

	log_f(LOG_EMERG, "Kernel panic - not syncing: %s", message);
	log_f(LOG_EMERG, "CPU: %u PID: %u Comm: %s", cpu_id(), tid, name ? name : "none");
	arch_backtrace();
	ktrace_print_last(LAST_RECORDS);
	log_f(LOG_EMERG, "---[ end Kernel panic - not syncing: %s ]---", message);
}

void panic(const char *f, ...)
{
	va_list ap;

	arch_irq_disable();
	if (!is_first()) {
		if (atomic_load(&panic_cpu) != cpu_id())
			arch_halt_forever();
		log_f(LOG_EMERG, "panic in panic: %s", f);
		finish();
	}
	atomic_store(&panicking, true);
	arch_cpus_stop();
	va_start(ap, f);
	fmt_v(message, sizeof(message), f, ap);
	va_end(ap);
	report();
	finish();
}

void kassert_failed(const char *expr, const char *file, int line)
{
	panic("assertion failed: %s at %s:%d", expr, file, line);
}
