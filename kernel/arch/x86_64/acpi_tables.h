#pragma once

/*
 * Reading ACPI tables from bytes: what MADT, FADT, HPET and the DSDT's \_S5_ say. Pure; every
 * length is checked, since firmware writes these tables. Source: ACPI 6.4 chapters 4 and 5.
 */

#include "lib/types.h"

enum { ACPI_MAX_CPUS = 64, ACPI_MAX_IOAPICS = 8, ACPI_ISA_IRQS = 16, ACPI_MAX_VIRTIO = 32 };

struct acpi_header { /* of every table */
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision, creator_id, creator_revision;
} PACKED;

struct acpi_gas {      /* Generic Address Structure; address 0: absent */
	uint8_t space; /* enum acpi_space */
	uint8_t bits, offset, access;
	uint64_t address;
} PACKED;
enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1, ACPI_SPACE_PCI = 2 };

struct acpi_ioapic {
	uint32_t address, gsi_base;
};

struct acpi_isa_override {
	uint32_t gsi;
	bool level, active_low, valid;
};

struct acpi_info {
	bool has_madt, has_fadt, has_hpet, has_s5;
	unsigned ncpus;
	uint32_t apic_id[ACPI_MAX_CPUS]; /* enabled CPUs, in table order */
	uint64_t lapic_address;
	unsigned nioapics;
	struct acpi_ioapic ioapic[ACPI_MAX_IOAPICS];
	struct acpi_isa_override isa[ACPI_ISA_IRQS];
	/* FADT */
	bool hw_reduced, no_rtc, reset_supported;
	uint8_t reset_value, century; /* century: CMOS index, 0 none */
	struct acpi_gas reset, sleep_control, pm1a_control, pm1b_control;
	uint32_t smi_command;
	uint8_t acpi_enable;
	uint64_t dsdt;
	uint8_t s5_a, s5_b; /* SLP_TYP of power-off */
	uint64_t hpet_address;
	/* DSDT: virtio-mmio devices (_HID LNRO0005) */
	unsigned nvirtio;
	struct {
		uint32_t address, bytes, gsi;
	} virtio[ACPI_MAX_VIRTIO];
};

bool acpi_checksum_ok(const void *p, size_t n);

/* t: a whole table, t->length bytes readable. Each fills its part of *info. */
void acpi_read_madt(struct acpi_info *info, const struct acpi_header *t);
void acpi_read_fadt(struct acpi_info *info, const struct acpi_header *t);
void acpi_read_hpet(struct acpi_info *info, const struct acpi_header *t);

/* Finds the package \_S5_ in n bytes of AML without interpreting them: a name, a package, small
 * integers. */
void acpi_read_s5(struct acpi_info *info, const uint8_t *aml, size_t n);

/*
 * Finds virtio-mmio devices in n bytes of AML, again by looking only: the name LNRO0005, and behind
 * it, before the next such name, a 32-bit fixed memory and an extended interrupt descriptor
 * (6.4.3), as machines without PCI write them.
 */
void acpi_read_virtio(struct acpi_info *info, const uint8_t *aml, size_t n);
