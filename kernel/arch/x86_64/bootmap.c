/*
 * See bootmap.h. All starts and ends are cut points; between two neighbouring ones the kind of
 * memory does not change, so it is found by asking every raw range, and equal neighbours are
 * joined.
 */

#include "arch/x86_64/bootmap.h"

static void sort_unique(paddr_t *p, unsigned *n)
{
	unsigned out = 0;

	for (unsigned i = 1; i < *n; i++) {
		paddr_t v = p[i];
		unsigned j = i;

		for (; j > 0 && p[j - 1] > v; j--)
			p[j] = p[j - 1];
		p[j] = v;
	}
	for (unsigned i = 0; i < *n; i++)
		if (out == 0 || p[out - 1] != p[i])
			p[out++] = p[i];
	*n = out;
}

enum kind { KIND_NONE, KIND_USABLE, KIND_RESERVED };

static enum kind kind_of(const struct boot_range *raw, unsigned n, paddr_t start, paddr_t end)
{
	enum kind k = KIND_NONE;

	for (unsigned i = 0; i < n; i++) {
		if (raw[i].start > start || raw[i].end < end)
			continue;
		if (!raw[i].usable)
			return KIND_RESERVED;
		k = KIND_USABLE;
	}
	return k;
}

static void append(struct boot_info *info, paddr_t start, paddr_t end, bool usable)
{
	struct boot_range *last = info->nranges ? &info->range[info->nranges - 1] : NULL;

	if (start >= end)
		return;
	if (last && last->usable == usable && last->end == start)
		last->end = end;
	else if (info->nranges < BOOT_MAX_RANGES)
		info->range[info->nranges++] = (struct boot_range){ start, end, usable };
}

/* Whole pages: the cut points of usable ranges move inwards, which joining them first makes
 * possible. */
static void trim(struct boot_info *info)
{
	unsigned out = 0;

	for (unsigned i = 0; i < info->nranges; i++) {
		struct boot_range r = info->range[i];

		if (r.usable) {
			r.start = page_round_up(r.start);
			r.end = page_round_down(r.end);
		} else {
			r.start = page_round_down(r.start);
			r.end = page_round_up(r.end);
			if (out && r.start < info->range[out - 1].end)
				r.start = info->range[out - 1].end;
		}
		if (r.start < r.end)
			info->range[out++] = r;
	}
	info->nranges = out;
}

void bootmap_build(struct boot_info *info, const struct boot_range *raw, unsigned n)
{
	paddr_t cut[2 * BOOT_MAX_RANGES];
	unsigned ncuts = 0;

	for (unsigned i = 0; i < n; i++) {
		cut[ncuts++] = raw[i].start;
		cut[ncuts++] = raw[i].end;
	}
	sort_unique(cut, &ncuts);
	info->nranges = 0;
	for (unsigned i = 0; i + 1 < ncuts; i++) {
		enum kind k = kind_of(raw, n, cut[i], cut[i + 1]);

		if (k != KIND_NONE)
			append(info, cut[i], cut[i + 1], k == KIND_USABLE);
	}
	trim(info);
}

/* Inserts r before range i; the last range is lost when the table is full. */
static void insert(struct boot_info *info, unsigned i, struct boot_range r)
{
	if (info->nranges < BOOT_MAX_RANGES)
		info->nranges++;
	for (unsigned j = info->nranges - 1; j > i; j--)
		info->range[j] = info->range[j - 1];
	if (i < info->nranges)
		info->range[i] = r;
}

void bootmap_reserve(struct boot_info *info, paddr_t start, paddr_t end)
{
	for (unsigned i = 0; i < info->nranges; i++) {
		struct boot_range r = info->range[i];
		paddr_t s = MAX(r.start, start), e = MIN(r.end, end);

		if (!r.usable || s >= e)
			continue;
		info->range[i] = (struct boot_range){ s, e, false };
		if (r.start < s)
			insert(info, i++, (struct boot_range){ r.start, s, true });
		if (e < r.end)
			insert(info, ++i, (struct boot_range){ e, r.end, true });
	}
}

paddr_t bootmap_find_page(const struct boot_info *info, paddr_t from, paddr_t to)
{
	for (unsigned i = 0; i < info->nranges; i++) {
		const struct boot_range *r = &info->range[i];
		paddr_t start = MAX(r->start, from);

		if (r->usable && start + PAGE_SIZE <= MIN(r->end, to))
			return start;
	}
	return 0;
}
