#pragma once

/*
 * Reflected 32-bit CRCs, eight bytes per step. The tables (8 KiB) belong to the caller, who makes
 * them once for his polynomial: CRC32_IEEE for gzip, CRC32_CASTAGNOLI for ext4 and iSCSI.
 */

#include "lib/types.h"

#define CRC32_IEEE       0xedb88320u
#define CRC32_CASTAGNOLI 0x82f63b78u

struct crc32_table {
	uint32_t t[8][256];
};

void crc32_table_init(struct crc32_table *t, uint32_t poly);

/*
 * Continues a CRC over n bytes. Raw: the caller starts with ~0 and inverts the result where the
 * format says so.
 */
uint32_t crc32_update(const struct crc32_table *t, uint32_t crc, const void *p, size_t n);
