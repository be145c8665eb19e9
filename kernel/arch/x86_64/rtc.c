/*
 * The CMOS clock (MC146818): read between its updates, twice alike; BCD or binary, 12 or 24 hours.
 * It counts UTC, as Linux guests have it. Source: MC146818A data sheet; FADT for the century
 * register.
 */

#include <arch/boot.h>
#include <arch/io.h>

#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/rtc_date.h"
#include "arch/x86_64/x86_priv.h"
#include "core/spinlock.h"
#include "lib/string.h"

enum {
	REG_SECOND = 0,
	REG_MINUTE = 2,
	REG_HOUR = 4,
	REG_DAY = 7,
	REG_MONTH = 8,
	REG_YEAR = 9,
	REG_A = 10,
	REG_B = 11,
	REG_D = 13,
	A_UPDATING = 0x80,
	B_SET = 0x80,
	READ_TRIES = 10,
};

/* The index and data ports are one register pair. */
static struct spinlock lock = SPINLOCK(IRQ);

static uint8_t cmos_read(uint8_t reg)
{
	arch_outb(0x70, reg);
	return arch_inb(0x71);
}

static void cmos_write(uint8_t reg, uint8_t v)
{
	arch_outb(0x70, reg);
	arch_outb(0x71, v);
}

/* False: the clock stays in its update, so it is not there. */
static bool wait_no_update(void)
{
	uint64_t start = arch_counter(), ticks = arch_counter_hz() / 200;

	while (cmos_read(REG_A) & A_UPDATING)
		if (arch_counter() - start > ticks)
			return false;
	return true;
}

static struct rtc_raw read_once(void)
{
	struct rtc_raw r = {
		.second = cmos_read(REG_SECOND),
		.minute = cmos_read(REG_MINUTE),
		.hour = cmos_read(REG_HOUR),
		.day = cmos_read(REG_DAY),
		.month = cmos_read(REG_MONTH),
		.year = cmos_read(REG_YEAR),
		.century = acpi()->century ? cmos_read(acpi()->century) : 0,
		.status_b = cmos_read(REG_B),
	};

	return r;
}

static bool rtc_is_there(void)
{
	return !(acpi()->has_fadt && acpi()->no_rtc) && cmos_read(REG_B) != 0xff;
}

nsec_t arch_rtc_read(void)
{
	irqstate_t s = spin_lock_irq(&lock);
	int64_t seconds = 0;

	for (int i = 0; i < READ_TRIES && rtc_is_there() && wait_no_update(); i++) {
		struct rtc_raw a = read_once(), b = read_once();

		if (memcmp(&a, &b, sizeof(a)) != 0 || cmos_read(REG_A) & A_UPDATING)
			continue;
		if (!rtc_to_seconds(&a, &seconds))
			seconds = 0;
		break;
	}
	spin_unlock_irq(&lock, s);
	return seconds * NSEC_PER_SEC;
}

void arch_rtc_write(nsec_t real)
{
	struct rtc_raw r;
	irqstate_t s = spin_lock_irq(&lock);

	if (rtc_is_there()) {
		r.status_b = cmos_read(REG_B);
		rtc_from_seconds(real / NSEC_PER_SEC, &r);
		cmos_write(REG_B, r.status_b | B_SET);
		cmos_write(REG_SECOND, r.second);
		cmos_write(REG_MINUTE, r.minute);
		cmos_write(REG_HOUR, r.hour);
		cmos_write(REG_DAY, r.day);
		cmos_write(REG_MONTH, r.month);
		cmos_write(REG_YEAR, r.year);
		if (acpi()->century)
			cmos_write(acpi()->century, r.century);
		cmos_write(REG_B, r.status_b);
	}
	spin_unlock_irq(&lock, s);
}
