#pragma once

/* Scalar types with a unit or an address space, and the few macros everything uses. */

#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

typedef uint64_t paddr_t;  /* physical address, bytes */
typedef uint64_t pfn_t;    /* physical page frame number */
typedef uintptr_t kaddr_t; /* kernel virtual address as a number */
typedef int64_t nsec_t;    /* nanoseconds: a duration or a point on the named clock */
typedef int64_t off64_t;   /* byte offset in a file */
typedef int64_t ssize64_t; /* byte count, or -errno */

/* A user address: a distinct type, so that it can be neither dereferenced nor added to. */
typedef struct {
	uint64_t a;
} uaddr_t;
#define UADDR(x)   ((uaddr_t){ (uint64_t)(x) })
#define UADDR_NULL UADDR(0)

enum { PAGE_SHIFT = 12 }; /* both ports use 4 KiB pages */
#define PAGE_SIZE  4096ul
#define PAGE_MASK  (PAGE_SIZE - 1)
#define HUGE_SHIFT 21
#define HUGE_SIZE  (1ul << HUGE_SHIFT)

#define NSEC_PER_SEC  1000000000ll
#define NSEC_PER_MSEC 1000000ll
#define NSEC_PER_USEC 1000ll
#define NSEC_MAX      INT64_MAX /* "never", as a deadline */

#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define BIT(n)                        (1ul << (n))
#define ALIGN_UP(x, a)                (((x) + ((a)-1)) & ~((typeof(x))(a)-1)) /* a: power of two */
#define ALIGN_DOWN(x, a)              ((x) & ~((typeof(x))(a)-1))
#define IS_ALIGNED(x, a)              (((x) & ((typeof(x))(a)-1)) == 0)
#define DIV_ROUND_UP(n, d)            (((n) + (d)-1) / (d))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define MIN(a, b)                     ((a) < (b) ? (a) : (b)) /* arguments without side effects */
#define MAX(a, b)                     ((a) > (b) ? (a) : (b))
#define STATIC_ASSERT(c)              _Static_assert(c, #c)

static inline uint64_t page_round_up(uint64_t x)
{
	return (x + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
}

static inline uint64_t page_round_down(uint64_t x)
{
	return x & ~(uint64_t)PAGE_MASK;
}
