#ifndef BRIG_BASE_CLOCK_H
#define BRIG_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/*
 * The time in UTC as RFC 3339, with digits (0 to 9) of the fraction: 2026-11-22T00:57:41.0770Z.
 * By arithmetic: gmtime_r would read the time zone files for nothing.
 */
void clock_rfc3339(char *text, size_t size, int digits);
/* The same of nanoseconds since 1970. */
void clock_rfc3339_of(int64_t ns, char *text, size_t size, int digits);

/* CLOCK_MONOTONIC, and what makes nanoseconds since 1970 of it at this moment. */
uint64_t clock_monotonic_ns(void);
int64_t clock_monotonic_ms(void);
int64_t clock_offset_ns(void);

#endif
