/* The bit count that gcc calls where the baseline CPU has no instruction for it (libgcc's
 * __popcountdi2). */

#include "lib/popcount.h"

int __popcountdi2(int64_t v)
{
	uint64_t x = (uint64_t)v;

	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (int)(x * 0x0101010101010101ull >> 56);
}
