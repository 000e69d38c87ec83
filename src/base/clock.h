#pragma once
/* Time.  mono: since some start, never goes back; wall: since 1970 UTC, may jump. */
#include <stdint.h>

uint64_t clock_mono_us(void);
uint64_t clock_mono_ms(void);
uint64_t clock_wall_us(void);
uint64_t clock_wall_ms(void);

/* "2026-01-31T23:59:59.123Z" (RFC 3339) and NUL; later than the year 9999: its last millisecond. */
void clock_format_utc_ms(uint64_t wall_ms, char out[32]);

/* Where a room takes its time from, so that its tests can let the clock jump. */
struct clock {
    uint64_t (*mono_ms)(void *ctx);
    uint64_t (*wall_ms)(void *ctx);
    void *ctx;
};

/* The real clock. */
extern const struct clock clock_system;
