// sources: kernel/arch/x86_64/acpi_tables.c kernel/arch/x86_64/mptable.c
/* ACPI and MP tables laid out by hand as QEMU has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/mptable.h"

static uint8_t *put(uint8_t *p, const void *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

static const uint8_t cpu0[] = { 0, 8, 0, 0, 1, 0, 0, 0 }, cpu1[] = { 0, 8, 1, 1, 1, 0, 0, 0 };
static const uint8_t cpu_off[] = { 0, 8, 2, 2, 0, 0, 0, 0 };
static const uint8_t ioapic[] = { 1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0 };
static const uint8_t timer_to_2[] = { 2, 10, 0, 0, 2, 0, 0, 0, 0, 0 };
static const uint8_t level_high_5[] = { 2, 10, 0, 5, 5, 0, 0, 0, 0x0d, 0 };

static void madt(void **state)
{
	uint8_t buf[128] = { 0 }, *p = buf + 44;
	struct acpi_header *h = (struct acpi_header *)buf;
	struct acpi_info info = { 0 };
	uint32_t lapic = 0xfee00000;

	(void)state;
	memcpy(buf + 36, &lapic, 4);
	p = put(p, cpu0, sizeof(cpu0));
	p = put(p, cpu1, sizeof(cpu1));
	p = put(p, cpu_off, sizeof(cpu_off));
	p = put(p, ioapic, sizeof(ioapic));
	p = put(p, timer_to_2, sizeof(timer_to_2));
	p = put(p, level_high_5, sizeof(level_high_5));
	h->length = (uint32_t)(p - buf);
	acpi_read_madt(&info, h);
	assert_int_equal(info.ncpus, 2);
	assert_int_equal(info.apic_id[1], 1);
	assert_int_equal(info.nioapics, 1);
	assert_int_equal(info.ioapic[0].address, 0xfec00000);
	assert_true(info.isa[0].valid && info.isa[0].gsi == 2 && !info.isa[0].level);
	assert_true(info.isa[5].level && !info.isa[5].active_low);
	assert_int_equal(info.lapic_address, 0xfee00000);
}

static void virtio_mmio(void **state)
{
	static const uint8_t one[] = { 'L', 'N', 'R', 'O', '0', '0', '0', '5', 0, 0x08, '_', 'C', 'R', 'S',
				       0x86, 9, 0, 1, 0, 0x2e, 0xb0, 0xfe, 0, 2, 0, 0,
				       0x89, 6, 0, 1, 1, 0x2f, 0, 0, 0, 0x79, 0 };
	uint8_t aml[3 * sizeof(one)];
	struct acpi_info info = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		memcpy(aml + i * sizeof(one), one, sizeof(one));
	acpi_read_virtio(&info, aml, sizeof(aml) - 6); /* the last one's interrupt is cut off */
	assert_int_equal(info.nvirtio, 2);
	assert_int_equal(info.virtio[1].address, 0xfeb02e00);
	assert_int_equal(info.virtio[1].bytes, 512);
	assert_int_equal(info.virtio[1].gsi, 47);
}

static void s5_of_qemu(void **state)
{
	static const uint8_t aml[] = { 0, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0, 0, 0, 0, 0 };
	static const uint8_t bytes[] = { 0x08, '\\', '_', 'S', '5', '_', 0x12, 0x0a, 0x04,
					 0x0a, 5, 0x0a, 6, 0, 0, 0 };
	struct acpi_info info = { 0 };

	(void)state;
	acpi_read_s5(&info, aml, sizeof(aml));
	assert_true(info.has_s5 && info.s5_a == 0);
	acpi_read_s5(&info, bytes, sizeof(bytes));
	assert_true(info.has_s5 && info.s5_a == 5 && info.s5_b == 6);
	info.has_s5 = false;
	acpi_read_s5(&info, bytes, 9); /* cut off */
	assert_false(info.has_s5);
}

static void short_fadt_reads_as_zeroes(void **state)
{
	uint8_t buf[116] = { 0 };
	struct acpi_header *h = (struct acpi_header *)buf;
	struct acpi_info info = { 0 };

	(void)state;
	h->length = sizeof(buf);
	h->revision = 1;
	buf[65] = 6; /* PM1a control block 0x600 */
	acpi_read_fadt(&info, h);
	assert_int_equal(info.pm1a_control.address, 0x600);
	assert_int_equal(info.pm1a_control.space, ACPI_SPACE_IO);
	assert_false(info.hw_reduced || info.reset_supported || info.no_rtc);
}

static void mp_table(void **state)
{
	static const uint8_t entries[] = {
		0, 0, 0x14, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* CPU 0 */
		0, 1, 0x14, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* CPU 1 */
		1, 0, 'I', 'S', 'A', ' ', ' ', ' ',                            /* bus */
		2, 2, 0x11, 1, 0, 0, 0xc0, 0xfe,                               /* I/O APIC */
		3, 0, 0, 0, 0, 0, 2, 2,                                        /* IRQ 0 at input 2 */
	};
	uint8_t t[44 + sizeof(entries)] = "PCMP", sum = 0, fp[64] = { 0 };
	struct acpi_info info = { 0 };

	(void)state;
	t[4] = sizeof(t);
	memcpy(t + 44, entries, sizeof(entries));
	for (size_t i = 0; i < sizeof(t); i++)
		sum = (uint8_t)(sum + t[i]);
	t[7] = (uint8_t)-sum;
	assert_true(mptable_read(&info, t, sizeof(t)));
	assert_int_equal(info.ncpus, 2);
	assert_int_equal(info.ioapic[0].address, 0xfec00000);
	assert_true(info.isa[0].valid && info.isa[0].gsi == 2);
	assert_false(mptable_read(&info, t, sizeof(t) - 1));
	t[50]++;
	assert_false(mptable_read(&info, t, sizeof(t)));

	memcpy(fp + 32, "_MP_\x00\x00\x0f\x00\x01\x04", 10);
	sum = 0;
	for (int i = 0; i < 16; i++)
		sum = (uint8_t)(sum + fp[32 + i]);
	fp[47] = (uint8_t)-sum;
	assert_int_equal(mptable_find(fp, sizeof(fp)), 0xf0000);
	fp[40]++;
	assert_int_equal(mptable_find(fp, sizeof(fp)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(madt),
		cmocka_unit_test(virtio_mmio),
		cmocka_unit_test(s5_of_qemu),
		cmocka_unit_test(short_fadt_reads_as_zeroes),
		cmocka_unit_test(mp_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
