// sources: kernel/lib/chacha.c kernel/lib/blake2s.c kernel/lib/crc32.c
/* Published vectors: RFC 8439, RFC 7693, the BLAKE2 keyed test vectors, CRC check values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib/blake2s.h"
#include "lib/chacha.h"
#include "lib/crc32.h"

static void assert_hex(const uint8_t *p, size_t n, const char *hex)
{
	char text[257];

	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	assert_string_equal(text, hex);
}

static void chacha_rfc8439_2_3_2(void **state)
{
	static const uint8_t nonce[12] = { 0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0 };
	uint8_t key[32], out[64];
	struct chacha c;

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		key[i] = (uint8_t)i;
	chacha_init(&c, key, nonce, 1);
	chacha_stream(&c, out, sizeof(out));
	assert_hex(out, 64, "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
			    "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e");
}

static void chacha_pieces(void **state)
{
	static const uint8_t nonce[12] = { 0 }, key[32] = { 0 };
	uint8_t a[200], b[200];
	struct chacha c;

	(void)state;
	chacha_init(&c, key, nonce, 0);
	chacha_stream(&c, a, sizeof(a));
	assert_hex(a, 32, "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"); /* RFC 8439 A.1 */
	chacha_init(&c, key, nonce, 0);
	chacha_stream(&c, b, 128);
	chacha_stream(&c, b + 128, 72);
	assert_memory_equal(a, b, sizeof(a));
}

static void hash(const void *key, size_t keylen, const void *p, size_t n, size_t step, uint8_t out[32])
{
	struct blake2s b;
	const uint8_t *s = p;

	blake2s_init(&b, key, keylen);
	while (n) {
		size_t k = step < n ? step : n;

		blake2s_update(&b, s, k);
		s += k;
		n -= k;
	}
	blake2s_final(&b, out);
}

static void blake2s_vectors(void **state)
{
	uint8_t key[32], data[256], out[32], again[32];

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		data[i] = (uint8_t)i;
	memcpy(key, data, 32);
	hash(NULL, 0, "abc", 3, 3, out); /* RFC 7693 appendix B */
	assert_hex(out, 32, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
	hash(NULL, 0, "", 0, 1, out);
	assert_hex(out, 32, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9");
	hash(key, 32, "", 0, 1, out);
	assert_hex(out, 32, "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49");
	hash(key, 32, data, 255, 255, out);
	assert_hex(out, 32, "3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd");
	for (size_t step = 1; step < 130; step += 7) {
		hash(key, 32, data, 255, step, again);
		assert_memory_equal(out, again, 32);
	}
}

static void crc_check_values(void **state)
{
	static struct crc32_table t;
	uint32_t c;

	(void)state;
	crc32_table_init(&t, CRC32_IEEE);
	assert_int_equal(~crc32_update(&t, ~0u, "123456789", 9), 0xcbf43926);
	c = crc32_update(&t, ~0u, "1234", 4);
	assert_int_equal(~crc32_update(&t, c, "56789", 5), 0xcbf43926);
	crc32_table_init(&t, CRC32_CASTAGNOLI);
	assert_int_equal(~crc32_update(&t, ~0u, "123456789", 9), 0xe3069283);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chacha_rfc8439_2_3_2), cmocka_unit_test(chacha_pieces),
		cmocka_unit_test(blake2s_vectors), cmocka_unit_test(crc_check_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
