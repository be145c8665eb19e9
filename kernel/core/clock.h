#pragma once

/*
 * Time of day and since boot. The counter is the port's (TSC); the wall clock is a sequence-locked
 * offset to it, and both live in the page that the vDSO reads, so kernel and user space cannot
 * disagree.
 */

#include "lib/types.h"

nsec_t clock_mono(void); /* CLOCK_MONOTONIC: since boot, never steps; any context */
nsec_t clock_real(void); /* CLOCK_REALTIME: since 1970; any context */
nsec_t clock_tai(void);
nsec_t clock_real_offset(void); /* CLOCK_REALTIME - CLOCK_MONOTONIC */
nsec_t clock_coarse(void);      /* CLOCK_MONOTONIC_COARSE: at most one tick (4 ms) old */
int clock_tai_offset(void);
void clock_set_tai_offset(int s);

/* Steps the wall clock. Absolute CLOCK_REALTIME timers are re-armed through `clock_was_set`. */
void clock_set_real(nsec_t now);
extern void (*clock_was_set)(void);

/* From now on the wall clock gains `slew` ns on CLOCK_MONOTONIC in every 2^32 of them (negative:
 * loses); |slew| < 2^31, so it never runs backwards. Any context below CLOCK. */
void clock_set_slew(int64_t slew);

/* Starts time: called once by boot with the counter's frequency and the RTC's wall clock. */
void clock_init(uint64_t counter_hz, nsec_t real_now);

/* Spins for at least ns. For hardware set-up only. */
void clock_delay(nsec_t ns);

/*
 * Counter value to CLOCK_MONOTONIC and back: for ports that arm timers by the counter. Rounded
 * down, and up.
 */
nsec_t clock_from_counter(uint64_t counter);
uint64_t clock_to_counter(nsec_t mono);

/* The page that the vDSO reads (layout: core/vdso_data.h), mapped read-only into every process. */
struct vdso_data;
struct vdso_data *clock_vdso_data(void);
paddr_t clock_vdso_data_paddr(void);
