// sources: kernel/vm/vma.c kernel/vm/vmplan.c kernel/lib/rbtree.c
/* Five bytes are one edit of an address space; tree and model agree after each, page by page. */
#include "../host/vm/vma_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t flags[] = { 0, VMA_ACCOUNTED, VMA_SHARED, VMA_GROWSDOWN };
	static struct model m;

	model_init(&m);
	m.brk_start = m.brk = 300 * PAGE_SIZE;
	for (; size >= 5; data += 5, size -= 5) {
		uint64_t first = (data[1] | data[2] << 8) % MODEL_PAGES, n = 1 + data[3];

		n = MIN(n, MODEL_PAGES - first);
		switch (data[0] % 6) {
		case 0:
			model_map(&m, first, n, data[4] & 7, flags[data[4] >> 3 & 3],
				  data[4] >> 5 & 3, first + (data[4] >> 7));
			break;
		case 1:
			model_unmap(&m, first, n);
			break;
		case 2:
			model_change(&m, first, n, data[4] & 7, data[4] & 8 ? VMA_LOCKED : 0);
			break;
		case 3:
			model_move(&m, first, n,
				   (first + 1 + data[4] * 4u) % (MODEL_PAGES - n + 1));
			break;
		case 4:
			(void)model_brk(&m, (data[1] | data[2] << 8) * (PAGE_SIZE / 4));
			break;
		default:
			model_check_gap(&m, n, 1u << (data[4] & 7), first, MODEL_PAGES - data[3],
					data[4] >> 7);
		}
		model_check(&m);
	}
	model_fini(&m);
	return 0;
}
