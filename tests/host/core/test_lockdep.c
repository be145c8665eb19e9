// sources: kernel/lib/strutil.c
/* Each rule of the lock checker, broken once. */
#define KEVLAR_DEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/lockdep.c"
#include "core/spinlock.c"
#include "host_cpu.h"

static bool in_section;
bool epoch_in_section(void)
{
	return in_section;
}

void log_f(enum log_level level, const char *f, ...)
{
	(void)level, (void)f;
}

static uint32_t nheld;
static const void *held_lock[4];
static uint16_t held_rank[4];

static bool thread_held(struct lockdep_held *h)
{
	*h = (struct lockdep_held){ &nheld, held_lock, held_rank, 4 };
	return true;
}

static int reset(void **state)
{
	(void)state;
	lockdep_thread_held = thread_held;
	nheld = 0;
	memset(&cpu_locks, 0, sizeof(cpu_locks));
	irq_aware = false;
	host_irqs_on = true;
	expected_panic = NULL;
	in_section = false;
	return 0;
}

#define ASSERT_PANIC(stmt, text)                                           \
	do {                                                               \
		expected_panic = text;                                     \
		if (!setjmp(panic_jump)) {                                 \
			stmt;                                              \
			fail_msg("no panic");                              \
		}                                                          \
		expected_panic = NULL;                                     \
		if (!strstr(panic_message, text))                          \
			fail_msg("panic says: %s", panic_message);         \
	} while (0)

static void rising_is_fine(void **state)
{
	struct spinlock a = SPINLOCK(PROCTREE), b = SPINLOCK(FUTEX);
	int m;

	(void)state;
	lockdep_acquire(&m, RANK_INODE, false);
	spin_lock(&a);
	spin_lock(&b);
	assert_true(lockdep_holds(&a, RANK_PROCTREE));
	spin_unlock(&a); /* not in order */
	spin_unlock(&b);
	assert_true(lockdep_holds(&m, RANK_INODE));
	lockdep_release(&m);
	assert_false(lockdep_holds(&m, RANK_INODE));
	lockdep_may_sleep();
}

static void falling_names_both(void **state)
{
	struct spinlock a = SPINLOCK(PROCTREE), b = SPINLOCK(FUTEX);

	(void)state;
	spin_lock(&b);
	ASSERT_PANIC(spin_lock(&a), "rank does not rise: PROCTREE (100)");
	assert_non_null(strstr(panic_message, "holding FUTEX (105)"));
}

static void same_rank(void **state)
{
	struct spinlock a = SPINLOCK(DENTRY), b = SPINLOCK(DENTRY);

	(void)state;
	spin_lock(&a);
	ASSERT_PANIC(spin_lock(&b), "rank does not rise");
	spin_lock_nested(&b);
	spin_unlock(&b);
	ASSERT_PANIC(spin_lock_nested(&a), "taken twice");
}

static void sleeping_locks(void **state)
{
	struct spinlock s = SPINLOCK(FUTEX);
	int inode, pipe;

	(void)state;
	lockdep_acquire(&pipe, RANK_PIPE, false);
	ASSERT_PANIC(lockdep_acquire(&inode, RANK_INODE, false), "rank does not rise: INODE");
	lockdep_acquire_try(&inode, RANK_INODE); /* without waiting any order is fine */
	lockdep_release(&inode);
	lockdep_release(&pipe);
	spin_lock(&s);
	ASSERT_PANIC(lockdep_acquire(&inode, RANK_INODE, false), "sleeping lock under a spinlock");
	ASSERT_PANIC(lockdep_may_sleep(), "sleeping with spinlock FUTEX");
}

static void releasing_what_is_not_held(void **state)
{
	struct spinlock s = SPINLOCK(FUTEX);

	(void)state;
	ASSERT_PANIC(lockdep_release(&s), "released but not held");
}

static void interrupt_locks(void **state)
{
	struct spinlock i = SPINLOCK(RUNQ), s = SPINLOCK(SLAB), w = SPINLOCK(WAITQ);
	irqstate_t irq;

	(void)state;
	ASSERT_PANIC(spin_lock(&i), "taken with interrupts on");
	spin_lock(&s);
	irq = spin_lock_irq(&i); /* perhaps a handler: unknown, so nothing is said */
	ASSERT_PANIC(spin_lock(&w), "rank does not rise: WAITQ");
	spin_unlock_irq(&i, irq);
	spin_unlock(&s);
}

static void known_interrupts(void **state)
{
	struct spinlock i = SPINLOCK(RUNQ), s = SPINLOCK(SLAB);

	(void)state;
	spin_lock(&s);
	host_irqs_on = false;
	lockdep_irq_enter();
	spin_lock(&i);
	ASSERT_PANIC(lockdep_irq_exit(), "returns with a spinlock held");
	spin_unlock(&i);
	ASSERT_PANIC(spin_lock(&s), "taken by an interrupt handler");
	lockdep_irq_exit();
	ASSERT_PANIC(spin_lock(&i), "rank does not rise: RUNQ");
}

static void epoch_section(void **state)
{
	(void)state;
	in_section = true;
	ASSERT_PANIC(lockdep_may_sleep(), "sleeping in an epoch section");
}

static void trylock(void **state)
{
	struct spinlock a = SPINLOCK(PROCTREE), b = SPINLOCK(FUTEX);

	(void)state;
	spin_lock(&b);
	assert_true(spin_trylock(&a));
	assert_false(spin_trylock(&a));
	assert_true(spin_is_locked(&a));
	spin_unlock(&a);
	spin_unlock(&b);
	assert_false(spin_is_locked(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rising_is_fine, reset),
		cmocka_unit_test_setup(falling_names_both, reset),
		cmocka_unit_test_setup(same_rank, reset),
		cmocka_unit_test_setup(sleeping_locks, reset),
		cmocka_unit_test_setup(releasing_what_is_not_held, reset),
		cmocka_unit_test_setup(interrupt_locks, reset),
		cmocka_unit_test_setup(known_interrupts, reset),
		cmocka_unit_test_setup(epoch_section, reset),
		cmocka_unit_test_setup(trylock, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
