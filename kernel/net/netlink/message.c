/* Building and reading netlink messages. Everything is aligned to four bytes; padding is zero. */

#include "abi/errno.h"
#include "lib/string.h"
#include "net/netlink/netlink.h"
#include "pmm/slab.h"

#define ALIGN4(n) (((n) + 3u) & ~3u)

struct nlmsgs *nlmsgs_alloc(uint32_t size)
{
	struct nlmsgs *m = kmalloc(sizeof(*m) + size);

	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	list_init(&m->node);
	m->size = size;
	return m;
}

void nlmsgs_free(struct nlmsgs *m)
{
	kfree(m);
}

/* n bytes more, zeroed up to the next multiple of four. NULL: they do not fit. */
static void *reserve(struct nlmsgs *m, uint32_t n)
{
	void *at = m->data + m->len;

	if (m->full || n > m->size || ALIGN4(n) > m->size - m->len) {
		m->full = true;
		return NULL;
	}
	memset(at, 0, ALIGN4(n));
	m->len += ALIGN4(n);
	return at;
}

void *nlmsg_begin(struct nlmsgs *m, uint16_t type, uint16_t flags, uint32_t seq, uint32_t pid,
		  uint32_t n)
{
	struct abi_nlmsghdr *h;

	m->last = m->len;
	if (!(h = reserve(m, sizeof(*h) + n)))
		return NULL;
	*h = (struct abi_nlmsghdr){ 0, type, flags, seq, pid };
	return h + 1;
}

bool nlmsg_end(struct nlmsgs *m)
{
	struct abi_nlmsghdr *h = (struct abi_nlmsghdr *)(m->data + m->last);

	if (m->full) {
		m->len = m->last;
		m->full = false;
		return false;
	}
	h->nlmsg_len = m->len - m->last;
	return true;
}

void *nlmsg_reserve(struct nlmsgs *m, uint32_t n, uint32_t *at)
{
	*at = m->len;
	return reserve(m, n);
}

void nlattr_put(struct nlmsgs *m, uint16_t type, const void *data, uint32_t n)
{
	struct abi_nlattr *a = reserve(m, sizeof(*a) + n);

	if (!a)
		return;
	*a = (struct abi_nlattr){ (uint16_t)(sizeof(*a) + n), type };
	memcpy(a + 1, data, n);
}

void nlattr_put_string(struct nlmsgs *m, uint16_t type, const char *s)
{
	nlattr_put(m, type, s, (uint32_t)strlen(s) + 1);
}

uint32_t nlattr_begin(struct nlmsgs *m, uint16_t type)
{
	uint32_t at = m->len;
	struct abi_nlattr *a = reserve(m, sizeof(*a));

	if (a)
		a->nla_type = type;
	return at;
}

void nlattr_end(struct nlmsgs *m, uint32_t at)
{
	if (!m->full)
		((struct abi_nlattr *)(m->data + at))->nla_len = (uint16_t)(m->len - at);
}

static int parse(const uint8_t *p, uint32_t left, struct nlattr *table, uint16_t max)
{
	struct abi_nlattr a;
	uint16_t type;

	memset(table, 0, (max + 1u) * sizeof(*table));
	while (left >= sizeof(a)) {
		memcpy(&a, p, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > left)
			return -EINVAL;
		type = a.nla_type & NLA_TYPE_MASK;
		if (type <= max)
			table[type] =
				(struct nlattr){ p + sizeof(a), (uint32_t)(a.nla_len - sizeof(a)) };
		if (ALIGN4(a.nla_len) >= left)
			break;
		p += ALIGN4(a.nla_len);
		left -= ALIGN4(a.nla_len);
	}
	return 0;
}

int nlattr_parse(const struct nlrequest *r, uint32_t n, struct nlattr *table, uint16_t max)
{
	n = ALIGN4(n);
	if (r->len < n)
		return -EINVAL;
	return parse((const uint8_t *)r->payload + n, r->len - n, table, max);
}

int nlattr_parse_nested(const struct nlattr *a, struct nlattr *table, uint16_t max)
{
	return parse(a->data, a->len, table, max);
}

bool nlattr_string(const struct nlattr *a, char *to, size_t size)
{
	const char *s = a->data;
	size_t n = 0;

	while (s && n < a->len && s[n])
		n++;
	if (!s || n >= size)
		return false;
	memcpy(to, s, n);
	to[n] = '\0';
	return true;
}
