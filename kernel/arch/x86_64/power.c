/*
 * Power-off and reset without AML: sleep type 5 into PM1 control (or the sleep control register of
 * hardware-reduced machines), the FADT's reset register, and the older ways behind them. A machine
 * without ACPI (a microVM) is left by a reset, which its monitor takes as the end.
 *
 * Source: ACPI 4.8.3.2.1, 4.8.3.6, 4.8.3.7; PIIX3/ICH9 data sheets (0xcf9); 8042.
 */

#include <arch/boot.h>
#include <arch/io.h>

#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/x86_priv.h"
#include "core/log.h"

enum { SLP_EN = 1 << 13, SLP_TYP_SHIFT = 10, SCI_EN = 1, SLEEP_EN = 1 << 5, SLEEP_TYP_SHIFT = 2 };

/* Where the registers that lie in memory are mapped: early, since a panic must not need memory. */
static volatile uint8_t *reset_at, *sleep_at;

static volatile uint8_t *gas_map(const struct acpi_gas *g)
{
	if (g->space != ACPI_SPACE_MEMORY || !g->address)
		return NULL;
	return window_map(g->address, 1, PTE_READ | PTE_WRITE | PTE_NOCACHE);
}

void power_init(void)
{
	reset_at = gas_map(&acpi()->reset);
	sleep_at = gas_map(&acpi()->sleep_control);
}

static void gas_write(const struct acpi_gas *g, volatile uint8_t *at, uint8_t v)
{
	if (at)
		*at = v;
	else if (g->space == ACPI_SPACE_IO && g->address)
		arch_outb((uint16_t)g->address, v);
}

static void pm1_sleep(const struct acpi_gas *g, uint8_t type)
{
	uint16_t port = (uint16_t)g->address;

	if (!port || g->space != ACPI_SPACE_IO)
		return;
	arch_outw(port, (uint16_t)((arch_inw(port) & SCI_EN) | type << SLP_TYP_SHIFT | SLP_EN));
}

static void acpi_poweroff(const struct acpi_info *a)
{
	uint8_t type = a->has_s5 ? a->s5_a : 5;
	uint16_t pm1a = (uint16_t)a->pm1a_control.address;

	if (a->hw_reduced) {
		gas_write(&a->sleep_control, sleep_at,
			  (uint8_t)(type << SLEEP_TYP_SHIFT | SLEEP_EN));
		return;
	}
	if (a->smi_command && a->acpi_enable && pm1a && !(arch_inw(pm1a) & SCI_EN)) {
		arch_outb((uint16_t)a->smi_command, a->acpi_enable);
		for (int i = 0; i < 300 && !(arch_inw(pm1a) & SCI_EN); i++)
			delay_us(1000);
	}
	pm1_sleep(&a->pm1a_control, a->has_s5 ? a->s5_a : 0);
	pm1_sleep(&a->pm1b_control, a->has_s5 ? a->s5_b : 0);
}

void arch_poweroff(void)
{
	arch_irq_disable();
	arch_cpus_stop();
	if (acpi()->has_fadt) {
		acpi_poweroff(acpi());
		delay_us(100000);
		log_err("the machine does not power off");
		arch_halt_forever();
	}
	arch_reboot();
}

static void keyboard_reset(void)
{
	for (int i = 0; i < 1000 && arch_inb(0x64) & 2; i++)
		delay_us(10);
	arch_outb(0x64, 0xfe);
	delay_us(1000);
}

/* A fault that cannot be delivered. */
NORETURN static void triple_fault(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} PACKED none = { 0, 0 };

	__asm__ volatile("lidt %0; int3" : : "m"(none));
	arch_halt_forever();
}

void arch_reboot(void)
{
	const struct acpi_info *a = acpi();

	arch_irq_disable();
	arch_cpus_stop();
	if (a->has_fadt && a->reset_supported) {
		gas_write(&a->reset, reset_at, a->reset_value);
		delay_us(10000);
	}
	keyboard_reset();
	if (!a->hw_reduced) {
		arch_outb(0xcf9, 0x02);
		arch_outb(0xcf9, 0x06);
		delay_us(10000);
	}
	triple_fault();
}
