#pragma once

/*
 * What the compiler can check or must be told. Clang's thread-safety attributes expand to nothing
 * under gcc; GUARDED_BY on members needs clang 22 or later (14 rejects it in C).
 */

#define MUST_CHECK    __attribute__((warn_unused_result))
#define NORETURN      __attribute__((noreturn))
#define PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define SECTION(s)    __attribute__((section(s), used))
#define ALIGNED(n)    __attribute__((aligned(n)))
#define PACKED        __attribute__((packed))
#define NOINLINE      __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define WEAK          __attribute__((weak))
#define UNUSED        __attribute__((unused))
#define FALLTHROUGH   __attribute__((fallthrough))
#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)

#if defined(__clang__)
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif
#define CAPABILITY(n)        TSA(capability(n))
#define ACQUIRES(...)        TSA(acquire_capability(__VA_ARGS__))
#define RELEASES(...)        TSA(release_capability(__VA_ARGS__))
#define ACQUIRES_SHARED(...) TSA(acquire_shared_capability(__VA_ARGS__))
#define RELEASES_SHARED(...) TSA(release_shared_capability(__VA_ARGS__))
#define TRY_ACQUIRES(...)    TSA(try_acquire_capability(__VA_ARGS__))
#define HOLDS(...)           TSA(requires_capability(__VA_ARGS__))
#define HOLDS_SHARED(...)    TSA(requires_shared_capability(__VA_ARGS__))
#define EXCLUDES(...)        TSA(locks_excluded(__VA_ARGS__))
#define NO_TSA               TSA(no_thread_safety_analysis)
#if defined(__clang__) && __clang_major__ >= 22
#define GUARDED_BY(x) __attribute__((guarded_by(x)))
#else
#define GUARDED_BY(x)
#endif
