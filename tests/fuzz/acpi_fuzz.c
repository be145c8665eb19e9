// sources: kernel/arch/x86_64/acpi_tables.c kernel/arch/x86_64/mptable.c
/* Firmware tables of any content: nothing is read beyond the length. */
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/mptable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_as(void (*read)(struct acpi_info *, const struct acpi_header *), const uint8_t *data, size_t size)
{
	struct acpi_info info = { 0 };
	struct acpi_header *h;

	if (size < sizeof(*h) || !(h = malloc(size)))
		return;
	memcpy(h, data, size);
	h->length = (uint32_t)size;
	read(&info, h);
	free(h);
	if (info.ncpus > ACPI_MAX_CPUS || info.nioapics > ACPI_MAX_IOAPICS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct acpi_info info = { 0 };
	uint8_t *copy;

	read_as(acpi_read_madt, data, size);
	read_as(acpi_read_fadt, data, size);
	read_as(acpi_read_hpet, data, size);
	acpi_read_s5(&info, data, size);
	mptable_find(data, size);
	if (size > 8 && (copy = malloc(size))) {
		uint8_t sum = 0;

		memcpy(copy, data, size);
		memcpy(copy, "PCMP", 4);
		copy[4] = (uint8_t)size;
		copy[5] = (uint8_t)(size >> 8);
		copy[7] = 0;
		for (size_t i = 0; i < size; i++)
			sum = (uint8_t)(sum + copy[i]);
		copy[7] = (uint8_t)-sum;
		(void)!mptable_read(&info, copy, size);
		free(copy);
	}
	return 0;
}
