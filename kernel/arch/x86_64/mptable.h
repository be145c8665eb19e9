#pragma once

/*
 * The MultiProcessor table (Intel MP specification 1.4), which machines without ACPI have: CPUs,
 * I/O APICs, ISA interrupt routing. Pure; every length is checked.
 */

#include "arch/x86_64/acpi_tables.h"

/*
 * Finds the floating pointer in n bytes of memory, which begin at a multiple of 16. Returns the
 * physical address of the configuration table, or 0.
 */
uint64_t mptable_find(const uint8_t *mem, size_t n);

/* Reads a configuration table of which at most n bytes are readable. False: not one. */
MUST_CHECK bool mptable_read(struct acpi_info *info, const uint8_t *table, size_t n);
